"""What a file should hold, worked out from the parser's records alone, and how an entry differs.

Nothing is shared with the converter, which writes files, so that a mistake there is found.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from df2coco.boxes import from_corners
from df2coco.coco.info import Condition, Conversion
from df2coco.coco.schema import Entry
from df2coco.errors import shorten
from df2coco.layouts import NUM_AGGREGATED, own_slots
from df2coco.parser.records import ImageRecord, Item
from df2coco.taxonomy import ATTRIBUTES, CATEGORIES, NUM_LANDMARKS
from df2coco.validator.checks import File, names_of

OPTIONAL_FIELDS: Final = ("style", *ATTRIBUTES)
ONLY_OURS: Final = frozenset(("item", "float_polygons"))
_GIVEN: Final = ONLY_OURS | {*OPTIONAL_FIELDS, "pair_id", "source", "keypoints", "num_keypoints"}
"""Fields that only the source can give: one that it lacks was made up. Other tools may add others."""


@dataclass(frozen=True)
class ExpectedShape:
    """How the file was made, as far as it says."""

    own: bool
    """df2coco wrote it with its own layout of fields: none of these may be missing."""
    said: Conversion
    """By what options, all of them None in files of others."""
    keypoints: bool
    slots: int
    """294, 81, or 0 for each category's own landmarks."""
    category_ids: dict[int, int]
    """DeepFashion2's category -> the file's id for it."""
    categories: frozenset[int]
    """DeepFashion2's categories in the file, if these are only some; else none."""
    conditions: tuple[Condition, ...]
    """What is true of all items."""
    sizes: bool
    """Sizes can be compared."""
    annotation_fields: frozenset[str]
    """Those that any annotation has."""
    image_fields: frozenset[str]


def shape_of(file: File) -> ExpectedShape:
    """How the file was made, by its `info` and by what it holds."""
    said = file.conversion or Conversion()
    lengths = {len(names_of(entry)) for entry in file.categories}
    fields = frozenset(file.columns.names)
    garments = {category.id: own for own, category in file.garments.items()} | said.class_numbers
    # Fewer than 13 are a subset; a renamed one of 13 is still there.
    listed = frozenset(garments) if len(file.categories) < len(CATEGORIES) else frozenset()
    every = frozenset(category.id for category in CATEGORIES)
    chosen = frozenset(said.categories or every).difference(said.exclude)
    chosen &= frozenset(said.class_numbers or every)
    has_images = file.source is not None and file.source.reader.images is not None
    return ExpectedShape(
        own=file.conversion is not None,
        said=said,
        keypoints=said.task == "keypoints" if said.task else "keypoints" in fields,
        slots=next((count for count in (NUM_LANDMARKS, NUM_AGGREGATED) if count in lengths), 0),
        category_ids={each.id: garments.get(each.id, each.id) for each in CATEGORIES},
        categories=chosen if chosen != every else listed,
        conditions=tuple(map(Condition.read, said.where)),
        sizes=has_images or not said.sizes_known,
        annotation_fields=fields,
        image_fields=frozenset().union(*file.images),
    )


def expected_image(record: ImageRecord, shape: ExpectedShape) -> Entry:
    """The entry of `images` for a record, without its id."""
    expected: Entry = {"source": record.source, "pair_id": record.pair_id}
    expected = {name: value for name, value in expected.items() if value is not None}
    if shape.sizes:
        expected |= {"width": record.width, "height": record.height}
    return expected | {"file_name": record.file_name}


def expected_annotation(record: ImageRecord, item: Item, shape: ExpectedShape) -> Entry:
    """The entry of `annotations` for an item, without its area and its ids of annotation and image."""
    expected: Entry = {
        "category_id": shape.category_ids[item.category_id],
        "bbox": list(from_corners(item.bounding_box)),
        "iscrowd": 0,
        "segmentation": item.segmentation,
    }
    if shape.keypoints:
        expected["keypoints"] = numbers = _expected_keypoints(item, shape)
        expected["num_keypoints"] = len(numbers) // 3 - numbers[2::3].count(0)
    values = {"pair_id": record.pair_id, **{name: getattr(item, name) for name in OPTIONAL_FIELDS}}
    expected |= {name: value for name, value in values.items() if value is not None}
    if shape.own:
        expected["item"] = item.key
        floats = [
            number
            for number, polygon in enumerate(item.segmentation)
            if type(sum(polygon)) is float and all(n == round(n) for n in polygon)
        ]
        expected |= {"float_polygons": floats} if floats else {}
    return expected


def _expected_keypoints(item: Item, shape: ExpectedShape) -> list[float]:
    landmarks = item.landmarks
    if shape.said.landmarks == "visible" and 1 in landmarks[2::3]:
        triples = [landmarks[i : i + 3] for i in range(0, len(landmarks), 3)]
        landmarks = [n for triple in triples for n in (triple if triple[2] == 2 else (0, 0, 0))]
    slots = own_slots(item.category, shape.slots) or range(item.category.num_landmarks)
    numbers: list[float] = [0] * (3 * (shape.slots or len(slots)))
    for place, slot in enumerate(slots):
        numbers[3 * slot : 3 * slot + 3] = landmarks[3 * place : 3 * place + 3]
    return numbers


def expected_area(
    expected: Entry, present: Entry, pixels: int | None, shape: ExpectedShape
) -> float:
    """The `area` of an item whose mask has so many pixels.

    Where the file does not say what its areas are, the box's and about the mask's are right.
    """
    of_box: float = expected["bbox"][2] * expected["bbox"][3]
    of_mask = pixels or of_box
    if shape.said.area == "box":
        return of_box
    area: Any = present.get("area")
    if shape.said.area == "mask" or type(area) not in (int, float):
        return of_mask
    is_box = abs(area - of_box) < 1e-6 * of_box
    is_mask = abs(area - of_mask) <= max(32, 0.1 * of_mask)
    return float(area) if is_box or is_mask else of_mask


def differences(
    expected: Entry, present: Entry, fields: frozenset[str] | None = None
) -> Iterator[str]:
    """Fields that differ, and how; of only some of them, unless that is None."""
    made_up = present.keys() & _GIVEN
    if expected.items() <= present.items() and made_up <= expected.keys():
        return  # as nearly always
    names = expected.keys() | made_up
    if fields is not None:
        names &= fields
    for name in sorted(n for n in names if expected.get(n, ...) != present.get(n, ...)):
        if name not in present:
            yield f"{name}: {shorten(expected[name])} in the source, missing in the file"
        elif name not in expected:
            yield f"{name}: not in the source, {shorten(present[name])} in the file"
        else:
            where, source, here = _first_difference(expected[name], present[name])
            yield f"{name}{where}: {shorten(source)} in the source, {shorten(here)} in the file"


def _first_difference(source: Any, file: Any) -> tuple[str, Any, Any]:
    """Where two values differ first: in which element of a list, and what is there."""
    if isinstance(source, list) and isinstance(file, list) and len(source) == len(file):
        for number, (a, b) in enumerate(zip(source, file, strict=True)):
            if a != b:
                where, a, b = _first_difference(a, b)
                return f"[{number}]{where}", a, b
    return "", source, file
