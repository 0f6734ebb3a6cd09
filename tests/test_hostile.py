"""Input of every bad kind: one line that names file, field and fault, exit 2, and OUT as it was."""

from __future__ import annotations

import importlib
import io
import json
import os
import pkgutil
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from PIL import Image
from typer.testing import CliRunner

import df2coco.cli
from df2coco.cli.app import app
from df2coco.converter.run import convert
from df2coco.outputs import check_outputs
from df2coco.parser.annotation import MAX_ANNOTATION_BYTES
from df2coco.parser.splits import find_splits
from tests.conftest import FIXTURES, MakeSplit
from tests.samples import make_annotation, make_item, make_jpeg
from tests.tools import make_malformed

for module in pkgutil.iter_modules(df2coco.cli.__path__):
    importlib.import_module(f"df2coco.cli.{module.name}")

ANNOTATION = json.dumps(make_annotation()).encode()
MALFORMED = sorted((FIXTURES / "malformed").glob("*.json"))


def run(*arguments: Any) -> tuple[int, list[str], str]:
    """Exit code, lines on stderr, stdout: within a second and without a traceback."""
    started = time.process_time()
    result = CliRunner(env={"NO_COLOR": "1", "TERM": "dumb"}).invoke(
        app, [str(argument) for argument in arguments]
    )
    assert time.process_time() - started < 1
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    lines = result.stderr.splitlines()
    assert all(line.isprintable() for line in lines)
    return result.exit_code, lines, result.stdout


def refused(*arguments: Any) -> list[str]:
    """The lines on stderr of a command that must end in 2 and print nothing else."""
    code, lines, stdout = run(*arguments)
    assert (code, stdout) == (2, "")
    return lines


def refused_conversion(source: Path, *options: Any) -> str:
    """What `convert` tells of the one thing that is wrong at `source`; OUT must stay as it was."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out.json")
        out.write_text("old")
        lines = refused("convert", source, out, "--workers", 1, *options)
        assert out.read_text() == "old"
        assert os.listdir(folder) == ["out.json"]
    lines = [line for line in lines if not line.startswith("warning: no images found")]
    assert len(lines) <= 2
    assert lines[-1].startswith("df2coco: ")
    if len(lines) == 2:
        assert lines[0].startswith("error: ")
        assert "so nothing was written. " in lines[1]
    return lines[0].removeprefix("error: ").removeprefix("df2coco: ")


# ---------------------------------------------------------------- annotation files


@pytest.mark.parametrize("path", MALFORMED, ids=lambda path: path.stem)
def test_a_malformed_annotation_file_is_told_as_its_fixture_says(
    path: Path, make_split: MakeSplit
) -> None:
    source = make_split({1: path.read_bytes()})
    told = refused_conversion(source)
    told = told.removeprefix(f"{source}/annos/000001.json: ")
    expected = path.with_suffix(".txt").read_text().strip()
    if "(...)" in expected:  # the words in brackets are the JSON library's
        told = re.sub(r"\(.+\)", "(...)", told)
    assert told == expected, "run make regenerate if this is meant"


@pytest.mark.parametrize("path", MALFORMED, ids=lambda path: path.stem)
def test_skip_leaves_out_what_is_malformed(path: Path, make_split: MakeSplit) -> None:
    source = make_split({1: path.read_bytes(), 2: ANNOTATION})
    out = source / "out.json"
    code, lines, _ = run("convert", source, out, "--on-error", "skip", "--workers", 1)
    assert code == 0
    assert lines[0].startswith(f"error: {source}/annos/000001.json: ")
    document = json.loads(out.read_bytes())
    assert [a["image_id"] for a in document["annotations"]] == [2]
    assert run("validate", out)[0] == 0


def test_the_fixtures_are_those_that_the_script_makes() -> None:
    assert {path.stem: path.read_bytes() for path in MALFORMED} == make_malformed.cases()
    assert all(path.with_suffix(".txt").read_text().strip() for path in MALFORMED)


def test_an_annotation_file_that_is_too_large_is_told_with_the_limit(make_split: MakeSplit) -> None:
    source = make_split({1: ANNOTATION + b" " * MAX_ANNOTATION_BYTES})
    assert "000001.json: larger than 8 MB" in refused_conversion(source)


def _folder(path: Path) -> None:
    path.mkdir()


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _dangling(path: Path) -> None:
    path.symlink_to("nowhere")


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _socket(path: Path) -> None:
    import socket

    here = os.getcwd()
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(path.parent)  # the path that it is bound to may not be long
        server.bind(path.name)
        os.chdir(here)


ODD_FILES: dict[str, tuple[Callable[[Path], None], str]] = {
    "folder": (_folder, "not a regular file. Remove it."),
    "fifo": (_fifo, "not a regular file. Remove it."),
    "device": (_device, "not a regular file. Remove it."),
    "socket": (_socket, "cannot be read (No such device or address)."),
    "dangling link": (_dangling, "is missing. Download or unpack it again."),
    "loop of links": (_loop, "cannot be read (Too many levels of symbolic links)."),
}


@pytest.mark.parametrize(("make", "fault"), ODD_FILES.values(), ids=ODD_FILES)
@pytest.mark.parametrize("place", ["annos/000003.json", "image/000003.jpg"])
@pytest.mark.linux
def test_what_is_no_file_is_told(
    make: Callable[[Path], None], fault: str, place: str, make_split: MakeSplit
) -> None:
    source = make_split({1: ANNOTATION, 3: ANNOTATION})
    (source / place).unlink()
    make(source / place)
    assert refused_conversion(source) == f"{source / place}: {fault}"


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users may enter, which pytest's own is not."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    yield folder
    subprocess.run(["chmod", "-R", "u+rwx", folder], check=True)
    shutil.rmtree(folder)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without the rights of root, who may read and write everything."""
    if os.geteuid() != 0:
        yield
        return
    os.setresuid(65534, 65534, 0)  # os.access asks for the first of them
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


