"""The ground truth of an evaluation, cut down to the columns that the evaluation needs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import compress
from pathlib import Path
from typing import Any

from df2coco.coco.decoding import find_garments
from df2coco.coco.info import conversion_of
from df2coco.coco.lists import read_parts
from df2coco.coco.reader import Loaded
from df2coco.coco.schema import Rle, check_known, invalid, missing
from df2coco.errors import CocoFileError, OptionError, did_you_mean, shorten
from df2coco.layouts import NUM_AGGREGATED, expected_numbers, own_landmarks, own_slots
from df2coco.limits import SHORTEST_POLYGON
from df2coco.masks import compressed, union_areas, union_masks
from df2coco.taxonomy import NUM_LANDMARKS, Category, same_name


@dataclass(slots=True)
class EntryColumns:
    """Annotations or results, in the order of the file; columns that are not needed stay empty."""

    image_ids: list[int] = field(default_factory=list)
    category_ids: list[int] = field(default_factory=list)
    areas: list[float] = field(default_factory=list)
    """In square pixels: `area` or the OKS scale; of a result its box's, its mask's, or around its landmarks."""
    boxes: list[Any] = field(default_factory=list)
    """For "segm" those of polygons, or in the place of a mask; None where a result has none."""
    segmentations: list[Any] = field(default_factory=list)
    """For "segm": RLEs as {"size", "counts"}, `counts` as text."""
    keypoints: list[list[float]] = field(default_factory=list)
    """For "keypoints": x, y, v of the category's own 8 to 39 landmarks; v is 0 where it does not count."""


@dataclass(slots=True)
class Items(EntryColumns):
    """The annotations."""

    crowds: list[int] = field(default_factory=list)
    """`iscrowd`, 0 or 1."""
    values: list[int] = field(default_factory=list)
    """The attribute `by`; 0 where the file does not have it."""
    labelled: list[int] = field(default_factory=list)
    """For "keypoints": how many landmarks count."""
    shapes: list[int] = field(default_factory=list)
    """For "bbox": equal for equal segmentations and keypoints."""


@dataclass(slots=True)
class GroundTruth:
    """A COCO file as an evaluation needs it."""

    path: Path
    kind: str
    names: dict[int, str]
    """Category id -> name, by id; the id itself where names are missing or not unique."""
    garments: dict[int, Category]
    """Category id -> DeepFashion2's category of that name."""
    sizes: dict[int, tuple[int, int]]
    """Image id -> (width, height) in pixels; 0 where it is missing."""
    images: dict[str, int]
    """file_name -> image id, where images have names."""
    items: Items = field(default_factory=Items)
    ids: list[int] = field(default_factory=list)
    """The annotations' own ids, which the engines do not see: they are numbered anew, from 1."""

    def of_category(self, name: str) -> "GroundTruth":
        """The same with the items of one category, by its name or id. Raises `OptionError` without it."""
        garment = same_name(name) or name
        number = next(
            (n for n, own in self.names.items() if garment in (own, f"{n}", same_name(own))), None
        )
        if number is None:
            known = list(self.names.values())
            text = f"{shorten(name)} is not one of {', '.join(known)}. {did_you_mean(name, known)}"
            raise OptionError(text.strip(), field="category")
        kept = [own == number for own in self.items.category_ids]
        columns = (compress(getattr(self.items, column.name), kept) for column in fields(Items))
        return replace(
            self,
            names={number: self.names[number]},
            garments={n: g for n, g in self.garments.items() if n == number},
            items=Items(*map(list, columns)),
            ids=list(compress(self.ids, kept)),
        )


