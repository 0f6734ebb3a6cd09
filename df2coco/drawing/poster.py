"""The poster of the 13 landmark definitions: numbers, edges, and mirrored pairs by color.

Laid out once as lines, dots and texts; written as SVG, or drawn by Pillow.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, NamedTuple

from df2coco.drawing.figure import FIGURE
from df2coco.drawing.number_places import RADIUS, TEXT, number_width, place_numbers, text_length
from df2coco.drawing.overlay import font
from df2coco.errors import CocoFileError
from df2coco.files import atomic_write
from df2coco.taxonomy import CATEGORIES, Category

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["Disc", "Line", "Text", "draw_skeletons", "poster", "svg"]

INK, QUIET, EDGE, PAPER = "#1a1a1a", "#5f5f5f", "#9a9a9a", "#ffffff"
PAIR_COLORS: Final = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#882255", "#117733",
)  # fmt: skip
"""Told apart by the color-blind too; pairs that follow each other never share one."""

COLUMNS: Final = 5
MARGIN: Final = 40
TITLE: Final = 96
"""Pixels above the first row."""
HEADING: Final = 84
"""Pixels above a garment, for its name."""


class _Grid(NamedTuple):
    """How large things are, in pixels."""

    width: int
    """Of the place for one category."""
    height: int
    figure: int
    """A garment's longer side."""


PLAIN: Final = _Grid(464, 526, 396)
ROOMY: Final = _Grid(640, 690, 552)
"""Slots take room."""


class Line(NamedTuple):
    """A straight line."""

    x1: float
    y1: float
    x2: float
    y2: float
    color: str
    width: float


class Disc(NamedTuple):
    """A filled circle."""

    x: float
    y: float
    radius: float
    color: str


class Text(NamedTuple):
    """A line of text; x is its left end or, with `centered`, its middle; y its middle."""

    x: float
    y: float
    text: str
    size: int
    color: str = INK
    bold: bool = False
    centered: bool = False


Mark = Line | Disc | Text


def draw_skeletons(out: str | Path, *, slots: bool = False) -> Path:
    """Write the poster to `out`, a `.png` or `.svg` file; with `slots` also each landmark's of the 294.

    Raises `CocoFileError` when it cannot be written.
    """
    out = Path(out)
    suffix = out.suffix.lower()
    if suffix not in (".png", ".svg"):
        raise CocoFileError("name a .png or .svg file.", file=out)
    size, marks = poster(slots=slots)
    with atomic_write(out) as stream:
        if suffix == ".svg":
            stream.write(svg(size, marks).encode())
        else:
            _save_png(_paint(size, marks), stream)
    return out


# ---------------------------------------------------------------- layout


def _positions(
    category: Category, left: float, top: float, grid: _Grid
) -> list[tuple[float, float]]:
    """Where a category's landmarks stand in the place with that corner, in landmark order."""
    left, top = left + (grid.width - grid.figure) / 2, top + HEADING
    return [(left + x * grid.figure, top + y * grid.figure) for x, y in FIGURE[category.id]]


