"""The same results from any number of processes, and no process left behind."""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from df2coco import workers as workers_module
from df2coco.errors import SourceError, WorkerError
from df2coco.workers import (
    available_cores,
    in_background,
    keep_memory,
    map_ordered,
    worthwhile,
)
from tests.conftest import MakeSplit
from tests.samples import make_annotation, make_item
from tests.worker_tasks import (
    add_length,
    crash,
    die,
    die_halfway,
    double,
    exit_quietly,
    fail,
    large,
    make_lambda,
    nested,
    out_of_memory,
    resize,
)

ROOT = Path(workers_module.__file__).parents[1]


def children() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("tasks", [0, 1, 7, 100])
def test_results_come_in_the_order_of_the_tasks(workers: int, tasks: int) -> None:
    found = list(map_ordered(double, range(tasks), workers=workers))
    assert found == [2 * number for number in range(tasks)]


@pytest.mark.parametrize("apart", [False, True])
def test_work_in_the_background(apart: bool) -> None:
    with in_background(double, 4, apart=apart) as wait:
        assert len(children()) == apart
        assert wait() == 8
    with in_background(fail, 5, apart=apart) as wait, pytest.raises(SourceError, match="5 is bad"):
        wait()
    assert children() == []


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


@pytest.mark.parametrize("death", [die, die_halfway])
def test_a_worker_that_dies_is_told(death: Any) -> None:
    with pytest.raises(WorkerError, match=r"exit code 3.*--workers 1"):
        list(map_ordered(death, range(9), workers=2))
    assert children() == []


def test_closing_the_iterator_ends_the_workers() -> None:
    results = map_ordered(double, range(100), workers=3)
    assert next(results) == 0
    assert len(children()) == 3
    results.close()
    assert children() == []


# ---------------------------------------------------------------- pipes


@pytest.fixture
def small_pipes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Pipes of one page, as on Windows; waiting forever ends in an error."""
    small = functools.partial(subprocess.Popen, pipesize=4096)
    monkeypatch.setattr(workers_module.subprocess, "Popen", small)

    def stop(*_: object) -> None:
        raise TimeoutError("parent and worker wait for each other")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(30)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.linux
@pytest.mark.usefixtures("small_pipes")
@pytest.mark.slow
class TestSmallPipes:
    @pytest.mark.parametrize(
        ("sent", "received"),
        [(1, 1), (4096, 4096), (3_000_000, 1), (1, 3_000_000), (3_000_000, 3_000_000)],
    )
    @pytest.mark.parametrize("workers", [2, 3])
    def test_tasks_and_results_of_any_size_pass(
        self, workers: int, sent: int, received: int
    ) -> None:
        tasks = [(bytes([n]) * sent, received) for n in range(12)]
        results = map_ordered(resize, tasks, workers=workers)
        assert [(len(r), r[0]) for r in results] == [(received, n) for n in range(12)]

    def test_a_function_larger_than_a_pipe(self) -> None:
        function = functools.partial(add_length, b"-" * 1_000_000)
        assert list(map_ordered(function, range(4), workers=2)) == [1_000_000 + n for n in range(4)]

    def test_a_consumer_that_is_slower_than_the_workers(self) -> None:
        tasks = [(bytes([n]), 300_000) for n in range(6)]
        found = []
        for result in map_ordered(resize, tasks, workers=2):
            time.sleep(0.05)
            found.append(result[0])
        assert found == list(range(6))

    def test_leaving_early_with_full_pipes(self) -> None:
        tasks = [(bytes(1_000_000), 1_000_000) for _ in range(9)]
        results = map_ordered(resize, tasks, workers=3)
        next(results)
        results.close()
        assert children() == []


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=9), st.integers(1, 200_000)), max_size=9))
def test_several_processes_give_what_one_gives(tasks: list[tuple[bytes, int]]) -> None:
    expected = list(map(resize, tasks))
    assert list(map_ordered(resize, tasks, workers=1)) == expected


def test_what_cannot_be_pickled_is_a_bug_and_not_a_hang() -> None:
    with pytest.raises(RuntimeError, match=r"(?s)Traceback.*pickle"):
        list(map_ordered(make_lambda, range(3), workers=2))
    with pytest.raises(Exception, match="pickle"):
        list(map_ordered(lambda number: number, range(3), workers=2))
    assert children() == []


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    ("function", "error"),
    [(out_of_memory, MemoryError), (nested, RecursionError), (fail, SourceError)],
)
def test_what_the_command_line_has_a_line_for_keeps_its_type(
    function: Any, error: type[Exception], workers: int
) -> None:
    with pytest.raises(error):
        list(map_ordered(function, range(5), workers=workers))


def test_a_function_that_exits_is_a_bug() -> None:
    with pytest.raises(RuntimeError, match="SystemExit"):
        list(map_ordered(exit_quietly, range(5), workers=2))


# ---------------------------------------------------------------- processes


@pytest.mark.parametrize(
    ("workers", "tasks", "expected"),
    [(8, 0, 1), (8, 1, 1), (8, 3, 1), (8, 4, 2), (8, 8, 3), (2, 100, 2), (1, 100, 1), (8, 28, 8)],
)
def test_few_tasks_start_few_processes(workers: int, tasks: int, expected: int) -> None:
    assert worthwhile(workers, tasks) == expected


@pytest.mark.parametrize("error", [None, OSError, TypeError])
def test_a_c_library_without_settings_is_no_fault(
    error: type[Exception] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(_: None) -> object:
        if error is not None:
            raise error
        return object()

    keep_memory()
    monkeypatch.setattr(ctypes, "CDLL", load)
    keep_memory()


def test_there_is_a_core() -> None:
    assert 1 <= available_cores() <= (os.cpu_count() or 1)


@pytest.mark.parametrize("code", [errno.EMFILE, errno.EAGAIN, errno.ENOMEM])
def test_a_worker_that_cannot_be_started(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    real, started = subprocess.Popen, []

    def start(*args: Any, **kwargs: Any) -> Any:
        if started:
            raise OSError(code, os.strerror(code))
        started.append(real(*args, **kwargs))
        return started[0]

    monkeypatch.setattr(workers_module.subprocess, "Popen", start)
    with pytest.raises(WorkerError) as caught:
        list(map_ordered(double, range(9), workers=3))
    assert os.strerror(code) in str(caught.value)
    assert "--workers 1" in str(caught.value)
    assert children() == []


FLAGS = """
import json, sys
from df2coco.workers import map_ordered
from tests_flags import flags
print(json.dumps(flags(0)))
print(json.dumps(list(map_ordered(flags, range(2), workers=2))[0]))
"""
FLAGS_MODULE = """
import sys
def flags(_):
    names = ("optimize dont_write_bytecode no_user_site no_site ignore_environment bytes_warning "
             "isolated dev_mode utf8_mode safe_path").split()
    return [
        {name: getattr(sys.flags, name, None) for name in names},
        sorted(sys._xoptions.items()), sys.warnoptions, sys.path, __debug__,
    ]
