"""How a record is laid out in COCO: which slots, which names, which area; one record at a time, no I/O."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from operator import attrgetter, itemgetter
from typing import Any, Final

import msgspec
import orjson

from df2coco.boxes import from_corners
from df2coco.coco.info import Conversion
from df2coco.coco.schema import Entry
from df2coco.coco.writer import OPEN_ID
from df2coco.converter.options import Selection, Shape
from df2coco.layouts import find_layout, own_slots
from df2coco.masks import area_or_box, has_pixels, union_areas
from df2coco.parser.records import ImageRecord, Item, Number
from df2coco.taxonomy import ATTRIBUTES, CATEGORIES, CATEGORY_BY_ID, NUM_LANDMARKS, Category
from df2coco.version import __version__


class Measured(msgspec.Struct, frozen=True, gc=False):
    """The part of an item that is the same in every file: costly, so computed once."""

    segmentation: bytes
    """JSON of the polygons, all numbers written as floats."""
    float_polygons: list[int]
    """The polygons that were floats although all their numbers are whole: else nothing would say so."""
    pixels: int
    """Of its mask; where they are not counted, 0 says that there are none, and 1 that there are some."""


def measure(records: Sequence[ImageRecord], *, count: bool) -> list[Measured]:
    """Polygons and masks of all items of the records, one after the other; many at once cost a third.

    `count` says that a file needs the pixels of masks; else they are only looked for.
    """
    items = [item.segmentation for record in records for item in record.items]
    sizes = [(record.width, record.height) for record in records for _ in record.items]
    pixels = union_areas(items, sizes) if count else map(has_pixels, items, sizes)
    return [Measured(*_polygons(item), n) for item, n in zip(items, pixels, strict=True)]


def _polygons(polygons: list[list[Number]]) -> tuple[bytes, list[int]]:
    """`Measured.segmentation` and `Measured.float_polygons`."""
    text = orjson.dumps(polygons)
    if b"." not in text and b"e" not in text:
        # All are integers: changing the text costs a tenth of making the numbers anew.
        numbers = text[2:-2].replace(b",", b".0,").replace(b"].0,[", b".0],[")
        return b"[[" + numbers + b".0]]", []
    whole = [
        number
        for number, polygon in enumerate(polygons)
        if type(sum(polygon)) is float and all(n == int(n) for n in polygon)
    ]
    return orjson.dumps([list(map(float, polygon)) for polygon in polygons]), whole


class Encoder:
    """Makes the JSON of one COCO file, apart from annotation ids."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self._has_keypoints = shape.task != "instances"
        self._counts_pixels = shape.area == "mask"
        self._category_ids = category_ids(shape)
        self._names = {c.id: find_layout(shape.layout, c).names for c in CATEGORIES}
        self._slots = {c.id: own_slots(c, len(self._names[c.id])) or () for c in CATEGORIES}
        self._keypoints = {n: _placement(s, len(self._names[n])) for n, s in self._slots.items()}

    def categories(self, only: int | None = None) -> list[Entry]:
        """The file's categories: all 13, since a training framework numbers classes by position, or one."""
        if self.shape.classes:
            names = enumerate(self.shape.class_ids, 1)
            return [{"id": n, "name": name, "supercategory": "clothes"} for n, name in names]
        return [self._category(c) for c in CATEGORIES if only in (None, c.id)]

    def _category(self, category: Category) -> Entry:
        entry: Entry = {"id": category.id, "name": category.name, "supercategory": "clothes"}
        if self._has_keypoints:
            slots = self._slots[category.id]
            entry["keypoints"] = list(self._names[category.id])
            entry["skeleton"] = [[slots[a - 1] + 1, slots[b - 1] + 1] for a, b in category.skeleton]
        return entry

    def image(self, record: ImageRecord) -> bytes:
        """JSON of a record's image."""
        image: dict[str, Any] = {"id": record.image_id, "file_name": record.file_name}
        image |= {"width": record.width, "height": record.height}
        own = {"source": record.source, "pair_id": record.pair_id}
        return orjson.dumps(image | {name: v for name, v in own.items() if v is not None})

    def annotation(self, record: ImageRecord, item: Item, measured: Measured) -> bytes:
        """JSON of an item's annotation, with `%d` for its id: the writer numbers them."""
        # Text joined, rather than a dict for orjson or one large format, which both take longer.
        # Boxes are floats: Detectron2 scales them in place, which cuts integers off.
        box = from_corners(item.bounding_box)
        whole = type(sum(box)) is int
        parts = [
            b'{"id":%%d,"image_id":%d,"category_id":%d,"bbox":'
            % (record.image_id, self._category_ids[item.category_id]),
            b"[%d.0,%d.0,%d.0,%d.0]" % tuple(box) if whole else orjson.dumps(list(map(float, box))),
            b',"area":',
            orjson.dumps(area_or_box(measured.pixels * self._counts_pixels, item.bounding_box)),
            b',"iscrowd":0,"segmentation":',
            measured.segmentation,
        ]
        if self._has_keypoints:
            # Keypoints are integers, which cost readers 2.6 times less memory than floats.
            landmarks, labelled = self._landmarks(item)
            numbers = self._keypoints[item.category_id](landmarks)
            parts += (b',"keypoints":', *numbers, b',"num_keypoints":%d' % labelled)
        if record.pair_id is not None:
            parts.append(b',"pair_id":%d' % record.pair_id)
        parts += (_attributes(*_VALUES(item)), b',"item":"', item.key.encode(), b'"')
        if measured.float_polygons:
            parts += (b',"float_polygons":', orjson.dumps(measured.float_polygons))
        parts.append(b"}")
        return b"".join(parts)

    def _landmarks(self, item: Item) -> tuple[list[Number], int]:
        """A category's numbers x1, y1, v1, ... and how many landmarks are labelled."""
        if self.shape.landmarks == "all" or 1 not in item.landmarks[2::3]:
            return item.landmarks, item.num_labelled
        numbers = list(item.landmarks)
        for start in range(0, len(numbers), 3):
            if numbers[start + 2] == 1:
                numbers[start : start + 3] = (0, 0, 0)
        return numbers, numbers[2::3].count(2)


