"""What df2coco costs, side by side with the usual way: `make bench`.

Every row is a process of its own: wall time, and in a further round the peak of the resident memory of it and
its children (pages that they share count for each). Rows of one table take turns, and the median of the
rounds counts.
Results are compared before anything is timed.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import psutil

from tests.benchmark_evaluation import evaluation_rows, print_rows
from tests.synthetic import make_split
from tests.zipcrypto import write_encrypted_zip

PYTHON = sys.executable
TESTS = Path(__file__).parent

FLOOR = """
import os, sys
annos, image, sample, out = sys.argv[1:]
for name in sorted(os.listdir(annos)):
    for path, size in ((f"{annos}/{name}", 1 << 20), (f"{image}/{name[:6]}.jpg", 4096)):
        descriptor = os.open(path, os.O_RDONLY)
        os.read(descriptor, size)
        os.close(descriptor)
with open(sample, "rb") as source, open(out, "wb") as target:
    while data := source.read(1 << 20):
        target.write(data)
"""
HEADERS = """
import sys
from pathlib import Path
files = sorted(Path(sys.argv[1]).iterdir())
if sys.argv[2] == "pillow":
    from PIL import Image
    for file in files:
        with Image.open(file) as image:
            image.size, image.getexif().get(0x0112)
else:
    from df2coco.parser.splits import find_images
    split = find_images(Path(sys.argv[1]))
    for entry in split.entries:
        split.reader.header(entry).size
"""
LOAD = "import sys; from pycocotools.coco import COCO; COCO(sys.argv[1])"
DECRYPT = """
import sys, zipfile
from pathlib import Path
from df2coco.parser import archive
if sys.argv[2] == "stdlib":
    archive._decrypter = zipfile._ZipDecrypter
files = archive.ZipFiles(Path(sys.argv[1]), "secret")
for name, member in list(archive.read_directory(Path(sys.argv[1])))[:4000]:
    files.read(member, 1 << 20 if name.endswith("json") else 4096)