@pytest.mark.parametrize(
    "place", ["annos/000001.json", "annos", "image/000001.jpg", "", "../locked.zip"]
)
@pytest.mark.linux
def test_what_may_not_be_read_is_told(open_folder: Path, place: str) -> None:
    source = open_folder / "validation"
    for name, content in (("annos/000001.json", ANNOTATION), ("image/000001.jpg", make_jpeg())):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(content)
    make_zip(open_folder / "locked.zip", {"annos/000001.json": ANNOTATION})
    named = source / place if place.endswith(".zip") else source
    run("convert", named, open_folder / "first.json")  # so that all modules are there
    (source / place).chmod(0)
    with as_nobody():
        lines = refused("convert", named, open_folder / "out.json")
    assert len(lines) <= 2
    assert str(source / place) in lines[0]
    assert "Permission denied" in lines[0]


@pytest.mark.parametrize(
    "arguments",
    [
        ["validate", "FILE"],
        ["stats", "FILE"],
        ["split", "FILE", "parts"],
        ["restore", "FILE", "annos"],
        ["evaluate", "bbox", "FILE", "FILE"],
        ["image-info", "FILE", "out.json"],
        ["export", "yolo", "FILE", "yolo"],
    ],
    ids=lambda arguments: arguments[0],
)
@pytest.mark.linux
def test_every_command_says_in_one_line_what_may_not_be_read(
    arguments: list[str], open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(open_folder)
    path = open_folder / "out.json"
    convert(FIXTURES / "validation", path)
    words = [path if word == "FILE" else word for word in arguments]
    path.chmod(0)
    with as_nobody():
        (line,) = refused(*words)
    assert line == f"df2coco: {path}: cannot be read (Permission denied)."


@pytest.mark.parametrize(
    "name",
    [b"\xff\xfe1", b"1\n2", b"\x1b[31m", "\u0663".encode(), b"000009 (1)", b"-1", b"1" * 19, b"1e3",
     b"a\xe2\x80\xae", b" 1", b"%s", b"{}"],
)  # fmt: skip
@pytest.mark.linux
def test_names_that_are_no_numbers_are_told(name: bytes, make_split: MakeSplit) -> None:
    source = make_split({1: ANNOTATION})
    raw = os.path.join(os.fsencode(source), b"annos", name + b".json")
    Path(os.fsdecode(raw)).write_bytes(ANNOTATION)
    Path(os.fsdecode(os.path.join(os.fsencode(source), b"image", name + b".jpg"))).write_bytes(
        make_jpeg()
    )
    told = refused_conversion(source)
    assert "the name is not a number, so it gives no image id" in told


@pytest.mark.parametrize("name", [b"caf\xe9", b"two\nlines", b"\x1b[31mred", "\u202eevil".encode()])
@pytest.mark.linux
def test_folders_with_odd_names_work_and_are_printed_escaped(
    name: bytes, make_split: MakeSplit, tmp_path: Path
) -> None:
    source = Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name)))
    make_split({1: ANNOTATION, 2: make_annotation(make_item(style=-1))}).rename(source)
    out = Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name + b".json")))
    report = tmp_path / "report.json"
    skip = ("--on-error", "skip", "--workers", 1)
    code, lines, _ = run("convert", source, out, *skip, "--report", report)
    assert code == 0
    assert any("item1.style: -1" in line for line in lines)
    assert json.loads(report.read_bytes())[0]["counts"] == {"bad-item": 1}
    assert run("validate", out)[0] == 0
    assert run("validate", out, "--json")[0] == 0
    assert run("validate", out, "--against", source, "--images", source / "image")[0] in (0, 1)
    assert run("stats", out)[0] == 0
    assert run("stats", source)[0] == 0
    assert run("stats", out, "--json")[0] == 0
    assert run("restore", out, tmp_path / "annos")[0] == 0
    assert run("convert", source / "nothing", out)[0] == 2


