"""Items drawn over their photo: masks, boxes, skeletons, landmarks and labels."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from df2coco.coco.format import CocoAnnotation, CocoCategory
from df2coco.drawing.labels import Rectangle, Wish, place_labels
from df2coco.drawing.shapes import PARTS, Landmark, Shape, read_shapes

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

__all__ = ["casing_of", "draw_image", "font", "overlay", "picture_size"]

SMALLEST: Final = 480
"""The longer side of a picture has at least so many pixels; smaller photos are enlarged."""
LARGEST: Final = 2400
"""And at most so many."""
THINNEST: Final = 0.7
"""Lines and text get no thinner than in a picture of 490 x 490."""
FILLING: Final = 0.36
"""Opacity of masks."""


def draw_image(
    image: Image,
    annotations: Sequence[CocoAnnotation] | Sequence[Mapping[str, Any]],
    categories: Sequence[CocoCategory] | Sequence[Mapping[str, Any]],
    *,
    only: Iterable[str] = tuple(PARTS),
    size: int | None = None,
    predicted: bool = False,
) -> Image:
    """A picture of `image` with its annotations, RGB.

    `image` is what the annotations' pixels refer to, and stays as it is; `categories` are the file's.
    `only` chooses among the keys of `PARTS`. `size` is the picture's longer side in pixels; without it
    the picture is as large as the image, within 480 to 2400. With `predicted` the annotations are a
    model's results: `bbox`, `segmentation` (polygons or run-length), `keypoints`, with their `score`.

    Raises `CocoFileError` for annotations that are no COCO.
    """
    shapes = read_shapes(annotations, categories, predicted=predicted)
    return overlay(image, shapes, only=only, size=size)


def picture_size(width: int, height: int, longer: int | None = None) -> tuple[int, int]:
    """The size in which an image of `width` x `height` is drawn; see `draw_image`."""
    now = max(width, height)
    scale = (longer or min(max(now, SMALLEST), LARGEST)) / now
    return max(1, round(width * scale)), max(1, round(height * scale))


def overlay(
    image: Image,
    shapes: Sequence[Shape],
    *,
    only: Iterable[str] = tuple(PARTS),
    size: int | None = None,
) -> Image:
    """A picture of `image` with `shapes` drawn over it, the first at the bottom; see `draw_image`."""
    from PIL import Image

    only = frozenset(only)
    width, height = picture_size(*image.size, size)
    picture = image.convert("RGB")
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    # Drawn large and then reduced, which smooths every edge; the photo's pixels come out unchanged.
    fine = 3 if max(width, height) <= 1000 else 2
    picture = picture.resize((width * fine, height * fine), Image.Resampling.NEAREST)
    scale = width * fine / image.width, height * fine / image.height
    brush = _Brush(picture, scale, fine * max(math.sqrt(width * height) / 700, THINNEST))
    if "masks" in only:
        brush.masks(shapes)
    for shape in shapes:
        if "boxes" in only:
            brush.box(shape)
        if "landmarks" in only:
            brush.landmarks(shape)
    brush.labels(shapes, only)
    return picture.reduce(fine)


@functools.cache
def font(size: int) -> FreeTypeFont | ImageFont:
    """Pillow's own font."""
    from PIL import ImageFont

    return ImageFont.load_default(size)


def casing_of(color: str) -> str:
    """White for dark colors and almost black for light ones: what makes them stand out anywhere."""
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return "#ffffff" if 0.299 * red + 0.587 * green + 0.114 * blue < 140 else "#1a1a1a"


