"""What the fields of a COCO file must be, so that code can compute with them: no more than that.

Files come from anywhere, and pycocotools believes what it reads: wrong types end in a traceback, numbers
that do not fit into an int in a crash, counts that exceed the mask in memory that belongs to others.
Commands refuse a file by this table (`check_fields`), and the validator reports what does not fit it as
errors (`Field.code`). Whether a value makes sense is the validator's business alone.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, TypeAlias, TypeGuard

from df2coco.errors import CocoFileError, shorten

MAX_ID: Final = (1 << 63) - 1
"""The largest id: numpy, torch and hotcoco hold ids in 64 bits."""

MAX_SIDE: Final = 65_535
"""The largest width or height of an image: no JPEG is wider or higher."""

MAX_PIXELS: Final = 1 << 30
"""Width times height of an image: a mask takes as many bytes."""

MAX_NUMBER: Final = 10_000_000
"""The largest coordinate: pycocotools crashes when drawing one that does not fit into an int."""

MAX_OUTLINE: Final = 10_000_000
"""The longest outline of a polygon in pixels: drawing it costs memory."""


# ---------------------------------------------------------------- what a value must be


def is_id(value: Any) -> TypeGuard[int]:
    """Whether a JSON value is a whole number from 0 that fits into 64 bits (and is not a boolean)."""
    return type(value) is int and 0 <= value <= MAX_ID


def are_numbers(value: Any) -> TypeGuard[list[float]]:
    """Whether a JSON value is a list of numbers, none larger than `MAX_NUMBER`."""
    if type(value) is not list:
        return False
    try:
        # One pass in C, which refuses what is not a number, does for nearly all lists.
        total = sum(map(abs, value))
        if total <= MAX_NUMBER:
            return True
        # NaN is not a number, though max and min may pass it by.
        return bool(total == total and max(value) <= MAX_NUMBER and min(value) >= -MAX_NUMBER)
    except TypeError:
        return False


def is_polygon(value: Any) -> bool:
    """Whether a JSON value is a list of numbers that pycocotools can draw as an outline."""
    if not are_numbers(value):
        return False
    if not value or (max(value) - min(value)) * len(value) <= MAX_OUTLINE:
        return True
    return sum(abs(a - b) for a, b in zip(value, value[2:], strict=False)) <= MAX_OUTLINE


def is_mask(value: Any) -> bool:
    """Whether a JSON value is a list of polygons, or an RLE whose counts fill its size."""
    if type(value) is list:
        return all(map(is_polygon, value))
    if type(value) is not dict:
        return False
    size, counts = value.get("size"), value.get("counts")
    if type(size) is not list or len(size) != 2 or not all(map(_is_length, size)):
        return False
    if size[0] * size[1] > MAX_PIXELS:
        return False
    if type(counts) is str:
        from df2coco.coco.rle import mask_areas  # loads numpy

        return mask_areas([counts], [size[0] * size[1]]) != [None]
    if type(counts) is not list or not {int}.issuperset(map(type, counts)):
        return False
    # pycocotools believes the counts, and would write beyond the mask.
    return min(counts, default=0) >= 0 and sum(counts) == size[0] * size[1]


def is_too_large(image: Mapping[str, Any]) -> bool:
    """Whether an image whose width and height are whole numbers has more pixels than can be drawn."""
    pixels: int = image.get("width", 0) * image.get("height", 0)
    return pixels > MAX_PIXELS


def _is_length(value: Any) -> bool:
    return type(value) is int and 0 < value <= MAX_NUMBER


def _is_side(value: Any) -> bool:
    return type(value) is int and 0 < value <= MAX_SIDE


def _is_text(value: Any) -> bool:
    return type(value) is str


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _is_flag(value: Any) -> bool:
    return type(value) is int and value in (0, 1)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MAX_NUMBER


def _is_box(value: Any) -> bool:
    return are_numbers(value) and len(value) == 4


def _are_landmarks(value: Any) -> bool:
    return are_numbers(value) and len(value) % 3 == 0


def _are_names(value: Any) -> bool:
    return type(value) is list and all(type(name) is str for name in value)


def _are_edges(value: Any) -> bool:
    return type(value) is list and all(
        type(edge) is list and len(edge) == 2 and all(type(end) is int for end in edge)
        for edge in value
    )


# ---------------------------------------------------------------- the fields


class Field(NamedTuple):
    """What a field of a COCO file must be where it is present."""

    expected: str
    """In words, for a message: "4 numbers x, y, w, h"."""
    fits: Callable[[Any], bool]
    code: str
    """The validator's finding for values that do not fit."""


