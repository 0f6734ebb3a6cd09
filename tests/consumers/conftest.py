"""Fixtures that the consumer tests share: converted splits, and the frameworks made importable."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from df2coco.coco import load
from df2coco.converter.run import convert, image_info
from tests.consumers.shims import install

install()
torch.set_num_threads(1)  # the models are small, and threads that wait for busy cores cost more

FIXTURES = Path(__file__).resolve().parent.parent.parent / "fixtures"


def pytest_configure(config: pytest.Config) -> None:
    # The frameworks' releases are older than the libraries below them, and warned about for it.
    config.addinivalue_line("filterwarnings", "ignore")
    config.addinivalue_line("filterwarnings", r"error:::df2coco(\..*)?")


@dataclass(frozen=True)
class Converted:
    """A split and the files that `df2coco convert --per-category` made of it."""

    split: str
    """"train" or "validation"."""
    images: Path
    """The folder of the photos."""
    folder: Path
    """OUT."""
    coco: Any = field(repr=False)
    """The keypoints file as pycocotools loads it."""

    @property
    def instances(self) -> Path:
        return self.folder / f"instances_{self.split}.json"

    @property
    def keypoints(self) -> Path:
        return self.folder / f"keypoints_{self.split}.json"

    def annotations(self, image_id: int) -> list[dict[str, Any]]:
        """The annotations of an image, in the file's order."""
        return list(self.coco.imgToAnns[image_id])

    def as_dataset(self, root: Path) -> Path:
        """A dataset root as the frameworks' configs expect it, with these photos as both splits."""
        for split in ("train", "validation"):
            (root / split).mkdir(parents=True)
            (root / split / "image").symlink_to(self.images)
            for kind in ("instances", "keypoints"):
                path = self.folder / f"{kind}_{self.split}.json"
                (root / f"{kind}_{split}.json").symlink_to(path)
        return root


@pytest.fixture(scope="session", params=["fixtures", "real"])
def converted(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Converted:
    """The fixtures, and real samples where DF2COCO_REAL names a folder with train/annos, train/image."""
    root, split = FIXTURES, "validation"
    if request.param == "real":
        if not os.environ.get("DF2COCO_REAL"):
            pytest.skip("DF2COCO_REAL names no folder of real samples")
        root, split = Path(os.environ["DF2COCO_REAL"]), "train"
    folder = tmp_path_factory.mktemp(request.param)
    convert(root / split, folder, per_category=True)
    coco = load(folder / f"keypoints_{split}.json")
    return Converted(split, root / split / "image", folder, coco)


@pytest.fixture(scope="session")
def fixtures_converted(tmp_path_factory: pytest.TempPathFactory) -> Converted:
    """The fixtures alone: they hold all 13 categories."""
    folder = tmp_path_factory.mktemp("all")
    convert(FIXTURES / "validation", folder)
    coco = load(folder / "keypoints_validation.json")
    return Converted("validation", FIXTURES / "validation" / "image", folder, coco)


@pytest.fixture(scope="session")
def image_info_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a test split: images without annotations."""
    path = tmp_path_factory.mktemp("test") / "image_info_test.json"
    image_info(FIXTURES / "validation" / "image", path)
    return path
