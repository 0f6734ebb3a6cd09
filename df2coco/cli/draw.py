"""`df2coco draw` and `df2coco skeletons`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from df2coco.cli import app, say
from df2coco.drawing import PARTS, USUAL_PARTS, draw, draw_skeletons
from df2coco.drawing.batch import MIN_SCORE
from df2coco.drawing.inputs import DEFAULT_SAMPLE
from df2coco.errors import counted


@app.command("draw")
def draw_command(
    coco: Annotated[Path, app.argument("COCO.json", "The COCO file to look at.")],
    out: Annotated[
        Path,
        app.option(
            "FILE|DIR",
            "A .png or .jpg file: the picture, or a contact sheet of several. "
            "A folder: one .jpg for each image.",
            show_default=False,
        ),
    ],
    images: app.CocoImagesOption = None,
    image_id: Annotated[
        list[int] | None, app.option("N", "Draw this image; may be repeated.")
    ] = None,
    sample: Annotated[
        int | None,
        app.option(
            "N",
            "Draw N images chosen at random.",
            min=0,
            show_default=f"{DEFAULT_SAMPLE}, or 0 with --image-id",
        ),
    ] = None,
    seed: Annotated[int, app.option("N", "Chooses another sample.")] = 0,
    results: Annotated[
        Path | None,
        app.option(
            "FILE",
            "A model's results (bbox, segm or keypoints), to be drawn on the right of the "
            "ground truth; colors say what matches (OKS or IoU of at least 0.5).",
        ),
    ] = None,
    min_score: Annotated[
        float, app.option("X", "Leave out results with a lower score.")
    ] = MIN_SCORE,
    parts: Annotated[
        str,
        app.option(",".join(PARTS), f"What to draw, separated by commas. {app.explained(PARTS)}."),
    ] = ",".join(USUAL_PARTS),
    only: Annotated[str | None, typer.Option(hidden=True)] = None,
    workers: app.WorkersOption = None,
    password: app.PasswordOption = None,
    quiet: app.QuietOption = False,
) -> None:
    """Draw images with their boxes, masks and landmarks."""
    names = [part.strip() for part in (only or parts).split(",")]  # --only was the name of --parts
    options: Any = {"image_ids": image_id or [], "sample": sample, "seed": seed, "parts": names}
    options |= {"results": results, "min_score": min_score, "workers": workers}
    paths = app.run(draw, coco, images, out, **options, password=password, quiet=quiet)
    if not quiet:
        say(f"{counted(len(paths), 'picture')} in {out}" if out.is_dir() else f"-> {out}")


@app.command("skeletons")
def skeletons_command(
    out: Annotated[Path, app.option("FILE", "A .png or .svg file.", show_default=False)],
    slots: Annotated[
        bool, app.flag("--slots", "Also number the landmarks' slots in the layout of 294.")
    ] = False,
    quiet: app.QuietOption = False,
) -> None:
    """Draw a poster of the 13 landmark definitions."""
    path = draw_skeletons(out, slots=slots)
    if not quiet:
        say(f"-> {path}")
