"""One pass over a split or over a COCO file, counting."""

from __future__ import annotations

import dataclasses
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from df2coco.coco.decoding import find_garments
from df2coco.coco.info import Conversion, conversion_of
from df2coco.coco.lists import read_parts
from df2coco.coco.reader import Loaded, open_source
from df2coco.errors import ImageError, SourceError, printable
from df2coco.file_kind import is_coco_source
from df2coco.layouts import own_slots
from df2coco.masks import area_or_box, union_areas
from df2coco.parser.photo_fit import judge_photos
from df2coco.parser.reader import Reader, ReadImage, Split, map_images, read_image
from df2coco.parser.records import ImageRecord, leaves_nothing
from df2coco.parser.splits import find_splits
from df2coco.progress import Progress, no_progress
from df2coco.releases import RELEASES
from df2coco.split_names import split_of
from df2coco.stats.values import CategoryStatistics, SplitStatistics, gaps
from df2coco.taxonomy import ATTRIBUTE_VALUES, ATTRIBUTES, CATEGORIES, SOURCES

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
    (numbers,) = split_statistics(
        source, images=images, workers=workers, password=password, progress=progress, alone=True
    )
    return numbers


def split_statistics(
    source: str | Path,
    *,
    images: str | Path | None = None,
    workers: int = 1,
    password: str | None = None,
    progress: Progress = no_progress,
    alone: bool = False,
) -> list[SplitStatistics]:
    """As `statistics`, for each split at `source`, train, validation and test first, others by name.

    Also raises `SourceError` when there are several and it must be `alone`.
    """
    source = Path(source)
    progress("looking for annotation files", 0, 0)
    if is_coco_source(source):
        progress(f"reading {source.name}", 0, 0)
        return [_of_coco(Loaded(source))]
    splits = find_splits(source, None if images is None else Path(images), password)
    if alone and len(splits) > 1:
        names = ", ".join(split.name for split in splits)
        raise SourceError(f"here are {names}. Name one of them.", file=source)
    return [_of_split(split, workers, progress) for split in splits]


Counts: TypeAlias = defaultdict[str, Counter[Any]]
"""What is counted -> value -> how often: see `count`."""


class ImageFacts(NamedTuple):
    """What is counted of an image; None: it is not known."""

    id: int
    size: tuple[int, int] | None
    """Width and height in pixels."""
    source: str | None


class ItemFacts(NamedTuple):
    """What is counted of an item; None: it is not known."""

    image: ImageFacts
    category_id: int
    box: float
    """Pixels of the box."""
    area: float | None
    """Pixels of the mask."""
    has_mask: bool
    points: tuple[int, int] | None
    """Visible and occluded landmarks; None when the item has no field for them."""
    pair_id: int | None
    style: int | None
    attributes: tuple[int | None, ...]
    """In the order of `ATTRIBUTES`; what is none of `ATTRIBUTE_VALUES` is as good as None."""


def count(counts: Counts, images: Sequence[ImageFacts], items: Sequence[ItemFacts]) -> None:
    """Count images and items, many at once: that takes half of the time of one by one."""
    boxes = [(item.box, item.area, item.image.size) for item in items if item.box > 0]
    counts["images"].update(image.id for image in images)
    counts["sizes"].update(image.size for image in images if image.size is not None)
    counts["sources"].update(image.source for image in images if image.source is not None)
    counts["items_of_image"].update(item.image.id for item in items)
    counts["kinds"].update((item.category_id, item.has_mask, item.points) for item in items)
    counts["styles"].update((item.image.source, item.pair_id, item.style) for item in items)
    counts["attributes"].update(item.attributes for item in items)
    counts["box_sizes"].update(round(math.sqrt(box)) for box, _, _ in boxes)
    shares = (round(100 * box / (size[0] * size[1])) for box, _, size in boxes if size is not None)
    counts["box_shares"].update(shares)
    shares = (round(100 * area / box) for box, area, _ in boxes if area is not None)
    counts["mask_shares"].update(shares)


