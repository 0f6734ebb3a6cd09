"""All checks in one table."""

from __future__ import annotations

from typing import Final

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
from df2coco.validator.document import STAGES, Check

__all__ = ["CHECKS", "checks_table"]

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
"""Codes are stable: they never change their meaning."""


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
