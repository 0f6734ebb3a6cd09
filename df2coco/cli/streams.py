"""Standard streams that can fail: closed, full, or a pipe whose reader is gone. Each has its exit code."""

import errno
import io
import os
import sys
from typing import Any, Final, NoReturn

from df2coco.errors import printable

READER_GONE: Final = 141
"""Exit code when nobody reads stdout any more, as the shell gives it for SIGPIPE (128 + 13)."""


def say(line: str = "") -> None:
    """A line for a person, on stderr: stdout is for data. A progress bar moves down for it."""
    if "tqdm" in sys.modules:
        sys.modules["tqdm"].tqdm.write(printable(line), file=sys.stderr)
    else:
        print(printable(line), file=sys.stderr)


def guard_streams() -> None:
    """Make writing to stdout end in one line and an exit code when it fails, and stderr never fail.

    Streams that were closed at the start are opened on nothing, so that no file gets their number.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            # It takes the lowest free number, which is the one that was closed.
            stream = io.TextIOWrapper(io.FileIO(os.devnull, mode), encoding="utf-8")
            setattr(sys, name, _ClosedStdout(stream.detach(), "utf-8") if number == 1 else stream)
        elif number and type(stream) is io.TextIOWrapper:
            kind = _Stdout if number == 1 else _Stderr
            options: dict[str, Any] = {
                "encoding": stream.encoding,
                "errors": "backslashreplace",  # names of files need not be text
                "line_buffering": stream.line_buffering,
                "write_through": stream.write_through,
            }
            if number == 1 and not stream.isatty() and "PYTHONIOENCODING" not in os.environ:
                # Data in a file or pipe is the same on every system.
                options |= {"encoding": "utf-8", "newline": "\n"}
            guarded = kind(stream.detach(), **options)
            setattr(sys, name, guarded)
            setattr(sys, f"__{name}__", guarded)


class _Stderr(io.TextIOWrapper):
    """What cannot be shown is lost: there is no other place to say so."""

    number = 2

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError as error:
            self.fail(error)
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            self.fail(error)

    def fail(self, _: OSError) -> None:
        """Let all that follows go nowhere: the interpreter flushes once more at its end."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.number)
        os.close(nowhere)


class _Stdout(_Stderr):
    """What cannot be printed ends the program: it was the result."""

    number = 1

    def fail(self, error: OSError) -> NoReturn:
        super().fail(error)
        # Windows has no broken pipes: it calls them invalid.
        if error.errno == errno.EPIPE or (os.name == "nt" and error.errno == errno.EINVAL):
            sys.exit(READER_GONE)
        say(f"df2coco: standard output cannot be written ({error.strerror}).")
        sys.exit(2)


class _ClosedStdout(_Stdout):
    def write(self, text: str) -> int:
        if text:
            say("df2coco: standard output is closed, so the result cannot be printed.")
            sys.exit(2)
        return 0
