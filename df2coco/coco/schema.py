"""What the fields of a COCO file must be, so that code can compute with them: no more than that.

Files come from anywhere, and pycocotools believes what it reads: wrong types end in a traceback, numbers
that do not fit into an int in a crash, counts that exceed the mask in memory that belongs to others.
Commands refuse a file by this table (`check_fields`), and the validator reports what does not fit it as
errors (`Field.code`). Whether a value makes sense is the validator's business alone.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple, TypeAlias, TypeGuard

import msgspec
from msgspec import Meta, Struct

from df2coco.coco.rle import mask_areas
from df2coco.errors import CocoFileError
from df2coco.limits import MAX_PIXELS, MAX_SIDE
from df2coco.taxonomy import ATTRIBUTES

MIN_ID: Final = 0
MAX_ID: Final = (1 << 63) - 1
"""The largest id: numpy, torch and hotcoco hold ids in 64 bits."""

MAX_NUMBER: Final = 10_000_000
"""The largest coordinate: pycocotools crashes when drawing one that does not fit into an int."""

_LONGEST_OUTLINE: Final = 10_000_000
"""The longest outline of a polygon in pixels: drawing it costs memory."""


Entry: TypeAlias = dict[str, Any]
"""An image, an annotation or a category of any file: nothing is known of its fields."""


def column(entries: Sequence[Entry], field: str, missing: Any = None) -> list[Any]:
    """A field of every entry, `missing` where it is not there."""
    try:
        return list(map(itemgetter(field), entries))  # where all have it, in half the time
    except KeyError:
        return [entry.get(field, missing) for entry in entries]


_Id: TypeAlias = Annotated[int, Meta(ge=MIN_ID, le=MAX_ID)]
_Whole: TypeAlias = Annotated[int, Meta(ge=-MAX_ID, le=MAX_ID)]
_Count: TypeAlias = Annotated[int, Meta(ge=0, le=MAX_NUMBER)]
_Flag: TypeAlias = Annotated[int, Meta(ge=0, le=1)]
_Side: TypeAlias = Annotated[int, Meta(gt=0, le=MAX_SIDE)]
_Length: TypeAlias = Annotated[int, Meta(gt=0, le=MAX_NUMBER)]
# Both kinds, since 12 and 12.0 are not the same in the dataset's files.
_AnyNumber: TypeAlias = _Whole | float
_BOUNDS: Final = Meta(ge=-MAX_NUMBER, le=MAX_NUMBER)
_Number: TypeAlias = Annotated[int, _BOUNDS] | Annotated[float, _BOUNDS]
_Box: TypeAlias = tuple[_Number, _Number, _Number, _Number]


class Rle(Struct, gc=False):
    """A mask as run lengths, which fill its size column by column."""

    size: tuple[_Length, _Length]
    """Height and width."""
    counts: str | list[Annotated[int, Meta(ge=0)]]
    """Compressed as pycocotools does it, or as they are."""

    def as_json(self) -> dict[str, Any]:
        """As pycocotools takes it."""
        return {"size": list(self.size), "counts": self.counts}


Mask: TypeAlias = list[list[_Number]] | Rle


def is_drawable(mask: list[list[float]] | Rle) -> bool:
    """Whether pycocotools can draw a mask: its outlines are not too long, or its counts fill its size."""
    if isinstance(mask, Rle):
        # pycocotools believes the counts, and would write beyond the mask.
        pixels = mask.size[0] * mask.size[1]
        if isinstance(mask.counts, list):
            return sum(mask.counts) == pixels <= MAX_PIXELS
        return pixels <= MAX_PIXELS and mask_areas([mask.counts], [pixels]) != [None]
    # No outline is longer than that, and one pass in C does for nearly all masks.
    return 2 * sum(map(abs, chain.from_iterable(mask))) <= _LONGEST_OUTLINE or all(
        sum(abs(a - b) for a, b in zip(polygon, polygon[2:], strict=False)) <= _LONGEST_OUTLINE
        for polygon in mask
    )


def is_id(value: Any) -> TypeGuard[int]:
    """Whether a JSON value is what an id must be: a whole number, and no boolean."""
    return type(value) is int and MIN_ID <= value <= MAX_ID


def is_address(name: str) -> bool:
    """Whether it is an address in the network: "https://...", "s3://..."."""
    return "://" in name


def is_outside(name: Any) -> bool:
    """Whether it names no file below a folder: no text, nothing, an absolute path, a folder, one with "..", one
    that no system takes (NUL)."""
    if type(name) is not str or "\0" in name:
        return True
    parts = name.replace("\\", "/").split("/")
    outside = not parts[0] or parts[-1] in ("", ".") or ".." in parts or name[1:2] == ":"
    return outside and not is_address(name)


@dataclass(frozen=True)
class Field:
    """What a field of a COCO file must be where it is present."""

    type: Any
    """As msgspec decodes it: `df2coco.coco.decoding` makes of these what a command reads."""
    expected: str
    """In words, for a message: "4 numbers x, y, w, h"."""
    code: str = ""
    """The validator's finding for values that do not fit."""
    also: Callable[[Any], bool] | None = None
    """What the type cannot say, of a decoded value."""

    @cached_property
    def _holder(self) -> Any:
        # msgspec looks at a type anew each time, at a struct once.
        return msgspec.defstruct("Holder", [("values", list[self.type])])  # type: ignore[name-defined]

    def fits(self, value: Any) -> bool:
        """Whether a JSON value is what it must be."""
        return self.all_fit([value])

    def all_fit(self, values: list[Any]) -> bool:
        """The same of many values, in one pass."""
        try:
            decoded = msgspec.convert({"values": values}, self._holder).values
        except (msgspec.ValidationError, UnicodeEncodeError):
            return False
        return self.also is None or all(map(self.also, decoded))


