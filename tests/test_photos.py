"""Where the photos are: which one a `file_name` means, and where those of a COCO file lie."""

from __future__ import annotations

import os
import pickle
import unicodedata
import zipfile
from pathlib import Path

import pytest

from df2coco.errors import ImageError, PasswordError, SourceError
from df2coco.parser.photos import Pictures, find_photos
from tests.samples import make_jpeg
from tests.zipcrypto import write_encrypted_zip

NFC = unicodedata.normalize("NFC", "caf\u00e9.jpg")
NFD = unicodedata.normalize("NFD", NFC)

# What is there, the part of it that is named, a file_name, and the picture that it means.
CASES = [
    (["000001.jpg"], "", "000001.jpg", "000001.jpg"),
    (["000001.png", "000001.jpg"], "", "000001.png", "000001.png"),
    (["000001.JPG"], "", "000001.JPG", "000001.JPG"),
    (["000001.JPG"], "", "000001.jpg", None),
    (["000001.jpg"], "", "000001.png", None),
    (["a/1.jpg", "b/1.jpg"], "", "b/1.jpg", "b/1.jpg"),
    (["a/1.jpg", "b/1.jpg"], "", "c/1.jpg", None),
    (["a/1.jpg", "b/1.jpg"], "", "1.jpg", None),
    (["1.jpg"], "", "nowhere/1.jpg", None),
    (["image/1.jpg"], "", "nowhere/1.jpg", None),
    # one folder deeper
    (["image/1.jpg"], "", "1.jpg", "image/1.jpg"),
    (["images/1.jpg"], "", "1.jpg", "images/1.jpg"),
    (["image/1.jpg", "1.jpg"], "", "1.jpg", "1.jpg"),
    (["image/a/1.jpg"], "", "a/1.jpg", "image/a/1.jpg"),
    (["train/image/1.jpg"], "", "train/1.jpg", "train/image/1.jpg"),
    (["train/image/1.jpg", "validation/image/1.jpg"], "", "validation/image/1.jpg",
     "validation/image/1.jpg"),
    (["train/image/1.jpg", "validation/image/1.jpg"], "", "test/image/1.jpg", None),
    # the folder's own names before it
    (["train/1.jpg"], "train", "train/1.jpg", "1.jpg"),
    (["train/1.jpg"], "train", "validation/1.jpg", None),
    (["train/image/1.jpg"], "train", "train/1.jpg", "image/1.jpg"),
    (["train/image/1.jpg"], "train/image", "train/image/1.jpg", "1.jpg"),
    (["train/image/1.jpg"], "train/image", "image/1.jpg", "1.jpg"),
    (["train/image/1.jpg"], "train/image", "validation/image/1.jpg", None),
    (["train/image/1.jpg"], "train/image", "train/1.jpg", None),
    # odd names
    (["a/1.jpg"], "", "./a//1.jpg", "a/1.jpg"),
    (["a/1.jpg"], "", "a\\1.jpg", None),
    (["a/1.jpg"], "", "b/../a/1.jpg", None),
    (["a/1.jpg"], "", "a/1.jpg/", None),
    (["a/1.jpg"], "", "A/1.jpg", None),
    (["1.jpg"], "", "", None),
    (["1.jpg"], "", None, None),
    (["1.jpg"], "", "http://example.org/1.jpg", None),
    ([NFC], "", NFC, NFC),
    ([NFD], "", NFC, None),
]  # fmt: skip


def fill(root: Path, names: list[str]) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(make_jpeg())
    return root


def found(pictures: Pictures, file_name: object) -> str | None:
    picture = pictures.find(file_name)
    return None if picture is None else picture.name


@pytest.mark.parametrize(("there", "named", "file_name", "expected"), CASES)
def test_in_a_folder(
    there: list[str], named: str, file_name: object, expected: str | None, tmp_path: Path
) -> None:
    pictures = Pictures(fill(tmp_path / "root", there) / named)
    assert found(pictures, file_name) == expected
    if expected is None:
        with pytest.raises(ImageError):
            pictures.header(file_name)
    else:
        assert expected in set(pictures.names())
        assert pictures.header(file_name).size == (100, 120)
        assert pictures.read(file_name) == make_jpeg()


