"""`df2coco convert` and `df2coco image-info`."""

import json
import time
from collections.abc import Callable, Container
from pathlib import Path
from typing import Any

from df2coco.cli import app, say
from df2coco.converter import ConversionError, Selection, Shape, Summary, convert, image_info
from df2coco.converter.options import AREAS, LANDMARKS, LAYOUTS, ON_ERROR, PRESETS, TASKS
from df2coco.errors import OptionError, counted, cut_text, printable
from df2coco.parser.files import read_named
from df2coco.parser.image_lists import read_list
from df2coco.parser.records import NOTICES
from df2coco.releases import completeness
from df2coco.taxonomy import SOURCES


@app.command("convert", "validation.zip validation.json")
def convert_command(
    source: Path = app.SOURCE,
    out: Path = app.argument(
        "OUT",
        "A .json file, or a folder for instances_<split>.json and keypoints_<split>.json in one pass.",
    ),
    images: Path | None = app.IMAGES,
    task: str | None = app.choice("What to write.", TASKS, show_default="keypoints"),
    layout: str | None = app.choice("The slots of keypoints.", LAYOUTS, show_default="unified"),
    landmarks: str | None = app.choice("Which landmarks count.", LANDMARKS, show_default="all"),
    area: str | None = app.choice(
        "What area is.", AREAS, show_default="box for keypoints, mask for instances"
    ),
    preset: str | None = app.choice("A fixed set of options.", PRESETS),
    classes: Path | None = app.option(
        "FILE",
        "JSON of the file's categories, and which of the dataset's each is made of: "
        '{"top": ["vest", "sling"], ...}. All others are left out.',
    ),
    category: list[str] | None = app.category_option(
        "Only items of this category; may be repeated."
    ),
    exclude: list[str] | None = app.category_option("No items of this category; may be repeated."),
    where: list[str] | None = app.option(
        "NAME=VALUES",
        "Only items with these values of scale, occlusion, zoom_in, viewpoint or style, as "
        "scale=2,3 or style=1-; may be repeated.",
    ),
    only: str | None = app.choice("Only images from users or from shops.", SOURCES),
    listed: Path | None = app.option(
        "FILE", "Only these images: a name or number a line, # comments.", "--list"
    ),
    limit: int | None = app.option("N", "Only the first N images.", min=1),
    sample: int | None = app.option(
        "N",
        "Only N images, or a few more: a random sample, in which all photos of a pair_id "
        "(of the same garments) stay together.",
        min=1,
    ),
    seed: int = app.option("N", "Another number gives another sample.", default=0),
    per_category: bool = app.flag(
        "--per-category", "Also write MMPose's file of each category; OUT is a folder."
    ),
    on_error: str = app.choice("When something cannot be used.", ON_ERROR, default="fail"),
    workers: int | None = app.WORKERS,
    password: str | None = app.PASSWORD,
    report: Path | None = app.option(
        "FILE", "Write all that was dropped, repaired or noticed as JSON."
    ),
    quiet: bool = app.QUIET_FLAG,
) -> None:
    """Convert DeepFashion2 annotations to COCO."""
    shape = _shape(classes, task=task, layout=layout, landmarks=landmarks, area=area, preset=preset)
    chosen: Any = {"categories": category or (), "exclude": exclude or (), "where": where or ()}
    chosen |= {"only": only, "limit": limit, "sample": sample, "seed": seed}
    selection = Selection(**chosen, listed=tuple(read_list(listed).values()) if listed else ())
    options: Any = {"images": images, "selection": selection, "shape": shape, "report": report}
    options |= {"per_category": per_category, "on_error": on_error, "workers": workers}
    _run(convert, source, out, **options, password=password, quiet=quiet)


@app.command("image-info", "test/image test.json")
def image_info_command(
    images: Path = app.argument("IMAGES", "A folder or zip of 000001.jpg files."),
    out: Path = app.argument("OUT", "The .json file to write."),
    on_error: str = app.choice("When an image cannot be used.", ON_ERROR, default="fail"),
    workers: int | None = app.WORKERS,
    password: str | None = app.PASSWORD,
    report: Path | None = app.option("FILE", "Write all that was noticed as JSON."),
    quiet: bool = app.QUIET_FLAG,
) -> None:
    """Write a COCO file without annotations, for the test split."""
    options: Any = {"workers": workers, "password": password, "report": report, "quiet": quiet}
    _run(image_info, images, out, on_error=on_error, **options)


def _shape(classes: Path | None, **options: str | None) -> Shape:
    given: Any = {name: value for name, value in options.items() if value is not None}
    if classes is not None:
        raw = read_named(classes, "Name a JSON file of classes.")
        try:  # as pairs: an object may hold a name twice
            given["classes"] = json.loads(raw, object_pairs_hook=tuple)
        except (ValueError, RecursionError) as error:
            raise OptionError(f"{classes} is not JSON ({error}).", field="classes") from None
    if classes is not None or given.get("task") == "instances":
        for name in ("layout", "landmarks"):
            if name in given:
                raise OptionError("task instances has no landmarks. Leave it out.", field=name)
    return Shape(**given)


def _run(work: Callable[..., Any], *arguments: Any, quiet: bool, **options: Any) -> None:
    """Do it, and say what came of it."""
    started = time.monotonic()
    try:
        done = app.run(work, *arguments, quiet=quiet, **options)
    except ConversionError as error:
        for summary in error.summaries:
            _say_notices(summary)
        raise
    if quiet:
        return
    summaries = [done] if isinstance(done, Summary) else done
    for summary in summaries:
        _say_summary(summary, _say_notices(summary))
    say(f"{time.monotonic() - started:.1f} seconds")
    if any(summary.notice_counts["no-images"] for summary in summaries):
        say("To train, convert again with the photos: add --images PATH, their folder or zip.")


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
    say(f"{summary.split}: {counted(summary.images, 'image')}, {counted(summary.items, 'item')}")
    for number, name in summary.names.items():
        count = summary.items_per_category[number]
        if count:
            say(f"  {cut_text(printable(name), 21):<22}{count:>9,}")
    if summary.left_out:
        say(f"  {'in no class':<22}{summary.left_out:>9,}  items are left out")
    for code, count in sorted(summary.notice_counts.items()):
        if code not in said:
            say(f"  {code:<22}{count:>9,}  {NOTICES[code].sentence}")
    if not summary.subset:
        for line in completeness(summary.split, summary.images, summary.items):
            say(f"  {line}")
    for path in summary.outputs:
        say(f"  -> {path}")
