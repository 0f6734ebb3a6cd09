"""Boxes: x, y, width, height and corners, what two have in common, and what else four numbers may mean.

A box is four numbers, or four columns of numpy for many boxes at once. Where nothing else is said it is
x, y, width, height in pixels.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Final, NamedTuple, TypeAlias

from df2coco.lazy_numpy import np

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


class Step(NamedTuple):
    """One way to read numbers otherwise. Some together are a reading."""

    words: str
    """What follows "these fit"."""
    remedy: str
    """What follows "They must be", to be as in a COCO file."""
    read: Callable[..., Any]


_AS_IT_IS: Final = Step("", "", lambda *values: values[:2])
FORMS: Final = (
    Step("", "", lambda box: box),
    Step("as corners x1, y1, x2, y2", "written x1, y1, x2 - x1, y2 - y1", from_corners),
    Step("as centre x, y, w, h", "written x - w / 2, y - h / 2, w, h", from_centre),
    Step(
        "as x1, x2, y1, y2",
        "written x1, y1, x2 - x1, y2 - y1",
        lambda box: from_corners((box[0], box[2], box[1], box[3])),
    ),
    Step("as x, y, h, w", "written with w before h", lambda box: (*box[:2], box[3], box[2])),
)
"""Four numbers -> x, y, width, height."""
_ORDERS: Final = (
    _AS_IT_IS,
    Step("with x and y exchanged", "written with x first", lambda x, y: (y, x)),
)
_UNITS: Final = (
    _AS_IT_IS,
    Step(
        "in fractions of the image",
        "multiplied by the image's width (x) and height (y)",
        lambda x, y, width, height: (x * width, y * height),
    ),
    Step("if they are doubled", "doubled", lambda x, y, *_: (2 * x, 2 * y)),
    Step("if they are halved", "halved", lambda x, y, *_: (x / 2, y / 2)),
    Step(
        "if width and height of the image changed places where they were scaled",
        "scaled by width (x) and height (y): target_sizes are (height, width)",
        lambda x, y, width, height: (x * width / height, y * height / width),
    ),
    Step(
        "mirrored", "mirrored back (the image's width - x)", lambda x, y, width, _: (width - x, y)
    ),
    Step(
        "in percent of the image",
        "multiplied by the image's width / 100 (x) and height / 100 (y)",
        lambda x, y, width, height: (x * width / 100, y * height / 100),
    ),
    Step(
        "upside down", "measured from the top (height - y)", lambda x, y, _, height: (x, height - y)
    ),
)
"""x, y, width and height of the image -> pixels of the image."""


class Reading(NamedTuple):
    """Something else that numbers may mean than pixels of the image and x, y, width, height.

    Its `words` and `remedy` are those of its steps.
    """

    form: Step
    order: Step
    unit: Step

    @property
    def steps(self) -> list[Step]:
        """In what it differs from a COCO file."""
        return [step for step in (self.form, self.order, self.unit) if step.words]

    @property
    def words(self) -> str:
        return " ".join(step.words for step in self.steps)

    @property
    def remedy(self) -> str:
        in_turn = (self.order, self.unit, self.form)
        return ", then ".join(step.remedy for step in in_turn if step.words)

    def box(self, box: Box, size: Size) -> Box:
        """Four numbers as they are, and the image -> the box that they mean."""
        x, y, width, height = self.form.read(box)
        if self.order.words:
            x, y, width, height = y, x, height, width
        x1, y1, x2, y2 = to_corners((x, y, width, height))
        (x1, y1), (x2, y2) = self.unit.read(x1, y1, *size), self.unit.read(x2, y2, *size)
        return from_centre(((x1 + x2) / 2, (y1 + y2) / 2, abs(x2 - x1), abs(y2 - y1)))

    def point(self, x: Any, y: Any, size: Size) -> tuple[Any, Any]:
        """x and y of points, and the image -> where they mean; the form is that of boxes alone."""
        result: tuple[Any, Any] = self.unit.read(*self.order.read(x, y), *size)
        return result


PLAIN: Final = Reading(FORMS[0], _AS_IT_IS, _AS_IT_IS)
"""A COCO file's own."""


