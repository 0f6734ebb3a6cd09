"""Lists of results and of items, checked one by one before anything is scored."""

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from msgspec import Struct

from df2coco.coco.lists import iter_list
from df2coco.coco.reader import Loaded
from df2coco.coco.results import ResultDecoder
from df2coco.errors import Df2cocoError, FaultError


class ResultsError(Df2cocoError):
    """Results that cannot be scored."""


Numbered: TypeAlias = list[tuple[int, Any]]
"""Entries as `ResultDecoder` makes them, each with its place in the list."""

Faults: TypeAlias = Iterable[tuple[int, FaultError]]
"""The places of entries that cannot be used, and why not."""


def read_entries(
    source: Loaded, decoder: ResultDecoder, take: Callable[[Numbered], Faults], *, what: str
) -> int:
    """Give the entries of a list to `take`, in order, in parts; how many there are.

    `what` says what the entries are.

    Raises `ResultsError` with the first faulty entry and the number of faulty ones, and
    `CocoFileError` when the file cannot be read.
    """
    done = count = 0
    first: tuple[int, FaultError] | None = None
    for part in iter_list(source, what=what, decode=decoder.decode):
        entries, faults = _read_part(part, done, decoder)
        done += len(part)
        for index, fault in (*faults, *take(entries)):
            count += 1
            first = (index, fault) if first is None or index < first[0] else first
    if first is not None:
        index, fault = first
        where = f"{what}[{index}]{'.' * bool(fault.field)}{fault.field}"
        raise ResultsError(
            f"{where}: {fault.text} {count:,} of {done:,} {what} cannot be used, so nothing was scored.",
            file=source.path,
        )
    return done


def _read_part(
    part: list[Any], start: int, decoder: ResultDecoder
) -> tuple[Numbered, list[tuple[int, FaultError]]]:
    """The entries of a part that `decoder` has read or has to look at, and those that cannot be used."""
    if part and isinstance(part[0], Struct):
        return list(enumerate(part, start)), []
    objects = [entry for entry in part if type(entry) is dict]
    for entry in objects:
        decoder.bring_into_shape(entry)
    decoded = decoder.convert(objects) if len(objects) == len(part) else None
    if decoded is not None:
        return list(enumerate(decoded, start)), []
    entries: Numbered = []
    faults = []
    for index, entry in enumerate(part, start):
        try:
            entries.append((index, decoder.read(entry)))
        except FaultError as fault:
            faults.append((index, fault))
    return entries, faults
