"""What one annotation file comes to once it is checked, and what is reported about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, NamedTuple, TypeAlias

import msgspec
from msgspec import Meta

from df2coco.limits import MAX_SIDE, SHORTEST_POLYGON
from df2coco.taxonomy import ATTRIBUTE_VALUES, CATEGORIES, CATEGORY_BY_ID, Category, ImageSource

Number: TypeAlias = int | float


class NoticeKind(NamedTuple):
    """What a notice code means: `level` is "error" (something is left out), "repair" or "warning"."""

    level: str
    sentence: str


_SENTENCES: Final = {
    "error": {
        "bad-file": "an annotation file cannot be used; its image is left out",
        "bad-item": "an item cannot be used and is left out",
        "bad-image": "an image is missing or has no readable size",
        "nothing-left": "no image or no item is left of a split, so nothing is written",
    },
    "repair": {
        "polygon-dropped": "a malformed polygon beside good ones was dropped",
        "corners-swapped": "a box gave its corners in the other order",
        "box-clipped": "a box left the image and was cut at its border",
        "landmark-cleared": "an unlabelled landmark (v = 0) had a position",
        "category-name": "a category is named in another spelling; category_id decides",
        "area-from-box": "the mask covers no pixel; area is the box's",
    },
    "warning": {
        "item-twice": "an item is in one file twice; both are kept",
        "item-ignored": "what looks like an item has another name than item1, item2 ...; it is "
        "left out",
        "exif-orientation": "an image is stored rotated (EXIF); its size is that after rotation",
        "image-without-annotations": "an image has no annotation file and is left out",
        "split-without-annotations": "a split that is not the test split has images and no "
        "annotation files",
        "annotation-double": "two annotation files have the same name but for the suffix; one "
        "is left out",
        "image-double": "two images have the same name but for the suffix; one is left out",
        "not-read": "a folder or archive looks like a part of the dataset and is not read",
        "selection-ignored": "options choose by the annotations, but the split has none: all "
        "its images are written",
        "other-photos": "the photos are probably not those that the annotations were made on",
        "no-items": "an image has no items",
        "no-images": "no images were found: width and height are the smallest that hold the "
        "annotations, good for evaluation, wrong for training",
    },
}
"""Level -> code -> what a notice means."""

NOTICES: Final[Mapping[str, NoticeKind]] = {
    code: NoticeKind(level, sentence)
    for level, sentences in _SENTENCES.items()
    for code, sentence in sentences.items()
}

EMPTYING: Final = ("bad-file", "bad-item", "bad-image", "item-ignored")
"""Codes of notices about items that are left out."""


def leaves_nothing(counts: Mapping[str, int], left: int) -> bool:
    """Whether faults, counted by code, have left nothing of a split; files without items are not a fault."""
    return not left and any(counts.get(code) for code in EMPTYING)


@dataclass(frozen=True, slots=True)
class Notice:
    """Something dropped, repaired or worth knowing.

    - code: A key of `NOTICES`.
    - file: The file at fault.
    - field: The field at fault ("item1.landmarks"), or "".
    - text: The fault and the remedy.
    """

    code: str
    file: str
    field: str
    text: str

    @property
    def level(self) -> str:
        return NOTICES[self.code].level

    def __str__(self) -> str:
        return ": ".join(part for part in (self.file, self.field, self.text) if part)


Repair: TypeAlias = tuple[str, str, str]
"""Code, field and text of a `Notice` that one item gets."""

_RANGE: Final = Meta(ge=-MAX_SIDE, le=MAX_SIDE)
Coordinate: TypeAlias = Annotated[int, _RANGE] | Annotated[float, _RANGE]
Corners: TypeAlias = tuple[Coordinate, Coordinate, Coordinate, Coordinate]
Polygon: TypeAlias = Annotated[list[Coordinate], Meta(min_length=SHORTEST_POLYGON)]
_Level: TypeAlias = Annotated[int, Meta(ge=ATTRIBUTE_VALUES[0], le=ATTRIBUTE_VALUES[-1])]
Whole: TypeAlias = Annotated[int, Meta(ge=0, lt=1 << 53)]


class Fields(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """What the fields of an item must be: the only description, and decoding is the check.

    What takes more than one field or number to say is in `df2coco.parser.item.complete`.
    """

    category_id: Annotated[int, Meta(ge=1, le=len(CATEGORIES))]
    bounding_box: Corners
    landmarks: list[Coordinate]
    segmentation: Annotated[list[Polygon], Meta(min_length=1)]
    category_name: str | None = None
    scale: _Level | None = None
    occlusion: _Level | None = None
    zoom_in: _Level | None = None
    viewpoint: _Level | None = None
    style: Whole | None = None


class Item(Fields, frozen=True, kw_only=True, gc=False):
    """One garment. Coordinates are pixels, 0-based, origin top left, y down.

    - key: Its key in the file: "item1".
    - category_id: 1 to 13.
    - bounding_box: x1, y1, x2, y2 with x1 < x2 and y1 < y2.
    - landmarks: x1, y1, v1, ...: 3 numbers for each landmark in the category's order; v is 0, 1 or 2.
    - segmentation: Polygons x1, y1, x2, y2, ... of at least 3 points; they may overlap: the
      mask is their union.
    - category_name: None where the file does not say, as all that follow.
    - scale: 1 small, 2 modest, 3 large.
    - occlusion: 1 slight, 2 medium, 3 heavy.
    - zoom_in: 1 none, 2 medium, 3 large.
    - viewpoint: 1 not worn, 2 frontal, 3 side or back.
    - style: 0, or equal (with equal pair_id) for the same garment in a user's and a shop's photo.
    """

    key: str

    @property
    def category(self) -> Category:
        return CATEGORY_BY_ID[self.category_id]

    @property
    def num_labelled(self) -> int:
        """Landmarks with v > 0."""
        return len(self.landmarks) // 3 - self.landmarks[2::3].count(0)


class Head(msgspec.Struct):
    """What a file says of its image."""

    source: ImageSource | None = None
    pair_id: Whole | None = None


class ImageRecord(msgspec.Struct, frozen=True):
    """One annotation file, checked; with the size of its image.

    - image_id: The integer of the file's name: 000123.json is 123.
    - file_name: The image's name: "000123.jpg".
    - width: Pixels, as image loaders decode it.
    - height: Pixels, as image loaders decode it.
    - source: "user" or "shop"; None where the file does not say.
    - pair_id: Images of the same garment in a shop and by its buyers share it; None where the
      file does not say.
    - items: In the order of the file.
    - notices: What was dropped, repaired or noticed.
    - reach: The largest x2 / width or y2 / height of a well-formed item's box, as the file gives it:
      above 1 when a box leaves the image. None without a box, without the image's size, or when
      EXIF turns the image; NaN when a box is x, y, width, height.
    """

    image_id: int
    file_name: str
    width: int
    height: int
    source: str | None
    pair_id: int | None
    items: tuple[Item, ...]
    notices: tuple[Notice, ...] = ()
    reach: float | None = None
