"""Whether box, mask and landmarks are of one item.

On real items of DeepFashion2 the IoU of the box and the polygons' extent is at least 0.73, mask
and landmarks leave the box by at most 2 pixels (it is up to 36 pixels larger), and half of the
landmarks lie at most 4 pixels from the outline. The thresholds here are far from that.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from df2coco.boxes import FORMS, best_reading, from_corners, iou, ious, readings
from df2coco.lazy_numpy import Array, np
from df2coco.taxonomy import CATEGORY_BY_ID
from df2coco.validator.annotations import Annotations
from df2coco.validator.checks import File, Found, Hit, check

_FIT: Final = 2.0
_OFF: Final = 8.0
"""Pixels that an item is off, where most are off by at most `_FIT`, and few by less than this."""
_FEWEST: Final = 3
_SHIFTED: Final = 4.0
"""Most boxes of a file lie so far from their masks, all in the same direction."""

_APART: Final = 0.5
"""Box and mask with a smaller IoU are not of one item, whatever the rest of the file is like."""
_CLOSE: Final = 0.9
_BETTER: Final = 0.15
"""A box is not right either if it fits so well as corners, and by so much better than as it is."""

_FITS: Final = 0.7
"""What would explain it must fit with at least this IoU."""
_EXPLAINED: Final = 1000
"""For so many boxes that is looked for: it takes far longer than to find them."""

_LEAVE: Final = 0.1
"""By so much of its side landmarks may leave a box,"""
_PIXELS: Final = 5.0
"""and by so many pixels."""
_SHRUNK: Final = 0.25
_MOST: Final = 0.7
"""With so many of them labelled, a garment's landmarks never fill less of its box."""
_REVERSED: Final = 1.2
"""So many times longer than in reverse order the edges of a skeleton never are (1.04 at most)."""
_FEWEST_EDGES: Final = 6

_FEWEST_MARKS: Final = 4
"""Landmarks that say where the others are."""
_MOST_PAIRS: Final = 1_000_000
"""Of more pairs of a landmark and a polygon's number the distances take too much memory."""

_UNKNOWN: Final = (math.nan, math.nan)


def _unlike_most(off: Array) -> Array:
    """(N,): those off by many pixels, where most are not, and few by a little; NaN is not known."""
    fit, wrong = int((off <= _FIT).sum()), off > _OFF
    known = int((off == off).sum())
    between = known - fit - int(wrong.sum())
    return wrong & (fit >= _FEWEST and 2 * fit > known and 5 * between <= fit)


