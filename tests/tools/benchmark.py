"""What df2coco costs, side by side with the usual way: `make bench`, in about ten minutes.

Every row is a process of its own. Its seconds are those of all cores together (user + system, with its
children), since the clock on the wall says more about the machine than about the program; both are
shown. Rows of one table take turns, and medians count. In a further round the peak of the resident memory
of the process and its children is measured (pages that they share count for each). What takes longer than
5 seconds runs once, and is looked at then.
The usual way's document must be that of `--preset official`, and all engines must give the same numbers.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from df2coco.taxonomy import SIGMAS
from tests.tools.benchmark_results import KINDS, make_results, make_retrieval
from tests.tools.synthetic import make_split
from tests.zipcrypto import write_encrypted_zip

PYTHON = sys.executable
HERE = Path(__file__).parent
SEED = 0

FLOOR = """
import os, sys
annos, image, sample, out = sys.argv[1:]
for name in sorted(os.listdir(annos)):
    for path, size in ((f"{annos}/{name}", 1 << 16), (f"{image}/{name[:6]}.jpg", 4096)):
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
PYCOCOTOOLS = """
import contextlib, io, json, sys
import numpy as np
{imports}
kind, sigmas, truth, results = sys.argv[1:]
with contextlib.redirect_stdout(io.StringIO()):
    truth = COCO(truth)
    if kind == "keypoints":
        for annotation in truth.dataset["annotations"]:  # the benchmark's OKS scale
            annotation["area"] = annotation["bbox"][2] * annotation["bbox"][3]
    evaluation = COCOeval(truth, truth.loadRes(results), kind)
    evaluation.params.kpt_oks_sigmas = np.array(json.loads(sigmas))
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
print(json.dumps(list(map(float, evaluation.stats))))
"""
PLAIN = PYCOCOTOOLS.format(
    imports="from pycocotools.coco import COCO\nfrom pycocotools.cocoeval import COCOeval"
)
FASTER = PYCOCOTOOLS.format(
    imports="from faster_coco_eval import COCO, COCOeval_faster as COCOeval"
)
HOTCOCO = """
import json, sys, warnings
import hotcoco
warnings.simplefilter("ignore")
kind, sigmas, truth, results = sys.argv[1:]
truth = hotcoco.COCO(truth)
evaluation = hotcoco.COCOeval(truth, truth.loadRes(results), kind)
if kind == "keypoints":
    evaluation.params.kpt_oks_sigmas = json.loads(sigmas)
evaluation.evaluate()
evaluation.accumulate()
evaluation.summarize()
print(json.dumps(list(map(float, evaluation.stats))))
"""


_SLOW = 5.0
"""Seconds from which a command runs once."""


@dataclass
class Row:
    """A command and what it cost, round by round."""

    name: str
    command: list[str]
    seconds: list[float] = field(default_factory=list)
    """On the wall."""
    cpu: list[float] = field(default_factory=list)
    """Of all cores, with children."""
    megabytes: float = 0
    output: bytes = b""
    fresh: Path | None = None
    """What the command makes, and must not find."""

    @property
    def is_slow(self) -> bool:
        return max(self.seconds, default=0) > _SLOW

    def run(self) -> None:
        """Run the command once, for its time."""
        self._clear()
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
            started = time.perf_counter()
            process = subprocess.Popen(self.command, stdout=out, stderr=errors)
            finished = 0
            while not finished:
                finished, status, usage = os.wait4(process.pid, os.WNOHANG)
                elapsed = time.perf_counter() - started
                if not finished and elapsed > _SLOW:
                    self._look(psutil.Process(process.pid))
                time.sleep(0.1 if elapsed > _SLOW else 0.001)
            process.returncode = os.waitstatus_to_exitcode(status)
            self.seconds.append(elapsed)
            self.cpu.append(usage.ru_utime + usage.ru_stime)
            out.seek(0)
            self.output = out.read()
            if process.returncode:
                errors.seek(0)
                raise SystemExit(f"{self.name}: {errors.read().decode()}")

    def weigh(self) -> None:
        """Run the command once, for its memory: looking at processes takes a part of a core."""
        self._clear()
        process = psutil.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None:
            self._look(process)
            time.sleep(0.01)

    def _clear(self) -> None:
        if self.fresh is not None:
            shutil.rmtree(self.fresh, ignore_errors=True)

    def _look(self, process: psutil.Process) -> None:
        self.megabytes = max(self.megabytes, _resident(process) / 1e6)


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


