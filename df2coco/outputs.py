"""Outputs, files or a folder: never over something that is read, all of them or none."""

import contextlib
import io
import os
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from df2coco.errors import OutputError
from df2coco.signals import signals_wait

_BUFFER: Final = 1 << 20


def check_outputs(
    outputs: Iterable[Path], inputs: Iterable[Path] = (), *, make_folders: bool = False
) -> None:
    """Check that all of `outputs`, files, can be written. Raises `OutputError`.

    `inputs` are files and folders that are read: no output may be one of them or lie in one, by whatever
    name (links, hard links, another case of letters). No two outputs may be the same file. Each is a
    regular file or not there, in a folder that can be written to; with `make_folders` the folder may be
    missing.
    """
    read = list(inputs)
    seen: dict[object, Path] = {}
    for path in outputs:
        with reported_for(path):
            _try_to_write(_check_place(path, make_folders))
        _check_unread(path, read)
        if seen.setdefault(_identity(_target(path)), path) is not path:
            raise OutputError("is named for two outputs. Name two files.", file=path)


def check_folder(
    folder: Path,
    inputs: Iterable[Path] = (),
    *,
    replace: bool = False,
    make_folders: bool = False,
    remedy: str = "Name a new folder.",
) -> None:
    """The same for a folder of files, which may be there. Raises `OutputError`.

    Hidden files apart it must be empty, unless `replace` lets files of the same names be replaced;
    `remedy` is what to do about it.
    """
    _check_unread(folder, inputs)
    place = _target(folder)
    with reported_for(folder):
        if not os.path.lexists(place):
            place = _check_place(folder, make_folders)
        elif not place.is_dir():
            raise OutputError("is not a folder. Name a folder.", file=folder)
        elif not replace and any(not name.startswith(".") for name in os.listdir(place)):
            raise OutputError(f"holds files already. {remedy}", file=folder)
        _try_to_write(place)


def _try_to_write(folder: Path) -> None:
    # Where the disk has no files without a name, a signal must not leave the name behind.
    with signals_wait(), tempfile.TemporaryFile(dir=folder):
        pass


def _target(path: Path) -> Path:
    """Where links lead to."""
    return Path(os.path.realpath(path))


def _check_unread(path: Path, inputs: Iterable[Path]) -> None:
    own, *around = map(_identity, (_target(path), *_target(path).parents))
    for source in inputs:
        identity = _identity(_target(source))
        if identity == own:
            raise OutputError("is read by this command. Write elsewhere.", file=path)
        if identity in around:
            text = f"would be inside {source}, which is read. Write elsewhere."
            raise OutputError(text, file=path)


