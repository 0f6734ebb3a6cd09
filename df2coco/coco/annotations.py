"""Annotations as structs that are made from the declared fields: decoding them is checking them."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec
import orjson
from msgspec import Raw

from df2coco.coco.keypoints import own_text
from df2coco.coco.schema import (
    DATASET_FIELDS,
    FIELDS,
    USES,
    UseName,
    check_fields,
    fields_of,
    read_whole_numbers,
)
from df2coco.errors import CocoFileError
from df2coco.taxonomy import Category

_DEFAULTS: Final = {"iscrowd": 0}
"""Field -> what it is where it is missing; else None."""

_EXTRAS: Final = (*DATASET_FIELDS["annotations"], "item")
"""Fields that are read where they are, and that files of others may use for anything."""


@cache
def struct_of(use: UseName) -> type[Any]:
    """An annotation with the fields that a use looks at, None where one is missing, and those of DeepFashion2.

    `keypoints` are JSON text: `AnnotationDecoder` makes numbers of it.
    """
    fields, required = fields_of("annotations", use)
    types = {name: field.type for name, field in fields.items()}
    if "keypoints" in types:
        types["keypoints"] = Raw
    declared: list[Any] = [
        (name, types[name]) if name in required else (name, types[name], _DEFAULTS.get(name))
        for name in types
    ]
    declared += [(name, Raw, Raw()) for name in USES[use].compared]
    declared += [(name, Any, None) for name in _EXTRAS if name not in types]
    return msgspec.defstruct("Annotation", declared, gc=False, kw_only=True)


class AnnotationDecoder:
    """The one way from the JSON text of annotations to what a command computes with."""

    def __init__(self, use: UseName, garments: Mapping[int, Category]) -> None:
        """`garments`: the file's category id -> DeepFashion2's category.

        Of the landmarks of a garment, only its own are kept where those of all other slots are 0.
        """
        fields, _ = fields_of("annotations", use)
        self._use = use
        self._decode = msgspec.json.Decoder(list[struct_of(use)]).decode  # type: ignore[misc]
        self._also = [(name, field.also) for name, field in fields.items() if field.also]
        self._reads_landmarks = "keypoints" in fields
        landmarks = FIELDS["annotations"]["keypoints"]
        self._numbers = msgspec.json.Decoder(landmarks.type).decode
        # Zeros need not be made numbers where they are what landmarks may be.
        self._garments = garments if landmarks.fits([0, 0, 0]) else {}

    def decode(self, raw: bytes) -> list[Any] | None:
        """The annotations in the JSON text of a list; None where one of them has to be looked at."""
        try:
            items: list[Any] = self._decode(raw)
            for item in items if self._reads_landmarks else ():
                if item.keypoints is not None:
                    item.keypoints = self._landmarks(item)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        for name, also in self._also:
            values = [getattr(item, name) for item in items]
            if not all(also(value) for value in values if value is not None):
                return None
        return items

    def read(self, entries: list[dict[str, Any]], path: Path, first: int = 0) -> list[Any]:
        """The annotations in objects, whose harmless forms (see `read_whole_numbers`) are changed in place.

        `first` is the number of the first of them in the file at `path`.
        Raises `CocoFileError` for the first that is not as it must be.
        """
        read_whole_numbers("annotations", entries)
        items = self.decode(orjson.dumps(entries))
        if items is None:
            check_fields({"annotations": entries}, path, self._use, first=first)
            raise CocoFileError("nested too deeply for a COCO file. Replace it.", file=path)
        return items

    def _landmarks(self, item: Any) -> list[float]:
        text, category = bytes(item.keypoints), self._garments.get(item.category_id)
        own = own_text(text, category) if category is not None else None
        if category is not None and own is not None:
            numbers: list[float] = self._numbers(b"[%b]" % own)
            if len(numbers) == 3 * category.num_landmarks:
                return numbers
        whole: list[float] = self._numbers(text)
        return whole