_ID: Final = f"a whole number from {MIN_ID}"
_PIXELS: Final = f"a whole number of pixels from 1 to {MAX_SIDE}"

FIELDS: Final[dict[str, dict[str, Field]]] = {
    "images": {
        "id": Field(_Id, _ID, "image-id-type"),
        "file_name": Field(str, "text", "file-name-outside"),
        "width": Field(_Side, _PIXELS, "image-size-type"),
        "height": Field(_Side, _PIXELS, "image-size-type"),
    },
    "categories": {
        "id": Field(_Id, _ID, "category-id-type"),
        "name": Field(str, "text", "category-name-type"),
        "keypoints": Field(list[str], "a list of names", "landmark-names-type"),
        "skeleton": Field(
            list[tuple[int, int]], "a list of pairs of whole numbers", "skeleton-malformed"
        ),
    },
    "annotations": {
        "id": Field(_Id, _ID, "annotation-id-type"),
        "image_id": Field(_Id, _ID, "annotation-id-type"),
        "category_id": Field(_Id, _ID, "annotation-id-type"),
        "bbox": Field(_Box, "4 numbers x, y, w, h", "bbox-malformed"),
        "area": Field(_AnyNumber, "a number", "area-wrong"),
        "iscrowd": Field(_Flag, "0 or 1", "iscrowd-malformed"),
        "segmentation": Field(
            Mask,
            "polygons, each a list of numbers, or an RLE of its image's size",
            "polygon-malformed",
            is_drawable,
        ),
        "keypoints": Field(
            list[_Number],
            "3 numbers x, y, v for each landmark",
            "keypoints-length",
            lambda numbers: len(numbers) % 3 == 0,
        ),
        "num_keypoints": Field(_Count, "a whole number from 0", "num-keypoints-type"),
    },
}
"""List -> field -> what it must be. There is no other place that says so."""

_WHOLE: Final = Field(_Whole | None, "a whole number", "attribute-type")

DATASET_FIELDS: Final[dict[str, dict[str, Field]]] = {
    "images": {
        "source": Field(str | None, "user or shop", "image-attribute-type"),
        "pair_id": replace(_WHOLE, code="image-attribute-type"),
    },
    "annotations": {
        **dict.fromkeys(("pair_id", "style", *ATTRIBUTES), _WHOLE),
        "float_polygons": Field(list[_Count] | None, "a list of whole numbers", "attribute-type"),
    },
}
"""The same for what only DeepFashion2 has. Files of others may use these names for anything."""


class Use(NamedTuple):
    """What a command or a kind of evaluation needs of an annotation, beside its ids."""

    required: tuple[str, ...] = ()
    """Fields that must be there. All others must fit where they are present."""
    unread: tuple[str, ...] = ()
    """Long lists that are not looked at."""
    compared: tuple[str, ...] = ()
    """Those that are only compared: kept as JSON text."""
    whole: bool = False
    """All landmarks are read, not a garment's own where those of all other slots are 0."""
    dataset: bool = False
    """The fields of `DATASET_FIELDS` must fit too; else they are as they come."""


_LISTS: Final = ("segmentation", "keypoints")

