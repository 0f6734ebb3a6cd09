"""Folders of COCO files and photos, and photos that are copied, also out of archives."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from df2coco import (
    Selection,
    Shape,
    convert,
    export_coco,
    export_roboflow,
    export_yolo,
    load,
    statistics,
)
from df2coco.errors import Df2cocoError, ImageError, OptionError, OutputError, PasswordError
from tests.conftest import FIXTURES, copy_tree
from tests.test_cli import run
from tests.test_export import changed, dataset_root, refused, tree
from tests.zipcrypto import write_encrypted_zip

SPLIT = FIXTURES / "validation"
PASSWORD = "secret"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Task -> a converted file."""
    folder = tmp_path_factory.mktemp("converted")
    convert(SPLIT, folder)
    return {task: folder / f"{task}_validation.json" for task in ("instances", "keypoints")}


@pytest.fixture(params=["folder", "archive", "encrypted"])
def photos(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The photos of the fixtures."""
    if request.param == "folder":
        return SPLIT / "image"
    members = {
        f"val/{kind}/{path.name}": path.read_bytes()
        for kind in ("annos", "image")
        for path in (SPLIT / kind).iterdir()
    }
    archive = tmp_path / "photos.zip"
    if request.param == "encrypted":
        write_encrypted_zip(archive, members.items(), PASSWORD)
        return archive
    with zipfile.ZipFile(archive, "w") as zipped:
        for name, data in members.items():
            zipped.writestr(name, data)
    return archive


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


PHOTOS = bytes_of(SPLIT / "image")


# ---------------------------------------------------------------- export coco


@pytest.mark.parametrize("task", ["instances", "keypoints"])
def test_a_folder_that_stands_alone(task: Any, files: Mapping[str, Path], tmp_path: Path) -> None:
    """The same of a source and of a file."""
    for number, source in enumerate((SPLIT, files[task])):
        out = tmp_path / str(number)
        images = [SPLIT / "image"] if number else []
        done = export_coco([source], out, task=task, images=images)
        assert {path.name for path in out.iterdir()} == {"annotations", "validation"}
        (file,) = (out / "annotations").iterdir()
        assert file.name == f"{task}_validation.json"
        assert file.read_bytes() == files[task].read_bytes()
        assert bytes_of(out / "validation") == PHOTOS
        assert all(path.is_symlink() for path in (out / "validation").iterdir())
        (split,) = done.splits
        assert (split.name, split.images, split.items) == ("validation", 21, 40)
        assert len(done.classes) == 13


def test_a_coco_file_may_have_any_name(files: Mapping[str, Path], tmp_path: Path) -> None:
    """As for stats: export and stats take the same for a COCO file."""
    source = tmp_path / "instances_validation.coco"
    shutil.copy(files["instances"], source)
    done = export_coco([source], tmp_path / "out", images=[SPLIT / "image"])
    assert [split.items for split in done.splits] == [statistics(source).items]


def test_only_the_photos_of_the_file(tmp_path: Path) -> None:
    convert(SPLIT, tmp_path / "few_train.json", selection=Selection(listed=(2, 5)))
    export_coco([tmp_path / "few_train.json"], tmp_path / "out", images=[SPLIT / "image"])
    assert sorted(bytes_of(tmp_path / "out" / "train")) == ["000002.jpg", "000005.jpg"]


def test_both_splits_of_a_root(tmp_path: Path) -> None:
    export_coco([dataset_root(tmp_path / "data")], tmp_path / "out")
    for split, names in (("train", [1, 2]), ("validation", [1, 3])):
        file = tmp_path / "out" / "annotations" / f"instances_{split}.json"
        images = json.loads(file.read_text())["images"]
        assert [image["file_name"] for image in images] == [f"{n:06d}.jpg" for n in names]
        for image in images:
            assert (tmp_path / "out" / split / image["file_name"]).is_file()


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        (["", ""], ["000001.jpg", "000003.jpg"]),
        (["val/image/", "val/image/"], ["000001.jpg", "000003.jpg"]),
        (["./", "./"], ["000001.jpg", "000003.jpg"]),
        (["val/user/", "val/shop/"], ["user/000001.jpg", "shop/000003.jpg"]),
        (["val/user/", "val/"], ["user/000001.jpg", "000003.jpg"]),
    ],
    ids=str,
)
def test_file_names_begin_below_the_folder_of_the_split(
    folders: list[str], expected: list[str], tmp_path: Path
) -> None:
    def rename(document: dict[str, Any]) -> None:
        for image, folder in zip(document["images"], folders, strict=True):
            image["file_name"] = folder + image["file_name"]
        document["annotations"][0]["area"] = 12345.0
        document["licenses"] = [{"id": 1, "name": "mine"}]
        document["more"] = {"a": 1}

    source = tmp_path / "data"
    convert(SPLIT, tmp_path / "two.json", selection=Selection(listed=(1, 3)))
    for folder, stem in zip(folders, ("000001", "000003"), strict=True):
        (source / folder).mkdir(parents=True, exist_ok=True)
        shutil.copy(SPLIT / "image" / f"{stem}.jpg", source / folder)
    given = changed(tmp_path / "two.json", tmp_path / "mine.json", rename)
    export_coco([given], tmp_path / "out", images=[source])
    file = tmp_path / "out" / "annotations" / "keypoints_all.json"
    found, before = json.loads(file.read_text()), json.loads(given.read_text())
    assert [image["file_name"] for image in found["images"]] == expected
    for image in found["images"]:
        data = (tmp_path / "out" / "all" / image["file_name"]).read_bytes()
        assert data == PHOTOS[os.path.basename(image["file_name"])]
    # All else is as it was.
    for image, name in zip(before["images"], expected, strict=True):
        image["file_name"] = name
    assert found == before
    assert len(load(file).imgs) == 2


def test_names_that_lead_elsewhere(files: Mapping[str, Path], tmp_path: Path) -> None:
    (tmp_path / "data" / "val").mkdir(parents=True)
    for place in (tmp_path / "data", tmp_path / "data" / "val"):
        shutil.copy(SPLIT / "image" / "000001.jpg", place)
    for name in ("../000001.jpg", str(tmp_path / "data" / "000001.jpg"), "val/../../000001.jpg"):
        file = changed(
            files["instances"],
            tmp_path / "val.json",
            lambda d, name=name: d["images"][0].update(file_name=name),  # type: ignore[misc]
        )
        refused(
            lambda f=file: export_coco([f], tmp_path / "out", images=[tmp_path / "data" / "val"]),  # type: ignore[misc]
            tmp_path,
            "is not the name of a file below this folder",
        )


@pytest.mark.parametrize("photos", ["link", "copy"])
def test_a_photo_that_is_a_folder(photos: Any, files: Mapping[str, Path], tmp_path: Path) -> None:
    images = tmp_path / "image"
    copy_tree(SPLIT / "image", images)
    photo = images / "000003.jpg"
    photo.rename(images / "other.jpg")
    photo.symlink_to("other.jpg")
    export_coco([files["instances"]], tmp_path / "link", images=[images], photos=photos)
    assert (tmp_path / "link" / "validation" / "000003.jpg").read_bytes() == PHOTOS["000003.jpg"]
    photo.unlink()
    photo.mkdir()
    refused(
        lambda: export_coco([files["instances"]], tmp_path / "out", images=[images], photos=photos),
        tmp_path,
        "image/000003.jpg: not a regular file. Remove it.",
    )


def test_one_photo_for_two_images(files: Mapping[str, Path], tmp_path: Path) -> None:
    def repeat(document: dict[str, Any]) -> None:
        document["images"][1]["file_name"] = "./000001.jpg"

    file = changed(files["instances"], tmp_path / "val.json", repeat)
    message = "000001.jpg is the name of two files in validation"
    for images in ([SPLIT / "image"], [SPLIT]):
        refused(lambda i=images: export_coco([file], tmp_path / "out", images=i), tmp_path, message)  # type: ignore[misc]


def test_folders_that_cannot_be_written(files: Mapping[str, Path], tmp_path: Path) -> None:
    data = tmp_path / "data"
    copy_tree(SPLIT / "image", data)
    for folder, message in (
        (data, "holds files already"),
        (data / "out", "which is read"),
        (tmp_path / "no" / "out", "there is no folder"),
    ):
        refused(
            lambda f=folder: export_coco([files["instances"]], f, images=[data]),  # type: ignore[misc]
            tmp_path,
            message,
        )


def test_the_command(files: Mapping[str, Path], tmp_path: Path) -> None:
    result = run(
        *("export", "coco", files["keypoints"], tmp_path / "out", "--photos", "copy"),
        *("--images", SPLIT / "image"),
    )
    assert result.exit_code == 0
    assert result.stderr.splitlines() == [
        "validation: 21 images, 40 items",
        f"  -> {tmp_path / 'out'}",
    ]
    again = run("export", "coco", files["keypoints"], tmp_path / "out", "--images", SPLIT / "image")
    assert (again.exit_code, again.stderr.count("\n")) == (2, 1)
    assert "holds files already" in again.stderr


# ---------------------------------------------------------------- copies


EXPORTS = {
    "coco": (export_coco, "validation", {}),
    "roboflow": (export_roboflow, "valid", {}),
    "yolo": (export_yolo, "images/val", {"task": "detect"}),
}


@pytest.mark.parametrize("name", EXPORTS)
def test_copies_are_the_bytes(
    name: str, photos: Path, files: Mapping[str, Path], tmp_path: Path
) -> None:
    export, inner, options = EXPORTS[name]
    done = {}
    for workers in (1, 2):
        out = tmp_path / f"out{workers}"
        export(
            [files["instances"]],
            out,
            images=[photos],
            photos="copy",
            password=PASSWORD,
            workers=workers,
            **options,
        )
        copies = {n: b for n, b in bytes_of(out / inner).items() if not n.endswith(".json")}
        assert copies == PHOTOS
        assert not any(path.is_symlink() for path in out.rglob("*"))
        done[workers] = tree(out)
    assert done[1] == done[2]


def test_annotations_and_photos_of_one_archive(photos: Path, tmp_path: Path) -> None:
    source = photos if photos.is_file() else SPLIT
    export_coco([source], tmp_path / "out", photos="copy", password=PASSWORD)
    assert bytes_of(tmp_path / "out" / "validation") == PHOTOS


def test_an_archive_of_several_splits(tmp_path: Path) -> None:
    root = dataset_root(tmp_path / "data")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for path in root.rglob("*.*"):
            archive.write(path, path.relative_to(root))
    export_coco([tmp_path / "all.zip"], tmp_path / "out", photos="copy")
    for split in ("train", "validation"):
        assert bytes_of(tmp_path / "out" / split) == bytes_of(root / split / "image")


def test_the_archive_beside_a_file_is_found(files: Mapping[str, Path], tmp_path: Path) -> None:
    members = {f"validation/image/{name}": data for name, data in PHOTOS.items()}
    write_encrypted_zip(tmp_path / "validation.zip", members.items(), PASSWORD)
    file = Path(shutil.copy(files["instances"], tmp_path))
    export_yolo([file], tmp_path / "yolo", photos="copy", password=PASSWORD)
    assert bytes_of(tmp_path / "yolo" / "images" / "val") == PHOTOS


@pytest.mark.slow
def test_what_cannot_be_copied(files: Mapping[str, Path], tmp_path: Path) -> None:
    members = {f"image/{name}": data for name, data in PHOTOS.items()}
    archive = tmp_path / "image.zip"
    write_encrypted_zip(archive, members.items(), PASSWORD)
    broken = tmp_path / "broken.zip"
    data = bytearray(archive.read_bytes())
    data[len(data) // 2] ^= 1
    broken.write_bytes(data)
    for images, password, kind, message in (
        (archive, None, PasswordError, "encrypted"),
        (archive, "wrong", PasswordError, "password"),
        (broken, PASSWORD, ImageError, "broken.zip/image/0000"),
    ):
        before = tree(tmp_path)
        with pytest.raises(kind, match=message) as caught:
            export_coco(
                [files["instances"]],
                tmp_path / "out",
                images=[images],
                photos="copy",
                password=password,
            )
        assert "\n" not in str(caught.value)
        assert tree(tmp_path) == before
    with pytest.raises(OptionError, match="photos: 'move' is not one of link, copy"):
        export_coco([files["instances"]], tmp_path / "out", photos="move")  # type: ignore[arg-type]


@pytest.mark.posix
@pytest.mark.parametrize("workers", [1, 2])
def test_a_disk_that_cannot_hold_the_copies(
    workers: int, files: Mapping[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import resource

    monkeypatch.setattr("df2coco.export.datasets._BATCH", 2)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    largest = max(map(len, PHOTOS.values()))
    limit = max(largest - 1, files["instances"].stat().st_size)
    if limit >= largest:
        pytest.skip("the file is larger than a photo")
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        with pytest.raises(OutputError, match="out: cannot be written"):
            export_yolo(
                [files["instances"]],
                tmp_path / "out",
                images=[SPLIT / "image"],
                photos="copy",
                workers=workers,
            )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_subset_with_classes_out_of_an_archive(tmp_path: Path) -> None:
    """What nobody wants to unpack an archive for."""
    members = {
        f"validation/{kind}/{path.name}": path.read_bytes()
        for kind in ("annos", "image")
        for path in (SPLIT / kind).iterdir()
    }
    write_encrypted_zip(tmp_path / "validation.zip", members.items(), PASSWORD)
    out = tmp_path / "large_validation.json"
    convert(
        tmp_path / "validation.zip",
        out,
        selection=Selection(where=("scale=3",)),
        shape=Shape(classes={"top": ["vest", "sling", 1, 2], "rest": [7, 8, 9]}),
        password=PASSWORD,
    )
    done = export_coco([out], tmp_path / "small", photos="copy", password=PASSWORD)
    coco = load(tmp_path / "small" / "annotations" / "instances_validation.json")
    assert done.classes == ("top", "rest")
    assert 0 < len(coco.imgs) < 21
    assert {image["file_name"] for image in coco.imgs.values()} == set(
        bytes_of(tmp_path / "small" / "validation")
    )


def test_without_photos_nothing_is_copied(files: Mapping[str, Path], tmp_path: Path) -> None:
    file = Path(shutil.copy(files["instances"], tmp_path))
    with pytest.raises(Df2cocoError, match="no photos were found beside it"):
        export_coco([file], tmp_path / "out", photos="copy")
