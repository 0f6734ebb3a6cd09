"""The results of a model: read, checked one by one, and cut down to the columns that the evaluation needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from df2coco.coco.lists import Decode
from df2coco.coco.rle import mask_areas
from df2coco.coco.schema import is_mask
from df2coco.errors import FaultError, shown
from df2coco.evaluation import structs
from df2coco.evaluation.entries import (
    are_finite,
    finite_number,
    has_booleans,
    read_entries,
    whole_number,
)
from df2coco.evaluation.ground_truth import Box, GroundTruth, run_length_encoded
from df2coco.evaluation.sources import Loaded
from df2coco.layouts import expected_numbers, own_landmarks
from df2coco.taxonomy import CATEGORIES, NUM_LANDMARKS


@dataclass(slots=True)
class Results:
    """The results as columns, in the order of the file; those that are not needed stay empty."""

    image_ids: list[int] = field(default_factory=list)
    category_ids: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    areas: list[float] = field(default_factory=list)
    """In square pixels: of the box, the mask, or the box around the landmarks."""
    boxes: list[Box | None] = field(default_factory=list)
    """For "bbox" and "keypoints"; None where a result with landmarks has none."""
    segmentations: list[Any] = field(default_factory=list)
    """For "segm": RLEs as {"size", "counts"}, `counts` as text."""
    keypoints: list[list[float]] = field(default_factory=list)
    """For "keypoints": x, y, v of the category's own landmarks."""
    all_slots: dict[int, list[float]] = field(default_factory=dict)
    """Index of a result -> x, y, v of all 294 slots, where an evaluation looks at them."""
    ignored: Counter[int] = field(default_factory=Counter)
    """Category id that the ground truth does not have -> how many results, which are in no column."""
    images: set[int] = field(default_factory=set)
    """Image ids that any result names."""
    num_results: int = 0
    """With those that are ignored."""


def read_results(source: Loaded, kind: str, truth: GroundTruth) -> Results:
    """The results of a `kind` in a file, in COCO's format, each checked against the ground truth.

    Landmarks may be those of any layout. Landmarks and masks need no box, and a box alone is its own mask.
    Raises as `read_entries`.
    """
    reader = _ResultsReader(kind, truth)
    reader.results.num_results = read_entries(
        source, reader.take, what="results", decode=reader.decode, take_part=reader.take_part
    )
    return reader.results


class _ResultsReader:
    """Takes results in, one by one or a part of the file at a time."""

    def __init__(self, kind: str, truth: GroundTruth) -> None:
        self.results = Results()
        self.decode, self._add_part = _FAST[kind](truth, self)
        self.truth = truth
        self._check = _KINDS[kind]
        items = truth.items
        self.unlabelled = {
            key
            for key, labelled in zip(
                zip(items.image_ids, items.category_ids, strict=True), items.labelled, strict=False
            )
            if not labelled
        }
        """(image id, category id) of items without a landmark that counts."""

    def take(self, index: int, found: dict[str, Any]) -> None:
        """Check a result of any form."""
        del index
        results, truth = self.results, self.truth
        image_id = whole_number(found, "image_id", "000001.jpg is 1")
        category_id = whole_number(found, "category_id", "short sleeve top is 1")
        if image_id not in truth.sizes:
            raise FaultError("image_id", _unknown(image_id, truth, "image", truth.sizes))
        if category_id not in truth.names:
            if category_id == 0 or len(truth.garments) == len(CATEGORIES):
                raise FaultError(
                    "category_id", _unknown(category_id, truth, "category", truth.names)
                )
            results.ignored[category_id] += 1
            results.images.add(image_id)
            return
        score = finite_number(found, "score")
        self._check(found, image_id, category_id, self)
        self.add(image_id, category_id, score)

    def add(self, image_id: int, category_id: int, score: float) -> None:
        """What results of all kinds have."""
        self.results.image_ids.append(image_id)
        self.results.category_ids.append(category_id)
        self.results.scores.append(score)
        self.results.images.add(image_id)

    def take_part(self, index: int, part: list[Any]) -> None:
        """Take results that `decode` has read and checked."""
        del index
        self._add_part(part)

    def add_landmarks(
        self, image_id: int, category_id: int, keypoints: list[float], own: list[float]
    ) -> None:
        """The landmarks of the next result."""
        if (image_id, category_id) in self.unlabelled and len(keypoints) == 3 * NUM_LANDMARKS:
            self.results.all_slots[len(self.results.keypoints)] = keypoints
        self.results.keypoints.append(own)


