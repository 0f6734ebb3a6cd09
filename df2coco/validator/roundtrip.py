"""The round trip (--against): is what the file holds what the dataset says, no more and no less?"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final

from df2coco.errors import shorten
from df2coco.parser.mapping import ReadImage, map_images
from df2coco.parser.records import ImageRecord, Item
from df2coco.validator.areas import measure
from df2coco.validator.document import Check, Document, Entry, Hit, identify
from df2coco.validator.expectation import (
    OPTIONAL_FIELDS,
    Shape,
    expected_annotation,
    expected_image,
    shape_of,
    sizes_unknown,
)
from df2coco.validator.folding import keypoints_of

__all__ = ["CHECKS"]

Hits = Iterable[Hit]


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


# ---------------------------------------------------------------- the source


def _as_they_are(images: list[ReadImage]) -> list[ReadImage]:
    return images


def _images(document: Document) -> Iterator[ReadImage]:
    split = document.source
    assert split is not None
    reader = split.reader
    if sizes_unknown(document):
        reader = dataclasses.replace(reader, images=None)
    elif not document.info:
        reader = dataclasses.replace(reader, stored_size=True)  # as the official converter reads
    parts = map_images(
        _as_they_are,
        reader,
        split.entries,
        phase="comparing with the source",
        workers=document.workers,
        progress=document.progress,
    )
    with closing(parts):
        for part in parts:
            yield from part


def _selected(record: ImageRecord, shape: Shape) -> list[Item] | None:
    """The items that belong into the file; None: not even the image does."""
    if shape.only is not None and record.source != shape.only:
        return None
    if not shape.categories:
        return list(record.items)
    return [item for item in record.items if item.category_id in shape.categories] or None


# ---------------------------------------------------------------- comparing


def compare(document: Document) -> Comparison:
    """Compare the whole file with its source."""
    found = Comparison()
    shape = shape_of(document)
    masks: dict[int, int | None] = {}
    if shape.area == "mask":
        masks = {
            id(a): m and m.area
            for a, m in zip(document.annotations, document.once(measure), strict=True)
        }
    images = {e["id"]: e for e in document.images if type(e.get("id")) is int}
    items: dict[int, list[Entry]] = {}
    for annotation in document.annotations:
        if type(annotation.get("image_id")) is int:
            items.setdefault(annotation["image_id"], []).append(annotation)
    seen: set[int] = set()
    for image in _images(document):
        record = image.record
        if record is None:
            found.unusable.append(Hit(f"{image.entry.stem}.json"))
            continue
        bad = (notice for notice in record.notices if notice.level == "error")
        found.unusable += [Hit(f"{record.file_name[:-4]}.json", str(notice)) for notice in bad]
        selected = _selected(record, shape)
        if selected is None:
            continue
        seen.add(record.image_id)
        entry = images.get(record.image_id)
        if entry is None:
            found.missing_images.append(Hit(record.image_id, record.file_name))
        else:
            _compare_image(found, record, entry, shape)
            present = items.get(record.image_id, [])
            _compare_items(found, record, selected, present, masks, shape)
        if len(seen) == shape.limit:
            break
    for image_id, entry in images.items():
        if image_id not in seen:
            found.extra_images.append(Hit(image_id, str(entry.get("file_name"))))
    _look_for_absent(found, document, shape)
    return found


def _look_for_absent(found: Comparison, document: Document, shape: Shape) -> None:
    if shape.own:
        return  # an absent field of an own file is a difference
    for name in (*OPTIONAL_FIELDS, "pair_id"):
        if document.annotations and name not in shape.annotation_fields:
            found.absent.append(Hit(None, f"annotations[].{name}"))
    if document.images and "source" not in shape.image_fields:
        found.absent.append(Hit(None, "images[].source"))


def _compare_image(found: Comparison, record: ImageRecord, entry: Entry, shape: Shape) -> None:
    expected = expected_image(record, shape)
    present = dict(entry)
    if not shape.sizes:
        present.pop("width", None)
        present.pop("height", None)
    if not shape.own:
        name = present.get("file_name")
        present["file_name"] = name.rpartition("/")[2] if isinstance(name, str) else name
        # Another converter leaves fields out, and has fields of its own.
        expected = {n: v for n, v in expected.items() if n in shape.image_fields}
        present = {n: v for n, v in present.items() if n in expected}
    for name, told in _differences(expected, present):
        text = f"{_file(record)}: {name}: {told}"
        found.differences.append(Hit(f"image {record.image_id}", text))


def _file(record: ImageRecord) -> str:
    return f"{record.file_name[:-4]}.json"


def _compare_items(
    found: Comparison,
    record: ImageRecord,
    selected: list[Item],
    present: list[Entry],
    masks: dict[int, int | None],
    shape: Shape,
) -> None:
    for item, annotation in _matched(selected, present):
        if annotation is None and item is not None:
            found.missing_items.append(
                Hit(f"image {record.image_id}", f"{_file(record)} {item.key}")
            )
        elif annotation is not None and item is None:
            detail = f"image {record.image_id}, {shorten(annotation.get('item', 'no item key'))}"
            found.extra_items.append(Hit(identify(annotation, 0), detail))
        elif annotation is not None and item is not None:
            expected = expected_annotation(record, item, masks.get(id(annotation)), shape)
            for name, told in _differences(expected, _present(annotation, expected, shape)):
                text = f"{_file(record)} {item.key}: {name}: {told}"
                found.differences.append(Hit(identify(annotation, 0), text))


def _matched(
    items: list[Item], annotations: list[Entry]
) -> Iterator[tuple[Item | None, Entry | None]]:
    """Items and annotations of one image that belong together: by key, else by order."""
    if not all(isinstance(each.get("item"), str) for each in annotations):
        for number in range(max(len(items), len(annotations))):
            yield (
                items[number] if number < len(items) else None,
                annotations[number] if number < len(annotations) else None,
            )
        return
    by_key = {item.key: item for item in items}
    for annotation in annotations:
        yield by_key.pop(annotation["item"], None), annotation
    for item in by_key.values():
        yield item, None


def _present(annotation: Entry, expected: Entry, shape: Shape) -> Entry:
    """An annotation's fields that are to be compared."""
    present = {name: value for name, value in annotation.items() if name != "id"}
    if not shape.own:
        present = {name: value for name, value in present.items() if name in expected}
        for name in expected.keys() - shape.annotation_fields:
            present[name] = expected[name]  # told as absent from the whole file
    found = keypoints_of(annotation)
    if found is not None and "keypoints" in present:
        present["keypoints"] = found.numbers()
    return present


