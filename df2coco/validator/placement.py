"""Items of the whole file set side by side: which stand twice, and whose boxes lie beside their masks."""

from collections.abc import Iterable
from typing import Any, Final

from df2coco.boxes import from_corners, ious
from df2coco.parser.photo_fit import judge_photos
from df2coco.validator.checks import Hit, check
from df2coco.validator.file import File
from df2coco.validator.outlines import Array


def _shapes(file: File) -> Array:
    """(N, 11): see `Columns.shapes`."""
    import numpy as np

    return np.frombuffer(file.columns.shapes).reshape(-1, 11)


_PIXEL: Final = 1.01
_SAME: Final = 0.9
"""Boxes of one item have at least this IoU: of tiny items a pixel is much."""
_ROUNDED: Final = 0.01
"""By so much of their sum the coordinates of one item may differ."""
_NEXT: Final = 100
"""Items are compared with so many that begin to the right of them: more stand within a pixel in no real file."""


@check("warning", about="annotation")
def item_repeated(file: File) -> Iterable[Hit]:
    """The same item stands twice: image and category are equal, box, mask and landmarks as good as equal.

    affects: A detector finds it once, so that AP stays below 1; counts are wrong.
    cause: Files were merged that hold the same images, or an item was labelled or written twice.
    remedy: Remove one of the two.
    """
    import numpy as np

    columns, shapes = file.columns, file.once(_shapes)
    groups: dict[Any, int] = {}
    pairs = enumerate(zip(columns.image_ids, columns.category_ids, strict=True))
    # An id that is not a number may be that of any image: such an item is like no other.
    keys = [number if None in pair else pair for number, pair in pairs]
    group = np.array([groups.setdefault(key, len(groups)) for key in keys], np.intp)
    order = np.lexsort((shapes[:, 0], group))
    first: dict[int, int] = {}
    for step in range(1, _NEXT):
        one, other = order[:-step], order[step:]
        near = shapes[other, 0] - shapes[one, 0] <= _PIXEL
        near &= group[one] == group[other]
        if not near.any():
            break
        one, other = one[near], other[near]
        same = _are_same(shapes[one], shapes[other])
        for pair in zip(one[same].tolist(), other[same].tolist(), strict=True):
            first[max(pair)] = min(*pair, first.get(max(pair), min(pair)))
    for number, before in sorted(first.items()):
        nearly = "" if (shapes[number] == shapes[before])[:4].all() else "nearly "
        yield file.annotation_hit(number, f"{nearly}the same as annotation {columns.ids[before]}")


def _are_same(one: Array, other: Array) -> Array:
    """(N,): whether two shapes are of one item."""
    import numpy as np

    apart = np.abs(one - other)
    apart[np.isnan(one) & np.isnan(other)] = 0
    overlap = ious(from_corners(one[:, :4].T), from_corners(other[:, :4].T))
    totals = apart[:, 8:10] <= _ROUNDED * np.maximum(np.abs(one[:, 8:10]), 1)
    within = (apart[:, :8] <= _PIXEL).all(axis=1)
    result: Array = within & totals.all(axis=1) & (apart[:, 10] == 0) & (overlap >= _SAME)
    return result


_FIT: Final = 2.0
_OFF: Final = 8.0
_FEWEST: Final = 3
_SHIFTED: Final = 4.0
_APART: Final = 0.5
"""Below this IoU `box-not-of-mask` reports it."""


@check("warning", about="annotation")
def box_beside_mask(file: File) -> Iterable[Hit]:
    """A box is not the one around its mask, in a file where most are; or most are off by the same.

    affects: Every consumer trains and scores the box and the mask of one item as two different
        things.
    cause: Box or mask was moved, resized or mirrored without the other.
    remedy: Write the box around the mask, or correct the mask.
    """
    import numpy as np

    shapes = file.once(_shapes)
    apart = shapes[:, :4] - shapes[:, 4:8]
    both = (np.isfinite(apart).all(axis=1) & np.array(file.columns.counted, bool)).nonzero()[0]
    apart = apart[both]
    off = np.abs(apart).max(axis=1, initial=0)
    fit = int((off <= _FIT).sum())
    if fit < _FEWEST or 2 * fit <= len(both):
        shift = np.median(apart, axis=0) if len(both) > _FEWEST else np.zeros(4)
        alike = int((np.abs(apart - shift) <= _FIT).all(axis=1).sum())
        moved = np.abs(shift[:2] - shift[2:]).max() <= 1 and np.abs(shift).max() > _SHIFTED
        if moved and 2 * alike > len(both):
            yield Hit(
                None, f"{alike:,} boxes lie {shift[0]:g}, {shift[1]:g} pixels from their masks"
            )
        return
    overlap = ious(from_corners(shapes[both, :4].T), from_corners(shapes[both, 4:8].T))
    for place in ((off > _OFF) & (overlap >= _APART)).nonzero()[0].tolist():
        number = int(both[place])
        x1, y1, x2, y2 = np.round(shapes[number, 4:8], 1).tolist()
        text = f"it is off by {off[place]:g} pixels, the mask lies from {x1:g}, {y1:g} to {x2:g}, {y2:g}"
        yield file.annotation_hit(number, text)


@check("warning", garments=True)
def sizes_too_large(file: File) -> Iterable[Hit]:
    """In none of the images an item comes near the right or the lower border.

    affects: Boxes, masks and landmarks are not where the items are seen: every score is near 0.
    cause: Photos were enlarged after the annotations were made, or coordinates were made smaller.
    remedy: Use the original photos and the annotations that were made on them.
    """
    if not file.garments:
        return
    ends = dict.fromkeys(file.header.sizes, 0.0)
    corners = file.once(_shapes)[:, 2:4].tolist()
    for image_id, (right, bottom) in zip(file.columns.image_ids, corners, strict=True):
        size = file.header.sizes.get(image_id)
        if size is not None and right == right:
            ends[image_id] = max(ends[image_id], right / size[0], bottom / size[1])
    reaches = [reach for reach in ends.values() if reach > 0]
    notice = judge_photos(reaches) if max(reaches, default=2) <= 1 else None
    if notice is not None:
        yield Hit(None, notice.text)
