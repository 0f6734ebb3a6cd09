"""Python source for the long tables: rows that a person can still read, grouped by category."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterable

from df2coco.taxonomy import CATEGORIES, Category

__all__ = ["literal", "rgb", "rows"]


def rgb(category: Category) -> tuple[int, int, int]:
    """The category's colour as red, green, blue, each 0 to 255."""
    red, green, blue = bytes.fromhex(category.color.removeprefix("#"))
    return red, green, blue


def literal(value: object) -> str:
    """A number, a string or a tuple or list of them, with the quotes that formatters prefer."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, tuple):
        return f"({', '.join(map(literal, value))})"
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    return repr(value)


def rows(entries: Callable[[Category], Iterable[str]], *, indent: int) -> str:
    """The lines of a table: for each category a comment and its entries, as many to a line as fit."""
    margin = " " * indent
    lines: list[str] = []
    for category in CATEGORIES:
        # An entry may hold spaces, at which no line may break.
        text = " ".join(f"{entry},".replace(" ", "\0") for entry in entries(category))
        lines.append(f"{margin}# {category.name}")
        lines += textwrap.wrap(
            text,
            width=100,
            initial_indent=margin,
            subsequent_indent=margin,
            break_long_words=False,
            break_on_hyphens=False,
        )
    return "\n".join(lines).replace("\0", " ")
