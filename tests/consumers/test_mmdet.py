"""MMDetection on converted files: dataset, pipeline, masks, evaluator, training."""

# ruff: noqa: C408 - configs are written as the frameworks' own are
from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mmdet
import numpy as np
import pytest
import torch
from mmdet.datasets import CocoDataset
from mmdet.evaluation import CocoMetric
from mmdet.registry import DATASETS, METRICS
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from df2coco.integrations import mmdet as integration
from df2coco.taxonomy import CATEGORIES
from tests.consumers.conftest import FIXTURES, Converted

register_all_modules(init_default_scope=False)


@pytest.fixture(autouse=True)
def scope() -> Iterator[None]:
    """Names in configs mean MMDetection's, though others are loaded too."""
    with DefaultScope.overwrite_default_scope("mmdet"):
        yield


LOAD = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations", with_bbox=True, with_mask=True),
]


def make_dataset(
    converted: Converted, pipeline: list[dict[str, Any]], **kwargs: Any
) -> CocoDataset:
    return CocoDataset(
        ann_file=str(kwargs.pop("ann_file", converted.instances)),
        data_prefix=dict(img=str(converted.images)),
        metainfo=integration.METAINFO,
        pipeline=pipeline,
        **kwargs,
    )


def corners(annotation: dict[str, Any]) -> list[float]:
    x, y, w, h = annotation["bbox"]
    return [x, y, x + w, y + h]


@pytest.mark.parametrize("kind", ["instances", "keypoints"])
def test_every_item_arrives_with_its_label_and_box(converted: Converted, kind: str) -> None:
    dataset = make_dataset(converted, [], ann_file=getattr(converted, kind))
    assert len(dataset) == len(converted.coco.imgs)
    for i in range(len(dataset)):
        info = dataset.get_data_info(i)
        annotations = converted.annotations(info["img_id"])
        assert [x["bbox_label"] + 1 for x in info["instances"]] == [
            a["category_id"] for a in annotations
        ]
        assert [x["bbox"] for x in info["instances"]] == [corners(a) for a in annotations]
        assert not any(x["ignore_flag"] for x in info["instances"])
    assert dataset.metainfo["classes"] == tuple(c.name for c in CATEGORIES)


def test_training_keeps_every_item(converted: Converted) -> None:
    """The usual training filter drops empty images and tiny ones; of ours it drops none."""
    filtered = make_dataset(converted, [], filter_cfg=dict(filter_empty_gt=True, min_size=32))
    assert len(filtered) == len(converted.coco.imgs)


def test_masks_are_those_of_pycocotools(converted: Converted) -> None:
    dataset = make_dataset(converted, LOAD)
    for i in range(len(dataset)):
        data = dataset[i]
        annotations = converted.annotations(data["img_id"])
        assert data["gt_masks"].masks.shape == (len(annotations), *data["ori_shape"])
        for mask, annotation in zip(data["gt_masks"].masks, annotations, strict=True):
            np.testing.assert_array_equal(mask, converted.coco.annToMask(annotation))


def test_resize_and_flip_keep_sub_pixel_coordinates(converted: Converted) -> None:
    width, height = 389, 311  # divides nothing
    pipeline = [
        dict(type="LoadImageFromFile"),
        dict(type="LoadAnnotations", with_bbox=True, with_mask=True, poly2mask=False),
        dict(type="Resize", scale=(width, height), keep_ratio=False),
        dict(type="RandomFlip", prob=1.0),
    ]
    dataset = make_dataset(converted, pipeline)
    fractions = []
    for i in range(len(dataset)):
        data = dataset[i]
        image = converted.coco.imgs[data["img_id"]]
        annotations = converted.annotations(data["img_id"])
        scale = np.array([width / image["width"], height / image["height"]])
        assert data["img"].shape[:2] == (height, width)

        expected = np.array([corners(a) for a in annotations]).reshape(-1, 2, 2) * scale
        expected[:, :, 0] = width - expected[::, ::-1, 0]
        boxes = data["gt_bboxes"].tensor.numpy()
        np.testing.assert_allclose(boxes, expected.reshape(-1, 4).clip(0), atol=1e-3)
        fractions.append(boxes % 1)

        for polygons, annotation in zip(data["gt_masks"].masks, annotations, strict=True):
            assert len(polygons) == len(annotation["segmentation"])
            for polygon, source in zip(polygons, annotation["segmentation"], strict=True):
                points = np.array(source).reshape(-1, 2) * scale
                points[:, 0] = width - points[:, 0]
                np.testing.assert_allclose(polygon.reshape(-1, 2), points, atol=1e-3)
    assert np.concatenate(fractions).any()


def test_flip_twice_is_no_flip(converted: Converted) -> None:
    flip = dict(type="RandomFlip", prob=1.0)
    once, twice = make_dataset(converted, LOAD), make_dataset(converted, [*LOAD, flip, flip])
    mirrored = make_dataset(converted, [*LOAD, flip])
    for i in range(len(once)):
        a, b, m = once[i], twice[i], mirrored[i]
        np.testing.assert_array_equal(a["gt_masks"].masks, b["gt_masks"].masks)
        np.testing.assert_array_equal(a["gt_masks"].masks[:, :, ::-1], m["gt_masks"].masks)
        np.testing.assert_allclose(a["gt_bboxes"].tensor, b["gt_bboxes"].tensor)
        np.testing.assert_array_equal(a["gt_bboxes_labels"], m["gt_bboxes_labels"])