def _unknown(value: int, truth: GroundTruth, what: str, known: Mapping[int, Any]) -> str:
    text = f"{value} is not {'an' if what == 'image' else 'a'} {what} of {truth.path}"
    if value == 0 and known:
        return (
            f"{text}, whose {what} ids start at {min(known)}. "
            "They seem to be counted from 0: add 1 to each."
        )
    return f"{text}."


# ---------------------------------------------------------------- one by one


def _check_box(
    found: dict[str, Any], image_id: int, category_id: int, reader: _ResultsReader
) -> None:
    del image_id, category_id
    box = _box(found)
    reader.results.boxes.append(box)
    reader.results.areas.append(box[2] * box[3])


def _box(found: dict[str, Any]) -> list[float]:
    box = found.get("bbox")
    if not are_finite(box) or has_booleans(box) or len(box) != 4 or box[2] < 0 or box[3] < 0:
        raise FaultError("bbox", f"{shown(found, 'bbox')}, expected 4 numbers x, y, w, h.")
    return box


def _check_mask(
    found: dict[str, Any], image_id: int, category_id: int, reader: _ResultsReader
) -> None:
    """An RLE, polygons, or a box alone, which is its own mask, as in pycocotools' loadRes."""
    del category_id
    width, height = reader.truth.sizes[image_id]
    mask = found.get("segmentation")
    area: float | None = None
    if mask in (None, []) and found.get("bbox"):
        x, y, w, h = _box(found)
        mask = [[x, y, x, y + h, x + w, y + h, x + w, y]]
    if isinstance(mask, list) and mask and is_mask(mask) and min(map(len, mask)) >= 6:
        if not width or not height:
            raise FaultError(
                "segmentation", f"polygons in an image without size in {reader.truth.path}."
            )
        mask = run_length_encoded(mask, width, height)
        if found.get("bbox"):
            box = _box(found)
            area = box[2] * box[3]
    if isinstance(mask, dict) and mask.get("size") == [height, width]:
        if type(mask.get("counts")) is list and is_mask(mask):
            mask = run_length_encoded(mask, width, height)
        if type(mask.get("counts")) is str:
            pixels = mask_areas([mask["counts"]], [width * height])[0]
            if pixels is not None:
                reader.results.segmentations.append(
                    {"size": [height, width], "counts": mask["counts"]}
                )
                # Not the area of a box beside an RLE, which would move results to other sizes than
                # the masks'.
                reader.results.areas.append(pixels if area is None else area)
                return
    raise FaultError(
        "segmentation",
        f"{shown(found, 'segmentation')}, expected an RLE of size [{height}, {width}] or polygons.",
    )


def _check_landmarks(
    found: dict[str, Any], image_id: int, category_id: int, reader: _ResultsReader
) -> None:
    keypoints = found.get("keypoints")
    category = reader.truth.garments.get(category_id)
    if category is None:
        name = reader.truth.names[category_id]
        raise FaultError("category_id", f"{name!r} is not a category of DeepFashion2.")
    own = own_landmarks(keypoints, category) if type(keypoints) is list else None
    if own is None:
        count = (
            f"{len(keypoints)} numbers" if type(keypoints) is list else shown(found, "keypoints")
        )
        raise FaultError(
            "keypoints",
            f"{count}, {expected_numbers(category)}",
        )
    if not are_finite(keypoints) or has_booleans(own):
        raise FaultError("keypoints", "not all are finite numbers.")
    box = _box(found) if found.get("bbox") not in (None, []) else None
    reader.add_landmarks(image_id, category_id, keypoints, own)
    reader.results.boxes.append(box)
    reader.results.areas.append(_landmark_area(own, box))


