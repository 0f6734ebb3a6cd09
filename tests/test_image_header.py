"""Sizes and orientations from headers, as Pillow gives them; and images that are cut off."""

from __future__ import annotations

import io
import struct
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from df2coco.errors import ImageError, SourceError
from df2coco.parser.image_header import HeaderTooShortError, ImageHeader, decode, read_header
from df2coco.parser.photos import Pictures
from df2coco.parser.reader import read_split
from df2coco.parser.splits import find_splits
from tests.conftest import MakeSplit
from tests.samples import make_annotation, make_jpeg
from tests.tools.fuzz import pictures as fuzz


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x010F] = "a camera"
    tags[0x0112] = orientation
    return tags


class TestImageHeaders:
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_size_and_orientation_are_those_of_pillow(self, orientation: int) -> None:
        data = make_jpeg(60, 40, exif=exif(orientation))
        header = read_header(data, complete=True)
        assert header == ImageHeader(60, 40, orientation)
        from PIL import ImageOps

        assert header.size == ImageOps.exif_transpose(Image.open(io.BytesIO(data))).size

    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"progressive": True},
            {"optimize": True},
            {"icc_profile": b"x" * 9000},
            {"comment": b"\xff\xd8" * 99},
        ],
        ids=str,
    )
    def test_kinds_of_jpeg(self, options: dict[str, object]) -> None:
        assert read_header(make_jpeg(33, 77, **options), complete=True).size == (33, 77)

    def test_every_shorter_beginning_asks_for_more_or_knows(self) -> None:
        data = make_jpeg(50, 60, exif=exif(6))
        for end in range(2, len(data)):
            try:
                header = read_header(data[:end], complete=False)
            except HeaderTooShortError:
                continue
            else:
                assert header == ImageHeader(50, 60, 6)

    @pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "WEBP"])
    def test_other_formats_under_the_name_of_jpg(self, kind: str) -> None:
        buffer = io.BytesIO()
        Image.new("RGB", (31, 17)).save(buffer, kind)
        assert read_header(buffer.getvalue(), complete=True) == ImageHeader(31, 17, 1)

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b"", "the file is empty"),
            (b"no image", "this is not an image"),
            (b"\xff\xd8\xff", "header is damaged or cut off"),
            (b"\xff\xd8" + b"x" * 50, "header is damaged"),
            (b"\xff\xd8\xff\xe0\x00\x00" + b"x" * 50, "header is damaged"),
            (
                make_jpeg().replace(
                    b"\xff\xc0\x00\x11\x08\x00\x78\x00\x64", b"\xff\xc0\x00\x11\x08" + bytes(4)
                ),
                "0 pixels",
            ),
            (
                make_jpeg().replace(
                    b"\xff\xc0\x00\x11\x08\x00\x78\x00\x64", b"\xff\xc0\x00\x11\x08" + b"\xff" * 4
                ),
                "claims more than",
            ),
        ],
        ids=[
            "empty",
            "text",
            "three bytes",
            "no marker",
            "short segment",
            "0 pixels",
            "65535 pixels",
        ],
    )
    def test_what_is_no_image(self, data: bytes, message: str) -> None:
        with pytest.raises(SourceError, match=message):
            read_header(data, complete=True)

    def test_a_header_behind_a_large_profile_is_found(self, make_split: MakeSplit) -> None:
        large = make_jpeg(70, 80, icc_profile=b"x" * 200_000)
        source = make_split({1: make_annotation()}, images={"000001.jpg": large})
        (split,) = find_splits(source)
        assert [(r.width, r.height) for r in read_split(split)] == [(70, 80)]

    def test_real_images(self, real: Path) -> None:
        for path in (real / "train" / "image").iterdir():
            with Image.open(path) as image:
                assert (
                    read_header(path.read_bytes()[:4096], complete=False).stored_size == image.size
                )


def segment(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(content) + 2) + content


def tiff(order: str, *entries: tuple[int, int, int, bytes]) -> bytes:
    """EXIF's directory: entries are tag, type, count, value of 4 bytes."""
    mark = {"<": b"II*\0", ">": b"MM\0*"}[order]
    directory = b"".join(struct.pack(f"{order}HHL", *entry[:3]) + entry[3] for entry in entries)
    return mark + struct.pack(f"{order}LH", 8, len(entries)) + directory + bytes(4)


def with_segments(*segments: bytes, junk: bytes = b"") -> bytes:
    data = make_jpeg(60, 40)
    return data[:2] + junk.join((*segments, b"")) + data[2:]


