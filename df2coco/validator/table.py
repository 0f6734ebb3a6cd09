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
from df2coco.validator.checks import Check

__all__ = ["CHECKS", "CHECK_BY_CODE"]

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
