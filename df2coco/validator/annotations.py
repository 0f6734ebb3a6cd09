"""Annotations as checks look at them: some of a file's, as columns and arrays."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import Any, Final

from df2coco.boxes import to_corners
from df2coco.coco.schema import FIELDS, Entry, column
from df2coco.errors import shorten
from df2coco.lazy_numpy import np
from df2coco.limits import MAX_SIDE
from df2coco.masks import compressed, union_areas
from df2coco.taxonomy import Category
from df2coco.validator.arrays import (
    Array,
    Landmarks,
    Outlines,
    distances,
    read_landmarks,
    read_outlines,
)
from df2coco.validator.checks import Found
from df2coco.validator.file import Columns, Header


@dataclass
class Annotations:
    """Some annotations of a file, one after the other in it. N annotations."""

    header: Header
    entries: list[Entry]
    quick: bool = False
    """Nothing is looked at that takes long."""
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
    def size_arrays(self) -> tuple[Array, Array]:
        """(N,) widths and (N,) heights of the images; NaN where they are not known."""
        pairs = [size or (np.nan, np.nan) for size in self.sizes]
        widths, heights = np.fromiter(chain.from_iterable(pairs), float).reshape(-1, 2).T
        return widths, heights

    @cached_property
    def boxes(self) -> Array:
        """(N, 4): x, y, w, h; NaN where there is no usable box."""
        boxes, rule = self.column("bbox"), FIELDS["annotations"]["bbox"]
        if not rule.all_fit(boxes):
            nothing = [np.nan] * 4
            boxes = [box if rule.fits(box) else nothing for box in boxes]
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
        """The annotations for which the array (N,) is true, with a field as it stands there."""
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
            if not FIELDS["annotations"]["segmentation"].fits(rle):
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
        result: list[int | None] = [None] * len(self.entries)
        for position, area in zip(drawable, pixels, strict=True):
            result[position] = area
        for position in self.outlines.rles:
            if position not in self.rle_faults and self.sizes[position] is not None:
                rle = compressed(self.entries[position]["segmentation"])
                result[position] = int(coco_mask.area(rle))
        return result

    @cached_property
    def in_fractions(self) -> Array:
        """(N,): whether box and mask lie in the first pixel of a larger image, as fractions do."""
        _, _, width, height = self.boxes.T
        across, down = self.size_arrays
        large = (across > 4) & (down > 4)
        inside = (np.nan_to_num(self.boxes) >= 0).all(axis=1) & (self.boxes <= 1).all(axis=1)
        outlines = np.nan_to_num(self.outlines.extents, nan=0.0)
        return large & inside & (width > 0) & (height > 0) & (outlines <= 1).all(axis=1)

    @cached_property
    def strays(self) -> Array:
        """(N, 2): the medians of how far landmarks are from the outline, and visible ones from the mask.

        NaN where there are few, or no polygons.
        """
        marks, count = self.landmarks, len(self.entries)
        item, x, y, v = (each[marks.v > 0] for each in (marks.item, marks.x, marks.y, marks.v))
        shared = np.isin(_marked(item, x, y), _marked(*self.outlines.corners))
        labelled, visible, on_corners = (
            np.bincount(item[chosen], minlength=count) for chosen in (v > 0, v == 2, shared)
        )
        result = np.full((count, 2), np.nan)
        # As nearly always in DeepFashion2.
        most = (2 * on_corners > labelled) & (labelled >= _FEWEST)
        result[most, 0] = result[most & (visible >= _FEWEST), 1] = 0
        ends = np.cumsum(labelled)
        for position in np.flatnonzero(~most & (labelled >= _FEWEST)).tolist():
            here = slice(ends[position] - labelled[position], ends[position])
            polygons = self.outlines.polygons[position]
            if 0 < labelled[position] * sum(map(len, polygons)) < _MOST:
                from_outline, from_mask = distances(x[here], y[here], polygons)
                result[position, 0] = np.sort(from_outline)[labelled[position] // 2]
                if visible[position] >= _FEWEST:
                    seen = from_mask[v[here] == 2]
                    result[position, 1] = np.sort(seen)[visible[position] // 2]
        return result

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
            [
                2 if each.get("segmentation") else int("segmentation" in each)
                for each in self.entries
            ],
            landmarks.lengths,
            (~self.crowds).tolist(),
            [
                ()
                if each.keys() >= _REQUIRED.keys()
                else tuple(n for n in _REQUIRED if n not in each)
                for each in self.entries
            ],
            (landmarks.labelled > 0).tolist(),
            _packed(self.corners),
            _packed(self.outlines.extents),
            _packed(np.column_stack([*sums, equal])),
            _packed(np.full((len(has), 2), np.nan) if self.quick else self.strays),
        )


def _marked(item: Array, x: Array, y: Array) -> Array:
    """(M,): a number for each point of an item, which other points have only by a rare chance."""
    return item * 2718.281828459045 + x * 1.4142135623730951 + y * 1.7320508075688772


def _packed(numbers: Array) -> array[float]:
    return array("d", numbers.tobytes())


_FEWEST: Final = 4
"""Landmarks that say where the others are."""
_MOST: Final = 1_000_000
"""Of more pairs of a landmark and a polygon's number the distances take too much memory."""
_REQUIRED: Final = dict.fromkeys(("id", "image_id", "category_id", "bbox", "area", "iscrowd"))
"""Keys that consumers need; in their order."""
