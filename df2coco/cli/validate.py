"""`df2coco validate`."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from df2coco.cli import app as cli
from df2coco.errors import OptionError, counted, printable
from df2coco.parser.splits import find_splits
from df2coco.validator import SCORED_IMAGES, Finding, Report, Trip, validate


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
            "Images that pycocotools loads, draws and scores against themselves, spread evenly.",
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
            print(("\n" if len(reports) > 1 else "") + _as_text(reports[-1], notes=notes))
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


def _as_text(report: Report, *, notes: bool) -> str:
    sizes = {
        "image": report.images,
        "annotation": report.annotations,
        "category": report.categories,
    }
    amounts = ", ".join(counted(count, what) for what, count in sizes.items())
    lines = [printable(str(report.path)), f"  {amounts}"]
    if report.trip is not None:
        lines += cli.wrapped("  ", _trip(report.trip, report.images))
    if report.compared is not None:
        lines.append(f"  compared with {printable(str(report.compared))}, value by value")
    shown = [finding for finding in report.findings if notes or finding.check.level != "note"]
    for finding in shown:
        lines += ["", *_finding(finding)]
    hidden = [finding.check.code for finding in report.findings if finding not in shown]
    lines.append("")
    if hidden:
        lines += cli.wrapped("notes: ", ", ".join(hidden) + " (--notes shows them)")
    amounts = ", ".join(
        counted(report.count(level), level) for level in ("error", "warning", "note")
    )
    left_out = f"; {counted(len(report.ignored), 'finding')} ignored" if report.ignored else ""
    verdict = "valid" if report.is_valid() else "not valid"
    return "\n".join([*lines, f"{verdict}: {amounts}{left_out}"])


def _trip(trip: Trip, images: int) -> str:
    """What pycocotools made of a file of so many images."""
    if trip.fault:
        return printable(f"pycocotools {trip.fault}")
    if not trip.images:
        return "pycocotools loads it"
    of_all = "" if trip.images == images else f" of {images:,}"
    themselves = "itself" if trip.images == 1 else "themselves"
    # Cut, so that only a perfect score is 1.000.
    scores = ", ".join(
        f"{kind} {int(1000 * score + 1e-6) / 1000:.3f}" for kind, score in trip.scores.items()
    )
    images_scored = f"{trip.images:,}{of_all} image{'s' * (of_all != '' or images != 1)}"
    return f"pycocotools loads it; {images_scored} scored against {themselves}: {scores}"


_HITS_SHOWN = 5


def _finding(finding: Finding) -> list[str]:
    check = finding.check
    lines = [f"{check.level}: {check.code}", *cli.wrapped("  ", check.sentence)]
    lines += _places(finding)
    for name in ("affects", "cause", "remedy"):
        lines += cli.wrapped(f"  {name + ':':<9}", getattr(check, name))
    return lines


def _places(finding: Finding) -> list[str]:
    hits = finding.hits[:_HITS_SHOWN]
    if not any(hit.detail for hit in hits):
        ids = ", ".join(printable(str(hit.id)) for hit in hits if hit.id is not None)
        more = f", ... {len(finding.hits):,} in all" if len(finding.hits) > _HITS_SHOWN else ""
        return cli.wrapped(f"  {finding.check.about}: ", ids + more) if ids else []
    lines = []
    for hit in hits:
        who = f"{hit.about or finding.check.about} {printable(str(hit.id))}: "
        lines += cli.wrapped("  - ", ("" if hit.id is None else who) + printable(hit.detail))
    if len(finding.hits) > _HITS_SHOWN:
        lines.append(f"  ... {len(finding.hits):,} in all; --json lists them")
    return lines
