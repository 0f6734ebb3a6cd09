"""What the frameworks are told, without the frameworks; tests/consumers runs the real ones."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from df2coco.cli.app import app
from df2coco.cli.export import FRAMEWORKS
from df2coco.integrations import detectron2, mmdet, mmpose, ultralytics
from df2coco.layouts import AGGREGATED, SHARED
from df2coco.taxonomy import (
    CATEGORIES,
    CATEGORY_BY_ID,
    FLIP_INDICES,
    LANDMARK_NAMES,
    SIGMAS,
    SKELETON,
)

MODULES = {
    "detectron2": detectron2,
    "mmdet": mmdet,
    "mmpose": mmpose,
    "ultralytics": ultralytics,
}
PYTHON = ["detectron2", "mmdet", "mmpose"]
"""What `source()` of these gives is Python."""


def run(source: str) -> dict[str, Any]:
    """The names that Python source defines, run alone."""
    names: dict[str, Any] = {"__name__": "pasted"}
    exec(compile(source, "pasted.py", "exec"), names)
    return names


def test_importing_df2coco_imports_no_framework_and_no_integration() -> None:
    code = (
        "import sys, df2coco\n"
        "assert not any(name.startswith('df2coco.integrations') for name in sys.modules)\n"
        "from df2coco.integrations import detectron2, mmdet, mmpose, ultralytics\n"
        "assert not {'detectron2', 'mmdet', 'mmpose', 'mmengine', 'torch', 'ultralytics'} & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_detectron2_tables() -> None:
    keypoints = detectron2.KEYPOINTS
    names = keypoints["names"]
    assert names == list(LANDMARK_NAMES)
    assert len(set(names)) == 294
    # Detectron2 draws a person's spine between these.
    assert not {"nose", "left_shoulder", "right_shoulder", "left_hip", "right_hip"} & set(names)
    flips = dict(keypoints["flip_map"])
    assert all(a != b for a, b in flips.items())
    flips |= {b: a for a, b in flips.items()}
    assert [names.index(flips.get(name, name)) for name in names] == list(FLIP_INDICES)
    rules = keypoints["connection_rules"]
    assert [(names.index(a) + 1, names.index(b) + 1) for a, b, _ in rules] == list(SKELETON)
    assert all(0 <= part <= 255 for _, _, color in rules for part in color)
    assert keypoints["oks_sigmas"] == list(SIGMAS)
    assert [category.name for category in CATEGORIES] == detectron2.THING_CLASSES


def test_mmdet_metainfo() -> None:
    assert mmdet.METAINFO["classes"] == tuple(category.name for category in CATEGORIES)
    palette = mmdet.METAINFO["palette"]
    assert [f"#{r:02X}{g:02X}{b:02X}" for r, g, b in palette] == [c.color for c in CATEGORIES]


def test_mmpose_dataset_info() -> None:
    info = mmpose.DATASET_INFO
    keypoints = info["keypoint_info"]
    assert list(keypoints) == list(range(294))
    names = [keypoints[slot]["name"] for slot in range(294)]
    assert names == list(LANDMARK_NAMES)
    for slot, keypoint in keypoints.items():
        assert keypoint["id"] == slot
        partner = keypoints[names.index(keypoint["swap"] or keypoint["name"])]
        assert (partner["swap"] or partner["name"]) == keypoint["name"]  # both ways
        assert partner["id"] == FLIP_INDICES[slot]
    links = info["skeleton_info"]
    assert list(links) == list(range(304))
    ends = [links[number]["link"] for number in links]
    assert [(names.index(a) + 1, names.index(b) + 1) for a, b in ends] == list(SKELETON)
    assert info["sigmas"] == list(SIGMAS)
    assert info["joint_weights"] == [1.0] * 294


def test_the_81_aggregated_landmarks() -> None:
    """The same numbers in every framework's own form."""
    keypoints = run(detectron2.source(AGGREGATED))["KEYPOINTS"]
    info = run(mmpose.source(AGGREGATED))["dataset_info"]
    names = list(AGGREGATED.names)
    assert len(names) == 81
    assert keypoints["names"] == [each["name"] for each in info["keypoint_info"].values()] == names
    assert keypoints["oks_sigmas"] == info["sigmas"] == list(AGGREGATED.sigmas)
    swapped = {a: b for pair in keypoints["flip_map"] for a, b in (pair, pair[::-1])}
    assert [names.index(swapped.get(name, name)) for name in names] == list(AGGREGATED.flip_indices)
    assert [each["swap"] or each["name"] for each in info["keypoint_info"].values()] == [
        swapped.get(name, name) for name in names
    ]
    links = [(names.index(a) + 1, names.index(b) + 1) for a, b, _ in keypoints["connection_rules"]]
    assert links == list(AGGREGATED.skeleton)
    assert [each["link"] for each in info["skeleton_info"].values()] == [
        rule[:2] for rule in keypoints["connection_rules"]
    ]


