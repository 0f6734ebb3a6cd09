"""How large an image may be, and how short a polygon, in both formats."""

from typing import Final

MAX_SIDE: Final = 65_535
"""Pixels: no JPEG is wider or higher."""

MAX_PIXELS: Final = 1 << 30
"""Width times height: a mask takes as many bytes."""

SHORTEST_POLYGON: Final = 6
"""Numbers: fewer than 3 points enclose nothing."""
