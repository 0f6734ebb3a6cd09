"""Folders that hold COCO files and their photos: as COCO's own users have them, and as Roboflow does."""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from df2coco.coco.lists import read_parts
from df2coco.coco.writer import Writer
from df2coco.converter.options import LayoutName, Shape, Task
from df2coco.errors import CocoFileError
from df2coco.export.datasets import Dataset, Export, Exported, ExportedSplit, PhotosAs
from df2coco.progress import Progress, no_progress
from df2coco.split_names import SPLITS

_NAMES: Final[Mapping[str | None, str]] = {None: "all", **{name: name for name in SPLITS}}
_ROBOFLOW: Final = {"train": "train", "validation": "valid", "test": "test", None: "train"}


def export_coco(
    sources: Sequence[str | Path],
    folder: str | Path,
    *,
    task: Task = "instances",
    images: Sequence[str | Path] = (),
    layout: LayoutName = "unified",
    photos: PhotosAs = "link",
    workers: int = 1,
    password: str | None = None,
    progress: Progress = no_progress,
) -> Exported:
    """Write a folder that stands alone: `annotations/instances_train.json`, and its photos in `train`.

    `sources` are COCO files, or anything that `convert` takes, which is then converted with `task` and
    `layout`. A file's `file_name`s begin below the folder of its photos, else it is copied as it is. A split
    that no name shows is called "all". Everything else is as `export_yolo` has it.
    """
    given = sources, Path(folder), images, Shape(task=task, layout=layout)
    export = Export(*given, _NAMES, photos, workers, password, progress)
    return _run(export, is_roboflow=False)


def export_roboflow(
    sources: Sequence[str | Path],
    folder: str | Path,
    *,
    task: Task = "instances",
    images: Sequence[str | Path] = (),
    layout: LayoutName = "unified",
    photos: PhotosAs = "link",
    workers: int = 1,
    password: str | None = None,
    progress: Progress = no_progress,
) -> Exported:
    """Write `train`, `valid` and `test`, each with `_annotations.coco.json` beside its photos.

    `sources` are COCO files, which are copied as they are, or anything that `convert` takes, which is
    then converted with `task` and `layout`. Everything else is as `export_yolo` has it.
    """
    given = sources, Path(folder), images, Shape(task=task, layout=layout)
    export = Export(*given, _ROBOFLOW, photos, workers, password, progress)
    return _run(export, is_roboflow=True)


def _run(export: Export, *, is_roboflow: bool) -> Exported:
    with export.datasets() as (work, datasets):
        splits = [_write(export, work, each, is_roboflow=is_roboflow) for each in datasets]
    return Exported(tuple(splits), datasets[0].class_names if datasets else ())


def _write(export: Export, work: Path, dataset: Dataset, *, is_roboflow: bool) -> ExportedSplit:
    """The COCO file, byte for byte where no image is renamed, and its photos in the split's folder."""
    names = {image_id: photo.file_name for image_id, photo in dataset.photos.items()}
    file, use = f"{dataset.name}/_annotations.coco.json", "boxes"
    if not is_roboflow:
        kind = "keypoints" if any("keypoints" in e for e in dataset.categories) else "instances"
        file, use = f"annotations/{kind}_{dataset.name}.json", "any"
        paths = {image_id: name.split("/") for image_id, name in names.items()}
        shared = len(os.path.commonprefix([folders for *folders, _ in paths.values()]))  # noqa: RUF071 (lists)
        names = {image_id: "/".join(own[shared:]) for image_id, own in paths.items()}
    places = {}
    for image_id, photo in dataset.photos.items():
        place = f"{dataset.name}/{names[image_id]}"
        if place in places or place == file:
            text = f"{photo.file_name} is the name of two files in {dataset.name}."
            raise CocoFileError(f"{text} Rename one of them.", file=dataset.coco, field="images")
        places[place] = photo
    items = sum(map(len, dataset.annotations(use)))
    os.makedirs(os.path.dirname(work / file), exist_ok=True)
    document, parts = read_parts(dataset.coco)
    if all(image["file_name"] == names[image["id"]] for image in document["images"]):
        shutil.copyfile(dataset.coco, work / file)
    else:
        head: Any = document.get("info"), document["categories"], work / file, document
        with open(work / file, "wb") as stream, Writer(stream, *head) as writer:
            for annotations in parts:
                writer.add_entries((), annotations)
            images = ({**image, "file_name": names[image["id"]]} for image in document["images"])
            writer.add_entries(images, ())
            writer.close()
    export.put_photos(dataset, work, places)
    return ExportedSplit(dataset.name, len(places), items, dataset.notices)
