"""Boxes: x, y, width, height and corners, what two have in common, and what else four numbers may mean.

A box is four numbers, or four columns of numpy for many boxes at once. Where nothing else is said it is
x, y, width, height in pixels.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

Box: TypeAlias = Sequence[Any]
Size: TypeAlias = Sequence[Any]
"""Width and height of the image, or of the image of each box."""


def to_corners(box: Box) -> Box:
    """x1, y1, x2, y2."""
    x, y, width, height = box
    return x, y, x + width, y + height


def from_corners(corners: Box) -> Box:
    x1, y1, x2, y2 = corners
    return x1, y1, x2 - x1, y2 - y1


def from_centre(box: Box) -> Box:
    """Of centre x, centre y, width, height."""
    x, y, width, height = box
    return x - width / 2, y - height / 2, width, height


def iou(a: Box, b: Box) -> float:
    """The IoU of two boxes, computed as pycocotools does; 0 where one has no area, or a NaN."""
    common, union = _overlap(a, b, min, max)
    return common / union if union > 0 else 0.0


def ious(a: Box, b: Box) -> Any:
    """The IoU of columns of boxes, row by row; NaN where one has a NaN.

    Columns of shape (n, 1) and (m,) give the matrix of all pairs.
    """
    import numpy as np

    common, union = _overlap(a, b, np.minimum, np.maximum)
    return np.divide(common, union, out=np.zeros_like(union), where=union != 0)


def _overlap(a: Box, b: Box, least: Any, most: Any) -> tuple[Any, Any]:
    """The areas of what both have in common, and of both together."""
    x, y, w, h = a
    other_x, other_y, other_w, other_h = b
    across = least(x + w, other_x + other_w) - most(x, other_x)
    down = least(y + h, other_y + other_h) - most(y, other_y)
    common = most(across, 0) * most(down, 0)
    return common, w * h + other_w * other_h - common


# ---------------------------------------------------------------- read otherwise


class Reading(NamedTuple):
    """Something else that numbers may mean than pixels of the image and x, y, width, height."""

    words: str
    """What follows "these fit"."""
    box: Callable[[Box, Size], Box]
    """Four numbers as they stand, and the image -> the box that they mean."""
    point: Callable[[Any, Any, Any, Any], tuple[Any, Any]] | None
    """x, y of points, width and height of the image -> what they mean; None: it is a form of boxes."""


def _form(words: str, read: Callable[[Box], Box]) -> Reading:
    return Reading(words, lambda box, _: read(box), None)


def _move(words: str, point: Callable[[Any, Any, Any, Any], tuple[Any, Any]]) -> Reading:
    """A unit, scale or order of coordinates: a box is what its corners become."""

    def read(box: Box, size: Size) -> Box:
        x1, y1, x2, y2 = to_corners(box)
        (x1, y1), (x2, y2) = point(x1, y1, *size), point(x2, y2, *size)
        return from_centre(((x1 + x2) / 2, (y1 + y2) / 2, abs(x2 - x1), abs(y2 - y1)))

    return Reading(words, read, point)


READINGS: Final[Mapping[str, Reading]] = {
    "corners": _form("as corners x1, y1, x2, y2", from_corners),
    "centre": _form("as centre x, y, width, height", from_centre),
    "doubled": _move("if they are doubled", lambda x, y, *_: (2 * x, 2 * y)),
    "halved": _move("if they are halved", lambda x, y, *_: (x / 2, y / 2)),
    "fractions": _move(
        "as fractions of the image", lambda x, y, width, height: (x * width, y * height)
    ),
    "mirrored": _move("mirrored", lambda x, y, width, _: (width - x, y)),
    "exchanged": _move("with x and y exchanged", lambda x, y, *_: (y, x)),
}
