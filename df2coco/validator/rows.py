"""Annotations as nearly all are, decoded and checked in one pass in C.

These are not the rules: `coco.schema` has them, and the checks say what is wrong. What fits here fits
there and means the same; a part of a file with an annotation that does not fit here is read as objects,
which takes three times as long. All values keep the type that they are written in: checks report it.
"""

from collections.abc import Mapping
from operator import attrgetter
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from df2coco.coco.bounds import MOST_NUMBERS, NEAR, NUMBER, Flag, Id
from df2coco.coco.keypoints import own_text
from df2coco.coco.schema import MAX_ID, MAX_NUMBER
from df2coco.taxonomy import CATEGORIES, Category

Count = Annotated[int, Meta(ge=0, le=MAX_NUMBER)]
Whole = Annotated[int, Meta(ge=-MAX_ID, le=MAX_ID)]
Number = Annotated[int, NUMBER] | Annotated[float, NUMBER]
Near = Annotated[int, NEAR] | Annotated[float, NEAR]


class Row(Struct, gc=False, kw_only=True, forbid_unknown_fields=True):
    """An annotation whose fields are what they must be, and are all known."""

    id: Id
    image_id: Id
    category_id: Id
    bbox: Annotated[list[Number], Meta(min_length=4, max_length=4)]
    area: Whole | float
    iscrowd: Flag
    segmentation: int | UnsetType = UNSET
    keypoints: int | UnsetType = UNSET
    """Of these two, the number of the list that stood here: see `_take_out`."""
    num_keypoints: Count | UnsetType = UNSET
    pair_id: Whole | None = None
    style: Whole | None = None
    scale: Whole | None = None
    occlusion: Whole | None = None
    zoom_in: Whole | None = None
    viewpoint: Whole | None = None
    item: str | UnsetType = UNSET
    float_polygons: list[Count] | UnsetType = UNSET


class Polygons(NamedTuple):
    """The polygons of those rows that have a segmentation, K of them; P polygons."""

    numbers: list[float]
    """Of one polygon after the other: x1, y1, x2, y2, ..."""
    lengths: list[int]
    """(P,): how many of `numbers` are a polygon's."""
    counts: list[int]
    """(K,): how many polygons are a row's; 0 where its list is empty."""
    positions: list[int]
    """(K,): the place of the row."""


class Keypoints(NamedTuple):
    """The keypoints of those rows that have some, K of them."""

    numbers: list[float]
    """Of one row after the other: all of a row's keypoints, or its category's own."""
    counts: list[int]
    """(K,): how many of `numbers` are a row's."""
    slots: list[range | None]
    """(K,): the slots of a category's own keypoints, where all others are zero; None: these are all."""
    positions: list[int]
    """(K,): the place of the row."""
    floats: bool
    """Some numbers are written with a decimal point or an exponent."""


class Rows(NamedTuple):
    """Some annotations, N of them."""

    rows: list[Row]
    polygons: Polygons
    keypoints: Keypoints

    def column(self, name: str) -> list[Any]:
        """A field of every annotation, but not its lists of numbers; None where it is missing."""
        if name not in Row.__struct_fields__:
            return [None] * len(self.rows)
        values = list(map(attrgetter(name), self.rows))
        if name in _MAY_BE_UNSET:
            values = [None if value is UNSET else value for value in values]
        return values


_MAY_BE_UNSET: Final = frozenset(
    field.name for field in msgspec.structs.fields(Row) if field.default is UNSET
)

_ROWS: Final = msgspec.json.Decoder(list[Row])
_NUMBERS: Final = msgspec.json.Decoder(list[Number])
_NEAR_NUMBERS: Final = msgspec.json.Decoder(list[Near])


