"""Which of a COCO file's categories are DeepFashion2's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from df2coco.layouts import own_slots
from df2coco.taxonomy import CATEGORY_BY_NAME, Category

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
