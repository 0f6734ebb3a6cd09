"""What the fields of a COCO file must be, so that code can compute with them: no more than that.

Files come from anywhere, and pycocotools believes what it reads: wrong types end in a traceback, numbers
that no int holds in a crash, counts that exceed the mask in memory that belongs to others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeGuard

from df2coco.errors import CocoFileError, shorten

__all__ = ["are_numbers", "check_fields", "is_mask", "is_polygon"]

MAX_PIXELS: Final = 1 << 30
"""Width times height of an image: a mask takes as many bytes."""

MAX_NUMBER: Final = 10_000_000
"""The largest coordinate: pycocotools crashes when drawing one that no int holds."""

MAX_OUTLINE: Final = 10_000_000
"""The longest outline of a polygon in pixels: drawing it costs memory."""


def check_fields(
    document: dict[str, Any], path: Path, needs: Iterable[str] = (), *, first: int = 0
) -> None:
    """Raise `CocoFileError` at the first entry of a document that code could stumble over.

    Ids and the fields of annotations that `needs` names must be there; these and what else is there of
    COCO's own fields must have the right type, and a size that can be computed with. Whether it makes
    sense is the validator's business. `first` is the number of the first annotation, where a document
    holds a part of them.
    """
    required = {
        "images": {"id"},
        "categories": {"id"},
        "annotations": {"id", "image_id", "category_id", *needs},
    }
    for name, fields in _FIELDS.items():
        start = first if name == "annotations" else 0
        for number, entry in enumerate(document.get(name, ()), start):
            for field, (expected, fits) in fields.items():
                if field not in entry:
                    if field in required[name]:
                        raise _fault(path, f"{name}[{number}].{field}", "missing.")
                elif not fits(entry[field]):
                    found = shorten(entry[field])
                    raise _fault(
                        path, f"{name}[{number}].{field}", f"{found}, expected {expected}."
                    )
            if name == "images" and entry.get("width", 0) * entry.get("height", 0) > MAX_PIXELS:
                raise _fault(path, f"images[{number}]", f"more than {MAX_PIXELS} pixels.")


def _fault(path: Path, field: str, text: str) -> CocoFileError:
    return CocoFileError(
        f"{text} df2coco validate reports all that is wrong.", file=path, field=field
    )


def _is_integer(value: Any) -> bool:
    """Whether a JSON value is a whole number, and no boolean."""
    return type(value) is int


def are_numbers(value: Any, limit: float = MAX_NUMBER) -> TypeGuard[list[float]]:
    """Whether a JSON value is a list of numbers, none larger than `limit`."""
    if type(value) is not list:
        return False
    try:
        # One pass in C, which refuses what is no number, does for nearly all lists.
        total = sum(map(abs, value))
        if total <= limit:
            return True
        # NaN is no number, though max and min may pass it by.
        return bool(total == total and max(value) <= limit and min(value) >= -limit)
    except TypeError:
        return False


def is_polygon(value: Any) -> bool:
    """Whether a JSON value is a list of numbers that pycocotools can draw as an outline."""
    if not are_numbers(value):
        return False
    if not value or (max(value) - min(value)) * len(value) <= MAX_OUTLINE:
        return True
    return sum(abs(a - b) for a, b in zip(value, value[2:], strict=False)) <= MAX_OUTLINE


def is_mask(value: Any) -> bool:
    """Whether a JSON value is a list of polygons, or an RLE whose counts fill its size."""
    if type(value) is list:
        return all(map(is_polygon, value))
    if type(value) is not dict:
        return False
    size, counts = value.get("size"), value.get("counts")
    if type(size) is not list or len(size) != 2 or not all(map(_is_length, size)):
        return False
    if size[0] * size[1] > MAX_PIXELS:
        return False
    if type(counts) is str:
        runs = _runs(counts)
    elif type(counts) is list and all(map(_is_integer, counts)):
        runs = counts
    else:
        return False
    # pycocotools believes the counts, and would write beyond the mask.
    return min(runs, default=0) >= 0 and sum(runs) == size[0] * size[1]


def _runs(counts: str) -> list[int]:
    """The run lengths in a compressed RLE, which has 6 bits a character (maskApi.c, rleFrString)."""
    runs: list[int] = []
    value = shift = 0
    for code in map(ord, counts):
        bits = code - 48
        if not 0 <= bits < 64 or shift > 30:
            return [-1]
        value |= (bits & 0x1F) << shift
        shift += 5
        if not bits & 0x20:
            if bits & 0x10:
                value -= 1 << shift
            runs.append(value + runs[-2] if len(runs) > 2 else value)
            value = shift = 0
    return [-1] if shift else runs


def _is_length(value: Any) -> bool:
    return type(value) is int and 0 < value <= MAX_NUMBER


def _is_text(value: Any) -> bool:
    return type(value) is str


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


_INTEGER: Final = ("a whole number", _is_integer)
_TEXT: Final = ("text", _is_text)
_LENGTH: Final = ("a whole number of pixels", _is_length)

_FIELDS: Final[Mapping[str, Mapping[str, tuple[str, Callable[[Any], bool]]]]] = {
    "images": {"id": _INTEGER, "file_name": _TEXT, "width": _LENGTH, "height": _LENGTH},
    "categories": {
        "id": _INTEGER,
        "name": _TEXT,
        "keypoints": (
            "a list of names",
            lambda value: type(value) is list and all(map(_is_text, value)),
        ),
        "skeleton": (
            "a list of pairs of whole numbers",
            lambda value: (
                type(value) is list
                and all(type(e) is list and len(e) == 2 and all(map(_is_integer, e)) for e in value)
            ),
        ),
    },
    "annotations": {
        "id": _INTEGER,
        "image_id": _INTEGER,
        "category_id": _INTEGER,
        "bbox": ("4 numbers x, y, w, h", lambda value: are_numbers(value) and len(value) == 4),
        "area": ("a number", _is_number),
        "iscrowd": ("0 or 1", lambda value: type(value) is int and value in (0, 1)),
        "segmentation": (
            "polygons, each a list of numbers, or an RLE of its image's size",
            is_mask,
        ),
        "keypoints": (
            "3 numbers x, y, v a landmark",
            lambda value: are_numbers(value) and len(value) % 3 == 0,
        ),
        "num_keypoints": _INTEGER,
    },
}
"""List -> field -> what it must be, and the test of it."""