@pytest.mark.parametrize("make", [_fifo, _device], ids=["fifo", "device"])
@pytest.mark.parametrize("name", ["notes.txt", "annos/abc.json"])
@pytest.mark.linux
def test_a_file_of_a_source_that_never_ends_is_not_waited_for(
    name: str, make: Callable[[Path], None], tmp_path: Path
) -> None:
    source = tmp_path / "source"
    (source / "annos").mkdir(parents=True)
    make(source / name)
    assert refused("convert", source, tmp_path / "out.json", "--workers", 1)


@pytest.mark.parametrize("make", [_device, _folder], ids=["device", "folder"])
@pytest.mark.parametrize("option", ["--list", "--classes"])
@pytest.mark.linux
def test_a_file_of_an_option_that_never_ends_is_refused(
    option: str, make: Callable[[Path], None], make_split: MakeSplit, tmp_path: Path
) -> None:
    path = tmp_path / "odd"
    make(path)
    told = refused_conversion(make_split({1: ANNOTATION}), option, path, "--task", "instances")
    assert make is _device or told.startswith(f"{path}: is not a file. Name a ")


@pytest.mark.posix
def test_a_list_may_come_through_a_pipe(make_split: MakeSplit, tmp_path: Path) -> None:
    """As shells write --list <(grep ...)."""
    end, start = os.pipe()
    os.write(start, b"000001.jpg\n")
    os.close(start)
    out = tmp_path / "out.json"
    code, _, _ = run(
        "convert", make_split({1: ANNOTATION, 2: ANNOTATION}), out, "--list", f"/dev/fd/{end}"
    )
    os.close(end)
    assert code == 0
    assert [image["id"] for image in json.loads(out.read_bytes())["images"]] == [1]


# ---------------------------------------------------------------- images


def _jpeg_of(width: int, height: int) -> bytes:
    """A JPEG that claims a size."""
    frame = b"\xff\xc0\x00\x11\x08" + struct.pack(">HH", height, width)
    return make_jpeg().replace(make_jpeg()[make_jpeg().index(b"\xff\xc0") :][:9], frame)


def _picture(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (100, 120)).save(buffer, kind)
    return buffer.getvalue()


