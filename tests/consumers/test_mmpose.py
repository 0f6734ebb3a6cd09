"""MMPose on converted files: dataset, heatmaps, flip, evaluators, training."""

# ruff: noqa: C408 - configs are written as the frameworks' own are
from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mmpose
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from mmpose.datasets.datasets import DeepFashion2Dataset
from mmpose.evaluation import AUC, EPE, CocoMetric, PCKAccuracy
from mmpose.utils import register_all_modules

from df2coco.integrations import mmpose as integration
from df2coco.taxonomy import CATEGORIES, FLIP_INDICES, LANDMARK_NAMES, SIGMAS, SKELETON
from tests.consumers.conftest import Converted

register_all_modules(init_default_scope=False)


@pytest.fixture(autouse=True)
def scope() -> Iterator[None]:
    """Names in configs mean MMPose's, though others are loaded too."""
    with DefaultScope.overwrite_default_scope("mmpose"):
        yield


CODEC = dict(type="MSRAHeatmap", input_size=(192, 256), heatmap_size=(48, 64), sigma=2)
LOAD = [dict(type="LoadImage"), dict(type="GetBBoxCenterScale")]
AFFINE = dict(type="TopdownAffine", input_size=CODEC["input_size"])
TARGET = dict(type="GenerateTarget", encoder=CODEC)
FLIP = dict(type="RandomFlip", direction="horizontal", prob=1.0)
PACK = dict(type="PackPoseInputs")

SHIPPED = sorted(
    (Path(mmpose.__file__).parent / ".mim/configs/fashion_2d_keypoint").rglob("deepfashion2/*.py")
)
"""MMPose's own configs for this dataset, one a category."""


