"""The two engines that match results to ground truth: pycocotools, the referee, and hotcoco, the fast one.

Images and categories are numbered anew for them, in the order of their ids, and so are annotations: an
annotation with id 0 would count as not found in pycocotools.
"""

import contextlib
import io
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

from df2coco.coco import reader as coco
from df2coco.errors import Df2cocoError
from df2coco.evaluation.ground_truth import EntryColumns, GroundTruth
from df2coco.evaluation.results import ModelResults
from df2coco.lazy_numpy import np
from df2coco.taxonomy import NUM_LANDMARKS, SIGMAS


class EngineError(Df2cocoError):
    """An engine that is asked for is not installed."""


class Curves(NamedTuple):
    """What COCOeval accumulates, for one category."""

    precision: Any
    """Array of shape (10 thresholds, 101 recalls, area ranges, detection limits); -1 without ground truth."""
    recall: Any
    """Array of shape (10 thresholds, area ranges, detection limits)."""


Rounds: TypeAlias = Sequence[Sequence[bool]]
"""Each round says of each item whether it is ignored: a result that matches it is neither right nor wrong."""

AllCurves: TypeAlias = list[dict[int, Curves]]
"""For each round, the curves of each category that has items or results."""

_OUTSIDE: Final[Mapping[str, Mapping[str, Any]]] = {
    "bbox": {"area": -1.0},
    "segm": {"area": -1.0},
    "keypoints": {"num_keypoints": 0},
}
"""What makes COCO ignore an annotation and leaves its overlaps with results as they are: an area outside
all ranges, or no landmark that is said to be labelled. (`iscrowd` would change the overlaps.)"""


@dataclass(slots=True)
class _Cell:
    """One category's part of the evaluation, in COCO's form."""

    annotations: list[dict[str, Any]]
    results: list[dict[str, Any]]
    sigmas: Sequence[float] = ()


def _entries(entries: EntryColumns, **others: Sequence[Any]) -> list[dict[str, Any]]:
    """Objects with a number from 1 and a field of each column; those that are not needed are empty."""
    columns = {
        "image_id": entries.image_ids,
        "category_id": entries.category_ids,
        "area": entries.areas,
        "bbox": [] if None in entries.boxes else list(map(list, entries.boxes)),
        "segmentation": entries.segmentations,
        "keypoints": entries.keypoints,
        **others,
    }
    columns = {name: column for name, column in columns.items() if column}
    rows = zip(*columns.values(), strict=True)
    return [{"id": n, **dict(zip(columns, row, strict=True))} for n, row in enumerate(rows, 1)]


def _fill_slots(
    truth: GroundTruth, results: ModelResults, category_id: int, cell: _Cell, *, mixed: bool
) -> None:
    """Give the landmarks of a cell as many slots as COCO looks at.

    Only the category's own count, with one exception: COCO compares a result with an item without
    labelled landmarks (which is ignored) in all slots, the unused ones too. The others come last.
    """
    category = truth.garments.get(category_id)
    if category is None:
        return  # it has neither items nor results
    cell.sigmas = category.sigmas
    asked = {result["image_id"] for result in cell.results}
    whole = {a["image_id"] for a in cell.annotations if not a["num_keypoints"]} & asked
    if not whole:
        return
    start, stop = category.slots.start, category.slots.stop
    cell.sigmas = [*category.sigmas, *SIGMAS[:start], *SIGMAS[stop:]]
    nothing = [0.0] * (3 * (NUM_LANDMARKS - category.num_landmarks))
    for entries, all_slots in ((cell.annotations, {}), (cell.results, results.all_slots)):
        for entry in entries:
            if not mixed or entry["image_id"] in whole:
                slots = all_slots.get(entry["id"] - 1)
                others = [*slots[: 3 * start], *slots[3 * stop :]] if slots else nothing
                entry["keypoints"] = [*entry["keypoints"], *others]


def _by_category(
    truth: GroundTruth,
    results: ModelResults,
    rounds: Rounds,
    evaluate: Any,
    read: Callable[[dict[str, Any]], Any],
    *,
    mixed: bool = False,
) -> AllCurves:
    """Each category by itself, with only the images that hold something of it: the numbers are the same,
    since neither categories nor images meet, and there are 13 times fewer empty cells.

    `evaluate` is an engine's COCOeval, `read` makes its COCO of a document. `mixed`: it takes landmarks
    of different lengths.
    """
    cells = {number: _Cell([], []) for number in truth.names}
    crowds, labelled = truth.items.crowds, truth.items.labelled
    for entry in _entries(truth.items, iscrowd=crowds, num_keypoints=labelled):
        cells[entry["category_id"]].annotations.append(entry)
    for entry in _entries(results, score=results.scores):
        cells[entry["category_id"]].results.append(entry)
    for number, cell in cells.items() if truth.kind == "keypoints" else ():
        _fill_slots(truth, results, number, cell, mixed=mixed)
    outside = _OUTSIDE[truth.kind]
    curves: AllCurves = []
    # The others cost as much, and there may be thousands.
    used = {number: cell for number, cell in cells.items() if cell.annotations or cell.results}
    for ignored in rounds:
        curves.append({})
        for number, cell in used.items():
            image_ids = {entry["image_id"] for entry in (*cell.annotations, *cell.results)}
            categories = [{"id": number, "name": str(number)}]
            rest = {"images": _images(sorted(image_ids)), "categories": categories}
            items = [{**a, **outside} if ignored[a["id"] - 1] else a for a in cell.annotations]
            documents = ({**rest, "annotations": entries} for entries in (items, cell.results))
            evaluation = evaluate(*map(read, documents), truth.kind)
            evaluation.params.kpt_oks_sigmas = np.array(cell.sigmas)
            evaluation.evaluate()
            evaluation.accumulate()
            found = evaluation.eval
            curves[-1][number] = Curves(found["precision"][:, :, 0], found["recall"][:, 0])
    return curves


