"""Ultralytics YOLO: one text file of labels a photo, links to the photos, and a `data.yaml`.

Ultralytics looks for the labels of `images/train/000001.jpg` in `labels/train/000001.txt`: it replaces
the last folder called images. It drops a photo whose labels leave it by more than 1 %, takes a row of
labels for a polygon where it has more than 6 numbers, and fills a polygon even-odd. So everything is cut
at the photo's border, and each mask is one outline (`df2coco.masks.outline`). Each photo has a link of
its own, so that the files which Ultralytics puts beside photos (caches, repaired JPEGs) do not land in
the dataset.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from df2coco.coco.garments import find_garments
from df2coco.coco.lists import iter_annotations
from df2coco.coco.schema import USES, Rle, UseName, unknown_id
from df2coco.converter.options import LayoutName, Selection, Shape
from df2coco.errors import CocoFileError, check_choice, check_list
from df2coco.export.datasets import Dataset, Head, Links, Photo, find_datasets, read_head
from df2coco.export.summary import Exported, ExportedSplit
from df2coco.integrations.ultralytics import data_yaml
from df2coco.layouts import SHARED, Layout, layout_of_category, own_slots
from df2coco.masks.outline import check_shapely, outline
from df2coco.outputs import Outputs, check_folder
from df2coco.progress import Progress, no_progress
from df2coco.taxonomy import CATEGORY_BY_ID, Category
from df2coco.workers import check_workers, map_ordered, worthwhile

YoloTask: TypeAlias = Literal["detect", "segment", "pose"]

YOLO_TASKS: Final[Mapping[YoloTask, str]] = {
    "detect": "boxes",
    "segment": "masks, one outline each",
    "pose": "boxes and landmarks",
}

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
    check_list("sources", sources)
    check_list("images", images)
    check_workers(workers)
    folder, paths = Path(folder), [Path(source) for source in sources]
    check_choice("task", task, YOLO_TASKS)
    selection = Selection(categories=() if category is None else (category,))
    only = next((CATEGORY_BY_ID[each] for each in selection.category_ids), None)
    shape = Shape(task="keypoints" if task == "pose" else "instances", layout=layout)
    if task == "segment":
        check_shapely()
    check_folder(folder)
    with Outputs() as outputs:
        work = outputs.folder(folder)
        coco = work / "coco"
        datasets = find_datasets(
            paths,
            [Path(path) for path in images],
            work=coco,
            folder=folder,
            selection=selection,
            shape=shape,
            workers=workers,
            password=password,
            progress=progress,
        )
        heads = [read_head(dataset, folder, only) for dataset in datasets]
        classes = _classes(datasets, heads)
        layout_of_labels, slots = _slots(datasets, heads, only) if task == "pose" else (None, None)
        splits = []
        for dataset, head in zip(datasets, heads, strict=True):
            writer = _SplitWriter(dataset, head, work, folder, only_labelled=only is not None)
            splits.append(writer.write(_Job(task, slots), workers, progress))
        yaml = data_yaml(
            classes,
            layout_of_labels,
            splits={
                "train": "images/train",
                "val": "images/val",
                **({"test": "images/test"} if "test" in (s.name for s in splits) else {}),
            },
            comments=[f"For `yolo {task} train data=data.yaml`; written by df2coco export yolo."],
        )
        (work / "data.yaml").write_text(yaml, encoding="utf-8")
        shutil.rmtree(coco, ignore_errors=True)  # was only a step
    return Exported(tuple(splits), classes)


def _classes(datasets: Sequence[Dataset], heads: Sequence[Head]) -> tuple[str, ...]:
    """The names of the classes in label order, the same in all splits."""
    names = [tuple(str(entry["name"]) for entry in head.categories) for head in heads]
    for dataset, found in zip(datasets, names, strict=True):
        if found != names[0]:
            raise CocoFileError(
                f"has other categories than {datasets[0].coco.name}. All splits need the same ones.",
                file=dataset.coco,
                field="categories",
            )
    return names[0]


def _slots(
    datasets: Sequence[Dataset], heads: Sequence[Head], category: Category | None
) -> tuple[Layout, Slots]:
    """The layout of the labels, and which slots of the files it takes: for one category its own."""
    counts = {len(entry.get("keypoints", ())) for head in heads for entry in head.categories}
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
    garments = find_garments(heads[0].categories)
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


class Slots(NamedTuple):
    """Which landmarks of an annotation become labels."""

    total: int
    """How many slots its `keypoints` have."""
    chosen: tuple[int, ...]
    """Counted from 0, in the order of the labels."""


# ---------------------------------------------------------------- labels


class _Job(NamedTuple):
    """What a worker must know."""

    task: YoloTask
    slots: Slots | None
    """None where landmarks are not exported."""


class _Item(NamedTuple):
    """What of an annotation becomes a label. Everything is in pixels."""

    image_id: int
    label: int
    photo: tuple[int, int]
    """Width and height."""
    annotation: Mapping[str, Any]


class _Row(NamedTuple):
    image_id: int
    text: str
    """One line; "" when the item is left out."""
    notes: list[str]
    """Codes of `NOTES`."""


def _label(job: _Job, items: Sequence[_Item]) -> list[_Row]:
    return [_row(job, item) for item in items]


def _row(job: _Job, item: _Item) -> _Row:
    if item.annotation.get("iscrowd"):
        return _Row(item.image_id, "", ["crowd"])
    width, height = item.photo
    x, y, w, h = item.annotation["bbox"]
    left, right = max(x, 0), min(x + w, width)
    top, bottom = max(y, 0), min(y + h, height)
    if left >= right or top >= bottom:
        return _Row(item.image_id, "", ["box-empty"])
    # Corners are sums, which differ from the border by rounding alone.
    clipped = max(left - x, x + w - right, top - y, y + h - bottom) > 1e-6
    notes = ["box-clipped"] if clipped else []
    if job.task == "segment":
        points = outline(item.annotation["segmentation"], width, height)
        if not points:
            points = [(left, top), (right, top), (right, bottom), (left, bottom)]
            notes = ["outline-from-box"]
        else:
            notes = []
        numbers = [value for x, y in points for value in (x / width, y / height)]
        return _Row(item.image_id, f"{item.label} {_text(numbers)}\n", notes)
    box = [
        (left + right) / 2 / width,
        (top + bottom) / 2 / height,
        (right - left) / width,
        (bottom - top) / height,
    ]
    text = f"{item.label} {_text(box)}"
    if job.slots is not None:
        landmarks, outside = _landmarks(item, job.slots)
        text += f" {landmarks}"
        notes += ["landmark-outside"] * outside
    return _Row(item.image_id, f"{text}\n", notes)


def _text(numbers: Sequence[float]) -> str:
    """Seven digits: Ultralytics reads them as 32-bit floats, which have no more."""
    return " ".join([f"{number:.7g}" for number in numbers])


def _landmarks(item: _Item, slots: Slots) -> tuple[str, int]:
    """The text of the landmarks, and how many labelled ones lie outside the photo."""
    numbers = item.annotation["keypoints"]
    width, height = item.photo
    texts = ["0 0 0"] * len(slots.chosen)
    outside = 0
    for place, slot in enumerate(slots.chosen):
        x, y, visibility = numbers[3 * slot : 3 * slot + 3]
        if not visibility:
            continue
        if 0 <= x <= width and 0 <= y <= height:
            texts[place] = f"{x / width:.7g} {y / height:.7g} {visibility:.0f}"
        else:
            outside += 1
    return " ".join(texts), outside


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
        self, dataset: Dataset, head: Head, work: Path, folder: Path, *, only_labelled: bool
    ) -> None:
        self.name = _SPLITS[dataset.split]
        self._dataset = dataset
        self._head = head
        self._only_labelled = only_labelled
        self._label_of = {entry["id"]: n for n, entry in enumerate(head.categories)}
        self._images, self._labels = (work / kind / self.name for kind in ("images", "labels"))
        self._check_places()
        self._links = Links(dataset.photos, work, folder)
        self._written: set[int] = set()
        self._notes = dataset.notices.copy()
        self._items = 0

    def write(self, job: _Job, workers: int, progress: Progress) -> ExportedSplit:
        """Write everything. Raises `CocoFileError` and `SourceError`."""
        photos = self._head.photos
        for folder in {os.path.dirname(_place(photo)) for photo in photos.values()}:
            for root in (self._images, self._labels):
                (root / folder).mkdir(parents=True, exist_ok=True)
        phase, total = f"writing labels of {self.name}", len(photos)
        progress(phase, 0, total)
        workers = worthwhile(workers, total // _BATCH) if job.task == "segment" else 1
        rows: list[_Row] = []
        with closing(
            map_ordered(partial(_label, job), self._batches(job), workers=workers)
        ) as done:
            for batch in done:
                for row in batch:
                    if rows and rows[0].image_id != row.image_id:
                        self._write_rows(rows)
                        rows = []
                    rows.append(row)
                progress(phase, len(self._written), total)
        self._write_rows(rows)
        chosen = [i for i in photos if not self._only_labelled or i in self._written]
        phase = f"linking photos of {self.name}"
        for number, image_id in enumerate(chosen, 1):
            if image_id not in self._written:
                self._label_file(image_id).touch()
            photo = photos[image_id]
            self._links.make(photo.picture, self._images / _place(photo))
            if number % 256 == 0 or number == len(chosen):
                progress(phase, number, len(chosen))
        return ExportedSplit(self.name, len(chosen), self._items, self._notes)

    def _check_places(self) -> None:
        taken: dict[str, int] = {}
        for image_id, photo in self._head.photos.items():
            other = taken.setdefault(_without_suffix(_place(photo)), image_id)
            if other != image_id:
                raise CocoFileError(
                    f"{self._head.photos[other].file_name} and {photo.file_name} would share one file "
                    "of labels. Rename one of the photos.",
                    file=self._dataset.coco,
                    field="images",
                )

    def _batches(self, job: _Job) -> Iterator[list[_Item]]:
        first = 0
        for part in iter_annotations(self._dataset.coco, use=_USES[job.task]):
            items = [self._item(job, entry, number) for number, entry in enumerate(part, first)]
            kept = [item for item in items if item is not None]
            for start in range(0, len(kept), _BATCH):
                yield kept[start : start + _BATCH]
            first += len(part)

    def _item(self, job: _Job, annotation: Any, number: int) -> _Item | None:
        def fault(field: str, text: str) -> CocoFileError:
            return CocoFileError(
                text, file=self._dataset.coco, field=f"annotations[{number}].{field}"
            )

        photo = self._head.photos.get(annotation.image_id)
        if photo is None:
            raise unknown_id("image_id", annotation.image_id, self._dataset.coco, number)
        label = self._label_of.get(annotation.category_id)
        if label is None:
            if self._only_labelled:
                return None
            raise unknown_id("category_id", annotation.category_id, self._dataset.coco, number)
        if job.task == "segment" and isinstance(annotation.segmentation, Rle):
            raise fault(
                "segmentation", "is an RLE, but labels are made of polygons. Write polygons."
            )
        if job.slots is not None and len(annotation.keypoints) != 3 * job.slots.total:
            found, expected = len(annotation.keypoints), 3 * job.slots.total
            raise fault("keypoints", f"{found} numbers, expected {expected}.")
        fields = ("iscrowd", *USES[_USES[job.task]].required)
        return _Item(
            annotation.image_id,
            label,
            (photo.width, photo.height),
            {name: getattr(annotation, name) for name in fields},
        )

    def _label_file(self, image_id: int) -> Path:
        place = _place(self._head.photos[image_id])
        return self._labels / f"{_without_suffix(place)}.txt"

    def _write_rows(self, rows: Sequence[_Row]) -> None:
        """The labels of one image, which may be in the file in several places."""
        if not rows:
            return
        image_id = rows[0].image_id
        self._written.add(image_id)
        self._items += sum(bool(row.text) for row in rows)
        self._notes.update(code for row in rows for code in row.notes)
        with open(self._label_file(image_id), "a", encoding="ascii", newline="\n") as stream:
            stream.write("".join(row.text for row in rows))
