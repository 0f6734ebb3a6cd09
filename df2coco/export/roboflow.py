"""Roboflow's layout, which RF-DETR trains from: a folder a split, with its COCO file beside the photos."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from df2coco.converter.options import LayoutName, Shape, Task
from df2coco.errors import CocoFileError
from df2coco.export.datasets import Dataset, Export, Exported, ExportedSplit
from df2coco.progress import Progress, no_progress

_NAMES: Final = {"train": "train", "validation": "valid", "test": "test", None: "train"}

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
    export = Export(sources, Path(folder), images, shape, _NAMES, workers, password, progress)
    with export.datasets() as (work, datasets):
        splits = tuple(_write(export, work, dataset) for dataset in datasets)
    names = (entry["name"] for dataset in datasets[:1] for entry in dataset.categories)
    return Exported(splits, tuple(map(str, names)))


def _write(export: Export, work: Path, dataset: Dataset) -> ExportedSplit:
    file = f"{dataset.name}/{_FILE}"
    places = {}
    for photo in dataset.photos.values():
        place = f"{dataset.name}/{photo.file_name}"
        if place in places or place == file:
            text = (
                f"{photo.file_name} is the name of two files in {dataset.name}. Rename one of them."
            )
            raise CocoFileError(text, file=dataset.coco, field="images")
        places[place] = photo
    items = sum(map(len, dataset.annotations("boxes")))
    (work / dataset.name).mkdir()
    shutil.copyfile(dataset.coco, work / file)
    export.put_photos(dataset, work, places)
    return ExportedSplit(dataset.name, len(places), items, dataset.notices)
