"""The two engines that match results to ground truth: pycocotools, the referee, and hotcoco, the fast one.

Images and categories are numbered anew for them, in the order of their ids, and so are annotations: an
annotation with id 0 would count as not found in pycocotools.
"""

import contextlib
import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

from df2coco.coco import reader as coco
from df2coco.errors import Df2cocoError
from df2coco.evaluation.ground_truth import GroundTruth
from df2coco.evaluation.results import ModelResults
from df2coco.taxonomy import NUM_LANDMARKS, SIGMAS


class EngineError(Df2cocoError):
    """An engine that is asked for is not installed."""


class Curves(NamedTuple):
    """What COCOeval accumulates, for one category."""

    precision: Any
    """Array of shape (10 thresholds, 101 recalls, area ranges, detection limits); -1 without ground truth."""
    recall: Any
    """Array of shape (10 thresholds, area ranges, detection limits)."""


@dataclass(frozen=True, slots=True)
class Matching:
    """What an engine has to match."""

    kind: str
    truth: GroundTruth
    found: ModelResults

    def image_ids(self) -> list[int]:
        """The ids of images that hold an item or a result, in order."""
        return sorted({*self.truth.items.image_ids, *self.found.image_ids})


Engine: TypeAlias = Callable[[Matching, Sequence[Sequence[bool]]], "list[list[Curves]]"]
"""matching, rounds -> for each round, curves of each category in the order of ids.

A round says of each item whether it is ignored: a result that matches it is neither right nor wrong."""


# ---------------------------------------------------------------- by category

_OUTSIDE: Final[Mapping[str, Mapping[str, Any]]] = {
    "bbox": {"area": -1.0},
    "segm": {"area": -1.0},
    "keypoints": {"num_keypoints": 0},
}
"""What makes COCO ignore an annotation and leaves its overlaps with results as they are: an area outside
all ranges, or no landmark that is said to be labelled. (`iscrowd` would change the overlaps.)"""


class _Cell(NamedTuple):
    """One category's part of the evaluation, in COCO's form."""

    indices: list[int]
    """Of the annotations among all items."""
    annotations: list[dict[str, Any]]
    results: list[dict[str, Any]]
    sigmas: Sequence[float]


def _cells(matching: Matching, *, mixed: bool) -> list[_Cell]:
    """The categories' parts. `mixed`: the engine takes landmarks of different lengths."""
    items, found = matching.truth.items, matching.found
    cells = {number: _Cell([], [], [], ()) for number in matching.truth.names}
    for index, category_id in enumerate(items.category_ids):
        entry: dict[str, Any] = {
            "id": index + 1,
            "image_id": items.image_ids[index],
            "category_id": category_id,
            "iscrowd": items.crowds[index],
            "area": items.areas[index],
        }
        if matching.kind != "segm":
            entry["bbox"] = list(items.boxes[index])
        if matching.kind == "segm":
            entry["segmentation"] = items.segmentations[index]
        if matching.kind == "keypoints":
            entry["keypoints"] = items.keypoints[index]
            entry["num_keypoints"] = items.labelled[index]
        cells[category_id].indices.append(index)
        cells[category_id].annotations.append(entry)
    for index, category_id in enumerate(found.category_ids):
        entry = {
            "id": index + 1,
            "image_id": found.image_ids[index],
            "category_id": category_id,
            "score": found.scores[index],
            "area": found.areas[index],
        }
        if matching.kind == "bbox":
            entry["bbox"] = list(found.boxes[index] or ())
        elif matching.kind == "segm":
            entry["segmentation"] = found.segmentations[index]
        else:
            entry["keypoints"] = found.keypoints[index]
        cells[category_id].results.append(entry)
    if matching.kind != "keypoints":
        return list(cells.values())
    return [_with_slots(matching, number, cell, mixed=mixed) for number, cell in cells.items()]


