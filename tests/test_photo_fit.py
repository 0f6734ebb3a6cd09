"""Photos that are not those of the annotations: one warning with the likely cause, and none for the right ones."""

from __future__ import annotations

import math
import random
import shutil
from pathlib import Path

import pytest
from PIL import Image

from df2coco.converter.run import convert
from df2coco.parser.photo_fit import judge_photos
from df2coco.parser.reader import read_split
from df2coco.parser.splits import find_splits
from df2coco.stats.reading import statistics
from tests.conftest import MakeSplit
from tests.samples import make_annotation, make_item, make_jpeg
from tests.tools.synthetic import make_split as make_synthetic_split

NUM_IMAGES = 60


@pytest.fixture(scope="module")
def splits(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two synthetic splits with the same names."""
    root = tmp_path_factory.mktemp("splits")
    for seed, name in enumerate(("one", "two")):
        make_synthetic_split(root / name, NUM_IMAGES, seed)
    return root / "one", root / "two"


def reaches_of(split: Path, images: Path | None = None) -> list[float]:
    (found,) = find_splits(split, images)
    records = list(read_split(found))
    return [record.reach for record in records if record.reach is not None]


def resized(images: Path, out: Path, factor: float) -> Path:
    out.mkdir()
    for path in images.iterdir():
        with Image.open(path) as image:
            size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
        (out / path.name).write_bytes(make_jpeg(*size))
    return out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("factor", "message"),
    [
        (0.25, "Probably the photos were made smaller"),
        (0.8, "Probably the photos were made smaller"),
        (0.95, "Probably the photos were made smaller"),
        (1.0, ""),
        (1.02, ""),
        (1.25, "Probably the photos were enlarged, up to 1.3 times"),
        (2.0, "Probably the photos were enlarged, up to 2 times"),
    ],
)
def test_resized_photos(
    splits: tuple[Path, Path], tmp_path: Path, factor: float, message: str
) -> None:
    images = resized(splits[0] / "image", tmp_path / "image", factor)
    notice = judge_photos(reaches_of(splits[0], images))
    assert message in ("" if notice is None else notice.text)
    assert (notice is not None) == bool(message)


@pytest.mark.slow
def test_photos_of_another_split(splits: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    (summary,) = convert(splits[0], out, images=splits[1] / "image", on_error="skip")
    (notice,) = [n for n in summary.notices if n.code == "other-photos"]
    assert "Probably these are the photos of another split" in notice.text
    assert summary.notice_counts["other-photos"] == 1
    (summary,) = convert(splits[0], out)
    assert summary.notice_counts["other-photos"] == 0


@pytest.mark.slow
def test_the_right_photos_of_any_subset(splits: tuple[Path, Path], validation: Path) -> None:
    rng = random.Random(0)
    for reaches in map(reaches_of, (*splits, validation)):
        assert judge_photos(reaches) is None
        for size in (1, 2, 3, 5, 10, 20):
            for start in range(len(reaches) - size + 1):
                assert judge_photos(reaches[start : start + size]) is None
            for _ in range(200):
                assert judge_photos(rng.sample(reaches, size)) is None


def test_real_photos(real: Path) -> None:
    assert judge_photos(reaches_of(real / "train")) is None


@pytest.mark.parametrize(
    ("reaches", "found"),
    [
        ([], False),
        ([0.2, 0.2], False),
        ([0.2, 0.2, 0.2], True),
        ([0.5] * 5, False),
        ([0.5] * 6, True),
        ([0.01] * 6, False),  # not pixels
        ([0.03] * 6, True),
        ([0.9] * 36, False),
        ([0.9] * 37, True),
        ([0.2] * 40 + [0.96], False),
        ([0.96] * 1000, False),
        ([0.5] * 1000 + [3.0], False),  # one box that is wrong
        ([2.0], False),
        ([2.0, 2.0], True),
        ([1.005] * 50, False),
        ([2.0] * 2 + [1.0] * 38, True),
        ([2.0] * 2 + [1.0] * 39, False),
        ([2.0] * 40 + [math.nan], False),  # not corners
        ([math.nan] + [0.2] * 40, False),
    ],
)
def test_where_the_warning_begins(reaches: list[float], found: bool) -> None:
    assert (judge_photos(reaches) is not None) == found


@pytest.mark.parametrize(
    ("box", "reach"),
    [
        ([10, 10, 50, 60], 0.5),
        ([10, 10, 80, 60], 0.8),
        ([10, 10, 50, 90], 0.75),
        ([50, 60, 10, 10], 0.5),  # corners in the other order
        ([10, 10, 200, 60], 2.0),
        ([150, 10, 200, 60], 2.0),  # an item that cannot be used
        ([10, 10, "x", 60], None),
    ],
)
def test_the_reach_of_an_image(make_split: MakeSplit, box: list[object], reach: float) -> None:
    split = make_split({1: make_annotation(make_item(bounding_box=box))})
    (found,) = find_splits(split)
    assert next(read_split(found)).reach == reach
    shutil.rmtree(split / "image")
    (found,) = find_splits(split)
    assert next(read_split(found)).reach is None


@pytest.mark.parametrize(("box", "told"), [([40, 60, 20, 30], False), ([40, 60, 60, 90], True)])
def test_boxes_that_are_no_corners_say_nothing_of_the_photos(
    make_split: MakeSplit, tmp_path: Path, box: list[int], told: bool
) -> None:
    near = make_item(bounding_box=[10, 10, 30, 30], segmentation=[[10, 10, 30, 10, 30, 30, 10, 30]])
    other = make_item(bounding_box=box, segmentation=[[40, 60, 60, 60, 60, 90, 40, 90]])
    split = make_split({number: make_annotation(near, other) for number in range(1, 31)})
    (summary,) = convert(split, tmp_path / "out.json", on_error="skip")
    assert summary.notice_counts["other-photos"] == told
    assert statistics(split).notices.get("other-photos", 0) == told
    assert summary.notice_counts["bad-item"] == (0 if told else 30)