@pytest.mark.parametrize(("there", "named", "file_name", "expected"), CASES)
def test_in_an_archive(
    there: list[str], named: str, file_name: object, expected: str | None, tmp_path: Path
) -> None:
    prefix = f"{named}/" if named else ""
    path = tmp_path / f"{named.replace('/', '-') or 'photos'}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in there:
            archive.writestr(name, make_jpeg())
    pictures = Pictures(path)
    if expected is None:
        assert found(pictures, file_name) is None or len(there) == 1
    elif named:  # the archive has its top folder in it
        assert found(pictures, file_name) == f"{prefix}{expected}"
    else:
        assert found(pictures, file_name) == expected


@pytest.mark.parametrize(
    ("there", "file_name", "expected"),
    [
        (["validation/image/1.jpg", "validation/annos/1.json"], "1.jpg", "validation/image/1.jpg"),
        (["validation/image/1.jpg"], "image/1.jpg", "validation/image/1.jpg"),
        (["df2/train/image/1.jpg", "df2/test/image/1.jpg"], "test/1.jpg", "df2/test/image/1.jpg"),
        (["df2/train/image/1.jpg", "df2/test/image/1.jpg"], "1.jpg", None),
        (["df2/train/image/1.jpg"], "validation/image/1.jpg", None),
        (["1.jpg"], "photos/1.jpg", "1.jpg"),
        (["1.jpg"], "nowhere/1.jpg", None),
        (["image\\1.jpg"], "1.jpg", "image/1.jpg"),
        (["__MACOSX/1.jpg", "a/1.jpg"], "1.jpg", "a/1.jpg"),
    ],
)
def test_an_archive_may_have_a_top_folder(
    there: list[str], file_name: str, expected: str | None, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for name in there:
            archive.writestr(name, make_jpeg())
    pictures = Pictures(tmp_path / "photos.zip")
    assert found(pictures, file_name) == expected


@pytest.mark.posix
@pytest.mark.skipif(os.name == "nt", reason="no file can have such a name")
def test_a_backslash_is_never_found_even_where_a_file_has_that_name(tmp_path: Path) -> None:
    pictures = Pictures(fill(tmp_path / "root", ["a\\1.jpg"]))
    assert pictures.find("a\\1.jpg") is None


def test_all_names(tmp_path: Path) -> None:
    names = ["1.jpg", "2.JPEG", "a/3.png", "a/b/4.webp", "5.bmp"]
    root = fill(tmp_path / "root", [*names, "notes.txt", ".hidden.jpg", "__MACOSX/6.jpg"])
    (root / "a/around").symlink_to(root)
    assert sorted(Pictures(root).names()) == sorted(names)


@pytest.mark.parametrize(
    ("file_name", "message"),
    [
        ("2.jpg", "root/2.jpg: is missing. Download or unpack it again"),
        ("1.jpg", "root/1.jpg: is missing, but there is '1.JPG'"),
        ("3.jpg", "root/3.jpg: is missing, but there is '3.png'"),
        ("image\\1.JPG", "has backslashes"),
        ("../1.JPG", "is not the name of a file below this folder"),
        (7, "file_name 7 is not text"),
        (NFC, f"is missing, but there is {NFD!a}, another Unicode form"),
    ],
)
def test_what_is_missing_is_named_with_what_is_nearly_it(
    file_name: object, message: str, tmp_path: Path
) -> None:
    pictures = Pictures(fill(tmp_path / "root", ["1.JPG", "3.png", "3.txt", NFD]))
    with pytest.raises(ImageError) as caught:
        pictures.read(file_name)
    assert message.encode("unicode_escape") in str(caught.value).encode("unicode_escape")


def test_a_worker_gets_a_small_object_that_reads_what_was_found(tmp_path: Path) -> None:
    fill(tmp_path / "root", [f"{number:06d}.jpg" for number in range(300)])
    write_encrypted_zip(tmp_path / "a.zip", [("a/1.jpg", make_jpeg())] * 300, "secret")
    for pictures, name in (
        (Pictures(tmp_path / "root"), "000001.jpg"),
        (Pictures(tmp_path / "a.zip", "secret"), "1.jpg"),
    ):
        picture = pictures.find(name)
        sent = pickle.dumps(pictures)
        assert len(sent) < 1000
        assert pickle.loads(sent).header(picture).size == (100, 120)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file or folder"):
        Pictures(tmp_path / "nothing")
    root = fill(tmp_path / "root", ["1.jpg"])
    (root / "2.jpg").write_bytes(b"<html>")
    with pytest.raises(ImageError, match=r"root/2\.jpg: "):
        Pictures(root).header("2.jpg")
    os.truncate(root / "2.jpg", 1 << 27)
    with pytest.raises(ImageError, match=r"root/2\.jpg: larger than 64 MB"):
        Pictures(root).read("2.jpg")
    write_encrypted_zip(tmp_path / "a.zip", [("1.jpg", make_jpeg())], "secret")
    with pytest.raises(PasswordError):
        Pictures(tmp_path / "a.zip").read("1.jpg")


# What lies there, the COCO file, and where its photos are.
BESIDE = [
    (["validation/image/1.jpg"], "keypoints_validation.json", "validation"),
    (["validation/image/1.jpg"], "keypoints_val.json", "validation"),
    (["val/image/1.jpg"], "keypoints_validation.json", "val"),
    (["valid/1.jpg"], "instances_val2017.json", "valid"),
    (["val2017/1.jpg"], "instances_val2017.json", "val2017"),
    (["mine/image/1.jpg"], "keypoints_mine.json", "mine"),
    (["val_images/1.jpg"], "keypoints_validation.json", "val_images"),
    (["val_images.zip!1.jpg"], "keypoints_val.json", "val_images.zip"),
    (["Train.zip!train/image/1.jpg"], "train.json", "Train.zip"),
    (["train.zip!image/1.jpg", "train/image/1.jpg"], "train.json", "train"),
    (["train.zip!image/1.jpg", "image/1.jpg"], "train.json", "."),
    (["image/1.jpg"], "any.json", "."),
    (["1.jpg", "train/2.jpg"], "train.json", "."),
    (["train/image/1.jpg"], "annotations/instances_train.json", "train"),
    (["annotations/image/1.jpg"], "annotations/any.json", "annotations"),
    # near misses
    (["train/image/1.jpg"], "keypoints_val.json", None),
    (["train_images/1.jpg"], "keypoints_val.json", None),
    (["train.zip!image/1.jpg"], "any.json", None),
    (["train/image/1.jpg"], "out/instances_train.json", None),
    (["train/image/2.jpg"], "train.json", None),
]  # fmt: skip


def fill_tree(root: Path, names: list[str]) -> None:
    for name in names:
        archive, _, member = name.rpartition("!")
        if archive:
            with zipfile.ZipFile(root / archive, "a") as target:
                target.writestr(member, make_jpeg())
        else:
            fill(root, [name])


@pytest.mark.parametrize(("there", "coco", "expected"), BESIDE)
def test_beside_a_coco_file(
    there: list[str], coco: str, expected: str | None, tmp_path: Path
) -> None:
    fill_tree(tmp_path, there)
    path = tmp_path / coco
    path.parent.mkdir(exist_ok=True)
    if expected is None:
        with pytest.raises(SourceError, match=r"no photos were found beside it\. Name .* --images"):
            find_photos(path, [{"file_name": "1.jpg"}])
    else:
        place = find_photos(path, [{"file_name": "1.jpg"}])
        assert place.resolve() == (tmp_path / expected).resolve()


@pytest.mark.parametrize("images", [[], [{}], [{"file_name": 7}]])
def test_a_coco_file_without_names_of_images(images: list[object], tmp_path: Path) -> None:
    fill(tmp_path, ["train/image/1.jpg"])
    with pytest.raises(SourceError, match="no photos were found"):
        find_photos(tmp_path / "train.json", images)


def test_what_is_damaged_beside_a_coco_file_is_not_its_photos(tmp_path: Path) -> None:
    fill(tmp_path, ["val_images/1.jpg"])
    (tmp_path / "val.zip").write_bytes(b"no archive")
    assert find_photos(tmp_path / "val.json", [{"file_name": "1.jpg"}]).name == "val_images"


@pytest.mark.parametrize(
    ("there", "asked", "told"),
    [
        ("my photo.jpg", "my%20photo.jpg", "but there is 'my photo.jpg'"),
        ("caf\u00e9.jpg", "cafe\u0301.jpg", "another Unicode form"),
        ("my photo.jpg", "my%21photo.jpg", "is missing. Download"),
        ("CAF.jpg", "caf.jpg", "but there is 'CAF.jpg'. Write"),
    ],
)
def test_a_name_that_is_nearly_there_is_named(
    there: str, asked: str, told: str, tmp_path: Path
) -> None:
    (tmp_path / there).touch()
    assert told in Pictures(tmp_path).missing(asked).text
