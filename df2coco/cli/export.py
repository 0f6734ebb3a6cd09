"""`df2coco export yolo` and `export roboflow`."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from df2coco.cli import app as cli
from df2coco.cli.streams import say
from df2coco.converter.options import LAYOUTS, TASKS
from df2coco.errors import counted
from df2coco.export import NOTES, YOLO_TASKS, Exported, export_roboflow, export_yolo
from df2coco.parser.records import NOTICES

group = cli.command_group("export", "Write the dataset folder that a training tool reads.")

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
PhotosOption = Annotated[
    list[Path] | None,
    cli.option(
        "DIR",
        "Folder of the photos, once for each source in their order; found beside it when not given.",
    ),
]
LayoutOption = Annotated[
    str,
    cli.choice(
        "The slots of landmarks, where SOURCE is converted; COCO.json has its own.", LAYOUTS
    ),
]


@cli.command("yolo", group)
def yolo_command(
    paths: PathsArgument,
    task: Annotated[str, cli.choice("What the labels are.", YOLO_TASKS)] = "detect",
    images: PhotosOption = None,
    layout: LayoutOption = "unified",
    category: Annotated[
        str | None, cli.category_option("Only items of this category, as the one class.")
    ] = None,
    workers: cli.WorkersOption = None,
    password: cli.PasswordOption = None,
    quiet: cli.QuietOption = False,
) -> None:
    """Write images, labels and data.yaml for Ultralytics YOLO.

    Photos are linked, not copied. Polygons of a mask become one outline; with --task pose data.yaml has
    the mirror partners and the sigmas of the landmarks.
    """
    options = {"task": task, "layout": layout, "category": category, "images": images or []}
    done = _export(export_yolo, paths, options, workers=workers, password=password, quiet=quiet)
    if quiet:
        return
    for name, what in (("train", "Training"), ("val", "Training and scoring")):
        if name not in (split.name for split in done.splits):
            say(f"no images/{name}: {what.lower()} will need it. Export both splits together.")
    say(f"  -> {paths[-1] / 'data.yaml'}")


@cli.command("roboflow", group)
def roboflow_command(
    paths: PathsArgument,
    task: Annotated[str, cli.choice("What the files hold.", TASKS)] = "instances",
    images: PhotosOption = None,
    layout: LayoutOption = "unified",
    workers: cli.WorkersOption = None,
    password: cli.PasswordOption = None,
    quiet: cli.QuietOption = False,
) -> None:
    """Write the folders that RF-DETR trains from.

    They are train, valid and test, each with _annotations.coco.json beside links to the photos.
    """
    options = {"task": task, "layout": layout, "images": images or []}
    _export(export_roboflow, paths, options, workers=workers, password=password, quiet=quiet)
    if not quiet:
        say(f"  -> {paths[-1]}")


def _export(
    write: Callable[..., Exported],
    paths: list[Path],
    options: dict[str, Any],
    *,
    quiet: bool,
    **given: Any,
) -> Exported:
    """Export `paths` but the last into the last, and say what came of it."""
    *sources, folder = paths
    if not sources:
        raise typer.BadParameter(
            "name what to export, and then the folder to write.", param_hint=_PATHS
        )
    done = cli.run(partial(write, sources, folder, **options), quiet=quiet, **given)
    for split in () if quiet else done.splits:
        say(f"{split.name}: {counted(split.images, 'image')}, {counted(split.items, 'item')}")
        for code, count in sorted(split.notes.items()):
            sentence = NOTES[code] if code in NOTES else NOTICES[code].sentence
            say(f"  {code:<22}{count:>9,}  {sentence}")
    return done
