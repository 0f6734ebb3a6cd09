"""`df2coco retrieval`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from df2coco.cli import app as cli
from df2coco.cli.streams import say
from df2coco.errors import counted

if TYPE_CHECKING:
    from df2coco.retrieval import RetrievalSummary

ListOption = Annotated[
    Path | None,
    cli.option(
        "FILE",
        "Names of the images, one in each line, with or without .jpg: list_query.txt, list_gallery.txt. "
        "Without it query images are the users' photos, gallery images the shops'.",
        show_default=False,
    ),
]


@cli.command("retrieval")
def retrieval_command(
    source: cli.SourceArgument,
    out: Annotated[
        Path,
        cli.argument(
            "OUT_DIR",
            "The folder for <split>_query.json, <split>_gallery.json and <split>_pairs.csv.",
        ),
    ],
    query_list: ListOption = None,
    gallery_list: ListOption = None,
    workers: cli.WorkersOption = None,
    password: cli.PasswordOption = None,
    quiet: cli.QuietOption = False,
) -> None:
    """Write the ground truth of consumer-to-shop retrieval.

    That is query items, gallery items, and all positive pairs. The pairs are the items of a query and a gallery image with the same pair_id and style. Query items
    whose style no gallery item has are written with style 0, which means that they have no partner.
    """

    from df2coco.retrieval import write_retrieval

    work = partial(write_retrieval, source, out, query_list=query_list, gallery_list=gallery_list)
    for summary in cli.run(work, workers=workers, password=password, quiet=quiet):
        if not quiet:
            _say_summary(summary)


def _say_summary(summary: RetrievalSummary) -> None:
    say(f"{summary.split}: {counted(summary.pairs, 'pair')}")
    say(f"  query    {summary.query_images:>8,} images {summary.query_items:>8,} items")
    say(f"  gallery  {summary.gallery_images:>8,} images {summary.gallery_items:>8,} items")
    say(f"  scored: {counted(summary.scored, 'query item')} with a partner")
    if summary.without_partner:
        say(
            f"  {counted(summary.without_partner, 'query item')} with a style but no partner: written with style 0"
        )
    if summary.without_source:
        say(f"  {counted(summary.without_source, 'image')} without a source (user or shop):")
        say("  left out. Name them by --query-list and --gallery-list.")
    for path in summary.outputs:
        say(f"  -> {path}")
