"""COCO files, and what programs have loaded of them: read as a whole, and why one cannot be read."""

import contextlib
import gc
import io
import json
import math
import re
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

import msgspec
import orjson

from df2coco.coco.schema import FIELDS, invalid, read_whole_numbers
from df2coco.errors import CocoFileError, OptionError
from df2coco.file_kind import LOOKED_AT, recognise
from df2coco.lazy_numpy import np

if TYPE_CHECKING:
    from pycocotools.coco import COCO


class HasDataset(Protocol):
    """`pycocotools.coco.COCO`, and whatever else has its `dataset`."""

    dataset: Any


GroundTruthSource: TypeAlias = str | Path | Mapping[str, Any] | HasDataset
"""A COCO file, or one that is loaded."""

ResultsSource: TypeAlias = str | Path | Sequence[Mapping[str, Any]] | HasDataset
"""A file of results, a list of them, or what `COCO.loadRes` gives."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """JSON that is in a file, or the text of what is loaded."""

    path: Path
    """The file, or what messages call it."""
    raw: bytes | None = None
    """The JSON text of what is in no file."""


def open_source(given: GroundTruthSource | ResultsSource, name: str) -> Loaded:
    """A COCO file or results, which messages call `name` where they are in no file.

    Raises `OptionError` for what JSON cannot hold.
    """
    if isinstance(given, (str, Path)):
        return Loaded(Path(given))
    try:
        raw = orjson.dumps(getattr(given, "dataset", given), default=_plain)
    except TypeError as error:
        raise OptionError(f"not a file, and nothing that JSON can hold ({error}).") from None
    return Loaded(Path(name), raw)


def _plain(value: Any) -> Any:
    """Counts as pycocotools encodes them, tuples of a kind, and numpy's numbers and arrays."""
    if isinstance(value, bytes):
        return value.decode("ascii", "replace")
    if isinstance(value, (Mapping, Sequence)) and not isinstance(value, str):
        return dict(value) if isinstance(value, Mapping) else list(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} {value!r:.40}")


def read_whole(loaded: Loaded) -> tuple[dict[str, Any], list[tuple[str, float]], list[str]]:
    """The JSON object in a file, with lists of objects for images, annotations, categories.

    With it what `read` refuses: places ("annotations[3].bbox[0]") and values of NaN and infinities, and
    outermost keys that are there twice. Raises `CocoFileError` when it cannot be read as a COCO file.
    """
    raw = loaded.raw
    if raw is None:
        with opened(loaded.path) as stream:
            raw = stream.read()
    not_finite = []
    with no_collection():
        document = parse(raw)
        if document is None:
            document = parse_with_nan(raw)
            not_finite = list(find_not_finite(document))
            if not not_finite and raw.strip() != b"null":
                raise fault_of_json(loaded.path, raw)
    return check_document(loaded.path, document), not_finite, repeated_keys(raw)


def read(loaded: Loaded) -> dict[str, Any]:
    """The same alone, where whole numbers that are written as 1.0 are read as such (see `read_whole_numbers`).

    Also raises `CocoFileError` for NaN, for infinities, and for keys that are there twice.
    """
    document, not_finite, keys = read_whole(loaded)
    for where, number in not_finite:
        text = f"{json.dumps(number)} is not JSON, though Python's json writes it."
        if math.isinf(number):
            text = "an infinite number: Infinity, or one like 1e999. Most readers stop at it."
        raise invalid(loaded.path, where, text)
    if keys:
        text = "is in the file twice, and readers take the last one. Remove one of them."
        raise CocoFileError(text, file=loaded.path, field=keys[0])
    for name in FIELDS:
        read_whole_numbers(name, document.get(name, []))
    return document


@contextlib.contextmanager
def opened(path: Path) -> Iterator[io.BufferedReader]:
    """A file, open. Raises `CocoFileError`, also for an encoding that JSON does not have."""
    try:
        if path.exists() and not path.is_file():
            text = f"is {'a folder' if path.is_dir() else 'not a regular file'}. Name a COCO file."
            if any(any(path.glob(names)) for names in ("*.txt", "labels/*.txt")):
                text = "is a folder of text files, as YOLO writes them. Name a JSON file; yolo val "
                text += "save_json=True writes predictions.json."
            raise CocoFileError(text, file=path)
        with path.open("rb") as stream:
            start = stream.peek(4)
            if start.startswith(b"\xef\xbb\xbf"):
                text = "starts with a byte order mark. Python's json and most other readers stop at it. "
                raise CocoFileError(f"{text}Save it as UTF-8 without byte order mark.", file=path)
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
        text = "an annotation file of DeepFashion2. Convert the split with df2coco convert."
        raise CocoFileError(text, file=path)
    refuse_other_kinds(path, document.get("annotations"))
    for name in FIELDS:
        entries = document.get(name, [] if name == "annotations" else None)
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise CocoFileError(f"{name}: expected a list of objects. Name a COCO file.", file=path)
    return document


