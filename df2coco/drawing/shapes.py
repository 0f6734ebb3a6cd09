"""What of an annotation or of a model's result can be drawn: checked numbers, and the slots that count."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from df2coco.coco.schema import are_numbers, is_mask
from df2coco.errors import CocoFileError, printable, shorten
from df2coco.taxonomy import CATEGORIES, CATEGORY_BY_ID, NUM_LANDMARKS

__all__ = ["PARTS", "Landmark", "Shape", "color_of", "landmark_slots", "read_shapes"]

PARTS: Final = MappingProxyType(
    {
        "boxes": "the boxes",
        "masks": "the union of an item's polygons",
        "landmarks": "visible ones filled, occluded ones hollow, and the skeleton",
    }
)
"""What can be drawn of an item."""

Box = tuple[float, float, float, float]


class Landmark(NamedTuple):
    """A labelled landmark, in pixels."""

    x: float
    y: float
    visible: bool


@dataclass(frozen=True, slots=True)
class Shape:
    """One item, ready to be drawn. All positions in pixels, origin top left."""

    name: str
    """The category's name, printable."""
    color: str
    """The category's, "#rrggbb"."""
    score: float | None
    """A model's confidence; None for ground truth."""
    box: Box | None
    """x1, y1, x2, y2."""
    polygons: tuple[tuple[float, ...], ...]
    rle: Mapping[str, Any] | None
    """The mask where it is no polygons: pycocotools' {"size": [height, width], "counts": ...}."""
    landmarks: Mapping[int, Landmark]
    """Slot -> landmark, the labelled ones of the category's own slots."""
    edges: tuple[tuple[int, int], ...]
    """The skeleton, between slots."""

    def extent(self, only: Iterable[str]) -> Box | None:
        """The box around those parts; None when there are none of them."""
        corners: list[tuple[float, float]] = []
        if "boxes" in only and self.box:
            corners += [self.box[:2], self.box[2:]]
        if "masks" in only:
            for polygon in self.polygons:
                corners += zip(polygon[::2], polygon[1::2], strict=True)
            if self.rle and self.box:
                corners += [self.box[:2], self.box[2:]]
            elif self.rle:
                corners += [(0, 0), tuple(self.rle["size"][::-1])]
        if "landmarks" in only:
            corners += [landmark[:2] for landmark in self.landmarks.values()]
        if not corners:
            return None
        xs, ys = zip(*corners, strict=True)
        return min(xs), min(ys), max(xs), max(ys)


def color_of(category_id: int) -> str:
    """A category's color: the taxonomy's, over and over for ids beyond 13."""
    return CATEGORIES[(category_id - 1) % len(CATEGORIES)].color


def landmark_slots(category: Mapping[str, Any]) -> tuple[range, tuple[tuple[int, int], ...]]:
    """The slots of `keypoints` that a category uses, and its skeleton between slots; both from 0.

    With 294 slots these are the category's own, whatever the file's skeleton says (the official
    converter's says nothing); other numbers of slots are the category's alone.
    """
    names, known = category.get("keypoints"), CATEGORY_BY_ID.get(category.get("id", 0))
    count = len(names) if isinstance(names, list) else 0
    if known is not None and count in (NUM_LANDMARKS, known.num_landmarks):
        first = known.first_slot if count == NUM_LANDMARKS else 0
        edges = tuple((first + a - 1, first + b - 1) for a, b in known.skeleton)
        return range(first, first + known.num_landmarks), edges
    slots = range(count)
    found = category.get("skeleton")
    pairs = [tuple(edge) for edge in found if _is_pair(edge)] if isinstance(found, list) else []
    return slots, tuple((a - 1, b - 1) for a, b in pairs if a - 1 in slots and b - 1 in slots)


def _is_pair(edge: object) -> bool:
    return isinstance(edge, list) and len(edge) == 2 and all(type(end) is int for end in edge)


