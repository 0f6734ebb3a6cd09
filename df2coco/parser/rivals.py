"""Folders, archives and files that claim the same place: what must not be guessed, and what may be missing."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from df2coco.errors import SourceError
from df2coco.parser.annotation import find_image_id
from df2coco.parser.archive import count_members
from df2coco.parser.places import Place, archive_places
from df2coco.parser.reader import Split


def more_annotations(archive: Path, splits: list[Split]) -> str | None:
    """What is wrong when an archive has more annotation files than the folder that was unpacked from it."""
    here = sum(len(split.entries) for split in splits)
    files = sum(2 * len(split.entries) + len(split.unannotated) for split in splits)
    try:
        if not archive.is_file() or _LONG < count_members(archive) <= files + _FOLDERS:
            return None
        places = archive_places(archive, None)
    except SourceError:
        return None
    there = sum(len(place.annotations.files) for place in places)
    if there <= here:
        return None
    return (
        f"not read, though it has {there:,} annotation files and {splits[0].label} has {here:,}. "
        "Unpack it again, or name it as SOURCE."
    )


_LONG: Final = 10_000
"""Members of an archive whose directory takes a while to read: that is done only if there may be more."""

_FOLDERS: Final = 8
"""How many members of an archive may be folders."""


def reject_same_ids(place: Place, stems: Iterable[str]) -> None:
    if len(set(map(len, stems))) < 2:
        return  # different names of one length are different numbers
    seen: dict[int, str] = {}
    for stem in sorted(stems):
        image_id = find_image_id(stem)
        if image_id is not None:
            other = seen.setdefault(image_id, stem)
            if other != stem:
                raise SourceError(
                    f"{place.label}: {other} and {stem} stand for one image id. Rename one."
                )


def reject_same_names(splits: list[Split]) -> None:
    seen: dict[str, Split] = {}
    for split in splits:
        other = seen.setdefault(split.name, split)
        if other is not split:
            raise SourceError(
                f"{other.label} and {split.label} are both the split {split.name}. Name one of the two as SOURCE."
            )
