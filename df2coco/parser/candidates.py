"""What in a folder may be a part of the dataset, going by names alone."""

import os
import re
from pathlib import Path
from typing import Final, NamedTuple

from df2coco.parser.places import ARCHIVE_NAME, Kind, is_image_name, kind_of
from df2coco.split_names import SPLITS, original_name, split_called

_UNFINISHED: Final = re.compile(
    r"\.(?:crdownload|part|partial|download|opdownload|aria2|!qb|tmp)$", re.IGNORECASE
)
"""What browsers and other programs add to a download that is not complete."""
_LOOKS_LIKE: Final = re.compile(
    r"train|anno|fashion|df2|(?<![a-z])(?:val|valid|validation|test)(?![a-z])", re.IGNORECASE
)
_PART: Final = re.compile(r"-\d{8}T\d{6}Z.*-0*(\d+)$", re.IGNORECASE)
"""Google Drive's names of the parts of a large download."""


class Candidates(NamedTuple):
    """Paths in one folder, sorted by what they may be."""

    places: list[Path]
    """Folders and archives of annotation files or images: annos, image, val_annos.zip ..."""
    splits: list[list[Path]]
    """For each split the folders and archives that may hold it, the one to take first."""
    others: list[Path]
    """All other folders."""
    passed_over: list[tuple[str, str]]
    """Archives that look like the dataset's and cannot be read or are not clear, each with the reason."""


def find_candidates(folder: Path, names: list[str]) -> Candidates:
    """Sort what lies in `folder`, whose `names` are given."""
    found = Candidates([], [], [], [])
    groups: dict[str, list[Path]] = {name: [] for name in SPLITS}
    # Most files of large folders are known by their ends; the disk is asked about the others alone.
    for name in sorted(n for n in names if not n.endswith((".json", ".jpg"))):
        if name[0] == "." or name == "__MACOSX" or is_image_name(name):
            continue
        path = folder / name
        is_folder = os.path.isdir(path)
        if not is_folder and _UNFINISHED.search(name) and _LOOKS_LIKE.search(name):
            found.passed_over.append((str(path), "not read. Complete the download."))
        if not is_folder and not ARCHIVE_NAME.search(name):
            continue
        is_zip = not is_folder and name.lower().endswith(".zip")
        stem = name[:-4] if is_zip else name
        if (is_folder or is_zip) and kind_of(original_name(stem)) != Kind():
            found.places.append(path)
        elif (is_folder or is_zip) and (split := split_called(stem)) is not None:
            groups[split].append(path)
        elif is_folder:
            found.others.append(path)
        elif _LOOKS_LIKE.search(name):
            found.passed_over.append((str(path), _reason(is_zip)))
    for name, group in groups.items():
        _choose(name, group, found)
    return found


def _reason(is_zip: bool) -> str:
    if is_zip:
        return "not read, since its name does not say which split it holds. Name it as SOURCE if it is wanted."
    return "not read. Only zip archives are: unpack it and name the folder."


def _choose(split: str, group: list[Path], found: Candidates) -> None:
    """Put the paths that may hold one split in order; what is not clear is passed over."""
    exact = [path for path in group if _stem(path) in (split, "val", "valid")]
    exact.sort(key=lambda path: (_stem(path) != split, path.is_file(), path.name))
    changed = [path for path in group if path not in exact]
    if not exact and len(changed) == 1 and _part(changed[0]) == 1:
        exact, changed = changed, []
    if exact:
        found.splits.append(exact)
    for path in changed:
        if exact:
            reason = f"not read, since {exact[0].name} is. Remove one of the two."
        elif len(changed) == 1:
            reason = f"not read: it is a part of {split} whose first part is not here. Unpack all parts into one folder."
        else:
            others = ", ".join(other.name for other in changed if other != path)
            reason = (
                f"not read: {others} may be the same or another part of {split}. Unpack all parts into one "
                "folder, or name the one to read as SOURCE."
            )
        found.passed_over.append((str(path), reason))


def _part(path: Path) -> int:
    """Which part of a download it is; 1 also for what is not in parts."""
    match = _PART.search(path.name[:-4] if path.name.lower().endswith(".zip") else path.name)
    return int(match.group(1)) if match else 1


def _stem(path: Path) -> str:
    name = path.name.lower()
    return name.removesuffix(".zip")
