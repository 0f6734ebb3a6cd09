"""`df2coco report`."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from df2coco.cli.app import PasswordOption, QuietOption, WorkersOption, command, run
from df2coco.cli.streams import say


@command("report")
def report_command(
    path: Annotated[
        Path,
        typer.Argument(metavar="OUT.json", show_default=False, help="A COCO file of any origin."),
    ],
    images: Annotated[
        Path,
        typer.Option(metavar="PATH", show_default=False, help="Folder or zip of its images."),
    ],
    out: Annotated[
        Path, typer.Option(metavar="FILE", show_default=False, help="The .html file to write.")
    ],
    examples: Annotated[
        int, typer.Option(min=0, metavar="N", help="Items to show, of every category.")
    ] = 60,
    workers: WorkersOption = None,
    password: PasswordOption = None,
    quiet: QuietOption = False,
) -> None:
    """Write one page of HTML about a COCO file.

    Numbers, findings and their remedies, charts, and examples to filter. It opens from disk and loads nothing.
    """
    from df2coco.report import write_report

    work = partial(write_report, path, images, out, examples=examples)
    run(work, workers=workers, password=password, quiet=quiet)
    if not quiet:
        say(f"-> {out}")
