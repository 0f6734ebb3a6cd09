"""The polygons of some annotations, as arrays."""

from itertools import chain
from struct import pack
from typing import Any, Final, NamedTuple, TypeAlias
from zlib import crc32

from df2coco.coco.schema import FIELDS, MAX_NUMBER
from df2coco.errors import shorten
from df2coco.validator.checks import Found

Array: TypeAlias = Any
"""A numpy array: numpy is imported where it is used."""

_RULE: Final = FIELDS["annotations"]["segmentation"]


class Outlines(NamedTuple):
    """The polygons of a part."""

    polygons: list[list[list[float]]]
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
    """Those that can be drawn, and what is wrong with the others."""
    import numpy as np

    count = len(segmentations)
    found = Outlines([], np.full((count, 4), np.nan), np.zeros(count), [], [], [])
    lists = [segmentation for segmentation in segmentations if type(segmentation) is list]
    good = _RULE.all_fit(lists) and _are_even(set(map(len, chain.from_iterable(lists))))
    for position, segmentation in enumerate(segmentations):
        polygons: list[Any] = []
        if type(segmentation) is list:
            polygons = segmentation if good else _usable(found, position, segmentation)
        elif type(segmentation) is dict:
            found.rles.append(position)
            # Not `hash`: of text it is another number in every process.
            found.totals[position] = crc32(str(segmentation.get("counts")).encode())
        elif segmentation is not None:
            found.faults.append((position, f"segmentation {shorten(segmentation)}"))
        found.polygons.append(polygons)
        if any(type(polygon[0]) is int and type(sum(polygon)) is int for polygon in polygons):
            found.integers.append(position)
    _measure(found)
    return found


def _are_even(lengths: set[int]) -> bool:
    """Whether polygons of so many numbers have 3 points or more."""
    return all(length >= 6 and not length & 1 for length in lengths)


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
    fault = _flat(segmentation) if segmentation else ""
    if fault:
        found.faults.append((position, f"segmentation {shorten(segmentation)}: {fault}"))
        return []
    polygons, undrawable = [], False
    for number, polygon in enumerate(segmentation):
        what = ""
        if type(polygon) is not list:
            what = shorten(polygon)
        elif not _are_even({len(polygon)}):
            what = f"{len(polygon)} numbers"
        elif _RULE.fits([polygon]):
            polygons.append(polygon)
        elif not all(type(each) in (int, float) for each in polygon):
            what = "not all are numbers"
        elif not abs(total := sum(polygon)) < MAX_NUMBER**2:
            what = "too large" if total == total else ""  # NaN has a finding of its own
        else:
            polygons.append(polygon)
            undrawable = True
        if what:
            found.faults.append((position, f"segmentation[{number}]: {what}"))
    if not undrawable:
        return polygons
    found.totals[position] = sum(map(sum, polygons))
    numbers = list(chain.from_iterable(polygons))
    text = f"a polygon from {min(numbers):g} to {max(numbers):g}"
    found.faults.append((position, f"segmentation: {text} is too large to be drawn"))
    return []


def _measure(found: Outlines) -> None:
    """Fill in extents and totals."""
    import numpy as np

    items = [position for position, polygons in enumerate(found.polygons) if polygons]
    if not items:
        return
    flat = [list(chain.from_iterable(found.polygons[position])) for position in items]
    sizes = np.fromiter(map(len, flat), np.intp, len(flat))
    firsts = np.cumsum(sizes) - sizes
    numbers = as_array(list(chain.from_iterable(flat)))
    found.totals[items] = np.add.reduceat(numbers, firsts)
    for place, edge in enumerate((np.minimum, np.minimum, np.maximum, np.maximum)):
        found.extents[items, place] = edge.reduceat(numbers[place % 2 :: 2], firsts // 2)
