"""The results of a model: read, checked one by one, and cut down to the columns that the evaluation needs."""

import shlex
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast

from df2coco.boxes import Box, from_corners
from df2coco.coco.reader import Loaded
from df2coco.coco.results import ResultDecoder
from df2coco.coco.results_document import as_list
from df2coco.coco.rle import mask_areas
from df2coco.coco.schema import Rle, is_drawable
from df2coco.errors import FaultError, shorten
from df2coco.evaluation.entries import Faults, Numbered, read_entries
from df2coco.evaluation.ground_truth import GroundTruth, compress
from df2coco.layouts import expected_numbers, own_landmarks
from df2coco.taxonomy import CATEGORIES, NUM_LANDMARKS


@dataclass(slots=True)
class ModelResults:
    """The results as columns, in the order of the file; those that are not needed stay empty."""

    image_ids: list[int] = field(default_factory=list)
    category_ids: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    areas: list[float] = field(default_factory=list)
    """In square pixels: of the box, the mask, or the box around the landmarks."""
    boxes: list[Box | None] = field(default_factory=list)
    """For "segm" those of polygons, or in the place of a mask; None where a result has none."""
    segmentations: list[Any] = field(default_factory=list)
    """For "segm": RLEs as {"size", "counts"}, `counts` as text."""
    keypoints: list[list[float]] = field(default_factory=list)
    """For "keypoints": x, y, v of the category's own landmarks."""
    all_slots: dict[int, list[float]] = field(default_factory=dict)
    """Index of a result -> x, y, v of all 294 slots, where an evaluation looks at them."""
    first_slots: dict[int, list[float]] = field(default_factory=dict)
    """Index of a result of 294 slots, the first of a file -> x, y, v of the first 8 to 39 of them."""
    ignored: Counter[int] = field(default_factory=Counter)
    """Category id that the ground truth does not have -> how many results, which are in no column."""
    images: set[int] = field(default_factory=set)
    """Image ids that any result names."""
    num_results: int = 0
    """With those that are ignored."""

    def reversed(self) -> "ModelResults":
        """The same, the last first."""
        columns = (
            "image_ids",
            "category_ids",
            "scores",
            "areas",
            "boxes",
            "segmentations",
            "keypoints",
        )
        last = len(self.scores) - 1
        slots = {last - index: slots for index, slots in self.all_slots.items()}
        turned: dict[str, Any] = {name: getattr(self, name)[::-1] for name in columns}
        return replace(self, **turned, all_slots=slots)


def read_results(
    source: Loaded, kind: str, truth: GroundTruth, *, of_one_category: bool = False
) -> ModelResults:
    """The results of a `kind` in a file, in COCO's format, each checked against the ground truth.

    Landmarks may be those of any layout. Landmarks and masks need no box, and a box alone is its own mask.
    `of_one_category`: all are of the ground truth's only category, whatever id they have.
    Raises as `read_entries` and `as_list`.
    """
    source = as_list(source, truth.images, truth.names)
    reader = _ResultsReader(kind, truth, of_one_category)
    files = {number: name for name, number in truth.images.items()}
    names = {"image_id": files, "category_id": truth.names}
    decoder = ResultDecoder(kind, {} if of_one_category else truth.garments, names=names)
    reader.results.num_results = read_entries(source, decoder, reader.take, what="results")
    return reader.results


class _ResultsReader:
    """Takes results in, a part of the file at a time."""

    def __init__(self, kind: str, truth: GroundTruth, of_one_category: bool) -> None:
        self.results = ModelResults()
        self._of_one_category = of_one_category
        self._written: int | None = None
        """The category id of all results, where they are of one."""
        self.truth = truth
        self._take_shapes = _KINDS[kind]
        items = truth.items
        self.unlabelled = {
            key
            for key, labelled in zip(
                zip(items.image_ids, items.category_ids, strict=True), items.labelled, strict=False
            )
            if not labelled
        }
        """(image id, category id) of items without a landmark that counts."""

    def take(self, part: Numbered) -> Faults:
        """Take results in; those that do not fit the ground truth."""
        faults = []
        results, kept = self.results, []
        results.images.update(result.image_id for _, result in part)
        for index, result in part:
            if self._of_one_category:
                other = self._rename(result)
                if other is not None:
                    faults.append((index, other))
                    continue
            if result.image_id in self.truth.sizes and result.category_id in self.truth.names:
                kept.append((index, result))
                continue
            fault = self._unknown(result)
            if fault is None:
                results.ignored[result.category_id] += 1
            else:
                faults.append((index, fault))
        misfits = dict(self._take_shapes(self, kept))
        fitting = [result for index, result in kept if index not in misfits]
        results.image_ids += [result.image_id for result in fitting]
        results.category_ids += [result.category_id for result in fitting]
        results.scores += [result.score for result in fitting]
        return [*faults, *misfits.items()]

    def _rename(self, result: Any) -> FaultError | None:
        """Make it a result of the only category, if the results have one id in common."""
        self._written = result.category_id if self._written is None else self._written
        if result.category_id != self._written:
            text = (
                f"{result.category_id}, others are {self._written}: these are not of one category."
            )
            return FaultError("category_id", text)
        (result.category_id,) = self.truth.names
        return None

    def _unknown(self, result: Any) -> FaultError | None:
        """Why a result belongs to nothing; None for a category that the ground truth does not have."""
        truth = self.truth
        if result.image_id not in truth.sizes:
            return _not_in(truth, "image_id", result.image_id, truth.sizes)
        if result.category_id == 0 or len(truth.garments) == len(CATEGORIES):
            return _not_in(truth, "category_id", result.category_id, truth.names)
        return None


