"""Checks of boxes, polygons and areas as they are written."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from df2coco.coco.schema import is_mask
from df2coco.errors import shorten
from df2coco.validator.document import Check, Document, Hit, image_of, is_finite

__all__ = ["CHECKS", "boxes", "is_box", "outlines"]

Hits = Iterable[Hit]
Numbers: TypeAlias = "list[float]"


# ---------------------------------------------------------------- boxes


def boxes(document: Document) -> list[Numbers | None]:
    """Each annotation's bbox where it is 4 finite numbers."""
    return [box if is_box(box) and _is_finite(box) else None for box in document.column("bbox")]


def is_box(value: Any) -> bool:
    """Whether a JSON value is 4 numbers; NaN is one."""
    if type(value) is not list or len(value) != 4:
        return False
    try:
        sum(value)  # one pass in C, which refuses what is no number
    except TypeError:
        return False
    return True


def _is_finite(values: Numbers) -> bool:
    return math.isfinite(sum(values))


def _box_malformed(document: Document) -> Hits:
    for index, box in enumerate(document.once(boxes)):
        value = document.annotations[index].get("bbox", _A_BOX) if box is None else _A_BOX
        if not is_box(value):
            yield document.hit(index, f"bbox {shorten(value)}")


_A_BOX: Final = [0.0, 0.0, 1.0, 1.0]


def _box_small(document: Document) -> Hits:
    for index, box in enumerate(document.once(boxes)):
        if box is not None and (box[2] < 1 or box[3] < 1):
            yield document.hit(index, f"bbox {box}")


def _box_outside(document: Document) -> Hits:
    for index, (box, image) in enumerate(
        zip(document.once(boxes), document.once(image_of), strict=True)
    ):
        if box is None or image is None:
            continue
        x, y, width, height = box
        size = image.get("width"), image.get("height")
        if not is_finite(size[0]) or not is_finite(size[1]):
            continue
        if x < 0 or y < 0 or x + width > size[0] + _ROUNDING or y + height > size[1] + _ROUNDING:
            yield document.hit(index, f"bbox {box} in {size[0]} x {size[1]}")


_ROUNDING: Final = 0.01
"""x + w of floats may miss the border by a rounding error."""


def _box_integers(document: Document) -> Hits:
    for index, box in enumerate(document.once(boxes)):
        if box is not None and type(sum(box)) is int:
            yield document.hit(index, f"bbox {box}")


# ---------------------------------------------------------------- polygons


@dataclass
class Outlines:
    """The segmentations of a file, sorted by what they are; numbers are positions of annotations."""

    empty: list[int] = field(default_factory=list)
    rles: list[int] = field(default_factory=list)
    malformed: list[tuple[int, str]] = field(default_factory=list)
    integers: list[int] = field(default_factory=list)
    infinite: list[int] = field(default_factory=list)


def outlines(document: Document) -> Outlines:
    """Look at every segmentation once."""
    found = Outlines()
    for index, segmentation in enumerate(document.column("segmentation")):
        if type(segmentation) is list and segmentation:
            _look_at_polygons(found, index, segmentation)
        elif type(segmentation) is dict:
            found.rles.append(index)
        elif segmentation == []:
            found.empty.append(index)
        elif segmentation is not None:
            found.malformed.append((index, f"segmentation {shorten(segmentation)}"))
    return found


def _look_at_polygons(found: Outlines, index: int, polygons: list[Any]) -> None:
    integers = 0
    for number, polygon in enumerate(polygons):
        length = len(polygon) if type(polygon) is list else 0
        if length < 6 or length & 1:
            what = f"{length} numbers" if type(polygon) is list else shorten(polygon)
            found.malformed.append((index, f"segmentation[{number}]: {what}"))
            continue
        try:
            total = sum(polygon)
        except TypeError:
            found.malformed.append((index, f"segmentation[{number}]: not all are numbers"))
            continue
        if type(total) is int:
            integers = 1
        elif not -math.inf < total < math.inf:
            found.infinite.append(index)
    if integers:
        found.integers.append(index)


def _segmentation_missing(document: Document) -> Hits:
    segmentations = document.column("segmentation")
    missing = [index for index, each in enumerate(segmentations) if each is None]
    if len(missing) < len(segmentations):
        return (document.hit(index) for index in missing)
    return ()


def _no_masks(document: Document) -> Hits:
    if document.annotations and not any(e is not None for e in document.column("segmentation")):
        yield Hit(None)


def _segmentation_empty(document: Document) -> Hits:
    return (document.hit(index) for index in document.once(outlines).empty)


def _polygon_malformed(document: Document) -> Hits:
    return (document.hit(*each) for each in document.once(outlines).malformed)


def _polygon_integers(document: Document) -> Hits:
    return (document.hit(index) for index in document.once(outlines).integers)


