"""What every check is made of: the row that describes it, and the function that finds its defect."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from df2coco.validator.view import File, Part

__all__ = [
    "LEVELS",
    "NEEDS",
    "PAGE",
    "Check",
    "Found",
    "Hit",
    "Level",
    "Need",
    "Position",
    "file_check",
    "identify",
    "part_check",
]

Level: TypeAlias = Literal["error", "warning", "note"]

LEVELS: Final[Mapping[Level, str]] = MappingProxyType(
    {
        "error": "a consumer stops, or ground truth scored against itself is below AP 1",
        "warning": "a consumer drops or alters something, or the file is probably not what was meant",
        "note": "worth knowing",
    }
)

Need: TypeAlias = Literal["always", "masks", "images", "source"]

NEEDS: Final[Mapping[Need, str]] = MappingProxyType(
    {
        "always": "always",
        "masks": "unless --quick",
        "images": "with --images",
        "source": "with --against",
    }
)
"""When a check runs."""

PAGE: Final = "https://github.com/df2coco/df2coco/blob/main/docs/checks.md"
"""Has an entry for each check, with an example."""


class Position(NamedTuple):
    """Stands for an entry that has no id: its place in its list, from 0."""

    number: int

    def __str__(self) -> str:
        return f"#{self.number}"


class Hit(NamedTuple):
    """One place where a check finds its defect.

    - id: The entry's `id`, or its `Position`; None: the file.
    - detail: What is wrong there: values as they stand in the file.
    - about: What `id` is of, where that is not what the check is about.
    """

    id: Any
    detail: str = ""
    about: str = ""


def identify(entry: Mapping[str, Any], number: int) -> Any:
    """How a hit names an entry: by its id, or by its place in its list."""
    found = entry.get("id")
    return found if type(found) in (int, str) else Position(number)


Found: TypeAlias = "tuple[int, str]"
"""The position in a part of the annotations where a check finds its defect, and the hit's detail."""


@dataclass(frozen=True, slots=True)
class Check:
    """A rule that consumers of COCO files need kept.

    - code: Stable: it never changes its meaning.
    - level: "error", "warning" or "note": see `LEVELS`.
    - about: What the ids of its hits are: "annotation", "image", "category" or "file".
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
    about: str
    sentence: str
    affects: str
    cause: str
    remedy: str
    needs: Need
    garments: bool
    find_in_part: Callable[[Part], Iterable[Found]] | None = field(default=None, repr=False)
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
) -> Callable[[Callable[[Part], Iterable[Found]]], Check]:
    """Make a function that looks at some annotations into a `Check`."""

    def make(function: Callable[[Part], Iterable[Found]]) -> Check:
        row = (code, level, "annotation", sentence, affects, cause, remedy, needs, garments)
        return Check(*row, find_in_part=function)

    return make


def file_check(
    code: str,
    level: Level,
    about: str,
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


def checks_in(module: Mapping[str, Any]) -> Iterator[Check]:
    """The checks that a module defines, in their order."""
    return (value for value in module.values() if isinstance(value, Check))
