"""What a person must know before believing a score: one sentence each. No note changes a number."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from df2coco.boxes import FORMS, PLAIN, Reading, Step, best_reading, ious, readings
from df2coco.evaluation.ground_truth import EntryColumns, GroundTruth
from df2coco.evaluation.results import USUAL, ModelResults, around
from df2coco.layouts import layout_of_category
from df2coco.lazy_numpy import Array, np
from df2coco.taxonomy import CATEGORIES

_LIMITS: Final[Mapping[str, int]] = {"bbox": 100, "segm": 100, "keypoints": 20}
"""Kind -> how many results of a category in an image count: COCO's largest maxDets."""


def find_notes(
    truth: GroundTruth, found: ModelResults, metrics: Mapping[str, float], reverse: float
) -> Iterator[str]:
    """The notes on an evaluation; none where all is as it should be.

    `metrics` are those of all items, `reverse` is the AP of the results in reverse order.
    """
    if metrics["AP50"] < 0:
        text = "The ground truth has no item that counts (it has none, or crowds alone), "
        yield text + "so there is no score."
        return
    if 0 in truth.ids:
        text = "The ground truth has an annotation with id 0, which pycocotools counts as never "
        yield text + "found. The annotations were numbered anew, so that it counts."
    repeated = len(truth.ids) - len(set(truth.ids))
    if repeated:
        text = f"{repeated:,} annotations of the ground truth have an id that another one has too. "
        yield text + "They were numbered anew, so that each counts."
    twice = _count_twice(truth)
    if twice:
        text = f"The ground truth holds {twice:,} of {len(truth.ids):,} items twice: equal image, "
        yield text + "category and shape. A model that finds each item once cannot reach 1."
    yield from _of_numbers(truth, found)
    if abs(metrics["AP"] - reverse) >= 0.0005:
        text = f"All scores are {found.scores[0]:g}, so AP depends on the order of the list: "
        yield text + f"in reverse it is {reverse:.3f}. Write the scores of the model."
    yield from _of_places(truth, found)


def _count_twice(truth: GroundTruth) -> int:
    """How many items are another one once more."""
    items = truth.items
    shapes: Any = map(tuple, items.boxes)
    if truth.kind == "segm":
        shapes = (mask["counts"] for mask in items.segmentations)
    keys = list(zip(items.image_ids, items.category_ids, shapes, strict=True))
    counts = Counter(keys) if len(set(keys)) < len(keys) else Counter()
    # Two items may have one box: look at what is in it.
    insides: Any = {"segm": keys, "bbox": items.shapes, "keypoints": items.keypoints}[truth.kind]
    pairs = zip(keys, insides, strict=True)
    alike = [(key, str(inside)) for key, inside in pairs if counts[key] > 1]
    return len(alike) - len(set(alike))


def _of_numbers(truth: GroundTruth, found: ModelResults) -> Iterator[str]:
    if not found.num_results:
        yield "There are no results, so nothing was found."
        return
    ignored = found.ignored.total()
    if ignored:
        ids = ", ".join(map(str, sorted(found.ignored)[:13]))
        text = f"{ignored:,} of {found.num_results:,} results are of categories that the ground "
        yield text + f"truth does not have ({ids}). They were ignored, as COCO does."
    if found.boxes_for_masks:
        text = f"{found.boxes_for_masks:,} of {found.num_results:,} results have no mask: "
        yield text + "their boxes are taken for masks, as COCO does."
    asked = set(truth.items.image_ids)
    answered = len(asked & found.images)
    if answered < USUAL * len(asked):
        text = f"The results are of {answered:,} of the {len(asked):,} images that have items. "
        yield text + "All items of the other images count as not found."
    limit = _LIMITS[truth.kind]
    counts = Counter(zip(found.image_ids, found.category_ids, strict=True))
    crowded = {image for (image, _), count in counts.items() if count > limit}
    if crowded:
        more = "image has" if len(crowded) == 1 else "images have"
        text = f"{len(crowded):,} {more} more than {limit} results of one category, "
        text += f"{max(counts.values()):,} at most. "
        yield text + f"COCO counts only the {limit} with the highest scores."


