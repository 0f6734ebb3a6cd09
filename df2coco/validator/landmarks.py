"""Checks of keypoints, against the landmark names in the file's own categories."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from itertools import compress
from operator import not_
from typing import Any, Final, NamedTuple

from df2coco.errors import shorten
from df2coco.validator.categories import names_of, own_slots
from df2coco.validator.document import (
    Check,
    Document,
    Hit,
    category_of,
    garments,
    image_of,
    is_finite,
    is_integer,
)
from df2coco.validator.folding import Keypoints, keypoints_of
from df2coco.validator.shapes import boxes, is_box, outlines

__all__ = ["CHECKS"]

Hits = Iterable[Hit]


class Landmarks(NamedTuple):
    """An annotation's keypoints, all of them finite numbers."""

    position: int
    """Which annotation of the file."""
    before: int
    """Slots that are left out before the first of `xs`, since they are all zero."""
    xs: list[float]
    ys: list[float]
    vs: list[float]
    labelled: int
    is_float: bool


def keypoints(document: Document) -> list[Keypoints | None]:
    """Each annotation's keypoints, where they are a list."""
    return [keypoints_of(annotation) for annotation in document.annotations]


def totals(document: Document) -> list[float | None]:
    """The sum of each annotation's keypoints, which is finite if all are; None: not all are numbers."""
    return [0 if found is None else _total(found.core) for found in document.once(keypoints)]


def _total(numbers: list[Any]) -> float | None:
    try:
        total: float = sum(numbers)
    except TypeError:
        return None
    return total