def read_shapes(
    entries: Iterable[Mapping[str, Any]],
    categories: Iterable[Mapping[str, Any]],
    *,
    where: str = "",
    predicted: bool = False,
) -> list[Shape]:
    """Annotations or, when `predicted`, results as shapes, large ones first.

    `where` begins the message of an error. Landmarks with v = 0 are left out; results' are all taken,
    since v has no meaning there, unless x = y = 0. Raises `CocoFileError` for what is no COCO.
    """
    by_id = {category.get("id"): category for category in categories}
    what = "result" if predicted else "annotation"
    shapes = []
    for number, entry in enumerate(entries, start=1):
        reader = _Reader(entry, f"{where}{what} {entry.get('id', number)}")
        shapes.append(reader.shape(by_id, predicted))
    return sorted(shapes, key=_area, reverse=True)


def _area(shape: Shape) -> float:
    x1, y1, x2, y2 = shape.extent(PARTS) or (0, 0, 0, 0)
    return (x2 - x1) * (y2 - y1)


class _Reader(NamedTuple):
    """Reads one annotation or result."""

    entry: Mapping[str, Any]
    where: str

    def shape(self, categories: Mapping[Any, Mapping[str, Any]], predicted: bool) -> Shape:
        category_id = self.entry.get("category_id")
        if type(category_id) is not int:
            raise self._fail("category_id", "a whole number")
        category = categories.get(category_id, {})
        slots, edges = landmark_slots(category)
        mask = self._mask()
        return Shape(
            name=printable(str(category.get("name", f"category {category_id}"))),
            color=color_of(category_id),
            score=self._score() if predicted else None,
            box=self._box(),
            polygons=() if isinstance(mask, dict) else mask,
            rle=mask if isinstance(mask, dict) else None,
            landmarks=self._landmarks(slots, predicted),
            edges=edges,
        )

    def _fail(self, field: str, expected: str) -> CocoFileError:
        found = shorten(self.entry.get(field))
        return CocoFileError(f"{self.where}: {field}: {found}, expected {expected}.")

    def _numbers(self, field: str, expected: str) -> list[float]:
        value = self.entry.get(field) or []
        numbers = list(value) if isinstance(value, tuple) else value
        # NaN stands in results that Python's json wrote.
        if not are_numbers(numbers) or not all(map(math.isfinite, numbers)):
            raise self._fail(field, expected)
        return numbers

    def _score(self) -> float | None:
        score = self.entry.get("score")
        if score is None or (type(score) in (int, float) and math.isfinite(score)):
            return score
        raise self._fail("score", "a number")

    def _box(self) -> Box | None:
        numbers = self._numbers("bbox", "4 numbers x, y, w, h")
        if not numbers:
            return None
        if len(numbers) != 4 or min(numbers[2:]) < 0:
            raise self._fail("bbox", "4 numbers x, y, w, h")
        x, y, width, height = numbers
        return x, y, x + width, y + height

    def _mask(self) -> dict[str, Any] | tuple[tuple[float, ...], ...]:
        mask = self.entry.get("segmentation") or []
        if isinstance(mask, dict) and isinstance(mask.get("counts"), bytes):
            mask = {**mask, "counts": mask["counts"].decode("ascii", "replace")}
        if not is_mask(mask):
            raise self._fail("segmentation", "polygons, or an RLE whose counts fill its size")
        if isinstance(mask, dict):
            return mask
        if not all(math.isfinite(number) for polygon in mask for number in polygon):
            raise self._fail("segmentation", "polygons of numbers")
        # Fewer than three points enclose nothing; the second half of a point may be missing.
        return tuple(tuple(p[: len(p) // 2 * 2]) for p in mask if len(p) >= 6)

    def _landmarks(self, slots: range, predicted: bool) -> dict[int, Landmark]:
        numbers = self._numbers("keypoints", "3 numbers x, y, v a landmark")
        if not slots or not numbers:
            return {}
        if len(numbers) % 3 or len(numbers) < 3 * slots.stop:
            expected = f"{3 * slots.stop} numbers, as many as its category has keypoints"
            raise CocoFileError(
                f"{self.where}: keypoints: {len(numbers)} numbers, expected {expected}."
            )
        landmarks = {}
        for slot in slots:
            x, y, v = numbers[3 * slot : 3 * slot + 3]
            if (x or y) if predicted else v > 0:
                landmarks[slot] = Landmark(x, y, predicted or v == 2)
        return landmarks
