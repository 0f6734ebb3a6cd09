"""The landmarks in `keypoints`, judged by the landmark names in the file's own categories."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from df2coco.errors import shorten
from df2coco.validator.annotations import Annotations
from df2coco.validator.checks import Found, Hit, check
from df2coco.validator.file import File
from df2coco.validator.outlines import Array


def _expected_lengths(file: File) -> list[int | None]:
    """How many numbers each annotation's keypoints should have; None where nothing says so.

    Where no category names landmarks, the commonest length of the file is taken for the right one.
    """
    columns, lengths = file.columns, file.header.lengths
    if not any(lengths.values()):
        counts = Counter(each for each in columns.lengths if each is not None and each > 0)
        commonest = counts.most_common(1)[0][0] if counts else None
        return [commonest] * len(columns.ids)
    return [lengths.get(each) for each in columns.category_ids]


@check("error", about="annotation")
def keypoints_missing(file: File) -> Iterable[Hit]:
    """An annotation has no keypoints, though others have.

    affects: COCOeval and Detectron2 stop with a KeyError or when an image has both kinds; MMPose
        drops the item.
    cause: A converter left them out where nothing is labelled.
    remedy: Write zeros, and num_keypoints 0.
    """
    columns = file.columns
    if any(columns.lengths):
        expected = file.once(_expected_lengths)
        for number, length in enumerate(columns.lengths):
            if length is None and expected[number]:
                yield file.annotation_hit(number)


@check("warning")
def landmarks_absent(file: File) -> Iterable[Hit]:
    """Categories name landmarks, and no annotation has a labelled one.

    affects: MMPose keeps no item, Detectron2 removes all images: there is nothing to train or
        evaluate landmarks on.
    cause: Landmarks were not exported, or all are 0.
    remedy: Write keypoints and num_keypoints; or remove the names, where only boxes or masks are
        meant.
    """
    columns = file.columns
    if columns.ids and any(file.header.lengths.values()) and not any(columns.labelled):
        have = "no v is above 0" if any(columns.lengths) else "no annotation has keypoints"
        yield Hit(None, have)


@check("error", about="annotation")
def keypoints_length(file: File) -> Iterable[Hit]:
    """keypoints are not 3 numbers for each landmark that the category names.

    affects: COCOeval and MMPose stop with a ValueError, Detectron2 with an error when it joins an
        image's items; hotcoco scores wrongly and does not say so.
    cause: Landmarks of one category only, where the file has slots for all; or the other way round.
    remedy: Write x, y, v for every name in categories[].keypoints, zeros where there is none.
    """
    columns = file.columns
    usual = set(columns.lengths) - {None}
    if usual <= {0} or file.once(_only_length):
        return
    for number, (length, expected) in enumerate(
        zip(columns.lengths, file.once(_expected_lengths), strict=True)
    ):
        if length == -1:
            yield file.annotation_hit(number, "keypoints are not a list")
        elif length is not None and (length != (expected or length) or length % 3):
            yield file.annotation_hit(number, f"{length} numbers, expected {expected}")


def _only_length(file: File) -> int:
    """How many numbers the keypoints of all annotations have; 0: they differ, or are not triples."""
    lengths = set(file.columns.lengths) - {None, 0}
    only = lengths.pop() if len(lengths) == 1 else 0
    return only if only and only > 0 and only % 3 == 0 else 0


@check("warning", about="category")
def keypoints_names(file: File) -> Iterable[Hit]:
    """A category does not name as many landmarks as all annotations have.

    affects: pycocotools, MMPose and Detectron2 do not compare the two; df2coco evaluate keypoints
        and whoever draws by the names do not know which landmark is which.
    cause: Names were listed for landmarks that the annotations do not have, or left out.
    remedy: Name the landmarks that the annotations have, in their order.
    """
    only = file.once(_only_length)
    used = set(file.columns.category_ids)
    for key, named in file.header.lengths.items():
        if only and named and named != only and key in used:
            yield Hit(key, f"{named // 3} names, {only // 3} landmarks")


# ---------------------------------------------------------------- each landmark


def _first_of(part: Annotations, wrong: Array) -> dict[int, int]:
    """Annotation's position -> the first of its landmarks for which the array (M,) is true."""
    result: dict[int, int] = {}
    for number in wrong.nonzero()[0].tolist():
        result.setdefault(int(part.landmarks.item[number]), number)
    return result


def _number(value: Any) -> str:
    return f"{float(value):g}"


@check("warning")
def landmark_visibility(part: Annotations) -> Iterable[Found]:
    """The v of a landmark is not 0, 1 or 2.

    affects: COCOeval counts any v above 0 as labelled, and frameworks take it for a weight.
    cause: A score was written for v.
    remedy: Write 0 not labelled, 1 occluded, 2 visible.
    """
    v = part.landmarks.v
    for position, number in _first_of(part, (v != 0) & (v != 1) & (v != 2)).items():
        yield position, f"v = {_number(v[number])}"