USES: Final[Mapping[str, Use]] = {
    "any": Use(),
    "stats": Use(unread=("segmentation",), compared=("segmentation",)),
    "bbox": Use(("area", "bbox"), unread=_LISTS, compared=_LISTS),
    "segm": Use(("area", "segmentation"), unread=("keypoints",)),
    "keypoints": Use(("bbox", "keypoints"), unread=("segmentation",)),
    "keypoints of masks": Use(("bbox", "keypoints", "area", "segmentation")),
    "restore": Use(("bbox", "segmentation", "keypoints"), dataset=True),
    "table": Use(("bbox",), unread=("segmentation",), dataset=True),
    "boxes": Use(("bbox",), unread=_LISTS),
    "boxes and masks": Use(("bbox", "segmentation"), unread=("keypoints",)),
    "boxes and landmarks": Use(("bbox", "keypoints"), unread=("segmentation",), whole=True),
}
"""Use -> what it needs. "any": `load`, `draw` and `report`; "boxes ...": `export`."""


def fields_of(name: str, use: str = "any") -> tuple[dict[str, Field], tuple[str, ...]]:
    """The fields of the list `name` that are checked for a use, and those that must be there."""
    needs, fields = USES[use], FIELDS[name]
    if needs.dataset:
        fields = fields | DATASET_FIELDS.get(name, {})
    if name != "annotations":
        return fields, ("id",)
    kept = {n: fields[n] for n in fields if n not in needs.unread}
    return kept, ("id", "image_id", "category_id", *needs.required)


def struct_of(
    fields: Mapping[str, Field], required: Iterable[str], others: Iterable[tuple[Any, ...]] = ()
) -> type[Any]:
    """What decodes and checks entries: they have `fields`, None where one is missing, and `others`.

    A missing `iscrowd` is 0. Of others: name, type, and what stands for a missing one.
    """
    declared: list[Any] = []
    for name, field in fields.items():
        absent = () if name in required else (0 if name == "iscrowd" else None,)
        declared.append((name, field.type, *absent))
    return msgspec.defstruct("Entry", [*declared, *others], gc=False, kw_only=True)


def misfit(
    entry: Mapping[str, Any], fields: Mapping[str, Field], required: Iterable[str]
) -> str | None:
    """The first field of an entry that is missing, or is not what it must be."""
    for name, field in fields.items():
        if not field.fits(entry[name]) if name in entry else name in required:
            return name
    return None


ALL_OR_NONE: Final = ("segmentation", "keypoints")
"""Fields that all annotations of a file have, or none of them."""


def missing(path: Path, entry: str, field: str, fault: str = "missing") -> CocoFileError:
    """The error for a field that an entry ("annotations[3]") does not have."""
    if field in ALL_OR_NONE:
        text = f"{fault}. Name a file in which every annotation has {field}."
        return CocoFileError(text, file=path, field=f"{entry}.{field}")
    return invalid(path, f"{entry}.{field}", f"{fault}.")


def invalid(path: Path, field: str, text: str) -> CocoFileError:
    """The error for a fault that the validator has a finding of, too."""
    text += " df2coco validate reports all that is wrong."
    return CocoFileError(text, file=path, field=field)


_WHOLE_TYPES: Final = (_Id, _Count, _Flag, _WHOLE.type)
_WHOLE_NUMBERS: Final = {
    name: [n for n, f in (fields | DATASET_FIELDS.get(name, {})).items() if f.type in _WHOLE_TYPES]
    for name, fields in FIELDS.items()
}
"""List -> fields that pandas writes as 1.0 and mean 1. Of these, `iscrowd` may be false and true, too."""


def read_whole_numbers(name: str, entries: Iterable[dict[str, Any]]) -> set[tuple[int, str]]:
    """Change 1.0 into 1 in the entries of the list `name`, in place, and false into 0 for `iscrowd`.

    Returns the position and field of each number that had a decimal point: the validator reports them.
    """
    entries = list(entries)
    changed = set()
    for field in _WHOLE_NUMBERS[name]:
        values = column(entries, field)
        if {int, type(None)}.issuperset(map(type, values)):
            continue
        for position, (entry, value) in enumerate(zip(entries, values, strict=True)):
            # What exceeds 64 bits can be written by no fast JSON writer as an integer.
            if type(value) is float and value.is_integer() and abs(value) <= MAX_ID:
                entry[field] = int(value)
                changed.add((position, field))
            elif type(value) is bool and field == "iscrowd":
                entry[field] = int(value)
    return changed


def check_known(path: Path, name: str, used: Iterable[int], known: Iterable[int]) -> None:
    """Raise `CocoFileError` when a value of "image_id" or "category_id" (`name`) is not in the file."""
    if unknown := set(used).difference(known):
        raise invalid(path, "annotations", f"{name} {min(unknown)} is not in the file.")