_ID: Final = "a whole number from 0"

FIELDS: Final[Mapping[str, Mapping[str, Field]]] = {
    "images": {
        "id": Field(_ID, is_id, "image-id-type"),
        "file_name": Field("text", _is_text, "file-name-outside"),
        "width": Field("a whole number of pixels", _is_side, "image-size-type"),
        "height": Field("a whole number of pixels", _is_side, "image-size-type"),
    },
    "categories": {
        "id": Field(_ID, is_id, "category-id-type"),
        "name": Field("text", _is_text, "category-name-type"),
        "keypoints": Field("a list of names", _are_names, "landmark-names-type"),
        "skeleton": Field("a list of pairs of whole numbers", _are_edges, "skeleton-malformed"),
    },
    "annotations": {
        "id": Field(_ID, is_id, "annotation-id-type"),
        "image_id": Field(_ID, is_id, "annotation-id-type"),
        "category_id": Field(_ID, is_id, "annotation-id-type"),
        "bbox": Field("4 numbers x, y, w, h", _is_box, "bbox-malformed"),
        "area": Field("a number", _is_number, "area-wrong"),
        "iscrowd": Field("0 or 1", _is_flag, "iscrowd-malformed"),
        "segmentation": Field(
            "polygons, each a list of numbers, or an RLE of its image's size",
            is_mask,
            "polygon-malformed",
        ),
        "keypoints": Field(
            "3 numbers x, y, v for each landmark", _are_landmarks, "keypoints-length"
        ),
        "num_keypoints": Field("a whole number from 0", _is_count, "num-keypoints-type"),
    },
}
"""List -> field -> what it must be."""


def _is_whole_or_null(value: Any) -> bool:
    return value is None or type(value) is int


def _are_counts(value: Any) -> bool:
    return value is None or (type(value) is list and all(map(_is_count, value)))


_WHOLE: Final = Field("a whole number", _is_whole_or_null, "attribute-type")

DATASET_FIELDS: Final[Mapping[str, Mapping[str, Field]]] = {
    "images": {
        "source": Field(
            "user or shop",
            lambda value: value is None or type(value) is str,
            "image-attribute-type",
        ),
        "pair_id": _WHOLE._replace(code="image-attribute-type"),
    },
    "annotations": {
        **dict.fromkeys(("pair_id", "style", "scale", "occlusion", "zoom_in", "viewpoint"), _WHOLE),
        "float_polygons": Field("a list of whole numbers", _are_counts, "attribute-type"),
    },
}
"""The same for what only DeepFashion2 has. Files of others may use these names for anything."""


class Use(NamedTuple):
    """What a command or a kind of evaluation needs of an annotation, beside its ids."""

    required: tuple[str, ...] = ()
    """Fields that must be there."""
    others: bool = True
    """The other fields must fit too, where they are present; `iscrowd` must always."""
    dataset: bool = False
    """So must those of `DATASET_FIELDS`."""


UseName: TypeAlias = Literal[
    "any", "bbox", "segm", "keypoints", "keypoints of masks", "restore", "boxes", "boxes and masks"
]

