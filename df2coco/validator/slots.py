"""The landmarks of some annotations, as arrays."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from df2coco.coco.schema import FIELDS, MAX_NUMBER
from df2coco.errors import shorten
from df2coco.layouts import own_slots
from df2coco.taxonomy import NUM_LANDMARKS, Category
from df2coco.validator.hits import Found
from df2coco.validator.outlines import Array, as_array
from df2coco.validator.rows import Keypoints


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
    totals: Array
    """(N,): the sum of the numbers of each annotation's own slots, or of all."""
    faults: list[Found]
    """Something in `keypoints` is not a number, or is too large a one."""


class _Cores(NamedTuple):
    """The keypoints that are looked at: an item's own, or all. K annotations have usable ones."""

    numbers: list[float]
    """Of one annotation after the other."""
    items: list[int]
    """(K,): the position of the annotation."""
    slots: list[range]
    """(K,)"""
    lengths: list[int | None]
    """(N,): as in `Columns`."""
    owns: list[Sequence[int] | None]
    """(N,)"""
    floats: list[int]
    faults: list[Found]

    def add(self, position: int, core: list[float], slots: range) -> None:
        """Take an annotation's numbers in."""
        self.numbers.extend(core)
        self.items.append(position)
        self.slots.append(slots)


def read_landmarks(
    column: list[Any], is_there: list[bool], garments: list[Category | None]
) -> Landmarks:
    """Take an item's own slots out of its keypoints, and all others that are not zero."""
    cores = _Cores([], [], [], [], [], [], [])
    own_of = _Owns()
    fits = FIELDS["annotations"]["keypoints"].fits
    for position, keypoints in enumerate(column):
        if type(keypoints) is not list:
            cores.lengths.append(-1 if is_there[position] else None)
            cores.owns.append(None)
            continue
        length = len(keypoints)
        cores.lengths.append(length)
        own = own_of(garments[position], length)
        cores.owns.append(own)
        if length % 3:
            continue
        core, chosen = _core(keypoints, own)
        if not _are_usual(core) and not fits(core):
            wrong = [n for n in core if type(n) not in (int, float)]
            if wrong:
                text = f"keypoints: {shorten(wrong[0])} is not a number"
                cores.faults.append((position, text))
            elif all(n == n and abs(n) != float("inf") for n in core):
                text = f"keypoints: {max(core, key=abs):g} is too large"
                cores.faults.append((position, text))
            continue
        if _has_floats(core):
            cores.floats.append(position)
        cores.add(position, core, chosen)
    return _landmarks(cores)


def read_landmarks_of_rows(found: Keypoints, garments: list[Category | None]) -> Landmarks:
    """The same, where decoding has looked at the numbers."""
    cores = _Cores([], [], [], [None] * len(garments), [None] * len(garments), [], [])
    slots = [each for each in found.slots if each is not None]
    if len(slots) == len(found.slots) and not found.floats:  # as nearly always
        for position, mine in zip(found.positions, slots, strict=True):
            cores.lengths[position], cores.owns[position] = 3 * NUM_LANDMARKS, mine
        return _landmarks(cores._replace(numbers=found.numbers, items=found.positions, slots=slots))
    own_of = _Owns()
    start = 0
    for position, count, its in zip(found.positions, found.counts, found.slots, strict=True):
        length = count if its is None else 3 * NUM_LANDMARKS
        own = own_of(garments[position], length)
        cores.lengths[position], cores.owns[position] = length, own
        start += count
        if not length % 3:
            keypoints = found.numbers[start - count : start]
            core, chosen = _core(keypoints, own) if its is None else (keypoints, its)
            if found.floats and _has_floats(core):
                cores.floats.append(position)
            cores.add(position, core, chosen)
    return _landmarks(cores)


class _Owns(dict[tuple[int, int], "Sequence[int] | None"]):
    """A category's own slots by the numbers in `keypoints`: the same object for the same question."""

    def __call__(self, category: Category | None, length: int) -> Sequence[int] | None:
        if category is None:
            return None
        key = category.id, length
        if key not in self:
            self[key] = own_slots(category, length // 3)
        return self[key]


def _core(keypoints: list[Any], own: Sequence[int] | None) -> tuple[list[Any], range]:
    """What of all keypoints is looked at, and its slots."""
    if type(own) is range:
        mine = keypoints[3 * own.start : 3 * own.stop]
        # Nothing but zeros elsewhere, as nearly always: then only its own are looked at.
        if keypoints.count(0) == mine.count(0) + len(keypoints) - len(mine):
            return mine, own
    return keypoints, range(len(keypoints) // 3)


def _landmarks(cores: _Cores) -> Landmarks:
    import numpy as np

    items = np.array(cores.items, np.intp)
    numbers = as_array(cores.numbers).reshape(-1, 3)
    counts = np.fromiter(map(len, cores.slots), np.intp, len(cores.slots))
    firsts = np.fromiter((each.start for each in cores.slots), np.intp, len(cores.slots))
    item = np.repeat(items, counts)
    slot = np.arange(len(item)) - np.repeat(np.cumsum(counts) - counts - firsts, counts)
    count = len(cores.lengths)
    labelled = np.bincount(item[numbers[:, 2] != 0], minlength=count)
    usable = np.zeros(count, bool)
    usable[items] = True
    labelled[~usable] = -1
    x, y, v = numbers.T
    totals = np.bincount(item, x + y + v, minlength=count)
    return Landmarks(
        item, slot, x, y, v, labelled, cores.lengths, cores.owns, cores.floats, totals, cores.faults
    )


def _has_floats(core: list[float]) -> bool:
    return type(sum(core)) is float


def _are_usual(values: list[Any]) -> bool:
    """A quick test that nearly all keypoints pass: small numbers, none below 0."""
    try:
        return bool(sum(values) < MAX_NUMBER and min(values, default=0) >= 0)
    except TypeError:
        return False
