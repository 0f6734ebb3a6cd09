"""Files that are not what their name or place promises, each named for what it is."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import tarfile
import zipfile
from pathlib import Path

import pytest

from df2coco.errors import PasswordError, SourceError
from df2coco.file_kind import recognise
from df2coco.parser.splits import find_splits
from tests.samples import make_annotation, make_jpeg
from tests.zipcrypto import write_encrypted_zip

ANNOTATION = json.dumps(make_annotation()).encode()


def _tar(mode: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        info = tarfile.TarInfo("annos/000001.json")
        info.size = len(ANNOTATION)
        archive.addfile(info, io.BytesIO(ANNOTATION))
    return buffer.getvalue()


def _zip(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def _last_volume() -> bytes:
    """As zip -s leaves it: the directory and its end, which count three volumes before."""
    directory = ARCHIVE[ARCHIVE.index(b"PK\1\2") :]
    end = directory.index(b"PK\5\6")
    return directory[: end + 4] + b"\3\0\3\0" + directory[end + 8 :]


ARCHIVE = _zip({"annos/000001.json": ANNOTATION})
COCO = json.dumps({"info": {}, "images": [], "annotations": []}).encode()
UNPACK = "Unpack it and name the folder."

FILES: dict[str, tuple[str, bytes, str]] = {
    # name of the file, its content, what is said of it
    "web page": ("train.zip", b"<!DOCTYPE html><html>Virus scan", "this is a web page, not a zip"),
    "web page in capitals": ("train.zip", b"\n <HTML><body>", "this is a web page, not a zip"),
    "web page with an XML head": ("train.zip", b'<?xml version="1.0"?>\n<!doctype html>', "a web page"),
    "answer of a store": (
        "train.zip", b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code>', "this is an XML document, not a zip"),
    "message as zip": ("train.zip", b"Too many users have viewed this file.\n", "this is text, not a zip archive."),
    "message in another language": ("train.zip", "文件不存在".encode() * 200, "this is text, not a zip archive."),
    "tar": ("train.tar", _tar("w"), f"this is a tar archive, not a zip archive. {UNPACK}"),
    "tar called zip": ("train.zip", _tar("w"), "this is a tar archive, not a zip archive."),
    "tar.gz": ("train.tar.gz", _tar("w:gz"), "this is a compressed tar archive"),
    "tar.gz called zip": ("train.zip", _tar("w:gz"), "this is a compressed tar archive"),
    "tar.bz2": ("train.tar.bz2", _tar("w:bz2"), "this is a bzip2 archive"),
    "tar.xz": ("train.tar.xz", _tar("w:xz"), "this is an xz archive"),
    "gzip": ("train.json.gz", gzip.compress(ANNOTATION), "compressed with gzip, not a zip"),
    "rar": ("train.rar", b"Rar!\x1a\x07\x01\x00rest", f"a rar archive, not a zip archive. {UNPACK}"),
    "7z": ("train.7z", b"7z\xbc\xaf\x27\x1c\x00\x04", f"a 7z archive, not a zip archive. {UNPACK}"),
    "volume of zip": ("train.z01", ARCHIVE[:50], "one volume of an archive of several"),
    "volume of 7z": ("train.zip.001", b"7z\xbc\xaf\x27\x1c", "one volume of an archive of several"),
    "volume of rar": ("train.part2.rar", b"Rar!\x1a\x07", "one volume of an archive of several"),
    "first volume of zip": ("train.zip", b"PK\x07\x08" + ARCHIVE[:50], "one volume of an archive"),
    "last volume of zip": ("train.zip", _last_volume(), "one volume of an archive of several"),
    "pickle": ("annos.pkl", pickle.dumps({"a": 1}), "this is a Python pickle"),
    "COCO": ("out.json", COCO, "this is a COCO file already. Use it as it is"),
    "COCO, items first": ("out.json", b'{"annotations": [{"id": 1}]}', "this is a COCO file already"),
    "one annotation file": ("000001.json", ANNOTATION, "this is the annotation file of one image. Name the folder"),
    "a split in one object": (
        "train.json", json.dumps({"000001": make_annotation()}).encode(), "one JSON file for many images"),
    "a split in one list": (
        "train.json", json.dumps([make_annotation()] * 2).encode(), "one JSON file for many images"),
    "JSON Lines": ("train.jsonl", ANNOTATION + b"\n" + ANNOTATION, "this is JSON Lines"),
    "results": ("r.json", b'[ {"image_id": 1, "score": 0.5}]', "this is a file of results of a model. Name the folder"),
    "other JSON": ("train.json", b'{"a": 1}', "this is a JSON file of another form"),
    "byte order mark": ("out.json", b"\xef\xbb\xbf" + COCO, "this is a COCO file already"),
    "UTF-16": ("out.json", COCO.decode().encode("utf-16"), "this is text in UTF-16"),
    "Git LFS": (
        "train.zip", b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 9\n",
        "this is a pointer of Git LFS, not a zip archive. Download the file itself: git lfs pull."),
    "HEIC": ("000001.jpg", b"\0\0\0\x18ftypheic\0\0\0\0", "this is a HEIC file, not a zip archive. Convert it"),
    "an image": ("000001.jpg", make_jpeg(), "this is a JPEG image, not a zip archive. Replace it, or name"),
    "empty": ("train.zip", b"", "the file is empty. Download it again."),
    "half a zip": ("train.zip", ARCHIVE[:100], "its end is missing: the download is not complete. Download it again"),
    "text": ("list.txt", b"000001.jpg\n", "neither a folder nor a zip archive"),
    "zip of zips": (
        "DeepFashion2.zip", _zip({"DeepFashion2/train.zip": ARCHIVE, "validation.zip": ARCHIVE}),
        "an archive of archives (DeepFashion2/train.zip, validation.zip). Unpack it"),
    "zip of something else": ("x.zip", _zip({"readme.txt": b"x"}), "no annotation files found"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "content", "message"), FILES.values(), ids=FILES)
def test_a_source_that_is_something_else_is_named(
    name: str, content: bytes, message: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError) as caught:
        find_splits(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}: ")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"", b"text", b"<notes>", b"GIF89a", b"\x80", b"BM", b"a,b\n1,2", b"version 2"]
)
def test_what_is_not_known_has_no_name(content: bytes) -> None:
    assert recognise(content) is None


@pytest.mark.parametrize(
    "raw", [b"plain", b"caf\xc3\xa9", b"caf\xe9", b"\xff\xfe\x80", b"\xed\xa0\x80"]
)
def test_a_password_of_any_bytes(raw: bytes, tmp_path: Path) -> None:
    password = raw.decode("utf-8", "surrogateescape")
    write_encrypted_zip(tmp_path / "validation.zip", [("annos/000001.json", ANNOTATION)], raw)
    (split,) = find_splits(tmp_path / "validation.zip", password=password)
    assert split.reader.record(split.entries[0]).image_id == 1
    (split,) = find_splits(tmp_path / "validation.zip", password="wrong")
    with pytest.raises(PasswordError):
        split.reader.record(split.entries[0])
