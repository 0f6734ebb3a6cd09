"""What every check is made of: its row, where it finds its defect, and the file that it looks at."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from inspect import cleandoc
from itertools import chain
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, TypeAlias, TypeVar, cast

from df2coco.coco.decoding import find_garments
from df2coco.coco.info import Conversion, conversion_of
from df2coco.coco.schema import FIELDS, Entry, column, is_id, read_whole_numbers
from df2coco.lazy_numpy import Array, np
from df2coco.parser.photos import Pictures
from df2coco.parser.reader import Split
from df2coco.progress import Progress, no_progress
from df2coco.taxonomy import Category
from df2coco.version import DOCS

Level: TypeAlias = Literal["error", "warning", "note"]

LEVELS: Final[Mapping[Level, str]] = {
    "error": "a consumer stops, or even the annotations scored as results give less than AP 1",
    "warning": "a consumer drops or alters something, or the file is probably not what was meant",
    "note": "worth knowing",
}

About: TypeAlias = Literal["annotation", "image", "category", "file"]
"""What an id is of."""

Need: TypeAlias = Literal["always", "masks", "images", "source"]

NEEDS: Final[Mapping[Need, str]] = {
    "always": "always",
    "masks": "unless --quick",
    "images": "with --images",
    "source": "with --against",
}
"""When a check runs."""

PAGE: Final = f"{DOCS}checks/"
"""Has a page for each check, with an example."""


class Hit(NamedTuple):
    """One place where a check finds its defect.

    - id: The entry's `id`; "#3": it has none, and is at place 3 of its list, from 0; None: the file.
    - detail: What is wrong there: values as they are in the file.
    - about: What `id` is of, where that is not what the check is about.
    """

    id: Any
    detail: str = ""
    about: str = ""


Found: TypeAlias = tuple[int, str]
"""A hit as checks give it: where in their list or part of the annotations, and the detail."""


@dataclass(frozen=True, slots=True)
class Check:
    """A rule that consumers of COCO files need kept.

    - code: Stable: it never changes its meaning.
    - level: "error", "warning" or "note": see `LEVELS`.
    - about: What the ids of its hits are of.
    - sentence: The defect.
    - affects: Which consumer is affected, and how.
    - cause: What usually leads to it.
    - remedy: What to do.
    - needs: When it runs: see `NEEDS`.
    - garments: It only applies to DeepFashion2's categories: others' files are never measured
      by it.
    - find: Looks at some annotations, one after the other, or at the file as a whole.
    - of_part: Which of these.
    """

    code: str
    level: Level
    about: About
    sentence: str
    affects: str
    cause: str
    remedy: str
    needs: Need
    garments: bool
    find: Callable[[Any], Iterable[Any]] = field(repr=False, compare=False)
    of_part: bool = False

    @property
    def link(self) -> str:
        """The address of its page in the documentation."""
        return f"{PAGE}{self.code}/"


def check(
    level: Level, *, about: About | None = None, needs: Need = "always", garments: bool = False
) -> Callable[[Callable[[Any], Iterable[Any]]], Check]:
    """Make a function that finds a defect into a `Check`.

    One of `part: Annotations` gives `Found`s, one of `file: File` these or `Hit`s. Its name is the code, its docstring
    the prose: the defect; then, after a blank line, "affects: ", "cause: " and "remedy: ".
    """

    def make(function: Callable[[Any], Iterable[Any]]) -> Check:
        prose = ("", "", "", "")  # python -OO leaves docstrings out
        if function.__doc__ is not None:
            found = _PROSE.fullmatch(cleandoc(function.__doc__))
            if found is None:
                name = function.__name__
                raise ValueError(f"{name}: the docstring needs affects, cause and remedy.")
            sentence, affects, cause, remedy = (" ".join(part.split()) for part in found.groups())
            prose = sentence, affects, cause, remedy
        of_part = "part" in function.__annotations__
        of = about or ("annotation" if of_part else "file")
        code = function.__name__.replace("_", "-")
        return Check(code, level, of, *prose, needs, garments, function, of_part)

    return make


_PROSE: Final = re.compile(r"(.+?)\n\naffects: (.+?)\ncause: (.+?)\nremedy: (.+)", re.DOTALL)


Result = TypeVar("Result")


def repeated(values: Iterable[Any]) -> list[Any]:
    """The values that occur more than once; what cannot be compared is left out."""
    counts = Counter(value for value in values if type(value) not in (list, dict))
    return [value for value, count in counts.items() if count > 1]


class Trip(NamedTuple):
    """What pycocotools makes of a file."""

    fault: str = ""
    """What it does not do with the file; "": it loads, draws and scores it."""
    images: int = 0
    """The annotations of so many were scored as results."""
    scores: Mapping[str, float] = {}
    """"boxes", "masks" and "landmarks", as far as the file has them -> AP."""
    hits: tuple[Hit, ...] = ()


class Header(NamedTuple):
    """What a part of the annotations is judged by. Small, so that it can be sent to a worker."""

    sizes: dict[int, tuple[int, int] | None]
    """Image id -> (width, height) in pixels; None where the file has no usable ones."""
    lengths: dict[int, int]
    """Category id -> numbers in `keypoints` by its landmark names; 0 where it names none."""
    garments: dict[int, Category]
    """Category id -> DeepFashion2's category; {} for files of other datasets."""
    other_ids: frozenset[Any]
    """Ids of images and categories that are not whole numbers, but can be compared."""
    conversion: Conversion | None
    """How df2coco made the file; None for files of others."""


