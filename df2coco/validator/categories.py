"""Checks of the categories: their order, names, landmark names and skeletons."""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from typing import Any, Final

from df2coco.taxonomy import CATEGORIES, CATEGORY_BY_ID, NUM_LANDMARKS, Category
from df2coco.validator.document import Check, Document, Entry, Hit, garments, identify, is_integer

__all__ = ["CHECKS"]

Hits = Iterable[Hit]


def _where(
    document: Document,
    wrong: Callable[[Entry], bool],
    detail: Callable[[Entry], str] = lambda _: "",
) -> Hits:
    for index, entry in enumerate(document.categories):
        if wrong(entry):
            yield Hit(identify(entry, index), detail(entry))


def names_of(entry: Entry) -> list[Any]:
    """A category's landmark names; [] when it has none."""
    found = entry.get("keypoints")
    return found if type(found) is list else []


def repeated(values: Iterable[Any]) -> list[Any]:
    """The values that occur more than once; what cannot be compared is left out."""
    values = list(values)
    with contextlib.suppress(TypeError):
        if len(set(values)) == len(values):
            return []
    counts = Counter(value for value in values if isinstance(value, Hashable))
    return [value for value, count in counts.items() if count > 1]


def _key_missing(document: Document) -> Hits:
    return _where(
        document,
        lambda e: not e.keys() >= {"id", "name"},
        lambda e: ", ".join(sorted({"id", "name"} - e.keys())),
    )


def _id_type(document: Document) -> Hits:
    return _where(
        document, lambda e: "id" in e and not is_integer(e["id"]), lambda e: f"id {e['id']!r}"
    )


def _id_duplicate(document: Document) -> Hits:
    return (Hit(each) for each in repeated(e["id"] for e in document.categories if "id" in e))


def _integer_ids(document: Document) -> list[int]:
    return [e["id"] for e in document.categories if is_integer(e.get("id"))]


def _order(document: Document) -> Hits:
    ids = _integer_ids(document)
    for before, after in itertools.pairwise(ids):
        if after < before:
            yield Hit(after, f"stands after {before}")


def _gaps(document: Document) -> Hits:
    ids = sorted(set(_integer_ids(document)))
    if ids and ids != list(range(1, len(ids) + 1)):
        yield Hit(None, "ids " + ", ".join(map(str, ids[:20])))


def _name_duplicate(document: Document) -> Hits:
    names = repeated(e["name"] for e in document.categories if "name" in e)
    return _where(document, lambda e: e.get("name") in names, lambda e: repr(e["name"]))


def _renamed(document: Document) -> Hits:
    known = {id(entry): category for entry, category in garments(document)}
    if not known:
        return
    for index, entry in enumerate(document.categories):
        expected = CATEGORY_BY_ID.get(entry["id"]) if is_integer(entry.get("id")) else None
        if "name" in entry and expected is not known.get(id(entry), ...):
            told = (
                f"expected {expected.name!r}" if expected else "DeepFashion2 has no such category"
            )
            yield Hit(identify(entry, index), f"{entry['name']!r}, {told}")


def _official_names(document: Document) -> Hits:
    for entry, category in garments(document):
        if entry["name"] != category.name:
            yield Hit(identify(entry, 0), f"{entry['name']!r} for {category.name!r}")


def _incomplete(document: Document) -> Hits:
    present = {category.id for _, category in garments(document)}
    # A file of one category is meant so: MMPose trains one model for each.
    if 1 < len(present) < len(CATEGORIES) and len(present) == len(document.categories):
        for category in CATEGORIES:
            if category.id not in present:
                yield Hit(category.id, category.name)


def _keypoint_name_duplicate(document: Document) -> Hits:
    return _where(
        document,
        lambda e: bool(repeated(names_of(e))),
        lambda e: ", ".join(repr(name) for name in repeated(names_of(e))[:3]),
    )