def table(title: str, rows: Sequence[Row], rounds: int) -> None:
    """Time rows in turn and print them; a ratio is how many times less than the first row one takes."""
    for number in range(rounds):
        for row in rows:
            if number == 0 or not row.is_slow:
                row.run()
    for row in rows:
        if not row.is_slow:
            row.weigh()
    print(f"\n**{title}** (median of {rounds})\n")
    print(f"| {'':<46} | CPU seconds | ratio | seconds | ratio | peak MB |")
    print(f"|{'-' * 48}|------------:|------:|--------:|------:|--------:|")
    first = rows[0]
    for row in rows:
        print(
            f"| {row.name:<46} | {median(row.cpu):11.2f} | {median(first.cpu) / median(row.cpu):5.1f} "
            f"| {median(row.seconds):7.2f} | {median(first.seconds) / median(row.seconds):5.1f} "
            f"| {row.megabytes:7.0f} |"
        )
    sys.stdout.flush()


def df2coco(*arguments: str | Path) -> list[str]:
    return [PYTHON, "-m", "df2coco", *map(str, arguments)]


def script(code: str, *arguments: str | Path) -> list[str]:
    return [PYTHON, "-c", code, *map(str, arguments)]


def usual(split: Path, out: Path) -> list[str]:
    return [PYTHON, str(HERE / "usual_way.py"), str(split), str(out)]


def check_equal(usual_file: Path, ours: Path) -> None:
    assert json.loads(usual_file.read_bytes()) == json.loads(ours.read_bytes()), "not the same"


def conversion(split: Path, folder: Path, rounds: int) -> None:
    out, floor = folder / "out.json", folder / "sample.json"
    usual_file, official = folder / "usual.json", folder / "official.json"
    Row("sample", df2coco("convert", split, floor)).run()
    rows = [
        Row("the usual way", usual(split, usual_file)),
        *(
            Row(f"df2coco {options}", df2coco("convert", split, target, *options.split()))
            for options, target in {
                "--area box": out,
                "--area mask": out,
                "--area mask --workers 1": out,
                "--area mask --layout aggregated": out,
                "--preset official": official,
            }.items()
        ),
        Row("df2coco to a folder: both tasks", df2coco("convert", split, folder / "both")),
        Row(
            "floor: read all, write OUT's bytes",
            script(FLOOR, split / "annos", split / "image", floor, out),
        ),
    ]
    table("Conversion of 32,153 images, 52,480 items", rows, rounds)
    apart(check_equal, usual_file, official)


def archives(split: Path, folder: Path, rounds: int) -> None:
    archive, few, out = folder / "validation.zip", folder / "few", folder / "out.json"
    paths = [
        path for kind in ("annos", "image") for path in sorted((split / kind).iterdir())[:4000]
    ]
    members = [(f"validation/{p.parent.name}/{p.name}", p.read_bytes()) for p in paths]
    write_encrypted_zip(archive, members, "secret")
    for path in paths:
        target = few / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(path, target)
    rows = [
        Row("from the folder", df2coco("convert", few, out)),
        Row("from the encrypted zip", df2coco("convert", archive, out, "--password", "secret")),
    ]
    table("Straight from the download: 4,000 images", rows, rounds)


