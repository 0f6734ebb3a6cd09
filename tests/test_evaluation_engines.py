"""Both engines, plain pycocotools and the slow statement of the protocol give the same numbers."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import math
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from df2coco.evaluation import Evaluation, evaluate
from df2coco.evaluation.detection import METRICS
from df2coco.taxonomy import ATTRIBUTES, CATEGORIES, CATEGORY_BY_ID, SIGMAS
from tests.reference_protocols import (
    average_precision,
    box_overlap,
    landmark_overlap,
    mask_overlap,
)

SIZE = 120
DRAWN = (7, 9)
"""Shorts and skirts: 10 and 8 landmarks."""

OVERLAPS: dict[str, Callable[[dict[str, Any], dict[str, Any]], float]] = {
    "bbox": box_overlap,
    "segm": mask_overlap,
    "keypoints": landmark_overlap,
}
ENGINES = ("hotcoco", "pycocotools")


def _rectangle(x: int, y: int, w: int, h: int) -> list[float]:
    return [float(n) for n in (x, y, x + w, y, x + w, y + h, x, y + h)]


def _pixels(polygons: list[list[float]]) -> tuple[dict[str, Any], set[int]]:
    rle = coco_mask.merge(coco_mask.frPyObjects(polygons, SIZE, SIZE))
    pixels = set(np.flatnonzero(coco_mask.decode(rle)).tolist())
    return {"size": [SIZE, SIZE], "counts": rle["counts"].decode()}, pixels


@st.composite
def boxes(draw: st.DrawFn) -> tuple[int, int, int, int]:
    # From far below 32 x 32 to above 96 x 96, so that all ranges of areas occur.
    w, h = (draw(st.sampled_from((2, 5, 20, 32, 33, 60, 96, 110))) for _ in range(2))
    return draw(st.integers(0, SIZE - w)), draw(st.integers(0, SIZE - h)), w, h


@st.composite
def landmarks(draw: st.DrawFn, category_id: int, *, full: bool = False) -> list[int]:
    """294 slots; for a result that is `full` the other slots are not zero."""
    numbers = [0] * 882
    slots = CATEGORY_BY_ID[category_id].slots
    visibilities = draw(st.sampled_from(((0,), (1,), (2,), (0, 1, 2))))
    random = draw(st.randoms(use_true_random=False))
    for slot in range(294) if full else slots:
        v = random.choice(visibilities)
        if v or full:
            numbers[3 * slot : 3 * slot + 3] = random.randrange(SIZE), random.randrange(SIZE), v
    return numbers


@st.composite
def splits(draw: st.DrawFn) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Ground truth as the official converter has it, with attributes and crowds, and results."""
    images = draw(st.integers(1, 3))
    annotations: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(0, 6))):
        x, y, w, h = draw(boxes())
        category_id = draw(st.sampled_from(DRAWN))
        keypoints = draw(landmarks(category_id))
        annotations.append(
            {
                "id": len(annotations) + 1,
                "image_id": draw(st.integers(1, images)),
                "category_id": category_id,
                "bbox": [x, y, w, h],
                "area": w * h,
                "iscrowd": int(draw(st.integers(0, 9)) == 0),
                "segmentation": [_rectangle(x, y, w, h), _rectangle(x, y, w // 2 + 1, h // 2 + 1)],
                "keypoints": keypoints,
                "num_keypoints": sum(v > 0 for v in keypoints[2::3]),
                "scale": draw(st.integers(1, 3)),
            }
        )
    results = []
    for _ in range(draw(st.integers(0, 8))):
        if annotations and draw(st.booleans()):
            # Near an item, or exactly on it.
            truth = draw(st.sampled_from(annotations))
            noise = draw(st.sampled_from((0, 0, 1, 2, 4)))
            x, y, w, h = truth["bbox"]
            box = (max(0, x - noise), y, w, max(1, h - noise))
            keypoints = list(truth["keypoints"])
            keypoints[0::3] = [n + noise * bool(n) for n in keypoints[0::3]]
            image_id, category_id = truth["image_id"], truth["category_id"]
            if not truth["num_keypoints"]:
                # On an item without labelled landmarks the unused slots, at 0, 0 or not, count too.
                keypoints = draw(landmarks(category_id, full=draw(st.booleans())))
                slots = CATEGORY_BY_ID[category_id].slots
                keypoints[3 * slots.start : 3 * slots.stop] = [x, y, 1] * len(slots)
        else:
            box = draw(boxes())
            image_id, category_id = draw(st.integers(1, images)), draw(st.sampled_from(DRAWN))
            keypoints = draw(landmarks(category_id, full=draw(st.booleans())))
        results.append(
            {
                "image_id": image_id,
                "category_id": category_id,
                "bbox": list(box),
                "segmentation": _pixels([_rectangle(*box)])[0],
                "keypoints": keypoints,
                "score": draw(st.sampled_from((0.2, 0.5, 0.5, 0.9, 1))),  # ties are the rule
            }
        )
    document = {
        "images": [
            {"id": i, "file_name": f"{i:06d}.jpg", "width": SIZE, "height": SIZE}
            for i in range(1, images + 1)
        ],
        "annotations": annotations,
        "categories": [
            {"id": i, "name": CATEGORY_BY_ID[i].name, "keypoints": [str(n) for n in range(294)]}
            for i in DRAWN
        ],
    }
    return document, results


FIELDS = {"bbox": "bbox", "segm": "segmentation", "keypoints": "keypoints"}


def _evaluate(
    kind: str, document: dict[str, Any], results: list[dict[str, Any]], **options: Any
) -> list[Evaluation]:
    """The evaluations of both engines."""
    pytest.importorskip("hotcoco")
    with tempfile.TemporaryDirectory() as folder:
        truth, found = Path(folder, "gt.json"), Path(folder, "results.json")
        truth.write_text(json.dumps(document))
        found.write_text(json.dumps(results))
        return [evaluate(kind, truth, found, engine=engine, **options) for engine in ENGINES]


def _plain_pycocotools(
    kind: str, document: dict[str, Any], results: list[dict[str, Any]]
) -> list[float]:
    """What everybody's script prints."""
    if kind == "segm":  # a box beside the mask would give the result its area
        results = [{k: v for k, v in r.items() if k != "bbox"} for r in results]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = json.loads(json.dumps(document))
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(json.loads(json.dumps(results))), kind)
        evaluation.params.kpt_oks_sigmas = np.array(SIGMAS)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return [float(n) for n in evaluation.stats]


@pytest.mark.slow
@pytest.mark.parametrize("kind", FIELDS)
@given(split=splits())
def test_both_engines_are_plain_pycocotools(
    kind: str, split: tuple[dict[str, Any], list[dict[str, Any]]]
) -> None:
    document, results = split
    hotcoco, pycocotools = _evaluate(kind, document, results)
    assert hotcoco.scores.metrics == pytest.approx(pycocotools.scores.metrics, abs=1e-9)
    for name, metrics in pycocotools.scores.per_category.items():
        assert hotcoco.scores.per_category[name] == pytest.approx(metrics, abs=1e-9)
    if results:  # it cannot read an empty list
        plain = _plain_pycocotools(kind, document, results)
        assert list(pycocotools.scores.metrics.values()) == pytest.approx(plain, abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("bbox", {}),
        ("segm", {}),
        ("keypoints", {}),
        ("keypoints", {"landmarks": "visible"}),
        ("keypoints", {"oks_area": "mask"}),
    ],
    ids=["bbox", "segm", "keypoints", "visible", "mask area"],
)
@settings(max_examples=30)
@given(split=splits())
def test_both_engines_are_the_protocol(
    kind: str, options: dict[str, str], split: tuple[dict[str, Any], list[dict[str, Any]]]
) -> None:
    document, results = split
    by = "scale" if any("scale" in a for a in document["annotations"]) else None
    evaluations = _evaluate(kind, document, results, by=by, **options)
    truths, found = _prepared(kind, document, results, options)
    for value, name in enumerate(("", *(ATTRIBUTES[by] if by else ()))):
        marked = [
            {**t, "ignore": t["ignore"] or (value > 0 and t["scale"] != value)} for t in truths
        ]
        expected = _reference(kind, marked, found)
        for evaluation in evaluations:
            scores = evaluation.subsets[name] if value else evaluation.scores
            assert scores.metrics == pytest.approx(expected, abs=1e-9)


