"""The polygons of some annotations, as arrays."""

from collections.abc import Sequence
from itertools import accumulate, chain
from struct import pack
from typing import Any, NamedTuple, TypeAlias
from zlib import crc32

from df2coco.coco.schema import MAX_NUMBER, MAX_OUTLINE, is_mask
from df2coco.errors import shorten
from df2coco.validator.hits import Found
from df2coco.validator.rows import Polygons

Array: TypeAlias = Any
"""A numpy array: numpy is imported where it is used."""


class Outlines(NamedTuple):
    """The polygons of a part."""

    polygons: Sequence[list[list[float]]]
    """Of each annotation, those that can be drawn; [] where there are none."""
    extents: Array
    """(N, 4): x1, y1, x2, y2 of each annotation's polygons; NaN where there are none."""
    totals: Array
    """(N,): the sum of each annotation's coordinates; another number for an RLE, equal for equal ones."""
    rles: list[int]
    integers: list[int]
    """All numbers of a polygon are written as integers."""
    faults: list[Found]


def read_outlines(segmentations: list[Any]) -> Outlines:
    import numpy as np

    usable: list[list[list[float]]] = []
    found = _without_polygons(len(segmentations), usable)
    for position, segmentation in enumerate(segmentations):
        polygons: list[Any] = []
        if type(segmentation) is list:
            fault = _flat(segmentation) if segmentation else ""
            if not fault:
                polygons = _usable(found, position, segmentation)
            else:
                found.faults.append((position, f"segmentation {shorten(segmentation)}: {fault}"))
        elif type(segmentation) is dict:
            found.rles.append(position)
            # Not `hash`: of text it is another number in every process.
            found.totals[position] = crc32(str(segmentation.get("counts")).encode())
        elif segmentation is not None:
            found.faults.append((position, f"segmentation {shorten(segmentation)}"))
        usable.append(polygons)
    flat = list(chain.from_iterable(usable))
    lengths = np.fromiter(map(len, flat), np.intp, len(flat))
    counts = np.fromiter(map(len, usable), np.intp, len(usable))
    for position in _measure(found, list(chain.from_iterable(flat)), lengths, counts):
        usable[position] = []
    return found


def read_outlines_of_rows(rows: Polygons, count: int) -> Outlines:
    """The same for `count` rows, where decoding has looked at the polygons."""
    import numpy as np

    polygons = _Slices(rows, count)
    found = _without_polygons(count, polygons)
    ends = accumulate(rows.lengths)
    if int in {type(rows.numbers[end - 1]) for end in ends}:
        found.integers.extend(
            position
            for position in rows.positions
            if any(type(sum(polygon)) is int for polygon in polygons[position])
        )
    counts = np.zeros(count, np.intp)
    counts[rows.positions] = rows.counts
    _measure(found, rows.numbers, np.array(rows.lengths, np.intp), counts)
    return found


class _Slices(Sequence[list[list[float]]]):
    """The polygons of rows, made when they are asked for: to be drawn."""

    def __init__(self, rows: Polygons, count: int) -> None:
        self._numbers = rows.numbers
        self._ends = [0, *accumulate(rows.lengths)]
        self._places = [range(0)] * count
        first = 0
        for position, number in zip(rows.positions, rows.counts, strict=True):
            self._places[position] = range(first, first + number)
            first += number

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, position: Any) -> Any:
        numbers, ends = self._numbers, self._ends
        return [numbers[ends[place] : ends[place + 1]] for place in self._places[position]]


def _without_polygons(count: int, polygons: Sequence[list[list[float]]]) -> Outlines:
    import numpy as np

    return Outlines(polygons, np.full((count, 4), np.nan), np.zeros(count), [], [], [])


def as_array(numbers: list[float]) -> Array:
    """(N,): a list of ints and floats as floats; `pack` takes half of numpy's time for it."""
    import numpy as np

    return np.frombuffer(pack(f"{len(numbers)}d", *numbers), float)


def _flat(segmentation: list[Any]) -> str:
    """What is wrong with a list in which numbers or pairs stand where polygons belong; "": nothing."""
    first = segmentation[0]
    if type(first) in (int, float):
        return "the polygon is not in a list of its own"
    if type(first) is list and first and type(first[0]) is list:
        if len(first[0]) == 2 and all(type(each) in (int, float) for each in first[0]):
            return "points as pairs [x, y], not in a row"
        return "lists in lists in lists"
    if type(first) is dict or (type(first) is list and first and type(first[0]) is dict):
        return "points as objects, not numbers in a row"
    return ""


def _usable(found: Outlines, position: int, segmentation: list[Any]) -> list[Any]:
    """The polygons of a segmentation that can be drawn; what is wrong with the others is noted."""
    polygons, integers = [], False
    for number, polygon in enumerate(segmentation):
        what = ""
        if type(polygon) is not list:
            what = shorten(polygon)
        elif len(polygon) < 6 or len(polygon) & 1:
            what = f"{len(polygon)} numbers"
        else:
            try:
                total = sum(polygon)
            except TypeError:
                what = "not all are numbers"
            else:
                if not abs(total) < MAX_NUMBER**2 and not is_mask([polygon]):
                    if total == total:
                        found.faults.append((position, f"segmentation[{number}]: too large"))
                    continue
                integers |= type(total) is int
                polygons.append(polygon)
        if what:
            found.faults.append((position, f"segmentation[{number}]: {what}"))
    if integers:
        found.integers.append(position)
    return polygons


def _measure(found: Outlines, numbers: list[float], lengths: Array, counts: Array) -> list[int]:
    """Fill in extents and totals; polygons that are too far away or too long to be drawn are faults.

    `numbers` are those of all polygons, of which each has `lengths` and each annotation `counts`.
    Returns the positions of annotations whose polygons cannot be drawn.
    """
    import numpy as np

    items = counts.nonzero()[0]
    if not len(items):
        return []
    counts = counts[items]
    sizes = np.add.reduceat(lengths, np.cumsum(counts) - counts)
    firsts = np.cumsum(sizes) - sizes
    flat = as_array(numbers)
    found.totals[items] = np.add.reduceat(flat, firsts)
    extents = np.stack(
        [
            edge.reduceat(flat[axis::2], firsts // 2)
            for edge in (np.minimum, np.maximum)
            for axis in (0, 1)
        ],
        axis=1,
    )
    # Quick, and never less than the outline of any polygon.
    spans = (extents[:, 2:] - extents[:, :2]).max(axis=1) * sizes
    suspects = (np.abs(extents).max(axis=1) > MAX_NUMBER) | (spans > MAX_OUTLINE)
    suspects |= ~np.isfinite(extents).all(axis=1)
    found.extents[items] = extents
    undrawable = []
    for number in suspects.nonzero()[0].tolist():
        position = int(items[number])
        if not is_mask(found.polygons[position]):
            if np.isfinite(extents[number]).all():
                text = f"a polygon from {extents[number].min():g} to {extents[number].max():g}"
                found.faults.append((position, f"segmentation: {text} is too large to be drawn"))
            undrawable.append(position)
            found.extents[position] = np.nan
    return undrawable