def _png_of(width: int, height: int) -> bytes:
    """A PNG that claims a size."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + chunk + _picture("PNG")[33:]


IMAGES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "the file is empty. Download it again."),
    "page of a server": (
        b"<html>404 Not Found</html>",
        "this is a web page, not an image. The download did not work: open the page in a browser, which says why, and download the file again.",
    ),
    "only a start": (b"\xff\xd8", "the JPEG's header is damaged or cut off. Download it again."),
    "truncated": (make_jpeg()[:100], "the JPEG's header is damaged or cut off. Download it again."),
    "damaged": (
        b"\xff\xd8" + b"x" * 5000,
        "the JPEG's header is damaged or cut off. Download it again.",
    ),
    "0 wide": (_jpeg_of(0, 120), "the image claims a size of 0 pixels. Download it again."),
    "0 high": (_jpeg_of(100, 0), "the image claims a size of 0 pixels. Download it again."),
    "65,535 square": (
        _jpeg_of(65535, 65535),
        "the image claims more than 178956970 pixels, which image loaders refuse. Download it again.",
    ),
    "PNG bomb": (
        _png_of(1 << 30, 1 << 30),
        "the image claims more than 178956970 pixels, which image loaders refuse. Download it again.",
    ),
    "PNG of 0": (_png_of(0, 5), "Download it again."),
    "truncated PNG": (
        _picture("PNG")[:20],
        "a PNG image whose header is damaged or cut off. Download it again.",
    ),
    "endless header": (
        b"\xff\xd8" + (b"\xff\xfe\xff\xff" + bytes(65533)) * 20,
        "the JPEG's header is damaged or cut off. Download it again.",
    ),
    "EXIF that points away": (
        b"\xff\xd8\xff\xe1\x00\x20Exif\0\0II*\0" + b"\xff" * 22 + b"\xff\xd9",
        "Download it again.",
    ),
}


@pytest.mark.parametrize(("data", "fault"), IMAGES.values(), ids=IMAGES)
@pytest.mark.parametrize("command", ["convert", "image-info"])
def test_an_image_without_a_size_is_told(
    data: bytes, fault: str, command: str, make_split: MakeSplit, tmp_path: Path
) -> None:
    source = make_split({1: ANNOTATION}, images={"000001.jpg": data})
    file = f"{source}/image/000001.jpg: "
    if command == "convert":
        told = refused_conversion(source)
    else:
        told = refused("image-info", source / "image", tmp_path / "o.json", "--workers", 1)[0]
        assert not (tmp_path / "o.json").exists()
    assert told.removeprefix("error: ").startswith(file)
    assert told.endswith(fault)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP", "GIF"])
def test_other_formats_under_the_name_of_jpg_are_read(kind: str, make_split: MakeSplit) -> None:
    source = make_split({1: ANNOTATION}, images={"000001.jpg": _picture(kind)})
    convert(source, source / "out.json")
    (image,) = json.loads((source / "out.json").read_bytes())["images"]
    assert (image["width"], image["height"]) == (100, 120)


def test_a_jpeg_of_65535_by_2_pixels_is_read(make_split: MakeSplit) -> None:
    item = make_item(
        bounding_box=[0, 0, 65535, 2], segmentation=[[0, 0, 65535, 0, 65535, 2]],
        landmarks=[65534, 1, 2] * 8,
    )  # fmt: skip
    source = make_split({1: make_annotation(item)}, images={"000001.jpg": _jpeg_of(65535, 2)})
    code, lines, _ = run("convert", source, source / "out.json", "--workers", 1)
    assert code == 0, lines
    assert run("validate", source / "out.json")[0] == 0


# ---------------------------------------------------------------- archives


def make_zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize(
    "folder",
    ["/", "/etc/", "../../", "annos/../../", "C:\\", "..\\..\\", "\\\\server\\share\\", "a\nb/",
     "\x1b[31m/", "./", "annos//"],
)  # fmt: skip
def test_members_with_any_name_are_read_and_never_unpacked(tmp_path: Path, folder: str) -> None:
    inside = tmp_path / "deep/er"
    inside.mkdir(parents=True)
    source = make_zip(inside / "validation.zip", {f"{folder}000001.json": ANNOTATION})
    before = sorted(tmp_path.rglob("*"))
    code, lines, _ = run("convert", source, tmp_path / "out.json", "--workers", 1)
    assert code in (0, 2)
    assert len(lines) < 20
    after = [path for path in sorted(tmp_path.rglob("*")) if path.name != "out.json"]
    assert after == before
    if code == 0:
        assert run("validate", tmp_path / "out.json")[0] == 0


def test_a_bomb_is_told_with_the_limit(tmp_path: Path) -> None:
    source = make_zip(tmp_path / "validation.zip", {"annos/000001.json": bytes(1 << 27)})
    assert refused_conversion(source) == (
        f"{source}/annos/000001.json: larger than 8 MB, so not the annotations of one image. "
        "Replace the file."
    )


@pytest.mark.parametrize("number", [100, 2000])
def test_an_archive_of_many_splits_does_not_take_long(number: int, tmp_path: Path) -> None:
    members = {}
    for name in range(number):
        members[f"{name}/annos/000001.json"] = ANNOTATION
        members[f"{name}/image/000001.jpg"] = make_jpeg()
    source = make_zip(tmp_path / "many.zip", members)
    started = time.process_time()
    code, lines, stdout = run("image-info", source, tmp_path / "out.json")
    assert (code, stdout, len(lines)) == (2, "", 1)
    assert len(lines[0]) < 2000
    assert f"({number:,} in all). Unpack it, and name the folder of images." in lines[0]
    if number == 100:
        splits = find_splits(source)
        assert [split.reader.images_label for split in splits[:2]] == [
            f"{source}/0/image",
            f"{source}/1/image",
        ]
        check_outputs(
            [tmp_path / f"out/{s.name}.json" for s in splits], [source] * 200, make_folders=True
        )
    else:
        (told,) = refused("convert", source, tmp_path / "out")
        assert told == (
            "df2coco: "
            f"{source}: 2,000 folders of annotation files: there are three splits. "
            "Name one of them as SOURCE."
        )
    assert time.process_time() - started < 4


@pytest.mark.parametrize("is_shared", [True, False])
def test_members_at_one_place_are_refused(is_shared: bool, tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for number in (1, 2):
            archive.writestr(f"train/annos/00000{number}.json", ANNOTATION)
    raw = bytearray(stream.getvalue())
    if is_shared:
        last = raw.rindex(b"PK\1\2")
        raw[last + 42 : last + 46] = bytes(4)
    path = tmp_path / "train.zip"
    path.write_bytes(raw)
    if is_shared:
        assert "train.zip: two members lie at one place" in refused_conversion(path)
    else:
        assert convert(path, tmp_path / "out.json")[0].images == 2


def _with_directory(field: int, size: int, value: int) -> Callable[[bytes], bytes]:
    """The archive with another value in its directory's only entry."""

    def change(raw: bytes) -> bytes:
        start = raw.index(b"PK\x01\x02") + field
        return raw[:start] + value.to_bytes(size, "little") + raw[start + size :]

    return change


