"""The polygons and the landmarks of some annotations, as arrays."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from math import inf
from typing import Any, Final, NamedTuple, TypeAlias
from zlib import crc32

from df2coco.coco.schema import FIELDS, LONGEST_OUTLINE, MAX_NUMBER, is_drawable
from df2coco.errors import shorten
from df2coco.layouts import own_slots
from df2coco.lazy_numpy import np
from df2coco.taxonomy import Category
from df2coco.validator.checks import Found

Array: TypeAlias = Any
"""A numpy array: numpy is imported where it is used."""

_MASK: Final = FIELDS["annotations"]["segmentation"]
_SHAPES: Final = replace(_MASK, also=None)
"""The same without the length of outlines, which is found sooner with arrays."""
_KEYPOINTS: Final = FIELDS["annotations"]["keypoints"]


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
    corners: Array = ()
    """(3, K): the position of the annotation, x and y of each corner of the polygons."""


def read_outlines(segmentations: list[Any]) -> Outlines:
    """Those that can be drawn, and what is wrong with the others."""
    count = len(segmentations)
    outlines = Outlines([], np.full((count, 4), np.nan), np.zeros(count), [], [], [])
    lists = [segmentation for segmentation in segmentations if type(segmentation) is list]
    good = _SHAPES.all_fit(lists) and _are_even(set(map(len, chain.from_iterable(lists))))
    numbers = _numbers_of(lists) if good else None
    if numbers is not None:
        # No outline is longer than that, and nearly all are far below it.
        longest = max((sum(map(len, each)) for each in lists), default=0)
        is_short = 2 * longest * np.abs(numbers).max(initial=0) <= LONGEST_OUTLINE
        good = is_short or all(map(is_drawable, lists))
    for position, segmentation in enumerate(segmentations):
        polygons: list[Any] = []
        if type(segmentation) is list:
            polygons = segmentation if good else _usable(outlines, position, segmentation)
        elif type(segmentation) is dict:
            outlines.rles.append(position)
            # Not `hash`: of text it is another number in every process.
            outlines.totals[position] = crc32(str(segmentation.get("counts")).encode())
        elif segmentation is not None:
            outlines.faults.append((position, f"segmentation {shorten(segmentation)}"))
        outlines.polygons.append(polygons)
        for polygon in polygons:
            if type(polygon[0]) is int and type(sum(polygon)) is int:
                outlines.integers.append(position)
                break
    return _measured(outlines, numbers if good else _numbers_of(outlines.polygons))


def _numbers_of(masks: list[list[list[float]]]) -> Array:
    return np.fromiter(chain.from_iterable(chain.from_iterable(masks)), float)


def _are_even(lengths: set[int]) -> bool:
    """Whether polygons of so many numbers have 3 points or more."""
    return all(length >= 6 and not length & 1 for length in lengths)


def _fault_of_form(segmentation: list[Any]) -> str:
    """What is wrong with a list in which no polygons stand; "": nothing."""
    first = segmentation[0] if segmentation else None
    inner = first[0] if type(first) is list and first else None
    if type(first) in (int, float):
        return "the polygon is not in a list of its own"
    if dict in (type(first), type(inner)):
        return "points as objects, not numbers in a row"
    if type(inner) is not list:
        return ""
    is_pair = len(inner) == 2 and all(type(each) in (int, float) for each in inner)
    return "points as pairs [x, y], not in a row" if is_pair else "lists in lists in lists"


def _usable(outlines: Outlines, position: int, segmentation: list[Any]) -> list[Any]:
    """The polygons of a segmentation that can be drawn; what is wrong with the others is noted."""
    if fault := _fault_of_form(segmentation):
        outlines.faults.append((position, f"segmentation {shorten(segmentation)}: {fault}"))
        return []
    polygons = []
    for number, polygon in enumerate(segmentation):
        if type(polygon) is not list:
            fault = shorten(polygon)
        elif not _are_even({len(polygon)}):
            fault = f"{len(polygon)} numbers"
        elif not all(type(each) in (int, float) for each in polygon):
            fault = "not all are numbers"
        elif any(abs(each) >= MAX_NUMBER**2 for each in polygon):
            fault = "too large"
        else:
            polygons += [polygon] if sum(polygon) == sum(polygon) else []  # NaN: `not-finite`
            continue
        outlines.faults.append((position, f"segmentation[{number}]: {fault}"))
    if _MASK.fits(polygons):
        return polygons
    outlines.totals[position] = sum(map(sum, polygons))
    numbers = list(chain.from_iterable(polygons))
    text = f"a polygon from {min(numbers):g} to {max(numbers):g}"
    outlines.faults.append((position, f"segmentation: {text} is too large to be drawn"))
    return []


def _measured(outlines: Outlines, numbers: Array) -> Outlines:
    """With extents, totals and corners, made of all numbers of the polygons."""
    items = [position for position, polygons in enumerate(outlines.polygons) if polygons]
    if not items:
        return outlines._replace(corners=np.empty((3, 0)))
    sizes = np.array([sum(map(len, outlines.polygons[position])) for position in items])
    firsts = np.cumsum(sizes) - sizes
    outlines.totals[items] = np.add.reduceat(numbers, firsts)
    for place, edge in enumerate((np.minimum, np.minimum, np.maximum, np.maximum)):
        outlines.extents[items, place] = edge.reduceat(numbers[place % 2 :: 2], firsts // 2)
    corners = np.stack([np.repeat(items, sizes // 2), numbers[0::2], numbers[1::2]])
    return outlines._replace(corners=corners)


def distances(x: Array, y: Array, polygons: list[list[float]]) -> tuple[Array, Array]:
    """(M,): how far points are from the outlines, and (M,) from what these enclose."""
    squares, inside = np.full(len(x), np.inf), np.zeros(len(x), bool)
    for polygon in polygons:
        x1, y1 = np.reshape(polygon, (-1, 2)).T
        wide, high = np.reshape(np.subtract(polygon[2:] + polygon[:2], polygon), (-1, 2)).T
        across, down = x[:, None] - x1, y[:, None] - y1
        length = np.maximum(wide * wide + high * high, 1e-9)
        along = np.minimum(np.maximum((across * wide + down * high) / length, 0), 1)
        nearest = (across - along * wide) ** 2 + (down - along * high) ** 2
        squares = np.minimum(squares, nearest.min(axis=1))
        # Whether an edge crosses the line from the point to the right.
        crosses = (down < 0) != (down < high)
        before = across * high < down * wide
        inside |= (crosses & (before == (high > 0))).sum(axis=1) % 2 == 1
    apart = np.sqrt(squares)
    return apart, np.where(inside, 0, apart)


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


def read_landmarks(column: list[Any], garments: list[Category | None]) -> Landmarks:
    """Take an item's own slots out of its keypoints (`...`: it has none), and all others that are not zero."""
    lengths = [
        len(keypoints) if type(keypoints) is list else None if keypoints is ... else -1
        for keypoints in column
    ]
    owns = [
        None if category is None or length is None else own_slots(category, length // 3)
        for category, length in zip(garments, lengths, strict=True)
    ]
    usable = [
        (position, *_core(column[position], owns[position]))
        for position, length in enumerate(lengths)
        if length is not None and length % 3 == 0
    ]
    faults: list[Found] = []
    if not _KEYPOINTS.all_fit([core for _, core, _ in usable]):
        for position, core, _ in usable:
            if wrong := [n for n in core if type(n) not in (int, float)]:
                faults.append((position, f"keypoints: {shorten(wrong[0])} is not a number"))
            elif not _KEYPOINTS.fits(core) and all(abs(n) < inf for n in core):
                # What is not finite has another finding.
                faults.append((position, f"keypoints: {shorten(max(core, key=abs))} is too large"))
        usable = [each for each in usable if _KEYPOINTS.fits(each[1])]
    positions, cores, slots = zip(*usable, strict=True) if usable else ((), (), ())
    numbers = np.fromiter(chain.from_iterable(cores), float).reshape(-1, 3)
    counts = np.fromiter(map(len, slots), np.intp, len(slots))
    item = np.repeat(np.array(positions, np.intp), counts)
    slot = np.fromiter(chain.from_iterable(slots), np.intp, len(item))
    x, y, v = numbers.T
    labelled = np.bincount(item[v != 0], minlength=len(column))
    labelled[np.isin(np.arange(len(column)), positions, invert=True)] = -1
    totals = np.bincount(item, x + y + v, minlength=len(column))
    return Landmarks(item, slot, x, y, v, labelled, lengths, owns, totals, faults)


def _core(keypoints: list[Any], own: Sequence[int] | None) -> tuple[list[Any], range]:
    """What of all keypoints is looked at, and its slots."""
    if type(own) is range:
        mine = keypoints[3 * own.start : 3 * own.stop]
        # Nothing but zeros elsewhere, as nearly always: then only its own are looked at.
        if keypoints.count(0) == mine.count(0) + len(keypoints) - len(mine):
            return mine, own
    return keypoints, range(len(keypoints) // 3)
