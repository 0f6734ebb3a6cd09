"""The inverse of a conversion: a COCO file becomes the dataset's annotation files again.

What the file does not hold cannot come back; it is reported before anything is written.
"""

import json
import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from df2coco.coco.info import Conversion, conversion_of
from df2coco.coco.lists import read_parts
from df2coco.coco.schema import Rle, invalid
from df2coco.errors import CocoFileError, FaultError, OutputError, shorten
from df2coco.layouts import expected_numbers, own_landmarks
from df2coco.outputs import Outputs, check_folder
from df2coco.parser.annotation import find_image_id, is_item_key
from df2coco.progress import Progress, no_progress
from df2coco.taxonomy import ATTRIBUTES, CATEGORY_BY_ID, Category


@dataclass(frozen=True)
class Restored:
    """What came back.

    - files: Annotation files that were written.
    - items: Items in them.
    - losses: What the COCO file could not give back, a sentence each.
    - strangers: Other annotation files in the same folder.
    """

    files: int
    items: int
    losses: tuple[str, ...]
    strangers: int


def restore(
    path: str | Path,
    folder: str | Path,
    *,
    force: bool = False,
    report_loss: Callable[[str], None] | None = None,
    progress: Progress = no_progress,
) -> Restored:
    """Write the annotation files (000001.json, ...) that the COCO file at `path` was made of to `folder`.

    `report_loss` gets each sentence of `Restored.losses` before anything is written; `progress` is called as
    `Progress` says. With `force` a folder with files in it is written to: files of the same
    names are replaced, others stay.

    All numbers come back with their values; polygons of integers alone or of floats alone also as such.
    Elsewhere 12 and 12.0 may take each other's place: in landmarks, boxes, and polygons of both kinds
    (a landmark of -0.0 comes back as 0).

    Raises `CocoFileError` when no annotation files can be made of the file, `OutputError` when the
    folder cannot be written to. Nothing has been written then.
    """
    path, folder = Path(path), Path(folder)
    remedy = "Name another folder, or pass --force to replace files of the same names."
    check_folder(folder, replace=force, remedy=remedy)
    holders = os.path.realpath(path.parent), os.path.dirname(os.path.realpath(path))
    if os.path.realpath(folder) in holders:
        raise OutputError(f"holds {path.name} itself. Name another folder.", file=folder)
    progress(f"reading {path.name}", 0, 0)
    collected = _Collector(path)
    document, parts = read_parts(path, "restore")
    _check_head(path, document)
    for part in parts:
        collected.take(part)
    texts = _make_texts(document["images"], collected)
    losses = tuple(_losses(conversion_of(document.get("info")), collected.counts))
    if report_loss is not None:
        for sentence in losses:
            report_loss(sentence)
    with Outputs() as outputs:
        work = outputs.folder(folder)
        for number, (name, text) in enumerate(texts.items(), start=1):
            (work / name).write_bytes(text.encode())
            if number % 256 == 0 or number == len(texts):
                progress("writing annotation files", number, len(texts))
    strangers = sum(n.endswith(".json") and n not in texts for n in os.listdir(folder))
    return Restored(len(texts), collected.counts["items"], losses, strangers)


_SUBSETS: Final = {
    "categories": "items of chosen categories",
    "exclude": "items of chosen categories",
    "where": "items of chosen values",
    "only": "items of one source",
    "listed": "images of a list",
    "limit": "the first images",
    "sample": "images of a sample",
    "part": "images of one part",
}
"""Field of `Conversion` -> what it left in the file."""


def _losses(made: Conversion | None, counts: Counter[str]) -> Iterable[str]:
    if made:
        yield "what the conversion repaired or left out stays so (convert --report FILE lists it)"
    if made and made.landmarks == "visible":
        yield "occluded landmarks were left out (--landmarks visible) and come back as not labelled"
    if made and made.merged:
        yield "the file was merged: a pair_id that stood in several files was numbered anew"
    for name, what in _SUBSETS.items():
        if getattr(made, name, None):
            yield f"only {what} are in the file (a subset); the others are missing"
    lacking = [name for name in ("source", "pair_id", "style", *ATTRIBUTES) if not counts[name]]
    if lacking and counts["annotations"] and not made:
        yield f"the file has no {', '.join(lacking)}: the annotation files will lack them"
    for name, sentence in _COUNTED.items():
        if counts[name]:
            yield f"{counts[name]:,} {sentence}"


