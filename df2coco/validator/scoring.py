"""Ground truth scored against itself by COCOeval: a perfect detector must get AP 1 (--against)."""

import contextlib
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from df2coco.coco.format import Entry
from df2coco.coco.reader import index
from df2coco.layouts import AGGREGATED, NUM_AGGREGATED
from df2coco.taxonomy import NUM_LANDMARKS, SIGMAS
from df2coco.validator.checks import file_check
from df2coco.validator.file import File, names_of
from df2coco.validator.hits import Hit

_PERFECT: Final = 1 - 1e-9
"""COCOeval gives perfect results 0.9999999999999998."""


def chosen_images(file: File) -> list[int]:
    """Ids of the images to score, spread evenly over the file."""
    ids = [entry["id"] for entry in file.images if type(entry.get("id")) is int]
    count = min(file.score_images, len(ids))
    return [ids[number * len(ids) // count] for number in range(count)]


@file_check(
    "score-imperfect",
    "error",
    "category",
    "Ground truth scored against itself does not give AP 1.",
    affects="No detector can reach AP 1 on this file.",
    cause="More than 20 items of a category with landmarks, or 100 items, in one image: COCOeval looks at "
    "no more. Or items that cannot be distinguished.",
    remedy="Look at the images with most items; remove what is not meant to be evaluated.",
    needs="source",
)
def score_imperfect(file: File) -> Iterable[Hit]:
    chosen = set(chosen_images(file))
    truth = [
        # A mask without pixels cannot be matched; `mask-empty` reports it.
        {**annotation, "drawn": bool(area)}
        for annotation, area in zip(file.annotations, file.areas, strict=True)
        if annotation.get("image_id") in chosen
    ]
    kinds: dict[str, list[Entry]] = {
        "bbox": truth,
        "segm": [each for each in truth if each["drawn"]],
        "keypoints": [each for each in truth if "keypoints" in each],
    }
    images = [entry for entry in file.images if entry.get("id") in chosen]
    for kind, chosen_truth in kinds.items():
        for sigmas, categories in _sigmas(file) if kind == "keypoints" else [((), None)]:
            for category_id, score in _scores(
                images, file.categories, chosen_truth, kind, sigmas, categories
            ):
                if score < _PERFECT:
                    yield Hit(category_id, f"{kind} AP {score:.3f}")


def _sigmas(file: File) -> list[tuple[tuple[float, ...], list[Any]]]:
    """OKS sigmas, and the categories that they are for."""
    groups: dict[tuple[float, ...], list[Any]] = {}
    for entry in file.categories:
        length, category = len(names_of(entry)), file.garments.get(entry["id"])
        if length == NUM_LANDMARKS:
            sigmas: tuple[float, ...] = SIGMAS
        elif length == NUM_AGGREGATED:
            sigmas = AGGREGATED.sigmas
        elif category is not None and length == category.num_landmarks:
            sigmas = category.sigmas
        else:
            sigmas = (0.05,) * length  # a perfect result is perfect with any
        if sigmas:
            groups.setdefault(sigmas, []).append(entry["id"])
    return list(groups.items())


def _scores(
    images: list[Entry],
    categories: list[Entry],
    truth: list[Entry],
    kind: str,
    sigmas: Sequence[float],
    category_ids: list[Any] | None,
) -> Iterator[tuple[Any, float]]:
    """AP over all sizes of each category that occurs."""
    import numpy as np
    from pycocotools.cocoeval import COCOeval

    # An item without a labelled landmark is ignored, so that no result is a perfect one for it.
    results = [
        {**each, "score": 1.0}
        for each in truth
        if not each["iscrowd"] and (kind != "keypoints" or each["num_keypoints"])
    ]
    document = {"images": images, "categories": categories}
    evaluation = COCOeval(
        index({**document, "annotations": truth}),
        index({**document, "annotations": results}),
        kind,
    )
    parameters = evaluation.params
    parameters.areaRng, parameters.areaRngLbl = parameters.areaRng[:1], parameters.areaRngLbl[:1]
    parameters.maxDets = parameters.maxDets[-1:]
    if category_ids is not None:
        parameters.catIds = category_ids
        parameters.kpt_oks_sigmas = np.array(sigmas)
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"]  # (thresholds, recalls, categories, areas, detections)
    for number, category_id in enumerate(evaluation.params.catIds):
        values = precision[:, :, number]
        if (values > -1).any():
            yield category_id, float(values[values > -1].mean())
