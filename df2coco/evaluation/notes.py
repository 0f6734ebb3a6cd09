"""What a person must know before believing a score: one sentence each. No note changes a number."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from df2coco.boxes import READINGS, ious
from df2coco.evaluation.ground_truth import GroundTruth
from df2coco.evaluation.results import Results

LIMITS: Final[Mapping[str, int]] = {"bbox": 100, "segm": 100, "keypoints": 20}
"""Kind -> how many results of a category in an image count: COCO's largest maxDets."""


def find_notes(kind: str, truth: GroundTruth, found: Results, ap50: float) -> tuple[str, ...]:
    """The notes on an evaluation, whose AP50 is `ap50`; () where all is as it should be."""
    if ap50 < 0:
        return (_NOTHING_TO_FIND,)
    return (
        *_of_ground_truth(kind, truth),
        *_of_numbers(kind, truth, found),
        *_of_places(kind, truth, found, ap50),
    )


_NOTHING_TO_FIND: Final = (
    "The ground truth has no item that counts (it has none, or crowds alone), so there is no score."
)


def _of_ground_truth(kind: str, truth: GroundTruth) -> Iterator[str]:
    if 0 in truth.ids:
        yield (
            "The ground truth has an annotation with id 0, which pycocotools counts as never found. "
            "The annotations were numbered anew, so that it counts."
        )
    repeated = len(truth.ids) - len(set(truth.ids))
    if repeated:
        yield (
            f"{repeated:,} annotations of the ground truth have an id that another one has too. "
            "They were numbered anew, so that each counts."
        )
    twice = _count_twice(kind, truth)
    if twice:
        yield (
            f"The ground truth holds {twice:,} of {len(truth.ids):,} items twice: equal image, category and "
            "shape. A model that finds each item once cannot reach 1."
        )


def _count_twice(kind: str, truth: GroundTruth) -> int:
    """How many items are another one once more."""
    items = truth.items
    places = list(zip(items.image_ids, items.category_ids, strict=True))
    if kind == "segm":
        shapes: list[Any] = [mask["counts"] for mask in items.segmentations]
    else:
        shapes = list(map(tuple, items.boxes))
    keys = list(zip(places, shapes, strict=True))
    twice = len(keys) - len(set(keys))
    if not twice or kind == "segm":
        return twice
    counts = Counter(keys)
    # Two items may have one box: look at what is in it.
    insides: Sequence[Any] = items.shapes if kind == "bbox" else items.keypoints
    alike = [
        (key, str(inside)) for key, inside in zip(keys, insides, strict=True) if counts[key] > 1
    ]
    return len(alike) - len(set(alike))


def _of_numbers(kind: str, truth: GroundTruth, found: Results) -> Iterator[str]:
    if not found.num_results:
        yield "There are no results, so nothing was found."
        return
    ignored = found.ignored.total()
    if ignored:
        ids = ", ".join(map(str, sorted(found.ignored)[:13]))
        yield (
            f"{ignored:,} of {found.num_results:,} results are of categories that the ground truth does "
            f"not have ({ids}). They were ignored, as COCO does."
        )
    asked = set(truth.items.image_ids)
    answered = len(asked & found.images)
    if answered < USUAL * len(asked):
        yield (
            f"The results are of {answered:,} of the {len(asked):,} images that have items. All items of "
            "the other images count as not found."
        )
    limit = LIMITS[kind]
    counts = Counter(zip(found.image_ids, found.category_ids, strict=True))
    crowded = {image for (image, _), count in counts.items() if count > limit}
    if crowded:
        more = "image has" if len(crowded) == 1 else "images have"
        yield (
            f"{len(crowded):,} {more} more than {limit} results of one category, {max(counts.values()):,} "
            f"at most. COCO counts only the {limit} with the highest scores."
        )


USUAL: Final = 0.9
"""The share of images with items in which a model finds something."""


# ---------------------------------------------------------------- boxes, labels and images that do not fit


class _Boxes(NamedTuple):
    """Columns of numpy."""

    image_ids: Any
    category_ids: Any
    boxes: Any
    """x, y, w, h, shape (boxes, 4)."""


def _of_places(kind: str, truth: GroundTruth, found: Results, ap50: float) -> Iterator[str]:
    """Results that would fit the items much better if they were read otherwise."""
    if not found.scores or not truth.ids or (kind == "segm" and ap50 > _POOR):
        return
    import numpy as np

    items = _Boxes(
        np.array(truth.items.image_ids, np.int64),
        np.array(truth.items.category_ids, np.int64),
        _boxes_of(kind, truth.items.boxes, truth.items.segmentations, []),
    )
    results = _Boxes(
        np.array(found.image_ids, np.int64),
        np.array(found.category_ids, np.int64),
        _boxes_of(kind, found.boxes, found.segmentations, found.keypoints),
    )
    now, same = _fit(items, results, 0)
    if same > 1 - _MORE:
        return  # nothing can be so much better
    if kind != "segm":
        yield from _of_boxes(truth, items, results, now)
    ids = _of_category_ids(truth, items, results, now, same) or _of_image_ids(items, results, now)
    if ids:
        yield ids