@dataclass
class Columns:
    """What is kept of every annotation, for checks of the file as a whole. One entry an annotation."""

    ids: list[Any] = field(default_factory=list)
    """None where it is neither a number nor text."""
    image_ids: list[Any] = field(default_factory=list)
    """None where it is not a whole number."""
    category_ids: list[Any] = field(default_factory=list)
    segmentations: list[int] = field(default_factory=list)
    """0: no segmentation, 1: an empty one, 2: one with something in it."""
    lengths: list[int | None] = field(default_factory=list)
    """How many numbers `keypoints` has; -1: it is not a list; None: there are none."""
    counted: list[bool] = field(default_factory=list)
    """It takes part in an evaluation: not a crowd."""
    missing: list[tuple[str, ...]] = field(default_factory=list)
    """Keys that it needs and has not."""
    labelled: list[bool] = field(default_factory=list)
    """It has a labelled landmark."""
    boxes: array[float] = field(default_factory=lambda: array("d"))
    """4 numbers each: x1, y1, x2, y2; NaN where there is no box."""
    masks: array[float] = field(default_factory=lambda: array("d"))
    """4 numbers each: x1, y1, x2, y2 of the polygons; NaN where there are none."""
    sums: array[float] = field(default_factory=lambda: array("d"))
    """3 numbers each: the sums of the polygons' and of the landmarks' numbers, and one that is equal
    for as many labelled landmarks and equal RLEs."""
    strays: array[float] = field(default_factory=lambda: array("d"))
    """2 numbers each: see `strays_of`; only where masks are looked at."""

    names: list[str] = field(default_factory=list)
    """Of the fields that there are, in any order; as all that follows, only where the file is compared."""
    areas: list[int | None] = field(default_factory=list)
    """Of masks, in pixels."""
    places: array[int] = field(default_factory=lambda: array("q"))
    """2 numbers each: where in the file it starts and ends."""

    def extend(self, other: Columns) -> None:
        """Add the columns of the next part."""
        for name, values in vars(other).items():
            getattr(self, name).extend(values)


