"""Python source for the long tables: rows that a person can still read."""

import json
import textwrap
from collections.abc import Iterable

from df2coco.layouts import UNIFIED, Layout, own_slots
from df2coco.taxonomy import CATEGORIES, Category

Color = tuple[int, int, int]
"""Red, green, blue, each 0 to 255."""


def rgb(category: Category) -> Color:
    """The category's color."""
    red, green, blue = bytes.fromhex(category.color.removeprefix("#"))
    return red, green, blue


def slot_colors(layout: Layout) -> list[Color]:
    """The color of each slot: that of the first category that uses it."""
    count = len(layout.names)
    slots = {c: own_slots(c, count) or () for c in CATEGORIES}
    return [rgb(next(c for c in CATEGORIES if slot in slots[c])) for slot in range(count)]


def links(layout: Layout) -> list[tuple[int, int, Color]]:
    """The edges of the skeleton (slots from 0), each in the color of the first category that has it."""
    colors: dict[frozenset[int], Color] = {}
    for category in CATEGORIES:
        slots = own_slots(category, len(layout.names)) or ()
        for a, b in category.skeleton:
            colors.setdefault(frozenset((slots[a - 1] + 1, slots[b - 1] + 1)), rgb(category))
    return [(a - 1, b - 1, colors[frozenset((a, b))]) for a, b in layout.skeleton]


def literal(value: object) -> str:
    """A number, a string or a tuple or list of them, with the quotes that formatters prefer."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, (tuple, list)):
        text = ", ".join(map(literal, value))
        return f"({text})" if isinstance(value, tuple) else f"[{text}]"
    return repr(value)


def rows(layout: Layout, entries: Iterable[tuple[int, str]]) -> str:
    """The lines of a table of (slot, entry): in the unified layout each category has its own."""
    table = list(entries)
    if layout is not UNIFIED:
        return wrapped(entry for _, entry in table)
    parts = []
    for category in CATEGORIES:
        own = wrapped(entry for slot, entry in table if slot in category.slots)
        parts.append(f"        # {category.name}\n{own}")
    return "\n".join(parts)


def wrapped(entries: Iterable[str], indent: int = 8) -> str:
    """Lines of entries, each followed by a comma, as many to a line as fit."""
    margin = " " * indent
    # An entry may hold spaces, at which no line may break.
    text = " ".join(f"{entry},".replace(" ", "\0") for entry in entries)
    lines = textwrap.wrap(
        text, 100, initial_indent=margin, subsequent_indent=margin, break_long_words=False
    )
    return "\n".join(lines).replace("\0", " ")
