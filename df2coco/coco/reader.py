"""Reading a COCO file as a whole, and saying why one cannot be read."""

from __future__ import annotations

import contextlib
import gc
import io
import json
import math
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from df2coco.coco.schema import read_whole_numbers
from df2coco.errors import CocoFileError, shorten
from df2coco.file_kind import LOOKED_AT, recognise

if TYPE_CHECKING:
    from pycocotools.coco import COCO

LISTS: Final = ("images", "annotations", "categories")


def read(path: Path, raw: bytes | None = None) -> dict[str, Any]:
    """The JSON object in the file at `path`, with lists of objects for images, annotations, categories.

    `raw` is the JSON text of what is in no file; then `path` is its name in messages.
    Whole numbers that are written as 1.0 are read as such (see `read_whole_numbers`).
    Raises `CocoFileError` when it cannot be read as a COCO file.
    """
    if raw is None:
        with opened(path) as stream:
            raw = stream.read()
    try:
        with no_collection():
            document = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise fault_of_json(path, raw) from None
    document = check_document(path, document)
    for key in repeated_keys(raw):
        raise CocoFileError(
            "stands twice in the file, and readers take the last one. Remove one of them.",
            file=path,
            field=key,
        )
    for name in LISTS:
        read_whole_numbers(name, document.get(name, []))
    return document


@contextlib.contextmanager
def opened(path: Path) -> Iterator[io.BufferedReader]:
    """A file, open. Raises `CocoFileError`, also for an encoding that JSON does not have."""
    try:
        if path.exists() and not path.is_file():
            what = "a folder" if path.is_dir() else "not a regular file"
            if any(path.glob("*.txt")):
                text = "is a folder of text files, as YOLO writes them. Name a JSON file; yolo val save_json=True "
                raise CocoFileError(f"{text}writes predictions.json.", file=path)
            raise CocoFileError(f"is {what}. Name a COCO file.", file=path)
        with path.open("rb") as stream:
            start = stream.peek(4)
            if start.startswith(b"\xef\xbb\xbf"):
                raise CocoFileError(
                    "starts with a byte order mark. Python's json and most other readers stop at it. "
                    "Save it as UTF-8 without byte order mark.",
                    file=path,
                )
            if start.startswith((b"\xff\xfe", b"\xfe\xff")):
                raise CocoFileError("not JSON, since it is UTF-16. Save it as UTF-8.", file=path)
            yield stream
    except OSError as error:
        raise CocoFileError(f"cannot be read ({error.strerror}).", file=path) from None


def check_document(path: Path, document: Any) -> dict[str, Any]:
    """The parsed JSON of `path`, if it has the outer form of a COCO file; else `CocoFileError`."""
    if not isinstance(document, dict):
        what = "not a JSON object"
        if isinstance(document, list) and document and isinstance(document[0], dict):
            what += ", but a list, as results of a model are"
        raise CocoFileError(f"{what}. Name a COCO file.", file=path)
    if "item1" in document and "source" in document:
        raise CocoFileError(
            "an annotation file of DeepFashion2. Convert the split with df2coco convert.", file=path
        )
    refuse_other_kinds(path, document.get("annotations"))
    for name in LISTS:
        entries = document.get(name, [] if name == "annotations" else None)
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise CocoFileError(f"{name}: expected a list of objects. Name a COCO file.", file=path)
    return document


def refuse_other_kinds(path: Path, annotations: Any) -> None:
    """Raise `CocoFileError` for files of COCO's other tasks, by the first of their annotations."""
    first = annotations[0] if isinstance(annotations, list) and annotations else None
    for field, what in _OTHER_KINDS.items():
        if isinstance(first, dict) and field in first and "bbox" not in first:
            raise CocoFileError(
                f"a file of {what}, which has no boxes, masks or landmarks. Name a file of instances.",
                file=path,
            )


_OTHER_KINDS: Final = {
    "caption": "captions",
    "segments_info": "panoptic segmentation",
    "question": "questions",
}
"""A field that only annotations of that kind have -> the kind."""


# ---------------------------------------------------------------- keys that stand twice

_TOP_KEYS: Final = ("info", "licenses", "images", "annotations", "categories")
_TOP_KEY: Final = re.compile(rb'"(' + "|".join(_TOP_KEYS).encode() + rb')"\s*:')
TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*\\?"?|[][{}]', re.DOTALL)
"""In a JSON text a string, or a bracket outside of strings."""