LIES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "smaller": (_with_directory(20, 4, 20), "(it ends too early)"),
    "empty": (_with_directory(20, 4, 0), "(it ends too early)"),
    "larger": (_with_directory(20, 4, 1 << 30), ""),
    "unpacked to less": (_with_directory(24, 4, 1), ""),
    "unpacked to 4 GB": (_with_directory(24, 4, 0xFFFFFFFE), ""),
    "another checksum": (_with_directory(16, 4, 1), "(wrong checksum)"),
    "another method": (_with_directory(10, 2, 12), "zip compression method 12 is not supported"),
    "stored": (_with_directory(10, 2, 0), "damaged in validation.zip"),
    "encrypted": (_with_directory(8, 2, 1), "the archive is encrypted. Give its password"),
    "AES": (_with_directory(10, 2, 99), "encrypted with AES"),
    "elsewhere": (_with_directory(42, 4, 5), "(no member where the directory says)"),
    "behind the end": (_with_directory(42, 4, 1 << 30), ""),
    "long name": (_with_directory(28, 2, 60_000), ""),
}


@pytest.mark.parametrize(("change", "fault"), LIES.values(), ids=LIES)
def test_members_that_lie_are_told(
    tmp_path: Path, change: Callable[[bytes], bytes], fault: str
) -> None:
    source = make_zip(tmp_path / "validation.zip", {"annos/000001.json": ANNOTATION})
    source.write_bytes(change(source.read_bytes()))
    out = tmp_path / "out.json"
    code, _, _ = run("convert", source, out, "--workers", 1)
    if fault or code:
        told = refused_conversion(source)
        assert str(source) in told
        assert fault in told
    else:  # what the directory says of the size is not asked
        assert json.loads(out.read_bytes())["annotations"]


def test_members_that_hold_others_are_refused(tmp_path: Path) -> None:
    """Each is the next one's header and data too, so that a small archive gives any amount of data."""
    inner = make_zip(tmp_path / "inner.zip", {"annos/000002.json": ANNOTATION}).read_bytes()
    path = tmp_path / "train.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("annos/000001.json", inner)
        start = archive.fp.tell() - len(inner)  # type: ignore[union-attr]
        entry = zipfile.ZipFile(io.BytesIO(inner)).infolist()[0]
        entry.header_offset = start
        archive.filelist.append(entry)
    assert "train.zip: two members lie at one place" in refused_conversion(path)


