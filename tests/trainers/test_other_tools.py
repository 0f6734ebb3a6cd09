"""The list "Other tools" of docs/training.md: what it says of the tools that are small enough to run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kwcoco
import numpy as np
import pytest
import supervision
import torch
from torchmetrics.detection import MeanAveragePrecision
from torchvision.datasets import CocoDetection, wrap_dataset_for_transforms_v2
from torchvision.models.detection import ssdlite320_mobilenet_v3_large
from torchvision.transforms.functional import pil_to_tensor

from df2coco.export import export_coco
from tests.trainers.conftest import FIXTURES, Converted
from tests.zipcrypto import write_encrypted_zip


def test_supervision(converted: Converted) -> None:
    dataset = supervision.DetectionDataset.from_coco(
        str(converted.images), str(converted.files("instances")[0]), force_masks=True
    )
    assert dataset.classes == [each["name"] for each in converted.coco.dataset["categories"]]
    for (path, _, found), image_id in zip(dataset, converted.coco.imgs, strict=True):
        truths = converted.coco.imgToAnns[image_id]
        assert path.endswith(converted.coco.imgs[image_id]["file_name"])
        assert found.class_id.tolist() == [each["category_id"] - 1 for each in truths]
        boxes = found.xyxy - np.tile(found.xyxy[:, :2], (1, 2)) * (0, 0, 1, 1)
        np.testing.assert_allclose(boxes, [each["bbox"] for each in truths], atol=1e-3)
        for mask, truth in zip(found.mask, truths, strict=True):
            expected = converted.coco.annToMask(truth) > 0
            assert (mask & expected).sum() > 0.95 * (mask | expected).sum()


def test_kwcoco(converted: Converted) -> None:
    dataset = kwcoco.CocoDataset(converted.files()[0])
    dataset.bundle_dpath = str(converted.images)
    assert not dataset.validate(missing=True)["errors"]
    items = dataset.annots().detections
    truths = [converted.coco.anns[number] for number in dataset.annots()]
    np.testing.assert_allclose(items.boxes.data, [each["bbox"] for each in truths], atol=1e-3)
    for points, truth in zip(items.data["keypoints"], truths, strict=True):
        expected = np.reshape(truth["keypoints"], (-1, 3))[:, :2]
        found = points.xy
        # Landmarks at 0, 0 may be left out: the labelled ones are there, in their order.
        assert {tuple(map(float, each)) for each in expected} >= {
            tuple(map(float, p)) for p in found
        }


@pytest.mark.parametrize(("box_format", "perfect"), [("xywh", True), ("xyxy", False)])
def test_torchmetrics(converted: Converted, box_format: Any, perfect: bool) -> None:
    metric = MeanAveragePrecision(box_format=box_format, backend="pycocotools")
    for truths in converted.coco.imgToAnns.values():
        target = {
            "boxes": torch.tensor([each["bbox"] for each in truths]),
            "labels": torch.tensor([each["category_id"] for each in truths]),
        }
        metric.update([{**target, "scores": torch.ones(len(truths))}], [target])
    assert (float(metric.compute()["map"]) == pytest.approx(1)) is perfect


def test_torchvision_trains_on_what_came_out_of_an_encrypted_archive(tmp_path: Path) -> None:
    paths = sorted((FIXTURES / "validation").glob("*/0000*.*"))
    members = [(f"validation/{p.parent.name}/{p.name}", p.read_bytes()) for p in paths]
    write_encrypted_zip(tmp_path / "validation.zip", members, "secret")
    folder = tmp_path / "coco"
    export_coco([tmp_path / "validation.zip"], folder, photos="copy", password="secret")
    plain = CocoDetection(folder / "validation", folder / "annotations/instances_validation.json")
    data = wrap_dataset_for_transforms_v2(plain, ["boxes", "labels"])
    photos, targets = zip(*(data[number] for number in range(4)), strict=True)
    model = ssdlite320_mobilenet_v3_large(
        weights=None, weights_backbone=None, num_classes=14
    ).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    losses = model([pil_to_tensor(photo) / 255 for photo in photos], list(targets))
    before = [parameter.detach().clone() for parameter in model.head.parameters()]
    sum(losses.values()).backward()
    optimizer.step()
    assert all(map(torch.isfinite, losses.values()))
    assert not all(map(torch.equal, before, model.head.parameters()))
