"""What all kinds of cases share: how one is run, watched and counted."""

from __future__ import annotations

import resource
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Final, NamedTuple, TypeAlias

from df2coco.errors import Df2cocoError
from df2coco.workers import map_ordered

SLOW: Final = 2.0
"""Seconds of the processor that no case may take."""

MEMORY: Final = 700
"""Megabytes that no process may reach."""

_BATCH: Final = 100


class Failure(NamedTuple):
    """A case that ended as none may."""

    case: int
    what: str
    raw: bytes


class Case(NamedTuple):
    """How one case ended."""

    number: int
    accepted: bool
    """Converted, read or loaded: mutations that do no harm."""
    seconds: float
    failures: list[Failure]


class Outcome(NamedTuple):
    """What a run of cases came to."""

    cases: int
    accepted: int
    slowest: tuple[float, int]
    """Seconds and the number of the case."""
    failures: list[Failure]


Batch: TypeAlias = Callable[[int, range], Iterable[Case]]
"""Runs the cases of these numbers, with a seed."""


class Watch:
    """Runs the steps of one case and keeps what goes wrong."""

    def __init__(self, number: int, raw: bytes) -> None:
        self.number, self.raw = number, raw
        self.seconds = 0.0
        self.failures: list[Failure] = []

    def run(self, work: Callable[[], object], name: str = "") -> bool:
        """Whether `work` did its work; an error of df2coco is an answer, all else a failure."""
        before = _peak()
        started = time.process_time()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                # Theirs, not ours: pycocotools hands arrays of one number to numpy as a number.
                warnings.filterwarnings("ignore", category=DeprecationWarning, module="pycocotools")
                work()
        except Df2cocoError as error:
            if not str(error).isprintable():
                self.fail(f"{name}: not printable: {str(error)!r}")
            return False
        except BaseException:
            self.fail(f"{name}: {traceback.format_exc()}")
            return False
        finally:
            self.seconds = max(self.seconds, time.process_time() - started)
            if _peak() > MEMORY >= before:
                self.fail(f"{name}: took {_peak():.0f} MB")
        return True

    def fail(self, what: str) -> None:
        self.failures.append(Failure(self.number, what, self.raw))

    def end(self, *, accepted: bool) -> Case:
        return Case(self.number, accepted, self.seconds, self.failures)


def _peak() -> float:
    """Megabytes that this process took at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1 << 20 if sys.platform == "darwin" else 1 << 10
    )


def summed(cases: Iterable[Case]) -> Outcome:
    cases = list(cases)
    return Outcome(
        len(cases),
        sum(case.accepted for case in cases),
        max(((case.seconds, case.number) for case in cases), default=(0.0, -1)),
        [failure for case in cases for failure in case.failures],
    )


def fuzz(batch: Batch, cases: int, seed: int, workers: int = 1) -> Outcome:
    """The cases from 0 on, in batches."""
    numbers = [range(n, min(n + _BATCH, cases)) for n in range(0, cases, _BATCH)]
    return summed(
        _with_progress(map_ordered(partial(_listed, batch, seed), numbers, workers=workers))
    )


def _listed(batch: Batch, seed: int, numbers: range) -> list[Case]:
    return list(batch(seed, numbers))


def _with_progress(batches: Iterable[list[Case]]) -> Iterator[Case]:
    done = failures = 0
    for cases in batches:
        yield from cases
        done += len(cases)
        failures += sum(len(case.failures) for case in cases)
        if sys.stderr.isatty():
            print(f"\r{done:,} cases, {failures} failures", end="", file=sys.stderr)
