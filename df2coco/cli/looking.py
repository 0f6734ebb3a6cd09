"""`df2coco stats` and `df2coco report`."""

from functools import partial
from pathlib import Path
from typing import Annotated

from df2coco.cli import app as cli
from df2coco.cli.streams import say


@cli.command("stats")
def stats_command(
    source: Annotated[
        Path,
        cli.argument(
            "SOURCE",
            "What convert takes: a folder of annotation files, a split folder, a zip of either, a "
            "dataset root (one table for each split); or a COCO file, df2coco's or another's.",
        ),
    ],
    images: cli.ImagesOption = None,
    plot: Annotated[
        Path | None,
        cli.option(
            "FILE",
            "Also draw a picture: .png, .pdf or .svg; with several splits one for each, its name "
            "in the file's.",
        ),
    ] = None,
    as_json: cli.JsonOption = False,
    workers: cli.WorkersOption = None,
    password: cli.PasswordOption = None,
    quiet: cli.QuietOption = False,
) -> None:
    """Print the numbers of a split.

    Beside them are those of the released split and of the paper.
    """
    from df2coco.stats import split_statistics

    if plot is not None:
        from df2coco.stats.plots import check_plot

        check_plot(plot, [path for path in (source, images) if path])
    work = partial(split_statistics, source, images=images)
    splits = cli.run(work, workers=workers, password=password, quiet=quiet)
    if as_json:
        cli.print_json([numbers.as_json() for numbers in splits])
    else:
        print("\n\n\n".join(map(str, splits)))
    if plot is not None:
        from df2coco.stats.plots import save_plots

        for path in save_plots(splits, plot):
            if not quiet:
                say(f"-> {path}")


@cli.command("report")
def report_command(
    path: cli.CocoArgument,
    out: Annotated[Path, cli.option("FILE", "The .html file to write.", show_default=False)],
    images: cli.CocoImagesOption = None,
    examples: Annotated[int, cli.option("N", "Items to show, of every category.", min=0)] = 60,
    workers: cli.WorkersOption = None,
    password: cli.PasswordOption = None,
    quiet: cli.QuietOption = False,
) -> None:
    """Write one page of HTML about a COCO file.

    Numbers, findings and their remedies, charts, and examples to filter. It opens from disk and loads nothing.
    """
    from df2coco.report import write_report

    work = partial(write_report, path, images, out, examples=examples)
    cli.run(work, workers=workers, password=password, quiet=quiet)
    if not quiet:
        say(f"-> {out}")
