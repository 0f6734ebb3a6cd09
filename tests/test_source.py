"""Where splits are found, and how images and archives are read."""

from __future__ import annotations

import json
import os
import re
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from df2coco.converter.run import ConversionError, convert, image_info
from df2coco.errors import PasswordError, SourceError
from df2coco.parser import files
from df2coco.parser.reader import read_split
from df2coco.parser.splits import find_images, find_splits
from tests.conftest import copy_tree
from tests.samples import make_annotation, make_jpeg
from tests.zipcrypto import write_encrypted_zip

JOINED = "two archives joined: only the last is read. Separate them, or unpack both."
ANNOTATION = json.dumps(make_annotation()).encode()


def fill(root: Path, *paths: str) -> Path:
    for path in paths:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(ANNOTATION if file.suffix == ".json" else make_jpeg())
    return root


class TestFolders:
    @pytest.mark.parametrize(
        ("annotations", "images"),
        [
            ("annos", "image"),
            ("annos", "images"),
            ("annots", "images"),
            ("val_annos", "val_images"),
            ("val_annos", "val_image"),
            ("val_annos", "val_imags"),
            ("val_annos", "images"),
            ("train_annos", "train_images"),
            ("train-annotations", "train-image"),
            ("annos_val", "images_val"),
        ],
    )
    @pytest.mark.parametrize("named", ["the annotations", "the folder around"])
    def test_all_the_names_that_splits_have_had(
        self, tmp_path: Path, annotations: str, images: str, named: str
    ) -> None:
        fill(tmp_path, f"{annotations}/000001.json", f"{images}/000001.jpg")
        source = tmp_path / annotations if named == "the annotations" else tmp_path
        (split,) = find_splits(source)
        assert [(r.image_id, r.width, r.height) for r in read_split(split)] == [(1, 100, 120)]
        assert split.reader.images is not None
        assert split.reader.images.path.name == images

    def test_the_name_of_the_split(self, tmp_path: Path) -> None:
        fill(
            tmp_path, "validation/annos/000001.json", "b/val_annos/000001.json", "mine/000001.json"
        )
        assert find_splits(tmp_path / "validation")[0].name == "validation"
        assert find_splits(tmp_path / "validation" / "annos")[0].name == "validation"
        assert find_splits(tmp_path / "b" / "val_annos")[0].name == "validation"
        assert find_splits(tmp_path / "mine")[0].name == "mine"
        for name, split in ("annos-val", "validation"), ("old-annos", "old-annos"):
            assert find_splits(fill(tmp_path, *numbered(name)) / name)[0].name == split

    def test_entries_are_sorted_and_droppings_left_out(self, tmp_path: Path) -> None:
        numbers = [10, 2, 33, 1]
        fill(
            tmp_path,
            *[f"annos/{n:06d}.json" for n in numbers],
            "annos/._000001.json",
            "annos/readme.txt",
        )
        (split,) = find_splits(tmp_path)
        assert [entry.stem for entry in split.entries] == ["000001", "000002", "000010", "000033"]

    def test_images_elsewhere(self, tmp_path: Path) -> None:
        fill(tmp_path, "here/annos/000001.json", "there/000001.jpg", "deep/image/000001.jpg")
        for place in ("there", "deep"):
            (split,) = find_splits(tmp_path / "here", tmp_path / place)
            assert [(r.width, r.height) for r in read_split(split)] == [(100, 120)]

    def test_several_splits_side_by_side(self, tmp_path: Path) -> None:
        fill(
            tmp_path,
            "train_annos/1.json",
            "train_images/1.jpg",
            "val_annos/1.json",
            "val_images/1.jpg",
        )
        assert [split.name for split in find_splits(tmp_path)] == ["train", "validation"]
        with pytest.raises(SourceError, match="--images goes with one split"):
            find_splits(tmp_path, tmp_path / "val_images")

    @pytest.mark.parametrize("path", ["nothing", "empty", "file.txt"])
    def test_nothing_to_read(self, tmp_path: Path, path: str) -> None:
        (tmp_path / "empty").mkdir()
        (tmp_path / "file.txt").write_text("no archive")
        with pytest.raises(SourceError, match=path):
            find_splits(tmp_path / path)


def numbered(*folders: str, suffix: str = "jpg") -> list[str]:
    """Annotation files and images 1 and 2 for pairs of folders."""
    return [
        f"{folder}/{number:06d}.{'json' if 'ann' in folder.rpartition('/')[2] else suffix}"
        for folder in folders
        for number in (1, 2)
    ]


SPLIT = [*numbered("annos", "image")]


def below(folder: str, paths: list[str] = SPLIT) -> list[str]:
    return [f"{folder}/{path}" for path in paths]


KAGGLE = [
    path for name in ("train", "validation")
    for path in below(f"DeepFashion2/deepfashion2_original_images/{name}")
] + [
    *numbered("DeepFashion2/deepfashion2_original_images/test/image"),
    "DeepFashion2/img_info_dataframes/train.csv",
    "DeepFashion2/json_for_validation/val_query.txt",
]  # fmt: skip

LAYOUTS: dict[str, tuple[list[str], str, list[tuple[str, str]]]] = {
    # what there is, the part of it that is SOURCE, the splits with the folder of their images
    "the mirror of Kaggle": (KAGGLE, "DeepFashion2/deepfashion2_original_images", [
        ("train", "train/image"), ("validation", "validation/image"), ("test", "test/image")]),
    "one level up": (KAGGLE, "DeepFashion2", [
        ("train", "train/image"), ("validation", "validation/image"), ("test", "test/image")]),
    "two levels up": (KAGGLE, "", [
        ("train", "train/image"), ("validation", "validation/image"), ("test", "test/image")]),
    "train/train/annos": (below("train/train"), "", [("train", "train/train/image")]),
    "train/train/annos from train": (below("train/train"), "train", [("train", "train/train/image")]),
    "annotations and images": (numbered("train/annotations", "train/images"), "train", [
        ("train", "train/images")]),
    "annotations in a root": (numbered("train/annotations", "train/images"), "", [
        ("train", "train/images")]),
    "all in one folder": (["train/1.json", "train/1.jpg"], "train", [("train", "train")]),
    "images around the annotations": (["train/annos/1.json", "train/1.jpg"], "train", [
        ("train", "train")]),
    "images around, annotations named": (["train/annos/1.json", "train/1.jpg"], "train/annos", [
        ("train", "train")]),
    "images below the annotations": (["train/1.json", "train/image/1.jpg"], "train", [
        ("train", "train/image")]),
    "other letter case": (["Train/Annos/1.json", "Train/Image/1.jpg"], "", [
        ("train", "Train/Image")]),
    "val": (below("val"), "", [("validation", "val/image")]),
    "names of downloads": (
        below("train-20240101T000000Z-001/train") + below("val (1)") + below("Copy of test"), "", [
            ("train", "train/image"), ("validation", "val (1)/image"),
            ("test", "Copy of test/image")]),
    "names that are no splits": (below("mine/one") + below("mine/two"), "", [
        ("one", "one/image"), ("two", "two/image")]),
    "odd name": (below("a; rm -rf~"), "a; rm -rf~", [("a_ rm -rf_", "a; rm -rf~/image")]),
    "prefixed": (numbered("val_annos", "val_images", "train_annos", "image"), "", [
        ("train", "image"), ("validation", "val_images")]),
    "no annotations": (numbered("test/image"), "", [("test", "test/image")]),
    "an image beside folders": (["a.jpg", *below("one/two")], "", [("two", "two/image")]),
}  # fmt: skip


