"""Average precision of boxes, masks and landmarks, as COCO and the DeepFashion2 benchmark score them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from df2coco.coco.reader import no_collection
from df2coco.errors import CocoFileError
from df2coco.evaluation.engines import ENGINES, Curves, Engine, choose_engine
from df2coco.evaluation.ground_truth import Annotation, GroundTruth, Item, read_ground_truth
from df2coco.evaluation.results import Results, read_results
from df2coco.progress import Progress, no_progress
from df2coco.taxonomy import ATTRIBUTES, CATEGORY_BY_ID, NUM_LANDMARKS, SIGMAS

__all__ = ["KINDS", "LANDMARKS", "METRICS", "OKS_AREAS", "Evaluation", "Scores", "evaluate"]

KINDS: Final = MappingProxyType(
    {
        "bbox": "boxes",
        "segm": "masks",
        "keypoints": "landmarks",
    }
)
"""What can be evaluated."""

LANDMARKS: Final = MappingProxyType(
    {
        "all": "every labelled landmark, occluded ones too",
        "visible": "occluded landmarks count as unlabelled",
    }
)

OKS_AREAS: Final = MappingProxyType(
    {
        "box": "width x height of the box, as published",
        "mask": "pixels of the mask, as COCO does for people",
    }
)


class _Metric(NamedTuple):
    """Where a number of COCO's stands in `Curves`: indices, or None for the mean over all thresholds."""

    curve: str
    threshold: int | None
    area: int
    limit: int


_AT_50, _AT_75 = 0, 5
_ALL: Final = 0

METRICS: Final[Mapping[str, Mapping[str, _Metric]]] = MappingProxyType(
    {
        "instances": MappingProxyType(
            {
                "AP": _Metric("precision", None, _ALL, 2),
                "AP50": _Metric("precision", _AT_50, _ALL, 2),
                "AP75": _Metric("precision", _AT_75, _ALL, 2),
                "APs": _Metric("precision", None, 1, 2),
                "APm": _Metric("precision", None, 2, 2),
                "APl": _Metric("precision", None, 3, 2),
                "AR1": _Metric("recall", None, _ALL, 0),
                "AR10": _Metric("recall", None, _ALL, 1),
                "AR100": _Metric("recall", None, _ALL, 2),
                "ARs": _Metric("recall", None, 1, 2),
                "ARm": _Metric("recall", None, 2, 2),
                "ARl": _Metric("recall", None, 3, 2),
            }
        ),
        "keypoints": MappingProxyType(
            {
                "AP": _Metric("precision", None, _ALL, 0),
                "AP50": _Metric("precision", _AT_50, _ALL, 0),
                "AP75": _Metric("precision", _AT_75, _ALL, 0),
                "APm": _Metric("precision", None, 1, 0),
                "APl": _Metric("precision", None, 2, 0),
                "AR": _Metric("recall", None, _ALL, 0),
                "AR50": _Metric("recall", _AT_50, _ALL, 0),
                "AR75": _Metric("recall", _AT_75, _ALL, 0),
                "ARm": _Metric("recall", None, 1, 0),
                "ARl": _Metric("recall", None, 2, 0),
            }
        ),
    }
)
"""COCO's numbers, in COCO's order; small, medium and large are areas up to 32^2, 96^2 and above."""


@dataclass(frozen=True, slots=True)
class Scores:
    """COCO's numbers, from 0 to 1; -1 where there is no ground truth, as in COCO."""

    metrics: dict[str, float]
    """Metric -> mean over the categories."""
    per_category: dict[str, dict[str, float]]
    """Category name -> metric -> number, in the order of category ids."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How good results are."""

    kind: str
    """A key of `KINDS`."""
    engine: str
    images: int
    items: int
    """Items of the ground truth."""
    results: int
    scores: Scores
    by: str | None = None
    """The attribute that `subsets` are by."""
    subsets: dict[str, Scores] = field(default_factory=dict)
    """Value of the attribute -> scores, where ground truth with other values is ignored."""

    def as_json(self, *, per_category: bool = False) -> dict[str, Any]:
        """The metrics by name, with "per_category" and, below "by", the subsets."""

        def scores_of(scores: Scores) -> dict[str, Any]:
            extra = {"per_category": scores.per_category} if per_category else {}
            return {**scores.metrics, **extra}

        document = scores_of(self.scores)
        if self.by is not None:
            document["by"] = {
                self.by: {value: scores_of(scores) for value, scores in self.subsets.items()}
            }
        return document


