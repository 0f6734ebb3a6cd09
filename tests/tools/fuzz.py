"""Mutated input of all kinds: annotation files, images, archives, COCO files and results.

    python -m tests.tools.fuzz --annotations 100000 --coco 20000 --headers 50000 --archives 20000 --seed 0

Nothing may end in anything but a `Df2cocoError`, take a second, make a COCO file with errors that
`validate` finds, or read an image's header otherwise than Pillow. A case is known by its number: `--only 4711` runs and shows that one again.
"""

from __future__ import annotations

import argparse
import functools
import io
import json
import random
import re
import shutil
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson
from PIL import Image

from df2coco.coco import load
from df2coco.coco.writer import Block, Writer
from df2coco.converter.encoder import Encoder, make_encoder, make_info, measure
from df2coco.converter.options import Selection, Shape
from df2coco.converter.restore import restore
from df2coco.converter.run import convert
from df2coco.drawing import draw
from df2coco.errors import Df2cocoError, SourceError
from df2coco.evaluation import evaluate
from df2coco.parser.annotation import parse_annotation
from df2coco.parser.image_header import HeaderTooShortError, ImageHeader, read_header
from df2coco.parser.mapping import read_image
from df2coco.parser.photos import Pictures
from df2coco.parser.splits import find_splits
from df2coco.stats import statistics
from df2coco.validator import validate
from df2coco.workers import available_cores, map_ordered
from tests.samples import asked, make_annotation, make_item, make_jpeg
from tests.tools.mutations import encode, mutate
from tests.zipcrypto import write_encrypted_zip

__all__ = [
    "Failure",
    "Outcome",
    "fuzz_annotations",
    "fuzz_archives",
    "fuzz_coco",
    "fuzz_headers",
    "main",
]

SLOW: Final = 1.0
"""Seconds of the processor that no case may take."""

_BATCH: Final = 100

# ---------------------------------------------------------------- cases


class Failure(NamedTuple):
    """A case that ended as none may."""

    case: int
    what: str
    raw: bytes


class Outcome(NamedTuple):
    """What a run of cases came to."""

    cases: int
    accepted: int
    """Cases that were converted, or loaded: mutations that do no harm."""
    slowest: tuple[float, int]
    """Seconds and the number of the case."""
    failures: list[Failure]


@functools.cache
def _seeds(folder: Path) -> list[Any]:
    annotations = [orjson.loads(path.read_bytes()) for path in sorted(folder.glob("*.json"))]
    small = [make_annotation(make_item(category), make_item(9)) for category in (1, 4, 8)]
    return annotations + small * 5


def annotation_case(number: int, seed: int) -> tuple[bytes, tuple[int, int] | None]:
    rng = random.Random(f"annotation {seed} {number}")
    document = rng.choice(_seeds(FOLDER / "annos"))
    size = rng.choice((None, (468, 624), (100, 120), (1, 1), (65535, 2000)))
    return mutate(document, rng), size


FOLDER: Final = Path(__file__).resolve().parents[2] / "fixtures/validation"

_SHAPES: Final = (
    Shape("keypoints", area="mask"),
    Shape("keypoints", area="mask", layout="category", landmarks="visible"),
    Shape("keypoints", area="box"),
)


_REPORTED: Final = frozenset({"mask-empty"})
"""Errors of a file that the conversion has a notice of ("area-from-box"): the source is at fault."""


