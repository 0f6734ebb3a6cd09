"""Results that lie elsewhere than the items: what explains it, if they are read otherwise."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from df2coco.boxes import FORMS, Reading, Step, best_reading, ious, readings
from df2coco.evaluation.ground_truth import GroundTruth
from df2coco.evaluation.results import ModelResults
from df2coco.layouts import layout_of_category
from df2coco.taxonomy import CATEGORIES

Array = Any

_POOR: Final = 0.5
"""AP50 below which it is worth looking for a reason that costs time to find."""

_GOOD: Final = 0.5
"""Mean IoU of items and the best result on each, from which on results are not by chance there."""

_MORE: Final = 0.15
"""By how much that mean must be better: the same results read in two ways that are both right differ less."""

_PAIRS: Final = 20_000
"""Pairs of an item and a result that are compared: the first of a file, which are enough for a mean,"""

_SAMPLE: Final = 3_000
"""and those for which each reading is tried."""


def _is_better(other: float, now: float, count: int) -> bool:
    """Whether so many items (or images) are not by chance so much better."""
    chance = 1 / count if count else 1.0
    return other >= _GOOD + chance and other >= now + _MORE


class _Boxes(NamedTuple):
    """Columns of numpy."""

    image_ids: Array
    category_ids: Array
    boxes: Array
    """x, y, w, h, shape (boxes, 4)."""


class _Pairs(NamedTuple):
    """Each item with each result in its image: columns of numpy."""

    item: Array
    result: Array
    first: Array
    """Where the pairs of the next item begin."""

    def best(self, fits: Array) -> float:
        """The mean over items of the pair that fits best."""
        import numpy as np

        if not self.first.size:
            return 0.0
        return float(np.maximum.reduceat(np.nan_to_num(fits), self.first).mean())


def notes_on_places(
    kind: str, truth: GroundTruth, found: ModelResults, ap50: float
) -> Iterator[str]:
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
    sizes = np.array([truth.sizes[image] for image in items.image_ids.tolist()], float)
    sizes[sizes == 0] = np.nan
    if kind == "keypoints":
        yield from _of_landmarks(truth, found, items, results, sizes)
    now, same = _fit(items, results, 0)
    if same > 1 - _MORE:
        return  # nothing can be so much better
    if None not in found.boxes:
        forms = FORMS[:1] if kind == "segm" else FORMS
        reading = _of_boxes(items, results, found.scores, sizes, forms)
        if reading is not None:
            yield _words("masks" if kind == "segm" else "boxes", reading)
            return
    ids = _of_category_ids(truth, items, results, now, same) or _of_image_ids(items, results, now)
    if ids:
        yield ids


def _words(what: str, reading: Reading) -> str:
    return (
        f"The {what} of the results fit the items {reading.words}, not as they are. "
        f"They must be {reading.remedy}."
    )


def _of_boxes(
    items: _Boxes, results: _Boxes, scores: list[float], sizes: Array, forms: Sequence[Step]
) -> Reading | None:
    """How boxes must be read to fit, where they do not as they stand."""
    pairs = _pair(items, results, _SAMPLE)
    boxes, right = results.boxes[pairs.result].T, items.boxes[pairs.item].T
    size = sizes[pairs.item].T
    alike = _alike(items, results, scores, pairs)
    sample = boxes[:, alike], right[:, alike], size[:, alike]

    def fit(reading: Reading) -> float:
        return pairs.best(ious(reading.box(boxes, size), right))

    return _better(readings(forms, sample), fit, pairs.best(ious(boxes, right)), len(pairs.first))


def _better(
    choices: Iterable[Reading], fit: Callable[[Reading], float], now: float, count: int
) -> Reading | None:
    import numpy as np

    if now > 1 - _MORE:
        return None
    with np.errstate(all="ignore"):
        reading, better = best_reading(choices, fit)
    return reading if _is_better(better, now, count) else None


def _alike(items: _Boxes, results: _Boxes, scores: list[float], pairs: _Pairs) -> list[int]:
    """Which pairs are probably one thing: the best result of a category that has one item in its image."""
    best: dict[tuple[int, int], int] = {}
    several = set()
    for number, (item, result) in enumerate(
        zip(pairs.item.tolist(), pairs.result.tolist(), strict=True)
    ):
        if items.category_ids[item] == results.category_ids[result]:
            key = int(items.image_ids[item]), int(items.category_ids[item])
            other = best.setdefault(key, number)
            if pairs.item[other] != item:
                several.add(key)
            elif scores[result] > scores[pairs.result[other]]:
                best[key] = number
    return [number for key, number in best.items() if key not in several]


# ---------------------------------------------------------------- landmarks

_NEAR: Final = 0.1
"""A landmark is near its place within so much of the square root of the box's area."""

_OWN: Final = FORMS[0]
_PARTNERS: Final = Step(
    "if left and right are exchanged",
    "in the slots of their mirror partners (flip_idx in the metainfo)",
    _OWN.read,
)
_FIRST: Final = Step(
    "if they are taken from the first of the 294 slots",
    "in the category's own slots (df2coco.taxonomy.CATEGORIES)",
    _OWN.read,
)
_MOST: Final = max(category.num_landmarks for category in CATEGORIES)


