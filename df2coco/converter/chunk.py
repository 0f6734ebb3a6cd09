"""Some images of a split, from their files to finished JSON: what a worker does."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

from df2coco.coco.reader import no_collection
from df2coco.coco.writer import Encoded, Part
from df2coco.converter.encoder import Encoder, Measured, area_notices
from df2coco.converter.options import Selection
from df2coco.parser.mapping import ReadImage
from df2coco.parser.reader import Reader
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
    selection: Selection
    encoders: list[Encoder]
    outputs: list[tuple[int, int | None]]
    """For each output, which encoder makes it, and the one category in it."""


@no_collection()
def convert_chunk(job: Job, images: list[ReadImage]) -> list[Converted]:
    """Convert images; what cannot be used is reported in notices."""
    if job.selection.limit is None:
        return [_convert_images(job, images)]
    return [_convert_images(job, [image]) for image in images]  # any of them may be the last


def _convert_images(job: Job, images: list[ReadImage]) -> Converted:
    kept = [_selected(job, image) for image in images]
    records = [record for record in kept if record is not None]
    measured = job.encoders[0].measure(records)
    encoded = [
        [encoder.encode(record, items) for record, items in zip(records, measured, strict=True)]
        for encoder in job.encoders
    ]
    rest = iter(measured)
    notices: list[Notice] = []
    for image, record in zip(images, kept, strict=True):
        notices += image.notices
        if record is not None:
            notices += area_notices(next(rest), job.reader.annotation_file(image.entry))
    return Converted(
        len(records),
        [item.category_id for record in records for item in record.items],
        notices,
        [
            Part.join(_of_category(encoded[index], measured, category_id))
            for index, category_id in job.outputs
        ],
    )


def _selected(job: Job, image: ReadImage) -> ImageRecord | None:
    """The record with the chosen items alone; None when the image is left out."""
    if image.record is None or job.reader.annotations is None:
        return image.record
    return _select(image.record, job.selection)


def _select(record: ImageRecord, selection: Selection) -> ImageRecord | None:
    """What of a record belongs to the subset; None when nothing does."""
    if selection.only is not None and record.source != selection.only:
        return None
    if not selection.categories:
        return record
    items = tuple(item for item in record.items if item.category_id in selection.categories)
    return dataclasses.replace(record, items=items) if items else None


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
