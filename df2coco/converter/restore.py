"""The inverse of a conversion: a COCO file becomes the dataset's annotation files again.

What the file does not hold cannot come back; it is reported before anything is written.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from df2coco.coco.info import conversion_of
from df2coco.coco.lists import read_annotations
from df2coco.coco.schema import check_fields
from df2coco.errors import CocoFileError, SourceError, shorten
from df2coco.files import replace_all
from df2coco.layouts import NUM_AGGREGATED, own_slots
from df2coco.parser.annotation import find_image_id
from df2coco.progress import Progress, no_progress
from df2coco.taxonomy import ATTRIBUTES, CATEGORY_BY_ID, NUM_LANDMARKS, Category

__all__ = ["Restored", "restore"]

TOP_LEVEL_ORDER: Final[Mapping[int, tuple[str, ...]]] = MappingProxyType(
    {
        n: tuple(keys.split())
        for n, keys in enumerate(
            (
                "source pair_id item1",
                "item2 source pair_id item1",
                "item2 source pair_id item1 item3",
                "item2 item3 item1 item4 source pair_id",
                "item2 item3 item1 item4 item5 source pair_id",
                "item2 item3 item1 item6 item4 item5 source pair_id",
                "item2 item3 item1 item6 item7 item4 item5 source pair_id",
                "item8 item2 item3 item1 item6 item7 item4 item5 source pair_id",
            ),
            start=1,
        )
    }
)
"""Number of items -> the order of an annotation file's keys: that of a dict in Python 2."""


@dataclass(frozen=True)
class Restored:
    """What came back.

    - files: Annotation files that were written.
    - items: Items in them.
    - losses: What the COCO file could not give back, a sentence each.
    - strangers: Other annotation files that stand in the folder too.
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

    Raises `CocoFileError` when no annotation files can be made of the file, `SourceError` when the
    folder cannot be written to (`OutputError` where a file is in the way). Nothing has been written then.
    """
    path, folder = Path(path), Path(folder)
    _check_folder(path, folder, force)
    progress(f"reading {path.name}", 0, 0)
    reader = _Collector(path)
    document = read_annotations(path, reader.take)
    check_fields(document, path)
    texts = _texts(path, document, reader)
    losses = tuple(_losses(document, reader))
    if report_loss is not None:
        for sentence in losses:
            report_loss(sentence)
    _write(folder, texts, progress)
    strangers = sum(n.endswith(".json") and n not in texts for n in os.listdir(folder))
    return Restored(len(texts), reader.counts["items"], losses, strangers)


# ---------------------------------------------------------------- annotations


class _Named(NamedTuple):
    """An item's name, where the file has it, and its JSON."""

    name: Any
    text: str


