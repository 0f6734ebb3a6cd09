"""Validate and the other commands agree: what one refuses for its form, validate reports as an error.

And each defect does what the validator says: pycocotools itself is run on it.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from df2coco.coco.reader import load
from df2coco.coco.schema import FIELDS
from df2coco.converter import convert
from df2coco.converter.restore import restore
from df2coco.drawing import draw
from df2coco.errors import CocoFileError
from df2coco.evaluation import evaluate
from df2coco.stats import statistics
from df2coco.validator import CHECK_BY_CODE, validate

VALUES: list[Any] = [
    None, True, False, -1, 0, 1, 2, 3, 1.0, 2.5, -2.0, 1e9, 1e18, 10**30, 2**31, 2**63, 2**64, "", "1",
    [], {}, [[]], [None], [1, 2], [1, 2, 3], [[1, 2]], [[1, 2, 3]], [1.0] * 4, [1] * 6, [[1.0] * 6],
    [[1e8, 0, 0, 0, 5, 5]], {"size": [1, 2], "counts": [2]}, {"size": [5, 5], "counts": "zz"},
    float("nan"), float("inf"), [0] * 882, [1, 1, 3] * 294, ["a", "b"], [["a", "b"]],
]  # fmt: skip


@pytest.fixture(scope="module")
def base(validation: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Three images of the fixture, as df2coco converts them."""
    out = tmp_path_factory.mktemp("agreement") / "out.json"
    convert(validation, out)
    document: dict[str, Any] = json.loads(out.read_text())
    document["images"] = document["images"][:3]
    ids = {image["id"] for image in document["images"]}
    document["annotations"] = [a for a in document["annotations"] if a["image_id"] in ids]
    return document


def mutated(base: dict[str, Any], generator: random.Random) -> dict[str, Any]:
    """One field somewhere removed or changed, or one element of a list in it."""
    document = copy.deepcopy(base)
    name = generator.choice(["images", "annotations", "annotations", "categories"])
    entry = generator.choice(document[name])
    field = generator.choice([*entry, *FIELDS[name]])
    action = generator.random()
    if action < 0.15:
        entry.pop(field, None)
    elif action < 0.3 and isinstance(entry.get(field), list):
        entry[field][generator.randrange(len(entry[field]))] = generator.choice(VALUES)
    else:
        entry[field] = copy.deepcopy(generator.choice(VALUES))
    return document


def commands(path: Path, photos: Path, folder: Path) -> Iterator[tuple[str, Callable[[], Any]]]:
    results = folder / "results.json"
    results.write_text("[]")
    yield "load", lambda: load(path)
    yield "bbox", lambda: evaluate("bbox", path, results)
    yield "segm", lambda: evaluate("segm", path, results)
    yield "keypoints", lambda: evaluate("keypoints", path, results)
    yield "stats", lambda: statistics(path)
    yield "restore", lambda: restore(path, folder / "restored", force=True)
    yield "draw", lambda: draw(path, photos, folder / "sheet.png", sample=1)