def _of_split(split: Split, workers: int, progress: Progress) -> SplitStatistics:
    counts: Counts = defaultdict(Counter)
    counts["notices"].update(notice.code for notice in split.notices())
    parts = map_images(
        partial(_count_images, split.reader),
        split.reader,
        split.entries,
        phase=f"counting {split.name}",
        workers=workers,
        progress=progress,
    )
    with closing(parts):
        for part in parts:
            for name, counter in part.items():
                counts[name].update(counter)
    notices, images = counts["notices"], counts["images"].total()
    if leaves_nothing(notices, counts["kinds"].total() if split.reader.annotations else images):
        said = ", ".join(f"{code}: {number:,}" for code, number in sorted(notices.items()))
        text = f"nothing is left that can be counted ({said}). convert says more of each."
        raise SourceError(text, file=split.label)
    if judge_photos(list(counts["reaches"].elements())) is not None:
        notices["other-photos"] += 1
    categories = [(c.id, c.name, c.num_landmarks) for c in CATEGORIES]
    return statistics_of(counts, split.name, _released_split(split.name, images), categories)


_VALUES: Final = attrgetter(*ATTRIBUTES)


def _count_images(reader: Reader, images: list[ReadImage]) -> Counts:
    counts: Counts = defaultdict(Counter)
    records: list[tuple[ImageRecord, ImageFacts]] = []
    for image in images:
        sizes_known = reader.images is not None
        counts["notices"].update(notice.code for notice in image.notices)
        if isinstance(image.error, ImageError) and reader.annotations is not None:
            # Its items count all the same.
            sizes_known = False
            image = read_image(dataclasses.replace(reader, images=None), image.entry)
            counts["notices"].update(notice.code for notice in image.notices)
        if (record := image.record) is not None:
            size = (record.width, record.height) if sizes_known else None
            records.append((record, ImageFacts(record.image_id, size, record.source)))
            counts["reaches"].update(() if record.reach is None else (record.reach,))
    # All masks together: one by one they take three times as long.
    owners = [(item, *owner) for owner in records for item in owner[0].items]
    sizes = [(record.width, record.height) for _, record, _ in owners]
    areas = union_areas([item.segmentation for item, _, _ in owners], sizes)
    facts = []
    for (item, record, its_image), pixels in zip(owners, areas, strict=True):
        x1, y1, x2, y2 = box = item.bounding_box
        visible = item.landmarks[2::3].count(2)
        facts.append(
            ItemFacts(
                its_image,
                item.category_id,
                (x2 - x1) * (y2 - y1),
                area_or_box(pixels, box),
                True,
                (visible, item.num_labelled - visible),
                record.pair_id,
                item.style,
                _VALUES(item),
            )
        )
    count(counts, [image for _, image in records], facts)
    return counts


_NO_MASK: Final = re.compile(rb"\s*(\[\s*\]|\{\s*\}|null)?\s*")
_MAX_AREA: Final = 1 << 53
_NUMBERS: Final = attrgetter("pair_id", "style", *ATTRIBUTES)


def _of_coco(loaded: Loaded) -> SplitStatistics:
    document, parts = read_parts(loaded, "stats")
    made = conversion_of(document.get("info")) or Conversion()
    images = []
    for image in document["images"]:
        size, source = (image.get("width"), image.get("height")), image.get("source")
        known_size = size if made.sizes_known and all(size) else None
        images.append(ImageFacts(image["id"], known_size, source if source in SOURCES else None))
    by_id = {image.id: image for image in reversed(images)}
    counts: Counts = defaultdict(Counter)
    count(counts, images, ())
    has_areas = False
    for part in parts:
        items = [_item_facts(annotation, by_id) for annotation in part]
        has_areas |= any(i.area is not None and abs(i.area - i.box) >= 0.5 for i in items)
        count(counts, (), items)
    if not has_areas:
        counts["mask_shares"].clear()  # they are the boxes'
    garments = find_garments(document["categories"])
    categories = []
    for category in document["categories"]:
        number, landmarks = category["id"], len(category.get("keypoints", ()))
        own = own_slots(garments[number], landmarks) if number in garments else None
        name = category.get("name", str(number))
        categories.append((number, name, landmarks if own is None else len(own)))
    # A file of one category is a subset too, whoever wrote it; a merged one is of no one split.
    subset = made.is_subset or made.merged or len(categories) != len(CATEGORIES)
    name = loaded.path.stem
    split = None if subset else _released_split(name, len(images))
    return statistics_of(counts, name, split, categories)


def _item_facts(annotation: Any, images: Mapping[int, ImageFacts]) -> ItemFacts:
    _, _, width, height = annotation.bbox or (0, 0, 0, 0)
    number, area, points = annotation.image_id, annotation.area, None
    if annotation.keypoints is not None:
        visibility = annotation.keypoints[2::3]
        points = visibility.count(2), visibility.count(1)
    pair_id, style, *attributes = [v if type(v) is int else None for v in _NUMBERS(annotation)]
    return ItemFacts(
        images.get(number) or ImageFacts(number, None, None),  # the file may not have the image
        annotation.category_id,
        max(0, width) * max(0, height),
        area if area is not None and 0 <= area <= _MAX_AREA else None,
        not _NO_MASK.fullmatch(annotation.segmentation),
        points,
        pair_id,
        style,
        tuple(attributes),
    )


