"""What a validation found, as values."""

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from df2coco.errors import counted, printable
from df2coco.validator.checks import LEVELS, Check, Hit, Trip


@dataclass(frozen=True)
class Finding:
    """A check that found its defect, and where.

    - check: What was looked for.
    - hits: Every place, in the order of the file.
    """

    check: Check
    hits: tuple[Hit, ...]

    def to_json(self) -> dict[str, Any]:
        """Everything, as JSON values."""
        named = [hit for hit in self.hits if hit.id is not None]
        return {
            **{name: getattr(self.check, name) for name in _FIELDS},
            "count": len(self.hits),
            "ids": [f"{h.about} {h.id}" if h.about else _json_id(h.id) for h in named],
            "details": [hit.detail for hit in self.hits],
        }


_FIELDS: Final = ("code", "level", "about", "sentence", "affects", "cause", "remedy", "link")
"""Of a check, in the JSON of its finding."""


def _json_id(value: Any) -> int | str:
    """An id as JSON can hold it: a file may have one that is 10 to the power of 30, or NaN."""
    return value if type(value) is int and value.bit_length() < 64 else str(value)


@dataclass(frozen=True)
class Report:
    """What a validation found.

    - path: The file.
    - images: Images in it.
    - annotations: Annotations in it.
    - categories: Categories in it.
    - trip: What pycocotools makes of the file; None: not tried.
    - findings: Errors first, then warnings, then notes.
    - compared: The folder or archive of annotations that the file was compared with.
    - ignored: Codes of further findings, which were not asked for.
    """

    path: Path
    images: int
    annotations: int
    categories: int
    trip: Trip | None
    findings: tuple[Finding, ...]
    compared: Path | None = None
    ignored: tuple[str, ...] = ()

    @property
    def loaded(self) -> bool | None:
        """pycocotools loads, draws and scores the file; None: not tried."""
        return None if self.trip is None else not self.trip.fault

    @property
    def scored(self) -> int:
        """Images whose annotations were scored as results."""
        return self.trip.images if self.trip else 0

    def count(self, level: str) -> int:
        """How many checks of a level found something."""
        return sum(finding.check.level == level for finding in self.findings)

    def is_valid(self, *, strict: bool = False) -> bool:
        """No errors; `strict`: no warnings either."""
        return not self.count("error") and not (strict and self.count("warning"))

    def to_json(self) -> dict[str, Any]:
        """Everything, as JSON values."""
        return {
            "file": printable(str(self.path)),  # a name need not be text
            "images": self.images,
            "annotations": self.annotations,
            "categories": self.categories,
            "loaded_by_pycocotools": self.loaded,
            "compared_with": None if self.compared is None else printable(str(self.compared)),
            "scored_images": self.scored,
            "scores": self.trip.scores if self.trip else {},
            "pycocotools": self.trip.fault if self.trip else "",
            "counts": {level: self.count(level) for level in LEVELS},
            "ignored": self.ignored,
            "findings": [finding.to_json() for finding in self.findings],
        }

    def __str__(self) -> str:
        return self.as_text()

    def as_text(self, *, notes: bool = False) -> str:
        """What `df2coco validate` prints: notes in full, or their codes alone."""
        pairs = (
            (self.images, "image"),
            (self.annotations, "annotation"),
            (self.categories, "category"),
        )
        lines = [printable(str(self.path)), f"  {', '.join(counted(*pair) for pair in pairs)}"]
        if self.trip is not None:
            lines += wrapped("  ", _trip(self.trip, self.images))
        if self.compared is not None:
            lines.append(f"  compared with {printable(str(self.compared))}, value by value")
        shown = [finding for finding in self.findings if notes or finding.check.level != "note"]
        for finding in shown:
            lines += ["", *_finding(finding)]
        hidden = [finding.check.code for finding in self.findings if finding not in shown]
        lines.append("")
        if hidden:
            lines += wrapped("notes: ", ", ".join(hidden) + " (--notes shows them)")
        amounts = [counted(self.count(level), level) for level in LEVELS]
        left_out = f"; {counted(len(self.ignored), 'finding')} ignored" if self.ignored else ""
        verdict = "valid" if self.is_valid() else "not valid"
        return "\n".join([*lines, f"{verdict}: {', '.join(amounts)}{left_out}"])


def _trip(trip: Trip, images: int) -> str:
    """What pycocotools made of a file of so many images."""
    if trip.fault:
        return printable(f"pycocotools {trip.fault}")
    if not trip.images:
        return "pycocotools loads it"
    of_all = "" if trip.images == images else f" of {images:,}"
    # Cut, so that only a perfect score is 1.000.
    scores = ", ".join(f"{k} {int(1000 * s + 1e-6) / 1000:.3f}" for k, s in trip.scores.items())
    images_scored = f"{trip.images:,}{of_all} image{'s' * (of_all != '' or images != 1)}"
    return f"pycocotools loads it; the annotations of {images_scored} scored as results: {scores}"


_HITS_SHOWN = 5


def _finding(finding: Finding) -> list[str]:
    check, hits, count = finding.check, finding.hits[:_HITS_SHOWN], len(finding.hits)
    lines = [f"{check.level}: {check.code}", *wrapped("  ", check.sentence)]
    if any(hit.detail for hit in hits):
        for hit in hits:
            who = f"{hit.about or check.about} {printable(str(hit.id))}: "
            lines += wrapped("  - ", ("" if hit.id is None else who) + printable(hit.detail))
        if count > _HITS_SHOWN:
            lines.append(f"  ... {count:,} in all; --json lists them")
    elif ids := ", ".join(printable(str(hit.id)) for hit in hits if hit.id is not None):
        more = f", ... {count:,} in all" if count > _HITS_SHOWN else ""
        lines += wrapped(f"  {check.about}: ", ids + more)
    return lines + explained(check)


def explained(check: Check) -> list[str]:
    """Lines that say whom a check's defect affects, what causes it, and what to do."""
    names = ("affects", "cause", "remedy")
    return [line for n in names for line in wrapped(f"  {n + ':':<9}", getattr(check, n))]


def wrapped(label: str, text: str) -> list[str]:
    """`text` behind `label`, in lines of at most 80 columns."""
    return textwrap.wrap(
        text, 80, initial_indent=label, subsequent_indent=" " * len(label), break_on_hyphens=False
    ) or [label.rstrip()]