def headers(split: Path, folder: Path, rounds: int) -> None:
    del folder
    rows = [
        Row("Pillow", script(HEADERS, split / "image", "pillow")),
        Row("df2coco.parser.image_header", script(HEADERS, split / "image", "ours")),
    ]
    table("Sizes and orientations of 32,153 images", rows, rounds)


LOADED = {
    "the official converter's": ["--preset", "official"],
    "294 slots": [],
    "81 slots (--layout aggregated)": ["--layout", "aggregated"],
    "--layout category": ["--layout", "category"],
    "--task instances": ["--task", "instances"],
}


def loading(split: Path, folder: Path, rounds: int) -> None:
    """What a user of the files pays, in pycocotools."""
    rows = []
    for number, (name, options) in enumerate(LOADED.items()):
        path = folder / f"load{number}.json"
        Row(name, df2coco("convert", split, path, *options)).run()
        rows.append(Row(f"{name} ({path.stat().st_size / 1e6:.0f} MB)", script(LOAD, path)))
    table("pycocotools loads the file", rows, rounds)


def validation(split: Path, folder: Path, rounds: int) -> None:
    path = folder / "out.json"
    Row("convert", df2coco("convert", split, path)).run()
    rows = [
        Row("pycocotools.COCO() alone", script(LOAD, path)),
        Row("df2coco validate", df2coco("validate", path)),
        Row("df2coco validate --quick", df2coco("validate", path, "--quick")),
        Row("df2coco validate --against the split", df2coco("validate", path, "--against", split)),
        Row("df2coco convert, for comparison", df2coco("convert", split, folder / "again.json")),
    ]
    table("Validation, 294 slots", rows, rounds)


def other_commands(split: Path, folder: Path, rounds: int) -> None:
    path, few = folder / "keypoints_validation.json", folder / "few.json"
    Row("convert", df2coco("convert", split, path, "--area", "mask")).run()
    Row("convert", df2coco("convert", split, few, "--area", "mask", "--limit", "3000")).run()
    photos, annos = split / "image", folder / "annos"
    page, part = folder / "report.html", folder / "parts"
    out = folder / "exported"
    rows = [
        Row("stats of the split", df2coco("stats", split)),
        Row("stats of the file", df2coco("stats", path)),
        Row("restore", df2coco("restore", path, annos), fresh=annos),
        Row("split", df2coco("split", path, part, "--parts", "a=0.9,b=0.1"), fresh=part),
        Row("merge", df2coco("merge", path, few, folder / "merged.json")),
        Row("image-info", df2coco("image-info", photos, folder / "info.json")),
        Row("retrieval", df2coco("retrieval", split, out), fresh=out),
        Row("export table", df2coco("export", "table", path, folder / "items.csv")),
        Row("draw 100 pictures", df2coco("draw", path, *_pictures(photos, folder / "drawn"))),
        Row("report of 3,000 images", df2coco("report", few, "--images", photos, "--out", page)),
        *(
            Row(f"export {' '.join(words)}", _export(words, path, out, photos), fresh=out)
            for words in (("coco",), ("yolo",), ("yolo", "--task", "pose"), ("yolo", "--task", "segment"))
        ),
    ]  # fmt: skip
    table("Other commands of df2coco, 32,153 images", rows, rounds)
    panlabel = shutil.which("panlabel", path=str(Path(PYTHON).parent))
    if panlabel is not None:
        labels = [panlabel, "convert", "--from", "coco", "--to", "yolo", "--allow-lossy"]
        rows = [
            Row("panlabel stats", [panlabel, "stats", "--format", "coco", str(path)]),
            Row("df2coco stats", df2coco("stats", path)),
            Row(
                "panlabel convert --to yolo (labels alone)",
                [*labels, "--input", str(path), "--output", str(out)],
                fresh=out,
            ),
            Row(
                "df2coco export yolo (with photos)",
                _export(("yolo",), path, out, photos),
                fresh=out,
            ),
        ]
        table("panlabel, a compiled program, at what both do", rows, rounds)


