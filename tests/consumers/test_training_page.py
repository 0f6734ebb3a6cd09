"""What docs/training.md says is run here, up to where training would begin."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import mmdet.utils
import mmpose.utils
import pytest
from detectron2.data import DatasetCatalog, MetadataCatalog, build_detection_train_loader
from mmdet.registry import DATASETS as MMDET_DATASETS
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpose.registry import DATASETS as MMPOSE_DATASETS

from tests.consumers.conftest import FIXTURES, Converted

mmdet.utils.register_all_modules(init_default_scope=False)
mmpose.utils.register_all_modules(init_default_scope=False)

TRAINING = (FIXTURES.parent / "docs" / "training.md").read_text()


def python_block(need: str) -> str:
    """The Python that starts with this comment."""
    (code,) = re.findall(rf"^```python\n(# needs {need}\n.*?)^```", TRAINING, re.M | re.S)
    return code


def shell_commands(pattern: str) -> list[str]:
    """The commands in the page's shell blocks that match."""
    blocks = re.findall(r"^```sh\n(.*?)^```", TRAINING, re.M | re.S)
    return [command for block in blocks for command in re.findall(pattern, block, re.M | re.S)]


@pytest.fixture(autouse=True)
def workplace(
    fixtures_converted: Converted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Converted:
    """A folder with data/deepfashion2, and `df2coco` on the path."""
    fixtures_converted.as_dataset(tmp_path / "data" / "deepfashion2")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    return fixtures_converted


def test_detectron2() -> None:
    code, _, _ = python_block("detectron2").partition("trainer = Trainer(cfg)")
    names: dict[str, Any] = {"__name__": "train_detectron2"}
    exec(code, names)
    cfg = names["cfg"]
    cfg.DATALOADER.NUM_WORKERS = 0
    batch = next(iter(build_detection_train_loader(cfg)))
    assert len(batch) == 2
    for each in batch:
        assert each["instances"].gt_keypoints.tensor.shape[1:] == (294, 3)
        assert each["instances"].has("gt_masks")
    evaluator = names["Trainer"].build_evaluator(cfg, "deepfashion2_validation")
    assert evaluator._kpt_oks_sigmas == cfg.TEST.KEYPOINT_OKS_SIGMAS
    for split in ("train", "validation"):
        DatasetCatalog.remove(f"deepfashion2_{split}")
        MetadataCatalog.remove(f"deepfashion2_{split}")


def test_mmdet(workplace: Converted) -> None:
    (command,) = shell_commands(r"^\{$.*^\} > mask_rcnn\.py$")
    subprocess.run(["bash", "-c", command], check=True)
    cfg = Config.fromfile("mask_rcnn.py")
    assert cfg.model.roi_head.bbox_head.num_classes == 13
    assert cfg.model.roi_head.mask_head.num_classes == 13
    with DefaultScope.overwrite_default_scope("mmdet"):
        for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
            dataset = MMDET_DATASETS.build(loader.dataset)
            assert len(dataset) == len(workplace.coco.imgs)
            assert dataset[0]["inputs"].shape[0] == 3


def test_mmpose(workplace: Converted) -> None:
    (command,) = shell_commands(r"^df2coco metainfo mmpose[^\n]*$")
    subprocess.run(["bash", "-c", command], check=True)
    Path("landmarks.py").write_text(python_block("mmpose"))
    cfg = Config.fromfile("landmarks.py")
    expected = sum(1 for a in workplace.coco.anns.values() if a["num_keypoints"])
    with DefaultScope.overwrite_default_scope("mmpose"):
        for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
            dataset = MMPOSE_DATASETS.build(loader.dataset)
            assert len(dataset) == expected
            assert dataset.metainfo["sigmas"].shape == (294,)
            assert dataset[0]["inputs"].shape == (3, 256, 192)


def test_torchvision() -> None:
    names: dict[str, Any] = {}
    exec(python_block("torchvision"), names)
    assert set(names["target"]) == {"boxes", "labels", "masks", "image_id"}


def test_pycocotools(workplace: Converted) -> None:
    keys = ("image_id", "category_id", "bbox", "keypoints")
    truth = [a for a in workplace.coco.anns.values() if a["num_keypoints"]]
    results = [{key: a[key] for key in keys} | {"score": 1.0} for a in truth]
    Path("results.json").write_text(json.dumps(results))
    names: dict[str, Any] = {}
    exec(python_block("your results"), names)
    assert names["evaluation"].stats[0] == pytest.approx(1.0)
