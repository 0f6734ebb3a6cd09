"""What the fields of a model's results must be, by kind."""

import sys
from collections.abc import Mapping
from typing import Annotated, Any, Final

from msgspec import Meta

from df2coco.coco.decoding import Decoder
from df2coco.coco.schema import FIELDS, Field, Mask, misfit
from df2coco.errors import FaultError, shorten, shown
from df2coco.taxonomy import Category

_LARGEST: Final = 1e9
"""The largest coordinate of a result: no image is that large, and its square still is a number."""

_Id = Annotated[int, Meta(ge=-(1 << 62) + 1, le=(1 << 62) - 1)]
Score = Annotated[float, Meta(ge=-sys.float_info.max, le=sys.float_info.max)]
_Coordinate = Annotated[float, Meta(ge=-_LARGEST, le=_LARGEST)]
_Length = Annotated[float, Meta(ge=0, le=_LARGEST)]
_Box = tuple[_Coordinate, _Coordinate, _Length, _Length]
_Corners = tuple[_Coordinate, _Coordinate, _Coordinate, _Coordinate]


def are_in_order(corners: tuple[float, ...]) -> bool:
    """Whether the first corner is left of and above the second."""
    return corners[0] <= corners[2] and corners[1] <= corners[3]


_ID: Final = Field(_Id, "a whole number")
_IMAGE: Final = Field(_Id, "a whole number (000001.jpg is 1)")
_CATEGORY: Final = Field(_Id, "a whole number (short sleeve top is 1)")
_SCORE: Final = Field(Score, "a finite number")
_BOX: Final = "4 numbers x, y, w, h"
_CORNERS: Final = Field(_Corners, "4 numbers x1, y1, x2, y2", also=are_in_order)
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
            also=lambda boxes: all(map(are_in_order, boxes)),
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
            raise FaultError("", f"{shorten(entry)}, expected an object.")
        name = misfit(entry, self.fields, self._required)
        if name is not None:
            expected = self._expected(name, entry.get(name))
            raise FaultError(name, f"{shown(entry, name)}, expected {expected}.")
        (result,) = self.convert([entry]) or (None,)
        return result

    def _expected(self, name: str, value: Any) -> str:
        if name in self._known:
            known = self._known[name]
            number = next((n for n in known if known[n] == value), min(known, default=None))
            example = "" if number is None else f" ({known[number]} is {number})"
            return f"a whole number{example}"
        flat = name == "segmentation" and type(value) is list and list not in map(type, value)
        return f"{self.fields[name].expected}{_FLAT if flat else ''}"


_FLAT: Final = ". A polygon has to be in a list: [[x1, y1, x2, y2, ...]]"


def _whole(value: Any) -> Any:
    if type(value) is list:
        return list(map(_whole, value))
    return int(value) if type(value) is float and value.is_integer() else value
