"""The landmarks of some annotations, as arrays."""

from collections.abc import Sequence
from functools import cache
from itertools import chain
from math import isfinite
from typing import Any, Final, NamedTuple, TypeAlias

from df2coco.coco.schema import FIELDS
from df2coco.errors import shorten
from df2coco.layouts import own_slots
from df2coco.taxonomy import CATEGORY_BY_ID, Category
from df2coco.validator.checks import Found
from df2coco.validator.outlines import Array, as_array

_RULE: Final = FIELDS["annotations"]["keypoints"]


class Landmarks(NamedTuple):
    """The landmarks of a part, those in unlabelled slots of other categories left out. M landmarks."""

    item: Array
    """(M,): the position of its annotation."""
    slot: Array
    """(M,): its place in `keypoints`, from 0."""
    x: Array
    y: Array
    v: Array
    labelled: Array
    """(N,): labelled landmarks of each annotation; -1 where there are no usable keypoints."""
    lengths: list[int | None]
    """As in `Columns`."""
    own: list[Sequence[int] | None]
    """The slots of the annotation's own category, where the layout is known."""
    totals: Array
    """(N,): the sum of the numbers of each annotation's own slots, or of all."""
    faults: list[Found]
    """Something in `keypoints` is not a number, or is too large a one."""


def read_landmarks(
    column: list[Any], is_there: list[bool], garments: list[Category | None]
) -> Landmarks:
    """Take an item's own slots out of its keypoints, and all others that are not zero."""
    import numpy as np

    lengths = [
        len(keypoints) if type(keypoints) is list else -1 if there else None
        for keypoints, there in zip(column, is_there, strict=True)
    ]
    owns = [
        None if category is None or length is None else _own_slots(category.id, length // 3)
        for category, length in zip(garments, lengths, strict=True)
    ]
    usable, faults = _without_faults(
        [
            (position, *_core(column[position], owns[position]))
            for position, length in enumerate(lengths)
            if length is not None and length % 3 == 0
        ]
    )
    positions, cores, slots = zip(*usable, strict=True) if usable else ((), (), ())
    items = np.array(positions, np.intp)
    numbers = as_array(list(chain.from_iterable(cores))).reshape(-1, 3)
    counts = np.fromiter(map(len, slots), np.intp, len(slots))
    firsts = np.fromiter((each.start for each in slots), np.intp, len(slots))
    item = np.repeat(items, counts)
    slot = np.arange(len(item)) - np.repeat(np.cumsum(counts) - counts - firsts, counts)
    x, y, v = numbers.T
    labelled = np.bincount(item[v != 0], minlength=len(column))
    labelled[np.isin(np.arange(len(column)), items, invert=True)] = -1
    totals = np.bincount(item, x + y + v, minlength=len(column))
    return Landmarks(item, slot, x, y, v, labelled, lengths, owns, totals, faults)


@cache
def _own_slots(category_id: int, count: int) -> Sequence[int] | None:
    return own_slots(CATEGORY_BY_ID[category_id], count)


_Core: TypeAlias = tuple[int, list[Any], range]
"""An annotation's position, its keypoints that are looked at, and their slots."""


def _without_faults(cores: list[_Core]) -> tuple[list[_Core], list[Found]]:
    """Those that the schema has nothing against, and what is wrong with the others."""
    if _RULE.all_fit([core for _, core, _ in cores]):
        return cores, []
    usable, faults = [], []
    for position, core, slots in cores:
        if _RULE.fits(core):
            usable.append((position, core, slots))
        elif wrong := [n for n in core if type(n) not in (int, float)]:
            faults.append((position, f"keypoints: {shorten(wrong[0])} is not a number"))
        elif all(map(isfinite, core)):
            faults.append((position, f"keypoints: {max(core, key=abs):g} is too large"))
    return usable, faults


def _core(keypoints: list[Any], own: Sequence[int] | None) -> tuple[list[Any], range]:
    """What of all keypoints is looked at, and its slots."""
    if type(own) is range:
        mine = keypoints[3 * own.start : 3 * own.stop]
        # Nothing but zeros elsewhere, as nearly always: then only its own are looked at.
        if keypoints.count(0) == mine.count(0) + len(keypoints) - len(mine):
            return mine, own
    return keypoints, range(len(keypoints) // 3)
