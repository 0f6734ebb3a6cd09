"""Areas of many items at once are those that pycocotools draws one by one."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from df2coco.masks import has_pixels, union_area, union_areas, union_mask, union_masks

Polygon = list[float]
Item = tuple[list[Polygon], tuple[int, int]]


def one_by_one(items: list[Item]) -> list[int]:
    return [union_area([[*map(float, p)] for p in polygons], *size) for polygons, size in items]


def together(items: list[Item]) -> list[int]:
    return union_areas([polygons for polygons, _ in items], [size for _, size in items])


# Whole, halved and tenth coordinates meet the rounding's ties; others come near them.
coordinate = (
    st.integers(-30, 130)
    | st.integers(-60, 260).map(lambda n: n / 2)
    | st.integers(-300, 1300).map(lambda n: n / 10)
    | st.floats(-30, 130)
)
polygon = st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=12).map(
    lambda points: [number for point in points for number in point]
)
item = st.tuples(
    st.lists(polygon, min_size=1, max_size=5),
    st.tuples(st.integers(1, 120), st.integers(1, 120)),
)

SQUARE: Polygon = [10, 10, 30, 10, 30, 30, 10, 30]
CASES: dict[str, tuple[list[Polygon], int]] = {
    "a square": ([SQUARE], 400),
    "twice the same": ([SQUARE, SQUARE], 400),
    "the other way round": ([[10, 30, 30, 30, 30, 10, 10, 10], SQUARE], 400),
    "closed": ([[*SQUARE, 10, 10]], 400),
    "one inside the other": ([SQUARE, [15, 15, 20, 15, 20, 20, 15, 20]], 400),
    "side by side": ([SQUARE, [40, 10, 50, 10, 50, 20, 40, 20]], 500),
    "overlapping": ([SQUARE, [20, 20, 40, 20, 40, 40, 20, 40]], 700),
    "crossing itself": ([[10, 10, 30, 30, 30, 10, 10, 30]], 200),
    "partly outside": ([[-10, -10, 10, -10, 10, 10, -10, 10]], 100),
    "outside": ([[200, 200, 220, 200, 220, 220]], 0),
    "the whole image": ([[-5, -5, 105, -5, 105, 105, -5, 105]], 10_000),
    "no width": ([[10, 10, 10, 30, 10, 50]], 0),
    "a point": ([[10, 10, 10, 10, 10, 10]], 0),
}


@pytest.mark.parametrize(("polygons", "area"), CASES.values(), ids=CASES)
def test_areas_that_can_be_counted(polygons: list[Polygon], area: int) -> None:
    assert together([(polygons, (100, 100))]) == [area]
    assert one_by_one([(polygons, (100, 100))]) == [area]


def test_items_do_not_touch_each_other() -> None:
    items: list[Item] = [(polygons, (100, 100)) for polygons, _ in CASES.values()]
    assert together(items) == [area for _, area in CASES.values()]
    assert same_masks(items)
    assert together(items[::-1]) == [area for _, area in CASES.values()][::-1]
    assert together([]) == []
    for name in ("outside", "a point", "the whole image"):
        assert same_masks(2 * [(CASES[name][0], (100, 100))])


def same_masks(items: list[Item]) -> bool:
    """Whether the RLEs of many items are those that pycocotools makes, character by character."""
    floats = [([[*map(float, p)] for p in polygons], size) for polygons, size in items]
    masks = union_masks([polygons for polygons, _ in floats], [size for _, size in floats])
    return masks == [union_mask(polygons, *size) for polygons, size in floats]


def any_pixels(items: list[Item]) -> list[bool]:
    return [has_pixels(polygons, size) for polygons, size in items]


def test_whether_a_mask_has_pixels() -> None:
    # Twice around is even, and so not inside; neither is what has no pixel between two edges.
    twice = [*SQUARE, 10, 10, *SQUARE]
    thin = [10, 10, 50, 50, 50, 50.4, 10, 10.4]
    items: list[Item] = [([polygon], (100, 100)) for polygon in (SQUARE, twice, thin)]
    items += [(polygons, (100, 100)) for polygons, _ in CASES.values()]
    assert any_pixels(items) == [pixels > 0 for pixels in one_by_one(items)]


@given(st.lists(item, max_size=6))
@example([([[0, 0, 1, 3, 0.1, 3]], (1, 1)), ([[0, 0, 0, 0, 0, 0]], (1, 1))])
def test_to_the_pixel_as_pycocotools(items: list[Item]) -> None:
    assert together(items) == one_by_one(items)
    assert same_masks(items)
    assert any_pixels(items) == [pixels > 0 for pixels in one_by_one(items)]


def random_items(rng: random.Random) -> list[Item]:
    """As the strategy above; hypothesis takes a hundred times as long to draw as many numbers."""
    kinds: tuple[Callable[[], float], ...] = (
        lambda: rng.randint(-30, 130),
        lambda: rng.randint(-60, 260) / 2,
        lambda: rng.randint(-300, 1300) / 10,
        lambda: rng.uniform(-30, 130),
    )
    return [
        (
            [
                [rng.choice(kinds)() for _ in range(2 * rng.randint(3, 12))]
                for _ in range(rng.randint(1, 5))
            ],
            (rng.randint(1, 120), rng.randint(1, 120)),
        )
        for _ in range(rng.randint(1, 6))
    ]


@pytest.mark.slow
@pytest.mark.no_cover
def test_many_to_the_pixel_as_pycocotools() -> None:
    for seed in range(2000):
        items = random_items(random.Random(seed))
        alone = one_by_one(items)
        assert together(items) == alone, seed
        assert same_masks(items), seed
        assert any_pixels(items) == [pixels > 0 for pixels in alone], seed


def test_edges_of_every_slope() -> None:
    # Triangles with whole corners: among their slopes are all simple fractions, where rounding is close.
    items: list[Item] = [
        ([[x, y, x + dx, y + dy, x + 7, y + 3]], (60, 60))
        for dx in range(-12, 13)
        for dy in range(-12, 13)
        for x, y in ((20, 20), (0.5, 0.5), (30.1, 2.3))
    ]
    assert together(items) == one_by_one(items)
    assert same_masks(items)


def test_what_is_too_large_to_be_drawn_together() -> None:
    rng = random.Random(0)
    sizes = [(65_000, 65_000), (60, 50), (65_000, 300), (40_000, 40_000), (100, 100)] * 3
    items: list[Item] = [
        ([[rng.uniform(0, 90) for _ in range(60)] for _ in range(2)], size) for size in sizes
    ]
    assert together(items) == one_by_one(items)
    assert same_masks(items)
