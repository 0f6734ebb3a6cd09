"""Entries as structs that are made from the declared fields: decoding them is checking them."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import msgspec
import orjson
from msgspec import Raw

from df2coco.coco.keypoints import own_text
from df2coco.coco.schema import (
    DATASET_FIELDS,
    USES,
    Field,
    UseName,
    also_fit,
    check_fields,
    fields_of,
    read_whole_numbers,
    struct_of,
)
from df2coco.errors import CocoFileError
from df2coco.taxonomy import Category


class Decoder:
    """The one way from the JSON text of entries to what a command computes with."""

    def __init__(
        self,
        fields: Mapping[str, Field],
        required: Iterable[str],
        garments: Mapping[int, Category],
        *,
        others: Iterable[tuple[Any, ...]] = (),
    ) -> None:
        """`fields`, `required` and `others` as in `struct_of`.

        Of the `keypoints` of a garment only its own are kept where those of all other slots are 0.
        `garments`: category id -> DeepFashion2's category.
        """
        types = dict(fields)
        if "keypoints" in fields:  # most are zeros, which need not be made numbers
            types["keypoints"] = replace(fields["keypoints"], type=Raw)
        struct = struct_of(types, required, others)
        self.fields = fields
        self._names: tuple[str, ...] = struct.__struct_fields__
        self._decode = msgspec.json.Decoder(list[struct]).decode  # type: ignore[valid-type]
        self._garments = garments
        self._numbers: Any = None
        if "keypoints" in fields:
            self._numbers = msgspec.json.Decoder(fields["keypoints"].type).decode
            if not fields["keypoints"].fits([0, 0, 0]):
                self._garments = {}

    def decode(self, raw: bytes) -> list[Any] | None:
        """The entries in the JSON text of a list; None where one of them has to be looked at."""
        try:
            entries: list[Any] = self._decode(raw)
            for entry in entries if self._numbers else ():
                if entry.keypoints is not None:
                    entry.keypoints = self._landmarks(entry)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        return entries if also_fit(entries, self.fields) else None

    def convert(self, entries: list[dict[str, Any]]) -> list[Any] | None:
        """The same of objects."""
        names = self._names
        try:
            return self.decode(
                orjson.dumps([{n: entry[n] for n in names if n in entry} for entry in entries])
            )
        except TypeError:  # an integer of more than 64 bits
            return None

    def _landmarks(self, entry: Any) -> list[float]:
        text, category = bytes(entry.keypoints), self._garments.get(entry.category_id)
        own = own_text(text, category) if category is not None else None
        if category is not None and own is not None:
            numbers: list[float] = self._numbers(b"[%b]" % own)
            if len(numbers) == 3 * category.num_landmarks:
                return numbers
        whole: list[float] = self._numbers(text)
        return whole


_OTHERS: Final = (*DATASET_FIELDS["annotations"], "item")
"""Fields of annotations that are read as they come: files of others use them for anything."""


class AnnotationDecoder(Decoder):
    """Annotations as a use needs them, those that only DeepFashion2 has too."""

    def __init__(self, use: UseName, garments: Mapping[int, Category]) -> None:
        fields, required = fields_of("annotations", use)
        others: list[Any] = [(name, Raw, Raw()) for name in USES[use].compared]
        others += [(name, Any, None) for name in _OTHERS if name not in fields]
        super().__init__(fields, required, {} if USES[use].whole else garments, others=others)
        self._use = use

    def read(self, entries: list[dict[str, Any]], path: Path, first: int = 0) -> list[Any]:
        """The annotations in objects, whose harmless forms (see `read_whole_numbers`) are changed in place.

        `first` is the number of the first of them in the file at `path`.
        Raises `CocoFileError` for the first that is not as it must be.
        """
        read_whole_numbers("annotations", entries)
        items = self.convert(entries)
        if items is None:
            check_fields({"annotations": entries}, path, self._use, first=first)
            raise CocoFileError("nested too deeply for a COCO file. Replace it.", file=path)
        return items
