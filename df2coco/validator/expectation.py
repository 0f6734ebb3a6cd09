"""What a file should hold, worked out from the parser's records alone.

Nothing is shared with the converter, which writes files, so that a mistake there is found.
"""

from dataclasses import dataclass
from typing import Final

from df2coco.coco.format import Entry
from df2coco.coco.info import Conversion
from df2coco.layouts import NUM_AGGREGATED
from df2coco.parser.records import ImageRecord, Item
from df2coco.taxonomy import CATEGORIES, NUM_LANDMARKS
from df2coco.validator.file import File, names_of


@dataclass(frozen=True)
class ExpectedShape:
    """How the file was made, as far as it says."""

    own: bool
    """df2coco wrote it with its own layout of fields: none of these may be missing."""
    keypoints: bool
    slots: int
    """294, 81, or another number for each category's own landmarks."""
    visible: bool
    area: str | None
    """"mask", "box", or None: the file does not say, so that either is right."""
    category_ids: dict[int, int]
    """DeepFashion2's category -> the file's id for it."""
    categories: frozenset[int]
    """DeepFashion2's categories in the file, if these are only some; else none."""
    only: str | None
    limit: int | None
    some_images: bool
    """The file is a sample or a part: images that it does not have are not missing."""
    sizes: bool
    """Sizes can be compared."""
    annotation_fields: frozenset[str]
    """Those that any annotation has."""
    image_fields: frozenset[str]


OPTIONAL_FIELDS: Final = ("style", "scale", "occlusion", "zoom_in", "viewpoint")


def shape_of(file: File) -> ExpectedShape:
    """How the file was made, by its `info` and by what it holds."""
    conversion = file.conversion
    said = conversion or Conversion()
    lengths = {len(names_of(entry)) for entry in file.categories}
    fields = frozenset().union(*(each.keys() for each in file.annotations))
    reader = file.source.reader if file.source else None
    garments = {category.id: own for own, category in file.garments.items()}
    # Fewer than 13 are a subset; a renamed one of 13 is still there.
    listed = frozenset(garments) if len(file.categories) < len(CATEGORIES) else frozenset()
    return ExpectedShape(
        own=conversion is not None,
        keypoints=said.task == "keypoints" if said.task else "keypoints" in fields,
        slots=next((count for count in (NUM_LANDMARKS, NUM_AGGREGATED) if count in lengths), 0),
        visible=said.landmarks == "visible",
        area=said.area if said.area in ("mask", "box") else None,
        category_ids={each.id: garments.get(each.id, each.id) for each in CATEGORIES},
        categories=frozenset(said.categories) or listed,
        only=said.only if said.only in ("user", "shop") else None,
        limit=said.limit,
        some_images=said.sample is not None or said.part is not None,
        sizes=reader is not None and (reader.images is not None or not said.sizes_known),
        annotation_fields=fields,
        image_fields=frozenset().union(*(each.keys() for each in file.images)),
    )


def expected_image(record: ImageRecord, shape: ExpectedShape) -> Entry:
    """The entry of `images` for a record, without its id."""
    expected: Entry = {"file_name": record.file_name}
    if shape.sizes:
        expected |= {"width": record.width, "height": record.height}
    if record.source is not None:
        expected["source"] = record.source
    if record.pair_id is not None:
        expected["pair_id"] = record.pair_id
    return expected


def expected_annotation(
    record: ImageRecord, item: Item, mask: int | None, shape: ExpectedShape
) -> Entry:
    """The entry of `annotations` for an item, without its ids of annotation and image.

    `mask` is how many pixels its mask has; without it there is no `area` of masks to expect.
    """
    x1, y1, x2, y2 = item.bounding_box
    box_area = (x2 - x1) * (y2 - y1)
    expected: Entry = {
        "category_id": shape.category_ids[item.category_id],
        "bbox": [x1, y1, x2 - x1, y2 - y1],
        "area": box_area if shape.area == "box" else mask or box_area,
        "iscrowd": 0,
        "segmentation": item.segmentation,
    }
    if shape.keypoints:
        expected |= _expected_keypoints(item, shape)
    values = {"pair_id": record.pair_id, **{name: getattr(item, name) for name in OPTIONAL_FIELDS}}
    expected |= {name: value for name, value in values.items() if value is not None}
    if shape.own:
        expected["item"] = item.key
        floats = [
            number
            for number, polygon in enumerate(item.segmentation)
            if any(type(n) is float for n in polygon) and all(n == round(n) for n in polygon)
        ]
        if floats:
            expected["float_polygons"] = floats
    return expected


def _expected_keypoints(item: Item, shape: ExpectedShape) -> Entry:
    triples = [tuple(item.landmarks[i : i + 3]) for i in range(0, len(item.landmarks), 3)]
    if shape.visible:
        triples = [triple if triple[2] == 2 else (0, 0, 0) for triple in triples]
    if shape.slots == NUM_AGGREGATED:
        places = CATEGORIES[item.category_id - 1].groups
        shared = dict(zip(places, triples, strict=True))
        triples = [shared.get(number, (0, 0, 0)) for number in range(1, NUM_AGGREGATED + 1)]
    if shape.slots == NUM_LANDMARKS:
        before = sum(each.num_landmarks for each in CATEGORIES if each.id < item.category_id)
        after = NUM_LANDMARKS - before - len(triples)
        triples = [(0, 0, 0)] * before + triples + [(0, 0, 0)] * after
    return {
        "keypoints": [number for triple in triples for number in triple],
        "num_keypoints": sum(triple[2] > 0 for triple in triples),
    }
