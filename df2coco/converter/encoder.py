"""How a record is laid out in COCO: which slots, which names, which area; one record at a time, no I/O.

`Encoder` gives finished JSON, since that is what a split of 50,000 items needs; `to_coco` gives the same
as Python values.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import orjson

from df2coco.coco.format import CocoAnnotation, CocoCategory, CocoImage
from df2coco.coco.writer import OPEN_ID, Encoded
from df2coco.masks import union_areas
from df2coco.parser.records import ImageRecord, Item, Notice, Number
from df2coco.taxonomy import (
    CATEGORIES,
    CATEGORY_BY_ID,
    LANDMARK_NAMES,
    NUM_LANDMARKS,
    Category,
)
from df2coco.version import __version__

__all__ = [
    "AREAS",
    "LANDMARKS",
    "LAYOUTS",
    "PRESETS",
    "TASKS",
    "Encoder",
    "Layout",
    "Options",
    "make_encoder",
    "select",
    "to_coco",
]


@dataclass(frozen=True, slots=True)
class Layout:
    """Which slots the `keypoints` of an annotation have."""

    help: str
    names: Callable[[Category], Sequence[str]]
    """The names of a category's slots."""
    before: Callable[[Category], int]
    """How many of them stand before the category's first landmark."""


LAYOUTS: Final[Mapping[str, Layout]] = MappingProxyType(
    {
        "unified": Layout(
            "294 slots for every category, as the benchmark and MMPose have them",
            names=lambda _: LANDMARK_NAMES,
            before=lambda category: category.first_slot,
        ),
        "category": Layout(
            "each category's own 8 to 39 landmarks",
            names=lambda category: category.landmark_names,
            before=lambda _: 0,
        ),
    }
)

TASKS: Final = MappingProxyType(
    {
        "keypoints": "boxes, masks and landmarks",
        "instances": "boxes and masks, no landmarks",
    }
)

LANDMARKS: Final = MappingProxyType(
    {
        "all": "every labelled landmark",
        "visible": 'occluded landmarks become unlabelled (the benchmark\'s "visible" ground truth)',
    }
)

AREAS: Final = MappingProxyType(
    {
        "mask": "pixels of the item's union mask, as COCO defines it",
        "box": "width x height of the box, as the official files have it",
    }
)

PRESETS: Final = MappingProxyType(
    {
        "official": "the official converter's file, field for field: its names, box area, no skeletons"
    }
)


@dataclass(frozen=True, slots=True)
class Options:
    """What shapes the file. Everything here stands in the file's `info`."""

    task: str = "keypoints"
    """A key of `TASKS`."""
    layout: str = "unified"
    """A key of `LAYOUTS`."""
    landmarks: str = "all"
    """A key of `LANDMARKS`."""
    area: str = "mask"
    """A key of `AREAS`."""
    preset: str | None = None
    """A key of `PRESETS`, which sets all of the above."""
    categories: tuple[int, ...] = ()
    """Only items of these categories, and images with one; () is all."""
    only: str | None = None
    """Only images of this source, "user" or "shop"."""
    limit: int | None = None
    """Only the first so many of the images that are left."""


def select(record: ImageRecord, options: Options) -> ImageRecord | None:
    """What of a record belongs to the subset; None when nothing does."""
    if options.only is not None and record.source != options.only:
        return None
    if not options.categories:
        return record
    items = tuple(item for item in record.items if item.category_id in options.categories)
    return dataclasses.replace(record, items=items) if items else None


def to_coco(
    record: ImageRecord, options: Options | None = None
) -> tuple[CocoImage, list[CocoAnnotation]]:
    """A record as a COCO image and its annotations, numbered from 1 within the image."""
    encoder = make_encoder(options or Options())
    image, encoded = encoder.encode(record, *encoder.measure([record]))
    return orjson.loads(image), [
        orjson.loads(annotation % number) for number, annotation in enumerate(encoded, start=1)
    ]


class Measured(NamedTuple):
    """What of an item is the same in every file: costly, so computed once."""

    item: Item
    segmentation: bytes
    """JSON of the polygons, all numbers written as floats."""
    float_polygons: list[int]
    """The polygons that were floats although all their numbers are whole: else nothing would tell."""
    area: Number
    from_box: bool
    """The mask covers no pixel, so the area is the box's."""


