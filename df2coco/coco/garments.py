"""Which of a COCO file's categories are DeepFashion2's, and which of its keypoint slots are theirs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from df2coco.taxonomy import CATEGORY_BY_NAME, NUM_LANDMARKS, Category

__all__ = ["find_garments", "own_slots"]


def find_garments(categories: Iterable[Mapping[str, Any]]) -> dict[int, Category]:
    """Category id of the file -> DeepFashion2's category of that name; {} for files of other datasets.

    A name is the dataset's or the official converter's. The file is DeepFashion2's when most of its
    categories have such a name: one class called "vest" among others does not make it so.
    """
    entries = list(categories)
    found = {
        entry["id"]: CATEGORY_BY_NAME[entry["name"]]
        for entry in entries
        if type(entry.get("id")) is int
        and type(entry.get("name")) is str
        and entry["name"] in CATEGORY_BY_NAME
    }
    return found if 2 * len(found) > len(entries) else {}


def own_slots(category: Category, num_slots: int) -> Sequence[int] | None:
    """The slots (from 0) of a category's landmarks, in their order, in a layout of `num_slots`.

    294 is the unified layout, the category's own 8 to 39 the category layout. None for any other number.
    """
    layouts = {
        NUM_LANDMARKS: category.slots,
        category.num_landmarks: range(category.num_landmarks),
    }
    return layouts.get(num_slots)