@pytest.fixture(scope="module")
def metainfo(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What `df2coco metainfo mmpose --out FILE` writes, as a dataset is told of it."""
    path = tmp_path_factory.mktemp("metainfo") / "deepfashion2.py"
    path.write_text(integration.source())
    return {"from_file": str(path)}


def make_dataset(
    converted: Converted,
    metainfo: dict[str, Any] | None,
    pipeline: list[dict[str, Any]],
    **kwargs: Any,
) -> DeepFashion2Dataset:
    return DeepFashion2Dataset(
        ann_file=str(kwargs.pop("ann_file", converted.keypoints)),
        data_prefix=dict(img=str(converted.images)),
        metainfo=metainfo,
        pipeline=pipeline,
        **kwargs,
    )


def labelled(annotation: dict[str, Any]) -> np.ndarray:
    """The slots with a labelled landmark."""
    return np.flatnonzero(np.array(annotation["keypoints"][2::3]))


def with_landmarks(converted: Converted) -> list[dict[str, Any]]:
    """The annotations that MMPose keeps."""
    return [
        a
        for i in sorted(converted.coco.imgs)
        for a in converted.annotations(i)
        if a["num_keypoints"]
    ]


def test_metainfo_is_complete(metainfo: dict[str, str]) -> None:
    for given in (metainfo, integration.DATASET_INFO):
        parsed = DeepFashion2Dataset._load_metainfo(given)
        assert parsed["dataset_name"] == "deepfashion2"
        assert [parsed["keypoint_id2name"][i] for i in range(294)] == list(LANDMARK_NAMES)
        assert tuple(parsed["flip_indices"]) == FLIP_INDICES
        assert [(a + 1, b + 1) for a, b in parsed["skeleton_links"]] == list(SKELETON)
        assert len(parsed["skeleton_links"]) == 304
        np.testing.assert_array_equal(parsed["sigmas"], np.float32(SIGMAS))
        np.testing.assert_array_equal(parsed["dataset_keypoint_weights"], np.ones(294))


def test_every_item_with_landmarks_arrives(converted: Converted, metainfo: dict[str, str]) -> None:
    dataset = make_dataset(converted, metainfo, [])
    annotations = with_landmarks(converted)
    assert len(dataset) == len(annotations)
    for i, annotation in enumerate(annotations):
        info = dataset.get_data_info(i)
        assert (info["id"], info["category_id"]) == (annotation["id"], annotation["category_id"])
        keypoints = np.array(annotation["keypoints"]).reshape(1, 294, 3)
        np.testing.assert_array_equal(info["keypoints"], keypoints[..., :2])
        np.testing.assert_array_equal(info["keypoints_visible"], keypoints[..., 2] > 0)
        category = CATEGORIES[annotation["category_id"] - 1]
        assert set(labelled(annotation)) <= set(category.slots)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem.split("-", 3)[-1])
@pytest.mark.parametrize("ours", [True, False], ids=["our metainfo", "MMPose's"])
def test_the_shipped_configs_find_their_files(
    converted: Converted, metainfo: dict[str, str], path: Path, ours: bool
) -> None:
    cfg = Config.fromfile(path)
    loader = cfg.train_dataloader if converted.split == "train" else cfg.val_dataloader
    ann_file = converted.folder / loader.dataset.ann_file
    stem = ann_file.stem.removeprefix("deepfashion2_").removesuffix(f"_{converted.split}")
    (category,) = (c for c in CATEGORIES if c.official_name == stem)
    expected = [a for a in with_landmarks(converted) if a["category_id"] == category.id]
    if not expected:
        pytest.skip("no item of this category in the split")
    dataset = make_dataset(
        converted, metainfo if ours else None, list(loader.dataset.pipeline), ann_file=ann_file
    )
    assert [dataset.get_data_info(i)["keypoints"].tolist() for i in range(len(dataset))] == [
        np.array(a["keypoints"]).reshape(1, 294, 3)[..., :2].tolist() for a in expected
    ]
    assert dataset[0]["inputs"].shape == (3, 256, 192)


def test_heatmaps_lie_in_labelled_slots_alone(
    converted: Converted, metainfo: dict[str, str]
) -> None:
    dataset = make_dataset(converted, metainfo, [*LOAD, AFFINE, TARGET])
    for i, annotation in enumerate(with_landmarks(converted)):
        data = dataset[i]
        slots = labelled(annotation)
        x, y = data["transformed_keypoints"][0, slots].T
        inside = slots[(x >= 0) & (x < 191) & (y >= 0) & (y < 255)]
        assert data["heatmaps"].shape == (294, 64, 48)
        drawn = np.flatnonzero(data["heatmaps"].reshape(294, -1).max(axis=1))
        weighted = np.flatnonzero(data["keypoint_weights"][0])
        assert set(inside) <= set(drawn) <= set(slots)
        assert set(inside) <= set(weighted) <= set(slots)
        for slot in inside:
            row, column = np.unravel_index(data["heatmaps"][slot].argmax(), (64, 48))
            expected = data["transformed_keypoints"][0, slot] / 4
            assert np.abs(expected - (column, row)).max() <= 0.5 + 1e-4


def test_flip_is_an_involution(converted: Converted, metainfo: dict[str, str]) -> None:
    plain = make_dataset(converted, metainfo, LOAD)
    once = make_dataset(converted, metainfo, [*LOAD, FLIP])
    twice = make_dataset(converted, metainfo, [*LOAD, FLIP, FLIP])
    for i, annotation in enumerate(with_landmarks(converted)):
        a, b, c = plain[i], once[i], twice[i]
        np.testing.assert_array_equal(a["img"], c["img"])
        np.testing.assert_array_equal(a["keypoints"], c["keypoints"])
        np.testing.assert_array_equal(a["keypoints_visible"], c["keypoints_visible"])
        np.testing.assert_allclose(a["bbox_center"], c["bbox_center"], atol=1e-3)
        # Once: as many landmarks as before, all of the same category, none lost or doubled.
        slots = labelled(annotation)
        assert set(np.flatnonzero(b["keypoints_visible"][0])) == {FLIP_INDICES[s] for s in slots}


def predict_truth(dataset: DeepFashion2Dataset, metrics: list[Any]) -> None:
    """Hand the ground truth to the metrics as a model's prediction."""
    for i in range(len(dataset)):
        sample = dataset[i]["data_samples"].to_dict()
        truth = sample["gt_instances"]
        sample["pred_instances"] = {
            "keypoints": truth["keypoints"],
            "keypoint_scores": np.ones(truth["keypoints_visible"].shape, dtype=np.float32),
            "bboxes": truth["bboxes"],
        }
        for metric in metrics:
            metric.process([], [sample])


def test_ground_truth_scores_one_against_itself(
    converted: Converted, metainfo: dict[str, str]
) -> None:
    dataset = make_dataset(converted, metainfo, [*LOAD, AFFINE, PACK], test_mode=True)
    coco = CocoMetric(ann_file=str(converted.keypoints), nms_mode="none")
    pck, auc, epe = PCKAccuracy(thr=0.2), AUC(), EPE()
    for metric in (coco, pck, auc, epe):
        metric.dataset_meta = dataset.metainfo
    predict_truth(dataset, [coco, pck, auc, epe])
    scores = coco.evaluate(len(dataset))
    assert {name: value for name, value in scores.items() if value != -1} == {
        name: pytest.approx(1.0, abs=1e-12) for name, value in scores.items() if value != -1
    }
    assert scores["coco/AP"] == pytest.approx(1.0, abs=1e-12)
    assert pck.evaluate(len(dataset))["PCK"] == 1.0
    assert epe.evaluate(len(dataset))["EPE"] == 0.0
    assert (
        auc.evaluate(len(dataset))["AUC"] > 0.9
    )  # its thresholds start at 0, which nothing is below


def test_the_usual_nms_deletes_perfect_predictions(
    fixtures_converted: Converted, metainfo: dict[str, str]
) -> None:
    """Why the README says `nms_mode="none"`: slots that two categories do not use count as agreement."""
    dataset = make_dataset(fixtures_converted, metainfo, [*LOAD, AFFINE, PACK], test_mode=True)
    metric = CocoMetric(ann_file=str(fixtures_converted.keypoints))
    metric.dataset_meta = dataset.metainfo
    predict_truth(dataset, [metric])
    assert metric.evaluate(len(dataset))["coco/AP"] < 0.95


class Losses(Hook):
    """Keeps what every training step logs."""

    def __init__(self) -> None:
        self.steps: list[dict[str, float]] = []

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any, outputs: Any) -> None:
        del runner, batch_idx, data_batch
        self.steps.append({name: float(value) for name, value in outputs.items()})


