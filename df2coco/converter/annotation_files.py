"""The texts of the dataset's annotation files, made of a COCO file's images and annotations."""

import json
import math
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from df2coco.coco.decoding import check_fields
from df2coco.coco.info import conversion_of
from df2coco.coco.schema import Rle, invalid
from df2coco.errors import CocoFileError, FaultError, shorten
from df2coco.layouts import expected_numbers, own_landmarks
from df2coco.parser.annotation import find_image_id, is_item_key
from df2coco.taxonomy import ATTRIBUTES, CATEGORY_BY_ID, Category

TOP_LEVEL_ORDER: Final[Mapping[int, tuple[str, ...]]] = {
    n: tuple(keys.split())
    for n, keys in enumerate(
        (
            "source pair_id item1",
            "item2 source pair_id item1",
            "item2 source pair_id item1 item3",
            "item2 item3 item1 item4 source pair_id",
            "item2 item3 item1 item4 item5 source pair_id",
            "item2 item3 item1 item6 item4 item5 source pair_id",
            "item2 item3 item1 item6 item7 item4 item5 source pair_id",
            "item8 item2 item3 item1 item6 item7 item4 item5 source pair_id",
        ),
        start=1,
    )
}
"""Number of items -> the order of an annotation file's keys: that of a dict in Python 2."""


# ---------------------------------------------------------------- annotations


@dataclass
class Collector:
    """Turns annotations into items as they are read: `images` often stands behind them."""

    path: Path
    items: dict[int, list[tuple[Any, str]]] = field(default_factory=dict)
    """Image id -> name (None where the file has none) and JSON of its items, in the file's order."""
    pair_ids: dict[int, int] = field(default_factory=dict)
    """Image id -> the pair_id of its annotations."""
    counts: Counter[str] = field(default_factory=Counter)

    def take(self, part: list[Any]) -> None:
        first = self.counts["annotations"]
        for number, annotation in enumerate(part, start=first):
            try:
                text = json.dumps(self._item(annotation))
            except FaultError as fault:
                field = f"annotations[{number}].{fault.field}"
                raise CocoFileError(fault.text, file=self.path, field=field) from None
            image_id, pair_id = annotation.image_id, annotation.pair_id
            self.items.setdefault(image_id, []).append((annotation.item, text))
            if pair_id is not None and self.pair_ids.setdefault(image_id, pair_id) != pair_id:
                self.counts["other pair_id"] += 1
        self.counts["annotations"] += len(part)

    def _item(self, annotation: Any) -> dict[str, Any]:
        """An item in the dataset's order of keys."""
        category = CATEGORY_BY_ID.get(annotation.category_id)
        if category is None:
            raise FaultError(
                "category_id",
                f"{annotation.category_id} is none of DeepFashion2's 1 to 13. "
                "Annotation files have DeepFashion2's categories alone.",
            )
        whole = annotation.item is not None  # written by us, with all numbers as floats
        item = {
            "segmentation": _segmentation(annotation, whole),
            "scale": annotation.scale,
            "viewpoint": annotation.viewpoint,
            "zoom_in": annotation.zoom_in,
            "landmarks": self._landmarks(annotation.keypoints, category),
            "style": annotation.style,
            "bounding_box": _corners(annotation, whole),
            "category_id": category.id,
            "occlusion": annotation.occlusion,
            "category_name": category.name,
        }
        self.counts["crowds"] += annotation.iscrowd
        self.counts.update(name for name in ("style", *ATTRIBUTES) if item[name] is not None)
        return {name: value for name, value in item.items() if value is not None}

    def _landmarks(self, keypoints: list[float], category: Category) -> list[float]:
        own = own_landmarks(keypoints, category)
        if own is None:
            raise FaultError("keypoints", f"{len(keypoints)} numbers, {expected_numbers(category)}")
        labelled = len(keypoints) // 3 - keypoints[2::3].count(0)
        if labelled > len(own) // 3 - own[2::3].count(0):
            self.counts["outside"] += 1
        return own if type(sum(own)) is int else list(map(_whole, own))


def _whole(number: float) -> float:
    """An integer, where it is one and a float says no more (-0.0 does)."""
    whole = int(number)
    return whole if whole == number and (whole or math.copysign(1, number) > 0) else number


