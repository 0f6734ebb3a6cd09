"""The list of images, and how annotations are spread over them."""

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import compress
from typing import Any, Final

from df2coco.boxes import from_corners, ious
from df2coco.coco.schema import FIELDS, column, is_address, is_id, is_outside
from df2coco.errors import shorten, shown
from df2coco.lazy_numpy import np
from df2coco.parser.photo_fit import judge_photos
from df2coco.validator.checks import File, Found, Hit, check, repeated, same_ids, where


@check("error", about="image")
def image_id_duplicate(file: File) -> Iterable[Found]:
    """Two images have the same id.

    affects: pycocotools gives the last one the items of both; df2coco restore refuses the file.
    cause: Splits were merged whose numbers repeat.
    remedy: Number one of the splits anew, in images and annotations.
    """
    return same_ids("images", file.ids["image"], lambda n: shown(file.images[n], "file_name"))


@check("warning", about="image")
def file_name_duplicate(file: File) -> Iterable[Found]:
    """Two images have the same file_name.

    affects: Both ids show one picture, and the items of one of them do not fit it.
    cause: Splits were merged whose names repeat.
    remedy: Put the split's folder into file_name.
    """
    twice = {name for name in repeated(column(file.images, "file_name")) if name}
    return _named(file, twice.__contains__) if twice else ()


def _named(
    file: File, wrong: Callable[[str], bool], detail: Callable[[str], str] = shorten
) -> Iterator[Found]:
    """The images whose name is text, and wrong."""
    names = enumerate(column(file.images, "file_name"))
    return ((n, detail(name)) for n, name in names if type(name) is str and wrong(name))


@check("error", about="image")
def file_name_outside(file: File) -> Iterable[Found]:
    """A file_name is not a path inside the image folder.

    affects: supervision refuses the file; on another machine no loader finds the image.
    cause: An absolute path, one with .., or no name of a file (image/) was written.
    remedy: Write the names of files, relative to the image folder.
    """
    names, rule = column(file.images, "file_name", ...), FIELDS["images"]["file_name"]
    fit = rule.all_fit([name for name in names if name is not ...])  # as nearly always
    for number, name in enumerate(names):
        if name is not ... and (is_outside(name) or not (fit or rule.fits(name))):
            yield number, shorten(name)


@check("error", about="image")
def file_name_address(file: File) -> Iterable[Found]:
    """A file_name is an address, not a file.

    affects: Every loader looks for a file of that name in the image folder, and stops.
    cause: An annotation tool wrote where the picture lies in the network.
    remedy: Download the pictures, and write their names relative to the image folder.
    """
    return _named(file, is_address)


@check("warning", about="image")
def file_name_backslash(file: File) -> Iterable[Found]:
    """A file_name has backslashes.

    affects: Only Windows takes them for folders; elsewhere no loader finds the image.
    cause: The file was written on Windows.
    remedy: Write / for folders.
    """
    return _named(file, lambda name: "\\" in name and not is_outside(name))


@check("note", about="image")
def file_name_unicode(file: File) -> Iterable[Found]:
    """A file_name holds letters that are written as two characters (not in Unicode's form NFC).

    affects: On Linux a picture is only found by a name in the same form; most programs write NFC.
    cause: The names were listed on a Mac.
    remedy: Write file_name exactly as the files are named; NFC for both is safest.
    """
    return _named(file, lambda name: not unicodedata.is_normalized("NFC", name), ascii)


@check("note", about="image")
def image_without_annotations(file: File) -> Iterable[Found]:
    """An image has no annotation.

    affects: Detectron2 leaves it out of training; MMDetection keeps it without filter_empty_gt.
    cause: Its items were left out, or it has none.
    remedy: Nothing to do, if that is meant.
    """
    unused = file.header.sizes.keys() - {*file.columns.image_ids}
    return where(file.images, lambda e: is_id(e.get("id")) and e["id"] in unused)


_PIXEL: Final = 1.01
_SAME: Final = 0.9
"""Boxes of one item have at least this IoU: of tiny items a pixel is much."""
_ROUNDED: Final = 0.01
"""By so much of their sum the coordinates of one item may differ."""
_NEXT: Final = 100
"""Items are compared with so many others: more begin within a pixel in no real file."""

_NEAR: Final = 0.02
_FEWEST_NEAR: Final = 5
_FAR: Final = 0.75
"""In any dataset in which items of so many images come so near to the left and the upper border, one
reaches further than this to the right or down."""


@check("error", about="annotation")
def annotation_id_duplicate(file: File) -> Iterable[Found]:
    """Two annotations have the same id.

    affects: Detectron2 and MMDetection stop; pycocotools keeps one of them and lowers AP silently.
    cause: Files were merged, or ids restart in every image.
    remedy: Number the annotations from 1 through the file.
    """
    ids = [each if type(each) is int else None for each in file.columns.ids]
    return same_ids("annotations", ids, lambda n: f"of image {file.columns.image_ids[n]}")


@check("warning", about="image")
def items_too_many(file: File) -> Iterable[Hit]:
    """An image has more items of a category than COCOeval looks at: 100, or 20 with landmarks.

    affects: COCOeval leaves the others unmatched: even the annotations as results are below AP 1.
    cause: A crowded picture, or files that were merged.
    remedy: Set COCOeval's params.maxDets higher for all that are compared; the file may stay.
    """
    columns = file.columns
    pairs = [*zip(columns.image_ids, columns.category_ids, strict=True)]
    labelled = map(all, zip(columns.counted, columns.labelled, strict=True))
    limits = (columns.counted, 100, "items"), (labelled, 20, "items with landmarks")
    for chosen, most, what in limits:  # COCOeval's maxDets
        for (image_id, category_id), count in Counter(compress(pairs, chosen)).items():
            if count > most and image_id is not None:
                yield Hit(image_id, f"{count} {what} of category {category_id}")


