"""How DeepFashion2 draws and writes a garment, for the fixtures and for the synthetic split."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

Point = tuple[float, float]


def _loops(text: str) -> tuple[tuple[int, ...], ...]:
    """ "2 1 4..7 | 3 2 7..10" -> ((2, 1, 4, 5, 6, 7), (3, 2, 7, 8, 9, 10))."""
    loops = []
    for loop in text.split("|"):
        numbers: list[int] = []
        for part in loop.split():
            first, _, last = part.partition("..")
            start, stop = int(first), int(last or first)
            step = 1 if stop >= start else -1
            numbers.extend(range(start, stop + step, step))
        loops.append(tuple(numbers))
    return tuple(loops)


PANELS: Final[Mapping[int, tuple[tuple[int, ...], ...]]] = MappingProxyType(
    {
        1: _loops("6..2 7..25 | 7..12 | 20..25"),
        2: _loops("6..2 7..33 | 7..16 | 24..33 | 9..14 | 26..31"),
        3: _loops("4..2 7..16 31 30 | 6 5 26..29 17..25 | 7..12 | 20..25"),
        4: _loops("4..2 7..20 39 38 | 6 5 34..37 21..33 | 7..16 | 24..33 | 9..14 | 26..31"),
        5: _loops("2..6 15..7"),
        6: _loops("2..6 14..8"),
        7: _loops("3..1 4..10 | 2 1 4..7 | 3 2 7..10"),
        8: _loops("3..1 4..14 | 2 1 4..9 | 3 2 9..14"),
        9: _loops("1..3 8..4"),
        10: _loops("6..2 7..29 | 7..12 | 24..29"),
        11: _loops("6..2 7..37 | 7..16 | 28..37 | 9..14 | 30..35"),
        12: _loops("2..6 19..7"),
        13: _loops("2..6 18..8"),
    }
)
"""Category id -> its polygons as loops of landmark numbers (the closing one not repeated).

As the annotators drew them: the outline, then its overlapping parts (sleeves, forearms, legs). Open
outwear has two outlines, left and right.
"""

OUTLINES: Final[Mapping[int, int]] = MappingProxyType(
    {category: 2 if category in (3, 4) else 1 for category in PANELS}
)
"""Category id -> how many of its first polygons together cover the whole garment."""

TOP_LEVEL_ORDER: Final[Mapping[int, tuple[str, ...]]] = MappingProxyType(
    {
        1: ("source", "pair_id", "item1"),
        2: ("item2", "source", "pair_id", "item1"),
        3: ("item2", "source", "pair_id", "item1", "item3"),
        4: ("item2", "item3", "item1", "item4", "source", "pair_id"),
        5: ("item2", "item3", "item1", "item4", "item5", "source", "pair_id"),
    }
)
"""Number of items -> the order of an annotation's keys: that of a dict in Python 2."""

ITEM_ORDER: Final = (
    "segmentation",
    "scale",
    "viewpoint",
    "zoom_in",
    "landmarks",
    "style",
    "bounding_box",
    "category_id",
    "occlusion",
    "category_name",
)
"""The order of an item's keys."""


def annotation_text(source: str, pair_id: int, items: Sequence[Mapping[str, Any]]) -> str:
    """One annotation file's text; `items` become item1, item2, ... and need all keys of ITEM_ORDER."""
    values: dict[str, Any] = {"source": source, "pair_id": pair_id}
    for number, item in enumerate(items, 1):
        values[f"item{number}"] = {key: item[key] for key in ITEM_ORDER}
    return json.dumps({key: values[key] for key in TOP_LEVEL_ORDER[len(items)]})


def scale_of(fraction: float) -> int:
    """The attribute `scale` of an item whose box covers this fraction of the image."""
    return 1 if fraction < 0.1 else 2 if fraction < 0.4 else 3


def occlusion_of(fraction: float) -> int:
    """The attribute `occlusion` of an item with this fraction of its landmarks occluded."""
    return 1 if fraction < 0.2 else 2 if fraction <= 0.5 else 3


def zoom_in_of(fraction: float) -> int:
    """The attribute `zoom_in` of an item with this fraction of its landmarks out of the image."""
    return 1 if fraction == 0 else 2 if fraction < 0.5 else 3


def smooth(points: Sequence[Point], corners: Sequence[bool], steps: int) -> list[Point]:
    """The closed curve through `points`: `steps` points for each given one, itself first.

    A Catmull-Rom spline; the curve breaks its direction at points whose entry in `corners` is true.
    """
    curve: list[Point] = []
    count = len(points)
    for i in range(count):
        start, end = points[i], points[(i + 1) % count]
        before = start if corners[i] else points[i - 1]
        after = end if corners[(i + 1) % count] else points[(i + 2) % count]
        for step in range(steps):
            t = step / steps
            weights = (
                (-t + 2 * t**2 - t**3) / 2,
                (2 - 5 * t**2 + 3 * t**3) / 2,
                (t + 4 * t**2 - 3 * t**3) / 2,
                (-(t**2) + t**3) / 2,
            )
            four = (before, start, end, after)
            curve.append(
                (
                    sum(w * p[0] for w, p in zip(weights, four, strict=True)),
                    sum(w * p[1] for w, p in zip(weights, four, strict=True)),
                )
            )
    return curve