def _identity(path: Path) -> object:
    """What is equal for two names of one file or folder, as far as the system can say."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        if path.parent == path:
            return path
        # Windows and macOS take upper and lower case for the same, unless somebody asked them to.
        name = path.name.casefold() if sys.platform in ("win32", "darwin") else path.name
        return _identity(path.parent), name
    return status.st_dev, status.st_ino


def _check_place(path: Path, make_folders: bool) -> Path:
    """The folder that `path`, or its missing folders, would be made in."""
    target = _target(path)
    refuse_stdout(path)
    if target.is_symlink():  # a link that ends somewhere is followed to there
        raise OutputError("is a link that leads back to itself. Name a file.", file=path)
    if target.is_dir():
        raise OutputError("is a folder. Name a file.", file=path)
    if target.exists() and not stat.S_ISREG(target.stat().st_mode):
        raise OutputError("is not a regular file. Name another one.", file=path)
    above = target.parents if make_folders else target.parents[:1]
    folder = next((path for path in above if os.path.lexists(path)), above[-1])
    if not os.path.lexists(folder):
        raise OutputError(f"there is no folder {folder}. Create it first.", file=path)
    if not folder.is_dir():
        raise OutputError(f"{folder} is not a folder. Write elsewhere.", file=path)
    return folder


def refuse_stdout(path: Path) -> None:
    """Raise `OutputError` for an output that is stdout by one of its names."""
    if os.fspath(path) in ("-", "/dev/stdout"):
        raise OutputError("data goes to files, not to stdout. Name a file.", file=path)


def check_suffix(path: Path, *suffixes: str) -> None:
    """Raise `OutputError` for the name of an output that ends with none of `suffixes`."""
    refuse_stdout(path)
    if path.suffix.lower() not in suffixes:
        names = " or ".join(suffixes)
        raise OutputError(f"the name must end with {names}. Choose another name.", file=path)


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
    """A file or a folder."""

    path: Path
    """As the user named it."""
    target: Path
    """Where links lead to."""
    work: Path
    """Written now, renamed at the end."""
    stream: Any = None
    """Of a file."""
    old: Path | None = None
    """A second name of what was there before, while all are renamed."""


class Outputs(contextlib.AbstractContextManager["Outputs"]):
    """Files and folders that appear together when the block ends well. Otherwise all is as it was before.

        with Outputs() as outputs:
            outputs.open(path).write(b"...")

    Each is written under another name, `.*.tmp`, and renamed at the end. When one cannot be renamed, the
    others get back what was there before; what is replaced hands on its mode and, where possible, its
    owner. Folders that are missing are made. Signals wait while files are renamed or taken away.

    Raises `OutputError` where something cannot be written; other errors in the block pass through, but
    for an `OSError` where there is a folder to fill. A `KeyboardInterrupt` says what is true of the files.
    """

    def __init__(self) -> None:
        self._mark = os.urandom(4).hex()
        self._files: list[_Output] = []
        self._folders: list[_Output] = []
        self._made: list[Path] = []
        self._complete = False
        self._held = False
        """Another program holds one of them, for longer than we wait."""

    def open(self, path: Path) -> IO[bytes]:
        """A binary file that becomes `path`."""
        target = _target(path)  # a link stays a link
        with reported_for(path):
            _check_place(path, make_folders=True)
        self._make_folder(target.parent)
        # Known before it is made, so that there is no moment in which a signal leaves it behind.
        output = _Output(path, target, _beside(target, self._mark))
        self._files.append(output)
        output.stream = stream = io.BufferedWriter(_File(output.work, path), _BUFFER)
        return stream

    def drop(self, path: Path) -> None:
        """Take back what `open` gave."""
        output = next(output for output in self._files if output.path == path)
        output.stream.close()
        output.work.unlink()
        self._files.remove(output)

    def folder(self, path: Path) -> Path:
        """A folder to fill, whose content comes to the folder `path`: all that is missing of it is made.

        Files of the same names are replaced. Relative links in it must be right from `path`.
        """
        target = _target(path)
        self._make_folder(target.parent)
        # One that is there may be alone on its disk.
        work = _beside(target / "new" if target.is_dir() else target, self._mark)
        self._folders.append(_Output(path, target, work))
        with reported_for(path):
            work.mkdir()
        return work

    def _make_folder(self, folder: Path) -> None:
        self._made += [p for p in (*reversed(folder.parents), folder) if not os.path.lexists(p)]
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot be created ({error.strerror}).", file=folder) from None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        interrupted = isinstance(error, KeyboardInterrupt)
        try:
            try:
                if error is None:
                    with signals_wait():
                        self._finish()
                        self._discard()  # here too: no signal may come between the two
            finally:
                with signals_wait():
                    self._discard()
        except KeyboardInterrupt:
            interrupted = True
        if interrupted:
            written = "all files are written" if self._complete else "nothing was written"
            raise KeyboardInterrupt(written) from None
        if isinstance(error, OSError) and self._folders:
            with reported_for(self._folders[0].path):
                raise error

    def _finish(self) -> None:
        """Put everything in its place."""
        for output in self._files:
            with reported_for(output.path):
                output.stream.close()
        pending = self._files.copy()
        for folder in self._folders:
            if not folder.target.is_dir():
                pending.append(folder)
                continue
            with reported_for(folder.path):
                for name in sorted(os.listdir(folder.work)):
                    path, target = folder.path / name, folder.target / name
                    pending.append(_Output(path, target, folder.work / name))
        self._rename(pending)
        self._complete = True

    def _rename(self, outputs: Sequence[_Output]) -> None:
        """Rename all or none. Raises `OutputError`."""
        left: list[Path] = []
        try:
            for output in outputs:
                with reported_for(output.path):
                    _prepare(output, self._mark if len(outputs) > 1 else None)
            for output in outputs:  # nothing else between two renames: a kill can come at any time
                _replace(output.work, output.target)
        except BaseException as error:
            left = [output.old for output in outputs if not _put_back(output) and output.old]
            if not isinstance(error, OSError):
                raise
            text = f"cannot be written ({error.strerror})."
            if _is_held(error):
                self._held = True  # what is written must not be lost
                text += f" Another program holds it: rename {output.work} yourself."
            text += "".join(f" What was there before is in {old}." for old in left)
            raise OutputError(text, file=output.path) from None
        finally:
            for output in outputs:
                if output.old is not None and output.old not in left:
                    with contextlib.suppress(OSError):
                        output.old.unlink(missing_ok=True)

    def _discard(self) -> None:
        """Take away what is not in its place."""
        for output in self._files:
            with contextlib.suppress(OSError, OutputError):
                if output.stream is not None:
                    output.stream.close()
            with contextlib.suppress(OSError):
                if not self._held:
                    output.work.unlink(missing_ok=True)
        for folder in [] if self._held else self._folders:
            shutil.rmtree(folder.work, ignore_errors=True)
        for made in [] if self._complete else reversed(self._made):
            with contextlib.suppress(OSError):
                made.rmdir()


def _beside(target: Path, end: str) -> Path:
    return target.with_name(f".{target.name}.{end}.tmp")


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[IO[bytes]]:
    """A binary file that becomes `path` when the block ends well, and leaves no trace when it does not.

    Raises `OutputError` when the file cannot be written (no folder, no permission, disk full).
    """
    check_outputs([path])
    with Outputs() as outputs:
        yield outputs.open(path)


def _is_held(error: OSError) -> bool:
    """Whether Windows says that another program holds a file."""
    return getattr(error, "winerror", None) in (5, 32)


def _replace(work: Path, target: Path) -> None:
    """Rename. On Windows an antivirus may hold a new file, or one in a new folder, for some seconds."""
    for attempt in range(9):
        try:
            return os.replace(work, target)
        except OSError as error:
            if attempt == 8 or not _is_held(error):
                raise
            time.sleep(0.05 * 2**attempt)


def _prepare(output: _Output, mark: str | None) -> None:
    """Take over the mode and owner of what will be replaced; with `mark` give it a second name."""
    try:
        before = output.target.lstat()
    except FileNotFoundError:
        return
    if stat.S_ISREG(before.st_mode):
        with contextlib.suppress(OSError, AttributeError):  # Windows has no owners
            os.chown(output.work, before.st_uid, before.st_gid)
        with contextlib.suppress(OSError):
            output.work.chmod(stat.S_IMODE(before.st_mode))
    if mark is None:
        return
    output.old = _beside(output.target, f"{mark}.old")
    try:
        os.link(output.target, output.old, follow_symlinks=os.name == "nt")
    except OSError:  # a file system without hard links
        shutil.copy2(output.target, output.old, follow_symlinks=False)


def _put_back(output: _Output) -> bool:
    """Undo the renaming of an output, if it was renamed; whether that is done."""
    old, new = (output.old, output.target) if output.old else (output.target, output.work)
    try:
        if not os.path.lexists(output.work):
            os.replace(old, new)
    except OSError:
        return False
    return True
