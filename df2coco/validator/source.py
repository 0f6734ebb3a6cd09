"""The round trip (--against): is what the file holds what the dataset says, no more and no less?"""

from collections.abc import Iterable
from functools import partial

from df2coco.validator.checks import check
from df2coco.validator.comparison import compare
from df2coco.validator.file import File
from df2coco.validator.hits import Hit

source_check = partial(check, needs="source", garments=True)


@source_check("error", about="image")
def source_image_missing(file: File) -> Iterable[Hit]:
    """An image of the source is not in the file.

    affects: It is missing from training and evaluation.
    cause: The file is a subset that does not say so, or the conversion was not finished.
    remedy: Convert again.
    """
    return file.once(compare).missing_images


@source_check("error", about="image")
def source_image_extra(file: File) -> Iterable[Hit]:
    """An image of the file is not in the source, or its annotation file cannot be used.

    affects: It does not belong to this split.
    cause: Another split, or files were merged.
    remedy: Name the source that was converted.
    """
    return file.once(compare).extra_images


@source_check("error", about="image")
def source_item_missing(file: File) -> Iterable[Hit]:
    """An item of the source is not in the file.

    affects: It is missing from training, and a detection of it counts as a false alarm.
    cause: It was dropped or removed.
    remedy: Convert again.
    """
    return file.once(compare).missing_items


@source_check("error", about="annotation")
def source_item_extra(file: File) -> Iterable[Hit]:
    """An item of the file is not in the source.

    affects: A detector that does not find it counts as wrong.
    cause: It was added, or belongs to another image.
    remedy: Convert again.
    """
    return file.once(compare).extra_items


@source_check("error", about="annotation")
def source_value(file: File) -> Iterable[Hit]:
    """A value of the file is not the source's.

    affects: All consumers take the wrong value.
    cause: The file was changed, or its converter has a mistake.
    remedy: Convert again.
    """
    return file.once(compare).differences


@source_check("note")
def source_field_absent(file: File) -> Iterable[Hit]:
    """A field of the source is nowhere in the file, so it was not compared.

    affects: What needs it cannot be computed: evaluation by attribute, retrieval.
    cause: The official converter leaves it out.
    remedy: Convert without --preset official.
    """
    return file.once(compare).absent


@source_check("note")
def source_unusable(file: File) -> Iterable[Hit]:
    """The source has a file or an item that cannot be used, so it is not expected.

    affects: It is missing from training and evaluation.
    cause: The source is damaged; the file was written with --on-error skip.
    remedy: Download the source again.
    """
    return file.once(compare).unusable


@source_check("warning")
def source_image_without_annotations(file: File) -> Iterable[Hit]:
    """An image of the source has no annotation file.

    affects: It is missing from training and evaluation.
    cause: The archive was not unpacked to its end, or the annotations are a subset.
    remedy: Unpack the archive again and convert again; nothing, if a subset is meant.
    """
    for name in file.source.unannotated if file.source is not None else ():
        yield Hit(name)
