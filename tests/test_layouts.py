"""The layouts of keypoints, and a category's own slots in them."""

from __future__ import annotations

import json

import pytest

from df2coco.coco.decoding import own_text
from df2coco.layouts import (
    AGGREGATED,
    NUM_AGGREGATED,
    UNIFIED,
    Layout,
    layout_of_category,
    own_slots,
)
from df2coco.taxonomy import CATEGORIES, NUM_LANDMARKS, Category

every_category = pytest.mark.parametrize("category", CATEGORIES, ids=lambda c: c.name)
every_layout = pytest.mark.parametrize(
    "layout",
    [UNIFIED, AGGREGATED, *map(layout_of_category, CATEGORIES)],
    ids=["unified", "aggregated", *(c.name for c in CATEGORIES)],
)


@every_layout
def test_a_layout_is_complete(layout: Layout) -> None:
    count = len(layout.names)
    assert len(set(layout.names)) == count
    assert len(layout.flip_indices) == len(layout.sigmas) == count
    assert all(0 < sigma < 0.1 for sigma in layout.sigmas)
    assert {slot for edge in layout.skeleton for slot in edge} <= set(range(1, count + 1))


@every_layout
def test_mirroring_twice_changes_nothing_and_keeps_the_skeleton(layout: Layout) -> None:
    flip = layout.flip_indices
    assert [flip[slot] for slot in flip] == list(range(len(flip)))
    edges = {frozenset(edge) for edge in layout.skeleton}
    assert {frozenset(flip[slot - 1] + 1 for slot in edge) for edge in edges} == edges


def test_the_81_are_all_used() -> None:
    assert len(AGGREGATED.names) == NUM_AGGREGATED == 81
    assert {group for c in CATEGORIES for group in c.groups} == set(range(1, 82))


@every_category
def test_own_slots_are_as_many_as_landmarks_and_differ(category: Category) -> None:
    for count in (NUM_LANDMARKS, NUM_AGGREGATED, category.num_landmarks):
        slots = own_slots(category, count)
        assert slots is not None
        assert len(set(slots)) == category.num_landmarks
        assert set(slots) <= set(range(count))
    for count in (0, 17, 80, 82, 293, 295, category.num_landmarks + 1):
        assert own_slots(category, count) is None


@every_category
def test_the_slots_of_a_category_mirror_as_its_landmarks(category: Category) -> None:
    own = layout_of_category(category).flip_indices
    for layout in (UNIFIED, AGGREGATED):
        slots = own_slots(category, len(layout.names))
        assert slots is not None
        assert [layout.flip_indices[slot] for slot in slots] == [slots[n] for n in own]


def test_the_first_slots_of_some_categories_by_hand() -> None:
    skirt, trousers = CATEGORIES[8], CATEGORIES[7]
    assert own_slots(skirt, 294) == range(182, 190)
    assert own_slots(skirt, 81) == (62, 63, 64, 76, 77, 78, 79, 80)
    assert list(own_slots(trousers, 81) or ())[3:6] == [70, 72, 65]


@every_category
def test_own_numbers_in_json_text(category: Category) -> None:
    numbers = [0] * (3 * NUM_LANDMARKS)
    start, stop = 3 * category.slots.start, 3 * category.slots.stop
    numbers[start:stop] = range(1, stop - start + 1)
    for found, separator in (
        (numbers, ","),
        (numbers, ", "),
        ([*map(float, numbers)], ","),
        ([*map(float, numbers)], ", "),
    ):
        text = f"[{separator.join(map(str, found))}]".encode()
        assert own_text(text, category) == separator.join(map(str, found[start:stop])).encode()
    for other in {start - 1, stop} & set(range(len(numbers))):
        elsewhere = [*numbers[:other], 1, *numbers[other + 1 :]]
        assert own_text(json.dumps(elsewhere).encode(), category) is None
