"""What of an annotation or of a model's result can be drawn: checked numbers, and the landmarks that count."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from df2coco.boxes import to_corners
from df2coco.coco.decoding import find_garments
from df2coco.coco.results import Score
from df2coco.coco.schema import FIELDS, Field, Rle, misfit, struct_of
from df2coco.errors import CocoFileError, printable, shown
from df2coco.layouts import own_slots
from df2coco.taxonomy import CATEGORIES, Category

PARTS: Final = {
    "boxes": "the boxes",
    "masks": "the union of an item's polygons",
    "landmarks": "visible ones filled, occluded ones hollow, and the skeleton",
    "numbers": "those of the landmarks, which are in the order of keypoints",
}
"""What can be drawn of an item."""

USUAL_PARTS: Final = ("boxes", "masks", "landmarks")

Extent: TypeAlias = tuple[float, float, float, float]
"""x1, y1, x2, y2."""


class Landmark(NamedTuple):
    """A labelled landmark, in pixels."""

    x: float
    y: float
    visible: bool


@dataclass(frozen=True, slots=True)
class Drawable:
    """One annotation or result, ready to be drawn. All positions in pixels, origin top left."""

    category_id: int
    name: str
    """The category's name, printable."""
    garment: Category | None
    """None in files of other datasets."""
    color: str
    """"#rrggbb": the category's, or what a comparison says."""
    score: float | None
    """A model's confidence; None for ground truth."""
    box: Extent | None
    polygons: tuple[tuple[float, ...], ...]
    rle: Mapping[str, Any] | None
    """The mask where it is not polygons: pycocotools' {"size": [height, width], "counts": ...}."""
    landmarks: Mapping[int, Landmark]
    """Number within the category (from 0) -> landmark; those that are labelled."""
    edges: tuple[tuple[int, int], ...]
    """The skeleton, between these numbers."""
    note: str = ""
    """What the label says after name and score."""
    shade: int | None = None
    """Which shade of its color; None: the next one that is left."""

    def extent(self, parts: Iterable[str]) -> Extent | None:
        """The box around those parts; None when there are none of them."""
        corners: list[tuple[float, float]] = []
        if "boxes" in parts and self.box:
            corners += [self.box[:2], self.box[2:]]
        if "masks" in parts:
            for polygon in self.polygons:
                corners += zip(polygon[::2], polygon[1::2], strict=True)
            if self.rle and self.box:
                corners += [self.box[:2], self.box[2:]]
            elif self.rle:
                corners += [(0, 0), tuple(self.rle["size"][::-1])]
        if "landmarks" in parts:
            corners += [landmark[:2] for landmark in self.landmarks.values()]
        if not corners:
            return None
        xs, ys = zip(*corners, strict=True)
        return min(xs), min(ys), max(xs), max(ys)

    def face(self) -> Extent | None:
        """Where the face of a wearer would be: above the neckline. None for what is worn below the waist."""
        if self.garment is None or self.garment.id in _WORN_BELOW:
            return None
        # The first six landmarks are the neckline, the second and the sixth its ends.
        neck = [self.landmarks[number] for number in range(6) if number in self.landmarks]
        x1, y1, x2, _ = self.extent(PARTS) or (0, 0, 0, 0)
        middle, top, width = (x1 + x2) / 2, y1, 0.3 * (x2 - x1)
        if len(neck) > 2:
            xs = [landmark.x for landmark in neck]
            middle, top = sum(xs) / len(xs), min(landmark.y for landmark in neck)
            width = (0.6 if self.garment.id in _BARE_SHOULDERS else 1.2) * (max(xs) - min(xs))
        return middle - width / 2, top - 1.4 * width, middle + width / 2, top


_WORN_BELOW: Final = frozenset({7, 8, 9})
"""Shorts, trousers, skirt."""

_BARE_SHOULDERS: Final = frozenset({5, 6, 12, 13})
"""Vests and slings, whose necklines end on the shoulders."""


def read_drawables(
    annotations: Iterable[Mapping[str, Any]],
    categories: Iterable[Mapping[str, Any]],
    *,
    where: str = "",
    predicted: bool = False,
) -> list[Drawable]:
    """Annotations or, when `predicted`, results as drawables, large ones first.

    `where` begins the message of an error. Landmarks with v = 0 are left out; those of results are all
    taken, since v has no meaning there, unless x = y = 0. A garment's landmarks may be in any layout,
    whatever the file's is. Raises `CocoFileError` for what is not COCO.
    """
    reader = _DrawableReader(list(categories), predicted)
    what = "result" if predicted else "annotation"
    drawables = [
        reader.read(annotation, f"{where}{what} {annotation.get('id', number)}")
        for number, annotation in enumerate(annotations, start=1)
    ]
    return sorted(drawables, key=_size, reverse=True)


