"""The categories: their order, names, landmark names and skeletons."""

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

from df2coco.coco.schema import Entry, column
from df2coco.errors import shorten, shown
from df2coco.layouts import own_slots
from df2coco.taxonomy import CATEGORIES, CATEGORY_BY_ID, CATEGORY_BY_NAME, Category, same_name
from df2coco.validator.checks import File, Found, Hit, check, names_of, repeated, same_ids, where


@check("error", about="category")
def category_id_duplicate(file: File) -> Iterable[Found]:
    """Two categories have the same id.

    affects: pycocotools keeps the last one; class names and counts are wrong everywhere.
    cause: Files were merged without renumbering.
    remedy: Give every category its own id.
    """
    ids = file.ids["category"]
    return same_ids("categories", ids, lambda n: shown(file.categories[n], "name"))


@check("warning", about="category")
def category_order(file: File) -> Iterable[Hit]:
    """Categories are not in ascending order of their ids.

    affects: MMDetection numbers labels in file order, Detectron2 in id order.
    cause: Categories were written from an unordered collection.
    remedy: Sort the categories by id.
    """
    pairs = itertools.pairwise(each for each in file.ids["category"] if type(each) is int)
    return (Hit(after, f"comes after {before}") for before, after in pairs if after < before)


@check("note")
def category_id_gaps(file: File) -> Iterable[Hit]:
    """Category ids are not 1, 2, 3, ... without a gap.

    affects: Detectron2 renumbers the classes; results must be given back in the file's ids.
    cause: A subset of categories, or counting from 0.
    remedy: Nothing to do, if that is meant.
    """
    ids = sorted({each for each in file.ids["category"] if type(each) is int})
    if ids and ids != list(range(1, len(ids) + 1)) and not _from_zero(file):
        yield Hit(None, "ids " + ", ".join(map(str, ids[:20])))


@check("error", about="category")
def category_name_duplicate(file: File) -> Iterable[Found]:
    """Two categories have the same name.

    affects: MMDetection gives both the same label: results of one count for the other.
    cause: Files were merged, or names were copied.
    remedy: Give every category its own name.
    """
    names = column(file.categories, "name")
    twice = [name for name in repeated(names) if type(name) is str]
    return ((n, shorten(name)) for n, name in enumerate(names) if name in twice)


@check("note", about="category")
def supercategory_missing(file: File) -> Iterable[Found]:
    """A category has no supercategory.

    affects: sahi before 0.11, MMDetection's browse_coco_json and RF-DETR stop with a KeyError.
    cause: A converter left it out.
    remedy: Add "supercategory", such as the name itself.
    """
    return where(file.categories, lambda e: "supercategory" not in e)


def _from_zero(file: File) -> bool:
    """DeepFashion2's categories, numbered 0 to 12."""
    known = file.garments
    return len(known) > 1 and all(known[key].id == key + 1 for key in known)


@check("warning", garments=True)
def category_numbered_from_0(file: File) -> Iterable[Hit]:
    """DeepFashion2's categories are numbered from 0.

    affects: Results with the dataset's ids 1 to 13 are scored as those of the next category.
    cause: Labels of a framework were written for ids.
    remedy: Add 1 to every category id, in categories and in annotations.
    """
    if _from_zero(file):
        yield Hit(None, f"{len(file.garments)} categories")


def _garment_entries(file: File) -> Iterator[tuple[Entry, Category]]:
    for entry in file.categories:
        category = same_name(entry.get("name"))
        if category is not None and category is file.garments.get(_id(entry)):
            yield entry, category


def _id(entry: Entry) -> Any:
    return entry.get("id") if type(entry.get("id")) is int else None


@check("warning", about="category", garments=True)
def category_renamed(file: File) -> Iterable[Found]:
    """A DeepFashion2 category does not have the name that belongs to its id, letter by letter.

    affects: MMDetection drops or mislabels items of names that its metainfo does not list.
    cause: Names were edited or spelled otherwise, or ids were shuffled.
    remedy: Use the dataset's names and ids 1 to 13 (df2coco metainfo prints them).
    """
    if not file.garments or _from_zero(file):
        return
    for number, entry in enumerate(file.categories):
        name, expected = entry.get("name", ...), CATEGORY_BY_ID.get(_id(entry))
        is_so = expected and same_name(name) is expected and name in CATEGORY_BY_NAME
        if name is not ... and not is_so:
            right = f"expected {expected.name!r}" if expected else "there is no such category"
            yield number, f"{shorten(name)}, {right}"


@check("note", about="category", garments=True)
def category_official_name(file: File) -> Iterable[Hit]:
    """A category has the official converter's name, which is not the dataset's.

    affects: MMDetection drops all items of a category that its metainfo spells differently.
    cause: The file is from the official converter, or from --preset official.
    remedy: Give MMDetection's metainfo the names of this file.
    """
    for entry, category in _garment_entries(file):
        if entry["name"] != category.name and entry["name"] in CATEGORY_BY_NAME:
            yield Hit(entry["id"], f"{shorten(entry['name'])} for {category.name!r}")