_COUNTED: Final = {
    "unnamed": "items have no names of their own in the file: named in the dataset's order",
    "named by id": "images have file names that are not their ids: files are named by the ids",
    "outside": "annotations have landmarks outside their category's slots: left out",
    "crowds": "annotations are crowds (iscrowd 1), which the dataset does not have",
    "other pair_id": "annotations have another pair_id than their image: the first one counts",
    "without image": "annotations belong to no image of the file and are left out",
}
"""What was counted -> what to say of it."""


_ALONE: Final = "Annotation files have DeepFashion2's categories alone."


@dataclass
class _Collector:
    """Turns annotations into items as they are read: `images` often comes after them."""

    path: Path
    items: dict[int, list[tuple[Any, str]]] = field(default_factory=dict)
    """Image id -> name (None where the file has none) and JSON of its items, in the file's order."""
    pair_ids: dict[int, int] = field(default_factory=dict)
    """Image id -> the pair_id of its annotations."""
    counts: Counter[str] = field(default_factory=Counter)

    def take(self, part: list[Any]) -> None:
        for number, annotation in enumerate(part, self.counts["annotations"]):
            image_id, pair_id = annotation.image_id, annotation.pair_id
            try:
                text = json.dumps(self._item(annotation))
            except FaultError as fault:
                field = f"annotations[{number}].{fault.field}"
                raise CocoFileError(fault.text, file=self.path, field=field) from None
            self.items.setdefault(image_id, []).append((annotation.item, text))
            if pair_id is not None and self.pair_ids.setdefault(image_id, pair_id) != pair_id:
                self.counts["other pair_id"] += 1
        self.counts["annotations"] += len(part)

    def _item(self, annotation: Any) -> dict[str, Any]:
        """An item in the dataset's order of keys."""
        category = CATEGORY_BY_ID.get(annotation.category_id)
        if category is None:
            text = f"{annotation.category_id} is none of DeepFashion2's 1 to 13. {_ALONE}"
            raise FaultError("category_id", text)
        whole = annotation.item is not None  # written by us, with all numbers as floats
        item = {
            "segmentation": _segmentation(annotation, whole),
            "scale": annotation.scale,
            "viewpoint": annotation.viewpoint,
            "zoom_in": annotation.zoom_in,
            "landmarks": self._landmarks(annotation.keypoints, category),
            "style": annotation.style,
            "bounding_box": _corners(annotation, whole),
            "category_id": category.id,
            "occlusion": annotation.occlusion,
            "category_name": category.name,
        }
        self.counts["crowds"] += annotation.iscrowd
        self.counts.update(name for name in ("style", *ATTRIBUTES) if item[name] is not None)
        return {name: value for name, value in item.items() if value is not None}

    def _landmarks(self, keypoints: list[float], category: Category) -> list[float]:
        own = own_landmarks(keypoints, category)
        if own is None:
            raise FaultError("keypoints", f"{len(keypoints)} numbers, {expected_numbers(category)}")
        labelled = len(keypoints) // 3 - keypoints[2::3].count(0)
        if labelled > len(own) // 3 - own[2::3].count(0):
            self.counts["outside"] += 1
        return own if type(sum(own)) is int else list(map(_whole, own))


def _whole(number: float) -> float:
    """An integer, where it is one and a float says no more (-0.0 does)."""
    whole = int(number)
    return whole if whole == number and (whole or math.copysign(1, number) > 0) else number


def _segmentation(annotation: Any, whole: bool) -> list[list[float]]:
    polygons: list[list[float]] | Rle = annotation.segmentation
    if isinstance(polygons, Rle):
        text = "an RLE, but annotation files have polygons. Write polygons."
        raise FaultError("segmentation", text)
    if not whole:
        return polygons
    floats = annotation.float_polygons or []
    return [
        list(map(int, polygon))
        if number not in floats and all(map(float.is_integer, map(float, polygon)))
        else polygon
        for number, polygon in enumerate(polygons)
    ]


def _corners(annotation: Any, whole: bool) -> list[float]:
    x, y, width, height = annotation.bbox
    corners = [x, y, _end(x, width), _end(y, height)]
    if not whole:
        return corners
    integers = list(map(_whole, corners))
    # The area of a whole box is a float only where the box was written with floats.
    floats = type(annotation.area) is float and all(type(n) is int for n in integers)
    return corners if floats else integers


