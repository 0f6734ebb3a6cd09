"""Long JSON lists, read a part at a time.

A file of 50,000 items with 294 landmarks each is 140 to 220 MB of JSON; parsed as a whole it takes
2 GB. It is cut into parts where one object seems to end and the next to begin. That every part parses by
itself proves that the cuts were right. Where one does not, the file is parsed as a whole after all.
"""

import contextlib
import mmap
import re
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from df2coco.coco import reader
from df2coco.coco.decoding import EntryDecoder, check_fields, find_garments
from df2coco.coco.reader import Loaded, no_collection, parse, parse_with_nan
from df2coco.coco.schema import read_whole_numbers
from df2coco.errors import CocoFileError

if TYPE_CHECKING:
    from pycocotools.coco import COCO

Buffer: TypeAlias = mmap.mmap | bytes
Span: TypeAlias = range
"""Some elements of a list in a file: the numbers of their bytes, without the comma behind them."""

_PART: Final = 2 << 20
"""Bytes of JSON that are parsed at a time."""


class Cut(NamedTuple):
    """A COCO file, cut into parts."""

    document: dict[str, Any]
    """All but the annotations, which are an empty list."""
    spans: list[Span]
    """The annotations, in order."""


_BETWEEN: Final = re.compile(rb"\}\s*,\s*\{")


def _spans(buffer: Buffer, start: int, end: int) -> Iterator[Span]:
    """The list whose elements lie from `start` to `end`, cut where an object seems to end."""
    while end - start > _PART:
        between = _BETWEEN.search(buffer, start + _PART, end)
        if between is None:
            break
        yield Span(start, between.start() + 1)
        start = between.end() - 1
    yield Span(start, end)


_START: Final = re.compile(rb"\s*\[")
_ANNOTATIONS: Final = re.compile(rb'"annotations"\s*:\s*\[')
_END: Final = re.compile(rb'\]\s*(?:,\s*"(?:images|categories|info|licenses|type)"\s*:|\}\s*\Z)')


def cut(loaded: Loaded) -> Cut | None:
    """Cut the annotations of a file into parts; None when it is not written so that this is possible.

    The cuts are guesses: they are right if `read_span` can read every part.
    Raises `CocoFileError` when the file cannot be read as a COCO file.
    """
    with _mapped(loaded) as buffer:
        start = _ANNOTATIONS.search(buffer)
        head = buffer[: start.end()] if start else b""
        top = parse(head + b"]}")
        if start is None or not isinstance(top, dict) or top.get("annotations") != []:
            return None  # the list is inside of something else
        # With the other lists in front, these are nearly always the end of the file.
        likely = len(buffer) - (1 << 20) if {"images", "categories"} <= top.keys() else 0
        end = _END.search(buffer, max(start.end(), likely))
        if end is None:
            return None
        rest = head + buffer[end.start() :]
        document = parse(rest)
        if not isinstance(document, dict) or document.get("annotations") != []:
            return None
        if "categories" not in document or reader.repeated_keys(rest):
            return None  # reading it as a whole says what is wrong
        spans = list(_spans(buffer, start.end(), end.start()))
        return Cut(reader.check_document(loaded.path, document), spans)


def read_span(path: Path, span: Span) -> list[dict[str, Any]] | None:
    """The annotations in a part; None when the file was not cut between annotations, or is not JSON."""
    return _dicts(parse(read_text(path, span)))


def read_text(path: Path, span: Span) -> bytes:
    """A part as the JSON text of a list, if the file was cut between annotations."""
    with path.open("rb") as stream:
        stream.seek(span.start)
        return b"[%b]" % stream.read(len(span))


def iter_list(
    loaded: Loaded, *, what: str, decode: Callable[[bytes], list[Any] | None] | None = None
) -> Iterator[list[Any]]:
    """The elements of a JSON list, in order, in parts of some megabytes.

    `decode` is asked first for each part, and may make something else of it than objects.
    NaN and Infinity, which Python's json writes, are read as numbers: the reader has to look for them.
    JSON Lines, one object a line, are read as a list of these.
    Raises `CocoFileError` when the file cannot be read or is not a list; `what` says of what it should be.
    """

    def read_part(text: bytes, _: int) -> list[Any] | None:
        part = decode(text) if decode is not None else None
        return _dicts(parse_with_nan(text)) if part is None else part

    def read_rest(taken: int) -> list[Any]:
        raw = buffer[:]
        whole = parse_with_nan(raw)
        if not isinstance(whole, list):
            lines = [parse_with_nan(line) for line in raw.splitlines() if line.strip()]
            if len(lines) > 1 and _dicts(lines) is not None:
                whole = lines
        if whole is None:
            raise reader.fault_of_json(loaded.path, raw)
        if not isinstance(whole, list):
            text = f"not a JSON list. Expected a list of {what}."
            raise CocoFileError(text, file=loaded.path)
        return whole[taken:]

    with _mapped(loaded) as buffer:
        start, end = _START.match(buffer), buffer.rfind(b"]")
        if start is not None and start.end() <= end and not buffer[end + 1 :].strip(b" \t\r\n"):
            yield from _parts(buffer, Span(start.end(), end), read_part, read_rest)
        else:
            yield read_rest(0)


