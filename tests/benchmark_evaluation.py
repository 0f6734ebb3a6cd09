"""What evaluation costs: our default against plain pycocotools, on a validation-size ground truth.

    python -m tests.benchmark_evaluation GT.json [--results 100000]

GT.json is a split of validation size as `df2coco convert` writes it. Each row is a process of its own,
which tells the peak of its memory (pages of files that it maps count too). The scores of the rows of a
table are compared before the times are shown.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from df2coco.masks import union_mask

KINDS = ("bbox", "segm", "keypoints")

OURS = """
import json, resource, sys
from df2coco.evaluation import evaluate
kind, engine, truth, results = sys.argv[1:]
evaluation = evaluate(kind, truth, results, engine=engine)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
print(json.dumps({"stats": list(evaluation.scores.metrics.values()), "peak": peak}))
"""
PLAIN = """
import contextlib, io, json, resource, sys
import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
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
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
print(json.dumps({"stats": evaluation.stats.tolist(), "peak": peak}))
"""
RETRIEVAL = """
import json, resource, sys
from df2coco.evaluation import evaluate_retrieval
evaluation = evaluate_retrieval(*sys.argv[1:])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
print(json.dumps({"stats": list(evaluation.scores.top.values()), "peak": peak}))
"""


@dataclass(frozen=True)
class Row:
    """What one process cost."""

    table: str
    name: str
    seconds: float
    megabytes: float
    stats: list[float]


def evaluation_rows(truth: Path, folder: Path, results: int = 100_000) -> list[Row]:
    """Measure boxes, masks, landmarks and retrieval; `folder` is for the files made for it.

    Raises `AssertionError` when the scores of our default and of plain pycocotools differ by 1e-9.
    """
    from df2coco.taxonomy import SIGMAS

    # In a process of its own: a child begins with its parent's peak of memory.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        items = pool.submit(make_results, truth, folder, results).result()
        paths = pool.submit(make_retrieval, folder).result()
    sigmas = json.dumps(SIGMAS)
    rows = []
    for kind in KINDS:
        files = [str(truth), str(folder / f"{kind}.json")]
        title = f"{kind}: {results:,} results on {items:,} items"
        own = [
            _run(title, "plain pycocotools", PLAIN, [kind, sigmas, *files]),
            _run(title, "df2coco (hotcoco)", OURS, [kind, "hotcoco", *files]),
            _run(title, "df2coco --engine pycocotools", OURS, [kind, "pycocotools", *files]),
        ]
        for row in own:
            assert np.allclose(row.stats, own[0].stats, rtol=0, atol=1e-9), (row, own[0])
        rows += own
    title = "retrieval: 12,550 queries, 37,183 gallery items, 20 answers each"
    return [*rows, _run(title, "df2coco", RETRIEVAL, [str(path) for path in paths])]


def _run(table: str, name: str, code: str, arguments: Sequence[str]) -> Row:
    started = time.perf_counter()
    process = subprocess.run(
        [sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True
    )
    seconds = time.perf_counter() - started
    told = json.loads(process.stdout)
    return Row(table, name, seconds, told["peak"], told["stats"])


def make_results(truth: Path, folder: Path, number: int) -> int:
    """Write bbox.json, segm.json and keypoints.json, results near items; the number of items.

    One in ten has another category than its item, and when there are more results than items, items are
    found twice. Landmarks are 294, with boxes, as models give them.
    """
    rng = np.random.default_rng(0)
    document = orjson.loads(truth.read_bytes())
    sizes = {image["id"]: (image["width"], image["height"]) for image in document["images"]}
    annotations = document["annotations"]
    results: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
    for index in range(number):
        item = annotations[index % len(annotations)]
        *_, w, h = item["bbox"]
        noise = rng.normal(0, 0.05, 4) * (w, h, w, h)
        shift = rng.normal(0, 6, 2).round().tolist()
        common = {
            "image_id": item["image_id"],
            "category_id": item["category_id"] if rng.random() < 0.9 else int(rng.integers(1, 14)),
            "score": round(float(rng.random()), 4),
        }
        box = np.round(np.add(item["bbox"], noise), 2)
        box[2:] = np.maximum(box[2:], 1)
        landmarks = np.array(item["keypoints"], float).reshape(-1, 3)
        labelled = landmarks[:, 2] > 0
        landmarks[labelled, :2] += rng.normal(0, 0.02 * (w * h) ** 0.5, (labelled.sum(), 2))
        polygons = [
            (np.reshape(polygon, (-1, 2)) + shift).ravel() for polygon in item["segmentation"]
        ]
        mask = union_mask(polygons, *sizes[item["image_id"]])
        mask["counts"] = mask["counts"].decode()
        results["bbox"].append({**common, "bbox": box.tolist()})
        results["segm"].append({**common, "segmentation": mask})
        results["keypoints"].append(
            {**common, "bbox": box.tolist(), "keypoints": landmarks.round(1).ravel().tolist()}
        )
    for kind, entries in results.items():
        (folder / f"{kind}.json").write_bytes(orjson.dumps(entries))
    return len(annotations)


def make_retrieval(folder: Path, queries: int = 12_550, gallery: int = 37_183) -> list[Path]:
    """Write query.json, gallery.json and results.json; the paper's numbers of items."""
    rng = np.random.default_rng(0)

    def boxes(count: int) -> Any:
        low = rng.integers(0, 300, (count, 2))
        return np.concatenate([low, low + rng.integers(50, 400, (count, 2))], axis=1)

    pairs = queries // 2
    query_boxes, gallery_boxes = boxes(queries), boxes(gallery)
    query = [
        {
            "query_image_id": 1 + index // 2,
            "style": 1 + index % 2,
            "cls": int(rng.integers(1, 14)),
            "pair_id": index // 2 % pairs,
            "bbox": query_boxes[index].tolist(),
        }
        for index in range(queries)
    ]
    shop = [
        {
            "gallery_image_id": 20_000 + index // 2,
            "style": 1 + index % 2,
            "pair_id": index // 2 % pairs,
            "bbox": gallery_boxes[index].tolist(),
        }
        for index in range(gallery)
    ]
    results = []
    for item in query:
        answers = rng.integers(0, gallery, 20)
        if rng.random() < 0.6:
            place = int(rng.integers(20))
            answers[place] = item["pair_id"] * 2 + item["style"] - 1
        results.append(
            {
                "query_image_id": item["query_image_id"],
                "query_bbox": item["bbox"],
                "query_cls": item["cls"],
                "query_score": float(rng.random()),
                "gallery_image_id": [shop[answer]["gallery_image_id"] for answer in answers],
                "gallery_bbox": [shop[answer]["bbox"] for answer in answers],
            }
        )
    paths = [folder / f"{name}.json" for name in ("query", "gallery", "results")]
    for path, entries in zip(paths, (query, shop, results), strict=True):
        path.write_bytes(orjson.dumps(entries))
    return paths


def print_rows(rows: Sequence[Row]) -> None:
    """A table for each kind, each row against the first of its table."""
    for table in dict.fromkeys(row.table for row in rows):
        own = [row for row in rows if row.table == table]
        print(f"\n{table}\n")
        print(f"| {'':<44} | seconds | ratio | peak MB |")
        print(f"|{'-' * 46}|--------:|------:|--------:|")
        for row in own:
            ratio = own[0].seconds / row.seconds
            print(f"| {row.name:<44} | {row.seconds:7.2f} | {ratio:5.1f} | {row.megabytes:7.0f} |")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("truth", type=Path, metavar="GT.json")
    parser.add_argument("--results", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print_rows(evaluation_rows(options.truth, Path(folder), options.results))


if __name__ == "__main__":
    main()
