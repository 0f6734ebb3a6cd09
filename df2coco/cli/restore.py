"""`df2coco restore`."""

from pathlib import Path
from typing import Annotated

from df2coco.cli import app as cli
from df2coco.cli.streams import say
from df2coco.errors import counted


@cli.command("restore")
def restore_command(
    path: Annotated[
        Path,
        cli.argument("COCO.json", "A COCO file with landmarks (--task keypoints)."),
    ],
    folder: Annotated[
        Path,
        cli.argument("ANNOS_DIR", "The folder for the annotation files; its parent must be there."),
    ],
    force: Annotated[
        bool,
        cli.flag(
            "--force",
            "Write to a folder that has files in it: the same names are replaced, others stay.",
        ),
    ] = False,
    quiet: cli.QuietOption = False,
) -> None:
    """Write the dataset's annotation files again, one per image.

    What the COCO file cannot give back is reported before anything is written.
    """
    from df2coco.converter.restore import restore

    with cli.progress_bar(quiet=quiet) as progress:
        done = restore(
            path,
            folder,
            force=force,
            report_loss=None if quiet else lambda sentence: say(f"not given back: {sentence}"),
            progress=progress,
        )
    if quiet:
        return
    if done.strangers:
        say(f"warning: {folder} holds {counted(done.strangers, 'other annotation file')} too")
    say(f"{counted(done.files, 'annotation file')}, {counted(done.items, 'item')} -> {folder}")
