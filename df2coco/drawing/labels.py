"""Where labels go: inside the picture, beside what they name, and never one on another. Pure geometry."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

_MOST_LABELS: Final = 60
_MOST_OBSTACLES: Final = 500
"""More cover the picture rather than explain it, and finding room takes the square of their number."""

_FOREIGN: Final = 0.6
"""How bad it is to lie on another item's box: less than to cover a landmark."""

_STEPS: Final = 8
"""Places that are tried along each side of a box."""


class Rectangle(NamedTuple):
    """x, y of the top left corner, width and height, all whole pixels."""

    x: int
    y: int
    width: int
    height: int

    def overlaps(self, other: Rectangle) -> bool:
        """Whether they share a pixel."""
        return self.shared(other) > 0

    def shared(self, other: Rectangle) -> int:
        """The number of pixels that they share."""
        x, y, width, height = self
        left, top, across, down = other
        if left >= x + width or x >= left + across or top >= y + height or y >= top + down:
            return 0
        return (min(x + width, left + across) - max(x, left)) * (
            min(y + height, top + down) - max(y, top)
        )


def around(box: tuple[float, float, float, float]) -> Rectangle:
    """A box (x1, y1, x2, y2) in whole pixels."""
    x1, y1, x2, y2 = box
    return Rectangle(round(x1), round(y1), max(1, round(x2 - x1)), max(1, round(y2 - y1)))


class Wish(NamedTuple):
    """A label and the box that it names."""

    width: int
    height: int
    box: tuple[float, float, float, float]
    """x1, y1, x2, y2 in pixels."""


class Obstacle(NamedTuple):
    """What a label should not cover: a landmark or a face."""

    place: Rectangle
    weight: float
    """How bad it is to cover all of it."""


def place_labels(
    wishes: Sequence[Wish], size: tuple[int, int], obstacles: Sequence[Obstacle] = ()
) -> list[Rectangle | None]:
    """A place for each label within a picture of `size` (width, height), in the order of `wishes`.

    At its box, where it covers no other label and as little of the obstacles as can be: at a corner if one
    is free of them. Where labels leave no room at the box, anywhere, as near as can be. None when there is
    no room at all, and for all but the first 60.
    """
    obstacles = obstacles[:_MOST_OBSTACLES]
    result: list[Rectangle | None] = [None] * len(wishes)
    boxes = [around(wish.box) for wish in wishes[:_MOST_LABELS]]
    for number, own in enumerate(boxes):
        wish, others = wishes[number], boxes[:number] + boxes[number + 1 :]
        placed = [place for place in result if place]
        if wish.width <= size[0] and wish.height <= size[1]:
            place = _at_box(_places(wish, size), own, placed, obstacles, others)
            result[number] = place or _anywhere(next(_places(wish, size)), size, placed)
    return result


def _places(wish: Wish, size: tuple[int, int]) -> Iterator[Rectangle]:
    """Places at the box: its corners, best first (on it, in it, under it), then all along its sides."""
    width, height, (x1, y1, x2, y2) = wish
    across, down = x2 - width - x1, y2 - height - y1
    rows, columns = (y1 - height, y1, y2, y2 - height), (x1 - width, x2, x1, x2 - width)
    points = [(x, y) for y in rows for x in (x1, x2 - width, (x1 + x2 - width) / 2)]
    points += [(x1 + across * step / _STEPS, y) for y in rows for step in range(1, _STEPS)]
    points += [(x, y1 + down * step / _STEPS) for x in columns for step in range(_STEPS + 1)]
    for x, y in points:
        left, top = min(max(round(x), 0), size[0] - width), min(max(round(y), 0), size[1] - height)
        yield Rectangle(left, top, width, height)


def _at_box(
    places: Iterable[Rectangle],
    own: Rectangle,
    placed: Sequence[Rectangle],
    obstacles: Sequence[Obstacle],
    others: Sequence[Rectangle],
) -> Rectangle | None:
    """The first of the best places; `own` is its item's box, `others` are the others'."""
    best, least = None, math.inf
    for place in places:
        if any(map(place.overlaps, placed)):
            continue
        # On another item's box it would seem to name that one, where it is not on its own.
        area = place.width * place.height
        outside = area - place.shared(own)
        covered = sum(_FOREIGN * min(outside, place.shared(box)) / area for box in others)
        for its, weight in obstacles:
            if covered >= least:
                break
            covered += weight * place.shared(its) / (its.width * its.height)
        if covered < least:
            best, least = place, covered
            if not covered:
                break
    return best


def _anywhere(
    wanted: Rectangle, size: tuple[int, int], placed: Sequence[Rectangle]
) -> Rectangle | None:
    """The free place nearest to `wanted`.

    A free label pushed left and up until something stops it ends at the picture's edge or at another
    label's, so these places find room if there is any.
    """
    x, y, width, height = wanted
    xs = {0, x} | {p.x + p.width for p in placed} | {p.x - width for p in placed}
    ys = {0, y} | {p.y + p.height for p in placed} | {p.y - height for p in placed}
    places = (
        Rectangle(left, top, width, height)
        for left, top in itertools.product(xs, ys)
        if 0 <= left <= size[0] - width and 0 <= top <= size[1] - height
    )
    nearest = sorted(places, key=lambda p: ((p.x - x) ** 2 + (p.y - y) ** 2, p))
    return next((p for p in nearest if not any(map(p.overlaps, placed))), None)