"""


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["-W", "error", "-W", "ignore::DeprecationWarning"],
        ["-X", "dev"],
        ["-X", "utf8", "-X", "faulthandler"],
        ["-O"],
        ["-OO", "-B"],
        ["-bb"],
        ["-E", "-s"],
        ["-I"],
    ],
    ids=" ".join,
)
def test_the_interpreters_options_reach_the_workers(tmp_path: Path, options: list[str]) -> None:
    (tmp_path / "tests_flags.py").write_text(FLAGS_MODULE)
    paths = [str(tmp_path), str(ROOT)]
    script = f"import sys; sys.path[:0] = {paths!r}\n{FLAGS}"
    command = [sys.executable, *options, "-c", script]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    own, workers = result.stdout.splitlines()
    assert workers == own


def test_a_script_needs_no_guard_and_is_not_run_again(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import os\n"
        "from df2coco.workers import map_ordered\n"
        "print('started')\n"
        "print(list(map_ordered(os.path.basename, ['a/b'] * 3, workers=2)))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, timeout=60, env=environment
    )
    assert (result.stdout, result.stderr) == ("started\n['b', 'b', 'b']\n", "")


@pytest.mark.posix
@pytest.mark.parametrize("closed", ["<&-", "2>&-", "<&- 2>&-"])
def test_closed_standard_streams(closed: str) -> None:
    script = (
        "import functools, os; from df2coco.workers import map_ordered; "
        "noisy = functools.partial(os.write, 2); "
        "print(sum(map_ordered(noisy, [b'what a library prints'] * 9, workers=2)))"
    )
    result = subprocess.run(
        ["bash", "-c", f'exec "$0" -c "$1" {closed}', sys.executable, script],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
    )
    assert result.stdout == f"{21 * 9}\n"


SLOW = """
import time
from df2coco.workers import map_ordered
results = map_ordered(time.sleep, [0.0] * 2 + [60.0] * 9, workers=2)
print(next(results), next(results), flush=True)
try:
    next(results)
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.posix
def test_ctrl_c_reaches_the_parent_alone() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd=ROOT,
        preexec_fn=functools.partial(signal.signal, signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "None None\n"
    workers = psutil.Process(process.pid).children()
    # A group of its own keeps Ctrl-C away while it starts; later it ignores one sent to it alone.
    assert process.pid not in [os.getpgid(worker.pid) for worker in workers]
    for worker in workers:
        worker.send_signal(signal.SIGINT)
    assert len(psutil.wait_procs(workers, timeout=0.3)[1]) == 2
    os.killpg(process.pid, signal.SIGINT)
    assert process.communicate(timeout=20) == ("interrupted\n", "")
    assert not psutil.wait_procs(workers, timeout=5)[1]


@pytest.mark.slow
@pytest.mark.posix
def test_no_worker_outlives_a_parent_that_is_killed() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW.replace("60.0", "0.5")], stdout=subprocess.PIPE, cwd=ROOT
    )
    assert process.stdout is not None
    process.stdout.readline()
    workers = psutil.Process(process.pid).children()
    process.kill()
    process.communicate()
    assert len(workers) == 2
    assert not psutil.wait_procs(workers, timeout=10)[1]


@pytest.mark.linux
def test_too_many_open_files_are_not_said_to_be_a_fault_of_the_output(
    make_split: MakeSplit, tmp_path: Path
) -> None:
    import resource

    split = make_split(dict.fromkeys(range(1, 300), make_annotation(make_item())))
    out = tmp_path / "out.json"
    out.write_bytes(b"what was there before")
    result = subprocess.run(
        [sys.executable, "-m", "df2coco", "convert", split, out, "--workers", "2"],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (9, 9)),
    )
    assert result.returncode == 2
    assert result.stderr == (
        "df2coco: a worker process cannot be started (Too many open files). "
        "Raise that limit of the system, or try again with --workers 1.\n"
    )
    assert out.read_bytes() == b"what was there before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.json", "validation"]
