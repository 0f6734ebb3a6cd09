"""The results of a model: read, checked one by one, and cut down to the columns that the evaluation needs."""

import shlex
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, fields, replace
from itertools import chain
from typing import Any, Final, TypeAlias

from msgspec import Struct

from df2coco.boxes import Box, from_corners
from df2coco.coco.lists import iter_list
from df2coco.coco.reader import Loaded
from df2coco.coco.results import ResultDecoder, as_list
from df2coco.coco.rle import mask_areas
from df2coco.coco.schema import Rle, is_drawable
from df2coco.errors import Df2cocoError, FaultError, shorten
from df2coco.evaluation.ground_truth import (
    EntryColumns,
    GroundTruth,
    as_rles,
    misfit_of_mask,
    no_mask,
)
from df2coco.layouts import expected_numbers, own_landmarks
from df2coco.taxonomy import CATEGORIES, NUM_LANDMARKS, Category


class ResultsError(Df2cocoError):
    """Results that cannot be scored."""


Numbered: TypeAlias = list[tuple[int, Any]]
"""Entries as `ResultDecoder` makes them, each with its place in the list."""

Faults: TypeAlias = Iterable[tuple[int, FaultError]]
"""The places of entries that cannot be used, and why not."""


def read_entries(
    loaded: Loaded, decoder: ResultDecoder, take: Callable[[Numbered], Faults], *, what: str
) -> int:
    """Give the entries of a list to `take`, in order, in parts; how many there are.

    `what` says what the entries are.

    Raises `ResultsError` with the first faulty entry and the number of faulty ones, and
    `CocoFileError` when the file cannot be read.
    """
    done = count = 0
    first: tuple[int, FaultError] | None = None
    for part in iter_list(loaded, what=what, decode=decoder.decode):
        entries, faults = _read_part(part, done, decoder)
        done += len(part)
        for index, fault in (*faults, *take(entries)):
            count += 1
            first = (index, fault) if first is None or index < first[0] else first
    if first is not None:
        index, fault = first
        where = f"{what}[{index}]{'.' * bool(fault.field)}{fault.field}"
        text = f"{fault.text} {count:,} of {done:,} {what} cannot be used, so nothing was scored."
        raise ResultsError(f"{where}: {text}", file=loaded.path)
    return done


def _read_part(
    part: list[Any], start: int, decoder: ResultDecoder
) -> tuple[Numbered, list[tuple[int, FaultError]]]:
    """The entries of a part that `decoder` has read or has to look at, and those that cannot be used."""
    if part and isinstance(part[0], Struct):
        return list(enumerate(part, start)), []
    objects = [entry for entry in part if type(entry) is dict]
    for entry in objects:
        decoder.bring_into_shape(entry)
    decoded = decoder.convert(objects) if len(objects) == len(part) else None
    if decoded is not None:
        return list(enumerate(decoded, start)), []
    entries: Numbered = []
    faults = []
    for index, entry in enumerate(part, start):
        try:
            entries.append((index, decoder.read(entry)))
        except FaultError as fault:
            faults.append((index, fault))
    return entries, faults


@dataclass(slots=True)
class ModelResults(EntryColumns):
    """The results."""

    scores: list[float] = field(default_factory=list)
    all_slots: dict[int, list[float]] = field(default_factory=dict)
    """Index of a result -> x, y, v of all 294 slots, where an evaluation looks at them."""
    first_slots: dict[int, list[float]] = field(default_factory=dict)
    """Index of a result, the first of a file -> x, y, v of the first 8 to 39 of its slots."""
    boxes_for_masks: int = 0
    """How many have a box and no mask, where masks are asked for."""
    ignored: Counter[int] = field(default_factory=Counter)
    """Category id that the ground truth does not have -> how many results, which are in no column."""
    images: set[int] = field(default_factory=set)
    """Image ids that any result names."""
    num_results: int = 0
    """With those that are ignored."""

    def reversed(self) -> "ModelResults":
        """The same, the last first."""
        columns = {f.name: getattr(self, f.name) for f in fields(self)}
        turned: dict[str, Any] = {n: c[::-1] for n, c in columns.items() if isinstance(c, list)}
        last = len(self.scores) - 1
        slots = {last - number: slots for number, slots in self.all_slots.items()}
        return replace(self, **turned, all_slots=slots)