SHORT_6 = (0x0112, 3, 1, b"\0\6\0\0")
EXIF = b"Exif\0\0"
UNUSUAL: dict[str, tuple[bytes, int | None]] = {
    # a JPEG of 60 x 40, and the orientation that Pillow gives it; None: one that depends on its version
    "big-endian": (with_segments(segment(0xE1, EXIF + tiff(">", SHORT_6))), 6),
    "big-endian LONG": (with_segments(
        segment(0xE1, EXIF + tiff(">", (0x0112, 4, 1, b"\0\0\0\6")))), 6),
    "little-endian LONG": (with_segments(
        segment(0xE1, EXIF + tiff("<", (0x0112, 4, 1, b"\6\0\0\0")))), 6),
    "BYTE": (with_segments(segment(0xE1, EXIF + tiff(">", (0x0112, 1, 1, b"\6\0\0\0")))), 1),
    "two values": (with_segments(
        segment(0xE1, EXIF + tiff(">", (0x0112, 3, 2, b"\0\6\0\6")))), None),
    "9": (with_segments(segment(0xE1, EXIF + tiff(">", (0x0112, 3, 1, b"\0\x09\0\0")))), 1),
    "a damaged tag before": (with_segments(
        segment(0xE1, EXIF + tiff(">", (0x010F, 2, 99, b"\0\0\x7f\0"), SHORT_6))), None),
    "two segments": (with_segments(
        segment(0xE1, EXIF + tiff(">", SHORT_6)),
        segment(0xE1, EXIF + tiff(">", (0x0112, 3, 1, b"\0\3\0\0")))), 6),
    "first segment empty": (with_segments(
        segment(0xE1, EXIF), segment(0xE1, EXIF + tiff(">", SHORT_6))), 6),
    "in XMP": (with_segments(segment(
        0xE1, b"http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation=\"8\"/>")), 8),
    "after the frame": (make_jpeg(60, 40).replace(
        b"\xff\xda", segment(0xE1, EXIF + tiff(">", SHORT_6)) + b"\xff\xda", 1), 6),
    "no TIFF": (with_segments(segment(0xE1, EXIF + b"junk and more junk")), 1),
    "bytes between": (with_segments(segment(0xFE, b"a comment"), junk=b"\0junk\0"), 1),
    "fill bytes": (with_segments(segment(0xFE, b"a comment"), junk=b"\xff" * 9), 1),
    "a restart marker": (with_segments(b"\xff\xd0"), 1),
    "Photoshop": (with_segments(segment(0xED, b"Photoshop 3.0\x008BIM\3\xed\0\0\0\0\0\4abcd")), 1),
    "short comment": (with_segments(segment(0xFE, b"")), 1),
}  # fmt: skip


@pytest.mark.parametrize(("data", "orientation"), UNUSUAL.values(), ids=UNUSUAL)
def test_unusual_headers_are_read_as_pillow_reads_them(
    data: bytes, orientation: int | None
) -> None:
    header = read_header(data, complete=True)
    assert header == fuzz.header_by_pillow(data)
    assert header.stored_size == (60, 40)
    assert header.orientation == orientation or orientation is None


@pytest.mark.parametrize(("bits", "layers"), [(8, 2), (8, 5), (12, 3), (16, 1)])
def test_frames_that_pillow_refuses_are_refused(bits: int, layers: int) -> None:
    data = make_jpeg()
    start = data.index(b"\xff\xc0")
    frame = struct.pack(">BHHB", bits, 40, 60, layers) + bytes((1, 0x11, 0)) * layers
    data = data[:start] + segment(0xC0, frame) + data[start + 19 :]
    assert fuzz.header_by_pillow(data) is None
    with pytest.raises(SourceError, match="header is damaged or cut off"):
        read_header(data, complete=True)


@pytest.mark.parametrize("ids", [b"\x10", b"\x00\x10", b"\x10\x00"])
def test_tables_of_16_bits_without_room_for_them_are_refused(ids: bytes) -> None:
    tables = b"".join(bytes((each,)) + b"\1" * 64 for each in ids)
    data = with_segments(segment(0xDB, tables))
    assert fuzz.header_by_pillow(data) is None
    with pytest.raises(SourceError, match="header is damaged or cut off"):
        read_header(data, complete=True)


@pytest.mark.slow
@pytest.mark.no_cover
def test_mutated_headers_are_read_as_pillow_reads_them() -> None:
    outcome = fuzz.fuzz_headers(3000, seed=1)
    assert outcome.failures == []
    assert 1000 < outcome.accepted < 2900


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_exif_of_other_formats(kind: str) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (60, 40)).save(buffer, kind, exif=exif(6))
    assert read_header(buffer.getvalue(), complete=True) == ImageHeader(60, 40, 6)


