"""All checks in one table."""

from typing import Final

from df2coco.validator import (
    annotation_fields,
    categories,
    consistency,
    images,
    items,
    landmarks,
    pictures,
    round_trip,
    source,
    structure,
)
from df2coco.validator.checks import checks_in

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
    round_trip,
)

CHECKS: Final = tuple(check for module in _MODULES for check in checks_in(module))

CHECK_BY_CODE: Final = {check.code: check for check in CHECKS}
