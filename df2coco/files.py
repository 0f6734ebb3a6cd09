"""Writing files: all or nothing, and never over something that is read."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final

from df2coco.errors import OutputError

_BUFFER: Final = 1 << 20


def check_outputs(
    outputs: Iterable[Path], inputs: Iterable[Path] = (), *, make_folders: bool = False
) -> None:
    """Check, before the work, that all of `outputs` can be written. Raises `OutputError`.

    `inputs` are files and folders that are read: no output may be one of them or lie in one, by whatever
    name (links, hard links, another case of letters). No two outputs may be the same file. Each is a
    regular file or not there, in a folder that can be written to; with `make_folders` the folder may be
    missing.
    """
    read = list(inputs)
    seen: dict[object, Path] = {}
    for path in outputs:
        target = Path(os.path.realpath(path))
        with reported_for(path):
            folder = _check_place(path, target, make_folders)
            with tempfile.TemporaryFile(dir=folder):
                pass
        _check_unread(path, read)
        if seen.setdefault(_identity(target), path) is not path:
            raise OutputError("is named for two outputs. Name two files.", file=path)


def check_output_folder(folder: Path, inputs: Iterable[Path]) -> None:
    """Check that files can be written to `folder`, which may be missing. Raises `OutputError`.

    As for a file, it must not be one of `inputs` or lie in one.
    """
    _check_unread(folder, inputs)
    target = Path(os.path.realpath(folder))
    with reported_for(folder):
        if os.path.lexists(target) and not target.is_dir():
            raise OutputError("is not a folder. Name a folder.", file=folder)
        place = target if target.is_dir() else _check_place(folder, target, make_folders=True)
        with tempfile.TemporaryFile(dir=place):
            pass


def _check_unread(path: Path, inputs: Iterable[Path]) -> None:
    target = Path(os.path.realpath(path))
    own = _identity(target)
    around = [_identity(folder) for folder in target.parents]
    for source in inputs:
        identity = _identity(Path(os.path.realpath(source)))
        if identity == own:
            raise OutputError("is read by this command. Write elsewhere.", file=path)
        if identity in around:
            raise OutputError(
                f"would be inside {source}, which is read. Write elsewhere.", file=path
            )


def _identity(path: Path) -> object:
    """What is equal for two names of one file or folder, as far as the system can say."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        parent = path.parent
        return path if parent == path else (_identity(parent), _same_name(path.name))
    return status.st_dev, status.st_ino


def _same_name(name: str) -> str:
    # Windows and macOS take upper and lower case for the same, unless somebody asked them to.
    return name.casefold() if sys.platform in ("win32", "darwin") else name


def _check_place(path: Path, target: Path, make_folders: bool) -> Path:
    """The folder that `target`, or its missing folders, would be made in."""
    _check_name(path)
    if target.is_symlink():  # a link that ends somewhere is followed to there
        raise OutputError("is a link that leads back to itself. Name a file.", file=path)
    if target.is_dir():
        raise OutputError("is a folder. Name a file.", file=path)
    if target.exists() and not stat.S_ISREG(target.stat().st_mode):
        raise OutputError("is not a regular file. Name another one.", file=path)
    folder = target.parent
    while make_folders and not os.path.lexists(folder) and folder.parent != folder:
        folder = folder.parent
    if not os.path.lexists(folder):
        raise OutputError(f"there is no folder {folder}. Create it first.", file=path)
    if not folder.is_dir():
        raise OutputError(f"{folder} is not a folder. Write elsewhere.", file=path)
    return folder


def _check_name(path: Path) -> None:
    if os.fspath(path) == "-":
        raise OutputError("is not the name of a file, and nothing is written to stdout.", file=path)


def check_json_name(path: Path) -> None:
    """Raise `OutputError` for an output that is JSON and not called so."""
    if path.suffix.lower() != ".json":
        raise OutputError("is not the name of a .json file. Name one.", file=path)


def make_folder(folder: Path) -> list[Path]:
    """Make a folder and those around it; the ones that were missing, outermost first.

    Raises `OutputError`.
    """
    missing = [folder]
    while not os.path.lexists(missing[-1]) and missing[-1].parent != missing[-1]:
        missing.append(missing[-1].parent)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot be created ({error.strerror}).", file=folder) from None
    return missing[-2::-1]


