"""Which annotation of a file is which item of its source: by what they are, not by their order."""

from collections.abc import Sequence
from typing import Any, Final

from df2coco.boxes import iou
from df2coco.coco.format import Entry
from df2coco.coco.schema import FIELDS
from df2coco.errors import shorten


def match(expected: list[Entry], present: list[Entry], keys: Sequence[str]) -> dict[int, int]:
    """Place among the expected -> place among those present, of items that are the same.

    By their key, if the file has it; else by how much they have in common.
    """
    pairs: dict[int, int] = {}
    left = list(range(len(present)))
    if len({shorten(each.get("item")) for each in present}) == len(present):
        for place, key in enumerate(keys):
            same = [number for number in left if present[number].get("item") == key]
            if same:
                pairs[place] = same[0]
                left.remove(same[0])
    scores = sorted(
        (-_likeness(expected[place], present[number]), abs(place - number), place, number)
        for place in range(len(expected))
        if place not in pairs
        for number in left
    )
    for likeness, _, place, number in scores:
        if likeness < 0 and place not in pairs and number in left:
            pairs[place] = number
            left.remove(number)
    return pairs


def _likeness(expected: Entry, present: Entry) -> float:
    """How sure it is that two entries are the same item; 0: it is not."""
    names = ("bbox", "segmentation", "keypoints")
    same = sum(bool(name in expected and expected[name] == present.get(name)) for name in names)
    overlap = _overlap(expected["bbox"], present.get("bbox"))
    if not same and overlap < _OVERLAP:
        return 0
    alike = bool(expected["category_id"] == present.get("category_id"))
    return same + overlap + 0.5 * alike


_OVERLAP: Final = 0.5


def _overlap(box: list[float], other: Any) -> float:
    """IoU of two boxes x, y, w, h; 0 where the other is not one."""
    return iou(box, other) if FIELDS["annotations"]["bbox"].fits(other) else 0
