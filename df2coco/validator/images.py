"""The list of images, and how annotations are spread over them."""

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from df2coco.coco.schema import FIELDS, column, is_address, is_outside
from df2coco.errors import shorten, shown
from df2coco.validator.checks import Hit, check, identify
from df2coco.validator.file import File, repeated, same_ids, where


@check("error", about="image")
def image_id_duplicate(file: File) -> Iterable[Hit]:
    """Two images have the same id.

    affects: pycocotools keeps the last one, and gives it the items of both; df2coco restore refuses
        the file.
    cause: Splits were merged whose numbers repeat.
    remedy: Number one of the splits anew, in images and annotations.
    """
    ids = [entry.get("id") for entry in file.images]
    return same_ids("images", ids, lambda n: shown(file.images[n], "file_name"))


@check("warning", about="image")
def file_name_duplicate(file: File) -> Iterable[Hit]:
    """Two images have the same file_name.

    affects: Both ids show one picture, and the items of one of them do not fit it.
    cause: Splits were merged whose names repeat.
    remedy: Put the split's folder into file_name.
    """
    twice = set(repeated(name for name in file.once(_names) if name))
    return _named(file, twice.__contains__) if twice else ()


def _names(file: File) -> list[str]:
    """Of each image; "" where it is not text."""
    return [name if type(name) is str else "" for name in column(file.images, "file_name")]


def _named(
    file: File, wrong: Callable[[str], bool], shown: Callable[[str], str] = shorten
) -> Iterator[Hit]:
    """A hit for each image whose name is wrong."""
    for number, name in enumerate(file.once(_names)):
        if wrong(name):
            yield Hit(identify(file.images[number], number), shown(name))


@check("error", about="image")
def file_name_outside(file: File) -> Iterable[Hit]:
    """A file_name is not a path inside the image folder.

    affects: supervision refuses the file; on another machine no loader finds the image.
    cause: An absolute path, or one with .., was written.
    remedy: Write names relative to the image folder.
    """
    fits = FIELDS["images"]["file_name"].fits
    return where(
        file.images,
        lambda e: "file_name" in e and (not fits(e["file_name"]) or is_outside(e["file_name"])),
        lambda e: shorten(e["file_name"]),
    )


@check("error", about="image")
def file_name_address(file: File) -> Iterable[Hit]:
    """A file_name is an address, not a file.

    affects: Every loader looks for a file of that name in the image folder, and stops.
    cause: An annotation tool wrote where the picture lies in the network.
    remedy: Download the pictures, and write their names relative to the image folder.
    """
    return _named(file, is_address)


@check("warning", about="image")
def file_name_backslash(file: File) -> Iterable[Hit]:
    """A file_name has backslashes.

    affects: Only Windows takes them for folders; elsewhere no loader finds the image.
    cause: The file was written on Windows.
    remedy: Write / for folders.
    """
    return _named(file, lambda name: "\\" in name and not is_outside(name))


@check("note", about="image")
def file_name_unicode(file: File) -> Iterable[Hit]:
    """A file_name holds letters that are written as two characters (not in Unicode's form NFC).

    affects: On Linux a picture is only found by a name in the same form; most programs write NFC.
    cause: The names were listed on a Mac.
    remedy: Write file_name exactly as the files are named; NFC for both is safest.
    """
    return _named(file, lambda name: not unicodedata.is_normalized("NFC", name), ascii)


@check("note", about="image")
def image_without_annotations(file: File) -> Iterable[Hit]:
    """An image has no annotation.

    affects: Detectron2 leaves it out of training; MMDetection keeps it unless filter_empty_gt is
        set.
    cause: Its items were left out, or it has none.
    remedy: Nothing to do, if that is meant.
    """
    used = set(file.columns.image_ids)
    return where(
        file.images, lambda e: type(e.get("id")) is int and e["id"] not in used, lambda _: ""
    )


# ---------------------------------------------------------------- annotations over images


