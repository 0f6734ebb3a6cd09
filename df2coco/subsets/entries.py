"""What split and merge have in common."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from df2coco.coco.schema import Entry

Pair: TypeAlias = int | str
"""A `pair_id`. DeepFashion2 has whole numbers."""


def pair_of(entry: Entry) -> Pair | None:
    """The `pair_id` of an image or annotation; None where it has none.

    What is neither a whole number nor text becomes text, so that equal values stay equal.
    """
    found = entry.get("pair_id")
    return found if found is None or type(found) in (int, str) else repr(found)


def others_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the outermost keys that are written as they are: the licenses and what COCO has not."""
    own = ("info", "images", "annotations", "categories")
    others = {name: value for name, value in document.items() if name not in own}
    return others | {"licenses": others.get("licenses") or []}
