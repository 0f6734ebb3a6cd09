"""Some images of a split, from their files to finished JSON: what a worker does."""

from __future__ import annotations

from typing import NamedTuple

from df2coco.coco.reader import no_collection
from df2coco.coco.writer import Encoded, Part
from df2coco.converter.encoder import Encoder, Measured, area_notices, select
from df2coco.errors import ImageError, SourceError
from df2coco.parser.reader import Entry, Reader
from df2coco.parser.records import ImageRecord, Notice

__all__ = ["Converted", "Job", "convert_chunk"]


class Converted(NamedTuple):
    """What some images came to."""

    images: int
    category_ids: list[int]
    """Of each item."""
    notices: list[Notice]
    parts: list[Part]
    """One for each output."""


class Job(NamedTuple):
    """What a worker must know to convert images."""

    reader: Reader
    encoders: list[Encoder]
    outputs: list[tuple[int, int | None]]
    """For each output, which encoder makes it, and the one category in it."""


class _Read(NamedTuple):
    """What one image's files came to."""

    file: str
    record: ImageRecord | None
    """None when the image is left out."""
    notices: list[Notice]


@no_collection()
def convert_chunk(job: Job, entries: list[Entry]) -> list[Converted]:
    """Convert images; what cannot be used is told in notices. Raises `PasswordError`."""
    if job.encoders[0].options.limit is None:
        return [_convert_images(job, entries)]
    return [_convert_images(job, [entry]) for entry in entries]  # any of them may be the last


def _convert_images(job: Job, entries: list[Entry]) -> Converted:
    read_one = _read_image if job.reader.annotations is not None else _read_header
    read = [read_one(job, entry) for entry in entries]
    kept = [(each, each.record) for each in read if each.record is not None]
    measured = job.encoders[0].measure([record for _, record in kept])
    for (each, _), items in zip(kept, measured, strict=True):
        each.notices.extend(area_notices(items, each.file))
    encoded = [
        [encoder.encode(record, items) for (_, record), items in zip(kept, measured, strict=True)]
        for encoder in job.encoders
    ]
    return Converted(
        len(kept),
        [item.category_id for _, record in kept for item in record.items],
        [notice for each in read for notice in each.notices],
        [
            Part.join(_of_category(encoded[index], measured, category_id))
            for index, category_id in job.outputs
        ],
    )


def _of_category(
    encoded: list[Encoded], measured: list[list[Measured]], category_id: int | None
) -> list[Encoded]:
    """Only a category's annotations, and the images that have one; all when it is None."""
    if category_id is None:
        return encoded
    chosen = [
        Encoded(
            image,
            [
                annotation
                for annotation, each in zip(annotations, items, strict=True)
                if each.item.category_id == category_id
            ],
        )
        for (image, annotations), items in zip(encoded, measured, strict=True)
    ]
    return [each for each in chosen if each.annotations]


def _read_image(job: Job, entry: Entry) -> _Read:
    file = f"{job.reader.annotations_label}/{entry.stem}.json"
    try:
        record = job.reader.record(entry)
    except ImageError as error:
        return _left_out("bad-image", f"{job.reader.images_label}/{entry.stem}.jpg", error)
    except SourceError as error:
        return _left_out("bad-file", file, error)
    return _Read(file, select(record, job.encoders[0].options), list(record.notices))


def _read_header(job: Job, entry: Entry) -> _Read:
    """An image without annotations."""
    file = f"{job.reader.images_label}/{entry.stem}.jpg"
    try:
        record = job.reader.bare_record(entry)
    except SourceError as error:
        return _left_out("bad-image", file, error)
    return _Read(file, record, list(record.notices))


def _left_out(code: str, file: str, error: SourceError) -> _Read:
    notice = Notice(code, file, error.field, error.text)
    return _Read(file, None, [notice])
