"""Whether the file and all entries in it are made as they must be, by the schema of COCO's fields."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from df2coco.coco.info import SIZES_UNKNOWN
from df2coco.coco.reader import find_not_finite
from df2coco.coco.schema import DATASET_FIELDS, FIELDS, Entry, column, is_id
from df2coco.errors import shorten
from df2coco.limits import MAX_PIXELS
from df2coco.validator.annotations import Annotations
from df2coco.validator.checks import File, Found, Hit, check


def _misfits(name: str, entries: list[Entry], field: str) -> Iterator[Found]:
    """The values of a field of the list `name` that are not what the schema wants."""
    rule = (FIELDS[name] | DATASET_FIELDS.get(name, {}))[field]
    values = column(entries, field, ...)
    if rule.all_fit([value for value in values if value is not ...]):
        return  # as nearly always
    for number, value in enumerate(values):
        # NaN and infinity have a finding of their own.
        if value is not ... and not rule.fits(value) and not any(find_not_finite(value)):
            yield number, f"{field} {shorten(value)}"


def _lacking(entries: list[Entry], names: Sequence[str]) -> Iterator[Found]:
    lacking = (", ".join(name for name in names if name not in entry) for entry in entries)
    return ((number, detail) for number, detail in enumerate(lacking) if detail)


@check("error")
def not_finite(file: File) -> Iterable[Hit]:
    """A number is NaN or infinite, which is not JSON.

    affects: df2coco, hotcoco, supervision and every strict JSON reader refuse the file; Detectron2
        and MMDetection drop the item.
    cause: A division by zero or a missing value, written by Python's json.
    remedy: Correct the number, or leave its key out.
    """
    return (Hit(None, f"{place}: {number}") for place, number in file.not_finite)


@check("error")
def key_repeated(file: File) -> Iterable[Hit]:
    """A key of the whole file, such as images, is written twice.

    affects: Readers take the last one and drop the first, with no warning; df2coco refuses the file.
    cause: Files were joined as text.
    remedy: Join the two lists, or remove one.
    """
    return (Hit(None, f"{key}: the last one is judged here") for key in file.repeated_keys)


@check("warning")
def number_as_decimal(file: File) -> Iterable[Hit]:
    """A whole number is written with a decimal point (1.0).

    affects: Results get ids such as 1.0; files named after an id become 1.0.jpg; strictly typed
        readers stop.
    cause: pandas turns whole numbers into floats where a column has a gap.
    remedy: Write whole numbers as JSON integers. df2coco reads 1.0 as 1.
    """
    return (Hit(None, f"{field}: {count:,} times") for field, count in sorted(file.decimal.items()))


@check("warning", garments=True)
def sizes_unknown(file: File) -> Iterable[Hit]:
    """width and height of the images were not known when the file was written.

    affects: Frameworks that scale by them train on shifted items; Detectron2 stops with a
        SizeMismatchError.
    cause: df2coco convert found no images, so it wrote the smallest sizes that hold the items.
    remedy: Convert again with the images beside the annotations, or named with --images.
    """
    if file.conversion is not None and not file.conversion.sizes_known:
        yield Hit(None, f"info.df2coco.image_sizes: {SIZES_UNKNOWN}")


@check("note")
def id_large(file: File) -> Iterable[Hit]:
    """An id does not fit into 32 bits.

    affects: Tools that hold ids in 32 bits, such as a database column or an int32 tensor, cut or
        refuse it.
    cause: Ids were made from hashes or time stamps.
    remedy: Number from 1, or make sure that your tools hold ids in 64 bits.
    """
    for name, ids in zip(("images", "annotations", "categories"), file.ids.values(), strict=True):
        large = [each for each in ids if type(each) is int and each >> 31 and is_id(each)]
        if large:
            yield Hit(None, f"{name}: id {large[0]}; {len(large):,} in all")


@check("error")
def annotations_missing(file: File) -> Iterable[Hit]:
    """The file has no key "annotations".

    affects: pycocotools' COCOeval and Detectron2's COCOEvaluator stop with a KeyError, MMPose with
        a ValueError.
    cause: The file is of a split without annotations.
    remedy: Write "annotations": [], and use no evaluator with it.
    """
    return [] if "annotations" in file.document else [Hit(None)]


@check("note")
def no_annotations(file: File) -> Iterable[Hit]:
    """The file has no annotations.

    affects: It can be used to run a model, not to train or evaluate one.
    cause: The file is of a split without annotations.
    remedy: Nothing to do, if that is meant.
    """
    return [] if file.columns.ids or "annotations" not in file.document else [Hit(None)]


@check("note")
def info_missing(file: File) -> Iterable[Hit]:
    """The file has no key "info".

    affects: pycocotools 2.0.9 and 2.0.10 stop in loadRes with a KeyError, so that nothing can be
        evaluated.
    cause: A converter left it out.
    remedy: Add "info": {}.
    """
    return [] if "info" in file.document else [Hit(None)]


@check("note")
def licenses_missing(file: File) -> Iterable[Hit]:
    """The file has no key "licenses".

    affects: CVAT refuses to import it.
    cause: A converter left it out.
    remedy: Add "licenses": [].
    """
    return [] if "licenses" in file.document else [Hit(None)]


@check("error", about="image")
def image_key_missing(file: File) -> Iterable[Found]:
    """An image has no id, file_name, width or height.

    affects: Detectron2, MMDetection, MMPose and supervision stop with a KeyError.
    cause: A converter did not read the images' sizes.
    remedy: Add the missing keys; sizes are in pixels, after the rotation that EXIF asks for.
    """
    return _lacking(file.images, ("id", "file_name", "width", "height"))


@check("error", about="image")
def image_id_type(file: File) -> Iterable[Found]:
    """An image id is not a whole number from 0 that fits into 64 bits.

    affects: Results with whole numbers match nothing; hotcoco refuses the file, MMPose stops with a
        TypeError.
    cause: Ids were written as text ("000001"), or are below 0.
    remedy: Write ids as JSON integers, from 1, in images and in annotations.
    """
    return _misfits("images", file.images, "id")


@check("error", about="image")
def image_size_type(file: File) -> Iterable[Found]:
    """A width or height is not a whole number from 1 to 65535, or the image has more than 2^30
    pixels.

    affects: supervision stops with a TypeError; masks cannot be drawn: for a width of 0,
        pycocotools' annToRLE does not return.
    cause: Sizes were written as floats or text, or were never filled in.
    remedy: Write the size in pixels as JSON integers.
    """
    wrong: dict[int, str] = dict(_misfits("images", file.images, "width"))
    for number, detail in _misfits("images", file.images, "height"):
        wrong[number] = f"{wrong[number]}, {detail}" if number in wrong else detail
    sizes = enumerate(file.sizes)
    large = {n: f"{s[0]} x {s[1]}" for n, s in sizes if s and s[0] * s[1] > MAX_PIXELS}
    return sorted((wrong | large).items())


@check("error", about="category")
def category_key_missing(file: File) -> Iterable[Found]:
    """A category has no id or no name.

    affects: pycocotools, Detectron2 and MMDetection stop with a KeyError.
    cause: The file was written or edited by hand, or cut.
    remedy: Give every category an id and a name.
    """
    return _lacking(file.categories, ("id", "name"))


@check("error", about="category")
def category_id_type(file: File) -> Iterable[Found]:
    """A category id is not a whole number from 0 that fits into 64 bits.

    affects: hotcoco refuses the file; results with whole numbers match nothing.
    cause: Ids were written as text, or are below 0.
    remedy: Write ids as JSON integers, in categories and in annotations.
    """
    return _misfits("categories", file.categories, "id")


@check("error", about="category")
def category_name_type(file: File) -> Iterable[Found]:
    """A category's name is not text.

    affects: hotcoco refuses the file; Detectron2 and MMDetection have a class without a name.
    cause: The name was never filled in.
    remedy: Give every category a name.
    """
    return _misfits("categories", file.categories, "name")


@check("error", about="category")
def landmark_names_type(file: File) -> Iterable[Found]:
    """A category's keypoints are not a list of names.

    affects: Nothing says how many landmarks there are; df2coco refuses the file.
    cause: A number, or numbers, were written for the names.
    remedy: Write a list of texts, one name a landmark.
    """
    return _misfits("categories", file.categories, "keypoints")


@check("error", about="category")
def skeleton_malformed(file: File) -> Iterable[Found]:
    """A skeleton is not a list of pairs of whole numbers.

    affects: pycocotools' showAnns stops; df2coco refuses the file.
    cause: Names were written for numbers, or an edge has more than two ends.
    remedy: Write [[1, 2], ...], counted from 1 over the names in categories[].keypoints.
    """
    return _misfits("categories", file.categories, "skeleton")


@check("error", about="image", garments=True)
def image_attribute_type(file: File) -> Iterable[Found]:
    """An image's source is not text, or its pair_id is not a whole number.

    affects: df2coco restore refuses the file; retrieval pairs by these.
    cause: Values were written as text, or by another program.
    remedy: Write the dataset's values, or leave the key out.
    """
    fields = DATASET_FIELDS["images"] if file.garments else ()
    found = chain.from_iterable(_misfits("images", file.images, field) for field in fields)
    return sorted(found, key=lambda misfit: misfit[0])


@check("error", about="annotation")
def annotation_key_missing(file: File) -> Iterable[Hit | Found]:
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
        if shown := names and [name for name in names if name not in by_all]:
            yield number, ", ".join(shown)


@check("error")
def annotation_id_type(part: Annotations) -> Iterable[Found]:
    """An annotation's id, image_id or category_id is not a whole number from 0 to 2^63 - 1.

    affects: hotcoco refuses the file; an image_id or category_id of another type belongs to nothing.
    cause: Ids were written as text, or are below 0.
    remedy: Write ids as JSON integers.
    """
    for field in ("id", "image_id", "category_id"):
        for position, detail in _misfits("annotations", part.entries, field):
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
    return _misfits("annotations", part.entries, "bbox")


@check("error")
def area_wrong(part: Annotations) -> Iterable[Found]:
    """area is not a number, or is too large.

    affects: COCOeval stops with a TypeError; df2coco and hotcoco refuse the file.
    cause: It was never computed, or was written as text or with hundreds of digits.
    remedy: Write the mask's pixels, or the box's width times height.
    """
    return _misfits("annotations", part.entries, "area")


@check("error")
def iscrowd_malformed(part: Annotations) -> Iterable[Found]:
    """iscrowd is not 0 or 1 (or false or true).

    affects: COCOeval stops or counts the item as a crowd; hotcoco and df2coco refuse the file.
    cause: null or text was written where nothing was known.
    remedy: Write 0.
    """
    return _misfits("annotations", part.entries, "iscrowd")


@check("error")
def num_keypoints_type(part: Annotations) -> Iterable[Found]:
    """num_keypoints is not a whole number from 0.

    affects: hotcoco and df2coco refuse the file.
    cause: It was written as text or null, or is below 0.
    remedy: Write the number of landmarks with v above 0.
    """
    return _misfits("annotations", part.entries, "num_keypoints")


@check("error")
def polygon_malformed(part: Annotations) -> Iterable[Found]:
    """segmentation is not a list of polygons, each an even number of at least 6 numbers.

    affects: pycocotools, torchvision and supervision stop; Detectron2 and MMDetection drop it.
    cause: A polygon that is not in a list of its own, has points as pairs, too few or one number
        too many, or coordinates far outside of any image.
    remedy: Write [[x1, y1, x2, y2, ...], ...], and leave out polygons of fewer than 3 points.
    """
    values = enumerate(column(part.entries, "segmentation", ...))
    nothing = ((position, "segmentation None") for position, value in values if value is None)
    return chain(part.outlines.faults, nothing)


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
    fields = DATASET_FIELDS["annotations"] if part.header.garments else ()
    return chain.from_iterable(_misfits("annotations", part.entries, field) for field in fields)
