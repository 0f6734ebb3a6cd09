"""Roboflow's layout, which RF-DETR trains from: a folder a split, with its COCO file beside the photos."""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from df2coco.coco.lists import iter_annotations
from df2coco.coco.schema import unknown_id
from df2coco.converter.options import LayoutName, Selection, Shape, Task
from df2coco.errors import CocoFileError, check_list
from df2coco.export.datasets import Dataset, Head, Links, find_datasets, read_head
from df2coco.export.summary import Exported, ExportedSplit
from df2coco.outputs import Outputs, check_folder
from df2coco.progress import Progress, no_progress
from df2coco.workers import check_workers

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
    check_list("sources", sources)
    check_list("images", images)
    check_workers(workers)
    folder, shape = Path(folder), Shape(task=task, layout=layout)
    check_folder(folder)
    with Outputs() as outputs:
        work = outputs.folder(folder)
        converted = work / "coco"
        datasets = find_datasets(
            [Path(source) for source in sources],
            [Path(path) for path in images],
            work=converted,
            folder=folder,
            selection=Selection(),
            shape=shape,
            workers=workers,
            password=password,
            progress=progress,
        )
        heads = [read_head(dataset, folder) for dataset in datasets]
        splits = []
        for dataset, head in zip(datasets, heads, strict=True):
            splits.append(_write(dataset, head, work, folder, progress))
        shutil.rmtree(converted, ignore_errors=True)  # was only a step
    classes = tuple(str(entry["name"]) for entry in heads[0].categories) if heads else ()
    return Exported(tuple(splits), classes)


def _write(
    dataset: Dataset, head: Head, work: Path, folder: Path, progress: Progress
) -> ExportedSplit:
    name = _SPLITS[dataset.split]
    place = work / name
    place.mkdir()
    _check_names(dataset, head)
    items = 0
    categories = {entry["id"] for entry in head.categories}
    for part in iter_annotations(dataset.coco, use="boxes"):
        for number, entry in enumerate(part, items):
            for field, known in (("image_id", head.photos), ("category_id", categories)):
                value = getattr(entry, field)
                if value not in known:
                    raise unknown_id(field, value, dataset.coco, number)
        items += len(part)
    shutil.copyfile(dataset.coco, place / _FILE)
    for inner in {os.path.dirname(photo.file_name) for photo in head.photos.values()}:
        (place / inner).mkdir(parents=True, exist_ok=True)
    links = Links(dataset.photos, work, folder)
    phase = f"linking photos of {name}"
    for number, photo in enumerate(head.photos.values(), 1):
        links.make(photo.picture, place / photo.file_name)
        if number % 256 == 0 or number == len(head.photos):
            progress(phase, number, len(head.photos))
    return ExportedSplit(name, len(head.photos), items, dataset.notices)


def _check_names(dataset: Dataset, head: Head) -> None:
    """Raise `CocoFileError` when two images, or an image and the annotations, would have one place."""
    seen = {_FILE}
    for photo in head.photos.values():
        name = os.path.normpath(photo.file_name)
        if name in seen:
            raise CocoFileError(
                f"{photo.file_name} is the name of two files in {_SPLITS[dataset.split]}. Rename one of them.",
                file=dataset.coco,
                field="images",
            )
        seen.add(name)