@dataclass
class _Collector:
    """Turns annotations into items as they are read: `images` often stands behind them."""

    path: Path
    items: dict[int, list[_Named]] = field(default_factory=dict)
    """Image id -> its items in the file's order."""
    pair_ids: dict[int, int] = field(default_factory=dict)
    """Image id -> the pair_id of its annotations."""
    counts: Counter[str] = field(default_factory=Counter)

    def take(self, part: list[dict[str, Any]]) -> None:
        first = self.counts["annotations"]
        if any("keypoints" not in annotation for annotation in part):
            raise _no_landmarks(self.path)
        check_fields({"annotations": part}, self.path, "restore", first=first)
        for number, annotation in enumerate(part, start=first):
            try:
                text = json.dumps(self._item(annotation))
                image_id, pair_id = annotation["image_id"], _integer(annotation, "pair_id")
            except _FaultError as fault:
                raise CocoFileError(f"annotations[{number}].{fault}", file=self.path) from None
            name = annotation.get("item")
            self.items.setdefault(image_id, []).append(_Named(name, text))
            if pair_id is not None and self.pair_ids.setdefault(image_id, pair_id) != pair_id:
                self.counts["other pair_id"] += 1
        self.counts["annotations"] += len(part)

    def _item(self, annotation: dict[str, Any]) -> dict[str, Any]:
        """An item in the dataset's order of keys."""
        category = CATEGORY_BY_ID.get(annotation["category_id"])
        if category is None:
            raise _FaultError(
                f"category_id: {annotation['category_id']} is none of DeepFashion2's 1 to 13."
            )
        whole = "item" in annotation  # written by us, with all numbers as floats
        item = {
            "segmentation": _segmentation(annotation, whole),
            "scale": _integer(annotation, "scale"),
            "viewpoint": _integer(annotation, "viewpoint"),
            "zoom_in": _integer(annotation, "zoom_in"),
            "landmarks": self._landmarks(annotation["keypoints"], category),
            "style": _integer(annotation, "style"),
            "bounding_box": _corners(annotation, whole),
            "category_id": category.id,
            "occlusion": _integer(annotation, "occlusion"),
            "category_name": category.name,
        }
        self.counts["crowds"] += annotation.get("iscrowd", 0)
        self.counts.update(name for name in ("style", *ATTRIBUTES) if item[name] is not None)
        return {name: value for name, value in item.items() if value is not None}

    def _landmarks(self, keypoints: list[float], category: Category) -> list[float]:
        slots = own_slots(category, len(keypoints) // 3)
        if slots is None or len(keypoints) % 3:
            raise _FaultError(
                f"keypoints: {len(keypoints)} numbers, expected {3 * NUM_LANDMARKS}, "
                f"{3 * NUM_AGGREGATED} or {3 * category.num_landmarks} ({category.num_landmarks} "
                f"landmarks x 3 for {category.name})."
            )
        found = [number for slot in slots for number in keypoints[3 * slot : 3 * slot + 3]]
        labelled = len(keypoints) // 3 - keypoints[2::3].count(0)
        if labelled > len(slots) - found[2::3].count(0):
            self.counts["outside"] += 1
        return found if type(sum(found)) is int else [_whole(number) for number in found]


class _FaultError(Exception):
    """A field of which no item can be made."""


def _no_landmarks(path: Path) -> CocoFileError:
    return CocoFileError(
        f"{path}: holds no landmarks (--task instances), which annotation files must have. "
        "Restore a file of --task keypoints."
    )


def _integer(entry: dict[str, Any], name: str) -> int | None:
    value = entry.get(name)
    if value is None or type(value) is int:
        return value
    raise _FaultError(f"{name}: {shorten(value)}, expected a whole number.")


def _whole(number: float) -> float:
    """An integer, where it is one and a float says no more (-0.0 does)."""
    whole = int(number)
    return whole if whole == number and (whole or math.copysign(1, number) > 0) else number


def _segmentation(annotation: dict[str, Any], whole: bool) -> list[list[float]]:
    polygons = annotation["segmentation"]
    if type(polygons) is not list:
        raise _FaultError("segmentation: an RLE, but annotation files have polygons.")
    floats = annotation.get("float_polygons") or []
    if not whole:
        return polygons
    return [
        list(map(int, polygon))
        if number not in floats and all(map(float.is_integer, map(float, polygon)))
        else polygon
        for number, polygon in enumerate(polygons)
    ]


def _corners(annotation: dict[str, Any], whole: bool) -> list[float]:
    x, y, width, height = annotation["bbox"]
    corners = [x, y, _end(x, width), _end(y, height)]
    found = [_whole(number) for number in corners] if whole else corners
    # The area of a whole box is a float only where the box was written with floats.
    floats = type(annotation.get("area")) is float and all(type(n) is int for n in found)
    return corners if floats else found


def _end(start: float, length: float) -> float:
    """The number which, less `start`, is `length` to the last digit: a conversion subtracts them."""
    end = start + length
    nearby = (end, math.nextafter(end, math.inf), math.nextafter(end, -math.inf))
    exact = [number for number in nearby if number - start == length]
    return next((n for n in exact if n == int(n)), exact[0] if exact else end)


# ---------------------------------------------------------------- files


def _texts(path: Path, document: dict[str, Any], reader: _Collector) -> dict[str, str]:
    """File name -> text of each annotation file."""
    made = conversion_of(document.get("info"))
    if made and made.task == "instances":
        raise _no_landmarks(path)
    _check_categories(path, document["categories"])
    texts: dict[str, str] = {}
    for number, image in enumerate(document["images"]):
        image_id = image["id"]
        if not 0 <= image_id < 10**18:
            raise CocoFileError(
                f"images[{number}].id: {image_id} cannot name an annotation file.", file=path
            )
        stem = os.path.splitext(os.path.basename(image.get("file_name", "")))[0]
        if find_image_id(stem) != image_id:
            stem = f"{image_id:06d}"
            reader.counts["named by id"] += 1
        if f"{stem}.json" in texts:
            raise CocoFileError(f"images[{number}].id: {image_id} stands twice.", file=path)
        try:
            texts[f"{stem}.json"] = _text(image, reader)
        except _FaultError as fault:
            raise CocoFileError(f"images[{number}].{fault}", file=path) from None
    return texts


def _text(image: dict[str, Any], reader: _Collector) -> str:
    items = reader.items.pop(image["id"], [])
    names = [item.name for item in items]
    if not all(map(_is_item_name, names)) or len(set(names)) < len(names):
        reader.counts["unnamed"] += len(names)
        order = TOP_LEVEL_ORDER.get(len(names)) or [f"item{n + 1}" for n in range(len(names))]
        names = [name for name in order if name.startswith("item")]
    source = image.get("source")
    if source is not None and type(source) is not str:
        raise _FaultError(f"source: {shorten(source)}, expected user or shop.")
    pair_id = _integer(image, "pair_id")
    pair_id = reader.pair_ids.get(image["id"]) if pair_id is None else pair_id
    reader.counts["items"] += len(items)
    reader.counts["source"] += source is not None
    reader.counts["pair_id"] += pair_id is not None
    values = dict(zip(names, (item.text for item in items), strict=True))
    head = {"source": source, "pair_id": pair_id}
    values |= {key: json.dumps(value) for key, value in head.items() if value is not None}
    order = TOP_LEVEL_ORDER.get(len(names), ())
    if not names or [key for key in order if key in values and key not in head] != names:
        order = ("source", "pair_id", *map(str, names))
    return "{" + ", ".join(f'"{key}": {values[key]}' for key in order if key in values) + "}"


_ITEM_NAME: Final = re.compile(r"item[0-9]+")


def _is_item_name(name: Any) -> bool:
    return type(name) is str and _ITEM_NAME.fullmatch(name) is not None


def _check_categories(path: Path, categories: Iterable[dict[str, Any]]) -> None:
    for number, entry in enumerate(categories):
        category = CATEGORY_BY_ID.get(entry["id"])
        names = () if category is None else (category.name, category.official_name)
        if entry.get("name") not in names:
            expected = f"{names[0]!r}" if names else "none of that id"
            raise CocoFileError(
                f"{path}: categories[{number}]: {entry['id']} is {shorten(entry.get('name'))}, but "
                f"{expected} in DeepFashion2. Annotation files have DeepFashion2's categories alone."
            )


# ---------------------------------------------------------------- what is lost


_SUBSETS: Final = MappingProxyType(
    {
        "categories": "items of chosen categories",
        "only": "items of one source",
        "limit": "the first images",
        "sample": "images of a sample",
        "part": "images of one part",
    }
)
"""Field of `Conversion` -> what it left in the file."""


def _losses(document: dict[str, Any], reader: _Collector) -> Iterable[str]:
    made, counts = conversion_of(document.get("info")), reader.counts
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
    if reader.items:
        number = sum(map(len, reader.items.values()))
        yield f"{number:,} annotations belong to no image of the file and are left out"


_COUNTED: Final = MappingProxyType(
    {
        "unnamed": "items have no names of their own in the file: named in the dataset's order",
        "named by id": "images have file names that are not their ids: files are named by the ids",
        "outside": "annotations have landmarks outside their category's slots: left out",
        "crowds": "annotations are crowds (iscrowd 1), which the dataset does not have",
        "other pair_id": "annotations have another pair_id than their image: the first one counts",
    }
)
"""What the reader counted -> what to say of it."""


# ---------------------------------------------------------------- the folder


def _check_folder(path: Path, folder: Path, force: bool) -> None:
    """Report now what would fail after the work."""
    target = Path(os.path.realpath(folder))
    try:
        if target.is_dir():
            if not force and any(not name.startswith(".") for name in os.listdir(target)):
                raise SourceError(
                    f"{folder}: holds files already. Name another folder, or pass --force to replace "
                    "files of the same names."
                )
        elif target.exists():
            raise SourceError("is a file. Name a folder.", file=folder)
        elif not target.parent.is_dir():
            raise SourceError(f"there is no folder {target.parent}. Create it first.", file=folder)
        if target in (Path(os.path.realpath(path.parent)), Path(os.path.realpath(path)).parent):
            raise SourceError(f"holds {path.name} itself. Name another folder.", file=folder)
        with tempfile.TemporaryFile(dir=target if target.is_dir() else target.parent):
            pass
    except OSError as error:
        raise SourceError(f"cannot be written ({error.strerror}).", file=folder) from None


def _write(folder: Path, texts: Mapping[str, str], progress: Progress) -> None:
    target = os.path.realpath(folder)
    exists = os.path.isdir(target)
    try:
        # Beside the folder, which then comes into being at once; inside one that is there already.
        parent, name = (target, "") if exists else os.path.split(target)
        work = os.path.join(parent, f".{name}.{os.urandom(4).hex()}.tmp")
        try:
            os.mkdir(work)
            _write_files(work, texts, progress)
            if exists:
                replace_all({Path(work, name): Path(target, name) for name in texts})
            else:
                os.rename(work, target)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise SourceError(f"cannot be written ({error.strerror}).", file=folder) from None


def _write_files(work: str, texts: Mapping[str, str], progress: Progress) -> None:
    for number, (name, text) in enumerate(texts.items(), start=1):
        with open(os.path.join(work, name), "wb") as stream:
            stream.write(text.encode())
        if number % 256 == 0 or number == len(texts):
            progress("writing annotation files", number, len(texts))