def _differences(expected: Entry, present: Entry) -> Iterator[tuple[str, str]]:
    if expected == present:
        return
    for name in sorted(expected.keys() | present.keys()):
        if name not in present:
            yield name, f"{shorten(expected[name])} in the source, missing in the file"
        elif name not in expected:
            yield name, f"not in the source, {shorten(present[name])} in the file"
        elif expected[name] != present[name]:
            where, source, file = _first_difference(expected[name], present[name])
            yield name + where, f"{shorten(source)} in the source, {shorten(file)} in the file"


def _first_difference(source: Any, file: Any) -> tuple[str, Any, Any]:
    """Where two values differ first: in which element of a list, and what stands there."""
    if isinstance(source, list) and isinstance(file, list) and len(source) == len(file):
        for number, (a, b) in enumerate(zip(source, file, strict=True)):
            if a != b:
                where, a, b = _first_difference(a, b)
                return f"[{number}]{where}", a, b
    return "", source, file


def _no_images(document: Document) -> Hits:
    if not shape_of(document).sizes:
        yield Hit(None)


CHECKS: Final = (
    Check(
        "source-image-missing",
        "error",
        "image",
        "An image of the source is not in the file.",
        "It is missing from training and evaluation.",
        "The file is a subset that does not say so, or the conversion was not finished.",
        "Convert again.",
        lambda document: document.once(compare).missing_images,
        stage="against",
        whole=True,
    ),
    Check(
        "source-image-extra",
        "error",
        "image",
        "An image of the file is not in the source, or its annotation file cannot be used.",
        "It does not belong to this split.",
        "Another split, or files were merged.",
        "Name the source that was converted.",
        lambda document: document.once(compare).extra_images,
        stage="against",
        whole=True,
    ),
    Check(
        "source-item-missing",
        "error",
        "image",
        "An item of the source is not in the file.",
        "It is missing from training, and a detection of it counts as a false alarm.",
        "It was dropped or removed.",
        "Convert again.",
        lambda document: document.once(compare).missing_items,
        stage="against",
        whole=True,
    ),
    Check(
        "source-item-extra",
        "error",
        "annotation",
        "An item of the file is not in the source.",
        "Missing it counts as a mistake in evaluation.",
        "It was added, or belongs to another image.",
        "Convert again.",
        lambda document: document.once(compare).extra_items,
        stage="against",
        whole=True,
    ),
    Check(
        "source-value",
        "error",
        "annotation",
        "A value of the file is not the source's.",
        "All consumers take the wrong value.",
        "The file was changed, or its converter has a mistake.",
        "Convert again.",
        lambda document: document.once(compare).differences,
        stage="against",
        whole=True,
    ),
    Check(
        "source-field-absent",
        "note",
        "file",
        "A field of the source is nowhere in the file, so it was not compared.",
        "What needs it cannot be computed: evaluation by attribute, retrieval.",
        "The official converter leaves it out.",
        "Convert without --preset official.",
        lambda document: document.once(compare).absent,
        stage="against",
        whole=True,
    ),
    Check(
        "source-unusable",
        "note",
        "file",
        "The source has a file or an item that cannot be used, so it is not expected.",
        "It is missing from training and evaluation.",
        "The source is damaged; the file was written with --on-error skip.",
        "Download the source again.",
        lambda document: document.once(compare).unusable,
        stage="against",
        whole=True,
    ),
    Check(
        "source-no-images",
        "note",
        "file",
        "The source's images were not found, so sizes were not compared.",
        "Boxes that leave their image cannot be compared either.",
        "The images lie elsewhere.",
        "Name them with --images.",
        _no_images,
        stage="against",
        whole=True,
    ),
)  # fmt: skip
