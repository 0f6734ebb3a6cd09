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

from df2coco.coco.decoding import AnnotationDecoder
from df2coco.coco.garments import find_garments
from df2coco.coco.reader import (
    TOKEN,
    check_document,
    check_encoding,
    fault_of_json,
    not_a_file,
    parse_with_nan,
    read,
    refuse_other_kinds,
    repeated_keys,
)
from df2coco.coco.schema import UseName, read_whole_numbers
from df2coco.errors import CocoFileError

Buffer: TypeAlias = mmap.mmap | bytes
Decode: TypeAlias = Callable[[bytes], list[Any] | None]
"""Reads the JSON text of a list in a faster way; None: it cannot."""

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


def _counted_spans(buffer: Buffer, start: int) -> Iterator[Span]:
    """As `_guessed_spans`, up to the bracket that closes the list, by counting brackets."""
    depth = 0
    for token in TOKEN.finditer(buffer, start):
        character = buffer[token.start()]
        if character in b"[{":
            depth += 1
        elif character in b"]}":
            depth -= 1
            if depth < 0:
                yield Span(start, token.start())
                return
            if depth == 0 and token.end() - start > _PART:
                comma = _COMMA.match(buffer, token.end())
                if comma is not None:
                    yield Span(start, token.end())
                    start = comma.end()


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
        return _cut(path, buffer, exact)


def _cut(path: Path, buffer: Buffer, exact: bool) -> Cut | None:
    start = _ANNOTATIONS.search(buffer)
    if start is None:
        return None
    head = buffer[: start.end()]
    top = _parse(head + b"]}")
    if not isinstance(top, dict) or top.get("annotations") != []:
        return None  # the list stands inside of something else
    # With the other lists in front, these are nearly always the end of the file.
    likely = len(buffer) - _TAIL if {"images", "categories"} <= top.keys() else 0
    found = None if exact else _END.search(buffer, max(start.end(), likely))
    for counting in (False, True) if found else (True,):
        if counting:
            spans = list(_counted_spans(buffer, start.end()))
            end = spans[-1].end if spans else 0
        elif found:
            end = found.start()
            spans = list(_guessed_spans(buffer, start.end(), end))
        rest = head + buffer[end:]
        document = _parse(rest)
        if isinstance(document, dict) and document.get("annotations") == []:
            if "categories" not in document or repeated_keys(rest):
                return None  # reading it as a whole says what is wrong
            return Cut(check_document(path, document), spans)
    return None


def read_span(path: Path, span: Span) -> list[dict[str, Any]] | None:
    """The annotations in a part; None when the file was not cut between annotations, or is not JSON."""
    return parse_list(read_text(path, span))


def read_text(path: Path, span: Span) -> bytes:
    """A part as the JSON text of a list, if the file was cut between annotations."""
    with path.open("rb") as stream:
        stream.seek(span.start)
        return b"[%b]" % stream.read(span.end - span.start)


def parse_list(raw: bytes) -> list[dict[str, Any]] | None:
    """The objects in the JSON text of a list; None when it is something else."""
    return _dicts(_parse(raw))


# ---------------------------------------------------------------- reading


def iter_list(
    path: Path, *, what: str, raw: bytes | None = None, decode: Decode | None = None
) -> Iterator[list[Any]]:
    """The elements of the JSON list in a file, in order, in parts of some megabytes.

    `raw` is the JSON text of a list that is in no file; then `path` is its name in messages.
    `decode` is asked first for each part, and may make something else of it than objects.
    NaN and Infinity, which Python's json writes, are read as numbers: the reader has to look for them.
    JSON Lines, one object a line, are read as a list of these.
    Raises `CocoFileError` when the file cannot be read or is not a list; `what` says of what it should be.
    """
    taken = 0
    with contextlib.nullcontext(raw) if raw is not None else _mapped(path) as buffer:
        start = _START.match(buffer)
        end = _last_bracket(buffer)
        if start is not None and start.end() <= end:
            for part in _parts(buffer, start.end(), end, parse_with_nan, decode):
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