def refuse_other_kinds(path: Path, annotations: Any) -> None:
    """Raise `CocoFileError` for files of COCO's other tasks, by the first of their annotations."""
    first = annotations[0] if isinstance(annotations, list) and annotations else None
    for field, what in _OTHER_KINDS.items():
        if isinstance(first, dict) and field in first and "bbox" not in first:
            text = f"a file of {what}, which has no boxes, masks or landmarks. "
            raise CocoFileError(f"{text}Name a file of instances.", file=path)


_OTHER_KINDS: Final = {
    "caption": "captions",
    "segments_info": "panoptic segmentation",
    "question": "questions",
}
"""A field that only annotations of that kind have -> the kind."""


_TOP_KEY: Final = re.compile(rb'"(info|licenses|images|annotations|categories)"\s*:')


def repeated_keys(raw: bytes) -> list[str]:
    """Which of the outermost keys of a COCO file are in it more than once."""
    found = _TOP_KEY.findall(raw)
    if len(set(found)) == len(found):
        return []
    # They may be inside of something else: the outermost object is the last that ends.
    objects: deque[list[tuple[str, Any]]] = deque(maxlen=1)
    json.loads(raw, object_pairs_hook=objects.append)
    counts = Counter(key for key, _ in objects[0])
    known = {key.decode() for key in found}
    return [name for name, number in counts.items() if number > 1 and name in known]


def parse(raw: bytes) -> Any:
    """The value of a JSON text; None when it is not JSON. Integers of more than 64 bits stay what they are."""
    try:
        value = msgspec.json.decode(raw)
        # One byte is looked for in a tenth of the time of two.
        if b"\\" in raw and (b"\\ud" in raw or b"\\uD" in raw):
            msgspec.json.encode(value)  # half of a surrogate pair is not a character
        return value
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def parse_with_nan(raw: bytes) -> Any:
    """The value of a JSON text in which NaN and Infinity are numbers; None when it is not one."""
    value = parse(raw)
    if value is None and (b"NaN" in raw or b"Infinity" in raw or has_huge(raw)):
        with contextlib.suppress(ValueError, RecursionError):
            value = json.loads(raw)
    return value


def has_huge(raw: bytes) -> bool:
    """Whether a number may be in a JSON text that Python does not read as a finite one: 1e999, or 210 digits.

    So many before an exponent of two digits make an infinite number; with less it needs three.
    """
    codes = np.frombuffer(raw, np.uint8)
    digits = codes - ord("0") < 10  # what is before "0" wraps around
    exponents = (codes[:-1] | 32 == ord("e")) & (digits[1:] | (codes[1:] == ord("+")))
    # An RLE has such text, but goes on.
    is_huge = exponents.any() and re.search(rb"[eE]\+?[0-9]{3,}\s*[],}]", raw)
    return bool(is_huge) or b"\1" * 210 in digits.tobytes()


def find_not_finite(value: Any) -> Iterator[tuple[str, float]]:
    """Every NaN and infinity in a JSON value: its place "annotations[3].bbox[0]", and which it is."""
    waiting: list[tuple[str, Any]] = [("", value)]
    while waiting:
        where, value = waiting.pop()
        if type(value) is float and not math.isfinite(value):
            yield where, value
        elif type(value) is dict:
            waiting += ((f"{where}.{k}" if where else k, v) for k, v in reversed(value.items()))
        elif type(value) is list:
            waiting += reversed([(f"{where}[{n}]", v) for n, v in enumerate(value)])


def fault_of_json(path: Path, raw: bytes) -> CocoFileError:
    """The error for a file that is not JSON: what is wrong with it."""
    if raw.strip() in (b"", b"null"):
        return CocoFileError("the file is empty. Was it written to the end?", file=path)
    kind = recognise(raw[:LOOKED_AT], path.name)
    if raw.startswith(b"PK\3\4") and kind is None:
        return CocoFileError("this is a zip archive. Unpack it, and name the COCO file.", file=path)
    if kind is not None and kind.form in ("", "lines"):
        return CocoFileError(f"this is {kind.what}, not a JSON file. Name a JSON file.", file=path)
    fault = "limit"  # of depth, which is less here than in orjson
    try:
        orjson.loads(raw)
    except orjson.JSONDecodeError as error:  # which says where the fault is
        fault = str(error)
    if "limit" in fault:  # "depth limit exceeded", "Recursion limit reached"
        return CocoFileError("nested too deeply for a COCO file. Replace it.", file=path)
    try:
        raw.decode()
    except UnicodeDecodeError as wrong:
        start, line = raw.rfind(b"\n", 0, wrong.start) + 1, raw.count(b"\n", 0, wrong.start) + 1
        place = f"byte 0x{raw[wrong.start]:02x} in line {line}, column {wrong.start - start + 1}"
        return CocoFileError(f"not UTF-8: {place}. Save it as UTF-8.", file=path)
    remedy = "Correct it, or write the file again."
    if "end of data" in fault:
        remedy = "Was it written to the end?"
    return CocoFileError(f"not JSON ({fault}). {remedy}", file=path)


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


def index(document: dict[str, Any]) -> "COCO":
    """A COCO document that has been read and checked, indexed by pycocotools."""
    from pycocotools.coco import COCO

    coco = COCO()
    coco.dataset = document
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
    return coco
