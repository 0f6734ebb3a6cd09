"""The source format: one DeepFashion2 annotation file becomes one checked `ImageRecord`.

Facts about the format are from the dataset's README and from counting on real files; see
`fixtures/README.md` for its quirks.
"""

import functools
import math
import re
from collections.abc import Iterator
from operator import truediv
from typing import Any, Final

import msgspec
import orjson
from msgspec.structs import astuple

from df2coco.errors import FaultError, SourceError, printable
from df2coco.file_kind import recognise
from df2coco.parser.item import box_fault, checked, complete, grow, polygon_fault, read_fields
from df2coco.parser.records import Fields, Head, ImageRecord, Item, Notice, Repair, Whole

MAX_ANNOTATION_BYTES: Final = 8 << 20
"""The largest annotation file that is read; real ones have 0.6 to 60 KB."""
_NOT_FINITE: Final = re.compile(rb"[\[,:]\s*(NaN|-?Infinity)\s*[\],}]")
_TOO_DEEP: Final = "nested too deeply for an annotation file. Replace the file."
_DEEPEST: Final = 20  # the dataset's values are nested 3 deep
_decode_file: Final = msgspec.json.Decoder(dict[str, Fields | Whole | str]).decode
_IGNORED: Final = (
    "looks like an item, but items are called item1, item2 ..., so it is left out. Rename it."
)
_OF_ITEMS: Final = frozenset(("bounding_box", "landmarks", "segmentation", "category_id"))


def find_image_id(stem: str) -> int | None:
    """The image id of a file name without its suffix, 1 to 18 decimal digits: "000123" is 123."""
    return int(stem) if stem.isascii() and stem.isdecimal() and len(stem) <= 18 else None


def parse_annotation(
    raw: bytes,
    file: str,
    image_id: int,
    file_name: str,
    size: tuple[int, int] | None,
    *,
    needs_landmarks: bool = True,
) -> ImageRecord:
    """One annotation file's bytes as a record.

    `file` names the file in notices; `size` is the image's (width, height) in pixels, or None when
    there is no image: then the record has the smallest size that holds the annotations.
    Without `needs_landmarks`, items may lack landmarks; they are unlabelled then. Items that cannot
    be used are left out and reported in `notices`. Raises `SourceError` for a whole file.
    """
    if len(raw) > MAX_ANNOTATION_BYTES:
        most = f"{MAX_ANNOTATION_BYTES >> 20} MB"
        text = f"larger than {most}, so not the annotations of one image. Replace the file."
        raise SourceError(text, file=file)
    try:
        document = _decode(raw) or _load_any(raw)
        head = checked(document, Head)
    except FaultError as fault:
        raise SourceError(fault.text, file=file, field=fault.field) from None
    items: list[Item] = []
    notices: list[Notice] = []
    reaches: list[float] = []
    smallest, are_corners = (1, 1), True
    for key, value in document.items():
        if not is_item_key(key):
            if type(value) in (dict, list) and _holds_item(value):
                notices.append(Notice("item-ignored", file, printable(key[:60]), _IGNORED))
            continue
        repairs: list[Repair] = []
        try:
            fields = value
            if type(value) is not Fields:
                fields = read_fields(value, repairs, needs_landmarks=needs_landmarks)
            if wrong := box_fault(fields, size):
                are_corners = False
                raise wrong
            if size is not None:
                reaches.append(max(map(truediv, fields.bounding_box, size * 2)))
            item = complete(key, fields, size, repairs)
            if size is None:
                smallest = grow(smallest, item)
            items.append(item)
        except FaultError as error:
            repairs = [("bad-item", error.field, error.text)]
        for code, field, text in repairs:
            notices.append(Notice(code, file, f"{key}.{field}" if field else key, text))
    if not items and not any(notice.code == "bad-item" for notice in notices):
        if document and not notices and not any(map(_is_known, document)):
            text = "no key is one of an annotation file (source, pair_id, item1, item2 ...)."
            raise SourceError(f"{text} Name the folder of DeepFashion2's own files.", file=file)
        notices.append(Notice("no-items", file, "", "the image has no items"))
    if len(items) > 1:
        notices += _twice(items, file)
    reach = max(reaches, default=None) if are_corners or size is None else math.nan
    heads = head.source, head.pair_id
    return ImageRecord(
        image_id, file_name, *(size or smallest), *heads, tuple(items), tuple(notices), reach
    )