@pytest.mark.parametrize("value", [0, 1.0, "1", {}, [1.5], ["1"], [None], [-1], True])
def test_float_polygons_of_another_type(value: Any, base: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "mutated.json"
    for good in (None, [], [0]):
        base["annotations"][0]["float_polygons"] = good
        path.write_text(json.dumps(base))
        assert validate(path).is_valid()
        restore(path, tmp_path / "restored", force=True)
    base["annotations"][0]["float_polygons"] = value
    path.write_text(json.dumps(base))
    assert not validate(path).is_valid()
    with pytest.raises(CocoFileError, match=r"annotations\[0\].float_polygons"):
        restore(path, tmp_path / "restored", force=True)
    del base["annotations"][0]["float_polygons"]


NOT_FOR_FORM = ("none of that id in DeepFashion2",)


@pytest.mark.parametrize("seed", range(4))
def test_what_a_command_refuses_is_an_error(
    seed: int, base: dict[str, Any], validation: Path, tmp_path: Path
) -> None:
    generator = random.Random(seed)
    path = tmp_path / "mutated.json"
    refused = []
    for _ in range(15):
        path.write_text(json.dumps(mutated(base, generator)))
        if not validate(path).is_valid():
            continue
        for name, run in commands(path, validation / "image", tmp_path):
            try:
                run()
            except CocoFileError as error:
                refused.append(f"{name}: {error}")
    assert [line for line in refused if not any(text in line for text in NOT_FOR_FORM)] == []


# ---------------------------------------------------------------- the truth about each defect


def truth() -> dict[str, Any]:
    """Four items in two images, each with box, mask and 17 landmarks."""
    annotations = []
    for number in range(4):
        left = 5.5 + 30 * (number // 2)
        annotations.append(
            {
                "id": number + 1, "image_id": 1 + number % 2, "category_id": 1, "area": 600.0, "iscrowd": 0,
                "bbox": [left, 6.5, 20.0, 30.0],
                "segmentation": [[left, 6.5, left + 20, 6.5, left + 20, 36.5, left, 36.5]],
                "keypoints": [n for i in range(17) for n in (int(left) + 1 + i, 8 + i, 2)],
                "num_keypoints": 17,
            }
        )  # fmt: skip
    names = [f"point_{n}" for n in range(17)]
    return {
        "info": {},
        "licenses": [],
        "images": [{"id": n, "file_name": f"{n}.jpg", "width": 100, "height": 80} for n in (1, 2)],
        "annotations": annotations,
        "categories": [
            {"id": 1, "name": "toy", "supercategory": "x", "keypoints": names, "skeleton": []}
        ],
    }


def scores(document: dict[str, Any]) -> dict[str, float | str]:
    """AP of the ground truth scored against itself by pycocotools, or what it raises, of each kind."""
    from pycocotools import mask as coco_mask
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    fields = {"bbox": "bbox", "segm": "segmentation", "keypoints": "keypoints"}
    result: dict[str, float | str] = {}
    for kind, field in fields.items():
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                coco = COCO()
                coco.dataset = copy.deepcopy(document)
                coco.createIndex()
                found = []
                for annotation in document["annotations"]:
                    value = annotation[field]
                    if kind == "segm" and isinstance(value, list):
                        polygons = coco_mask.frPyObjects(value, 80, 100)
                        value = coco_mask.merge(polygons)
                    names = ("image_id", "category_id")
                    found.append({n: annotation[n] for n in names} | {field: value, "score": 1.0})
                evaluation = COCOeval(coco, coco.loadRes(found), kind)
                evaluation.evaluate()
                evaluation.accumulate()
                evaluation.summarize()
            result[kind] = round(float(evaluation.stats[0]), 3)
        except Exception as error:
            result[kind] = type(error).__name__
    return result


def first(**changes: Any) -> Callable[[dict[str, Any]], None]:
    def apply(document: dict[str, Any]) -> None:
        for name, value in changes.items():
            if value is ...:
                del document["annotations"][0][name]
            else:
                document["annotations"][0][name] = value

    return apply


def many(count: int, **changes: Any) -> Callable[[dict[str, Any]], None]:
    def apply(document: dict[str, Any]) -> None:
        item = document["annotations"][0]
        document["annotations"] = [
            item
            | {"id": n + 1, "bbox": [n % 10 * 9.0, n // 10 * 5.0, 8.0, 4.0], **changes}
            | {"keypoints": [v for k in range(17) for v in (3 * n, 4 * k, 2)]}
            for n in range(count)
        ]

    return apply


def again(document: dict[str, Any]) -> None:
    document["annotations"].append(document["annotations"][0] | {"id": 9})


def renumber(document: dict[str, Any], change: Callable[[int], Any]) -> None:
    for image in document["images"]:
        image["id"] = change(image["id"])
    for annotation in document["annotations"]:
        annotation["image_id"] = change(annotation["image_id"])


BELOW = "below 1"
STOPS = "stops"
FINE = "fine"

TRUTH: list[tuple[str, Callable[[dict[str, Any]], None], str, str]] = [
    ("bbox-empty", first(bbox=[25.5, 6.5, -20.0, 30.0]), "bbox", BELOW),
    ("bbox-empty", first(bbox=[5.5, 6.5, 0.0, 30.0]), "bbox", BELOW),
    ("bbox-small", first(bbox=[5.5, 6.5, 0.5, 30.0]), "bbox", FINE),
    ("bbox-outside", first(bbox=[95.5, 6.5, 20.0, 30.0]), "bbox", FINE),
    ("bbox-malformed", first(bbox=None), "bbox", STOPS),
    ("annotation-key-missing", first(bbox=...), "bbox", STOPS),
    ("annotation-key-missing", first(iscrowd=...), "bbox", STOPS),
    ("annotation-key-missing", first(area=...), "bbox", STOPS),
    ("area-wrong", first(area=None), "bbox", STOPS),
    ("area-not-positive", first(area=0), "bbox", FINE),
    ("area-not-positive", first(area=-5), "keypoints", FINE),
    ("iscrowd-malformed", first(iscrowd=None), "bbox", STOPS),
    ("crowd", first(iscrowd=1), "bbox", FINE),
    ("mask-empty", first(segmentation=[[200.0, 2.0, 230.0, 2.0, 230.0, 30.0]]), "segm", BELOW),
    ("mask-empty", first(segmentation=[[20.0, 2.0, 30.0, 2.0, 25.0, 2.0]]), "segm", BELOW),
    ("polygon-outside", first(segmentation=[[-10.0, 2.0, 30.0, 2.0, 30.0, 30.0]]), "segm", FINE),
    ("polygon-malformed", first(segmentation=[5.5, 6.5, 25.5, 6.5, 25.5, 36.5]), "segm", STOPS),
    ("polygon-malformed", first(segmentation=[[1.0, 2.0, 3.0, 4.0]]), "segm", STOPS),
    ("polygon-malformed", first(segmentation=None), "segm", STOPS),
    ("segmentation-empty", first(segmentation=[]), "segm", STOPS),
    ("segmentation-missing", first(segmentation=...), "segm", STOPS),
    ("annotation-id-zero", first(id=0), "bbox", BELOW),
    ("annotation-id-duplicate", first(id=2), "bbox", BELOW),
    ("image-unknown", first(image_id=9), "bbox", STOPS),
    ("keypoints-missing", first(keypoints=...), "keypoints", STOPS),
    ("keypoints-length", first(keypoints=[6, 8, 2] * 16), "keypoints", STOPS),
    ("keypoints-no-numbers", first(keypoints=["6", 8, 2] * 17), "keypoints", STOPS),
    ("num-keypoints-missing", first(num_keypoints=...), "keypoints", STOPS),
    ("num-keypoints-wrong", first(num_keypoints=5), "keypoints", FINE),
    ("num-keypoints-wrong", first(num_keypoints=0), "keypoints", FINE),
    ("landmark-visibility", first(keypoints=[6, 8, 3] * 17), "keypoints", FINE),
    ("item-repeated", again, "bbox", FINE),
    ("items-too-many", many(101), "bbox", BELOW),
    ("items-too-many", many(21), "keypoints", BELOW),
    ("number-as-decimal", lambda d: renumber(d, float), "bbox", FINE),
    ("skeleton-range", lambda d: d["categories"][0].update(skeleton=[[1, 99]]), "keypoints", FINE),
    ("supercategory-missing", lambda d: d["categories"][0].pop("supercategory"), "bbox", FINE),
    ("category-order", lambda d: d["categories"].insert(0, {"id": 5, "name": "b"}), "bbox", FINE),
]  # fmt: skip
"""The finding, the defect, the kind of evaluation that it harms most, and what pycocotools does there."""


def test_ground_truth_without_defect_is_perfect() -> None:
    assert scores(truth()) == {"bbox": 1.0, "segm": 1.0, "keypoints": 1.0}


@pytest.mark.parametrize(
    "number", range(len(TRUTH)), ids=[f"{t[0]}-{n}" for n, t in enumerate(TRUTH)]
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_levels_tell_the_truth_about_pycocotools(number: int, tmp_path: Path) -> None:
    code, change, kind, outcome = TRUTH[number]
    document = truth()
    change(document)
    score = scores(document)[kind]
    found = STOPS if isinstance(score, str) else FINE if score == 1 else BELOW
    assert found == outcome, score
    path = tmp_path / "a.json"
    path.write_text(json.dumps(document))
    findings = {finding.check.code for finding in validate(path).findings}
    assert code in findings
    assert (CHECK_BY_CODE[code].level == "error") == (outcome != FINE)
