"""The landmarks of some annotations, as arrays."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple, TypeAlias

from df2coco.coco.garments import own_slots
from df2coco.coco.schema import FIELDS, MAX_NUMBER
from df2coco.errors import shorten
from df2coco.taxonomy import Category
from df2coco.validator.checks import Found

__all__ = ["Landmarks", "read_landmarks"]

Entry: TypeAlias = "dict[str, Any]"
Array: TypeAlias = Any
"""A numpy array: numpy is imported where it is used."""


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
    floats: list[int]
    """They are written as floats."""
    totals: list[float]
    """The sum of the numbers of each annotation's own slots, or of all."""
    faults: list[Found]
    """Something in `keypoints` is not a number, or is too large a one."""


def read_landmarks(
    column: list[Any], annotations: list[Entry], garments: list[Category | None]
) -> Landmarks:
    """Take an item's own slots out of its keypoints, and all others that are not zero."""
    import numpy as np

    taken: list[list[Any]] = []
    items: list[int] = []
    slots: list[range] = []
    lengths: list[int | None] = []
    owns: list[Sequence[int] | None] = []
    floats: list[int] = []
    totals: list[float] = [0] * len(column)
    faults: list[Found] = []
    known: dict[tuple[int, int], Sequence[int] | None] = {}
    fits = FIELDS["annotations"]["keypoints"].fits
    for position, keypoints in enumerate(column):
        own = None
        if type(keypoints) is not list:
            missing = keypoints is None and "keypoints" not in annotations[position]
            lengths.append(None if missing else -1)
            owns.append(None)
            continue
        length = len(keypoints)
        lengths.append(length)
        category = garments[position]
        if category is not None:
            key = category.id, length
            if key not in known:
                known[key] = own_slots(category, length // 3)
            own = known[key]
        owns.append(own)
        if length % 3:
            continue
        core, chosen = keypoints, range(length // 3)
        if type(own) is range:
            mine = keypoints[3 * own.start : 3 * own.stop]
            # Nothing but zeros elsewhere, as nearly always: then only its own are looked at.
            if keypoints.count(0) == mine.count(0) + length - len(mine):
                core, chosen = mine, own
        total = _sum_of_usual(core)
        if total is None and not fits(core):
            wrong = [n for n in core if type(n) not in (int, float)]
            if wrong:
                faults.append((position, f"keypoints: {shorten(wrong[0])} is not a number"))
            elif all(n == n and abs(n) != float("inf") for n in core):
                faults.append((position, f"keypoints: {max(core, key=abs):g} is too large"))
            continue
        totals[position] = sum(core) if total is None else total
        if type(totals[position]) is float:
            floats.append(position)
        taken.append(core)
        items.append(position)
        slots.append(chosen)
    numbers = np.frombuffer(array("d", chain.from_iterable(taken)), float).reshape(-1, 3)
    counts = np.fromiter(map(len, slots), np.intp, len(slots))
    firsts = np.fromiter((each.start for each in slots), np.intp, len(slots))
    item = np.repeat(np.array(items, np.intp), counts)
    slot = np.arange(len(item)) - np.repeat(np.cumsum(counts) - counts - firsts, counts)
    labelled = np.bincount(item[numbers[:, 2] != 0], minlength=len(annotations))
    usable = np.zeros(len(annotations), bool)
    usable[items] = True
    labelled[~usable] = -1
    x, y, v = numbers.T
    return Landmarks(item, slot, x, y, v, labelled, lengths, owns, floats, totals, faults)


def _sum_of_usual(values: list[Any]) -> float | None:
    """The sum of keypoints as nearly all are: small numbers, none below 0; None for others."""
    try:
        total: float = sum(values)
        return total if total < MAX_NUMBER and min(values, default=0) >= 0 else None
    except TypeError:
        return None
