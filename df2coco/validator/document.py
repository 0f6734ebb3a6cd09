"""The COCO file under examination, and what every check is made of."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeGuard, TypeVar

from df2coco.coco.lists import read_annotations
from df2coco.coco.reader import check_document, no_collection, read
from df2coco.errors import CocoFileError
from df2coco.parser.reader import Split
from df2coco.progress import Progress, no_progress
from df2coco.taxonomy import CATEGORIES, Category

__all__ = [
    "LEVELS",
    "MAX_SIDE",
    "STAGES",
    "Check",
    "Document",
    "Entry",
    "Hit",
    "Position",
    "is_finite",
    "is_integer",
    "read_document",
]

Entry = dict[str, Any]
Result = TypeVar("Result")

MAX_SIDE: Final = 65_535
"""No JPEG is wider or higher."""

LEVELS: Final[Mapping[str, str]] = {
    "error": "a consumer fails or scores wrongly",
    "warning": "a consumer drops or alters something",
    "note": "worth knowing",
}

STAGES: Final[Mapping[str, str]] = {
    "quick": "always",
    "masks": "unless --quick",
    "images": "with --images",
    "against": "with --against",
}
"""When a check runs."""


class Position(NamedTuple):
    """Stands for an entry that has no id: its place in its list, from 0."""

    number: int

    def __str__(self) -> str:
        return f"#{self.number}"


class Hit(NamedTuple):
    """One place where a check finds its defect."""

    id: Any
    """The entry's `id`, or its `Position`; None: the file."""
    detail: str = ""
    """What is wrong there: values as they stand in the file."""


@dataclass(frozen=True, slots=True)
class Check:
    """A rule that consumers of COCO files need kept."""

    code: str
    level: str
    """A key of `LEVELS`."""
    about: str
    """What the ids of its hits are: "annotation", "image", "category" or "file"."""
    sentence: str
    """The defect."""
    suffers: str
    """Which consumer suffers, and how."""
    cause: str
    remedy: str
    find: Callable[[Document], Iterable[Hit]]
    stage: str = "quick"
    """A key of `STAGES`."""
    whole: bool = False
    """It looks at all annotations together, or at none; others look at one after the other."""


@dataclass
class Document:
    """A COCO file, with what the options of a validation add to it."""

    path: Path
    info: Entry
    images: list[Entry]
    annotations: list[Entry]
    """As `folding.loads` gives them: `keypoints` are read with `folding.keypoints_of`."""
    categories: list[Entry]
    has_annotations: bool = True
    """The file has the key `annotations`."""
    workers: int = 1
    pictures: Split | None = None
    """The images that `--images` names."""
    source: Split | None = None
    """What `--against` names."""
    score_images: int = 0
    """How many images of ground truth to score against itself."""
    progress: Progress = no_progress
    _done: dict[Any, Any] = field(default_factory=dict, repr=False)
    _columns: dict[str, list[Any]] = field(default_factory=dict, repr=False)
    _by_id: dict[str, dict[int, Entry]] = field(default_factory=dict, repr=False)
    """Not anew for each part of the annotations."""

    def with_part(self, annotations: list[Entry]) -> Document:
        """The same file with a part of its annotations."""
        return dataclasses.replace(self, annotations=annotations, _done={}, _columns={})

    def once(self, function: Callable[[Document], Result]) -> Result:
        """`function(self)`, computed at the first call: what several checks look at."""
        if function not in self._done:
            self._done[function] = function(self)
        result: Result = self._done[function]
        return result

    def by_id(self, name: str) -> dict[int, Entry]:
        """The "images" or "categories" by their id; where it occurs twice, the last one, as pycocotools."""
        if name not in self._by_id:
            entries: list[Entry] = getattr(self, name)
            self._by_id[name] = {e["id"]: e for e in entries if type(e.get("id")) is int}
        return self._by_id[name]

    def column(self, name: str) -> list[Any]:
        """A field of every annotation; None where it is missing."""
        if name not in self._columns:
            self._columns[name] = [annotation.get(name) for annotation in self.annotations]
        return self._columns[name]

    def hit(self, index: int, detail: str = "") -> Hit:
        """A hit at the annotation at `index`."""
        return Hit(identify(self.annotations[index], index), detail)

    @property
    def converted(self) -> Entry | None:
        """The options that df2coco noted in `info` when it wrote the file; None for other files."""
        found = self.info.get("df2coco")
        return found if isinstance(found, dict) else None


def identify(entry: Entry, index: int) -> Any:
    """How a hit names an entry: by its id, or by its position."""
    found = entry.get("id")
    return found if type(found) in (int, str) else Position(index)


def is_integer(value: Any) -> TypeGuard[int]:
    """Whether a JSON value is a whole number written as one."""
    return type(value) is int


def is_finite(value: Any) -> TypeGuard[float]:
    """Whether a JSON value is a number, and neither NaN nor infinite."""
    return type(value) in (int, float) and math.isfinite(value)


def image_of(document: Document) -> list[Entry | None]:
    """Each annotation's image, if its `image_id` has one."""
    return _referred(document.by_id("images"), document.column("image_id"))


def category_of(document: Document) -> list[Entry | None]:
    """Each annotation's category, if its `category_id` has one."""
    return _referred(document.by_id("categories"), document.column("category_id"))


def _referred(entries: dict[int, Entry], ids: list[Any]) -> list[Entry | None]:
    return [entries.get(each) if type(each) is int else None for each in ids]


_KNOWN: Final[Mapping[str, Category]] = {
    name: category for category in CATEGORIES for name in (category.name, category.official_name)
}


def garments(document: Document) -> list[tuple[Entry, Category]]:
    """The categories that are DeepFashion2's by their name; [] for files of other datasets."""
    pairs = [(entry, _KNOWN.get(str(entry.get("name")))) for entry in document.categories]
    return [(entry, category) for entry, category in pairs if category is not None]


def sized_images(document: Document) -> Iterator[tuple[Entry, int, int]]:
    """Images with the width and height that they say, where an image can have these."""
    for entry in document.images:
        width, height = entry.get("width"), entry.get("height")
        if type(width) is int and type(height) is int and 0 < width <= MAX_SIDE >= height > 0:
            yield entry, width, height


def read_document(path: Path) -> Document:
    """The file at `path`. Raises `CocoFileError` when it cannot be read as a COCO file.

    NaN and Infinity, which Python's json writes, are read: that is for the checks to tell.
    """
    annotations: list[Entry] = []
    try:
        with no_collection():
            document = read_annotations(path, annotations.extend)
    except CocoFileError:
        document = _read_with_nan(path)
        annotations = document.get("annotations", [])
    info = document.get("info")
    return Document(
        path,
        info if isinstance(info, dict) else {},
        document["images"],
        annotations,
        document["categories"],
        bool(annotations) or "annotations" in read(path),
    )


def _read_with_nan(path: Path) -> Entry:
    with contextlib.suppress(OSError, ValueError, RecursionError):
        raw = path.read_bytes() if path.is_file() else b""
        if b"NaN" in raw or b"Infinity" in raw:
            return check_document(path, json.loads(raw))
    return read(path)  # which tells what is wrong