_FIELDS: Final = ("style", *ATTRIBUTES)
_VALUES: Final = attrgetter(*_FIELDS)


@functools.lru_cache(4096)
def _attributes(*values: int | None) -> bytes:
    """JSON of the attributes that are not None, each behind a comma."""
    named = zip(_FIELDS, values, strict=True)
    return "".join(f',"{name}":{value}' for name, value in named if value is not None).encode()


def _placement(slots: Sequence[int], count: int) -> Callable[[list[Number]], tuple[bytes, ...]]:
    """What puts the numbers of a category's landmarks into `slots` of `count`, as JSON in parts."""
    if slots[-1] - slots[0] + 1 == len(slots) and list(slots) == sorted(slots):
        # The zeros around them are made once: an annotation has up to 882 numbers.
        before = b"[" + b"0,0,0," * slots[0]
        after = b",0,0,0" * (count - slots[-1] - 1) + b"]"
        return lambda numbers: (before, orjson.dumps(numbers)[1:-1], after)
    places = {slot: number for number, slot in enumerate(slots)}
    pick = itemgetter(
        *(3 * places[slot] + n if slot in places else -1 for slot in range(count) for n in range(3))
    )
    return lambda numbers: (orjson.dumps(pick((*numbers, 0))),)


class OfficialEncoder(Encoder):
    """The official converter's file (deepfashion2_to_coco.py), field for field."""

    def _category(self, category: Category) -> Entry:
        return {
            "id": category.id,
            "name": category.official_name,
            "supercategory": "clothes",
            "keypoints": [str(number) for number in range(1, NUM_LANDMARKS + 1)],
            "skeleton": [],
        }

    def image(self, record: ImageRecord) -> bytes:
        image: dict[str, Any]
        image = {"coco_url": "", "date_captured": "", "file_name": record.file_name}
        image |= {"flickr_url": "", "id": record.image_id, "license": 0}
        return orjson.dumps(image | {"width": record.width, "height": record.height})

    def annotation(self, record: ImageRecord, item: Item, _: Measured) -> bytes:
        box = from_corners(item.bounding_box)
        keypoints = [0.0] * (3 * NUM_LANDMARKS)
        slots = CATEGORY_BY_ID[item.category_id].slots
        keypoints[3 * slots.start : 3 * slots.stop] = map(float, item.landmarks)
        annotation = {
            "id": OPEN_ID,
            "area": box[2] * box[3],
            "bbox": box,
            "category_id": item.category_id,
            "pair_id": record.pair_id,
            "image_id": record.image_id,
            "iscrowd": 0,
            "style": item.style,
            "num_keypoints": item.num_labelled,
            "keypoints": keypoints,
            "segmentation": item.segmentation,
        }
        return orjson.dumps({name: v for name, v in annotation.items() if v is not None})


def category_ids(shape: Shape) -> dict[int, int]:
    """The dataset's category -> the file's."""
    own = {c: n for n, ids in enumerate(shape.class_ids.values(), 1) for c in ids}
    return own or {category.id: category.id for category in CATEGORIES}


@functools.cache
def make_encoder(shape: Shape) -> Encoder:
    """The encoder for a file's shape: see `Shape.of_file`."""
    return OfficialEncoder(shape) if shape.preset == "official" else Encoder(shape)


def make_info(shape: Shape, selection: Selection, *, sizes_known: bool) -> dict[str, Any]:
    """The file's `info`: what made it and how, and nothing of when and where.

    `sizes_known` says that image sizes are the images' own.
    """
    if shape.preset == "official":
        return {}
    options = dataclasses.asdict(shape) | dataclasses.asdict(selection)
    del options["preset"]
    options |= {"listed": len(selection.listed) or None, "classes": shape.classes or ()}
    conversion = Conversion(**options, sizes_known=sizes_known)
    info = {"description": "DeepFashion2 in COCO format", "version": __version__}
    return info | {"contributor": "df2coco", "df2coco": conversion.as_json()}