class TestLayouts:
    @pytest.mark.parametrize(("paths", "source", "expected"), LAYOUTS.values(), ids=LAYOUTS)
    def test_in_folders(
        self, tmp_path: Path, paths: list[str], source: str, expected: list[tuple[str, str]]
    ) -> None:
        splits = find_splits(fill(tmp_path / "root", *paths) / source)
        assert [split.name for split in splits] == [name for name, _ in expected]
        for split, (_, images) in zip(splits, expected, strict=True):
            assert split.reader.images_label.endswith(f"/{images}")
            assert list(split.notices()) == []
            assert [record.width for record in read_split(split)] == [100] * len(split.entries)

    @pytest.mark.parametrize(
        "name", ["the mirror of Kaggle", "train/train/annos", "annotations and images", "prefixed",
                 "images around the annotations", "all in one folder"],
    )  # fmt: skip
    @pytest.mark.parametrize("separator", ["/", "\\"])
    def test_in_an_archive(self, tmp_path: Path, name: str, separator: str) -> None:
        paths, source, expected = LAYOUTS[name]
        with zipfile.ZipFile(tmp_path / "train.zip", "w") as target:
            for path in paths:
                if path.startswith(source):
                    content = ANNOTATION if path.endswith(".json") else make_jpeg()
                    target.writestr(path.replace("/", separator), content)
        splits = find_splits(tmp_path / "train.zip")
        assert {split.name for split in splits} == {name for name, _ in expected if name != "test"}
        for split in splits:
            assert len(list(read_split(split))) == len(split.entries)

    @pytest.mark.parametrize(
        ("annotations", "images"),
        [("annos/annos", "image"), ("annos", "image/image"), ("annos/annos", "image/image"),
         ("annos", "image/images"), ("val_annos/val_annos", "val_images/val_images")],
    )  # fmt: skip
    def test_unpacked_into_a_folder_of_the_same_name(
        self, tmp_path: Path, annotations: str, images: str
    ) -> None:
        source = fill(tmp_path / "validation", f"{annotations}/000001.json", f"{images}/000001.jpg")
        for each in (source, source / annotations.partition("/")[0]):
            (split,) = find_splits(each)
            assert split.name == "validation"
            assert [(r.width, r.height) for r in read_split(split)] == [(100, 120)]

    def test_splits_that_would_share_images_are_refused(self, tmp_path: Path) -> None:
        root = fill(tmp_path, *numbered("train_annos", "val_annos", "image"))
        for source in (root, root / "train_annos", root / "val_annos"):
            with pytest.raises(SourceError, match=r"image: may be the images of .*with --images"):
                find_splits(source)
        (split,) = find_splits(root / "train_annos", root / "image")
        assert split.name == "train"

    def test_two_folders_of_one_split_are_refused(self, tmp_path: Path) -> None:
        root = fill(tmp_path, *below("a/train"), *below("b/train"))
        with pytest.raises(SourceError, match="are both the split train"):
            find_splits(root)

    def test_images_named_by_the_root_of_all_splits(self, tmp_path: Path) -> None:
        fill(tmp_path, *numbered("a/val_annos", "b/val/image", "b/train/image"))
        (split,) = find_splits(tmp_path / "a/val_annos", tmp_path / "b")
        assert split.reader.images_label == f"{tmp_path}/b/val/image"

    def test_a_folder_of_annotations_without_any_is_no_test_split(self, tmp_path: Path) -> None:
        root = fill(tmp_path, *numbered("train/image"))
        (root / "train/annos").mkdir()
        with pytest.raises(SourceError, match=r"train/annos: no annotation files in this folder"):
            find_splits(root)
        pack(fill(tmp_path / "whole", *SPLIT), root / "train.zip")
        (split,) = find_splits(root)
        assert split.reader.annotations_label == f"{root}/train.zip/annos"

    @pytest.mark.parametrize("folder", ["..", "../..", "a/../../..", "C:", "a:b", ".", "~"])
    def test_names_of_splits_are_one_safe_part_of_a_path(self, tmp_path: Path, folder: str) -> None:
        with zipfile.ZipFile(tmp_path / "x.zip", "w") as target:
            target.writestr(f"{folder}/annos/000001.json", ANNOTATION)
        (split,) = find_splits(tmp_path / "x.zip")
        assert re.fullmatch(r"[\w][\w. -]*", split.name)


