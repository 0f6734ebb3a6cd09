"""An item as a line of labels.

Ultralytics drops a photo whose labels leave it by more than 1 %, takes a row of labels for a polygon where
it has more than 6 numbers, and fills a polygon even-odd. So everything is cut at the photo's border, and
each mask is one outline (`df2coco.masks.outline`).
"""

from collections.abc import Mapping, Sequence
from itertools import compress
from typing import Final, Literal, NamedTuple, TypeAlias

from df2coco.masks.outline import Point, Polygons, outlines

YoloTask: TypeAlias = Literal["detect", "segment", "pose"]

YOLO_TASKS: Final[Mapping[YoloTask, str]] = {
    "detect": "boxes",
    "segment": "masks, one outline each",
    "pose": "boxes and landmarks",
}

NOTES: Final[Mapping[str, str]] = {
    "crowd": "crowds (iscrowd 1) are left out: labels cannot say it",
    "box-empty": "boxes cover nothing of their photo: their items are left out",
    "outline-from-box": "masks cover nothing: their outline is the box",
    "outline-too-complex": "masks have more than 10,000 points or cross themselves more than 5,000 times: "
    "their outline is the box",
    "landmark-outside": "labelled landmarks lie outside their photo: exported as not labelled",
}
"""Code -> what was left out or changed, beside the notices of converting (`box-clipped` too)."""


class Slots(NamedTuple):
    """Which landmarks of an annotation become labels."""

    total: int
    """How many slots its `keypoints` have."""
    places: Mapping[int, int]
    """Slot -> place among the labels, both from 0."""


class LabelledItem(NamedTuple):
    """What of an annotation becomes a label. Everything is in pixels."""

    image_id: int
    label: int
    photo: tuple[int, int]
    """Width and height."""
    iscrowd: int
    bbox: Sequence[float]
    segmentation: Sequence[Sequence[float]] | None
    """None where boxes or landmarks are exported."""
    keypoints: Sequence[float] | None


class Row(NamedTuple):
    image_id: int
    text: str
    """One line; "" when the item is left out."""
    notes: list[str]
    """Codes of `NOTES`."""


def make_rows(slots: Slots | None, items: Sequence[LabelledItem]) -> list[Row]:
    """The rows of items of one task; `slots` where landmarks are exported."""
    shapes: Sequence[list[Point] | None] = [None] * len(items)
    masks = [Polygons(i.segmentation, *i.photo) for i in items if i.segmentation is not None]
    if masks:
        shapes = outlines(masks)
    return [_row(slots, item, shape) for item, shape in zip(items, shapes, strict=True)]


def _row(slots: Slots | None, item: LabelledItem, shape: list[Point] | None) -> Row:
    if item.iscrowd:
        return Row(item.image_id, "", ["crowd"])
    width, height = item.photo
    x, y, w, h = item.bbox
    left, right = max(x, 0), min(x + w, width)
    top, bottom = max(y, 0), min(y + h, height)
    if left >= right or top >= bottom:
        return Row(item.image_id, "", ["box-empty"])
    # Corners are sums, which differ from the border by rounding alone.
    clipped = max(left - x, x + w - right, top - y, y + h - bottom) > 1e-6
    notes = ["box-clipped"] if clipped else []
    if item.segmentation is not None:
        notes = []
        if not shape:
            notes = ["outline-too-complex" if shape is None else "outline-from-box"]
            shape = [(left, top), (right, top), (right, bottom), (left, bottom)]
        numbers = [value for x, y in shape for value in (x / width, y / height)]
        return Row(item.image_id, f"{item.label} {_text(numbers)}\n", notes)
    center = (left + right) / 2 / width, (top + bottom) / 2 / height
    text = f"{item.label} {_text((*center, (right - left) / width, (bottom - top) / height))}"
    if slots is not None and item.keypoints is not None:
        landmarks, outside = _landmarks(item.keypoints, item.photo, slots)
        text += f" {landmarks}"
        notes += ["landmark-outside"] * outside
    return Row(item.image_id, f"{text}\n", notes)


def _text(numbers: Sequence[float]) -> str:
    """Seven digits: Ultralytics reads them as 32-bit floats, which have no more."""
    return " ".join(["%.7g"] * len(numbers)) % tuple(numbers)


def _landmarks(numbers: Sequence[float], photo: tuple[int, int], slots: Slots) -> tuple[str, int]:
    """The text of the landmarks, and how many labelled ones lie outside the photo."""
    width, height = photo
    texts = ["0 0 0"] * len(slots.places)
    outside = 0
    for slot in compress(range(slots.total), numbers[2::3]):
        if slot not in slots.places:
            continue
        x, y, visibility = numbers[3 * slot : 3 * slot + 3]
        if 0 <= x <= width and 0 <= y <= height:
            texts[slots.places[slot]] = f"{x / width:.7g} {y / height:.7g} {visibility:.0f}"
        else:
            outside += 1
    return " ".join(texts), outside
