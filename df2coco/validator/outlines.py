"""The polygons of some annotations, as arrays."""

from __future__ import annotations

from array import array
from itertools import chain
from typing import Any, NamedTuple, TypeAlias

from df2coco.coco.schema import MAX_NUMBER, MAX_OUTLINE, is_mask
from df2coco.errors import shorten
from df2coco.validator.checks import Found

__all__ = ["Outlines", "read_outlines"]

Array: TypeAlias = Any
"""A numpy array: numpy is imported where it is used."""


class Outlines(NamedTuple):
    """The polygons of a part."""

    polygons: list[list[list[float]]]
    """Of each annotation, those that can be drawn; [] where there are none."""
    extents: Array
    """(N, 4): x1, y1, x2, y2 of each annotation's polygons; NaN where there are none."""
    empty: list[int]
    rles: list[int]
    integers: list[int]
    """All numbers of a polygon are written as integers."""
    faults: list[Found]
    totals: list[float]
    """The sum of each annotation's coordinates."""


def read_outlines(segmentations: list[Any]) -> Outlines:
    import numpy as np

    found = Outlines([], np.full((len(segmentations), 4), np.nan), [], [], [], [], [])
    for position, segmentation in enumerate(segmentations):
        polygons: list[Any] = []
        total = 0.0
        if type(segmentation) is list:
            if not segmentation:
                found.empty.append(position)
            elif not (fault := _flat(segmentation)):
                polygons, total = _usable(found, position, segmentation)
            else:
                found.faults.append((position, f"segmentation {shorten(segmentation)}: {fault}"))
        elif type(segmentation) is dict:
            found.rles.append(position)
            total = float(hash(str(segmentation.get("counts"))))
        elif segmentation is not None:
            found.faults.append((position, f"segmentation {shorten(segmentation)}"))
        found.polygons.append(polygons)
        found.totals.append(total)
    _measure_extents(found)
    return found


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


def _usable(found: Outlines, position: int, segmentation: list[Any]) -> tuple[list[Any], float]:
    """The polygons of a segmentation that can be drawn; what is wrong with the others is noted."""
    polygons, sums, integers = [], [], False
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
                sums.append(total)
                polygons.append(polygon)
        if what:
            found.faults.append((position, f"segmentation[{number}]: {what}"))
    if integers:
        found.integers.append(position)
    return polygons, sum(sums)


def _measure_extents(found: Outlines) -> None:
    """Fill in the extents; polygons that are too far away or too long to be drawn are faults."""
    import numpy as np

    items = [position for position, polygons in enumerate(found.polygons) if polygons]
    if not items:
        return
    flat = list(chain.from_iterable(found.polygons))
    lengths = np.fromiter(map(len, flat), np.intp, len(flat))
    # An array module's array takes floats faster than numpy does, and as strictly.
    numbers = np.frombuffer(array("d", chain.from_iterable(flat)), float)
    firsts = (np.cumsum(lengths) - lengths) // 2
    counts = np.array([len(found.polygons[position]) for position in items])
    groups = np.cumsum(counts) - counts
    extents = np.stack(
        [
            edge.reduceat(edge.reduceat(numbers[axis::2], firsts), groups)
            for edge in (np.minimum, np.maximum)
            for axis in (0, 1)
        ],
        axis=1,
    )
    sizes = np.add.reduceat(lengths, groups)
    # Quick, and never less than the outline of any polygon.
    spans = (extents[:, 2:] - extents[:, :2]).max(axis=1) * sizes
    suspects = (np.abs(extents).max(axis=1) > MAX_NUMBER) | (spans > MAX_OUTLINE)
    suspects |= ~np.isfinite(extents).all(axis=1)
    found.extents[items] = extents
    for number in suspects.nonzero()[0].tolist():
        position = items[number]
        if not is_mask(found.polygons[position]):
            if np.isfinite(extents[number]).all():
                text = f"a polygon from {extents[number].min():g} to {extents[number].max():g}"
                found.faults.append((position, f"segmentation: {text} is too large to be drawn"))
            found.polygons[position] = []
            found.extents[position] = np.nan
