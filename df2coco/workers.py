"""One function over many tasks in several processes, results in the order of the tasks.

Plain interpreters joined by pipes: nothing imports the caller's `__main__` again (so a script needs no
guard, and no worker pays for the command line's imports), and nothing is forked from a process with
threads. Ctrl-C reaches the parent alone, which then ends its workers. No size of pipe can stop them: a
worker writes its results in a thread of its own, so it always comes to read what the parent writes.

Why no library, measured with two workers on two busy cores (Linux, Python 3.11, loky 3.7.0; medians in the
order: this module, loky, `concurrent.futures` with spawn, with forkserver):

- until two results of nothing are there: 0.22, 1.4, 0.39, 0.50 seconds
- converting 6,000 images: 3.7, 7.2, 5.1, 5.2 seconds; 2.9, 3.7, 3.1 seconds of CPU (forkserver: not known)
- processes left 16 seconds after the parent was killed by SIGKILL: 0, 4, 3, 4
- a script without a guard of `__main__`: works, works, breaks, breaks
- a worker that dies: all four raise an error at once; this one and loky name the exit code or the signal
- a slow consumer: this one works two tasks ahead a worker, the others keep all results in memory
"""

import os
import pickle
import signal
import struct
import subprocess
import sys
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial
from itertools import islice
from queue import SimpleQueue
from threading import Thread
from typing import IO, Any, Final, TypeVar

from df2coco.errors import Df2cocoError, OptionError, WorkerError, shorten

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")

_AHEAD: Final = 2
"""Tasks dealt to a worker at a time: one in work, one waiting."""

_KEPT: Final = 32 << 20
_MALLOC: Final = {"MALLOC_TRIM_THRESHOLD_": str(_KEPT), "MALLOC_MMAP_THRESHOLD_": str(_KEPT)}
"""Keeps glibc from returning numpy's arrays to the system after every operation, to fetch them again for
the next: that was a fifth of the time of drawing masks."""


def keep_memory() -> None:
    """Set `_MALLOC` for this process, whose work is not given to others."""
    with suppress(AttributeError, OSError, TypeError):  # another C library, or none
        import ctypes  # which takes a while

        mallopt = ctypes.CDLL(None).mallopt
        mallopt(-1, _KEPT)  # M_TRIM_THRESHOLD
        mallopt(-3, _KEPT)  # M_MMAP_THRESHOLD


_START: Final = (
    "import sys; sys.path[:] = sys.argv[1:]; from df2coco.workers import _serve; _serve()"
)
_LENGTH: Final = struct.Struct("<Q")


def available_cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check_workers(workers: int) -> None:
    """Raise `OptionError` when that is not a number of processes."""
    if type(workers) is not int or workers < 1:
        text = f"{shorten(workers)} is not a number of processes, 1 or more."
        raise OptionError(text, field="workers")


