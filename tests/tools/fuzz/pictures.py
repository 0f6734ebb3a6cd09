"""Mutated images: their headers read as Pillow reads them, and their pixels by every command that decodes them."""

from __future__ import annotations

import functools
import io
import json
import random
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

from PIL import Image

from df2coco import convert, draw, validate, write_report
from df2coco.errors import SourceError
from df2coco.parser.image_header import HeaderTooShortError, ImageHeader, read_header
from df2coco.parser.photos import Pictures
from tests.samples import asked, make_annotation, make_item, make_jpeg
from tests.tools.fuzz.cases import Case, Outcome, Watch, fuzz

_FORMATS: Final = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
"""Pillow takes some mutations for formats that nobody has photos in."""


@functools.cache
def _pictures() -> list[bytes]:
    """JPEGs with all kinds of segments, and a few of other formats."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0112], exif[0x9003] = "a camera", 6, "2024:01:01 00:00:00"
    big = Image.Exif()
    big.endian = ">"
    big[0x0112], big[0x010E] = 8, "text that is longer than four bytes"
    plain = make_jpeg()
    pictures = [plain] * 3 + [
        make_jpeg(40, 30, exif=exif), make_jpeg(40, 30, exif=big), make_jpeg(30, 20, progressive=True),
        make_jpeg(50, 60, icc_profile=b"x" * 300, comment=b"\xff\xd8\xff\xe1"),
        make_jpeg(9, 9, xmp=b'<x tiff:Orientation="5"/>'),
        make_jpeg(40, 30, exif=exif, xmp=b'<x tiff:Orientation="3"/>'),
    ]  # fmt: skip
    for mode, kind in (
        ("CMYK", "JPEG"),
        ("L", "JPEG"),
        ("RGB", "PNG"),
        ("RGB", "BMP"),
        ("P", "GIF"),
        ("RGB", "WEBP"),
        ("RGB", "TIFF"),
    ):
        buffer = io.BytesIO()
        Image.new(mode, (21, 34)).save(buffer, kind)
        pictures.append(buffer.getvalue())
    return pictures


def header_case(number: int, seed: int) -> bytes:
    """An image's first bytes with a few changes: flips, junk, cuts, segments twice or elsewhere."""
    rng = random.Random(f"header {seed} {number}")
    data = bytearray(rng.choice(_pictures()[:-2]))
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3, 6))):
        _change(data, rng)
    return bytes(data)


def _change(data: bytearray, rng: random.Random) -> None:
    place = rng.randrange(min(len(data), 700)) if data else 0
    starts = [i for i in range(min(len(data), 2000)) if data[i] == 0xFF]
    start = rng.choice(starts or [place])
    change = rng.randrange(7)
    if change == 0 and data:
        data[place] = rng.choice((0, 1, 2, 8, 0xFF, 0xE1, 0xC0, 0xD8, 0xDA, rng.randrange(256)))
    elif change == 1:
        data[start:start] = rng.randbytes(rng.choice((1, 2, 5)))
    elif change == 2:
        del data[place : place + rng.choice((1, 2, 9, 100))]
    elif change == 3:
        del data[rng.choice((place, len(data) - 5)) :]
    elif change == 4:
        other = rng.choice(_pictures())
        data[start:start] = other[2 : 2 + rng.choice((18, 60, 160))]
    elif change == 5:
        data[start:start] = b"\xff" * rng.randrange(4) + bytes((0xFF, rng.randrange(256)))
    elif start + 2 < len(data):
        data[start + 1] = rng.randrange(0xC0, 0x100)


