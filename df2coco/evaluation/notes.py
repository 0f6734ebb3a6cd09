"""What a person must know before believing a score: one sentence each. No note changes a number."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from df2coco.evaluation.ground_truth import GroundTruth
from df2coco.evaluation.results import ModelResults

_LIMITS: Final[Mapping[str, int]] = {"bbox": 100, "segm": 100, "keypoints": 20}
"""Kind -> how many results of a category in an image count: COCO's largest maxDets."""

USUAL: Final = 0.9
"""The share of images with items in which a model finds something."""


def find_notes(
    truth: GroundTruth, found: ModelResults, metrics: Mapping[str, float], reverse: float
) -> Iterator[str]:
    """The notes on an evaluation; none where all is as it should be.

    `metrics` are those of all items, `reverse` is the AP of the results in reverse order.
    """
    from df2coco.evaluation.places import notes_on_places  # loads numpy

    if metrics["AP50"] < 0:
        text = "The ground truth has no item that counts (it has none, or crowds alone), so there "
        yield text + "is no score."
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
        text = f"All scores are {found.scores[0]:g}, so AP depends on the order of the list: in "
        yield text + f"reverse it is {reverse:.3f}. Write the scores of the model."
    yield from notes_on_places(truth, found)


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
    asked = set(truth.items.image_ids)
    answered = len(asked & found.images)
    if answered < USUAL * len(asked):
        text = f"The results are of {answered:,} of the {len(asked):,} images that have items. All "
        yield text + "items of the other images count as not found."
    limit = _LIMITS[truth.kind]
    counts = Counter(zip(found.image_ids, found.category_ids, strict=True))
    crowded = {image for (image, _), count in counts.items() if count > limit}
    if crowded:
        more = "image has" if len(crowded) == 1 else "images have"
        text = f"{len(crowded):,} {more} more than {limit} results of one category, "
        text += f"{max(counts.values()):,} at most. COCO counts only the {limit} with the highest "
        yield text + "scores."
