"""What every check is made of: the row that describes it, and the function that finds its defect."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Final, Literal, TypeAlias

from df2coco.validator.annotations import Annotations
from df2coco.validator.file import File
from df2coco.validator.hits import Found, Hit

Level: TypeAlias = Literal["error", "warning", "note"]

LEVELS: Final[Mapping[Level, str]] = {
    "error": "a consumer stops, or ground truth scored against itself is below AP 1",
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

PAGE: Final = "https://github.com/df2coco/df2coco/blob/main/docs/checks.md"
"""Has an entry for each check, with an example."""


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
    - find_in_part: Looks at some annotations, one after the other.
    - find_in_file: Looks at the file as a whole. A check has one of the two.
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
    find_in_part: Callable[[Annotations], Iterable[Found]] | None = field(default=None, repr=False)
    find_in_file: Callable[[File], Iterable[Hit]] | None = field(default=None, repr=False)

    @property
    def link(self) -> str:
        """The address of its entry in the documentation."""
        return f"{PAGE}#{self.code}"


def part_check(
    code: str,
    level: Level,
    sentence: str,
    *,
    affects: str,
    cause: str,
    remedy: str,
    needs: Need = "always",
    garments: bool = False,
) -> Callable[[Callable[[Annotations], Iterable[Found]]], Check]:
    """Make a function that looks at some annotations into a `Check`."""

    def make(function: Callable[[Annotations], Iterable[Found]]) -> Check:
        about: About = "annotation"
        row = (code, level, about, sentence, affects, cause, remedy, needs, garments)
        return Check(*row, find_in_part=function)

    return make


def file_check(
    code: str,
    level: Level,
    about: About,
    sentence: str,
    *,
    affects: str,
    cause: str,
    remedy: str,
    needs: Need = "always",
    garments: bool = False,
) -> Callable[[Callable[[File], Iterable[Hit]]], Check]:
    """Make a function that looks at the file as a whole into a `Check`."""

    def make(function: Callable[[File], Iterable[Hit]]) -> Check:
        row = (code, level, about, sentence, affects, cause, remedy, needs, garments)
        return Check(*row, find_in_file=function)

    return make


def checks_in(module: ModuleType) -> Iterator[Check]:
    """The checks that a module defines, in their order."""
    return (value for value in vars(module).values() if isinstance(value, Check))
