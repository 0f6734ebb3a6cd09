"""Fixtures that the tests of trainers share."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.trainers.shims import install

os.environ["YOLO_CONFIG_DIR"] = tempfile.mkdtemp()  # Ultralytics writes its settings there
os.environ["YOLO_OFFLINE"] = os.environ["HF_HUB_OFFLINE"] = "1"
install()
torch.set_num_threads(1)  # the models are small, and threads that wait for busy cores cost more

from df2coco.coco import load  # noqa: E402
from df2coco.converter.run import convert  # noqa: E402

FIXTURES = Path(__file__).resolve().parent.parent.parent / "fixtures"


def pytest_configure(config: pytest.Config) -> None:
    # The trainers warn about their own settings and about the libraries below them.
    config.addinivalue_line("filterwarnings", "ignore")
    config.addinivalue_line("filterwarnings", r"error:::df2coco(\..*)?")


@dataclass(frozen=True)
class Converted:
    """A split, converted under the names of train and of validation."""

    images: Path
    """The folder of the photos."""
    folder: Path
    """Of keypoints_train.json, keypoints_validation.json and the same of instances."""
    coco: Any
    """keypoints_train.json as pycocotools loads it."""

    def files(self, kind: str = "keypoints") -> Sequence[Path]:
        return [self.folder / f"{kind}_{split}.json" for split in ("train", "validation")]

    @property
    def photos(self) -> Sequence[Path]:
        """One for each of `files`."""
        return [self.images, self.images]


def converted_split(source: Path, folder: Path) -> Converted:
    convert(source, folder)
    for kind in ("instances", "keypoints"):
        (made,) = folder.glob(f"{kind}_*.json")
        text = made.read_bytes()
        for split in ("train", "validation"):
            (folder / f"{kind}_{split}.json").write_bytes(text)
    return Converted(source / "image", folder, load(folder / "keypoints_train.json"))


@pytest.fixture(scope="session", params=["fixtures", "real"])
def converted(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Converted:
    """The fixtures, and real samples where DF2COCO_REAL names a folder with train/annos, train/image."""
    source = FIXTURES / "validation"
    if request.param == "real":
        if not os.environ.get("DF2COCO_REAL"):
            pytest.skip("DF2COCO_REAL names no folder of real samples")
        source = Path(os.environ["DF2COCO_REAL"]) / "train"
    return converted_split(source, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="session")
def fixtures_converted(tmp_path_factory: pytest.TempPathFactory) -> Converted:
    """The fixtures alone: they hold all 13 categories."""
    return converted_split(FIXTURES / "validation", tmp_path_factory.mktemp("all"))