_GOOD: Final = 0.5
"""Mean IoU of items and the best result on each, from which on results are not by chance there."""

_MORE: Final = 0.15
"""By how much that mean must be better: the same results read in two ways that are both right differ less."""

_PAIRS: Final = 2_000
"""Pairs of an item and a result that are compared: the first of a file, which are enough for a mean."""


class _Pairs(NamedTuple):
    """Each item with each result in its image: columns of numpy."""

    item: Array
    result: Array
    image: Array
    category: Array
    """The item's."""
    step: Array
    """The item's category id minus the result's."""
    size: Array
    """Width and height of the image, NaN where they are missing: shape (2, pairs)."""

    def where(self, chosen: Array) -> "_Pairs":
        return _Pairs(*(column[..., chosen] for column in self))

    def starts(self) -> Array:
        """Where the pairs of each item begin."""
        return np.flatnonzero(np.diff(self.item, prepend=-1))

    def best(self, fits: Array) -> Array:
        """How well each item is found: the fit of its best pair."""
        return np.maximum.reduceat(np.nan_to_num(fits), self.starts()) if fits.size else fits

    def is_better(self, found: Array, now: Array) -> bool:
        """Whether items are not by chance so much better found than now."""
        chance = 1 / max(1, len(np.unique(self.image)))
        return _mean(found) >= max(_GOOD + chance, _mean(now) + _MORE)


def _mean(values: Array) -> float:
    return float(values.mean()) if values.size else 0.0


def _pair(truth: GroundTruth, results: ModelResults, moved: int = 0) -> _Pairs:
    """Pairs by image id, with `moved` added to those of the results."""
    images, others = np.array(truth.items.image_ids), np.array(results.image_ids) + moved
    categories = np.array(truth.items.category_ids)
    order = np.argsort(others, kind="stable")
    start = np.searchsorted(others, images, "left", sorter=order)
    count = np.searchsorted(others, images, "right", sorter=order) - start
    count[np.cumsum(count) > _PAIRS] = 0
    item = np.repeat(np.arange(len(images)), count)
    result = order[np.arange(len(item)) + np.repeat(start - np.cumsum(count) + count, count)]
    step = categories[item] - np.array(results.category_ids)[result]
    sizes = np.array([truth.sizes[image] for image in images[item].tolist()], float).reshape(-1, 2)
    sizes[sizes == 0] = np.nan
    return _Pairs(item, result, images[item], categories[item], step, sizes.T)


def _of_places(truth: GroundTruth, results: ModelResults) -> Iterator[str]:
    """Results that would fit the items much better if they were read otherwise."""
    if not results.scores or not truth.ids:
        return
    pairs = _pair(truth, results)
    right, boxes = _boxes(truth.items, pairs.item), _boxes(results, pairs.result)
    overlaps = ious(boxes, right)
    now, same = pairs.best(overlaps), pairs.best(np.where(pairs.step == 0, overlaps, 0))
    if truth.kind == "keypoints" and (note := _of_landmarks(truth, results, pairs, right)):
        yield note
    if _mean(same) > 1 - _MORE:
        return  # nothing can be so much better
    note = ""
    if None not in results.boxes:
        alike = _alike(pairs, np.array(results.scores))
        sample = boxes[:, alike], right[:, alike], pairs.size[:, alike]
        what, forms = ("masks", FORMS[:1]) if truth.kind == "segm" else ("boxes", FORMS)
        choices = readings(forms, sample)
        note = _of_readings(
            what, pairs, choices, lambda own: pairs.best(ious(own.box(boxes, pairs.size), right))
        )
    if truth.kind == "segm" and not note:
        note = _of_rows(results, pairs, right, now)
    note = note or _of_category_ids(truth, results, pairs, overlaps)
    note = note or _of_image_ids(truth, results, now)
    if note:
        yield note