@check("error", about="annotation")
def annotation_id_duplicate(file: File) -> Iterable[Hit]:
    """Two annotations have the same id.

    affects: Detectron2 and MMDetection stop; pycocotools keeps one of them and lowers AP silently.
    cause: Files were merged, or ids restart in every image.
    remedy: Number the annotations from 1 through the file.
    """
    columns = file.columns
    ids = [each if type(each) is int else None for each in columns.ids]
    return same_ids("annotations", ids, lambda n: f"of image {columns.image_ids[n]}")


_MOST_ITEMS: Final = 100
_MOST_LANDMARKS: Final = 20
"""COCOeval's maxDets."""


@check("warning", about="image")
def items_too_many(file: File) -> Iterable[Hit]:
    """An image has more items of a category than COCOeval looks at: 100, or 20 with landmarks.

    affects: COCOeval leaves the others unmatched: ground truth scored against itself is below AP 1.
    cause: A crowded picture, or files that were merged.
    remedy: Set COCOeval's params.maxDets higher, for all that are compared. The file may stay as
        it is.
    """
    columns = file.columns
    every = Counter(zip(columns.image_ids, columns.category_ids, strict=True))
    if max(every.values(), default=0) <= min(_MOST_ITEMS, _MOST_LANDMARKS):
        return  # as nearly always
    for chosen, most, what in (
        (columns.counted, _MOST_ITEMS, "items"),
        (columns.labelled, _MOST_LANDMARKS, "items with landmarks"),
    ):
        pairs = zip(columns.image_ids, columns.category_ids, chosen, columns.counted, strict=True)
        counts = Counter((i, c) for i, c, is_chosen, counted in pairs if is_chosen and counted)
        for (image_id, category_id), count in counts.items():
            if count > most and image_id is not None:
                yield Hit(image_id, f"{count} {what} of category {category_id}")


@check("warning")
def crowds_only(file: File) -> Iterable[Hit]:
    """Every item of the file, or of a category with several, is a crowd.

    affects: All frameworks drop all of them; COCOeval has no score for them (-1).
    cause: Masks were exported as RLEs with iscrowd 1, as CVAT does with brush masks.
    remedy: Write iscrowd 0 for single items.
    """
    columns = file.columns
    if file.garments or all(columns.counted):
        return  # DeepFashion2 has no crowds: `iscrowd-set`
    counts = Counter(columns.category_ids)
    single = Counter(
        c for c, counted in zip(columns.category_ids, columns.counted, strict=True) if counted
    )
    if not single:
        yield Hit(None, f"all {len(columns.ids):,} annotations")
    for category_id, count in counts.items() if single else ():
        if count > 1 and not single[category_id]:
            yield Hit(category_id, f"all {count:,} annotations", "category")


@check("error", about="annotation")
def segmentation_missing(file: File) -> Iterable[Hit]:
    """An annotation has no segmentation, though others have.

    affects: MMDetection stops with a KeyError, so does Detectron2; or the masks of its whole image
        vanish.
    cause: A converter left it out.
    remedy: Add it, or remove the annotation.
    """
    masks = file.columns.masks
    return _without(file, 0) if any(masks) else iter(())


@check("error", about="annotation")
def segmentation_empty(file: File) -> Iterable[Hit]:
    """segmentation is an empty list, though others are not.

    affects: pycocotools stops with an IndexError, MMDetection and Detectron2 with a KeyError.
    cause: All polygons of the item were dropped.
    remedy: Remove the annotation, or give it a polygon.
    """
    return _without(file, 1) if 2 in file.columns.masks else iter(())


def _without(file: File, kind: int) -> Iterator[Hit]:
    return (file.annotation_hit(n) for n, mask in enumerate(file.columns.masks) if mask == kind)


@check("note")
def no_segmentations(file: File) -> Iterable[Hit]:
    """No annotation has a segmentation.

    affects: The file is of no use for masks.
    cause: It was made for detection: "segmentation": [] is how many tools write a box.
    remedy: Nothing to do, if that is meant.
    """
    if file.columns.masks and 2 not in file.columns.masks:
        yield Hit(None)
