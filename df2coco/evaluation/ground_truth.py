"""The ground truth of an evaluation, cut down to the columns that the evaluation needs."""

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from df2coco.boxes import Box
from df2coco.coco.decoding import find_garments
from df2coco.coco.info import conversion_of
from df2coco.coco.lists import read_parts
from df2coco.coco.reader import Loaded
from df2coco.coco.schema import Rle, invalid, missing, unknown_id
from df2coco.errors import CocoFileError, OptionError, did_you_mean, shorten
from df2coco.layouts import NUM_AGGREGATED, expected_numbers, own_landmarks, own_slots
from df2coco.masks import compressed, union_areas, union_mask
from df2coco.taxonomy import NUM_LANDMARKS, Category, same_name


@dataclass(slots=True)
class Items:
    """The annotations as columns, in the order of the file; those that are not needed stay empty."""

    image_ids: list[int] = field(default_factory=list)
    category_ids: list[int] = field(default_factory=list)
    crowds: list[int] = field(default_factory=list)
    """`iscrowd`, 0 or 1."""
    areas: list[float] = field(default_factory=list)
    """`area`, or the OKS scale, in square pixels."""
    values: list[int] = field(default_factory=list)
    """The attribute `by`; 0 where the file does not have it."""
    boxes: list[Box] = field(default_factory=list)
    """For "bbox" and "keypoints"."""
    segmentations: list[Any] = field(default_factory=list)
    """For "segm": RLEs as {"size", "counts"}, `counts` as text."""
    keypoints: list[list[float]] = field(default_factory=list)
    """For "keypoints": x, y, v of the category's own 8 to 39 landmarks; v is 0 where it does not count."""
    labelled: list[int] = field(default_factory=list)
    """For "keypoints": how many landmarks count."""
    shapes: list[int] = field(default_factory=list)
    """For "bbox": equal for equal segmentations and keypoints."""


@dataclass(slots=True)
class GroundTruth:
    """A COCO file as an evaluation needs it."""

    path: Path
    names: dict[int, str] = field(default_factory=dict)
    """Category id -> name, by id; the id itself where names are missing or not unique."""
    garments: dict[int, Category] = field(default_factory=dict)
    """Category id -> DeepFashion2's category of that name."""
    sizes: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Image id -> (width, height) in pixels; 0 where it is missing."""
    images: dict[str, int] = field(default_factory=dict)
    """file_name -> image id, where images have names."""
    items: Items = field(default_factory=Items)
    ids: list[int] = field(default_factory=list)
    """The annotations' own ids, which the engines do not see: they are numbered anew, from 1."""

    def of_category(self, name: str) -> "GroundTruth":
        """The same with the items of one category, by its name or id. Raises `OptionError` without it."""
        garment = same_name(name)
        for number, own in self.names.items():
            if name in (own, f"{number}") or (garment is not None and same_name(own) == garment):
                break
        else:
            known = list(self.names.values())
            text = f"{shorten(name)} is not one of {', '.join(known)}. {did_you_mean(name, known)}"
            raise OptionError(text.strip(), field="category")
        kept = [own == number for own in self.items.category_ids]
        columns = {f.name: getattr(self.items, f.name) for f in fields(Items)}
        items = Items(**{n: list(itertools.compress(c, kept)) for n, c in columns.items()})
        return replace(
            self,
            names={number: self.names[number]},
            garments={n: g for n, g in self.garments.items() if n == number},
            items=items,
            ids=list(itertools.compress(self.ids, kept)),
        )


