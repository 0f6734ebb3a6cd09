"""`df2coco stats` and `df2coco report`."""

from pathlib import Path
from typing import Any

from df2coco.cli import app, say


@app.command("stats", "validation.zip")
def stats_command(
    source: Path = app.argument(
        "SOURCE",
        "What convert takes: a folder of annotation files, a split folder, a zip of either, a "
        "dataset root (one table for each split); or a COCO file, df2coco's or another's.",
    ),
    images: Path | None = app.IMAGES,
    plot: Path | None = app.option(
        "FILE",
        "Also draw a picture: .png, .pdf or .svg; with several splits one for each, its name "
        "in the file's.",
    ),
    as_json: bool = app.JSON_FLAG,
    workers: int | None = app.WORKERS,
    password: str | None = app.PASSWORD,
    quiet: bool = app.QUIET_FLAG,
) -> None:
    """Print the numbers of a split.

    Beside them are those of the released split and of the paper.
    """
    from df2coco.stats import split_statistics

    if plot is not None:
        from df2coco.stats.plots import check_plot

        check_plot(plot, [path for path in (source, images) if path])
    options: Any = {"images": images, "workers": workers, "password": password}
    splits = app.run(split_statistics, source, **options, quiet=quiet)
    if as_json:
        app.print_json([numbers.as_json() for numbers in splits])
    else:
        print("\n\n\n".join(map(str, splits)))
    if plot is not None:
        from df2coco.stats.plots import save_plots

        for path in save_plots(splits, plot):
            if not quiet:
                say(f"-> {path}")


@app.command("report", "validation.json --out report.html")
def report_command(
    path: Path = app.COCO,
    out: Path = app.option("FILE", "The .html file to write.", default=...),
    images: Path | None = app.COCO_IMAGES,
    examples: int = app.option("N", "Items to show, of every category.", min=0, default=60),
    workers: int | None = app.WORKERS,
    password: str | None = app.PASSWORD,
    quiet: bool = app.QUIET_FLAG,
) -> None:
    """Write one page of HTML about a COCO file.

    Numbers, findings and their remedies, charts, and examples to filter. It opens from disk and loads nothing.
    """
    from df2coco.report import write_report

    options: Any = {"examples": examples, "workers": workers, "password": password}
    app.run(write_report, path, images, out, **options, quiet=quiet)
    if not quiet:
        say(f"-> {out}")
