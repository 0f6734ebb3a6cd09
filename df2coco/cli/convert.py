"""`df2coco convert` and `df2coco image-info`."""

import time
from collections.abc import Callable, Container
from functools import partial
from pathlib import Path
from typing import Annotated, Any, cast

from df2coco.cli import app as cli
from df2coco.cli.streams import say
from df2coco.converter.options import (
    AREAS,
    LANDMARKS,
    LAYOUTS,
    ON_ERROR,
    PRESETS,
    TASKS,
    OnError,
    Selection,
    Shape,
)
from df2coco.converter.run import convert, image_info
from df2coco.converter.summary import ConversionError, Summary
from df2coco.errors import OptionError, counted
from df2coco.parser.records import NOTICES
from df2coco.taxonomy import CATEGORIES, SOURCES


@cli.command("convert")
def convert_command(
    source: cli.SourceArgument,
    out: Annotated[
        Path,
        cli.argument(
            "OUT",
            "A .json file, or a folder for instances_<split>.json and keypoints_<split>.json in one pass.",
        ),
    ],
    images: cli.ImagesOption = None,
    task: Annotated[
        str | None, cli.choice("What to write.", TASKS, show_default="keypoints")
    ] = None,
    layout: Annotated[
        str | None, cli.choice("The slots of keypoints.", LAYOUTS, show_default="unified")
    ] = None,
    landmarks: Annotated[
        str | None, cli.choice("Which landmarks count.", LANDMARKS, show_default="all")
    ] = None,
    area: Annotated[
        str | None,
        cli.choice("What area is.", AREAS, show_default="box for keypoints, mask for instances"),
    ] = None,
    preset: Annotated[
        str | None, cli.choice("A fixed set of options.", PRESETS, show_default=False)
    ] = None,
    category: Annotated[
        list[str] | None, cli.option("NAME", "Only items of this category; may be repeated.")
    ] = None,
    only: Annotated[
        str | None, cli.choice("Only images from users or from shops.", SOURCES, show_default=False)
    ] = None,
    limit: Annotated[int | None, cli.option("N", "Only the first N images.", min=1)] = None,
    sample: Annotated[
        int | None,
        cli.option(
            "N",
            "Only N images, or a few more: a random sample of whole pairs (equal pair_id).",
            min=1,
        ),
    ] = None,
    seed: Annotated[int, cli.option("N", "Another number gives another sample.")] = 0,
    per_category: Annotated[
        bool,
        cli.flag("--per-category", "Also write MMPose's file of each category; OUT is a folder."),
    ] = False,
    on_error: Annotated[str, cli.choice("When something cannot be used.", ON_ERROR)] = "fail",
    workers: cli.WorkersOption = None,
    password: cli.PasswordOption = None,
    report: Annotated[
        Path | None, cli.option("FILE", "Write all that was dropped, repaired or noticed as JSON.")
    ] = None,
    quiet: cli.QuietOption = False,
) -> None:
    """Convert DeepFashion2 annotations to COCO."""
    shape = _shape(task=task, layout=layout, landmarks=landmarks, area=area, preset=preset)
    given: Any = {"categories": tuple(category or ()), "only": only}
    selection = Selection(**given, limit=limit, sample=sample, seed=seed)
    work = partial(
        convert,
        source,
        out,
        images=images,
        selection=selection,
        shape=shape,
        per_category=per_category,
        on_error=cast(OnError, on_error),
        report=report,
    )
    _run(work, workers, password, quiet)


@cli.command("image-info")
def image_info_command(
    images: Annotated[Path, cli.argument("IMAGES", "A folder or zip of 000001.jpg files.")],
    out: Annotated[Path, cli.argument("OUT", "The .json file to write.")],
    on_error: Annotated[str, cli.choice("When an image cannot be used.", ON_ERROR)] = "fail",
    workers: cli.WorkersOption = None,
    password: cli.PasswordOption = None,
    report: Annotated[
        Path | None, cli.option("FILE", "Write all that was noticed as JSON.")
    ] = None,
    quiet: cli.QuietOption = False,
) -> None:
    """Write a COCO file without annotations, for the test split."""

    def work(**given: Any) -> list[Summary]:
        return [image_info(images, out, on_error=cast(OnError, on_error), report=report, **given)]

    _run(work, workers, password, quiet)


def _shape(**options: str | None) -> Shape:
    given: Any = {name: value for name, value in options.items() if value is not None}
    if given.get("task") == "instances":
        for name in ("layout", "landmarks"):
            if name in given:
                raise OptionError("task instances has no landmarks. Leave it out.", field=name)
    return Shape(**given)


def _run(
    work: Callable[..., list[Summary]], workers: int | None, password: str | None, quiet: bool
) -> None:
    """Do it, and say what came of it."""
    started = time.monotonic()
    try:
        summaries = cli.run(work, workers=workers, password=password, quiet=quiet)
    except ConversionError as error:
        for summary in error.summaries:
            _say_notices(summary)
        raise
    if quiet:
        return
    for summary in summaries:
        _say_summary(summary, _say_notices(summary))
    say(f"{time.monotonic() - started:.1f} seconds")
    if any(summary.notice_counts["no-images"] for summary in summaries):
        say(_WITH_PHOTOS)


_WITH_PHOTOS = "To train, convert again with the photos: the same command and --images PATH, their folder or zip."
_SHOWN = 10


def _say_notices(summary: Summary) -> set[str]:
    """Print the worst; the codes of those about the split as a whole, of which that was all to say."""
    worst_first = sorted(summary.notices, key=lambda notice: notice.level != "error")
    for notice in worst_first[:_SHOWN]:
        say(f"{notice.level}: {notice}")
    hidden = sum(summary.notice_counts.values()) - min(len(summary.notices), _SHOWN)
    if hidden:
        say(f"... and {hidden} more; --report FILE lists them all.")
    return {notice.code for notice in worst_first[:_SHOWN] if not notice.file}


def _say_summary(summary: Summary, said: Container[str]) -> None:
    """Print the counts, less those of notices that were said."""
    from df2coco.releases import completeness

    say(f"{summary.split}: {counted(summary.images, 'image')}, {counted(summary.items, 'item')}")
    for category in CATEGORIES:
        count = summary.items_per_category[category.id]
        if count:
            say(f"  {category.name:<22}{count:>9,}")
    for code, count in sorted(summary.notice_counts.items()):
        if code not in said:
            say(f"  {code:<22}{count:>9,}  {NOTICES[code].sentence}")
    if not summary.subset:
        for line in completeness(summary.split, summary.images, summary.items):
            say(f"  {line}")
    for path in summary.outputs:
        say(f"  -> {path}")
