"""What the fields of a model's results must be, by kind."""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from df2coco.coco.decoding import Decoder
from df2coco.coco.reader import Loaded, opened, parse_with_nan
from df2coco.coco.schema import FIELDS, Field, Mask, misfit
from df2coco.errors import CocoFileError, FaultError, shorten, shown
from df2coco.taxonomy import Category, same_name

_LARGEST: Final = 1e9
"""The largest coordinate of a result: no image is that large, and its square still is a number."""

_Id = Annotated[int, Meta(ge=-(1 << 62) + 1, le=(1 << 62) - 1)]
Score = Annotated[float, Meta(ge=-sys.float_info.max, le=sys.float_info.max)]
_Coordinate = Annotated[float, Meta(ge=-_LARGEST, le=_LARGEST)]
_Length = Annotated[float, Meta(ge=0, le=_LARGEST)]
_Box = tuple[_Coordinate, _Coordinate, _Length, _Length]
_Corners = tuple[_Coordinate, _Coordinate, _Coordinate, _Coordinate]


def _are_in_order(corners: tuple[float, ...]) -> bool:
    return corners[0] <= corners[2] and corners[1] <= corners[3]


_ID: Final = Field(_Id, "a whole number")
_IMAGE: Final = Field(_Id, "a whole number (000001.jpg is 1)")
_CATEGORY: Final = Field(_Id, "a whole number (short sleeve top is 1)")
_SCORE: Final = Field(Score, "a finite number")
_BOX: Final = "4 numbers x, y, w, h (w and h from 0)"
_CORNERS: Final = Field(_Corners, "4 numbers x1, y1, x2, y2", also=_are_in_order)
_COMMON: Final = {"image_id": _IMAGE, "category_id": _CATEGORY, "score": _SCORE}

RESULTS: Final[dict[str, dict[str, Field]]] = {
    "bbox": {**_COMMON, "bbox": Field(_Box, _BOX)},
    "segm": {
        **_COMMON,
        "segmentation": Field(Mask | None, "an RLE of its image's size or polygons"),
        "bbox": Field(_Box | None, _BOX),
    },
    "keypoints": {
        **_COMMON,
        "keypoints": Field(list[_Coordinate], FIELDS["annotations"]["keypoints"].expected),
        "bbox": Field(_Box | None, _BOX),
    },
    "retrieval": {
        "query_image_id": _IMAGE,
        "query_cls": _CATEGORY,
        "query_score": _SCORE,
        "query_bbox": _CORNERS,
        "gallery_image_id": Field(list[_Id], "a list of whole numbers"),
        "gallery_bbox": Field(
            list[_Corners],
            "a list of boxes x1, y1, x2, y2",
            also=lambda boxes: all(map(_are_in_order, boxes)),
        ),
    },
    "query items": {
        **dict.fromkeys(("query_image_id", "style", "pair_id", "cls"), _ID),
        "bbox": _CORNERS,
    },
    "gallery items": {
        **dict.fromkeys(("gallery_image_id", "pair_id", "style"), _ID),
        "bbox": _CORNERS,
    },
}
"""Kind -> field -> what it must be. There is no other place that says so."""

_OPTIONAL: Final = {"segm": ("segmentation", "bbox"), "keypoints": ("bbox",)}
"""A box alone is its own mask."""

_IDS: Final = (_Id, list[_Id])


class ResultDecoder(Decoder):
    """Results of a kind."""

    def __init__(
        self,
        kind: str,
        garments: Mapping[int, Category],
        others: tuple[str, ...] = (),
        names: Mapping[str, Mapping[int, str]] | None = None,
    ) -> None:
        """`others` are further fields, taken as they come.

        `names` are those that ids stand for, by the field of the id, for messages.
        """
        fields, optional = RESULTS[kind], _OPTIONAL.get(kind, ())
        self._required = [name for name in fields if name not in optional]
        self._optional = optional
        self._known = names or {}
        self._ids = [name for name, field in fields.items() if field.type in _IDS]
        super().__init__(
            fields, self._required, garments, others=[(name, Any, None) for name in others]
        )

    def bring_into_shape(self, entry: dict[str, Any]) -> None:
        """Change 1.0 into 1 where a whole number is meant, and take empty lists for nothing."""
        for name in self._ids:
            value = entry.get(name)
            if type(value) is float or type(value) is list:
                entry[name] = _whole(value)
        for name in self._optional:
            if entry.get(name) == []:
                entry[name] = None

    def read(self, entry: Any) -> Any:
        """One result. Raises `FaultError` where a field is not what it must be."""
        if type(entry) is not dict:
            hint = _ONE_EACH * (type(entry) is list)
            raise FaultError("", f"{shorten(entry)}, expected an object.{hint}")
        name = misfit(entry, self.fields, self._required)
        if name is None:
            (result,) = self.convert([entry]) or (None,)
            return result
        expected, value = self.fields[name].expected, entry.get(name)
        if name in self._known:
            known = self._known[name]
            alike = (n for n in known if str(known[n]).casefold() == str(value).casefold())
            number = next(alike, min(known, default=None))
            expected = "a whole number"
            expected += "" if number is None else f" ({known[number]} is {number})"
        depth = 0
        while type(value) is list and value:
            depth, value = depth + 1, value[0]
        hint = _NESTING.get((name, depth), "") if type(value) in (int, float) else ""
        text = f"{shown(entry, name)}, expected {expected}{hint}."
        of_an_image = name not in entry and list in map(type, entry.values())
        raise FaultError(name, text + _ONE_EACH * (of_an_image and "bbox" not in entry))


