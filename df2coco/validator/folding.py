"""Parsing a COCO file without spelling out its zeros.

Two thirds of a file with 294 slots are `0,0,0`: the slots of the other categories. Written down as a
count before JSON is parsed, they cost neither the time nor the memory of some 800 numbers an item.
"""

from __future__ import annotations

import os
import re
from typing import Any, Final, NamedTuple

import orjson

__all__ = ["Keypoints", "keypoints_of", "loads"]

_KEY: Final = b'"keypoints":'
_MARK: Final = b"zeros %b " % os.urandom(8).hex().encode()  # which no file can hold
_COUNTS: Final = re.compile(_MARK.decode() + r"([0-9]+) ([0-9]+)")
_WORTH: Final = 48
"""Fewer zeros than this are left where they are."""

_MAX_ZEROS: Final = 6000
_ZEROS: Final = {
    unit: unit * _MAX_ZEROS for unit in (b",0", b", 0", b",0.0", b", 0.0")
}  # as written by orjson and by json.dump, integers and floats
_NONZERO: Final = (b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"8", b"9")


class Keypoints(NamedTuple):
    """An annotation's `keypoints`: `before` zeros, then `core`, then `after` zeros; all multiples of 3
    numbers, except `core` when the whole is not."""

    before: int
    core: list[Any]
    after: int

    def __len__(self) -> int:
        return self.before + len(self.core) + self.after

    def numbers(self) -> list[Any]:
        """All of them, x1, y1, v1, ..."""
        return [0] * self.before + self.core + [0] * self.after


def loads(raw: bytes) -> Any:
    """`orjson.loads(raw)`, but long runs of zeros around `keypoints` are counts: see `keypoints_of`.

    Raises `orjson.JSONDecodeError` as that does.
    """
    folded, count = _fold(raw)
    if not count:
        return orjson.loads(raw)
    try:
        return orjson.loads(folded)
    except orjson.JSONDecodeError:
        return orjson.loads(raw)  # so that the error tells the position in the file


def keypoints_of(annotation: dict[str, Any]) -> Keypoints | None:
    """The `keypoints` of an annotation that `loads` gave; None when they are no list."""
    found = annotation.get("keypoints")
    if type(found) is Keypoints:
        return found
    if type(found) is not list:
        return None
    if found and type(found[0]) is str:
        match = _COUNTS.fullmatch(found[0])
        if match:
            return Keypoints(int(match[1]), found[1:], int(match[2]))
    return Keypoints(0, found, 0)


def _fold(raw: bytes) -> tuple[bytes, int]:
    pieces: list[bytes] = []
    done = count = 0
    at = raw.find(_KEY)
    while at >= 0:
        start = raw.find(b"[", at + len(_KEY), at + len(_KEY) + 2) + 1
        escaped = raw[at - 1 : at] == b"\\"  # then it is the end of another key
        end = raw.find(b"]", start) if start and not escaped else -1
        if end < 0:
            at = raw.find(_KEY, at + 1)
            continue
        short = _fold_numbers(raw[start:end])
        if short is not None:
            pieces += raw[done:start], short
            done = end
            count += 1
        at = raw.find(_KEY, end)
    pieces.append(raw[done:])
    return b"".join(pieces), count


def _fold_numbers(numbers: bytes) -> bytes | None:
    """What stands between the brackets, with its first and last zeros as counts; None: not worth it."""
    if len(numbers) < 2 * _WORTH or b'"' in numbers or b"[" in numbers:
        return None
    comma = b", " if b", " in numbers[:20] else b","
    unit = comma + (b"0.0" if b".0" in (numbers[-2:], numbers[1:3]) else b"0")
    width = len(unit)
    zeros = _ZEROS[unit]
    digits = [at for at in map(numbers.find, _NONZERO) if at >= 0]
    if not digits:
        amount, rest = divmod(len(comma) + len(numbers), width)
        if rest or numbers != zeros[len(comma) : amount * width]:
            return None
        aligned = amount - amount % 3
        return b'"%b%d 0"' % (_MARK, aligned) + zeros[: (amount - aligned) * width]
    before = min(digits) // width
    if numbers[: before * width] != zeros[len(comma) : before * width + len(comma)]:
        before = 0
    end = numbers.find(b",", max(map(numbers.rfind, _NONZERO)))
    after, rest = divmod(len(numbers) - end, width) if end >= 0 else (0, 0)
    if rest or numbers[len(numbers) - after * width :] != zeros[: after * width]:
        after = 0
    before -= before % 3
    after -= after % 3
    if not _WORTH <= before + after <= _MAX_ZEROS:
        return None
    core = numbers[before * width : len(numbers) - after * width]
    return b'"%b%d %d",%b' % (_MARK, before, after, core)
