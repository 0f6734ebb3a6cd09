"""The source format: one DeepFashion2 annotation file becomes one checked `ImageRecord`.

Facts about the format are from the dataset's README and from counting on real files; see
`fixtures/README.md` for its quirks.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec
import orjson

from df2coco.errors import SourceError, shorten
from df2coco.parser.file_kind import recognise
from df2coco.parser.records import (
    MAX_COORDINATE,
    ImageRecord,
    Item,
    Notice,
    Number,
    smallest_size,
)
from df2coco.parser.strict_annotation import ITEM_KEY, parse_strictly
from df2coco.taxonomy import ATTRIBUTES, CATEGORY_BY_ID, SOURCES, Category

__all__ = [
    "MAX_ANNOTATION_BYTES",
    "MAX_COORDINATE",
    "parse_annotation",
    "parse_image_id",
]

MAX_ANNOTATION_BYTES: Final = 8 << 20
"""The largest annotation file that is read; real ones have 0.6 to 60 KB."""

MAX_OUTLINE: Final = 1_000_000
"""The longest outline of a polygon in pixels (real ones stay under 20,000): drawing it costs memory."""


_CORRECT: Final = "Correct it, or remove the item."
_CORRECT_FIELD: Final = "Correct it, or remove the field."


class _FaultError(Exception):
    """A field that cannot be used."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field
        self.text = text


def parse_image_id(stem: str) -> int:
    """The image id that a file name without its suffix stands for: "000123" is 123.

    Raises `SourceError` for anything but 1 to 18 decimal digits.
    """
    if not (stem.isascii() and stem.isdecimal() and len(stem) <= 18):
        raise SourceError(
            f"{stem}: the name is not a number, so it gives no image id. "
            "Name the files as the dataset does: 000123.json, 000123.jpg."
        )
    return int(stem)


def parse_annotation(
    raw: bytes, file: str, *, image_id: int, file_name: str, size: tuple[int, int] | None
) -> ImageRecord:
    """One annotation file's bytes as a record.

    `file` names the file in notices; `size` is the image's (width, height) in pixels, or None when
    there is no image: then the record has the smallest size that holds the annotations.
    Items that cannot be used are left out and reported in `notices`.

    Raises `SourceError` when the file as a whole cannot be used.
    """
    if len(raw) <= MAX_ANNOTATION_BYTES:
        record = parse_strictly(raw, image_id=image_id, file_name=file_name, size=size)
        if record is not None:
            return record
    try:
        return _parse_slowly(raw, file, image_id, file_name, size)
    except _FaultError as fault:
        raise SourceError(fault.text, file=file, field=fault.field) from None


def _parse_slowly(
    raw: bytes, file: str, image_id: int, file_name: str, size: tuple[int, int] | None
) -> ImageRecord:
    """As `parse_annotation`, for what `parse_strictly` refuses. Raises `_FaultError` for the file as a whole."""
    notices: list[Notice] = []
    document = _load(raw)
    source = _optional_choice(document, "source", SOURCES)
    pair_id = _optional_integer(document, "pair_id")
    items: list[Item] = []
    for key, value in document.items():
        if not _is_item_key(key):
            continue
        try:
            items.append(_parse_item(key, value, size, file, notices))
        except _FaultError as fault:
            name = f"{key}.{fault.field}" if fault.field else key
            notices.append(Notice("bad-item", file, name, fault.text))
    if not items and not notices:
        notices.append(Notice("no-items", file, "", "the image has no items"))
    notices += _twice(items, file)
    width, height = size or smallest_size(items)
    return ImageRecord(
        image_id,
        file_name,
        width,
        height,
        source,
        pair_id,
        tuple(items),
        tuple(notices),
        None if size is None else _reach(document, size),
    )


def _reach(document: dict[str, Any], size: tuple[int, int]) -> float | None:
    """See `ImageRecord.reach`; boxes of items that cannot be used count, too."""
    found = []
    for key, value in document.items():
        box = value.get("bounding_box") if _is_item_key(key) and type(value) is dict else None
        if box is not None and _is_box(box):
            x1, y1, x2, y2 = box
            found.append(max(max(x1, x2) / size[0], max(y1, y2) / size[1]))
    return max(found, default=None)


