"""The command line: each module here is a group of commands that read options and call the library."""

import contextlib
import importlib
import os
import signal
import sys
import traceback
from collections.abc import Iterable
from functools import partial
from threading import Timer
from types import FrameType
from typing import Final

from df2coco.cli.streams import guard_streams, say

__all__ = ["COMMANDS", "load_commands", "main"]


def main() -> None:
    """The console script."""
    # A thread for each core costs more than all that numpy computes here.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for number in _ENDINGS:
        if signal.getsignal(number) == signal.SIG_DFL:  # nohup lets SIGHUP be ignored
            signal.signal(number, _terminate)
    if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
    guard_streams()
    try:
        _run_and_flush()
    except (KeyboardInterrupt, SystemExit) as end:
        if isinstance(end, SystemExit) and end.code != _INTERRUPTED:
            raise
        # Not by Python: having interrupted an import, it would end itself by the signal.
        os._exit(_INTERRUPTED)


_INTERRUPTED: Final = 130


def _run_and_flush() -> None:
    try:
        _run(sys.argv[1:])
    except Exception:
        traceback.print_exc()
        say("df2coco: this is a fault of df2coco. Please report it with the lines above.")
        sys.exit(2)
    finally:
        sys.stdout.flush()
        for number in (signal.SIGINT, *_ENDINGS):
            signal.signal(number, signal.SIG_IGN)  # all is done or undone, and the exit code known


COMMANDS: Final = {
    "convert": ("convert", "Convert DeepFashion2 annotations to COCO."),
    "image-info": ("convert", "Write a COCO file without annotations, for the test split."),
    "validate": ("validate", "Report what is wrong with COCO files, and who is affected."),
    "explain": ("explain", "Explain a finding of validate, or a notice of convert."),
    "evaluate": ("evaluate", "Score results as the DeepFashion2 benchmarks do."),
    "retrieval": ("retrieval", "Write the ground truth of consumer-to-shop retrieval."),
    "restore": ("files", "Write the dataset's annotation files again, one per image."),
    "split": ("files", "Split one COCO file; photos of a garment stay together."),
    "merge": ("files", "Merge COCO files of several splits into one."),
    "export": ("export", "Write the dataset as another tool reads it."),
    "stats": ("looking", "Print the numbers of a split."),
    "draw": ("draw", "Draw images with their boxes, masks and landmarks."),
    "skeletons": ("draw", "Draw a poster of the 13 landmark definitions."),
    "report": ("looking", "Write one page of HTML about a COCO file."),
    "metainfo": ("metainfo", "Print the settings that a training framework needs."),
}
"""The module of each command and the first line of its help (at most 60 characters), in the order of the list.

That list needs no module then: importing all of them would double its time.
"""


def load_commands(names: Iterable[str] = COMMANDS) -> None:
    """Register commands with the app."""
    for name in names:
        importlib.import_module(f"{__name__}.{COMMANDS[name][0]}")


def _run(arguments: list[str]) -> None:
    from df2coco.cli.app import app, list_command

    named = [name for name in arguments if name in COMMANDS]
    if named or "_DF2COCO_COMPLETE" in os.environ:
        load_commands(named or COMMANDS)
    else:
        for name, (_, summary) in COMMANDS.items():
            list_command(name, summary)
    app()


_ENDINGS: Final = [
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)
]
"""Signals that ask for an end: also when the terminal is closed, on POSIX and on Windows."""


def _interrupt(number: int, frame: FrameType | None) -> None:
    if not _comes_again(number, frame):
        raise KeyboardInterrupt


def _terminate(number: int, frame: FrameType | None) -> None:
    if _comes_again(number, frame):
        return
    with contextlib.suppress(OSError):
        os.write(2, b"df2coco: terminated.\n")  # print is not safe in a handler
    sys.exit(128 + number)  # as an exception, so that temporary files and workers go


def _comes_again(number: int, frame: FrameType | None) -> bool:
    """Whether a signal came in a `__del__`, which swallows what is raised there; if so, it is sent again."""
    while frame is not None and frame.f_code.co_name != "__del__":
        frame = frame.f_back
    if frame is None:
        return False
    send = signal.raise_signal if os.name == "nt" else partial(os.kill, os.getpid())
    timer = Timer(0.01, send, (number,))
    timer.daemon = True
    timer.start()
    return True