def rle_faults(document: Document) -> dict[int, str]:
    """Why RLEs cannot be used: position -> fault, "" where there is none."""
    faults = {}
    for index in document.once(outlines).rles:
        rle = document.annotations[index]["segmentation"]
        image = document.once(image_of)[index] or {}
        size = [image.get("height"), image.get("width")]
        fault = f"size {rle['size']}, the image has {size}" if is_mask(rle) else f"{shorten(rle)}"
        faults[index] = "" if is_mask(rle) and rle["size"] == size else fault
    return faults


def _rle(document: Document) -> Hits:
    faults = document.once(rle_faults)
    return (document.hit(index) for index, fault in faults.items() if not fault)


def _rle_malformed(document: Document) -> Hits:
    faults = document.once(rle_faults)
    return (document.hit(index, fault) for index, fault in faults.items() if fault)


# ---------------------------------------------------------------- areas


def _area_wrong(document: Document) -> Hits:
    for index, area in enumerate(document.column("area")):
        if type(area) not in (int, float):
            if "area" in document.annotations[index]:
                yield document.hit(index, f"area {shorten(area)}")
        elif area <= 0:
            yield document.hit(index, f"area {area}")


CHECKS: Final = (
    Check(
        "bbox-malformed",
        "error",
        "annotation",
        "bbox is not 4 numbers x, y, width, height.",
        "Every consumer stops, with an empty list too.",
        "A converter wrote something else.",
        "Write [x, y, width, height] in pixels.",
        _box_malformed,
    ),
    Check(
        "bbox-small",
        "warning",
        "annotation",
        "A box is less than 1 pixel wide or high.",
        "MMDetection drops the item; at 0 or less all frameworks do.",
        "Corners x1, y1, x2, y2 were written for x, y, width, height, or the item is degenerate.",
        "Correct the box, or remove the item.",
        _box_small,
    ),
    Check(
        "bbox-outside",
        "warning",
        "annotation",
        "A box reaches beyond its image.",
        "MMPose and Detectron2 cut it; MMDetection drops it when nothing is inside.",
        "Corners were written for x, y, width, height; or the image's size is wrong.",
        "Correct the box or the size, or cut the box at the border.",
        _box_outside,
    ),
    Check(
        "bbox-integers",
        "warning",
        "annotation",
        "All 4 numbers of a box are written as integers (103, not 103.0).",
        "Detectron2 truncates the box to whole pixels whenever it resizes the image.",
        "The official converter and most scripts write them so.",
        "Write floats.",
        _box_integers,
    ),
    Check(
        "segmentation-missing",
        "error",
        "annotation",
        "An annotation has no segmentation, though others have.",
        "MMDetection stops with a KeyError, so does Detectron2; or the masks of its whole image vanish.",
        "A converter left it out.",
        "Add it, or remove the annotation.",
        _segmentation_missing,
        whole=True,
    ),
    Check(
        "no-segmentations",
        "note",
        "file",
        "No annotation has a segmentation.",
        "The file is of no use for masks.",
        "It was made for detection.",
        "Nothing, if that is meant.",
        _no_masks,
        whole=True,
    ),
    Check(
        "segmentation-empty",
        "error",
        "annotation",
        "segmentation is an empty list.",
        "pycocotools stops with an IndexError, MMDetection and Detectron2 with a KeyError.",
        "All polygons of the item were dropped.",
        "Remove the annotation, or give it a polygon.",
        _segmentation_empty,
    ),
    Check(
        "polygon-malformed",
        "error",
        "annotation",
        "A polygon is no even number of at least 6 numbers.",
        "pycocotools, torchvision and supervision stop; Detectron2 drops the item, MMDetection ignores it.",
        "A polygon of one or two points, or a number too many.",
        "Remove the polygon.",
        _polygon_malformed,
    ),
    Check(
        "polygon-integers",
        "warning",
        "annotation",
        "All numbers of a polygon are written as integers (103, not 103.0).",
        "Detectron2 truncates its points to whole pixels whenever it resizes the image.",
        "The dataset and the official converter write them so.",
        "Write floats.",
        _polygon_integers,
    ),
    Check(
        "segmentation-rle",
        "warning",
        "annotation",
        "segmentation is an RLE and no list of polygons.",
        "Detectron2 needs INPUT.MASK_FORMAT = 'bitmask', MMDetection poly2mask=True; else they stop.",
        "Masks were written as pixels.",
        "Set these options, or write polygons.",
        _rle,
    ),
    Check(
        "rle-malformed",
        "error",
        "annotation",
        "An RLE does not fill an image of the annotation's size.",
        "pycocotools reads or writes beyond the mask.",
        "size is width x height instead of height x width, or counts are cut.",
        "Encode the mask again.",
        _rle_malformed,
    ),
    Check(
        "area-wrong",
        "error",
        "annotation",
        "area is no number above 0.",
        "MMDetection drops the item; COCOeval's landmark similarity divides by it.",
        "It was never computed.",
        "Write the mask's pixels, or the box's width times height.",
        _area_wrong,
    ),
)