def _is_box(box: Any) -> bool:
    return type(box) is list and len(box) == 4 and _span(box) is not None


def _twice(items: list[Item], file: str) -> Iterable[Notice]:
    """A notice for each item that is another one again: the same garment, at the same place."""
    for index, item in enumerate(items):
        for other in items[:index]:
            if item.category_id == other.category_id and item.bounding_box == other.bounding_box:
                same = "item" if _without_key(item) == _without_key(other) else "category and box"
                text = (
                    f"the same {same} as {other.key}. Remove one of the two, unless both are meant."
                )
                yield Notice("item-twice", file, item.key, text)
                break


def _without_key(item: Item) -> Item:
    return msgspec.structs.replace(item, key="")


# ---------------------------------------------------------------- the file as a whole


def _load(raw: bytes) -> dict[str, Any]:
    if len(raw) > MAX_ANNOTATION_BYTES:
        limit = MAX_ANNOTATION_BYTES >> 20
        raise _FaultError(
            "", f"larger than {limit} MB, so not the annotations of one image. Replace the file."
        )
    raw = raw.removeprefix(b"\xef\xbb\xbf")  # a byte order mark, as Windows writes it
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise _FaultError("", _not_json(raw, error)) from None
    if type(document) is not dict or not _is_of_an_image(document):
        kind = recognise(raw)
        if kind is not None and not kind.is_other:
            raise _FaultError(
                "", f"this is {kind.what}, not the annotations of one image. {kind.remedy}"
            )
    if type(document) is not dict:
        raise _FaultError("", "not a JSON object. Is this a DeepFashion2 annotation file?")
    _reject_nesting(raw, document)
    _reject_duplicate_keys(raw, document)
    return document


def _is_of_an_image(document: dict[str, Any]) -> bool:
    return "source" in document or "pair_id" in document or any(map(_is_item_key, document))


def _not_json(raw: bytes, error: Exception) -> str:
    if not raw.strip():
        return "the file is empty. Unpack or download the file again."
    kind = recognise(raw)
    if kind is None or (kind.is_json and not kind.is_lines):
        return f"not JSON ({error}). Unpack or download the file again."
    return f"this is {kind.what}, not an annotation file. {kind.remedy}".strip()


def _reject_nesting(raw: bytes, document: dict[str, Any]) -> None:
    if raw.count(b"[") + raw.count(b"{") < _DEEPEST:
        return
    for key, value in document.items():
        level = [value]
        for _ in range(_DEEPEST):
            level = [inner for each in level for inner in _contained(each)]
            if not level:
                break
        else:
            raise _FaultError(key, "nested too deeply for an annotation file. Replace the file.")


_DEEPEST: Final = 20
"""How deep the values of a file may be nested; the dataset's are 3 deep."""


def _contained(value: Any) -> Iterable[Any]:
    """The lists and objects in a list or an object."""
    inside = value.values() if type(value) is dict else value
    return (
        [each for each in inside if type(each) in (list, dict)]
        if type(value) in (list, dict)
        else []
    )


def _reject_duplicate_keys(raw: bytes, document: dict[str, Any]) -> None:
    # Every key brings a colon, so as many colons as keys proves that no key was lost. Only text
    # with other colons in it (never seen in the dataset) is read a second time, by the slow reader.
    keys = len(document)
    for value in document.values():
        if type(value) is dict:
            keys += len(value)
    if raw.count(b":") == keys:
        return
    import json

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, value in pairs:
            if key in result:
                raise _FaultError(key, "the key stands twice in one object. Keep one of the two.")
            result[key] = value
        return result

    json.loads(raw, object_pairs_hook=unique)


def _is_item_key(key: str) -> bool:
    return ITEM_KEY.fullmatch(key) is not None


# ---------------------------------------------------------------- one item


