"""Boxes: one overlap for two and for many, the same as pycocotools', and what else four numbers may mean."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from df2coco.boxes import READINGS, from_corners, iou, ious, to_corners

SIZE = (640, 480)
numbers = st.floats(-100, 700, allow_nan=False).map(lambda n: round(n, 2))
sides = st.floats(0, 700).map(lambda n: round(n, 2))
boxes = st.tuples(numbers, numbers, sides, sides)


@given(st.lists(boxes, min_size=1, max_size=4), st.lists(boxes, min_size=1, max_size=4))
def test_overlaps_are_those_of_pycocotools(
    some: list[list[float]], others: list[list[float]]
) -> None:
    expected = np.nan_to_num(
        coco_mask.iou(np.array(some, float), np.array(others, float), [0] * len(others))
    )
    assert [[iou(a, b) for b in others] for a in some] == expected.tolist()
    columns = np.array(some, float).T[:, :, None], np.array(others, float).T
    assert ious(*columns).tolist() == expected.tolist()


def test_what_is_no_box_overlaps_nothing() -> None:
    nan = [float("nan")] * 4
    assert (iou(nan, (0, 0, 1, 1)), iou((0, 0, 1, 1), nan), iou((0, 0, 0, 0), (0, 0, 0, 0))) == (
        0,
        0,
        0,
    )
    assert iou((0, 0, -5, 5), (0, 0, 5, 5)) == 0
    columns = np.array([nan, (0, 0, 0, 0)]).T
    assert np.isnan(ious(columns, columns)).tolist() == [True, False]


BOX = (50.0, 40.0, 120.0, 200.0)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("corners", (50, 40, 170, 240)),
        ("centre", (110, 140, 120, 200)),
        ("doubled", (25, 20, 60, 100)),
        ("halved", (100, 80, 240, 400)),
        ("fractions", (50 / 640, 40 / 480, 120 / 640, 200 / 480)),
        ("mirrored", (470, 40, 120, 200)),
        ("exchanged", (40, 50, 200, 120)),
    ],
)
def test_every_reading_gives_the_box(name: str, written: tuple[float, ...]) -> None:
    reading = READINGS[name]
    assert tuple(reading.box(written, SIZE)) == pytest.approx(BOX)
    columns = np.array([written, written], float).T
    assert np.stack(reading.box(columns, np.array([SIZE, SIZE]).T), axis=1) == pytest.approx(
        np.array([BOX, BOX])
    )
    if reading.point is not None:
        x1, y1, x2, y2 = to_corners(written)
        ends = reading.point(x1, y1, *SIZE), reading.point(x2, y2, *SIZE)
        xs, ys = (sorted(values) for values in zip(*ends, strict=True))
        assert from_corners((xs[0], ys[0], xs[1], ys[1])) == pytest.approx(BOX)


def test_every_reading_is_tested() -> None:
    cases = test_every_reading_gives_the_box.pytestmark[0].args[1]  # type: ignore[attr-defined]
    assert {name for name, _ in cases} == set(READINGS)
