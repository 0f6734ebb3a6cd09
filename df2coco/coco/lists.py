"""Long JSON lists, read a part at a time.

A file of 50,000 items with 294 landmarks each is 140 to 220 MB of JSON; parsed as a whole it takes
2 GB. It is cut into parts where one object seems to end and the next to begin. That every part parses by
itself proves that the cuts were right. Where one does not, brackets are counted from there on, which is
slower and always right. Both take time in proportion to the size of the file.
"""

import contextlib
import mmap
import re
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import orjson

from df2coco.coco.decoding import EntryDecoder
from df2coco.coco.garments import find_garments
from df2coco.coco.reader import (
    TOKEN,
    check_document,
    fault_of_json,
    opened,
    parse_with_nan,
    read,
    refuse_other_kinds,
    repeated_keys,
)
from df2coco.coco.schema import UseName, read_whole_numbers
from df2coco.errors import CocoFileError

Buffer: TypeAlias = mmap.mmap | bytes
Read: TypeAlias = Callable[[bytes], list[Any] | None]
"""Reads the JSON text of a list; None: it cannot."""

_PART: Final = 2 << 20
"""Bytes of JSON that are parsed at a time."""


class Span(NamedTuple):
    """Some elements of a list in a file: bytes from `start` to `end`, without the comma behind them."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Cut:
    """A COCO file, cut into parts."""

    document: dict[str, Any]
    """All but the annotations, which are an empty list."""
    spans: list[Span]
    """The annotations, in order."""


# ---------------------------------------------------------------- cutting

_BETWEEN: Final = re.compile(rb"\}\s*,\s*\{")


def _guessed_spans(buffer: Buffer, start: int, end: int) -> Iterator[Span]:
    """The list whose elements stand from `start` to `end`, cut where an object seems to end."""
    while end - start > _PART:
        between = _BETWEEN.search(buffer, start + _PART, end)
        if between is None:
            break
        yield Span(start, between.start() + 1)
        start = between.end() - 1
    yield Span(start, end)


def _counted_spans(buffer: Buffer, start: int, end: int) -> Iterator[Span]:
    """The same by counting brackets, up to the one that closes the list, or to `end`."""
    depth = 0
    for token in TOKEN.finditer(buffer, start, end):
        character = buffer[token.start()]
        if character in b"[{":
            depth += 1
        elif character in b"]}":
            depth -= 1
            if depth < 0:
                end = token.start()
                break
            if depth == 0 and token.end() - start > _PART:
                comma = _COMMA.match(buffer, token.end())
                if comma is not None:
                    yield Span(start, token.end())
                    start = comma.end()
    yield Span(start, end)


_COMMA: Final = re.compile(rb"\s*,")
_START: Final = re.compile(rb"\s*\[")
_ANNOTATIONS: Final = re.compile(rb'"annotations"\s*:\s*\[')
_TAIL: Final = 1 << 20
_END: Final = re.compile(rb'\]\s*(?:,\s*"(?:images|categories|info|licenses|type)"\s*:|\}\s*\Z)')


def cut(path: Path, *, exact: bool = False) -> Cut | None:
    """Cut the annotations of a file into parts; None when it is not written so that this is possible.

    Without `exact` the cuts are guesses: they are right if `read_span` can read every part.
    Raises `CocoFileError` when the file cannot be read as a COCO file.
    """
    with _mapped(path) as buffer:
        return _cut(path, buffer, exact=exact)


def _cut(path: Path, buffer: Buffer, *, exact: bool = False) -> Cut | None:
    start = _ANNOTATIONS.search(buffer)
    if start is None:
        return None
    head = buffer[: start.end()]
    top = _parse(head + b"]}")
    if not isinstance(top, dict) or top.get("annotations") != []:
        return None  # the list stands inside of something else
    # With the other lists in front, these are nearly always the end of the file.
    likely = len(buffer) - _TAIL if {"images", "categories"} <= top.keys() else 0
    end = None if exact else _END.search(buffer, max(start.end(), likely))
    guesses = [_guessed_spans(buffer, start.end(), end.start())] if end else []
    for spans in map(list, (*guesses, _counted_spans(buffer, start.end(), len(buffer)))):
        rest = head + buffer[spans[-1].end :]
        document = _parse(rest)
        if isinstance(document, dict) and document.get("annotations") == []:
            if "categories" not in document or repeated_keys(rest):
                return None  # reading it as a whole says what is wrong
            return Cut(check_document(path, document), spans)
    return None


def read_span(path: Path, span: Span) -> list[dict[str, Any]] | None:
    """The annotations in a part; None when the file was not cut between annotations, or is not JSON."""
    return _dicts(_parse(read_text(path, span)))


def read_text(path: Path, span: Span) -> bytes:
    """A part as the JSON text of a list, if the file was cut between annotations."""
    with path.open("rb") as stream:
        stream.seek(span.start)
        return b"[%b]" % stream.read(span.end - span.start)


# ---------------------------------------------------------------- reading


def iter_list(
    path: Path, *, what: str, raw: bytes | None = None, decode: Read | None = None
) -> Iterator[list[Any]]:
    """The elements of the JSON list in a file, in order, in parts of some megabytes.

    `raw` is the JSON text of a list that is in no file; then `path` is its name in messages.
    `decode` is asked first for each part, and may make something else of it than objects.
    NaN and Infinity, which Python's json writes, are read as numbers: the reader has to look for them.
    JSON Lines, one object a line, are read as a list of these.
    Raises `CocoFileError` when the file cannot be read or is not a list; `what` says of what it should be.
    """

    def read_part(text: bytes) -> list[Any] | None:
        part = decode(text) if decode is not None else None
        return _dicts(parse_with_nan(text)) if part is None else part

    taken = 0
    with _mapped(path, raw) as buffer:
        start, end = _START.match(buffer), buffer.rfind(b"]")
        if start is not None and start.end() <= end and not buffer[end + 1 :].strip(b" \t\r\n"):
            for part in _parts(buffer, Span(start.end(), end), read_part):
                if part is None:
                    break
                taken += len(part)
                yield part
            else:
                return
        whole = parse_with_nan(buffer[:])
        if not isinstance(whole, list):
            lines = [parse_with_nan(line) for line in buffer[:].splitlines() if line.strip()]
            if len(lines) > 1 and all(isinstance(line, dict) for line in lines):
                whole = lines
        if whole is None:
            raise fault_of_json(path, buffer[:])
    if not isinstance(whole, list):
        raise CocoFileError(f"not a JSON list. Expected a list of {what}.", file=path)
    if whole[taken:] or not taken:
        yield whole[taken:]


Start: TypeAlias = Callable[[dict[str, Any]], None]


def read_annotations(
    path: Path,
    take: Callable[[list[Any]], None],
    *,
    use: UseName | None = None,
    as_objects: bool = False,
    start: Start | None = None,
    raw: bytes | None = None,
) -> dict[str, Any]:
    """A COCO file as `read` gives it, with `annotations` empty: `take` got them, in order, in parts.

    With `use` they are checked, and are what `EntryDecoder` makes of them for it, or with `as_objects` or
    without a use objects.
    `start` is given the rest of the file before that. `raw` as in `iter_list`.
    Raises `CocoFileError` when the file cannot be read as a COCO file, and what `take` raises.
    """
    parts = iter_annotations(path, use=use, as_objects=as_objects, start=start, raw=raw)
    while True:
        try:
            part = next(parts)
        except StopIteration as stop:
            document: dict[str, Any] = stop.value
            return document
        take(part)


def iter_annotations(
    path: Path,
    *,
    use: UseName | None = None,
    as_objects: bool = False,
    start: Start | None = None,
    raw: bytes | None = None,
) -> Generator[list[Any], None, dict[str, Any]]:
    """As `read_annotations`, but a generator of the parts, which at last returns the rest of the file."""
    taken = 0
    decoder: EntryDecoder | None = None

    def read_part(text: bytes) -> list[Any] | None:
        items = decoder.decode(text) if decoder is not None else None
        if items is None or as_objects:
            return checked(_dicts(_parse(text)), fits=items is not None)
        return items

    def checked(part: list[Any] | None, *, fits: bool = False) -> list[Any] | None:
        if part is None:
            return None
        if not taken:
            refuse_other_kinds(path, part)
        if decoder is None or fits:
            read_whole_numbers("annotations", part)
            return part
        items = decoder.read(part, path, taken)
        return part if as_objects else items

    with _mapped(path, raw) as buffer:
        parts = _cut(path, buffer)
        document = parts.document if parts else read(path, raw)
        rest = document.get("annotations", [])
        for name in ("images", "categories"):
            read_whole_numbers(name, document[name])
        document["annotations"] = []
        if start is not None:
            start(document)
        if use is not None:
            decoder = EntryDecoder("annotations", use, find_garments(document["categories"]))
        span = Span(parts.spans[0].start, parts.spans[-1].end) if parts else None
        for part in _parts(buffer, span, read_part) if span else ():
            if part is None:
                document = read(path, raw)
                rest = document["annotations"][taken:]
                document["annotations"] = []
                break
            yield part
            taken += len(part)
    if rest:
        yield checked(rest) or []
    return document


def _parts(buffer: Buffer, span: Span, read_part: Read) -> Iterator[list[Any] | None]:
    """The elements of a list in parts; at last None if it cannot be read."""
    start, end = span
    for cut_up in (_guessed_spans, _counted_spans):
        comma = _COMMA.match(buffer, start) if start > span.start else None
        for own in cut_up(buffer, comma.end() if comma else start, end):
            part = read_part(b"[%b]" % buffer[own.start : own.end])
            if isinstance(buffer, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
                # Let the system take back the memory of what has been read.
                buffer.madvise(mmap.MADV_DONTNEED, 0, own.end - own.end % mmap.PAGESIZE)
            if part is None:
                break
            yield part
            start = own.end
            if start == end:
                return
    yield None


def _dicts(values: Any) -> list[Any] | None:
    return values if isinstance(values, list) and all(type(v) is dict for v in values) else None


def _parse(raw: bytes) -> Any:
    """The value of a JSON text; None when it is not JSON."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None


@contextlib.contextmanager
def _mapped(path: Path, raw: bytes | None = None) -> Iterator[Buffer]:
    """The bytes of a file, in memory only where they are looked at; or `raw`, which is in no file."""
    if raw is not None:
        yield raw
        return
    with opened(path) as stream:
        buffer: Buffer = (
            mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) if stream.peek(1) else b""
        )
    try:
        yield buffer
    finally:
        if isinstance(buffer, mmap.mmap):
            with contextlib.suppress(BufferError):  # a match still refers to it; freed with that
                buffer.close()
