"""What an annotation refers to, and its box, mask and area."""

from collections.abc import Iterable, Iterator
from math import nan
from typing import Final

from df2coco.coco.schema import FIELDS, is_id
from df2coco.errors import shorten
from df2coco.lazy_numpy import np
from df2coco.taxonomy import ATTRIBUTE_VALUES, ATTRIBUTES
from df2coco.validator.annotations import Annotations
from df2coco.validator.checks import Found, check

_ROUNDING: Final = 0.01
"""x + w of floats may miss the border by a rounding error."""
_SLIP: Final = 3.0
"""Drawn polygons leave the image by a fraction of a pixel; this much is not a slip any more."""


@check("error")
def annotation_id_zero(part: Annotations) -> Iterable[Found]:
    """An annotation has the id 0.

    affects: COCOeval stores a match as the id, and 0 means unmatched: AP falls silently.
    cause: Annotations were counted from 0.
    remedy: Count from 1.
    """
    return ((n, "") for n, value in enumerate(part.column("id")) if value == 0 and is_id(value))


def _unknown(part: Annotations, field: str, known: Iterable[int]) -> Iterator[Found]:
    """Ids that are none of the known, nor of those that are reported as text: "000001" is 1."""
    texts = (each for each in part.header.other_ids if type(each) is str)
    ids = {*known, *(int(each) for each in texts if each.isdecimal() and len(each) < 20)}
    return part.values_where(field, lambda v: type(v) is int and v not in ids and is_id(v))


@check("error")
def image_unknown(part: Annotations) -> Iterable[Found]:
    """An annotation's image_id is not an image of the file.

    affects: Detectron2 and pycocotools' loadRes stop; the others drop the annotation.
    cause: Images were left out.
    remedy: Add the image, or remove the annotation.
    """
    return _unknown(part, "image_id", part.header.sizes)


@check("error")
def category_unknown(part: Annotations) -> Iterable[Found]:
    """An annotation's category_id is not a category of the file.

    affects: Detectron2 stops with a KeyError; MMDetection drops the annotation.
    cause: Categories were left out, or counted from 0.
    remedy: Add the category, or correct category_id.
    """
    return _unknown(part, "category_id", part.header.lengths)


@check("warning", garments=True)
def iscrowd_set(part: Annotations) -> Iterable[Found]:
    """iscrowd is 1.

    affects: Detectron2, MMDetection and MMPose drop the item from training; COCOeval ignores it.
    cause: DeepFashion2 has no crowds: a converter's mistake.
    remedy: Write 0.
    """
    return part.where(part.crowds) if part.header.garments else ()


@check("note")
def crowd(part: Annotations) -> Iterable[Found]:
    """An annotation is a crowd (iscrowd is 1).

    affects: Frameworks leave it out of training; COCOeval ignores it and what it matches.
    cause: It stands for a group of items that were not marked one by one.
    remedy: Nothing to do, if that is meant.
    """
    return () if part.header.garments else part.where(part.crowds)


@check("error")
def ignore_set(part: Annotations) -> Iterable[Found]:
    """An annotation has ignore set.

    affects: Detectron2 refuses the whole file; MMDetection drops the item.
    cause: The file is of another benchmark's format.
    remedy: Remove the key, or the annotation.
    """
    return part.values_where("ignore", bool)


@check("warning", garments=True)
def attribute_range(part: Annotations) -> Iterable[Found]:
    """scale, occlusion, zoom_in or viewpoint is not 1, 2 or 3.

    affects: Evaluation by attribute (df2coco evaluate --by) leaves the item out of every group.
    cause: Attributes were edited, or counted from 0.
    remedy: Write 1, 2 or 3, or leave the key out.
    """
    for name in ATTRIBUTES if part.header.garments else ():
        yield from part.values_where(name, lambda v: type(v) is int and v not in ATTRIBUTE_VALUES)


