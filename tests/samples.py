"""Small annotation files and images, valid but for what a test changes."""

from __future__ import annotations

import dataclasses
import io
from typing import Any

import msgspec
from PIL import Image

from df2coco.converter.options import Selection, Shape
from df2coco.parser.item import box_fault
from df2coco.parser.records import Fields
from df2coco.taxonomy import CATEGORY_BY_ID


def asked(**options: Any) -> dict[str, Any]:
    """Options by name, as `convert` takes them: those of a `Selection` and those of a `Shape`."""
    selected = {f.name for f in dataclasses.fields(Selection)} & options.keys()
    selection = {name: options.pop(name) for name in selected}
    return {"selection": Selection(**selection), "shape": Shape(**options)}


def make_item(number: int = 9, /, **changes: Any) -> dict[str, Any]:
    """A valid item of category `number`; a change to `...` leaves the field out."""
    category = CATEGORY_BY_ID[number]
    landmarks = [n for i in range(category.num_landmarks) for n in (12 + i, 20 + i, 1 + i % 2)]
    item = {
        "segmentation": [[10, 10, 60, 10, 60, 70, 10, 70, 10, 10]],
        "scale": 1,
        "viewpoint": 2,
        "zoom_in": 3,
        "landmarks": landmarks,
        "style": 1,
        "bounding_box": [10, 10, 60, 70],
        "category_id": number,
        "occlusion": 2,
        "category_name": category.name,
    } | changes
    return {name: value for name, value in item.items() if value is not ...}


def make_annotation(*items: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A valid annotation file's content with the given items, or one."""
    numbered = {
        f"item{number}": item for number, item in enumerate(items or [make_item()], start=1)
    }
    document = {"source": "user", "pair_id": 7} | numbered | changes
    return {name: value for name, value in document.items() if value is not ...}


def make_jpeg(width: int = 100, height: int = 120, **options: Any) -> bytes:
    """A JPEG file."""
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "white").save(buffer, "JPEG", **options)
    return buffer.getvalue()


def is_taken(annotation: dict[str, Any], size: tuple[int, int]) -> bool:
    """Whether no box of random items fits its mask when it is read as something else than corners."""
    items = [msgspec.convert(each, Fields) for each in annotation.values() if type(each) is dict]
    return not any(box_fault(item, known) for item in items for known in (None, size))