def _of_landmarks(
    truth: GroundTruth, found: ModelResults, items: _Boxes, results: _Boxes, sizes: Array
) -> Iterator[str]:
    import numpy as np

    labelled = np.array(truth.items.labelled) > 0
    places: dict[tuple[int, int], int] = {}
    keys = [
        np.array([places.setdefault(key, len(places)) for key in zip(*ids, strict=True)], np.int64)
        for ids in ((b.image_ids.tolist(), b.category_ids.tolist()) for b in (items, results))
    ]
    pairs = _pair(
        items._replace(image_ids=np.where(labelled, keys[0], -1)),
        results._replace(image_ids=keys[1]),
        _SAMPLE // 4,
    )
    if not pairs.first.size:
        return
    numbers = pairs.result.tolist()
    own = [found.keypoints[number] for number in numbers]
    flips = {
        number: list(layout_of_category(garment).flip_indices)
        for number, garment in truth.garments.items()
    }
    chosen: dict[Step, list[Any]] = {
        _OWN: own,
        _PARTNERS: [
            np.array(points).reshape(-1, 3)[flips[found.category_ids[number]]].ravel()
            for number, points in zip(numbers, own, strict=True)
        ],
        _FIRST: [
            found.first_slots.get(number, points)
            for number, points in zip(numbers, own, strict=True)
        ],
    }
    points = {form: _padded(values) for form, values in chosen.items()}
    right = _padded([truth.items.keypoints[number] for number in pairs.item.tolist()])
    counts: Array = right[..., 2] > 0
    size = sizes[pairs.item].T[:, :, None]
    near = _NEAR * np.sqrt(items.boxes[pairs.item, 2] * items.boxes[pairs.item, 3])

    def fit(form: Step, point: Callable[..., Any]) -> float:
        x, y = point(points[form][..., 0], points[form][..., 1], size)
        close = np.hypot(x - right[..., 0], y - right[..., 1]) <= near[:, None]
        return pairs.best((close & counts).sum(axis=1) / counts.sum(axis=1))

    def extent(values: Array) -> Array:
        low, high = (
            least(np.where(counts[..., None], values[..., :2], fill), axis=1)
            for least, fill in ((np.min, np.inf), (np.max, -np.inf))
        )
        return np.concatenate([low, high - low], axis=1).T

    reading = _better(
        readings(tuple(points), (extent(points[_OWN]), extent(right), size[:, :, 0])),
        lambda reading: fit(reading.form, reading.point),
        fit(_OWN, lambda x, y, _: (x, y)),
        len(pairs.first),
    )
    if reading is not None:
        yield _words("landmarks", reading)


def _padded(landmarks: list[Any]) -> Array:
    """x, y, v, shape (entries, 39, 3), with zeros where there are less."""
    import numpy as np

    result = np.zeros((len(landmarks), 3 * _MOST))
    for row, numbers in zip(result, landmarks, strict=True):
        row[: len(numbers)] = numbers
    return result.reshape(len(landmarks), _MOST, 3)


# ---------------------------------------------------------------- labels and images


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
        if _is_better(shifted, unshifted, len(some.boxes)):
            return (
                "The results fit items of other categories: their category ids seem to be shifted by one "
                f"({-step:+d}). In the file the ids are {min(known)} to {max(known)}."
            )
    if now >= _GOOD and same < now / 2:
        return (
            "The results fit items of other categories than their own. Compare the category ids of the "
            "model with those of the file."
            + _ONE
            * (len(known) > 1 and len(set(results.category_ids.tolist())) == 1)
        )
    return ""


_ONE: Final = " All are of one: for a model of one category, --category NAME says which."


def _of_image_ids(items: _Boxes, results: _Boxes, now: float) -> str:
    import numpy as np

    moved = {
        step: _fit(items, results._replace(image_ids=results.image_ids + step), 0)[0]
        for step in (1, -1)
    }
    step = max(moved, key=lambda each: moved[each])
    if not _is_better(moved[step], now, len(np.unique(results.image_ids))):
        return ""
    others = moved[-step] >= _GOOD
    how = "others than the file's." if others else f"shifted by one ({-step:+d})."
    return f"The results fit the items of other images: their image ids seem to be {how}"


def _fit(items: _Boxes, results: _Boxes, step: int) -> tuple[float, float]:
    """Mean IoU of each item and the best result in its image: of any category, and of those whose
    category id plus `step` is the item's. Images without results do not count."""
    import numpy as np

    pairs = _pair(items, results, _PAIRS)
    overlaps = ious(items.boxes[pairs.item].T, results.boxes[pairs.result].T)
    of_category = results.category_ids[pairs.result] + step == items.category_ids[pairs.item]
    return pairs.best(overlaps), pairs.best(np.where(of_category, overlaps, 0))


def _pair(items: _Boxes, results: _Boxes, limit: int) -> _Pairs:
    """The first `limit` pairs, or a little less."""
    import numpy as np

    order = np.argsort(results.image_ids, kind="stable")
    ids = results.image_ids[order]
    start: Array = np.searchsorted(ids, items.image_ids, "left")
    count = np.searchsorted(ids, items.image_ids, "right") - start
    count[np.cumsum(count) > limit] = 0
    chosen = np.flatnonzero(count)
    count = count[chosen]
    first = np.cumsum(count) - count
    item = np.repeat(chosen, count)
    result = order[np.repeat(start[chosen] - first, count) + np.arange(item.size)]
    return _Pairs(item, result, first)


def _boxes_of(kind: str, boxes: Any, masks: Any, keypoints: Any) -> Any:
    """Shape (entries, 4): the boxes; where there is none, that around the mask or the landmarks."""
    import numpy as np

    if kind == "segm":
        from pycocotools import mask as coco_mask

        around = np.array(coco_mask.toBbox(masks), float).reshape(-1, 4).tolist()
        boxes = [a if b is None else b for a, b in zip(around, boxes or around, strict=True)]
    elif None in boxes:
        boxes = [
            _around(own) if box is None else box for box, own in zip(boxes, keypoints, strict=True)
        ]
    return np.array(boxes, float).reshape(-1, 4)


def _around(own: Any) -> tuple[float, float, float, float]:
    xs, ys = own[0::3], own[1::3]
    return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)
