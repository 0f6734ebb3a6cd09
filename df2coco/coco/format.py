"""Entries of a COCO file, as types."""

from collections.abc import Sequence
from operator import itemgetter
from typing import Any, TypeAlias, TypedDict

Entry: TypeAlias = dict[str, Any]
"""An image, an annotation or a category of any file: nothing is known of its fields."""


class _Category(TypedDict):
    id: int
    name: str
    supercategory: str


class CocoCategory(_Category, total=False):
    """A category. `skeleton` counts from 1 in its `keypoints`, as COCO does."""

    keypoints: list[str]
    skeleton: list[list[int]]


def column(entries: Sequence[Entry], field: str, missing: Any = None) -> list[Any]:
    """A field of every entry, `missing` where it is not there."""
    try:
        return list(map(itemgetter(field), entries))  # where all have it, in half the time
    except KeyError:
        return [entry.get(field, missing) for entry in entries]
