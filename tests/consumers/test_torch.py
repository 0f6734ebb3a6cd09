"""torchvision and pycocotools on converted files: the README's snippets, and what they give."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from torchvision import tv_tensors
from torchvision.datasets import CocoDetection, wrap_dataset_for_transforms_v2

from df2coco.taxonomy import CATEGORIES, SIGMAS
from tests.consumers.conftest import Converted

matplotlib.use("Agg")


def test_torchvision(converted: Converted) -> None:
    plain = CocoDetection(converted.images, converted.keypoints)
    wrapped = wrap_dataset_for_transforms_v2(plain, ["boxes", "labels", "masks", "image_id"])
    assert len(wrapped) == len(converted.coco.imgs)
    for image, target in wrapped:
        info = converted.coco.imgs[target["image_id"]]
        annotations = converted.annotations(target["image_id"])
        assert image.size == (info["width"], info["height"])
        assert isinstance(target["boxes"], tv_tensors.BoundingBoxes)
        boxes = [[x, y, x + w, y + h] for x, y, w, h in (a["bbox"] for a in annotations)]
        torch.testing.assert_close(torch.as_tensor(target["boxes"]), torch.tensor(boxes))
        assert target["labels"].tolist() == [a["category_id"] for a in annotations]
        masks = np.array([converted.coco.annToMask(a) for a in annotations])
        np.testing.assert_array_equal(target["masks"], masks)


def test_show_anns_draws_every_labelled_edge(converted: Converted) -> None:
    """pycocotools takes a skeleton's numbers for slots of `keypoints`, counted from 1."""
    for image_id in converted.coco.imgs:
        annotations = converted.annotations(image_id)
        figure, axes = plt.subplots()
        converted.coco.showAnns(annotations)
        drawn = [
            line for line in axes.lines if len(line.get_xdata()) == 2 and line.get_linewidth() == 3
        ]
        plt.close(figure)
        expected = []
        for annotation in annotations:
            keypoints = np.array(annotation["keypoints"]).reshape(-1, 3)
            category = CATEGORIES[annotation["category_id"] - 1]
            for a, b in category.skeleton:
                ends = keypoints[[category.first_slot + a - 1, category.first_slot + b - 1]]
                if (ends[:, 2] > 0).all():
                    expected.append(ends[:, :2].tolist())
        assert [line.get_xydata().tolist() for line in drawn] == expected


@pytest.mark.parametrize("task", ["bbox", "segm", "keypoints"])
def test_pycocotools(converted: Converted, task: str, tmp_path: Path) -> None:
    """Ground truth as results: 1 with our sigmas; without them pycocotools cannot do it at all."""
    results: list[dict[str, Any]] = []
    for annotation in converted.coco.anns.values():
        result = {key: annotation[key] for key in ("image_id", "category_id", "bbox")}
        result["score"] = 1.0
        if task == "segm":
            result["segmentation"] = converted.coco.annToRLE(annotation)
            result["segmentation"]["counts"] = result["segmentation"]["counts"].decode()
        if task == "keypoints":
            if not annotation["num_keypoints"]:
                continue
            result["keypoints"] = annotation["keypoints"]
        results.append(result)
    (tmp_path / "results.json").write_text(json.dumps(results))

    truth = COCO(converted.keypoints)
    evaluation = COCOeval(truth, truth.loadRes(str(tmp_path / "results.json")), task)
    if task == "keypoints":
        with pytest.raises(ValueError, match="broadcast"):
            evaluation.evaluate()
        evaluation.params.kpt_oks_sigmas = np.array(SIGMAS)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    counted = [value for value in evaluation.stats if value != -1]
    if task == "keypoints":
        assert counted == pytest.approx([1.0] * len(counted))
    else:
        assert evaluation.stats[:3] == pytest.approx([1.0] * 3)