def _run(work: Callable[[], None]) -> str | None:
    """What went wrong, if anything did."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            work()
    except Df2cocoError as error:
        return None if str(error).isprintable() else f"not printable: {str(error)!r}"
    except BaseException:
        return traceback.format_exc()
    return None


def _convert_one(
    number: int,
    raw: bytes,
    size: tuple[int, int] | None,
    encoders: list[Encoder],
    encoded: list[list[Block]],
) -> None:
    name = f"{number:06d}"
    record = parse_annotation(raw, name, image_id=number, file_name=f"{name}.jpg", size=size)
    for notice in record.notices:
        if not str(notice).isprintable():
            raise AssertionError(f"not printable: {str(notice)!r}")
    parts = []
    for encoder in encoders:
        measured = measure([record], count=encoder.shape.area == "mask")
        annotations = [
            encoder.annotation(record, item, each)
            for item, each in zip(record.items, measured, strict=True)
        ]
        parts.append(Block.join([encoder.image(record)], annotations))
    encoded.append(parts)


def _annotation_batch(seed: int, numbers: range) -> Outcome:
    """Parse and encode each; the COCO files of what was accepted must be valid."""
    encoders = [make_encoder(shape) for shape in _SHAPES]
    encoded: list[list[Block]] = []
    failures = []
    slowest = (0.0, -1)
    for number in numbers:
        raw, size = annotation_case(number, seed)

        started = time.process_time()
        what = _run(partial(_convert_one, number, raw, size, encoders, encoded))
        slowest = max(slowest, (time.process_time() - started, number))
        if what is not None:
            failures.append(Failure(number, what, raw))
    with tempfile.TemporaryDirectory() as folder:
        for index, encoder in enumerate(encoders):
            path = Path(folder, f"{index}.json")
            with path.open("wb") as stream:
                writer = Writer(
                    stream,
                    make_info(encoder.shape, Selection(), sizes_known=True),
                    encoder.categories(),
                    Path(folder),
                )
                for parts in encoded:
                    writer.add(parts[index])
                writer.close()
            report = validate(
                path, score_images=0
            )  # masks of 65535 x 2000 pixels take minutes to draw
            errors = [f for f in report.findings if f.check.level == "error"]
            found = [f.to_json() for f in errors if f.check.code not in _REPORTED]
            if found:
                failures.append(Failure(numbers[0], f"not valid: {json.dumps(found)[:2000]}", b""))
    return Outcome(len(numbers), len(encoded), slowest, failures)


def _coco_seeds(folder: Path) -> list[Any]:
    """Small files of ours in every form."""
    source = folder / "annos"
    source.mkdir()
    for number, items in enumerate(([9], [8, 9], [7, 5]), start=1):
        content = make_annotation(*map(make_item, items))
        (source / f"{number:06d}.json").write_text(json.dumps(content))
    seeds = []
    for options in (
        asked(), asked(layout="category"), asked(task="instances"), asked(preset="official"),
    ):  # fmt: skip
        convert(source, folder / "out.json", **options)
        seeds.append(orjson.loads((folder / "out.json").read_bytes()))
    return seeds


def _results(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Perfect results."""
    fields = ("image_id", "category_id", "bbox", "segmentation", "keypoints")
    return [
        {"score": 0.9} | {name: a[name] for name in fields if name in a}
        for a in document["annotations"]
    ]


def _coco_batch(seed: int, numbers: range) -> Outcome:
    """Each as what every command reads."""
    failures = []
    slowest = (0.0, -1)
    accepted = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seeds = _coco_seeds(folder)
        (folder / "image").mkdir()
        for number in (1, 2, 3):
            (folder / f"image/{number:06d}.jpg").write_bytes(make_jpeg())
        good = encode(seeds[0]), encode(_results(seeds[0]))
        list(_read_by_all(folder, *good, with_draw=True))  # imports are not the first case's
        for number in numbers:
            rng = random.Random(f"coco {seed} {number}")
            document = rng.choice(seeds)
            raw, results = mutate(document, rng), encode(_results(document))
            if rng.random() < 0.2:  # the results are the odd ones
                raw, results = encode(document), mutate(_results(document), rng)
            for what, seconds in _read_by_all(folder, raw, results, with_draw=number % 4 == 0):
                slowest = max(slowest, (seconds, number))
                if what is not None:
                    failures.append(Failure(number, what, raw + b"\n\n" + results))
            accepted += _is_read(folder / "coco.json")
    return Outcome(len(numbers), accepted, slowest, failures)


def _is_read(path: Path) -> bool:
    try:
        load(path)
    except Df2cocoError:
        return False
    return True


def _read_by_all(
    folder: Path, raw: bytes, results: bytes, *, with_draw: bool
) -> Iterator[tuple[str | None, float]]:
    coco, found, annos = folder / "coco.json", folder / "results.json", folder / "restored"
    coco.write_bytes(raw)
    found.write_bytes(results)
    shutil.rmtree(annos, ignore_errors=True)
    readers: dict[str, Callable[[], Any]] = {
        "load": lambda: load(coco),
        "validate": lambda: validate(coco),
        "restore": lambda: restore(coco, annos),
        "statistics": lambda: statistics(coco),
        "bbox": lambda: evaluate("bbox", coco, found),
        "segm": lambda: evaluate("segm", coco, found),
        "keypoints": lambda: evaluate("keypoints", coco, found, by="scale"),
    }
    if with_draw:  # costs as much as all others together
        readers["draw"] = lambda: draw(
            coco, folder / "image", folder / "out.png", sample=2, results=found
        )
    for name, read in readers.items():
        started = time.process_time()
        what = _run(read)
        seconds = time.process_time() - started
        yield (None if what is None else f"{name}: {what}"), seconds


# ---------------------------------------------------------------- headers of images


