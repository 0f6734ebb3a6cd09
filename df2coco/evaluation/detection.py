"""Average precision of boxes, masks and landmarks, as COCO and the DeepFashion2 benchmark score them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from df2coco.coco.reader import GroundTruthSource, ResultsSource, no_collection, open_source
from df2coco.errors import CocoFileError, check_choice
from df2coco.evaluation.engines import ENGINES, Curves, Matching, choose_engine, score
from df2coco.evaluation.ground_truth import read_ground_truth
from df2coco.evaluation.notes import find_notes
from df2coco.evaluation.results import read_results
from df2coco.progress import Progress, no_progress
from df2coco.taxonomy import ATTRIBUTES

Kind: TypeAlias = Literal["bbox", "segm", "keypoints"]
CountedLandmarks: TypeAlias = Literal["all", "visible"]
OksArea: TypeAlias = Literal["box", "mask"]
Attribute: TypeAlias = Literal["scale", "occlusion", "zoom_in", "viewpoint"]
EngineName: TypeAlias = Literal["hotcoco", "pycocotools"]

KINDS: Final = {
    "bbox": "boxes",
    "segm": "masks",
    "keypoints": "landmarks",
}
"""What can be evaluated."""

COUNTED_LANDMARKS: Final = {
    "all": "every labelled landmark, occluded ones too",
    "visible": "occluded landmarks count as unlabelled",
}

OKS_AREAS: Final = {
    "box": "width x height of the box, as published",
    "mask": "pixels of the mask, as COCO does for people",
}


class _Metric(NamedTuple):
    """Where a number of COCO's stands in `Curves`: indices, or None for the mean over all thresholds."""

    curve: str
    threshold: int | None
    area: int
    limit: int


_AT_50, _AT_75 = 0, 5
_ALL: Final = 0

METRICS: Final[Mapping[str, Mapping[str, _Metric]]] = {
    "instances": {
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
    },
    "keypoints": {
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
    },
}
"""COCO's numbers, in COCO's order; small, medium and large are areas up to 32^2, 96^2 and above."""


@dataclass(frozen=True, slots=True)
class Scores:
    """COCO's numbers, from 0 to 1; -1 where there is no ground truth, as in COCO.

    - metrics: Metric -> mean over the categories.
    - per_category: Category name -> metric -> number, in the order of category ids.
    """

    metrics: dict[str, float]
    per_category: dict[str, dict[str, float]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How good results are.

    - kind: A key of `KINDS`.
    - engine: "hotcoco" or "pycocotools".
    - images: Images of the ground truth.
    - items: Items of the ground truth.
    - results: Results that were scored.
    - scores: Over all items.
    - by: The attribute that `subsets` are by.
    - subsets: Value of the attribute -> scores, where ground truth with other values is
      ignored.
    - notes: What a person must know before believing the scores: one sentence each.
    """

    kind: str
    engine: str
    images: int
    items: int
    results: int
    scores: Scores
    by: str | None = None
    subsets: dict[str, Scores] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def as_json(self, *, per_category: bool = False) -> dict[str, Any]:
        """The metrics by name, with "per_category", below "by" the subsets, and "notes"."""

        def scores_of(scores: Scores) -> dict[str, Any]:
            extra = {"per_category": scores.per_category} if per_category else {}
            return {**scores.metrics, **extra}

        document = scores_of(self.scores)
        if self.by is not None:
            document["by"] = {
                self.by: {value: scores_of(scores) for value, scores in self.subsets.items()}
            }
        return {**document, "notes": list(self.notes)}


def evaluate(
    kind: Kind,
    ground_truth: GroundTruthSource,
    results: ResultsSource,
    *,
    landmarks: CountedLandmarks = "all",
    oks_area: OksArea = "box",
    by: Attribute | None = None,
    category: str | None = None,
    engine: EngineName | None = None,
    progress: Progress = no_progress,
) -> Evaluation:
    """Score results against ground truth in COCO's form.

    Both may be files or loaded: `ground_truth` a dict or a `pycocotools.coco.COCO`, `results` a list of
    dicts or what `COCO.loadRes` gives, or a COCO document whose annotations have scores. Neither is changed.

    `kind` is "bbox", "segm" or "keypoints". For keypoints, `landmarks` is "all" or "visible", `oks_area`
    "box" or "mask". `category` is the name of one: its items are scored, and all results are taken for its,
    whatever id they have, as the results of a model of one category. `by` is "scale", "occlusion", "zoom_in" or "viewpoint": scores for each of its values
    too. `engine` is "hotcoco" or "pycocotools", which give the same numbers; by default the fastest that is
    installed.

    Raises `OptionError` for a value that an option does not have, `CocoFileError` when a file cannot be
    read or lacks what is needed, `ResultsError` when a result cannot be scored, and `EngineError` when the
    engine is not installed.
    """
    for name, value, known in (
        ("kind", kind, KINDS),
        ("landmarks", landmarks, COUNTED_LANDMARKS),
        ("oks_area", oks_area, OKS_AREAS),
        ("by", by, (*ATTRIBUTES, None)),
        ("engine", engine, (*ENGINES, None)),
    ):
        check_choice(name, value, known)
    choose_engine(engine)  # now, not after reading
    with no_collection():
        truth_source = open_source(ground_truth, "the ground truth")
        results_source = open_source(results, "the results")
        progress(f"reading {truth_source.path.name}", 0, 0)
        truth = read_ground_truth(truth_source, kind, landmarks=landmarks, oks_area=oks_area, by=by)
        if by is not None and not any(truth.items.values):
            raise CocoFileError(
                f"no annotation has {by!r}. Use a file of df2coco convert (no --preset).",
                file=truth.path,
            )
        if category is not None:
            truth = truth.of_category(str(category))
        progress(f"reading {results_source.path.name}", 0, 0)
        found = read_results(results_source, kind, truth, of_one_category=category is not None)
        progress("scoring", 0, 0)
        values = ATTRIBUTES[by] if by is not None else ()
        rounds = [[False] * len(truth.ids)]
        rounds += [
            [own != value for own in truth.items.values] for value in range(1, len(values) + 1)
        ]
        curves, chosen, other = score(engine, Matching(kind, truth, found), rounds)
        if len(set(found.scores)) == 1:
            # Equal scores are ranked as they stand in the list.
            curves += ENGINES[chosen](Matching(kind, truth, found.reversed()), rounds[:1])
    everything, *subsets = (_scores(kind, list(truth.names.values()), own) for own in curves)
    reverse = subsets.pop() if len(subsets) > len(values) else everything
    return Evaluation(
        kind=kind,
        engine=chosen,
        images=len(truth.sizes),
        items=len(truth.ids),
        results=found.num_results,
        scores=everything,
        by=by,
        subsets=dict(zip(values, subsets, strict=True)),
        notes=(
            *filter(None, [other]),
            *find_notes(kind, truth, found, everything.metrics, reverse.metrics),
        ),
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

    if not curves:
        return -1.0
    thresholds = slice(None) if metric.threshold is None else metric.threshold
    values = np.stack(
        [getattr(own, metric.curve)[..., metric.area, metric.limit][thresholds] for own in curves],
        axis=-1,
    )
    values = values[values > -1]
    return float(values.mean()) if values.size else -1.0