def landmarks(document: Document) -> list[Landmarks]:
    """All keypoints that are 3 finite numbers a landmark."""
    result = []
    for position, (found, total) in enumerate(
        zip(document.once(keypoints), document.once(totals), strict=True)
    ):
        if not found or total is None or not -math.inf < total < math.inf:
            continue
        before, core, _ = found
        if len(core) % 3:
            continue
        vs = core[2::3]
        labelled = len(vs) - vs.count(0)
        is_float = type(total) is float
        result.append(
            Landmarks(position, before // 3, core[0::3], core[1::3], vs, labelled, is_float)
        )
    return result


def expected_lengths(document: Document) -> list[int | None]:
    """How many numbers each annotation's keypoints should have; None where nothing tells.

    Where no category names landmarks, the commonest length of the file is taken for the right one.
    """
    lengths = {id(entry): 3 * len(names_of(entry)) for entry in document.categories}
    if not any(lengths.values()):
        counts = Counter(len(found) for found in document.once(keypoints) if found)
        commonest = counts.most_common(1)[0][0] if counts else None
        return [commonest] * len(document.annotations)
    return [
        None if category is None else lengths[id(category)]
        for category in document.once(category_of)
    ]


def _missing(document: Document) -> Hits:
    found = document.once(keypoints)
    if not any(found):
        return
    for index, expected in enumerate(document.once(expected_lengths)):
        if expected and document.annotations[index].get("keypoints") is None:
            yield document.hit(index)


def _length(document: Document) -> Hits:
    for index, (found, expected) in enumerate(
        zip(document.once(keypoints), document.once(expected_lengths), strict=True)
    ):
        if found is None:
            value = document.annotations[index].get("keypoints")
            if value is not None:
                yield document.hit(index, f"keypoints {shorten(value)}")
        elif len(found) != (expected or len(found)) or len(found) % 3:
            yield document.hit(index, f"{len(found)} numbers, expected {expected}")


def _not_numbers(document: Document) -> Hits:
    for index, total in enumerate(document.once(totals)):
        found = document.once(keypoints)[index]
        if total is None and found is not None:
            wrong = next(n for n in found.core if type(n) not in (int, float, bool))
            yield document.hit(index, shorten(wrong))


def _visibility(document: Document) -> Hits:
    valid = frozenset((0, 1, 2))
    for each in document.once(landmarks):
        if not valid.issuperset(each.vs):
            wrong = next(v for v in each.vs if v not in valid)
            yield document.hit(each.position, f"v = {wrong}")


def _slot_of(each: Landmarks, position: int) -> str:
    return f"landmark {each.before + position + 1}"


def _unlabelled_position(document: Document) -> Hits:
    for each in document.once(landmarks):
        if each.labelled == len(each.vs):
            continue
        unlabelled = list(map(not_, each.vs))
        if any(compress(each.xs, unlabelled)) or any(compress(each.ys, unlabelled)):
            yield document.hit(each.position)


def _outside(document: Document) -> Hits:
    images = document.once(image_of)
    for each in document.once(landmarks):
        image = images[each.position]
        if not each.labelled or image is None:
            continue
        width, height = image.get("width"), image.get("height")
        if not is_finite(width) or not is_finite(height):
            continue
        # A pixel's number is the middle of it, so that the image ends half a pixel after the last.
        right, bottom = width - 0.5, height - 0.5
        xs, ys = each.xs, each.ys
        if max(xs) > right or max(ys) > bottom or min(xs) < -0.5 or min(ys) < -0.5:
            for position, (x, y, v) in enumerate(zip(xs, ys, each.vs, strict=True)):
                if v and not (-0.5 <= x <= right and -0.5 <= y <= bottom):
                    where = _slot_of(each, position)
                    yield document.hit(each.position, f"{where} at {x}, {y} in {width} x {height}")
                    break


def _floats(document: Document) -> Hits:
    return (document.hit(each.position) for each in document.once(landmarks) if each.is_float)


def _count_missing(document: Document) -> Hits:
    for index, found in enumerate(document.once(keypoints)):
        if found is not None and document.annotations[index].get("num_keypoints") is None:
            yield document.hit(index)


def _count_wrong(document: Document) -> Hits:
    for each in document.once(landmarks):
        told = document.annotations[each.position].get("num_keypoints", each.labelled)
        if told is not None and (told != each.labelled or not is_integer(told)):
            yield document.hit(
                each.position, f"num_keypoints {shorten(told)}, {each.labelled} are labelled"
            )


def _foreign(document: Document) -> Hits:
    slots = {id(entry): own_slots(entry, category) for entry, category in garments(document)}
    categories = document.once(category_of)
    for each in document.once(landmarks):
        own = slots.get(id(categories[each.position]))
        if own is None or (own.start <= each.before and each.before + len(each.vs) <= own.stop):
            continue
        for position, v in enumerate(each.vs):
            if v and each.before + position not in own:
                where = f"{_slot_of(each, position)}, its own are {own.start + 1} to {own.stop}"
                yield document.hit(each.position, where)
                break


def _none_labelled(document: Document) -> Hits:
    return (document.hit(each.position) for each in document.once(landmarks) if not each.labelled)


def _not_finite(document: Document) -> Hits:
    """NaN and infinity, wherever an annotation has numbers."""
    for index in document.once(outlines).infinite:
        yield document.hit(index, "segmentation")
    for index, total in enumerate(document.once(totals)):
        if total is not None and not -math.inf < total < math.inf:
            yield document.hit(index, "keypoints")
    for index, area in enumerate(document.column("area")):
        if type(area) is float and not math.isfinite(area):
            yield document.hit(index, "area")
    for index, box in enumerate(document.once(boxes)):
        if box is None and is_box(document.annotations[index].get("bbox")):
            yield document.hit(index, "bbox")


CHECKS: Final = (
    Check(
        "not-finite",
        "error",
        "annotation",
        "A number is NaN or infinite.",
        "hotcoco and supervision refuse the file, Detectron2 and MMDetection drop the item.",
        "A division by zero or a missing value, written by Python's json, which is no JSON.",
        "Correct the number, or remove the annotation.",
        _not_finite,
    ),
    Check(
        "keypoints-missing",
        "error",
        "annotation",
        "An annotation has no keypoints, though others have.",
        "Detectron2 stops when an image has both kinds; MMPose drops the item.",
        "A converter left them out where nothing is labelled.",
        "Write zeros, and num_keypoints 0.",
        _missing,
        whole=True,
    ),
    Check(
        "keypoints-length",
        "error",
        "annotation",
        "keypoints are not 3 numbers for each landmark that the category names.",
        "Detectron2, MMPose and pycocotools stop; hotcoco scores wrongly.",
        "Landmarks of one category only, where the file has slots for all; or the other way round.",
        "Write x, y, v for every name in categories[].keypoints, zeros where there is none.",
        _length,
        whole=True,
    ),
    Check(
        "keypoints-no-numbers",
        "error",
        "annotation",
        "keypoints hold something that is no number.",
        "Every consumer stops.",
        "null or text was written for a missing landmark.",
        "Write 0, 0, 0 for a missing landmark.",
        _not_numbers,
    ),
    Check(
        "landmark-visibility",
        "error",
        "annotation",
        "The v of a landmark is not 0, 1 or 2.",
        "COCOeval counts any v above 0 as labelled, frameworks take it for a weight.",
        "A score was written for v.",
        "Write 0 not labelled, 1 occluded, 2 visible.",
        _visibility,
    ),
    Check(
        "landmark-unlabelled-position",
        "note",
        "annotation",
        "A landmark with v = 0 has a position.",
        "All consumers ignore it.",
        "The position was kept when the landmark became unlabelled.",
        "Write 0, 0, 0.",
        _unlabelled_position,
    ),
    Check(
        "landmark-outside",
        "warning",
        "annotation",
        "A labelled landmark lies outside its image.",
        "Detectron2 makes it unlabelled.",
        "The image was resized, or its size is wrong; or the dataset has it so.",
        "Correct the landmark or the image's size.",
        _outside,
    ),
    Check(
        "keypoints-floats",
        "note",
        "annotation",
        "keypoints are written as floats (0.0, not 0).",
        "Readers in Python need 2.6 times the memory.",
        "The official converter writes them so.",
        "Write integers.",
        _floats,
    ),
    Check(
        "num-keypoints-missing",
        "error",
        "annotation",
        "An annotation with keypoints has no num_keypoints.",
        "pycocotools and MMPose stop with a KeyError.",
        "A converter left it out.",
        "Write the number of landmarks with v above 0.",
        _count_missing,
    ),
    Check(
        "num-keypoints-wrong",
        "error",
        "annotation",
        "num_keypoints is not the number of landmarks with v above 0.",
        "At 0, MMPose drops the item and COCOeval ignores it, whatever it holds.",
        "It was counted otherwise, or not again after a change.",
        "Write the number of landmarks with v above 0.",
        _count_wrong,
    ),
    Check(
        "landmark-elsewhere",
        "error",
        "annotation",
        "A landmark is labelled in a slot of another category.",
        "COCOeval and training count it as one of this item's.",
        "The category was changed without its landmarks, or the first slot is wrong.",
        "Write the landmarks from the category's own first slot.",
        _foreign,
    ),
    Check(
        "no-landmark-labelled",
        "note",
        "annotation",
        "No landmark of an item is labelled.",
        "MMPose drops it; COCOeval ignores it, and a result for it may count as a false alarm.",
        "The dataset has some hundred such items; --landmarks visible makes more.",
        "Nothing.",
        _none_labelled,
    ),
)  # fmt: skip
