"""One image's picture: its annotations, perhaps beside a model's results, with what of them matches."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from df2coco.boxes import from_corners, iou
from df2coco.drawing.drawables import PARTS, Drawable, read_drawables
from df2coco.drawing.inputs import Photos
from df2coco.drawing.overlay import overlay
from df2coco.drawing.sheet import HAIRLINE, OCCLUDED, VISIBLE, Key, beside, beside_room
from df2coco.masks import compressed, union_mask
from df2coco.parser.photos import Picture

if TYPE_CHECKING:
    from PIL.Image import Image

_THRESHOLD: Final = 0.5
"""The least overlap of a match: the easiest of COCO's thresholds."""

MATCHED: Final = "#0072b2"
UNMATCHED: Final = "#d55e00"
"""Blue and orange, which look different to color-blind eyes, too."""


@dataclass(frozen=True, slots=True)
class Style:
    """What all pictures have in common."""

    path: Path
    """The COCO file."""
    categories: list[dict[str, Any]]
    photos: Photos
    parts: tuple[str, ...]
    results_path: Path | None
    min_score: float


class Subject(NamedTuple):
    """One image to draw."""

    image: Mapping[str, Any]
    """Its entry in the file."""
    picture: Picture
    annotations: list[dict[str, Any]]
    results: list[dict[str, Any]]
    room: tuple[int, int] | None = None
    """Width and height that the picture must fit in, framed; None: as large as the photo."""


def paint(style: Style, subject: Subject) -> tuple[Image, set[Key]]:
    """The image with its items, and what the legend must explain.

    Raises `CocoFileError` for annotations and results that are not COCO, and as `Photos.open`.
    """
    from PIL import ImageDraw

    compared = style.results_path is not None
    whole = style.photos.size(subject.image, subject.picture)
    longer = None
    if subject.room is not None:
        room = beside_room(subject.room) if compared else subject.room
        scale = min(room[0] / whole[0], room[1] / whole[1])
        longer = max(1, int(max(whole) * scale))
    photo = style.photos.open(subject.image, subject.picture, longer=longer)

    def drawn(drawables: Sequence[Drawable], parts: Sequence[str]) -> Image:
        picture = overlay(photo, drawables, parts=parts, size=longer, whole=whole)
        if longer is not None:  # on a sheet, where photos with white borders end on paper
            edge = 0, 0, picture.width - 1, picture.height - 1
            ImageDraw.Draw(picture).rectangle(edge, outline=HAIRLINE)
        return picture

    truth = read_drawables(subject.annotations, style.categories, where=f"{style.path}: ")
    if not compared:
        return drawn(truth, style.parts), keys_of(truth, style.parts, compared=False)
    where = f"{style.results_path}: image {subject.image['id']}: "
    scores = [(result, result.get("score")) for result in subject.results]
    # What is not a number is reported where it is read.
    high = [r for r, s in scores if not isinstance(s, int | float) or s >= style.min_score]
    results = read_drawables(high, style.categories, where=where, predicted=True)
    # Both sides show the same: boxes alone where the results are boxes.
    has = {part for part in style.parts if any(result.extent([part]) for result in results)}
    has |= {"numbers"} if "landmarks" in has else set()
    parts = tuple(part for part in style.parts if part in has) or style.parts
    truth, results = mark_matches(truth, results, whole)
    matches = sum(item.color == MATCHED for item in truth)
    hidden = len(subject.results) - len(results)
    below = f", {hidden} below {style.min_score:g}" if hidden else ""
    left = f"ground truth: {matches} of {len(truth)} found"
    right = f"results: {matches} of {len(results)} match{below}"
    picture = beside([drawn(truth, parts), drawn(results, parts)], [left, right])
    return picture, keys_of(truth + results, parts, compared=True)


def keys_of(drawables: Iterable[Drawable], parts: Iterable[str], *, compared: bool) -> set[Key]:
    """What the legend explains of these items: their categories or, when `compared`, what matches."""
    texts = {
        MATCHED: f"match: OKS or IoU at least {_THRESHOLD:g}",
        UNMATCHED: "no match: missed on the left, wrong on the right",
    }
    keys: set[Key] = set()
    for drawable in drawables:
        text = texts[drawable.color] if compared else drawable.name
        keys.add(Key("swatch", drawable.color, text))
        if "landmarks" in parts:
            keys.update(VISIBLE if m.visible else OCCLUDED for m in drawable.landmarks.values())
    return keys


def mark_matches(
    truth: Sequence[Drawable], results: Sequence[Drawable], size: tuple[int, int]
) -> tuple[list[Drawable], list[Drawable]]:
    """The same drawables, colored and labelled by whether they match; the two of a match have one shade.

    Results in the order of their scores take, among the annotations of their category that are left, the
    one they fit best, if by at least 0.5. Compared are landmarks where both have them (OKS, for garments),
    else masks, else boxes (IoU). `size` is the image's (width, height).
    """
    left = dict(enumerate(truth))
    masks = {id(item): _run_lengths(item, size) for item in (*truth, *results)}
    marked_truth = [replace(item, color=UNMATCHED, note="missed") for item in truth]
    marked_results = [replace(result, color=UNMATCHED, note="no match") for result in results]
    by_score = sorted(enumerate(results), key=lambda r: r[1].score or 0.0, reverse=True)
    for index, result in by_score:
        fits = [
            (*_overlap(item, result, masks), number)
            for number, item in left.items()
            if item.category_id == result.category_id
        ]
        value, measure, best = max(fits, key=itemgetter(0), default=(0.0, "", -1))
        note = f"{measure} {value:.2f}"
        if value >= _THRESHOLD:
            shade = len(truth) - len(left)
            marked_truth[best] = replace(left.pop(best), color=MATCHED, shade=shade)
            marked_results[index] = replace(result, color=MATCHED, shade=shade, note=note)
        elif fits:
            marked_results[index] = replace(marked_results[index], note=f"no match, {note}")
    return marked_truth, marked_results


def _overlap(truth: Drawable, result: Drawable, masks: Mapping[int, Any]) -> tuple[float, str]:
    """How well a result fits an annotation, and the measure: "OKS", or "IoU" of masks or boxes.

    OKS is over the labelled landmarks, its scale the box's area.
    """
    x1, y1, x2, y2 = truth.box or truth.extent(PARTS) or (0, 0, 0, 0)
    if truth.landmarks and result.landmarks and truth.garment is not None:
        area, total = (x2 - x1) * (y2 - y1) + math.ulp(1.0), 0.0
        for number, (x, y, _) in truth.landmarks.items():
            other, sigma = result.landmarks.get(number), truth.garment.sigmas[number]
            if other is not None:
                squares = (x - other.x) ** 2 + (y - other.y) ** 2
                total += math.exp(-squares / (2 * sigma) ** 2 / area / 2)
        return total / len(truth.landmarks), "OKS"
    both = [masks[id(item)] for item in (truth, result)]
    if all(both):
        from pycocotools import mask as coco_mask

        return float(coco_mask.iou([both[1]], [both[0]], [0])[0, 0]), "IoU"
    corners = [item.box or item.extent(PARTS) for item in (truth, result)]
    boxes = [from_corners(box) for box in corners if box]
    return iou(*boxes) if len(boxes) == 2 else 0.0, "IoU"


def _run_lengths(drawable: Drawable, size: tuple[int, int]) -> Any:
    """The mask as pycocotools compares it; None when there is none of this size."""
    width, height = size
    if drawable.polygons:
        return union_mask([list(map(float, p)) for p in drawable.polygons], width, height)
    rle = drawable.rle
    return compressed(rle) if rle and rle["size"] == [height, width] else None