@contextlib.contextmanager
def reported_for(path: Path) -> Iterator[None]:
    """An `OSError` in the block, which only writes `path`, becomes an `OutputError`."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"cannot be written ({error.strerror or error}).", file=path) from None


class _File(io.FileIO):
    """A new file whose errors are reported for the output that it will be."""

    def __init__(self, name: Path, path: Path) -> None:
        self._path = path
        with reported_for(path):
            super().__init__(name, "x")

    def write(self, data: Any) -> int:
        with reported_for(self._path):
            return super().write(data)


@dataclass
class _Output:
    path: Path
    """As the user named it."""
    target: Path
    """Where links lead to."""
    work: Path
    """Written now, renamed at the end."""
    old: Path
    """Another name for what was there before, while all are renamed."""
    stream: io.BufferedWriter | None = None


class Outputs:
    """Files that appear together when the block ends well. Otherwise all is as it was before.

        with Outputs() as outputs:
            outputs.open(path).write(b"...")

    A file is written under another name beside its own, and renamed at the end. When one cannot be
    renamed, the others get back what was there before. With `make_folders` missing folders are made.
    Raises `OutputError` where a file cannot be written; other errors in the block pass through.
    """

    def __init__(self, *, make_folders: bool = False) -> None:
        self._make_folders = make_folders
        self._outputs: list[_Output] = []
        self._folders: list[Path] = []
        self.complete = False
        """All files are in their places."""

    def __enter__(self) -> Outputs:
        return self

    def interrupted(self) -> KeyboardInterrupt:
        """What to raise after a `KeyboardInterrupt`: it says what is true of the files."""
        return KeyboardInterrupt(
            "all files are written" if self.complete else "nothing was written"
        )

    def open(self, path: Path) -> IO[bytes]:
        """A binary file that becomes `path`."""
        target = Path(os.path.realpath(path))  # a link stays a link
        with reported_for(path):
            _check_place(path, target, self._make_folders)
        if self._make_folders:
            self._folders += make_folder(target.parent)
        # Named before it is made, so that there is no moment in which a signal leaves it behind.
        name = f".{target.name}.{os.urandom(4).hex()}"
        work, old = (target.with_name(f"{name}{end}.tmp") for end in ("", ".old"))
        output = _Output(path, target, work, old)
        self._outputs.append(output)
        output.stream = io.BufferedWriter(_File(work, path), _BUFFER)
        return output.stream

    def __exit__(
        self, kind: type[BaseException] | None, _: object, __: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                for output in self._outputs:
                    assert output.stream is not None
                    with reported_for(output.path):
                        output.stream.close()
                with _undisturbed():
                    _rename_all(self._outputs)
                    self.complete = True
        finally:
            self._discard()

    def _discard(self) -> None:
        """Take away what is not in its place."""
        for output in self._outputs:
            with contextlib.suppress(OSError, OutputError):
                if output.stream is not None:
                    output.stream.close()
            with contextlib.suppress(OSError):
                output.work.unlink(missing_ok=True)
        for folder in [] if self.complete else reversed(self._folders):
            with contextlib.suppress(OSError):
                folder.rmdir()


def _rename_all(outputs: Sequence[_Output]) -> None:
    done = 0
    try:
        for output in outputs if len(outputs) > 1 else ():
            with reported_for(output.path), contextlib.suppress(FileNotFoundError):
                _keep(output.target, output.old)
        for output in outputs:  # nothing else between two renames: a kill can come at any time
            os.replace(output.work, output.target)
            done += 1
    except OSError as error:
        for each in outputs[:done]:
            with contextlib.suppress(OSError):
                if each.old.exists():
                    os.replace(each.old, each.target)
                else:
                    each.target.unlink()
        failed = outputs[done].path
        raise OutputError(f"cannot be written ({error.strerror}).", file=failed) from None
    finally:
        for output in outputs:
            with contextlib.suppress(OSError):
                output.old.unlink(missing_ok=True)


def replace_all(files: Mapping[Path, Path]) -> None:
    """Rename each file to its new name, over what has that name: all or none. Raises `OutputError`."""
    end = f".{os.urandom(4).hex()}.old.tmp"
    with _undisturbed():
        _rename_all(
            [
                _Output(new, new, old, new.with_name(f".{new.name}{end}"))
                for old, new in files.items()
            ]
        )


def _keep(target: Path, old: Path) -> None:
    """Give a file a second name."""
    try:
        os.link(target, old)
    except FileNotFoundError:
        raise  # there was none
    except OSError:  # a file system without hard links
        shutil.copyfile(target, old)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Signals that end the program wait until the block has ended, where the system can hold them back."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[IO[bytes]]:
    """A binary file that becomes `path` when the block ends well, and leaves no trace when it does not.

    Raises `OutputError` when the file cannot be written (no folder, no permission, disk full).
    """
    with Outputs() as outputs:
        yield outputs.open(path)


def check_new_folder(path: Path) -> None:
    """Raise `OutputError` when no folder can be made at `path`, or when one with files in it is there."""
    target = Path(os.path.realpath(path))
    _check_name(path)
    with reported_for(path):
        if target.is_dir():
            if any(target.iterdir()):
                raise OutputError("holds files already. Name a new folder.", file=path)
        elif target.exists():
            raise OutputError("is a file. Name a folder.", file=path)
        if not target.parent.is_dir():
            raise OutputError(f"there is no folder {target.parent}. Create it first.", file=path)
        with tempfile.TemporaryFile(dir=target.parent):
            pass


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A folder to fill: it becomes `path` when the block ends well, and leaves no trace when it does not.

    It lies beside `path`, so that relative links from it are right before and after. Raises as
    `check_new_folder`, and `OutputError` when a file in it cannot be written.
    """
    check_new_folder(path)
    target = Path(os.path.realpath(path))
    work = target.parent / f".{target.name}.{os.urandom(4).hex()}.tmp"
    with reported_for(path):
        try:
            work.mkdir()
            yield work
            if target.exists():
                target.rmdir()  # empty; Windows renames nothing onto a folder
            work.rename(target)
        finally:
            shutil.rmtree(work, ignore_errors=True)
