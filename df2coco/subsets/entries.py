"""A COCO file as split and merge read it: its annotations in parts, the rest as a whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from df2coco.coco.lists import read_annotations
from df2coco.coco.schema import check_fields

__all__ = ["Entry", "pair_of", "read_checked"]

Entry = dict[str, Any]
"""An image, an annotation or a category."""


def read_checked(path: Path, take: Callable[[list[Entry]], None]) -> dict[str, Any]:
    """All of a file but its annotations, of which `take` gets parts, in order.

    Raises `CocoFileError` when the file cannot be read as a COCO file.
    """
    taken = 0

    def check(part: list[Entry]) -> None:
        nonlocal taken
        check_fields({"annotations": part}, path, first=taken)
        taken += len(part)
        take(part)

    rest = read_annotations(path, check)
    check_fields(rest, path)
    return rest


def pair_of(entry: Entry) -> int | None:
    """The `pair_id` of an image or annotation; None where it has none."""
    found = entry.get("pair_id")
    return found if type(found) is int else None
