"""`df2coco draw` and `df2coco skeletons`."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from df2coco.cli.app import PasswordOption, QuietOption, WorkersOption, command, run
from df2coco.cli.streams import say
from df2coco.drawing import PARTS, draw, draw_skeletons
from df2coco.drawing.batch import MIN_SCORE
from df2coco.drawing.selection import DEFAULT_SAMPLE


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]


@command("draw")
def draw_command(
    coco: Annotated[
        Path,
        typer.Argument(metavar="OUT.json", show_default=False, help="The COCO file to look at."),
    ],
    images: Annotated[
        Path,
        typer.Option(metavar="PATH", show_default=False, help="Folder or zip of the images."),
    ],
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE|DIR",
            show_default=False,
            help="A .png or .jpg file: the picture, or a contact sheet of several. "
            "A folder: one .jpg for each image.",
        ),
    ],
    image_id: Annotated[
        list[int] | None,
        typer.Option(metavar="N", help="Draw this image; may be repeated."),
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            show_default=f"{DEFAULT_SAMPLE}, or 0 with --image-id",
            help="Draw N images chosen at random.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Chooses another sample.")] = 0,
    results: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A model's results (bbox, segm or keypoints), to be drawn on the right of the "
            "ground truth; colors say what matches (OKS or IoU of at least 0.5).",
        ),
    ] = None,
    min_score: Annotated[
        float, typer.Option(metavar="X", help="Leave out results with a lower score.")
    ] = MIN_SCORE,
    parts: Annotated[
        str,
        typer.Option(
            metavar=",".join(PARTS),
            help="What to draw, separated by commas. "
            + "; ".join(f"{part}: {text}" for part, text in PARTS.items())
            + ".",
        ),
    ] = ",".join(PARTS),
    only: Annotated[str | None, typer.Option(hidden=True)] = None,
    workers: WorkersOption = None,
    password: PasswordOption = None,
    quiet: QuietOption = False,
) -> None:
    """Draw images with their boxes, masks and landmarks."""
    chosen = _parts(only or parts)  # --only was the name of --parts
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
        parts=chosen,
    )
    paths = run(work, workers=workers, password=password, quiet=quiet)
    if not quiet:
        say(f"{len(paths)} pictures in {out}" if out.is_dir() else f"-> {out}")


@command("skeletons")
def skeletons_command(
    out: Annotated[
        Path,
        typer.Option(metavar="FILE", show_default=False, help="A .png or .svg file."),
    ],
    slots: Annotated[
        bool,
        typer.Option("--slots", help="Also number the landmarks' slots in the layout of 294."),
    ] = False,
    quiet: QuietOption = False,
) -> None:
    """Draw a poster of the 13 landmark definitions."""
    path = draw_skeletons(out, slots=slots)
    if not quiet:
        say(f"-> {path}")
