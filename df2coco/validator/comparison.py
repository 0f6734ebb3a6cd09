"""The comparison with the source (--against): is what the file holds what the dataset says, no more and no less?"""

import dataclasses
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Final, TypeAlias

import msgspec

from df2coco.boxes import iou
from df2coco.coco.lists import Span, read_text
from df2coco.coco.reader import no_collection, parse
from df2coco.coco.schema import FIELDS, Entry, is_id, read_whole_numbers
from df2coco.errors import CocoFileError, shorten
from df2coco.parser.reader import ReadImage, map_images
from df2coco.parser.records import EMPTYING, ImageRecord, Item
from df2coco.taxonomy import SOURCES
from df2coco.validator import expectation
from df2coco.validator.checks import File, Found, Hit, check
from df2coco.validator.expectation import ExpectedShape

source_check = partial(check, needs="source", garments=True)


@source_check("error", about="image")
def source_image_missing(file: File) -> Iterable[Hit]:
    """An image of the source is not in the file.

    affects: It is missing from training and evaluation.
    cause: The file is a subset that does not say so, or the conversion was not finished.
    remedy: Convert again.
    """
    return file.once(_compare)["source-image-missing"]


@source_check("error", about="image")
def source_image_extra(file: File) -> Iterable[Hit]:
    """An image of the file is not in the source, or its annotation file cannot be used.

    affects: It does not belong to this split.
    cause: Another split, or files were merged.
    remedy: Name the source that was converted.
    """
    return file.once(_compare)["source-image-extra"]


@source_check("error", about="image")
def source_item_missing(file: File) -> Iterable[Hit]:
    """An item of the source is not in the file.

    affects: It is missing from training, and a detection of it counts as a false alarm.
    cause: It was dropped or removed.
    remedy: Convert again.
    """
    return file.once(_compare)["source-item-missing"]


@source_check("error", about="annotation")
def source_item_extra(file: File) -> Iterable[Found]:
    """An item of the file is not in the source.

    affects: A detector that does not find it counts as wrong.
    cause: It was added, or belongs to another image.
    remedy: Convert again.
    """
    return file.once(_compare)["source-item-extra"]


@source_check("error", about="annotation")
def source_value(file: File) -> Iterable[Hit | Found]:
    """A value of the file is not the source's.

    affects: All consumers take the wrong value.
    cause: The file was changed, or its converter has a mistake.
    remedy: Convert again.
    """
    return file.once(_compare)["source-value"]


@source_check("note")
def source_field_absent(file: File) -> Iterable[Hit]:
    """A field of the source is nowhere in the file, so it was not compared.

    affects: What needs it cannot be computed: evaluation by attribute, retrieval.
    cause: The official converter leaves it out.
    remedy: Convert without --preset official.
    """
    return file.once(_compare)["source-field-absent"]


@source_check("note")
def source_unusable(file: File) -> Iterable[Hit]:
    """The source has a file or an item that cannot be used, so it is not expected.

    affects: It is missing from training and evaluation.
    cause: The source is damaged; the file was written with --on-error skip.
    remedy: Download the source again.
    """
    return file.once(_compare)["source-unusable"]


@source_check("warning")
def source_image_without_annotations(file: File) -> Iterable[Hit]:
    """An image of the source has no annotation file.

    affects: It is missing from training and evaluation.
    cause: The archive was not unpacked to its end, or the annotations are a subset.
    remedy: Unpack the archive again and convert again; nothing, if a subset is meant.
    """
    return map(Hit, file.source.unannotated if file.source is not None else ())


_TEXTS: Final = msgspec.json.Decoder(list[msgspec.Raw])


def places_in(path: Path, span: Span) -> "array[int]":
    """Where each annotation of a part starts and ends in the file, one after the other."""
    text = read_text(path, span)
    places = array("q")
    end = 0
    for annotation in _TEXTS.decode(text):
        start = text.index(b"{", end)  # nothing but blanks and a comma are between two
        end = start + len(annotation)
        places.extend((span.start - 1 + start, span.start - 1 + end))
    return places