def _segmentation(annotation: Any, whole: bool) -> list[list[float]]:
    polygons: list[list[float]] | Rle = annotation.segmentation
    if isinstance(polygons, Rle):
        raise FaultError(
            "segmentation", "an RLE, but annotation files have polygons. Write polygons."
        )
    floats = annotation.float_polygons or []
    if not whole:
        return polygons
    return [
        list(map(int, polygon))
        if number not in floats and all(map(float.is_integer, map(float, polygon)))
        else polygon
        for number, polygon in enumerate(polygons)
    ]


def _corners(annotation: Any, whole: bool) -> list[float]:
    x, y, width, height = annotation.bbox
    corners = [x, y, _end(x, width), _end(y, height)]
    if not whole:
        return corners
    integers = list(map(_whole, corners))
    # The area of a whole box is a float only where the box was written with floats.
    floats = type(annotation.area) is float and all(type(n) is int for n in integers)
    return corners if floats else integers


def _end(start: float, length: float) -> float:
    """The number which, less `start`, is `length` to the last digit: a conversion subtracts them."""
    end = start + length
    nearby = (end, math.nextafter(end, math.inf), math.nextafter(end, -math.inf))
    exact = [number for number in nearby if number - start == length]
    return next((n for n in exact if n == int(n)), exact[0] if exact else end)


# ---------------------------------------------------------------- files


def make_texts(document: dict[str, Any], collected: Collector) -> dict[str, str]:
    """File name -> text of each annotation file."""
    path = collected.path
    texts: dict[str, str] = {}
    for number, image in enumerate(document["images"]):
        image_id = image["id"]
        if image_id >= 10**18:
            text = f"{image_id} cannot name an annotation file. Number the images from 1."
            raise CocoFileError(text, file=path, field=f"images[{number}].id")
        stem = os.path.splitext(os.path.basename(image.get("file_name", "")))[0]
        if find_image_id(stem) != image_id:
            stem = f"{image_id:06d}"
            collected.counts["named by id"] += 1
        if f"{stem}.json" in texts:
            raise invalid(path, f"images[{number}].id", f"{image_id} stands twice.")
        texts[f"{stem}.json"] = _text(image, collected)
    return texts


def _text(image: dict[str, Any], collected: Collector) -> str:
    items = collected.items.pop(image["id"], [])
    names = [name for name, _ in items]
    named = all(type(name) is str and is_item_key(name) for name in names)
    if not named or len(set(names)) < len(names):
        collected.counts["unnamed"] += len(names)
        order = TOP_LEVEL_ORDER.get(len(names)) or [f"item{n + 1}" for n in range(len(names))]
        names = [name for name in order if name.startswith("item")]
    source, pair_id = image.get("source"), image.get("pair_id")
    pair_id = collected.pair_ids.get(image["id"]) if pair_id is None else pair_id
    collected.counts["items"] += len(items)
    collected.counts["source"] += source is not None
    collected.counts["pair_id"] += pair_id is not None
    values = dict(zip(names, (text for _, text in items), strict=True))
    head = {"source": source, "pair_id": pair_id}
    values |= {key: json.dumps(value) for key, value in head.items() if value is not None}
    order = TOP_LEVEL_ORDER.get(len(names), ())
    if not names or [key for key in order if key in values and key not in head] != names:
        order = ("source", "pair_id", *map(str, names))
    return "{" + ", ".join(f'"{key}": {values[key]}' for key in order if key in values) + "}"


def check_head(path: Path, document: dict[str, Any]) -> None:
    """Raise `CocoFileError` for a file whose items cannot be the dataset's, before they are read."""
    check_fields(document, path, "restore")
    made = conversion_of(document.get("info"))
    if made and made.task == "instances":
        raise CocoFileError(
            "holds no landmarks (--task instances), which annotation files must have. "
            "Restore a file of --task keypoints.",
            file=path,
        )
    for number, entry in enumerate(document["categories"]):
        category = CATEGORY_BY_ID.get(entry["id"])
        names = () if category is None else (category.name, category.official_name)
        if entry.get("name") not in names:
            expected = f"{names[0]!r}" if names else "none of that id"
            raise CocoFileError(
                f"{entry['id']} is {shorten(entry.get('name'))}, but {expected} in DeepFashion2. "
                "Annotation files have DeepFashion2's categories alone.",
                file=path,
                field=f"categories[{number}]",
            )
