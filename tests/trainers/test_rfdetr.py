"""RF-DETR on an exported folder: its own dataset, and one step of its nano model without weights."""

from __future__ import annotations

from pathlib import Path

import torch
from rfdetr._namespace import _namespace_from_configs
from rfdetr.config import RFDETRNanoConfig, TrainConfig
from rfdetr.datasets import build_dataset, detect_roboflow_format
from rfdetr.datasets._keypoint_schema import infer_coco_keypoint_schema
from rfdetr.models.lwdetr import build_criterion_from_config, build_model_from_config
from rfdetr.utilities.tensors import make_collate_fn

from df2coco.converter.options import Shape
from df2coco.converter.run import convert
from df2coco.export import export_roboflow
from df2coco.taxonomy import CATEGORIES
from tests.trainers.conftest import FIXTURES, Converted


def test_detection(fixtures_converted: Converted, tmp_path: Path) -> None:
    folder = tmp_path / "rf-detr"
    export_roboflow(fixtures_converted.files("instances"), folder, images=fixtures_converted.photos)
    assert detect_roboflow_format(folder) == "coco"
    model_config = RFDETRNanoConfig(
        pretrain_weights=None, num_classes=13, device="cpu", resolution=128,
        positional_encoding_size=8, num_queries=20, num_select=20, group_detr=1,
    )  # fmt: skip
    train_config = TrainConfig(
        dataset_dir=str(folder),
        output_dir=str(tmp_path / "out"),
        multi_scale=False,
        expanded_scales=False,
    )
    namespace = _namespace_from_configs(model_config, train_config)
    validation = build_dataset("val", namespace, model_config.resolution)
    for index, image_id in enumerate(validation.ids):
        image = fixtures_converted.coco.imgs[image_id]
        truths = fixtures_converted.coco.imgToAnns[image_id]
        _, target = validation[index]
        assert target["labels"].tolist() == [each["category_id"] - 1 for each in truths]
        x, y, w, h = (target["boxes"] * torch.tensor([image["width"], image["height"]] * 2)).T
        boxes = torch.stack([x - w / 2, y - h / 2, w, h], 1)
        expected = torch.tensor([each["bbox"] for each in truths])
        torch.testing.assert_close(boxes, expected, atol=1e-2, rtol=0)

    train = build_dataset("train", namespace, model_config.resolution)
    assert len(train) == len(validation)
    model = build_model_from_config(model_config, train_config)
    criterion, _ = build_criterion_from_config(model_config, train_config)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    samples, targets = make_collate_fn()([train[0], train[1]])
    losses = criterion(model.train()(samples, targets), targets)
    loss = sum(
        losses[name] * weight for name, weight in criterion.weight_dict.items() if name in losses
    )
    loss.backward()
    before = [parameter.detach().clone() for parameter in model.class_embed.parameters()]
    optimizer.step()
    assert torch.isfinite(loss)
    assert not all(map(torch.equal, before, model.class_embed.parameters()))


def test_the_category_layout_is_what_its_keypoint_model_takes(tmp_path: Path) -> None:
    convert(FIXTURES / "validation", tmp_path / "own.json", shape=Shape(layout="category"))
    schema = infer_coco_keypoint_schema(tmp_path / "own.json")
    assert schema.class_names == [category.name for category in CATEGORIES]
    assert schema.num_keypoints_per_class == [category.num_landmarks for category in CATEGORIES]
    assert schema.keypoint_flip_pairs == []  # so that mirrored images are left out: see the page