def _prepared(
    kind: str,
    document: dict[str, Any],
    results: list[dict[str, Any]],
    options: dict[str, str],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Annotations and results as the slow statement wants them."""
    truths, found = [], []
    for annotation in document["annotations"]:
        _, pixels = _pixels(annotation["segmentation"])
        truth = {**annotation, "pixels": pixels, "ignore": bool(annotation["iscrowd"])}
        if kind == "keypoints":
            if options.get("landmarks") == "visible":
                keypoints = list(truth["keypoints"])
                keypoints[2::3] = [2 * (v == 2) for v in keypoints[2::3]]
                truth["keypoints"] = keypoints
            if options.get("oks_area") == "mask":
                truth["area"] = len(pixels)
            truth["ignore"] = truth["ignore"] or not any(truth["keypoints"][2::3])
        truths.append(truth)
    for result in results:
        pixels = set(np.flatnonzero(coco_mask.decode(result["segmentation"])).tolist())
        area = len(pixels) if kind == "segm" else result["bbox"][2] * result["bbox"][3]
        found.append({**result, "pixels": pixels, "area": area})
    return truths, found


def _reference(
    kind: str, truths: list[dict[str, Any]], found: list[dict[str, Any]]
) -> dict[str, float]:
    """All of COCO's numbers by the slow statement."""

    @functools.cache
    def overlap(result: int, truth: int) -> float:
        return OVERLAPS[kind](found[result], truths[truth])

    @functools.cache
    def curves(category_id: int, area: str, limit: int) -> tuple[list[float], list[float]] | None:
        own = [
            [{**e, "number": n} for n, e in enumerate(es) if e["category_id"] == category_id]
            for es in (truths, found)
        ]
        return average_precision(
            *own, lambda r, t: overlap(r["number"], t["number"]), area=area, limit=limit
        )

    metrics: dict[str, float] = {}
    for name in METRICS["keypoints" if kind == "keypoints" else "instances"]:
        limit = {"AR1": 1, "AR10": 10}.get(name, 20 if kind == "keypoints" else 100)
        area = name[2:] if name[2:] in ("s", "m", "l") else "all"
        threshold = {"50": 0, "75": 5}.get(name[2:])
        values: list[float] = []
        for category_id in DRAWN:
            both = curves(category_id, area, limit)
            if both is not None:
                curve = both[name.startswith("AR")]
                values += curve if threshold is None else [curve[threshold]]
        metrics[name] = sum(values) / len(values) if values else -1
    return metrics


def test_every_landmark_has_its_own_sigma() -> None:
    # Each item has one landmark, and its result is off by what makes the OKS 0.72: right at 5 of 10 thresholds.
    annotations, results = [], []
    for number, (category, slot) in enumerate(((c, s) for c in CATEGORIES for s in c.slots), 1):
        ids = {"image_id": number, "category_id": category.id}
        off = math.sqrt(-math.log(0.72) * 2 * 100 * 100) * 2 * SIGMAS[slot]
        truth, found = [0.0] * 882, [0.0] * 882
        truth[3 * slot : 3 * slot + 3], found[3 * slot : 3 * slot + 3] = (
            (50, 50, 2),
            (50 + off, 50, 1),
        )
        annotations.append(
            {**ids, "id": number, "bbox": [0, 0, 100, 100], "area": 10_000, "iscrowd": 0}
        )
        annotations[-1] |= {
            "segmentation": [_rectangle(0, 0, 100, 100)],
            "keypoints": truth,
            "num_keypoints": 1,
        }
        results.append({**ids, "keypoints": found, "score": 0.9})
    document = {
        "images": [
            {"id": n, "file_name": f"{n}.jpg", "width": 120, "height": 120} for n in range(1, 295)
        ],
        "annotations": annotations,
        "categories": [
            {"id": c.id, "name": c.name, "keypoints": [str(n) for n in range(294)]}
            for c in CATEGORIES
        ],
    }
    for evaluation in _evaluate("keypoints", document, results):
        for metrics in evaluation.scores.per_category.values():
            assert (metrics["AP"], metrics["AP50"], metrics["AP75"]) == pytest.approx((0.5, 1, 0))


@pytest.mark.parametrize("kind", FIELDS)
def test_categories_that_nothing_is_of_cost_nothing(kind: str) -> None:
    rest = {"image_id": 1, "category_id": 7, "bbox": [10, 10, 50, 50], "iscrowd": 0, "id": 1}
    entry = rest | {"area": 2500, "segmentation": [[10, 10, 60, 10, 60, 60]], "num_keypoints": 294}
    entry["keypoints"] = [30, 30, 2] * 294
    names = {category.id: category.name for category in CATEGORIES}
    categories = [
        {"id": n, "name": names.get(n, f"class {n}")}
        for n in range(1, 14 if kind == "keypoints" else 10_000)
    ]
    document = {"images": [{"id": 1, "width": SIZE, "height": SIZE}], "annotations": [entry]}
    started = time.process_time()
    for found in _evaluate(kind, document | {"categories": categories}, [entry | {"score": 1.0}]):
        assert found.scores.metrics["AP"] == pytest.approx(1)
        assert len(found.scores.per_category) == len(categories)
        assert [n for n, own in found.scores.per_category.items() if own["AP"] >= 0] == [names[7]]
    assert time.process_time() - started < 15
