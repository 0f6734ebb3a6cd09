"""Exported folders without the tools that read them; tests/trainers has the real ones."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from df2coco.cli import export as _export  # noqa: F401  registers the commands
from df2coco.cli.app import app
from df2coco.converter.options import LAYOUTS, Shape
from df2coco.converter.run import convert
from df2coco.errors import CocoFileError, Df2cocoError, OptionError
from df2coco.export import export_roboflow, export_yolo
from df2coco.layouts import SHARED, layout_of_category
from df2coco.masks.outline import Polygons, outlines
from df2coco.taxonomy import CATEGORIES, CATEGORY_BY_ID
from tests.conftest import copy_tree
from tests.samples import make_jpeg

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
SPLIT = FIXTURES / "validation"


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Task -> a converted file."""
    folder = tmp_path_factory.mktemp("converted")
    convert(SPLIT, folder)
    return {task: folder / f"{task}_validation.json" for task in ("instances", "keypoints")}


def changed(path: Path, out: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """A COCO file like that at `path`, but for a change."""
    document = json.loads(path.read_text())
    change(document)
    out.write_text(json.dumps(document))
    return out


def labels_of(folder: Path) -> dict[str, list[list[float]]]:
    """Photo -> rows of its labels, looked for where Ultralytics does."""
    found = {}
    for photo in sorted((folder / "images").rglob("*.*")):
        before, after = str(photo).rsplit("/images/", 1)
        text = Path(f"{before}/labels/{after}").with_suffix(".txt").read_text()
        name = photo.relative_to(folder / "images").as_posix()
        found[name] = [list(map(float, line.split())) for line in text.splitlines()]
    return found


def numbers_of(folder: Path, key: str) -> list[float]:
    """A list of data.yaml: it is JSON, too."""
    (found,) = re.findall(rf"^{key}: (\[[^]]*\])$", (folder / "data.yaml").read_text(), re.M)
    return list(json.loads(found))


def names_of(folder: Path) -> list[str]:
    text = (folder / "data.yaml").read_text()
    return [json.loads(name) for name in re.findall(r'^  \d+: (".*")$', text, re.M)]


def by_photo(path: Path) -> dict[str, tuple[dict[str, Any], list[dict[str, Any]]]]:
    document = json.loads(path.read_text())
    return {
        image["file_name"]: (
            image,
            [a for a in document["annotations"] if a["image_id"] == image["id"]],
        )
        for image in document["images"]
    }


def tree(folder: Path) -> dict[str, bytes | str]:
    """Everything below a folder: files with their bytes, links with their targets."""
    return {
        path.relative_to(folder).as_posix(): (
            os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else ""
        )
        for path in sorted(folder.rglob("*"))
    }


# ---------------------------------------------------------------- labels


@pytest.mark.parametrize("task", ["detect", "pose"])
def test_boxes(task: str, files: Mapping[str, Path], tmp_path: Path) -> None:
    done = export_yolo([SPLIT], tmp_path / "yolo", task=task)
    labels = labels_of(tmp_path / "yolo")
    truth = by_photo(files["keypoints"])
    assert labels.keys() == {f"val/{name}" for name in truth}
    for name, (image, truths) in truth.items():
        rows = labels[f"val/{name}"]
        assert [row[0] for row in rows] == [a["category_id"] - 1 for a in truths]
        for row, annotation in zip(rows, truths, strict=True):
            x, y, w, h = (
                number * image[side]
                for number, side in zip(row[1:5], ("width", "height") * 2, strict=True)
            )
            assert [x - w / 2, y - h / 2, w, h] == pytest.approx(annotation["bbox"], abs=1e-3)
            assert len(row) == (5 if task == "detect" else 5 + 3 * 294)
    (split,) = done.splits
    assert (split.name, split.images, split.items) == ("val", 21, 40)
    assert done.classes == tuple(names_of(tmp_path / "yolo")) == tuple(c.name for c in CATEGORIES)


@pytest.mark.parametrize("layout", sorted(SHARED.keys() & LAYOUTS.keys()))
def test_landmarks(layout: str, tmp_path: Path) -> None:
    out = tmp_path / "keypoints_train.json"
    convert(SPLIT, out, shape=Shape(layout=layout))
    export_yolo([out], tmp_path / "file", task="pose", images=[SPLIT / "image"])
    labels = labels_of(tmp_path / "file")
    check_landmarks(out, labels, lambda numbers, _: numbers)
    check_data_yaml(tmp_path / "file", SHARED[layout])
    # Converted on the way it is the same.
    export_yolo([SPLIT], tmp_path / "source", task="pose", layout=layout)
    converted = labels_of(tmp_path / "source")
    assert {n.replace("val", "train"): rows for n, rows in converted.items()} == labels


def check_data_yaml(folder: Path, layout: Any) -> None:
    assert numbers_of(folder, "kpt_shape") == [len(layout.names), 3]
    assert numbers_of(folder, "flip_idx") == list(layout.flip_indices)
    assert numbers_of(folder, "kpt_oks_sigmas") == list(layout.sigmas)


def check_landmarks(
    path: Path,
    labels: dict[str, list[list[float]]],
    own: Callable[[list[int], int], list[int]],
    category_id: int | None = None,
) -> None:
    for name, (image, truths) in by_photo(path).items():
        chosen = [a for a in truths if category_id in (None, a["category_id"])]
        rows = labels.get(f"train/{name}", [])
        for row, annotation in zip(rows, chosen, strict=True):
            expected = own(annotation["keypoints"], annotation["category_id"])
            found = [
                number * (image["width"], image["height"], 1)[place % 3]
                for place, number in enumerate(row[5:])
            ]
            assert found == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("kind", sorted(LAYOUTS))
def test_one_category_has_its_own_landmarks(kind: str, tmp_path: Path) -> None:
    """Whatever the layout of the file."""
    out = tmp_path / "keypoints_train.json"
    convert(SPLIT, out, shape=Shape(layout=kind))
    done = export_yolo(
        [out], tmp_path / "yolo", task="pose", images=[SPLIT / "image"], category="trousers"
    )
    assert done.classes == ("trousers",)
    check_data_yaml(tmp_path / "yolo", layout_of_category(CATEGORY_BY_ID[8]))
    labels = labels_of(tmp_path / "yolo")
    truth = tmp_path / "own.json"
    convert(SPLIT, truth, shape=Shape(layout="category"))
    check_landmarks(truth, labels, lambda numbers, _: numbers, category_id=8)
    # Only photos with trousers are there.
    with_trousers = {
        f"train/{name}"
        for name, (_, annotations) in by_photo(truth).items()
        if any(a["category_id"] == 8 for a in annotations)
    }
    assert labels.keys() == with_trousers
    assert {row[0] for rows in labels.values() for row in rows} == {0}
    assert done.splits[0].items == sum(map(len, labels.values())) == 6


def test_masks(files: Mapping[str, Path], tmp_path: Path) -> None:
    import numpy as np
    from pycocotools import mask as coco_mask

    from df2coco.masks import union_mask

    done = export_yolo([SPLIT], tmp_path / "yolo", task="segment")
    assert not done.splits[0].notes
    labels = labels_of(tmp_path / "yolo")
    overlaps = []
    for name, (image, truths) in by_photo(files["instances"]).items():
        size = image["width"], image["height"]
        for row, annotation in zip(labels[f"val/{name}"], truths, strict=True):
            assert len(row) > 6
            assert len(row) % 2 == 1
            assert all(0 <= number <= 1 for number in row[1:])
            polygon = [number * size[place % 2] for place, number in enumerate(row[1:])]
            found = coco_mask.decode(union_mask([polygon], *size))
            truth = coco_mask.decode(union_mask(annotation["segmentation"], *size))
            overlaps.append((found & truth).sum() / (found | truth).sum())
    assert np.mean(overlaps) > 0.99
    assert min(overlaps) > 0.97
    assert "kpt_shape" not in (tmp_path / "yolo" / "data.yaml").read_text()


def test_an_image_without_items_has_an_empty_file(
    files: Mapping[str, Path], tmp_path: Path
) -> None:
    def drop(document: dict[str, Any]) -> None:
        document["annotations"] = [a for a in document["annotations"] if a["image_id"] != 1]

    out = changed(files["instances"], tmp_path / "train.json", drop)
    done = export_yolo([out], tmp_path / "yolo", images=[SPLIT / "image"])
    assert labels_of(tmp_path / "yolo")["train/000001.jpg"] == []
    assert done.splits[0].images == 21


def test_items_of_an_image_need_not_stand_together(
    files: Mapping[str, Path], tmp_path: Path
) -> None:
    out = changed(
        files["instances"],
        tmp_path / "train.json",
        lambda document: document["annotations"].sort(key=lambda a: (a["category_id"], a["id"])),
    )
    export_yolo([out], tmp_path / "one", images=[SPLIT / "image"])
    export_yolo([SPLIT], tmp_path / "other")
    mixed, grouped = labels_of(tmp_path / "one"), labels_of(tmp_path / "other")
    assert {n: sorted(rows) for n, rows in mixed.items()} == {
        n.replace("val", "train"): sorted(rows) for n, rows in grouped.items()
    }


# ---------------------------------------------------------------- what does not fit


def first(document: dict[str, Any], **values: Any) -> None:
    document["annotations"][0].update(values)


def landmark_at(document: dict[str, Any], x: float, y: float) -> None:
    keypoints = document["annotations"][0]["keypoints"]
    slot = next(slot for slot in range(294) if keypoints[3 * slot + 2])
    keypoints[3 * slot : 3 * slot + 3] = [x, y, 2]


BOX = {"bbox": [10.0, 10.0, 40.0, 50.0]}
NOTES: dict[str, tuple[str, Callable[[dict[str, Any]], None], dict[str, int], int]] = {
    "a crowd": ("detect", lambda d: first(d, iscrowd=1), {"crowd": 1}, 39),
    "a box outside": (
        "detect", lambda d: first(d, bbox=[5000.0, 5, 9, 9]), {"box-empty": 1}, 39
    ),
    "a box of no width": ("detect", lambda d: first(d, bbox=[9.0, 9, 0, 9]), {"box-empty": 1}, 39),
    "a box over the border": (
        "detect", lambda d: first(d, bbox=[-3.0, 5, 20, 20]), {"box-clipped": 1}, 40
    ),
    "a box up to the border": (
        "detect",
        lambda d: first(d, bbox=[0.0, 0, d["images"][0]["width"], d["images"][0]["height"]]),
        {},
        40,
    ),
    "no polygons": ("segment", lambda d: first(d, segmentation=[]), {"outline-from-box": 1}, 40),
    "a flat polygon": (
        "segment",
        lambda d: first(d, segmentation=[[9.0, 9, 30, 9, 20, 9]]),
        {"outline-from-box": 1},
        40,
    ),
    "a mask outside": (
        "segment",
        lambda d: first(d, segmentation=[[9000.0, 9, 9100, 9, 9000, 99]]),
        {"outline-from-box": 1},
        40,
    ),
    "a landmark outside": ("pose", lambda d: landmark_at(d, -1, 5), {"landmark-outside": 1}, 40),
    "a landmark on the border": (
        "pose", lambda d: landmark_at(d, d["images"][0]["width"], 0), {}, 40
    ),
}  # fmt: skip


@pytest.mark.parametrize(("task", "change", "notes", "items"), NOTES.values(), ids=list(NOTES))
def test_what_is_left_out_or_changed_is_counted(
    task: str,
    change: Callable[[dict[str, Any]], None],
    notes: dict[str, int],
    items: int,
    files: Mapping[str, Path],
    tmp_path: Path,
) -> None:
    out = changed(files["keypoints"], tmp_path / "train.json", change)
    done = export_yolo([out], tmp_path / "yolo", task=task, images=[SPLIT / "image"])
    assert dict(done.splits[0].notes) == notes
    assert done.splits[0].items == items
    # Ultralytics leaves a whole photo out for one number that is not in 0..1.
    for rows in labels_of(tmp_path / "yolo").values():
        for row in rows:
            places = row[1:] if task != "pose" else row[1:5] + row[5::3] + row[6::3]
            assert all(0 <= number <= 1 for number in places)


# ---------------------------------------------------------------- folders


def dataset_root(folder: Path) -> Path:
    """A root with the splits train and validation, some photos each."""
    for split, stems in (("train", ("000001", "000002")), ("validation", ("000001", "000003"))):
        for kind, suffix in (("annos", ".json"), ("image", ".jpg")):
            (folder / split / kind).mkdir(parents=True)
            for stem in stems:
                shutil.copy(SPLIT / kind / (stem + suffix), folder / split / kind)
    return folder


def test_a_dataset_root_becomes_train_and_val(tmp_path: Path) -> None:
    root = dataset_root(tmp_path / "data")
    before = tree(root)
    done = export_yolo([root], tmp_path / "yolo")
    assert [split.name for split in done.splits] == ["train", "val"]
    assert sorted(labels_of(tmp_path / "yolo")) == [
        "train/000001.jpg", "train/000002.jpg", "val/000001.jpg", "val/000003.jpg",
    ]  # fmt: skip
    assert re.findall(r"^(\w+): (\S+)$", (tmp_path / "yolo" / "data.yaml").read_text(), re.M) == [
        ("train", "images/train"),
        ("val", "images/val"),
    ]
    assert tree(root) == before
    assert {path.name for path in tmp_path.iterdir()} == {"data", "yolo"}


@pytest.mark.parametrize("task", ["detect", "pose"])
def test_a_test_split_has_photos_alone(task: Any, tmp_path: Path) -> None:
    root = dataset_root(tmp_path / "data")
    (root / "test" / "image").mkdir(parents=True)
    shutil.copy(SPLIT / "image" / "000005.jpg", root / "test" / "image")
    done = export_yolo([root], tmp_path / "yolo", task=task)
    assert [(s.name, s.images, s.items) for s in done.splits] == [
        ("train", 2, 3), ("val", 2, 4), ("test", 1, 0),
    ]  # fmt: skip
    assert "test: images/test" in (tmp_path / "yolo" / "data.yaml").read_text()
    assert labels_of(tmp_path / "yolo")["test/000005.jpg"] == []


def test_files_beside_their_photos_need_no_images(tmp_path: Path) -> None:
    """As `convert . .` in a dataset root writes them."""
    root = dataset_root(tmp_path / "data")
    convert(root, root)
    done = export_yolo(
        [root / "instances_train.json", root / "instances_validation.json"], root / "yolo"
    )
    assert [(split.name, split.images) for split in done.splits] == [("train", 2), ("val", 2)]
    links = list((root / "yolo" / "images").rglob("*.jpg"))
    assert len(links) == 4
    assert all(path.is_symlink() and path.resolve().is_file() for path in links)
    # Relative: photos and links can move together.
    root.rename(tmp_path / "moved")
    for path in (tmp_path / "moved" / "yolo" / "images").rglob("*.jpg"):
        assert path.resolve().parent.parent.parent == tmp_path / "moved"
        assert path.resolve().is_file()


def test_photos_in_folders_of_that_name(files: Mapping[str, Path], tmp_path: Path) -> None:
    """The last folder called images is replaced to find labels: there must be no other one."""
    photos = tmp_path / "photos"
    (photos / "a" / "images").mkdir(parents=True)
    for path in (SPLIT / "image").iterdir():
        shutil.copy(path, photos / "a" / "images")

    def move(document: dict[str, Any]) -> None:
        for image in document["images"]:
            image["file_name"] = f"a/images/{image['file_name']}"

    out = changed(files["instances"], tmp_path / "train.json", move)
    export_yolo([out], tmp_path / "yolo", images=[photos])
    labels = labels_of(tmp_path / "yolo")
    assert sum(map(len, labels.values())) == 40
    assert {name.rpartition("/")[0] for name in labels} == {"train/a/image"}


def test_an_empty_folder_may_be_there(tmp_path: Path) -> None:
    (tmp_path / "yolo").mkdir()
    export_yolo([SPLIT], tmp_path / "yolo")
    assert (tmp_path / "yolo" / "data.yaml").is_file()


@pytest.mark.slow
def test_workers_change_nothing(tmp_path: Path) -> None:
    root = tmp_path / "data" / "train"
    for kind in ("annos", "image"):
        (root / kind).mkdir(parents=True)
    for number in range(400):  # enough for several workers
        stem = f"{number % 21 + 1:06d}"
        shutil.copy(SPLIT / "annos" / f"{stem}.json", root / "annos" / f"{number + 1:06d}.json")
        shutil.copy(SPLIT / "image" / f"{stem}.jpg", root / "image" / f"{number + 1:06d}.jpg")
    seen: list[tuple[str, int, int]] = []
    export_yolo([root], tmp_path / "one", task="segment")
    export_yolo(
        [root],
        tmp_path / "two",
        task="segment",
        workers=2,
        progress=lambda *state: seen.append(state),
    )
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    assert ("linking photos of train", 400, 400) in seen
    assert seen[-1][1] == seen[-1][2]


def test_roboflow(tmp_path: Path) -> None:
    root = dataset_root(tmp_path / "data")
    convert(root, tmp_path / "coco")
    done = export_roboflow([root], tmp_path / "rf")
    assert [(s.name, s.images, s.items) for s in done.splits] == [("train", 2, 3), ("valid", 2, 4)]
    for split, name in (("train", "train"), ("validation", "valid")):
        file = tmp_path / "rf" / name / "_annotations.coco.json"
        assert file.read_bytes() == (tmp_path / "coco" / f"instances_{split}.json").read_bytes()
        for image in json.loads(file.read_text())["images"]:
            link = file.parent / image["file_name"]
            assert link.resolve() == root / split / "image" / image["file_name"]
    assert {path.name for path in (tmp_path / "rf").iterdir()} == {"train", "valid"}


def test_roboflow_takes_files_as_they_are(files: Mapping[str, Path], tmp_path: Path) -> None:
    export_roboflow([files["keypoints"]], tmp_path / "rf", images=[SPLIT])
    copy = tmp_path / "rf" / "valid" / "_annotations.coco.json"
    assert copy.read_bytes() == files["keypoints"].read_bytes()
    assert not copy.is_symlink()


# ---------------------------------------------------------------- refusals


def zipped(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "train.zip", "w") as archive:
        for kind in ("annos", "image"):
            for path in (SPLIT / kind).iterdir():
                archive.write(path, f"train/{kind}/{path.name}")
    return folder / "train.zip"


def rle(document: dict[str, Any]) -> None:
    image = document["images"][0]
    size = [image["height"], image["width"]]
    first(document, segmentation={"size": size, "counts": [size[0] * size[1]]})


def of_persons(document: dict[str, Any]) -> None:
    document["categories"] = [{"id": 1, "name": "person", "keypoints": list("abc")}]
    for annotation in document["annotations"]:
        annotation.update(category_id=1, keypoints=[1, 1, 2] * 3)


def same_stem(document: dict[str, Any]) -> None:
    document["images"][1]["file_name"] = document["images"][0]["file_name"]


def set_in(where: str, number: int, **values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: document[where][number].update(values)


# What is changed in a file with landmarks, the task, and what the message says.
BAD_FILES: dict[str, tuple[Callable[[dict[str, Any]], object], str, str]] = {
    "a missing photo": (
        set_in("images", 3, file_name="900000.jpg"), "detect", "900000.jpg: is missing"
    ),
    "a photo elsewhere": (
        set_in("images", 3, file_name="../image/000004.jpg"), "detect", "not the name of a file"
    ),
    "one label file for two": (same_stem, "detect", "would share one file of labels"),
    "an image twice": (set_in("images", 3, id=1), "detect", "images[3].id: 1 is there twice. df2coco validate"),
    "no width": (lambda d: d["images"][2].pop("width"), "detect", "images[2].width: missing. df2coco validate"),
    "an unknown image": (
        set_in("annotations", 5, image_id=999), "detect", "annotations[5].image_id: 999"
    ),
    "an unknown category": (
        set_in("annotations", 5, category_id=99), "detect", "annotations[5].category_id: 99"
    ),
    "no box": (lambda d: d["annotations"][5].pop("bbox"), "detect", "annotations[5].bbox: missing"),
    "no polygons at all": (
        lambda d: d["annotations"][5].pop("segmentation"), "segment",
        "annotations[5].segmentation: missing. Name a file in which every",
    ),
    "an RLE": (rle, "segment", "annotations[0].segmentation: is an RLE"),
    "too few landmarks": (
        set_in("annotations", 5, keypoints=[1, 1, 2]), "pose", "annotations[5].keypoints: 3 numbers"
    ),
    "landmarks of something else": (of_persons, "pose", "its 3 landmarks are not DeepFashion2's"),
    "no categories": (lambda d: d["categories"].clear(), "detect", "has no categories"),
    "no name": (
        lambda d: d["categories"][2].pop("name"), "detect", "categories[2].name: missing"
    ),
    "sizes unknown": (
        lambda d: d["info"]["df2coco"].update(image_sizes="unknown: guessed"), "detect",
        "was converted without photos",
    ),
}  # fmt: skip


def refused(work: Callable[[], object], tmp_path: Path, message: str) -> None:
    before = tree(tmp_path)
    with pytest.raises(Df2cocoError) as caught:
        work()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert tree(tmp_path) == before


@pytest.mark.parametrize(("change", "task", "message"), BAD_FILES.values(), ids=list(BAD_FILES))
def test_files_that_cannot_be_exported(
    change: Callable[[dict[str, Any]], object],
    task: str,
    message: str,
    files: Mapping[str, Path],
    tmp_path: Path,
) -> None:
    out = changed(files["keypoints"], tmp_path / "train.json", change)
    images = [SPLIT / "image"]
    refused(
        lambda: export_yolo([out], tmp_path / "yolo", task=task, images=images), tmp_path, message
    )


def test_photos_that_cannot_be_linked(files: Mapping[str, Path], tmp_path: Path) -> None:
    archive = zipped(tmp_path)
    (tmp_path / "alone").mkdir()
    alone = Path(shutil.copy(files["instances"], tmp_path / "alone"))
    copy_tree(SPLIT / "annos", tmp_path / "no" / "annos")
    for source, images, message in (
        (archive, [], "its photos lie in an archive"),
        (tmp_path / "no", [], "no photos were found"),
        (alone, [], "no photos were found beside it"),
        (alone, [archive], "its photos lie in an archive"),
        (alone, [tmp_path / "nowhere"], "no such file or folder"),
    ):
        refused(
            lambda s=source, i=images: export_yolo([s], tmp_path / "yolo", images=i),  # type: ignore[misc]
            tmp_path,
            message,
        )


@pytest.mark.parametrize("absent", [("symlink",), ("symlink", "link")])
def test_photos_where_the_system_makes_no_links(
    absent: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(1314, "A required privilege is not held by the client")

    for name in absent:
        monkeypatch.setattr(os, name, refuse)
    copy_tree(SPLIT, tmp_path / "data" / "validation")  # on one disk
    out = tmp_path / "yolo"
    if "link" in absent:  # never a copy
        refused(lambda: export_yolo([tmp_path / "data"], out), tmp_path, "cannot be a link to")
        return
    export_yolo([tmp_path / "data"], out)
    link = out / "images" / "val" / "000001.jpg"
    assert os.path.samefile(link, tmp_path / "data" / "validation" / "image" / "000001.jpg")
    assert not link.is_symlink()


def test_photos_on_another_drive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> str:
        raise ValueError("path is on mount 'C:', start on mount 'D:'")

    monkeypatch.setattr(os.path, "relpath", refuse)
    export_yolo([SPLIT], tmp_path / "yolo")
    link = tmp_path / "yolo" / "images" / "val" / "000001.jpg"
    assert os.readlink(link) == os.path.realpath(SPLIT / "image" / "000001.jpg")


def test_folders_that_cannot_be_written(tmp_path: Path) -> None:
    root = dataset_root(tmp_path / "data")
    convert(root, root)
    (tmp_path / "file").write_text("")
    for folder, message in (
        (tmp_path / "data", "holds files already"),
        (root / "train" / "image", "holds files already"),
        (root / "train" / "image" / "yolo", "/image/yolo: would be inside"),
        (root / "train" / "annos" / "yolo", "/annos/yolo: would be inside"),
        (tmp_path / "file", "file: is not a folder"),
        (tmp_path / "no" / "yolo", "there is no folder"),
    ):
        refused(lambda f=folder: export_yolo([root / "train"], f), tmp_path, message)  # type: ignore[misc]
    for export in (export_yolo, export_roboflow):
        refused(
            lambda e=export: e(  # type: ignore[misc]
                [root / "instances_train.json"], root / "train" / "image" / "out"
            ),
            tmp_path,
            "which is read",
        )


def test_splits_must_be_told_apart(files: Mapping[str, Path], tmp_path: Path) -> None:
    twice = [files["instances"], files["keypoints"]]
    photos = [SPLIT / "image"] * 2
    message = "more than one source for the split val"
    refused(lambda: export_yolo(twice, tmp_path / "yolo", images=photos), tmp_path, message)
    refused(
        lambda: export_yolo(twice, tmp_path / "yolo", images=photos[:1]),
        tmp_path,
        "1 folders of images for 2 sources",
    )


def test_splits_must_have_the_same_classes(files: Mapping[str, Path], tmp_path: Path) -> None:
    other = changed(
        files["instances"], tmp_path / "train.json", lambda d: d["categories"].reverse()
    )
    photos = [SPLIT / "image"] * 2
    # Another order in the file is no other order of labels.
    export_yolo([other, files["instances"]], tmp_path / "yolo", images=photos)
    renamed = changed(
        files["instances"], tmp_path / "train.json", set_in("categories", 3, name="x")
    )
    refused(
        lambda: export_yolo([renamed, files["instances"]], tmp_path / "other", images=photos),
        tmp_path,
        "has other categories than train.json",
    )


def test_landmarks_that_one_model_cannot_have(files: Mapping[str, Path], tmp_path: Path) -> None:
    refused(
        lambda: export_yolo([SPLIT], tmp_path / "yolo", task="pose", layout="category"),
        tmp_path,
        "Choose one with --category",
    )
    refused(
        lambda: export_yolo(
            [files["instances"]], tmp_path / "yolo", task="pose", images=[SPLIT / "image"]
        ),
        tmp_path,
        "has no landmarks",
    )


def test_an_interruption_leaves_nothing(
    files: Mapping[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of the links, whatever the reason."""
    symlink = os.symlink

    def make(picture: str, link: str) -> None:
        if link.endswith("000009.jpg"):
            raise KeyboardInterrupt
        symlink(picture, link)

    monkeypatch.setattr(os, "symlink", make)
    (tmp_path / "yolo").mkdir()
    for export in (export_yolo, export_roboflow):
        with pytest.raises(KeyboardInterrupt):
            export([files["instances"]], tmp_path / "yolo", images=[SPLIT / "image"])
        assert list(tmp_path.rglob("*")) == [tmp_path / "yolo"]


def test_without_shapely_nothing_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "shapely", None)
    refused(
        lambda: export_yolo([SPLIT], tmp_path / "yolo", task="segment"), tmp_path, "needs shapely"
    )
    export_yolo([SPLIT], tmp_path / "yolo", task="detect")


# ---------------------------------------------------------------- the command line


def run(*arguments: object) -> Any:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["export", *map(str, arguments)])


def test_the_command_reports_what_it_wrote(files: Mapping[str, Path], tmp_path: Path) -> None:
    done = run("yolo", SPLIT, tmp_path / "yolo", "--task", "pose", "--workers", 1)
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr.splitlines() == [
        "val: 21 images, 40 items",
        "no images/train: training will need it. Export both splits together.",
        f"  -> {tmp_path / 'yolo' / 'data.yaml'}",
    ]
    crowd = changed(files["instances"], tmp_path / "train.json", lambda d: first(d, iscrowd=1))
    photos = ("--images", SPLIT / "image") * 2
    both = run("yolo", crowd, files["instances"], tmp_path / "both", *photos)
    assert both.stderr.splitlines() == [
        "train: 21 images, 39 items",
        "  crowd                         1  crowds (iscrowd 1) are left out: labels cannot say it",
        "val: 21 images, 40 items",
        f"  -> {tmp_path / 'both' / 'data.yaml'}",
    ]
    quiet = run("yolo", SPLIT, tmp_path / "quiet", "--quiet", "--category", "vest")
    assert (quiet.exit_code, quiet.output) == (0, "")
    assert names_of(tmp_path / "quiet") == ["vest"]
    roboflow = run("roboflow", SPLIT, tmp_path / "rf")
    assert roboflow.stderr.splitlines() == ["valid: 21 images, 40 items", f"  -> {tmp_path / 'rf'}"]


def test_the_command_refuses_in_one_line(tmp_path: Path) -> None:
    for arguments, message in (
        (("yolo", tmp_path / "no", tmp_path / "yolo"), "no: no such file or folder"),
        (("yolo", SPLIT, FIXTURES), "holds files already"),
        (("yolo", SPLIT), "name what to export, and then the folder to write"),
        (("yolo", SPLIT, tmp_path / "yolo", "--task", "obb"), "'obb' is none of"),
        (
            ("yolo", SPLIT, tmp_path / "yolo", "--category", "hat"),
            "--category: 'hat' is not one of",
        ),
        (("roboflow", SPLIT, tmp_path / "rf", "--layout", "x"), "'x' is none of"),
    ):
        done = run(*arguments)
        assert done.exit_code == 2
        assert message in done.output
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("export", [export_yolo, export_roboflow])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sources": "train.json"}, "sources: 'train.json' is not a list"),
        ({"sources": Path("train.json")}, "is not a list"),
        ({"sources": None}, "sources: None is not a list"),
        ({"images": "image"}, "images: 'image' is not a list"),
        ({"workers": 0}, "workers: 0 is not a number of processes"),
    ],
)
def test_arguments_of_the_library(
    export: Any, options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(OptionError, match=message):
        export(**{"sources": ["train.json"], "folder": tmp_path / "new", **options})
    assert not list(tmp_path.iterdir())


ROBOFLOW: dict[str, tuple[str, dict[str, Any], str]] = {
    "box missing": ("annotations", {"bbox": None}, "annotations[0].bbox: None, expected 4"),
    "crowd null": ("annotations", {"iscrowd": None}, "annotations[0].iscrowd: None"),
    "item of no image": ("annotations", {"image_id": 99}, "annotations[0].image_id: 99 is not in the file"),
    "item of no category": ("annotations", {"category_id": 99}, "annotations[0].category_id: 99"),
    "two images of one name": ("images", {"file_name": "2.jpg"}, "2.jpg is the name of two files"),
    "two names of one place": ("images", {"file_name": "./2.jpg"}, "is the name of two files"),
    "the name of the annotations": (
        "images", {"file_name": "_annotations.coco.json"}, "is the name of two files in train"),
    "category twice": ("categories", {"id": 2}, "categories: 2 is there twice. df2coco validate"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "changes", "message"), ROBOFLOW.values(), ids=ROBOFLOW)
def test_roboflow_refuses_what_it_would_copy(
    name: str, changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    document = small_file(tmp_path / "image")
    export_roboflow([write(tmp_path, document)], tmp_path / "good", images=[tmp_path / "image"])
    document[name][0].update(changes)
    with pytest.raises(CocoFileError) as caught:
        export_roboflow([write(tmp_path, document)], tmp_path / "new", images=[tmp_path / "image"])
    assert message in str(caught.value)
    assert not (tmp_path / "new").exists()


def small_file(photos: Path) -> dict[str, Any]:
    """Two images, an item each, two categories, and the photos in a folder."""
    photos.mkdir()
    for name in ("1.jpg", "2.jpg", "_annotations.coco.json"):
        (photos / name).write_bytes(make_jpeg(60, 80))
    return {
        "images": [{"id": n, "file_name": f"{n}.jpg", "width": 60, "height": 80} for n in (1, 2)],
        "annotations": [
            {"id": n, "image_id": n, "category_id": n, "bbox": [5, 5, 20, 30], "iscrowd": 0}
            | {"segmentation": [[5, 5, 25, 5, 25, 35, 5, 35]], "area": 600}
            for n in (1, 2)
        ],
        "categories": [{"id": 1, "name": "skirt"}, {"id": 2, "name": "vest"}],
    }


def write(folder: Path, document: dict[str, Any]) -> Path:
    path = folder / "train.json"
    path.write_text(json.dumps(document))
    return path


def test_a_mask_too_complex_for_a_label_is_its_box(tmp_path: Path) -> None:
    document = small_file(tmp_path / "image")
    star = [v for n in range(300) for v in (30 + n * 7919 % 25, 30 + n * 104729 % 29)]
    document["annotations"][0]["segmentation"] = [star]
    done = export_yolo([write(tmp_path, document)], tmp_path / "yolo", task="segment")
    assert done.splits[0].notes == {"outline-too-complex": 1}
    box = [5 / 60, 5 / 80, 25 / 60, 5 / 80, 25 / 60, 35 / 80, 5 / 60, 35 / 80]
    assert labels_of(tmp_path / "yolo")["train/1.jpg"][0][1:] == pytest.approx(box)


def test_class_names_are_escaped_as_yaml_asks_for(tmp_path: Path) -> None:
    names = ["a\x7f\x85\x9f\u2028\ufeffb", "robe d\u2019été 👗: #1"]
    document = small_file(tmp_path / "image")
    for entry, name in zip(document["categories"], names, strict=True):
        entry["name"] = name
    export_yolo([write(tmp_path, document)], tmp_path / "yolo")
    text = (tmp_path / "yolo" / "data.yaml").read_text(encoding="utf-8")
    assert r'0: "a\x7f\x85\x9f\u2028\ufeffb"' in text
    assert f'1: "{names[1]}"' in text


@pytest.mark.parametrize("bad", [[], [1, 2], [1, 1, 2, 2], [1, 1, 9, 1, 9, 9, 1]])
def test_what_is_no_polygon_is_left_out_of_an_outline(bad: list[float]) -> None:
    good = [5.0, 5, 25, 5, 25, 35, 5, 35]
    masks = [Polygons(polygons, 60, 80) for polygons in ([bad, good], [good], [bad])]
    both, alone, nothing = outlines(masks)
    assert both == alone
    assert nothing == []