def read_results(loaded: Loaded, truth: GroundTruth, *, one_category: bool = False) -> ModelResults:
    """The results in a file, in COCO's format, each checked against the ground truth.

    Landmarks may be those of any layout. Landmarks and masks need no box, and a box alone is its own mask.
    `one_category`: all are of the ground truth's only category, whatever id they have.
    Raises as `read_entries` and `as_list`.
    """
    loaded = as_list(loaded, truth.images, truth.names)
    reader = _ResultsReader(truth, one_category)
    files = {number: name for name, number in truth.images.items()}
    names = {"image_id": files, "category_id": truth.names}
    decoder = ResultDecoder(truth.kind, {} if one_category else truth.garments, names=names)
    reader.results.num_results = read_entries(loaded, decoder, reader.take, what="results")
    return reader.results


_SAMPLE: Final = 1_000

USUAL: Final = 0.9
"""The share of images with items in which a model finds something."""


class _ResultsReader:
    """Takes results in, a part of the file at a time."""

    def __init__(self, truth: GroundTruth, one_category: bool) -> None:
        self.results = ModelResults()
        self.truth = truth
        self._one_category = one_category
        self._written: int | None = None
        """The category id of all results, where they are of one."""
        items = truth.items
        keys = zip(items.image_ids, items.category_ids, items.labelled, strict=False)
        self._unlabelled = {(image, category) for image, category, labelled in keys if not labelled}
        """(image id, category id) of items without a landmark that counts."""

    def take(self, part: Numbered) -> Faults:
        """Take results in; those that do not fit the ground truth."""
        truth, results, faults, kept = self.truth, self.results, [], []
        results.images.update(result.image_id for _, result in part)
        for index, result in part:
            fault = self._rename(result) if self._one_category else None
            known = result.image_id in truth.sizes and result.category_id in truth.names
            fault = fault or (None if known else self._unknown(result))
            if fault is not None:
                faults.append((index, fault))
            elif known:
                kept.append((index, result))
            else:
                results.ignored[result.category_id] += 1
        misfits: dict[int, FaultError] = {}
        if truth.kind == "bbox":
            results.boxes += [result.bbox for _, result in kept]
            results.areas += [result.bbox[2] * result.bbox[3] for _, result in kept]
        else:
            take = self._take_masks if truth.kind == "segm" else self._take_landmarks
            misfits.update(take(kept))
        fitting = [result for index, result in kept if index not in misfits]
        results.image_ids += [result.image_id for result in fitting]
        results.category_ids += [result.category_id for result in fitting]
        results.scores += [result.score for result in fitting]
        return [*faults, *misfits.items()]

    def _rename(self, result: Any) -> FaultError | None:
        """Make it a result of the only category, if the results have one id in common."""
        self._written = result.category_id if self._written is None else self._written
        if result.category_id == self._written:
            (result.category_id,) = self.truth.names
            return None
        text = f"{result.category_id}, others are {self._written}: these are not of one category."
        return FaultError("category_id", text)

    def _unknown(self, result: Any) -> FaultError | None:
        """Why a result belongs to nothing; None for a category that the ground truth does not have."""
        truth = self.truth
        known: Collection[int] = truth.sizes
        what, value, text = "image", result.image_id, "is not an image of"
        if value in truth.sizes:
            known = truth.names
            what, value, text = "category", result.category_id, "is not a category of"
            if value != 0 and len(truth.garments) < len(CATEGORIES):
                return None
        text = f"{value} {text} {truth.path}"
        if value == 0 and known:
            text += f", whose {what} ids start at {min(known)}"
            text += ". They seem to be counted from 0: add 1 to each" if min(known) == 1 else ""
        return FaultError(f"{what}_id", f"{text}.")

    def _take_masks(self, part: Numbered) -> Faults:
        """RLEs, polygons, or boxes alone, which are their own masks, as in pycocotools' loadRes."""
        results, fitting = self.results, []
        for index, result in part:
            mask, size = result.segmentation, self.truth.sizes[result.image_id]
            if not mask and result.bbox:
                self.results.boxes_for_masks += 1
                x, y, w, h = result.bbox
                mask = [[x, y, x, y + h, x + w, y + h, x + w, y]]
            fault = misfit_of_mask(mask, size)
            is_text = isinstance(mask, Rle) and isinstance(mask.counts, str)  # looked at below
            if not fault and not is_text and not is_drawable(mask):
                fault = no_mask(mask, size)
            if fault:
                yield index, FaultError("segmentation", fault)
            else:
                fitting.append((index, result, mask, size))
        masks = as_rles([mask for _, _, mask, _ in fitting], [size for *_, size in fitting])
        pixels = [width * height for *_, (width, height) in fitting]
        areas = mask_areas([mask["counts"] for mask in masks], pixels)
        for (index, result, own, size), mask, area in zip(fitting, masks, areas, strict=True):
            if area is None:
                yield index, FaultError("segmentation", no_mask(own, size))
                continue
            # Not the box beside an RLE, which would move results to other sizes than the masks'.
            box = None if isinstance(own, Rle) else result.bbox
            results.areas.append(area if box is None else box[2] * box[3])
            if result.segmentation and not isinstance(own, Rle):
                box = around(list(chain.from_iterable(own)), 2)
            results.boxes.append(box)
            results.segmentations.append(mask)

    def _take_landmarks(self, part: Numbered) -> Faults:
        results, truth = self.results, self.truth
        ids = {result.category_id for _, result in part}
        counts = {len(result.keypoints) for _, result in part}
        for index, result in part:
            category = truth.garments.get(result.category_id)
            if category is None:
                name = shorten(truth.names[result.category_id])
                text = f"{name} is not a category of DeepFashion2."
                yield index, FaultError("category_id", text)
                continue
            own = own_landmarks(result.keypoints, category)
            if own is None:
                text = f"{len(result.keypoints)} numbers, {expected_numbers(category)}"
                text += _hint(len(result.keypoints), category, truth, ids, counts)
                yield index, FaultError("keypoints", text)
                continue
            number = len(results.keypoints)
            unlabelled = (result.image_id, result.category_id) in self._unlabelled
            if unlabelled and len(result.keypoints) == 3 * NUM_LANDMARKS:
                results.all_slots[number] = result.keypoints
            if len(results.first_slots) < _SAMPLE:
                results.first_slots[number] = result.keypoints[: len(own)]
            # Around the category's own slots: zeros of the others would make all areas large.
            *_, width, height = result.bbox or around(own)
            results.keypoints.append(own)
            results.boxes.append(result.bbox)
            results.areas.append(width * height)


def around(numbers: list[float], step: int = 3) -> Box:
    """The box of points, x and y first of every `step` numbers."""
    xs, ys = numbers[0::step], numbers[1::step]
    return from_corners((min(xs), min(ys), max(xs), max(ys)))


def _hint(
    count: int, category: Category, truth: GroundTruth, ids: set[int], counts: set[int]
) -> str:
    """What so many numbers may be, which are not a category's; `ids` and `counts` are those beside it."""
    if count in (2 * NUM_LANDMARKS, 2 * category.num_landmarks):
        return " These are x and y alone: write v = 2 behind each."
    if len(ids) > 1 and len(counts) == 1:
        return " All have so many: leave out what is behind the category's own."
    names = [truth.names[n] for n, g in truth.garments.items() if 3 * g.num_landmarks == count]
    if not names:
        return ""
    text = f" {count} numbers are {count // 3} landmarks: {' or '.join(names)}. "
    if len(ids) > 1:
        return f"{text}Compare the category ids of the model with those of the file."
    return f"{text}--category {shlex.quote(names[0])} scores them so."
