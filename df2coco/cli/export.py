"""`df2coco export coco`, `export yolo`, `export roboflow` and `export table`, and `df2coco metainfo`."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import typer

from df2coco.cli import app, say
from df2coco.converter.options import LAYOUTS, TASKS
from df2coco.errors import counted
from df2coco.export.coco import export_coco, export_roboflow
from df2coco.export.datasets import PHOTOS, Exported
from df2coco.export.table import export_table
from df2coco.export.yolo import NOTES, YOLO_TASKS, export_yolo
from df2coco.layouts import SHARED
from df2coco.outputs import atomic_write
from df2coco.parser.records import NOTICES

group = app.command_group("export", "Write the dataset as another tool reads it.")

_PATHS = app.argument(
    "SOURCE|COCO.json... DIR",
    "Files that df2coco convert wrote (train and validation together make one dataset), or "
    "what convert takes: a folder or zip of annotations, a split folder, a dataset root. "
    "The last one is the folder to write, which must be new or empty.",
)
_PHOTO_PLACES = app.option(
    "PATH",
    "Folder or zip of the photos, once for each source in their order; found beside it when not given.",
)
_PHOTOS = app.choice("What the folder gets of photos.", PHOTOS, default="link")
_TASK = app.choice("What the files hold, where SOURCE is converted.", TASKS, default="instances")
_LAYOUT = app.choice(
    "The slots of landmarks, where SOURCE is converted; COCO.json has its own.",
    LAYOUTS,
    default="unified",
)


def _coco_command(name: str, example: str, write: Callable[..., Exported], help: str) -> None:
    @app.command(name, example, group, help)
    def coco_command(
        paths: list[Path] = _PATHS,
        task: str = _TASK,
        images: list[Path] | None = _PHOTO_PLACES,
        layout: str = _LAYOUT,
        photos: str = _PHOTOS,
        workers: int | None = app.WORKERS,
        password: str | None = app.PASSWORD,
        quiet: bool = app.QUIET_FLAG,
    ) -> None:
        options: Any = {"task": task, "layout": layout, "photos": photos, "images": images or []}
        _export(write, paths, **options, workers=workers, password=password, quiet=quiet)


_coco_command(
    "coco",
    "train.json validation.json coco --photos copy",
    export_coco,
    """Write COCO files and their photos in one folder.

    They are annotations/instances_train.json and train/000001.jpg. The photos are those of the file alone.
    """,
)


@app.command("yolo", "train.json validation.json yolo", group)
def yolo_command(
    paths: list[Path] = _PATHS,
    task: str = app.choice("What the labels are.", YOLO_TASKS, default="detect"),
    images: list[Path] | None = _PHOTO_PLACES,
    layout: str = _LAYOUT,
    category: str | None = app.category_option("Only items of this category, as the one class."),
    photos: str = _PHOTOS,
    workers: int | None = app.WORKERS,
    password: str | None = app.PASSWORD,
    quiet: bool = app.QUIET_FLAG,
) -> None:
    """Write images, labels and data.yaml for Ultralytics YOLO.

    Polygons of a mask become one outline; with --task pose data.yaml has the mirror partners and the
    sigmas of the landmarks.
    """
    options: Any = {"task": task, "layout": layout, "photos": photos, "images": images or []}
    options |= {"category": category, "workers": workers, "password": password}
    _export(export_yolo, paths, **options, quiet=quiet)


_coco_command(
    "roboflow",
    "train.json validation.json dataset",
    export_roboflow,
    """Write the folders that RF-DETR trains from.

    They are train, valid and test, each with _annotations.coco.json beside the photos.
    """,
)


@app.command("table", "validation.json items.csv", group)
def table_command(
    coco: Path = app.COCO,
    out: Path = app.argument("OUT", "The .csv or .parquet file to write."),
    quiet: bool = app.QUIET_FLAG,
) -> None:
    """Write a row for each item, as CSV or Parquet."""
    with app.progress_bar(quiet=quiet) as progress:
        rows = export_table(coco, out, progress=progress)
    if not quiet:
        say(f"{counted(rows, 'row')} -> {out}")


def _export(
    write: Callable[..., Exported], paths: list[Path], *, quiet: bool, **options: Any
) -> None:
    """Export `paths` but the last into the last, and say what came of it."""
    *sources, folder = paths
    if not sources:
        text = "name what to export, and then the folder to write."
        raise typer.BadParameter(text, param_hint=_PATHS.metavar)
    done = app.run(write, sources, folder, **options, quiet=quiet)
    if quiet:
        return
    for split in done.splits:
        say(f"{split.name}: {counted(split.images, 'image')}, {counted(split.items, 'item')}")
        for code, count in sorted(split.notes.items()):
            sentence = NOTES[code] if code in NOTES else NOTICES[code].sentence
            say(f"  {code:<22}{count:>9,}  {sentence}")
    if write is export_yolo:
        for name, what in (("train", "training"), ("val", "training and scoring")):
            if name not in (split.name for split in done.splits):
                say(f"no images/{name}: {what} will need it. Export both splits together.")
        folder /= "data.yaml"
    say(f"  -> {folder}")


FRAMEWORKS: Final = {
    "detectron2": "a module with register() and add_config()",
    "mmdet": "a config fragment with metainfo, datasets and evaluator",
    "mmpose": "a dataset_info for metainfo=dict(from_file=...)",
    "ultralytics": "the data.yaml of a YOLO dataset with landmarks",
}
"""Framework, a module in `integrations` -> what its function `source(layout)` gives."""


@app.command("metainfo", "mmpose --out df2.py")
def metainfo_command(
    framework: str = app.argument(
        "FRAMEWORK", f"{app.explained(FRAMEWORKS)}.", **app.one_of(FRAMEWORKS)
    ),
    layout: str = app.choice(
        "The layout of the file.",
        {name: f"{len(shared.names)} slots" for name, shared in SHARED.items()},
        default="unified",
    ),
    out: Path | None = app.option("FILE", "Write it there rather than to stdout."),
    quiet: bool = app.QUIET_FLAG,
) -> None:
    """Print the settings that a training framework needs.

    They are a file that the framework loads as it is.
    """
    module = importlib.import_module(f"df2coco.integrations.{framework}")
    settings = module.source(SHARED[layout])
    if out is None:
        print(settings, end="")
        return
    with atomic_write(out) as stream:
        stream.write(settings.encode())
    if not quiet:
        say(f"-> {out}")