def test_mmpose_is_right_where_the_published_tables_are_not() -> None:
    def partner(category_id: int, number: int) -> str:
        category = CATEGORY_BY_ID[category_id]
        return str(mmpose.DATASET_INFO["keypoint_info"][category.first_slot + number - 1]["swap"])

    assert partner(5, 9) == "vest_13"
    assert partner(5, 13) == "vest_9"
    for a, b in ((2, 6), (4, 26)):
        assert partner(3, a) == f"short_sleeve_outwear_{b}"
        assert partner(3, b) == f"short_sleeve_outwear_{a}"


@pytest.mark.parametrize("framework", PYTHON)
def test_source_stands_alone_and_says_the_same(framework: str) -> None:
    module = MODULES[framework]
    source = module.source()
    names = run(source)
    assert "import df2coco" not in source
    assert "from df2coco" not in source
    if module is detectron2:
        tables = ["KEYPOINTS", "THING_CLASSES", "THING_COLORS"]
        assert {name: names[name] for name in tables} == {
            name: getattr(detectron2, name) for name in tables
        }
        assert callable(names["register"])
        assert callable(names["add_config"])
    elif module is mmdet:
        assert names["metainfo"] == mmdet.METAINFO
        assert names["val_dataloader"]["dataset"]["metainfo"] == mmdet.METAINFO
    else:
        assert names["dataset_info"] == mmpose.DATASET_INFO


@pytest.mark.parametrize("layout", SHARED)
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_source_is_text_that_a_formatter_leaves(framework: str, layout: str) -> None:
    source = MODULES[framework].source(SHARED[layout])
    assert source.endswith("\n")
    assert not source.endswith("\n\n")
    assert not any(line != line.rstrip() or "\t" in line for line in source.split("\n"))
    # Rows stay within 100 columns, but for an entry that is longer alone.
    rows = [line for line in source.split("\n") if len(line) > 100]
    assert all(line.count("dict(") == 1 or '": "' in line for line in rows)


@pytest.mark.parametrize("layout", SHARED)
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_command_prints_or_writes_the_source(
    framework: str, layout: str, tmp_path: Path
) -> None:
    source = MODULES[framework].source(SHARED[layout])
    arguments = ["metainfo", framework, "--layout", layout]
    printed = CliRunner().invoke(app, arguments)
    assert (printed.exit_code, printed.stdout) == (0, source)
    out = tmp_path / "told.py"
    out.write_text("before")
    written = CliRunner().invoke(app, [*arguments, "--out", str(out)])
    assert (written.exit_code, written.stdout) == (0, "")
    assert written.stderr.replace("\n", "") == f"-> {out}"
    assert CliRunner().invoke(app, [*arguments, "--out", str(out), "--quiet"]).output == ""
    assert CliRunner().invoke(app, [*arguments, "--quiet"]).output == source
    assert out.read_text() == source
    assert list(tmp_path.iterdir()) == [out]


def test_the_command_refuses_what_it_cannot_do(tmp_path: Path) -> None:
    unknown = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["metainfo", "caffe"])
    assert unknown.exit_code == 2
    assert "'caffe' is none of detectron2, mmdet, mmpose, ultralytics" in unknown.output
    nowhere = CliRunner().invoke(app, ["metainfo", "mmdet", "--out", str(tmp_path / "no" / "x.py")])
    assert nowhere.exit_code == 2
    assert "there is no folder" in nowhere.output
    assert not list(tmp_path.iterdir())


def test_data_yaml_of_all_landmarks() -> None:
    """Its numbers are JSON, which is YAML too: no parser is needed to read them here."""
    text = ultralytics.source()

    def numbers(key: str) -> list[float]:
        (found,) = re.findall(rf"^{key}: (\[[^]]*\])$", text, re.M)
        return list(json.loads(found))

    assert numbers("kpt_shape") == [294, 3]
    assert numbers("flip_idx") == list(FLIP_INDICES)
    assert numbers("kpt_oks_sigmas") == list(SIGMAS)
    names = re.findall(r"^  (\d+): (\".*\")$", text, re.M)
    assert [(int(number), json.loads(name)) for number, name in names] == [
        (category.id - 1, category.name) for category in CATEGORIES
    ]
    assert re.findall(r"^(train|val|test|path): (.*)$", text, re.M) == [
        ("train", "images/train"),
        ("val", "images/val"),
    ]


def test_data_yaml_without_landmarks() -> None:
    """Names that YAML would take for something else are text."""
    text = ultralytics.data_yaml(["no", 'a: "b"', "3", "#"], splits=["val"])
    assert text == ('val: images/val\n\nnames:\n  0: "no"\n  1: "a: \\"b\\""\n  2: "3"\n  3: "#"\n')