def read_ground_truth(
    loaded: Loaded,
    kind: str,
    *,
    landmarks: str = "all",
    oks_area: str = "box",
    by: str | None = None,
) -> GroundTruth:
    """The ground truth in a COCO file, of our converter or of another one, for a `kind` of evaluation.

    For "segm" `segmentation` becomes an RLE. For "keypoints" landmarks that do not count have v = 0,
    and `area` is the OKS scale: the box's or, with `oks_area` "mask", the mask's.

    Raises `CocoFileError` when the file cannot be read, or lacks what the evaluation needs.
    """
    counts = (2,) if landmarks == "visible" else (1, 2)
    use = "keypoints of masks" if kind == "keypoints" and oks_area == "mask" else kind
    document, parts = read_parts(loaded, use)
    images = document["images"]
    categories = sorted(document["categories"], key=lambda category: int(category["id"]))
    names = Counter(category.get("name") for category in categories)
    truth = GroundTruth(
        loaded.path,
        kind,
        {
            c["id"]: c["name"] if names[c.get("name")] == 1 and "name" in c else f"{c['id']}"
            for c in categories
        },
        find_garments(categories),
        {i["id"]: (i.get("width", 0), i.get("height", 0)) for i in images},
        {i["file_name"]: i["id"] for i in images if "file_name" in i},
    )
    if kind == "keypoints":
        _check_slots(truth, categories)
    conversion = conversion_of(document.get("info"))
    believed = conversion is not None and conversion.area == "mask"
    reader = _AnnotationsReader(truth, use, counts, by, believed)
    for part in parts:
        reader.take(part)
    if by is not None and not any(truth.items.values):
        text = f"no annotation has {by!r}. Use a file of df2coco convert (no --preset)."
        raise CocoFileError(text, file=loaded.path)
    return truth


def _check_slots(truth: GroundTruth, categories: Sequence[dict[str, Any]]) -> None:
    """Refuse landmarks of other datasets, whose sigmas are not those of garments."""
    if categories and not truth.garments:
        raise _not_ours(truth, categories[0]["id"])
    for category in categories:
        known = truth.garments.get(category["id"])
        slots = len(category.get("keypoints", ()))
        if known is not None and slots and own_slots(known, slots) is None:
            expected = f"{NUM_LANDMARKS}, {NUM_AGGREGATED} or {known.num_landmarks}"
            text = f"{slots} keypoints for {known.name}, expected {expected}."
            raise CocoFileError(text, file=truth.path, field="categories")


def _not_ours(truth: GroundTruth, category_id: int) -> CocoFileError:
    text = f"{shorten(truth.names[category_id])} is not a category of DeepFashion2, so the sigmas of its "
    text += (
        "landmarks are unknown. Name it as DeepFashion2 does, or use its own dataset's evaluation."
    )
    return CocoFileError(text, file=truth.path, field=f"categories, id {category_id}")


