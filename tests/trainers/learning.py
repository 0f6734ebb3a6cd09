"""Models that learn a handful of drawn photos by heart: what they find, scored as users score it.

    make test-learning

Minutes on a CPU, so no part of what must pass before a change lands. No weights: all models start from nothing.
Predictions become results by the recipes of docs/training.md, as they are there.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, Final

import pytest
import torch
import transformers
from PIL import Image
from ultralytics import YOLO

from df2coco.converter import Selection, Shape, convert
from df2coco.evaluation import evaluate
from df2coco.export import export_yolo
from df2coco.results import Results
from tests.trainers.conftest import FIXTURES
from tests.trainers.test_training_page import python_block

PHOTOS: Final = 8
SPLIT: Final = FIXTURES / "validation"
SIDE: Final = 160

STILL: Final = {
    "mosaic": 0.0, "degrees": 0.0, "translate": 0.0, "scale": 0.0, "hsv_h": 0.0, "hsv_s": 0.0,
    "hsv_v": 0.0, "fliplr": 0.0, "erasing": 0.0,
}  # fmt: skip
"""No augmentation: what is learnt by heart stays as it is."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A dataset root of the first photos, with COCO files of both tasks, as the recipes expect it."""
    (tmp_path / "validation/image").mkdir(parents=True)
    for photo in sorted((SPLIT / "image").iterdir())[:PHOTOS]:
        (tmp_path / "validation/image" / photo.name).symlink_to(photo)
    for task in ("instances", "keypoints"):
        convert(
            SPLIT,
            tmp_path / f"{task}_validation.json",
            selection=Selection(limit=PHOTOS),
            shape=Shape(task=task),  # type: ignore[arg-type]
        )
    return tmp_path


def learn(root: Path, task: str, config: str, epochs: int, category: str | None = None) -> Path:
    """The folder of an Ultralytics run on the root's photos, which are train and val in one."""
    truth = root / "keypoints_validation.json"
    files = [root / f"keypoints_{split}.json" for split in ("train", "val")]
    for path in files:
        path.write_bytes(truth.read_bytes())
    photos = [root / "validation/image"] * 2
    folder = root / "yolo"
    export_yolo(files, folder, task=task, images=photos, category=category)  # type: ignore[arg-type]
    YOLO(config).train(
        data=folder / "data.yaml", imgsz=SIDE, epochs=epochs, batch=PHOTOS, nbs=PHOTOS,
        optimizer="AdamW", lr0=2e-3, lrf=0.05, warmup_epochs=0, workers=0, device="cpu", seed=0,
        project=str(root / "runs"), name="one", plots=False, val=False, verbose=False,
        overlap_mask=False, mask_ratio=1, **STILL,
    )  # fmt: skip
    return root / "runs/one"


def losses(run: Path, name: str) -> list[float]:
    with (run / "results.csv").open() as stream:
        return [float(row[f"train/{name}"]) for row in csv.DictReader(stream)]


def score(root: Path, kind: Any, run: Path, **options: Any) -> float:
    """AP of what the trained model finds on the photos that it has seen."""
    names = {
        "model": YOLO(run / "weights/last.pt"), "root": str(root),
        "Path": Path, "Image": Image, "Results": Results,
    }  # fmt: skip
    code = python_block("ultralytics").replace('"results.json"', repr(str(root / "results.json")))
    exec(code, names)
    truth = root / "keypoints_validation.json"
    scores = evaluate(kind, truth, root / "results.json", **options).scores
    return scores.metrics["AP"]


def test_ultralytics_finds_what_it_has_learnt(root: Path) -> None:
    run = learn(root, "detect", "yolo11n.yaml", epochs=400)
    assert score(root, "bbox", run) >= 0.9


def test_ultralytics_masks(root: Path) -> None:
    run = learn(root, "segment", "yolo11n-seg.yaml", epochs=400)
    found = losses(run, "seg_loss")
    ap = score(root, "segm", run)
    print(f"mask loss {found[0]:.2f} to {found[-1]:.2f}, mask AP {ap:.3f}")
    assert found[-1] < 0.3 * found[0]
    assert ap >= 0.5


def test_ultralytics_landmarks_of_one_category(root: Path) -> None:
    run = learn(root, "pose", "yolo11n-pose.yaml", epochs=200, category="trousers")
    found = losses(run, "pose_loss")
    print(f"pose loss {found[0]:.2f} to {found[-1]:.2f}")
    assert found[-1] < 0.7 * found[0]


def test_rt_detr(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its loss falls to less than half in 60 steps on the photos."""
    torch.manual_seed(0)
    backbone = transformers.RTDetrResNetConfig(
        embedding_size=16, hidden_sizes=[16, 32, 64, 128], depths=[1, 1, 1, 1], layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip
    config = transformers.RTDetrV2Config(
        backbone_config=backbone, encoder_in_channels=[32, 64, 128], num_labels=13, num_queries=30,
        d_model=64, encoder_hidden_dim=64, decoder_in_channels=[64, 64, 64], encoder_layers=1, decoder_layers=2,
        feat_strides=[8, 16, 32], num_denoising=0,
    )  # fmt: skip
    model = transformers.RTDetrV2ForObjectDetection(config)
    names: dict[str, Any] = {}
    processor = transformers.RTDetrImageProcessor(size={"height": SIDE, "width": SIDE})
    monkeypatch.setattr(transformers.AutoImageProcessor, "from_pretrained", lambda _: processor)
    exec(python_block("transformers").partition("train = Garments")[0], names)
    train = names["Garments"](root / "validation/image", root / "instances_validation.json")
    samples = [train[number] for number in range(len(train))]
    pixels = torch.cat([sample["pixel_values"] for sample in samples])
    labels = [label for sample in samples for label in sample["labels"]]
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-4)
    model.train()
    found = []
    for _ in range(60):
        loss = model(pixel_values=pixels, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(float(loss))
    print(f"loss {found[0]:.2f} to {found[-1]:.2f}")
    assert found[-1] < 0.5 * found[0]
