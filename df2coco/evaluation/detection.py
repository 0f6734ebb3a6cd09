"""Average precision of boxes, masks and landmarks, as COCO and the DeepFashion2 benchmark score them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from df2coco.coco.reader import GroundTruthSource, ResultsSource, no_collection, open_source
from df2coco.errors import check_choice, counted, cut_text, printable
from df2coco.evaluation.engines import ENGINES, Curves, choose_engine, score
from df2coco.evaluation.ground_truth import read_ground_truth
from df2coco.evaluation.notes import find_notes
from df2coco.evaluation.results import read_results
from df2coco.lazy_numpy import np
from df2coco.progress import Progress, no_progress
from df2coco.taxonomy import ATTRIBUTES

Kind: TypeAlias = Literal["bbox", "segm", "keypoints"]
CountedLandmarks: TypeAlias = Literal["all", "visible"]
OksArea: TypeAlias = Literal["box", "mask"]
Attribute: TypeAlias = Literal["scale", "occlusion", "zoom_in", "viewpoint"]
EngineName: TypeAlias = Literal["hotcoco", "pycocotools"]

KINDS: Final = {"bbox": "boxes", "segm": "masks", "keypoints": "landmarks"}
"""What can be evaluated."""

COUNTED_LANDMARKS: Final = {
    "all": "every labelled landmark, occluded ones too",
    "visible": "occluded landmarks count as unlabelled",
}

OKS_AREAS: Final = {
    "box": "width x height of the box, as published",
    "mask": "pixels of the mask, as COCO does for people",
}

_AP: Final = ("AP", "AP50", "AP75")
METRICS: Final[Mapping[str, tuple[str, ...]]] = {
    "instances": (*_AP, "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl"),
    "keypoints": (*_AP, "APm", "APl", "AR", "AR50", "AR75", "ARm", "ARl"),
}
"""COCO's numbers, in COCO's order. What follows AP or AR is the threshold in percent, the area or the limit."""

_THRESHOLDS: Final = {"50": 0, "75": 5}
_AREAS: Final = {"s": -3, "m": -2, "l": -1}
"""Up to 32^2, up to 96^2, and above; 0 is all."""
_LIMITS: Final = {"1": 0, "10": 1}
"""How many results of an image count; -1 is the largest number."""


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
        document, *subsets = (
            {**own.metrics, **({"per_category": own.per_category} if per_category else {})}
            for own in (self.scores, *self.subsets.values())
        )
        by = {self.by: dict(zip(self.subsets, subsets, strict=True))}
        return {**document, **({"by": by} if self.by else {}), "notes": list(self.notes)}

    def __str__(self) -> str:
        return self.as_text()

    def as_text(self, *, per_category: bool = False) -> str:
        """What `df2coco evaluate` prints, but for the notes."""
        return "\n".join(map(printable, self._lines(per_category)))

    def _lines(self, per_category: bool) -> Iterator[str]:
        text = f"{KINDS[self.kind]}: {counted(self.results, 'result')}, "
        yield text + f"{counted(self.items, 'item')} in {counted(self.images, 'image')}"
        everything = {"all": self.scores, **self.subsets}
        rows = {
            m: {n: own.metrics[m] for n, own in everything.items()} for m in self.scores.metrics
        }
        yield from _table(self.by or "", list(everything), rows)
        for name, scores in everything.items() if per_category else ():
            yield ""
            columns = [metric for metric in _COLUMNS if metric in scores.metrics]
            title = f"{self.by} {name}" if self.by else ""
            yield from _table(title, columns, scores.per_category)


_COLUMNS: Final = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR", "AR100")
"""What of each category's numbers fits a line."""


def _table(
    title: str, columns: Sequence[str], rows: Mapping[str, Mapping[str, float]]
) -> Iterator[str]:
    """Lines of at most 80 characters: a name and 3 decimals a column; "-" where nothing is to be found."""
    lines = [[title, *columns]]
    for name, numbers in rows.items():
        values = (f"{numbers[c]:.3f}" if numbers[c] >= 0 else "-" for c in columns)
        lines.append([cut_text(printable(name), 24), *values])
    first = max(len(line[0]) for line in lines)
    for name, *cells in lines:
        aligned = (f"{cell:>{max(len(c), 5)}}" for cell, c in zip(cells, columns, strict=True))
        yield "  ".join((f"{name:<{first}}", *aligned)).rstrip()


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

    For keypoints, `landmarks` is "all" or "visible", `oks_area` "box" or "mask". `category` is the name of
    one: its items are scored, and all results are taken for its, whatever id they have, as the results of a
    model of one category. `by` is "scale", "occlusion", "zoom_in" or "viewpoint": scores for each of its
    values too. The engines give the same numbers; by default it is the fastest that is installed.

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
        loaded = open_source(ground_truth, "the ground truth")
        progress(f"reading {loaded.path.name}", 0, 0)
        truth = read_ground_truth(loaded, kind, landmarks=landmarks, oks_area=oks_area, by=by)
        if category is not None:
            truth = truth.of_category(str(category))
        loaded = open_source(results, "the results")
        progress(f"reading {loaded.path.name}", 0, 0)
        found = read_results(loaded, truth, one_category=category is not None)
        progress("scoring", 0, 0)
        values = ATTRIBUTES[by] if by is not None else ()
        rounds = [[False] * len(truth.ids)]
        rounds += [[own != n for own in truth.items.values] for n, _ in enumerate(values, start=1)]
        curves, chosen, notes = score(engine, truth, found, rounds)
        if len(set(found.scores)) == 1:
            # Equal scores are ranked as in the list.
            curves += ENGINES[chosen](truth, found.reversed(), rounds[:1])
    everything, *others = (_scores(kind, truth.names, own) for own in curves)
    reverse = others.pop() if len(others) > len(values) else everything
    notes += find_notes(truth, found, everything.metrics, reverse.metrics["AP"])
    return Evaluation(
        kind=kind,
        engine=chosen,
        images=len(truth.sizes),
        items=len(truth.ids),
        results=found.num_results,
        scores=everything,
        by=by,
        subsets=dict(zip(values, others, strict=True)),
        notes=tuple(notes),
    )


def _scores(kind: str, categories: Mapping[int, str], curves: Mapping[int, Curves]) -> Scores:
    names = METRICS["keypoints" if kind == "keypoints" else "instances"]
    of_each = ([curves[number]] if number in curves else [] for number in categories)
    overall, *own = (
        {name: _mean(name, some) for name in names} for some in ([*curves.values()], *of_each)
    )
    return Scores(overall, dict(zip(categories.values(), own, strict=True)))


def _mean(name: str, curves: Sequence[Curves]) -> float:
    """The mean over thresholds (and recalls) and those categories that have ground truth; else -1."""
    curve, at = name[:2], name[2:]
    threshold, area, limit = _THRESHOLDS.get(at), _AREAS.get(at, 0), _LIMITS.get(at, -1)
    chosen = slice(None) if threshold is None else threshold
    arrays = (own.precision if curve == "AP" else own.recall for own in curves)
    values = [array[..., area, limit][chosen] for array in arrays]
    counted = np.stack(values, axis=-1) if values else np.array([])
    counted = counted[counted > -1]
    return float(counted.mean()) if counted.size else -1.0
