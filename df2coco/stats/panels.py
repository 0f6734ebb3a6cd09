"""The charts, each drawn into axes that it is given."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from df2coco.errors import cut_text, printable
from df2coco.stats.values import POINTS, CategoryStatistics, SplitStatistics, percent, quantile
from df2coco.taxonomy import ATTRIBUTES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHADES: Final = ("#c6def1", "#5aa0d6", "#0b4f8a")
"""Three steps of one hue, which differ in gray too, and to every eye."""
BAR: Final = "#3a86c4"

MOST_CATEGORIES: Final = 30
"""Categories that a chart shows; the dataset has 13, other files may have thousands."""


class Panel(NamedTuple):
    """One chart."""

    title: str
    has: Callable[[SplitStatistics], Any]
    """Whether there is something to draw."""
    height: Callable[[SplitStatistics], float]
    """In inches; a chart is some 6 inches wide."""
    draw: Callable[[Axes, SplitStatistics], None]
    describe: Callable[[SplitStatistics], str]
    """The chart in a sentence, for those who do not see it."""


def plain_text(text: str) -> str:
    """Text of the input as it is drawn: one line of bounded length."""
    return cut_text(printable(text), 40)


def _bare(axes: Axes) -> None:
    """No frame and no ticks: the bars bear their numbers."""
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.set_xticks([])


def _shown(numbers: SplitStatistics) -> Sequence[CategoryStatistics]:
    """All categories, or those with the most items."""
    if len(numbers.categories) <= MOST_CATEGORIES:
        return numbers.categories
    return sorted(numbers.categories, key=lambda c: -c.items)[:MOST_CATEGORIES]


def _rows(axes: Axes, categories: Sequence[CategoryStatistics]) -> None:
    """A row for each category, the first at the top."""
    _bare(axes)
    axes.set_yticks(range(len(categories)), [plain_text(c.name) for c in categories])
    axes.set_ylim(len(categories) - 0.5, -0.5)


def _categories(axes: Axes, numbers: SplitStatistics) -> None:
    shown = _shown(numbers)
    counts = [category.items for category in shown]
    axes.barh(range(len(shown)), counts, color=BAR, height=0.78)
    for row, count in enumerate(counts):
        axes.text(count, row, f" {count:,}  ({percent(count, numbers.items)})", va="center")
    _rows(axes, shown)
    axes.set_xlim(0, 1.3 * max(counts))


def _points(category: CategoryStatistics) -> int:
    return category.visible + category.occluded + category.unlabelled


def _visibility(axes: Axes, numbers: SplitStatistics) -> None:
    shown = [category for category in _shown(numbers) if _points(category)]
    left = [0.0] * len(shown)
    for part, color in zip(POINTS, SHADES[::-1], strict=True):
        shares = [getattr(category, part) / _points(category) for category in shown]
        axes.barh(range(len(shown)), shares, left=left, color=color, height=0.78, label=part)
        left = [a + b for a, b in zip(left, shares, strict=True)]
    _rows(axes, shown)
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0 %", "25 %", "50 %", "75 %", "100 %"])
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=3, frameon=False)


def _shares(axes: Axes, rows: Mapping[str, Mapping[str, int]]) -> None:
    """A bar a row, divided into parts, and under it the parts' names in three columns, each with its color."""
    for row, parts in enumerate(rows.values()):
        total = sum(parts.values()) or 1
        left = 0.0
        colors = SHADES if len(parts) == 3 else (SHADES[0], SHADES[2])
        for number, ((name, count), color) in enumerate(zip(parts.items(), colors, strict=True)):
            axes.barh(row, count / total, left=left, color=color, height=0.34)
            left += count / total
            x, y = number / 3, row + 0.42
            axes.plot(x + 0.012, y, "s", color=color, markersize=6.5, clip_on=False)
            axes.text(x + 0.035, y, f"{name} {percent(count, total)}", va="center_baseline")
    _bare(axes)
    axes.set_yticks(range(len(rows)), rows)
    axes.set(ylim=(len(rows) - 0.3, -0.3), xlim=(0, 1))


def _attribute_rows(numbers: SplitStatistics) -> dict[str, dict[str, int]]:
    return {
        name.replace("_", "-"): dict(zip(ATTRIBUTES[name], counts, strict=True))
        for name, counts in numbers.attributes.items()
    }


def _source_rows(numbers: SplitStatistics) -> dict[str, Mapping[str, int]]:
    rows = {"images": numbers.images_per_source, "items": numbers.items_per_source}
    return {what: counts for what, counts in rows.items() if any(counts.values())}


def _shares_panel(
    title: str, rows: Callable[[SplitStatistics], Mapping[str, Mapping[str, int]]]
) -> Panel:
    def describe(numbers: SplitStatistics) -> str:
        return "; ".join(
            f"{what}: " + _listed((n, percent(c, sum(parts.values()))) for n, c in parts.items())
            for what, parts in rows(numbers).items()
        )

    def height(numbers: SplitStatistics) -> float:
        return 0.4 + 0.72 * len(rows(numbers))

    return Panel(title, rows, height, lambda axes, n: _shares(axes, rows(n)), describe)


