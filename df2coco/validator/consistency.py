"""Whether box, mask and landmarks are of one item.

On real items of DeepFashion2 the IoU of the box and the polygons' extent is at least 0.73, and labelled
landmarks lie at most 2 pixels outside of the box. The thresholds here are far from that.
"""

import math
from collections.abc import Iterable, Iterator
from typing import Any, Final

from df2coco.boxes import FORMS, Box, best_reading, from_corners, iou, ious, readings
from df2coco.validator.annotations import Annotations
from df2coco.validator.checks import Found, check
from df2coco.validator.outlines import Array

_APART: Final = 0.5
"""Box and mask with a smaller IoU are not of one item."""

_CLOSE: Final = 0.9
_BETTER: Final = 0.15
"""A box is not right either if it fits so well when read as corners, and by so much better than as it is."""

_FITS: Final = 0.7
"""What would explain it must fit with at least this IoU."""

_UNKNOWN: Final = (math.nan, math.nan)


@check("warning")
def box_not_of_mask(part: Annotations) -> Iterable[Found]:
    """The box is not that of its item's mask.

    affects: Every consumer trains and scores the box and the mask of one item as two different
        things.
    cause: Corners, a centre or another unit were written for x, y, width, height; or box or mask
        are another item's.
    remedy: Write the box around the mask as x, y, width, height in pixels, or correct the mask.
    """
    extents = part.outlines.extents
    masks, has_box = from_corners(extents.T), (part.boxes[:, 2:] > 0).all(axis=1)
    overlap = ious(part.boxes.T, masks)
    # Near the image's corner, a box written as corners is not far from the right one.
    as_corners = ious(from_corners(part.boxes.T), masks)
    nearly = (as_corners > _CLOSE) & (as_corners > overlap + _BETTER)
    both = has_box & (extents[:, 2:] > extents[:, :2]).all(axis=1)
    apart = ((overlap < _APART) | nearly) & both & ~part.in_fractions & ~part.crowds
    for position in apart.nonzero()[0].tolist():
        box, extent = part.boxes[position].tolist(), extents[position].tolist()
        x1, y1, x2, y2 = (round(n, 1) for n in extent)
        detail = f"bbox {[round(n, 1) for n in box]}, the mask lies from {x1:g}, {y1:g} to {x2:g}, {y2:g}"
        cause = _cause_of_box(part, position, box, from_corners(extent))
        yield position, detail + (f"; {cause}" if cause else "")


def _cause_of_box(part: Annotations, position: int, box: Box, mask: Box) -> str:
    """What explains a box that is not the mask's; "" when nothing does."""
    extents = part.outlines.extents
    for other in _neighbours(part, position):
        if iou(part.boxes[other].tolist(), mask) >= _FITS:
            return f"the mask fits the box of annotation {_name(part, other)}"
        if iou(box, from_corners(extents[other].tolist())) >= _FITS:
            return f"the box fits the mask of annotation {_name(part, other)}"
    size = part.sizes[position] or _UNKNOWN
    if [*box] == [0, 0, *size]:
        return "the box is the whole image"
    reading, fit = best_reading(readings(), lambda reading: iou(reading.box(box, size), mask))
    return f"these fit {reading.words}" if fit >= _FITS else ""


def _neighbours(part: Annotations, position: int) -> Iterator[int]:
    """Other annotations of the same image: in nearly all files they stand close by."""
    image_id = part.column("image_id")[position]
    for other in range(max(0, position - 50), min(part.count, position + 50)):
        if other != position and part.column("image_id")[other] == image_id:
            yield other


def _name(part: Annotations, position: int) -> Any:
    return part.column("id")[position]


# ---------------------------------------------------------------- landmarks

_LEAVE: Final = 0.1
"""By so much of its side landmarks may leave a box,"""
_PIXELS: Final = 5.0
"""and by so many pixels."""


def _with_margin(areas: Array) -> Array:
    """(N, 4): boxes x1, y1, x2, y2, made larger by what does not count as outside."""
    import numpy as np

    x1, y1, x2, y2 = areas.T
    across = np.maximum(_LEAVE * (x2 - x1), _PIXELS)
    down = np.maximum(_LEAVE * (y2 - y1), _PIXELS)
    return np.stack([x1 - across, y1 - down, x2 + across, y2 + down], axis=1)