def readings(
    forms: Sequence[Step] = FORMS, sample: tuple[Box, Box, Size] | None = None
) -> list[Reading]:
    """All readings but `PLAIN`, those of few steps first.

    Of points `forms` are the ways to choose them. `sample` are boxes as they are, what they should be, and
    their images, all as columns: also the scales that these have in common are tried.
    """
    every = []
    for form, order in itertools.product(forms, _ORDERS):
        scales = _scales(Reading(form, order, _AS_IT_IS), *sample) if sample is not None else ()
        every += [Reading(form, order, unit) for unit in (*_UNITS, *scales)]
    return sorted((r for r in every if r.steps), key=lambda reading: len(reading.steps))


def best_reading(
    choices: Iterable[Reading], fit: Callable[[Reading], float]
) -> tuple[Reading, float]:
    """That which fits best, and how well; what takes one step more must fit better by a margin."""
    fits = [(reading, fit(reading)) for reading in choices]
    return max(fits, key=lambda pair: round(pair[1] - 0.03 * len(pair[0].steps), 9))


def _scales(reading: Reading, boxes: Box, truth: Box, size: Size) -> Iterator[Step]:
    """How boxes were scaled, by their sizes and what these should be."""
    _, _, across, down = reading.box(boxes, size)
    sizes, longer, shorter = np.stack([*size]), np.maximum(*size), np.minimum(*size)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.stack([across / truth[2], down / truth[3]])
    units = [_times(1 / scale)] if (scale := _middle(ratios)) else []
    across, down = map(_side, ratios * sizes)
    for unit, sides in (
        (_of_input, (_side(ratios * sizes),) * 2),
        (partial(_of_side, "longer", np.maximum), (_side(ratios * longer),)),
        (partial(_of_side, "shorter", np.minimum), (_side(ratios * shorter),)),
        (_of_letterbox, (_side(ratios * longer),)),
        (_of_input, (across, down)),
    ):
        if min(sides) >= 32:
            units.append(unit(*sides))
    for step in units:
        moved = np.stack(step.read(*size, *size)) / sizes
        if not np.all(np.abs(moved - 1) <= 0.05):  # else it explains nothing
            yield step


def _side(lengths: Any) -> int:
    """The side of a model's input, of what it is by each box: a usual one, if that is near."""
    side = _middle(lengths)
    usual = 16 * round(side / 16)
    exact = abs(side - round(side)) < 0.02 or abs(side - usual) > 0.03 * side
    return round(side) if exact else usual


def _times(factor: float) -> Step:
    simple = round(12 * factor) / 12  # a half, two thirds, ...
    factor = simple if abs(simple - factor) < 0.01 * factor else factor
    words = f"multiplied by {factor:.4g}"
    return Step(f"if {words}", words, lambda x, y, *_: (x * factor, y * factor))


def _of_input(width: int, height: int) -> Step:
    words = f"in pixels of a {width} x {height} input"
    remedy = f"multiplied by the image's width / {width} (x) and height / {height} (y)"
    return Step(words, remedy, lambda x, y, *size: (x * size[0] / width, y * size[1] / height))


def _of_side(name: str, edge: Callable[[Any, Any], Any], side: int) -> Step:
    def read(x: Any, y: Any, *size: Any) -> tuple[Any, Any]:
        return x * edge(*size) / side, y * edge(*size) / side

    words = f"in pixels of the image with a {name} side of {side}"
    return Step(words, f"multiplied by the image's {name} side / {side}", read)


def _of_letterbox(side: int) -> Step:
    plain = _of_side("longer", np.maximum, side)

    def read(x: Any, y: Any, width: Any, height: Any) -> tuple[Any, Any]:
        x, y = plain.read(x - side / 2, y - side / 2, width, height)
        return x + width / 2, y + height / 2

    words = f"in pixels of a {side} x {side} input with borders (letterbox)"
    return Step(words, f"moved by the border and {plain.remedy}", read)


def _middle(values: Any) -> float:
    """The median of those that are numbers; 0 where there is none."""
    values = values[np.isfinite(values) & (values > 0)]
    return float(np.median(values)) if values.size else 0.0
