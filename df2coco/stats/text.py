"""Statistics as lines of text, none longer than 80 characters."""

import textwrap
from collections.abc import Iterator
from itertools import chain
from typing import Final

from df2coco.errors import counted, cut_text, printable
from df2coco.parser.records import NOTICES
from df2coco.stats.values import POINTS, SplitStatistics, quantile
from df2coco.taxonomy import ATTRIBUTES

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