@functools.cache
def _pictures() -> list[bytes]:
    """JPEGs with all kinds of segments, and a few of other formats."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0112], exif[0x9003] = "a camera", 6, "2024:01:01 00:00:00"
    big = Image.Exif()
    big.endian = ">"
    big[0x0112], big[0x010E] = 8, "text that is longer than four bytes"
    plain = make_jpeg()
    found = [plain] * 3 + [
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
    ):
        buffer = io.BytesIO()
        Image.new(mode, (21, 34)).save(buffer, kind)
        found.append(buffer.getvalue())
    return found


def header_case(number: int, seed: int) -> bytes:
    """An image's first bytes with a few changes: flips, junk, cuts, segments twice or elsewhere."""
    rng = random.Random(f"header {seed} {number}")
    data = bytearray(rng.choice(_pictures()))
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3, 6))):
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
    return bytes(data)


def header_by_pillow(data: bytes) -> ImageHeader | None:
    """What a loader that uses Pillow takes for an image's size and orientation."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data)) as image:
                try:
                    value = image.getexif().get(0x0112, 1)
                except Exception:
                    value = 1
                orientation = [n for n in range(1, 9) if n == value]
                return ImageHeader(*image.size, *(orientation or [1]))
    except Exception:
        return None


def _header_batch(seed: int, numbers: range) -> Outcome:
    """The own reader against Pillow, on the whole file and on its beginnings."""
    failures, accepted = [], 0
    slowest = (0.0, -1)
    for number in numbers:
        data = header_case(number, seed)
        expected = header_by_pillow(data)
        if expected is not None and expected.stored_width * expected.stored_height > 1 << 27:
            expected = None
        found: list[ImageHeader | None] = []

        def read(data: bytes = data, found: list[ImageHeader | None] = found) -> None:
            for size in (100, 600, 4096):
                try:
                    found.append(read_header(data[:size], complete=size >= len(data)))
                except HeaderTooShortError:
                    continue
                except SourceError:
                    found.append(None)
            try:
                found.append(read_header(data, complete=True))
            except SourceError:
                found.append(None)

        started = time.process_time()
        what = _run(read)
        slowest = max(slowest, (time.process_time() - started, number))
        accepted += expected is not None
        if what is None and any(each != expected for each in found):
            what = f"{found}, and Pillow {expected}"
        if what is not None:
            failures.append(Failure(number, what, data))
    return Outcome(len(numbers), accepted, slowest, failures)


# ---------------------------------------------------------------- archives


@functools.cache
def _archives() -> list[bytes]:
    """Small archives of a split: stored, deflated, encrypted, with a comment, as zip64, with odd names."""
    annotation = encode(make_annotation())
    members = [
        (f"train/{folder}/{number:06d}{suffix}", content)
        for number in (1, 2)
        for folder, suffix, content in (
            ("annos", ".json", annotation),
            ("image", ".jpg", make_jpeg(9, 9)),
        )
    ]
    found = []
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        for force, comment in ((False, b""), (True, b"a comment")):
            buffer = io.BytesIO()
            with zipfile.ZipFile(buffer, "w", method) as archive:
                archive.comment = comment
                for name, data in members:
                    with archive.open(
                        name.replace("/", "\\") if force else name, "w", force_zip64=force
                    ) as file:
                        file.write(data)
            found.append(buffer.getvalue())
    with tempfile.TemporaryDirectory() as folder:
        for streamed in (False, True):
            write_encrypted_zip(Path(folder, "a.zip"), members, "secret", streamed=streamed)
            found.append(Path(folder, "a.zip").read_bytes())
    return found


def archive_case(number: int, seed: int) -> bytes:
    """An archive with a few changes, most of them in its directory and in the headers of its members."""
    rng = random.Random(f"archive {seed} {number}")
    data = bytearray(rng.choice(_archives()))
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3, 8))):
        marks = [m.start() for m in re.finditer(rb"PK[\1-\7][\2-\10]", data)]
        start = rng.choice(marks or [0])
        field = start + rng.choice((4, 6, 8, 10, 12, 14, 16, 20, 24, 28, 30, 32, 34, 38, 42, 46))
        change = rng.randrange(6)
        if change == 0 and field + 4 < len(data):
            value = rng.choice((0, 1, 0xFF, 0xFFFF, 0xFFFFFFFF, 0x7FFFFFFF, rng.randrange(1 << 32)))
            size = rng.choice((1, 2, 4))
            data[field : field + size] = value.to_bytes(4, "little")[:size]
        elif change == 1 and data:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        elif change == 2:
            del data[rng.choice((field, rng.randrange(len(data) + 1))) :]
        elif change == 3:
            data[start:start] = rng.randbytes(rng.choice((1, 4, 46)))
        elif change == 4:
            del data[start : start + rng.choice((1, 4, 46))]
        else:
            other = rng.choice(_archives())
            data[start:start] = other[other.index(b"PK\1\2") :][: rng.choice((46, 80, 400))]
    return bytes(data)


def _archive_batch(seed: int, numbers: range) -> Outcome:
    """Each as the source of a conversion, and as the archive of a file's pictures."""
    failures, accepted = [], 0
    slowest = (0.0, -1)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "train.zip")
        for number in numbers:
            data = archive_case(number, seed)
            path.write_bytes(data)
            good: list[bool] = []

            def read(path: Path = path, good: list[bool] = good) -> None:
                for split in find_splits(path, password="secret"):
                    images = [read_image(split.reader, entry) for entry in split.entries]
                    good.append(all(image.error is None for image in images))

            def look(path: Path = path) -> None:
                pictures = Pictures(path, "secret")
                for name in [*pictures.names()][:5]:
                    pictures.find_cut(name)

            for work in (read, look):
                started = time.process_time()
                what = _run(work)
                slowest = max(slowest, (time.process_time() - started, number))
                if what is not None:
                    failures.append(Failure(number, what, data))
            accepted += bool(good) and all(good)
    return Outcome(len(numbers), accepted, slowest, failures)


