"""`df2coco draw` and `df2coco skeletons`."""

from pathlib import Path
from typing import Any

import typer

from df2coco.cli import app, say
from df2coco.drawing import PARTS, USUAL_PARTS, draw, draw_skeletons
from df2coco.drawing.batch import MIN_SCORE
from df2coco.drawing.inputs import DEFAULT_SAMPLE
from df2coco.errors import counted


@app.command("draw", "validation.json --sample 12 --out sheet.png")
def draw_command(
    coco: Path = app.argument("COCO.json", "The COCO file to look at."),
    out: Path = app.option(
        "FILE|DIR",
        "A .png or .jpg file: the picture, or a contact sheet of several. "
        "A folder: one .jpg for each image.",
        default=...,
    ),
    images: Path | None = app.COCO_IMAGES,
    image_id: list[int] | None = app.option("N", "Draw this image; may be repeated."),
    sample: int | None = app.option(
        "N",
        "Draw N images chosen at random.",
        min=0,
        show_default=f"{DEFAULT_SAMPLE}, or 0 with --image-id",
    ),
    seed: int = app.option("N", "Chooses another sample.", default=0),
    results: Path | None = app.option(
        "FILE",
        "A model's results (bbox, segm or keypoints), to be drawn on the right of the "
        "ground truth; colors say what matches (OKS or IoU of at least 0.5).",
    ),
    min_score: float = app.option("X", "Leave out results with a lower score.", default=MIN_SCORE),
    parts: str = app.option(
        ",".join(PARTS),
        f"What to draw, separated by commas. {app.explained(PARTS)}.",
        default=",".join(USUAL_PARTS),
    ),
    only: str | None = typer.Option(None, hidden=True),
    workers: int | None = app.WORKERS,
    password: str | None = app.PASSWORD,
    quiet: bool = app.QUIET_FLAG,
) -> None:
    """Draw images with their boxes, masks and landmarks."""
    names = [part.strip() for part in (only or parts).split(",")]  # --only was the name of --parts
    options: Any = {"image_ids": image_id or [], "sample": sample, "seed": seed, "parts": names}
    options |= {"results": results, "min_score": min_score, "workers": workers}
    paths = app.run(draw, coco, images, out, **options, password=password, quiet=quiet)
    if not quiet:
        say(f"{counted(len(paths), 'picture')} in {out}" if out.is_dir() else f"-> {out}")


@app.command("skeletons", "--out landmarks.svg")
def skeletons_command(
    out: Path = app.option("FILE", "A .png or .svg file.", default=...),
    slots: bool = app.flag("--slots", "Also number the landmarks' slots in the layout of 294."),
    quiet: bool = app.QUIET_FLAG,
) -> None:
    """Draw a poster of the 13 landmark definitions."""
    path = draw_skeletons(out, slots=slots)
    if not quiet:
        say(f"-> {path}")
