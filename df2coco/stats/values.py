"""The statistics of a split, as values and as lines of text."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate, chain
from operator import attrgetter
from typing import Any, Final, Literal, NamedTuple

from df2coco.errors import counted, cut_text, printable
from df2coco.parser.records import NOTICES
from df2coco.releases import PAPER, RELEASES, Release, completeness
from df2coco.taxonomy import ATTRIBUTES

Histogram = Mapping[int, int]
"""Value, rounded to a whole number of its unit -> how often; sorted by value."""

POINTS: Final = ("visible", "occluded", "unlabelled")
"""What the points of landmarks are: fields of `CategoryStatistics`."""

_GAPS_SHOWN: Final = 8


@dataclass(frozen=True, slots=True)
class CategoryStatistics:
    """The items of one category, and the points of their landmarks.

    - id: As the file has it.
    - name: As the file has it.
    - items: Items of the category.
    - num_landmarks: Landmarks that an item of the category has; 0 where the file has none.
    - visible: Points with v = 2.
    - occluded: Points with v = 1.
    - unlabelled: The category's other points (v = 0); slots of other categories do not count.
    """

    id: int
    name: str
    items: int
    num_landmarks: int
    visible: int
    occluded: int
    unlabelled: int


@dataclass(frozen=True, slots=True)
class SplitStatistics:
    """What a split or a COCO file holds. None and empty histograms: the file does not say.

    - name: "validation", or the name of the COCO file.
    - split: The released split that this is, all or most of it: a key of `RELEASES`.
    - images: Images, with or without items.
    - items: Boxes.
    - landmarks: Items with a labelled landmark.
    - masks: Items with a mask.
    - pairs: Pairs of a user's item and a shop's of equal pair_id and style > 0.
    - query_items: Items of user photos that are in a pair.
    - unpaired_query_items: Items of user photos with style > 0 that no shop photo here shows.
    - gallery_items: Items of shop photos, in a pair or not.
    - categories: In the order of the file.
    - attributes: scale, occlusion, zoom_in, viewpoint -> items with value 1, 2, 3.
    - images_per_source: user, shop -> images.
    - items_per_source: user, shop -> items.
    - items_per_image: Items -> images.
    - image_sizes: Width, height, images; the most frequent first. Empty when the sizes are not
      the images' own.
    - box_sizes: Square root of width x height in pixels -> items.
    - box_shares: Box area in percent of its image -> items.
    - mask_shares: Mask area in percent of its box -> items. Empty for files whose area is the
      box's.
    - missing_images: First and last number of each gap in a released split.
    - notices: Code of `df2coco.parser.NOTICES` -> how often; what is left out here, convert
      leaves out too.
    """

    name: str
    split: str | None
    images: int
    items: int
    landmarks: int | None
    masks: int
    pairs: int | None
    query_items: int | None
    unpaired_query_items: int | None
    gallery_items: int | None
    categories: tuple[CategoryStatistics, ...]
    attributes: Mapping[str, tuple[int, int, int]]
    images_per_source: Mapping[str, int]
    items_per_source: Mapping[str, int]
    items_per_image: Histogram = field(repr=False)
    image_sizes: tuple[tuple[int, int, int], ...] = field(repr=False)
    box_sizes: Histogram = field(repr=False)
    box_shares: Histogram = field(repr=False)
    mask_shares: Histogram = field(repr=False)
    missing_images: tuple[tuple[int, int], ...] = ()
    notices: Mapping[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        return "\n".join(text_table(self))

    @property
    def total(self) -> CategoryStatistics:
        """The items and points of all categories together."""
        points = {name: sum(getattr(c, name) for c in self.categories) for name in POINTS}
        return CategoryStatistics(0, "all", self.items, 0, **points)

    @property
    def release(self) -> Release | None:
        """What was released as this split."""
        return RELEASES[self.split] if self.split else None

    def image_sides(self, axis: Literal[0, 1]) -> Histogram:
        """Width (0) or height (1) in pixels -> images."""
        counts: Counter[int] = Counter()
        for size in self.image_sizes:
            counts[size[axis]] += size[2]
        return dict(sorted(counts.items()))

    def comparison(self) -> list[CountRow]:
        """The counts beside those that were released, and those of the paper's table 1."""
        # What: here, and the field of `Release`.
        counts: dict[str, tuple[int | None, str]] = {
            "images": (self.images, "images"),
            "user images": (self.images_per_source.get("user"), "user_images"),
            "shop images": (self.images_per_source.get("shop"), "shop_images"),
            "boxes": (self.items, "items"),
            "user items": (self.items_per_source.get("user"), "user_items"),
            "shop items": (self.items_per_source.get("shop"), "shop_items"),
            "landmarks": (self.landmarks, "items"),
            "masks": (self.masks, "items"),
            "pairs": (self.pairs, "pairs"),
            "query items": (self.query_items, "query_items"),
            "gallery items": (self.gallery_items, "gallery_items"),
        }
        paper = PAPER.get(self.split or "")
        rows = []
        for what, (here, name) in counts.items():
            # That landmarks are as many as boxes is only what the paper's table says.
            released = None if what == "landmarks" else getattr(self.release, name, None)
            rows.append(CountRow(what, here, released, getattr(paper, name, None)))
        return rows

    def missing(self) -> list[str]:
        """Sentences: whether all of the released split is here, and what is not."""
        release = self.release
        if release is None or self.split is None:
            return []
        lines = completeness(self.split, self.images, self.items)
        if self.missing_images:
            ranges = [f"{a:06d}" if a == b else f"{a:06d}-{b:06d}" for a, b in self.missing_images]
            more = len(ranges) - _GAPS_SHOWN
            rest = f" and {more:,} more gaps" if more > 0 else ""
            lines.append(f"missing images: {', '.join(ranges[:_GAPS_SHOWN])}{rest}.")
        expected = dict(enumerate(release.items_per_category, start=1))
        for category in sorted(self.categories, key=attrgetter("id")):
            here, there = category.items, expected.get(category.id, category.items)
            if here != there:
                text = f"missing ({here:,} of {there:,})"
                if here > there:
                    text = f"more than the {there:,} released"
                lines.append(f"{category.name}: {counted(abs(here - there), 'item')} {text}.")
        return lines

    def as_json(self) -> dict[str, Any]:
        """Everything as JSON values: the fields, the comparison, and what is missing."""
        return {
            **{name: getattr(self, name) for name in self.__slots__},
            **{name: getattr(self.total, name) for name in POINTS},
            "comparison": [row._asdict() for row in self.comparison()],
            "missing": self.missing(),
        }