def _released_split(name: str, images: int) -> str | None:
    """The released split that a name means ("keypoints_validation"), or else the number of images."""
    same = (split for split, release in RELEASES.items() if release.images == images)
    return split_of(name) or next(same, None)


def statistics_of(
    counts: Counts, name: str, split: str | None, categories: Iterable[tuple[int, str, int]]
) -> SplitStatistics:
    """The statistics of a split; `split` is the released split that it seems to be.

    `categories` are those of the split: id, name, number of landmarks.
    """
    images, sources, kinds = counts["images"], counts["sources"], counts["kinds"]
    release = RELEASES.get(split or "")
    if release is None or images.total() < release.images / 2:
        split = release = None  # somebody's sample
    items_per_source: Counter[str] = Counter()
    for (source, _, _), items in counts["styles"].items():
        items_per_source[source] += items
    attributes = {name: [0, 0, 0] for name in ATTRIBUTES}
    for values, items in counts["attributes"].items():
        for attribute, value in zip(ATTRIBUTES, values, strict=True):
            if value in ATTRIBUTE_VALUES:
                attributes[attribute][value - 1] += items
    labelled = [any(points) * items for (_, _, points), items in kinds.items() if points]
    per_image = Counter(counts["items_of_image"][number] for number in images)
    pairs, query_items, unpaired_query_items = _pairs(counts)
    return SplitStatistics(
        name=printable(name),
        split=split,
        images=images.total(),
        items=kinds.total(),
        landmarks=sum(labelled) if labelled else None,
        masks=sum(items for (_, has_mask, _), items in kinds.items() if has_mask),
        pairs=pairs,
        query_items=query_items,
        unpaired_query_items=unpaired_query_items,
        gallery_items=items_per_source["shop"] if sources else None,
        categories=_categories(kinds, list(categories)),
        attributes={name: (a, b, c) for name, (a, b, c) in attributes.items() if a or b or c},
        images_per_source={name: sources[name] for name in SOURCES if sources},
        items_per_source={name: items_per_source[name] for name in SOURCES if sources},
        # Of images of one id all but one have no items.
        items_per_image=_sorted(per_image + Counter({0: images.total() - len(images)})),
        image_sizes=tuple(
            sorted(((w, h, n) for (w, h), n in counts["sizes"].items()), key=lambda s: (-s[2], s))
        ),
        box_sizes=_sorted(counts["box_sizes"]),
        box_shares=_sorted(counts["box_shares"]),
        mask_shares=_sorted(counts["mask_shares"]),
        missing_images=gaps(images, release.images) if release else (),
        notices=_sorted(counts["notices"]),
    )


def _sorted(counter: Counter[Any]) -> dict[Any, int]:
    return dict(sorted(counter.items()))


def _pairs(counts: Counts) -> tuple[int, int, int] | tuple[None, None, None]:
    """Pairs, user items in one, and user items with style > 0 in none."""
    styles = counts["styles"]
    if not counts["sources"] or all(style is None for _, _, style in styles):
        return None, None, None
    pairs = queries = unpaired = 0
    for (source, pair_id, style), users in styles.items():
        if source == "user" and style is not None and style > 0:
            shops = 0 if pair_id is None else styles["shop", pair_id, style]
            pairs += users * shops
            queries += users if shops else 0
            unpaired += 0 if shops else users
    return pairs, queries, unpaired


def _categories(
    kinds: Counter[Any], known: list[tuple[int, str, int]]
) -> tuple[CategoryStatistics, ...]:
    """The items and landmarks of each category."""
    totals: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for (number, _, points), items in kinds.items():
        visible, occluded = points or (0, 0)
        more = items, (points is not None) * items, visible * items, occluded * items
        totals[number] = [a + b for a, b in zip(totals[number], more, strict=True)]
    unknown = sorted(totals.keys() - {number for number, _, _ in known})
    known += [(number, f"(unknown category {number})", 0) for number in unknown]
    categories = []
    for number, name, landmarks in known:
        items, with_points, visible, occluded = totals[number]
        points = visible, occluded, max(0, with_points * landmarks - visible - occluded)
        categories.append(CategoryStatistics(number, name, items, landmarks, *points))
    return tuple(categories)
