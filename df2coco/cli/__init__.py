"""The command line: how it starts and ends. Each module here is a group of commands, which call the library."""

import contextlib
import errno
import importlib
import io
import os
import signal
import sys
import traceback
from collections.abc import Iterable
from functools import partial
from threading import Timer
from types import FrameType
from typing import Any, Final, NoReturn

from df2coco.errors import LONGEST, cut_text, printable
from df2coco.signals import ENDINGS, signals_wait

__all__ = ["COMMANDS", "load_commands", "main", "say"]

COMMANDS: Final = {
    "convert": ("convert", "Convert DeepFashion2 annotations to COCO."),
    "image-info": ("convert", "Write a COCO file without annotations, for the test split."),
    "validate": ("validate", "Report what is wrong with COCO files, and who is affected."),
    "explain": ("validate", "Explain a finding of validate, or a notice of convert."),
    "evaluate": ("evaluate", "Score results as the DeepFashion2 benchmarks do."),
    "retrieval": ("evaluate", "Write the ground truth of consumer-to-shop retrieval."),
    "restore": ("files", "Write the dataset's annotation files again, one per image."),
    "split": ("files", "Split one COCO file; photos of a garment stay together."),
    "merge": ("files", "Merge COCO files of several splits into one."),
    "export": ("export", "Write the dataset as another tool reads it."),
    "stats": ("looking", "Print the numbers of a split."),
    "draw": ("draw", "Draw images with their boxes, masks and landmarks."),
    "skeletons": ("draw", "Draw a poster of the 13 landmark definitions."),
    "report": ("looking", "Write one page of HTML about a COCO file."),
    "metainfo": ("export", "Print the settings that a training framework needs."),
}
"""The module of each command and the first line of its help (at most 60 characters), in the order of the list.

That list needs no module then: importing all of them would double its time.
"""

_INTERRUPTED: Final = 130


def main() -> None:
    """The console script."""
    # A thread for each core costs more than all that numpy computes here.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        try:
            for number in ENDINGS:
                # Nothing where it is ignored: nohup does that to SIGHUP.
                if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                    signal.signal(number, _end)
            _guard_streams()
            _run(sys.argv[1:])
        except Exception:
            traceback.print_exc()
            say("df2coco: this is a fault of df2coco. Please report it with the lines above.")
            sys.exit(2)
        finally:
            sys.stdout.flush()
            for number in ENDINGS:
                signal.signal(number, signal.SIG_IGN)  # all is done or undone, the exit code known
    except (KeyboardInterrupt, SystemExit) as end:
        if isinstance(end, SystemExit) and end.code != _INTERRUPTED:
            if end.code in [128 + number for number in ENDINGS]:
                with contextlib.suppress(OSError):
                    os.write(2, b"df2coco: terminated.\n")  # the streams may not be guarded yet
            raise
        # Not by Python: having interrupted an import, it would end itself by the signal.
        os._exit(_INTERRUPTED)


def load_commands(names: Iterable[str] = COMMANDS) -> None:
    """Register commands with the app."""
    for name in names:
        importlib.import_module(f"{__name__}.{COMMANDS[name][0]}")


def _run(arguments: list[str]) -> None:
    from df2coco.cli.app import app

    named = [name for name in arguments if name in COMMANDS]
    if named or "_DF2COCO_COMPLETE" in os.environ:
        load_commands(named or COMMANDS)
    else:
        for name, (_, summary) in COMMANDS.items():
            app.command(name, help=summary)(lambda: None)
    app()


def _end(number: int, _: FrameType | None) -> None:
    """End by an exception, so that temporary files and workers go."""
    sys.unraisablehook = partial(_end_later, number)
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(128 + number)


def _end_later(number: int, swallowed: "sys.UnraisableHookArgs") -> None:
    """The end was raised in a `__del__` or the like, which swallows it: once more, a little later.

    Anything else comes of the end itself, from an object that is half made, and is not shown.
    """
    if issubclass(swallowed.exc_type, (KeyboardInterrupt, SystemExit)):
        send = signal.raise_signal if os.name == "nt" else partial(os.kill, os.getpid())
        timer = Timer(0.01, send, (number,))
        timer.daemon = True
        timer.start()


def say(line: str = "") -> None:
    """A line for a person, on stderr: stdout is for data. A progress bar moves down for it."""
    line = cut_text(printable(line), 2 * LONGEST)
    if "tqdm" in sys.modules:
        with signals_wait():  # it gives back a lock that an end has kept it from taking
            sys.modules["tqdm"].tqdm.write(line, file=sys.stderr)
    else:
        print(line, file=sys.stderr)


def _guard_streams() -> None:
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
            sys.exit(141)  # nobody reads any more, as the shell says it: 128 + SIGPIPE
        say(f"df2coco: standard output cannot be written ({error.strerror}).")
        sys.exit(2)


class _ClosedStdout(_Stdout):
    def write(self, text: str) -> int:
        if text:
            say("df2coco: standard output is closed, so the result cannot be printed.")
            sys.exit(2)
        return 0