def _parse_item(
    key: str, value: Any, size: tuple[int, int] | None, file: str, notices: list[Notice]
) -> Item:
    if type(value) is not dict:
        raise _FaultError("", f"{shorten(value)} is not a JSON object. {_CORRECT}")
    repairs: list[Notice] = []
    category = _category(value)
    box = _box(value, size, file, key, repairs)
    landmarks, num_labelled = _landmarks(value, category, file, key, repairs)
    segmentation = _segmentation(value, file, key, repairs)
    attributes = [_optional_choice_number(value, name) for name in ATTRIBUTES]
    item = Item(
        key,
        category.id,
        box,
        landmarks,
        num_labelled,
        segmentation,
        _optional_integer(value, "style"),
        *attributes,
    )
    notices.extend(repairs)
    return item


def _required(value: dict[str, Any], name: str) -> Any:
    found = value.get(name)
    if found is None:
        raise _FaultError(name, "missing. Add it, or remove the item.")
    return found


def _category(value: dict[str, Any]) -> Category:
    category_id = _required(value, "category_id")
    category = CATEGORY_BY_ID.get(category_id) if type(category_id) is int else None
    if category is None:
        raise _FaultError(
            "category_id",
            f"{shorten(category_id)} is none of the categories 1 to 13. Correct it, or remove the item.",
        )
    name = value.get("category_name")
    if name != category.name and name is not None:
        raise _FaultError(
            "category_name",
            f"{shorten(name)}, but category_id {category.id} is {category.name!r}. Correct one of them.",
        )
    return category


def _box(
    value: dict[str, Any], size: tuple[int, int] | None, file: str, key: str, repairs: list[Notice]
) -> tuple[Number, Number, Number, Number]:
    box = _required(value, "bounding_box")
    if not _is_box(box):
        raise _FaultError(
            "bounding_box",
            f"{shorten(box)}, expected 4 numbers x1, y1, x2, y2 of at most {MAX_COORDINATE}. {_CORRECT}",
        )
    x1, y1, x2, y2 = box
    if x1 > x2 or y1 > y2:
        x1, x2, y1, y2 = min(x1, x2), max(x1, x2), min(y1, y2), max(y1, y2)
        text = f"{box} gives its corners in the other order; put right"
        repairs.append(Notice("corners-swapped", file, f"{key}.bounding_box", text))
    width, height = size or (MAX_COORDINATE, MAX_COORDINATE)
    if x1 < 0 or y1 < 0 or x2 > width or y2 > height:
        x1, y1, x2, y2 = max(x1, 0), max(y1, 0), min(x2, width), min(y2, height)
        text = f"{box} leaves the image of {width} x {height} pixels; cut at its border"
        repairs.append(Notice("box-clipped", file, f"{key}.bounding_box", text))
    if x2 - x1 < 1 or y2 - y1 < 1:
        image = f" inside the image of {size[0]} x {size[1]} pixels" if size else ""
        raise _FaultError(
            "bounding_box", f"{box} has no pixel{image}; a box needs a positive size. {_CORRECT}"
        )
    return x1, y1, x2, y2


def _landmarks(
    value: dict[str, Any], category: Category, file: str, key: str, repairs: list[Notice]
) -> tuple[list[Number], int]:
    landmarks = _required(value, "landmarks")
    expected = 3 * category.num_landmarks
    if type(landmarks) is not list or len(landmarks) != expected:
        found = f"{len(landmarks)} numbers" if type(landmarks) is list else shorten(landmarks)
        raise _FaultError(
            "landmarks",
            f"{found}, expected {expected} ({category.num_landmarks} landmarks x 3 for {category.name}). "
            "Correct the category or the landmarks.",
        )
    if _span(landmarks) is None:
        raise _FaultError(
            "landmarks", f"not all are numbers of at most {MAX_COORDINATE} pixels. {_CORRECT}"
        )
    visibility = landmarks[2::3]
    if not _VISIBILITIES.issuperset(visibility):
        wrong = next(v for v in visibility if v not in _VISIBILITIES)
        raise _FaultError("landmarks", f"a visibility of {wrong}, expected 0, 1 or 2. {_CORRECT}")
    if type(sum(landmarks)) is float:
        landmarks = [int(n) if n == int(n) else n for n in landmarks]
    unlabelled = visibility.count(0)
    if unlabelled and _clear_unlabelled(landmarks):
        text = "an unlabelled landmark (v = 0) had a position; set to 0, 0"
        repairs.append(Notice("landmark-cleared", file, f"{key}.landmarks", text))
    return landmarks, category.num_landmarks - unlabelled


