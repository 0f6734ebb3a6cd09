"""An item as a line of labels.

Ultralytics drops a photo whose labels leave it by more than 1 %, takes a row of labels for a polygon where
it has more than 6 numbers, and fills a polygon even-odd. So everything is cut at the photo's border, and
each mask is one outline (`df2coco.masks.outline`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from df2coco.masks.outline import Point, Polygons, outlines

YoloTask: TypeAlias = Literal["detect", "segment", "pose"]

YOLO_TASKS: Final[Mapping[YoloTask, str]] = {
    "detect": "boxes",
    "segment": "masks, one outline each",
    "pose": "boxes and landmarks",
}


class Slots(NamedTuple):
    """Which landmarks of an annotation become labels."""

    total: int
    """How many slots its `keypoints` have."""
    chosen: tuple[int, ...]
    """Counted from 0, in the order of the labels."""


class LabelledItem(NamedTuple):
    """What of an annotation becomes a label. Everything is in pixels."""

    image_id: int
    label: int
    photo: tuple[int, int]
    """Width and height."""
    annotation: Mapping[str, Any]
    """The fields that the task needs."""


class Row(NamedTuple):
    image_id: int
    text: str
    """One line; "" when the item is left out."""
    notes: list[str]
    """Codes of `NOTES`."""


def make_rows(slots: Slots | None, items: Sequence[LabelledItem]) -> list[Row]:
    """The rows of items of one task; `slots` where landmarks are exported."""
    shapes: Sequence[list[Point] | None] = [None] * len(items)
    if all("segmentation" in item.annotation for item in items):
        shapes = outlines([Polygons(i.annotation["segmentation"], *i.photo) for i in items])
    return [_row(slots, item, shape) for item, shape in zip(items, shapes, strict=True)]


def _row(slots: Slots | None, item: LabelledItem, shape: list[Point] | None) -> Row:
    if item.annotation.get("iscrowd"):
        return Row(item.image_id, "", ["crowd"])
    width, height = item.photo
    x, y, w, h = item.annotation["bbox"]
    left, right = max(x, 0), min(x + w, width)
    top, bottom = max(y, 0), min(y + h, height)
    if left >= right or top >= bottom:
        return Row(item.image_id, "", ["box-empty"])
    # Corners are sums, which differ from the border by rounding alone.
    clipped = max(left - x, x + w - right, top - y, y + h - bottom) > 1e-6
    notes = ["box-clipped"] if clipped else []
    if "segmentation" in item.annotation:
        notes = []
        if not shape:
            notes = ["outline-too-complex" if shape is None else "outline-from-box"]
            shape = [(left, top), (right, top), (right, bottom), (left, bottom)]
        numbers = [value for x, y in shape for value in (x / width, y / height)]
        return Row(item.image_id, f"{item.label} {_text(numbers)}\n", notes)
    box = [
        (left + right) / 2 / width,
        (top + bottom) / 2 / height,
        (right - left) / width,
        (bottom - top) / height,
    ]
    text = f"{item.label} {_text(box)}"
    if slots is not None:
        landmarks, outside = _landmarks(item, slots)
        text += f" {landmarks}"
        notes += ["landmark-outside"] * outside
    return Row(item.image_id, f"{text}\n", notes)


def _text(numbers: Sequence[float]) -> str:
    """Seven digits: Ultralytics reads them as 32-bit floats, which have no more."""
    return " ".join([f"{number:.7g}" for number in numbers])


def _landmarks(item: LabelledItem, slots: Slots) -> tuple[str, int]:
    """The text of the landmarks, and how many labelled ones lie outside the photo."""
    numbers = item.annotation["keypoints"]
    width, height = item.photo
    texts = ["0 0 0"] * len(slots.chosen)
    outside = 0
    for place, slot in enumerate(slots.chosen):
        x, y, visibility = numbers[3 * slot : 3 * slot + 3]
        if not visibility:
            continue
        if 0 <= x <= width and 0 <= y <= height:
            texts[place] = f"{x / width:.7g} {y / height:.7g} {visibility:.0f}"
        else:
            outside += 1
    return " ".join(texts), outside
