"""Results for the benchmark of evaluation, near the items of a ground truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson

from df2coco.masks import union_mask

__all__ = ["KINDS", "make_results", "make_retrieval"]

KINDS: Final = ("bbox", "segm", "keypoints")


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
