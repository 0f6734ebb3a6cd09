"""Killed, out of space, unable to read, twice at once: OUT is the old file or the complete new one."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from df2coco.converter.options import Shape
from df2coco.converter.run import convert
from df2coco.errors import SourceError
from tests.tools.synthetic import make_split

if sys.platform == "win32":
    pytest.skip("needs POSIX: signals and limits", allow_module_level=True)
else:
    import resource

pytestmark = [pytest.mark.linux, pytest.mark.slow]

OLD = b"what was there before"
IMAGES = 1000


class Job(NamedTuple):
    """A split that is large enough for two workers, and the file that it gives."""

    split: Path
    complete: bytes


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    folder = tmp_path_factory.mktemp("faults")
    make_split(folder / "split", IMAGES)
    convert(folder / "split", folder / "whole.json")
    return Job(folder / "split", (folder / "whole.json").read_bytes())


@pytest.fixture
def out(tmp_path: Path) -> Path:
    path = tmp_path / "out.json"
    path.write_bytes(OLD)
    return path


def start(
    *arguments: object, limit: int | None = None, terminal: int | None = None
) -> subprocess.Popen[str]:
    """df2coco in a process of its own, whose files may have at most `limit` bytes."""

    def prepare() -> None:
        # A shell's background jobs ignore Ctrl-C, and so would all that they start.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.Popen(
        [sys.executable, "-m", "df2coco", *map(str, arguments)],
        stdin=terminal,
        stdout=terminal or subprocess.PIPE,
        stderr=terminal or subprocess.PIPE,
        text=True,
        # Coverage's own file would not fit under the limit, nor be whole after a kill.
        env={name: value for name, value in os.environ.items() if not name.startswith("COV")},
        preexec_fn=prepare,
    )


def start_conversion(job: Job, out: Path, *, limit: int | None = None) -> subprocess.Popen[str]:
    return start("convert", job.split, out, "--workers", 2, limit=limit)


def end(process: subprocess.Popen[str]) -> tuple[int, list[str]]:
    """Exit code and lines on stderr."""
    _, stderr = process.communicate(timeout=60)
    return process.returncode, stderr.splitlines()


def unfinished(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.endswith(".tmp"))


def wait_for(condition: Callable[[], object], process: subprocess.Popen[str]) -> None:
    while not condition() and process.poll() is None:
        time.sleep(0.002)


def workers_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def assert_ended(workers: list[psutil.Process]) -> None:
    """None of them lives on, though an orphan may wait for init to take note of its end."""
    deadline = time.monotonic() + 10
    while any(map(_runs, workers)):
        assert time.monotonic() < deadline, "workers outlive the conversion"
        time.sleep(0.002)


def _runs(worker: psutil.Process) -> bool:
    try:
        return worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def assert_refused(process: subprocess.Popen[str], words: str) -> None:
    """Exit code 2 and one line that tells why."""
    code, lines = end(process)
    assert (code, len(lines)) == (2, 1), lines
    assert words in lines[0]


# ---------------------------------------------------------------- killed


MOMENTS = 200
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
PARTS = 4
"""Of each signal's moments, so that several processes of pytest can share them."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset root of two splits; the first is large enough for two workers."""
    root = tmp_path_factory.mktemp("root")
    make_split(root / "train", 300)
    make_split(root / "validation", 100)
    return root


