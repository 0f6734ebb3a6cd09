"""`df2coco report`."""

from functools import partial
from pathlib import Path
from typing import Annotated

from df2coco.cli import app as cli
from df2coco.cli.streams import say


@cli.command("report")
def report_command(
    path: cli.CocoArgument,
    out: Annotated[Path, cli.option("FILE", "The .html file to write.", show_default=False)],
    images: Annotated[
        Path | None,
        cli.option("PATH", "Folder or zip of its images; found beside COCO.json when not given."),
    ] = None,
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
