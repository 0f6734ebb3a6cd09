"""`df2coco explain`."""

import difflib
from typing import Annotated

from df2coco.cli import app as cli
from df2coco.errors import OptionError
from df2coco.validator import CHECK_BY_CODE, NEEDS
from df2coco.validator.checks import PAGE


@cli.command("explain")
def explain_command(
    code: Annotated[str, cli.argument("CODE", "A code that validate prints.")],
) -> None:
    """Explain a finding of validate.

    What it means, who is affected, what to do, and where an example is.
    """
    check = CHECK_BY_CODE.get(code)
    if check is None:
        near = difflib.get_close_matches(code, CHECK_BY_CODE, n=3)
        hint = f"Did you mean {', '.join(near)}?" if near else f"All codes: {PAGE}"
        raise OptionError(f"there is no finding {code!r}. {hint}")
    only = ", on files of DeepFashion2" if check.garments else ""
    lines = [f"{check.code} ({check.level}; checked {NEEDS[check.needs]}{only})"]
    lines += cli.wrapped("  ", check.sentence)
    for name in ("affects", "cause", "remedy"):
        lines += cli.wrapped(f"  {name + ':':<9}", getattr(check, name))
    print("\n".join([*lines, f"  example: {check.link}"]))
