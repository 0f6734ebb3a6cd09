"""Entries as structs that are made from the declared fields: decoding them is checking them."""

import functools
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw

from df2coco.coco import schema
from df2coco.coco.reader import has_huge, parse
from df2coco.coco.schema import FIELDS, USES, Field, fields_of, invalid
from df2coco.errors import CocoFileError, shorten
from df2coco.limits import MAX_PIXELS
from df2coco.taxonomy import CATEGORY_BY_ID, NUM_LANDMARKS, Category, same_name


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
        has_landmarks = {"keypoints", "category_id"} <= fields.keys()
        if has_landmarks:  # most are zeros, which need not be made numbers
            types["keypoints"] = replace(fields["keypoints"], type=Raw)
        struct = schema.struct_of(types, required, others)
        self.fields = fields
        self._names: tuple[str, ...] = struct.__struct_fields__
        self._decode = msgspec.json.Decoder(list[struct]).decode  # type: ignore[valid-type]
        self._garments = garments
        self._numbers: Any = None
        if has_landmarks:
            self._numbers = msgspec.json.Decoder(fields["keypoints"].type).decode

    def decode(self, raw: bytes) -> list[Any] | None:
        """The entries in the JSON text of a list; None where one of them has to be looked at."""
        if has_huge(raw) and parse(raw) is None:
            return None  # in a field that is not decoded
        try:
            entries: list[Any] = self._decode(raw)
            for entry in entries if self._numbers else ():
                if entry.keypoints is not None:
                    entry.keypoints = self._landmarks(entry)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        for name, field in self.fields.items():
            if (also := field.also) is not None:
                values = [getattr(entry, name) for entry in entries]
                if not all(also(value) for value in values if value is not None):
                    return None
        return entries

    def convert(self, entries: list[dict[str, Any]]) -> list[Any] | None:
        """The same of objects."""
        chosen = [{n: entry[n] for n in self._names if n in entry} for entry in entries]
        try:
            return self.decode(msgspec.json.encode(chosen))
        except (RecursionError, UnicodeEncodeError):
            return None

    def _landmarks(self, entry: Any) -> Any:
        text, category = bytes(entry.keypoints), self._garments.get(entry.category_id)
        if category is not None and (own := own_text(text, category)) is not None:
            numbers = self._numbers(b"[%b]" % own)
            if len(numbers) == 3 * category.num_landmarks:
                return numbers
        return self._numbers(text)


class EntryDecoder(Decoder):
    """The entries of one of a file's lists as a use needs them, with what only DeepFashion2 has too."""

    def __init__(self, name: str, use: str, garments: Mapping[int, Category]) -> None:
        fields, self._required = fields_of(name, use)
        others: list[Any] = []
        if name == "annotations":
            others += [(field, Raw, Raw()) for field in USES[use].compared]
            # Files of others use these names for anything: they are read as they come.
            rest = (*schema.DATASET_FIELDS["annotations"], "item")
            others += [(field, Any, None) for field in rest if field not in fields]
        own_slots = {} if USES[use].whole else garments
        super().__init__(fields, self._required, own_slots, others=others)
        self._name = name

    def read(self, entries: list[dict[str, Any]], path: Path, first: int = 0) -> list[Any]:
        """The entries in objects, whose harmless forms (see `read_whole_numbers`) are changed in place.

        `first` is the number of the first of them in the file at `path`.
        Raises `CocoFileError` for the first that is not as it must be.
        """
        schema.read_whole_numbers(self._name, entries)
        if (items := self.convert(entries)) is not None:
            return items
        for number, entry in enumerate(entries, first):
            field = schema.misfit(entry, self.fields, self._required)
            where = f"{self._name}[{number}]"
            if field is not None and field not in entry:
                raise schema.missing(path, where, field)
            if field is not None:
                text = f"{shorten(entry[field])}, expected {self.fields[field].expected}."
                raise invalid(path, f"{where}.{field}", text)
        raise CocoFileError("nested too deeply for a COCO file. Replace it.", file=path)


def check_fields(document: Mapping[str, Any], path: Path, use: str = "any") -> None:
    """Raise `CocoFileError` at the first entry of a document that code could stumble over.

    `use` is what the document is read for.
    """
    garments = find_garments(document.get("categories", []))
    for name in FIELDS:
        if entries := document.get(name, []):
            EntryDecoder(name, use, garments).read(entries, path)
        for number, entry in enumerate(entries if name == "images" else ()):
            if entry.get("width", 0) * entry.get("height", 0) > MAX_PIXELS:
                raise invalid(path, f"images[{number}]", f"more than {MAX_PIXELS} pixels.")


def find_garments(categories: Iterable[Mapping[str, Any]]) -> dict[int, Category]:
    """Category id of the file -> DeepFashion2's category of that name; {} for files of other datasets.

    The file is DeepFashion2's when most of its categories have such a name (see `same_name`): one class
    called "vest" among others does not make it so.
    """
    entries = list(categories)
    named = {e["id"]: same_name(e.get("name")) for e in entries if type(e.get("id")) is int}
    found = {number: category for number, category in named.items() if category is not None}
    return found if 2 * len(found) > len(entries) else {}


def own_text(text: bytes, category: Category) -> bytes | None:
    """A category's own numbers in the JSON list of all slots, where those of all others are zeros.

    The text between them, without brackets. None where they are not zeros, or are written otherwise.
    Of 294 slots at least 255 are another category's, and most files have zeros there: comparing them as
    text takes a tenth of the time of reading them.
    Whoever reads the numbers has to count them.
    """
    for before, after in _zeros(category.id):
        if text.startswith(before) and text.endswith(after):
            return text[len(before) : len(text) - len(after)] or None
    return None


@functools.cache
def _zeros(category_id: int) -> tuple[tuple[bytes, bytes], ...]:
    """What comes before and after a category's own slots if all others are 0, as JSON writes that."""
    slots = CATEGORY_BY_ID[category_id].slots
    before, after = 3 * slots.start, 3 * (NUM_LANDMARKS - slots.stop)
    return tuple(
        (b"[" + (zero + comma) * before, (comma + zero) * after + b"]")
        for zero in (b"0", b"0.0")
        for comma in (b",", b", ")
    )