def repeated_keys(raw: bytes) -> list[str]:
    """Which of the outermost keys of a COCO file stand in it more than once."""
    places: dict[bytes, list[int]] = {}
    for found in _TOP_KEY.finditer(raw):
        places.setdefault(found[1], []).append(found.start())
    unsure = {place: key for key, each in places.items() if len(each) > 1 for place in each}
    if not unsure:
        return []
    # They may stand inside of something else: count brackets up to the last of them.
    counts: Counter[bytes] = Counter()
    depth = 0
    for token in TOKEN.finditer(raw, 0, max(unsure) + 20):
        start = token.start()
        if raw[start] in b"[{":
            depth += 1
        elif raw[start] in b"]}":
            depth -= 1
        elif depth == 1 and start in unsure:
            counts[unsure[start]] += 1
    return [key.decode() for key, count in counts.items() if count > 1]


# ---------------------------------------------------------------- what is not JSON


def fault_of_json(path: Path, raw: bytes) -> CocoFileError:
    """The error for a file that is not JSON: what is wrong with it."""
    if not raw.strip():
        return CocoFileError("the file is empty. Was it written to the end?", file=path)
    value = parse_with_nan(raw)
    if value is not None:
        field, number = next(find_not_finite(value), ("", math.nan))
        text = "is not JSON, though Python's json writes it"
        if type(number) is int:
            text = "is larger than any floating point number"
        name = _NAMES.get(str(number), shorten(number))
        return CocoFileError(
            f"{name} {text}. df2coco validate reports all that is wrong.", file=path, field=field
        )
    kind = recognise(raw[:LOOKED_AT], path.name)
    if raw.startswith(b"PK\3\4") and kind is None:
        return CocoFileError("this is a zip archive. Unpack it, and name the COCO file.", file=path)
    if kind is not None and (kind.is_lines or not kind.is_json):
        return CocoFileError(f"this is {kind.what}, not a JSON file. Name a JSON file.", file=path)
    try:
        orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        if "limit" in str(error):  # "depth limit exceeded", "Recursion limit reached"
            return CocoFileError("nested too deeply for a COCO file. Replace it.", file=path)
        try:
            raw.decode()
        except UnicodeDecodeError as wrong:
            start, line = raw.rfind(b"\n", 0, wrong.start) + 1, raw.count(b"\n", 0, wrong.start) + 1
            place = (
                f"byte 0x{raw[wrong.start]:02x} in line {line}, column {wrong.start - start + 1}"
            )
            return CocoFileError(f"not UTF-8: {place}. Save it as UTF-8.", file=path)
        cut_off = "end of data" in str(error)
        remedy = "Was it written to the end?" if cut_off else "Correct it, or write the file again."
        return CocoFileError(f"not JSON ({error}). {remedy}", file=path)
    return CocoFileError("not JSON. Write the file again.", file=path)


_NAMES: Final = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def parse_with_nan(raw: bytes) -> Any:
    """The value of a JSON text in which NaN and Infinity are numbers; None when it is not one."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        if b"NaN" in raw or b"Infinity" in raw or _HUGE.search(raw):
            with contextlib.suppress(ValueError, RecursionError):
                return json.loads(raw)
        return None


_HUGE: Final = re.compile(rb"[eE]\+?[0-9]{3}|[0-9]{309}")
"""1e999, which Python's json reads as infinite."""


def find_not_finite(value: Any) -> Iterator[tuple[str, float]]:
    """Every NaN, infinity and integer beyond all floats in a JSON value: its place "annotations[3].bbox[0]"."""
    waiting: list[tuple[str, Any]] = [("", value)]
    while waiting:
        where, value = waiting.pop()
        if type(value) in (float, int) and not -_LARGEST <= value <= _LARGEST:
            yield where, value
        elif type(value) is dict:
            waiting += ((f"{where}.{k}" if where else k, v) for k, v in reversed(value.items()))
        elif type(value) is list:
            waiting += reversed([(f"{where}[{n}]", v) for n, v in enumerate(value)])


_LARGEST: Final = sys.float_info.max


# ---------------------------------------------------------------- pycocotools


@contextlib.contextmanager
def no_collection() -> Iterator[None]:
    """Parsing makes millions of lists and no garbage: looking for it takes longer than parsing."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def index(document: dict[str, Any]) -> COCO:
    """A COCO document that has been read and checked, indexed by pycocotools."""
    from pycocotools.coco import COCO

    coco = COCO()
    coco.dataset = document
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
    return coco
