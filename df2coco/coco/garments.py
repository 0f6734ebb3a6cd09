"""Which of a COCO file's categories are DeepFashion2's."""

from collections.abc import Iterable, Mapping
from typing import Any

from df2coco.taxonomy import Category, same_name


def find_garments(categories: Iterable[Mapping[str, Any]]) -> dict[int, Category]:
    """Category id of the file -> DeepFashion2's category of that name; {} for files of other datasets.

    The file is DeepFashion2's when most of its categories have such a name (see `same_name`): one class
    called "vest" among others does not make it so.
    """
    entries = list(categories)
    named = {
        entry["id"]: same_name(entry.get("name"))
        for entry in entries
        if type(entry.get("id")) is int
    }
    found = {number: category for number, category in named.items() if category is not None}
    return found if 2 * len(found) > len(entries) else {}