@check("error")
def bbox_empty(part: Annotations) -> Iterable[Found]:
    """A box's width or height is 0 or less.

    affects: Nothing can match it, so that AP stays below 1; all frameworks drop the item.
    cause: Corners x1, y1, x2, y2 were subtracted the wrong way round, or the item is degenerate.
    remedy: Correct the box, or remove the item.
    """
    _, _, width, height = part.boxes.T
    return part.where((width <= 0) | (height <= 0), "bbox")


@check("warning")
def bbox_small(part: Annotations) -> Iterable[Found]:
    """A box is less than 1 pixel wide or high.

    affects: MMDetection drops the item.
    cause: The item is degenerate, or the box is in other units than pixels.
    remedy: Correct the box, or remove the item.
    """
    _, _, width, height = part.boxes.T
    small = (width > 0) & (height > 0) & ((width < 1) | (height < 1))
    return part.where(small & ~part.in_fractions, "bbox")


@check("warning")
def bbox_outside(part: Annotations) -> Iterable[Found]:
    """A box reaches beyond its image.

    affects: MMPose and Detectron2 cut it; MMDetection drops it when nothing is inside.
    cause: Corners were written for x, y, width, height; or the image's size is wrong.
    remedy: Correct the box or the size, or cut the box at the border.
    """
    x, y, width, height = part.boxes.T
    across, down = part.size_arrays
    right, bottom = x + width > across + _ROUNDING, y + height > down + _ROUNDING
    for position, detail in part.where((x < 0) | (y < 0) | right | bottom, "bbox"):
        if size := part.sizes[position]:
            x1, y1, x2, y2 = part.boxes[position].tolist()
            detail += f" in {size[0]} x {size[1]}"
            if 0 <= x1 < x2 <= size[0] and 0 <= y1 < y2 <= size[1]:
                detail += "; as corners x1, y1, x2, y2 it is inside"
        yield position, detail


@check("warning")
def bbox_integers(part: Annotations) -> Iterable[Found]:
    """All 4 numbers of a box are written as integers (103, not 103.0).

    affects: Detectron2 truncates the box to whole pixels whenever it resizes the image.
    cause: Most converters write them so.
    remedy: Write floats.
    """
    boxes, usable = part.column("bbox"), np.isfinite(part.boxes[:, 0]).nonzero()[0].tolist()
    return ((n, f"bbox {shorten(boxes[n])}") for n in usable if {*map(type, boxes[n])} == {int})


@check("warning")
def polygon_integers(part: Annotations) -> Iterable[Found]:
    """All numbers of a polygon are written as integers (103, not 103.0).

    affects: Detectron2 truncates its points to whole pixels whenever it resizes the image.
    cause: Most converters write them so.
    remedy: Write floats.
    """
    return ((position, "") for position in part.outlines.integers)


@check("warning")
def segmentation_rle(part: Annotations) -> Iterable[Found]:
    """segmentation is an RLE and not a list of polygons.

    affects: Detectron2 and MMDetection stop, unless they are set to read such masks.
    cause: Masks were written as pixels.
    remedy: Set INPUT.MASK_FORMAT = 'bitmask' or poly2mask=True, or write polygons.
    """
    # Crowds are RLEs in COCO's own files, and no framework trains on them.
    faults, crowds = part.rle_faults, part.crowds
    return ((p, "") for p in part.outlines.rles if p not in faults and not crowds[p])


@check("warning")
def area_not_positive(part: Annotations) -> Iterable[Found]:
    """area is 0 or less.

    affects: MMDetection drops the item; COCOeval counts it as small, and divides landmarks by it.
    cause: It was never computed.
    remedy: Write the mask's pixels, or the box's width times height.
    """
    return part.values_where("area", lambda area: type(area) in (int, float) and area <= 0)


