"""Random masks of every shape: the one outline must fill what pycocotools draws of the polygons."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from pycocotools import mask as coco_mask

from df2coco.masks import union_mask
from df2coco.masks.outline import Polygons, outlines
from tests.tools.fuzz.cases import Case, Outcome, Watch, fuzz
from tests.tools.mutations import encode

_SIDE: Final = 200

_NEAR: Final = 0.2
"""Pixels that may differ, for each pixel of the polygons' length: pycocotools rounds edges, and not the same way."""


def outline_case(number: int, seed: int) -> list[list[float]]:
    """One to six polygons: stars, scribbles, rectangles, rings; some closed, twice, reversed or beyond the border."""
    rng = random.Random(f"outline {seed} {number}")
    polygons = [_polygon(rng) for _ in range(rng.choice((1, 1, 2, 3, 6)))]
    for polygon in list(polygons):
        change = rng.randrange(8)
        if change == 0:
            polygon += polygon[:2]
        elif change == 1:
            polygons.append(list(polygon))
        elif change == 2:
            polygons.append([n for x, y in _pairs(polygon)[::-1] for n in (x, y)])
    return polygons


def _polygon(rng: random.Random) -> list[float]:
    cx, cy, radius = rng.uniform(-20, 220), rng.uniform(-20, 220), rng.choice((3, 20, 60, 120))
    points = rng.choice((3, 4, 5, 8, 21, 41, 80))
    kind = rng.randrange(4)
    if kind == 0:  # crosses itself as a star does
        step = rng.randrange(1, points)
        angles = [2 * math.pi * step * n / points for n in range(points)]
        spots = [(cx + radius * math.cos(a), cy + radius * math.sin(a)) for a in angles]
    elif kind == 1:  # a scribble
        spots = [
            (rng.uniform(cx - radius, cx + radius), rng.uniform(cy - radius, cy + radius))
            for _ in range(min(points, 21))
        ]
    elif kind == 2:
        spots = [(cx, cy), (cx + radius, cy), (cx + radius, cy + radius), (cx, cy + radius)]
    else:  # round, with dents
        spots = [
            (
                cx + radius * rng.uniform(0.6, 1) * math.cos(2 * math.pi * n / points),
                cy + radius * rng.uniform(0.6, 1) * math.sin(2 * math.pi * n / points),
            )
            for n in range(points)
        ]
    whole = rng.random() < 0.5
    return [float(round(n)) if whole else n for spot in spots for n in spot]


def _pairs(polygon: list[float]) -> list[tuple[float, float]]:
    return list(zip(polygon[::2], polygon[1::2], strict=True))


def outline_batch(seed: int, numbers: range) -> Iterator[Case]:
    outlines([Polygons([[0, 0, 9, 0, 9, 9]], 20, 20)])  # imports are not the first case's
    for number in numbers:
        polygons = outline_case(number, seed)
        watch = Watch(number, encode(polygons))
        rings: list[Any] = []

        def work(polygons: list[list[float]] = polygons, rings: list[Any] = rings) -> None:
            rings += outlines([Polygons(polygons, _SIDE, _SIDE)])

        done = watch.run(work)
        if done and rings[0] is not None:
            watch.run(partial(_compare, watch, polygons, rings[0]))
        yield watch.end(accepted=done and rings[0] is not None)


def _compare(watch: Watch, polygons: list[list[float]], ring: list[tuple[float, float]]) -> None:
    expected = coco_mask.decode(union_mask(polygons, _SIDE, _SIDE))
    filled = [[number for point in ring for number in point]]
    given = coco_mask.decode(union_mask(filled, _SIDE, _SIDE)) if ring else expected * 0
    length = sum(
        math.dist(one, other)
        for polygon in polygons
        for one, other in zip(_pairs(polygon), _pairs(polygon[2:] + polygon[:2]), strict=True)
    )
    wrong = int((expected != given).sum())
    if wrong > 9 + _NEAR * length:
        watch.fail(f"{wrong} of {expected.sum()} pixels, whose edges are {length:.0f} long")


def fuzz_outlines(cases: int, seed: int, workers: int = 1) -> Outcome:
    return fuzz(outline_batch, cases, seed, workers)