def _pictures(photos: Path, out: Path) -> list[str | Path]:
    return ["--images", photos, "--sample", "100", "--out", out]


def _export(words: Sequence[str], path: Path, out: Path, photos: Path) -> list[str]:
    return df2coco("export", words[0], path, out, "--images", photos, *words[1:])


def evaluation(folder: Path, rounds: int, images: int, results: int) -> None:
    """Boxes, masks and landmarks. All engines must give the same numbers."""
    split, truth = folder / f"scored{images}", folder / "truth.json"
    make_split(split, images, SEED)
    Row("convert", df2coco("convert", split, truth)).run()
    items = apart(make_results, truth, folder, results)
    sigmas = json.dumps(SIGMAS)
    for kind in KINDS:
        files = [truth, folder / f"{kind}.json"]
        rows = [
            Row("pycocotools", script(PLAIN, kind, sigmas, *files)),
            Row("faster-coco-eval", script(FASTER, kind, sigmas, *files)),
            Row("hotcoco directly", script(HOTCOCO, kind, sigmas, *files)),
            Row("df2coco evaluate", df2coco("evaluate", kind, *files, "--json")),
            Row(
                "df2coco evaluate --engine pycocotools",
                df2coco("evaluate", kind, *files, "--json", "--engine", "pycocotools"),
            ),
        ]
        table(f"{kind}: {results:,} results on {items:,} items", rows, rounds)
        ap = [_ap(row.output) for row in rows]
        assert max(ap) - min(ap) < 1e-9, ap
    paths = apart(make_retrieval, folder)
    rows = [Row("df2coco evaluate retrieval", df2coco("evaluate", "retrieval", *paths))]
    table("retrieval: 12,550 queries, 37,183 gallery items", rows, rounds)


def _ap(output: bytes) -> float:
    """AP, the first of COCO's numbers."""
    if output.lstrip().startswith(b"{"):
        return float(json.loads(output)["AP"])
    return float(json.loads(output.splitlines()[-1])[0])  # below what engines print


def growth(folder: Path, sizes: Iterable[int]) -> None:
    """Train has six times the images of validation: time and memory must grow with them, no faster."""
    rows = []
    for size in sizes:
        split = folder / f"split{size}"
        make_split(split, size, SEED)
        rows.append(Row(f"{size:,} images", df2coco("convert", split, folder / "out.json")))
    table("Growth with the size of the split", rows, 1)
    for row in rows:
        print(
            f"{row.name}: {1e6 * row.cpu[0] / int(row.name.split()[0].replace(',', '')):.0f} microseconds an image"
        )


def apart(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call it in a process of its own: a child begins with its parent's peak of memory."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def machine() -> str:
    packages = (
        "numpy", "orjson", "msgspec", "Pillow", "pycocotools", "hotcoco", "faster-coco-eval", "typer",
    )  # fmt: skip
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    return (
        f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}, "
        f"Python {platform.python_version()}, {versions}; seed {SEED}"
    )


STEPS: dict[str, Callable[[Path, Path, int], None]] = {
    "conversion": conversion,
    "headers": headers,
    "archives": archives,
    "loading": loading,
    "validation": validation,
    "other": other_commands,
}
"""What is measured on a split of validation size, in this order."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--full", action="store_true", help="also train size, and 100,000 results")
    parser.add_argument(
        "--only", nargs="*", default=[*STEPS, "evaluation", "growth"], metavar="STEP"
    )
    options = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        split = folder / "validation"
        make_split(split, 32_153, SEED)
        for step, measure in STEPS.items():
            if step in options.only:
                measure(split, folder, options.rounds)
        if "evaluation" in options.only:
            evaluation(folder, options.rounds, 6_139, 20_000)
        if "growth" in options.only:
            growth(folder, (3_000, 32_153))
        if options.full:
            evaluation(folder, 1, 32_153, 100_000)
            growth(folder, (192_000,))


if __name__ == "__main__":
    main()