_PERSON: Final = frozenset(
    ("nose", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_hip", "right_hip")
)  # fmt: skip


def _person_names(document: Document) -> Hits:
    if not garments(document):
        return ()
    return _where(
        document,
        lambda e: not _PERSON.isdisjoint(n for n in names_of(e) if type(n) is str),
        lambda e: ", ".join(sorted(n for n in names_of(e) if n in _PERSON)),
    )


def _names_missing(document: Document) -> Hits:
    with_keypoints = {
        each
        for each, keypoints in zip(
            document.column("category_id"), document.column("keypoints"), strict=True
        )
        if keypoints and is_integer(each)
    }
    return _where(
        document,
        lambda e: is_integer(e.get("id")) and e["id"] in with_keypoints and not names_of(e),
    )


def _skeleton_missing(document: Document) -> Hits:
    return _where(document, lambda e: bool(names_of(e)) and "skeleton" not in e)


def edges_of(entry: Entry) -> list[Any]:
    """A category's skeleton; [] when it has none."""
    found = entry.get("skeleton")
    return found if type(found) is list else []


def _is_edge(edge: Any, slots: range) -> bool:
    return (
        type(edge) is list
        and len(edge) == 2
        and all(is_integer(number) and number in slots for number in edge)
    )


def _skeleton_range(document: Document) -> Hits:
    for index, entry in enumerate(document.categories):
        slots = range(1, len(names_of(entry)) + 1)
        wrong = [edge for edge in edges_of(entry) if not _is_edge(edge, slots)]
        if wrong or ("skeleton" in entry and type(entry["skeleton"]) is not list):
            detail = f"{wrong[0]} among {len(slots)} landmarks" if wrong else "not a list"
            yield Hit(identify(entry, index), detail)


def own_slots(entry: Entry, category: Category) -> range | None:
    """A garment's own slots (from 0) among those its entry names, where the layout is known."""
    layouts = {NUM_LANDMARKS: category.slots, category.num_landmarks: range(category.num_landmarks)}
    return layouts.get(len(names_of(entry)))


def _skeleton_elsewhere(document: Document) -> Hits:
    for entry, category in garments(document):
        slots = own_slots(entry, category)
        every = range(1, len(names_of(entry)) + 1)
        if slots is None:
            continue
        own = range(slots.start + 1, slots.stop + 1)
        for edge in edges_of(entry):
            if _is_edge(edge, every) and not _is_edge(edge, own):
                yield Hit(identify(entry, 0), f"{edge}, its landmarks are {own[0]} to {own[-1]}")
                break


def _lengths(document: Document) -> list[int]:
    return sorted({len(names_of(entry)) for entry in document.categories} - {0})


def _mixed_lengths(document: Document) -> Hits:
    lengths = _lengths(document)
    if len(lengths) > 1:
        yield Hit(None, f"{lengths[0]} to {lengths[-1]} landmarks a category")


def _not_17(document: Document) -> Hits:
    lengths = _lengths(document)
    if lengths and lengths != [17]:
        yield Hit(None, f"{', '.join(map(str, lengths))} landmarks")


CHECKS: Final = (
    Check(
        "category-key-missing",
        "error",
        "category",
        "A category has no id or no name.",
        "pycocotools, Detectron2 and MMDetection stop with a KeyError.",
        "The file was written or edited by hand, or cut.",
        "Give every category an id and a name.",
        _key_missing,
        whole=True,
    ),
    Check(
        "category-id-type",
        "error",
        "category",
        "A category id is no integer.",
        "No annotation refers to it: COCOeval and Detectron2 compare with integers.",
        "Ids were written as text or as 1.0.",
        "Write ids as JSON integers.",
        _id_type,
        whole=True,
    ),
    Check(
        "category-id-duplicate",
        "error",
        "category",
        "Two categories have the same id.",
        "pycocotools keeps the last one; class names and counts are wrong everywhere.",
        "Files were merged without renumbering.",
        "Give every category its own id.",
        _id_duplicate,
        whole=True,
    ),
    Check(
        "category-order",
        "error",
        "category",
        "Categories do not stand in ascending order of their ids.",
        "MMDetection numbers labels in file order, Detectron2 in id order: labels are permuted silently.",
        "Categories were written from an unordered collection.",
        "Sort the categories by id.",
        _order,
        whole=True,
    ),
    Check(
        "category-id-gaps",
        "note",
        "file",
        "Category ids are not 1, 2, 3, ... without a gap.",
        "Detectron2 warns and renumbers the classes; results must be given back in the file's ids.",
        "A subset of categories, or counting from 0.",
        "Nothing, if that is meant.",
        _gaps,
        whole=True,
    ),
    Check(
        "category-name-duplicate",
        "error",
        "category",
        "Two categories have the same name.",
        "MMDetection finds categories by name and gives both the same label.",
        "Files were merged, or names were copied.",
        "Give every category its own name.",
        _name_duplicate,
        whole=True,
    ),
    Check(
        "category-renamed",
        "warning",
        "category",
        "A DeepFashion2 category does not have the name that belongs to its id.",
        "MMDetection keeps only names that its metainfo lists, and drops or mislabels the others silently.",
        "Names were edited, or ids were shuffled.",
        "Use the dataset's names and ids 1 to 13 (df2coco metainfo prints them).",
        _renamed,
        whole=True,
    ),
    Check(
        "category-official-name",
        "note",
        "category",
        "A category has the official converter's name, which is not the dataset's.",
        "MMDetection drops all items of a category that its metainfo spells differently.",
        "The file is from the official converter, or from --preset official.",
        "Give MMDetection's metainfo the names as they stand in this file.",
        _official_names,
        whole=True,
    ),
    Check(
        "category-absent",
        "warning",
        "category",
        "Some of the 13 DeepFashion2 categories are not listed.",
        "Frameworks number classes by position: a model of 13 classes does not fit, labels shift.",
        "Only categories that occur in a split or a subset were written.",
        "List all 13 categories, used or not.",
        _incomplete,
        whole=True,
    ),
    Check(
        "landmark-name-duplicate",
        "error",
        "category",
        "A landmark name stands twice in one category.",
        "Detectron2 finds the flip partner by name and takes the first: flipped images get wrong landmarks.",
        "Names are unique within a category only, or were copied.",
        "Make names unique over all slots.",
        _keypoint_name_duplicate,
        whole=True,
    ),
    Check(
        "landmark-name-person",
        "note",
        "category",
        "A landmark has the name of a person's keypoint.",
        "Detectron2's visualizer draws a person's spine and shoulders between such names.",
        "Names were taken from COCO's person.",
        "Use other names, such as short_sleeve_top_1.",
        _person_names,
        whole=True,
    ),
    Check(
        "landmark-names-absent",
        "warning",
        "category",
        "Annotations have keypoints, but their category names none.",
        "Nothing tells how many there are; pycocotools' showAnns stops with a KeyError.",
        "A converter wrote keypoints and left out categories[].keypoints.",
        "Add categories[].keypoints and categories[].skeleton.",
        _names_missing,
        whole=True,
    ),
    Check(
        "skeleton-missing",
        "warning",
        "category",
        "A category names landmarks but has no skeleton.",
        "pycocotools' showAnns stops with a KeyError.",
        "A converter left it out.",
        'Add "skeleton": [], or the edges.',
        _skeleton_missing,
        whole=True,
    ),
    Check(
        "skeleton-range",
        "error",
        "category",
        "A skeleton edge joins landmarks that do not exist (COCO counts them from 1).",
        "pycocotools' showAnns stops with an IndexError, or 0 draws to the last landmark.",
        "Edges were counted from 0, or are of another layout.",
        "Count from 1 over the names in categories[].keypoints.",
        _skeleton_range,
        whole=True,
    ),
    Check(
        "skeleton-elsewhere",
        "warning",
        "category",
        "A skeleton edge joins landmarks that belong to another category.",
        "pycocotools' showAnns draws few or wrong lines.",
        "Edges are numbered within the category, but keypoints hold all 294 slots.",
        "Add the category's first slot to both numbers.",
        _skeleton_elsewhere,
        whole=True,
    ),
    Check(
        "landmark-counts-differ",
        "note",
        "file",
        "Categories have different numbers of landmarks.",
        "Detectron2 and MMPose need one length for all; COCOeval must be run one category at a time.",
        "The file was written with --layout category.",
        "Use --layout unified to train on all categories at once.",
        _mixed_lengths,
        whole=True,
    ),
    Check(
        "landmarks-not-17",
        "note",
        "file",
        "The number of landmarks is not the 17 of COCO's person.",
        "COCOeval stops without sigmas, guesses areas from results without bbox (wrong AP by size), "
        "and MMPose's oks_nms deletes neighbours of other categories.",
        "That is how DeepFashion2 is.",
        "Evaluate with df2coco evaluate keypoints; or set kpt_oks_sigmas, put bbox into results, "
        "and nms_mode='none' in MMPose (see df2coco metainfo).",
        _not_17,
        whole=True,
    ),
)  # fmt: skip