# ---------------------------------------------------------------- runs


def fuzz_annotations(cases: int, seed: int, workers: int = 1) -> Outcome:
    """Mutated annotation files through the parser, the encoders and the validator."""
    return _fuzz(partial(_annotation_batch, seed), cases, workers)


def fuzz_coco(cases: int, seed: int, workers: int = 1) -> Outcome:
    """Mutated COCO files and results through everything that reads them."""
    return _fuzz(partial(_coco_batch, seed), cases, workers)


def fuzz_headers(cases: int, seed: int, workers: int = 1) -> Outcome:
    """Mutated images through the reader of headers, compared with Pillow."""
    return _fuzz(partial(_header_batch, seed), cases, workers)


def fuzz_archives(cases: int, seed: int, workers: int = 1) -> Outcome:
    """Mutated zip archives through everything that reads them."""
    return _fuzz(partial(_archive_batch, seed), cases, workers)


def _fuzz(batch: Callable[[range], Outcome], cases: int, workers: int) -> Outcome:
    total = Outcome(0, 0, (0.0, -1), [])
    batches = [range(n, min(n + _BATCH, cases)) for n in range(0, cases, _BATCH)]
    for part in map_ordered(batch, batches, workers=workers):
        total = Outcome(
            total.cases + part.cases,
            total.accepted + part.accepted,
            max(total.slowest, part.slowest),
            total.failures + part.failures,
        )
        if sys.stderr.isatty():
            print(
                f"\r{total.cases:,} cases, {len(total.failures)} failures", end="", file=sys.stderr
            )
    return total


def main() -> int:
    """Run all, print the numbers; 1 when there was a failure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--annotations", type=int, default=10_000, metavar="N")
    parser.add_argument("--coco", type=int, default=2_000, metavar="N")
    parser.add_argument("--headers", type=int, default=10_000, metavar="N")
    parser.add_argument("--archives", type=int, default=5_000, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=available_cores())
    parser.add_argument("--only", type=int, metavar="CASE", help="run this case of each kind again")
    arguments = parser.parse_args()
    seed = arguments.seed
    failed = False
    kinds: tuple[tuple[str, Callable[[int, range], Outcome], int], ...] = (
        ("annotation files", _annotation_batch, arguments.annotations),
        ("COCO files", _coco_batch, arguments.coco),
        ("images", _header_batch, arguments.headers),
        ("archives", _archive_batch, arguments.archives),
    )
    for kind, batch, cases in kinds:
        started = time.perf_counter()
        if arguments.only is not None:
            outcome = batch(seed, range(arguments.only, arguments.only + 1))
        else:
            outcome = _fuzz(partial(batch, seed), cases, arguments.workers)
        seconds, slowest = outcome.slowest
        print(
            f"{outcome.cases:,} {kind} in {time.perf_counter() - started:.0f} s: "
            f"{outcome.accepted:,} accepted, slowest {seconds:.2f} s (case {slowest}), "
            f"{len(outcome.failures)} failures"
        )
        for failure in outcome.failures[:20]:
            print(f"--- case {failure.case}: {failure.what}\n{failure.raw[:300]!r}")
        failed = failed or bool(outcome.failures) or seconds > SLOW
    return int(failed)


if __name__ == "__main__":
    from tests.tools.fuzz import (
        main as main_of_the_module,  # workers must find its functions by name
    )

    sys.exit(main_of_the_module())
