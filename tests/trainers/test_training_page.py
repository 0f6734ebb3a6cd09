"""The recipes of docs/training.md that training tools of today need, run up to a first step."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from ultralytics.data.utils import check_det_dataset

from df2coco.layouts import AGGREGATED
from df2coco.taxonomy import FLIP_INDICES
from tests.trainers.conftest import FIXTURES, Converted

TRAINING = (FIXTURES.parent / "docs" / "training.md").read_text()
NUM_CLASSES = 13


def python_block(need: str) -> str:
    """The Python that starts with this comment, without the indentation of a list."""
    ((indent, code),) = re.findall(
        rf"^( *)```python\n( *# needs {need}\n.*?)^ *```", TRAINING, re.M | re.S
    )
    return re.sub(rf"^{indent}", "", code, flags=re.M)


def run(need: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(python_block(need), names)
    return names


@pytest.fixture(autouse=True)
def workplace(
    fixtures_converted: Converted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A folder with data/deepfashion2, which has the fixtures as both splits."""
    root = tmp_path / "data" / "deepfashion2"
    for split in ("train", "validation"):
        (root / split).mkdir(parents=True)
        (root / split / "image").symlink_to(fixtures_converted.images)
    for kind in ("instances", "keypoints"):
        for path in fixtures_converted.files(kind):
            (root / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    return root


def test_exports(workplace: Path) -> None:
    commands = re.findall(r"^df2coco export .*$", TRAINING, re.M)
    for command in commands:
        arguments = command.split()[1:]
        subprocess.run([sys.executable, "-m", "df2coco", *arguments], cwd=workplace, check=True)
    assert len(commands) == 5
    for name in re.findall(r"data=(\S+\.yaml)", TRAINING):
        data = check_det_dataset(workplace / name)
        assert len(list(Path(data["val"]).iterdir())) > 0
    for split in ("train", "valid"):
        assert (workplace / "rf-detr" / split / "_annotations.coco.json").is_file()


def test_rt_detr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        transformers.AutoImageProcessor,
        "from_pretrained",
        lambda _: transformers.RTDetrImageProcessor(size={"height": 128, "width": 128}),
    )

    def small(_: str, **options: Any) -> Any:
        del options["ignore_mismatched_sizes"]
        backbone = transformers.RTDetrResNetConfig(
            embedding_size=8, hidden_sizes=[8, 16, 32, 64], depths=[1, 1, 1, 1],
            layer_type="basic", out_features=["stage2", "stage3", "stage4"],
        )  # fmt: skip
        return transformers.RTDetrV2ForObjectDetection(
            transformers.RTDetrV2Config(
                backbone_config=backbone, encoder_in_channels=[16, 32, 64], d_model=32,
                encoder_hidden_dim=32, encoder_ffn_dim=32, decoder_ffn_dim=32, decoder_layers=2,
                decoder_in_channels=[32, 32, 32], encoder_attention_heads=2,
                decoder_attention_heads=2, num_queries=20, num_denoising=10, **options,
            )
        )  # fmt: skip

    monkeypatch.setattr(transformers.AutoModelForObjectDetection, "from_pretrained", small)
    names = run("transformers")
    labels = {int(label) for each in names["train"] for label in each["labels"][0]["class_labels"]}
    assert labels == set(range(NUM_CLASSES))
    assert torch.isfinite(names["loss"])
    # With the ids themselves 13 is one too many.
    batch = names["batch"]
    batch["labels"] = [
        {**each, "class_labels": torch.full_like(each["class_labels"], 13)}
        for each in batch["labels"]
    ]
    with pytest.raises((IndexError, RuntimeError)):
        names["model"](**batch)


