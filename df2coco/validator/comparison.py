"""Comparing a file with its source: which image and item stands for which, and what differs."""

import dataclasses
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final

from df2coco.coco.format import Entry
from df2coco.errors import CocoFileError, shorten
from df2coco.parser.mapping import ReadImage, map_images
from df2coco.parser.records import ImageRecord, Item
from df2coco.validator.expectation import (
    OPTIONAL_FIELDS,
    ExpectedShape,
    expected_annotation,
    expected_image,
    shape_of,
)
from df2coco.validator.file import File
from df2coco.validator.hits import Hit, identify
from df2coco.validator.matching import match


@dataclass
class Comparison:
    """What comparing a file with its source has found."""

    missing_images: list[Hit] = field(default_factory=list)
    extra_images: list[Hit] = field(default_factory=list)
    missing_items: list[Hit] = field(default_factory=list)
    extra_items: list[Hit] = field(default_factory=list)
    differences: list[Hit] = field(default_factory=list)
    absent: list[Hit] = field(default_factory=list)
    unusable: list[Hit] = field(default_factory=list)
    source_fields: set[str] = field(default_factory=set)
    """Fields that anything in the source has."""


# ---------------------------------------------------------------- the source


def _as_they_are(images: list[ReadImage]) -> list[ReadImage]:
    return images


def _images(file: File) -> Iterator[ReadImage]:
    split = file.source
    assert split is not None
    reader = split.reader
    if file.conversion is not None and not file.conversion.sizes_known:
        reader = dataclasses.replace(reader, images=None)
    elif not file.document.get("info"):
        reader = dataclasses.replace(reader, stored_size=True)  # as the official converter reads
    parts = map_images(
        _as_they_are,
        reader,
        split.entries,
        phase="comparing with the source",
        workers=file.workers,
        progress=file.progress,
    )
    with closing(parts):
        for part in parts:
            yield from part


def _selected(record: ImageRecord, shape: ExpectedShape) -> list[Item] | None:
    """The items that belong into the file; None: not even the image does."""
    if shape.only is not None and record.source != shape.only:
        return None
    if not shape.categories:
        return list(record.items)
    return [item for item in record.items if item.category_id in shape.categories] or None


# ---------------------------------------------------------------- comparing


def _base_name(name: Any) -> Any:
    return name.rpartition("/")[2] if isinstance(name, str) else name


class _Images:
    """The images of a file, found by what they are called, or else by their id."""

    def __init__(self, file: File) -> None:
        self.by_id = file.image_by_id
        names = [str(_base_name(entry.get("file_name"))) for entry in self.by_id.values()]
        counts = Counter(names)
        named = zip(names, self.by_id.values(), strict=True)
        self.by_name = {name: entry for name, entry in named if counts[name] == 1}

    def find(self, record: ImageRecord) -> Entry | None:
        named = self.by_name.get(record.file_name)
        return named if named is not None else self.by_id.get(record.image_id)


def compare(file: File) -> Comparison:
    """Compare the whole file with its source."""
    if file.conversion is not None and file.conversion.merged:
        splits = ", ".join(file.conversion.merged)
        raise CocoFileError(
            f"was merged from {splits}, so that no one source holds all of it. Compare each file "
            "before it is merged.",
            file=file.path,
        )
    found = Comparison()
    shape = file.once(shape_of)
    images = _Images(file)
    items: dict[int, list[int]] = {}
    for number, annotation in enumerate(file.annotations):
        if type(annotation.get("image_id")) is int:
            items.setdefault(annotation["image_id"], []).append(number)
    seen: set[int] = set()
    for image in _images(file):
        record = image.record
        if record is None:
            found.unusable.append(Hit(f"{image.entry.stem}.json"))
            continue
        bad = (n for n in record.notices if n.level == "error" or n.code == "item-ignored")
        found.unusable += [Hit(_file(record), str(notice)) for notice in bad]
        selected = _selected(record, shape)
        if selected is None:
            continue
        entry = images.find(record)
        if entry is None and shape.some_images:
            continue
        if entry is None or entry["id"] in seen:
            found.missing_images.append(Hit(record.image_id, record.file_name))
        else:
            seen.add(entry["id"])
            _compare_image(found, record, entry, shape)
            _compare_items(found, record, selected, items.get(entry["id"], []), file, shape)
        if len(seen) + len(found.missing_images) == shape.limit:
            break
    for image_id, entry in images.by_id.items():
        if image_id not in seen:
            found.extra_images.append(Hit(image_id, str(entry.get("file_name"))))
    _look_for_absent(found, file, shape)
    return found


