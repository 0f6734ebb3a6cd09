"""Roboflow's layout, which RF-DETR trains from: a folder a split, with its COCO file beside the photos."""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from df2coco.coco.lists import iter_annotations
from df2coco.coco.schema import unknown_id
from df2coco.converter.options import LayoutName, Selection, Shape, Task
from df2coco.errors import CocoFileError
from df2coco.export.datasets import Dataset, exporting, make_links
from df2coco.export.summary import Exported, ExportedSplit
from df2coco.progress import Progress, no_progress

_SPLITS: Final[Mapping[str, str]] = {"train": "train", "validation": "valid", "test": "test"}
"""Our name of a split -> Roboflow's."""

_FILE: Final = "_annotations.coco.json"


def export_roboflow(
    sources: Sequence[str | Path],
    folder: str | Path,
    *,
    task: Task = "instances",
    images: Sequence[str | Path] = (),
    layout: LayoutName = "unified",
    workers: int = 1,
    password: str | None = None,
    progress: Progress = no_progress,
) -> Exported:
    """Write `train`, `valid` and `test`, each with `_annotations.coco.json` and links to its photos.

    `sources` are COCO files, which are copied as they are, or anything that `convert` takes, which is
    then converted with `task` and `layout`. Everything else is as `export_yolo` has it.
    """
    shape = Shape(task=task, layout=layout)
    with exporting(
        sources, Path(folder), images, Selection(), shape, workers, password, progress
    ) as (_, datasets):
        splits = tuple(_write(dataset, progress) for dataset in datasets)
    names = (entry["name"] for dataset in datasets[:1] for entry in dataset.categories)
    return Exported(splits, tuple(map(str, names)))


def _write(dataset: Dataset, progress: Progress) -> ExportedSplit:
    name = _SPLITS[dataset.split]
    place = dataset.work / name
    place.mkdir()
    _check_names(dataset)
    items = 0
    categories = {entry["id"] for entry in dataset.categories}
    for part in iter_annotations(dataset.coco, use="boxes"):
        for number, entry in enumerate(part, items):
            for field, known in (("image_id", dataset.photos), ("category_id", categories)):
                value = getattr(entry, field)
                if value not in known:
                    raise unknown_id(field, value, dataset.coco, number)
        items += len(part)
    shutil.copyfile(dataset.coco, place / _FILE)
    for inner in {os.path.dirname(photo.file_name) for photo in dataset.photos.values()}:
        (place / inner).mkdir(parents=True, exist_ok=True)
    places = [(photo, place / photo.file_name) for photo in dataset.photos.values()]
    make_links(dataset, places, name, progress)
    return ExportedSplit(name, len(dataset.photos), items, dataset.notices)


def _check_names(dataset: Dataset) -> None:
    """Raise `CocoFileError` when two images, or an image and the annotations, would have one place."""
    seen = {_FILE}
    for photo in dataset.photos.values():
        name = os.path.normpath(photo.file_name)
        if name in seen:
            split = _SPLITS[dataset.split]
            text = f"{photo.file_name} is the name of two files in {split}. Rename one of them."
            raise CocoFileError(text, file=dataset.coco, field="images")
        seen.add(name)
