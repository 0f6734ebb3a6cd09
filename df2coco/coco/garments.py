"""Which of a COCO file's categories are DeepFashion2's."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from df2coco.taxonomy import CATEGORY_BY_NAME, Category


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name)).casefold()


_BY_PLAIN_NAME: Final = {_plain(name): category for name, category in CATEGORY_BY_NAME.items()}


def same_name(name: Any) -> Category | None:
    """DeepFashion2's category of that name, the dataset's or the official converter's.

    Letters alone count, capitals as small ones: "ShortSleeveTop" and "short_sleeve-top" are the same.
    """
    return _BY_PLAIN_NAME.get(_plain(name)) if type(name) is str else None


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
