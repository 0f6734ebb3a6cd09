"""`df2coco export coco`, `export yolo`, `export roboflow` and `export table`."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from df2coco.cli import app as cli
from df2coco.cli.streams import say
from df2coco.converter.options import LAYOUTS, TASKS
from df2coco.errors import counted
from df2coco.export import (
    NOTES,
    PHOTOS,
    YOLO_TASKS,
    Exported,
    export_coco,
    export_roboflow,
    export_table,
    export_yolo,
)
from df2coco.parser.records import NOTICES

group = cli.command_group("export", "Write the dataset as another tool reads it.")

_PATHS = "SOURCE|COCO.json... DIR"
PathsArgument = Annotated[
    list[Path],
    cli.argument(
        _PATHS,
        "Files that df2coco convert wrote (train and validation together make one dataset), or "
        "what convert takes: a folder or zip of annotations, a split folder, a dataset root. "
        "The last one is the folder to write, which must be new or empty.",
    ),
]
PhotoPlacesOption = Annotated[
    list[Path] | None,
    cli.option(
        "PATH",
        "Folder or zip of the photos, once for each source in their order; found beside it when not given.",
    ),
]
PhotosOption = Annotated[str, cli.choice("What the folder gets of photos.", PHOTOS)]
TaskOption = Annotated[str, cli.choice("What the files hold, where SOURCE is converted.", TASKS)]
LayoutOption = Annotated[
    str,
    cli.choice(
        "The slots of landmarks, where SOURCE is converted; COCO.json has its own.", LAYOUTS
    ),
]


@cli.command("coco", group)
def coco_command(
    paths: PathsArgument,
    task: TaskOption = "instances",
    images: PhotoPlacesOption = None,
    layout: LayoutOption = "unified",
    photos: PhotosOption = "link",
    workers: cli.WorkersOption = None,
    password: cli.PasswordOption = None,
    quiet: cli.QuietOption = False,
) -> None:
    """Write COCO files and their photos in one folder.

    They are annotations/instances_train.json and train/000001.jpg. The photos are those of the file alone.
    """
    options = {"task": task, "layout": layout, "photos": photos, "images": images or []}
    _export(export_coco, paths, options, workers=workers, password=password, quiet=quiet)


@cli.command("yolo", group)
def yolo_command(
    paths: PathsArgument,
    task: Annotated[str, cli.choice("What the labels are.", YOLO_TASKS)] = "detect",
    images: PhotoPlacesOption = None,
    layout: LayoutOption = "unified",
    category: Annotated[
        str | None, cli.category_option("Only items of this category, as the one class.")
    ] = None,
    photos: PhotosOption = "link",
    workers: cli.WorkersOption = None,
    password: cli.PasswordOption = None,
    quiet: cli.QuietOption = False,
) -> None:
    """Write images, labels and data.yaml for Ultralytics YOLO.

    Polygons of a mask become one outline; with --task pose data.yaml has the mirror partners and the
    sigmas of the landmarks.
    """
    options = {
        "task": task,
        "layout": layout,
        "category": category,
        "photos": photos,
        "images": images or [],
    }
    _export(export_yolo, paths, options, workers=workers, password=password, quiet=quiet)


@cli.command("roboflow", group)
def roboflow_command(
    paths: PathsArgument,
    task: TaskOption = "instances",
    images: PhotoPlacesOption = None,
    layout: LayoutOption = "unified",
    photos: PhotosOption = "link",
    workers: cli.WorkersOption = None,
    password: cli.PasswordOption = None,
    quiet: cli.QuietOption = False,
) -> None:
    """Write the folders that RF-DETR trains from.

    They are train, valid and test, each with _annotations.coco.json beside the photos.
    """
    options = {"task": task, "layout": layout, "photos": photos, "images": images or []}
    _export(export_roboflow, paths, options, workers=workers, password=password, quiet=quiet)


@cli.command("table", group)
def table_command(
    coco: cli.CocoArgument,
    out: Annotated[Path, cli.argument("OUT", "The .csv or .parquet file to write.")],
    quiet: cli.QuietOption = False,
) -> None:
    """Write a row for each item, as CSV or Parquet."""
    with cli.progress_bar(quiet=quiet) as progress:
        rows = export_table(coco, out, progress=progress)
    if not quiet:
        say(f"{counted(rows, 'row')} -> {out}")


def _export(
    write: Callable[..., Exported],
    paths: list[Path],
    options: dict[str, Any],
    *,
    quiet: bool,
    **given: Any,
) -> None:
    """Export `paths` but the last into the last, and say what came of it."""
    *sources, folder = paths
    if not sources:
        raise typer.BadParameter(
            "name what to export, and then the folder to write.", param_hint=_PATHS
        )
    done = cli.run(partial(write, sources, folder, **options), quiet=quiet, **given)
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