_ONE_EACH: Final = " Each result is an object of its own: df2coco.results.Results makes them."
_NESTING: Final = {
    ("segmentation", 1): ". A polygon has to be in a list: [[x1, y1, x2, y2, ...]]",
    ("segmentation", 3): ". A polygon has no brackets around each point: [[x1, y1, x2, y2, ...]]",
    ("bbox", 2): " without brackets around them",
    ("keypoints", 2): " without brackets around them: [x1, y1, v1, x2, y2, v2, ...]",
}
"""Field and how deep its lists are -> what to write instead."""


def _whole(value: Any) -> Any:
    if type(value) is list:
        return list(map(_whole, value))
    return int(value) if type(value) is float and value.is_integer() else value


def as_list(loaded: Loaded, images: Mapping[str, int], names: Mapping[int, str]) -> Loaded:
    """The annotations of a COCO document as a list of results; anything else as it is.

    FiftyOne, supervision, Label Studio and CVAT write results so.

    `images` are the ids of the ground truth's images by file_name, `names` the names of its categories by id:
    a document has its own ids. Where it has no such lists, its ids are the ground truth's.
    Raises `CocoFileError` when no annotation has a score, and for an image that the ground truth lacks.
    """
    raw = loaded.raw
    if raw is None:
        with opened(loaded.path) as stream:
            raw = stream.read() if stream.peek().lstrip()[:1] == b"{" else b""
    document = parse_with_nan(raw) if raw.lstrip()[:1] == b"{" else None
    if not isinstance(document, dict):
        return loaded
    annotations = document.get("annotations")
    if not isinstance(annotations, list) or not all(isinstance(a, dict) for a in annotations):
        return loaded
    results = [dict(annotation) for annotation in annotations]
    for result in results:
        attributes = result.get("attributes")
        if isinstance(attributes, dict) and "score" in attributes:  # as CVAT has it
            result.setdefault("score", attributes["score"])
    if not any("score" in result for result in results) and (results or document.get("images")):
        text = "a COCO file without scores: ground truth, or the two files changed places. "
        text += "Name the ground truth first, then the results, which have a score each."
        raise CocoFileError(text, file=loaded.path)
    used = {key: {_hashed(r.get(key)) for r in results} for key in ("image_id", "category_id")}
    ids = {
        "image_id": _image_ids(_entries(document, "images"), images, used["image_id"], loaded.path),
        "category_id": _category_ids(_entries(document, "categories"), names),
    }
    for result in results:
        for key, own in ids.items():
            result[key] = own.get(_hashed(result.get(key)), result.get(key))
    try:
        return Loaded(loaded.path, msgspec.json.encode(results))
    except UnicodeEncodeError:  # half of a surrogate pair, which only Python's json writes
        return Loaded(loaded.path, json.dumps(results).encode())


def _entries(document: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = document.get(name)
    entries = found if isinstance(found, list) else []
    return [e for e in entries if isinstance(e, dict) and _hashed(e.get("id")) is not None]


def _hashed(value: Any) -> Any:
    return value if type(value) in (int, float, str) else None


def image_finder(images: Mapping[str, int]) -> Callable[[str], int | None]:
    """File name or path -> image id, from ids by file_name: by the last part, too, where all differ in it."""
    last = {PurePosixPath(name).name: number for name, number in images.items()}
    last = last if len(last) == len(images) else {}

    def find(name: str) -> int | None:
        name = name.replace("\\", "/")
        return images.get(name, last.get(PurePosixPath(name).name))

    return find


def _image_ids(
    entries: list[dict[str, Any]], images: Mapping[str, int], used: set[Any], path: Path
) -> dict[Any, int]:
    """Id in the document -> id in the ground truth."""
    find = image_finder(images)
    ids = {}
    for entry in entries if images else ():
        name = entry.get("file_name")
        number = find(name) if type(name) is str else None
        if number is not None:
            ids[entry["id"]] = number
        elif type(name) is str and entry["id"] in used:
            text = f"{shorten(name)} is not a file_name of the ground truth."
            raise CocoFileError(text, file=path, field=f"images, id {entry['id']}")
    return ids


def _category_ids(entries: list[dict[str, Any]], names: Mapping[int, str]) -> dict[Any, int]:
    """Id in the document -> id in the ground truth; an id that it does not have for another category."""
    numbers = {name: number for number, name in names.items()}
    garments = {same_name(name): number for number, name in names.items()}
    ids = {}
    for place, entry in enumerate(entries, start=1):
        name = entry.get("name")
        if type(name) is str:
            other = max(names, default=0) + place
            known = garments.get(same_name(name), other) if same_name(name) else other
            ids[entry["id"]] = numbers.get(name, known)
    return ids
