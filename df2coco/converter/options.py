"""What a conversion may be asked for: what to leave out (`Selection`), and what the file looks like (`Shape`).

Both check themselves when they are made and raise `OptionError`, so that nothing else has to.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from df2coco.errors import OptionError, check_choice, shorten
from df2coco.taxonomy import (
    CATEGORIES,
    CATEGORY_BY_ID,
    CATEGORY_BY_NAME,
    SOURCES,
    Category,
    ImageSource,
)

Task: TypeAlias = Literal["keypoints", "instances"]
LayoutName: TypeAlias = Literal["unified", "aggregated", "category"]
LandmarkChoice: TypeAlias = Literal["all", "visible"]
AreaKind: TypeAlias = Literal["mask", "box"]
PresetName: TypeAlias = Literal["official"]
OnError: TypeAlias = Literal["fail", "skip"]

TASKS: Final[Mapping[Task, str]] = {
    "keypoints": "boxes, masks and landmarks",
    "instances": "boxes and masks, no landmarks",
}
LAYOUTS: Final[Mapping[LayoutName, str]] = {
    "unified": "294 slots for every category, as the benchmark and MMPose have them",
    "aggregated": "81 slots: landmarks that play the same part in several categories share one",
    "category": "each category's own 8 to 39 landmarks",
}
LANDMARKS: Final[Mapping[LandmarkChoice, str]] = {
    "all": "every labelled landmark",
    "visible": 'occluded landmarks become unlabelled (the benchmark\'s "visible" ground truth)',
}
AREAS: Final[Mapping[AreaKind, str]] = {
    "mask": "pixels of the item's union mask, as COCO defines it",
    "box": "width x height of the box, by which the benchmark scales OKS",
}
AREA_OF_TASK: Final[Mapping[Task, AreaKind]] = {"keypoints": "box", "instances": "mask"}
"""What area is where nobody chose it."""
PRESETS: Final[Mapping[PresetName, str]] = {
    "official": "the official converter's file, field for field: its names, box area, no skeletons"
}
ON_ERROR: Final[Mapping[OnError, str]] = {
    "fail": "report all that cannot be used, write nothing, exit 2",
    "skip": "leave it out and count it",
}

_PRESETS: Final[Mapping[str, Mapping[str, str]]] = {
    "official": {"task": "keypoints", "layout": "unified", "landmarks": "all", "area": "box"}
}
"""Preset -> the value that it gives to each other field of `Shape`."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which images and items of a split are converted; the default is all of them.

    - categories: Only items of these categories, and images with one: ids or names, kept as
      sorted ids; () is all.
    - only: Only images of this source.
    - limit: Only the first so many of the images that are left; at least 1.
    - sample: Only so many of them, or a few more, chosen at random by whole pairs; at least 1.
    - seed: Another number gives another sample.
    """

    categories: tuple[int | str, ...] = ()
    only: ImageSource | None = None
    limit: int | None = None
    sample: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "categories", _category_ids(self.categories))
        check_choice("only", self.only, (None, *SOURCES))
        for name in ("limit", "sample"):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value < 1):
                raise OptionError(
                    f"{shorten(value)} is not a number of images, 1 or more.", field=name
                )
        if self.limit is not None and self.sample is not None:
            raise OptionError("does not go with limit. Leave one of them out.", field="sample")
        if type(self.seed) is not int:
            raise OptionError(f"{shorten(self.seed)} is not a whole number.", field="seed")

    @property
    def category_ids(self) -> tuple[int, ...]:
        """`categories`, which are ids by now."""
        return tuple(number for number in self.categories if isinstance(number, int))


@dataclass(frozen=True, slots=True)
class Shape:
    """What the file looks like.

    - task: "keypoints" or "instances" (no landmarks); None is "keypoints" for a .json file, and a
      file of each task for a folder.
    - layout: "unified" (294 slots), "aggregated" (81) or "category" (8 to 39).
    - landmarks: "all", or "visible": occluded landmarks become unlabelled.
    - area: "mask": pixels of the item's union mask; "box": width x height of the box. None is "box"
      in keypoints files and "mask" in instances files.
    - preset: "official": the official converter's file. Gives all other fields their values.
    """

    task: Task | None = None
    layout: LayoutName = "unified"
    landmarks: LandmarkChoice = "all"
    area: AreaKind | None = None
    preset: PresetName | None = None

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            optional = () if field.default else (None,)
            check_choice(field.name, getattr(self, field.name), (*optional, *_TABLES[field.name]))
        fixed = _PRESETS[self.preset] if self.preset else {}
        for field in dataclasses.fields(self):
            given = getattr(self, field.name)
            value = fixed.get(field.name, given)
            if given not in (field.default, value):
                raise OptionError(
                    f"{shorten(given)} does not go with preset {self.preset}, which has {value}. "
                    "Leave one of them out.",
                    field=field.name,
                )
            object.__setattr__(self, field.name, value)

    def of_file(self, task: Task) -> "Shape":
        """The shape of a file of this task: nothing is left open."""
        return dataclasses.replace(self, task=task, area=self.area or AREA_OF_TASK[task])


_TABLES: Final[Mapping[str, Mapping[Any, str]]] = {
    "task": TASKS,
    "layout": LAYOUTS,
    "landmarks": LANDMARKS,
    "area": AREAS,
    "preset": PRESETS,
}
"""Field of `Shape` -> its values."""


def _category_ids(categories: Iterable[int | str]) -> tuple[int, ...]:
    if isinstance(categories, str) or not isinstance(categories, Iterable):
        raise OptionError(
            f"{shorten(categories)} is not a list of names or ids.", field="categories"
        )
    ids = set()
    known: dict[Any, Category] = {**CATEGORY_BY_ID, **CATEGORY_BY_NAME}
    for given in categories:
        category = known.get(given) if type(given) in (int, str) else None
        if category is None:
            names = ", ".join(category.name for category in CATEGORIES)
            raise OptionError(f"{shorten(given)} is not one of {names}.", field="categories")
        ids.add(category.id)
    return tuple(sorted(ids))