def _images(image_ids: Iterable[int]) -> list[dict[str, Any]]:
    # Masks are given as RLEs, which know their size.
    return [{"id": number, "file_name": "", "width": 1, "height": 1} for number in image_ids]


def _pycocotools(truth: GroundTruth, results: ModelResults, rounds: Rounds) -> AllCurves:
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        return _by_category(truth, results, rounds, COCOeval, coco.index)


def _hotcoco(truth: GroundTruth, results: ModelResults, rounds: Rounds) -> AllCurves:
    import hotcoco

    # 1.0 to 1.2, which RF-DETR pins, take no arrays.
    if truth.kind != "keypoints" and hasattr(hotcoco.COCO, "from_arrays"):
        return _hotcoco_columns(truth, results, rounds)
    with warnings.catch_warnings():
        # It warns that OKS with other sigmas than people's is not COCO's, and 1.0 of cells without results.
        warnings.filterwarnings("ignore", message="hotcoco: (kpt_oks_sigmas|accumulate)")
        return _by_category(truth, results, rounds, hotcoco.COCOeval, hotcoco.COCO, mixed=True)


def _hotcoco_columns(truth: GroundTruth, results: ModelResults, rounds: Rounds) -> AllCurves:
    """Boxes or masks of all categories at once, without a dict for each."""
    import hotcoco

    items, masks = truth.items, truth.kind == "segm"
    image_ids = sorted({*items.image_ids, *results.image_ids})
    images = {image_id: number for number, image_id in enumerate(image_ids, start=1)}
    category_ids = sorted({*items.category_ids, *results.category_ids})
    categories = {number: place for place, number in enumerate(category_ids, start=1)}
    areas = np.array(items.areas, float)
    known = hotcoco.COCO.from_arrays(
        _images(images.values()),
        [{"id": number, "name": str(number)} for number in categories.values()],
        np.array([images[i] for i in items.image_ids], np.int64),
        np.array([categories[i] for i in items.category_ids], np.int64),
        np.zeros((len(areas), 4)) if masks else np.array(items.boxes, float).reshape(-1, 4),
        area=areas,
        iscrowd=np.array(items.crowds, np.int64),
        segmentation=items.segmentations if masks else None,
    )
    table = np.zeros((len(results.scores), 7))
    table[:, 0] = [images[i] for i in results.image_ids]
    if not masks and results.boxes:
        table[:, 1:5] = results.boxes
    table[:, 5] = results.scores
    table[:, 6] = [categories[i] for i in results.category_ids]
    detected = known.load_res(table, segmentation=results.segmentations if masks else None)
    if masks:
        detected.update_anns(ids=np.arange(1, len(table) + 1), area=np.array(results.areas, float))
    curves = []
    for ignored in rounds:
        outside = np.where(np.array(ignored, bool), _OUTSIDE[truth.kind]["area"], areas)
        known.update_anns(ids=np.arange(1, len(areas) + 1), area=outside)
        evaluation = hotcoco.COCOeval(known, detected, truth.kind)
        evaluation.evaluate()
        evaluation.accumulate()
        found: Any = evaluation.eval
        precision, recall = found["precision"], found["recall"]
        curves.append(
            {n: Curves(precision[:, :, k - 1], recall[:, k - 1]) for n, k in categories.items()}
        )
    return curves


ENGINES: Final = {"hotcoco": _hotcoco, "pycocotools": _pycocotools}
"""Name -> engine, the fastest first."""

_REMEDY: Final = "Use --engine pycocotools, or: pip install df2coco[evaluate]"


def choose_engine(name: str | None) -> str:
    """The engine of that name, or without one the fastest that is installed.

    Raises `EngineError` when `name` is not installed.
    """
    try:
        if name != "pycocotools":
            import hotcoco  # noqa: F401

            return "hotcoco"
    except ImportError:
        if name is not None:
            raise EngineError(f"hotcoco is not installed. {_REMEDY}") from None
    return "pycocotools"


def score(
    name: str | None, truth: GroundTruth, results: ModelResults, rounds: Rounds
) -> tuple[AllCurves, str, list[str]]:
    """The curves, the engine that made them, and notes: where it is not the fastest installed.

    Raises `EngineError` when the engine `name` is not installed, or not one that can do this.
    """
    chosen = choose_engine(name)
    try:
        return ENGINES[chosen](truth, results, rounds), chosen, []
    except (AttributeError, ImportError, TypeError) as error:
        if chosen == "pycocotools":
            raise
        text = f"The installed hotcoco cannot be used ({error})."
        if name is not None:
            raise EngineError(f"{text} {_REMEDY}") from None
    notes = [f"{text} pycocotools scored instead."]
    return _pycocotools(truth, results, rounds), "pycocotools", notes
