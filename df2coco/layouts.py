"""How the landmarks of 13 categories share one array of keypoints: the layouts, as data.

- unified: 294 slots, one for every landmark of every category, as the benchmark and MMPose have them.
- aggregated: 81 slots; landmarks of different categories that play the same part share one.
- category: each category's own 8 to 39 landmarks and nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from df2coco import taxonomy
from df2coco.taxonomy import CATEGORIES, NUM_LANDMARKS, Category, flip_indices

NUM_AGGREGATED: Final = 81


@dataclass(frozen=True, slots=True)
class Layout:
    """The slots of `keypoints`: all tuples but `skeleton` have one entry a slot."""

    names: tuple[str, ...]
    """Unique within the layout."""
    skeleton: tuple[tuple[int, int], ...]
    """Edges of all categories, without repetition; slots counted from 1, as COCO does."""
    flip_indices: tuple[int, ...]
    """For each slot, the slot (from 0) that it becomes when the image is mirrored."""
    sigmas: tuple[float, ...]
    """OKS sigmas."""


UNIFIED: Final = Layout(
    taxonomy.LANDMARK_NAMES, taxonomy.SKELETON, taxonomy.FLIP_INDICES, taxonomy.SIGMAS
)


def layout_of_category(category: Category) -> Layout:
    """A category's own landmarks, as a layout."""
    pairs = ((a - 1, b - 1) for a, b in category.flip_pairs)
    flipped = flip_indices(category.num_landmarks, pairs)
    return Layout(category.landmark_names, category.skeleton, flipped, category.sigmas)


def own_slots(category: Category, num_slots: int) -> Sequence[int] | None:
    """The slots (from 0) of a category's landmarks, in their order, in a layout of `num_slots`.

    294 is the unified layout, 81 the aggregated one, the category's own 8 to 39 the category layout.
    None for any other number.
    """
    if num_slots == NUM_LANDMARKS:
        return category.slots
    if num_slots == NUM_AGGREGATED:
        return tuple(group - 1 for group in category.groups)
    return range(num_slots) if num_slots == category.num_landmarks else None


def own_landmarks(keypoints: Sequence[Any], category: Category) -> list[Any] | None:
    """Of all slots' x, y, v those of the category itself; None when there are too many or too few.

    There may be as many slots as any layout has: see `own_slots`.
    """
    slots = own_slots(category, len(keypoints) // 3)
    if slots is None or len(keypoints) % 3:
        return None
    if isinstance(slots, range):
        return list(keypoints[3 * slots.start : 3 * slots.stop])
    return [number for slot in slots for number in keypoints[3 * slot : 3 * slot + 3]]


def expected_numbers(category: Category) -> str:
    """How many numbers the `keypoints` of a category have in the layouts, for a message."""
    own = category.num_landmarks
    shared = f"{3 * NUM_LANDMARKS}, {3 * NUM_AGGREGATED} or {3 * own}"
    return f"expected {shared} ({own} landmarks x 3 for {category.name})."


def _aggregated() -> Layout:
    edges: list[tuple[int, int]] = []
    flip_pairs: list[tuple[int, int]] = []
    sigmas: list[list[float]] = [[] for _ in range(NUM_AGGREGATED)]
    for category in CATEGORIES:
        groups = dict(enumerate(category.groups, start=1))
        for one, other in ((groups[a], groups[b]) for a, b in category.skeleton):
            edges.append((min(one, other), max(one, other)))
        flip_pairs += ((groups[a] - 1, groups[b] - 1) for a, b in category.flip_pairs)
        for group, sigma in zip(category.groups, category.sigmas, strict=True):
            sigmas[group - 1].append(sigma)
    return Layout(
        tuple(f"aggregated_{number}" for number in range(1, NUM_AGGREGATED + 1)),
        tuple(dict.fromkeys(edges)),
        flip_indices(NUM_AGGREGATED, flip_pairs),
        # The sigmas of a group differ by up to 6.4 times, so that these only serve training and a
        # framework's own score: `df2coco evaluate keypoints` takes each category's own.
        tuple(round(sum(of_group) / len(of_group), 4) for of_group in sigmas),
    )


AGGREGATED: Final = _aggregated()

SHARED: Final = {"unified": UNIFIED, "aggregated": AGGREGATED}
"""Name -> layout of those that all categories have in common."""


def find_layout(name: str, category: Category) -> Layout:
    """The slots of a category's keypoints in a layout: "unified", "aggregated" or "category"."""
    return SHARED.get(name) or layout_of_category(category)
