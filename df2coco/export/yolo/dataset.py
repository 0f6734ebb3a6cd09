"""Ultralytics YOLO: one text file of labels a photo, links to the photos, and a `data.yaml`.

Ultralytics looks for the labels of `images/train/000001.jpg` in `labels/train/000001.txt`: it replaces
the last folder called images. Each photo has a link of its own, so that the files which Ultralytics puts
beside photos (caches, repaired JPEGs) do not land in the dataset.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

from df2coco.coco.decoding import find_garments
from df2coco.coco.schema import Rle
from df2coco.converter.options import LayoutName, Shape
from df2coco.errors import CocoFileError, check_choice, require
from df2coco.export.datasets import Dataset, Export, Exported, ExportedSplit, PhotosAs
from df2coco.export.yolo.data_yaml import data_yaml
from df2coco.export.yolo.labels import YOLO_TASKS, LabelledItem, Slots, YoloTask, make_rows
from df2coco.layouts import SHARED, Layout, layout_of_category, own_slots
from df2coco.progress import Progress, no_progress
from df2coco.taxonomy import Category
from df2coco.workers import map_ordered, worthwhile

_NAMES: Final = {"train": "train", "validation": "val", "test": "test", None: "train"}

_USES: Final[Mapping[YoloTask, str]] = {
    "detect": "boxes",
    "segment": "boxes and masks",
    "pose": "boxes and landmarks",
}
"""Task -> what it needs of an annotation."""

_BATCH: Final = 128
"""Items a task of a worker."""


def export_yolo(
    sources: Sequence[str | Path],
    folder: str | Path,
    *,
    task: YoloTask = "detect",
    images: Sequence[str | Path] = (),
    layout: LayoutName = "unified",
    category: int | str | None = None,
    photos: PhotosAs = "link",
    workers: int = 1,
    password: str | None = None,
    progress: Progress = no_progress,
) -> Exported:
    """Write the dataset folder that Ultralytics trains from: images, labels, data.yaml.

    `sources` are COCO files, or anything that `convert` takes, which is then converted with `layout`
    first; train and validation together make one dataset. `task` is a key of `YOLO_TASKS`. `images` are
    the folders or archives of the photos, one for each source; without them they are looked for beside it.
    `category`, an id or a name, exports the items of that category only, as class 0. `photos` is a key of
    `PHOTOS`: "copy" takes them out of archives, too. `folder` must be new or empty.

    Raises `OptionError` for options that cannot be, `OutputError` when `folder` cannot be written,
    `CocoFileError` and `SourceError` when a source cannot be read, `MissingPackageError` when shapely is
    missing. Nothing is written then.
    """
    check_choice("task", task, YOLO_TASKS)
    shape = Shape(task="keypoints" if task == "pose" else "instances", layout=layout)
    export = Export(
        sources, Path(folder), images, shape, _NAMES, photos, workers, password, progress, category
    )
    if task == "segment":
        require("shapely", "yolo", "task segment")
    with export.datasets() as (work, datasets):
        classes = _classes(datasets)
        whole, slots = _slots(datasets, export.only) if task == "pose" else (None, None)
        splits = [_Split(export, work, dataset, task, slots).write() for dataset in datasets]
        yaml = data_yaml(
            classes,
            whole,
            splits=["train", "val", *(["test"] if "test" in (s.name for s in splits) else [])],
            comments=[f"For `yolo {task} train data=data.yaml`; written by df2coco export yolo."],
        )
        (work / "data.yaml").write_text(yaml, encoding="utf-8")
    return Exported(tuple(splits), classes)


def _classes(datasets: Sequence[Dataset]) -> tuple[str, ...]:
    """The names of the classes in label order, the same in all splits."""
    first = datasets[0]
    for dataset in datasets:
        if dataset.class_names != first.class_names:
            text = f"has other categories than {first.coco.name}. All splits need the same ones."
            raise CocoFileError(text, file=dataset.coco, field="categories")
    return first.class_names


def _slots(datasets: Sequence[Dataset], category: Category | None) -> tuple[Layout, Slots]:
    """The layout of the labels, and which slots of the files it takes: for one category its own."""
    counts = {len(entry.get("keypoints", ())) for each in datasets for entry in each.categories}
    file, count = datasets[0].coco, max(counts)
    counts -= {0}  # a test split has images alone
    if not counts:
        raise CocoFileError("has no landmarks. Convert with --task keypoints.", file=file)
    if len(counts) > 1:
        raise CocoFileError(
            "its categories have different numbers of landmarks, and a pose model has one. Choose one "
            "with --category, or convert with --layout unified.",
            file=file,
        )
    garments = find_garments(datasets[0].categories)
    if category is None and len(garments) == 1:
        (category,) = garments.values()
    whole = {len(layout.names): layout for layout in SHARED.values()}
    if category is not None:
        own = own_slots(category, count)
        if own is not None:
            return layout_of_category(category), Slots(
                count, {slot: place for place, slot in enumerate(own)}
            )
    elif garments and count in whole:
        return whole[count], Slots(count, {slot: slot for slot in range(count)})
    raise CocoFileError(
        f"its {count} landmarks are not DeepFashion2's, so their mirror partners and sigmas are unknown. "
        "Export boxes or masks.",
        file=file,
    )


# ---------------------------------------------------------------- one split


def _place(file_name: str) -> str:
    """The path of a photo below the folder of its split."""
    if "/" not in file_name:
        return file_name
    *folders, name = file_name.split("/")
    # A folder called images would be the one that is replaced to find the labels.
    return "/".join([*("image" if each == "images" else each for each in folders), name])


class _Split:
    """The labels and photos of one split."""

    def __init__(
        self, export: Export, work: Path, dataset: Dataset, task: YoloTask, slots: Slots | None
    ) -> None:
        self._export, self._work, self._dataset = export, work, dataset
        self._task, self._slots = task, slots
        self._label_of = {entry["id"]: n for n, entry in enumerate(dataset.categories)}
        self._places = {i: _place(photo.file_name) for i, photo in dataset.photos.items()}
        self._stems = {i: os.path.splitext(place)[0] for i, place in self._places.items()}
        self._check_stems()

    def write(self) -> ExportedSplit:
        """Write everything. Raises `CocoFileError` and `SourceError`."""
        name, photos, progress = self._dataset.name, self._dataset.photos, self._export.progress
        labels = os.path.join(self._work, "labels", name)
        for folder in {os.path.dirname(stem) for stem in self._stems.values()}:
            os.makedirs(os.path.join(labels, folder), exist_ok=True)
        phase, total = f"writing labels of {name}", len(photos)
        progress(phase, 0, total)
        workers = 1
        if self._task == "segment":
            workers = worthwhile(self._export.workers, total // _BATCH)
        items, notes, written = 0, self._dataset.notices.copy(), dict[int, None]()
        make = partial(make_rows, self._slots)
        with closing(map_ordered(make, self._batches(), workers=workers)) as done:
            for batch in done:
                for image_id, rows in groupby(batch, attrgetter("image_id")):
                    text = ""
                    for row in rows:
                        text += row.text
                        items += bool(row.text)
                        if row.notes:
                            notes.update(row.notes)
                    self._append(labels, image_id, text)
                    written[image_id] = None
                progress(phase, len(written), total)
        if self._export.only is None:
            for image_id in photos.keys() - written.keys():
                self._append(labels, image_id, "")
        chosen = written if self._export.only else photos
        places = {f"images/{name}/{self._places[i]}": photos[i] for i in photos if i in chosen}
        self._export.put_photos(self._dataset, self._work, places)
        return ExportedSplit(name, len(places), items, notes)

    def _append(self, labels: str, image_id: int, text: str) -> None:
        """Add to the labels of an image, whose items may be in the file in several places."""
        with open(f"{labels}/{self._stems[image_id]}.txt", "ab") as stream:
            stream.write(text.encode())

    def _check_stems(self) -> None:
        taken: dict[str, int] = {}
        for image_id, stem in self._stems.items():
            other = taken.setdefault(stem, image_id)
            if other != image_id:
                both = " and ".join(self._dataset.photos[i].file_name for i in (other, image_id))
                text = f"{both} would share one file of labels. Rename one of the photos."
                raise CocoFileError(text, file=self._dataset.coco, field="images")

    def _batches(self) -> Iterator[list[LabelledItem]]:
        for part in self._dataset.annotations(_USES[self._task]):
            items = [self._item(*each) for each in part if each[1].category_id in self._label_of]
            for start in range(0, len(items), _BATCH):
                yield items[start : start + _BATCH]

    def _item(self, number: int, annotation: Any) -> LabelledItem:
        path, where = self._dataset.coco, f"annotations[{number}]"
        mask = getattr(annotation, "segmentation", None)
        keypoints: Any = getattr(annotation, "keypoints", None)
        if isinstance(mask, Rle):
            text = "is an RLE, but labels are made of polygons. Write polygons."
            raise CocoFileError(text, file=path, field=f"{where}.segmentation")
        if self._slots is not None and len(keypoints) != 3 * self._slots.total:
            text = f"{len(keypoints)} numbers, expected {3 * self._slots.total}."
            raise CocoFileError(text, file=path, field=f"{where}.keypoints")
        photo = self._dataset.photos[annotation.image_id]
        return LabelledItem(
            annotation.image_id,
            self._label_of[annotation.category_id],
            (photo.width, photo.height),
            annotation.iscrowd,
            annotation.bbox,
            mask,
            keypoints,
        )
