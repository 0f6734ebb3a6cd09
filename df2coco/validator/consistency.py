"""Whether box, mask and landmarks are of one item.

On real items of DeepFashion2 the IoU of the box and the polygons' extent is at least 0.73, and labelled
landmarks lie at most 2 pixels outside of the box. The thresholds here are far from that.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, TypeAlias

from df2coco.masks.boxes import iou
from df2coco.validator.annotations import Annotations
from df2coco.validator.checks import part_check
from df2coco.validator.hits import Found
from df2coco.validator.items import in_fractions
from df2coco.validator.outlines import Array

Box: TypeAlias = Sequence[float]
"""x1, y1, x2, y2."""

_APART: Final = 0.5
"""Box and mask with a smaller IoU are not of one item."""

_CLOSE: Final = 0.9
_BETTER: Final = 0.15
"""A box is not right either if it fits so well when read as corners, and by so much better than as it is."""

_FITS: Final = 0.7
"""What would explain it must fit with at least this IoU."""


def _corners(part: Annotations) -> Array:
    """(N, 4): the boxes as x1, y1, x2, y2; NaN where there are none."""
    import numpy as np

    x, y, width, height = part.boxes.T
    usable = (width > 0) & (height > 0)
    corners = np.stack([x, y, x + width, y + height], axis=1)
    corners[~usable] = np.nan
    return corners


def _ious(a: Array, b: Array) -> Array:
    """(N,): IoU of boxes (N, 4) x1, y1, x2, y2."""
    import numpy as np

    low, high = np.maximum(a[:, :2], b[:, :2]), np.minimum(a[:, 2:], b[:, 2:])
    common = np.clip(high - low, 0, None).prod(axis=1)
    both = (a[:, 2:] - a[:, :2]).prod(axis=1) + (b[:, 2:] - b[:, :2]).prod(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return common / (both - common)


@part_check(
    "box-not-of-mask",
    "warning",
    "The box is not that of its item's mask.",
    affects="Every consumer trains and scores the box and the mask of one item as two different things.",
    cause="Corners, a centre or another unit were written for x, y, width, height; or box or mask are another item's.",
    remedy="Write the box around the mask as x, y, width, height in pixels, or correct the mask.",
)
def box_not_of_mask(part: Annotations) -> Iterable[Found]:
    corners, extents = part.once(_corners), part.outlines.extents
    overlap = _ious(corners, extents)
    # Near the image's corner, a box written as corners is not far from the right one.
    as_corners = _ious(part.boxes, extents)
    nearly = (as_corners > _CLOSE) & (as_corners > overlap + _BETTER)
    has_area = ((extents[:, 2:] - extents[:, :2]) > 0).all(axis=1)
    apart = ((overlap < _APART) | nearly) & has_area & ~part.once(in_fractions) & ~part.crowds
    for position in apart.nonzero()[0].tolist():
        box, extent = part.boxes[position].tolist(), extents[position].tolist()
        x1, y1, x2, y2 = (round(n, 1) for n in extent)
        detail = f"bbox {[round(n, 1) for n in box]}, the mask lies from {x1:g}, {y1:g} to {x2:g}, {y2:g}"
        cause = _cause_of_box(part, position, box, extent)
        yield position, detail + (f"; {cause}" if cause else "")


def _cause_of_box(part: Annotations, position: int, box: Box, extent: Box) -> str:
    """What explains a box that is not the mask's; "" when nothing does."""
    corners = part.once(_corners)
    for other in _neighbours(part, position):
        if iou(corners[other].tolist(), extent) >= _FITS:
            return f"the mask fits the box of annotation {_name(part, other)}"
        if iou(corners[position].tolist(), part.outlines.extents[other].tolist()) >= _FITS:
            return f"the box fits the mask of annotation {_name(part, other)}"
    x, y, w, h = box
    width, height = part.sizes[position] or (0, 0)
    if [x, y, w, h] == [0, 0, width, height]:
        return "the box is the whole image"
    ways = {
        "these fit as corners x1, y1, x2, y2": (x, y, w, h),
        "these fit as centre x, centre y, width, height": (x - w / 2, y - h / 2, x + w / 2, y + h / 2),
        "these fit as fractions of the image": (
            x * width, y * height, (x + w) * width, (y + h) * height,
        ),
        "these fit mirrored": (width - x - w, y, width - x, y + h),
        "these fit with x and y exchanged": (y, x, y + h, x + w),
        "these fit if they are doubled": (2 * x, 2 * y, 2 * (x + w), 2 * (y + h)),
        "these fit if they are halved": (x / 2, y / 2, (x + w) / 2, (y + h) / 2),
    }  # fmt: skip
    ways = {cause: way for cause, way in ways.items() if way[2] > way[0] and way[3] > way[1]}
    best = max(ways, key=lambda cause: iou(ways[cause], extent), default="")
    return best if best and iou(ways[best], extent) >= _FITS else ""


def _neighbours(part: Annotations, position: int) -> Iterator[int]:
    """Other annotations of the same image: in nearly all files they stand close by."""
    image_id = part.image_ids[position]
    for other in range(max(0, position - 50), min(part.count, position + 50)):
        if other != position and part.image_ids[other] == image_id:
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


@part_check(
    "landmarks-not-of-box",
    "warning",
    "Labelled landmarks do not lie where their item is.",
    affects="Training takes them as they are; a right result scores badly against them.",
    cause="They are another item's, or were scaled, mirrored or normalised and the box was not.",
    remedy="Write x and y in pixels of the image, and the landmarks of the item itself.",
)
def landmarks_not_of_box(part: Annotations) -> Iterable[Found]:
    import numpy as np

    found, corners = part.landmarks, part.once(_corners)
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
    for position in (wrong & ~part.once(in_fractions)).nonzero()[0].tolist():
        here = item == position
        points = np.stack([x[here], y[here]], axis=1)
        detail = f"{int(outside[position])} of {int(labelled[position])} lie outside the box"
        if not outside[position]:
            detail = "they fill only a small part of the box"
        cause = _cause_of_landmarks(part, position, points, corners)
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


def _cause_of_landmarks(part: Annotations, position: int, points: Array, corners: Array) -> str:
    """What explains landmarks that are not in their box; "" when nothing does."""
    import numpy as np

    width, height = part.sizes[position] or (0, 0)
    ways = {
        "they fit if they are doubled": points * 2,
        "they fit if they are halved": points / 2,
        "they fit as fractions of the image": points * (width, height),
        "they fit mirrored": np.stack([width - points[:, 0], points[:, 1]], axis=1),
        "they fit with x and y exchanged": points[:, ::-1],
    }

    def fit(way: Array, other: int) -> bool:
        x, y = way.T
        box = corners[other]
        here = np.zeros(len(x), np.intp)
        if _outside(x, y, here, _with_margin(box[None])).any() or box[0] != box[0]:
            return False
        filled = (x.max() - x.min()) * (y.max() - y.min())
        return bool(filled > 0.2 * (box[2] - box[0]) * (box[3] - box[1]))

    for other in _neighbours(part, position):
        if fit(points, other):
            return f"they fit the box of annotation {_name(part, other)}"
    for cause, way in ways.items():
        if fit(way, position):
            return cause
    return ""
