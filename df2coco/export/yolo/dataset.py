"""Ultralytics YOLO: one text file of labels a photo, links to the photos, and a `data.yaml`.

Ultralytics looks for the labels of `images/train/000001.jpg` in `labels/train/000001.txt`: it replaces
the last folder called images. Each photo has a link of its own, so that the files which Ultralytics puts
beside photos (caches, repaired JPEGs) do not land in the dataset.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Final

from df2coco.coco.garments import find_garments
from df2coco.coco.lists import iter_annotations
from df2coco.coco.schema import USES, Rle, UseName, unknown_id
from df2coco.converter.options import LayoutName, Selection, Shape
from df2coco.errors import CocoFileError, check_choice
from df2coco.export.datasets import Dataset, Photo, exporting, make_links
from df2coco.export.summary import Exported, ExportedSplit
from df2coco.export.yolo.data_yaml import data_yaml
from df2coco.export.yolo.labels import (
    YOLO_TASKS,
    LabelledItem,
    Row,
    Slots,
    YoloTask,
    make_rows,
)
from df2coco.layouts import SHARED, Layout, layout_of_category, own_slots
from df2coco.masks.outline import check_shapely
from df2coco.progress import Progress, no_progress
from df2coco.taxonomy import CATEGORY_BY_ID, Category
from df2coco.workers import map_ordered, worthwhile

_SPLITS: Final = {"train": "train", "validation": "val", "test": "test"}
"""Our name of a split -> Ultralytics'."""

_USES: Final[Mapping[YoloTask, UseName]] = {
    "detect": "boxes",
    "segment": "boxes and masks",
    "pose": "boxes and landmarks",
}
"""Task -> what it needs of an annotation."""

_BATCH: Final = 32
"""Items a task of a worker."""


def export_yolo(
    sources: Sequence[str | Path],
    folder: str | Path,
    *,
    task: YoloTask = "detect",
    images: Sequence[str | Path] = (),
    layout: LayoutName = "unified",
    category: int | str | None = None,
    workers: int = 1,
    password: str | None = None,
    progress: Progress = no_progress,
) -> Exported:
    """Write the dataset folder that Ultralytics trains from: images, labels, data.yaml.

    `sources` are COCO files, or anything that `convert` takes, which is then converted with `layout`
    first; train and validation together make one dataset. `task` is a key of `YOLO_TASKS`. `images` are
    the folders of the photos, one for each source; without them they are looked for beside it.
    `category`, an id or a name, exports the items of that category only, as class 0. `folder` must be new or
    empty.

    Raises `OptionError` for options that cannot be, `OutputError` when `folder` cannot be written,
    `CocoFileError` and `SourceError` when a source cannot be read, `Df2cocoError` when shapely is
    missing. Nothing is written then.
    """
    check_choice("task", task, YOLO_TASKS)
    selection = Selection(categories=() if category is None else (category,))
    shape = Shape(task="keypoints" if task == "pose" else "instances", layout=layout)
    if task == "segment":
        check_shapely()
    with exporting(
        sources, Path(folder), images, selection, shape, workers, password, progress
    ) as (work, datasets):
        classes = _classes(datasets)
        only = next((CATEGORY_BY_ID[number] for number in selection.category_ids), None)
        layout_of_labels, slots = _slots(datasets, only) if task == "pose" else (None, None)
        splits = []
        for dataset in datasets:
            writer = _SplitWriter(dataset, task, slots, only_labelled=only is not None)
            splits.append(writer.write(workers, progress))
        yaml = data_yaml(
            classes,
            layout_of_labels,
            splits=["train", "val", *(["test"] if "test" in (s.name for s in splits) else [])],
            comments=[f"For `yolo {task} train data=data.yaml`; written by df2coco export yolo."],
        )
        (work / "data.yaml").write_text(yaml, encoding="utf-8")
    return Exported(tuple(splits), classes)


def _classes(datasets: Sequence[Dataset]) -> tuple[str, ...]:
    """The names of the classes in label order, the same in all splits."""
    names = [tuple(str(entry["name"]) for entry in each.categories) for each in datasets]
    for dataset, found in zip(datasets, names, strict=True):
        if found != names[0]:
            first = datasets[0].coco.name
            text = f"has other categories than {first}. All splits need the same ones."
            raise CocoFileError(text, file=dataset.coco, field="categories")
    return names[0]


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
            return layout_of_category(category), Slots(count, tuple(own))
    elif garments and count in whole:
        return whole[count], Slots(count, tuple(range(count)))
    raise CocoFileError(
        f"its {count} landmarks are not DeepFashion2's, so their mirror partners and sigmas are unknown. "
        "Export boxes or masks.",
        file=file,
    )


# ---------------------------------------------------------------- one split