def read_parts(
    loaded: Path | Loaded, use: str | None = None, *, as_objects: bool = False
) -> tuple[dict[str, Any], Iterator[list[Any]]]:
    """A COCO file as `read` gives it, with `annotations` empty; and these, in order, in parts.

    With `use` all is checked, and annotations are what `EntryDecoder` makes of them for it, or with
    `as_objects` or without a use objects.
    Raises `CocoFileError` when the file cannot be read as a COCO file, also while parts are taken.
    """
    loaded = loaded if isinstance(loaded, Loaded) else Loaded(loaded)
    found = cut(loaded)
    document = found.document if found else reader.read(loaded)
    annotations = document.get("annotations", [])
    document["annotations"] = []
    for name in ("images", "categories"):
        read_whole_numbers(name, document[name])
    decoder = None
    if use is not None:
        check_fields(document, loaded.path, use)
        decoder = EntryDecoder("annotations", use, find_garments(document["categories"]))

    def read_part(text: bytes, taken: int) -> list[Any] | None:
        items = decoder.decode(text) if decoder is not None else None
        if items is not None and not as_objects:
            return items
        part = _dicts(parse(text))
        return part and take(part, taken, are_checked=items is not None)

    def take(part: list[Any], taken: int, *, are_checked: bool = False) -> list[Any]:
        if not taken:
            reader.refuse_other_kinds(loaded.path, part)
        if decoder is not None and not are_checked:
            items = decoder.read(part, loaded.path, taken)
            return part if as_objects else items
        read_whole_numbers("annotations", part)
        return part

    def read_rest(taken: int) -> list[Any]:
        return take(reader.read(loaded)["annotations"][taken:], taken)

    def parts() -> Iterator[list[Any]]:
        if found is None:
            yield take(annotations, 0)
            return
        span = Span(found.spans[0].start, found.spans[-1].stop)
        with _mapped(loaded) as buffer:
            yield from _parts(buffer, span, read_part, read_rest)

    return document, parts()


def load(path: str | Path) -> "COCO":
    """The file at `path` as a `pycocotools.coco.COCO`, without the lines that its constructor prints.

    Raises `CocoFileError` when it cannot be read as a COCO file, or when a field is missing or is not what
    it must be.
    """
    with no_collection():
        document, parts = read_parts(Path(path), "any", as_objects=True)
        document["annotations"] = list(chain.from_iterable(parts))
    return reader.index(document)


def _parts(
    buffer: Buffer,
    span: Span,
    read_part: Callable[[bytes, int], list[Any] | None],
    read_rest: Callable[[int], list[Any]],
) -> Iterator[list[Any]]:
    """The elements of a list, in parts.

    `read_part` reads the JSON text of a list, `read_rest` all from where that gives None on. Both are
    given the number of the first element.
    """
    taken = 0
    for own in _spans(buffer, span.start, span.stop):
        part = read_part(b"[%b]" % buffer[own.start : own.stop], taken)
        if isinstance(buffer, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
            # Let the system take back the memory of what has been read.
            buffer.madvise(mmap.MADV_DONTNEED, 0, own.stop - own.stop % mmap.PAGESIZE)
        if part is None:
            yield read_rest(taken)
            return
        yield part
        taken += len(part)


def _dicts(values: Any) -> list[Any] | None:
    return values if isinstance(values, list) and all(type(v) is dict for v in values) else None


@contextlib.contextmanager
def _mapped(loaded: Loaded) -> Iterator[Buffer]:
    """The bytes of a file, in memory only where they are looked at; or those that are in no file."""
    if loaded.raw is not None:
        yield loaded.raw
        return
    with reader.opened(loaded.path) as stream:
        buffer: Buffer = (
            mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) if stream.peek(1) else b""
        )
    try:
        yield buffer
    finally:
        if isinstance(buffer, mmap.mmap):
            with contextlib.suppress(BufferError):  # a match still refers to it; freed with that
                buffer.close()
