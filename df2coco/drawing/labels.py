"""Where labels go: inside the picture, beside what they name, and never one on another. Pure geometry."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
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
    wishes: Sequence[Wish],
    size: tuple[int, int],
    obstacles: Sequence[Obstacle] = (),
) -> list[Rectangle | None]:
    """A place for each label within a picture of `size` (width, height), in the order of `wishes`.

    At its box, where it covers no other label and as little of the obstacles as can be: at a corner if one
    is free of them. Where labels leave no room at the box, anywhere, as near as can be. None when there is
    no room at all, and for all but the first 60.
    """
    obstacles = obstacles[:_MOST_OBSTACLES]
    placed: list[Rectangle] = []
    result: list[Rectangle | None] = []
    boxes = [around(wish.box) for wish in wishes[:_MOST_LABELS]]
    for number, wish in enumerate(wishes[:_MOST_LABELS]):
        others = boxes[:number] + boxes[number + 1 :]
        place = _at_box(wish, size, placed, obstacles, others) or _anywhere(wish, size, placed)
        result.append(place)
        if place is not None:
            placed.append(place)
    return result + [None] * (len(wishes) - len(result))


def _places(wish: Wish) -> Iterator[tuple[float, float]]:
    """Places at the box: its corners, best first (on it, in it, under it), then all along its sides."""
    width, height, (x1, y1, x2, y2) = wish
    rows = y1 - height, y1, y2, y2 - height
    for y in rows:
        yield x1, y
        yield x2 - width, y
        yield (x1 + x2 - width) / 2, y
    for y in rows:
        for step in range(1, _STEPS):
            yield x1 + (x2 - width - x1) * step / _STEPS, y
    for x in (x1 - width, x2, x1, x2 - width):
        for step in range(_STEPS + 1):
            yield x, y1 + (y2 - height - y1) * step / _STEPS


def _at_box(
    wish: Wish,
    size: tuple[int, int],
    placed: Sequence[Rectangle],
    obstacles: Sequence[Obstacle],
    others: Sequence[Rectangle],
) -> Rectangle | None:
    if wish.width > size[0] or wish.height > size[1]:
        return None
    best, least = None, math.inf
    area, own = wish.width * wish.height, around(wish.box)
    for x, y in _places(wish):
        place = _inside(x, y, wish, size)
        if any(map(place.overlaps, placed)):
            continue
        # On another item's box it would seem to name that one, where it is not on its own.
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


def _inside(x: float, y: float, wish: Wish, size: tuple[int, int]) -> Rectangle:
    return Rectangle(
        min(max(round(x), 0), size[0] - wish.width),
        min(max(round(y), 0), size[1] - wish.height),
        wish.width,
        wish.height,
    )


def _anywhere(wish: Wish, size: tuple[int, int], placed: Sequence[Rectangle]) -> Rectangle | None:
    """The free place nearest to the box's top left corner.

    A free label pushed left and up until something stops it ends at the picture's edge or at another
    label's, so these places find room if there is any.
    """
    wanted = _inside(wish.box[0], wish.box[1] - wish.height, wish, size)
    xs = {0, wanted.x} | {p.x + p.width for p in placed} | {p.x - wish.width for p in placed}
    ys = {0, wanted.y} | {p.y + p.height for p in placed} | {p.y - wish.height for p in placed}
    places = (
        Rectangle(x, y, wish.width, wish.height)
        for x, y in itertools.product(xs, ys)
        if 0 <= x <= size[0] - wish.width and 0 <= y <= size[1] - wish.height
    )
    nearest = sorted(places, key=lambda p: ((p.x - wanted.x) ** 2 + (p.y - wanted.y) ** 2, p))
    return next((p for p in nearest if not any(map(p.overlaps, placed))), None)
