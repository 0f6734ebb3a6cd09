"""One pass over a split or over a COCO file, counting."""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections import defaultdict
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from df2coco.coco.decoding import find_garments
from df2coco.coco.info import Conversion, conversion_of
from df2coco.coco.lists import read_parts
from df2coco.coco.reader import Loaded, open_source
from df2coco.errors import ImageError, SourceError
from df2coco.file_kind import recognise_file
from df2coco.layouts import own_slots
from df2coco.masks import area_or_box, union_areas
from df2coco.parser.photo_fit import judge_photos
from df2coco.parser.reader import Reader, ReadImage, Split, map_images, read_image
from df2coco.parser.records import ImageRecord, Item, leaves_nothing
from df2coco.parser.splits import find_splits
from df2coco.progress import Progress, no_progress
from df2coco.releases import RELEASES
from df2coco.split_names import split_of
from df2coco.stats.tally import CountedCategory, ItemFacts, Tally
from df2coco.stats.values import SplitStatistics
from df2coco.taxonomy import ATTRIBUTES, CATEGORIES, SOURCES

if TYPE_CHECKING:
    from pycocotools.coco import COCO


def statistics(
    source: str | Path | COCO | Mapping[str, Any],
    *,
    images: str | Path | None = None,
    workers: int = 1,
    password: str | None = None,
    progress: Progress = no_progress,
) -> SplitStatistics:
    """The statistics of one split.

    `source` is a split as `convert` takes it, a COCO file of whatever origin, or a loaded one. `images` is
    a folder or archive of the images, looked for beside the annotations when not given; without images
    their sizes are not known. What cannot be used of a split is counted in `notices`.

    Raises `SourceError` when there is no split or several (see `split_statistics`), `PasswordError` for the
    password, `CocoFileError` when a COCO file cannot be read.
    """
    if not isinstance(source, str | Path):
        return _of_coco(open_source(source, "COCO document"))
    return _all(source, images, workers, password, progress, most=1)[0]


def split_statistics(
    source: str | Path,
    *,
    images: str | Path | None = None,
    workers: int = 1,
    password: str | None = None,
    progress: Progress = no_progress,
) -> list[SplitStatistics]:
    """As `statistics`, for each split at `source`, in the order train, validation, test, others by name."""
    return _all(source, images, workers, password, progress)


def _all(
    source: str | Path,
    images: str | Path | None,
    workers: int,
    password: str | None,
    progress: Progress,
    most: int | None = None,
) -> list[SplitStatistics]:
    source = Path(source)
    progress("looking for annotation files", 0, 0)
    kind = recognise_file(source) if os.path.isfile(source) else None
    is_json = source.suffix.lower() == ".json" and not os.path.isdir(source)
    if is_json or (kind is not None and kind.form):
        progress(f"reading {source.name}", 0, 0)
        return [_of_coco(Loaded(source))]
    splits = find_splits(source, None if images is None else Path(images), password)
    if most is not None and len(splits) > most:
        names = ", ".join(split.name for split in splits)
        raise SourceError(f"here are {names}. Name one of them.", file=source)
    return [_of_split(split, workers, progress) for split in splits]


# ---------------------------------------------------------------- the dataset


def _of_split(split: Split, workers: int, progress: Progress) -> SplitStatistics:
    tally = Tally()
    tally.notices.update(notice.code for notice in split.notices())
    count = partial(_count_images, split.reader)
    parts = map_images(
        count,
        split.reader,
        split.entries,
        phase=f"counting {split.name}",
        workers=workers,
        progress=progress,
    )
    with closing(parts):
        for part in parts:
            tally.merge(part)
    left = tally.items.total() if split.reader.annotations else len(tally.ids)
    if leaves_nothing(tally.notices, left):
        counts = ", ".join(f"{code}: {count:,}" for code, count in sorted(tally.notices.items()))
        text = f"nothing is left that can be counted ({counts}). convert says more of each."
        raise SourceError(text, file=split.label)
    if judge_photos(tally.reaches) is not None:
        tally.notices["other-photos"] += 1
    categories = [CountedCategory(c.id, c.name, c.num_landmarks) for c in CATEGORIES]
    return tally.statistics(split.name, _released_split(split.name, len(tally.ids)), categories)


