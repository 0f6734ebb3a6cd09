"""Which results of a model match which annotations of the same image: COCO's rule, at one threshold."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from df2coco.boxes import from_corners, iou
from df2coco.drawing.drawables import PARTS, Drawable
from df2coco.masks import compressed, union_mask

THRESHOLD: Final = 0.5
"""The least overlap of a match: the easiest of COCO's thresholds."""

MATCHED: Final = "#0072b2"
UNMATCHED: Final = "#d55e00"
"""Blue and orange, which look different to color-blind eyes, too."""


def mark_matches(
    truth: Sequence[Drawable], results: Sequence[Drawable], size: tuple[int, int]
) -> tuple[list[Drawable], list[Drawable]]:
    """The same drawables, colored and labelled by whether they match; the two of a match have one shade.

    Results in the order of their scores take, among the annotations of their category that are left, the
    one they fit best, if by at least 0.5. Compared are landmarks where both have them (OKS, for garments),
    else masks, else boxes (IoU). `size` is the image's (width, height).
    """
    left = dict(enumerate(truth))
    marked_truth = [replace(item, color=UNMATCHED, note="missed") for item in truth]
    marked_results = [replace(result, color=UNMATCHED, note="no match") for result in results]
    by_score = sorted(enumerate(results), key=lambda r: r[1].score or 0.0, reverse=True)
    for index, result in by_score:
        fits = {
            number: _overlap(item, result, size)
            for number, item in left.items()
            if item.category_id == result.category_id
        }
        best = max(fits, key=lambda number: fits[number][0], default=None)
        if best is None:
            continue
        value, measure = fits[best]
        note = f"{measure} {value:.2f}"
        if value < THRESHOLD:
            marked_results[index] = replace(marked_results[index], note=f"no match, {note}")
            continue
        del left[best]
        shade = len(truth) - len(left) - 1
        marked_truth[best] = replace(marked_truth[best], color=MATCHED, shade=shade, note="")
        marked_results[index] = replace(
            marked_results[index], color=MATCHED, shade=shade, note=note
        )
    return marked_truth, marked_results


def _overlap(truth: Drawable, result: Drawable, size: tuple[int, int]) -> tuple[float, str]:
    """How well a result fits an annotation, and the measure: "OKS", or "IoU" of masks or boxes."""
    if truth.landmarks and result.landmarks and truth.garment is not None:
        return _oks(truth, result, truth.garment.sigmas), "OKS"
    masks = [_run_lengths(item, size) for item in (truth, result)]
    if all(masks):
        from pycocotools import mask as coco_mask

        return float(coco_mask.iou([masks[1]], [masks[0]], [0])[0, 0]), "IoU"
    corners = [item.box or item.extent(PARTS) for item in (truth, result)]
    boxes = [from_corners(box) for box in corners if box]
    return iou(*boxes) if len(boxes) == 2 else 0.0, "IoU"


def _oks(truth: Drawable, result: Drawable, sigmas: Sequence[float]) -> float:
    """Object keypoint similarity over the labelled landmarks; the scale is the box's area."""
    x1, y1, x2, y2 = truth.box or truth.extent(PARTS) or (0, 0, 0, 0)
    area = (x2 - x1) * (y2 - y1) + math.ulp(1.0)
    total = 0.0
    for number, (x, y, _) in truth.landmarks.items():
        other = result.landmarks.get(number)
        if other is not None:
            squares = (x - other.x) ** 2 + (y - other.y) ** 2
            total += math.exp(-squares / (2 * sigmas[number]) ** 2 / area / 2)
    return total / len(truth.landmarks)


def _run_lengths(drawable: Drawable, size: tuple[int, int]) -> Any:
    """The mask as pycocotools compares it; None when there is none of this size."""
    width, height = size
    if drawable.polygons:
        return union_mask([list(map(float, p)) for p in drawable.polygons], width, height)
    if drawable.rle is None or drawable.rle["size"] != [height, width]:
        return None
    return compressed(drawable.rle)
