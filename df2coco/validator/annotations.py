"""Annotations as checks look at them: some of a file's, as columns and arrays."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from math import inf
from typing import Any, Final, NamedTuple
from zlib import crc32

from df2coco.boxes import to_corners
from df2coco.coco.schema import FIELDS, MAX_NUMBER, Entry, column
from df2coco.errors import shorten
from df2coco.layouts import own_slots
from df2coco.lazy_numpy import Array, np
from df2coco.limits import MAX_SIDE, SHORTEST_POLYGON
from df2coco.masks import compressed, union_areas
from df2coco.taxonomy import Category
from df2coco.validator.checks import Columns, Found, Header

_MASK: Final = FIELDS["annotations"]["segmentation"]
_KEYPOINTS: Final = FIELDS["annotations"]["keypoints"]
_REQUIRED: Final = ("id", "image_id", "category_id", "bbox", "area", "iscrowd")
"""Keys that consumers need; in their order."""


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
    good = _MASK.all_fit(lists) and _are_even(set(map(len, chain.from_iterable(lists))))
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
    return _measured(outlines)


def _are_even(lengths: set[int]) -> bool:
    """Whether polygons of so many numbers have 3 points or more."""
    return all(length >= SHORTEST_POLYGON and not length & 1 for length in lengths)


def _fault_of_form(segmentation: list[Any]) -> str:
    """What is wrong with a list that holds no polygons; "": nothing."""
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


def _measured(outlines: Outlines) -> Outlines:
    """With extents, totals and corners."""
    items = [position for position, polygons in enumerate(outlines.polygons) if polygons]
    if not items:
        return outlines._replace(corners=np.empty((3, 0)))
    numbers = np.fromiter(chain.from_iterable(chain.from_iterable(outlines.polygons)), float)
    sizes = np.array([sum(map(len, outlines.polygons[position])) for position in items])
    firsts = np.cumsum(sizes) - sizes
    outlines.totals[items] = np.add.reduceat(numbers, firsts)
    for place, edge in enumerate((np.minimum, np.minimum, np.maximum, np.maximum)):
        outlines.extents[items, place] = edge.reduceat(numbers[place % 2 :: 2], firsts // 2)
    corners = np.stack([np.repeat(items, sizes // 2), numbers[0::2], numbers[1::2]])
    return outlines._replace(corners=corners)


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
    lengths = [len(k) if type(k) is list else None if k is ... else -1 for k in column]
    pairs = zip(garments, lengths, strict=True)
    owns = [None if g is None or n is None else own_slots(g, n // 3) for g, n in pairs]
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


@dataclass
class Annotations:
    """Some annotations of a file, one after the other in it. N annotations."""

    header: Header
    entries: list[Entry]
    _columns: dict[str, list[Any]] = field(default_factory=dict, repr=False)

    def column(self, name: str) -> list[Any]:
        """A field of every annotation; None where it is missing."""
        if name not in self._columns:
            self._columns[name] = column(self.entries, name)
        return self._columns[name]

    @cached_property
    def sizes(self) -> list[tuple[int, int] | None]:
        """Width and height of each annotation's image; None where it has no such image."""
        get = self.header.sizes.get
        return [get(each) if type(each) is int else None for each in self.column("image_id")]

    @cached_property
    def size_arrays(self) -> Array:
        """(2, N): widths and heights of the images; NaN where they are not known."""
        pairs = [size or (np.nan, np.nan) for size in self.sizes]
        return np.fromiter(chain.from_iterable(pairs), float).reshape(-1, 2).T

    @cached_property
    def boxes(self) -> Array:
        """(N, 4): x, y, w, h; NaN where there is no usable box."""
        boxes, rule = self.column("bbox"), FIELDS["annotations"]["bbox"]
        if not rule.all_fit(boxes):
            boxes = [box if rule.fits(box) else [np.nan] * 4 for box in boxes]
        return np.fromiter(chain.from_iterable(boxes), float).reshape(-1, 4)

    @cached_property
    def corners(self) -> Array:
        """(N, 4): the boxes as x1, y1, x2, y2; NaN where there are none."""
        corners = np.stack(to_corners(self.boxes.T), axis=1)
        corners[~(self.boxes[:, 2:] > 0).all(axis=1)] = np.nan
        return corners

    @cached_property
    def crowds(self) -> Array:
        """(N,): whether it is a crowd."""
        return np.array([value == 1 for value in self.column("iscrowd")], bool)

    @cached_property
    def garment_of(self) -> list[Category | None]:
        get = self.header.garments.get
        return [get(each) if type(each) is int else None for each in self.column("category_id")]

    def where(self, wrong: Array, field: str = "") -> Iterator[Found]:
        """The annotations for which the array (N,) is true, with the value of a field."""
        for position in wrong.nonzero()[0].tolist():
            yield position, f"{field} {shorten(self.column(field)[position])}" if field else ""

    def values_where(self, field: str, wrong: Callable[[Any], bool]) -> Iterator[Found]:
        """The annotations in which a field has a wrong value, with this."""
        values = enumerate(self.column(field))
        return ((n, f"{field} {shorten(value)}") for n, value in values if wrong(value))

    @cached_property
    def outlines(self) -> Outlines:
        return read_outlines(self.column("segmentation"))

    @cached_property
    def rle_faults(self) -> dict[int, str]:
        """Why RLEs cannot be used, by the position of their annotation."""
        faults = {}
        for position in self.outlines.rles:
            rle, size = self.entries[position]["segmentation"], self.sizes[position]
            if not _MASK.fits(rle):
                faults[position] = shorten(rle)
            elif size is not None and rle["size"] != [size[1], size[0]]:
                faults[position] = f"size {rle['size']}, the image has {[size[1], size[0]]}"
        return faults

    @cached_property
    def landmarks(self) -> Landmarks:
        return read_landmarks(column(self.entries, "keypoints", ...), self.garment_of)

    @cached_property
    def overshoot(self) -> Array:
        """(N,): how many pixels the polygons leave the image; NaN where there are none."""
        widths, heights = self.size_arrays
        x1, y1, x2, y2 = self.outlines.extents.T
        return np.max([-x1, -y1, x2 - widths, y2 - heights, np.zeros(len(x1))], axis=0)

    @cached_property
    def areas(self) -> list[int | None]:
        """Pixels of each annotation's mask; None where it cannot be drawn."""
        from pycocotools import mask as coco_mask

        drawable = (self.overshoot <= MAX_SIDE).nonzero()[0].tolist()
        polygons = [self.outlines.polygons[position] for position in drawable]
        sizes = [self.sizes[position] or (0, 0) for position in drawable]
        pixels = union_areas(polygons, sizes) if polygons else []
        areas = dict(zip(drawable, pixels, strict=True))
        for position in self.outlines.rles:
            if position not in self.rle_faults and self.sizes[position] is not None:
                rle = compressed(self.entries[position]["segmentation"])
                areas[position] = int(coco_mask.area(rle))
        return [areas.get(position) for position in range(len(self.entries))]

    @cached_property
    def in_fractions(self) -> Array:
        """(N,): whether box and mask lie in the first pixel of a larger image, as fractions do."""
        _, _, width, height = self.boxes.T
        across, down = self.size_arrays
        large = (across > 4) & (down > 4)
        inside = (np.nan_to_num(self.boxes) >= 0).all(axis=1) & (self.boxes <= 1).all(axis=1)
        outlines = np.nan_to_num(self.outlines.extents, nan=0.0)
        return large & inside & (width > 0) & (height > 0) & (outlines <= 1).all(axis=1)

    def columns(self) -> Columns:
        """What is kept of the part."""
        landmarks, totals = self.landmarks, self.outlines.totals
        has = np.isfinite(self.outlines.extents[:, 0])
        sums = np.where(has, totals, 0), landmarks.totals
        equal = landmarks.labelled + np.where(has, 0, totals)
        return Columns(
            [each if type(each) in (int, str) else None for each in self.column("id")],
            [each if type(each) is int else None for each in self.column("image_id")],
            [each if type(each) is int else None for each in self.column("category_id")],
            [2 if e.get("segmentation") else int("segmentation" in e) for e in self.entries],
            landmarks.lengths,
            (~self.crowds).tolist(),
            [tuple(n for n in _REQUIRED if n not in each) for each in self.entries],
            (landmarks.labelled > 0).tolist(),
            packed(self.corners),
            packed(self.outlines.extents),
            packed(np.column_stack([*sums, equal])),
        )


def packed(numbers: Array) -> array[float]:
    return array("d", numbers.tobytes())