def header_by_pillow(data: bytes) -> ImageHeader | None:
    """What a loader that uses Pillow takes for an image's size and orientation."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
                try:
                    value = image.getexif().get(0x0112, 1)
                except Exception:
                    value = 1
                orientation = [n for n in range(1, 9) if n == value]
                return ImageHeader(*image.size, *(orientation or [1]))
    except Exception:
        return None


def header_batch(seed: int, numbers: range) -> Iterator[Case]:
    """The own reader against Pillow, on the whole file and on its beginnings."""
    for number in numbers:
        data = header_case(number, seed)
        watch = Watch(number, data)
        expected = header_by_pillow(data)
        if expected is not None and not _is_allowed(expected):
            expected = None
        read: list[ImageHeader | None] = []
        watch.run(partial(_read_headers, data, read))
        if any(header != expected for header in read):
            watch.fail(f"{read}, and Pillow {expected}")
        yield watch.end(accepted=expected is not None)


def _is_allowed(header: ImageHeader) -> bool:
    """Whether Pillow decodes so many pixels: it stops at twice what it warns of."""
    return header.stored_width * header.stored_height <= 2 * (Image.MAX_IMAGE_PIXELS or 0)


def _read_headers(data: bytes, read: list[ImageHeader | None]) -> None:
    for size in (100, 600, 4096, len(data)):
        try:
            read.append(read_header(data[:size], complete=size >= len(data)))
        except HeaderTooShortError:
            continue
        except SourceError:
            read.append(None)


def picture_case(number: int, seed: int) -> bytes:
    """A picture that is whole, cut off, or damaged anywhere."""
    rng = random.Random(f"picture {seed} {number}")
    data = bytearray(rng.choice(_pictures()))
    kind = rng.randrange(4)
    if kind == 1:
        del data[rng.randrange(len(data)) :]
    elif kind == 2:
        for _ in range(rng.choice((1, 2, 5))):
            data[rng.randrange(len(data))] = rng.randrange(256)
    elif kind == 3:
        for _ in range(rng.choice((1, 2, 4))):
            _change(data, rng)
    return bytes(data)


def picture_batch(seed: int, numbers: range) -> Iterator[Case]:
    """Each through `validate --decode`, `draw` and `report`; a picture that was cut off must be named."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "annos").mkdir()
        (folder / "image").mkdir()
        coco, image = folder / "coco.json", folder / "image/000001.jpg"
        item = make_item(9, bounding_box=[2, 2, 8, 8], segmentation=[[2, 2, 8, 2, 8, 8, 2, 8]])
        (folder / "annos/000001.json").write_text(json.dumps(make_annotation(item)))
        _warm(folder, coco, image)
        for number in numbers:
            data = picture_case(number, seed)
            watch = Watch(number, data)
            image.write_bytes(data)
            shutil.rmtree(folder / "out", ignore_errors=True)
            (folder / "out").mkdir()
            source = folder / "annos"
            is_read = watch.run(
                partial(convert, source, coco, images=image.parent, **asked()), "convert"
            )
            if is_read:
                watch.run(partial(_named, watch, coco, image), "validate --decode")
                watch.run(partial(draw, coco, image.parent, folder / "out/drawn.png"), "draw")
            if is_read and number % 8 == 0:  # its charts cost as much as all others
                page = folder / "out/report.html"
                watch.run(partial(write_report, coco, image.parent, page), "report")
            yield watch.end(accepted=is_read)


def _warm(folder: Path, coco: Path, image: Path) -> None:
    """So that imports are not the first case's."""
    image.write_bytes(make_jpeg(30, 30))
    convert(folder / "annos", coco, images=image.parent, **asked())
    draw(coco, image.parent, folder / "warm.png")
    write_report(coco, image.parent, folder / "warm.html")


def _named(watch: Watch, coco: Path, image: Path) -> None:
    report = validate(coco, images=image.parent, decode=True)
    is_named = any(hit.check.code == "picture-unreadable" for hit in report.findings)
    if not is_named and not _is_decoded(image):
        watch.fail("Pillow cannot decode it, and validate says nothing")
    pictures = Pictures(image.parent)
    if pictures.find_cut(image.name) and _is_whole(watch.raw):
        watch.fail("called cut off, and it is not")


def _is_decoded(path: Path) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as image:
                image.load()
    except Exception:
        return False
    return True


def _is_whole(data: bytes) -> bool:
    return data in _pictures()


def fuzz_headers(cases: int, seed: int, workers: int = 1) -> Outcome:
    return fuzz(header_batch, cases, seed, workers)


def fuzz_pictures(cases: int, seed: int, workers: int = 1) -> Outcome:
    return fuzz(picture_batch, cases, seed, workers)