class CountRow(NamedTuple):
    """One count: here, released, in the paper; None where it is not known."""

    what: str
    here: int | None
    released: int | None
    paper: int | None


def gaps(numbers: Iterable[int], last: int) -> tuple[tuple[int, int], ...]:
    """First and last of each run of numbers in 1 to `last` that do not occur."""
    runs = []
    expected = 1
    for number in sorted({n for n in numbers if 1 <= n <= last} | {last + 1}):
        if number > expected:
            runs.append((expected, number - 1))
        expected = number + 1
    return tuple(runs)


def quantile(histogram: Histogram, share: float) -> int:
    """The smallest value that at least `share` (0 to 1) of the counted do not exceed."""
    least = share * sum(histogram.values())
    reached = zip(histogram, accumulate(histogram.values()), strict=True)
    return next((value for value, count in reached if count >= least), 0)


_WIDTH: Final = 80
_NAME_WIDTH: Final = 22

MEANINGS: Final = {
    "landmarks": "items with any labelled",
    "masks": "items with a mask",
    "pairs": "of a user's and a shop's item, the same garment",
    "query items": "user items in a pair",
    "gallery items": "shop items",
}
"""What the rows of the comparison count, where their names do not say it."""


def text_table(numbers: SplitStatistics) -> Iterator[str]:
    """The lines of the table of one split."""
    title = cut_text(printable(numbers.name), 39)
    yield f"{title}: {counted(numbers.images, 'image')}, {counted(numbers.items, 'item')}"
    wrapped = (textwrap.wrap(each, _WIDTH, subsequent_indent="  ") for each in remarks(numbers))
    tables = (part(numbers) for part in (_comparison, _categories, _attributes, _distributions))
    for lines in map(list, (*tables, chain.from_iterable(wrapped))):
        yield from ["", *lines] if lines else ()


def percent(count: int, total: int) -> str:
    """A share with one decimal: "24.0 %"; "-" of nothing."""
    return f"{100 * count / total:.1f} %" if total else "-"