def _floats(polygons: list[list[Number]]) -> bytes:
    """JSON of polygons, all numbers written as floats."""
    if any(type(sum(polygon)) is float for polygon in polygons):
        return orjson.dumps([list(map(float, polygon)) for polygon in polygons])
    # Text costs a tenth of making the numbers anew.
    numbers = orjson.dumps(polygons)[2:-2].replace(b",", b".0,").replace(b"].0,[", b".0],[")
    return b"[[" + numbers + b".0]]"


class Encoder:
    """Makes the JSON of one COCO file, apart from annotation ids."""

    def __init__(self, options: Options, *, sizes_known: bool = True) -> None:
        self.options = options
        self._sizes_known = sizes_known
        self._layout = LAYOUTS[options.layout]
        self._slots = {c.id: self._empty_slots(c) for c in CATEGORIES}

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self)._make, (self.options, self._sizes_known)

    @classmethod
    def _make(cls, options: Options, sizes_known: bool) -> Encoder:
        return cls(options, sizes_known=sizes_known)

    def _empty_slots(self, category: Category) -> tuple[bytes, bytes]:
        """The JSON zeros around a category's landmarks, made once: an annotation has up to 882 numbers."""
        before = self._layout.before(category)
        after = len(self._layout.names(category)) - before - category.num_landmarks
        return b"[" + b"0,0,0," * before, b",0,0,0" * after + b"]"

    def info(self) -> dict[str, Any]:
        """The file's `info`: what made it and how, and nothing of when and where."""
        options = self.options
        return {
            "description": "DeepFashion2 in COCO format",
            "version": __version__,
            "contributor": "df2coco",
            "df2coco": {
                "version": __version__,
                "task": options.task,
                "layout": options.layout,
                "landmarks": options.landmarks,
                "area": options.area,
                "categories": list(options.categories),
                "only": options.only,
                "limit": options.limit,
                "image_sizes": "from the images"
                if self._sizes_known
                else "unknown: the smallest that hold the annotations",
            },
        }

    def categories(self) -> list[CocoCategory]:
        """The file's categories: always all 13, since a training framework numbers classes by position."""
        return [self._category(category) for category in CATEGORIES]

    def _category(self, category: Category) -> CocoCategory:
        entry: CocoCategory = {
            "id": category.id,
            "name": category.name,
            "supercategory": "clothes",
        }
        if self.options.task == "keypoints":
            before = self._layout.before(category)
            entry["keypoints"] = list(self._layout.names(category))
            entry["skeleton"] = [[before + a, before + b] for a, b in category.skeleton]
        return entry

    def measure(self, records: Sequence[ImageRecord]) -> list[list[Measured]]:
        """Area and polygons of each record's items; many at once cost a third."""
        pixels: Iterator[int] = repeat(0)
        if self.options.area == "mask":
            masks = [item.segmentation for record in records for item in record.items]
            sizes = [(record.width, record.height) for record in records for _ in record.items]
            pixels = iter(union_areas(masks, sizes))
        return [[self._measured(item, next(pixels)) for item in record.items] for record in records]

    def _measured(self, item: Item, pixels: int) -> Measured:
        x1, y1, x2, y2 = item.bounding_box
        whole = [
            number
            for number, polygon in enumerate(item.segmentation)
            if type(sum(polygon)) is float and all(n == int(n) for n in polygon)
        ]
        return Measured(
            item,
            _floats(item.segmentation),
            whole,
            pixels or (x2 - x1) * (y2 - y1),
            from_box=not pixels and self.options.area == "mask",
        )

    def encode(self, record: ImageRecord, measured: Sequence[Measured]) -> Encoded:
        """The JSON of a record's image and annotations."""
        return Encoded(
            orjson.dumps(self._image(record)),
            [orjson.dumps(self._annotation(record, m)) for m in measured],
        )

    def _image(self, record: ImageRecord) -> dict[str, Any]:
        image: dict[str, Any] = {
            "id": record.image_id,
            "file_name": record.file_name,
            "width": record.width,
            "height": record.height,
        }
        if record.source is not None:
            image["source"] = record.source
        if record.pair_id is not None:
            image["pair_id"] = record.pair_id
        return image

    def _annotation(self, record: ImageRecord, measured: Measured) -> dict[str, Any]:
        item = measured.item
        x1, y1, x2, y2 = item.bounding_box
        # Boxes and polygons are floats: Detectron2 scales them in place and would cut integers off.
        annotation: dict[str, Any] = {
            "id": OPEN_ID,
            "image_id": record.image_id,
            "category_id": item.category_id,
            "bbox": (float(x1), float(y1), float(x2 - x1), float(y2 - y1)),
            "area": measured.area,
            "iscrowd": 0,
            "segmentation": orjson.Fragment(measured.segmentation),
        }
        if self.options.task == "keypoints":
            # Keypoints are integers, which cost readers 2.6 times less memory than floats.
            landmarks, labelled = self._landmarks(item)
            before, after = self._slots[item.category_id]
            numbers = orjson.dumps(landmarks)[1:-1]
            annotation["keypoints"] = orjson.Fragment(before + numbers + after)
            annotation["num_keypoints"] = labelled
        optional = {
            "pair_id": record.pair_id,
            "style": item.style,
            "scale": item.scale,
            "occlusion": item.occlusion,
            "zoom_in": item.zoom_in,
            "viewpoint": item.viewpoint,
        }
        annotation.update((name, value) for name, value in optional.items() if value is not None)
        annotation["item"] = item.key
        if measured.float_polygons:
            annotation["float_polygons"] = measured.float_polygons
        return annotation

    def _landmarks(self, item: Item) -> tuple[list[Number], int]:
        """A category's numbers x1, y1, v1, ... and how many landmarks are labelled."""
        if self.options.landmarks == "all" or 1 not in item.landmarks[2::3]:
            return item.landmarks, item.num_labelled
        numbers = list(item.landmarks)
        for start in range(0, len(numbers), 3):
            if numbers[start + 2] == 1:
                numbers[start : start + 3] = (0, 0, 0)
        return numbers, numbers[2::3].count(2)