USES: Final[Mapping[UseName, Use]] = {
    "any": Use(),
    "bbox": Use(("area", "bbox"), others=False),
    "segm": Use(("area", "segmentation"), others=False),
    "keypoints": Use(("bbox", "keypoints"), others=False),
    "keypoints of masks": Use(("bbox", "keypoints", "area", "segmentation"), others=False),
    "restore": Use(("bbox", "segmentation", "keypoints"), dataset=True),
    "boxes": Use(("bbox",), others=False),
    "boxes and masks": Use(("bbox", "segmentation"), others=False),
}
"""Use -> what it needs. "any": `load`, `draw`, `stats` and `report`; "boxes", "boxes and masks": `export`."""

_REQUIRED: Final[Mapping[str, frozenset[str]]] = {
    "images": frozenset({"id"}),
    "categories": frozenset({"id"}),
    "annotations": frozenset({"id", "image_id", "category_id"}),
}


def check_fields(
    document: Mapping[str, Any], path: Path, use: UseName = "any", *, first: int = 0
) -> None:
    """Raise `CocoFileError` at the first entry of a document that code could stumble over.

    `use` is what the document is read for. `first` is the number of the first annotation, where a
    document holds a part of them.
    """
    needs = USES[use]
    for name, fields in FIELDS.items():
        required = _REQUIRED[name]
        start = 0
        if needs.dataset:
            fields = {**fields, **DATASET_FIELDS.get(name, {})}
        if name == "annotations":
            start = first
            required = required.union(needs.required)
            if not needs.others:
                fields = {
                    each: fields[each] for each in fields if each in required or each == "iscrowd"
                }
        for number, entry in enumerate(document.get(name, ()), start):
            for field, (expected, fits, _) in fields.items():
                if field not in entry:
                    if field in required:
                        raise missing(path, f"{name}[{number}]", field)
                elif not fits(entry[field]):
                    text = f"{shorten(entry[field])}, expected {expected}."
                    raise invalid(path, f"{name}[{number}].{field}", text)
            if name == "images" and is_too_large(entry):
                raise invalid(path, f"images[{number}]", f"more than {MAX_PIXELS} pixels.")


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
    return CocoFileError(
        f"{text} df2coco validate reports all that is wrong.", file=path, field=field
    )


# ---------------------------------------------------------------- whole numbers written otherwise

WHOLE_NUMBERS: Final[Mapping[str, tuple[str, ...]]] = {
        "images": ("id", "pair_id"),
        "categories": ("id",),
        "annotations": (
            "id", "image_id", "category_id", "iscrowd", "num_keypoints", "pair_id", "style",
            "scale", "occlusion", "zoom_in", "viewpoint",
        ),
    }  # fmt: skip
"""List -> fields that pandas writes as 1.0 and mean 1. Of these, `iscrowd` may be false and true, too."""

_USUAL: Final = frozenset({int, type(None)})


def read_whole_numbers(name: str, entries: Iterable[dict[str, Any]]) -> set[tuple[int, str]]:
    """Change 1.0 into 1 in the entries of the list `name`, in place, and false into 0 for `iscrowd`.

    Returns the position and field of each number that had a decimal point: the validator reports them.
    """
    entries = list(entries)
    changed = set()
    for field in WHOLE_NUMBERS[name]:
        if _USUAL.issuperset({type(entry.get(field)) for entry in entries}):
            continue
        for position, entry in enumerate(entries):
            value = entry.get(field)
            # What exceeds 64 bits can be written by no fast JSON writer as an integer.
            if type(value) is float and value.is_integer() and abs(value) <= MAX_ID:
                entry[field] = int(value)
                changed.add((position, field))
            elif type(value) is bool and field == "iscrowd":
                entry[field] = int(value)
    return changed


def unknown_id(name: str, value: int, file: Path, number: int | None = None) -> CocoFileError:
    """The error for an annotation whose "image_id" or "category_id" (`name`) is not in the file.

    `number` is the annotation's, from 0, where it is known.
    """
    field, what = "annotations", f"{name} {value}"
    if number is not None:
        field, what = f"annotations[{number}].{name}", str(value)
    return invalid(file, field, f"{what} is not in the file.")