@pytest.mark.parametrize("kind", ["instances", "keypoints"])
def test_ground_truth_scores_one_against_itself(converted: Converted, kind: str) -> None:
    path = getattr(converted, kind)
    metric = CocoMetric(ann_file=str(path), metric=["bbox", "segm"], classwise=True)
    metric.dataset_meta = integration.METAINFO
    for image_id, image in converted.coco.imgs.items():
        annotations = converted.annotations(image_id)
        masks = np.array([converted.coco.annToMask(a) for a in annotations], dtype=bool)
        prediction = dict(
            bboxes=torch.tensor([corners(a) for a in annotations]),
            labels=torch.tensor([a["category_id"] - 1 for a in annotations]),
            scores=torch.ones(len(annotations)),
            masks=torch.from_numpy(masks),
        )
        shape = (image["height"], image["width"])
        metric.process({}, [dict(img_id=image_id, ori_shape=shape, pred_instances=prediction)])
    scores = metric.evaluate(len(converted.coco.imgs))
    for task in ("bbox", "segm"):
        assert scores[f"coco/{task}_mAP"] == 1.0
        present = {a["category_id"] for a in converted.coco.anns.values()}
        for category in CATEGORIES:
            precision = scores[f"coco/{category.name}_precision"]
            assert precision == 1.0 if category.id in present else np.isnan(precision)


def test_a_test_split_loads(image_info_file: Path) -> None:
    dataset = CocoDataset(
        ann_file=str(image_info_file),
        data_prefix=dict(img=str(FIXTURES / "validation" / "image")),
        metainfo=integration.METAINFO,
        pipeline=[dict(type="LoadImageFromFile")],
        test_mode=True,
    )
    assert len(dataset) == 21
    for i in range(21):
        assert dataset[i]["img"].shape[:2] == (dataset[i]["height"], dataset[i]["width"])


class Losses(Hook):
    """Keeps what every training step logs."""

    def __init__(self) -> None:
        self.steps: list[dict[str, float]] = []

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any, outputs: Any) -> None:
        del runner, batch_idx, data_batch
        self.steps.append({name: float(value) for name, value in outputs.items()})


def test_fragment_is_a_config_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "deepfashion2.py"
    path.write_text(integration.source())
    cfg = Config.fromfile(path)
    assert cfg.metainfo == integration.METAINFO
    assert cfg.test_dataloader == cfg.val_dataloader


def test_three_training_steps(fixtures_converted: Converted, tmp_path: Path) -> None:
    """The fragment below a `_base_` line, as the README has it, with a model that needs no operators."""
    root = fixtures_converted.as_dataset(tmp_path / "data")
    base = Path(mmdet.__file__).parent / ".mim/configs/solo/decoupled-solo-light_r50_fpn_3x_coco.py"
    fragment = integration.source().replace("data/deepfashion2/", f"{root}/")
    path = tmp_path / "train.py"
    path.write_text(f"_base_ = {str(base)!r}\n{fragment}")
    cfg = Config.fromfile(path)

    # Small, and without the weights that training would start from.
    cfg.model.backbone.update(depth=18, init_cfg=None)
    cfg.model.neck.update(in_channels=[64, 128, 256, 512], out_channels=32)
    cfg.model.mask_head.update(
        num_classes=13,
        in_channels=32,
        feat_channels=32,
        stacked_convs=1,
        norm_cfg=dict(type="GN", num_groups=4),
    )
    resize = dict(type="Resize", scale=(256, 256), keep_ratio=True)
    flip = dict(type="RandomFlip", prob=0.5)
    cfg.train_dataloader.dataset.pipeline = [*LOAD, resize, flip, dict(type="PackDetInputs")]
    cfg.train_dataloader.update(batch_size=2, num_workers=0, persistent_workers=False)

    assert len(DATASETS.build(cfg.val_dataloader.dataset)) == len(fixtures_converted.coco.imgs)
    METRICS.build(cfg.val_evaluator)
    cfg.train_cfg = dict(by_epoch=False, max_iters=3)
    for part in ("dataloader", "cfg", "evaluator"):  # nothing is learned in three steps
        cfg[f"val_{part}"] = cfg[f"test_{part}"] = None
    cfg.param_scheduler = None
    cfg.default_hooks = dict(checkpoint=None)
    cfg.work_dir = str(tmp_path / "work")
    cfg.log_level = "ERROR"
    cfg.randomness = dict(seed=0)
    runner = Runner.from_cfg(cfg)
    losses = Losses()
    runner.register_hook(losses)
    before = copy.deepcopy(runner.model.state_dict())
    runner.train()

    assert len(losses.steps) == 3
    assert all(np.isfinite(step["loss"]) and step["loss_mask"] > 0 for step in losses.steps)
    after = runner.model.state_dict()
    assert any(not torch.equal(before[name], after[name]) for name in before)
