"""What a person must know before believing a score: one sentence each. No note changes a number."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from df2coco.evaluation.ground_truth import GroundTruth
from df2coco.evaluation.places import notes_on_places
from df2coco.evaluation.results import ModelResults

LIMITS: Final[Mapping[str, int]] = {"bbox": 100, "segm": 100, "keypoints": 20}
"""Kind -> how many results of a category in an image count: COCO's largest maxDets."""


def find_notes(
    kind: str,
    truth: GroundTruth,
    found: ModelResults,
    metrics: Mapping[str, float],
    reverse: Mapping[str, float],
) -> tuple[str, ...]:
    """The notes on an evaluation; () where all is as it should be.

    `metrics` are those of all items, `reverse` the same of the results in reverse order.
    """
    if metrics["AP50"] < 0:
        return (_NOTHING_TO_FIND,)
    return (
        *_of_ground_truth(kind, truth),
        *_of_numbers(kind, truth, found),
        *_of_order(found, metrics["AP"], reverse["AP"]),
        *notes_on_places(kind, truth, found),
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


def _of_numbers(kind: str, truth: GroundTruth, found: ModelResults) -> Iterator[str]:
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


def _of_order(found: ModelResults, ap: float, reverse: float) -> Iterator[str]:
    if abs(ap - reverse) >= 0.0005:
        yield (
            f"All scores are {found.scores[0]:g}, so AP depends on the order of the list: in reverse it is "
            f"{reverse:.3f}. Write the scores of the model."
        )


USUAL: Final = 0.9
"""The share of images with items in which a model finds something."""