def test_rt_detr_boxes(monkeypatch: pytest.MonkeyPatch, fixtures_converted: Converted) -> None:
    processor = transformers.RTDetrImageProcessor(size={"height": 128, "width": 128})
    code = python_block("transformers").partition("train = Garments")[0]
    monkeypatch.setattr(transformers.AutoImageProcessor, "from_pretrained", lambda _: processor)
    names: dict[str, Any] = {}
    exec(code, names)
    images, file = fixtures_converted.images, fixtures_converted.files("instances")[0]
    train = names["Garments"](images, file)
    for index, image_id in enumerate(train.ids):
        image = fixtures_converted.coco.imgs[image_id]
        truth = fixtures_converted.coco.imgToAnns[image_id]
        target = train[index]["labels"][0]
        size = torch.tensor([image["width"], image["height"]] * 2)
        x, y, w, h = (target["boxes"] * size).T
        boxes = torch.stack([x - w / 2, y - h / 2, w, h], 1)
        expected = torch.tensor([each["bbox"] for each in truth])
        torch.testing.assert_close(boxes, expected, atol=1e-3, rtol=0)
        assert target["class_labels"].tolist() == [each["category_id"] - 1 for each in truth]


def test_mask2former(monkeypatch: pytest.MonkeyPatch, fixtures_converted: Converted) -> None:
    monkeypatch.setattr(
        transformers.AutoImageProcessor,
        "from_pretrained",
        lambda _, size: transformers.Mask2FormerImageProcessor(
            size={**size, "height": 96, "width": 96}
        ),
    )

    def small(_: str, **options: Any) -> Any:
        del options["ignore_mismatched_sizes"]
        backbone = transformers.SwinConfig(
            embed_dim=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 1, 1], window_size=3,
            out_features=["stage1", "stage2", "stage3", "stage4"],
        )  # fmt: skip
        return transformers.Mask2FormerForUniversalSegmentation(
            transformers.Mask2FormerConfig(
                backbone_config=backbone, feature_size=32, mask_feature_size=32, hidden_dim=32,
                encoder_feedforward_dim=16, dim_feedforward=16, encoder_layers=1, decoder_layers=2,
                num_attention_heads=2, num_queries=8, train_num_points=64, **options,
            )
        )  # fmt: skip

    monkeypatch.setattr(transformers.AutoModelForUniversalSegmentation, "from_pretrained", small)
    names = run("mask2former")
    assert torch.isfinite(names["loss"])
    for index, image_id in enumerate(names["train"].ids):
        _, masks, labels = names["train"][index]
        truth = fixtures_converted.coco.imgToAnns[image_id]
        assert labels.tolist() == [each["category_id"] - 1 for each in truth]
        image = fixtures_converted.coco.imgs[image_id]
        share = masks.mean((1, 2)) * image["width"] * image["height"]
        areas = torch.tensor([float(fixtures_converted.coco.annToMask(a).sum()) for a in truth])
        torch.testing.assert_close(share, areas, rtol=0.1, atol=100)


def test_torchvision_keeps_landmarks(fixtures_converted: Converted) -> None:
    names = run("landmarks")
    dataset, flip = names["dataset"], names["flip"]
    for index, image_id in enumerate(dataset.ids):
        image, target = dataset[index]
        truth = fixtures_converted.coco.imgToAnns[image_id]
        expected = torch.tensor([each["keypoints"] for each in truth]).reshape(-1, 294, 3)
        assert torch.equal(target["keypoints"].long(), expected[..., :2])
        assert torch.equal(target["visibility"], expected[..., 2])
        mirrored_image, mirrored = flip(image, target)
        partners = expected[:, list(FLIP_INDICES)]
        assert torch.equal(mirrored["visibility"], partners[..., 2])
        labelled = partners[..., 2] > 0
        across = mirrored["keypoints"][..., 0][labelled] + partners[..., 0][labelled]
        assert across.unique().tolist() in ([image.width], [image.width - 1], [])
        assert mirrored_image.size == image.size


def test_flip_pairs_of_a_layout() -> None:
    options = run("a layout")["options"]
    flat = options["keypoint_flip_pairs"]
    swapped = list(range(len(AGGREGATED.names)))
    for a, b in zip(flat[::2], flat[1::2], strict=True):
        swapped[a], swapped[b] = b, a
    assert tuple(swapped) == AGGREGATED.flip_indices
    assert options["keypoint_oks_sigmas"] == list(AGGREGATED.sigmas)
