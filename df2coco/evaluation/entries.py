"""Lists of results and of items, checked one by one before anything is scored."""

import math
import sys
from collections.abc import Callable
from typing import Any, Final, TypeGuard

from df2coco.coco.lists import Decode, iter_list
from df2coco.errors import Df2cocoError, FaultError, shorten, shown
from df2coco.evaluation.sources import Loaded


class ResultsError(Df2cocoError):
    """Results that cannot be scored."""


def read_entries(
    source: Loaded,
    take: Callable[[int, dict[str, Any]], None],
    *,
    what: str,
    decode: Decode | None = None,
    take_part: Callable[[int, list[Any]], None] | None = None,
) -> int:
    """Give each entry of a list and its index to `take`, which raises `FaultError`; how many there are.

    `what` says what the entries are. Parts of the list that `decode` can read, which must check them
    too, go to `take_part` with the index of their first entry.

    Raises `ResultsError` with the first faulty result and the number of faulty ones, and
    `CocoFileError` when the file cannot be read.
    """
    done = faults = 0
    first = ""
    for part in iter_list(source.path, what=what, raw=source.raw, decode=decode):
        if take_part is not None and part and not _is_json(part[0]):
            take_part(done, part)
            done += len(part)
            continue
        for index, result in enumerate(part, start=done):
            try:
                if type(result) is not dict:
                    raise FaultError("", f"{shorten(result)}, expected an object.")
                take(index, result)
            except FaultError as fault:
                faults += 1
                where = f"{what}[{index}]{'.' * bool(fault.field)}{fault.field}"
                first = first or f"{where}: {fault.text}"
        done += len(part)
    if faults:
        raise ResultsError(
            f"{first} {faults:,} of {done:,} {what} cannot be used, so nothing was scored.",
            file=source.path,
        )
    return done


def _is_json(value: Any) -> bool:
    return value is None or type(value) in (dict, list, str, int, float, bool)


def whole_number(found: dict[str, Any], name: str, example: str = "") -> int:
    """A field that must be a whole number, which may be written as 1.0; else `FaultError`."""
    value = found.get(name)
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int or abs(value) >> 62:
        hint = f" ({example})" if example else ""
        raise FaultError(name, f"{shown(found, name)}, expected a whole number{hint}.")
    return value


def finite_number(found: dict[str, Any], name: str) -> float:
    """A field that must be a finite number; else `FaultError`."""
    value = found.get(name)
    if not isinstance(value, (int, float)) or type(value) is bool or not abs(value) <= _LARGEST:
        raise FaultError(name, f"{shown(found, name)}, expected a finite number.")
    return float(value)


_LARGEST: Final = sys.float_info.max

MAX_COORDINATE: Final = 1e9
"""The largest coordinate of a result: no image is that large, and its square still is a number."""


def are_finite(values: Any) -> TypeGuard[list[float]]:
    """Whether it is a list of numbers, none of them NaN, infinite or beyond all images."""
    if type(values) is not list:
        return False
    try:
        total = sum(map(abs, values))  # one pass in C, which refuses what is not a number
    except TypeError:
        return False
    # The sum shows NaN too, which max and min may overlook.
    return total <= MAX_COORDINATE or (
        math.isfinite(total) and max(values) <= MAX_COORDINATE and min(values) >= -MAX_COORDINATE
    )


def has_booleans(values: Any) -> bool:
    """Whether true or false stands among numbers."""
    return bool in set(map(type, values))
