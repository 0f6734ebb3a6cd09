"""One function over many tasks in several processes, results in the order of the tasks.

Plain interpreters joined by pipes, rather than `multiprocessing`: nothing imports the caller's `__main__`
again (so a script needs no guard, and no worker pays for the command line's imports), nothing is forked
from a process with threads, and a worker whose parent dies, however suddenly, reads the end of its pipe
and ends too. Ctrl-C reaches the parent alone, which then ends its workers.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack, suppress
from typing import Any, Final, TypeVar

from df2coco.errors import Df2cocoError, OptionError, WorkerError, shorten

__all__ = ["available_cores", "check_workers", "map_ordered", "worthwhile"]

Task = TypeVar("Task")
Result = TypeVar("Result")

_AHEAD: Final = 2
"""Tasks dealt to a worker at a time: one in work, one waiting."""

_PIPE_BYTES: Final = 1 << 20

_MALLOC: Final = {"MALLOC_TRIM_THRESHOLD_": "33554432", "MALLOC_MMAP_THRESHOLD_": "33554432"}
"""Keeps glibc from returning numpy's arrays to the system after every operation, to fetch them again for
the next: that was a fifth of the time of drawing masks."""

_START: Final = (
    "import sys; sys.path[:] = sys.argv[1:]; from df2coco.workers import _serve; _serve()"
)


def available_cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check_workers(workers: int) -> None:
    """Raise `OptionError` when that is not a number of processes."""
    if type(workers) is not int or workers < 1:
        raise OptionError(
            f"{shorten(workers)} is not a number of processes, 1 or more.", field="workers"
        )


def worthwhile(workers: int, tasks: int) -> int:
    """How many of `workers` processes are worth their start for so many tasks of 20 ms or more.

    Starting a process takes as long as some such tasks. Raises `OptionError` as `check_workers`.
    """
    check_workers(workers)
    return min(workers, 1 + tasks // 4)


def map_ordered(
    function: Callable[[Task], Result], tasks: Iterable[Task], *, workers: int
) -> Generator[Result, None, None]:
    """`map(function, tasks)`, spread over `workers` processes; 1 stays in this one.

    `function` and what it gives back must be picklable; a task's pickle must stay well below 64 KB,
    what a pipe holds. Errors that `function` raises are raised here; a worker that dies is a
    `WorkerError`. Closing the iterator ends the workers.
    """
    if workers == 1:
        yield from map(function, tasks)
        return
    waiting = iter(tasks)
    with ExitStack() as stack:
        pool = [stack.enter_context(_Worker()) for _ in range(workers)]
        for worker in pool:
            worker.send(function)
        busy: deque[_Worker] = deque()

        def deal(worker: _Worker) -> None:
            for task in waiting:
                worker.send(task)
                busy.append(worker)
                return

        for worker in pool * _AHEAD:
            deal(worker)
        while busy:
            worker = busy.popleft()
            result = worker.receive()
            deal(worker)
            yield result


class _Worker:
    """An interpreter: the first thing sent is a function, which it applies to all that follows."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            env={**_MALLOC, **os.environ},
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._tasks, self._results = self._process.stdin, self._process.stdout
        with suppress(ImportError, AttributeError, OSError):
            # Results are larger than the usual 64 KB; a worker should not have to wait for its reader.
            import fcntl

            fcntl.fcntl(self._results, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    def __enter__(self) -> _Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        with suppress(OSError):
            self._tasks.close()
        self._results.close()
        self._process.wait()

    def send(self, value: Any) -> None:
        try:
            pickle.dump(value, self._tasks, pickle.HIGHEST_PROTOCOL)
            self._tasks.flush()
        except BrokenPipeError:
            raise self._died() from None

    def receive(self) -> Any:
        try:
            succeeded, value = pickle.load(self._results)
        except (EOFError, pickle.UnpicklingError):
            raise self._died() from None
        if succeeded:
            return value
        raise value

    def _died(self) -> WorkerError:
        code = self._process.wait()
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return WorkerError(
            f"a worker process died ({how}). Memory may have run out: try again with --workers 1."
        )


def _serve() -> None:
    """The worker's side: until its input ends."""
    tasks = sys.stdin.buffer
    results = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not end up among the results
    function: Callable[[Any], Any] | None = None
    while True:
        try:
            task = pickle.load(tasks)
        except (EOFError, pickle.UnpicklingError):
            return  # the parent is done, or was killed in the middle of a word
        if function is None:
            function = task
            continue
        reply: tuple[bool, Any]
        try:
            reply = True, function(task)
        except Df2cocoError as error:
            reply = False, error
        except Exception:
            reply = False, RuntimeError(traceback.format_exc())
        try:
            pickle.dump(reply, results, pickle.HIGHEST_PROTOCOL)
            results.flush()
        except BrokenPipeError:
            os._exit(1)  # the parent is gone