@dataclass(frozen=True)
class _Held:
    """What a file holds, as a worker needs it."""

    path: Path
    shape: ExpectedShape
    images: dict[Any, Entry]
    """By their ids, and by what they are called where no other one is called so."""
    numbers: dict[int, list[int]]
    """Image id -> its annotations."""
    areas: list[int | None]
    """Of their masks, in pixels."""
    places: "array[int]"
    """See `places_in`; without them `annotations` has all."""
    annotations: list[Entry]

    def read(self, image_ids: Iterable[int]) -> dict[int, Entry]:
        """The annotations of some images, by their numbers."""
        numbers = [number for each in image_ids for number in self.numbers.get(each, ())]
        if self.annotations:
            return {number: self.annotations[number] for number in numbers}
        texts = []
        with self.path.open("rb", buffering=0) as stream:
            for number in numbers:
                start, end = self.places[2 * number : 2 * number + 2]
                stream.seek(start)
                texts.append(stream.read(end - start))
        annotations: list[Entry] = parse(b"[%b]" % b",".join(texts))
        read_whole_numbers("annotations", annotations)
        return dict(zip(numbers, annotations, strict=True))


def _base_name(name: Any) -> Any:
    return name.rpartition("/")[2] if isinstance(name, str) else name


def _compare(file: File) -> dict[str, list[Any]]:
    """Compare the whole file with its source: what each of the checks found."""
    split, conversion, columns = file.source, file.conversion, file.columns
    assert split is not None
    reader = split.reader
    if conversion is not None and conversion.merged:
        raise CocoFileError(
            f"was merged from {', '.join(conversion.merged)}, so that no one source holds all of "
            "it. Compare each file before it is merged.",
            file=file.path,
        )
    if conversion is not None and not conversion.sizes_known:
        reader = dataclasses.replace(reader, images=None)
    elif not file.document.get("info"):
        reader = dataclasses.replace(reader, stored_size=True)  # as the official converter reads
    shape = expectation.shape_of(file)
    by_id: dict[Any, Entry] = {e["id"]: e for e in file.images if is_id(e.get("id"))}
    names = {key: str(_base_name(entry.get("file_name"))) for key, entry in by_id.items()}
    counts = Counter(names.values())
    by_name = {name: by_id[key] for key, name in names.items() if counts[name] == 1}
    numbers: dict[int, list[int]] = {}
    for number, image_id in enumerate(columns.image_ids):
        numbers.setdefault(image_id, []).append(number)
    images = by_id | by_name
    held = _Held(file.path, shape, images, numbers, columns.areas, columns.places, file.annotations)
    hits: dict[str, list[Any]] = defaultdict(list)
    missing, seen = hits["source-image-missing"], set[int]()
    parts = map_images(
        partial(_compare_images, held),
        reader,
        split.entries,
        phase="comparing with the source",
        # Annotations without places would have to be sent.
        workers=1 if file.annotations else file.workers,
        progress=file.progress,
    )
    with closing(parts):
        for expected, image_id, found in chain.from_iterable(parts):
            is_missing = expected is not None and (image_id is None or image_id in seen)
            for code, hit in found:
                if code == "source-unusable" or not is_missing:
                    hits[code].append(hit)
            if expected is not None and is_missing:
                missing.append(expected)
            elif image_id is not None:
                seen.add(image_id)
            if expected is not None and len(seen) + len(missing) == shape.said.limit:
                break
    hits["source-image-extra"] = [Hit(each, names[each]) for each in by_id if each not in seen]
    hits["source-field-absent"] = sorted(set(hits["source-field-absent"]))
    return hits


_Compared: TypeAlias = tuple[Hit | None, int | None, list[tuple[str, Hit | Found]]]
"""An image that must be in the file, the id of the one that stands for it, and the hits of checks."""


@no_collection()
def _compare_images(held: _Held, images: list[ReadImage]) -> list[_Compared]:
    records, get = (image.record for image in images), held.images.get
    entries = [get(r.file_name) or get(r.image_id) if r else None for r in records]
    annotations = held.read(entry["id"] for entry in entries if entry is not None)
    pairs = zip(images, entries, strict=True)
    return [_compare_image(held, image, entry, annotations) for image, entry in pairs]


def _selected(record: ImageRecord, shape: ExpectedShape) -> Sequence[Item] | None:
    """The items that belong into the file; None: not even the image does."""
    if shape.said.only in SOURCES and record.source != shape.said.only:
        return None
    chosen = [i for i in record.items if not shape.categories or i.category_id in shape.categories]
    chosen = [i for i in chosen if all(condition.holds(i) for condition in shape.conditions)]
    return chosen if chosen or not (shape.categories or shape.conditions) else None


