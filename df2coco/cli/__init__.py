"""The command line: each module here is a group of commands that read options and call the library."""

from __future__ import annotations

import importlib
import io
import pkgutil
import signal
import sys
from typing import Any

__all__ = ["main"]


def main() -> None:
    """The console script."""
    signal.signal(signal.SIGTERM, _terminate)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names of files need not be text
            stream.reconfigure(errors="backslashreplace")
    for module in sorted(
        pkgutil.iter_modules(__path__),
        key=lambda m: _ORDER.index(m.name) if m.name in _ORDER else 99,
    ):
        importlib.import_module(f"{__name__}.{module.name}")
    from df2coco.cli.app import app

    app()


_ORDER = (
    "convert",
    "validate",
    "evaluate",
    "retrieval",
    "restore",
    "stats",
    "draw",
    "report",
    "metainfo",
)


def _terminate(*_: Any) -> None:
    sys.exit(143)  # as an exception, so that temporary files and workers go
