"""`df2coco validate` and `df2coco explain`."""

from pathlib import Path
from typing import Any

import typer

from df2coco.cli import app
from df2coco.errors import OptionError
from df2coco.parser.records import NOTICES
from df2coco.parser.splits import find_splits
from df2coco.validator import CHECK_BY_CODE, NEEDS, SCORED_IMAGES, validate
from df2coco.validator.examination import unknown_code
from df2coco.validator.report import explained, wrapped


@app.command("validate", "train.json validation.json")
def validate_command(
    paths: list[Path] = app.argument("COCO.json...", "COCO files of any origin."),
    against: Path | None = app.option(
        "SOURCE", "What it was converted from: every image, item and value must be the same."
    ),
    images: Path | None = app.option(
        "PATH", "Folder or zip of the images: all must be there, whole, and of the right size."
    ),
    decode: bool = app.flag("--decode", "With --images: decode each picture in full."),
    notes: bool = app.flag("--notes", "Show notes in full, not only their codes."),
    json: bool = app.JSON_FLAG,
    select: list[str] | None = app.option("CODE", "Report only this finding; may be repeated."),
    ignore: list[str] | None = app.option("CODE", "Do not report this finding; may be repeated."),
    strict: bool = app.flag("--strict", "Exit 1 for warnings too."),
    quick: bool = app.flag("--quick", "Leave out what needs masks drawn, and pycocotools."),
    score: str = app.option(
        "N|all",
        "Images that pycocotools draws and scores, with their annotations as results.",
        default=str(SCORED_IMAGES),
    ),
    workers: int | None = app.WORKERS,
    password: str | None = app.PASSWORD,
    quiet: bool = app.QUIET_FLAG,
) -> None:
    """Report what is wrong with COCO files, and who is affected.

    Exit code 0: no errors; 1: errors (with --strict: or warnings); 2: it cannot be read as COCO.
    """
    if against is not None and len(paths) > 1 and len(find_splits(against)) < 2:
        text = "is one split. Name the root of the splits of all files."
        raise OptionError(text, field="against")
    if score != "all" and not score.isdecimal():
        raise OptionError(f"{score!r} is not a number of images, or all.", field="score")
    options: Any = {"against": against, "images": images, "decode": decode, "quick": quick}
    options |= {"select": select or (), "ignore": ignore or ()}
    options |= {"score_images": None if score == "all" else int(score)}
    options |= {"workers": workers, "password": password, "quiet": json or quiet}
    reports = []
    for path in paths:
        report = app.run(validate, path, **options)
        reports.append(report)
        if not json and not (quiet and report.is_valid(strict=strict)):
            print(("\n" if len(reports) > 1 else "") + report.as_text(notes=notes))
    if json:
        every = [report.to_json() for report in reports]
        app.print_json(every if len(every) > 1 else every[0])
    raise typer.Exit(0 if all(report.is_valid(strict=strict) for report in reports) else 1)


@app.command("explain", "bbox-malformed")
def explain_command(
    code: str | None = app.argument(
        "[CODE]",
        "A code that a command prints; all are listed without.",
        autocompletion=lambda: [*CHECK_BY_CODE, *NOTICES],
        default=None,
    ),
) -> None:
    """Explain a finding of validate, or a notice of convert.

    What it means, who is affected, what to do, and where an example is.
    """
    if code is None:
        lines = ["findings of validate:", *(f"  {each}" for each in CHECK_BY_CODE), ""]
        lines += ["notices of convert and stats:", *(f"  {each}" for each in NOTICES)]
        print("\n".join(lines))
        return
    name = code.strip().lower().replace("_", "-")
    lines = []
    if check := CHECK_BY_CODE.get(name):
        only = ", on files of DeepFashion2" if check.garments else ""
        lines += [f"{name} ({check.level}; checked {NEEDS[check.needs]}{only})"]
        lines += [*wrapped("  ", check.sentence), *explained(check), f"  example: {check.link}"]
    if notice := NOTICES.get(name):
        remedy = "each line of convert names the file and what to do; --report FILE has all of them"
        lines += [f"{name} ({notice.level}; of the source, by convert and stats)"]
        lines += [*wrapped("  ", notice.sentence), *wrapped("  remedy:  ", remedy)]
    if not lines:
        raise unknown_code(name, [*CHECK_BY_CODE, *NOTICES])
    print("\n".join(lines))