def read_ground_truth(
    source: Loaded,
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
    reader = _TruthReader(GroundTruth(source.path), use, counts, by)
    document, parts = read_parts(source, reader.use)
    reader.start(document)
    for part in parts:
        reader.take(part)
    return reader.truth


class _TruthReader:
    """Takes a file in: all but the annotations first, and these a part at a time."""

    def __init__(
        self, truth: GroundTruth, use: str, counts: tuple[int, ...], by: str | None
    ) -> None:
        self.truth = truth
        self.use = use
        self._counts = counts
        self._by = by
        self._believed = False
        """`area` is the mask's, by what the file says of itself."""

    def start(self, document: dict[str, Any]) -> None:
        """Take in images and categories."""
        truth = self.truth
        truth.sizes = {i["id"]: (i.get("width", 0), i.get("height", 0)) for i in document["images"]}
        truth.images = {i["file_name"]: i["id"] for i in document["images"] if "file_name" in i}
        categories = sorted(document["categories"], key=lambda category: int(category["id"]))
        names = Counter(category.get("name") for category in categories)
        truth.names = {
            c["id"]: c["name"] if names[c.get("name")] == 1 and "name" in c else f"{c['id']}"
            for c in categories
        }
        truth.garments = find_garments(categories)
        if self.use.startswith("keypoints"):
            _check_slots(truth, categories)
        conversion = conversion_of(document.get("info"))
        self._believed = conversion is not None and conversion.area == "mask"

    def take(self, part: list[Any]) -> None:
        """Take in annotations."""
        first = len(self.truth.ids)
        items = self.truth.items
        self._check_known(part)
        self.truth.ids += [each.id for each in part]
        items.image_ids += [each.image_id for each in part]
        items.category_ids += [each.category_id for each in part]
        items.crowds += [each.iscrowd for each in part]
        if self._by is not None:
            items.values += [_whole(getattr(each, self._by)) for each in part]
        if self.use != "segm":
            items.boxes += [each.bbox for each in part]
        if self.use in ("bbox", "segm"):
            items.areas += [each.area for each in part]
        if self.use == "bbox":
            items.shapes += [hash((bytes(e.segmentation), bytes(e.keypoints))) for e in part]
        elif self.use == "segm":
            for number, each in enumerate(part, first):
                items.segmentations.append(self._mask(each, number))
        else:
            for number, each in enumerate(part, first):
                self._take_landmarks(each, number)
            items.areas += self._scales(part, first)

    def _check_known(self, part: list[Any]) -> None:
        for name, known in (("image_id", self.truth.sizes), ("category_id", self.truth.names)):
            unknown = {getattr(each, name) for each in part} - known.keys()
            if unknown:
                raise unknown_id(name, min(unknown), self.truth.path)

    def _take_landmarks(self, item: Any, number: int) -> None:
        category = self.truth.garments.get(item.category_id)
        if category is None:
            raise _not_ours(self.truth, item.category_id)
        own = own_landmarks(item.keypoints, category)
        if own is None:
            text = f"{len(item.keypoints)} numbers, {expected_numbers(category)}"
            raise CocoFileError(
                text, file=self.truth.path, field=f"annotations[{number}].keypoints"
            )
        own[2::3] = [v if v in self._counts else 0 for v in own[2::3]]
        self.truth.items.keypoints.append(own)
        self.truth.items.labelled.append(len(own) // 3 - own[2::3].count(0))

    def _scales(self, part: list[Any], first: int) -> list[float]:
        """The OKS scales: the masks' areas, or the boxes' where these are not asked for or empty."""
        scales = [each.bbox[2] * each.bbox[3] for each in part]
        if self.use == "keypoints":
            return scales
        measured: dict[int, float] = {}
        drawn: list[int] = []
        for place, each in enumerate(part):
            if self._believed:
                measured[place] = each.area
            elif isinstance(each.segmentation, Rle):
                from pycocotools import mask as coco_mask

                measured[place] = int(coco_mask.area(self._mask(each, first + place)))
            elif each.segmentation:
                self._check_polygons(each, first + place)
                drawn.append(place)
        segmentations = [part[place].segmentation for place in drawn]
        sizes = [self.truth.sizes[part[place].image_id] for place in drawn]
        measured.update(zip(drawn, union_areas(segmentations, sizes), strict=True))
        return [measured.get(place, 0) or box for place, box in enumerate(scales)]

    def _mask(self, item: Any, number: int) -> dict[str, Any]:
        self._check_polygons(item, number)
        return compress(item.segmentation, *self.truth.sizes[item.image_id])

    def _check_polygons(self, item: Any, number: int) -> None:
        width, height = self.truth.sizes[item.image_id]
        segmentation, entry = item.segmentation, f"annotations[{number}]"
        if segmentation == []:
            raise missing(self.truth.path, entry, "segmentation", "an empty list")
        if isinstance(segmentation, Rle):
            fits = segmentation.size == (height, width)
            rle = shorten(segmentation.as_json())
            text = f"{rle}, expected an RLE of size [{height}, {width}]."
        else:
            fits = bool(min(map(len, segmentation)) >= 6 and width and height)
            text = "no polygons of 3 points in an image of known size."
        if not fits:
            raise invalid(self.truth.path, f"{entry}.segmentation", text)


def _whole(value: Any) -> int:
    """An attribute that may be written as 2.0; 0 for what is not a whole number."""
    if type(value) is float and value.is_integer():
        return int(value)
    return value if type(value) is int else 0


def _not_ours(truth: GroundTruth, category_id: int) -> CocoFileError:
    return CocoFileError(
        f"{truth.names[category_id]!r} is not a category of DeepFashion2, so the sigmas of its landmarks "
        "are unknown. Name it as DeepFashion2 does, or score it with its own dataset's evaluation.",
        file=truth.path,
        field=f"categories, id {category_id}",
    )


def _check_slots(truth: GroundTruth, categories: Sequence[dict[str, Any]]) -> None:
    """Refuse landmarks of other datasets, whose sigmas are not those of garments."""
    if categories and not truth.garments:
        raise _not_ours(truth, categories[0]["id"])
    for category in categories:
        known = truth.garments.get(category["id"])
        slots = len(category.get("keypoints", ()))
        if known is not None and slots and own_slots(known, slots) is None:
            raise CocoFileError(
                f"{slots} keypoints for {known.name}, expected {NUM_LANDMARKS}, {NUM_AGGREGATED} or "
                f"{known.num_landmarks}.",
                file=truth.path,
                field="categories",
            )


def compress(segmentation: list[list[float]] | Rle, width: int, height: int) -> dict[str, Any]:
    """A mask as an RLE with text for its counts."""
    if isinstance(segmentation, Rle):
        mask = compressed(segmentation.as_json())
    else:
        mask = union_mask(segmentation, width, height)
    counts = mask["counts"]
    return {"size": mask["size"], "counts": counts if type(counts) is str else counts.decode()}
