"""The panels of a split put together: a page as `.png`, `.pdf` or `.svg`, or one panel for a page of HTML.

matplotlib (the extra `plot`) is loaded when something is drawn. The same numbers give the same bytes.
"""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from df2coco.errors import counted, require
from df2coco.outputs import Outputs, check_outputs, check_suffix
from df2coco.stats.panels import PANELS, Panel, plain_text
from df2coco.stats.values import SplitStatistics

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLOT_SUFFIXES: Final = (".png", ".pdf", ".svg")
"""What a plot's file name may end with."""

_DPI: Final = 160
_HEAD: Final = 0.6
"""Inches above a panel, for its title and the space between."""
_CURRENT: Final = "#123457"
"""A color that nothing else has, to be replaced by currentColor."""
_METADATA: Final[dict[str, dict[str, None]]] = {
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "svg": {"Date": None, "Creator": None},
}
"""What would change with the clock or with matplotlib's version."""


def check_plot(path: Path, inputs: Iterable[Path] = ()) -> None:
    """Raise `OutputError` or `MissingPackageError` when no plot can be at `path`; `inputs` are read."""
    check_suffix(path, *PLOT_SUFFIXES)
    check_outputs([path], inputs)
    require("matplotlib", "plot", "a plot")


def save_plots(splits: Sequence[SplitStatistics], path: Path) -> list[Path]:
    """Draw each split's panels into the file at `path`; with several splits into `path` with their names.

    Raises `MissingPackageError` when matplotlib is missing, and `OutputError` when the name does not end as
    in `PLOT_SUFFIXES` or a file cannot be written: none is then. Returns the files.
    """
    check_plot(path)
    paths = []
    with Outputs() as outputs:
        for numbers in splits:
            target = path if len(splits) == 1 else path.with_stem(f"{path.stem}_{numbers.name}")
            outputs.open(target).write(_page(numbers, target.suffix.lower().lstrip(".")))
            paths.append(target)
    return paths


def panel_svg(panel: Panel, numbers: SplitStatistics, *, prefix: str) -> str:
    """One chart as an `<svg>` element for a page: transparent, its lines and text in `currentColor`.

    Text is text, in matplotlib's font unless the page's style says another. Ids begin with `prefix`,
    which must differ among the charts of a page.
    """
    with _style(foreground=_CURRENT, fonttype="none") as make_figure:
        figure = make_figure(figsize=(5.4, panel.height(numbers) + 0.1), layout="constrained")
        panel.draw(figure.add_subplot(), numbers)
        text = _bytes(figure, "svg").decode()
    # What a file has but no element of a page: headers, metadata, a style for every element of the page.
    text = text[text.index("<svg") :].strip()
    text = re.sub(r"\s*<(metadata|style)\b.*?</\1>", "", text, flags=re.DOTALL)

    def adapt(tag: re.Match[str]) -> str:
        named = re.sub(r'(\bid="|"#|url\(#)', rf"\g<1>{prefix}-", tag.group())
        return named.replace(f"{prefix}-{_CURRENT[1:]}", _CURRENT[1:]).replace(
            _CURRENT, "currentColor"
        )

    return re.sub(r"<[^<>]+>", adapt, text)  # tags alone: in text, "<" is escaped


@contextlib.contextmanager
def _style(foreground: str = "#222222", fonttype: str = "path") -> Iterator[Callable[..., Figure]]:
    """matplotlib's settings for our figures, whatever the user's are; gives the class to make one with."""
    import matplotlib
    from matplotlib.figure import Figure

    settings: dict[Any, Any] = {
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib
        "font.size": 9,
        "axes.titlesize": 10,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "text.parse_math": False,  # names are not formulas
        "figure.dpi": _DPI,
        "savefig.transparent": foreground == _CURRENT,
        "svg.hashsalt": "df2coco",
        "svg.fonttype": fonttype,
        "pdf.fonttype": 42,
        "figure.constrained_layout.h_pad": 0.09,
        "figure.constrained_layout.w_pad": 0.08,
    }
    for name in ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"):
        settings[name] = foreground
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(settings)
        yield Figure


def _bytes(figure: Figure, format: str) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about letters of names that the font does not have
        figure.savefig(buffer, format=format, metadata=_METADATA[format])
    data = buffer.getvalue()
    if format != "svg":
        return data
    # matplotlib hashes coordinates in full, whose last bit the layout's solver leaves to chance:
    # instead of hashes, ids are numbers in the order of the file.
    hashed = re.findall(rb' id="([a-z][0-9a-f]{10})"', data)
    numbers = {name: b"i%d" % number for number, name in enumerate(dict.fromkeys(hashed))}
    pattern = rb'( id="|ref="#|url\(#)([a-z][0-9a-f]{10})\b'
    return re.sub(pattern, lambda match: match[1] + numbers.get(match[2], match[2]), data)


def _page(numbers: SplitStatistics, format: str) -> bytes:
    """All panels that have something to show, in two columns of about the same height."""
    columns: tuple[list[Panel], list[Panel]] = ([], [])

    def height(column: Sequence[Panel]) -> float:
        return sum(panel.height(numbers) + _HEAD for panel in column)

    for panel in PANELS.values():
        if panel.has(numbers):
            min(columns, key=height).append(panel)
    used = [column for column in columns if column]
    tallest = max(map(height, columns))
    with _style() as make_figure:
        figure = make_figure(figsize=(6.2 * max(1, len(used)), tallest + 0.6), layout="constrained")
        title = f"{plain_text(numbers.name)}: {counted(numbers.images, 'image')}, {counted(numbers.items, 'item')}"
        figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold")
        parts = figure.subfigures(1, len(used), squeeze=False)[0] if used else ()
        for part, column in zip(parts, used, strict=True):
            slack = (tallest - height(column)) / len(column)
            ratios = [panel.height(numbers) + _HEAD + slack for panel in column]
            places = part.subplots(len(column), 1, squeeze=False, height_ratios=ratios)[:, 0]
            for axes, panel in zip(places, column, strict=True):
                axes.set_title(panel.title)
                panel.draw(axes, numbers)
        return _bytes(figure, format)
