"""Checks that need every mask drawn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple, TypeAlias

from df2coco.coco.schema import is_mask
from df2coco.masks import union_area
from df2coco.validator.document import (
    MAX_SIDE,
    Check,
    Document,
    Entry,
    Hit,
    image_of,
    is_finite,
    is_integer,
)
from df2coco.validator.shapes import boxes
from df2coco.workers import map_ordered

__all__ = ["CHECKS", "Measured", "measure"]

Hits = Iterable[Hit]


class Measured(NamedTuple):
    """What drawing an annotation's mask tells."""

    area: int | None
    """Pixels in the union of its polygons; None when they are too far away to be drawn."""
    overshoot: float
    """How many pixels its polygons leave the image."""


_Task: TypeAlias = "list[tuple[Any, int, int]]"

_TASK_NUMBERS: Final = 3000
"""A task goes through a pipe of 64 KB, at 9 bytes a number."""

_WORTH_WORKERS: Final = 5000


def measure(document: Document) -> list[Measured | None]:
    """Draw every mask; None where there is none that can be drawn."""
    tasks = list(_tasks(document))
    workers = document.workers if len(document.annotations) > _WORTH_WORKERS else 1
    small = [task for task in tasks if _numbers(task[-1][0]) <= _TASK_NUMBERS]
    drawn = map_ordered(_draw, small, workers=workers)
    result: list[Measured | None] = []
    document.progress("measuring masks", 0, len(document.annotations))
    for task in tasks:
        result += next(drawn) if _numbers(task[-1][0]) <= _TASK_NUMBERS else _draw(task)
        document.progress("measuring masks", len(result), len(document.annotations))
    drawn.close()
    return result


def _tasks(document: Document) -> Iterator[_Task]:
    task: _Task = []
    size = 0
    for segmentation, image in zip(
        document.column("segmentation"), document.once(image_of), strict=True
    ):
        numbers = _numbers(segmentation)
        if task and size + numbers > _TASK_NUMBERS:
            yield task
            task, size = [], 0
        task.append((segmentation, *_size(image)))
        size += numbers + 10
    if task:
        yield task


def _size(image: Entry | None) -> tuple[int, int]:
    """Width and height of an image; 0, 0 when no mask can be drawn in it."""
    width, height = (image.get("width"), image.get("height")) if image else (0, 0)
    if is_integer(width) and is_integer(height) and max(width, height) <= MAX_SIDE:
        return max(width, 0), max(height, 0)
    return 0, 0


def _numbers(segmentation: Any) -> int:
    """How large a segmentation is, roughly: in numbers."""
    if type(segmentation) is list:
        return sum(map(len, segmentation)) if all(type(p) is list for p in segmentation) else 0
    counts = segmentation.get("counts") if type(segmentation) is dict else None
    return len(counts) if isinstance(counts, (list, str)) else 0


def _draw(task: _Task) -> list[Measured | None]:
    return [_measure_one(*each) for each in task]


def _measure_one(segmentation: Any, width: int, height: int) -> Measured | None:
    if not width or not height or not segmentation or not is_mask(segmentation):
        return None
    if type(segmentation) is dict:
        return _measure_rle(segmentation, width, height)
    polygons = [p for p in segmentation if len(p) >= 6 and not len(p) & 1]
    if not polygons:
        return None
    xs = [edge(p[0::2]) for p in polygons for edge in (min, max)]
    ys = [edge(p[1::2]) for p in polygons for edge in (min, max)]
    overshoot = max(-min(xs), -min(ys), max(xs) - width, max(ys) - height, 0)
    drawable = overshoot <= MAX_SIDE
    return Measured(union_area(polygons, width, height) if drawable else None, overshoot)


def _measure_rle(rle: Any, width: int, height: int) -> Measured | None:
    from pycocotools import mask as coco_mask

    if rle["size"] != [height, width]:
        return None
    packed = coco_mask.frPyObjects(rle, height, width) if type(rle["counts"]) is list else rle
    return Measured(int(coco_mask.area(packed)), 0)


_SLIP: Final = 3.0
"""Polygons of the dataset leave the image by a fraction of a pixel; this much is no slip any more."""


def _polygon_outside(document: Document) -> Hits:
    for index, measured in enumerate(document.once(measure)):
        if measured is not None and measured.overshoot > _SLIP:
            yield document.hit(index, f"by {measured.overshoot:g} pixels")


def _mask_empty(document: Document) -> Hits:
    for index, measured in enumerate(document.once(measure)):
        if measured is not None and measured.area == 0:
            yield document.hit(index)


def _explanations(document: Document) -> Iterator[tuple[int, float, int, float | None]]:
    """Position, area, mask's area and box's area of annotations whose area is not their mask's.

    An empty mask and an area of 0 or less have their own checks.
    """
    for index, (measured, box) in enumerate(
        zip(document.once(measure), document.once(boxes), strict=True)
    ):
        area = document.annotations[index].get("area")
        pixels = None if measured is None else measured.area
        if pixels and is_finite(area) and area > 0 and area != pixels:
            yield index, area, pixels, None if box is None else box[2] * box[3]


def _is_about(value: float, other: float, share: float, pixels: float) -> bool:
    return abs(value - other) <= max(pixels, share * other)


def _area_unexplained(document: Document) -> Hits:
    for index, area, mask, box in _explanations(document):
        # Exact areas of polygons differ from counted pixels by some of those at the border.
        if not _is_about(area, mask, 0.1, 32) and not (box and _is_about(area, box, 0.01, 1)):
            told = "no box" if box is None else f"the box {box:g}"
            yield document.hit(index, f"area {area:g}; the mask has {mask} pixels, {told}")


def _area_of_box(document: Document) -> Hits:
    for index, area, _, box in _explanations(document):
        if box and _is_about(area, box, 1e-6, 0):
            yield document.hit(index)


CHECKS: Final = (
    Check(
        "polygon-outside",
        "warning",
        "annotation",
        f"A polygon leaves its image by more than {_SLIP:g} pixels.",
        "The part outside is cut off when the mask is drawn, so mask and box do not fit.",
        "The image was resized, or its size is wrong.",
        "Correct the polygon or the image's size.",
        _polygon_outside,
        stage="masks",
    ),
    Check(
        "mask-empty",
        "warning",
        "annotation",
        "The polygons cover no pixel.",
        "Detectron2 drops the item with bitmask masks; no result can match it, so mask AP is below 1.",
        "A polygon without area, or outside the image.",
        "Correct the polygon, or remove the item.",
        _mask_empty,
        stage="masks",
    ),
    Check(
        "area-unexplained",
        "warning",
        "annotation",
        "area is neither the mask's nor the box's.",
        "AP by size, and landmark AP altogether, are computed with a wrong scale.",
        "Areas of overlapping polygons were added up, or the file was resized without its areas.",
        "Write the pixels of the polygons' union (or the box's width times height, as the official files do).",
        _area_unexplained,
        stage="masks",
    ),
    Check(
        "area-of-box",
        "note",
        "annotation",
        "area is the box's width times height, not the mask's.",
        "AP by size and landmark AP are those of the official evaluation, not those of COCO's own definition.",
        "The official converter, or --area box.",
        "Compare scores only among files with the same kind of area.",
        _area_of_box,
        stage="masks",
    ),
)  # fmt: skip