def _place(photo: Photo) -> str:
    """The path of a photo's link below the folder of its split."""
    *folders, name = PurePosixPath(photo.file_name).parts
    # A folder called images would be the one that is replaced to find the labels.
    return "/".join([*("image" if each == "images" else each for each in folders), name])


def _without_suffix(place: str) -> str:
    return os.path.splitext(place)[0]


class _SplitWriter:
    """Writes the labels and links of one split."""

    def __init__(
        self, dataset: Dataset, task: YoloTask, slots: Slots | None, *, only_labelled: bool
    ) -> None:
        self.name = _SPLITS[dataset.split]
        self._dataset, self._task, self._slots = dataset, task, slots
        self._only_labelled = only_labelled
        self._label_of = {entry["id"]: n for n, entry in enumerate(dataset.categories)}
        self._images, self._labels = (
            dataset.work / kind / self.name for kind in ("images", "labels")
        )
        self._check_places()
        self._written: set[int] = set()
        self._notes = dataset.notices.copy()
        self._items = 0

    def write(self, workers: int, progress: Progress) -> ExportedSplit:
        """Write everything. Raises `CocoFileError` and `SourceError`."""
        photos = self._dataset.photos
        for folder in {os.path.dirname(_place(photo)) for photo in photos.values()}:
            for root in (self._images, self._labels):
                (root / folder).mkdir(parents=True, exist_ok=True)
        phase, total = f"writing labels of {self.name}", len(photos)
        progress(phase, 0, total)
        workers = worthwhile(workers, total // _BATCH) if self._task == "segment" else 1
        rows: list[Row] = []
        make = partial(make_rows, self._slots)
        with closing(map_ordered(make, self._batches(), workers=workers)) as done:
            for batch in done:
                for row in batch:
                    if rows and rows[0].image_id != row.image_id:
                        self._write_rows(rows)
                        rows = []
                    rows.append(row)
                progress(phase, len(self._written), total)
        if rows:
            self._write_rows(rows)
        chosen = [i for i in photos if not self._only_labelled or i in self._written]
        for image_id in chosen:
            self._label_file(image_id).touch()
        places = [(photos[i], self._images / _place(photos[i])) for i in chosen]
        make_links(self._dataset, places, self.name, progress)
        return ExportedSplit(self.name, len(chosen), self._items, self._notes)

    def _check_places(self) -> None:
        taken: dict[str, int] = {}
        for image_id, photo in self._dataset.photos.items():
            other = taken.setdefault(_without_suffix(_place(photo)), image_id)
            if other != image_id:
                both = f"{self._dataset.photos[other].file_name} and {photo.file_name}"
                text = f"{both} would share one file of labels. Rename one of the photos."
                raise CocoFileError(text, file=self._dataset.coco, field="images")

    def _batches(self) -> Iterator[list[LabelledItem]]:
        first = 0
        for part in iter_annotations(self._dataset.coco, use=_USES[self._task]):
            items = [self._item(entry, number) for number, entry in enumerate(part, first)]
            kept = [item for item in items if item is not None]
            for start in range(0, len(kept), _BATCH):
                yield kept[start : start + _BATCH]
            first += len(part)

    def _item(self, annotation: Any, number: int) -> LabelledItem | None:
        path, where = self._dataset.coco, f"annotations[{number}]"
        photo = self._dataset.photos.get(annotation.image_id)
        if photo is None:
            raise unknown_id("image_id", annotation.image_id, path, number)
        label = self._label_of.get(annotation.category_id)
        if label is None:
            if self._only_labelled:
                return None
            raise unknown_id("category_id", annotation.category_id, path, number)
        if self._task == "segment" and isinstance(annotation.segmentation, Rle):
            text = "is an RLE, but labels are made of polygons. Write polygons."
            raise CocoFileError(text, file=path, field=f"{where}.segmentation")
        slots = self._slots
        if slots is not None and len(annotation.keypoints) != 3 * slots.total:
            text = f"{len(annotation.keypoints)} numbers, expected {3 * slots.total}."
            raise CocoFileError(text, file=path, field=f"{where}.keypoints")
        fields = ("iscrowd", *USES[_USES[self._task]].required)
        return LabelledItem(
            annotation.image_id,
            label,
            (photo.width, photo.height),
            {name: getattr(annotation, name) for name in fields},
        )

    def _label_file(self, image_id: int) -> Path:
        place = _place(self._dataset.photos[image_id])
        return self._labels / f"{_without_suffix(place)}.txt"

    def _write_rows(self, rows: Sequence[Row]) -> None:
        """The labels of one image, which may be in the file in several places."""
        image_id = rows[0].image_id
        self._written.add(image_id)
        self._items += sum(bool(row.text) for row in rows)
        self._notes.update(code for row in rows for code in row.notes)
        with open(self._label_file(image_id), "a", encoding="ascii", newline="\n") as stream:
            stream.write("".join(row.text for row in rows))
