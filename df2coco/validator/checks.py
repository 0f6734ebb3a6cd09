"""What every check is made of: the row that describes it, the function that finds its defect, and where it does."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from inspect import cleandoc
from typing import Any, Final, Literal, NamedTuple, TypeAlias

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

    - id: The entry's `id`; "#3": it has none, and stands at place 3 of its list, from 0; None: the file.
    - detail: What is wrong there: values as they stand in the file.
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
        prose = [""] * 4  # python -OO leaves docstrings out
        if function.__doc__ is not None:
            found = _PROSE.fullmatch(cleandoc(function.__doc__))
            if found is None:
                name = function.__name__
                raise ValueError(f"{name}: the docstring needs affects, cause and remedy.")
            prose = [" ".join(part.split()) for part in found.groups()]
        of_part = "part" in function.__annotations__
        of = about or ("annotation" if of_part else "file")
        code = function.__name__.replace("_", "-")
        sentence, affects, cause, remedy = prose
        return Check(
            code, level, of, sentence, affects, cause, remedy, needs, garments, function, of_part
        )

    return make


_PROSE: Final = re.compile(r"(.+?)\n\naffects: (.+?)\ncause: (.+?)\nremedy: (.+)", re.DOTALL)