def _comparison(numbers: SplitStatistics) -> Iterator[str]:
    known = numbers.split is not None
    yield f"{'':<15}{'here':>9}" + (f"{'released':>10}{'paper':>9}" if known else "")
    for row in numbers.comparison():
        cells = f"{row.what:<15}{_count(row.here):>9}"
        if known:
            cells += f"{_count(row.released):>10}{_count(row.paper):>9}"
        meaning = f"  {MEANINGS.get(row.what, '')}"
        yield (cells + meaning if len(cells + meaning) <= _WIDTH else cells).rstrip()


def _count(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"


def _categories(numbers: SplitStatistics) -> Iterator[str]:
    if not numbers.items:
        return
    widths = {} if numbers.landmarks is None else dict(zip(POINTS, (11, 10, 12), strict=True))
    head = "".join(f"{part:>{width}}" for part, width in widths.items())
    yield f"{'category':<{_NAME_WIDTH}}{'items':>9}{'share':>9}{head}"
    for row in (*numbers.categories, numbers.total):
        name = cut_text(printable(row.name), _NAME_WIDTH - 1)
        share = percent(row.items, numbers.items)
        points = (f"{getattr(row, part):>{width},}" for part, width in widths.items())
        yield f"{name:<{_NAME_WIDTH}}{row.items:>9,}{share:>9}{''.join(points)}"


def _attributes(numbers: SplitStatistics) -> Iterator[str]:
    for name, counts in numbers.attributes.items():
        known = sum(counts)
        cells = (
            f"{f'{meaning} {percent(count, known)}':<{width}}"
            for meaning, count, width in zip(ATTRIBUTES[name], counts, (17, 17, 21), strict=True)
        )
        unknown = numbers.items - known
        note = f"{unknown:,} without" if unknown else ""
        yield f"{name:<11}{''.join(cells)}{note}".rstrip()


QUANTILES: Final = {"min": 0, "5 %": 0.05, "median": 0.5, "95 %": 0.95, "max": 1}


def distributions(numbers: SplitStatistics) -> dict[str, list[int]]:
    """Name -> its `QUANTILES`, of the histograms that are not empty."""
    histograms = {
        "items per image": numbers.items_per_image if numbers.items else {},
        "image width, pixels": numbers.image_sides(0),
        "image height, pixels": numbers.image_sides(1),
        "box size, pixels (root of width x height)": numbers.box_sizes,
        "box area, % of its image": numbers.box_shares,
        "mask area, % of its box": numbers.mask_shares,
    }
    return {
        name: [quantile(histogram, share) for share in QUANTILES.values()]
        for name, histogram in histograms.items()
        if histogram
    }


def _distributions(numbers: SplitStatistics) -> Iterator[str]:
    rows = distributions(numbers)
    if rows:
        yield f"{'':<42}" + "".join(f"{head:>7}" for head in QUANTILES)
    for name, values in rows.items():
        yield f"{name:<42}" + "".join(f"{value:>7,}" for value in values)


def remarks(numbers: SplitStatistics) -> Iterator[str]:
    """Sentences: what the input does not have, what was wrong with it, what of a release is missing."""
    if numbers.unpaired_query_items:
        unpaired = f"{numbers.unpaired_query_items:,}"
        yield f"User items with a style > 0 that no shop item here shares: {unpaired}."
    unknown = numbers.images - sum(numbers.images_per_source.values())
    if unknown and numbers.images_per_source:
        yield f"Images without a source (user or shop): {unknown:,}."
    no_items = not numbers.items  # then there is nothing of theirs to miss
    present = {
        "user and shop": numbers.images_per_source,
        "pairs": no_items or numbers.pairs is not None,
        "landmarks": no_items or numbers.landmarks is not None,
        **{name: no_items or name in numbers.attributes for name in ATTRIBUTES},
        "mask areas": no_items or numbers.mask_shares or numbers.masks,
        "image sizes": numbers.image_sizes,
    }
    if missing := [what for what, is_there in present.items() if not is_there]:
        yield f"Not in the input: {', '.join(missing)}."
    if numbers.masks and not numbers.mask_shares:
        yield (
            "Mask areas are not shown: area is that of boxes here. "
            "convert --area mask writes them, and stats of the split itself shows them."
        )
    for code, count in numbers.notices.items():
        yield f"{NOTICES[code].level}: {count:,} x {code}: {NOTICES[code].sentence}."
    yield from map(printable, numbers.missing())
