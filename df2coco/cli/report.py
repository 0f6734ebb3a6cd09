"""`df2coco report`."""

from functools import partial
from pathlib import Path
from typing import Annotated

from df2coco.cli.app import (
    CocoArgument,
    PasswordOption,
    QuietOption,
    WorkersOption,
    command,
    option,
    run,
)
from df2coco.cli.streams import say


@command("report")
def report_command(
    path: CocoArgument,
    out: Annotated[Path, option("FILE", "The .html file to write.", show_default=False)],
    images: Annotated[
        Path | None,
        option("PATH", "Folder or zip of its images; found beside OUT.json when not given."),
    ] = None,
    examples: Annotated[int, option("N", "Items to show, of every category.", min=0)] = 60,
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
