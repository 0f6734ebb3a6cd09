"""Items drawn over their photo: masks, boxes, skeletons, landmarks and labels."""

from __future__ import annotations

import functools
import itertools
import math
from bisect import bisect
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from df2coco.drawing.drawables import USUAL_PARTS, Drawable, Extent, Landmark, read_drawables
from df2coco.drawing.labels import Obstacle, Rectangle, Wish, around, place_labels
from df2coco.errors import LONGEST
from df2coco.masks import compressed

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

SMALLEST: Final = 480
"""The longer side of a picture has at least so many pixels; smaller photos are enlarged."""
LARGEST: Final = 2400
"""And at most so many."""
THINNEST: Final = 0.7
"""Lines and text get no thinner than in a picture of 490 x 490."""
FILLING: Final = 0.36
RIM: Final = 0.87
"""Opacity of masks, and of their outlines."""


def draw_image(
    image: Image,
    annotations: Sequence[Mapping[str, Any]],
    categories: Sequence[Mapping[str, Any]],
    *,
    parts: Iterable[str] = USUAL_PARTS,
    size: int | None = None,
    predicted: bool = False,
) -> Image:
    """A picture of `image` with its annotations, RGB.

    `image` is what the annotations' pixels refer to, and stays as it is; `categories` are the file's.
    `parts` chooses among the keys of `PARTS`. `size` is the picture's longer side in pixels; without it
    the picture is as large as the image, within 480 to 2400. With `predicted` the annotations are a
    model's results: `bbox`, `segmentation` (polygons or run-length), `keypoints`, with their `score`.

    Raises `CocoFileError` for annotations that are not COCO.
    """
    drawables = read_drawables(annotations, categories, predicted=predicted)
    return overlay(image, drawables, parts=parts, size=size)


def picture_size(width: int, height: int, longer: int | None = None) -> tuple[int, int]:
    """The size in which an image of `width` x `height` is drawn; see `draw_image`."""
    now = max(width, height)
    scale = (longer or min(max(now, SMALLEST), LARGEST)) / now
    return max(1, round(width * scale)), max(1, round(height * scale))


def overlay(
    image: Image,
    drawables: Sequence[Drawable],
    *,
    parts: Iterable[str] = USUAL_PARTS,
    size: int | None = None,
    whole: tuple[int, int] | None = None,
) -> Image:
    """A picture of `image` with `drawables` drawn over it, the first at the bottom; see `draw_image`.

    If `image` was reduced, `whole` is the size that the drawables' pixels refer to.
    """
    from PIL import Image, ImageDraw

    parts = frozenset(parts)
    drawables = distinguish(drawables)
    whole = whole or image.size
    width, height = picture_size(*whole, size)
    picture = image.convert("RGB")
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    # Drawn large and then reduced, which smooths every edge; the photo's pixels come out unchanged.
    fine = 3 if max(width, height) <= 1000 else 2
    across, down = width * fine, height * fine
    unit = fine * max(math.sqrt(width * height) / 700, THINNEST)
    scale = across / whole[0], down / whole[1]
    canvas = _Canvas(ImageDraw.Draw(picture), (across, down), scale, fine, unit)
    for drawable in drawables if "masks" in parts else ():
        canvas.tint(picture, drawable)
    picture = picture.resize(canvas.size, Image.Resampling.NEAREST)
    canvas = replace(canvas, draw=ImageDraw.Draw(picture))
    for drawable in drawables:
        if "boxes" in parts:
            canvas.box(drawable)
        if "landmarks" in parts:
            canvas.landmarks(drawable)
    for drawable in drawables if "numbers" in parts else ():
        canvas.numbers(drawable)
    canvas.labels(drawables, parts)
    return picture.reduce(fine)


@functools.cache
def font(size: int) -> FreeTypeFont | ImageFont:
    """Pillow's own font."""
    from PIL import ImageFont

    return ImageFont.load_default(size)


