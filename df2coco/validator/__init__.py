"""What is wrong with a COCO file: checks in a table, findings as values.

A check is an entry in the `CHECKS` of one of the modules here, and a file in `fixtures/findings` that has
its defect and no other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from df2coco.coco import index, no_collection
from df2coco.errors import SourceError
from df2coco.source import Split, find_images, find_splits
from df2coco.validator import (
    areas,
    categories,
    items,
    landmarks,
    pictures,
    roundtrip,
    scoring,
    shapes,
)
from df2coco.validator.document import (
    LEVELS,
    STAGES,
    Check,
    Document,
    Hit,
    read_document,
)

__all__ = ["CHECKS", "LEVELS", "Check", "Finding", "Hit", "Report", "checks_table", "validate"]

CHECKS: Final[tuple[Check, ...]] = (
    *pictures.CHECKS,
    *items.CHECKS,
    *shapes.CHECKS,
    *areas.CHECKS,
    *landmarks.CHECKS,
    *categories.CHECKS,
    *roundtrip.CHECKS,
    *scoring.CHECKS,
)
"""All checks. Codes are stable: they never change their meaning."""

SCORED_IMAGES: Final = 2000
"""So many images of ground truth are scored against themselves, unless another number is asked for."""


@dataclass(frozen=True)
class Finding:
    """A check that found its defect, and where."""

    check: Check
    hits: tuple[Hit, ...]

    def to_json(self) -> dict[str, Any]:
        """Everything, as JSON values."""
        return {
            "code": self.check.code,
            "level": self.check.level,
            "about": self.check.about,
            "sentence": self.check.sentence,
            "suffers": self.check.suffers,
            "cause": self.check.cause,
            "remedy": self.check.remedy,
            "count": len(self.hits),
            "ids": [_json_id(hit.id) for hit in self.hits if hit.id is not None],
            "details": [hit.detail for hit in self.hits],
        }


def _json_id(value: Any) -> int | str:
    """An id as JSON can hold it: a file may have one that is 10 to the power of 30, or NaN."""
    fits = type(value) is int and value.bit_length() < 64
    return value if fits else str(value)


@dataclass(frozen=True)
class Report:
    """What a validation found."""

    path: Path
    images: int
    annotations: int
    categories: int
    loaded: bool | None
    """pycocotools loads the file; None: not tried."""
    findings: tuple[Finding, ...]
    """Errors first, then warnings, then notes."""
    compared: Path | None = None
    """The folder or archive of annotations that the file was compared with."""
    scored: int = 0
    """Images of ground truth that were scored against themselves."""

    def count(self, level: str) -> int:
        """How many checks of a level found something."""
        return sum(finding.check.level == level for finding in self.findings)

    def is_valid(self, *, strict: bool = False) -> bool:
        """No errors; `strict`: no warnings either."""
        return not self.count("error") and not (strict and self.count("warning"))

    def to_json(self) -> dict[str, Any]:
        """Everything, as JSON values."""
        return {
            "file": str(self.path),
            "images": self.images,
            "annotations": self.annotations,
            "categories": self.categories,
            "loaded_by_pycocotools": self.loaded,
            "compared_with": None if self.compared is None else str(self.compared),
            "scored_images": self.scored,
            "counts": {level: self.count(level) for level in LEVELS},
            "findings": [finding.to_json() for finding in self.findings],
        }


def validate(
    path: str | Path,
    *,
    against: str | Path | None = None,
    images: str | Path | None = None,
    quick: bool = False,
    score_images: int = SCORED_IMAGES,
    password: str | None = None,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Examine the COCO file at `path`.

    `against` is the source that it was converted from (see `convert`): every image, item and value must be
    the same, and ground truth scored against itself must give AP 1, on `score_images` images spread evenly
    over the file. `images` is a folder or archive of the images. `quick` leaves out what needs masks drawn
    or pycocotools.

    Raises `CocoFileError` when the file cannot be read as COCO, `SourceError` and `PasswordError` when
    `against` or `images` cannot be read.
    """
    path = Path(path)
    with no_collection():
        document = read_document(path)
        document.workers, document.progress = workers, progress
        document.score_images = score_images
        stages = {"quick"} if quick else {"quick", "masks"}
        if images is not None:
            images = Path(images)
            document.pictures = find_images(images, password)
            stages.add("images")
        if against is not None:
            document.source = _source(path, Path(against), images, password)
            stages.add("against")
        loaded = None if quick else _is_loaded(document)
        findings = _examine(document, stages)
    reader = document.source.reader if document.source else None
    return Report(
        path,
        len(document.images),
        len(document.annotations),
        len(document.categories),
        loaded,
        findings,
        reader.annotations.path if reader and reader.annotations else None,
        len(scoring.chosen_images(document)) if _was_scored(findings, document) else 0,
    )


def _examine(document: Document, stages: set[str]) -> tuple[Finding, ...]:
    findings: list[Finding] = []
    for check in CHECKS:
        if check.stage not in stages:
            continue
        if check in scoring.CHECKS and not _can_be_scored(findings, document):
            continue
        hits = tuple(check.find(document))
        if hits:
            findings.append(Finding(check, hits))
    order = list(LEVELS)
    return tuple(sorted(findings, key=lambda finding: order.index(finding.check.level)))


_NO_OBSTACLES: Final = frozenset(check.code for check in roundtrip.CHECKS)


def _can_be_scored(findings: list[Finding], document: Document) -> bool:
    """COCOeval fails or crashes on what other checks have told as errors."""
    errors = {f.check.code for f in findings if f.check.level == "error"}
    return bool(document.source and document.score_images) and errors <= _NO_OBSTACLES


def _was_scored(findings: tuple[Finding, ...], document: Document) -> bool:
    others = [finding for finding in findings if finding.check not in scoring.CHECKS]
    return _can_be_scored(others, document)


def _is_loaded(document: Document) -> bool:
    try:
        index({"images": document.images, "annotations": document.annotations,
               "categories": document.categories})  # fmt: skip
    except (KeyError, TypeError):
        return False  # ids that are missing, or lists: a check tells
    return True


def _source(path: Path, against: Path, images: Path | None, password: str | None) -> Split:
    splits = [
        split
        for split in find_splits(against, images, password)
        if split.reader.annotations is not None
    ]
    if len(splits) > 1:
        named = [split for split in splits if split.name in path.stem]
        if len(named) != 1:
            names = ", ".join(split.name for split in splits)
            raise SourceError(f"{against}: holds several splits ({names}). Name one of them.")
        splits = named
    if not splits:
        raise SourceError(f"{against}: no annotation files found. Name what was converted.")
    return splits[0]


def checks_table() -> str:
    """All checks as a Markdown table, for the README."""
    lines = [
        "| code | level | when | defect | who suffers, and how | remedy |",
        "|---|---|---|---|---|---|",
    ]
    for check in CHECKS:
        cells = (
            f"`{check.code}`", check.level, STAGES[check.stage],
            check.sentence, check.suffers, check.remedy,
        )  # fmt: skip
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"