@check("warning")
def polygon_outside(part: Annotations) -> Iterable[Found]:
    """A polygon leaves its image by more than 3 pixels.

    affects: The part outside is cut off when the mask is drawn, so mask and box do not fit.
    cause: The image was resized, or its size is wrong.
    remedy: Correct the polygon or the image's size.
    """
    widths, heights = part.size_arrays
    x1, y1, x2, y2 = part.outlines.extents.T
    wholly = (x2 <= 0) | (y2 <= 0) | (x1 >= widths) | (y1 >= heights)  # an empty mask
    for position in ((part.overshoot > _SLIP) & ~wholly).nonzero()[0].tolist():
        yield position, f"by {part.overshoot[position]:g} pixels"


@check("error", needs="masks")
def mask_empty(part: Annotations) -> Iterable[Found]:
    """The mask covers no pixel of its image.

    affects: Nothing can match it, so mask AP stays below 1; Detectron2 may drop the item.
    cause: A polygon without area, or outside the image.
    remedy: Correct the polygon, or remove the item.
    """
    for position, area in enumerate(part.areas):
        if area == 0 and not part.in_fractions[position]:
            yield position, "it lies outside the image" if part.overshoot[position] > 1 else ""


def _explanations(part: Annotations) -> Iterator[tuple[int, float, int, float]]:
    """Position, area, mask's and box's area (NaN: no box) of annotations whose area is not the mask's.

    An empty mask, an area of 0 or less and fractions have their own checks.
    """
    fits = FIELDS["annotations"]["area"].fits
    for position, (area, pixels) in enumerate(zip(part.column("area"), part.areas, strict=True)):
        if pixels and type(area) in (int, float) and area > 0 and area != pixels and fits(area):
            _, _, width, height = part.boxes[position].tolist()
            if not part.in_fractions[position]:
                yield position, area, pixels, width * height if min(width, height) > 0 else nan


def _exact_area(polygons: list[list[float]]) -> float:
    """The exact area of polygons, added up, as COCO's own files have it (the shoelace formula)."""
    twice = (
        sum(p[n - 2] * p[n + 1] - p[n] * p[n - 1] for n in range(0, len(p), 2)) for p in polygons
    )
    return sum(map(abs, twice)) / 2


def _is_about(value: float, other: float, share: float, pixels: float) -> bool:
    return abs(value - other) <= max(pixels, share * other)  # never of NaN


@check("warning", needs="masks")
def area_unexplained(part: Annotations) -> Iterable[Found]:
    """area is neither the mask's nor the box's.

    affects: AP by size, and landmark AP altogether, are computed with a wrong scale.
    cause: Areas of overlapping polygons were added up, or the file was resized without its areas.
    remedy: Write the pixels of the polygons' union, or the box's width times height.
    """
    for position, area, mask, box in _explanations(part):
        if _is_about(area, mask, 0.1, 32) or _is_about(area, box, 0.01, 1):
            continue
        # Exact areas of polygons differ from counted pixels by some of those at the border.
        exact = _exact_area(part.outlines.polygons[position])
        if not (mask < 2 * area < 4 * mask and _is_about(area, exact, 0.01, 1)):
            other = f"the box {box:g}" if box > 0 else "there is no box"
            yield position, f"area {area:g}; the mask has {mask} pixels, {other}"


@check("note", needs="masks")
def area_of_box(part: Annotations) -> Iterable[Found]:
    """area is the box's width times height, not the mask's.

    affects: AP by size and landmark AP differ from those with the mask's area, as COCO has it.
    cause: A converter took the box.
    remedy: Compare scores only among files with the same kind of area.
    """
    conversion = part.header.conversion
    if conversion and conversion.area == "box":
        return  # the file says so itself
    for position, area, _, box in _explanations(part):
        if _is_about(area, box, 1e-6, 0):
            yield position, ""


@check("warning")
def coordinates_in_fractions(part: Annotations) -> Iterable[Found]:
    """An item's coordinates are fractions of its image, not pixels.

    affects: Every consumer takes them for pixels: of an item smaller than one.
    cause: They were normalised, as YOLO's labels are.
    remedy: Multiply x and width by the image's width, y and height by its height.
    """
    return part.where(part.in_fractions, "bbox")
