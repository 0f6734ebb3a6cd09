"""The landmarks in `keypoints`, judged by the landmark names in the file's own categories."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from df2coco.errors import shorten
from df2coco.lazy_numpy import Array, np
from df2coco.taxonomy import NUM_LANDMARKS
from df2coco.validator.annotations import Annotations
from df2coco.validator.checks import File, Found, Hit, check


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
def keypoints_missing(file: File) -> Iterable[Found]:
    """An annotation has no keypoints, though others have.

    affects: COCOeval and Detectron2 stop; MMPose drops the item.
    cause: A converter left them out where nothing is labelled.
    remedy: Write zeros, and num_keypoints 0.
    """
    lengths = file.columns.lengths
    pairs = zip(lengths, file.once(_expected_lengths), strict=True) if any(lengths) else ()
    return ((n, "") for n, (has, wanted) in enumerate(pairs) if has is None and wanted)


@check("warning")
def landmarks_absent(file: File) -> Iterable[Hit]:
    """Categories name landmarks, and no annotation has a labelled one.

    affects: There is nothing to train or evaluate landmarks on: MMPose keeps no item.
    cause: Landmarks were not exported, or all are 0.
    remedy: Write keypoints and num_keypoints; or remove the names, if landmarks are not meant.
    """
    columns = file.columns
    if columns.ids and any(file.header.lengths.values()) and not any(columns.labelled):
        yield Hit(
            None, "no v is above 0" if any(columns.lengths) else "no annotation has keypoints"
        )


@check("error", about="annotation")
def keypoints_length(file: File) -> Iterable[Found]:
    """keypoints are not 3 numbers for each landmark that the category names.

    affects: COCOeval, MMPose and Detectron2 stop; hotcoco scores wrongly and does not say so.
    cause: Landmarks of one category only, where the file has slots for all; or the other way round.
    remedy: Write x, y, v for every name in categories[].keypoints, zeros where there is none.
    """
    columns = file.columns
    usual = set(columns.lengths) - {None}
    if usual <= {0} or file.once(_only_length):
        return
    pairs = zip(columns.lengths, file.once(_expected_lengths), strict=True)
    for number, (length, expected) in enumerate(pairs):
        if length == -1:
            yield number, "keypoints are not a list"
        elif length is not None and (length != (expected or length) or length % 3):
            yield number, f"{length} numbers, expected {expected}"


def _only_length(file: File) -> int:
    """How many numbers all keypoints have; 0: they differ, or are not triples."""
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


def _first_of(part: Annotations, wrong: Array, detail: Callable[[int], str]) -> Iterator[Found]:
    """Annotations with a landmark for which the array (M,) is true, and `detail` of the first."""
    numbers = wrong.nonzero()[0].tolist()
    first = {int(part.landmarks.item[number]): number for number in reversed(numbers)}
    return ((position, detail(number)) for position, number in first.items())


@check("warning")
def landmark_visibility(part: Annotations) -> Iterable[Found]:
    """The v of a landmark is not 0, 1 or 2.

    affects: COCOeval counts any v above 0 as labelled, and frameworks take it for a weight.
    cause: A score was written for v.
    remedy: Write 0 not labelled, 1 occluded, 2 visible.
    """
    v = part.landmarks.v
    wrong = (v != 0) & (v != 1) & (v != 2)
    return _first_of(part, wrong, lambda number: f"v = {v[number]:g}")


@check("warning")
def landmark_at_origin(part: Annotations) -> Iterable[Found]:
    """A labelled landmark lies at 0, 0.

    affects: Training draws it into the image's corner; a right result scores badly against it.
    cause: Missing landmarks were written as 0, 0 with v above 0.
    remedy: Write v = 0 for a landmark that is missing.
    """
    marks = part.landmarks
    wrong = (marks.v > 0) & (marks.x == 0) & (marks.y == 0)
    return _first_of(part, wrong, lambda number: f"landmark {marks.slot[number] + 1}")


@check("warning")
def landmark_outside(part: Annotations) -> Iterable[Found]:
    """A labelled landmark lies outside its image.

    affects: Detectron2 makes it unlabelled.
    cause: The image was resized, or its size is wrong; or the dataset has it so.
    remedy: Correct the landmark or the image's size.
    """
    marks = part.landmarks
    widths, heights = (sizes[marks.item] for sizes in part.size_arrays)
    # A pixel's number is the middle of it, so that the image ends half a pixel after the last.
    outside = (marks.x > widths - 0.5) | (marks.y > heights - 0.5)
    outside |= (marks.x < -0.5) | (marks.y < -0.5)

    def detail(number: int) -> str:
        width, height = part.sizes[marks.item[number]] or (0, 0)
        where = f"{marks.x[number]:g}, {marks.y[number]:g} in {width} x {height}"
        return f"landmark {marks.slot[number] + 1} at {where}"

    return _first_of(part, (marks.v != 0) & outside, detail)


@check("error")
def num_keypoints_missing(part: Annotations) -> Iterable[Found]:
    """An annotation with keypoints has no num_keypoints.

    affects: pycocotools and MMPose stop with a KeyError.
    cause: A converter left it out.
    remedy: Write the number of landmarks with v above 0.
    """
    lacking = [n for n, entry in enumerate(part.entries) if "num_keypoints" not in entry]
    return ((n, "") for n in lacking if "keypoints" in part.entries[n])


@check("warning")
def num_keypoints_wrong(part: Annotations) -> Iterable[Found]:
    """num_keypoints is not the number of landmarks with v above 0.

    affects: At 0, MMPose drops the item and COCOeval ignores it; other numbers do no harm.
    cause: It was counted otherwise, or not again after a change.
    remedy: Write the number of landmarks with v above 0.
    """
    labelled = part.landmarks.labelled.tolist()
    pairs = zip(part.column("num_keypoints"), labelled, strict=True)
    for position, (count, right) in enumerate(pairs):
        if count != right and right >= 0 and type(count) is int:
            yield position, f"num_keypoints {shorten(count)}, {right} are labelled"


@check("warning", garments=True)
def landmark_elsewhere(part: Annotations) -> Iterable[Found]:
    """A landmark is labelled in a slot of another category.

    affects: COCOeval and training count it as one of this item's.
    cause: The category was changed without its landmarks, or the first slot is wrong.
    remedy: Write the landmarks from the category's own first slot.
    """
    marks = part.landmarks
    rows = {own: row for row, own in enumerate(dict.fromkeys(marks.own))}
    is_own = np.zeros((len(rows), max(NUM_LANDMARKS, 1 + marks.slot.max(initial=0))), bool)
    for own, row in rows.items():
        is_own[row, slice(None) if own is None else own] = True
    row_of = np.array([rows[own] for own in marks.own], np.intp)

    def detail(number: int) -> str:
        own = marks.own[marks.item[number]] or range(0)
        return f"landmark {marks.slot[number] + 1}, its own are {own[0] + 1} to {own[-1] + 1}"

    return _first_of(part, (marks.v != 0) & ~is_own[row_of[marks.item], marks.slot], detail)
