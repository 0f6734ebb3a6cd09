"""`info.df2coco`: what df2coco notes in a file about how it was made."""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from df2coco.errors import OptionError, shorten
from df2coco.taxonomy import ATTRIBUTES, CATEGORY_BY_ID, same_name
from df2coco.version import __version__

SIZES_UNKNOWN: Final = "unknown: the smallest that hold the annotations"
"""The value of `image_sizes` where there were no images."""


class Condition(NamedTuple):
    """Which values a field of an item must have, as `where` says it: "scale=1,2", "style=1-"."""

    name: str
    ranges: tuple[tuple[int, int], ...]
    """The first and the last value of each."""

    @classmethod
    def read(cls, text: str) -> "Condition":
        """Raises `OptionError`."""
        name, _, values = str(text).partition("=")
        if name not in ("style", *ATTRIBUTES):
            names = ", ".join((*ATTRIBUTES, "style"))
            raise OptionError(f"{shorten(name)} is not one of {names}.", field="where")
        meanings = ATTRIBUTES.get(name, ())
        ranges = []
        for part in values.split(","):
            match = _RANGE.fullmatch(part)
            low, high = (int(match[1]), int(match[3] or match[1])) if match else (1, 0)
            if match and match[2] and not match[3]:
                high = len(meanings) or 1 << 53
            if low > high or (meanings and not 1 <= low <= high <= len(meanings)):
                known = ", ".join(f"{n} {meaning}" for n, meaning in enumerate(meanings, 1))
                of_what = f"a value of {name}" + (f" ({known})" if known else "")
                remedy = f"Write {name}=1, {name}=1,2 or {name}=1-."
                raise OptionError(f"{shorten(part)} is not {of_what}. {remedy}", field="where")
            ranges.append((low, high))
        return cls(name, tuple(ranges))

    def holds(self, item: Any) -> bool:
        """Whether it is true of an item, which may have no value."""
        value = getattr(item, self.name)
        return value is not None and any(low <= value <= high for low, high in self.ranges)


_RANGE: Final = re.compile(r" *(\d{1,15}) *(- *(\d{1,15})?)? *", re.ASCII)


@dataclass(frozen=True, slots=True)
class Conversion:
    """The options that a file was converted with; None where the file does not say."""

    task: str | None = None
    layout: str | None = None
    landmarks: str | None = None
    area: str | None = None
    categories: tuple[int, ...] = ()
    """Ids of the only categories in the file; () is all."""
    exclude: tuple[int, ...] = ()
    """Ids of categories that were left out."""
    where: tuple[str, ...] = ()
    """What is true of all items: see `Condition`."""
    only: str | None = None
    """The only source of images, "user" or "shop"."""
    listed: int | None = None
    """The images are those of a list of so many."""
    limit: int | None = None
    sample: int | None = None
    """The images are a random sample of so many, by whole pairs."""
    seed: int | None = None
    """What decided which."""
    part: str | None = None
    """The file is this part of one that was split."""
    classes: tuple[tuple[str, tuple[int, ...]], ...] = ()
    """Names of the file's categories, which count from 1, each with the dataset's that it is made of."""
    merged: tuple[str, ...] = ()
    """The splits that were merged into the file."""
    sizes_known: bool = True
    """False: there were no images, so width and height are the smallest that hold the annotations."""

    @property
    def is_subset(self) -> bool:
        """Images or items were left out on purpose."""
        chosen = self.categories or self.exclude or self.where or self.classes or self.only
        return bool(chosen or self.listed or self.limit or self.sample or self.part)

    @property
    def class_numbers(self) -> dict[int, int]:
        """The dataset's category -> its class; {} without classes."""
        return {c: n for n, (_, members) in enumerate(self.classes, 1) for c in members}

    def as_json(self) -> dict[str, Any]:
        """The value of `info.df2coco`."""
        names = {name: [CATEGORY_BY_ID[c].name for c in members] for name, members in self.classes}
        rare = {"classes": names} | {n: getattr(self, n) for n in ("exclude", "where", "listed")}
        sample = {} if self.sample is None else {"sample": self.sample, "seed": self.seed}
        always = ("task", "layout", "landmarks", "area", "categories", "only", "limit")
        return {
            "version": __version__,
            **{name: getattr(self, name) for name in always},
            **sample,
            **{name: value for name, value in rare.items() if value},
            "image_sizes": "from the images" if self.sizes_known else SIZES_UNKNOWN,
        }


_KINDS: Final = {
    **dict.fromkeys(("task", "layout", "landmarks", "area", "only", "part"), str),
    **dict.fromkeys(("listed", "limit", "sample", "seed"), int),
}
_LISTS: Final = {"categories": int, "exclude": int, "where": str, "merged": str}


def conversion_of(info: Any) -> Conversion | None:
    """The `info` of a COCO file, read; None for files that df2coco did not write.

    Anybody may have written it, so that what is not of the right type counts as not said.
    """
    noted = info.get("df2coco") if isinstance(info, Mapping) else None
    if not isinstance(noted, Mapping):
        return None
    said: dict[str, Any] = {n: noted[n] for n in _KINDS if type(noted.get(n)) is _KINDS[n]}
    for name, kind in _LISTS.items():
        if isinstance(noted.get(name), list):
            said[name] = tuple(value for value in noted[name] if type(value) is kind)
    said["where"] = tuple(filter(_is_condition, said.get("where", ())))
    if isinstance(classes := noted.get("classes"), Mapping):
        said["classes"] = tuple(
            (name, tuple(c.id for each in members if (c := same_name(each)) is not None))
            for name, members in classes.items()
            if isinstance(members, list)
        )
    return Conversion(**said, sizes_known=not str(noted.get("image_sizes")).startswith("unknown"))


def _is_condition(text: str) -> bool:
    with suppress(OptionError):
        return bool(Condition.read(text))
    return False