def test_a_large_png_is_not_decoded() -> None:
    buffer = io.BytesIO()
    Image.effect_noise((900, 800), 50).save(buffer, "PNG")
    assert read_header(buffer.getvalue()[:4096], complete=False) == ImageHeader(900, 800, 1)


def _tiff(**changes: int) -> bytes:
    """A TIFF whose directory says what is asked for, and that has no pixels."""
    tags = {"width": 256, "height": 257, "bits": 258, "compression": 259, "colors": 262, "strip": 273,
            "samples": 277, "rows": 278, "length": 279}  # fmt: skip
    values = dict.fromkeys(tags, 8) | {"colors": 2, "samples": 3, "length": 100} | changes
    entries = (struct.pack("<HHII", tag, 4, 1, values[name]) for name, tag in tags.items())
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + b"".join(entries) + bytes(4)


def test_readers_print_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """Pillow would: lines that name no file."""
    with pytest.raises(SourceError, match="Download it again"):
        decode(_tiff(samples=60_000))
    assert capfd.readouterr() == ("", "")


def _with(kind: str, more: bytes, before: bytes, **options: Any) -> bytes:
    """A picture with more bytes before the first place where it has those of `before`."""
    buffer = io.BytesIO()
    Image.new("RGB", (1000, 900)).save(buffer, kind, **options)
    start, found, rest = buffer.getvalue().partition(before)
    return start + more + found + rest


def _with_scans(number: int) -> bytes:
    """A JPEG that draws its last scan again and again."""
    whole = _with("JPEG", b"", b"\xff\xd9", progressive=True)
    return whole[:-2] + whole[whole.rindex(b"\xff\xda") : -2] * number + whole[-2:]


_CHUNK = struct.pack(">I4sI", 0, b"abCd", zlib.crc32(b"abCd"))
ENDLESS: dict[str, Callable[[], bytes]] = {
    "GIF": lambda: _with("GIF", b"!\xfe" + b"\1a" * 30_000_000 + b"\0", b",\0\0\0\0"),
    "PNG before": lambda: _with("PNG", _CHUNK * 300_000, struct.pack(">I", 13) + b"IHDR"),
    "PNG behind": lambda: _with("PNG", _CHUNK * 5_000_000, bytes(4) + b"IEND"),
    "EXIF": lambda: _with("JPEG", b"\xff\xe1\0\x10Exif\0\0II*\0\x08\0\0\0" * 200_000, b"\xff\xdb"),
    "run lengths": lambda: (
        _with("BMP", b"", b"BM")[:30]
        + bytes([1])
        + _with("BMP", b"", b"BM")[31:]
        + b"\1\0" * (20 << 20)
    ),
    "scans": lambda: _with_scans(5000),
}


@pytest.mark.parametrize("make", ENDLESS.values(), ids=ENDLESS)
def test_no_picture_takes_long(make: Callable[[], bytes]) -> None:
    data = make()
    started = time.process_time()
    with pytest.raises(SourceError, match="Download it again"):
        decode(data)
    assert time.process_time() - started < 5


def test_what_programs_write_is_decoded() -> None:
    assert decode(_with_scans(50)).size == (125, 113)
    assert decode(_with("JPEG", b"\xff" * 2000, b"\xff\xdb")).size == (125, 113)
    assert decode(_with("PNG", _CHUNK * 10_000, bytes(4) + b"IEND")).size == (1000, 900)
    assert decode(_with("GIF", b"!\xfe" + b"\1a" * 100_000 + b"\0", b",\0\0\0\0")).size


# ---------------------------------------------------------------- images that are cut off


def picture(kind: str) -> bytes:
    buffer = io.BytesIO()
    options = {"exif": exif(1), "quality": 90} if kind == "JPEG" else {}
    Image.effect_noise((120, 90), 50).convert("RGB").save(buffer, kind, **options)
    return buffer.getvalue()


WHOLE: dict[str, bytes] = {
    **{kind: picture(kind) for kind in ("JPEG", "PNG", "WEBP")},
    "progressive": make_jpeg(progressive=True),
    "with a preview": picture("JPEG")[:2]
    + segment(0xE1, EXIF + make_jpeg(8, 8))
    + picture("JPEG")[2:],
}


