"""A COCO file as split and merge read it: its annotations in parts, the rest as a whole."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from df2coco.coco.decoding import check_fields
from df2coco.coco.format import Entry
from df2coco.coco.lists import read_annotations
from df2coco.coco.schema import unknown_id

Pair: TypeAlias = int | str
"""A `pair_id`. DeepFashion2 has whole numbers."""


def read_checked(path: Path, take: Callable[[list[Entry]], None]) -> dict[str, Any]:
    """All of a file but its annotations, of which `take` gets parts, in order.

    Raises `CocoFileError` when the file cannot be read as a COCO file.
    """
    return read_annotations(
        path, take, use="any", as_objects=True, start=lambda rest: check_fields(rest, path)
    )


def check_images_known(path: Path, used: Iterable[int], images: Iterable[Entry]) -> None:
    """Raise `CocoFileError` when `used`, the `image_id`s of annotations, are not all ids of `images`."""
    unknown = set(used).difference(image["id"] for image in images)
    if unknown:
        raise unknown_id("image_id", min(unknown), path)


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