@dataclass
class File:
    """A COCO file under examination: all but its annotations, and columns of these."""

    path: Path
    document: Entry
    """The file without its annotations."""
    columns: Columns = field(default_factory=Columns)
    hits: dict[str, list[Hit]] = field(default_factory=dict)
    """By the code of the check."""
    annotations: list[Entry] = field(default_factory=list)
    """All of them, only where the file is compared with its source and `places` are not known."""
    repeated_keys: Sequence[str] = ()
    not_finite: Sequence[tuple[str, float]] = ()
    """Every NaN and infinity, and its place."""
    decimal: Counter[str] = field(default_factory=Counter)
    """"annotations[].image_id" -> how often it is written with a decimal point."""
    workers: int = 1
    pictures: Pictures | None = None
    decode: bool = False
    """Pictures are decoded in full."""
    source: Split | None = None
    trip: Trip | None = None
    """None: the file does not go through pycocotools."""
    progress: Progress = no_progress
    _once: dict[Any, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.images: list[Entry] = self.document["images"]
        self.categories: list[Entry] = self.document["categories"]
        for name in ("images", "categories"):
            changed = read_whole_numbers(name, self.document[name])
            self.decimal.update(f"{name}[].{field}" for _, field in changed)

    def once(self, function: Callable[[File], Result]) -> Result:
        """`function(self)`, computed at the first call: what several checks look at."""
        if function not in self._once:
            self._once[function] = function(self)
        return cast(Result, self._once[function])

    def numbers(self, name: str, width: int) -> Array:
        """(N, width): numbers of each annotation, as in `Columns`."""
        return np.frombuffer(getattr(self.columns, name)).reshape(-1, width)

    @cached_property
    def ids(self) -> dict[str, list[Any]]:
        """Of all entries, by what they are; of annotations as in `Columns`."""
        images, categories = (column(each, "id") for each in (self.images, self.categories))
        return {"image": images, "annotation": self.columns.ids, "category": categories}

    @cached_property
    def conversion(self) -> Conversion | None:
        """How df2coco made the file; None for files of others."""
        return conversion_of(self.document.get("info"))

    @cached_property
    def garments(self) -> dict[int, Category]:
        """Category id -> DeepFashion2's category; {} for files of other datasets, and with classes of our own."""
        own = self.conversion and self.conversion.classes
        return {} if own else find_garments(self.categories)

    @cached_property
    def sizes(self) -> list[tuple[int, int] | None]:
        """(width, height) of each image in pixels; None where it has no usable ones."""
        rule = FIELDS["images"]["width"]  # and the height's
        sizes: list[Any] = [(entry.get("width"), entry.get("height")) for entry in self.images]
        if rule.all_fit(list(chain.from_iterable(sizes))):
            return sizes
        return [size if rule.all_fit(list(size)) else None for size in sizes]

    @cached_property
    def header(self) -> Header:
        pairs = zip(self.ids["image"], self.sizes, strict=True)
        others = chain(self.ids["image"], self.ids["category"])
        return Header(
            {each: size for each, size in pairs if is_id(each)},
            {e["id"]: 3 * len(names_of(e)) for e in self.categories if is_id(e.get("id"))},
            self.garments,
            frozenset(n for n in others if not is_id(n) and type(n) in (str, int, float)),
            self.conversion,
        )


def where(entries: list[Entry], wrong: Callable[[Entry], bool]) -> Iterator[Found]:
    """The images or categories that are wrong."""
    return ((number, "") for number, entry in enumerate(entries) if wrong(entry))


def same_ids(name: str, ids: list[Any], about: Callable[[int], str]) -> Iterator[Found]:
    """A hit for each id that several entries of the list `name` have: where these are."""
    places: dict[Any, list[int]] = {each: [] for each in repeated(ids) if each is not None}
    for number, each in enumerate(ids) if places else ():
        if type(each) not in (list, dict) and each in places:
            places[each].append(number)
    for numbers in places.values():
        first = [f"{name}[{number}] {about(number)}" for number in numbers[:3]]
        more = "" if len(numbers) <= 3 else f", ... {len(numbers):,} in all"
        yield numbers[0], f"{', '.join(first)}{more}"


def names_of(category: Mapping[str, Any]) -> list[Any]:
    """A category's landmark names; [] when it has none."""
    found = category.get("keypoints")
    return found if type(found) is list else []
