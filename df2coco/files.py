"""Writing files: all or nothing, and nothing that is read."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from df2coco.errors import OutputError

__all__ = ["atomic_folder", "atomic_write", "check_new_folder", "check_output"]


def check_output(path: Path) -> None:
    """Raise `OutputError` when no file can be written at `path`; better told before the work."""
    target = Path(os.path.realpath(path))
    with _as_output_error(path):
        if target.is_dir():
            raise OutputError("is a folder. Name a file.", file=path)
        if target.exists() and not stat.S_ISREG(target.stat().st_mode):
            raise OutputError("is not a regular file. Name another one.", file=path)
        if not target.parent.is_dir():
            raise OutputError(f"there is no folder {target.parent}. Create it first.", file=path)
        with tempfile.TemporaryFile(dir=target.parent):
            pass


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[IO[bytes]]:
    """A binary file that becomes `path` when the block ends well, and leaves no trace when it does not.

    Raises `OutputError` when the file cannot be written (no folder, no permission, disk full).
    """
    check_output(path)
    target = Path(os.path.realpath(path))  # a link stays a link
    with _as_output_error(path):
        # Named before it is made, so that there is no moment in which a signal leaves it behind.
        name = target.parent / f".{target.name}.{os.urandom(4).hex()}.tmp"
        try:
            with open(name, "xb", buffering=1 << 20) as stream:
                yield stream
            os.replace(name, target)
        except BaseException:
            name.unlink(missing_ok=True)
            raise


def check_new_folder(path: Path) -> None:
    """Raise `OutputError` when no folder can be made at `path`, or when one with files in it is there."""
    target = Path(os.path.realpath(path))
    with _as_output_error(path):
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
    with _as_output_error(path):
        try:
            work.mkdir()
            yield work
            if target.exists():
                target.rmdir()  # empty; Windows renames nothing onto a folder
            work.rename(target)
        finally:
            shutil.rmtree(work, ignore_errors=True)


@contextlib.contextmanager
def _as_output_error(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"cannot be written ({error.strerror}).", file=path) from None
