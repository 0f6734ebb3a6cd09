"""Long JSON lists, read a part at a time.

A file of 50,000 items with 294 landmarks each is 140 to 220 MB of JSON; parsed as a whole it takes
2 GB. Parts are cut where one object ends and the next begins. That a part parses by itself proves that
the cut was right; a file that cannot be cut is read as a whole.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import re
from collections.abc import Callable, Generator, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

import orjson

from df2coco.coco.reader import check_document, read
from df2coco.errors import CocoFileError

__all__ = ["iter_list", "read_annotations"]

Buffer: TypeAlias = "mmap.mmap | bytes"

_PART: Final = 4 << 20
"""Bytes of JSON that are parsed at a time."""

_START: Final = re.compile(rb"\s*\[")
_EMPTY: Final = re.compile(rb"\s*\]")
_BETWEEN: Final = re.compile(rb"\}\s*,\s*\{")
_END: Final = re.compile(rb"\}\s*\]")
_ANNOTATIONS: Final = re.compile(rb'"annotations"\s*:\s*\[')


def iter_list(path: Path, *, what: str) -> Iterator[list[Any]]:
    """The elements of the JSON list in a file, in order, in parts of some megabytes.

    NaN and Infinity, which Python's json writes, are read as numbers: the reader has to look for them.
    Raises `CocoFileError` when the file cannot be read or is no list; `what` says of what it should be.
    """
    taken = 0
    with _mapped(path) as buffer:
        start = _START.match(buffer)
        if start is not None:
            parts = _objects(buffer, start.end(), _parse_with_nan)
            while True:
                try:
                    part = next(parts)
                except StopIteration as stop:
                    if stop.value is not None and not buffer[stop.value :].strip():
                        return
                    break
                taken += len(part)
                yield part
        whole = _parse_with_nan(buffer[:])
        if whole is None:
            state = "not JSON" if buffer[:1024].strip() else "the file is empty"
            raise CocoFileError(f"{state}. Was it written to the end?", file=path)
    if not isinstance(whole, list):
        raise CocoFileError(f"not a JSON list. Expected a list of {what}.", file=path)
    yield whole[taken:]


def read_annotations(
    path: Path,
    take: Callable[[list[dict[str, Any]]], None],
    *,
    loads: Callable[[bytes], Any] = orjson.loads,
) -> dict[str, Any]:
    """A COCO file as `coco.read` gives it, with `annotations` empty: `take` got them, in order, in parts.

    `loads` parses a part; it raises `orjson.JSONDecodeError` for what is no JSON.

    Raises `CocoFileError` when the file cannot be read as a COCO file, and what `take` raises.
    """
    taken = 0
    with _mapped(path) as buffer:
        start = _ANNOTATIONS.search(buffer)
        if start is not None and _is_top_level(buffer[: start.end()]):
            parts = _objects(buffer, start.end(), partial(_parse, loads=loads))
            end = None
            while True:
                try:
                    part = next(parts)
                except StopIteration as stop:
                    end = stop.value
                    break
                take(part)
                taken += len(part)
            rest = end and _parse(b"%b]%b" % (buffer[: start.end()], buffer[end:]))
            if isinstance(rest, dict):
                return check_document(path, rest)
    document = read(path)
    take(document.get("annotations", [])[taken:])
    document["annotations"] = []
    return document


def _is_top_level(head: bytes) -> bool:
    """Whether a file that begins so has its annotations where COCO has them."""
    document = _parse(head + b"]}")
    return isinstance(document, dict) and document.get("annotations") == []


def _objects(
    buffer: Buffer, position: int, parse: Callable[[bytes], Any]
) -> Generator[list[Any], None, int | None]:
    """The objects of a list from behind its bracket on, in parts; at last where the list has ended.

    None when the list cannot be cut: then the parts up to here are right, and the rest is missing.
    """
    empty = _EMPTY.match(buffer, position)
    if empty:
        return empty.end()
    while True:
        window = buffer[position : position + _PART]
        cut = _last(_BETWEEN, window)
        part = _dicts(parse(b"[%b]" % window[: cut[0] + 1])) if cut else None
        if cut is not None and part is not None:
            yield part
            position += cut[1] - 1
            _release(buffer, position)
            continue
        # Either the list ends in this window, or one object is longer than it.
        for end in _END.finditer(window):
            part = _dicts(parse(b"[%b" % window[: end.end()]))
            if part is not None:
                yield part
                return position + end.end()
        return None


def _release(buffer: Buffer, end: int) -> None:
    """Let the system take back the memory of what has been read."""
    if isinstance(buffer, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        buffer.madvise(mmap.MADV_DONTNEED, 0, end - end % mmap.PAGESIZE)


def _last(pattern: re.Pattern[bytes], window: bytes) -> tuple[int, int] | None:
    """Where the pattern stands for the last time; looked for from the end, where it usually is."""
    step = 1 << 14
    for start in range(max(0, len(window) - step), -step, -step):
        spans = [found.span() for found in pattern.finditer(window, max(0, start))]
        if spans:
            return spans[-1]
    return None


def _dicts(values: Any) -> list[Any] | None:
    return values if isinstance(values, list) and all(type(v) is dict for v in values) else None


def _parse(raw: bytes, loads: Callable[[bytes], Any] = orjson.loads) -> Any:
    """The value of a JSON text; None when it is none."""
    try:
        return loads(raw)
    except orjson.JSONDecodeError:
        return None


def _parse_with_nan(raw: bytes) -> Any:
    """As `_parse`, but NaN and Infinity are numbers."""
    value = _parse(raw)
    if value is None and (b"NaN" in raw or b"Infinity" in raw):
        with contextlib.suppress(ValueError, RecursionError):
            return json.loads(raw)
    return value


@contextlib.contextmanager
def _mapped(path: Path) -> Iterator[Buffer]:
    """The bytes of a file, in memory only where they are looked at."""
    try:
        if path.exists() and not path.is_file():
            raise CocoFileError("is no regular file.", file=path)
        with path.open("rb") as stream:
            empty = not stream.read(1)
            buffer: Buffer = (
                b"" if empty else mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
            )
    except OSError as error:
        raise CocoFileError(f"cannot be read ({error.strerror}).", file=path) from None
    try:
        yield buffer
    finally:
        if isinstance(buffer, mmap.mmap):
            with contextlib.suppress(BufferError):  # a match still refers to it; freed with that
                buffer.close()
