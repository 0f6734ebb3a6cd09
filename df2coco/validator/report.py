"""What a validation found, as values."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from df2coco.errors import printable
from df2coco.validator.checks import LEVELS, Check, Hit
from df2coco.validator.file import Trip


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
        return {
            **{name: getattr(self.check, name) for name in _FIELDS},
            "count": len(self.hits),
            "ids": [
                f"{hit.about} {hit.id}" if hit.about else _json_id(hit.id)
                for hit in self.hits
                if hit.id is not None
            ],
            "details": [hit.detail for hit in self.hits],
        }


_FIELDS: Final = ("code", "level", "about", "sentence", "affects", "cause", "remedy", "link")
"""Of a check, in the JSON of its finding."""


def _json_id(value: Any) -> int | str:
    """An id as JSON can hold it: a file may have one that is 10 to the power of 30, or NaN."""
    fits = type(value) is int and value.bit_length() < 64
    return value if fits else str(value)


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
        """Images of ground truth that were scored against themselves."""
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
