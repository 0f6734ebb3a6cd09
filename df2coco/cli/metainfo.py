"""`df2coco metainfo`."""

import importlib
from pathlib import Path
from typing import Annotated, Final

import typer

from df2coco.cli.app import choice, command
from df2coco.layouts import SHARED

FRAMEWORKS: Final = {
    "detectron2": "a module with register() and add_config()",
    "mmdet": "a config fragment with metainfo, datasets and evaluator",
    "mmpose": "a dataset_info for metainfo=dict(from_file=...)",
    "ultralytics": "the data.yaml of a YOLO dataset with landmarks",
}
"""The modules of `df2coco.integrations`, each with a function `source(layout)`."""


_MEANINGS: Final = {"unified": "294 slots", "aggregated": "81 slots"}


def _known(framework: str) -> str:
    if framework not in FRAMEWORKS:
        raise typer.BadParameter(f"{framework!r} is none of {', '.join(FRAMEWORKS)}")
    return framework


@command("metainfo")
def metainfo_command(
    framework: Annotated[
        str,
        typer.Argument(
            metavar="|".join(FRAMEWORKS),
            show_default=False,
            callback=_known,
            help="; ".join(f"{name}: {text}" for name, text in FRAMEWORKS.items()) + ".",
        ),
    ],
    layout: Annotated[
        str, choice("The layout of the file.", {name: _MEANINGS[name] for name in SHARED})
    ] = "unified",
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write it there rather than to stdout."),
    ] = None,
) -> None:
    """Print the settings that a training framework needs.

    They are a file that the framework loads as it is.
    """
    source = importlib.import_module(f"df2coco.integrations.{framework}").source(SHARED[layout])
    if out is None:
        print(source, end="")
        return
    from df2coco.files import atomic_write

    with atomic_write(out) as stream:
        stream.write(source.encode())
