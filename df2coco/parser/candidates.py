"""What in a folder may be a part of the dataset, going by names alone."""

import os
import re
from pathlib import Path
from typing import Final, NamedTuple

from df2coco.parser.places import ARCHIVE_NAME, is_image_name, kind_of
from df2coco.split_names import SPLITS, original_name, spellings, split_called

_LOOKS_LIKE: Final = re.compile(
    r"train|anno|fashion|df2|(?<![a-z])(?:val|valid|validation|test)(?![a-z])", re.IGNORECASE
)
_UNFINISHED: Final = re.compile(
    r"\.(?:crdownload|part|partial|download|opdownload|aria2|!qb|tmp)$", re.IGNORECASE
)
_UNREAD: Final = (
    # What browsers and other programs add to a download that is not complete.
    (_UNFINISHED, "not read. Complete the download."),
    (
        re.compile(r"\.zip$", re.IGNORECASE),
        "not read, since its name does not say which split it holds. Name it as SOURCE if it is wanted.",
    ),
    (ARCHIVE_NAME, "not read. Only zip archives are: unpack it and name the folder."),
)
"""Names of files that may hold a split and are not read, and why."""

_PART: Final = re.compile(r"-\d{8}T\d{6}Z.*-0*(\d+)(?:\.zip)?$", re.IGNORECASE)
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
        stem = name if is_folder or not name.lower().endswith(".zip") else name[:-4]
        readable = is_folder or stem != name
        if readable and kind_of(original_name(stem))[0]:
            found.places.append(path)
        elif readable and (split := split_called(stem)) is not None:
            groups[split].append(path)
        elif is_folder:
            found.others.append(path)
        elif _LOOKS_LIKE.search(name):
            reasons = [reason for pattern, reason in _UNREAD if pattern.search(name)]
            found.passed_over.extend((str(path), reason) for reason in reasons[:1])
    for split, group in groups.items():
        _choose(split, group, found)
    return found


def _choose(split: str, group: list[Path], found: Candidates) -> None:
    """Put the paths that may hold one split in order; what is not clear is passed over."""
    stems = {path: path.name.lower().removesuffix(".zip") for path in group}
    exact = [path for path in group if stems[path] in spellings(split)]
    exact.sort(key=lambda path: (stems[path] != split, path.is_file(), path.name.swapcase()))
    changed = [path for path in group if path not in exact]
    if not exact and len(changed) == 1:
        part = _PART.search(changed[0].name)
        if part is None or part[1] == "1":
            exact, changed = changed, []
    if exact:
        found.splits.append(exact)
    for path in changed:
        others = ", ".join(other.name for other in changed if other != path)
        if exact:
            reason = f"not read, since {exact[0].name} is. Remove one of the two."
        elif not others:
            reason = f"not read: it is a part of {split} whose first part is not here. Unpack all parts into one folder."
        else:
            reason = (
                f"not read: {others} may be the same or another part of {split}. Unpack all parts into one "
                "folder, or name the one to read as SOURCE."
            )
        found.passed_over.append((str(path), reason))