def _with_slots(matching: Matching, category_id: int, cell: _Cell, *, mixed: bool) -> _Cell:
    """A cell of landmarks with as many slots as COCO looks at.

    Only the category's own count, with one exception: COCO compares a result with an item without
    labelled landmarks (which is ignored) in all slots, the unused ones too. The others come last.
    """
    category = matching.truth.garments.get(category_id)
    if category is None:
        return cell  # it has neither items nor results
    asked = {result["image_id"] for result in cell.results}
    whole = {
        each["image_id"]
        for each in cell.annotations
        if not each["num_keypoints"] and each["image_id"] in asked
    }
    if not whole:
        return cell._replace(sigmas=category.sigmas)
    start, stop = category.slots.start, category.slots.stop
    nothing = [0.0] * (3 * (NUM_LANDMARKS - category.num_landmarks))
    for entries, all_slots in ((cell.annotations, {}), (cell.results, matching.found.all_slots)):
        for entry in entries:
            if mixed and entry["image_id"] not in whole:
                continue
            slots = all_slots.get(entry["id"] - 1)
            others = [*slots[: 3 * start], *slots[3 * stop :]] if slots else nothing
            entry["keypoints"] = [*entry["keypoints"], *others]
    return cell._replace(sigmas=[*category.sigmas, *SIGMAS[:start], *SIGMAS[stop:]])


def _marked(cell: _Cell, kind: str, ignored: Sequence[bool]) -> list[dict[str, Any]]:
    """The annotations, some of them ignored."""
    outside = _OUTSIDE[kind]
    return [
        {**annotation, **outside} if ignored[index] else annotation
        for index, annotation in zip(cell.indices, cell.annotations, strict=True)
    ]


def _document(entries: Sequence[dict[str, Any]], image_ids: Sequence[int]) -> dict[str, Any]:
    category_id = entries[0]["category_id"] if entries else 1
    return {
        # Masks are given as RLEs, which know their size.
        "images": [{"id": i, "file_name": "", "width": 1, "height": 1} for i in image_ids],
        "categories": [{"id": category_id, "name": str(category_id)}],
        "annotations": entries,
    }


def _by_category(
    matching: Matching,
    rounds: Sequence[Sequence[bool]],
    score: Callable[[str, dict[str, Any], dict[str, Any], Sequence[float]], dict[str, Any]],
    *,
    mixed: bool,
) -> list[list[Curves]]:
    """Each category by itself, with only the images that hold something of it: the numbers are the same,
    since neither categories nor images meet, and there are 13 times fewer empty cells."""
    cells = _cells(matching, mixed=mixed)
    curves: list[list[Curves]] = []
    for ignored in rounds:
        curves.append([])
        for cell in cells:
            entries = (*cell.annotations, *cell.results)
            image_ids = sorted({entry["image_id"] for entry in entries})
            found = score(
                matching.kind,
                _document(_marked(cell, matching.kind, ignored), image_ids),
                _document(cell.results, image_ids),
                cell.sigmas,
            )
            curves[-1].append(Curves(found["precision"][:, :, 0], found["recall"][:, 0]))
    return curves


# ---------------------------------------------------------------- the engines


def _pycocotools(matching: Matching, rounds: Sequence[Sequence[bool]]) -> list[list[Curves]]:
    return _by_category(matching, rounds, _score_pycocotools, mixed=False)


def _score_pycocotools(
    kind: str, truth: dict[str, Any], found: dict[str, Any], sigmas: Sequence[float]
) -> dict[str, Any]:
    import numpy as np
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(coco.index(truth), coco.index(found), kind)
        evaluation.params.kpt_oks_sigmas = np.array(sigmas)
        evaluation.evaluate()
        evaluation.accumulate()
    accumulated: dict[str, Any] = evaluation.eval
    return accumulated


def _hotcoco(matching: Matching, rounds: Sequence[Sequence[bool]]) -> list[list[Curves]]:
    import hotcoco

    # 1.0 to 1.2, which RF-DETR pins, take no arrays.
    if matching.kind == "keypoints" or not hasattr(hotcoco.COCO, "from_arrays"):
        return _by_category(matching, rounds, _score_hotcoco, mixed=True)
    return _hotcoco_columns(matching, rounds)