def _outside(x: Array, y: Array, item: Array, areas: Array) -> Array:
    """(M,): whether points lie outside of the boxes (N, 4) of their items."""
    x1, y1, x2, y2 = (edges[item] for edges in areas.T)
    return (x < x1) | (x > x2) | (y < y1) | (y > y2)


@check("warning")
def landmarks_not_of_box(part: Annotations) -> Iterable[Found]:
    """Labelled landmarks do not lie where their item is.

    affects: Training takes them as they are; a right result scores badly against them.
    cause: They are another item's, or were scaled, mirrored or normalised and the box was not.
    remedy: Write x and y in pixels of the image, and the landmarks of the item itself.
    """
    import numpy as np

    found, corners = part.landmarks, part.corners
    chosen = found.v > 0
    item, x, y = found.item[chosen], found.x[chosen], found.y[chosen]
    beside = _outside(x, y, item, _with_margin(corners)).nonzero()[0]
    extents = part.outlines.extents
    of_mask = ~_outside(x[beside], y[beside], item[beside], _with_margin(extents))
    beside = beside[~(of_mask & np.isfinite(extents[item[beside], 0]))]
    count = part.count
    outside = np.bincount(item[beside], minlength=count)
    labelled = np.bincount(item, minlength=count)
    # A person's hand may be far from what is seen of the person; a garment's landmarks are on it.
    own = np.array([each is not None for each in part.garment_of], bool)
    wrong = np.where(own, 4 * outside > labelled, 2 * outside > labelled) | _is_shrunk(
        part, item, x, y, corners
    )
    for position in (wrong & ~part.in_fractions).nonzero()[0].tolist():
        here = item == position
        detail = f"{int(outside[position])} of {int(labelled[position])} lie outside the box"
        if not outside[position]:
            detail = "they fill only a small part of the box"
        cause = _cause_of_landmarks(part, position, x[here], y[here], corners)
        yield position, detail + (f"; {cause}" if cause else "")


_SHRUNK: Final = 0.25
_MOST: Final = 0.7
"""With so many of them labelled, a garment's landmarks never fill less of its box."""


def _is_shrunk(part: Annotations, item: Array, x: Array, y: Array, corners: Array) -> Array:
    """(N,): most landmarks of a garment are labelled, and yet fill a small part of its box; or all lie together."""
    import numpy as np

    result = np.zeros(part.count, bool)
    if not len(item):
        return result
    starts = np.flatnonzero(np.diff(item, prepend=-1))
    here = item[starts]
    wide = np.maximum.reduceat(x, starts) - np.minimum.reduceat(x, starts)
    high = np.maximum.reduceat(y, starts) - np.minimum.reduceat(y, starts)
    counts = np.diff(starts, append=len(item))
    total = np.array([0 if g is None else g.num_landmarks for g in part.garment_of])[here]
    x1, y1, x2, y2 = corners[here].T
    small = wide * high < _SHRUNK * (x2 - x1) * (y2 - y1)
    together = (np.maximum(wide, high) <= 1) & (np.minimum(x2 - x1, y2 - y1) > 10) & (counts > 2)
    result[here] = ((total > 0) & (counts >= _MOST * total) & small) | together
    return result


def _cause_of_landmarks(
    part: Annotations, position: int, x: Array, y: Array, corners: Array
) -> str:
    """What explains landmarks that are not in their box; "" when nothing does."""
    import numpy as np

    def fit(x: Array, y: Array, other: int) -> bool:
        box = corners[other]
        here = np.zeros(len(x), np.intp)
        if _outside(x, y, here, _with_margin(box[None])).any() or box[0] != box[0]:
            return False
        filled = (x.max() - x.min()) * (y.max() - y.min())
        return bool(filled > 0.2 * (box[2] - box[0]) * (box[3] - box[1]))

    for other in _neighbours(part, position):
        if fit(x, y, other):
            return f"they fit the box of annotation {_name(part, other)}"
    size = part.sizes[position] or _UNKNOWN
    for reading in readings(FORMS[:1]):
        if fit(*reading.point(x, y, size), position):
            return f"they fit {reading.words}"
    return ""
