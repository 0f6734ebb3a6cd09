"""Python source for the long tables: rows that a person can still read."""

import json
import textwrap
from collections.abc import Iterable, Sequence

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


def link_colors(layout: Layout) -> list[Color]:
    """The color of each edge of the skeleton: that of the first category that has it."""
    colors: dict[frozenset[int], Color] = {}
    for category in CATEGORIES:
        slots = own_slots(category, len(layout.names))
        assert slots is not None
        for a, b in category.skeleton:
            colors.setdefault(frozenset((slots[a - 1] + 1, slots[b - 1] + 1)), rgb(category))
    return [colors[frozenset(edge)] for edge in layout.skeleton]


def flip_pairs(layout: Layout) -> list[tuple[int, int]]:
    """The slots (from 0) that change places when the image is mirrored, each pair once."""
    return [(slot, other) for slot, other in enumerate(layout.flip_indices) if slot < other]


def literal(value: object) -> str:
    """A number, a string or a tuple or list of them, with the quotes that formatters prefer."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, tuple):
        return f"({', '.join(map(literal, value))})"
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    return repr(value)


def rows(layout: Layout, entries: Iterable[tuple[int, str]]) -> str:
    """The lines of a table of (slot, entry): in the unified layout each category has its own."""
    table = list(entries)
    if layout is not UNIFIED:
        return "\n".join(wrapped(entry for _, entry in table))
    lines: list[str] = []
    for category in CATEGORIES:
        lines.append(f"        # {category.name}")
        lines += wrapped((entry for slot, entry in table if slot in category.slots))
    return "\n".join(lines)


def wrapped(entries: Iterable[str], indent: int = 8) -> Sequence[str]:
    """Lines of entries, each followed by a comma, as many to a line as fit."""
    margin = " " * indent
    # An entry may hold spaces, at which no line may break.
    text = " ".join(f"{entry},".replace(" ", "\0") for entry in entries)
    lines = textwrap.wrap(
        text,
        width=100,
        initial_indent=margin,
        subsequent_indent=margin,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace("\0", " ") for line in lines]
