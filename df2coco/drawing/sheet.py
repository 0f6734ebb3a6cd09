"""Pages of pictures: captions, legends, and many pictures in rows of equal height."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from df2coco.drawing.labels import Rectangle
from df2coco.drawing.overlay import casing_of, draw_discs, font, shortened

if TYPE_CHECKING:
    from PIL.Image import Image

BACKGROUND: Final = "#ffffff"
INK: Final = "#1a1a1a"
QUIET: Final = "#666666"
HAIRLINE: Final = "#c8c8c8"
FINE: Final = 3
TALLEST: Final = 1.25
"""A row gets no higher than so many times what was asked for."""


def justify(
    aspects: Sequence[float], width: int, height: int, gap: int, below: int = 0
) -> list[Rectangle]:
    """Places for pictures of those aspects (width / height), in order, in rows as wide as `width`.

    All pictures of a row are equally high, about `height`; rows are cut so that heights differ least from
    it. A row that would get more than 1.25 times as high is left short. `gap` is between pictures, and `below` is
    kept free under each.
    """
    places: list[Rectangle] = []
    y = 0
    for first, last in _rows(aspects, width, height, gap):
        tall = min(_height(aspects[first:last], width, gap), TALLEST * height)
        before = 0.0  # rounded only in the end, so that rows are as wide as they shall be
        for number, aspect in enumerate(aspects[first:last]):
            x, end = round(before * tall), round((before + aspect) * tall)
            places.append(Rectangle(x + number * gap, y, max(1, end - x), max(1, round(tall))))
            before += aspect
        y += max(1, round(tall)) + below + gap
    return places


def _height(aspects: Sequence[float], width: int, gap: int) -> float:
    """How high the pictures are when together they are as wide as `width`."""
    return max(width - gap * (len(aspects) - 1), 1) / sum(aspects)


def _rows(aspects: Sequence[float], width: int, height: int, gap: int) -> list[tuple[int, int]]:
    """Where to cut, as (first, last + 1): the cuts with the least sum of squared differences."""
    best: list[tuple[float, int]] = [(0.0, 0)]
    for last in range(1, len(aspects) + 1):
        options = []
        for first in range(last - 1, -1, -1):
            tall = _height(aspects[first:last], width, gap)
            cost = (tall / height - 1) ** 2
            if tall > TALLEST * height:  # a row left short: as bad as much of it is empty
                cost = (1 - TALLEST * height / tall) ** 2 + (TALLEST - 1) ** 2
            options.append((best[first][0] + cost, first))
            if tall < height / 3:
                break
        best.append(min(options))
    rows = [(best[-1][1], len(aspects))]
    while rows[0][0]:
        rows.insert(0, (best[rows[0][0]][1], rows[0][0]))
    return rows


def text_line(text: str, width: int, size: int) -> Image:
    """A line of text on paper, cut where it does not fit."""
    from PIL import Image, ImageDraw

    strip = Image.new("RGB", (width, round(1.5 * size)), BACKGROUND)
    line = shortened(text, size, width)
    ImageDraw.Draw(strip).text((0, strip.height / 2), line, INK, font(size), anchor="lm")
    return strip


def beside(pictures: Sequence[Image], captions: Sequence[str]) -> Image:
    """Two pictures of one size beside each other, each under its caption."""
    from PIL import Image

    width, height = pictures[0].size
    size = _text_size(width)
    line = round(1.5 * size)
    sheet = Image.new("RGB", (2 * width + size, line + height), BACKGROUND)
    for x, picture, caption in zip((0, width + size), pictures, captions, strict=True):
        sheet.paste(text_line(caption, width, size), (x, 0))
        sheet.paste(picture, (x, line))
    return sheet


def beside_room(room: tuple[int, int]) -> tuple[int, int]:
    """The room for each of two pictures beside each other, if there is `room` for both."""
    size = _text_size(room[0] // 2)
    return max(1, (room[0] - size) // 2), max(1, room[1] - round(1.5 * size))


def page(body: Image, title: str, keys: Collection[Key]) -> Image:
    """A picture or contact sheet with its title above and the legend below."""
    from PIL import Image

    size = _text_size(body.width)
    parts = [text_line(title, body.width, size), body]
    parts += [legend(keys, body.width, size)] if keys else []
    gap, margin = size // 2, size
    height = sum(part.height + gap for part in parts) - gap + 2 * margin
    paper = Image.new("RGB", (body.width + 2 * margin, height), BACKGROUND)
    y = margin
    for part in parts:
        paper.paste(part, (margin, y))
        y += part.height + gap
    return paper


def _text_size(width: int) -> int:
    return min(max(round(width / 60), 13), 18)


class Key(NamedTuple):
    """An entry of the legend: its symbol and what it means."""

    symbol: str
    """"swatch", "dot" or "ring"."""
    color: str
    text: str


VISIBLE: Final = Key("dot", QUIET, "visible landmark")
OCCLUDED: Final = Key("ring", QUIET, "occluded landmark")


def legend(keys: Collection[Key], width: int, size: int) -> Image:
    """What colors and symbols mean, in rows of `width` pixels: colors by name, then symbols."""
    from PIL import Image, ImageDraw

    room = width - 2.6 * size
    keys = {key._replace(text=shortened(key.text, size, room)) for key in keys}
    keys = sorted(keys, key=lambda key: (key.symbol != "swatch", key.symbol, key.text))
    x = y = 0.0
    places = []
    for key in keys:
        length = font(size).getlength(key.text) + 2.6 * size
        if x and x + length > width:
            x, y = 0.0, y + 1.7 * size
        places.append((x, y))
        x += length
    strip = Image.new("RGB", (width * FINE, round(y + 1.7 * size) * FINE), BACKGROUND)
    draw = ImageDraw.Draw(strip)
    reach = 0.5 * size * FINE
    for key, (left, top) in zip(keys, places, strict=True):
        x, y = left * FINE + reach, (top + 0.85 * size) * FINE
        corners = x - reach, y - reach, x + reach, y + reach
        if key.symbol == "swatch":
            draw.rounded_rectangle(corners, reach / 3, key.color, INK, FINE)
        else:
            discs = [(0.72 * reach, casing_of(key.color)), (0.6 * reach, key.color)]
            discs += [(0.34 * reach, BACKGROUND)] if key.symbol == "ring" else []
            draw_discs(draw, (x, y), discs)
        draw.text(((left + 1.4 * size) * FINE, y), key.text, INK, font(size * FINE), anchor="lm")
    return strip.reduce(FINE)
