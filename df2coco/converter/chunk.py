"""Some images of a split, from their files to finished JSON: what a worker does. And a sample of that."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from heapq import heappop, heappush
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

import msgspec

from df2coco.coco.info import Condition
from df2coco.coco.reader import no_collection
from df2coco.coco.writer import Block
from df2coco.converter.encoder import Measured, category_ids, make_encoder, measure
from df2coco.converter.options import Selection, Shape
from df2coco.parser.reader import Reader, ReadImage
from df2coco.parser.records import ImageRecord, Notice


class Output(NamedTuple):
    """One COCO file."""

    path: Path
    shape: Shape
    """As `Shape.of_file` gives it."""
    category_id: int | None = None
    """Only this category's items, category and images."""


class Converted(NamedTuple):
    """What some images came to."""

    images: int
    items_per_category: dict[int, int]
    """By the file's category."""
    left_out: int
    """Items whose category is in no class."""
    notices: list[Notice]
    blocks: list[Block]
    """One for each output."""
    reaches: list[float]
    """Of each image that was read, chosen or not: see `ImageRecord.reach`."""
    pair: str
    """What the images of a pair have in common: that of the first image."""


@no_collection()
def convert_chunk(
    reader: Reader, selection: Selection, outputs: Sequence[Output], images: list[ReadImage]
) -> list[Converted]:
    """Convert images; what cannot be used is reported in notices."""
    # With a limit or a sample any of them may be the last, or be chosen without the others.
    alone = selection.limit is not None or selection.sample is not None
    chunks = [[image] for image in images] if alone else [images]
    return [_convert(reader, selection, outputs, chunk) for chunk in chunks]


def _convert(
    reader: Reader, selection: Selection, outputs: Sequence[Output], images: list[ReadImage]
) -> Converted:
    chosen, left_out = [image.record for image in images], 0
    if reader.annotations is not None:
        chosen, left_out = _choose(selection, outputs[0].shape, chosen)
    records = [record for record in chosen if record is not None]
    numbers = category_ids(outputs[0].shape)
    measured = measure(records, count=any(each.shape.area == "mask" for each in outputs))
    rest = iter(measured)
    notices: list[Notice] = []
    for image, record in zip(images, chosen, strict=True):
        notices += image.notices
        for item in () if record is None else record.items:
            if not next(rest).pixels:
                file, field = reader.annotation_file(image.entry), f"{item.key}.segmentation"
                text = "the polygons cover no pixel; area is the box's"
                notices.append(Notice("area-from-box", file, field, text))
    reaches = (image.record.reach for image in images if image.record is not None)
    pair_id = None if images[0].record is None else images[0].record.pair_id
    return Converted(
        len(records),
        Counter(numbers[item.category_id] for record in records for item in record.items),
        left_out,
        notices,
        [_part(output, records, measured) for output in outputs],
        [reach for reach in reaches if reach is not None],
        f"image {images[0].entry.stem}" if pair_id is None else f"pair {pair_id}",
    )


def _choose(
    selection: Selection, shape: Shape, records: list[ImageRecord | None]
) -> tuple[list[ImageRecord | None], int]:
    """The images with the chosen items alone, None for those left out; and how many items are in no class."""
    classes = shape.class_ids
    tests = [Condition.read(text).holds for text in selection.where]
    if selection.categories or selection.exclude:
        wanted = frozenset(selection.category_ids)
        tests.append(lambda item: item.category_id in wanted)
    if not (tests or classes or selection.only):
        return records, 0
    named = category_ids(shape)
    chosen: list[ImageRecord | None] = []
    left_out = 0
    for record in records:
        if record is None or selection.only not in (None, record.source):
            chosen.append(None)
            continue
        items = [item for item in record.items if all(test(item) for test in tests)]
        kept = [item for item in items if item.category_id in named]
        left_out += len(items) - len(kept)
        is_left = kept or not (tests or classes)
        chosen.append(msgspec.structs.replace(record, items=tuple(kept)) if is_left else None)
    return chosen, left_out


def _part(output: Output, records: list[ImageRecord], measured: list[Measured]) -> Block:
    """An output's images and annotations; with a category only its own, and the images that have one."""
    encoder, category_id = make_encoder(output.shape), output.category_id
    images, annotations = [], []
    rest = iter(measured)
    for record in records:
        own = [
            encoder.annotation(record, item, measures)
            for item, measures in zip(record.items, rest, strict=False)
            if category_id in (None, item.category_id)
        ]
        if own or category_id is None:
            images.append(encoder.image(record))
            annotations += own
    return Block.join(images, annotations)


def take_sample(converted: Iterable[Converted], size: int, seed: int) -> Iterator[Converted]:
    """Of results of one image each, those of a random sample of pairs, in their order.

    The sample is the fewest pairs, in a random order that `seed` decides, that have `size` images or more
    together. An image without a pair counts as one. The order depends on the pair alone, so that the same
    split and seed give the same sample whatever else is done.

    Notices come at once and without images, the chosen images at the end. Memory holds little more than
    the sample: a pair that is not needed any more is dropped, and so is the rest of it.
    """
    waiting: dict[int, list[tuple[int, Converted]]] = {}
    ranks: list[int] = []  # a heap of the negative ranks, so that the largest comes first
    held = 0
    limit = 1 << 64
    for number, image in enumerate(converted):
        empty = [Block.join((), ())] * len(image.blocks)
        yield Converted(0, {}, 0, image.notices, empty, image.reaches, image.pair)
        digest = blake2b(f"{seed}:{image.pair}".encode(), digest_size=8).digest()
        rank = int.from_bytes(digest, "big")
        if not image.images or rank >= limit:
            continue
        if rank not in waiting:
            heappush(ranks, -rank)
        waiting.setdefault(rank, []).append((number, image))
        held += 1
        while held - len(waiting[-ranks[0]]) >= size:
            limit = -heappop(ranks)
            held -= len(waiting.pop(limit))
    for _, image in sorted(chain.from_iterable(waiting.values()), key=itemgetter(0)):
        yield image._replace(notices=[])