def worthwhile(workers: int, tasks: int) -> int:
    """How many of `workers` processes are worth their start for so many tasks of 20 ms or more.

    Starting a process takes as long as some such tasks. Raises `OptionError` as `check_workers`.
    """
    check_workers(workers)
    return min(workers, 1 + tasks // 4)


def map_ordered(
    function: Callable[[_Task], _Result], tasks: Iterable[_Task], *, workers: int
) -> Generator[_Result, None, None]:
    """`map(function, tasks)`, spread over `workers` processes; 1 stays in this one.

    `function`, tasks and results must be picklable, and may be of any size. What `function` raises is
    raised here: errors of this package, `MemoryError` and `RecursionError` as they are, others as a
    `RuntimeError` with the worker's traceback. Raises `WorkerError` when a worker cannot be started or
    dies. Closing the iterator ends the workers.
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
        for worker, task in zip(pool * _AHEAD, waiting, strict=False):
            worker.send(task)
            busy.append(worker)
        while busy:
            worker = busy.popleft()
            result = worker.receive()
            for task in islice(waiting, 1):
                worker.send(task)
                busy.append(worker)
            yield result


@contextmanager
def in_background(
    function: Callable[[_Task], _Result], task: _Task, *, apart: bool
) -> Iterator[Callable[[], _Result]]:
    """What waits for `function(task)`, which another process computes meanwhile; see `map_ordered`.

    Not `apart`: it is computed here when it is asked for.
    """
    if not apart:
        yield partial(function, task)
        return
    with _Worker() as worker:
        worker.send(function)
        worker.send(task)
        yield worker.receive


class _Worker(AbstractContextManager["_Worker"]):
    """An interpreter: the first thing sent is a function, which it applies to all that follows."""

    def __init__(self) -> None:
        # As multiprocessing does: a worker's code runs as this interpreter was told to run code.
        options = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
        try:
            self._process = subprocess.Popen(
                [sys.executable, *options, "-c", _START, *sys.path],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                # Ctrl-C reaches neither a session (POSIX) nor a group (Windows) of its own.
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
                env={**_MALLOC, **os.environ},
            )
        except OSError as error:
            text = f"a worker process cannot be started ({error.strerror}). "
            text += "Raise that limit of the system, or try again with --workers 1."
            raise WorkerError(text) from None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._tasks, self._results = self._process.stdin, self._process.stdout

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        with suppress(OSError):
            self._tasks.close()
        self._results.close()
        self._process.wait()

    def send(self, value: Any) -> None:
        try:
            _write_frame(self._tasks, pickle.dumps(value, pickle.HIGHEST_PROTOCOL))
        except OSError:  # a broken pipe, which on Windows is EINVAL
            raise self._died() from None

    def receive(self) -> Any:
        data = _read_frame(self._results)
        if data is None:
            raise self._died()
        succeeded, value = pickle.loads(data)
        if succeeded:
            return value
        raise value

    def _died(self) -> WorkerError:
        with suppress(subprocess.TimeoutExpired):  # when only its pipes are closed
            self._process.wait(timeout=5)
        self._process.kill()
        code = self._process.wait()
        how = f"exit code {code}"
        with suppress(ValueError):
            how = signal.Signals(-code).name
        remedy = "Memory may have run out: try again with --workers 1."
        return WorkerError(f"a worker process died ({how}). {remedy}")


def _write_frame(pipe: IO[bytes], data: bytes) -> None:
    pipe.writelines((_LENGTH.pack(len(data)), data))
    pipe.flush()


def _read_frame(pipe: IO[bytes]) -> bytes | None:
    """None when the pipe ends, be it in the middle of a frame."""
    length = pipe.read(_LENGTH.size)
    if len(length) < _LENGTH.size:
        return None
    (size,) = _LENGTH.unpack(length)
    data = pipe.read(size)
    return data if len(data) == size else None


def _serve() -> None:
    """Apply the first thing received to all others, until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What a library prints goes to stderr, so as not to end up among the results; what it reads is nothing.
    nothing = os.open(os.devnull, os.O_RDWR)
    try:
        os.fstat(2)
    except OSError:  # stderr is closed; Windows does not give its number to the file above
        os.dup2(nothing, 2)
    tasks, results = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    replies: SimpleQueue[bytes | None] = SimpleQueue()
    writer = Thread(target=_write_replies, args=(replies, results), daemon=True)
    writer.start()
    function: Callable[[Any], Any] | None = None
    first = _read_frame(tasks)
    while (task := _read_frame(tasks)) is not None:
        try:
            function = function or pickle.loads(first or b"")
            reply = True, function(pickle.loads(task))
            data = pickle.dumps(reply, pickle.HIGHEST_PROTOCOL)
        except (Df2cocoError, MemoryError, RecursionError) as error:
            data = pickle.dumps((False, error))
        except BaseException:
            data = pickle.dumps((False, RuntimeError(traceback.format_exc())))
        replies.put(data)
    replies.put(None)
    writer.join()


def _write_replies(replies: SimpleQueue[bytes | None], pipe: IO[bytes]) -> None:
    try:
        while (reply := replies.get()) is not None:
            _write_frame(pipe, reply)
    except OSError:
        os._exit(1)  # the parent is gone