def read_annotations(
    path: Path,
    take: Callable[[list[Any]], None],
    *,
    use: UseName | None = None,
    start: Callable[[dict[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """A COCO file as `coco.read` gives it, with `annotations` empty: `take` got them, in order, in parts.

    With `use` they are what `AnnotationDecoder` makes of them for it, checked; without it objects as they are.
    `start` is given the rest of the file before that.
    Raises `CocoFileError` when the file cannot be read as a COCO file, and what `take` raises.
    """
    parts = iter_annotations(path, use=use, start=start)
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
    start: Callable[[dict[str, Any]], None] | None = None,
) -> Generator[list[Any], None, dict[str, Any]]:
    """As `read_annotations`, but a generator of the parts, which at last returns the rest of the file."""
    taken = 0
    decoder: AnnotationDecoder | None = None

    def begin(document: dict[str, Any]) -> None:
        nonlocal decoder
        if start is not None:
            start(document)
        if use is not None:
            decoder = AnnotationDecoder(use, find_garments(document["categories"]))

    def read_part(part: list[Any]) -> list[Any]:
        if decoder is not None and (not part or type(part[0]) is dict):
            return decoder.read(part, path, taken)
        return part

    begun = False
    with _mapped(path) as buffer:
        found = _cut(path, buffer, exact=False)
        if found is not None:
            for name in ("images", "categories"):
                read_whole_numbers(name, found.document[name])
            begin(found.document)
            begun = True
            span = Span(found.spans[0].start, found.spans[-1].end)
            decode = None if decoder is None else decoder.decode
            for part in _parts(buffer, *span, _parse, decode):
                if part is None:
                    break
                if not taken and part and type(part[0]) is dict:
                    refuse_other_kinds(path, part)
                if decoder is None:
                    read_whole_numbers("annotations", part)
                yield read_part(part)
                taken += len(part)
            else:
                return found.document
    document = read(path)
    if not begun:
        begin(document)
    yield read_part(document.get("annotations", [])[taken:])
    document["annotations"] = []
    return document


def _parts(
    buffer: Buffer,
    start: int,
    end: int,
    parse: Callable[[bytes], Any],
    decode: Decode | None = None,
) -> Iterator[list[Any] | None]:
    """The elements of the list from `start` to `end` in parts; at last None if it cannot be read."""
    for span in _guessed_spans(buffer, start, end):
        part = _part(buffer, span, parse, decode)
        if part is None:
            break
        yield part
        start = span.end
    else:
        return
    comma = _COMMA.match(buffer, start)
    for span in _counted_spans(buffer, comma.end() if comma else start):
        if span.end > end:
            break
        part = _part(buffer, span, parse, decode)
        if part is None:
            break
        yield part
        if span.end == end:
            return
    yield None


def _part(
    buffer: Buffer, span: Span, parse: Callable[[bytes], Any], decode: Decode | None
) -> list[Any] | None:
    raw = b"[%b]" % buffer[span.start : span.end]
    part = decode(raw) if decode is not None else None
    if part is None:
        part = _dicts(parse(raw))
    if isinstance(buffer, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        # Let the system take back the memory of what has been read.
        buffer.madvise(mmap.MADV_DONTNEED, 0, span.end - span.end % mmap.PAGESIZE)
    return part


def _dicts(values: Any) -> list[Any] | None:
    return values if isinstance(values, list) and all(type(v) is dict for v in values) else None


def _last_bracket(buffer: Buffer) -> int:
    """Where the bracket stands that ends a file; -1: it ends otherwise."""
    end = len(buffer)
    while end and buffer[end - 1] in b" \t\r\n":
        end -= 1
    return end - 1 if end and buffer[end - 1] in b"]" else -1


def _parse(raw: bytes) -> Any:
    """The value of a JSON text; None when it is not JSON."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None


@contextlib.contextmanager
def _mapped(path: Path) -> Iterator[Buffer]:
    """The bytes of a file, in memory only where they are looked at."""
    try:
        if path.exists() and not path.is_file():
            raise not_a_file(path)
        with path.open("rb") as stream:
            start = stream.read(4)
            buffer: Buffer = (
                mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) if start else b""
            )
    except OSError as error:
        raise CocoFileError(f"cannot be read ({error.strerror}).", file=path) from None
    try:
        check_encoding(path, start)
        yield buffer
    finally:
        if isinstance(buffer, mmap.mmap):
            with contextlib.suppress(BufferError):  # a match still refers to it; freed with that
                buffer.close()
