"""`df2coco explain`."""

import difflib
import textwrap
from typing import Annotated

import typer

from df2coco.cli.app import command
from df2coco.errors import OptionError
from df2coco.validator import CHECK_BY_CODE, NEEDS
from df2coco.validator.checks import PAGE


@command("explain")
def explain_command(
    code: Annotated[
        str,
        typer.Argument(metavar="CODE", show_default=False, help="A code that validate prints."),
    ],
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
    for label, text in (
        ("", check.sentence),
        ("affects: ", check.affects),
        ("cause:   ", check.cause),
        ("remedy:  ", check.remedy),
    ):
        lines += textwrap.wrap(
            text,
            80,
            initial_indent=f"  {label}",
            subsequent_indent=" " * (2 + len(label)),
            break_on_hyphens=False,
        )
    print("\n".join([*lines, f"  example: {check.link}"]))
