"""The inverse of a conversion: a COCO file becomes the dataset's annotation files again.

What the file does not hold cannot come back; it is reported before anything is written.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from df2coco.coco.info import conversion_of
from df2coco.coco.lists import read_annotations
from df2coco.converter.annotation_files import Collector, check_head, make_texts
from df2coco.errors import OutputError
from df2coco.outputs import Outputs, check_folder
from df2coco.progress import Progress, no_progress
from df2coco.taxonomy import ATTRIBUTES


@dataclass(frozen=True)
class Restored:
    """What came back.

    - files: Annotation files that were written.
    - items: Items in them.
    - losses: What the COCO file could not give back, a sentence each.
    - strangers: Other annotation files that stand in the folder too.
    """

    files: int
    items: int
    losses: tuple[str, ...]
    strangers: int


def restore(
    path: str | Path,
    folder: str | Path,
    *,
    force: bool = False,
    report_loss: Callable[[str], None] | None = None,
    progress: Progress = no_progress,
) -> Restored:
    """Write the annotation files (000001.json, ...) that the COCO file at `path` was made of to `folder`.

    `report_loss` gets each sentence of `Restored.losses` before anything is written; `progress` is called as
    `Progress` says. With `force` a folder with files in it is written to: files of the same
    names are replaced, others stay.

    All numbers come back with their values; polygons of integers alone or of floats alone also as such.
    Elsewhere 12 and 12.0 may take each other's place: in landmarks, boxes, and polygons of both kinds
    (a landmark of -0.0 comes back as 0).

    Raises `CocoFileError` when no annotation files can be made of the file, `OutputError` when the
    folder cannot be written to. Nothing has been written then.
    """
    path, folder = Path(path), Path(folder)
    _check_folder(path, folder, force)
    progress(f"reading {path.name}", 0, 0)
    collected = Collector(path)
    document = read_annotations(
        path, collected.take, use="restore", start=partial(check_head, path)
    )
    texts = make_texts(document, collected)
    losses = tuple(_losses(document, collected))
    if report_loss is not None:
        for sentence in losses:
            report_loss(sentence)
    _write(folder, texts, progress)
    strangers = sum(n.endswith(".json") and n not in texts for n in os.listdir(folder))
    return Restored(len(texts), collected.counts["items"], losses, strangers)


# ---------------------------------------------------------------- what is lost


_SUBSETS: Final = {
    "categories": "items of chosen categories",
    "only": "items of one source",
    "limit": "the first images",
    "sample": "images of a sample",
    "part": "images of one part",
}
"""Field of `Conversion` -> what it left in the file."""


def _losses(document: dict[str, Any], collected: Collector) -> Iterable[str]:
    made, counts = conversion_of(document.get("info")), collected.counts
    if made:
        yield "what the conversion repaired or left out stays so (convert --report FILE lists it)"
    if made and made.landmarks == "visible":
        yield "occluded landmarks were left out (--landmarks visible) and come back as not labelled"
    if made and made.merged:
        yield "the file was merged: a pair_id that stood in several files was numbered anew"
    for name, what in _SUBSETS.items():
        if getattr(made, name, None):
            yield f"only {what} are in the file (a subset); the others are missing"
    lacking = [name for name in ("source", "pair_id", "style", *ATTRIBUTES) if not counts[name]]
    if lacking and counts["annotations"] and not made:
        yield f"the file has no {', '.join(lacking)}: the annotation files will lack them"
    for name, sentence in _COUNTED.items():
        if counts[name]:
            yield f"{counts[name]:,} {sentence}"
    if collected.items:
        number = sum(map(len, collected.items.values()))
        yield f"{number:,} annotations belong to no image of the file and are left out"


_COUNTED: Final = {
    "unnamed": "items have no names of their own in the file: named in the dataset's order",
    "named by id": "images have file names that are not their ids: files are named by the ids",
    "outside": "annotations have landmarks outside their category's slots: left out",
    "crowds": "annotations are crowds (iscrowd 1), which the dataset does not have",
    "other pair_id": "annotations have another pair_id than their image: the first one counts",
}
"""What was counted -> what to say of it."""


# ---------------------------------------------------------------- the folder


def _check_folder(path: Path, folder: Path, force: bool) -> None:
    remedy = "Name another folder, or pass --force to replace files of the same names."
    check_folder(folder, replace=force, remedy=remedy)
    holders = os.path.realpath(path.parent), os.path.dirname(os.path.realpath(path))
    if os.path.realpath(folder) in holders:
        raise OutputError(f"holds {path.name} itself. Name another folder.", file=folder)


def _write(folder: Path, texts: Mapping[str, str], progress: Progress) -> None:
    with Outputs() as outputs:
        work = outputs.folder(folder)
        for number, (name, text) in enumerate(texts.items(), start=1):
            (work / name).write_bytes(text.encode())
            if number % 256 == 0 or number == len(texts):
                progress("writing annotation files", number, len(texts))
