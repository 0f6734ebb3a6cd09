"""Ultralytics YOLO: one text file of labels a photo, links to the photos, and a `data.yaml`.

Ultralytics looks for the labels of `images/train/000001.jpg` in `labels/train/000001.txt`: it replaces
the last folder called images. Each photo has a link of its own, so that the files which Ultralytics puts
beside photos (caches, repaired JPEGs) do not land in the dataset.

It drops a photo whose labels leave it by more than 1 %, takes a row of labels for a polygon where it has
more than 6 numbers, and fills a polygon even-odd. So everything is cut at the photo's border, and each
mask is one outline (`df2coco.masks.outline`).
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from itertools import compress, groupby
from operator import itemgetter
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias

from df2coco.coco.decoding import find_garments
from df2coco.coco.schema import Rle
from df2coco.converter.options import LayoutName, Selection, Shape
from df2coco.errors import CocoFileError, check_choice, require
from df2coco.export.datasets import Dataset, Export, Exported, ExportedSplit, PhotosAs
from df2coco.integrations.ultralytics import data_yaml
from df2coco.layouts import SHARED, Layout, layout_of_category, own_landmarks, own_slots
from df2coco.masks.outline import Point, Polygons, outlines
from df2coco.progress import Progress, no_progress
from df2coco.taxonomy import CATEGORY_BY_ID, Category
from df2coco.workers import map_ordered, worthwhile

YoloTask: TypeAlias = Literal["detect", "segment", "pose"]

YOLO_TASKS: Final[Mapping[YoloTask, str]] = {
    "detect": "boxes",
    "segment": "masks, one outline each",
    "pose": "boxes and landmarks",
}

NOTES: Final[Mapping[str, str]] = {
    "crowd": "crowds (iscrowd 1) are left out: labels cannot say it",
    "box-empty": "boxes cover nothing of their photo: their items are left out",
    "outline-from-box": "masks cover nothing: their outline is the box",
    "outline-too-complex": "masks have more than 10,000 points or cross themselves more than 2,000 times: "
    "their outline is the box",
    "landmark-outside": "labelled landmarks lie outside their photo: exported as not labelled",
}
"""Code -> what was left out or changed, beside the notices of converting (`box-clipped` too)."""

_NAMES: Final = {"train": "train", "validation": "val", "test": "test", None: "train"}

_USES: Final = {"detect": "boxes", "segment": "boxes and masks", "pose": "boxes and landmarks"}
"""Task -> what it needs of an annotation."""

_BATCH: Final = 128
"""Items a task of a worker."""

Slots: TypeAlias = tuple[int, Category | None]
"""How many slots `keypoints` have, and the only category whose landmarks become labels."""


class LabelledItem(NamedTuple):
    """What of an annotation becomes a label. Everything is in pixels."""

    image_id: int
    label: int
    photo: tuple[int, int]
    """Width and height."""
    iscrowd: int
    bbox: Sequence[float]
    segmentation: Sequence[Sequence[float]] | None
    """None where boxes or landmarks are exported."""
    landmarks: Sequence[float] | None
    """x1, y1, v1, ... of those that become labels; None where there are none."""


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
    only = None
    if category is not None:
        only = CATEGORY_BY_ID[Selection(categories=(category,)).category_ids[0]]
    shape = Shape(task="keypoints" if task == "pose" else "instances", layout=layout)
    given = sources, Path(folder), images, shape, _NAMES
    export = Export(*given, photos, workers, password, progress, only)
    if task == "segment":
        require("shapely", "yolo", "task segment")
    with export.datasets() as (work, datasets):
        classes = datasets[0].class_names
        for dataset in datasets:
            if dataset.class_names != classes:
                other = datasets[0].coco.name
                text = f"has other categories than {other}. All splits need the same ones."
                raise CocoFileError(text, file=dataset.coco, field="categories")
        whole, slots = _slots(datasets, only) if task == "pose" else (None, None)
        splits = [_write(export, work, dataset, task, slots) for dataset in datasets]
        yaml = data_yaml(
            classes,
            whole,
            splits=["train", "val", *(["test"] if "test" in (s.name for s in splits) else [])],
            comments=[f"For `yolo {task} train data=data.yaml`; written by df2coco export yolo."],
        )
        (work / "data.yaml").write_text(yaml, encoding="utf-8")
    return Exported(tuple(splits), classes)


def _slots(datasets: Sequence[Dataset], category: Category | None) -> tuple[Layout, Slots]:
    """The layout of the labels, for one category its own; and what of the files has it."""
    counts = {len(entry.get("keypoints", ())) for each in datasets for entry in each.categories}
    file, count = datasets[0].coco, max(counts)
    counts -= {0}  # a test split has images alone
    if not counts:
        raise CocoFileError("has no landmarks. Convert with --task keypoints.", file=file)
    if len(counts) > 1:
        text = "its categories have different numbers of landmarks, and a pose model has one."
        remedy = "Choose one with --category, or convert with --layout unified."
        raise CocoFileError(f"{text} {remedy}", file=file)
    garments = find_garments(datasets[0].categories)
    if category is None and len(garments) == 1:
        (category,) = garments.values()
    layout = {len(each.names): each for each in SHARED.values() if garments}.get(count)
    if category is not None:
        layout = layout_of_category(category) if own_slots(category, count) else None
    if layout is None:
        text = f"its {count} landmarks are not DeepFashion2's, so their mirror partners and sigmas"
        raise CocoFileError(f"{text} are unknown. Export boxes or masks.", file=file)
    return layout, (count, category)


def _place(file_name: str) -> str:
    """The path of a photo below the folder of its split."""
    *folders, name = file_name.split("/")
    # A folder called images would be the one that is replaced to find the labels.
    return "/".join([*("image" if each == "images" else each for each in folders), name])


def _write(
    export: Export, work: Path, dataset: Dataset, task: YoloTask, slots: Slots | None
) -> ExportedSplit:
    """The labels and photos of a split. Raises `CocoFileError` and `SourceError`."""
    name, photos, phase = dataset.name, dataset.photos, f"writing labels of {dataset.name}"
    places = {image_id: _place(photo.file_name) for image_id, photo in photos.items()}
    files = _label_files(dataset, places, os.path.join(work, "labels", name))
    for folder in set(map(os.path.dirname, files.values())):
        os.makedirs(folder, exist_ok=True)

    def append(image_id: int, text: str) -> None:
        # Items of an image may be in the file in several places.
        with open(files[image_id], "ab") as stream:
            stream.write(text.encode())

    export.progress(phase, 0, len(photos))
    workers = worthwhile(export.workers, len(photos) // _BATCH) if task == "segment" else 1
    items, notes, written = 0, dataset.notices.copy(), set[int]()
    batches = _batches(dataset, task, slots)
    with closing(map_ordered(make_rows, batches, workers=workers)) as done:
        for batch in done:
            for image_id, rows in groupby(batch, itemgetter(0)):
                text = ""
                for _, (line, codes) in rows:
                    text += line
                    items += bool(line)
                    notes.update(codes)
                append(image_id, text)
                written.add(image_id)
            export.progress(phase, len(written), len(photos))
    chosen = {i: photo for i, photo in photos.items() if export.only is None or i in written}
    for image_id in chosen.keys() - written:
        append(image_id, "")
    export.put_photos(dataset, work, {f"images/{name}/{places[i]}": p for i, p in chosen.items()})
    return ExportedSplit(name, len(chosen), items, notes)


def _label_files(dataset: Dataset, places: Mapping[int, str], folder: str) -> dict[int, str]:
    """Image id -> path of its labels. Raises `CocoFileError` where two have the same."""
    files: dict[str, int] = {}
    for image_id, place in places.items():
        path = os.path.join(folder, f"{os.path.splitext(place)[0]}.txt")
        other = files.setdefault(path, image_id)
        if other != image_id:
            both = " and ".join(dataset.photos[i].file_name for i in (other, image_id))
            text = f"{both} would share one file of labels. Rename one of the photos."
            raise CocoFileError(text, file=dataset.coco, field="images")
    return {image_id: path for path, image_id in files.items()}


def _batches(dataset: Dataset, task: YoloTask, slots: Slots | None) -> Iterator[list[LabelledItem]]:
    labels = {entry["id"]: label for label, entry in enumerate(dataset.categories)}
    for part in dataset.annotations(_USES[task]):
        items = []
        for number, each in part:
            if each.category_id not in labels:
                continue
            field, photo = f"annotations[{number}]", dataset.photos[each.image_id]
            mask, landmarks = getattr(each, "segmentation", None), None
            if isinstance(mask, Rle):
                text = "is an RLE, but labels are made of polygons. Write polygons."
                raise CocoFileError(text, file=dataset.coco, field=f"{field}.segmentation")
            if slots is not None:
                total, category = slots
                landmarks = each.keypoints
                if len(landmarks) != 3 * total:
                    text = f"{len(landmarks)} numbers, expected {3 * total}."
                    raise CocoFileError(text, file=dataset.coco, field=f"{field}.keypoints")
                if category is not None:
                    landmarks = own_landmarks(landmarks, category)
            label, size = labels[each.category_id], (photo.width, photo.height)
            shapes = each.bbox, mask, landmarks
            items.append(LabelledItem(each.image_id, label, size, each.iscrowd, *shapes))
        for start in range(0, len(items), _BATCH):
            yield items[start : start + _BATCH]


_Row: TypeAlias = tuple[str, list[str]]
"""The line of an item, "" when it is left out, and codes of `NOTES`."""


def make_rows(items: Sequence[LabelledItem]) -> list[tuple[int, _Row]]:
    """Image id and row of items of one task."""
    shapes: Sequence[list[Point] | None] = [None] * len(items)
    masks = [Polygons(i.segmentation, *i.photo) for i in items if i.segmentation is not None]
    if masks:
        shapes = outlines(masks)
    pairs = zip(items, shapes, strict=True)
    return [(item.image_id, _row(item, shape)) for item, shape in pairs]


def _row(item: LabelledItem, shape: list[Point] | None) -> _Row:
    if item.iscrowd:
        return "", ["crowd"]
    width, height = item.photo
    x, y, w, h = item.bbox
    left, right = max(x, 0), min(x + w, width)
    top, bottom = max(y, 0), min(y + h, height)
    if left >= right or top >= bottom:
        return "", ["box-empty"]
    # Corners are sums, which differ from the border by rounding alone.
    clipped = max(left - x, x + w - right, top - y, y + h - bottom) > 1e-6
    notes = ["box-clipped"] if clipped else []
    if item.segmentation is not None:
        notes = []
        if not shape:
            notes = ["outline-too-complex" if shape is None else "outline-from-box"]
            shape = [(left, top), (right, top), (right, bottom), (left, bottom)]
        numbers = [value for x, y in shape for value in (x / width, y / height)]
        return f"{item.label} {_text(numbers)}\n", notes
    center = (left + right) / 2 / width, (top + bottom) / 2 / height
    text = f"{item.label} {_text((*center, (right - left) / width, (bottom - top) / height))}"
    if item.landmarks is not None:
        landmarks, outside = _landmarks(item.landmarks, item.photo)
        text += f" {landmarks}"
        notes += ["landmark-outside"] * outside
    return f"{text}\n", notes


def _text(numbers: Sequence[float]) -> str:
    """Seven digits: Ultralytics reads them as 32-bit floats, which have no more."""
    return " ".join(["%.7g"] * len(numbers)) % tuple(numbers)


def _landmarks(numbers: Sequence[float], photo: tuple[int, int]) -> tuple[str, int]:
    """The text of the landmarks, and how many labelled ones lie outside the photo."""
    width, height = photo
    texts = ["0 0 0"] * (len(numbers) // 3)
    outside = 0
    for place in compress(range(len(texts)), numbers[2::3]):
        x, y, visibility = numbers[3 * place : 3 * place + 3]
        if 0 <= x <= width and 0 <= y <= height:
            texts[place] = f"{x / width:.7g} {y / height:.7g} {visibility:.0f}"
        else:
            outside += 1
    return " ".join(texts), outside
