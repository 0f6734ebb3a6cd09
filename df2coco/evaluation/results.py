"""The results of a detector: read, checked one by one, and cut down to what the evaluation needs."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeGuard

from df2coco.coco.lists import iter_list
from df2coco.coco.schema import is_mask
from df2coco.errors import Df2cocoError, shorten
from df2coco.evaluation.ground_truth import GroundTruth, own_landmarks, run_length_encoded
from df2coco.taxonomy import CATEGORY_BY_ID, NUM_LANDMARKS

__all__ = [
    "FaultError",
    "Results",
    "ResultsError",
    "are_finite",
    "finite_number",
    "read_checked",
    "read_results",
    "shown",
    "whole_number",
]


class ResultsError(Df2cocoError):
    """Results that cannot be scored."""


class FaultError(Exception):
    """A field of a result that cannot be used."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field
        self.text = text


@dataclass(slots=True)
class Results:
    """Checked results. They are numbered from 1, have an `area`, and keep the order of the file."""

    by_category: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    """Category id -> results with `keypoints` of the category's own landmarks only."""
    all_slots: dict[int, list[float]] = field(default_factory=dict)
    """Result's id -> x, y, v of all 294 slots, where an evaluation looks at them."""
    num_results: int = 0


def read_checked(path: Path, take: Callable[[int, dict[str, Any]], None], *, what: str) -> int:
    """Give each entry of a list and its index to `take`, which raises `FaultError`; how many there are.

    `what` says what the entries are. Raises `ResultsError` with the first faulty result and the number of faulty ones, and
    `CocoFileError` when the file cannot be read.
    """
    done = faults = 0
    first = ""
    for part in iter_list(path, what=what):
        for index, result in enumerate(part, start=done):
            try:
                if type(result) is not dict:
                    raise FaultError("", f"{shorten(result)}, expected an object.")
                take(index, result)
            except FaultError as fault:
                faults += 1
                where = f"{what}[{index}]{'.' * bool(fault.field)}{fault.field}"
                first = first or f"{where}: {fault.text}"
        done += len(part)
    if faults:
        raise ResultsError(
            f"{first} {faults:,} of {done:,} {what} cannot be used, so nothing was scored.",
            file=path,
        )
    return done


def read_results(path: Path, kind: str, truth: GroundTruth) -> Results:
    """The results of a `kind` in a file, in COCO's format, each checked against the ground truth.

    Landmarks may be 294, or the category's own 8 to 39. Boxes are not needed for landmarks and masks.
    Raises as `read_checked`.
    """
    results = Results()
    check = _KINDS[kind]
    unlabelled = {
        (item.annotation["image_id"], category_id)
        for category_id, items in truth.items.items()
        for item in items
        if item.annotation.get("num_keypoints") == 0
    }

    def take(index: int, found: dict[str, Any]) -> None:
        image_id = whole_number(found, "image_id", "000001.jpg is 1")
        category_id = whole_number(found, "category_id", "short sleeve top is 1")
        if image_id not in truth.sizes:
            raise FaultError("image_id", f"{image_id} is no image of {truth.path}.")
        if category_id not in truth.names:
            raise FaultError("category_id", f"{category_id} is no category of {truth.path}.")
        result = {
            "id": index + 1,
            "image_id": image_id,
            "category_id": category_id,
            "score": finite_number(found, "score"),
        }
        check(found, result, truth)
        results.by_category.setdefault(category_id, []).append(result)
        if (image_id, category_id) in unlabelled and len(found["keypoints"]) == 3 * NUM_LANDMARKS:
            results.all_slots[index + 1] = found["keypoints"]

    results.num_results = read_checked(path, take, what="results")
    return results


def whole_number(found: dict[str, Any], name: str, example: str = "") -> int:
    """A field that must be a whole number; else `FaultError`."""
    value = found.get(name)
    if type(value) is not int or abs(value) >> 62:
        hint = f" ({example})" if example else ""
        raise FaultError(name, f"{shown(found, name)}, expected a whole number{hint}.")
    return value


def finite_number(found: dict[str, Any], name: str) -> float:
    """A field that must be a finite number; else `FaultError`."""
    value = found.get(name)
    if not isinstance(value, (int, float)) or type(value) is bool or not abs(value) <= _LARGEST:
        raise FaultError(name, f"{shown(found, name)}, expected a finite number.")
    return float(value)


def shown(found: dict[str, Any], name: str) -> str:
    """A field as a message shows it."""
    return shorten(found[name]) if name in found else "missing"


_LARGEST: Final = sys.float_info.max

_LIMIT: Final = 1e9
"""The largest coordinate: no image is that large, and its square still is a number."""