def _size(drawable: Drawable) -> float:
    x1, y1, x2, y2 = drawable.extent(PARTS) or (0, 0, 0, 0)
    return (x2 - x1) * (y2 - y1)


_REQUIRED: Final = ("category_id",)
_DRAWN: Final = FIELDS["annotations"]
_PREDICTED: Final = {
    **{name: _DRAWN[name] for name in ("category_id", "bbox", "segmentation", "keypoints")},
    "score": Field(Score | None, "a number"),
}
"""What the fields of annotations and of results must be."""


class _DrawableReader:
    """Reads the annotations of one file."""

    def __init__(self, categories: list[Mapping[str, Any]], predicted: bool) -> None:
        self._categories = {category.get("id"): category for category in categories}
        self._garments = find_garments(categories)
        self._predicted = predicted
        self._fields = _PREDICTED if predicted else _DRAWN
        self._struct = struct_of(self._fields, _REQUIRED)

    def read(self, annotation: Mapping[str, Any], where: str) -> Drawable:
        item = self._checked(annotation, where)
        category = self._categories.get(item.category_id, {})
        garment = self._garments.get(item.category_id)
        # Over and over for ids beyond 13.
        color = (garment or CATEGORIES[(item.category_id - 1) % len(CATEGORIES)]).color
        numbers = item.keypoints or []
        slots = None if garment is None else own_slots(garment, len(numbers) // 3)
        edges: tuple[tuple[int, int], ...] = ()
        if garment is not None and slots is not None:
            edges = tuple((a - 1, b - 1) for a, b in garment.skeleton)
        elif numbers:  # another dataset's landmarks
            names = category.get("keypoints")
            named = len(names) if isinstance(names, list) else 0
            garment, slots = None, range(min(named, len(numbers) // 3))
            edges = _edges(category.get("skeleton"), len(slots))
        is_rle = isinstance(item.segmentation, Rle)
        return Drawable(
            category_id=item.category_id,
            name=printable(str(category.get("name", f"category {item.category_id}"))),
            garment=garment,
            color=color,
            score=item.score if self._predicted else None,
            box=item.bbox and tuple(to_corners(item.bbox)),
            polygons=() if is_rle else _polygons(item.segmentation),
            rle=item.segmentation.as_json() if is_rle else None,
            landmarks=self._landmarks(numbers, slots or ()),
            edges=edges,
        )

    def _checked(self, annotation: Mapping[str, Any], where: str) -> Any:
        """The annotation as its declaration has it. Raises `CocoFileError`."""
        # A model may have found nothing.
        nothing: tuple[Any, ...] = (None, [], ()) if self._predicted else ()
        names = [n for n in self._fields if n in annotation and annotation[n] not in nothing]
        entry = {name: annotation[name] for name in names}
        mask = entry.get("segmentation")
        if isinstance(mask, dict) and isinstance(mask.get("counts"), bytes):
            entry["segmentation"] = {**mask, "counts": mask["counts"].decode("ascii", "replace")}
        name = misfit(entry, self._fields, _REQUIRED)
        item = None if name else msgspec.convert(entry, self._struct)
        if item is not None and item.bbox and min(item.bbox[2:]) < 0:
            name = "bbox"
        if name is not None:
            text = f"{shown(annotation, name)}, expected {self._fields[name].expected}."
            raise CocoFileError(f"{where}: {name}: {text}")
        return item

    def _landmarks(self, numbers: Sequence[float], slots: Sequence[int]) -> dict[int, Landmark]:
        landmarks = {}
        for number, slot in enumerate(slots):
            x, y, v = numbers[3 * slot : 3 * slot + 3]
            if (x or y) if self._predicted else v > 0:
                landmarks[number] = Landmark(x, y, self._predicted or v == 2)
        return landmarks


def _edges(skeleton: Any, count: int) -> tuple[tuple[int, int], ...]:
    """The edges of a file's skeleton between landmarks that there are, from 0."""
    if not FIELDS["categories"]["skeleton"].fits(skeleton):
        return ()
    inside = range(1, count + 1)
    return tuple((a - 1, b - 1) for a, b in skeleton if a in inside and b in inside)


def _polygons(mask: list[list[float]] | None) -> tuple[tuple[float, ...], ...]:
    # Fewer than three points enclose nothing; the second half of a point may be missing.
    return tuple(tuple(p[: len(p) // 2 * 2]) for p in mask or () if len(p) >= 6)