@pytest.mark.parametrize("offset", [2**62, 2**63, 2**64 - 1])
def test_a_place_beyond_all_files_is_told(offset: int, tmp_path: Path) -> None:
    """In the fields of zip64, which hold 64 bits."""
    source = make_zip(tmp_path / "validation.zip", {"annos/000001.json": ANNOTATION})
    raw = source.read_bytes()
    start, end = raw.index(b"PK\1\2"), raw.index(b"PK\5\6")
    entry = bytearray(raw[start:end])
    entry[30:32], entry[42:46] = (12).to_bytes(2, "little"), b"\xff" * 4
    entry += struct.pack("<HHQ", 1, 8, offset)
    last = bytearray(raw[end:])
    last[12:16] = len(entry).to_bytes(4, "little")
    source.write_bytes(raw[:start] + entry + last)
    assert "damaged in validation.zip (it ends too early)" in refused_conversion(source)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_no_damaged_archive_ends_in_a_traceback(tmp_path: Path, method: int) -> None:
    source, out = tmp_path / "validation.zip", tmp_path / "out.json"
    with zipfile.ZipFile(source, "w", method) as archive:
        for number in (1, 2):
            archive.writestr(f"annos/{number:06d}.json", ANNOTATION)
            archive.writestr(f"image/{number:06d}.jpg", make_jpeg())
    good = source.read_bytes()
    for position in range(0, len(good), 61):
        damaged = bytearray(good)
        damaged[position] ^= 0x41
        source.write_bytes(damaged)
        code, lines, _ = run("convert", source, out, "--workers", 1, "--quiet")
        assert code in (0, 2)
        assert code == 0 or 1 <= len(lines) <= 5


@pytest.mark.parametrize(("make", "_"), ODD_FILES.values(), ids=ODD_FILES)
def test_a_source_that_is_neither_folder_nor_archive(
    make: Callable[[Path], None], _: str, tmp_path: Path, make_split: MakeSplit
) -> None:
    make(tmp_path / "odd.zip")
    good = make_split({1: ANNOTATION})
    out = tmp_path / "out.json"
    for arguments in (
        ("convert", tmp_path / "odd.zip", out),
        ("convert", good, out, "--images", tmp_path / "odd.zip"),
        ("image-info", tmp_path / "odd.zip", out),
        ("stats", tmp_path / "odd.zip"),
    ):
        lines = refused(*arguments)
        assert lines[-1].startswith("df2coco: ")
        assert "odd.zip" in lines[0]
        assert len(lines) <= 2


# ---------------------------------------------------------------- COCO files


@pytest.fixture
def coco(make_split: MakeSplit, tmp_path: Path) -> dict[str, Any]:
    """A small good COCO document; its images are in `validation/image`."""
    source = make_split({1: make_annotation(make_item(9), make_item(8)), 2: make_annotation()})
    convert(source, tmp_path / "out.json")
    document: dict[str, Any] = orjson.loads((tmp_path / "out.json").read_bytes())
    return document


READERS = ("validate", "bbox", "segm", "keypoints", "restore", "stats", "draw", "report")


def read_by(name: str, path: Path, folder: Path) -> tuple[int, list[str], str]:
    """Run the command that reads a COCO file."""
    results = folder / "results.json"
    if not results.exists():
        results.write_text("[]")
    arguments: dict[str, tuple[Any, ...]] = {
        "validate": ("validate", path),
        **{kind: ("evaluate", kind, path, results) for kind in ("bbox", "segm", "keypoints")},
        "restore": ("restore", path, folder / "restored"),
        "stats": ("stats", path),
        "draw": ("draw", path, "--images", folder / "validation/image", "--out", folder / "o.png"),
        "report": (
            "report", path, "--images", folder / "validation/image", "--out", folder / "o.html",
        ),
    }  # fmt: skip
    return run(*arguments[name])


COCO_TEXTS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "the file is empty"),
    "spaces": (b"  \n", "the file is empty"),
    "truncated": (b'{"images": [{"id": 1', "not JSON"),
    "list": (b"[]", "not a JSON object"),
    "number": (b"1", "not a JSON object"),
    "null": (b"null", "not a JSON object"),
    "nothing in it": (b"{}", "images: expected a list of objects"),
    "utf-16": ('{"images": []}'.encode("utf-16"), "not JSON"),
    "byte order mark": (b'\xef\xbb\xbf{"images": []}', "starts with a byte order mark"),
    "deep": (b'{"images":' * 100_000, "nested too deeply for a COCO file"),
    "deep lists": (b'{"images":' + b"[" * 100_000, "nested too deeply for a COCO file"),
    "images as object": (
        b'{"images": {}, "annotations": [], "categories": []}',
        "images: expected",
    ),
    "numbers as images": (b'{"images": [1], "annotations": [], "categories": []}', "images: exp"),
    "numbers as annotations": (
        b'{"images": [], "annotations": [1], "categories": []}',
        "annotations: expected a list of objects",
    ),
    "no categories": (b'{"images": [], "annotations": []}', "categories: expected a list"),
    "escape": (b'{"images": "\x1b[31m"}', "not JSON"),
}