@check("warning", about="category", garments=True)
def category_absent(file: File) -> Iterable[Hit]:
    """Some of the 13 DeepFashion2 categories are not listed.

    affects: Frameworks number classes by position: a model of 13 classes does not fit.
    cause: Only categories that occur in a split or a subset were written.
    remedy: List all 13 categories, used or not.
    """
    present = {category.id for category in file.garments.values()}
    # A file of one category is meant so: MMPose trains one model for each.
    some = 1 < len(present) < len(CATEGORIES) and len(present) == len(file.categories)
    return (Hit(c.id, c.name) for c in CATEGORIES if some and c.id not in present)


@check("warning", about="category")
def landmark_name_duplicate(file: File) -> Iterable[Found]:
    """Two landmarks of one category have the same name.

    affects: Detectron2 takes the first for the flip partner: flipped images get wrong landmarks.
    cause: Names are unique within a category only, or were copied.
    remedy: Make names unique over all slots.
    """
    twice = enumerate(repeated(names_of(entry)) for entry in file.categories)
    return ((n, ", ".join(map(shorten, names[:3]))) for n, names in twice if names)


@check("warning", about="category")
def landmark_names_absent(file: File) -> Iterable[Found]:
    """Annotations have keypoints, but their category names none.

    affects: Nothing says how many there are; pycocotools' showAnns stops with a KeyError.
    cause: A converter wrote keypoints and left out categories[].keypoints.
    remedy: Add categories[].keypoints and categories[].skeleton.
    """
    lengths = file.once(_longest)
    return where(file.categories, lambda e: bool(lengths.get(_id(e))) and not names_of(e))


def _longest(file: File) -> dict[Any, int]:
    """Category id -> numbers in the longest `keypoints` of its annotations."""
    result: dict[Any, int] = {}
    for category_id, length in zip(file.columns.category_ids, file.columns.lengths, strict=True):
        result[category_id] = max(length or 0, result.get(category_id, 0))
    return result


@check("warning", about="category")
def skeleton_missing(file: File) -> Iterable[Found]:
    """A category names landmarks but has no skeleton.

    affects: pycocotools' showAnns stops with a KeyError.
    cause: A converter left it out.
    remedy: Add "skeleton": [], or the edges.
    """
    return where(file.categories, lambda e: bool(names_of(e)) and "skeleton" not in e)


def _edges_of(entry: Entry) -> list[list[int]]:
    """The edges of a category's skeleton that are pairs of whole numbers."""
    found = entry.get("skeleton")
    edges = found if type(found) is list else []
    return [e for e in edges if type(e) is list and len(e) == 2 and all(type(n) is int for n in e)]


@check("warning", about="category")
def skeleton_range(file: File) -> Iterable[Found]:
    """A skeleton edge joins landmarks that do not exist (COCO counts them from 1).

    affects: Drawing only: pycocotools' showAnns stops, or draws an edge to the last one for 0.
    cause: Edges were counted from 0, or are of another layout.
    remedy: Count from 1 over the names in categories[].keypoints.
    """
    for number, entry in enumerate(file.categories):
        # Without names, the annotations say how many landmarks there are; without these, nothing does.
        count = len(names_of(entry)) or file.once(_longest).get(_id(entry), 0) // 3
        wrong = [edge for edge in _edges_of(entry) if not {*range(1, count + 1)}.issuperset(edge)]
        if count and wrong:
            yield number, f"{wrong[0]} among {count} landmarks"


@check("warning", about="category", garments=True)
def skeleton_elsewhere(file: File) -> Iterable[Hit]:
    """A skeleton edge joins landmarks that belong to another category.

    affects: pycocotools' showAnns draws few or wrong lines.
    cause: Edges are numbered within the category, but keypoints hold the slots of all categories.
    remedy: Write the numbers of the category's own slots.
    """
    for entry, category in _garment_entries(file):
        count = len(names_of(entry))
        own = {slot + 1 for slot in own_slots(category, count) or ()}
        others = {*range(1, count + 1)} - own
        wrong = [edge for edge in _edges_of(entry) if own and not others.isdisjoint(edge)]
        if wrong:
            yield Hit(entry["id"], f"{wrong[0]}, its landmarks are {min(own)} to {max(own)}")


@check("error", about="category", garments=True)
def landmark_count_unknown(file: File) -> Iterable[Hit]:
    """A garment's category names a number of landmarks that no layout of DeepFashion2 has.

    affects: df2coco evaluate keypoints refuses the file: the landmarks' sigmas are not known.
    cause: Names were left out or added, or the landmarks are of another dataset.
    remedy: Name the category's own landmarks, or the 294 or 81 slots of all.
    """
    for entry, category in _garment_entries(file):
        count = len(names_of(entry))
        if count and own_slots(category, count) is None:
            yield Hit(entry["id"], f"{count}, expected {category.num_landmarks}, 294 or 81")


@check("note")
def landmarks_not_17(file: File) -> Iterable[Hit]:
    """The number of landmarks is not the 17 of COCO's person.

    affects: COCOeval stops without sigmas, guesses areas from results without bbox (wrong AP by
        size), and MMPose's oks_nms deletes neighbours of other categories.
    cause: Only COCO's person has 17.
    remedy: Set kpt_oks_sigmas, put bbox into results, and use nms_mode='none' in MMPose.
    """
    lengths = sorted({len(names_of(entry)) for entry in file.categories} - {0})
    if lengths and lengths != [17] and file.conversion is None:
        yield Hit(None, f"{', '.join(map(str, lengths))} landmarks")