@dataclass(frozen=True, slots=True)
class _Brush:
    """Draws shapes on a canvas."""

    canvas: Image
    scale: tuple[float, float]
    """Canvas pixels to a pixel of the image, across and down."""
    unit: float
    """What widths are multiples of: a 700th of the picture's side, so they follow its size."""

    def _draw(self) -> ImageDraw:
        from PIL import ImageDraw

        return ImageDraw.Draw(self.canvas)

    def _at(self, x: float, y: float) -> tuple[float, float]:
        """A position on the canvas; far outside is as good as further outside."""
        across, down = self.canvas.size
        return (
            min(max(x * self.scale[0], -9 * across), 10 * across),
            min(max(y * self.scale[1], -9 * down), 10 * down),
        )

    def _pixel(self, landmark: Landmark) -> tuple[float, float]:
        """The middle of a landmark's pixel, on the canvas."""
        return self._at(landmark.x + 0.5, landmark.y + 0.5)

    # ------------------------------------------------------------ masks

    def masks(self, shapes: Iterable[Shape]) -> None:
        """The masks' pixels tinted, once for each color however many masks lie there, and outlines."""
        from PIL import Image, ImageChops

        tints: dict[str, Image.Image] = {}
        rims: dict[str, Image.Image] = {}
        for shape in shapes:
            mask = self._mask(shape)
            around = None if mask is None else mask.getbbox()
            if mask is None or around is None:
                continue
            for layers, part in ((tints, mask.crop(around)), (rims, self._rim(mask.crop(around)))):
                layer = layers.setdefault(shape.color, Image.new("L", mask.size))
                layer.paste(ImageChops.lighter(layer.crop(around), part), around)
        for layers, opacity in ((tints, FILLING), (rims, 0.8)):
            for color, layer in layers.items():
                self.canvas.paste(color, mask=layer.point([round(opacity * v) for v in range(256)]))

    def _mask(self, shape: Shape) -> Image | None:
        """The mask on the canvas, 255 where it is set."""
        from PIL import Image, ImageDraw

        if shape.rle is not None:
            smooth = _decode(shape.rle).resize(self.canvas.size, Image.Resampling.BILINEAR)
            return smooth.point(_above(127))
        if not shape.polygons:
            return None
        mask = Image.new("L", self.canvas.size)
        draw = ImageDraw.Draw(mask)
        for polygon in shape.polygons:  # one over the other: the union
            points = zip(polygon[::2], polygon[1::2], strict=True)
            draw.polygon([self._at(x, y) for x, y in points], fill=255)
        return mask

    def _rim(self, mask: Image) -> Image:
        """The mask's pixels near its edge."""
        from PIL import ImageChops, ImageFilter, ImageOps

        reach = round(2 * self.unit)
        inner = ImageOps.expand(mask, reach).filter(ImageFilter.BoxBlur(1.3 * self.unit))
        inner = ImageOps.crop(inner, reach).point(_above(250))
        return ImageChops.subtract(mask, inner)

    # ------------------------------------------------------------ boxes

    def box(self, shape: Shape) -> None:
        """The box's lines, with a casing."""
        if shape.box is None:
            return
        x1, y1, x2, y2 = shape.box
        (left, top), (right, bottom) = self._at(x1, y1), self._at(x2, y2)
        draw, width, casing = self._draw(), 2.0 * self.unit, 0.8 * self.unit
        # Boxes along the picture's edge stay in sight.
        inset = width + casing
        across, down = self.canvas.size
        left, top = _clamp(left, inset, across), _clamp(top, inset, down)
        right, bottom = _clamp(right, inset, across), _clamp(bottom, inset, down)
        for more, color in ((casing, casing_of(shape.color)), (0.0, shape.color)):
            half = width / 2 + more
            draw.rectangle(
                (
                    min(left - half, right + half),
                    min(top - half, bottom + half),
                    right + half,
                    bottom + half,
                ),
                outline=color,
                width=max(1, round(2 * half)),
            )

    # ------------------------------------------------------------ landmarks

    def landmarks(self, shape: Shape) -> None:
        """The skeleton between labelled landmarks, then the landmarks."""
        points = {slot: (self._pixel(m), m.visible) for slot, m in shape.landmarks.items()}
        if not points:
            return
        draw, radius = self._draw(), self._radius(shape.landmarks.values())
        width, casing = max(0.62 * radius, self.unit), max(0.3 * radius, 0.6 * self.unit)
        lines = [
            (points[a][0], points[b][0]) for a, b in shape.edges if a in points and b in points
        ]
        for color, stroke in ((casing_of(shape.color), width + 2 * casing), (shape.color, width)):
            for start, end in lines:
                draw.line((*start, *end), fill=color, width=max(1, round(stroke)))
        for (x, y), visible in points.values():
            rings = [(radius + casing, casing_of(shape.color)), (radius, shape.color)]
            if not visible:
                rings += [(0.68 * radius, casing_of(shape.color)), (0.55 * radius, "#ffffff")]
            for reach, color in rings:
                draw.ellipse((x - reach, y - reach, x + reach, y + reach), fill=color)

    def _radius(self, landmarks: Iterable[Landmark]) -> float:
        """Smaller on small items, where landmarks lie close."""
        xs, ys = zip(*((m.x * self.scale[0], m.y * self.scale[1]) for m in landmarks), strict=True)
        extent = math.hypot(max(xs) - min(xs), max(ys) - min(ys))
        return min(4.2 * self.unit, max(extent / 42, 2.4 * self.unit))

    # ------------------------------------------------------------ labels

    def labels(self, shapes: Sequence[Shape], only: frozenset[str]) -> None:
        """Each shape's name at its box, small shapes first: they have the fewest places."""
        size, pad = max(round(16 * self.unit), 1), round(4 * self.unit)
        height = round(1.05 * size) + pad
        room = self.canvas.width - 2 * pad
        texts, colors, wishes, avoid = [], [], [], []
        for shape in reversed(shapes):
            extent = shape.extent(only)
            if extent is None:
                continue
            score = "" if shape.score is None else f" {shape.score:.2f}"
            text = _shorten(shape.name, size, room - _length(score, size)) + score
            width = math.ceil(_length(text, size)) + 2 * pad
            edge = 1.8 * self.unit
            (x1, y1), (x2, y2) = self._at(*extent[:2]), self._at(*extent[2:])
            texts.append(text)
            colors.append(shape.color)
            wishes.append(Wish(width, height, (x1 - edge, y1, x2 + edge, y2)))
            if "landmarks" in only:
                avoid += [self._pixel(m) for m in shape.landmarks.values()]
        places = place_labels(wishes, self.canvas.size, avoid)
        for text, color, place in zip(texts, colors, places, strict=True):
            if place is not None:
                self._label(text, color, place, size, pad)

    def _label(self, text: str, color: str, place: Rectangle, size: int, pad: int) -> None:
        draw, ink = self._draw(), casing_of(color)
        x, y, width, height = place
        draw.rounded_rectangle(
            (x, y, x + width - 1, y + height - 1),
            radius=pad,
            fill=color,
            outline=ink,
            width=max(1, round(0.6 * self.unit)),
        )
        bold = max(0, round(0.2 * self.unit))
        draw.text((x + pad, y + height / 2), text, ink, font(size), anchor="lm", stroke_width=bold)


def _above(threshold: int) -> list[int]:
    """Pillow's table for 255 above the threshold, else 0."""
    return [255 * (value > threshold) for value in range(256)]


def _clamp(value: float, inset: float, end: float) -> float:
    return min(max(value, inset), max(inset, end - inset))


def _length(text: str, size: int) -> float:
    return font(size).getlength(text)


def _shorten(text: str, size: int, room: float) -> str:
    """As much of `text` as fits."""
    if _length(text, size) <= room:
        return text
    while text and _length(text + "…", size) > room:
        text = text[:-1]
    return text + "…"


def _decode(rle: Mapping[str, Any]) -> Image:
    """The mask of a checked RLE, 255 where it is set."""
    from PIL import Image
    from pycocotools import mask as coco_mask

    if isinstance(rle["counts"], list):
        rle = coco_mask.frPyObjects(rle, *rle["size"])
    return Image.fromarray(coco_mask.decode(rle) * 255)