def _end(start: float, length: float) -> float:
    """The number which, less `start`, is `length` to the last digit: a conversion subtracts them."""
    end = start + length
    nearby = (end, math.nextafter(end, math.inf), math.nextafter(end, -math.inf))
    exact = [number for number in nearby if number - start == length]
    return next((n for n in exact if n == int(n)), exact[0] if exact else end)


TOP_LEVEL_ORDER: Final = [
    keys.split()
    for keys in (
        "",
        "source pair_id item1",
        "item2 source pair_id item1",
        "item2 source pair_id item1 item3",
        "item2 item3 item1 item4 source pair_id",
        "item2 item3 item1 item4 item5 source pair_id",
        "item2 item3 item1 item6 item4 item5 source pair_id",
        "item2 item3 item1 item6 item7 item4 item5 source pair_id",
        "item8 item2 item3 item1 item6 item7 item4 item5 source pair_id",
    )
]
"""By the number of items, the order of an annotation file's keys: that of a dict in Python 2."""


def _make_texts(images: Sequence[dict[str, Any]], collected: _Collector) -> dict[str, str]:
    """File name -> text of each annotation file."""
    path = collected.path
    if not images:
        raise CocoFileError("has no images, so there is nothing to restore.", file=path)
    texts: dict[str, str] = {}
    for number, image in enumerate(images):
        image_id = image["id"]
        if find_image_id(f"{image_id:06d}") is None:
            text = f"{image_id} cannot name an annotation file. Number the images from 1."
            raise CocoFileError(text, file=path, field=f"images[{number}].id")
        stem = os.path.splitext(os.path.basename(image.get("file_name", "")))[0]
        if find_image_id(stem) != image_id:
            stem = f"{image_id:06d}"
            collected.counts["named by id"] += 1
        if f"{stem}.json" in texts:
            raise invalid(path, f"images[{number}].id", f"{image_id} is there twice.")
        texts[f"{stem}.json"] = _text(image, collected)
    collected.counts["without image"] = sum(map(len, collected.items.values()))
    return texts


def _text(image: dict[str, Any], collected: _Collector) -> str:
    items = collected.items.pop(image["id"], [])
    names = [name for name, _ in items]
    order = TOP_LEVEL_ORDER[len(names)] if len(names) < len(TOP_LEVEL_ORDER) else []
    named = all(type(name) is str and is_item_key(name) for name in names)
    if not named or len(set(names)) < len(names):
        collected.counts["unnamed"] += len(names)
        numbered = [f"item{n + 1}" for n in range(len(names))]
        names = [name for name in order or numbered if name.startswith("item")]
    source, pair_id = image.get("source"), image.get("pair_id")
    pair_id = collected.pair_ids.get(image["id"]) if pair_id is None else pair_id
    head = {"source": source, "pair_id": pair_id}
    head = {key: json.dumps(value) for key, value in head.items() if value is not None}
    collected.counts.update(head.keys())
    collected.counts["items"] += len(items)
    values = head | dict(zip(names, (text for _, text in items), strict=True))
    if not names or [key for key in order if key in values and key not in head] != names:
        order = ["source", "pair_id", *map(str, names)]
    return "{" + ", ".join(f'"{key}": {values[key]}' for key in order if key in values) + "}"


def _check_head(path: Path, document: dict[str, Any]) -> None:
    """Raise `CocoFileError` for a file whose items cannot be the dataset's, before they are read."""
    made = conversion_of(document.get("info"))
    if made and made.classes:
        text = "has classes made of several categories (--classes), and which one an item was"
        raise CocoFileError(
            f"{text} is lost. Restore a file that was converted without.", file=path
        )
    if made and made.task == "instances":
        text = "holds no landmarks (--task instances), which annotation files must have."
        raise CocoFileError(f"{text} Restore a file of --task keypoints.", file=path)
    for number, entry in enumerate(document["categories"]):
        category = CATEGORY_BY_ID.get(entry["id"])
        names = () if category is None else (category.name, category.official_name)
        if entry.get("name") not in names:
            expected = f"{names[0]!r}" if names else "none of that id"
            text = f"{entry['id']} is {shorten(entry.get('name'))}, but {expected} in DeepFashion2."
            raise CocoFileError(f"{text} {_ALONE}", file=path, field=f"categories[{number}]")
