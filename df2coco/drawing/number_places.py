"""Where the numbers on the poster stand: beside their dots, clear of edges and of each other."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Final, NamedTuple, TypeAlias

from df2coco.drawing.overlay import font
from df2coco.taxonomy import Category

__all__ = ["RADIUS", "TEXT", "Place", "number_width", "place_numbers", "text_length"]

RADIUS: Final = 5.0
"""Of a dot, in pixels."""
TEXT: Final = 15
"""Size of the numbers, in pixels."""


Bounds: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom."""


class Place(NamedTuple):
    """A label: its left end, its middle, its width and height."""

    x: float
    y: float
    width: float
    height: float

    def bounds(self) -> Bounds:
        """What it covers, and a little air around."""
        x, y, width, height = self
        return x - 1.5, y - height / 2 - 1.5, x + width + 1.5, y + height / 2 + 1.5

    def mirrored(self, axis: float) -> Place:
        """The same on the other side of a vertical axis."""
        return self._replace(x=2 * axis - self.x - self.width)


@functools.lru_cache(maxsize=256)
def text_length(text: str, size: int) -> float:
    """Pixels from end to end, in Pillow's font and a little more for broader ones."""
    return float(font(size).getlength(text)) + 0.06 * size * len(text)


def number_width(text: str, slot: str) -> float:
    """Pixels of a number with its slot, if any, behind it."""
    return text_length(text, TEXT) + (3 + text_length(slot, TEXT - 3) if slot else 0)


def place_numbers(
    category: Category, points: Sequence[tuple[float, float]], slots: bool
) -> list[Place]:
    """A place for each landmark's number: clear of dots, edges and other numbers as far as can be.

    Mirrored landmarks have mirrored places. Each number in turn takes the best place while the others
    stay; three rounds settle it.
    """
    a, b = category.flip_pairs[0]
    axis = (points[a - 1][0] + points[b - 1][0]) / 2
    partner = {a: b for pair in category.flip_pairs for a, b in (pair, pair[::-1])}
    widths = [
        number_width(str(n), str(category.first_slot + n - 1) if slots else "")
        for n in range(1, category.num_landmarks + 1)
    ]
    edges = [(points[a - 1], points[b - 1]) for a, b in category.skeleton]
    options: dict[int, list[tuple[Place, float]]] = {}
    for number, own in enumerate(points, start=1):
        if own[0] <= axis + 1e-6:
            other = partner.get(number)
            width = max(widths[number - 1], widths[other - 1] if other else 0)
            side = axis if other else math.inf
            options[number] = [
                (place, _badness(place, own, points, edges, side)) for place in _around(own, width)
            ]
    taken: dict[int, Place] = {}
    for _ in range(3):
        for number, places in options.items():
            other = partner.get(number)
            rest = [place for n, place in taken.items() if n not in (number, other)]
            best, _bad = min(places, key=lambda option: option[1] + _crowding(option[0], rest))
            taken[number] = best
            if other:
                taken[other] = best.mirrored(axis)
    return [taken[n] for n in range(1, len(points) + 1)]


def _around(point: tuple[float, float], width: float) -> list[Place]:
    """Places around a dot: 24 directions at three distances."""
    height = 0.78 * TEXT
    places = []
    for distance in (3.0, 7.0, 13.0):
        for step in range(24):
            angle = 2 * math.pi * step / 24
            x = point[0] + math.cos(angle) * (RADIUS + distance + width / 2)
            y = point[1] + math.sin(angle) * (RADIUS + distance + height / 2)
            places.append(Place(x - width / 2, y, width, height))
    return places


def _crowding(place: Place, others: Sequence[Place]) -> float:
    """How bad a place is for the numbers that it covers."""
    left, top, right, bottom = place.bounds()
    return 100.0 * sum(
        left < other.x + other.width
        and other.x < right
        and top < other.y + other.height / 2
        and other.y - other.height / 2 < bottom
        for other in others
    )


def _badness(
    place: Place,
    own: tuple[float, float],
    points: Sequence[tuple[float, float]],
    edges: Sequence[tuple[tuple[float, float], tuple[float, float]]],
    side: float,
) -> float:
    """How bad a place is for the number of the dot `own`; to the right of `side` it must not reach."""
    bounds = place.bounds()
    bad = 0.12 * math.dist(own, (place.x + place.width / 2, place.y))
    if side < math.inf:  # rather outside
        bad += 200 * (bounds[2] > side) + 0.05 * (place.x - own[0])
    gaps = [_gap(point, bounds) for point in points]
    bad += 60 * sum(gap < RADIUS for gap in gaps)
    mine = _gap(own, bounds)
    bad += 2 * (sum(gap < RADIUS + 4 for gap in gaps) - (mine < RADIUS + 4))
    bad += 12 * (min(gaps) < mine)  # it would be read as that one's
    return bad + 0.9 * sum(_length_inside(start, end, bounds) for start, end in edges)


def _gap(point: tuple[float, float], bounds: Bounds) -> float:
    """How far a point is from a rectangle."""
    (x, y), (left, top, right, bottom) = point, bounds
    return math.hypot(x - min(max(x, left), right), y - min(max(y, top), bottom))


def _length_inside(
    start: tuple[float, float],
    end: tuple[float, float],
    box: Bounds,
) -> float:
    """How much of a line lies in a box (Liang and Barsky's clipping)."""
    low, high = 0.0, 1.0
    for axis in (0, 1):
        move = end[axis] - start[axis]
        if abs(move) < 1e-9:
            if not box[axis] < start[axis] < box[axis + 2]:
                return 0.0
            continue
        enter, leave = sorted(
            ((box[axis] - start[axis]) / move, (box[axis + 2] - start[axis]) / move)
        )
        low, high = max(low, enter), min(high, leave)
    return max(0.0, high - low) * math.dist(start, end)
