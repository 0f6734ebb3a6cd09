"""The picture of a terminal with commands and what they print, as SVG."""

from __future__ import annotations

from html import escape
from typing import Final

_WIDTH: Final = 0.602
"""Of a character, in sizes of the font: what common monospace fonts have."""

_SIZE: Final = 14
_LINE: Final = 20
_LEFT, _TOP = 18, 48


def terminal(lines: list[str]) -> str:
    """`lines` as a terminal shows them; those that begin with `$` are commands."""
    columns = max(map(len, lines))
    width = round(2 * _LEFT + columns * _WIDTH * _SIZE)
    height = _TOP + _LINE * len(lines)
    rows = [_row(line, _TOP + _LINE * number) for number, line in enumerate(lines)]
    lights = [
        f'<circle cx="{_LEFT + 4 + 18 * number}" cy="18" r="5.5" fill="{color}"/>'
        for number, color in enumerate(("#ff5f57", "#febc2e", "#28c840"))
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" font-size="{_SIZE}" fill="#d6deeb" '
            'font-family="ui-monospace, Menlo, Consolas, DejaVu Sans Mono, monospace">',
            f'<rect width="{width}" height="{height}" rx="9" fill="#011627"/>',
            *lights,
            *rows,
            "</svg>\n",
        ]
    )


def _row(line: str, y: int) -> str:
    """Its width is fixed, so that columns stand below each other in every font."""
    length = round(len(line) * _WIDTH * _SIZE)
    text = escape(line)
    if line.startswith("$ "):
        text = f'<tspan fill="#7fdbca">$</tspan><tspan fill="#fff" font-weight="bold">{text[1:]}</tspan>'
    return (
        f'<text x="{_LEFT}" y="{y}" xml:space="preserve" textLength="{length}">{text}</text>'
        if line
        else ""
    )