def _bars(axes: Axes, histogram: Mapping[int, int], label: str, bins: int) -> None:
    """A histogram in at most so many bins, 1, 2, 5, 10, 20, ... wide; the median as a line."""
    width = (max(histogram) - min(histogram) + 1) / bins
    power = 10 ** math.floor(math.log10(max(1, width)))
    step = next(power * digit for digit in (1, 2, 5, 10) if power * digit >= width)
    counts: Counter[int] = Counter()
    for value, count in histogram.items():
        counts[value // step] += count
    middles = [step * (number + 0.5) for number in counts]
    axes.bar(middles, list(counts.values()), width=0.92 * step, color=BAR)
    median = quantile(histogram, 0.5)
    axes.axvline(median, color=axes.xaxis.label.get_color(), linewidth=1, linestyle=(0, (4, 3)))
    axes.text(median, 1.0, f" median {median:,}", transform=axes.get_xaxis_transform(), va="top")
    axes.set_xlabel(label)
    axes.locator_params(axis="y", integer=True, nbins=5)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.margins(y=0.16)


def _items_per_image(axes: Axes, numbers: SplitStatistics) -> None:
    histogram = numbers.items_per_image
    if max(histogram) > 12:
        _bars(axes, histogram, "items of an image", 24)
        return
    values = range(min(histogram), max(histogram) + 1)
    counts = [histogram.get(value, 0) for value in values]
    axes.bar(values, counts, color=BAR, width=0.75)
    for value, count in zip(values, counts, strict=True):
        label = f"{count:,}\n{percent(count, numbers.images)}"
        axes.text(value, count, label, ha="center", va="bottom", linespacing=1.05)
    _bare(axes)
    axes.set(xticks=values, yticks=[], ylim=(0, 1.3 * max(counts)))
    axes.set_xlim(min(values) - 0.6, max(max(values), min(values) + 4) + 0.6)


def _image_sizes(axes: Axes, numbers: SplitStatistics) -> None:
    sizes = numbers.image_sizes[:2000]
    most = sizes[0][2]
    widths, heights, counts = zip(*sizes, strict=True)
    areas = [max(4, 420 * count / most) for count in counts]
    axes.scatter(widths, heights, s=areas, color=BAR, alpha=0.55, linewidths=0)
    (left, right), (top, bottom) = (_most_of(numbers.image_sides(axis)) for axis in (0, 1))
    outside = sum(
        count
        for width, height, count in numbers.image_sizes
        if not (left <= width <= right and top <= height <= bottom)
    )
    beyond = f"; {percent(outside, numbers.images)} are beyond" if outside else ""
    label = f"width, pixels (larger dots: more images{beyond})"
    axes.set(xlim=(left, right), ylim=(top, bottom), xlabel=label, ylabel="height, pixels")
    width, height, count = sizes[0]
    label = f"most often {width:,} x {height:,}: {percent(count, numbers.images)}"
    axes.text(1, 1.02, label, transform=axes.transAxes, ha="right", va="bottom")


def _most_of(histogram: Mapping[int, int]) -> tuple[float, float]:
    """Where an axis begins and ends: around all values but the last hundredth on either side."""
    low, high = quantile(histogram, 0.01), quantile(histogram, 0.99)
    margin = max(0.12 * (high - low), 0.05 * high, 1)
    return max(0, low - margin), high + margin


def _histogram_panel(title: str, name: str, label: str, bins: int) -> Panel:
    """The panel of a field that is a histogram."""
    histogram: Callable[[SplitStatistics], Mapping[int, int]] = attrgetter(name)

    def describe(numbers: SplitStatistics) -> str:
        low, median, high = (f"{quantile(histogram(numbers), at):,}" for at in (0.05, 0.5, 0.95))
        return f"median {median}; 90 % lie between {low} and {high}"

    def draw(axes: Axes, numbers: SplitStatistics) -> None:
        _bars(axes, histogram(numbers), label, bins)

    return Panel(title, histogram, lambda _: 2.2, draw, describe)


def _listed(pairs: Any) -> str:
    return ", ".join(f"{name} {value}" for name, value in pairs)


PANELS: Final[Mapping[str, Panel]] = {
    "categories": Panel(
        "Items per category",
        lambda n: n.items and n.categories,
        lambda n: 0.5 + 0.235 * len(_shown(n)),
        _categories,
        lambda n: _listed((c.name, f"{c.items:,}") for c in _shown(n)),
    ),
    "attributes": _shares_panel("Scale, occlusion, zoom-in, viewpoint", _attribute_rows),
    "sources": _shares_panel("User and shop", _source_rows),
    "visibility": Panel(
        "Landmarks per category",
        lambda n: _points(n.total),
        lambda n: 1.0 + 0.235 * len(_shown(n)),
        _visibility,
        lambda n: _listed((p, percent(getattr(n.total, p), _points(n.total))) for p in POINTS),
    ),
    "items_per_image": Panel(
        "Items per image",
        lambda n: n.items and n.items_per_image,
        lambda _: 2.2,
        _items_per_image,
        lambda n: _listed((f"{k}:", f"{v:,}") for k, v in n.items_per_image.items()),
    ),
    "image_sizes": Panel(
        "Image sizes",
        lambda n: n.image_sizes,
        lambda _: 2.7,
        _image_sizes,
        lambda n: (
            "most often " + _listed((f"{w} x {h}:", f"{c:,}") for w, h, c in n.image_sizes[:5])
        ),
    ),
    "box_sizes": _histogram_panel("Box sizes", "box_sizes", "root of width x height, pixels", 24),
    "box_shares": _histogram_panel("Box area in its image", "box_shares", "% of the image", 20),
    "mask_shares": _histogram_panel("Mask area in its box", "mask_shares", "% of the box", 20),
}
"""Name -> chart, in the order in which a page shows them."""
