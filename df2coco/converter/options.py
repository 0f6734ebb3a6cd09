"""What a conversion may be asked for: what to leave out (`Selection`), and what the file looks like (`Shape`).

Both check themselves when they are made and raise `OptionError`, so that nothing else has to.
"""

import dataclasses
from collections.abc import ItemsView, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, cast

from df2coco.coco.info import Condition
from df2coco.coco.schema import is_id
from df2coco.errors import OptionError, check_choice, check_list, did_you_mean, shorten
from df2coco.parser.image_lists import image_id_of
from df2coco.taxonomy import CATEGORIES, CATEGORY_BY_ID, SOURCES, ImageSource, same_name

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

_TABLES: Final = {"task": TASKS, "layout": LAYOUTS, "landmarks": LANDMARKS, "area": AREAS}
"""Field of `Shape` -> its values."""

_PRESETS: Final[Mapping[str, Mapping[str, str]]] = {
    "official": {"task": "keypoints", "layout": "unified", "landmarks": "all", "area": "box"}
}
"""Preset -> the value that it gives to each other field of `Shape`."""

Classes: TypeAlias = Mapping[str, Iterable[int | str]] | tuple[tuple[str, tuple[int, ...]], ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which images and items of a split are converted; the default is all of them.

    - categories: Only items of these categories, and images with one: ids or names, kept as
      sorted ids; () is all.
    - exclude: No items of these categories, and images with another one: as `categories`.
    - where: Only items with these values, and images with one: "scale=1,2", "style=1-".
    - only: Only images of this source.
    - listed: Only these images: numbers, or names of files, kept as sorted numbers; () is all.
    - limit: Only the first so many of the images that are left; at least 1.
    - sample: Only so many of them, or a few more, chosen at random by whole pairs; at least 1.
    - seed: Another number gives another sample.
    """

    categories: tuple[int | str, ...] = ()
    exclude: tuple[int | str, ...] = ()
    where: tuple[str, ...] = ()
    only: ImageSource | None = None
    listed: tuple[int | str, ...] = ()
    limit: int | None = None
    sample: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("categories", "exclude", "listed", "where"):
            given = getattr(self, name)
            check_list(name, given)
            if name != "where":
                read = _image_id if name == "listed" else _category_id
                given = sorted({read(each, name) for each in given})
            object.__setattr__(self, name, tuple(given))
        for text in self.where:
            Condition.read(text)
        check_choice("only", self.only, (None, *SOURCES))
        for name in ("limit", "sample"):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value < 1):
                text = f"{shorten(value)} is not a number of images, 1 or more."
                raise OptionError(text, field=name)
        if self.limit is not None and self.sample is not None:
            raise OptionError("does not go with limit. Leave one of them out.", field="sample")

    @property
    def category_ids(self) -> tuple[int, ...]:
        """The ids of all categories that are left."""
        chosen = self.categories or CATEGORY_BY_ID
        return tuple(c for c in CATEGORY_BY_ID if c in chosen and c not in self.exclude)


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
    - classes: Names of the file's categories, each with those of DeepFashion2 that it is made of; what is in
      none is left out. Kept with ids. The task is instances then. None is the 13 themselves.
    """

    task: Task | None = None
    layout: LayoutName = "unified"
    landmarks: LandmarkChoice = "all"
    area: AreaKind | None = None
    preset: PresetName | None = None
    classes: Classes | None = None

    def __post_init__(self) -> None:
        check_choice("preset", self.preset, (None, *PRESETS))
        fixed = _PRESETS[self.preset] if self.preset else {}
        for field in [each for each in dataclasses.fields(self) if each.name in _TABLES]:
            given, values = getattr(self, field.name), cast(Any, _TABLES[field.name])
            check_choice(field.name, given, values if field.default else (None, *values))
            value = fixed.get(field.name, given)
            if given not in (field.default, value):
                text = f"{shorten(given)} does not go with preset {self.preset}, which has {value}."
                raise OptionError(f"{text} Leave one of them out.", field=field.name)
            object.__setattr__(self, field.name, value)
        if self.classes is not None:
            if self.preset:
                raise OptionError(f"does not go with preset {self.preset}.", field="classes")
            if self.task == "keypoints":
                text = (
                    "keypoints does not go with classes: the landmarks of garments that become one "
                    "have no common definition. Leave one of them out."
                )
                raise OptionError(text, field="task")
            object.__setattr__(self, "task", "instances")
            object.__setattr__(self, "classes", _read_classes(self.classes))

    @property
    def class_ids(self) -> dict[str, tuple[int, ...]]:
        """`classes`, which hold ids by now; {} without."""
        return dict(self.classes or ())  # type: ignore[arg-type]

    def of_file(self, task: Task) -> "Shape":
        """The shape of a file of this task: nothing is left open."""
        return dataclasses.replace(self, task=task, area=self.area or AREA_OF_TASK[task])


def _category_id(given: object, option: str) -> int:
    category = CATEGORY_BY_ID.get(given) if type(given) is int else same_name(given)
    if category is None or given not in (category.id, category.name, category.official_name):
        near = CATEGORY_BY_ID.get(int(str(given))) if str(given).isdecimal() else category
        names = [category.name for category in CATEGORIES]
        hint = did_you_mean(near.name if near else given, names)
        text = f"{shorten(given)} is not one of {', '.join(names)}. {hint}".strip()
        raise OptionError(text, field=option)
    return category.id


def _image_id(given: object, option: str) -> int:
    number = given if is_id(given) else None
    if isinstance(given, str):
        number = image_id_of(given)
    if number is None:
        text = f"{shorten(given)} is not the name or number of an image. Write 000001.jpg or 1."
        raise OptionError(text, field=option)
    return number


def _read_classes(given: object) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Names and ids of a mapping or of pairs, which can hold a name twice."""
    pairs = given.items() if isinstance(given, Mapping) else given
    if not pairs or not isinstance(pairs, (tuple, ItemsView)):
        text = 'is not an object of names with lists: {"top": ["vest", "sling"], ...}.'
        raise OptionError(text, field="classes")
    classes: dict[str, tuple[int, ...]] = {}
    class_of: dict[int, str] = {}
    for name, members in pairs:
        is_name = type(name) is str and name.isprintable() and name.strip()
        if not is_name or name in classes:
            fault = "is there twice" if name in classes else "is not a name"
            raise OptionError(f"{shorten(name)} {fault}. Give each class its own.", field="classes")
        check_list("classes", members)
        ids = [_category_id(member, "classes") for member in members]
        if not ids:
            text = f"{shorten(name)} has no category. Name some, or leave it out."
            raise OptionError(text, field="classes")
        for number in ids:
            if number in class_of:
                both = f"{shorten(class_of[number])} and {shorten(name)}"
                text = f"{CATEGORY_BY_ID[number].name} is there twice, in {both}."
                raise OptionError(f"{text} Name it once.", field="classes")
            class_of[number] = name
        classes[name] = tuple(ids)
    return tuple(classes.items())