def decode_rows(raw: bytes, garments: Mapping[int, Category]) -> Rows | None:
    """The annotations in the JSON text of a list; None where one of them does not fit.

    `garments`: the file's category id -> DeepFashion2's category.
    """
    try:
        rest, landmarks = _take_out(raw, b'"keypoints"', b"]")
        rest, outlines = _take_out(rest, b'"segmentation"', b"]]")
        rows = _ROWS.decode(rest)
        places = _places([row.keypoints for row in rows], landmarks)
        categories = [garments.get(rows[place].category_id) for place in places]
        keypoints = _read_keypoints(landmarks, categories, places)
        if any(rows[place].num_keypoints is UNSET for place in places):
            return None
        polygons = _read_polygons(outlines, _places([row.segmentation for row in rows], outlines))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, _DoesNotFitError):
        return None
    return Rows(rows, polygons, keypoints)


class _DoesNotFitError(Exception):
    pass


# ---------------------------------------------------------------- lists of numbers


def _take_out(raw: bytes, key: bytes, closing: bytes) -> tuple[bytes, list[bytes]]:
    """Take lists of numbers out of a text: what is left, with numbers from 0 in their places, and the lists.

    Decoding each as a list in a list in a list of objects takes twice as long, and most keypoints are zeros.
    If what was taken out proves to be a list of numbers, then it was cut out right: it ends where it is
    first closed. Raises `_DoesNotFitError` where something else stands there.
    """
    # Without escapes there is one way to write a key, and none to write it inside of a text.
    if b"\\" in raw:
        raise _DoesNotFitError
    pieces: list[bytes] = []
    texts: list[bytes] = []
    done, found = 0, raw.find(key)
    while found >= 0:
        start = raw.find(b"[", found)
        end = raw.find(closing, start) + len(closing)
        if raw.startswith(b"[]", start):
            end = start + 2
        if raw[found + len(key) : start] not in (b":", b": ") or end < start:
            raise _DoesNotFitError
        pieces += (raw[done:start], b"%d" % len(texts))
        texts.append(raw[start:end])
        done, found = end, raw.find(key, end)
    pieces.append(raw[done:])
    return b"".join(pieces), texts


def _places(numbers: list[int | UnsetType], texts: list[bytes]) -> list[int]:
    """The places of the rows that the texts were taken out of, one each."""
    places = [place for place, number in enumerate(numbers) if number is not UNSET]
    if [numbers[place] for place in places] != list(range(len(texts))):
        raise _DoesNotFitError  # a key stands twice
    return places


def _read_keypoints(
    texts: list[bytes], categories: list[Category | None], positions: list[int]
) -> Keypoints:
    owns = [
        None if category is None else own_text(text, category)
        for text, category in zip(texts, categories, strict=True)
    ]
    bare = [text[1:-1] if own is None else own for own, text in zip(owns, texts, strict=True)]
    joined = b"[%b]" % b",".join(filter(None, bare))
    numbers = _NUMBERS.decode(joined)
    counts = [each.count(b",") + 1 if each else 0 for each in bare]
    # One object a category, by which checks know them apart.
    slots_of = {each.id: each.slots for each in CATEGORIES}
    slots = [
        None if category is None or own is None else slots_of[category.id]
        for own, category in zip(owns, categories, strict=True)
    ]
    if len(numbers) != sum(counts) or any(
        own is not None and count != 3 * len(own) for count, own in zip(counts, slots, strict=True)
    ):
        raise _DoesNotFitError
    floats = any(each in joined for each in b".eE")
    return Keypoints(numbers, counts, slots, positions, floats)


def _read_polygons(texts: list[bytes], positions: list[int]) -> Polygons:
    filled = [text for text in texts if text != b"[]"]
    if any(text[:2] != b"[[" for text in filled):
        raise _DoesNotFitError
    comma = b"], [" if filled and b"], [" in filled[0] else b"],["
    joined = comma.join([text[2:-2] for text in filled])
    pieces = joined.split(comma) if filled else []
    lengths = [piece.count(b",") + 1 for piece in pieces]
    if any(length & 1 or not 6 <= length <= MOST_NUMBERS for length in set(lengths)):
        raise _DoesNotFitError
    # A bracket too many is not a number.
    numbers = _NEAR_NUMBERS.decode(b"[%b]" % b",".join(pieces))
    return Polygons(numbers, lengths, [text.count(b"[") - 1 for text in texts], positions)