def evaluate(
    kind: str,
    ground_truth: str | Path,
    results: str | Path,
    *,
    landmarks: str = "all",
    oks_area: str = "box",
    by: str | None = None,
    engine: str | None = None,
    progress: Progress = no_progress,
) -> Evaluation:
    """Score the results in a file against the ground truth in a COCO file.

    `kind` is "bbox", "segm" or "keypoints". For keypoints, `landmarks` is "all" or "visible", `oks_area`
    "box" or "mask". `by` is "scale", "occlusion", "zoom_in" or "viewpoint": scores for each of its values
    too. `engine` is "hotcoco" or "pycocotools", which give the same numbers; by default the fastest that is
    installed.

    Raises `CocoFileError` when a file cannot be read or lacks what is needed, `ResultsError` when a result
    cannot be scored, and `EngineError` when the engine is not installed.
    """
    engine = choose_engine(engine)
    with no_collection():
        progress(f"reading {Path(ground_truth).name}", 0, 0)
        truth = read_ground_truth(Path(ground_truth), kind, landmarks=landmarks, oks_area=oks_area)
        if by is not None:
            _check_attribute(truth, by)
        progress(f"reading {Path(results).name}", 0, 0)
        found = read_results(Path(results), kind, truth)
        curves = _curves(truth, found, kind, by, ENGINES[engine], progress)
    scores = {n: _scores(kind, list(truth.names.values()), own) for n, own in curves.items()}
    return Evaluation(
        kind=kind,
        engine=engine,
        images=len(truth.sizes),
        items=truth.num_items,
        results=found.num_results,
        scores=scores.pop(""),
        by=by,
        subsets=scores,
    )


def _curves(
    truth: GroundTruth,
    found: Results,
    kind: str,
    by: str | None,
    engine: Engine,
    progress: Progress,
) -> dict[str, list[Curves]]:
    """Value of the attribute -> curves, one a category; "" stands for all items."""
    values = ATTRIBUTES[by] if by is not None else ()
    curves: dict[str, list[Curves]] = {name: [] for name in ("", *values)}
    for number, category_id in enumerate(truth.names, start=1):
        cell = _cell(truth, found, kind, category_id)
        for value, own in enumerate(curves.values()):
            annotations = _annotations(cell.items, kind, by, value)
            own.append(engine(kind, annotations, cell.results, cell.sigmas))
        progress("scoring categories", number, len(truth.names))
    return curves


def _check_attribute(truth: GroundTruth, by: str) -> None:
    if not any(by in item.values for items in truth.items.values() for item in items):
        raise CocoFileError(
            f"no annotation has {by!r}. Use a file of df2coco convert (no --preset).",
            file=truth.path,
        )


_OUTSIDE: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "bbox": MappingProxyType({"area": -1.0}),
        "segm": MappingProxyType({"area": -1.0}),
        "keypoints": MappingProxyType({"num_keypoints": 0}),
    }
)
"""What makes COCO ignore an annotation and leaves its overlaps with results as they are: an area outside
all ranges, or no landmark that is said to be labelled. (`iscrowd` would change the overlaps.)"""


def _annotations(items: Iterable[Item], kind: str, by: str | None, value: int) -> list[Annotation]:
    """The annotations, ignored where the attribute has another value than 1, 2 or 3; 0 is any."""
    if by is None or not value:
        return [item.annotation for item in items]
    outside = _OUTSIDE[kind]
    return [
        item.annotation if item.values.get(by) == value else {**item.annotation, **outside}
        for item in items
    ]


class _Cell(NamedTuple):
    """One category's part of the evaluation."""

    items: list[Item]
    results: list[dict[str, Any]]
    sigmas: Sequence[float]


def _cell(truth: GroundTruth, found: Results, kind: str, category_id: int) -> _Cell:
    items = truth.items[category_id]
    results = found.by_category.get(category_id, [])
    if kind != "keypoints":
        return _Cell(items, results, ())
    # Only the category's own slots count, with one exception: COCO compares a result with an item
    # without labelled landmarks (which is ignored) in all slots, the unused ones too.
    unlabelled = {i.annotation["image_id"] for i in items if not i.annotation["num_keypoints"]}
    if not any(result["image_id"] in unlabelled for result in results):
        return _Cell(items, results, CATEGORY_BY_ID[category_id].sigmas)
    slots = CATEGORY_BY_ID[category_id].slots
    before, after = [0] * (3 * slots.start), [0] * (3 * (NUM_LANDMARKS - slots.stop))

    def in_all_slots(entry: dict[str, Any]) -> dict[str, Any]:
        return {**entry, "keypoints": [*before, *entry["keypoints"], *after]}

    return _Cell(
        [item._replace(annotation=in_all_slots(item.annotation)) for item in items],
        [
            {**result, "keypoints": found.all_slots[result["id"]]}
            if result["id"] in found.all_slots
            else in_all_slots(result)
            for result in results
        ],
        SIGMAS,
    )


def _scores(kind: str, names: Sequence[str], curves: Sequence[Curves]) -> Scores:
    metrics = METRICS["keypoints" if kind == "keypoints" else "instances"]
    return Scores(
        {name: _mean(metric, curves) for name, metric in metrics.items()},
        {
            category: {name: _mean(metric, [own]) for name, metric in metrics.items()}
            for category, own in zip(names, curves, strict=True)
        },
    )


def _mean(metric: _Metric, curves: Sequence[Curves]) -> float:
    """The mean over thresholds (and recalls) and those categories that have ground truth; else -1."""
    import numpy as np

    thresholds = slice(None) if metric.threshold is None else metric.threshold
    values = np.stack(
        [getattr(own, metric.curve)[..., metric.area, metric.limit][thresholds] for own in curves],
        axis=-1,
    )
    values = values[values > -1]
    return float(values.mean()) if values.size else -1.0
