"""`df2coco draw` and `df2coco skeletons`."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from df2coco.cli import app as cli
from df2coco.cli.streams import say
from df2coco.drawing import PARTS, USUAL_PARTS, draw, draw_skeletons
from df2coco.drawing.batch import MIN_SCORE
from df2coco.drawing.inputs import DEFAULT_SAMPLE
from df2coco.errors import counted


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
    images: cli.CocoImagesOption = None,
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
        say(f"{counted(len(paths), 'picture')} in {out}" if out.is_dir() else f"-> {out}")


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
