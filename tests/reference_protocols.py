"""The benchmarks' protocols once more: slow, in plain Python, and as close to their wording as can be.

Nothing here is shared with `df2coco.evaluation`, nor with pycocotools.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from df2coco.taxonomy import SIGMAS

# COCO's grids, to the last bit: a recall of 7/25 is below its 0.28.
THRESHOLDS = np.linspace(0.5, 0.95, 10).tolist()
RECALLS = np.linspace(0, 1, 101).tolist()
RANGES = {"all": (0, 1e10), "s": (0, 32**2), "m": (32**2, 96**2), "l": (96**2, 1e10)}

Overlap = Callable[[dict[str, Any], dict[str, Any]], float]


def box_overlap(result: dict[str, Any], truth: dict[str, Any]) -> float:
    """IoU of boxes x, y, w, h; over the result's own area where the truth is a crowd."""
    ax, ay, aw, ah = result["bbox"]
    bx, by, bw, bh = truth["bbox"]
    width = min(ax + aw, bx + bw) - max(ax, bx)
    height = min(ay + ah, by + bh) - max(ay, by)
    common = width * height if width > 0 and height > 0 else 0.0
    union = aw * ah if truth["iscrowd"] else aw * ah + bw * bh - common
    return common / union if common else 0.0


def mask_overlap(result: dict[str, Any], truth: dict[str, Any]) -> float:
    """IoU of masks, which are sets of pixels here."""
    common = len(result["pixels"] & truth["pixels"])
    union = len(result["pixels"] if truth["iscrowd"] else result["pixels"] | truth["pixels"])
    return common / union if common else 0.0


def landmark_overlap(result: dict[str, Any], truth: dict[str, Any]) -> float:
    """OKS over the labelled landmarks of the truth, both of 294 slots; its scale is the truth's `area`.

    Without a labelled one, the distance of each landmark to the box at double its size counts.
    """
    slots = range(294)
    labelled = [slot for slot in slots if truth["keypoints"][3 * slot + 2] > 0]
    x, y, w, h = truth["bbox"]
    terms = []
    for slot in labelled or slots:
        found_x, found_y = result["keypoints"][3 * slot : 3 * slot + 2]
        true_x, true_y = truth["keypoints"][3 * slot : 3 * slot + 2]
        if labelled:
            dx, dy = found_x - true_x, found_y - true_y
        else:
            dx = max(0, x - w - found_x) + max(0, found_x - (x + 2 * w))
            dy = max(0, y - h - found_y) + max(0, found_y - (y + 2 * h))
        k = 2 * SIGMAS[slot]
        terms.append(math.exp(-(dx**2 + dy**2) / (2 * truth["area"] * k**2)))
    return sum(terms) / len(terms)


def average_precision(
    truths: Sequence[dict[str, Any]],
    results: Sequence[dict[str, Any]],
    overlap: Overlap,
    *,
    area: str = "all",
    limit: int = 100,
) -> tuple[list[float], list[float]] | None:
    """(AP, maximal recall) at each of the ten thresholds, of one category; None without ground truth.

    A truth with `ignore`, or an area outside the range, is ignored: what matches it is neither right nor
    wrong. What matches nothing is wrong, unless its own area is outside the range.
    """
    low, high = RANGES[area]

    def outside(entry: dict[str, Any]) -> bool:
        return not low <= entry["area"] <= high

    counted = sum(not (truth["ignore"] or outside(truth)) for truth in truths)
    if not counted:
        return None
    precisions, recalls = [], []
    for threshold in THRESHOLDS:
        verdicts: list[tuple[float, bool]] = []
        for image in sorted({entry["image_id"] for entry in (*truths, *results)}):
            free = [truth for truth in truths if truth["image_id"] == image]
            own = [result for result in results if result["image_id"] == image]
            for result in sorted(own, key=lambda r: -r["score"])[:limit]:
                best = None
                for ignored in (False, True):
                    for truth in free:
                        if bool(truth["ignore"] or outside(truth)) != ignored:
                            continue
                        value = overlap(result, truth)
                        if value >= min(threshold, 1 - 1e-10) and (
                            best is None or value >= best[0]
                        ):
                            best = (value, truth, ignored)
                    if best is not None:
                        break
                if best is None:
                    if not outside(result):
                        verdicts.append((result["score"], False))
                    continue
                if not best[2]:
                    verdicts.append((result["score"], True))
                if not best[1]["iscrowd"]:
                    free = [truth for truth in free if truth is not best[1]]
        verdicts.sort(key=lambda verdict: -verdict[0])
        points = []
        right = 0
        for number, (_, is_right) in enumerate(verdicts, start=1):
            right += is_right
            points.append((right / counted, right / number))
        interpolated = [
            max((precision for recall, precision in points if recall >= level), default=0.0)
            for level in RECALLS
        ]
        precisions.append(sum(interpolated) / 101)
        recalls.append(right / counted)
    return precisions, recalls


def corner_overlap(a: Sequence[float], b: Sequence[float]) -> float:
    """IoU of boxes x1, y1, x2, y2."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    common = width * height if width > 0 and height > 0 else 0.0
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common
    return common / union if union else 0.0


def retrieval_accuracy(
    query: Sequence[dict[str, Any]],
    gallery: Sequence[dict[str, Any]],
    results: Sequence[dict[str, Any]],
) -> dict[str, float]:
    """top1 ... top20, queries and missed, for query items with style > 0."""
    right = dict.fromkeys((1, 5, 10, 15, 20), 0)
    queries = missed = 0
    for item in query:
        if item["style"] <= 0:
            continue
        queries += 1
        same_image = [i for i in query if i["query_image_id"] == item["query_image_id"]]
        standing = None
        for result in results:
            if result["query_image_id"] != item["query_image_id"]:
                continue
            overlaps = [corner_overlap(result["query_bbox"], i["bbox"]) for i in same_image]
            if same_image[overlaps.index(max(overlaps))] is not item:
                continue
            if result["query_cls"] != item["cls"]:
                continue
            if standing is None or result["query_score"] > standing["query_score"]:
                standing = result
        if standing is None:
            missed += 1
            continue
        answers = list(zip(standing["gallery_image_id"], standing["gallery_bbox"], strict=True))
        for k in right:
            right[k] += any(
                image == other["gallery_image_id"]
                and (other["pair_id"], other["style"]) == (item["pair_id"], item["style"])
                and corner_overlap(box, other["bbox"]) >= 0.5
                for image, box in answers[:k]
                for other in gallery
            )
    tops = {f"top{k}": count / queries for k, count in right.items()}
    return {**tops, "queries": queries, "missed": missed}
