"""The one outline of a mask, filled by pycocotools and compared with the union of the polygons."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from df2coco.masks import union_mask
from df2coco.masks.outline import Point, Polygons, outlines

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"


def outline(polygons: Sequence[Sequence[float]], width: int, height: int) -> list[Point] | None:
    return outlines([Polygons(polygons, width, height)])[0]


def square(x: float, y: float, side: float) -> list[float]:
    return [x, y, x + side, y, x + side, y + side, x, y + side]


def decoded(polygons: Sequence[Sequence[float]], width: int, height: int) -> Any:
    return coco_mask.decode(union_mask([list(map(float, p)) for p in polygons], width, height))


def filled(points: Sequence[tuple[float, float]], width: int, height: int) -> Any:
    return decoded([[number for point in points for number in point]], width, height)


def winding(points: Sequence[tuple[float, float]], x: float, y: float) -> int:
    """How often the outline runs around a point: what the non-zero rule of filling asks."""
    turns = 0.0
    for (ax, ay), (bx, by) in zip(points, [*points[1:], points[0]], strict=True):
        angle = math.atan2(by - y, bx - x) - math.atan2(ay - y, ax - x)
        turns += (angle + math.pi) % (2 * math.pi) - math.pi
    return round(turns / (2 * math.pi))


WHOLE_AND_PARTS = [square(10, 10, 60), square(10, 10, 30), square(40, 40, 30)]
RING = [
    [10, 10, 90, 10, 90, 30, 10, 30],
    [10, 70, 90, 70, 90, 90, 10, 90],
    [10, 10, 30, 10, 30, 90, 10, 90],
    [70, 10, 90, 10, 90, 90, 70, 90],
]
CASES: dict[str, list[list[float]]] = {
    "one polygon": [square(10, 20, 50)],
    "whole outline and its parts": WHOLE_AND_PARTS,
    "the same twice": [square(10, 20, 50), square(10, 20, 50)],
    "two apart": [square(5, 5, 20), square(60, 70, 25)],
    "three apart": [square(5, 5, 20), square(60, 70, 25), square(70, 5, 20)],
    "a hole": RING,
    "a part in a hole": [*RING, square(45, 45, 10)],
    "touching at a corner": [square(10, 10, 30), square(40, 40, 30)],
    "crosses itself": [[10, 10, 80, 80, 80, 10, 10, 80]],
    "crosses itself, filled by another": [[10, 10, 80, 80, 80, 10, 10, 80], square(30, 20, 30)],
    "closed": [[10, 10, 50, 10, 50, 50, 10, 50, 10, 10]],
    "beyond the border": [square(-20, -30, 60), square(80, 70, 50)],
    "a pentagram": [[50, 5, 80, 95, 5, 40, 95, 40, 20, 95]],
}


@pytest.mark.parametrize("polygons", CASES.values(), ids=list(CASES))
def test_filled_it_is_the_union(polygons: list[list[float]]) -> None:
    points = outline(polygons, 100, 100) or []
    expected = decoded(polygons, 100, 100)
    given = filled(points, 100, 100)
    assert (expected != given).sum() <= 0.01 * expected.sum()
    assert points[0] not in points[1:]
    # Where it is filled the outline runs around once, wherever else it does not.
    for x, y in ((x, y) for x in range(5, 100, 10) for y in range(5, 100, 10)):
        around = expected[y - 2 : y + 3, x - 2 : x + 3]
        if around.min() == around.max():
            assert abs(winding(points, x + 0.37, y + 0.41)) == expected[y, x]


def test_one_polygon_stays_as_it_is() -> None:
    assert sorted(outline([square(10, 20, 50)], 100, 100) or []) == [
        (10, 20),
        (10, 70),
        (60, 20),
        (60, 70),
    ]


def test_parts_and_holes_of_less_than_a_pixel_are_left_out() -> None:
    sliver = [square(10, 10, 40), [80, 10, 80.01, 10, 80.01, 50, 80, 50]]
    assert len(outline(sliver, 100, 100)) == 4
    gap = [[10, 10, 30, 10, 30, 50, 10, 50], [30.01, 10, 50, 10, 50, 50, 30.01, 50]]
    bridged = [*gap, [10, 10, 50, 10, 50, 12, 10, 12], [10, 48, 50, 48, 50, 50, 10, 50]]
    points = outline(bridged, 100, 100)
    assert all(not 29 < x < 31 or y in (10, 50) for x, y in points)


def test_a_mask_smaller_than_a_pixel_is_kept() -> None:
    assert len(outline([square(10, 10, 0.5)], 100, 100)) == 4


@pytest.mark.parametrize(
    "polygons",
    [[[10, 10, 50, 50, 30, 30]], [[10, 10, 10, 10, 10, 10]], [square(200, 200, 10)]],
    ids=["a line", "a point", "outside"],
)
def test_nothing_has_no_outline(polygons: list[list[float]]) -> None:
    assert outline(polygons, 100, 100) == []


@pytest.mark.parametrize("path", sorted((FIXTURES / "validation" / "annos").glob("*.json")))
def test_fixtures(path: Path) -> None:
    items = [value for key, value in json.loads(path.read_text()).items() if key.startswith("item")]
    for item in items:
        polygons = [list(map(float, polygon)) for polygon in item["segmentation"]]
        width = height = 1000
        expected = decoded(polygons, width, height)
        given = filled(outline(polygons, width, height), width, height)
        assert (expected & given).sum() / (expected | given).sum() > 0.98


@pytest.mark.slow
def test_random_polygons() -> None:
    """A point that is not near an edge is inside it when it is inside one of the polygons (even-odd)."""
    random = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(*[np.arange(1.37, 199, 11)] * 2), -1).reshape(-1, 2)
    for number in range(300):
        rings = [
            random.uniform(-20, 220, (random.integers(3, 10), 2)).round(3 * (number % 2))
            for _ in range(random.integers(1, 6))
        ]
        points = outline([ring.ravel().tolist() for ring in rings], 200, 200)
        assert all(0 <= x <= 200 and 0 <= y <= 200 for x, y in points)
        far = np.all([distance(grid, ring) > 0.75 for ring in rings], 0)
        expected = np.any([inside(grid, ring) for ring in rings], 0)
        found = inside(grid, np.array(points)) if points else np.zeros(len(grid), bool)
        assert (expected == found)[far].all(), rings


def edges(ring: Any) -> tuple[Any, Any]:
    return ring[:, None], np.roll(ring, -1, 0)[:, None]


def inside(grid: Any, ring: Any) -> Any:
    """Whether a ray from each point to the right crosses the ring an odd number of times."""
    (ax, ay), (bx, by) = (np.moveaxis(end, -1, 0) for end in edges(ring))
    x, y = grid.T
    with np.errstate(divide="ignore", invalid="ignore"):
        crossed = ((ay > y) != (by > y)) & (x < ax + (bx - ax) * (y - ay) / (by - ay))
    return crossed.sum(0) % 2 == 1


def distance(grid: Any, ring: Any) -> Any:
    """From each point to the nearest edge."""
    a, b = edges(ring)
    along, off = b - a, grid - a
    length = np.maximum((along**2).sum(-1), 1e-12)
    share = np.clip((off * along).sum(-1) / length, 0, 1)[..., None]
    return np.sqrt(((off - share * along) ** 2).sum(-1)).min(0)


def star(num_points: int) -> list[float]:
    angles = [n * 2.5 for n in range(num_points)]
    return [v for a in angles for v in (500 + 450 * math.cos(a), 500 + 450 * math.sin(a))]


def squares(num_parts: int) -> list[list[float]]:
    return [square(5 + 18 * (n % 50), 5 + 18 * (n // 50), 9) for n in range(num_parts)]


BOUNDED: dict[str, tuple[list[list[float]], bool]] = {
    "a star": ([star(60)], True),
    "a star of too many crossings": ([star(300)], False),
    "a spiral": ([[v for n in range(9999) for v in (500 + n / 20 * math.cos(n * 0.3),
                                                   500 + n / 20 * math.sin(n * 0.3))]], False),
    "many parts": (squares(2000), True),
    "too many parts": (squares(2501), False),
    "the same again and again": ([square(10, 10, 500)] * 1000, False),
    "as many, apart": (squares(1000), True),
    "a fine circle": ([[v for n in range(9000) for v in (500 + 400 * math.cos(n / 9000 * math.tau),
                                                         500 + 400 * math.sin(n / 9000 * math.tau))]], True),
}  # fmt: skip


@pytest.mark.parametrize(("polygons", "is_drawn"), BOUNDED.values(), ids=list(BOUNDED))
def test_no_mask_takes_long(polygons: list[list[float]], is_drawn: bool) -> None:
    start = time.process_time()
    points = outline(polygons, 1000, 1000)
    assert time.process_time() - start < 3
    assert (points is not None) == is_drawn
    if points is not None:
        expected, given = decoded(polygons, 1000, 1000), filled(points, 1000, 1000)
        assert (expected & given).sum() / (expected | given).sum() > 0.95


def test_a_part_beyond_the_whole_outline_is_kept() -> None:
    """Parts that the largest covers are dropped, those that leave it by a pixel are not."""
    inside = outline(WHOLE_AND_PARTS, 100, 100) or []
    assert sorted(inside) == sorted(outline(WHOLE_AND_PARTS[:1], 100, 100) or [])
    beyond = outline([WHOLE_AND_PARTS[0], square(41, 41, 30)], 100, 100) or []
    assert (71, 71) in beyond


def test_masks_of_a_batch_do_not_mix() -> None:
    masks = [Polygons(polygons, 100, 100) for polygons in [*CASES.values(), [], [star(300)]]]
    assert outlines(masks) == [outline(*mask) for mask in masks]


def test_a_polygon_that_runs_twice_around_covers_nothing() -> None:
    """As pycocotools fills it, even-odd."""
    assert not decoded([square(10, 10, 60) * 2], 100, 100).any()
    assert outline([square(10, 10, 60) * 2], 100, 100) == []
    assert outline([square(10, 10, 60) * 3], 100, 100) != []
