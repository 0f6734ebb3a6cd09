"""`df2coco stats`, `draw`, `skeletons` and `report`."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from df2coco.cli import app as cli
from df2coco.cli.streams import say
from df2coco.drawing import PARTS, USUAL_PARTS, draw, draw_skeletons
from df2coco.drawing.batch import MIN_SCORE
from df2coco.drawing.inputs import DEFAULT_SAMPLE

CocoImagesOption = Annotated[
    Path | None,
    cli.option("PATH", "Folder or zip of the images; found beside COCO.json when not given."),
]


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


@cli.command("draw")
def draw_command(
    coco: Annotated[Path, cli.argument("COCO.json", "The COCO file to look at.")],
    out: Annotated[
        Path,
        cli.option(
            "FILE|DIR",
            "A .png or .jpg file: the picture, or a contact sheet of several. "
            "A folder: one .jpg for each image.",
            show_default=False,
        ),
    ],
    images: CocoImagesOption = None,
    image_id: Annotated[
        list[int] | None, cli.option("N", "Draw this image; may be repeated.")
    ] = None,
    sample: Annotated[
        int | None,
        cli.option(
            "N",
            "Draw N images chosen at random.",
            min=0,
            show_default=f"{DEFAULT_SAMPLE}, or 0 with --image-id",
        ),
    ] = None,
    seed: Annotated[int, cli.option("N", "Chooses another sample.")] = 0,
    results: Annotated[
        Path | None,
        cli.option(
            "FILE",
            "A model's results (bbox, segm or keypoints), to be drawn on the right of the "
            "ground truth; colors say what matches (OKS or IoU of at least 0.5).",
        ),
    ] = None,
    min_score: Annotated[
        float, cli.option("X", "Leave out results with a lower score.")
    ] = MIN_SCORE,
    parts: Annotated[
        str,
        cli.option(",".join(PARTS), f"What to draw, separated by commas. {cli.explained(PARTS)}."),
    ] = ",".join(USUAL_PARTS),
    only: Annotated[str | None, typer.Option(hidden=True)] = None,
    workers: cli.WorkersOption = None,
    password: cli.PasswordOption = None,
    quiet: cli.QuietOption = False,
) -> None:
    """Draw images with their boxes, masks and landmarks."""
    work = partial(
        draw,
        coco,
        images,
        out,
        image_ids=image_id or [],
        sample=sample,
        seed=seed,
        results=results,
        min_score=min_score,
        # --only was the name of --parts
        parts=[part.strip() for part in (only or parts).split(",")],
    )
    paths = cli.run(work, workers=workers, password=password, quiet=quiet)
    if not quiet:
        say(f"{len(paths)} pictures in {out}" if out.is_dir() else f"-> {out}")


@cli.command("skeletons")
def skeletons_command(
    out: Annotated[Path, cli.option("FILE", "A .png or .svg file.", show_default=False)],
    slots: Annotated[
        bool, cli.flag("--slots", "Also number the landmarks' slots in the layout of 294.")
    ] = False,
    quiet: cli.QuietOption = False,
) -> None:
    """Draw a poster of the 13 landmark definitions."""
    path = draw_skeletons(out, slots=slots)
    if not quiet:
        say(f"-> {path}")


@cli.command("report")
def report_command(
    path: cli.CocoArgument,
    out: Annotated[Path, cli.option("FILE", "The .html file to write.", show_default=False)],
    images: CocoImagesOption = None,
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
