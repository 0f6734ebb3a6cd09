"""The same results from any number of processes, and no process left behind."""

from __future__ import annotations

import os
import time

import psutil
import pytest

from df2coco.errors import SourceError, WorkerError
from df2coco.workers import map_ordered


def double(number: int) -> int:
    time.sleep(0.001 * (number % 3))
    return 2 * number


def large(number: int) -> bytes:
    print("what a library prints")
    return bytes([number % 256]) * 3_000_000


def fail(number: int) -> int:
    raise SourceError(f"{number} is bad")


def crash(number: int) -> int:
    raise ZeroDivisionError(f"a bug at {number}")


def die(_: int) -> int:
    os._exit(3)


def children() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("tasks", [0, 1, 7, 100])
def test_results_come_in_the_order_of_the_tasks(workers: int, tasks: int) -> None:
    found = list(map_ordered(double, range(tasks), workers=workers))
    assert found == [2 * number for number in range(tasks)]


def test_results_larger_than_a_pipe_and_prints_do_no_harm() -> None:
    results = list(map_ordered(large, range(9), workers=3))
    assert [(len(r), r[0]) for r in results] == [(3_000_000, n) for n in range(9)]


def test_errors_come_as_they_are() -> None:
    with pytest.raises(SourceError, match="0 is bad"):
        list(map_ordered(fail, range(9), workers=2))
    assert children() == []


def test_bugs_come_with_the_workers_traceback() -> None:
    with pytest.raises(RuntimeError, match="a bug at 0"):
        list(map_ordered(crash, range(9), workers=2))
    assert children() == []


def test_a_worker_that_dies_is_told() -> None:
    with pytest.raises(WorkerError, match=r"exit code 3.*--workers 1"):
        list(map_ordered(die, range(9), workers=2))
    assert children() == []


def test_closing_the_iterator_ends_the_workers() -> None:
    results = map_ordered(double, range(100), workers=3)
    assert next(results) == 0
    assert len(children()) == 3
    results.close()
    assert children() == []
