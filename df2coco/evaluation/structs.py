"""Annotations and results as most files have them, decoded and checked in one pass in C.

These are not the rules: `coco.schema` and `evaluation.results` have them and say what is wrong. What fits
here fits there and means the same; a part of a file that does not fit here is read the slow way.
"""

from collections.abc import Callable
from typing import Annotated, Any, Final, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct

from df2coco.coco.bounds import MOST_NUMBERS, NEAR, NUMBER, Flag, Id
from df2coco.coco.keypoints import own_text
from df2coco.evaluation.entries import MAX_COORDINATE
from df2coco.taxonomy import Category

Number = Annotated[float, NUMBER]
Polygon = Annotated[list[Annotated[float, NEAR]], Meta(min_length=6, max_length=MOST_NUMBERS)]


class TruthItem(Struct, gc=False):
    """What all kinds of evaluation need of an annotation, and what --by may need."""

    id: Id
    image_id: Id
    category_id: Id
    iscrowd: Flag = 0
    scale: Any = None
    occlusion: Any = None
    zoom_in: Any = None
    viewpoint: Any = None


class BoxItem(TruthItem, gc=False, kw_only=True):
    """For "bbox". The shapes are only compared, so that the same item is recognised."""

    bbox: tuple[Number, Number, Number, Number]
    area: float
    segmentation: Raw = Raw(b"")
    keypoints: Raw = Raw(b"")


class MaskItem(TruthItem, gc=False, kw_only=True):
    """For "segm"."""

    area: float
    segmentation: list[Polygon]


class LandmarkItem(TruthItem, gc=False, kw_only=True):
    """For "keypoints"."""

    bbox: tuple[Number, Number, Number, Number]
    keypoints: Raw
    """`decode_landmarks` makes numbers of it."""


class MaskedLandmarkItem(LandmarkItem, gc=False, kw_only=True):
    """For "keypoints", where the OKS scale is the mask's area."""

    area: float
    segmentation: list[Polygon]


Coordinate = Annotated[float, Meta(ge=-MAX_COORDINATE, le=MAX_COORDINATE)]
Side = Annotated[float, Meta(ge=0, le=MAX_COORDINATE)]
ResultId = Annotated[int, Meta(ge=-(1 << 62) + 1, le=(1 << 62) - 1)]


class Result(Struct, gc=False):
    """What all kinds of evaluation need of a result."""

    image_id: ResultId
    category_id: ResultId
    score: float


class BoxResult(Result, gc=False):
    """For "bbox"."""

    bbox: tuple[Coordinate, Coordinate, Side, Side]


class Rle(Struct, gc=False):
    """A compressed mask."""

    size: tuple[int, int]
    counts: str


class MaskResult(Result, gc=False):
    """For "segm"."""

    segmentation: Rle


class LandmarkResult(Result, gc=False):
    """For "keypoints"."""

    keypoints: Raw
    """`decode_landmarks` makes numbers of it."""
    bbox: tuple[Coordinate, Coordinate, Side, Side] | None = None


Corners = tuple[Coordinate, Coordinate, Coordinate, Coordinate]


class Answer(Struct, gc=False):
    """A result of retrieval."""

    query_image_id: ResultId
    query_bbox: Corners
    query_cls: ResultId
    query_score: float
    gallery_image_id: list[ResultId]
    gallery_bbox: list[Corners]


Decoded = TypeVar("Decoded")


def decoder(kind: type[Decoded]) -> Callable[[bytes], list[Decoded] | None]:
    """Reads the JSON text of a list of that kind; None where an entry does not fit."""
    decode = msgspec.json.Decoder(list[kind]).decode  # type: ignore[valid-type]

    def read(raw: bytes) -> list[Decoded] | None:
        try:
            return decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None

    return read


# ---------------------------------------------------------------- landmarks

_ITEM_NUMBERS: Final = msgspec.json.Decoder(list[Number])
_RESULT_NUMBERS: Final = msgspec.json.Decoder(list[Coordinate])


def decode_landmarks(raw: Raw, category: Category, *, of_result: bool) -> list[float] | None:
    """The numbers of a list of landmarks: of all slots, or only the category's own where all others are 0.

    None where not all are numbers in their range.
    """
    numbers = _RESULT_NUMBERS if of_result else _ITEM_NUMBERS
    text = bytes(raw)
    own = own_text(text, category)
    try:
        return numbers.decode(text if own is None else b"[%b]" % own)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
