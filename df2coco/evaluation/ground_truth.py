"""The ground truth of an evaluation, cut down to what the evaluation needs."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, cast

from df2coco.coco.lists import read_annotations
from df2coco.coco.schema import USES, UseName, check_fields
from df2coco.errors import CocoFileError
from df2coco.masks import union_mask
from df2coco.taxonomy import ATTRIBUTES, CATEGORY_BY_ID, NUM_LANDMARKS

__all__ = [
    "Annotation",
    "GroundTruth",
    "Item",
    "own_landmarks",
    "read_ground_truth",
    "run_length_encoded",
]

Annotation: TypeAlias = dict[str, Any]
"""A COCO annotation whose `keypoints` are only the category's own: 8 to 39 times x, y, v."""


class Item(NamedTuple):
    """One item of the ground truth."""

    annotation: Annotation
    values: dict[str, int]
    """Its attributes, as far as the file has them: scale, occlusion, zoom_in, viewpoint."""


@dataclass(slots=True)
class GroundTruth:
    """A COCO file as an evaluation needs it. Annotations are numbered anew, from 1."""

    path: Path
    names: dict[int, str] = field(default_factory=dict)
    """Category id -> name, by id; the id itself where names are missing or not unique."""
    sizes: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Image id -> (width, height) in pixels."""
    items: dict[int, list[Item]] = field(default_factory=dict)
    """Category id -> its items, in the order of the file."""

    @property
    def num_items(self) -> int:
        return sum(map(len, self.items.values()))


def own_landmarks(keypoints: Sequence[Any], category_id: int) -> Sequence[Any] | None:
    """Of all slots' x, y, v those of the category itself; None when there are too many or too few.

    There may be 294 slots (the unified layout) or just the category's own 8 to 39.
    """
    category = CATEGORY_BY_ID[category_id]
    if len(keypoints) == 3 * NUM_LANDMARKS:
        return keypoints[3 * category.slots.start : 3 * category.slots.stop]
    return keypoints if len(keypoints) == 3 * category.num_landmarks else None


def read_ground_truth(
    path: Path, kind: str, *, landmarks: str = "all", oks_area: str = "box"
) -> GroundTruth:
    """The ground truth in a COCO file, of our converter or of another one, for a `kind` of evaluation.

    For "segm" `segmentation` becomes an RLE. For "keypoints" landmarks that do not count have v = 0,
    and `area` is the OKS scale: the box's or, with `oks_area` "mask", the mask's.

    Raises `CocoFileError` when the file cannot be read, or lacks what the evaluation needs.
    """
    truth = GroundTruth(path)
    reader = _Reader(path, kind, landmarks, oks_area)
    rest = read_annotations(path, reader.take)
    check_fields(rest, path)
    truth.sizes = {i["id"]: (i.get("width", 0), i.get("height", 0)) for i in rest["images"]}
    categories = sorted(rest["categories"], key=lambda category: int(category["id"]))
    names = Counter(category.get("name") for category in categories)
    truth.names = {
        c["id"]: c["name"] if names[c.get("name")] == 1 and "name" in c else f"{c['id']}"
        for c in categories
    }
    truth.items = {category_id: reader.items.get(category_id, []) for category_id in truth.names}
    if kind == "keypoints":
        _check_slots(truth, categories)
    for name, used, known in (
        ("image_id", reader.image_ids, truth.sizes),
        ("category_id", reader.items, truth.names),
    ):
        unknown = sorted(used - known.keys())
        if unknown:
            raise CocoFileError(
                f"{path}: annotations: {name} {unknown[0]} is of none of the file. "
                "df2coco validate tells all that is wrong."
            )
    if kind == "segm":
        _draw_masks(truth, measure=False)
    elif oks_area == "mask" and _area_kind(rest) != "mask":
        _draw_masks(truth, measure=True)
    return truth


def _area_kind(document: dict[str, Any]) -> Any:
    """What `area` is in a file of our converter: "mask" or "box"."""
    info = document.get("info")
    ours = info.get("df2coco") if isinstance(info, dict) else None
    return ours.get("area") if isinstance(ours, dict) else None


def _check_slots(truth: GroundTruth, categories: Sequence[dict[str, Any]]) -> None:
    for category in categories:
        known = CATEGORY_BY_ID.get(category["id"])
        slots = len(category.get("keypoints", ()))
        if known is None:
            raise CocoFileError(
                f"{truth.path}: categories: id {category['id']} is none of DeepFashion2's 1 to 13, "
                "so its landmarks are unknown."
            )
        if slots not in (0, known.num_landmarks, NUM_LANDMARKS):
            raise CocoFileError(
                f"{truth.path}: categories: {slots} keypoints for {known.name}, expected "
                f"{NUM_LANDMARKS} or {known.num_landmarks}."
            )


class _Reader:
    """Takes annotations in, a part of the file at a time."""

    def __init__(self, path: Path, kind: str, landmarks: str, oks_area: str) -> None:
        self.items: dict[int, list[Item]] = {}
        self.image_ids: set[int] = set()
        self._path = path
        self._kind = kind
        of_masks = kind == "keypoints" and oks_area == "mask"
        self._use: UseName = "keypoints of masks" if of_masks else cast("UseName", kind)
        self._needs = USES[self._use].required
        self._counts = (2,) if landmarks == "visible" else (1, 2)
        self._taken = 0

    def take(self, part: list[dict[str, Any]]) -> None:
        check_fields({"annotations": part}, self._path, self._use, first=self._taken)
        for number, found in enumerate(part, start=self._taken):
            annotation = {
                "id": number + 1,
                "image_id": found["image_id"],
                "category_id": found["category_id"],
                "iscrowd": found.get("iscrowd", 0),
            }
            annotation.update((name, found[name]) for name in self._needs)
            if "area" not in annotation:
                annotation["area"] = found["bbox"][2] * found["bbox"][3]
            if "keypoints" in annotation:
                self._choose_landmarks(annotation, number)
            if "segmentation" in annotation:
                annotation["segmentation"] = _packed(annotation["segmentation"])
            values = {name: found[name] for name in ATTRIBUTES if type(found.get(name)) is int}
            self.image_ids.add(annotation["image_id"])
            self.items.setdefault(annotation["category_id"], []).append(Item(annotation, values))
        self._taken += len(part)

    def _choose_landmarks(self, annotation: Annotation, number: int) -> None:
        where = f"{self._path}: annotations[{number}]"
        category_id, keypoints = annotation["category_id"], annotation["keypoints"]
        if category_id not in CATEGORY_BY_ID:
            raise CocoFileError(f"{where}.category_id: {category_id} is none of 1 to 13.")
        own = own_landmarks(keypoints, category_id)
        if own is None:
            expected = f"{3 * NUM_LANDMARKS} or {3 * CATEGORY_BY_ID[category_id].num_landmarks}"
            raise CocoFileError(
                f"{where}.keypoints: {len(keypoints)} numbers, expected {expected}."
            )
        own = list(own)
        own[2::3] = [v if v in self._counts else 0 for v in own[2::3]]
        annotation["keypoints"] = own
        annotation["num_keypoints"] = len(own) // 3 - own[2::3].count(0)


def _packed(segmentation: Any) -> Any:
    """Polygons as arrays, which take a quarter of the memory of lists; an RLE as it is."""
    if isinstance(segmentation, dict):
        return segmentation
    return [array("d", polygon) for polygon in segmentation]


def _draw_masks(truth: GroundTruth, *, measure: bool) -> None:
    """Polygons become RLEs; or, to `measure`, give `area` the pixels of their union and go."""
    for items in truth.items.values():
        for item in items:
            annotation = item.annotation
            segmentation = annotation["segmentation"]
            width, height = truth.sizes[annotation["image_id"]]
            if isinstance(segmentation, list) and (
                not segmentation or min(map(len, segmentation)) < 6 or not width or not height
            ):
                raise CocoFileError(
                    f"{truth.path}: annotations[{annotation['id'] - 1}].segmentation: no polygons of 3 "
                    "points in an image of known size. df2coco validate tells all that is wrong."
                )
            mask = run_length_encoded(segmentation, width, height)
            if measure:
                from pycocotools import mask as coco_mask

                annotation["area"] = int(coco_mask.area(mask))
                del annotation["segmentation"]
            else:
                annotation["segmentation"] = mask


def run_length_encoded(segmentation: Any, width: int, height: int) -> dict[str, Any]:
    """Polygons, or an RLE with its counts as a list, as a compressed RLE with text for its counts."""
    mask: dict[str, Any]
    if isinstance(segmentation, list):
        mask = union_mask(segmentation, width, height)
    elif isinstance(segmentation["counts"], str):
        return {"size": segmentation["size"], "counts": segmentation["counts"]}
    else:
        from pycocotools import mask as coco_mask

        mask = coco_mask.frPyObjects(segmentation, *segmentation["size"])
    return {"size": mask["size"], "counts": mask["counts"].decode()}
