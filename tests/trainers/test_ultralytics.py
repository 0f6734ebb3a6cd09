"""Ultralytics on exported folders: what its own dataset serves, and what its loss learns from it."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ultralytics import YOLO
from ultralytics.cfg import get_cfg
from ultralytics.data.converter import convert_coco
from ultralytics.data.dataset import YOLODataset
from ultralytics.data.utils import check_det_dataset
from ultralytics.models.yolo.pose import PoseTrainer, PoseValidator

from df2coco.evaluation import evaluate
from df2coco.export import export_yolo
from df2coco.layouts import UNIFIED
from tests.trainers.conftest import Converted

STILL = {
    "mosaic": 0.0, "degrees": 0.0, "translate": 0.0, "scale": 0.0, "hsv_h": 0.0, "hsv_s": 0.0,
    "hsv_v": 0.0, "fliplr": 0.0, "erasing": 0.0, "mask_ratio": 1, "overlap_mask": False,
}  # fmt: skip
"""No augmentation, and masks of the photo's own resolution."""


def served(folder: Path, task: str, converted: Converted, **changes: Any) -> Iterator[Any]:
    """What the dataset gives for each photo, unscaled, with the photo's annotations and its padding."""
    data = check_det_dataset(folder / "data.yaml")
    images = converted.coco.imgs
    for side in sorted({max(image["width"], image["height"]) for image in images.values()}):
        hyp = get_cfg(overrides={**STILL, **changes})
        dataset = YOLODataset(
            img_path=data["val"],
            imgsz=side,
            augment=bool(changes),
            hyp=hyp,
            data=data,
            task=task,
        )
        assert len(dataset) == len(images)  # none is left out as corrupt
        for sample in dataset:
            image = images[int(Path(sample["im_file"]).stem)]
            if max(image["width"], image["height"]) != side:
                continue
            annotations = converted.coco.imgToAnns[image["id"]]
            assert sample["cls"].flatten().tolist() == [a["category_id"] - 1 for a in annotations]
            left, top = ((side - image[name]) // 2 for name in ("width", "height"))
            yield image, annotations, sample, (left, top, side)


@pytest.fixture(scope="module", params=["detect", "segment", "pose"])
def exported(
    request: pytest.FixtureRequest, converted: Converted, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    task: str = request.param
    folder = tmp_path_factory.mktemp(task) / "yolo"
    kind = "keypoints" if task == "pose" else "instances"
    export_yolo(converted.files(kind), folder, task=task, images=converted.photos)
    return task, folder


def test_served_as_we_have_it(exported: tuple[str, Path], converted: Converted) -> None:
    """Boxes and landmarks to a thousandth of a pixel, masks as they can be drawn from one polygon."""
    task, folder = exported
    overlaps = []
    for _, truths, sample, (left, top, side) in served(folder, task, converted):
        centers = sample["bboxes"].numpy().astype(float) * side
        boxes = np.c_[centers[:, :2] - centers[:, 2:] / 2 - (left, top), centers[:, 2:]]
        if task != "segment":  # there the box is the extent of the outline
            np.testing.assert_allclose(boxes, [a["bbox"] for a in truths], atol=1e-3)
        if task == "pose":
            truth = np.array([a["keypoints"] for a in truths], float).reshape(-1, 294, 3)
            found = sample["keypoints"].numpy().astype(float)
            np.testing.assert_array_equal(found[..., 2], truth[..., 2])
            labelled = truth[..., 2] > 0
            places = found[..., :2] * side - (left, top)
            np.testing.assert_allclose(places[labelled], truth[labelled][:, :2], atol=1e-3)
        if task == "segment":
            overlaps += list(mask_overlaps(sample, truths, converted, left, top))
    if task == "segment":
        assert np.mean(overlaps) >= 0.97
        assert min(overlaps) >= 0.9


def mask_overlaps(
    sample: Any, annotations: list[Any], converted: Converted, left: int, top: int
) -> Iterator[float]:
    for mask, annotation in zip(sample["masks"].numpy() > 0, annotations, strict=True):
        truth = converted.coco.annToMask(annotation) > 0
        height, width = truth.shape
        found = mask[top : top + height, left : left + width]
        assert mask.sum() == found.sum()
        yield (found & truth).sum() / (found | truth).sum()


def test_flipped_landmarks_are_their_mirror_partners(converted: Converted, tmp_path: Path) -> None:
    export_yolo(converted.files(), tmp_path / "yolo", task="pose", images=converted.photos)
    for image, truths, sample, (_, _, side) in served(
        tmp_path / "yolo", "pose", converted, fliplr=1.0
    ):
        truth = np.array([a["keypoints"] for a in truths], float).reshape(-1, 294, 3)
        mirrored = truth[:, list(UNIFIED.flip_indices)]
        found = sample["keypoints"].numpy().astype(float)
        np.testing.assert_array_equal(found[..., 2] > 0, mirrored[..., 2] > 0)
        labelled = mirrored[..., 2] > 0
        # Augmented photos are centred to half a pixel.
        padding = (side - image["width"]) / 2, (side - image["height"]) / 2
        places = found[..., :2] * side - padding
        expected = mirrored[labelled][:, :2]
        expected[:, 0] = image["width"] - expected[:, 0]
        np.testing.assert_allclose(places[labelled], expected, atol=1e-2)


def test_its_own_converter_loses_masks(fixtures_converted: Converted, tmp_path: Path) -> None:
    """Parts joined by it cancel the whole outline out: what the export is there to avoid."""
    coco = tmp_path / "coco"
    coco.mkdir()
    (coco / "val.json").symlink_to(fixtures_converted.files("instances")[1])
    convert_coco(coco, tmp_path / "own", use_segments=True, cls91to80=False)
    folder = tmp_path / "yolo"
    export_yolo(
        fixtures_converted.files("instances"),
        folder,
        task="segment",
        images=fixtures_converted.photos,
    )
    for own in (tmp_path / "own" / "labels" / "val").iterdir():
        (folder / "labels" / "val" / own.name).write_bytes(own.read_bytes())
    overlaps = [
        overlap
        for _, annotations, sample, (left, top, _) in served(folder, "segment", fixtures_converted)
        for overlap in mask_overlaps(sample, annotations, fixtures_converted, left, top)
    ]
    assert np.mean(overlaps) < 0.8


def pose_gradient(data: Path, sigmas: bool, tmp_path: Path) -> float:
    """The largest gradient that the pose loss gives the layers that predict landmarks."""
    options = {
        **STILL,
        "model": "yolo11n-pose.yaml",
        "data": str(data),
        "imgsz": 64,
        "batch": 2,
        "workers": 0,
        "device": "cpu",
        "project": str(tmp_path),
    }
    torch.manual_seed(0)
    trainer = PoseTrainer(overrides=options)
    trainer.model = model = trainer.get_model("yolo11n-pose.yaml", verbose=False)
    trainer.set_model_attributes()
    model.args = trainer.args
    if not sigmas:
        model.kpt_oks_sigmas = None
    loader = trainer.get_dataloader(trainer.data["train"], batch_size=2, rank=-1, mode="train")
    criterion = model.init_criterion()
    batch = trainer.preprocess_batch(next(iter(loader)))
    loss, _ = criterion(model(batch["img"]), batch)
    loss[1].backward()  # box, pose, ...
    head = model.model[-1]
    return max(
        float(parameter.grad.abs().max())
        for parameter in head.cv4.parameters()
        if parameter.grad is not None
    )


def test_landmarks_learn_through_the_sigmas(fixtures_converted: Converted, tmp_path: Path) -> None:
    """Without them the loss is flat: 1 / 294 for all."""
    folder = tmp_path / "yolo"
    export_yolo(fixtures_converted.files(), folder, task="pose", images=fixtures_converted.photos)
    gradients = [pose_gradient(folder / "data.yaml", sigmas, tmp_path) for sigmas in (True, False)]
    assert gradients[0] > 1e-4
    assert gradients[1] < 1e-3 * gradients[0]


@pytest.mark.parametrize("task", ["segment", "pose"])
def test_training(fixtures_converted: Converted, task: str, tmp_path: Path) -> None:
    """`yolo train` on the items of one category, from a model without weights: the loss falls."""
    folder = tmp_path / "yolo"
    export_yolo(
        fixtures_converted.files(),
        folder,
        task=task,
        images=fixtures_converted.photos,
        category="trousers",
    )
    kind = {"segment": "seg", "pose": "pose"}[task]
    YOLO(f"yolo11n-{kind}.yaml").train(
        data=folder / "data.yaml",
        **{**STILL, "mask_ratio": 4},
        imgsz=96,
        epochs=20,
        batch=6,
        nbs=6,  # a step for each batch
        optimizer="AdamW",
        lr0=3e-3,
        warmup_epochs=0,
        workers=0,
        device="cpu",
        project=str(tmp_path / "runs"),
        name="one",
        plots=False,
        val=False,
        save=False,
        verbose=False,
    )
    with (tmp_path / "runs" / "one" / "results.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    name = f"train/{kind}_loss"
    losses = [float(row[name]) for row in rows]
    assert losses[-1] < 0.95 * losses[0], losses


@pytest.mark.parametrize("kind", ["bbox", "keypoints"])
def test_its_predictions_can_be_scored(converted: Converted, kind: Any, tmp_path: Path) -> None:
    """What `yolo val save_json=True` writes, with the ground truth as predictions: 1."""
    validator = PoseValidator(save_dir=tmp_path)
    validator.class_map = list(range(1, 14))  # init_metrics: the labels and 1
    validator.jdict = []
    for image_id, truths in converted.coco.imgToAnns.items():
        if kind == "keypoints":
            truths = [each for each in truths if each["num_keypoints"]]
        x, y, w, h = torch.tensor([each["bbox"] for each in truths]).T
        keypoints = [each["keypoints"] for each in truths]
        predictions = {
            "bboxes": torch.stack([x, y, x + w, y + h], 1),
            "conf": torch.ones(len(truths)),
            "cls": torch.tensor([each["category_id"] - 1 for each in truths]),
            "keypoints": torch.tensor(keypoints, dtype=torch.float).reshape(-1, 294, 3),
        }
        photo = converted.images / converted.coco.imgs[image_id]["file_name"]
        validator.pred_to_json(predictions, {"im_file": str(photo)})
    (tmp_path / "predictions.json").write_text(json.dumps(validator.jdict))
    scored = evaluate(kind, converted.files()[0], tmp_path / "predictions.json")
    assert scored.scores.metrics["AP"] == pytest.approx(1)