def are_finite(values: Any) -> TypeGuard[list[float]]:
    """Whether it is a list of numbers, none of them NaN, infinite or beyond all images."""
    if type(values) is not list:
        return False
    try:
        total = sum(map(abs, values))  # one pass in C, which refuses what is no number
    except TypeError:
        return False
    # The sum tells of NaN too, which max and min may overlook.
    return total <= _LIMIT or (
        math.isfinite(total) and max(values) <= _LIMIT and min(values) >= -_LIMIT
    )


def _has_booleans(values: Any) -> bool:
    return bool in set(map(type, values))


def _check_box(found: dict[str, Any], result: dict[str, Any], truth: GroundTruth) -> None:
    del truth
    box = found.get("bbox")
    if not are_finite(box) or _has_booleans(box) or len(box) != 4 or box[2] < 0 or box[3] < 0:
        raise FaultError("bbox", f"{shown(found, 'bbox')}, expected 4 numbers x, y, w, h.")
    result["bbox"] = box
    result["area"] = box[2] * box[3]


def _check_mask(found: dict[str, Any], result: dict[str, Any], truth: GroundTruth) -> None:
    width, height = truth.sizes[result["image_id"]]
    mask = found.get("segmentation")
    area: int | None = None
    counts: Any = None
    if isinstance(mask, dict) and mask.get("size") == [height, width]:
        if type(mask.get("counts")) is list and is_mask(mask):
            mask = run_length_encoded(mask, width, height)
        counts = mask.get("counts")
        if type(counts) is str:
            area = _mask_area(counts, width * height)
    if area is None:
        raise FaultError(
            "segmentation",
            f"{shown(found, 'segmentation')}, expected an RLE of size [{height}, {width}].",
        )
    result["segmentation"] = {"size": [height, width], "counts": counts}
    # Not the area of a box beside it, which would move results to other sizes than the masks'.
    result["area"] = area


def _mask_area(counts: str, pixels: int) -> int | None:
    """The area of the mask that a compressed RLE tells; None unless it tells of so many pixels.

    pycocotools believes what it reads, and would read and write beyond the mask. The same as
    `fields.is_mask` finds out, which has no time for 100,000 masks. Six bits a character: five of a
    number and one that says that more follow; a number is the difference to the last but one
    (maskApi.c, rleFrString).
    """
    import numpy as np

    bits = np.frombuffer(counts.encode("ascii", "replace"), np.uint8).astype(np.int64) - 48
    if not bits.size or bits.min() < 0 or bits.max() > 63 or bits[-1] & 32:
        return None
    ends = np.flatnonzero(bits < 32)
    starts = np.empty_like(ends)
    starts[0], starts[1:] = 0, ends[:-1] + 1
    lengths = ends - starts + 1
    if lengths.max() > 7:
        return None
    places = np.arange(bits.size) - np.repeat(starts, lengths)
    runs = np.add.reduceat((bits & 31) << (5 * places), starts)
    runs -= ((bits[ends] & 16) >> 4) << (5 * lengths)
    for first in (1, 2):
        np.cumsum(runs[first::2], out=runs[first::2])
    if runs.min() < 0 or runs.sum() != pixels:
        return None
    return int(runs[1::2].sum())


def _check_landmarks(found: dict[str, Any], result: dict[str, Any], truth: GroundTruth) -> None:
    keypoints = found.get("keypoints")
    category = CATEGORY_BY_ID[result["category_id"]]
    own = own_landmarks(keypoints, category.id) if type(keypoints) is list else None
    if own is None:
        count = (
            f"{len(keypoints)} numbers" if type(keypoints) is list else shown(found, "keypoints")
        )
        raise FaultError(
            "keypoints",
            f"{count}, expected {3 * NUM_LANDMARKS} or {3 * category.num_landmarks} for {category.name}.",
        )
    if not are_finite(keypoints) or _has_booleans(own):
        raise FaultError("keypoints", "not all are finite numbers.")
    result["keypoints"] = own
    if found.get("bbox") not in (None, []):
        _check_box(found, result, truth)
        return
    # Of the category's own slots: zeros of the others would make all areas large.
    xs, ys = own[0::3], own[1::3]
    result["area"] = (max(xs) - min(xs)) * (max(ys) - min(ys))


_KINDS: Final[Mapping[str, Callable[[dict[str, Any], dict[str, Any], GroundTruth], None]]] = (
    MappingProxyType({"bbox": _check_box, "segm": _check_mask, "keypoints": _check_landmarks})
)
"""Kind -> check of a result, which also takes what the evaluation needs."""
