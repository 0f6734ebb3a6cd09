"""Compressed masks, read by our decoder and by pycocotools."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from df2coco.coco.rle import mask_areas


@st.composite
def masks(draw: st.DrawFn) -> tuple[str, int, int]:
    """counts, pixels, area."""
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    pixels = rng.random((height, width)) < draw(st.sampled_from((0, 0.02, 0.5, 0.98, 1)))
    rle = coco_mask.encode(np.asfortranarray(pixels, dtype=np.uint8))
    return rle["counts"].decode(), height * width, int(pixels.sum())


@given(st.lists(masks(), max_size=8))
def test_areas_are_those_of_pycocotools(found: list[tuple[str, int, int]]) -> None:
    counts, pixels, areas = zip(*found, strict=True) if found else ((), (), ())
    assert mask_areas(counts, pixels) == list(areas)


def test_a_mask_as_large_as_masks_may_be() -> None:
    side = 1 << 15
    rle = coco_mask.frPyObjects([[0, 0, side, 0, side, side, 0, side]], side, side)[0]
    assert mask_areas([rle["counts"].decode()], [side * side]) == [side * side]


GOOD = coco_mask.encode(np.asfortranarray(np.eye(9, dtype=np.uint8)))["counts"].decode()

FAULTS = {
    "empty": "",
    "not a number": "~~~",
    "too low a character": "!" + GOOD,
    "not ASCII": GOOD[:-1] + "é",
    "cut off": GOOD[:-1] + "o",
    "a run too many": GOOD + "1",
    "a run too few": GOOD[:-1],
    "a number without end": "o" * 50 + GOOD,
    "below zero": "N" + GOOD[1:],
    "beyond 32 bits": "ooooooO" + GOOD,
    "beyond 2^30": "QPPPPP1",
}


@pytest.mark.parametrize("counts", FAULTS.values(), ids=FAULTS)
def test_faulty_counts_between_good_ones(counts: str) -> None:
    assert mask_areas([GOOD, counts, GOOD], [81] * 3) == [9, None, 9]


def test_a_mask_of_another_size() -> None:
    assert mask_areas([GOOD, GOOD], [81, 80]) == [9, None]


@given(st.lists(st.integers(-(1 << 34), 1 << 34), min_size=1, max_size=12))
def test_runs_that_leave_their_range(numbers: list[int]) -> None:
    text = "".join(map(_encoded, numbers))
    runs = list(numbers)
    for place in range(3, len(runs)):
        runs[place] += runs[place - 2]
    total = sum(runs)
    for pixels in {total % (1 << 32), total}:
        fits = min(runs) >= 0 and max(runs) <= 1 << 30 and total == pixels
        assert mask_areas([GOOD, text], [81, pixels]) == [9, sum(runs[1::2]) if fits else None]


def _encoded(number: int) -> str:
    """As pycocotools' rleToString."""
    text = ""
    while True:
        bits = number & 31
        number >>= 5
        more = number != (-1 if bits & 16 else 0)
        text += chr(48 + bits + 32 * more)
        if not more:
            return text
