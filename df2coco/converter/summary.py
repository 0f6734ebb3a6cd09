"""What a conversion read, left out and wrote: the numbers and the notices."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from df2coco.errors import SourceError, counted, printable
from df2coco.parser.records import Notice
from df2coco.taxonomy import CATEGORIES


@dataclass
class Summary:
    """What the conversion of one split read and wrote.

    - split: "train", "validation", "test", or what the folder is called.
    - outputs: The files that were written.
    - images: Images in them.
    - items: Annotations in them.
    - items_per_category: The file's category id -> items.
    - names: Category id -> name.
    - left_out: Items whose category is in no class.
    - notice_counts: Notice code -> how often.
    - notices: All of them, or the first few of each code.
    - subset: Options left images or items out, so that counts say nothing of completeness.
    """

    split: str
    outputs: list[Path]
    images: int = 0
    items: int = 0
    items_per_category: Counter[int] = field(default_factory=Counter)
    names: dict[int, str] = field(default_factory=lambda: {c.id: c.name for c in CATEGORIES})
    left_out: int = 0
    notice_counts: Counter[str] = field(default_factory=Counter)
    notices: list[Notice] = field(default_factory=list)
    subset: bool = False

    @property
    def errors(self) -> int:
        """How many files, images and items cannot be used."""
        return sum(self.notice_counts[code] for code in _UNUSABLE)

    def note(self, notice: Notice, *, keep: bool) -> None:
        """Count a notice, and keep it if `keep` or if it is among the first of its code."""
        self.notice_counts[notice.code] += 1
        shown = 1 if notice.code == "category-name" else 5  # a habit of the whole source
        if keep or self.notice_counts[notice.code] <= shown:
            self.notices.append(notice)

    def faults(self) -> str:
        """What cannot be used, for a message: "2 annotation files, 1 item"."""
        counts = ((self.notice_counts[code], what) for code, what in _UNUSABLE.items())
        return ", ".join(counted(count, what) for count, what in counts if count)


_UNUSABLE: Final = {"bad-file": "annotation file", "bad-image": "image", "bad-item": "item"}
"""Code of a notice about something that cannot be used -> what that is."""


class ConversionError(SourceError):
    """Something in the source cannot be used, and it was not allowed to leave it out."""

    def __init__(self, summaries: Sequence[Summary]) -> None:
        notices = [(s.split, notice) for s in summaries for notice in s.notices]
        what = [f"{split}: {n.text}" for split, n in notices if n.code == "nothing-left"]
        remedy = "Correct that, or leave it out."
        if not what:
            what = [f"{s.split}: {s.faults()}" for s in summaries if s.errors]
            what[-1] += " cannot be used"
            remedy = "Fix them, or pass --on-error skip to leave them out."
        super().__init__(f"{'; '.join(what)}, so nothing was written. {remedy}")
        self.summaries = list(summaries)
        """One a split, with or without faults."""


_REPORTED: Final = ("level", "code", "file", "field", "text")


def report_json(summaries: Sequence[Summary]) -> bytes:
    """The report: a list of splits, with their counts and kept notices."""
    document: list[dict[str, Any]] = [
        {
            "split": printable(summary.split),
            "images": summary.images,
            "items": summary.items,
            "items_per_category": {
                name: summary.items_per_category[number] for number, name in summary.names.items()
            },
            **({"items_in_no_class": summary.left_out} if summary.left_out else {}),
            "counts": dict(sorted(summary.notice_counts.items())),
            "notices": [
                # Names of files need not be text.
                {name: printable(getattr(notice, name)) for name in _REPORTED}
                for notice in summary.notices
            ],
        }
        for summary in summaries
    ]
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
