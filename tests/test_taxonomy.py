"""The table of categories and landmarks."""

from __future__ import annotations

import pytest

from df2coco.taxonomy import (
    ATTRIBUTE_VALUES,
    ATTRIBUTES,
    CATEGORIES,
    FLIP_INDICES,
    LANDMARK_NAMES,
    NUM_LANDMARKS,
    SIGMAS,
    SKELETON,
    Category,
)

every_category = pytest.mark.parametrize("category", CATEGORIES, ids=lambda c: c.name)


def test_each_value_of_an_attribute_has_a_meaning() -> None:
    assert {len(meanings) for meanings in ATTRIBUTES.values()} == {len(ATTRIBUTE_VALUES)}


def test_slots_are_294_without_gap_or_overlap() -> None:
    assert [slot for c in CATEGORIES for slot in c.slots] == list(range(NUM_LANDMARKS))
    assert [c.num_landmarks for c in CATEGORIES] == [
        25,
        33,
        31,
        39,
        15,
        15,
        10,
        14,
        8,
        29,
        37,
        19,
        19,
    ]
    assert len(SIGMAS) == len(LANDMARK_NAMES) == len(FLIP_INDICES) == NUM_LANDMARKS


def test_ids_names_and_colors_are_unique() -> None:
    assert [c.id for c in CATEGORIES] == list(range(1, 14))
    for column in ("name", "official_name", "color"):
        assert len({getattr(c, column) for c in CATEGORIES}) == 13, column


def test_landmark_names_are_unique_and_no_persons() -> None:
    assert len(set(LANDMARK_NAMES)) == NUM_LANDMARKS
    # Detectron2's visualizer draws a person's spine between these.
    for side in ("left", "right"):
        assert not {"nose", f"{side}_shoulder", f"{side}_hip"} & set(LANDMARK_NAMES)


@every_category
def test_skeleton_is_connected(category: Category) -> None:
    reached = {category.skeleton[0][0]}
    for _ in category.skeleton:
        reached |= {n for edge in category.skeleton if reached & set(edge) for n in edge}
    assert reached == set(range(1, category.num_landmarks + 1))


@every_category
def test_skeleton_is_invariant_under_the_flip(category: Category) -> None:
    partner = {a: b for pair in category.flip_pairs for a, b in (pair, pair[::-1])}
    edges = {frozenset(edge) for edge in category.skeleton}
    assert len(edges) == len(category.skeleton)
    assert {frozenset(partner.get(n, n) for n in edge) for edge in edges} == edges


@every_category
def test_every_landmark_has_one_partner_at_most(category: Category) -> None:
    numbers = [n for pair in category.flip_pairs for n in pair]
    assert len(numbers) == len(set(numbers))
    assert set(numbers) <= set(range(1, category.num_landmarks + 1))


def test_the_flip_of_294_is_an_involution_within_categories() -> None:
    assert sorted(FLIP_INDICES) == list(range(NUM_LANDMARKS))
    assert all(FLIP_INDICES[FLIP_INDICES[slot]] == slot for slot in range(NUM_LANDMARKS))
    for category in CATEGORIES:
        assert {FLIP_INDICES[slot] for slot in category.slots} == set(category.slots)
    moved = sum(slot != other for slot, other in enumerate(FLIP_INDICES))
    assert moved == 2 * sum(len(c.flip_pairs) for c in CATEGORIES)


def test_sigmas_mirror_but_for_the_published_exception() -> None:
    differing = [
        (c.name, a, b)
        for c in CATEGORIES
        for a, b in c.flip_pairs
        if c.sigmas[a - 1] != c.sigmas[b - 1]
    ]
    assert differing == [("long sleeve dress", 15, 29)]


def test_short_sleeve_outwear_is_numbered_as_in_the_annotations() -> None:
    # The published figure swaps labels 2 and 4; the sigmas (and real annotations) tell it is a slip.
    outwear = CATEGORIES[2]
    assert {(2, 6), (3, 5), (4, 26)} <= set(outwear.flip_pairs)
    sigma = dict(enumerate(outwear.sigmas, start=1))
    assert (sigma[2], sigma[4]) == (sigma[6], sigma[26]) == (0.0085, 0.0248)
    assert sigma[2] != sigma[26]


def test_vest_has_its_pair_9_13() -> None:
    assert (9, 13) in CATEGORIES[4].flip_pairs  # MMPose's own file leaves 13 alone


def test_skeleton_of_294_has_each_category_edge() -> None:
    assert len(SKELETON) == sum(len(c.skeleton) for c in CATEGORIES) == 304
    for category in CATEGORIES:
        numbers = {slot + 1 for slot in category.slots}
        inside = [edge for edge in SKELETON if set(edge) & numbers]
        assert all(set(edge) <= numbers for edge in inside)
        assert [(a - category.first_slot, b - category.first_slot) for a, b in inside] == list(
            category.skeleton
        )


def test_attributes_have_three_values() -> None:
    assert {name: len(values) for name, values in ATTRIBUTES.items()} == {
        "scale": 3,
        "occlusion": 3,
        "zoom_in": 3,
        "viewpoint": 3,
    }