def shortened(text: str, size: int, room: float, rest: str = "") -> str:
    """`text` and `rest` in a font of that size; `text` is cut where they are longer than `room`."""
    text = text[:LONGEST]

    def is_too_long(shown: str) -> bool:
        return bool(font(size).getlength(shown + rest) > room)

    if not text or not is_too_long(text):
        return text + rest
    length = bisect(range(1, len(text)), False, key=lambda n: is_too_long(text[:n] + "…"))
    return (text[:length] + "…" if length else "") + rest


def casing_of(color: str) -> str:
    """White for dark colors and almost black for light ones: what makes them stand out anywhere."""
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return "#ffffff" if 0.299 * red + 0.587 * green + 0.114 * blue < 140 else "#1a1a1a"


def draw_discs(
    draw: ImageDraw, place: tuple[float, float], discs: Iterable[tuple[float, str]]
) -> None:
    """Discs of those radii and colors about one place, one over the other."""
    x, y = place
    for radius, color in discs:
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=color)


@dataclass(frozen=True, slots=True)
class _Canvas:
    """Draws items."""

    draw: ImageDraw
    size: tuple[int, int]
    scale: tuple[float, float]
    """Canvas pixels to a pixel of the image, across and down."""
    fine: int
    """Canvas pixels to a pixel of the picture."""
    unit: float
    """What widths are multiples of: a 700th of the canvas' side, so they follow its size."""

    def _at(self, x: float, y: float) -> tuple[float, float]:
        """A position in the image on the canvas; far outside is as good as further outside."""
        (across, down), scale = self.size, self.scale
        return (
            min(max(x * scale[0], -9 * across), 10 * across),
            min(max(y * scale[1], -9 * down), 10 * down),
        )

    def _corners(self, box: Extent) -> Extent:
        return *self._at(*box[:2]), *self._at(*box[2:])

    def _pixel(self, landmark: Landmark) -> tuple[float, float]:
        """The middle of a landmark's pixel."""
        return self._at(landmark.x + 0.5, landmark.y + 0.5)

    def tint(self, picture: Image, drawable: Drawable) -> None:
        """Tint a mask's pixels in the picture, more near its edge."""
        from PIL import ImageChops, ImageFilter, ImageOps

        mask, left, top = self._mask(drawable)
        inside = mask.getbbox()
        if inside is None:
            return
        mask = mask.crop(inside)
        reach = 1.3 * self.unit / self.fine
        border = math.ceil(reach)
        inner = ImageOps.expand(mask, border).filter(ImageFilter.BoxBlur(reach))
        # Where all around is mask, with a step of one pixel to where it is not.
        steep = 2 * reach + 1
        inner = ImageOps.crop(inner, border).point(lambda value: 255 - steep * (255 - value))
        rim = ImageChops.subtract(mask, inner).point(lambda value: RIM * value)
        opacity = ImageChops.lighter(mask.point(lambda value: FILLING * value), rim)
        picture.paste(drawable.color, (left + inside[0], top + inside[1]), opacity)

    def _mask(self, drawable: Drawable) -> tuple[Image, int, int]:
        """255 in the mask, with smooth edges, and where on the picture that begins."""
        from PIL import Image, ImageDraw

        fine = self.fine
        if drawable.rle:
            from pycocotools import mask as coco_mask

            coarse = Image.fromarray(coco_mask.decode(compressed(drawable.rle)) * 255)
            large = coarse.resize(self.size, Image.Resampling.BILINEAR)
            return large.point(lambda value: 255 * (value > 127)).reduce(fine), 0, 0
        x1, y1, x2, y2 = self._corners(drawable.extent(["masks"]) or (0, 0, 0, 0))
        left, top = max(0, math.floor(x1 / fine)), max(0, math.floor(y1 / fine))
        width = min(self.size[0], math.ceil(x2) + fine) // fine - left
        height = min(self.size[1], math.ceil(y2) + fine) // fine - top
        large = Image.new("L", (fine * max(1, width), fine * max(1, height)))
        draw = ImageDraw.Draw(large)
        for polygon in drawable.polygons:  # one over the other
            corners = itertools.starmap(self._at, zip(polygon[::2], polygon[1::2], strict=True))
            draw.polygon([(x - fine * left, y - fine * top) for x, y in corners], fill=255)
        return large.reduce(fine), left, top

    def _shape(self, drawable: Drawable, parts: frozenset[str]) -> tuple[Any, Any] | None:
        """x and y of points all over an item's mask, or else over what its landmarks enclose.

        None of an item whose box is drawn; where it is not, much of it may be empty.
        """
        if "boxes" in parts and drawable.box:
            return None
        import numpy as np  # here, since it is slow to load

        if "masks" not in parts or not (drawable.polygons or drawable.rle):
            outline = tuple(number for m in drawable.landmarks.values() for number in m[:2])
            # Twice around: Pillow takes no polygon of one point.
            drawable = replace(drawable, polygons=(2 * outline,), rle=None)
        step = 4 * self.fine
        mask, left, top = replace(self, fine=step)._mask(drawable)
        rows, columns = np.nonzero(np.asarray(mask))
        places = step * (left + columns + 0.5), step * (top + rows + 0.5)
        return places if rows.size else None

    def box(self, drawable: Drawable) -> None:
        """The box's lines, with a casing."""
        if drawable.box is None:
            return
        width, casing = 2.0 * self.unit, 0.8 * self.unit
        inset = width + casing  # boxes along the picture's edge stay in sight
        left, top, right, bottom = (
            min(max(value, inset), max(inset, end - inset))
            for value, end in zip(self._corners(drawable.box), 2 * self.size, strict=True)
        )
        outer = width / 2 + casing, casing_of(drawable.color)
        for half, color in (outer, (width / 2, drawable.color)):
            corners = (left - half, top - half, right + half, bottom + half)
            self.draw.rectangle(corners, outline=color, width=max(1, round(2 * half)))

    def landmarks(self, drawable: Drawable) -> None:
        """The skeleton between labelled landmarks, then the landmarks."""
        points = {slot: (self._pixel(m), m.visible) for slot, m in drawable.landmarks.items()}
        radius = self._radius(drawable)
        width, casing = max(0.62 * radius, self.unit), max(0.3 * radius, 0.6 * self.unit)
        color, around = drawable.color, casing_of(drawable.color)
        edges = [(a, b) for a, b in drawable.edges if a in points and b in points]
        for ink, stroke in ((around, width + 2 * casing), (color, width)):
            for a, b in edges:
                self.draw.line((*points[a][0], *points[b][0]), ink, max(1, round(stroke)))
        for place, visible in points.values():
            discs = [(radius + casing, around), (radius, color)]
            if not visible:
                discs += [(0.68 * radius, around), (0.55 * radius, "#ffffff")]
            draw_discs(self.draw, place, discs)

    def numbers(self, drawable: Drawable) -> None:
        """The number of each landmark beside it, from 1."""
        room, ink = 1.2 * self._radius(drawable), casing_of(drawable.color)
        small, casing = font(max(round(11 * self.unit), 1)), max(1, round(self.unit))
        for number, landmark in drawable.landmarks.items():
            x, y = self._pixel(landmark)
            at, text, color = (x + room, y - room), f"{number + 1}", drawable.color
            self.draw.text(at, text, ink, small, "lb", stroke_width=casing, stroke_fill=color)

    def _radius(self, drawable: Drawable) -> float:
        """Smaller on small items, where landmarks lie close."""
        x1, y1, x2, y2 = self._corners(drawable.extent(["landmarks"]) or (0, 0, 0, 0))
        extent = math.hypot(x2 - x1, y2 - y1)
        return min(4.2 * self.unit, max(extent / 42, 2.4 * self.unit))

    def labels(self, drawables: Sequence[Drawable], parts: frozenset[str]) -> None:
        """Each item's name at its box, small items first: they have the fewest places."""
        size, pad = max(round(16 * self.unit), 1), round(4 * self.unit)
        height, edge = round(1.05 * size) + pad, 1.8 * self.unit
        labels: list[tuple[str, Drawable]] = []
        wishes: list[Wish] = []
        for drawable in reversed(drawables):
            if (extent := drawable.extent(parts)) is not None:
                rest = "" if drawable.score is None else f" {drawable.score:.2f}"
                rest += f" ({drawable.note})" if drawable.note else ""
                text = shortened(drawable.name, size, self.size[0] - 2 * pad, rest)
                width = math.ceil(font(size).getlength(text)) + 2 * pad
                x1, y1, x2, y2 = self._corners(extent)
                wishes.append(Wish(width, height, (x1 - edge, y1, x2 + edge, y2)))
                labels.append((text, drawable))
        faces = [face for drawable in drawables if (face := drawable.face())]
        obstacles = [Obstacle(around(self._corners(face)), 8.0) for face in faces]
        for drawable in drawables if "landmarks" in parts else ():
            radius = self._radius(drawable)
            for x, y in map(self._pixel, drawable.landmarks.values()):
                disc = around((x - radius, y - radius, x + radius, y + radius))
                obstacles.append(Obstacle(disc, 1.0))
        places = place_labels(wishes, self.size, obstacles)
        outline, bold = max(1, round(0.6 * self.unit)), max(0, round(0.2 * self.unit))
        for (text, drawable), wish, place in zip(labels, wishes, places, strict=True):
            if place is None:
                continue
            self._leader(place, wish, drawable, parts)
            x, y, width, height = place
            corners, ink = (x, y, x + width - 1, y + height - 1), casing_of(drawable.color)
            self.draw.rounded_rectangle(corners, pad, drawable.color, ink, outline)
            middle = x + pad, y + height / 2
            self.draw.text(middle, text, ink, font(size), anchor="lm", stroke_width=bold)

    def _leader(
        self, place: Rectangle, wish: Wish, drawable: Drawable, parts: frozenset[str]
    ) -> None:
        """A line from a label that is not at its item to the nearest of what is drawn of that."""
        x, y = place.x + place.width / 2, place.y + place.height / 2
        x1, y1, x2, y2 = wish.box
        end, near = (min(max(x, x1), x2), min(max(y, y1), y2)), self.unit
        if (shape := self._shape(drawable, parts)) is not None:
            xs, ys = shape
            outside = abs(xs - x) - place.width / 2, abs(ys - y) - place.height / 2
            nearest = (outside[0].clip(0) ** 2 + outside[1].clip(0) ** 2).argmin()
            end, near = (float(xs[nearest]), float(ys[nearest])), place.height / 2
        across, down = abs(x - end[0]) - place.width / 2, abs(y - end[1]) - place.height / 2
        if max(across, down) > near:
            for ink, width in ((casing_of(drawable.color), 3.6), (drawable.color, 2.0)):
                self.draw.line((x, y, *end), fill=ink, width=max(1, round(width * self.unit)))


_OF_DARK: Final = ((0, 0.0), (255, 0.5), (0, 0.45), (255, 0.75))
_OF_LIGHT: Final = ((0, 0.0), (0, 0.35), (255, 0.6), (0, 0.6))
"""Shades of a color: mixed with so much black (0) or white (255)."""


def distinguish(drawables: Iterable[Drawable]) -> list[Drawable]:
    """The same drawables; of those with one color the second, third, ... in another shade of it."""
    seen: Counter[str] = Counter()
    result = []
    for drawable in drawables:
        color, number = drawable.color, drawable.shade
        if number is None:
            number = seen[color]
            seen[color] += 1
        shades = _OF_DARK if casing_of(color) == "#ffffff" else _OF_LIGHT
        other, share = shades[number % len(shades)]
        parts = (int(color[i : i + 2], 16) for i in (1, 3, 5))
        mixed = "#" + "".join(f"{round(part + share * (other - part)):02x}" for part in parts)
        result.append(replace(drawable, color=mixed))
    return result
