"""Mutated zip archives through everything that reads them."""

from __future__ import annotations

import functools
import io
import random
import re
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from df2coco.parser.annotation import parse_annotation
from df2coco.parser.photos import Pictures
from df2coco.parser.reader import read_image
from df2coco.parser.splits import find_splits
from tests.samples import make_annotation, make_jpeg
from tests.tools.fuzz.cases import Case, Outcome, Watch, fuzz
from tests.tools.mutations import encode
from tests.zipcrypto import write_encrypted_zip

_PASSWORD = "secret"


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
    archives = []
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
            archives.append(buffer.getvalue())
    with tempfile.TemporaryDirectory() as folder:
        for streamed in (False, True):
            write_encrypted_zip(Path(folder, "a.zip"), members, _PASSWORD, streamed=streamed)
            archives.append(Path(folder, "a.zip").read_bytes())
    return archives


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


def archive_batch(seed: int, numbers: range) -> Iterator[Case]:
    """Each as a source and as the archive of pictures; what is read must be what zipfile reads."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "train.zip")
        for number in numbers:
            data = archive_case(number, seed)
            watch = Watch(number, data)
            path.write_bytes(data)
            good: list[bool] = []
            members = _by_zipfile(path)
            watch.run(partial(_convert, watch, path, members, good), "source")
            watch.run(partial(_look, watch, path, members), "pictures")
            yield watch.end(accepted=bool(good) and all(good))


def _by_zipfile(path: Path) -> dict[str, bytes]:
    """What the standard library reads of it, by the last two parts of each name that occurs once."""
    members: dict[str, bytes] = {}
    try:
        with warnings.catch_warnings(), zipfile.ZipFile(path) as archive:
            warnings.simplefilter("ignore")
            names = [info.filename for info in archive.infolist()]
            for info in archive.infolist():
                try:
                    data = archive.read(info, pwd=_PASSWORD.encode())
                except Exception:
                    continue
                if names.count(info.filename) == 1:
                    members["/".join(re.split(r"[/\\]", info.filename)[-2:])] = data
    except Exception:
        return {}
    return members


def _convert(watch: Watch, path: Path, members: dict[str, bytes], good: list[bool]) -> None:
    for split in find_splits(path, password=_PASSWORD):
        for entry in split.entries:
            image = read_image(split.reader, entry)
            good.append(image.error is None)
            own = members.get(f"annos/{entry.stem}.json")
            if image.record is None or own is None or not split.reader.annotations:
                continue
            record, name = image.record, entry.stem
            size = (record.width, record.height)
            expected = parse_annotation(own, name, image_id=1, file_name="", size=size)
            if expected.items != record.items:
                watch.fail(f"{entry.stem}.json is otherwise by zipfile")


def _look(watch: Watch, path: Path, members: dict[str, bytes]) -> None:
    pictures = Pictures(path, _PASSWORD)
    for name in [*pictures.names()][:5]:
        pictures.find_cut(name)
        data = pictures.read(name)
        own = members.get("/".join(["image", *name.split("/")][-2:]))
        if own is not None and own != data:
            watch.fail(f"{name} is otherwise by zipfile")


def fuzz_archives(cases: int, seed: int, workers: int = 1) -> Outcome:
    return fuzz(archive_batch, cases, seed, workers)