def _landmark_area(own: list[float], box: Box | None) -> float:
    if box is not None:
        return box[2] * box[3]
    # Of the category's own slots: zeros of the others would make all areas large.
    xs, ys = own[0::3], own[1::3]
    return (max(xs) - min(xs)) * (max(ys) - min(ys))


_KINDS: Final[Mapping[str, Callable[[dict[str, Any], int, int, _ResultsReader], None]]] = {
    "bbox": _check_box,
    "segm": _check_mask,
    "keypoints": _check_landmarks,
}
"""Kind -> check of a result, which also takes what the evaluation needs."""


# ---------------------------------------------------------------- many at once

_Fast = tuple[Decode, Callable[[list[Any]], None]]
"""Reads a part and takes it."""


def _are_known(part: list[Any], truth: GroundTruth) -> bool:
    return {each.image_id for each in part} <= truth.sizes.keys() and {
        each.category_id for each in part
    } <= truth.names.keys()


def _add_common(part: list[Any], results: Results) -> None:
    results.image_ids += [each.image_id for each in part]
    results.category_ids += [each.category_id for each in part]
    results.scores += [each.score for each in part]
    results.images.update(each.image_id for each in part)


def _fast_boxes(truth: GroundTruth, reader: _ResultsReader) -> _Fast:
    read = structs.decoder(structs.BoxResult)

    def decode(raw: bytes) -> list[Any] | None:
        part = read(raw)
        return part if part is not None and _are_known(part, truth) else None

    def add(part: list[Any]) -> None:
        _add_common(part, reader.results)
        reader.results.boxes += [each.bbox for each in part]
        reader.results.areas += [each.bbox[2] * each.bbox[3] for each in part]

    return decode, add


def _fast_masks(truth: GroundTruth, reader: _ResultsReader) -> _Fast:
    read = structs.decoder(structs.MaskResult)

    def decode(raw: bytes) -> list[Any] | None:
        part = read(raw)
        if part is None or not _are_known(part, truth):
            return None
        masks = [each.segmentation for each in part]
        sizes = [truth.sizes[each.image_id] for each in part]
        if any(m.size != (h, w) for m, (w, h) in zip(masks, sizes, strict=True)):
            return None
        areas = mask_areas([mask.counts for mask in masks], [w * h for w, h in sizes])
        return None if None in areas else list(zip(part, areas, strict=True))

    def add(part: list[Any]) -> None:
        found = [each for each, _ in part]
        _add_common(found, reader.results)
        reader.results.areas += [area for _, area in part]
        reader.results.segmentations += [
            {"size": list(each.segmentation.size), "counts": each.segmentation.counts}
            for each in found
        ]

    return decode, add


def _fast_landmarks(truth: GroundTruth, reader: _ResultsReader) -> _Fast:
    read = structs.decoder(structs.LandmarkResult)

    def decode(raw: bytes) -> list[Any] | None:
        part = read(raw)
        if part is None or not _are_known(part, truth):
            return None
        if not {each.category_id for each in part} <= truth.garments.keys():
            return None
        found = []
        for each in part:
            category = truth.garments[each.category_id]
            numbers = structs.decode_landmarks(each.keypoints, category, of_result=True)
            own = own_landmarks(numbers, category) if numbers is not None else None
            if own is None:
                return None
            found.append((each, numbers, own))
        return found

    def add(part: list[Any]) -> None:
        _add_common([each for each, _, _ in part], reader.results)
        for each, numbers, own in part:
            reader.add_landmarks(each.image_id, each.category_id, numbers, own)
            reader.results.boxes.append(each.bbox)
            reader.results.areas.append(_landmark_area(own, each.bbox))

    return decode, add


_FAST: Final[Mapping[str, Callable[[GroundTruth, _ResultsReader], _Fast]]] = {
    "bbox": _fast_boxes,
    "segm": _fast_masks,
    "keypoints": _fast_landmarks,
}
