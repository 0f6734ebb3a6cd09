"""Boxes: one overlap for two and for many, the same as pycocotools', and what else four numbers may mean."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from df2coco.boxes import best_reading, from_corners, iou, ious, readings, to_corners

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


Write = Callable[..., tuple[Any, ...]]
FORMS: dict[str, Write] = {
    "": lambda x, y, w, h: (x, y, w, h),
    "as corners": lambda x, y, w, h: (x, y, x + w, y + h),
    "as centre": lambda x, y, w, h: (x + w / 2, y + h / 2, w, h),
    "as x1, x2, y1, y2": lambda x, y, w, h: (x, x + w, y, y + h),
    "as x, y, h, w": lambda x, y, w, h: (x, y, h, w),
}
ORDERS: dict[str, Write] = {
    "": lambda a, b, c, d: (a, b, c, d),
    "with x and y exchanged": lambda a, b, c, d: (b, a, d, c),
}
UNITS: dict[str, Write] = {
    "": lambda x, y, *_: (x, y),
    "in fractions of the image": lambda x, y, w, h: (x / w, y / h),
    "in percent of the image": lambda x, y, w, h: (100 * x / w, 100 * y / h),
    "if they are doubled": lambda x, y, *_: (x / 2, y / 2),
    "if they are halved": lambda x, y, *_: (2 * x, 2 * y),
    "if multiplied by 0.75": lambda x, y, *_: (x / 0.75, y / 0.75),
    "if multiplied by 3": lambda x, y, *_: (x / 3, y / 3),
    "if width and height of the image changed places": lambda x, y, w, h: (x / w * h, y / h * w),
    "in pixels of a 640 x 640 input": lambda x, y, w, h: (640 * x / w, 640 * y / h),
    "in pixels of a 1333 x 1333 input": lambda x, y, w, h: (1333 * x / w, 1333 * y / h),
    "in pixels of a 288 x 384 input": lambda x, y, w, h: (288 * x / w, 384 * y / h),
    "a longer side of 640": lambda x, y, w, h: (
        640 * x / np.maximum(w, h),
        640 * y / np.maximum(w, h),
    ),
    "a shorter side of 800": lambda x, y, w, h: (
        800 * x / np.minimum(w, h),
        800 * y / np.minimum(w, h),
    ),
    "512 x 512 input with borders": lambda x, y, w, h: (
        256 + (x - w / 2) * 512 / np.maximum(w, h),
        256 + (y - h / 2) * 512 / np.maximum(w, h),
    ),
    "mirrored": lambda x, y, w, _: (w - x, y),
    "upside down": lambda x, y, _, h: (x, h - y),
}


def _written(form: str, order: str, unit: str, box: Any, size: Any) -> tuple[Any, ...]:
    x1, y1, x2, y2 = to_corners(box)
    (x1, y1), (x2, y2) = UNITS[unit](x1, y1, *size), UNITS[unit](x2, y2, *size)
    left, right, top, bottom = (
        np.minimum(x1, x2),
        np.maximum(x1, x2),
        np.minimum(y1, y2),
        np.maximum(y1, y2),
    )
    return FORMS[form](*ORDERS[order](left, top, right - left, bottom - top))


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("form", FORMS)
def test_every_reading_gives_the_boxes(form: str, order: str, unit: str) -> None:
    rng = np.random.default_rng(3)
    size = rng.integers(300, 1200, (2, 40)).astype(float)
    low, length = rng.uniform(0.05, 0.45, (2, 40)) * size, rng.uniform(0.2, 0.5, (2, 40)) * size
    boxes = np.concatenate([low, length])
    written = np.stack(_written(form, order, unit, boxes, size))
    if not (form or order or unit):
        return  # a COCO file's own, which is no reading
    reading, fit = best_reading(
        readings(sample=(written, boxes, size)),
        lambda reading: float(np.nan_to_num(ious(reading.box(written, size), boxes)).mean()),
    )
    assert fit == pytest.approx(1, abs=1e-6)
    assert all(words in reading.words for words in (form, order, unit)), reading.words
    assert len(reading.steps) == len([words for words in (form, order, unit) if words])
    assert reading.remedy.count(", then ") == len(reading.steps) - 1
    one = tuple(written[:, 0].tolist()), tuple(size[:, 0].tolist())
    assert tuple(reading.box(*one)) == pytest.approx(boxes[:, 0].tolist(), abs=1e-3)
    if not form:
        x1, y1, x2, y2 = (values[0] for values in to_corners(written))
        ends = reading.point(x1, y1, one[1]), reading.point(x2, y2, one[1])
        xs, ys = (sorted(values) for values in zip(*ends, strict=True))
        corners = xs[0], ys[0], xs[1], ys[1]
        assert from_corners(corners) == pytest.approx(boxes[:, 0].tolist(), abs=1e-3)


def test_of_two_readings_that_fit_the_simpler_is_taken() -> None:
    # In a square image of one size, many readings are the same.
    size, box = (100.0, 100.0), (10.0, 20.0, 30.0, 40.0)
    written = tuple(n / 100 for n in box)
    reading, fit = best_reading(readings(), lambda each: iou(each.box(written, size), box))
    assert (reading.words, round(fit, 6)) == ("in fractions of the image", 1)