class TestKindsOfImages:
    @pytest.mark.parametrize(
        ("suffix", "kind"),
        [("JPG", "JPEG"), ("jpeg", "JPEG"), ("JPEG", "JPEG"), ("png", "PNG"), ("webp", "WEBP"),
         ("bmp", "BMP"), ("tif", "TIFF"), ("jpe", "JPEG"), ("jfif", "JPEG")],
    )  # fmt: skip
    @pytest.mark.parametrize("packed", [False, True])
    def test_found_with_their_real_names(
        self, tmp_path: Path, suffix: str, kind: str, packed: bool
    ) -> None:
        source = fill(tmp_path / "train", "annos/000001.json")
        (source / "image").mkdir()
        Image.new("RGB", (90, 80)).save(source / f"image/000001.{suffix}", kind)
        if packed:
            source = pack(source, tmp_path / "train.zip")
        (split,) = find_splits(source)
        (record,) = read_split(split)
        assert (record.file_name, record.width, record.height) == (f"000001.{suffix}", 90, 80)
        (bare,) = find_images(source if packed else source / "image").entries
        assert bare.file_name == f"000001.{suffix}"

    def test_the_name_is_in_the_output_and_in_messages(self, tmp_path: Path) -> None:
        source = fill(tmp_path / "train", *numbered("annos", "image", suffix="png"))
        convert(source, tmp_path / "out.json")
        images = json.loads((tmp_path / "out.json").read_bytes())["images"]
        assert [image["file_name"] for image in images] == ["000001.png", "000002.png"]
        (source / "image/000002.png").write_bytes(b"")
        with pytest.raises(ConversionError) as caught:
            convert(source, tmp_path / "out.json")
        assert caught.value.summaries[0].notices[0].file.endswith("image/000002.png")

    def test_of_two_of_one_name_one_is_taken_and_the_other_reported(self, tmp_path: Path) -> None:
        source = fill(tmp_path / "train", "annos/1.json", "image/1.png", "image/1.JPG")
        (split,) = find_splits(source)
        assert [entry.file_name for entry in split.entries] == ["1.JPG"]
        assert [str(notice) for notice in split.notices()] == [
            f"{source}/image/1.png: another image has the same name but for the suffix, and is taken. "
            "Remove one of the two."
        ]


