"""`df2coco stats`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from df2coco.cli.app import (
    ImagesOption,
    JsonOption,
    PasswordOption,
    QuietOption,
    WorkersOption,
    command,
    run,
)
from df2coco.cli.streams import say

if TYPE_CHECKING:
    from df2coco.stats import SplitStatistics


@command("stats")
def stats_command(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE",
            show_default=False,
            help="What convert takes: a folder of annotation files, a split folder, a zip of either, a "
            "dataset root (one table for each split); or a COCO file, df2coco's or another's.",
        ),
    ],
    images: ImagesOption = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Also draw a picture: .png, .pdf or .svg; with several splits one for each, its name "
            "in the file's.",
        ),
    ] = None,
    as_json: JsonOption = False,
    workers: WorkersOption = None,
    password: PasswordOption = None,
    quiet: QuietOption = False,
) -> None:
    """Print the numbers of a split.

    Beside them stand those of the released split and of the paper.
    """
    from df2coco.stats import split_statistics

    if plot is not None:
        from df2coco.stats.plots import check_plot

        check_plot(plot, [path for path in (source, images) if path])
    work = partial(split_statistics, source, images=images)
    found = run(work, workers=workers, password=password, quiet=quiet)
    _print(found, as_json)
    if plot is not None:
        from df2coco.stats.plots import save_plots

        for path in save_plots(found, plot):
            if not quiet:
                say(f"-> {path}")


def _print(found: list[SplitStatistics], as_json: bool) -> None:
    if as_json:
        import orjson

        options = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS
        print(orjson.dumps([each.as_json() for each in found], option=options).decode())
        return
    from df2coco.stats import text_table

    print("\n\n\n".join("\n".join(text_table(each)) for each in found))