_READ_AS: Final = {
    "corners": "COCO's are x, y, width, height",
    "centre": "COCO's x, y are the upper left corner",
    "fractions": "COCO's are pixels",
}
"""Readings of boxes that are tried, and what stands in a COCO file."""


def _of_boxes(truth: GroundTruth, items: _Boxes, results: _Boxes, now: float) -> Iterator[str]:
    import numpy as np

    sizes = np.array([truth.sizes[image] for image in results.image_ids.tolist()], float).T
    for name, usual in _READ_AS.items():
        reading = READINGS[name]
        boxes = np.stack(reading.box(results.boxes.T, sizes), axis=1)
        better, _ = _fit(items, results._replace(boxes=boxes), 0)
        if _is_better(better, now):
            yield f"The boxes of the results fit the items if they are read {reading.words}; {usual}."


def _of_category_ids(
    truth: GroundTruth, items: _Boxes, results: _Boxes, now: float, same: float
) -> str:
    import numpy as np

    known = set(truth.names)
    for step in (1, -1):
        # Only items whose label can be off by one.
        chosen = np.array([c - step in known for c in truth.items.category_ids], bool)
        if not chosen.any():
            continue
        some = _Boxes(*(column[chosen] for column in items))
        _, shifted = _fit(some, results, step)
        _, unshifted = _fit(some, results, 0)
        if _is_better(shifted, unshifted):
            return (
                "The results fit items of other categories: their category ids seem to be shifted by one "
                f"({-step:+d}). In the file the ids are {min(known)} to {max(known)}."
            )
    if now >= _GOOD and same < now / 2:
        return (
            "The results fit items of other categories than their own. Compare the category ids of the "
            "model with those of the file."
        )
    return ""


def _of_image_ids(items: _Boxes, results: _Boxes, now: float) -> str:
    moved = {
        step: _fit(items, results._replace(image_ids=results.image_ids + step), 0)[0]
        for step in (1, -1)
    }
    step = max(moved, key=lambda each: moved[each])
    if not _is_better(moved[step], now):
        return ""
    others = moved[-step] >= _GOOD
    how = "others than the file's." if others else f"shifted by one ({-step:+d})."
    return f"The results fit the items of other images: their image ids seem to be {how}"


_POOR: Final = 0.5
"""AP50 below which it is worth looking for a reason that costs time to find."""

_GOOD: Final = 0.5
"""Mean IoU of items and the best result on each, from which on results are not by chance there."""

_MORE: Final = 0.15
"""By how much that mean must be better: the same results read in two ways that are both right differ less."""

_PAIRS: Final = 20_000
"""Pairs of an item and a result that are compared: the first of a file, which are enough for a mean."""


def _is_better(other: float, now: float) -> bool:
    return other >= _GOOD and other >= now + _MORE


def _fit(items: _Boxes, results: _Boxes, step: int) -> tuple[float, float]:
    """Mean IoU of each item and the best result in its image: of any category, and of those whose
    category id plus `step` is the item's. Images without results do not count."""
    import numpy as np

    order = np.argsort(results.image_ids, kind="stable")
    ids = results.image_ids[order]
    start = np.searchsorted(ids, items.image_ids, "left")
    count = np.searchsorted(ids, items.image_ids, "right") - start
    count[np.cumsum(count) > _PAIRS] = 0
    chosen = np.flatnonzero(count)
    if not chosen.size:
        return 0.0, 0.0
    count = count[chosen]
    first = np.cumsum(count) - count
    item = np.repeat(chosen, count)
    result = order[np.repeat(start[chosen] - first, count) + np.arange(item.size)]
    overlaps = ious(items.boxes[item].T, results.boxes[result].T)
    of_category = results.category_ids[result] + step == items.category_ids[item]
    best = np.maximum.reduceat(overlaps, first)
    best_of_category = np.maximum.reduceat(np.where(of_category, overlaps, 0), first)
    return float(best.mean()), float(best_of_category.mean())


def _boxes_of(kind: str, boxes: Any, masks: Any, keypoints: Any) -> Any:
    """Shape (entries, 4): the boxes, or those around masks, or around landmarks where there is none."""
    import numpy as np

    if kind == "segm":
        from pycocotools import mask as coco_mask

        return np.array(coco_mask.toBbox(masks), float).reshape(-1, 4)
    if None in boxes:
        boxes = [
            _around(own) if box is None else box for box, own in zip(boxes, keypoints, strict=True)
        ]
    return np.array(boxes, float).reshape(-1, 4)


def _around(own: Any) -> tuple[float, float, float, float]:
    xs, ys = own[0::3], own[1::3]
    return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)
