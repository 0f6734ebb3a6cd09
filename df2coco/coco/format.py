"""Entries of a COCO file, as types."""

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
