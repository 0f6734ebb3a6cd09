"""`info.df2coco`: what df2coco notes in a file about how it was made."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from df2coco.version import __version__

_FROM_IMAGES: Final = "from the images"
SIZES_UNKNOWN: Final = "unknown: the smallest that hold the annotations"
"""The value of `image_sizes` where there were no images."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """The options that a file was converted with; None where the file does not say."""

    task: str | None = None
    layout: str | None = None
    landmarks: str | None = None
    area: str | None = None
    categories: tuple[int, ...] = ()
    """Ids of the only categories in the file; () is all."""
    only: str | None = None
    """The only source of images, "user" or "shop"."""
    limit: int | None = None
    sample: int | None = None
    """The images are a random sample of so many, by whole pairs."""
    seed: int | None = None
    """What decided which."""
    part: str | None = None
    """The file is this part of one that was split."""
    merged: tuple[str, ...] = ()
    """The splits that were merged into the file."""
    sizes_known: bool = True
    """False: there were no images, so width and height are the smallest that hold the annotations."""

    @property
    def is_subset(self) -> bool:
        """Images or items were left out on purpose."""
        return bool(self.categories or self.only or self.limit or self.sample or self.part)

    def as_json(self) -> dict[str, Any]:
        """The value of `info.df2coco`."""
        sample = {} if self.sample is None else {"sample": self.sample, "seed": self.seed}
        return {
            "version": __version__,
            "task": self.task,
            "layout": self.layout,
            "landmarks": self.landmarks,
            "area": self.area,
            "categories": list(self.categories),
            "only": self.only,
            "limit": self.limit,
            **sample,
            "image_sizes": _FROM_IMAGES if self.sizes_known else SIZES_UNKNOWN,
        }


_KINDS: Final = {
    **dict.fromkeys(("task", "layout", "landmarks", "area", "only", "part"), str),
    **dict.fromkeys(("limit", "sample", "seed"), int),
}
_LISTS: Final = {"categories": int, "merged": str}


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
    return Conversion(**said, sizes_known=not str(noted.get("image_sizes")).startswith("unknown"))