def _look_for_absent(found: Comparison, file: File, shape: ExpectedShape) -> None:
    if shape.own:
        return  # an absent field of an own file is a difference
    for name in (*OPTIONAL_FIELDS, "pair_id"):
        if file.annotations and name in found.source_fields - shape.annotation_fields:
            found.absent.append(Hit(None, f"annotations[].{name}"))
    if file.images and "source" in found.source_fields - shape.image_fields:
        found.absent.append(Hit(None, "images[].source"))


def _compare_image(
    found: Comparison, record: ImageRecord, entry: Entry, shape: ExpectedShape
) -> None:
    expected = expected_image(record, shape)
    found.source_fields |= expected.keys()
    present = dict(entry)
    if shape.own:
        expected["id"] = record.image_id
    else:
        present["file_name"] = _base_name(present.get("file_name"))
        # Another converter leaves fields out, and numbers images as it likes.
        expected = {n: v for n, v in expected.items() if n in shape.image_fields}
    for name, text in _differences(expected, present):
        hit = Hit(record.image_id, f"{_file(record)}: {name}: {text}", "image")
        found.differences.append(hit)


def _file(record: ImageRecord) -> str:
    return f"{record.file_name.rpartition('.')[0]}.json"


def _compare_items(
    found: Comparison,
    record: ImageRecord,
    selected: list[Item],
    present: list[int],
    file: File,
    shape: ExpectedShape,
) -> None:
    annotations = [file.annotations[number] for number in present]
    expected = [expected_annotation(record, item, None, shape) for item in selected]
    pairs = match(expected, annotations, [item.key for item in selected])
    for each in expected:
        found.source_fields |= each.keys()
    for place, item in enumerate(selected):
        if place not in pairs:
            found.missing_items.append(Hit(record.image_id, f"{_file(record)} {item.key}"))
            continue
        number = present[pairs[place]]
        annotation = file.annotations[number]
        mask = file.areas[number] if number < len(file.areas) else None
        right = expected_annotation(record, item, mask, shape)
        _allow_either_area(right, annotation, shape)
        if not shape.own:
            right = {name: right[name] for name in right if name in shape.annotation_fields}
            annotation = {
                n: v for n, v in annotation.items() if n not in ("item", "float_polygons")
            }
        for name, text in _differences(right, annotation):
            where = f"{_file(record)} {item.key}: {name}: {text}"
            found.differences.append(Hit(identify(annotation, number), where))
    taken = set(pairs.values())
    for place, number in enumerate(present):
        if place not in taken:
            annotation = annotations[place]
            detail = f"image {record.image_id}, {shorten(annotation.get('item', 'no item key'))}"
            found.extra_items.append(Hit(identify(annotation, number), detail))


def _allow_either_area(expected: Entry, annotation: Entry, shape: ExpectedShape) -> None:
    """Where the file does not say what its areas are, take the box's or the mask's for right."""
    if shape.area is not None:
        return
    area, (_, _, width, height) = annotation.get("area"), expected["bbox"]
    if type(area) in (int, float):
        of_box = abs(area - width * height) < 1e-6 * width * height
        of_mask = abs(area - expected["area"]) <= max(32, 0.1 * expected["area"])
        if of_box or of_mask:
            expected["area"] = area


# ---------------------------------------------------------------- values that differ


_OF_THE_DATASET: Final = frozenset(
    (*OPTIONAL_FIELDS, "pair_id", "source", "item", "float_polygons", "keypoints", "num_keypoints")
)
"""Fields that only the source can give: one that it lacks was made up. Other tools may add others."""


def _differences(expected: Entry, present: Entry) -> Iterator[tuple[str, str]]:
    """Fields that differ, and how."""
    names = expected.keys() | (present.keys() & _OF_THE_DATASET)
    if all(
        name in present and name in expected and expected[name] == present[name] for name in names
    ):
        return
    for name in sorted(names):
        if name not in present:
            yield name, f"{shorten(expected[name])} in the source, missing in the file"
        elif name not in expected:
            yield name, f"not in the source, {shorten(present[name])} in the file"
        elif expected[name] != present[name]:
            where, source, here = _first_difference(expected[name], present[name])
            yield name + where, f"{shorten(source)} in the source, {shorten(here)} in the file"


def _first_difference(source: Any, file: Any) -> tuple[str, Any, Any]:
    """Where two values differ first: in which element of a list, and what stands there."""
    if isinstance(source, list) and isinstance(file, list) and len(source) == len(file):
        for number, (a, b) in enumerate(zip(source, file, strict=True)):
            if a != b:
                where, a, b = _first_difference(a, b)
                return f"[{number}]{where}", a, b
    return "", source, file