@dataclass(slots=True)
class _AnnotationsReader:
    """Takes annotations in, a part of the file at a time."""

    truth: GroundTruth
    use: str
    counts: tuple[int, ...]
    by: str | None
    believed: bool
    """`area` is the mask's, by what the file says of itself."""

    def take(self, part: list[Any]) -> None:
        truth, items = self.truth, self.truth.items
        first = len(truth.ids)
        for name, known in (("image_id", truth.sizes), ("category_id", truth.names)):
            check_known(truth.path, name, [getattr(entry, name) for entry in part], known)
        truth.ids += [entry.id for entry in part]
        items.image_ids += [entry.image_id for entry in part]
        items.category_ids += [entry.category_id for entry in part]
        items.crowds += [entry.iscrowd for entry in part]
        if self.by is not None:
            # Pandas writes 2.0; what is not a whole number is none of the values.
            for value in (getattr(entry, self.by) for entry in part):
                is_whole = type(value) in (int, float) and value % 1 == 0
                items.values.append(int(value) if is_whole else 0)
        if truth.kind == "keypoints":
            for number, entry in enumerate(part, first):
                self._take_landmarks(entry, number)
            items.areas += self._scales(part, first)
        else:
            items.areas += [entry.area for entry in part]
        if truth.kind == "segm":
            sizes = [self._checked_size(entry, n) for n, entry in enumerate(part, first)]
            items.segmentations += as_rles([entry.segmentation for entry in part], sizes)
        else:
            items.boxes += [entry.bbox for entry in part]
        if truth.kind == "bbox":
            items.shapes += [hash((bytes(e.segmentation), bytes(e.keypoints))) for e in part]

    def _take_landmarks(self, item: Any, number: int) -> None:
        category = self.truth.garments.get(item.category_id)
        if category is None:
            raise _not_ours(self.truth, item.category_id)
        own = own_landmarks(item.keypoints, category)
        if own is None:
            text = f"{len(item.keypoints)} numbers, {expected_numbers(category)}"
            where = f"annotations[{number}].keypoints"
            raise CocoFileError(text, file=self.truth.path, field=where)
        own[2::3] = [v if v in self.counts else 0 for v in own[2::3]]
        self.truth.items.keypoints.append(own)
        self.truth.items.labelled.append(len(own) // 3 - own[2::3].count(0))

    def _scales(self, part: list[Any], first: int) -> list[float]:
        """The OKS scales: the masks' areas, or the boxes' where these are not asked for or empty."""
        scales = [entry.bbox[2] * entry.bbox[3] for entry in part]
        if self.use == "keypoints":
            return scales
        if self.believed:
            return [entry.area or box for entry, box in zip(part, scales, strict=True)]
        from pycocotools import mask as coco_mask

        drawn: dict[int, Any] = {}
        for place, entry in enumerate(part):
            mask = entry.segmentation
            size = self._checked_size(entry, first + place) if mask else None
            if isinstance(mask, Rle):
                scales[place] = int(coco_mask.area(compressed(mask.as_json()))) or scales[place]
            elif mask:
                drawn[place] = mask, size
        areas = union_areas(*zip(*drawn.values(), strict=True)) if drawn else []
        for place, area in zip(drawn, areas, strict=True):
            scales[place] = area or scales[place]
        return scales

    def _checked_size(self, item: Any, number: int) -> tuple[int, int]:
        """The (width, height) of the item's image, in which its mask can be drawn."""
        path, entry = self.truth.path, f"annotations[{number}]"
        size = self.truth.sizes[item.image_id]
        if item.segmentation == []:
            raise missing(path, entry, "segmentation", "an empty list")
        fault = misfit_of_mask(item.segmentation, size)
        if fault:
            raise invalid(path, f"{entry}.segmentation", fault)
        return size


def misfit_of_mask(mask: list[list[float]] | Rle | None, size: tuple[int, int]) -> str:
    """Why a mask cannot be drawn in an image of (width, height); "" when it can."""
    if isinstance(mask, Rle):
        fits = mask.size == size[::-1]
    else:
        if mask and (len(mask[0]), len(mask)) == size:
            return "a mask as rows of pixels, expected an RLE: pycocotools.mask.encode makes one."
        fits = bool(mask) and min(map(len, mask or ())) >= SHORTEST_POLYGON
        if fits and not all(size):
            return "polygons in an image without size."
    return "" if fits else no_mask(mask, size)


def no_mask(mask: list[list[float]] | Rle | None, size: tuple[int, int]) -> str:
    """The fault of what is not a mask of an image of (width, height)."""
    value = shorten(mask.as_json() if isinstance(mask, Rle) else mask)
    width, height = size
    expected = f"an RLE of size [{height}, {width}] (height, width) or polygons of 3 points or more"
    if isinstance(mask, Rle) and str(mask.counts).startswith("b'"):
        expected += ". Its counts are bytes written as text: write counts.decode()"
    if not isinstance(mask, Rle) and {*map(len, mask or ())} == {2}:
        expected += " without brackets around each: [[x1, y1, x2, y2, ...]]"
    return f"{'missing' if mask is None else value}, expected {expected}."


def as_rles(
    masks: Sequence[list[list[float]] | Rle], sizes: Sequence[tuple[int, int]]
) -> list[dict[str, Any]]:
    """Masks of images of (width, height) as RLEs with text for their counts."""
    polygons = [(m, s) for m, s in zip(masks, sizes, strict=True) if not isinstance(m, Rle)]
    drawn = iter(union_masks([mask for mask, _ in polygons], [size for _, size in polygons]))
    rles = [compressed(m.as_json()) if isinstance(m, Rle) else next(drawn) for m in masks]
    return [r if type(r["counts"]) is str else {**r, "counts": r["counts"].decode()} for r in rles]
