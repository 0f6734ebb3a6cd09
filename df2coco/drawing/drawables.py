"""What of an annotation or of a model's result can be drawn: checked numbers, and the landmarks that count."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from df2coco.boxes import to_corners
from df2coco.coco.decoding import find_garments
from df2coco.coco.results import RESULTS
from df2coco.coco.schema import FIELDS, Field, Rle, misfit, struct_of
from df2coco.errors import CocoFileError, printable, shown
from df2coco.layouts import own_slots
from df2coco.limits import SHORTEST_POLYGON
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
            if self.rle:
                box = self.box or (0, 0, *self.rle["size"][::-1])
                corners += [box[:2], box[2:]]
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


_REQUIRED: Final = ("category_id",)
_DRAWN: Final = FIELDS["annotations"]
_PREDICTED: Final = {
    # What an evaluation asks of a mask and of landmarks by the ground truth is asked of each here.
    name: replace(rule, also=_DRAWN.get(name, rule).also)
    for name, rule in (RESULTS["segm"] | RESULTS["keypoints"]).items()
    if name != "image_id"
}
"""What the fields of annotations and of results must be."""


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
    entries = list(categories)
    by_id, garments = {entry.get("id"): entry for entry in entries}, find_garments(entries)
    what, fields = ("result", _PREDICTED) if predicted else ("annotation", _DRAWN)
    struct = struct_of(fields, _REQUIRED)
    drawables = []
    for at, annotation in enumerate(annotations, start=1):
        item = _checked(annotation, fields, struct, f"{where}{what} {annotation.get('id', at)}")
        category, garment = by_id.get(item.category_id, {}), garments.get(item.category_id)
        # Over and over for ids beyond 13.
        color = (garment or CATEGORIES[(item.category_id - 1) % len(CATEGORIES)]).color
        numbers = item.keypoints or []
        slots = own_slots(garment, len(numbers) // 3) if garment else None
        skeleton: Any = garment and garment.skeleton
        if slots is None:  # another dataset's landmarks
            names, skeleton = category.get("keypoints"), category.get("skeleton")
            named = len(names) if isinstance(names, list) else 0
            slots = range(min(named, len(numbers) // 3))
            garment = None if numbers else garment
            skeleton = skeleton if FIELDS["categories"]["skeleton"].fits(skeleton) else ()
        points = ((n, numbers[3 * slot : 3 * slot + 3]) for n, slot in enumerate(slots))
        inside = range(1, len(slots) + 1)
        mask: Any = item.segmentation or ()
        rle, polygons = (mask.as_json(), ()) if isinstance(mask, Rle) else (None, mask)
        drawables.append(
            Drawable(
                category_id=item.category_id,
                name=printable(str(category.get("name", f"category {item.category_id}"))),
                garment=garment,
                color=color,
                score=item.score if predicted else None,
                box=item.bbox and tuple(to_corners(item.bbox)),
                # A last y may be missing.
                polygons=tuple(
                    tuple(p[: len(p) // 2 * 2]) for p in polygons if len(p) >= SHORTEST_POLYGON
                ),
                rle=rle,
                landmarks={
                    number: Landmark(x, y, predicted or v == 2)
                    for number, (x, y, v) in points
                    if (x or y if predicted else v > 0)
                },
                edges=tuple((a - 1, b - 1) for a, b in skeleton if a in inside and b in inside),
            )
        )

    def size(drawable: Drawable) -> float:
        x1, y1, x2, y2 = drawable.extent(PARTS) or (0, 0, 0, 0)
        return (x2 - x1) * (y2 - y1)

    return sorted(drawables, key=size, reverse=True)


def _checked(
    annotation: Mapping[str, Any], fields: Mapping[str, Field], struct: type[Any], where: str
) -> Any:
    """The annotation as its declaration has it. Raises `CocoFileError`."""
    # A model may have found nothing.
    nothing: tuple[Any, ...] = (None, [], ()) if fields is _PREDICTED else ()
    entry = {n: annotation[n] for n in fields if n in annotation and annotation[n] not in nothing}
    mask = entry.get("segmentation")
    if isinstance(mask, dict) and isinstance(mask.get("counts"), bytes):
        entry["segmentation"] = {**mask, "counts": mask["counts"].decode("ascii", "replace")}
    name = misfit(entry, fields, _REQUIRED)
    item = None if name else msgspec.convert(entry, struct)
    if item is not None and item.bbox and min(item.bbox[2:]) < 0:
        name = "bbox"
    if name is not None:
        text = f"{shown(annotation, name)}, expected {fields[name].expected}."
        raise CocoFileError(f"{where}: {name}: {text}")
    return item