def test_three_training_steps(
    fixtures_converted: Converted, metainfo: dict[str, str], tmp_path: Path
) -> None:
    """A small model with 294 heatmaps, trained on all 13 categories in one file, then validated."""
    root = fixtures_converted.as_dataset(tmp_path / "data")

    def loader(split: str, pipeline: list[dict[str, Any]], **kwargs: Any) -> dict[str, Any]:
        dataset = dict(
            type="DeepFashion2Dataset",
            data_root=f"{root}/",
            data_mode="topdown",
            ann_file=f"keypoints_{split}.json",
            data_prefix=dict(img=f"{split}/image/"),
            metainfo=metainfo,
            pipeline=pipeline,
            **kwargs,
        )
        sampler = dict(type="DefaultSampler", shuffle=False)
        return dict(batch_size=8, num_workers=0, dataset=dataset, sampler=sampler)

    affine = dict(AFFINE, input_size=(96, 128))
    codec = dict(CODEC, input_size=(96, 128), heatmap_size=(24, 32))
    random = [dict(type="RandomFlip", direction="horizontal"), dict(type="RandomBBoxTransform")]
    target = dict(type="GenerateTarget", encoder=codec)
    runner = Runner(
        model=dict(
            type="TopdownPoseEstimator",
            data_preprocessor=dict(
                type="PoseDataPreprocessor", mean=[120.0] * 3, std=[60.0] * 3, bgr_to_rgb=True
            ),
            backbone=dict(type="ResNet", depth=18),
            head=dict(
                type="HeatmapHead",
                in_channels=512,
                out_channels=294,
                deconv_out_channels=(32, 32, 32),
                deconv_kernel_sizes=(4, 4, 4),
                loss=dict(type="KeypointMSELoss", use_target_weight=True),
                decoder=codec,
            ),
            test_cfg=dict(flip_test=True, flip_mode="heatmap", shift_heatmap=True),
        ),
        work_dir=str(tmp_path / "work"),
        train_dataloader=loader("train", [*LOAD, *random, affine, target, PACK]),
        val_dataloader=loader("validation", [*LOAD, affine, PACK], test_mode=True),
        train_cfg=dict(by_epoch=False, max_iters=3, val_interval=3),
        val_cfg=dict(),
        val_evaluator=[
            dict(
                type="CocoMetric",
                ann_file=str(root / "keypoints_validation.json"),
                nms_mode="none",
            ),
            dict(type="PCKAccuracy", thr=0.2),
        ],
        optim_wrapper=dict(optimizer=dict(type="Adam", lr=5e-4)),
        default_hooks=dict(checkpoint=None),
        default_scope="mmpose",
        randomness=dict(seed=0),
        log_level="ERROR",
    )
    losses = Losses()
    runner.register_hook(losses)
    before = copy.deepcopy(runner.model.state_dict())
    runner.train()

    assert len(losses.steps) == 3
    assert all(np.isfinite(step["loss"]) and step["loss"] > 0 for step in losses.steps)
    after = runner.model.state_dict()
    assert any(not torch.equal(before[name], after[name]) for name in before)
    scores = runner.message_hub.log_scalars
    assert 0 <= scores["val/coco/AP"].current() <= 1
    assert 0 <= scores["val/PCK"].current() <= 1
