"""Where a check finds its defect."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypeAlias


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


Hits: TypeAlias = dict[str, list[Hit]]
"""By the code of the check."""


def identify(entry: Mapping[str, Any], number: int) -> Any:
    """How a hit names an entry: by its id, or by its place in its list where that is no id or a long text."""
    found = entry.get("id")
    is_short = type(found) is int or (type(found) is str and len(found) <= _LONGEST)
    return found if is_short else Position(number)


_LONGEST: Final = 100


Found: TypeAlias = tuple[int, str]
"""The position in a part of the annotations where a check finds its defect, and the hit's detail."""
