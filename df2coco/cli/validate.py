"""`df2coco validate`."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from df2coco.cli import app as cli
from df2coco.errors import OptionError
from df2coco.parser.splits import find_splits
from df2coco.validator import SCORED_IMAGES, validate


@cli.command("validate")
def validate_command(
    paths: Annotated[list[Path], cli.argument("COCO.json...", "COCO files of any origin.")],
    against: Annotated[
        Path | None,
        cli.option(
            "SOURCE", "What it was converted from: every image, item and value must be the same."
        ),
    ] = None,
    images: Annotated[
        Path | None,
        cli.option(
            "PATH", "Folder or zip of the images: all must be there, whole, and of the right size."
        ),
    ] = None,
    decode: Annotated[
        bool, cli.flag("--decode", "With --images: decode each picture in full.")
    ] = False,
    notes: Annotated[
        bool, cli.flag("--notes", "Show notes in full, not only their codes.")
    ] = False,
    json: cli.JsonOption = False,
    select: Annotated[
        list[str] | None, cli.option("CODE", "Report only this finding; may be repeated.")
    ] = None,
    ignore: Annotated[
        list[str] | None, cli.option("CODE", "Do not report this finding; may be repeated.")
    ] = None,
    strict: Annotated[bool, cli.flag("--strict", "Exit 1 for warnings too.")] = False,
    quick: Annotated[
        bool, cli.flag("--quick", "Leave out what needs masks drawn, and pycocotools.")
    ] = False,
    score: Annotated[
        str,
        cli.option(
            "N|all",
            "Images that pycocotools draws and scores, with their annotations as results.",
        ),
    ] = str(SCORED_IMAGES),
    workers: cli.WorkersOption = None,
    password: cli.PasswordOption = None,
    quiet: cli.QuietOption = False,
) -> None:
    """Report what is wrong with COCO files, and who is affected.

    Exit code 0: no errors; 1: errors (with --strict: or warnings); 2: it cannot be read as COCO.
    """
    _check_root(paths, against)
    work = partial(
        validate,
        against=against,
        images=images,
        decode=decode,
        quick=quick,
        score_images=_number(score),
        select=select or (),
        ignore=ignore or (),
    )
    reports = []
    for path in paths:
        reports.append(
            cli.run(partial(work, path), workers=workers, password=password, quiet=json or quiet)
        )
        if not json and not (quiet and reports[-1].is_valid(strict=strict)):
            print(("\n" if len(reports) > 1 else "") + reports[-1].as_text(notes=notes))
    if json:
        every = [report.to_json() for report in reports]
        cli.print_json(every if len(every) > 1 else every[0])
    raise typer.Exit(0 if all(report.is_valid(strict=strict) for report in reports) else 1)


def _check_root(paths: list[Path], against: Path | None) -> None:
    """Raise `OptionError` when several files would be compared with one split."""
    if against is not None and len(paths) > 1 and len(find_splits(against)) < 2:
        raise OptionError(
            "is one split. Name the root of the splits of all files.", field="against"
        )


def _number(score: str) -> int | None:
    if score != "all" and not score.isdecimal():
        raise OptionError(f"{score!r} is not a number of images, or all.", field="score")
    return None if score == "all" else int(score)