class OfficialEncoder(Encoder):
    """The official converter's file (deepfashion2_to_coco.py), field for field."""

    def __init__(self, options: Options, *, sizes_known: bool = True) -> None:
        fixed = Options(area="box", preset="official")
        keep = {name: getattr(options, name) for name in ("categories", "only", "limit")}
        super().__init__(dataclasses.replace(fixed, **keep), sizes_known=sizes_known)

    def info(self) -> dict[str, Any]:
        return {}

    def _category(self, category: Category) -> CocoCategory:
        return {
            "id": category.id,
            "name": category.official_name,
            "supercategory": "clothes",
            "keypoints": [str(number) for number in range(1, NUM_LANDMARKS + 1)],
            "skeleton": [],
        }

    def _image(self, record: ImageRecord) -> dict[str, Any]:
        return {
            "coco_url": "",
            "date_captured": "",
            "file_name": record.file_name,
            "flickr_url": "",
            "id": record.image_id,
            "license": 0,
            "width": record.width,
            "height": record.height,
        }

    def _annotation(self, record: ImageRecord, measured: Measured) -> dict[str, Any]:
        item = measured.item
        x1, y1, x2, y2 = item.bounding_box
        keypoints = [0.0] * (3 * NUM_LANDMARKS)
        slots = CATEGORY_BY_ID[item.category_id].slots
        keypoints[3 * slots.start : 3 * slots.stop] = map(float, item.landmarks)
        annotation = {
            "id": OPEN_ID,
            "area": measured.area,
            "bbox": (x1, y1, x2 - x1, y2 - y1),
            "category_id": item.category_id,
            "pair_id": record.pair_id,
            "image_id": record.image_id,
            "iscrowd": 0,
            "style": item.style,
            "num_keypoints": item.num_labelled,
            "keypoints": keypoints,
            "segmentation": item.segmentation,
        }
        return {name: value for name, value in annotation.items() if value is not None}


def make_encoder(options: Options, *, sizes_known: bool = True) -> Encoder:
    """The encoder for `options`; `sizes_known` says that image sizes are the images' own."""
    kind = OfficialEncoder if options.preset == "official" else Encoder
    return kind(options, sizes_known=sizes_known)


def area_notices(measured: Sequence[Measured], file: str) -> list[Notice]:
    """What `measure` has to tell."""
    text = "the polygons cover no pixel; area is the box's"
    return [
        Notice("area-from-box", file, f"{m.item.key}.segmentation", text)
        for m in measured
        if m.from_box
    ]