@check("note")
def landmark_unlabelled_position(part: Annotations) -> Iterable[Found]:
    """A landmark with v = 0 has a position.

    affects: All consumers ignore it.
    cause: The position was kept when the landmark became unlabelled.
    remedy: Write 0, 0, 0.
    """
    found = part.landmarks
    wrong = (found.v == 0) & ((found.x != 0) | (found.y != 0))
    return ((position, "") for position in _first_of(part, wrong))


@check("warning")
def landmark_at_origin(part: Annotations) -> Iterable[Found]:
    """A labelled landmark stands at 0, 0.

    affects: Training draws the landmark into the image's corner; a right result scores badly
        against it.
    cause: Missing landmarks were written as 0, 0 with v above 0.
    remedy: Write v = 0 for a landmark that is missing.
    """
    found = part.landmarks
    wrong = (found.v > 0) & (found.x == 0) & (found.y == 0)
    for position, number in _first_of(part, wrong).items():
        yield position, f"landmark {int(found.slot[number]) + 1}"


@check("warning")
def landmark_outside(part: Annotations) -> Iterable[Found]:
    """A labelled landmark lies outside its image.

    affects: Detectron2 makes it unlabelled.
    cause: The image was resized, or its size is wrong; or the dataset has it so.
    remedy: Correct the landmark or the image's size.
    """
    found = part.landmarks
    widths, heights = (sizes[found.item] for sizes in part.size_arrays)
    # A pixel's number is the middle of it, so that the image ends half a pixel after the last.
    outside = (found.x > widths - 0.5) | (found.y > heights - 0.5)
    outside |= (found.x < -0.5) | (found.y < -0.5)
    for position, number in _first_of(part, (found.v != 0) & outside).items():
        where = f"landmark {int(found.slot[number]) + 1}"
        width, height = part.sizes[position] or (0, 0)
        x, y = _number(found.x[number]), _number(found.y[number])
        yield position, f"{where} at {x}, {y} in {width} x {height}"


@check("error")
def num_keypoints_missing(part: Annotations) -> Iterable[Found]:
    """An annotation with keypoints has no num_keypoints.

    affects: pycocotools and MMPose stop with a KeyError.
    cause: A converter left it out.
    remedy: Write the number of landmarks with v above 0.
    """
    for position, (length, has) in enumerate(
        zip(part.landmarks.lengths, part.has("num_keypoints"), strict=True)
    ):
        if length is not None and not has:
            yield position, ""


@check("warning")
def num_keypoints_wrong(part: Annotations) -> Iterable[Found]:
    """num_keypoints is not the number of landmarks with v above 0.

    affects: At 0, MMPose drops the item and COCOeval ignores it, whatever it holds; other wrong
        numbers do no harm.
    cause: It was counted otherwise, or not again after a change.
    remedy: Write the number of landmarks with v above 0.
    """
    labelled = part.landmarks.labelled.tolist()
    for position, (count, right) in enumerate(
        zip(part.column("num_keypoints"), labelled, strict=True)
    ):
        if count != right and right >= 0 and type(count) is int:
            yield position, f"num_keypoints {shorten(count)}, {right} are labelled"


@check("warning", garments=True)
def landmark_elsewhere(part: Annotations) -> Iterable[Found]:
    """A landmark is labelled in a slot of another category.

    affects: COCOeval and training count it as one of this item's.
    cause: The category was changed without its landmarks, or the first slot is wrong.
    remedy: Write the landmarks from the category's own first slot.
    """
    import numpy as np

    found = part.landmarks
    owns = list(dict.fromkeys(own for own in found.own if own is not None))
    if not owns or not len(found.item):
        return
    places = {own: number for number, own in enumerate(owns)}
    is_own = np.zeros((len(owns) + 1, int(found.slot.max()) + 1), bool)
    for own, number in places.items():
        is_own[number, [slot for slot in own if slot < is_own.shape[1]]] = True
    is_own[-1] = True  # of annotations whose own slots are not known
    which = np.array([len(owns) if own is None else places[own] for own in found.own], np.intp)
    wrong = (found.v != 0) & ~is_own[which[found.item], found.slot]
    for position, number in _first_of(part, wrong).items():
        mine = found.own[position] or ()
        yield (
            position,
            f"landmark {int(found.slot[number]) + 1}, its own are {mine[0] + 1} to {mine[-1] + 1}",
        )


@check("note")
def no_landmark_labelled(part: Annotations) -> Iterable[Found]:
    """No landmark of an item is labelled.

    affects: MMPose drops it; COCOeval ignores it, and a result for it may count as a false alarm.
    cause: Some items have none; leaving out the occluded ones makes more.
    remedy: Nothing to do.
    """
    found = part.landmarks
    if part.header.conversion:
        return  # the dataset has such items
    for position, labelled in enumerate(found.labelled.tolist()):
        if labelled == 0 and found.lengths[position]:
            yield position, ""
