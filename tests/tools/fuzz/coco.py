"""Mutated COCO files and results through every command that reads them."""

from __future__ import annotations

import json
import math
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import orjson

from df2coco import export_yolo, merge, split, statistics, validate, write_report
from df2coco.coco import load
from df2coco.converter import convert
from df2coco.converter.restore import restore
from df2coco.drawing import draw
from df2coco.evaluation import evaluate
from df2coco.limits import MAX_SIDE
from df2coco.parser import read
from tests.samples import asked, make_annotation, make_item, make_jpeg
from tests.tools.fuzz.cases import Case, Outcome, Watch, fuzz
from tests.tools.mutations import encode, mutate

_KINDS: Final = ("bbox", "segm", "keypoints")


def coco_batch(seed: int, numbers: range) -> Iterator[Case]:
    """Each as what every command reads; what one accepts the others may not refuse."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seeds = _seeds(folder)
        (folder / "image").mkdir()
        for number in (1, 2, 3):
            (folder / f"image/{number:06d}.jpg").write_bytes(make_jpeg())
        good = encode(seeds[0]), encode(_results(seeds[0]))
        _Readers(folder, Watch(-1, b""), *good, pictures=True)  # imports are not the first case's
        for number in numbers:
            rng = random.Random(f"coco {seed} {number}")
            document = rng.choice(seeds)
            raw, results = mutate(document, rng), encode(_results(document))
            if rng.random() < 0.2:  # the results are the odd ones
                raw, results = encode(document), mutate(_results(document), rng)
            watch = Watch(number, raw + b"\n\n" + results)
            readers = _Readers(folder, watch, raw, results, pictures=number % 4 == 0)
            yield watch.end(accepted=readers.is_loaded)


def _seeds(folder: Path) -> list[Any]:
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


class _Readers:
    """One file and its results, read by all commands."""

    def __init__(
        self, folder: Path, watch: Watch, raw: bytes, results: bytes, *, pictures: bool
    ) -> None:
        self.folder, self.watch = folder, watch
        self.coco, self.results = folder / "coco.json", folder / "results.json"
        self.coco.write_bytes(raw)
        self.results.write_bytes(results)
        self.is_valid = False
        self.watch.run(self._validate, "validate")
        self.is_loaded = self._must("load", lambda: load(self.coco))
        self._must("stats", lambda: statistics(self.coco))
        for kind in _KINDS:
            self._evaluate(kind)
        self._restore()
        if pictures:  # costs as much as all others together
            self._pictures()

    def _must(self, name: str, work: Callable[[], object]) -> bool:
        """Whether `work` was done; refusing a file that `validate` calls valid is a contradiction."""
        done = self.watch.run(work, name)
        if self.is_valid and not done and not self.watch.failures:
            self.watch.fail(f"{name} refuses what validate calls valid")
        return done

    def _validate(self) -> None:
        report = validate(self.coco)
        self.is_valid = not any(hit.check.level == "error" for hit in report.findings)

    def _evaluate(self, kind: Any) -> None:
        """By both engines, which must come to the same numbers."""
        scores: list[Any] = []
        for engine in ("hotcoco", "pycocotools"):

            def score(engine: Any = engine) -> None:
                evaluation = evaluate(kind, self.coco, self.results, engine=engine, by="scale")
                scores.append(_numbers(evaluation.as_json(per_category=True)))

            self.watch.run(score, f"{kind} by {engine}")
        if len(scores) == 1 and not self.watch.failures:
            self.watch.fail(f"{kind}: one engine alone scores this")
        for key, value in scores[0].items() if len(scores) == 2 else ():
            other = scores[1].get(key, math.nan)
            if not math.isclose(value, other, rel_tol=0, abs_tol=1e-9):
                self.watch.fail(f"{kind}: {key} is {value} by hotcoco and {other} by pycocotools")

    def _restore(self) -> None:
        """What was restored must be a source again, with the file's boxes."""
        annos = self.folder / "restored/annos"  # no photos beside it
        shutil.rmtree(annos.parent, ignore_errors=True)
        if not self.watch.run(lambda: restore(self.coco, annos), "restore"):
            return
        boxes: list[tuple[int, list[float]]] = []

        def again() -> None:
            for record in read(annos):
                boxes.extend((record.image_id, list(item.bounding_box)) for item in record.items)

        if not self.watch.run(again, "read again"):
            self.watch.fail("what was restored is not a source")
            return
        document = orjson.loads(self.coco.read_bytes())
        images = {image["id"] for image in document["images"]}
        wanted = sorted(
            (annotation["image_id"], _corners(annotation["bbox"]))
            for annotation in document.get("annotations", [])
            if annotation["image_id"] in images
        )
        # The dataset's own limit: convert names what is beyond.
        wanted = [(image, box) for image, box in wanted if max(map(abs, box)) <= MAX_SIDE]
        if len(boxes) != len(wanted) or not all(
            one[0] == other[0] and all(map(_near, one[1], other[1]))
            for one, other in zip(sorted(boxes), wanted, strict=True)
        ):
            self.watch.fail(f"the boxes {wanted} came back as {sorted(boxes)}"[:2000])

    def _pictures(self) -> None:
        image, out = self.folder / "image", self.folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        work: dict[str, Callable[[], object]] = {
            "draw": lambda: draw(
                self.coco, image, out / "sheet.png", sample=2, results=self.results
            ),
            "report": lambda: write_report(self.coco, image, out / "report.html", examples=4),
            "split": lambda: split(self.coco, out / "split", parts={"a": 0.5, "b": 0.5}),
            "merge": lambda: merge([self.coco, self.coco], out / "merged.json", by_name=True),
            "yolo": lambda: export_yolo([self.coco], out / "yolo", task="segment", images=[image]),
        }
        for name, job in work.items():
            self.watch.run(job, name)
        for path in (out / "split").glob("*.json"):
            self._must("load of a part", lambda path=path: load(path))  # type: ignore[misc]
        if (out / "merged.json").exists() and self.is_loaded:
            self._must("load of what was merged", lambda: load(out / "merged.json"))


def _corners(box: list[float]) -> list[float]:
    x, y, width, height = box
    return [x, y, x + width, y + height]


def _near(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-12, abs_tol=1e-6)


def _numbers(value: Any, name: str = "") -> dict[str, float]:
    """All numbers in a document, by where they are."""
    if isinstance(value, dict):
        children = {f"{name}.{key}": child for key, child in value.items()}
    elif isinstance(value, list):
        children = {f"{name}.{number}": child for number, child in enumerate(value)}
    else:
        return {name: float(value)} if isinstance(value, int | float) else {}
    return {k: v for place, child in children.items() for k, v in _numbers(child, place).items()}


def fuzz_coco(cases: int, seed: int, workers: int = 1) -> Outcome:
    return fuzz(coco_batch, cases, seed, workers)