def _not_in(truth: GroundTruth, name: str, value: int, known: Mapping[int, Any]) -> FaultError:
    what = name.removesuffix("_id")
    text = f"{value} is not {'an' if what == 'image' else 'a'} {what} of {truth.path}"
    if value == 0 and known:
        text += f", whose {what} ids start at {min(known)}. They seem to be counted from 0: add 1 to each."
        return FaultError(name, text)
    return FaultError(name, f"{text}.")


# ---------------------------------------------------------------- the kinds


def _take_boxes(reader: _ResultsReader, part: Numbered) -> Faults:
    reader.results.boxes += [result.bbox for _, result in part]
    reader.results.areas += [result.bbox[2] * result.bbox[3] for _, result in part]
    return ()


def _take_masks(reader: _ResultsReader, part: Numbered) -> Faults:
    """RLEs, polygons, or boxes alone, which are their own masks, as in pycocotools' loadRes."""
    sizes = [reader.truth.sizes[result.image_id] for _, result in part]
    masks = [_mask(result, reader.truth) for _, result in part]
    texts = ["" if isinstance(mask, FaultError) else str(mask.counts) for mask in masks]
    areas = mask_areas(texts, [width * height for width, height in sizes])
    for (index, result), mask, area, size in zip(part, masks, areas, sizes, strict=True):
        if isinstance(mask, FaultError):
            yield index, mask
        elif area is None:
            yield index, _not_a_mask(result.segmentation, *size)
        else:
            reader.results.segmentations.append(mask.as_json())
            reader.results.boxes.append(_extent(result))
            # Not the area of a box beside an RLE, which would move results to other sizes than
            # the masks'.
            polygons = not isinstance(result.segmentation, Rle)
            box = result.bbox if polygons else None
            reader.results.areas.append(area if box is None else box[2] * box[3])


def _mask(result: Any, truth: GroundTruth) -> Rle | FaultError:
    """Compressed, but of unknown counts."""
    width, height = truth.sizes[result.image_id]
    mask = result.segmentation
    if not mask and result.bbox:
        x, y, w, h = result.bbox
        mask = [[x, y, x, y + h, x + w, y + h, x + w, y]]
    if isinstance(mask, Rle):
        fits = mask.size == (height, width)
        if fits and isinstance(mask.counts, str):
            return mask
    else:
        fits = bool(mask) and min(map(len, mask)) >= 6
        if fits and not (width and height):
            text = f"polygons in an image without size in {truth.path}."
            return FaultError("segmentation", text)
    if not fits or not is_drawable(mask):
        return _not_a_mask(mask, width, height)
    return Rle(**compress(mask, width, height))


def _extent(result: Any) -> Box | None:
    """The box as it is written, of polygons or in the place of a mask."""
    if isinstance(result.segmentation, Rle):
        return None
    if not result.segmentation:
        return cast("Box", result.bbox)
    xs, ys = ([n for p in result.segmentation for n in p[axis::2]] for axis in (0, 1))
    return from_corners((min(xs), min(ys), max(xs), max(ys)))


def _not_a_mask(mask: Any, width: int, height: int) -> FaultError:
    value = (
        "missing" if mask is None else shorten(mask.as_json() if isinstance(mask, Rle) else mask)
    )
    expected = f"an RLE of size [{height}, {width}] or polygons"
    return FaultError("segmentation", f"{value}, expected {expected}.")


def _take_landmarks(reader: _ResultsReader, part: Numbered) -> Faults:
    results = reader.results
    for index, result in part:
        category = reader.truth.garments.get(result.category_id)
        if category is None:
            name = reader.truth.names[result.category_id]
            text = f"{name!r} is not a category of DeepFashion2."
            yield index, FaultError("category_id", text)
            continue
        own = own_landmarks(result.keypoints, category)
        if own is None:
            text = f"{len(result.keypoints)} numbers, {expected_numbers(category)}"
            yield (
                index,
                FaultError("keypoints", text + _others(len(result.keypoints), reader.truth)),
            )
            continue
        key = result.image_id, result.category_id
        if len(result.keypoints) == 3 * NUM_LANDMARKS:
            number = len(results.keypoints)
            if key in reader.unlabelled:
                results.all_slots[number] = result.keypoints
            if len(results.first_slots) < _SAMPLE:
                results.first_slots[number] = result.keypoints[: len(own)]
        results.keypoints.append(own)
        results.boxes.append(result.bbox)
        results.areas.append(_landmark_area(own, result.bbox))


def _others(count: int, truth: GroundTruth) -> str:
    """The categories of the ground truth that have so many numbers."""
    names = [truth.names[n] for n, g in truth.garments.items() if 3 * g.num_landmarks == count]
    if not names:
        return ""
    return (
        f" {count} numbers are {count // 3} landmarks: {' or '.join(names)}. "
        f"--category {shlex.quote(names[0])} scores them so."
    )


_SAMPLE: Final = 1_000


def _landmark_area(own: list[float], box: Box | None) -> float:
    if box is not None:
        return float(box[2] * box[3])
    # Of the category's own slots: zeros of the others would make all areas large.
    xs, ys = own[0::3], own[1::3]
    return (max(xs) - min(xs)) * (max(ys) - min(ys))


_KINDS: Final[Mapping[str, Callable[[_ResultsReader, Numbered], Faults]]] = {
    "bbox": _take_boxes,
    "segm": _take_masks,
    "keypoints": _take_landmarks,
}
"""Kind -> takes the shapes in; the results whose shapes do not fit."""