def _holds_item(value: Any) -> bool:
    """Whether a value is an item by its keys, or a list or an object of some."""
    inside = (inner for level in _levels(value) for inner in level if type(inner) is dict)
    return any(len(_OF_ITEMS.intersection(inner)) > 1 for inner in inside)


def _levels(value: Any) -> Iterator[list[Any]]:
    """The lists and objects in a JSON value: itself, those in it, those in them, ..."""
    level = [value]
    while level := [inner for inner in level if type(inner) in (dict, list)]:
        yield level
        insides = (inner.values() if type(inner) is dict else inner for inner in level)
        level = [inner for inside in insides for inner in inside]


def _twice(items: list[Item], file: str) -> Iterator[Notice]:
    """A notice for each item that is another one again: the same garment, at the same place."""
    first: dict[Any, Item] = {}
    for item in items:
        other = first.setdefault((item.category_id, item.bounding_box), item)
        if other is not item:
            keys = {"key": other.key, "category_name": other.category_name}
            same = msgspec.structs.replace(item, **keys) == other
            what = "item" if same else "category and box"
            text = f"the same {what} as {other.key}. Remove one of the two, unless both are meant."
            yield Notice("item-twice", file, item.key, text)


def _decode(raw: bytes) -> dict[str, Any] | None:
    """Key -> value of a file as the dataset writes it, checked; None for any other."""
    try:
        document = _decode_file(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    num_keys = len(document)
    for key, value in document.items():
        if type(value) is Fields:
            fits = value.landmarks and is_item_key(key)
            if not fits or any(map(polygon_fault, value.segmentation)):
                return None
            values = astuple(value)
            num_keys += len(values) - values.count(None)
    # Every key brings a colon, so as many colons as keys proves that no key is there twice.
    return document if raw.count(b":") == num_keys else None


def _load_any(raw: bytes) -> dict[str, Any]:
    """Key -> value of any file. Raises `FaultError` for what is not an annotation file."""
    raw = raw.removeprefix(b"\xef\xbb\xbf")  # a byte order mark, as Windows writes it
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise FaultError("", _not_json(raw, error)) from None
    is_object = type(document) is dict
    if not is_object or not any(map(_is_known, document)):
        kind = recognise(raw)
        if kind is not None and kind.form != "other":
            text = f"this is {kind.what}, not the annotations of one image. {kind.remedy}"
            raise FaultError("", text)
    if not is_object:
        raise FaultError("", "not a JSON object. Is this a DeepFashion2 annotation file?")
    for key, value in document.items():
        if any(depth == _DEEPEST for depth, _ in enumerate(_levels(value))):
            raise FaultError(key, _TOO_DEEP)
    # Every key brings a colon, so as many colons as keys proves that no key was lost. Only text
    # with other colons in it (never seen in the dataset) is read a second time, by the slow reader.
    keys = len(document) + sum(len(value) for value in document.values() if type(value) is dict)
    if raw.count(b":") != keys:
        import json

        json.loads(raw, object_pairs_hook=_unique)
    return document  # type: ignore[no-any-return]


def _is_known(key: str) -> bool:
    return key in Head.__struct_fields__ or is_item_key(key)


def _not_json(raw: bytes, error: Exception) -> str:
    if not raw.strip(b"\0 \t\r\n"):  # a download that was cut off may be filled up with zeros
        what = "holds zero bytes alone" if b"\0" in raw else "the file is empty"
        return f"{what}. Unpack or download the file again."
    kind = recognise(raw)
    if kind is not None and kind.form in ("", "lines"):
        return f"this is {kind.what}, not an annotation file. {kind.remedy}".strip()
    if constant := _NOT_FINITE.search(raw):
        where = f"though Python's json writes it (character {constant.start(1)})"
        return f"{constant[1].decode()} is not JSON, {where}. Write a number."
    if "limit" in str(error):  # "depth limit exceeded", "Recursion limit reached"
        return _TOO_DEEP
    if "UTF-8" in str(error):
        return "not text in UTF-8. Save it as UTF-8."
    return f"not JSON ({error}). Unpack or download the file again."


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for key, value in pairs:
        if key in document:
            raise FaultError(key, "the key is in one object twice. Keep one of the two.")
        document[key] = value
    return document


@functools.lru_cache(1000)
def is_item_key(key: str) -> bool:
    """Whether a key of an annotation file is that of an item: "item1"."""
    return key.startswith("item") and key.isascii() and key[4:].isdecimal()
