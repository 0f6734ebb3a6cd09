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
from df2coco.validator.checks import checks_in

__all__ = ["CHECKS", "CHECK_BY_CODE"]

_MODULES: Final = (
    structure,
    annotation_fields,
    images,
    items,
    consistency,
    landmarks,
    categories,
    pictures,
    source,
    scoring,
)

CHECKS: Final = tuple(check for module in _MODULES for check in checks_in(module))

CHECK_BY_CODE: Final = MappingProxyType({check.code: check for check in CHECKS})
