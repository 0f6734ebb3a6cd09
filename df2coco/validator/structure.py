"""Whether the file, its images and its categories are made as they must be, by the schema of COCO's fields."""

from collections.abc import Iterable, Iterator, Sequence

from df2coco.coco.info import SIZES_UNKNOWN
from df2coco.coco.reader import find_not_finite
from df2coco.coco.schema import DATASET_FIELDS, FIELDS, Entry, Field, column, is_id
from df2coco.errors import shorten
from df2coco.limits import MAX_PIXELS
from df2coco.validator.checks import Found, Hit, check, identify
from df2coco.validator.file import File, where


def misfits(entries: list[Entry], field: str, rule: Field) -> Iterator[Found]:
    """The values of a field that are not what the schema wants: number of the entry, and what it says."""
    values = column(entries, field, ...)
    if rule.all_fit([value for value in values if value is not ...]):
        return  # as nearly always
    for number, value in enumerate(values):
        # NaN and infinity have a finding of their own.
        if value is not ... and not rule.fits(value) and not any(find_not_finite(value)):
            yield number, f"{field} {shorten(value)}"


def _misfits(file: File, name: str, field: str) -> Iterator[Hit]:
    """The same of an image or a category."""
    entries: list[Entry] = file.document[name]
    return _hits(entries, misfits(entries, field, FIELDS[name][field]))


def _hits(entries: list[Entry], found: Iterable[Found]) -> Iterator[Hit]:
    return (Hit(identify(entries[number], number), detail) for number, detail in found)


def _lacking(entries: list[Entry], names: Sequence[str]) -> Iterator[Hit]:
    return where(
        entries,
        lambda e: any(name not in e for name in names),
        lambda e: ", ".join(name for name in names if name not in e),
    )


# ---------------------------------------------------------------- the file


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
    columns = file.columns
    for name, ids in (
        ("images", [entry.get("id") for entry in file.images]),
        ("annotations", columns.ids),
        ("categories", [entry.get("id") for entry in file.categories]),
    ):
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
    if "annotations" not in file.document:
        yield Hit(None)


@check("note")
def no_annotations(file: File) -> Iterable[Hit]:
    """The file has no annotations.

    affects: It can be used to run a model, not to train or evaluate one.
    cause: The file is of a split without annotations.
    remedy: Nothing to do, if that is meant.
    """
    if "annotations" in file.document and not file.columns.ids:
        yield Hit(None)


@check("note")
def info_missing(file: File) -> Iterable[Hit]:
    """The file has no key "info".

    affects: pycocotools 2.0.9 and 2.0.10 stop in loadRes with a KeyError, so that nothing can be
        evaluated.
    cause: A converter left it out.
    remedy: Add "info": {}.
    """
    if "info" not in file.document:
        yield Hit(None)


@check("note")
def licenses_missing(file: File) -> Iterable[Hit]:
    """The file has no key "licenses".

    affects: CVAT refuses to import it.
    cause: A converter left it out.
    remedy: Add "licenses": [].
    """
    if "licenses" not in file.document:
        yield Hit(None)


# ---------------------------------------------------------------- images


@check("error", about="image")
def image_key_missing(file: File) -> Iterable[Hit]:
    """An image has no id, file_name, width or height.

    affects: Detectron2, MMDetection, MMPose and supervision stop with a KeyError.
    cause: A converter did not read the images' sizes.
    remedy: Add the missing keys; sizes are in pixels, after the rotation that EXIF asks for.
    """
    return _lacking(file.images, ("id", "file_name", "width", "height"))


@check("error", about="image")
def image_id_type(file: File) -> Iterable[Hit]:
    """An image id is not a whole number from 0 that fits into 64 bits.

    affects: Results with whole numbers match nothing; hotcoco refuses the file, MMPose stops with a
        TypeError.
    cause: Ids were written as text ("000001"), or are below 0.
    remedy: Write ids as JSON integers, from 1, in images and in annotations.
    """
    return _misfits(file, "images", "id")


@check("error", about="image")
def image_size_type(file: File) -> Iterable[Hit]:
    """A width or height is not a whole number from 1 to 65535, or the image has more than 2^30
    pixels.

    affects: supervision stops with a TypeError; masks cannot be drawn: for a width of 0,
        pycocotools' annToRLE does not return.
    cause: Sizes were written as floats or text, or were never filled in.
    remedy: Write the size in pixels as JSON integers.
    """
    wrong: dict[int, str] = {}
    for field in ("width", "height"):
        for number, detail in misfits(file.images, field, FIELDS["images"][field]):
            wrong[number] = f"{wrong[number]}, {detail}" if number in wrong else detail
    for number, size in enumerate(file.sizes):
        if size is not None and size[0] * size[1] > MAX_PIXELS:
            wrong[number] = f"{size[0]} x {size[1]}"
    return _hits(file.images, sorted(wrong.items()))


# ---------------------------------------------------------------- categories


@check("error", about="category")
def category_key_missing(file: File) -> Iterable[Hit]:
    """A category has no id or no name.

    affects: pycocotools, Detectron2 and MMDetection stop with a KeyError.
    cause: The file was written or edited by hand, or cut.
    remedy: Give every category an id and a name.
    """
    return _lacking(file.categories, ("id", "name"))


@check("error", about="category")
def category_id_type(file: File) -> Iterable[Hit]:
    """A category id is not a whole number from 0 that fits into 64 bits.

    affects: hotcoco refuses the file; results with whole numbers match nothing.
    cause: Ids were written as text, or are below 0.
    remedy: Write ids as JSON integers, in categories and in annotations.
    """
    return _misfits(file, "categories", "id")


@check("error", about="category")
def category_name_type(file: File) -> Iterable[Hit]:
    """A category's name is not text.

    affects: hotcoco refuses the file; Detectron2 and MMDetection have a class without a name.
    cause: The name was never filled in.
    remedy: Give every category a name.
    """
    return _misfits(file, "categories", "name")


@check("error", about="category")
def landmark_names_type(file: File) -> Iterable[Hit]:
    """A category's keypoints are not a list of names.

    affects: Nothing says how many landmarks there are; df2coco refuses the file.
    cause: A number, or numbers, were written for the names.
    remedy: Write a list of texts, one name a landmark.
    """
    return _misfits(file, "categories", "keypoints")


@check("error", about="category")
def skeleton_malformed(file: File) -> Iterable[Hit]:
    """A skeleton is not a list of pairs of whole numbers.

    affects: pycocotools' showAnns stops; df2coco refuses the file.
    cause: Names were written for numbers, or an edge has more than two ends.
    remedy: Write [[1, 2], ...], counted from 1 over the names in categories[].keypoints.
    """
    return _misfits(file, "categories", "skeleton")


@check("error", about="image", garments=True)
def image_attribute_type(file: File) -> Iterable[Hit]:
    """An image's source is not text, or its pair_id is not a whole number.

    affects: df2coco restore refuses the file; retrieval pairs by these.
    cause: Values were written as text, or by another program.
    remedy: Write the dataset's values, or leave the key out.
    """
    wrong = [
        misfit
        for field, rule in DATASET_FIELDS["images"].items()
        for misfit in misfits(file.images if file.garments else [], field, rule)
    ]
    return _hits(file.images, sorted(wrong, key=lambda misfit: misfit[0]))
