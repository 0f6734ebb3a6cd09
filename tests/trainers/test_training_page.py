"""The recipes of docs/training.md that training tools of today need, run up to a first step."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import supervision
import torch
import transformers
from PIL import Image
from torchvision.transforms.v2 import functional
from ultralytics import YOLO
from ultralytics.data.utils import check_det_dataset

from df2coco.boxes import to_corners
from df2coco.evaluation import evaluate
from df2coco.layouts import AGGREGATED
from df2coco.results import Results
from df2coco.taxonomy import CATEGORIES, FLIP_INDICES
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


# ---------------------------------------------------------------- results


class Perfect:
    """A model that finds every item, one photo after the other, as `answer` writes it."""

    def __init__(self, converted: Converted, answer: Any) -> None:
        coco = converted.coco
        self._items = [(image, coco.imgToAnns[i]) for i, image in sorted(coco.imgs.items())]
        self._answer = answer
        self._asked = iter(self._items)
        self.class_names = [each["name"] for each in coco.dataset["categories"]]

    def eval(self) -> None:
        pass

    def __call__(self, *_: Any, **__: Any) -> Any:
        return self._answer(*next(self._asked))

    predict = __call__


def score(kind: Any, truth: str, code: str, names: dict[str, Any]) -> float:
    """AP of the results that a recipe writes."""
    names["root"] = "data/deepfashion2"
    exec(code, names)
    return evaluate(kind, f"data/deepfashion2/{truth}.json", "results.json").scores.metrics["AP"]


def class_scores(annotations: Any, classes: int = NUM_CLASSES) -> torch.Tensor:
    """One row an item, its class far above all others."""
    result = torch.full((1, len(annotations), classes), -9.0)
    for number, each in enumerate(annotations):
        result[0, number, each["category_id"] - 1] = 9.0
    return result


def as_detr(image: Any, annotations: Any) -> Any:
    x, y, w, h = torch.tensor([each["bbox"] for each in annotations]).T
    across, down = image["width"], image["height"]
    centres = [(x + w / 2) / across, (y + h / 2) / down, w / across, h / down]
    boxes = torch.stack(centres, 1)[None]
    return SimpleNamespace(logits=class_scores(annotations), pred_boxes=boxes)


def test_results_of_transformers(fixtures_converted: Converted) -> None:
    processor = transformers.RTDetrImageProcessor(size={"height": 64, "width": 64})
    names = {"model": Perfect(fixtures_converted, as_detr), "processor": processor}
    code = python_block("a detector of transformers")
    assert score("bbox", "instances_validation", code, names) == pytest.approx(1, abs=1e-6)
    # The other order of target_sizes is what the comment is about.
    names["model"] = Perfect(fixtures_converted, as_detr)
    turned = code.replace("photo.size[::-1]", "photo.size")
    assert score("bbox", "instances_validation", turned, names) < 0.5


def test_results_of_mask2former(fixtures_converted: Converted) -> None:
    processor = transformers.Mask2FormerImageProcessor(size={"height": 96, "width": 96})

    def as_queries(_: Any, annotations: Any) -> Any:
        masks = [torch.from_numpy(fixtures_converted.coco.annToMask(a)) for a in annotations]
        inside = torch.stack(masks)[None].float() * 18 - 9
        nothing = torch.full((1, len(annotations), 1), -9.0)
        classes = torch.cat([class_scores(annotations), nothing], 2)
        inside = torch.nn.functional.interpolate(inside, size=(384, 384), mode="bilinear")
        return SimpleNamespace(class_queries_logits=classes, masks_queries_logits=inside)

    loop = python_block("a detector of transformers")
    before, _, rest = loop.partition("    found = ")
    found = re.sub("^", "    ", python_block("a Mask2Former").partition("\n")[2], flags=re.M)
    code = before + found + "\n" + rest[rest.index("results.write") :]
    names = {"model": Perfect(fixtures_converted, as_queries), "processor": processor}
    assert score("segm", "instances_validation", code, names) > 0.9


def test_results_of_supervision(fixtures_converted: Converted) -> None:
    def as_detections(_: Any, annotations: Any) -> Any:
        masks = [fixtures_converted.coco.annToMask(each) for each in annotations]
        return supervision.Detections(
            xyxy=np.array([to_corners(each["bbox"]) for each in annotations]),
            class_id=np.array([each["category_id"] - 1 for each in annotations]),
            confidence=np.full(len(annotations), 0.9),
            mask=np.array(masks, bool),
        )

    for kind in ("bbox", "segm"):
        names = {
            "model": Perfect(fixtures_converted, as_detections),
            "Path": Path,
            "Image": Image,
            "Results": Results,
        }
        code = python_block("supervision")
        assert score(kind, "instances_validation", code, names) == pytest.approx(1)


def test_results_of_torchvision(fixtures_converted: Converted) -> None:
    def as_predictions(_: Any, annotations: Any) -> Any:
        masks = [torch.from_numpy(fixtures_converted.coco.annToMask(a)) for a in annotations]
        return [
            {
                "boxes": torch.tensor([to_corners(each["bbox"]) for each in annotations]),
                "labels": torch.tensor([each["category_id"] for each in annotations]),
                "scores": torch.full((len(annotations),), 0.9),
                "masks": torch.stack(masks)[:, None].float(),
                "keypoints": torch.tensor([each["keypoints"] for each in annotations])
                .reshape(-1, 294, 3)
                .float(),
            }
        ]

    names: dict[str, Any] = {"Path": Path, "Image": Image, "Results": Results, "torch": torch}
    names["functional"] = functional
    code = python_block("a model of torchvision")
    for kind in ("bbox", "segm", "keypoints"):
        names["model"] = Perfect(fixtures_converted, as_predictions)
        assert score(kind, "keypoints_validation", code, names) == pytest.approx(1)


@pytest.mark.parametrize(
    ("config", "kinds"),
    [
        ("yolo11n.yaml", ("bbox",)),
        ("yolo11n-seg.yaml", ("bbox", "segm")),
        ("yolo11n-pose.yaml", ("bbox",)),
    ],
)
def test_results_of_ultralytics(config: str, kinds: tuple[str, ...]) -> None:
    """Without weights: what comes is wrong, but of the form that is read."""
    model = YOLO(config)
    names = {n: c.name for n, c in enumerate(CATEGORIES)}
    model.model.names = {n: names[n % NUM_CLASSES] for n in range(len(model.names))}
    scope: dict[str, Any] = {"model": model, "Path": Path, "Image": Image, "Results": Results}
    code = python_block("ultralytics")
    if "pose" in config:  # 17 landmarks of a person
        code = re.sub(r"landmarks=.*", "", code)
    for kind in kinds:
        assert 0 <= score(kind, "keypoints_validation", code, scope) < 0.5
