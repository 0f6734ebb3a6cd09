"""What a file should hold, worked out from the parser's records alone.

Nothing is shared with `layout`, which writes files, so that a mistake there is found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from df2coco.layouts import NUM_AGGREGATED
from df2coco.parser.records import ImageRecord, Item
from df2coco.taxonomy import CATEGORIES, NUM_LANDMARKS
from df2coco.validator.categories import names_of
from df2coco.validator.document import Document, Entry, garments

__all__ = [
    "OPTIONAL_FIELDS",
    "Shape",
    "expected_annotation",
    "expected_image",
    "shape_of",
    "sizes_unknown",
]


@dataclass(frozen=True)
class Shape:
    """How the file was made, as far as it tells."""

    own: bool
    """df2coco wrote it with its own layout of fields: these are known to the last key."""
    keypoints: bool
    slots: int
    """294, 81, or another number for each category's own landmarks."""
    visible: bool
    area: str | None
    """"mask", "box", or None: the file does not tell."""
    categories: frozenset[int]
    only: str | None
    limit: int | None
    sizes: bool
    """Sizes can be compared."""
    annotation_fields: frozenset[str]
    """Those that any annotation has."""
    image_fields: frozenset[str]


OPTIONAL_FIELDS: Final = ("style", "scale", "occlusion", "zoom_in", "viewpoint")


def shape_of(document: Document) -> Shape:
    told = document.converted or {}
    listed = frozenset(category.id for _, category in garments(document))
    lengths = {len(names_of(entry)) for entry in document.categories}
    fields = frozenset().union(*(each.keys() for each in document.annotations))
    reader = document.source.reader if document.source else None
    chosen = frozenset(told.get("categories") or ())
    return Shape(
        own=document.converted is not None,
        keypoints=told["task"] == "keypoints" if "task" in told else "keypoints" in fields,
        slots=next((count for count in (NUM_LANDMARKS, NUM_AGGREGATED) if count in lengths), 0),
        visible=told.get("landmarks") == "visible",
        # The official converter leaves `info` empty.
        area=told.get("area", None if document.info else "box"),
        categories=chosen or (listed if len(listed) < len(CATEGORIES) else frozenset()),
        only=told.get("only"),
        limit=told.get("limit"),
        sizes=reader is not None and (reader.images is not None or sizes_unknown(document)),
        annotation_fields=fields,
        image_fields=frozenset().union(*(each.keys() for each in document.images)),
    )


def sizes_unknown(document: Document) -> bool:
    """The file says that there were no images, so that its sizes are the smallest possible."""
    told = (document.converted or {}).get("image_sizes", "")
    return str(told).startswith("unknown")


def expected_image(record: ImageRecord, shape: Shape) -> Entry:
    expected: Entry = {"id": record.image_id, "file_name": record.file_name}
    if shape.sizes:
        expected |= {"width": record.width, "height": record.height}
    if record.source is not None:
        expected["source"] = record.source
    if record.pair_id is not None:
        expected["pair_id"] = record.pair_id
    return expected


def expected_annotation(record: ImageRecord, item: Item, mask: int | None, shape: Shape) -> Entry:
    x1, y1, x2, y2 = item.bounding_box
    box_area = (x2 - x1) * (y2 - y1)
    expected: Entry = {
        "image_id": record.image_id,
        "category_id": item.category_id,
        "bbox": [x1, y1, x2 - x1, y2 - y1],
        "iscrowd": 0,
        "segmentation": item.segmentation,
    }
    if shape.area is not None:
        expected["area"] = (mask or box_area) if shape.area == "mask" else box_area
    if shape.keypoints:
        expected |= _expected_keypoints(item, shape)
    values = {"pair_id": record.pair_id, **{name: getattr(item, name) for name in OPTIONAL_FIELDS}}
    expected |= {name: value for name, value in values.items() if value is not None}
    if shape.own:
        expected["item"] = item.key
        floats = [
            number
            for number, polygon in enumerate(item.segmentation)
            if any(type(n) is float for n in polygon) and all(n == round(n) for n in polygon)
        ]
        if floats:
            expected["float_polygons"] = floats
    return expected


def _expected_keypoints(item: Item, shape: Shape) -> Entry:
    triples = [tuple(item.landmarks[i : i + 3]) for i in range(0, len(item.landmarks), 3)]
    if shape.visible:
        triples = [triple if triple[2] == 2 else (0, 0, 0) for triple in triples]
    if shape.slots == NUM_AGGREGATED:
        places = CATEGORIES[item.category_id - 1].groups
        shared = dict(zip(places, triples, strict=True))
        triples = [shared.get(number, (0, 0, 0)) for number in range(1, NUM_AGGREGATED + 1)]
    if shape.slots == NUM_LANDMARKS:
        before = sum(each.num_landmarks for each in CATEGORIES if each.id < item.category_id)
        after = NUM_LANDMARKS - before - len(triples)
        triples = [(0, 0, 0)] * before + triples + [(0, 0, 0)] * after
    return {
        "keypoints": [number for triple in triples for number in triple],
        "num_keypoints": sum(triple[2] > 0 for triple in triples),
    }