def _count_images(reader: Reader, images: list[ReadImage]) -> Tally:
    tally = Tally()
    records: list[tuple[ImageRecord, bool]] = []
    for image in images:
        sizes_known = reader.images is not None
        tally.notices.update(notice.code for notice in image.notices)
        if isinstance(image.error, ImageError) and reader.annotations is not None:
            # Its items count all the same.
            sizes_known = False
            image = read_image(dataclasses.replace(reader, images=None), image.entry)
            tally.notices.update(notice.code for notice in image.notices)
        if image.record is not None:
            records.append((image.record, sizes_known))
    # All masks together: one by one they take three times as long.
    sizes = [(record.width, record.height) for record, _ in records for _ in record.items]
    masks = [item.segmentation for record, _ in records for item in record.items]
    pixels = iter(union_areas(masks, sizes))
    for record, sizes_known in records:
        if record.reach is not None:
            tally.reaches.append(record.reach)
        items = [_item_facts(item, record, next(pixels)) for item in record.items]
        size = (record.width, record.height) if sizes_known else None
        tally.add_image(record.image_id, size, record.source, items)
    return tally


def _item_facts(item: Item, record: ImageRecord, pixels: int) -> ItemFacts:
    x1, y1, x2, y2 = item.bounding_box
    box = x2 - x1, y2 - y1
    visible = item.landmarks[2::3].count(2)
    area = area_or_box(pixels, item.bounding_box)
    return ItemFacts(
        item.category_id,
        box,
        area,
        True,
        (visible, item.num_labelled - visible),
        record.pair_id,
        item.style,
        (item.scale, item.occlusion, item.zoom_in, item.viewpoint),
    )


# ---------------------------------------------------------------- a COCO file


def _annotation_facts(annotation: Any) -> ItemFacts:
    """What is counted of an annotation."""
    _, _, width, height = annotation.bbox or (0, 0, 0, 0)
    area, keypoints = annotation.area, annotation.keypoints
    points = None
    if keypoints is not None:
        visibility = keypoints[2::3]
        points = visibility.count(2), visibility.count(1)
    return ItemFacts(
        annotation.category_id,
        (max(0, width), max(0, height)),
        area if area is not None and 0 <= area <= _MAX_AREA else None,
        bytes(annotation.segmentation).translate(None, b" \t\r\n") not in _NOTHING,
        points,
        _integer(annotation.pair_id),
        _integer(annotation.style),
        [value if value in (1, 2, 3) else None for value in map(_integer, _attributes(annotation))],
    )


_NOTHING: Final = (b"", b"[]", b"null", b"{}")
"""What is no segmentation, in JSON."""

_MAX_AREA: Final = 1 << 53

_attributes: Final = attrgetter(*ATTRIBUTES)


def _integer(value: Any) -> int | None:
    return value if type(value) is int else None


def _of_coco(loaded: Loaded) -> SplitStatistics:
    by_image: defaultdict[int, list[ItemFacts]] = defaultdict(list)
    path = loaded.path
    document, parts = read_parts(loaded, "stats")
    for annotation in itertools.chain.from_iterable(parts):
        by_image[annotation.image_id].append(_annotation_facts(annotation))
    if all(_is_of_box(item) for items in by_image.values() for item in items):
        for image_id, items in by_image.items():
            by_image[image_id] = [item._replace(area=None) for item in items]
    made = conversion_of(document.get("info")) or Conversion()
    tally = Tally()
    for image in document["images"]:
        size = (image.get("width"), image.get("height")) if made.sizes_known else None
        source = image.get("source")
        tally.add_image(
            image["id"],
            size if size and all(size) else None,
            source if source in SOURCES else None,
            by_image.pop(image["id"], []),
        )
    for items in by_image.values():  # of images that the file does not have
        for item in items:
            tally.add_item(item, None, None)
    # A file of one category is a subset too, whoever wrote it; a merged one is of no one split.
    subset = made.is_subset or made.merged or len(document["categories"]) != len(CATEGORIES)
    split = None if subset else _released_split(path.stem, len(document["images"]))
    categories = _counted_categories(document["categories"])
    return tally.statistics(path.stem, split, categories)


def _is_of_box(item: ItemFacts) -> bool:
    """Whether the area is the box's, or not known."""
    return item.area is None or abs(item.area - item.box[0] * item.box[1]) < 0.5


def _released_split(name: str, images: int) -> str | None:
    """The released split that a name means ("keypoints_validation"), or else the number of images."""
    same = (split for split, release in RELEASES.items() if release.images == images)
    return split_of(name) or next(same, None)


def _counted_categories(categories: list[dict[str, Any]]) -> list[CountedCategory]:
    """The categories with the numbers of landmarks that are their own, in every layout."""
    garments = find_garments(categories)
    counted = []
    for category in categories:
        count, garment = len(category.get("keypoints", ())), garments.get(category["id"])
        own = None if garment is None else own_slots(garment, count)
        name = category.get("name", str(category["id"]))
        counted.append(CountedCategory(category["id"], name, count if own is None else len(own)))
    return counted
