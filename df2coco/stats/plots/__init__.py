"""The statistics of a split as pictures: the dataset's published panels, and more.

- `save_plots(statistics, path)`: a page of all panels as `.png`, `.pdf` or `.svg`.
- `panel_svg(panel, statistics)`: one of `PANELS` as an `<svg>` element for a page.

matplotlib (the extra `plot`) is loaded when something is drawn. The same numbers give the same bytes.
"""

from __future__ import annotations

from df2coco.stats.plots.figures import (
    FORMATS,
    PlotError,
    check_plot,
    panel_svg,
    require_matplotlib,
    save_plots,
)
from df2coco.stats.plots.panels import PANELS, Panel

__all__ = [
    "FORMATS",
    "PANELS",
    "Panel",
    "PlotError",
    "check_plot",
    "panel_svg",
    "require_matplotlib",
    "save_plots",
]