@functools.cache
def poster(*, slots: bool = False) -> tuple[tuple[int, int], tuple[Mark, ...]]:
    """The poster's size in pixels and what stands on it, the last on top."""
    rows = math.ceil((len(CATEGORIES) + 1) / COLUMNS)
    grid = ROOMY if slots else PLAIN
    size = 2 * MARGIN + COLUMNS * grid.width, TITLE + rows * grid.height
    corners = [
        (MARGIN + index % COLUMNS * grid.width, TITLE + index // COLUMNS * grid.height)
        for index in range(len(CATEGORIES) + 1)
    ]
    marks: list[Mark] = [
        Text(MARGIN, 52, "The landmarks of DeepFashion2, by category", 34, bold=True)
    ]
    for category, corner in zip(CATEGORIES, corners, strict=False):
        marks += _cell(category, *corner, grid, slots)
    marks += _notes(*corners[-1], slots)
    return size, tuple(marks)


def _cell(category: Category, left: float, top: float, grid: _Grid, slots: bool) -> Iterator[Mark]:
    middle = left + grid.width / 2
    star = "*" if category.id == 3 else ""
    name = f"{category.id}  {category.name}{star}"
    yield Text(middle, top + 18, name, 22, bold=True, centered=True)
    used = f"slots {category.slots.start} to {category.slots.stop - 1} of 294"
    told = f"{category.num_landmarks} landmarks · {used}"
    yield Text(middle, top + 44, told, 15, QUIET, centered=True)
    points = _positions(category, left, top, grid)
    for a, b in category.skeleton:
        yield Line(*points[a - 1], *points[b - 1], EDGE, 2.4)
    colors = _colors(category)
    for point, color in zip(points, colors, strict=True):
        yield Disc(*point, RADIUS + 1.6, PAPER)
        yield Disc(*point, RADIUS, color)
    places = place_numbers(category, points, slots)
    for number, (point, place) in enumerate(zip(points, places, strict=True), start=1):
        text = str(number)
        slot = str(category.first_slot + number - 1) if slots else ""
        # Its place may be wider, for the partner's number: as near to the dot as can be.
        spare = place.width - number_width(text, slot)
        x = place.x + min(max(point[0] - place.x - (place.width - spare) / 2, 0), spare)
        y = place.y
        yield Text(x, y, text, TEXT, bold=True)
        if slot:
            yield Text(x + text_length(text, TEXT) + 3, y, slot, TEXT - 3, QUIET)


def _colors(category: Category) -> list[str]:
    """One color for the two of a mirrored pair; ink for what has no partner."""
    colors = [INK] * category.num_landmarks
    for index, pair in enumerate(sorted(category.flip_pairs)):
        for number in pair:
            colors[number - 1] = PAIR_COLORS[index % len(PAIR_COLORS)]
    return colors


_NOTES: Final = (
    "Numbers count from 1 within a category, as",
    "the annotations list the landmarks.{slots}",
    "Left is the viewer's left.",
    "",
    "* short sleeve outwear: 2 is the neck and 4 the",
    "end of the lapel, as the annotations have it. The",
    "dataset's own figure has these two swapped.",
)
_SLOT_NOTE: Final = " Small and grey:"
_SLOT_NOTES: Final = ("the slot in the layout of 294, from 0.",)


def _notes(left: float, top: float, slots: bool) -> Iterator[Mark]:
    x, y = left + 34, top + HEADING + 20
    for colors, text in (
        (PAIR_COLORS[:2], "one color: a mirrored pair, which changes"),
        ((), "places when the image is flipped"),
        ((INK,), "black: stays in place"),
    ):
        for index, color in enumerate(colors):
            for step in (0, 1) if len(colors) > 1 else (0.5,):
                yield Disc(
                    x + 6 + 18 * step, y - 7 + 14 * index if len(colors) > 1 else y, 5, color
                )
        yield Text(x + 44, y, text, 17)
        y += 26
    y += 12
    lines = [*_NOTES]
    if slots:
        lines[1:2] = [lines[1].format(slots=_SLOT_NOTE), *_SLOT_NOTES]
    for line in lines:
        yield Text(x, y, line.format(slots=""), 17)
        y += 26


# ---------------------------------------------------------------- output


def svg(size: tuple[int, int], marks: Sequence[Mark]) -> str:
    """The marks as an SVG document."""
    width, height = size
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="Helvetica, Arial, sans-serif" role="img">',
        "<title>The landmarks of DeepFashion2, by category</title>",
        f'<rect width="{width}" height="{height}" fill="{PAPER}"/>',
        *map(_element, marks),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _element(mark: Mark) -> str:
    if isinstance(mark, Line):
        x1, y1, x2, y2 = (f"{n:.1f}" for n in mark[:4])
        return (
            f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{mark.color}" '
            f'stroke-width="{mark.width}" stroke-linecap="round"/>'
        )
    if isinstance(mark, Disc):
        return (
            f'<circle cx="{mark.x:.1f}" cy="{mark.y:.1f}" r="{mark.radius}" fill="{mark.color}"/>'
        )
    weight = ' font-weight="bold"' * mark.bold
    anchor = ' text-anchor="middle"' * mark.centered
    # 0.35 of the size brings a line's middle to where its digits have theirs.
    return (
        f'<text x="{mark.x:.1f}" y="{mark.y + 0.35 * mark.size:.1f}" font-size="{mark.size}" '
        f'fill="{mark.color}"{weight}{anchor}>{escape(mark.text)}</text>'
    )


def _save_png(picture: Image, stream: IO[bytes]) -> None:
    """With 128 colors, enough for flat ones with smooth edges, at a third of the bytes."""
    from PIL import Image

    small = picture.quantize(128, dither=Image.Dither.NONE)
    small.save(stream, "PNG", optimize=True)


def _paint(size: tuple[int, int], marks: Sequence[Mark]) -> Image:
    from PIL import Image, ImageDraw

    fine = 3
    canvas = Image.new("RGB", (size[0] * fine, size[1] * fine), PAPER)
    draw = ImageDraw.Draw(canvas)
    for mark in marks:
        x, y = mark[0] * fine, mark[1] * fine
        if isinstance(mark, Line):
            ends = (x, y, mark.x2 * fine, mark.y2 * fine)
            draw.line(ends, mark.color, round(mark.width * fine))
        elif isinstance(mark, Disc):
            r = mark.radius * fine
            draw.ellipse((x - r, y - r, x + r, y + r), mark.color)
        else:
            draw.text(
                (x, y + 0.35 * mark.size * fine),
                mark.text,
                mark.color,
                font(mark.size * fine),
                anchor="ms" if mark.centered else "ls",
                stroke_width=1 if mark.bold else 0,
            )
    return canvas.reduce(fine)