def _boxes(entries: EntryColumns, numbers: Array) -> Array:
    """Shape (4, numbers): the boxes of entries; where there is none, that around the mask or the landmarks."""
    from pycocotools import mask as coco_mask

    places = numbers.tolist()
    boxes = [entries.boxes[n] if entries.boxes else None for n in places]
    others = boxes
    if entries.segmentations:
        others = coco_mask.toBbox([entries.segmentations[n] for n in places]).tolist()
    elif None in boxes:
        others = [around(entries.keypoints[n]) for n in places]
    chosen = [other if box is None else box for box, other in zip(boxes, others, strict=True)]
    return np.array(chosen, float).reshape(-1, 4).T


def _of_rows(results: ModelResults, pairs: _Pairs, right: Array, now: Array) -> str:
    """Whether RLEs fit when their counts run along rows: then they are those of the turned mask."""
    from pycocotools import mask as coco_mask

    masks = [results.segmentations[n] for n in pairs.result.tolist()]
    turned = coco_mask.toBbox([{**mask, "size": mask["size"][::-1]} for mask in masks])
    if not pairs.is_better(pairs.best(ious(turned.reshape(-1, 4)[:, [1, 0, 3, 2]].T, right)), now):
        return ""
    text = "The masks of the results fit the items if their counts run along the rows, not as they"
    return f"{text} are. They must run down the columns, as those of pycocotools.mask.encode do."


def _alike(pairs: _Pairs, scores: Array) -> Array:
    """Which pairs are probably one thing: the best result of a category that has one item in its image."""
    same = np.flatnonzero(pairs.step == 0)
    order = same[np.lexsort((-scores[pairs.result[same]], pairs.item[same]))]
    first = order[pairs.where(order).starts()]
    keys = np.stack([pairs.image[first], pairs.category[first]])
    _, alone, counts = np.unique(keys, axis=1, return_index=True, return_counts=True)
    return first[alone[counts == 1]]


def _of_readings(
    what: str,
    pairs: _Pairs,
    choices: Sequence[Reading],
    fit: Callable[[Reading], Array],
    now: Array | None = None,
) -> str:
    """How `what` must be read to fit, where it does not as it is (`now`)."""
    with np.errstate(all="ignore"):
        reading, _ = best_reading(choices, lambda reading: _mean(fit(reading)))
        now = fit(PLAIN) if now is None else now
        if not pairs.is_better(fit(reading), now):
            return ""
    text = f"The {what} of the results fit the items {reading.words}, not as they are. "
    return f"{text}They must be {reading.remedy}."


_NEAR: Final = 0.1
"""A landmark is near its place within so much of the square root of the box's area."""

_OWN: Final = FORMS[0]
_PARTNERS: Final = Step(
    "if left and right are exchanged",
    "in the slots of their mirror partners (flip_idx in the metainfo)",
    _OWN.read,
)
_FIRST: Final = Step(
    "if they are taken from the first of the slots",
    "in the category's own slots (df2coco.taxonomy.CATEGORIES)",
    _OWN.read,
)
_IN_BOX: Final = Step("from the corner of the item's box", "moved by the box's x and y", _OWN.read)
_MOST: Final = max(category.num_landmarks for category in CATEGORIES)