def _compare_image(
    held: _Held, image: ReadImage, entry: Entry | None, annotations: dict[int, Entry]
) -> _Compared:
    shape, record, file = held.shape, image.record, f"{image.entry.stem}.json"
    if record is None:
        return None, None, [("source-unusable", Hit(file))]
    bad = [notice for notice in record.notices if notice.code in EMPTYING]
    hits: list[tuple[str, Hit | Found]]
    hits = [("source-unusable", Hit(file, str(notice))) for notice in bad]
    items, said = _selected(record, shape), shape.said
    is_part = any(each is not None for each in (said.sample, said.part, said.listed))
    if items is None or (entry is None and is_part):
        return None, None, hits
    here = Hit(record.image_id, record.file_name)
    if entry is None:
        return here, None, hits

    numbers = held.numbers.get(entry["id"], [])
    right = expectation.expected_image(record, shape)
    rights = [expectation.expected_annotation(record, item, shape) for item in items]
    image_fields = fields = None
    if shape.own:
        right["id"] = record.image_id
    else:
        # Another converter leaves fields out, and numbers images as it likes.
        entry = entry | {"file_name": _base_name(entry.get("file_name"))}
        image_fields, fields = shape.image_fields, shape.annotation_fields - expectation.ONLY_OURS
        absent = [f"images[].{name}" for name in {"source"} & right.keys() - image_fields]
        names = set[str]().union(*rights) & {*expectation.OPTIONAL_FIELDS, "pair_id"}
        absent += (f"annotations[].{name}" for name in names - fields if fields)
        hits += (("source-field-absent", Hit(None, name)) for name in absent)
    for text in expectation.differences(right, entry, image_fields):
        hits.append(("source-value", Hit(record.image_id, f"{file}: {text}", "image")))
    pairs = _match(rights, [annotations[n] for n in numbers], [item.key for item in items])
    for place, (item, right) in enumerate(zip(items, rights, strict=True)):
        if place not in pairs:
            hits.append(("source-item-missing", Hit(record.image_id, f"{file} {item.key}")))
            continue
        number = numbers[pairs[place]]
        annotation = annotations[number]
        right["area"] = expectation.expected_area(right, annotation, held.areas[number], shape)
        for text in expectation.differences(right, annotation, fields):
            hits.append(("source-value", (number, f"{file} {item.key}: {text}")))
    for place in set(range(len(numbers))).difference(pairs.values()):
        key = shorten(annotations[numbers[place]].get("item", "no item key"))
        hits.append(("source-item-extra", (numbers[place], f"image {record.image_id}, {key}")))
    return here, entry["id"], hits


def _match(expected: list[Entry], present: list[Entry], keys: list[str]) -> dict[int, int]:
    """Place among the expected -> place among those present, of items that are the same.

    By their key, if the file has it; else by how much they have in common.
    """
    texts = [(each["item"], n) for n, each in enumerate(present) if type(each.get("item")) is str]
    named = dict(texts)
    pairs: dict[int, int] = {}
    if len(named) == len(texts):
        pairs = {place: named[key] for place, key in enumerate(keys) if key in named}
    left = set(range(len(present))).difference(pairs.values())
    scores = sorted(
        (-likeness, abs(place - number), place, number)
        for place in range(len(expected))
        if place not in pairs
        for number in left
        if (likeness := _likeness(expected[place], present[number]))
    )
    for *_, place, number in scores:
        if place not in pairs and number in left:
            pairs[place] = number
            left.remove(number)
    return pairs


def _likeness(expected: Entry, present: Entry) -> float:
    """How sure it is that two entries are the same item; 0: it is not."""
    names = ("bbox", "segmentation", "keypoints")
    same = sum(bool(name in expected and expected[name] == present.get(name)) for name in names)
    has_box = FIELDS["annotations"]["bbox"].fits(present.get("bbox"))
    overlap = iou(expected["bbox"], present["bbox"]) if has_box else 0
    alike = bool(expected["category_id"] == present.get("category_id"))
    return same + overlap + 0.5 * alike if same or overlap >= 0.5 else 0