@check("warning")
def crowds_only(file: File) -> Iterable[Hit]:
    """Every item of the file, or of a category with several, is a crowd.

    affects: All frameworks drop all of them; COCOeval has no score for them (-1).
    cause: Masks were exported as RLEs with iscrowd 1, as CVAT does with brush masks.
    remedy: Write iscrowd 0 for single items.
    """
    ids = file.columns.category_ids
    single = {*compress(ids, file.columns.counted)}
    if file.garments or not ids:
        return  # DeepFashion2 has no crowds: `iscrowd-set`
    if not single:
        yield Hit(None, f"all {len(ids):,} annotations")
    for category_id, count in Counter(ids).items() if single else ():
        if count > 1 and category_id not in single:
            yield Hit(category_id, f"all {count:,} annotations", "category")


@check("warning", about="annotation")
def item_repeated(file: File) -> Iterable[Found]:
    """The same item is there twice: image and category are equal, box, mask and landmarks nearly so.

    affects: A detector finds it once, so that AP stays below 1; counts are wrong.
    cause: Files with the same images were merged, or an item was labelled or written twice.
    remedy: Remove one of the two.
    """
    columns, boxes = file.columns, file.numbers("boxes", 4)
    corners, sums = np.hstack([boxes, file.numbers("masks", 4)]), file.numbers("sums", 3)
    # An id that is not a number may be that of any image: such an item is like no other.
    pairs = enumerate(zip(columns.image_ids, columns.category_ids, strict=True))
    groups: dict[Any, int] = {}
    group = np.array([groups.setdefault(n if None in p else p, len(groups)) for n, p in pairs], int)
    order = np.lexsort((boxes[:, 0], group))
    first: dict[int, int] = {}
    for step in range(1, _NEXT):
        one, other = order[:-step], order[step:]
        near = (boxes[other, 0] - boxes[one, 0] <= _PIXEL) & (group[one] == group[other])
        if not near.any():
            break
        one, other = one[near], other[near]
        apart = np.nan_to_num(np.abs(corners[one] - corners[other]), nan=np.inf)
        apart[np.isnan(corners[one]) & np.isnan(corners[other])] = 0
        same = (apart <= _PIXEL).all(axis=1)
        same &= ious(from_corners(boxes[one].T), from_corners(boxes[other].T)) >= _SAME
        slack = np.maximum(np.abs(sums[one]), 1) * [_ROUNDED, _ROUNDED, 0]
        same &= (np.abs(sums[one] - sums[other]) <= slack).all(axis=1)
        for pair in zip(one[same].tolist(), other[same].tolist(), strict=True):
            first[max(pair)] = min(*pair, first.get(max(pair), min(pair)))
    for number, before in sorted(first.items()):
        nearly = "" if (boxes[number] == boxes[before]).all() else "nearly "
        yield number, f"{nearly}the same as annotation {columns.ids[before]}"


@check("warning")
def sizes_too_large(file: File) -> Iterable[Hit]:
    """In none of the images an item comes near the right or the lower border.

    affects: Boxes, masks and landmarks are not where the items are seen: every score is near 0.
    cause: Photos were enlarged after the annotations were made, or coordinates were made smaller.
    remedy: Use the original photos and the annotations that were made on them.
    """
    ids = file.columns.image_ids
    sizes = [file.header.sizes.get(each) or (np.nan, np.nan) for each in ids]
    shares = file.numbers("boxes", 4) / np.tile(np.reshape(sizes, (-1, 2)), 2)
    reaches: dict[Any, float] = {}
    for image_id, reach in zip(ids, shares[:, 2:].max(axis=1).tolist(), strict=True):
        if reach == reach:
            reaches[image_id] = max(reach, reaches.get(image_id, 0))
    furthest = max(reaches.values(), default=2)
    if furthest > 1:
        return  # items that leave their images have another finding
    if file.garments:
        notice = judge_photos([*reaches.values()])
        if notice is not None:
            yield Hit(None, notice.text)
    elif furthest <= _FAR:
        near = min(len({ids[n] for n in np.flatnonzero(side <= _NEAR)}) for side in shares.T[:2])
        if near >= _FEWEST_NEAR:
            text = f"in none of {len(reaches):,} images an item reaches beyond {furthest:.0%}"
            yield Hit(None, f"{text}, in {near:,} or more to the left and to the upper border")


@check("error", about="annotation")
def segmentation_missing(file: File) -> Iterable[Found]:
    """An annotation has no segmentation, though others have.

    affects: MMDetection and Detectron2 stop, or the masks of its whole image vanish.
    cause: A converter left it out.
    remedy: Add it, or remove the annotation.
    """
    return _of_kind(file, 0) if any(file.columns.segmentations) else ()


@check("error", about="annotation")
def segmentation_empty(file: File) -> Iterable[Found]:
    """segmentation is an empty list, though others are not.

    affects: pycocotools stops with an IndexError, MMDetection and Detectron2 with a KeyError.
    cause: All polygons of the item were dropped.
    remedy: Remove the annotation, or give it a polygon.
    """
    return _of_kind(file, 1) if 2 in file.columns.segmentations else ()


def _of_kind(file: File, kind: int) -> Iterator[Found]:
    return ((n, "") for n, each in enumerate(file.columns.segmentations) if each == kind)


@check("note")
def no_segmentations(file: File) -> Iterable[Hit]:
    """No annotation has a segmentation.

    affects: The file is of no use for masks.
    cause: It was made for detection: "segmentation": [] is how many tools write a box.
    remedy: Nothing to do, if that is meant.
    """
    if file.columns.ids and 2 not in file.columns.segmentations:
        yield Hit(None)
