"""`df2coco metainfo`."""

import importlib
from pathlib import Path
from typing import Annotated, Final

from df2coco.cli import app as cli
from df2coco.cli.streams import say
from df2coco.layouts import SHARED

FRAMEWORKS: Final = {
    "detectron2": "a module with register() and add_config()",
    "mmdet": "a config fragment with metainfo, datasets and evaluator",
    "mmpose": "a dataset_info for metainfo=dict(from_file=...)",
    "ultralytics": "the data.yaml of a YOLO dataset with landmarks",
}
"""Framework -> what is printed."""

_MODULES: Final = {"ultralytics": "export.yolo.data_yaml"}
"""Those of the others are in `integrations`; each has a function `source(layout)`."""


@cli.command("metainfo")
def metainfo_command(
    framework: Annotated[
        str,
        cli.argument(
            "FRAMEWORK",
            f"{cli.explained(FRAMEWORKS)}.",
            callback=cli.one_of(FRAMEWORKS),
            autocompletion=lambda: list(FRAMEWORKS),
        ),
    ],
    layout: Annotated[
        str,
        cli.choice(
            "The layout of the file.",
            {name: f"{len(shared.names)} slots" for name, shared in SHARED.items()},
        ),
    ] = "unified",
    out: Annotated[Path | None, cli.option("FILE", "Write it there rather than to stdout.")] = None,
    quiet: cli.QuietOption = False,
) -> None:
    """Print the settings that a training framework needs.

    They are a file that the framework loads as it is.
    """
    module = _MODULES.get(framework, f"integrations.{framework}")
    settings = importlib.import_module(f"df2coco.{module}").source(SHARED[layout])
    if out is None:
        print(settings, end="")
        return
    from df2coco.outputs import atomic_write

    with atomic_write(out) as stream:
        stream.write(settings.encode())
    if not quiet:
        say(f"-> {out}")