"""


@dataclass
class Row:
    """A command and what it cost, round by round."""

    name: str
    command: list[str]
    seconds: list[float] = field(default_factory=list)
    megabytes: float = 0

    @property
    def time(self) -> float:
        return statistics.median(self.seconds)


def run(row: Row) -> None:
    """Run a row's command once, for its time."""
    started = time.perf_counter()
    with subprocess.Popen(
        row.command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        _, errors = process.communicate()
    row.seconds.append(time.perf_counter() - started)
    if process.returncode:
        raise SystemExit(f"{row.name}: {errors.decode()}")


def weigh(row: Row) -> None:
    """Run a row's command once, for its memory: looking at processes takes a part of a core."""
    process = psutil.Popen(row.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        row.megabytes = max(row.megabytes, _resident(process) / 1e6)
        time.sleep(0.01)


def _resident(process: psutil.Process) -> float:
    total = 0.0
    try:
        family = [process, *process.children(recursive=True)]
    except psutil.Error:
        return total
    for member in family:
        try:
            total += member.memory_info().rss
        except psutil.Error:
            continue
    return total


def table(title: str, rows: Sequence[Row], *, rounds: int) -> None:
    """Time rows in turn and print them, each against the first."""
    for _ in range(rounds):
        for row in rows:
            run(row)
    for row in rows:
        weigh(row)
    print(f"\n{title} (median of {rounds})\n")
    print(f"| {'':<44} | seconds | ratio | peak MB |")
    print(f"|{'-' * 46}|--------:|------:|--------:|")
    first = rows[0]
    for row in rows:
        print(
            f"| {row.name:<44} | {row.time:7.2f} | {first.time / row.time:5.1f} | {row.megabytes:7.0f} |"
        )
    sys.stdout.flush()


def df2coco(*arguments: str | Path) -> list[str]:
    return [PYTHON, "-m", "df2coco", *map(str, arguments)]


def script(code: str, *arguments: str | Path) -> list[str]:
    return [PYTHON, "-c", code, *map(str, arguments)]


def usual(split: Path, out: Path) -> list[str]:
    return [PYTHON, str(TESTS / "usual_way.py"), str(split), str(out)]


def check_equal(split: Path, folder: Path) -> None:
    """The usual way's document is that of `--preset official`; workers and archives change no byte."""
    run(Row("usual way", usual(split, folder / "usual.json")))
    run(
        Row(
            "preset official",
            df2coco("convert", split, folder / "ours.json", "--preset", "official"),
        )
    )
    first, second = (
        json.loads((folder / name).read_bytes()) for name in ("usual.json", "ours.json")
    )
    assert first == second, "not the same document"


def conversion(split: Path, folder: Path, rounds: int) -> None:
    out = folder / "out.json"
    floor = folder / "sample.json"
    run(Row("sample", df2coco("convert", split, floor, "--area", "box")))
    rows = [
        Row("the usual way", usual(split, out)),
        Row("df2coco --area box", df2coco("convert", split, out, "--area", "box")),
        Row("df2coco", df2coco("convert", split, out)),
        Row("df2coco --workers 1", df2coco("convert", split, out, "--workers", "1")),
        Row("df2coco --preset official", df2coco("convert", split, out, "--preset", "official")),
        Row(
            "df2coco to a folder: instances and keypoints",
            df2coco("convert", split, folder / "both"),
        ),
        Row(
            "floor: read all, write OUT's bytes",
            script(FLOOR, split / "annos", split / "image", floor, out),
        ),
    ]
    table("Conversion of 32,153 images, 52,480 items", rows, rounds=rounds)


def archives(split: Path, folder: Path, rounds: int) -> None:
    archive, out = folder / "validation.zip", folder / "out.json"
    members = [
        (f"validation/{kind}/{path.name}", path.read_bytes())
        for kind in ("annos", "image")
        for path in sorted((split / kind).iterdir())[:4000]
    ]
    write_encrypted_zip(archive, members, "secret")
    del members
    few = folder / "few"
    for kind in ("annos", "image"):
        (few / kind).mkdir(parents=True)
        for path in sorted((split / kind).iterdir())[:4000]:
            os.link(path, few / kind / path.name)
    rows = [
        Row("from the folder", df2coco("convert", few, out)),
        Row("from the encrypted zip", df2coco("convert", archive, out, "--password", "secret")),
    ]
    table("Straight from the download: 4,000 images", rows, rounds=rounds)
    rows = [
        Row("the standard library's decryption", script(DECRYPT, archive, "stdlib")),
        Row("fast-zip-decryption", script(DECRYPT, archive, "fast")),
    ]
    table("Decrypting 4,000 annotation files", rows, rounds=1)


def headers(split: Path, rounds: int) -> None:
    rows = [
        Row("Pillow", script(HEADERS, split / "image", "pillow")),
        Row("df2coco.parser.image_header", script(HEADERS, split / "image", "ours")),
    ]
    table("Sizes and orientations of 32,153 images", rows, rounds=rounds)


def afterwards(split: Path, folder: Path, rounds: int) -> None:
    """What a user of the files pays, in pycocotools."""
    kinds = {
        "the official converter's": ["--preset", "official"],
        "294 slots": [],
        "--layout category": ["--layout", "category"],
        "--task instances": ["--task", "instances"],
    }
    rows = []
    for number, (name, options) in enumerate(kinds.items()):
        path = folder / f"load{number}.json"
        run(Row(name, df2coco("convert", split, path, *options)))
        rows.append(Row(f"{name} ({path.stat().st_size / 1e6:.0f} MB)", script(LOAD, path)))
    table("pycocotools loads the file", rows, rounds=rounds)


def validation(folder: Path, rounds: int) -> None:
    """Beside what any consumer pays to load the file. Files as `afterwards` leaves them."""
    for name, path in (("294 slots", "load1.json"), ("--layout category", "load2.json")):
        rows = [
            Row("pycocotools.COCO() alone", script(LOAD, folder / path)),
            Row("df2coco validate", df2coco("validate", folder / path)),
            Row("df2coco validate --quick", df2coco("validate", folder / path, "--quick")),
        ]
        table(f"Validation, {name}", rows, rounds=rounds)


def growth(folder: Path, sizes: Sequence[int]) -> None:
    rows = []
    for size in sizes:
        split = folder / f"split{size}"
        make_split(split, size)
        rows.append(Row(f"{size:,} images", df2coco("convert", split, folder / "out.json")))
    table("Growth with the size of the split", rows, rounds=1)
    for row, size in zip(rows, sizes, strict=True):
        print(f"{row.name}: {1e6 * row.time / size:.0f} microseconds an image")


def machine() -> str:
    packages = ("numpy", "orjson", "Pillow", "pycocotools", "typer")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    return f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}, Python {platform.python_version()}, {versions}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--split", type=Path, help="an existing split of validation size, made by tests.synthetic"
    )
    parser.add_argument("--growth", type=int, nargs="*", default=[5_000, 32_153, 192_000])
    options = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        split = options.split or folder / "validation"
        if options.split is None:
            make_split(split, 32_153)
        # In a process of its own: a child begins with its parent's peak of memory.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            pool.submit(check_equal, split, folder).result()
        steps: list[Callable[[], None]] = [
            lambda: conversion(split, folder, options.rounds),
            lambda: headers(split, options.rounds),
            lambda: archives(split, folder, options.rounds),
            lambda: afterwards(split, folder, options.rounds),
            lambda: validation(folder, options.rounds),
            lambda: print_rows(evaluation_rows(folder / "load1.json", folder)),
            lambda: growth(folder, options.growth),
        ]
        for step in steps:
            step()


if __name__ == "__main__":
    main()
