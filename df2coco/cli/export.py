"""`df2coco export yolo` and `export roboflow`."""

from functools import partial
from pathlib import Path
from typing import Annotated, cast

import typer

from df2coco.cli.app import (
    PasswordOption,
    QuietOption,
    WorkersOption,
    choice,
    command,
    command_group,
    run,
)
from df2coco.cli.streams import say
from df2coco.converter.options import LAYOUTS, TASKS, LayoutName, Task
from df2coco.errors import counted
from df2coco.export import NOTES, YOLO_TASKS, Exported, YoloTask, export_roboflow, export_yolo
from df2coco.parser.records import NOTICES

group = command_group("export", "Write the dataset folder that a training tool reads.")

SourcesArgument = Annotated[
    list[Path],
    typer.Argument(
        metavar="SOURCE|OUT.json... DIR",
        show_default=False,
        help="Files that df2coco convert wrote (train and validation together make one dataset), or "
        "what convert takes: a folder or zip of annotations, a split folder, a dataset root. "
        "The last one is the folder to write, which must be new or empty.",
    ),
]
ImagesOption = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="DIR",
        help="Folder of the photos, once for each source in their order; found beside it when not given.",
    ),
]
LayoutOption = Annotated[
    str,
    choice(
        "The slots of landmarks, where SOURCE is converted; OUT.json has its own.",
        LAYOUTS,
    ),
]
CategoryOption = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Only items of this category, as the one class."),
]


def _split_off_folder(paths: list[Path]) -> tuple[list[Path], Path]:
    if len(paths) < 2:
        raise typer.BadParameter(
            "name what to export, and then the folder to write.",
            param_hint="SOURCE|OUT.json... DIR",
        )
    return paths[:-1], paths[-1]


@command("yolo", group)
def yolo_command(
    paths: SourcesArgument,
    task: Annotated[str, choice("What the labels are.", YOLO_TASKS)] = "detect",
    images: ImagesOption = None,
    layout: LayoutOption = "unified",
    category: CategoryOption = None,
    workers: WorkersOption = None,
    password: PasswordOption = None,
    quiet: QuietOption = False,
) -> None:
    """Write images, labels and data.yaml for Ultralytics YOLO.

    Photos are linked, not copied. Polygons of a mask become one outline; with --task pose data.yaml has
    the mirror partners and the sigmas of the landmarks.
    """
    sources, folder = _split_off_folder(paths)
    work = partial(
        export_yolo,
        sources,
        folder,
        task=cast(YoloTask, task),
        images=images or [],
        layout=cast(LayoutName, layout),
        category=category,
    )
    done = run(work, workers=workers, password=password, quiet=quiet)
    if quiet:
        return
    _say(done)
    for name, what in (("train", "Training"), ("val", "Training and scoring")):
        if name not in (split.name for split in done.splits):
            say(f"no images/{name}: {what.lower()} will need it. Export both splits together.")
    say(f"  -> {folder / 'data.yaml'}")


@command("roboflow", group)
def roboflow_command(
    paths: SourcesArgument,
    task: Annotated[str, choice("What the files hold.", TASKS)] = "instances",
    images: ImagesOption = None,
    layout: LayoutOption = "unified",
    workers: WorkersOption = None,
    password: PasswordOption = None,
    quiet: QuietOption = False,
) -> None:
    """Write the folders that RF-DETR trains from.

    They are train, valid and test, each with _annotations.coco.json beside links to the photos.
    """
    sources, folder = _split_off_folder(paths)
    work = partial(
        export_roboflow,
        sources,
        folder,
        task=cast(Task, task),
        images=images or [],
        layout=cast(LayoutName, layout),
    )
    done = run(work, workers=workers, password=password, quiet=quiet)
    if not quiet:
        _say(done)
        say(f"  -> {folder}")


def _say(done: Exported) -> None:
    for split in done.splits:
        say(f"{split.name}: {counted(split.images, 'image')}, {counted(split.items, 'item')}")
        for code, count in sorted(split.notes.items()):
            sentence = NOTES[code] if code in NOTES else NOTICES[code].sentence
            say(f"  {code:<22}{count:>9,}  {sentence}")