@pytest.fixture(scope="module")
def complete(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a conversion of both splits."""
    out = tmp_path_factory.mktemp("complete") / "out"
    convert(root, out, shape=Shape(area="box"))
    return contents(out)


def contents(folder: Path) -> dict[str, bytes]:
    """All finished files of a folder."""
    return {
        path.name: path.read_bytes() for path in folder.iterdir() if not path.name.endswith(".tmp")
    }


class Outcome(NamedTuple):
    """What one signal led to."""

    code: int
    lines: list[str]
    files: dict[str, bytes]
    unfinished: list[str]


def kill_once(root: Path, out: Path, names: Iterable[str], number: int, share: float) -> Outcome:
    """Start a conversion to the folder `out`, where files stand, and send a signal.

    `share` says when: 0 is the moment when the first output begins, 1 about the end.
    """
    out.mkdir()
    for name in names:
        (out / name).write_bytes(OLD)
    process = start("convert", root, out, "--area", "box", "--workers", 2)
    started = time.perf_counter()
    wait_for(lambda: unfinished(out), process)
    # From its start until here takes about as long as from here to the end.
    time.sleep(share * (time.perf_counter() - started))
    workers = workers_of(process)
    process.send_signal(number)
    code, lines = end(process)
    assert_ended(workers)
    return Outcome(code, lines, contents(out), unfinished(out))


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_killed_at_any_moment(
    number: signal.Signals, part: int, root: Path, complete: dict[str, bytes], tmp_path: Path
) -> None:
    rng = random.Random(PARTS * number + part)
    old = dict.fromkeys(complete, OLD)
    outcomes = []
    for index in range(-(-MOMENTS // (PARTS * len(SIGNALS)))):
        outcome = kill_once(root, tmp_path / str(index), complete, number, rng.uniform(0, 1.6))
        outcomes.append(outcome)
        if number == signal.SIGKILL:  # nobody can act between two renames: each file is whole
            assert outcome.files.keys() == complete.keys()
            assert all(text in (OLD, complete[name]) for name, text in outcome.files.items())
        else:
            assert outcome.files in (old, complete)  # never one split without the other
            assert outcome.unfinished == []
            assert "Traceback" not in "\n".join(outcome.lines)  # not even while Python shuts down
            if outcome.files == old:
                assert outcome.code == 128 + number
                assert len(outcome.lines) == 1
                assert number != signal.SIGINT or "nothing was written" in outcome.lines[0]
    assert any(outcome.files == old for outcome in outcomes), "no signal came before the end"


# ---------------------------------------------------------------- killed on a terminal, with a bar


class Terminal:
    """df2coco in a process of its own with a terminal for its three streams."""

    def __init__(self, *arguments: object) -> None:
        self.shown = b""
        self._master, slave = os.openpty()
        self.process = start(*arguments, terminal=slave)
        os.close(slave)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # the other end is closed
            while data := os.read(self._master, 4096):
                self.shown += data

    def end(self) -> tuple[int, str]:
        """Exit code and the last line that stands on the terminal."""
        code = self.process.wait(timeout=60)
        self._reader.join(timeout=60)
        os.close(self._master)
        assert b"Traceback" not in self.shown
        lines = self.shown.decode().replace("\r", "\n").split("\n")
        return code, next((line.strip() for line in reversed(lines) if line.strip()), "")


ON_TERMINAL = {
    "convert": ("convert", "{root}", "{out}", "--area", "box"),
    "restore": ("restore", "{coco}", "{out}", "--force"),
    "split": ("split", "{coco}", "{out}", "--parts", "a=0.5,b=0.5"),
    "export": ("export", "yolo", "{coco}", "{out}", "--images", "{root}/train"),
    "table": ("export", "table", "{coco}", "{out}/items.csv"),
    "copies": (
        *("export", "coco", "{coco}", "{out}", "--images", "{root}/train", "--photos", "copy"),
        "--workers",
        "2",
    ),
    "draw": ("draw", "{coco}", "--images", "{root}/train", "--out", "{out}", "--sample", "20"),
    "merge": ("merge", "{coco}", "{other}", "{out}/merged.json"),
    "report": (
        "report",
        "{coco}",
        "--images",
        "{root}/train",
        "--out",
        "{out}/report.html",
        "--examples",
        "2",
    ),
}
REPLACES = ON_TERMINAL.keys() - {"export", "copies"}
"""What writes to a folder with files in it."""
KILLS = int(os.environ.get("DF2COCO_KILLS", "2"))
"""Of each signal and command."""


def everything(folder: Path) -> dict[str, bytes | None]:
    """Every name below a folder, with what the files hold."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


@pytest.mark.parametrize("number", SIGNALS[1:], ids=lambda number: number.name)
@pytest.mark.parametrize("name", ON_TERMINAL)
def test_killed_on_a_terminal(
    name: str, number: signal.Signals, root: Path, complete: dict[str, bytes], tmp_path: Path
) -> None:
    coco = tmp_path / "keypoints_train.json"
    other = tmp_path / "keypoints_validation.json"
    for path in (coco, other):
        path.write_bytes(complete[path.name])

    def run(out: Path) -> Terminal:
        words = (
            word.format(root=root, out=out, coco=coco, other=other) for word in ON_TERMINAL[name]
        )
        return Terminal(*words)

    new = tmp_path / "new"
    new.mkdir()
    code, _ = run(new).end()
    assert code == 0
    complete_tree = everything(new)
    old = dict.fromkeys(complete_tree, OLD) if name in REPLACES else {}
    rng = random.Random(number)
    for index in range(KILLS):
        out = tmp_path / str(index)
        out.mkdir()
        for file in old:
            (out / file).write_bytes(OLD)
        terminal = run(out)
        started = time.perf_counter()
        begins = lambda t=terminal, out=out: t.shown or unfinished(out)  # noqa: E731
        wait_for(begins, terminal.process)  # the bar comes long before an output of one file
        if index % 2:  # while files are renamed, or the only one is written
            end = ".old." if len(old) > 1 else ""
            ending = lambda out=out, end=end: any(end in n for n in unfinished(out))  # noqa: E731
            wait_for(ending, terminal.process)
            time.sleep(rng.uniform(0, 0.02))
        else:
            time.sleep(rng.uniform(0, 1.2) * (time.perf_counter() - started))
        terminal.process.send_signal(number)
        code, line = terminal.end()
        assert everything(out) in (old, complete_tree)
        if everything(out) == old:
            assert code == 128 + number
        if "nothing was written" in line:
            assert everything(out) == old
        if "all files are written" in line:
            assert everything(out) == complete_tree
        assert code in (0, 128 + number)
        if code and number == signal.SIGINT and everything(out) == old:
            words = ("interrupted; nothing was written.", "interrupted.")  # before it opened any
            assert line in {f"df2coco: {text}" for text in words}


# ---------------------------------------------------------------- no space


@pytest.mark.parametrize("limit", [0, 1000, 500_000, 2_000_000])
def test_a_full_disk(limit: int, job: Job, out: Path) -> None:
    assert limit < len(job.complete)
    assert_refused(start_conversion(job, out, limit=limit), "out.json: cannot be written")
    assert out.read_bytes() == OLD
    assert unfinished(out.parent) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_file_system_that_is_full(job: Job, small_disk: Path) -> None:
    out = small_disk / "out.json"
    out.write_bytes(OLD)
    assert_refused(start_conversion(job, out), "No space left")
    assert [path.name for path in small_disk.iterdir()] == ["out.json"]
    assert out.read_bytes() == OLD


def test_a_full_disk_while_restoring(validation: Path, tmp_path: Path) -> None:
    convert(validation, tmp_path / "coco.json")
    process = start("restore", tmp_path / "coco.json", tmp_path / "annos", "--quiet", limit=100)
    assert_refused(process, "annos: cannot be written")
    assert [path.name for path in tmp_path.iterdir()] == ["coco.json"]


# ---------------------------------------------------------------- the rest


def test_a_read_error(validation: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, left = os.read, iter(range(20))

    def fail(descriptor: int, size: int) -> bytes:
        if next(left, None) is None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return read(descriptor, size)

    monkeypatch.setattr(os, "read", fail)
    with pytest.raises(SourceError, match="cannot be used, so nothing was written") as caught:
        convert(validation, out)
    monkeypatch.undo()
    assert "cannot be read (Input/output error)" in caught.value.summaries[0].notices[0].text
    assert out.read_bytes() == OLD
    assert unfinished(out.parent) == []


@pytest.mark.parametrize("_", range(3))
def test_two_conversions_to_one_file(_: int, job: Job, out: Path) -> None:
    both = [start_conversion(job, out), start_conversion(job, out)]
    assert [end(process)[0] for process in both] == [0, 0]
    assert out.read_bytes() == job.complete
    assert unfinished(out.parent) == []


@pytest.mark.parametrize("which", [0, 1])
def test_a_worker_that_dies(which: int, job: Job, out: Path) -> None:
    process = start_conversion(job, out)
    wait_for(lambda: len(workers_of(process)) == 2, process)
    workers = workers_of(process)
    workers[which].kill()
    assert_refused(process, "a worker process died (SIGKILL)")
    assert_ended(workers)
    assert out.read_bytes() == OLD
    assert unfinished(out.parent) == []
