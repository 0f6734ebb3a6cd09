"""The command line: each module here is a group of commands that read options and call the library."""

from __future__ import annotations

import importlib
import io
import os
import signal
import sys
from typing import Any, Final

__all__ = ["main"]


def main() -> None:
    """The console script."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        _run()
    except KeyboardInterrupt:  # before there was a command to tell it
        sys.exit(130)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)  # there is nothing left to undo


def _run() -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names of files need not be text
            stream.reconfigure(errors="backslashreplace")
    # A command needs its own module alone; what lists commands needs all, in the order of the help.
    for name in sys.argv[1:2] if sys.argv[1:2] and sys.argv[1] in _COMMANDS else _COMMANDS:
        importlib.import_module(f"{__name__}.{name}")
    from df2coco.cli.app import app

    app()


_COMMANDS: Final = (
    "convert",
    "validate",
    "evaluate",
    "retrieval",
    "restore",
    "export",
    "stats",
    "draw",
    "report",
    "metainfo",
)


def _terminate(*_: Any) -> None:
    os.write(2, b"df2coco: terminated.\n")  # print is not safe in a handler
    sys.exit(143)  # as an exception, so that temporary files and workers go