def cut_in(data: bytes, tmp_path: Path) -> list[str | None]:
    """What is said of an image in a folder and in an archive."""
    (tmp_path / "image").mkdir(exist_ok=True)
    (tmp_path / "image/1.jpg").write_bytes(data)
    with zipfile.ZipFile(tmp_path / "image.zip", "w") as archive:
        archive.writestr("1.jpg", data)
    return [Pictures(tmp_path / name).find_cut("1.jpg") for name in ("image", "image.zip")]


@pytest.mark.parametrize("data", WHOLE.values(), ids=WHOLE)
def test_an_image_cut_off_is_found(data: bytes, tmp_path: Path) -> None:
    assert cut_in(data, tmp_path) == [None, None]
    assert cut_in(data + b"\0" * 5000, tmp_path) == [None, None]  # more is no fault
    for end in (len(data) - 2, len(data) // 2 + 100, len(data) - 1000):
        if end > 700:
            assert all("is cut off (" in str(told) for told in cut_in(data[:end], tmp_path)), end
            assert cut_in(data[:end] + b"\0" * 20, tmp_path)[0] or data[:2] == b"RI"


def test_appended_bytes_do_not_hide_the_end_of_a_jpeg(tmp_path: Path) -> None:
    data = picture("JPEG")
    assert cut_in(data + b"a trailer of a camera" * 999, tmp_path) == [None, None]
    half = data[: len(data) // 2]
    assert None not in cut_in(half + b"a trailer of a camera" * 999, tmp_path)


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xd8", b"text", b"RIFF", b"BM", b"GIF8", b"\xff\xd8\xff\xda"]
)
def test_what_is_no_image_has_no_end_to_look_for(data: bytes, tmp_path: Path) -> None:
    told = cut_in(data, tmp_path)
    assert told[0] == told[1]


def test_a_missing_picture_has_no_end(tmp_path: Path) -> None:
    cut_in(b"", tmp_path)
    with pytest.raises(ImageError, match="is missing"):
        Pictures(tmp_path / "image").find_cut("2.jpg")


def saved(mode: str, size: tuple[int, int], kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    Image.new(mode, size).save(stream, kind, **options)
    return stream.getvalue()


class TestDecoding:
    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
    def test_photos_are_opened_and_nothing_else(self, kind: str) -> None:
        small = (4, 3) if kind == "JPEG" else (30, 20)
        assert decode(saved("RGB", (30, 20), kind)).size == small
        for other in ("EPS", "PPM", "TGA", "PDF", "ICO", "PCX"):
            with pytest.raises(SourceError, match=r"not an image|PDF"):
                decode(saved("RGB", (30, 20), other))

    def test_what_pillow_raises_is_one_line(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from PIL import JpegImagePlugin

        def fail(*_: object) -> None:
            raise RuntimeError("broken\nin two lines")

        data = make_jpeg()
        monkeypatch.setattr(JpegImagePlugin.JpegImageFile, "load", fail)
        with pytest.raises(SourceError, match=r"^damaged \(broken\)\. Download it again\.$"):
            decode(data)

    def test_headers_end_somewhere(self) -> None:
        photo, comment = make_jpeg(), b"\xff\xfe\xff\xff" + bytes(65533)
        assert decode(photo[:2] + comment * 60 + photo[2:], (100, 120)).size == (100, 120)
        with pytest.raises(SourceError, match="header is damaged"):
            decode(photo[:2] + comment * 70 + photo[2:])

    @pytest.mark.parametrize(("mode", "most"), [("1", 9100), ("LA", 6400)])
    def test_pictures_that_take_too_much_memory_are_not_decoded(self, mode: str, most: int) -> None:
        assert decode(saved(mode, (most, most), "PNG", compress_level=1)).size == (most, most)
        more = most + 100
        with pytest.raises(SourceError, match=f"{more} x {more} pixels take too much memory"):
            decode(saved(mode, (more, more), "PNG", compress_level=1))

    @pytest.mark.parametrize("kind", ["JPEG", "PNG"])
    def test_what_is_much_larger_than_it_will_be_drawn_is_reduced(self, kind: str) -> None:
        data = saved("RGB", (3000, 2000), kind)
        assert decode(data, (300, 200)).size == (600, 400)
        assert decode(data, (1500, 1000)).size == (3000, 2000)

    def test_a_large_sound_photo_is_not_called_damaged(self) -> None:
        data = saved("L", (12_000, 12_000), "JPEG")
        assert decode(data).size == (1500, 1500)
        with pytest.raises(SourceError, match="damaged"):
            decode(data[: len(data) // 2])