def _score_hotcoco(
    kind: str, truth: dict[str, Any], found: dict[str, Any], sigmas: Sequence[float]
) -> dict[str, Any]:
    import hotcoco

    with warnings.catch_warnings():
        # It warns that OKS with other sigmas than people's is not COCO's, and 1.0 of cells without results.
        warnings.filterwarnings("ignore", message="hotcoco: (kpt_oks_sigmas|accumulate)")
        evaluation = hotcoco.COCOeval(hotcoco.COCO(truth), hotcoco.COCO(found), kind)
        evaluation.params.kpt_oks_sigmas = list(sigmas)
        evaluation.evaluate()
        evaluation.accumulate()
    accumulated: Any = evaluation.eval
    return dict(accumulated)


def _hotcoco_columns(matching: Matching, rounds: Sequence[Sequence[bool]]) -> list[list[Curves]]:
    """Boxes or masks of all categories at once, without a dict for each."""
    import hotcoco
    import numpy as np

    items, found = matching.truth.items, matching.found
    image_ids, category_ids = matching.image_ids(), list(matching.truth.names)
    images = {image_id: number for number, image_id in enumerate(image_ids, start=1)}
    categories = {category_id: number for number, category_id in enumerate(category_ids, start=1)}
    masks = matching.kind == "segm"
    areas = np.array(items.areas, float)
    truth = hotcoco.COCO.from_arrays(
        _document([], range(1, len(images) + 1))["images"],
        [{"id": number, "name": str(number)} for number in categories.values()],
        np.array([images[i] for i in items.image_ids], np.int64),
        np.array([categories[i] for i in items.category_ids], np.int64),
        np.zeros((len(areas), 4)) if masks else np.array(items.boxes, float).reshape(-1, 4),
        area=areas,
        iscrowd=np.array(items.crowds, np.int64),
        segmentation=items.segmentations if masks else None,
    )
    table = np.zeros((len(found.scores), 7))
    table[:, 0] = [images[i] for i in found.image_ids]
    if not masks and found.boxes:
        table[:, 1:5] = found.boxes
    table[:, 5] = found.scores
    table[:, 6] = [categories[i] for i in found.category_ids]
    results = truth.load_res(table, segmentation=found.segmentations if masks else None)
    if masks:
        results.update_anns(ids=np.arange(1, len(table) + 1), area=np.array(found.areas, float))
    curves = []
    for ignored in rounds:
        outside = np.where(np.array(ignored, bool), _OUTSIDE[matching.kind]["area"], areas)
        truth.update_anns(ids=np.arange(1, len(areas) + 1), area=outside)
        evaluation = hotcoco.COCOeval(truth, results, matching.kind)
        evaluation.evaluate()
        evaluation.accumulate()
        accumulated: Any = evaluation.eval
        curves.append(
            [
                Curves(accumulated["precision"][:, :, k], accumulated["recall"][:, k])
                for k in range(len(categories))
            ]
        )
    return curves


ENGINES: Final[Mapping[str, Engine]] = {"hotcoco": _hotcoco, "pycocotools": _pycocotools}
"""Name -> engine, the fastest first."""


def choose_engine(name: str | None = None) -> str:
    """The engine of that name, or without one the fastest that is installed.

    Raises `EngineError` when `name` is not installed.
    """
    if name == "pycocotools":
        return name
    try:
        import hotcoco  # noqa: F401
    except ImportError:
        if name is None:
            return "pycocotools"
        raise EngineError(
            "hotcoco is not installed. Use --engine pycocotools, or: pip install df2coco[evaluate]"
        ) from None
    return "hotcoco"


def score(
    name: str | None, matching: Matching, rounds: Sequence[Sequence[bool]]
) -> tuple[list[list[Curves]], str, str]:
    """The curves of an `Engine`, the engine that made them, and a note where it is not the fastest installed.

    Raises `EngineError` when the engine `name` is not installed, or not one that can do this.
    """
    chosen = choose_engine(name)
    try:
        return ENGINES[chosen](matching, rounds), chosen, ""
    except (AttributeError, ImportError, TypeError) as error:
        if chosen == "pycocotools":
            raise
        text = f"The installed hotcoco cannot be used ({error})."
        if name is not None:
            remedy = "Use --engine pycocotools, or: pip install df2coco[evaluate]"
            raise EngineError(f"{text} {remedy}") from None
    return _pycocotools(matching, rounds), "pycocotools", f"{text} pycocotools scored instead."
