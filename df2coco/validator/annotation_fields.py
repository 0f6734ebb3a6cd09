"""Whether the fields of annotations are what they must be, by the schema of COCO's fields."""

from collections.abc import Iterable, Iterator

from df2coco.coco.schema import DATASET_FIELDS, FIELDS
from df2coco.validator.annotations import Annotations
from df2coco.validator.checks import Found, Hit, check
from df2coco.validator.file import File
from df2coco.validator.structure import misfits


def _misfits(part: Annotations, field: str) -> Iterator[Found]:
    return misfits(part.entries, field, FIELDS["annotations"][field])


@check("error", about="annotation")
def annotation_key_missing(file: File) -> Iterable[Hit]:
    """An annotation lacks a key that is needed: id, image_id, category_id, bbox, area, iscrowd.

    affects: Frameworks stop with a KeyError; without iscrowd or area, COCOeval does.
    cause: A converter left it out.
    remedy: Add the key; iscrowd is 0.
    """
    missing = file.columns.missing
    by_all = {"iscrowd"} if len(missing) > 1 and all("iscrowd" in each for each in missing) else ()
    for name in by_all:
        yield Hit(None, f"{name} of all {len(missing):,} annotations: LVIS has none by design")
    for number, names in enumerate(missing):
        if shown := [name for name in names if name not in by_all]:
            yield file.annotation_hit(number, ", ".join(shown))


@check("error")
def annotation_id_type(part: Annotations) -> Iterable[Found]:
    """An annotation's id, image_id or category_id is not a whole number from 0 to 2^63 - 1.

    affects: hotcoco refuses the file; an image_id or category_id of another type is no image's.
    cause: Ids were written as text, or are below 0.
    remedy: Write ids as JSON integers.
    """
    for field in ("id", "image_id", "category_id"):
        for position, detail in _misfits(part, field):
            value = part.column(field)[position]
            # Where an image has just this id, the finding is the image's.
            same = type(value) in (str, int, float) and value in part.header.other_ids
            if field == "id" or not same:
                yield position, detail


@check("error")
def bbox_malformed(part: Annotations) -> Iterable[Found]:
    """bbox is not 4 numbers x, y, width, height.

    affects: Every consumer stops, with an empty list too.
    cause: A converter wrote something else.
    remedy: Write [x, y, width, height] in pixels.
    """
    return _misfits(part, "bbox")


@check("error")
def area_wrong(part: Annotations) -> Iterable[Found]:
    """area is not a number.

    affects: COCOeval stops with a TypeError; df2coco and hotcoco refuse the file.
    cause: It was never computed, or written as text.
    remedy: Write the mask's pixels, or the box's width times height.
    """
    return _misfits(part, "area")


@check("error")
def iscrowd_malformed(part: Annotations) -> Iterable[Found]:
    """iscrowd is not 0 or 1 (or false or true).

    affects: COCOeval stops or counts the item as a crowd; hotcoco and df2coco refuse the file.
    cause: null or text was written where nothing was known.
    remedy: Write 0.
    """
    return _misfits(part, "iscrowd")


@check("error")
def num_keypoints_type(part: Annotations) -> Iterable[Found]:
    """num_keypoints is not a whole number from 0.

    affects: hotcoco and df2coco refuse the file.
    cause: It was written as text or null, or is below 0.
    remedy: Write the number of landmarks with v above 0.
    """
    return _misfits(part, "num_keypoints")


@check("error")
def polygon_malformed(part: Annotations) -> Iterable[Found]:
    """segmentation is not a list of polygons, each an even number of at least 6 numbers.

    affects: pycocotools, torchvision and supervision stop; Detectron2 and MMDetection drop it.
    cause: A polygon that is not in a list of its own, has points as pairs, too few or one number
        too many, or coordinates far outside of any image.
    remedy: Write [[x1, y1, x2, y2, ...], ...], and leave out polygons of fewer than 3 points.
    """
    yield from part.outlines.faults
    for position, entry in enumerate(part.entries):
        if entry.get("segmentation", ...) is None:
            yield position, "segmentation None"


@check("error")
def rle_malformed(part: Annotations) -> Iterable[Found]:
    """An RLE does not fill an image of the annotation's size.

    affects: pycocotools reads or writes beyond the mask.
    cause: size is width x height instead of height x width, or counts are cut.
    remedy: Encode the mask again.
    """
    return part.rle_faults.items()


@check("error")
def keypoints_no_numbers(part: Annotations) -> Iterable[Found]:
    """keypoints hold something that is not a number, or too large a one.

    affects: Every consumer stops.
    cause: null or text was written for a missing landmark.
    remedy: Write 0, 0, 0 for a missing landmark.
    """
    return part.landmarks.faults


@check("error", garments=True)
def attribute_type(part: Annotations) -> Iterable[Found]:
    """An attribute (scale, ..., style, pair_id, float_polygons) is not made of whole numbers.

    affects: df2coco restore refuses the file; evaluation by attribute leaves the item out.
    cause: Values were written as text or names.
    remedy: Write whole numbers, or leave the key out.
    """
    for field, rule in DATASET_FIELDS["annotations"].items() if part.header.garments else ():
        yield from misfits(part.entries, field, rule)
