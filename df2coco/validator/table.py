"""All checks in one table."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from df2coco.validator import (
    annotation_fields,
    categories,
    consistency,
    images,
    items,
    landmarks,
    pictures,
    scoring,
    source,
    structure,
)
from df2coco.validator.checks import NEEDS, Check

__all__ = ["CHECKS", "CHECK_BY_CODE", "checks_sections", "checks_table"]

CHECKS: Final[tuple[Check, ...]] = (
    *structure.CHECKS,
    *annotation_fields.CHECKS,
    *images.CHECKS,
    *items.CHECKS,
    *consistency.CHECKS,
    *landmarks.CHECKS,
    *categories.CHECKS,
    *pictures.CHECKS,
    *source.CHECKS,
    *scoring.CHECKS,
)

CHECK_BY_CODE: Final = MappingProxyType({check.code: check for check in CHECKS})


def checks_table() -> str:
    """All checks as a Markdown table: code (a link to its section), level, when, defect."""
    lines = ["| code | level | when | defect |", "|---|---|---|---|"]
    for check in CHECKS:
        sentence = check.sentence.replace("|", "\\|")
        cells = f"[`{check.code}`](#{check.code})", check.level, NEEDS[check.needs], sentence
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def checks_sections() -> str:
    """All checks as Markdown, a section each, whose anchor is the code."""
    return "\n".join(
        f"### {check.code}\n\n"
        f"*{check.level}, {NEEDS[check.needs]}{', DeepFashion2 only' * check.garments}.* {check.sentence}\n\n"
        f"- affects: {check.affects}\n- cause: {check.cause}\n- remedy: {check.remedy}\n"
        for check in CHECKS
    )