@check("warning", about="annotation")
def box_not_of_mask(file: File) -> Iterable[Hit | Found]:
    """The box is not that of its item's mask.

    affects: Consumers train and score the box and the mask of one item as two different things.
    cause: It was written as corners, a centre or in another unit; or box or mask are another
        item's, or were moved, resized or mirrored.
    remedy: Write the box around the mask as x, y, width, height in pixels, or correct the mask.
    """
    boxes, masks = file.numbers("boxes", 4), file.numbers("masks", 4)
    both = (masks[:, 2:] > masks[:, :2]).all(axis=1) & np.array(file.columns.counted, bool)
    both &= ~(np.hstack([boxes, masks]) <= 1).all(axis=1)  # fractions have their own check
    numbers = (both & np.isfinite(boxes[:, 0])).nonzero()[0]
    boxes, masks = boxes[numbers], masks[numbers]
    sizes = [file.header.sizes.get(file.columns.image_ids[n]) or _UNKNOWN for n in numbers.tolist()]
    ends = np.tile(np.reshape(sizes, (-1, 2)), 2)
    # Where an item leaves its image, one of the two may be cut.
    apart = np.fmin(np.fmax(boxes, 0), ends) - np.fmin(np.fmax(masks, 0), ends)
    larger = apart * [-1, -1, 1, 1]
    box, mask = from_corners(boxes.T), from_corners(masks.T)
    overlap, as_corners = ious(box, mask), ious(from_corners(box), mask)
    wrong = _unlike_most(larger.max(axis=1, initial=-np.inf))
    wrong |= _unlike_most((-larger).max(axis=1, initial=-np.inf))
    # Near the image's corner, a box written as corners is not far from the right one.
    wrong |= (as_corners > _CLOSE) & (as_corners > overlap + _BETTER)
    shift = np.zeros(4)
    if len(numbers) > _FEWEST:  # the median; numpy's own loads 10,000 more lines
        shift = np.sort(apart, axis=0)[[(len(numbers) - 1) // 2, len(numbers) // 2]].mean(axis=0)
    alike = int((np.abs(apart - shift) <= _FIT).all(axis=1).sum())
    moved = np.abs(shift[:2] - shift[2:]).max() <= 1 and np.abs(shift).max() > _SHIFTED
    if moved and 2 * alike > len(numbers):
        yield Hit(None, f"{alike:,} boxes lie {shift[0]:g}, {shift[1]:g} pixels from their masks")
    for count, place in enumerate((wrong | (overlap < _APART)).nonzero()[0].tolist()):
        x1, y1, x2, y2 = np.round(masks[place], 1).tolist()
        detail = f"bbox {np.round([each[place] for each in box], 1).tolist()}"
        detail += f", the mask lies from {x1:g}, {y1:g} to {x2:g}, {y2:g}"
        number, fits = int(numbers[place]), max(_FITS, overlap[place] + _BETTER)
        cause = _cause_of_box(file, number, fits) if count < _EXPLAINED else ""
        off = f"it is off by {np.abs(apart[place]).max():g} pixels"
        yield number, f"{detail}; {cause or off}"


def _cause_of_box(file: File, number: int, fits: float) -> str:
    """What explains a box that is not the mask's, with an IoU of `fits`; "" when nothing does."""
    boxes, masks = file.numbers("boxes", 4), file.numbers("masks", 4)
    box, mask = (from_corners(corners[number].tolist()) for corners in (boxes, masks))
    for other in _neighbours(file.columns.image_ids, number):
        if iou(from_corners(boxes[other].tolist()), mask) >= fits:
            return f"the mask fits the box of annotation {file.columns.ids[other]}"
        if iou(box, from_corners(masks[other].tolist())) >= fits:
            return f"the box fits the mask of annotation {file.columns.ids[other]}"
    size = file.header.sizes.get(file.columns.image_ids[number]) or _UNKNOWN
    if (*box,) == (0, 0, *size):
        return "the box is the whole image"
    reading, fit = best_reading(readings(), lambda reading: iou(reading.box(box, size), mask))
    return f"these fit {reading.words}" if fit >= fits else ""


def _neighbours(image_ids: Sequence[Any], number: int) -> Iterator[int]:
    """Other annotations of the same image: in nearly all files they are close by."""
    near = range(max(0, number - 50), min(len(image_ids), number + 50))
    return (n for n in near if n != number and image_ids[n] == image_ids[number])


def _outside(x: Array, y: Array, areas: Array) -> Array:
    """(M,): whether points lie outside of boxes (M, 4) x1, y1, x2, y2, by more than a margin."""
    x1, y1, x2, y2 = areas.T
    across = np.maximum(_LEAVE * (x2 - x1), _PIXELS)
    down = np.maximum(_LEAVE * (y2 - y1), _PIXELS)
    return (x < x1 - across) | (x > x2 + across) | (y < y1 - down) | (y > y2 + down)


@check("warning")
def landmarks_not_of_box(part: Annotations) -> Iterable[Found]:
    """Labelled landmarks do not lie where their item is.

    affects: Training takes them as they are; a right result scores badly against them.
    cause: They are another item's, or were scaled, mirrored or normalised and the box was not.
    remedy: Write x and y in pixels of the image, and the landmarks of the item itself.
    """
    marks, corners, extents = part.landmarks, part.corners, part.outlines.extents
    chosen = marks.v > 0
    item, x, y = marks.item[chosen], marks.x[chosen], marks.y[chosen]
    beside = _outside(x, y, corners[item])
    item_beside = item[beside]  # few, so that only these are looked at further
    masks = extents[item_beside]
    beside[beside] = _outside(x[beside], y[beside], masks) | ~np.isfinite(masks[:, 0])
    outside = np.bincount(item[beside], minlength=len(corners))
    labelled = np.bincount(item, minlength=len(corners))
    # A person's hand may be far from what is seen of the person; a garment's landmarks are on it.
    allowed = np.array([2 if each is None else 4 for each in part.garment_of])
    wrong = (allowed * outside > labelled) | _is_shrunk(part, item, x, y)
    for position in (wrong & ~part.in_fractions).nonzero()[0].tolist():
        here = item == position
        detail = f"{outside[position]} of {labelled[position]} lie outside the box"
        if not outside[position]:
            detail = "they fill only a small part of the box"
        cause = _cause_of_landmarks(part, position, x[here], y[here])
        yield position, detail + (f"; {cause}" if cause else "")


def _is_shrunk(part: Annotations, item: Array, x: Array, y: Array) -> Array:
    """(N,): most of a garment's landmarks are labelled and fill little of its box; or all lie together."""
    result = np.zeros(len(part.corners), bool)
    if not len(item):
        return result
    starts = np.flatnonzero(np.diff(item, prepend=-1))
    here = item[starts]
    wide = np.maximum.reduceat(x, starts) - np.minimum.reduceat(x, starts)
    high = np.maximum.reduceat(y, starts) - np.minimum.reduceat(y, starts)
    counts = np.diff(starts, append=len(item))
    total = np.array([0 if g is None else g.num_landmarks for g in part.garment_of])[here]
    x1, y1, x2, y2 = part.corners[here].T
    small = wide * high < _SHRUNK * (x2 - x1) * (y2 - y1)
    together = (np.maximum(wide, high) <= 1) & (np.minimum(x2 - x1, y2 - y1) > 10) & (counts > 2)
    result[here] = ((total > 0) & (counts >= _MOST * total) & small) | together
    return result


def _cause_of_landmarks(part: Annotations, position: int, x: Array, y: Array) -> str:
    """What explains landmarks that are not in their box; "" when nothing does."""

    def fit(x: Array, y: Array, other: int) -> bool:
        box = part.corners[other]
        if _outside(x, y, box[None]).any() or box[0] != box[0]:
            return False
        filled = (x.max() - x.min()) * (y.max() - y.min())
        return bool(filled > 0.2 * (box[2] - box[0]) * (box[3] - box[1]))

    for other in _neighbours(part.column("image_id"), position):
        if fit(x, y, other):
            return f"they fit the box of annotation {part.column('id')[other]}"
    size = part.sizes[position] or _UNKNOWN
    for reading in readings(FORMS[:1]):
        if fit(*reading.point(x, y, size), position):
            return f"they fit {reading.words}"
    return ""


def strays_of(part: Annotations) -> Array:
    """(N, 2): the medians of how far landmarks are from the outline, and visible ones from the mask.

    NaN where there are few, or no polygons.
    """
    marks, count = part.landmarks, len(part.entries)
    item, x, y, v = (each[marks.v > 0] for each in (marks.item, marks.x, marks.y, marks.v))
    shared = np.isin(_marked(item, x, y), _marked(*part.outlines.corners))
    kinds = v > 0, v == 2, shared
    labelled, visible, on_corners = (np.bincount(item[kind], minlength=count) for kind in kinds)
    result = np.full((count, 2), np.nan)
    # As nearly always in DeepFashion2.
    most = (2 * on_corners > labelled) & (labelled >= _FEWEST_MARKS)
    result[most, 0] = result[most & (visible >= _FEWEST_MARKS), 1] = 0
    ends = np.cumsum(labelled)
    for position in np.flatnonzero(~most & (labelled >= _FEWEST_MARKS)).tolist():
        here = slice(ends[position] - labelled[position], ends[position])
        polygons = part.outlines.polygons[position]
        if 0 < labelled[position] * sum(map(len, polygons)) < _MOST_PAIRS:
            from_outline, from_mask = _distances(x[here], y[here], polygons)
            result[position, 0] = np.sort(from_outline)[labelled[position] // 2]
            if visible[position] >= _FEWEST_MARKS:
                seen = from_mask[v[here] == 2]
                result[position, 1] = np.sort(seen)[visible[position] // 2]
    return result


def _marked(item: Array, x: Array, y: Array) -> Array:
    """(M,): a number for each point of an item, which other points have only by a rare chance."""
    return item * 2718.281828459045 + x * 1.4142135623730951 + y * 1.7320508075688772


def _distances(x: Array, y: Array, polygons: list[list[float]]) -> tuple[Array, Array]:
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


@check("warning", about="annotation", needs="masks")
def landmarks_not_of_mask(file: File) -> Iterable[Found]:
    """Most landmarks lie beside the mask or far from its outline, unlike those of other items.

    affects: Consumers train and score mask and landmarks of one item as two different things.
    cause: Landmarks or mask are another item's, or were moved, mirrored or turned.
    remedy: Correct the landmarks or the mask.
    """
    off = file.numbers("strays", 2)
    far, beside = (_unlike_most(pixels) for pixels in off.T)
    # A garment's landmarks are on its outline; a person's lie anywhere in the mask.
    far &= bool(file.garments)
    for number in (far | beside).nonzero()[0].tolist():
        yield number, f"half of them lie at least {off[number, 0]:.3g} pixels from the outline"


@check("warning", garments=True, needs="masks")
def landmarks_reversed(part: Annotations) -> Iterable[Found]:
    """The landmarks of a garment are in reverse order.

    affects: Training learns each landmark at another one's place; a right result scores badly.
    cause: They were written from the last to the first.
    remedy: Write the landmarks in the order of their numbers.
    """
    marks, groups = part.landmarks, defaultdict(list)
    for position, (category, own) in enumerate(zip(part.garment_of, marks.own, strict=True)):
        if category is not None and own is not None:
            groups[category.id, own].append(position)
    slots = 1 + max((max(own) for _, own in groups), default=0)
    points = np.full((len(part.entries), slots, 2), np.nan, np.float32)
    chosen = (marks.v > 0) & (marks.slot < slots)
    points[marks.item[chosen], marks.slot[chosen]] = np.stack([marks.x, marks.y], axis=1)[chosen]
    for (category_id, own), positions in groups.items():
        starts, ends = np.array(CATEGORY_BY_ID[category_id].skeleton).T - 1
        mine = points[positions][:, own]
        orders = mine, mine[:, ::-1]
        edges, others = (np.linalg.norm(o[:, starts] - o[:, ends], axis=2) for o in orders)
        both = np.isfinite(edges) & np.isfinite(others)
        sums = (np.where(both, each, 0).sum(axis=1) for each in (edges, others))
        wrong = np.greater(next(sums), _REVERSED * next(sums)) & (both.sum(axis=1) >= _FEWEST_EDGES)
        yield from ((positions[n], "") for n in wrong.nonzero()[0])
