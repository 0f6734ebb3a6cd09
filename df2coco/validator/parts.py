"""A COCO file in parts, so that several processes read and examine it, and none holds all of it."""

from __future__ import annotations

import contextlib
import mmap
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from df2coco.coco.reader import check_document
from df2coco.errors import CocoFileError
from df2coco.validator.folding import loads

__all__ = ["Cut", "cut", "read_part"]

_PART: Final = 2 << 20
"""Bytes of JSON in a part."""

_START: Final = re.compile(rb'"annotations"\s*:\s*\[')
_END: Final = re.compile(rb'\]\s*(?:,\s*"(?:images|categories|info|licenses|type)"\s*:|\}\s*\Z)')
_BETWEEN: Final = re.compile(rb"\}\s*,\s*\{")


class Cut(NamedTuple):
    """Where a file can be cut."""

    document: dict[str, Any]
    """All but the annotations, which are an empty list."""
    parts: list[tuple[int, int]]
    """Bytes from, to: one or more annotations each, without the commas between parts."""


def cut(path: Path) -> Cut | None:
    """Cut the annotations of a file into parts; None when it has too few, or is not written so.

    A cut is a guess: it is right if every part can be read by `read_part`.
    """
    try:
        if not path.is_file():
            return None
        with path.open("rb") as stream, _mapped(stream.fileno()) as buffer:
            return None if buffer is None else _cut(path, buffer)
    except (OSError, CocoFileError):
        return None  # reading it as a whole tells what is wrong


def _cut(path: Path, buffer: mmap.mmap) -> Cut | None:
    start = _START.search(buffer)
    end = _END.search(buffer, start.end()) if start else None
    if start is None or end is None or end.start() - start.end() < 2 * _PART:
        return None
    head, tail = buffer[: start.end()], buffer[end.start() :]
    try:
        top = orjson.loads(head + b"]}")
        document = orjson.loads(head + tail)
    except orjson.JSONDecodeError:
        return None
    # The list must be the only one of that name, and not stand inside of something else.
    if top.get("annotations") != [] or b'"annotations"' in tail or not isinstance(document, dict):
        return None
    check_document(path, document)
    parts: list[tuple[int, int]] = []
    position = start.end()
    while True:
        between = _BETWEEN.search(buffer, position + _PART, end.start())
        if between is None:
            return Cut(document, [*parts, (position, end.start())])
        parts.append((position, between.start() + 1))
        position = between.end() - 1


def read_part(path: Path, part: tuple[int, int]) -> list[dict[str, Any]] | None:
    """The annotations in a part; None when the file was not cut between annotations."""
    with path.open("rb") as stream:
        stream.seek(part[0])
        raw = stream.read(part[1] - part[0])
    try:
        found = loads(b"[%b]" % raw)
    except orjson.JSONDecodeError:
        return None
    return found if all(type(each) is dict for each in found) else None


@contextlib.contextmanager
def _mapped(descriptor: int) -> Iterator[mmap.mmap | None]:
    try:
        buffer = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):  # an empty file, or none that can be mapped
        yield None
        return
    try:
        yield buffer
    finally:
        with contextlib.suppress(BufferError):  # a match still refers to it; freed with that
            buffer.close()