def _of_landmarks(truth: GroundTruth, results: ModelResults, pairs: _Pairs, boxes: Array) -> str:
    labelled = np.array(truth.items.labelled)[pairs.item] > 0
    chosen = np.flatnonzero(labelled & (pairs.step == 0))[: _PAIRS // 3]
    if not chosen.size:
        return ""
    pairs = pairs.where(chosen)
    near = _NEAR * np.sqrt(boxes[2, chosen] * boxes[3, chosen])
    numbers = pairs.result.tolist()
    own = [np.reshape(results.keypoints[n], (-1, 3)) for n in numbers]
    flips = {n: list(layout_of_category(g).flip_indices) for n, g in truth.garments.items()}
    categories = pairs.category.tolist()
    partners = [points[flips[n]] for n, points in zip(categories, own, strict=True)]
    first = [results.first_slots.get(n, points) for n, points in zip(numbers, own, strict=True)]
    forms = {_OWN: _padded(own), _PARTNERS: _padded(partners), _FIRST: _padded(first)}
    right = _padded([truth.items.keypoints[n] for n in pairs.item.tolist()])
    counts: Array = right[..., 2] > 0

    def fit(reading: Reading, size: Array = pairs.size, corner: Any = (0, 0)) -> Array:
        x, y, _ = np.moveaxis(forms[reading.form], -1, 0)
        x, y = reading.point(x, y, size[..., None])
        x, y = x + corner[0] - right[..., 0], y + corner[1] - right[..., 1]
        close = np.hypot(x, y) <= near[:, None]
        return pairs.best((close & counts).sum(axis=1) / counts.sum(axis=1))

    def extent(points: Array) -> Array:
        places = np.where(counts[..., None], points[..., :2], np.nan)
        low, high = np.nanmin(places, axis=1), np.nanmax(places, axis=1)
        return np.concatenate([low, high - low], axis=1).T

    choices: list[Reading] = []
    for form, points in forms.items():
        choices += readings((form,), (extent(points), extent(right), pairs.size))
    if note := _of_readings("landmarks", pairs, choices, fit):
        return note
    now, frame = fit(PLAIN), boxes[:, chosen]
    corner, size = frame[:2, :, None], frame[2:]
    sample = extent(forms[_OWN]), extent(right) - [*frame[:2], *(0 * size)], size
    choices = [PLAIN._replace(form=_IN_BOX), *readings((_IN_BOX,), sample)]
    forms[_IN_BOX] = forms[_OWN]
    note = _of_readings("landmarks", pairs, choices, lambda own: fit(own, size, corner), now)
    return note.replace("the image", "the box")


def _padded(landmarks: list[Any]) -> Array:
    """x, y, v, shape (entries, 39, 3), with zeros where there are less."""
    result = np.zeros((len(landmarks), 3 * _MOST))
    for row, numbers in zip(result, landmarks, strict=True):
        row[: np.size(numbers)] = np.ravel(numbers)
    return result.reshape(-1, _MOST, 3)


def _of_category_ids(
    truth: GroundTruth, results: ModelResults, pairs: _Pairs, overlaps: Array
) -> str:
    known = sorted(truth.names)
    for step in (1, -1):
        # Only items whose label can be off by one.
        some = np.isin(pairs.category - step, known)
        own, overlap = pairs.where(some), overlaps[some]
        shifted, same = (own.best(np.where(own.step == n, overlap, 0)) for n in (step, 0))
        if own.is_better(shifted, same):
            text = "The results fit items of other categories: their category ids seem to be "
            text += f"shifted by one ({-step:+d}). "
            return f"{text}In the file the ids are {known[0]} to {known[-1]}."
    now, same = pairs.best(overlaps), pairs.best(np.where(pairs.step == 0, overlaps, 0))
    one = len(known) > 1 and len(set(results.category_ids)) == 1
    # One category that no image has is not by chance on others, even in one image.
    beside = one and not (pairs.step == 0).any() and _mean(now) >= _GOOD
    if not beside and not pairs.is_better(now, 2 * same - _MORE):  # that is twice as good
        return ""
    text = "The results fit items of other categories than their own. "
    text += "Compare the category ids of the model with those of the file."
    if one:
        text += " All are of one: for a model of one category, --category NAME says which."
    return text


def _of_image_ids(truth: GroundTruth, results: ModelResults, now: Array) -> str:
    moved = {step: _pair(truth, results, step) for step in (1, -1)}
    fits = {
        step: pairs.best(ious(_boxes(results, pairs.result), _boxes(truth.items, pairs.item)))
        for step, pairs in moved.items()
    }
    step = max(fits, key=lambda step: _mean(fits[step]))
    if not moved[step].is_better(fits[step], now):
        return ""
    others = _mean(fits[-step]) >= _GOOD
    how = "others than the file's." if others else f"shifted by one ({-step:+d})."
    return f"The results fit the items of other images: their image ids seem to be {how}"