@pytest.mark.usefixtures("coco")
@pytest.mark.parametrize(("raw", "fault"), COCO_TEXTS.values(), ids=COCO_TEXTS)
@pytest.mark.parametrize("name", READERS)
def test_what_is_no_coco_file_is_told(name: str, raw: bytes, fault: str, tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    path.write_bytes(raw)
    code, lines, stdout = read_by(name, path, tmp_path)
    assert (code, stdout, len(lines)) == (2, "", 1)
    assert lines[0].startswith(f"df2coco: {path}: {fault}")


@pytest.mark.usefixtures("coco")
@pytest.mark.parametrize("make", [each[0] for each in ODD_FILES.values()], ids=ODD_FILES)
@pytest.mark.parametrize("name", READERS)
def test_a_coco_file_that_is_no_file(
    name: str, make: Callable[[Path], None], tmp_path: Path
) -> None:
    path = tmp_path / "odd.json"
    make(path)
    if name == "stats" and path.is_dir():
        return  # a folder may be a split
    code, lines, stdout = read_by(name, path, tmp_path)
    assert (code, stdout, len(lines)) == (2, "", 1)
    assert lines[0].startswith(f"df2coco: {path}: ")


FIELDS = [
    ("images", "id"), ("images", "file_name"), ("images", "width"), ("images", "source"),
    ("images", "pair_id"), ("annotations", "id"), ("annotations", "image_id"),
    ("annotations", "category_id"), ("annotations", "bbox"), ("annotations", "area"),
    ("annotations", "iscrowd"), ("annotations", "segmentation"), ("annotations", "keypoints"),
    ("annotations", "num_keypoints"), ("annotations", "style"), ("annotations", "scale"),
    ("annotations", "item"), ("annotations", "float_polygons"), ("categories", "id"),
    ("categories", "name"), ("categories", "keypoints"), ("categories", "skeleton"),
]  # fmt: skip


FEW = (..., None, True, "x", "\x1b[31m", -1, 2**63, 10**30, 1e300, 0.5, [], {}, [[]], [0] * 6)
"""One of each kind of the values that fuzzing puts everywhere."""


@pytest.mark.slow
@pytest.mark.no_cover
@pytest.mark.parametrize(("part", "field"), FIELDS, ids=lambda part: str(part))
@pytest.mark.parametrize("name", [name for name in READERS if name not in ("draw", "report")])
def test_no_value_in_any_field_ends_in_a_traceback(
    name: str, part: str, field: str, coco: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "out.json"
    told = set()
    for value in FEW:
        entry = coco[part][0]
        good = dict(entry)
        entry[field] = value
        if value is ...:
            del entry[field]
        path.write_text(json.dumps(coco))
        shutil.rmtree(tmp_path / "restored", ignore_errors=True)
        code, lines, _ = read_by(name, path, tmp_path)
        assert code in ((0, 1, 2) if name == "validate" else (0, 2))
        if code == 2:
            told.add(lines[0])
            assert len(lines) == 1
            assert lines[0].startswith(f"df2coco: {path}: ")
        coco[part][0] = good
    needed = field in ("id", "image_id", "category_id") and name != "validate"
    if needed and (name, part, field) != ("stats", "annotations", "id"):
        assert any(f"{part}[0].{field}: missing" in line for line in told)


@pytest.mark.parametrize("value", FEW[1:], ids=repr)
@pytest.mark.parametrize(
    "field", ["bbox", "segmentation", "keypoints", "file_name", "width", "name"]
)
def test_drawing_any_value(field: str, value: Any, coco: dict[str, Any], tmp_path: Path) -> None:
    entry = "annotations" if field in ("bbox", "segmentation", "keypoints") else "images"
    coco["categories" if field == "name" else entry][0][field] = value
    path = tmp_path / "out.json"
    path.write_text(json.dumps(coco))
    code, lines, _ = read_by("draw", path, tmp_path)
    assert code in (0, 2)
    assert len(lines) == 1


RESULTS: dict[str, bytes] = {
    "empty": b"", "object": b"{}", "number": b"7", "null": b"null", "numbers": b"[1]", "cut": b"[{",
    "no fields": b"[{}]", "deep": b"[" * 100_000, "text": b'["\x1b[31m"]', "lists": b"[[]]",
    "unknown image": b'[{"image_id": 77, "category_id": 9, "score": 1, "bbox": [1, 1, 5, 5]}]',
    "text as image": b'[{"image_id": "1", "category_id": 9, "score": 1, "bbox": [1, 1, 5, 5]}]',
    "list as image": b'[{"image_id": [], "category_id": 9, "score": 1, "bbox": [1, 1, 5, 5]}]',
    "text as score": b'[{"image_id": 1, "category_id": 9, "score": "1", "bbox": [1, 1, 5, 5]}]',
    "short box": b'[{"image_id": 1, "category_id": 9, "score": 1, "bbox": [1, 1, 5]}]',
    "huge box": b'[{"image_id": 1, "category_id": 9, "score": 1, "bbox": [1, 1, 1e300, 5]}]',
    "NaN": b'[{"image_id": 1, "category_id": 9, "score": NaN, "bbox": [1, 1, 5, 5]}]',
}  # fmt: skip


@pytest.mark.usefixtures("coco")
@pytest.mark.parametrize("raw", RESULTS.values(), ids=RESULTS)
@pytest.mark.parametrize("kind", ["bbox", "segm", "keypoints"])
def test_bad_results_are_told(kind: str, raw: bytes, tmp_path: Path) -> None:
    (tmp_path / "results.json").write_bytes(raw)
    code, lines, stdout = read_by(kind, tmp_path / "out.json", tmp_path)
    assert (code, stdout, len(lines)) == (2, "", 1)
    assert lines[0].startswith(f"df2coco: {tmp_path}/results.json: ")


# ---------------------------------------------------------------- what is printed


@pytest.mark.parametrize("part", ["file_name", "category"])
@pytest.mark.parametrize("name", [*READERS[:-1], "stats --json", "split"])
def test_a_name_of_a_megabyte_is_not_printed(
    name: str, part: str, coco: dict[str, Any], tmp_path: Path
) -> None:
    """Nor does measuring it in a font take long."""
    path = tmp_path / "out.json"
    entry = coco["images"][0] if part == "file_name" else coco["categories"][7]
    entry["file_name" if part == "file_name" else "name"] = "long" * (1 << 18)
    path.write_text(json.dumps(coco))
    if name == "split":
        code, lines, stdout = run("split", path, tmp_path / "parts")
    elif name == "stats --json":
        code, lines, stdout = run("stats", path, "--json")
    else:
        code, lines, stdout = read_by(name, path, tmp_path)
    assert code in (0, 2)
    assert len("".join(lines)) < 2000
    assert len(stdout) < 10_000 or name == "stats --json"  # which is data
    if (name, part) == ("draw", "file_name"):
        assert lines[0].endswith(
            "is missing. Download or unpack it again, or name the right folder."
        )


def test_a_missing_picture_with_a_long_name_is_told_in_a_line(
    coco: dict[str, Any], tmp_path: Path
) -> None:
    coco["images"][0]["file_name"] = "x" * (1 << 20)
    path = tmp_path / "out.json"
    path.write_text(json.dumps(coco))
    images = tmp_path / "validation/image"
    for options in ([], ["--json"]):
        code, _, stdout = run("validate", path, "--images", images, *options)
        assert code == 1
        assert "picture-missing" in stdout
        assert len(stdout) < 20_000


@pytest.mark.slow
@pytest.mark.usefixtures("coco")
@pytest.mark.linux
def test_data_goes_out_whatever_the_terminal_can_show(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.json"))
    (tmp_path / "out.json").rename(path)
    for arguments in (["validate"], ["validate", "--json"], ["stats"], ["stats", "--json"]):
        result = subprocess.run(
            [sys.executable, "-m", "df2coco", *arguments, path],
            capture_output=True,
            env={**os.environ, "PYTHONIOENCODING": "ascii"},
        )
        assert result.returncode == 0, result.stderr
        assert result.stdout


@pytest.mark.slow
@pytest.mark.usefixtures("coco")
def test_a_reader_that_stops_reading_is_no_error(tmp_path: Path) -> None:
    for arguments in (["validate"], ["validate", "--json"], ["stats"], ["stats", "--json"]):
        process = subprocess.Popen(
            [sys.executable, "-m", "df2coco", *arguments, tmp_path / "out.json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout is not None
        process.stdout.close()
        _, stderr = process.communicate()
        assert b"Traceback" not in stderr
        assert b"Exception" not in stderr
