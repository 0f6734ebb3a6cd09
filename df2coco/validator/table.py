"""All checks in one table."""

import difflib
from collections.abc import Iterable
from typing import Final

from df2coco.errors import OptionError
from df2coco.validator import (
    annotation_fields,
    categories,
    comparison,
    consistency,
    images,
    items,
    landmarks,
    pictures,
    placement,
    round_trip,
    structure,
)
from df2coco.validator.checks import Check, checks_in

_MODULES: Final = (
    structure,
    annotation_fields,
    images,
    items,
    consistency,
    placement,
    landmarks,
    categories,
    pictures,
    comparison,
    round_trip,
)

CHECKS: Final = tuple(check for module in _MODULES for check in checks_in(module))

CHECK_BY_CODE: Final = {check.code: check for check in CHECKS}


def find_check(code: str, option: str = "") -> Check:
    """The check of a code. Raises `OptionError` when there is none."""
    if code not in CHECK_BY_CODE:
        raise unknown_code(code, CHECK_BY_CODE, option)
    return CHECK_BY_CODE[code]


def unknown_code(code: str, codes: Iterable[str], option: str = "") -> OptionError:
    """The error for what is none of `codes`."""
    near = difflib.get_close_matches(code, list(codes), n=3)
    hint = f"Did you mean {', '.join(near)}?" if near else "df2coco explain lists all."
    return OptionError(f"there is no code {code!r}. {hint}", field=option)