class TestNothingIgnoredInSilence:
    def test_images_without_annotation_files(self, tmp_path: Path) -> None:
        paths = [f"image/{number:06d}.jpg" for number in range(1, 8)]
        source = fill(tmp_path / "train", "annos/000002.json", "annos/000004.json", *paths)
        (summary,) = convert(source, tmp_path / "out.json")
        assert summary.images == 2
        assert summary.notice_counts["image-without-annotations"] == 5
        first = summary.notices[0]
        assert str(first) == (
            f"{source}/image/000001.jpg: no annotation file, so the image is left out."
        )
        pack(source, tmp_path / "train.zip")
        (split,) = find_splits(tmp_path)
        assert f"{tmp_path}/train.zip may hold it" in next(split.notices()).text

    @pytest.mark.parametrize(
        "name", ["Train.zip", "TRAIN.ZIP", "train (1).zip", "Copy of train.zip", "train - Copy.zip",
                 "train-20240101T000000Z-001.zip", "train-20240101T000000Z-1-001.zip"],
    )  # fmt: skip
    def test_archives_with_the_names_of_downloads_are_read(self, tmp_path: Path, name: str) -> None:
        fill(tmp_path / "root", *below("validation"))
        pack(fill(tmp_path / "whole", *SPLIT), tmp_path / "root" / name)
        splits = find_splits(tmp_path / "root")
        assert [split.name for split in splits] == ["train", "validation"]
        assert [list(split.notices()) for split in splits] == [[], []]

    @pytest.mark.parametrize(
        ("names", "reported"),
        [
            (["test1.zip"], ["test1.zip: not read, since its name does not say which split"]),
            (["DeepFashion2.zip"], ["DeepFashion2.zip: not read, since its name"]),
            (["train.7z"], ["train.7z: not read. Only zip archives are"]),
            (["test.tar.gz", "test.z01"], ["test.tar.gz: not read.", "test.z01: not read."]),
            (["validation (1).zip"], ["validation (1).zip: not read, since validation is."]),
            (["val.zip"], ["val.zip: not read, since validation is."]),
            (
                ["train (1).zip", "Copy of train.zip"],
                [
                    "Copy of train.zip: not read: train (1).zip may be",
                    "train (1).zip: not read: Copy",
                ],
            ),
            (
                ["train-20240101T000000Z-001.zip", "train-20240101T000000Z-002.zip"],
                ["-001.zip: not read: train-", "-002.zip: not read: train-"],
            ),
            (["train-20240101T000000Z-002.zip"], ["-002.zip: not read: it is a part of train"]),
            (["train.zip.crdownload"], ["train.zip.crdownload: not read. Complete the download."]),
            (["test.zip.part", "a.part"], ["test.zip.part: not read. Complete the download."]),
            (["validation.zip", "backup.zip", "notes.txt", "trainer.txt", "value.zip"], []),
        ],
    )
    def test_archives_that_are_not_read_are_named(
        self, tmp_path: Path, names: list[str], reported: list[str]
    ) -> None:
        root = fill(tmp_path / "root", *below("validation"))
        for name in names:
            pack(root / "validation", root / name)
        (split,) = find_splits(root)
        found = [str(notice) for notice in split.notices()]
        assert len(found) == len(reported)
        assert all(part in line for part, line in zip(reported, found, strict=True)), found

    def test_a_link_has_its_own_name(self, tmp_path: Path) -> None:
        root = fill(tmp_path / "root", *below("validation"))
        (fill(tmp_path / "disk", *below("part1")) / "images_1").mkdir()
        (root / "train").symlink_to(tmp_path / "disk" / "part1")
        assert [split.name for split in find_splits(root)] == ["train", "validation"]

    def test_annotations_and_images_behind_links(self, tmp_path: Path) -> None:
        disk = fill(tmp_path / "disk", *below("a"), *below("b"))
        (tmp_path / "train").mkdir()
        (tmp_path / "train" / "annos").symlink_to(disk / "a" / "annos")
        (tmp_path / "train" / "image").symlink_to(disk / "b" / "image")
        (split,) = find_splits(tmp_path / "train")
        assert (split.name, split.reader.images_label) == ("train", f"{tmp_path}/train/image")

    def test_images_beside_what_a_link_leads_to(self, tmp_path: Path) -> None:
        disk = fill(tmp_path / "disk", *below("a"))
        (tmp_path / "val_annos").symlink_to(disk / "a" / "annos")
        (split,) = find_splits(tmp_path / "val_annos")
        assert (split.name, split.reader.images_label) == ("validation", f"{disk}/a/image")

    @pytest.mark.parametrize(
        ("folder", "archive", "reported"),
        [
            (["annos/1.json", "image/1.jpg"], SPLIT, ["it has 2 annotation files and {}/annos has 1."]),
            (["annos/1.json"], SPLIT, ["it has 2 annotation files and {}/annos has 1."]),
            (SPLIT, SPLIT, []),
            ([*SPLIT, "annos/000003.json"], SPLIT, []),
            (SPLIT, [*SPLIT, "__MACOSX/annos/._000001.json", "image/000003.jpg", "readme.txt"], []),
        ],
    )  # fmt: skip
    def test_a_folder_with_fewer_files_than_its_archive(
        self, tmp_path: Path, folder: list[str], archive: list[str], reported: list[str]
    ) -> None:
        root = fill(tmp_path / "root", *below("train", folder))
        pack(fill(tmp_path / "whole", *archive), root / "train.zip")
        (split,) = find_splits(root)
        found = [notice for notice in split.notices() if notice.code == "not-read"]
        assert [notice.file for notice in found] == [f"{root}/train.zip"] * len(reported)
        for notice, words in zip(found, reported, strict=True):
            assert words.format(f"{root}/train") in notice.text

    def test_of_two_annotation_files_of_one_name_one_is_taken(self, tmp_path: Path) -> None:
        # In an archive, since not every disk can hold both.
        source = pack(fill(tmp_path / "train", *SPLIT), tmp_path / "train.zip")
        with zipfile.ZipFile(source, "a") as stream:
            stream.writestr("annos/000001.JSON", b"{")
            stream.writestr("annos/000003.JSON", ANNOTATION)
        (split,) = find_splits(source)
        assert [entry.stem for entry in split.entries] == ["000001", "000002", "000003"]
        assert next(read_split(split)).items
        notices = [n for n in split.notices() if n.code == "annotation-double"]
        assert [notice.file for notice in notices] == [f"{tmp_path}/train.zip/annos/000001.JSON"]

    def test_splits_of_which_a_part_is_missing(self, tmp_path: Path) -> None:
        root = fill(tmp_path, *below("train"), *numbered("validation/image", "test/image"))
        assert [notice.code for split in find_splits(root) for notice in split.notices()] == [
            "split-without-annotations"
        ]
        assert not list(find_images(root / "validation").notices())  # as was asked for
        shutil.rmtree(root / "validation")
        (root / "validation" / "annos").mkdir(parents=True)
        split, _ = find_splits(root)
        (notice,) = split.notices()
        assert str(notice).startswith(f"{root}/validation: not read: no annotation files and no")

    def test_archives_in_an_archive(self, tmp_path: Path) -> None:
        whole = fill(tmp_path / "whole", *below("train"), "train/readme.txt")
        for name in ("validation.zip", "test.tar.gz", "zip"):
            (whole / name).write_bytes(b"x")
        pack(whole, tmp_path / "all.zip")
        (split,) = find_splits(tmp_path / "all.zip")
        assert [notice.file for notice in split.notices()] == [
            f"{tmp_path}/all.zip/test.tar.gz",
            f"{tmp_path}/all.zip/validation.zip",
        ]

    @pytest.mark.parametrize(
        ("images", "says"),
        [
            (
                "image/user/000001.jpg image/shop/000002.jpg",
                "Photos lie in {0}/shop, {0}/user: put all into one folder, or name the one that has all",
            ),
            ("image/part/000001.jpg image/notes.txt", "images, which may be in {0}/part, with"),
            ("image/notes.txt", "Name the images with --images."),
            ("image/000001.jpg", ""),  # one of them is there: the other is missing by itself
            ("image/all/000001.jpg image/all/000002.jpg", ""),
        ],
    )
    def test_a_folder_without_any_of_the_photos_is_one_line(
        self, tmp_path: Path, images: str, says: str
    ) -> None:
        source = fill(tmp_path / "train", *numbered("annos"), "annos/000002.json", *images.split())
        (split,) = find_splits(source)
        if not says:
            return split.check_photos()
        with pytest.raises(SourceError) as caught:
            convert(source, tmp_path / "out.json", on_error="skip")
        text = f"{source}/image: has none of the 2 photos of {source}/annos. "
        assert str(caught.value).startswith(text)
        assert says.format(f"{source}/image") in str(caught.value)

    def test_the_right_folder_is_named_where_the_wrong_one_was_given(self, tmp_path: Path) -> None:
        root = fill(tmp_path, *below("train"), "other/000009.jpg")
        with pytest.raises(SourceError, match=r"has none of the 2 photos.*may be in .*train/image"):
            convert(root / "train/annos", tmp_path / "out.json", images=root / "other")

    @pytest.mark.parametrize(
        ("annotations", "images", "other"),
        [
            ("validation/annos", "train/image", "train"),
            ("val_annos", "train_images", "train"),
            ("val/annos", "train.zip", "train"),
            ("val/annos", "train2017", "train"),
            ("val/annos", "validation/image", None),
            ("val/annos", "photos", None),
            ("mine/annos", "train/image", None),
            ("train/val_annos", "train/image", None),
        ],
    )
    def test_photos_of_another_split_by_their_names(
        self, tmp_path: Path, annotations: str, images: str, other: str | None
    ) -> None:
        root = fill(tmp_path, *numbered(annotations, images.replace(".zip", "/image")))
        if images.endswith(".zip"):
            pack(root / "train", root / images)
        (split,) = find_splits(root / annotations, root / images)
        notices = [notice for notice in split.notices() if notice.code == "other-photos"]
        assert split.photos_of == other
        assert [f"the photos of {other}" in notice.text for notice in notices] == [True] * len(
            notices
        )
        assert len(notices) == (other is not None)

    def test_photos_nearby_that_are_not_clear_are_named(self, tmp_path: Path) -> None:
        root = fill(tmp_path, *below("train"))
        fill(root, "train/annos/000009.json")
        (root / "train/image").rename(root / "train/photos")
        (summary,) = convert(root / "train", tmp_path / "out.json")
        (notice,) = summary.notices
        assert notice.code == "no-images"
        assert notice.text.endswith(f"may be in {root}/train/photos, with --images.")

    @pytest.mark.parametrize(
        ("annotations", "photos", "named"),
        [
            ("train/annos", ["train/my photos/000001.jpg"], ["train/my photos"]),
            ("train/annos", ["train/raw/image/000002.jpg"], ["train/raw/image"]),
            ("train/annos", ["train/stuff.zip!000001.jpg"], ["train/stuff.zip"]),
            ("train/annos", ["train/a/000001.jpg", "train/b/000002.jpg"], ["train/a", "train/b"]),
            ("annos/train", ["shots/train/000001.jpg"], ["shots/train"]),
            ("val_annos", ["val shots/000001.jpg"], ["val shots"]),
            ("train_annos", ["val_images/000001.jpg"], []),
            ("train_annos", ["val_images.zip!image/000001.jpg"], []),
            ("train/annos", ["train/masks/000001.png"], []),  # no photos
            ("train/annos", ["train/other/000009.jpg"], []),  # not its numbers
            ("val/annos", ["val/train/000001.jpg"], []),  # another split's
            ("train/annos", ["train/.cache/000001.jpg"], []),
        ],
    )
    def test_photos_under_any_name_are_named_and_not_taken(
        self, tmp_path: Path, annotations: str, photos: list[str], named: list[str]
    ) -> None:
        # Two folders below what other tests write: photos one folder up are named, too.
        root = tmp_path / "data/here"
        root.mkdir(parents=True)
        fill(root, *(f"{annotations}/00000{number}.json" for number in (1, 2)))
        for path in photos:
            archive, inside, member = path.rpartition("!")
            if inside:
                with zipfile.ZipFile(root / archive, "w") as target:
                    target.writestr(member, make_jpeg())
            else:
                fill(root, path)
        (split,) = find_splits(root / annotations)
        assert split.reader.images is None
        assert split.near == [f"{root}/{name}" for name in named]
        (summary,) = convert(root / annotations, tmp_path / "out.json")
        assert [notice.code for notice in summary.notices] == ["no-images"]
        assert all(f"{root}/{name}" in summary.notices[0].text for name in named)

    @pytest.mark.parametrize(
        ("paths", "unread"),
        [
            (["train/annos", "train/image", "train/images"], ["train/images"]),
            (["train_annos", "train_images", "test_images"], ["test_images"]),
            (["train/annos", "train/image", "train/pictures"], []),
            (["train_annos", "train_images", "val_annos", "val_images"], []),
            (["train-annos", "train-images", "annos_val", "images val"], []),
        ],
    )
    def test_photos_beside_that_are_not_taken_are_named(
        self, tmp_path: Path, paths: list[str], unread: list[str]
    ) -> None:
        splits = find_splits(fill(tmp_path, *numbered(*paths)))
        told = [notice for split in splits for notice in split.notices()]
        assert [notice.file for notice in told] == [f"{tmp_path}/{path}" for path in unread]
        assert all(notice.text.endswith("with --images, to read it.") for notice in told)

    def test_an_empty_folder_for_annotations_does_not_stop_the_other_splits(
        self, tmp_path: Path
    ) -> None:
        root = fill(tmp_path, *below("train"), *numbered("validation/image"))
        (root / "validation/annos").mkdir()
        (split,) = find_splits(root)
        (notice,) = split.notices()
        assert str(notice).startswith(f"{root}/validation/annos: not read: no annotation files in")
        with pytest.raises(
            SourceError, match="validation/annos: no annotation files in this folder"
        ):
            find_splits(root / "validation")

    @pytest.mark.parametrize(
        ("archive", "name"), [("train/annos.zip", "train"), ("mine/annos.zip", "annos")]
    )
    def test_an_archive_of_annotations_in_a_splits_folder(
        self, tmp_path: Path, archive: str, name: str
    ) -> None:
        fill(tmp_path / "whole", *numbered("annos"))
        (tmp_path / archive).parent.mkdir()
        pack(tmp_path / "whole/annos", tmp_path / archive)
        assert [split.name for split in find_splits((tmp_path / archive).parent)] == [name]

    def test_an_archive_is_opened_once(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        root = fill(tmp_path, *numbered("train/annos"))
        pack(fill(tmp_path / "whole", *numbered("x/image")), root / "train.zip")
        opened: list[str] = []
        real = zipfile.ZipFile.__init__

        def count(self: zipfile.ZipFile, file: Path) -> None:
            opened.append(file.name)
            real(self, file)

        monkeypatch.setattr(zipfile.ZipFile, "__init__", count)
        find_splits(root)
        assert opened == ["train.zip"]

    @pytest.mark.posix
    def test_names_that_are_not_utf_8(self, tmp_path: Path) -> None:
        """Linux allows any bytes; messages and reports show what cannot be printed."""
        try:
            folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
            root = fill(folder, *SPLIT, "annos/x.json")
            (root / "annos/x.json").rename(root / os.fsdecode(b"annos/\xff.json"))
        except OSError:
            pytest.skip("the disk allows no such names")
        (split,) = find_splits(folder)
        assert split.name == "caf_"
        out, report = tmp_path / "out.json", tmp_path / "report.json"
        (summary,) = convert(folder, out, on_error="skip", report=report)
        assert (summary.images, summary.items) == (2, 2)
        (notice,) = json.loads(report.read_text())[0]["notices"]
        assert notice["file"] == f"{tmp_path}/caf\\xe9/annos/\\xff.json"
        with pytest.raises(ConversionError) as caught:
            convert(folder, out)
        assert "1 annotation file cannot be used" in str(caught.value)
        assert str(caught.value).isprintable()

    def test_photos_in_an_archive_that_needs_a_password_are_named(self, tmp_path: Path) -> None:
        root = fill(tmp_path, *numbered("train/annos"))
        members = [(f"train/image/{name}.jpg", make_jpeg()) for name in ("000001", "000002")]
        write_encrypted_zip(root / "train.zip", members, password="right")
        (split,) = find_splits(root)
        assert split.reader.images is None
        assert split.near == [f"{root}/train.zip/train/image"]
        (split,) = find_splits(root, password="right")
        assert split.reader.images is not None

    def test_annotations_under_other_names_are_known_by_what_they_are(self, tmp_path: Path) -> None:
        root = fill(tmp_path / "train", "labels/000001.json", "images/000001.jpg")
        (split,) = find_splits(root)
        assert (split.name, split.label) == ("train", f"{root}/labels")
        (root / "labels/000001.json").write_text('{"shapes": []}')
        (split,) = find_splits(root)
        assert split.reader.annotations is None

    @pytest.mark.posix
    def test_of_folders_that_differ_in_letter_case_the_exact_one_is_read(
        self, tmp_path: Path
    ) -> None:
        root = fill(tmp_path, *below("train"), *below("TRAIN"), "train/Image/000001.jpg")
        if (root / "Train").exists():
            pytest.skip("the disk ignores letter case")
        (split,) = find_splits(root)
        assert (split.label, split.reader.images_label) == (
            f"{root}/train/annos",
            f"{root}/train/image",
        )
        assert [str(notice) for notice in split.notices()] == [
            f"{root}/train/Image: not read, since {root}/train/image is. Name it as SOURCE, or with --images, "
            "to read it.",
            f"{root}/TRAIN: not read, since train is.",
        ]

    @pytest.mark.parametrize(
        ("files", "says"),
        [
            ("Anno/list_bbox.txt Img/a.txt Eval/b.txt", "this is DeepFashion, the dataset before"),
            ("data/train-0.parquet README.md", "data/train-0.parquet is a table, as Hugging Face"),
            ("default/train/0000.parquet", "default/train/0000.parquet is a table"),
            ("train/data-0.arrow train/state.txt", "train/data-0.arrow is a table"),
            ("data.yaml labels/train/1.txt", "a dataset in the form of YOLO"),
            (
                "Benchmark/Anno/list_attr.txt Benchmark/Img/a.txt",
                "this is DeepFashion, the dataset b",
            ),
            ("Anno_coarse/list_category.txt", "this is DeepFashion, the dataset before"),
            ("data/notes.txt Img/a.txt", "no annotation files found"),
            ("Anno/notes.txt", "no annotation files "),
        ],
    )
    def test_other_datasets_and_forms_are_named(
        self, tmp_path: Path, files: str, says: str
    ) -> None:
        with pytest.raises(SourceError, match=says):
            find_splits(fill(tmp_path, *files.split()))

    def test_an_empty_label_of_yolo_says_nothing(self, tmp_path: Path) -> None:
        root = fill(tmp_path, "labels/train/1.txt", "labels/train/2.txt", "images/train/1.jpg")
        (root / "labels/train/1.txt").write_text("")
        (root / "labels/train/2.txt").write_text("0 0.5 0.5 0.25 0.25")
        with pytest.raises(SourceError, match="a dataset in the form of YOLO"):
            find_splits(root)

    def test_an_archive_of_any_name_is_named(self, tmp_path: Path) -> None:
        pack(fill(tmp_path / "root/x/train", *SPLIT), tmp_path / "root/archive.zip")
        shutil.rmtree(tmp_path / "root/x")
        with pytest.raises(
            SourceError, match=r"archive\.zip: not read\. Name it as SOURCE if it is"
        ):
            find_splits(tmp_path / "root")
        assert [split.name for split in find_splits(tmp_path / "root/archive.zip")] == ["archive"]

    @pytest.mark.parametrize(
        ("labels", "text", "is_yolo"),
        [
            ("train/labels", "0 0.5 0.5 0.25 0.25\n", True),
            ("labels/train", "12 0.1 0.1 0.2 0.1 0.2 0.2 1e-3 0.2", True),
            ("train", "0 0.5 0.5 0.25 0.25", True),
            ("train/labels", "000001.jpg 3 0.5", False),
            ("train/labels", "0 0.5 0.5", False),
        ],
    )
    def test_labels_of_yolo_are_known_by_what_they_are(
        self, tmp_path: Path, labels: str, text: str, is_yolo: bool
    ) -> None:
        root = fill(tmp_path, *numbered("train/images"), f"{labels}/000001.txt")
        (root / labels / "000001.txt").write_text(text)
        if is_yolo:
            with pytest.raises(SourceError, match="a dataset in the form of YOLO"):
                find_splits(root)
        else:
            assert find_splits(root)[0].reader.annotations is None
        fill(root, *numbered("train/annos"))
        assert find_splits(root)[0].reader.annotations is not None

    def test_one_file_of_a_whole_split_is_a_fault_of_the_layout(self, tmp_path: Path) -> None:
        (tmp_path / "annos").mkdir()
        (tmp_path / "annos/train.json").write_text(json.dumps([make_annotation()] * 2))
        with pytest.raises(
            SourceError, match=r"train\.json: not read: this is one JSON file for many"
        ):
            find_splits(tmp_path)
        (tmp_path / "annos/train.json").write_bytes(ANNOTATION)  # of one image, wrongly named
        (split,) = find_splits(tmp_path)
        assert [entry.stem for entry in split.entries] == ["train"]

    def test_image_info_names_the_folder_of_the_test_split(self, tmp_path: Path) -> None:
        root = fill(tmp_path / "root", *below("train"), "test/image/000001.jpg")
        with pytest.raises(SourceError, match=r"no images found.*, as test/image\.$"):
            image_info(root, tmp_path / "out.json")
        assert image_info(root / "test/image", tmp_path / "out.json").images == 1
        (root / "test").rename(root / "test_images")
        with pytest.raises(SourceError, match=r"no images found.*, as test_images\.$"):
            image_info(root, tmp_path / "out.json")

    def test_the_remedy_of_a_tar_is_printed_once(self, tmp_path: Path) -> None:
        with tarfile.open(tmp_path / "train.tar", "w") as target:
            target.add(fill(tmp_path / "x", "a.txt"), "train")
        with pytest.raises(SourceError) as caught:
            find_splits(tmp_path)
        assert str(caught.value).lower().count("unpack it") == 1

    def test_archives_beside_the_annotations(self, tmp_path: Path) -> None:
        root = fill(tmp_path, *numbered("val_annos", "val_images"), *below("train"))
        (split,) = find_splits(root)
        assert [notice.code for notice in split.notices()] == ["not-read"]

    def test_what_there_is_is_named_when_there_are_no_annotations(self, tmp_path: Path) -> None:
        (tmp_path / "train.tar").write_bytes(b"x")
        (tmp_path / "instances_train.json").write_bytes(b'{"images": [], "annotations": []}')
        with pytest.raises(SourceError) as caught:
            find_splits(tmp_path)
        assert "train.tar: not read. Only zip archives are" in str(caught.value)
        assert "instances_train.json is a COCO file already" in str(caught.value)

    def test_a_folder_of_coco_files_is_no_folder_of_annotation_files(self, tmp_path: Path) -> None:
        fill(tmp_path, "val2017/000001.jpg")
        (tmp_path / "annotations").mkdir()
        (tmp_path / "annotations/instances_val2017.json").write_bytes(b'{"images": [], "x": 1}')
        with pytest.raises(SourceError, match="a COCO file already"):
            find_splits(tmp_path)


def pack(folder: Path, path: Path, *, prefix: str = "", password: str | None = None) -> Path:
    """A zip of all files in a folder, deflated, encrypted if there is a password."""
    members = [
        (f"{prefix}{file.relative_to(folder).as_posix()}", file.read_bytes())
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    ]
    if password is not None:
        write_encrypted_zip(path, members, password, method=zipfile.ZIP_DEFLATED)
        return path
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name, data in members:
            target.writestr(name, data)
    return path


class TestArchives:
    @pytest.fixture
    def expected(self, validation: Path, tmp_path: Path) -> bytes:
        convert(validation, tmp_path / "folder.json")
        return (tmp_path / "folder.json").read_bytes()

    @pytest.mark.slow
    @pytest.mark.parametrize("prefix", ["", "validation/", "deepfashion2/validation/"])
    @pytest.mark.parametrize("password", [None, "correct horse"])
    @pytest.mark.parametrize("workers", [1, 2])
    def test_the_same_bytes_as_from_the_folder(
        self,
        validation: Path,
        tmp_path: Path,
        expected: bytes,
        prefix: str,
        password: str | None,
        workers: int,
    ) -> None:
        source = pack(validation, tmp_path / "validation.zip", prefix=prefix, password=password)
        convert(source, tmp_path / "zip.json", password=password, workers=workers)
        assert (tmp_path / "zip.json").read_bytes() == expected

    @pytest.mark.slow
    def test_with_the_decryption_of_the_standard_library(
        self, validation: Path, tmp_path: Path, expected: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(files, "_decrypter", zipfile._ZipDecrypter)  # type: ignore[attr-defined]
        source = pack(validation, tmp_path / "validation.zip", password="secret")
        convert(source, tmp_path / "zip.json", password="secret")
        assert (tmp_path / "zip.json").read_bytes() == expected

    @pytest.mark.slow
    def test_members_written_as_to_a_pipe(
        self, validation: Path, tmp_path: Path, expected: bytes
    ) -> None:
        members = [
            (str(p.relative_to(validation)), p.read_bytes())
            for p in validation.rglob("*")
            if p.is_file()
        ]
        write_encrypted_zip(tmp_path / "v.zip", members, "secret", streamed=True)
        convert(tmp_path / "v.zip", tmp_path / "zip.json", password="secret")
        assert (tmp_path / "zip.json").read_bytes() == expected

    @pytest.mark.parametrize(
        ("members", "stem"),
        [
            (["image/a.jpg", "photos/000001.jpg"], "a"),
            (["photos/000001.jpg", "other/a.jpg"], "000001"),
            (["photos/a.jpg"], "a"),
        ],
    )
    def test_images_alone_in_a_zip(self, tmp_path: Path, members: list[str], stem: str) -> None:
        photos = pack(fill(tmp_path / "photos", *members), tmp_path / "photos.zip")
        (split,) = find_splits(photos)
        assert [entry.stem for entry in split.entries] == [stem]

    @pytest.mark.parametrize(
        ("members", "found"),
        [
            (["a/000001.jpg", "b/000001.jpg"], "{0}/photos.zip/a, {0}/photos.zip/b"),
            (["annos/000001.json"], "none"),
        ],
    )
    def test_a_zip_of_images_has_one_folder_of_them(
        self, tmp_path: Path, members: list[str], found: str
    ) -> None:
        source = fill(tmp_path / "source", *numbered("annos"))
        photos = pack(fill(tmp_path / "photos", *members), tmp_path / "photos.zip")
        with pytest.raises(SourceError) as caught:
            find_splits(source, photos)
        expected = (
            f"expected one folder of images in the archive, found {found.format(tmp_path)}. Unpack"
        )
        assert str(caught.value).startswith(f"{photos}: {expected}")

    @pytest.mark.parametrize("layout", ["zip and zip", "zip and folder", "folder and zip"])
    @pytest.mark.parametrize("named", [True, False])
    def test_annotations_and_images_apart(
        self, validation: Path, tmp_path: Path, expected: bytes, layout: str, named: bool
    ) -> None:
        annotations, images = layout.split(" and ")
        for kind, inside, name in (
            (annotations, "annos", "val_annos"),
            (images, "image", "val_images"),
        ):
            if kind == "zip":
                pack(validation / inside, tmp_path / f"{name}.zip")
            else:
                copy_tree(validation / inside, tmp_path / name)
        suffix = {"zip": ".zip", "folder": ""}
        where = tmp_path / f"val_images{suffix[images]}"
        convert(
            tmp_path / f"val_annos{suffix[annotations]}",
            tmp_path / "out.json",
            images=where if named else None,
        )
        assert (tmp_path / "out.json").read_bytes() == expected

    def test_macos_droppings_are_left_out(
        self, validation: Path, tmp_path: Path, expected: bytes
    ) -> None:
        source = pack(validation, tmp_path / "validation.zip")
        with zipfile.ZipFile(source, "a") as target:
            target.writestr("__MACOSX/annos/000001.json", b"junk")
            target.writestr("annos/._000001.json", b"junk")
            target.writestr("annos/.DS_Store", b"junk")
        convert(source, tmp_path / "zip.json")
        assert (tmp_path / "zip.json").read_bytes() == expected

    def test_photos_unpacked_beside_the_archive_do_not_hide_its_annotations(
        self, validation: Path, tmp_path: Path
    ) -> None:
        root = tmp_path / "root"
        copy_tree(validation / "image", root / "train" / "image")
        pack(validation, root / "train.zip", prefix="train/")
        (summary,) = convert(root, tmp_path / "out")
        assert summary.outputs[0].name == "instances_train.json"
        assert summary.items == 40

    def test_an_archive_encrypted_with_aes_is_told(self, validation: Path, tmp_path: Path) -> None:
        path = pack(validation / "annos", tmp_path / "annos.zip")
        data = bytearray(path.read_bytes())
        for start in [match.start() for match in re.finditer(b"PK\x01\x02", data)]:
            data[start + 10 : start + 12] = (99).to_bytes(2, "little")  # as WinZip marks them
        path.write_bytes(data)
        with pytest.raises(SourceError, match=r"annos\.zip: encrypted with AES.*with 7z x\.$"):
            convert(path, tmp_path / "o.json", images=validation / "image")

    def test_an_archive_that_ends_too_early_while_it_is_read(
        self, validation: Path, tmp_path: Path
    ) -> None:
        (split,) = find_splits(pack(validation, tmp_path / "validation.zip"))
        os.truncate(tmp_path / "validation.zip", 10)
        with pytest.raises(SourceError, match=r"damaged in validation\.zip \(it ends too early\)"):
            list(read_split(split))

    def test_members_that_stand_twice_and_archives_that_were_joined(self, tmp_path: Path) -> None:
        path = pack(fill(tmp_path / "train", *SPLIT), tmp_path / "train.zip")
        good = path.read_bytes()
        assert not list(find_splits(path)[0].notices())
        path.write_bytes(good + good)
        (notice,) = find_splits(path)[0].notices()
        assert str(notice) == f"{path}: {JOINED}"
        path.write_bytes(b"#!/bin/sh\n" + good)  # one that unpacks itself
        assert not list(find_splits(path)[0].notices())
        path.write_bytes(good)
        with zipfile.ZipFile(path, "a") as stream, pytest.warns(UserWarning, match="Duplicate"):
            stream.writestr("annos/000001.json", ANNOTATION)
        (notice,) = find_splits(path)[0].notices()
        assert "annos/000001.json is in it twice: the last is read" in str(notice)

    def test_copies_of_files_are_not_read(self, tmp_path: Path) -> None:
        names = ("annos/000001 (1).json", "image/000001 - Copy.jpg", "annos/000009 (1).json")
        root = fill(tmp_path / "train", *SPLIT, *names)
        (split,) = find_splits(root)
        copies = [notice for notice in split.notices() if "a copy of another" in notice.text]
        assert [notice.file for notice in copies] == [f"{root}/{name}" for name in names[:2]]
        assert "000009 (1)" in [entry.stem for entry in split.entries]  # a copy of nothing

    def test_a_dataset_root_of_archives(self, validation: Path, tmp_path: Path) -> None:
        root = tmp_path / "root"
        root.mkdir()
        pack(validation, root / "validation.zip", prefix="validation/")
        pack(validation / "image", root / "test.zip", prefix="test/image/")
        summaries = convert(root, tmp_path / "out")
        assert [(s.split, s.images, s.items) for s in summaries] == [
            ("validation", 21, 40),
            ("test", 21, 0),
        ]

    @pytest.mark.slow
    @pytest.mark.parametrize("password", [None, "wrong"])
    def test_a_missing_or_wrong_password(
        self, validation: Path, tmp_path: Path, password: str | None
    ) -> None:
        source = pack(validation, tmp_path / "validation.zip", password="secret")
        with pytest.raises(PasswordError, match=r"validation\.zip: the"):
            convert(source, tmp_path / "o.json", password=password)
        assert not (tmp_path / "o.json").exists()

    @pytest.mark.slow
    def test_the_one_wrong_password_in_256_that_passes_the_check_byte(
        self, validation: Path, tmp_path: Path
    ) -> None:
        source = pack(validation, tmp_path / "validation.zip", password="secret")
        for number in range(600):
            with pytest.raises(PasswordError):
                convert(source, tmp_path / "o.json", password=f"wrong {number}")

    @pytest.mark.parametrize(
        ("damage", "message"),
        [
            (
                lambda data: data[: len(data) // 2],
                "its end is missing: the download is not complete",
            ),
            (lambda data: data[: len(data) // 2].ljust(len(data), b"\0"), "its end is missing"),
            (lambda data: data[: len(data) // 2].ljust(1 << 18, b"\0"), "its end is missing"),
            (lambda data: data[:-2], "its end is missing"),
            (lambda data: data.replace(b"PK\x01\x02", b"PK\x01\x03"), "not a readable zip archive"),
            (lambda _: b"", "the file is empty. Download it again."),
            (
                lambda data: data.replace(b"PK\x03\x04", b"PK\x03\x05", 1),
                "no member where the directory says",
            ),
        ],
        ids=["half", "zeros", "more zeros", "but for two bytes", "directory", "empty", "no header"],
    )
    def test_a_damaged_archive(
        self, validation: Path, tmp_path: Path, damage: Callable[[bytes], bytes], message: str
    ) -> None:
        source = pack(validation, tmp_path / "validation.zip")
        source.write_bytes(damage(source.read_bytes()))
        with pytest.raises(SourceError) as caught:
            convert(source, tmp_path / "o.json")
        told = [str(caught.value)]
        if isinstance(caught.value, ConversionError):
            told = [str(notice) for notice in caught.value.summaries[0].notices]
        assert any(message in line for line in told)

    def test_damaged_members_are_told_by_name(self, validation: Path, tmp_path: Path) -> None:
        source = tmp_path / "validation.zip"
        with zipfile.ZipFile(source, "w") as target:
            for file in sorted(validation.rglob("*.json")):
                target.writestr(f"annos/{file.name}", file.read_bytes())
            target.writestr("image/000001.jpg", make_jpeg())
        raw = bytearray(source.read_bytes())
        position = raw.index(b"segmentation")
        raw[position] ^= 1
        source.write_bytes(raw)
        with pytest.raises(ConversionError) as caught:
            convert(source, tmp_path / "o.json")
        first = next(n for n in caught.value.summaries[0].notices if n.code == "bad-file")
        assert first.file.endswith("validation.zip/annos/000001.json")
        assert "wrong checksum" in first.text

    def test_other_methods_are_told(self, tmp_path: Path) -> None:
        source = tmp_path / "validation.zip"
        with zipfile.ZipFile(source, "w", zipfile.ZIP_BZIP2) as target:
            target.writestr("annos/000001.json", ANNOTATION)
        with pytest.raises(ConversionError) as caught:
            convert(source, tmp_path / "o.json")
        assert "method 12 is not supported" in caught.value.summaries[0].notices[-1].text

    @pytest.mark.slow
    def test_more_members_than_the_old_format_holds(self, tmp_path: Path) -> None:
        source = tmp_path / "train.zip"
        with zipfile.ZipFile(source, "w") as target:
            for number in range(1, 66_001):
                target.writestr(f"train/annos/{number:06d}.json", b"")
        (split,) = find_splits(source)
        assert len(split.entries) == 66_000
