"""The page: what is on it, given to the template."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from df2coco.coco.lists import read_parts
from df2coco.drawing import Photos
from df2coco.errors import printable, require
from df2coco.outputs import atomic_write, check_outputs, check_suffix
from df2coco.parser.photos import find_photos
from df2coco.progress import Progress, no_progress
from df2coco.report.examples import UNKNOWN, FindingPlace, make_gallery
from df2coco.stats import statistics
from df2coco.stats.panels import PANELS
from df2coco.stats.plots import panel_svg
from df2coco.stats.values import MEANINGS, QUANTILES, distributions, percent, remarks
from df2coco.validator import LEVELS, Report, validate
from df2coco.version import __version__

if TYPE_CHECKING:
    from jinja2 import Template

_HITS: Final = 5
"""Places that are shown of a finding."""

_SCORED: Final = 200
"""Images that go through pycocotools: more would take most of the time."""

_ROWS: Final = 100
"""Categories that are listed; the dataset has 13, other files may have thousands."""


def write_report(
    coco_file: str | Path,
    images: str | Path | None,
    out: str | Path,
    *,
    examples: int = 60,
    password: str | None = None,
    workers: int = 1,
    progress: Progress = no_progress,
) -> None:
    """Write a page about the COCO file at `coco_file`, whose images are in the folder or archive `images`.

    With None for `images` they are looked for beside the file.

    `examples` items are shown, as evenly as the categories allow and as different as possible. The same
    file and images give the same page. `progress` is called as `Progress` says.

    Raises `CocoFileError` when the file cannot be read, `OutputError` when the page cannot be written,
    `SourceError` and `PasswordError` for the images, `MissingPackageError` when Jinja2 or matplotlib is missing.
    """
    coco_file, out = Path(coco_file), Path(out)
    check_suffix(out, ".html", ".htm")
    for package in ("matplotlib", "jinja2"):
        require(package, "report", "a report")
    if images is None:
        document, _ = read_parts(coco_file)
        images = find_photos(coco_file, document["images"])
    check_outputs([out], [coco_file, Path(images)])
    photos = Photos(images, password)
    numbers = statistics(coco_file)
    report = validate(
        coco_file, images=images, score_images=_SCORED, password=password, workers=workers
    )
    gallery = make_gallery(coco_file, photos, examples, _places(report), progress=progress)
    charts = [
        {
            "title": panel.title,
            "description": printable(panel.describe(numbers)),
            "svg": panel_svg(panel, numbers, prefix=name),
        }
        for name, panel in PANELS.items()
        if panel.has(numbers)
    ]
    script = _part("page.js")
    page = _template().render(
        version=__version__,
        file=printable(coco_file.name),
        numbers=numbers,
        report=report,
        levels=LEVELS,
        shown_hits=_HITS,
        rows=_ROWS,
        meanings=MEANINGS,
        quantiles=QUANTILES,
        unknown=UNKNOWN,
        places=gallery.of_places(),
        charts=charts,
        distributions=distributions(numbers),
        remarks=list(remarks(numbers)),
        percent=percent,
        gallery=gallery,
        choices=gallery.choices(),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        style=_part("page.css"),
    )
    with atomic_write(out) as stream:
        stream.write(page.encode())


def _places(report: Report) -> Iterator[FindingPlace]:
    """The annotations and images that the findings on the page name; of each finding the first one first."""
    for number in range(_HITS):
        for finding in report.findings:
            if finding.check.about in ("annotation", "image") and number < len(finding.hits):
                hit = finding.hits[number]
                if type(hit.id) is int:
                    yield hit.about or finding.check.about, hit.id


def _part(name: str) -> str:
    from importlib.resources import files  # here, since it is slow to load

    return (files("df2coco.report") / name).read_text("utf-8")


def _template() -> Template:
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["printable"] = lambda value: printable(str(value))
    # Ours, and not strings of the data: the script, the style, and what matplotlib has escaped.
    environment.filters["ours"] = Markup
    return environment.from_string(_part("page.html.jinja"))