_VISIBILITIES: Final = frozenset((0, 1, 2))


def _clear_unlabelled(landmarks: list[Number]) -> bool:
    """Set x and y of every landmark with v = 0 to 0; whether any was not."""
    cleared = False
    for start, v in enumerate(landmarks[2::3]):
        if not v and (landmarks[3 * start] or landmarks[3 * start + 1]):
            landmarks[3 * start] = landmarks[3 * start + 1] = 0
            cleared = True
    return cleared


def _segmentation(
    value: dict[str, Any], file: str, key: str, repairs: list[Notice]
) -> list[list[Number]]:
    polygons = _required(value, "segmentation")
    if type(polygons) is not list or not polygons:
        raise _FaultError(
            "segmentation", f"{shorten(polygons)}, expected a list of polygons. {_CORRECT}"
        )
    good: list[list[Number]] = []
    for number, polygon in enumerate(polygons):
        fault = _polygon_fault(polygon)
        if fault is None:
            good.append(polygon)
        else:
            repairs.append(
                Notice(
                    "polygon-dropped", file, f"{key}.segmentation[{number}]", f"{fault}; dropped"
                )
            )
    if not good:
        raise _FaultError(
            "segmentation", f"no polygon can be used: {_polygon_fault(polygons[0])}. {_CORRECT}"
        )
    return good


def _polygon_fault(polygon: Any) -> str | None:
    if type(polygon) is not list:
        return f"{shorten(polygon)} is not a list of numbers"
    length = len(polygon)
    if length < 6 or length % 2:
        return f"{length} numbers, expected an even number of at least 6"
    span = _span(polygon)
    if span is None:
        return f"not all are numbers of at most {MAX_COORDINATE} pixels"
    # No edge is longer than its span in x and in y, so hardly any outline needs adding up.
    if span * length > MAX_OUTLINE and _outline(polygon) > MAX_OUTLINE:
        return f"an outline of more than {MAX_OUTLINE} pixels"
    return None


def _outline(polygon: list[Number]) -> float:
    xs, ys = polygon[0::2], polygon[1::2]
    return sum(abs(xs[i] - xs[i - 1]) + abs(ys[i] - ys[i - 1]) for i in range(len(xs)))


def _span(values: list[Any]) -> Number | None:
    """The largest less the smallest of some coordinates; None when not all are coordinates."""
    if not {int, float}.issuperset(map(type, values)):
        return None
    low, high = min(values), max(values)
    if low < -MAX_COORDINATE or high > MAX_COORDINATE:
        return None
    return high - low  # type: ignore[no-any-return]


# ---------------------------------------------------------------- fields that may be absent


def _optional_integer(value: dict[str, Any], name: str) -> int | None:
    found = value.get(name)
    if found is None:
        return None
    if type(found) is not int or not 0 <= found < 1 << 53:
        raise _FaultError(
            name, f"{shorten(found)}, expected a whole number of 0 or more. {_CORRECT_FIELD}"
        )
    return found


def _optional_choice(value: dict[str, Any], name: str, choices: tuple[str, ...]) -> str | None:
    found = value.get(name)
    if found is None or found in choices:
        return found
    raise _FaultError(name, f"{shorten(found)}, expected {' or '.join(choices)}. {_CORRECT_FIELD}")


def _optional_choice_number(value: dict[str, Any], name: str) -> int | None:
    found = value.get(name)
    if found is None and name == "zoom_in":
        found = value.get("zoom-in")  # the dataset's README spells it so
    if found is None or (type(found) is int and 1 <= found <= 3):
        return found
    raise _FaultError(name, f"{shorten(found)}, expected 1, 2 or 3. {_CORRECT_FIELD}")
