"""Detection, segmentation and landmarks: cases computed by hand, formats, and what is refused."""

from __future__ import annotations

import contextlib
import io
import json
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from typer.testing import CliRunner

import df2coco.cli.evaluate  # noqa: F401
from df2coco.cli.app import app
from df2coco.converter.options import Shape
from df2coco.converter.run import convert
from df2coco.evaluation import evaluate
from df2coco.evaluation.detection import METRICS
from df2coco.taxonomy import CATEGORIES, CATEGORY_BY_ID, NUM_LANDMARKS, SIGMAS
from tests.conftest import FIXTURES
from tests.samples import asked

KINDS = ("bbox", "segm", "keypoints")
SKIRT = CATEGORY_BY_ID[9]
Write = Callable[[str, Any], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, document: Any) -> Path:
        path = tmp_path / name
        path.write_text(json.dumps(document))
        return path

    return write


@pytest.fixture(params=["hotcoco", "pycocotools"])
def engine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    pytest.importorskip(name)
    return name


def _slots(*landmarks: tuple[float, float, int]) -> list[float]:
    """A skirt's first landmarks in 294 slots."""
    numbers: list[float] = [0] * (3 * NUM_LANDMARKS)
    for slot, landmark in zip(SKIRT.slots, landmarks, strict=False):
        numbers[3 * slot : 3 * slot + 3] = landmark
    return numbers


def _document(*items: dict[str, Any]) -> dict[str, Any]:
    """Ground truth of skirts, each with what `items` says."""
    annotations = []
    for number, item in enumerate(items, start=1):
        x, y, w, h = item.get("bbox", (100, 100, 100, 100))
        corners = [x, y, x + w, y, x + w, y + h, x, y + h]
        annotations.append(
            {
                "id": number,
                "image_id": 1,
                "category_id": SKIRT.id,
                "bbox": [x, y, w, h],
                "area": w * h,
                "iscrowd": 0,
                "segmentation": [corners],
                "keypoints": _slots((x, y, 2)),
                "num_keypoints": 1,
                **item,
            }
        )
    return {
        "images": [
            {"id": n, "file_name": f"{n:06d}.jpg", "width": 640, "height": 480} for n in (1, 2)
        ],
        "annotations": annotations,
        "categories": [
            {"id": c.id, "name": c.name, "keypoints": [str(n) for n in range(NUM_LANDMARKS)]}
            for c in CATEGORIES
        ],
    }


def _result(**fields: Any) -> dict[str, Any]:
    return {"image_id": 1, "category_id": SKIRT.id, "score": 0.9, **fields}


# ---------------------------------------------------------------- by hand


def test_oks_of_one_landmark(write: Write, engine: str) -> None:
    # exp(-d^2 / (2 * area * (2 * sigma)^2)) is 0.72, which passes the thresholds .5, .55, .6, .65, .7.
    distance = math.sqrt(-math.log(0.72) * 2 * 100 * 100 * (2 * SKIRT.sigmas[0]) ** 2)
    truth = write("gt.json", _document({}))
    results = write("r.json", [_result(keypoints=_slots((100 + distance, 100, 1)))])
    metrics = evaluate("keypoints", truth, results, engine=engine).scores.metrics
    assert (metrics["AP"], metrics["AP50"], metrics["AP75"]) == pytest.approx((0.5, 1, 0))


@pytest.mark.parametrize(("landmarks", "expected"), [("all", 0.1), ("visible", 1)])
def test_occluded_landmarks(write: Write, engine: str, landmarks: str, expected: float) -> None:
    # The visible landmark is exact and the occluded one far off: OKS is 1/2, or 1 of the visible alone.
    truth = write("gt.json", _document({"keypoints": _slots((100, 100, 2), (200, 200, 1))}))
    results = write("r.json", [_result(keypoints=_slots((100, 100, 1), (600, 400, 1)))])
    evaluation = evaluate("keypoints", truth, results, landmarks=landmarks, engine=engine)
    assert evaluation.scores.metrics["AP"] == pytest.approx(expected)


@pytest.mark.parametrize("landmarks", ["all", "visible"])
def test_an_item_without_landmarks_that_count_is_ignored(
    write: Write, engine: str, landmarks: str
) -> None:
    hidden = {"keypoints": _slots((300, 300, 1 if landmarks == "visible" else 0))}
    truth = write("gt.json", _document({}, {**hidden, "bbox": [300, 300, 50, 50]}))
    results = write("r.json", [_result(keypoints=_slots((100, 100, 1)))])
    evaluation = evaluate("keypoints", truth, results, landmarks=landmarks, engine=engine)
    assert evaluation.scores.metrics["AR"] == pytest.approx(1)


@pytest.mark.parametrize(("full", "expected"), [(False, 0.5), (True, 1)])
def test_a_result_on_an_item_without_landmarks(
    write: Write, engine: str, full: bool, expected: float
) -> None:
    # COCO compares it in all 294 slots, as the official evaluation does. A result that has all of them
    # there is ignored like the item; with zeros in the unused ones it lies nowhere, and is wrong.
    nothing = {"bbox": [300, 300, 20, 20], "keypoints": _slots()}
    truth = write("gt.json", _document({}, nothing))
    there = [310, 310, 1] * NUM_LANDMARKS if full else _slots(*[(310, 310, 1)] * 8)
    right = _result(keypoints=_slots((100, 100, 1)), score=0.5)
    results = write("r.json", [_result(keypoints=there, bbox=[300, 300, 20, 20]), right])
    metrics = evaluate("keypoints", truth, results, engine=engine).scores.metrics
    assert metrics["AP"] == pytest.approx(expected)


def test_oks_area(write: Write, engine: str) -> None:
    # The mask is a quarter of the box: an OKS of 0.88 becomes 0.88^4 = 0.5997.
    distance = math.sqrt(-math.log(0.88) * 2 * 100 * 100 * (2 * SKIRT.sigmas[0]) ** 2)
    quarter = [100, 100, 150, 100, 150, 150, 100, 150]
    truth = write("gt.json", _document({"segmentation": [quarter]}))
    results = write("r.json", [_result(keypoints=_slots((100 + distance, 100, 1)))])
    for oks_area, passed in (("box", 8), ("mask", 2)):
        evaluation = evaluate("keypoints", truth, results, oks_area=oks_area, engine=engine)
        assert evaluation.scores.metrics["AP"] == pytest.approx(passed / 10)


def test_pycocotools_gives_the_benchmarks_numbers_on_a_file_as_it_is(
    validation: Path, tmp_path: Path
) -> None:
    """Its OKS is scaled by `area`, as that of Detectron2 and MMPose, and the benchmark's by the box."""
    results = json.loads((FIXTURES / "results/keypoints.json").read_bytes())
    for result in results:
        slots = CATEGORY_BY_ID[result["category_id"]].slots
        every = [0.0] * (3 * NUM_LANDMARKS)
        every[3 * slots.start : 3 * slots.stop] = result["keypoints"]
        result["keypoints"] = every
    scores = {}
    for area in (None, "mask"):
        truth = tmp_path / f"{area}.json"
        convert(validation, truth, shape=Shape(area=area))  # type: ignore[arg-type]
        with contextlib.redirect_stdout(io.StringIO()):
            coco = COCO(str(truth))
            scoring = COCOeval(coco, coco.loadRes(results), "keypoints")
            scoring.params.kpt_oks_sigmas = np.array(SIGMAS)
            scoring.evaluate()
            scoring.accumulate()
            scoring.summarize()
        ours = evaluate("keypoints", truth, results).scores.metrics
        scores[area] = dict(zip(ours, scoring.stats, strict=True))
        if area is None:
            assert ours == pytest.approx(scores[area], abs=1e-9)
    assert scores["mask"]["AP"] < scores[None]["AP"]


def test_the_mask_area_of_our_own_file_is_believed(write: Write) -> None:
    distance = math.sqrt(-math.log(0.88) * 2 * 100 * 100 * (2 * SKIRT.sigmas[0]) ** 2)
    document = _document({"area": 2500})
    document["info"] = {"df2coco": {"area": "mask"}}
    truth = write("gt.json", document)
    results = write("r.json", [_result(keypoints=_slots((100 + distance, 100, 1)))])
    metrics = evaluate("keypoints", truth, results, oks_area="mask").scores.metrics
    assert metrics["AP"] == pytest.approx(0.2)


@pytest.mark.parametrize("kind", KINDS)
def test_subsets(write: Write, engine: str, kind: str) -> None:
    # One result on the large item, one with a higher score on nothing, none on the small item.
    small, large = [10, 10, 50, 50], [200, 200, 200, 200]
    truth = write("gt.json", _document({"bbox": small, "scale": 1}, {"bbox": large, "scale": 3}))
    rle = {b[0]: _rectangle(*b) for b in (large, [500, 10, 100, 100])}
    results = write(
        "r.json",
        [
            _result(
                bbox=box, keypoints=_slots((*box[:2], 1)), segmentation=rle[box[0]], score=score
            )
            for box, score in ((large, 0.8), ([500, 10, 100, 100], 0.9))
        ],
    )
    evaluation = evaluate(kind, truth, results, by="scale", engine=engine)
    assert list(evaluation.subsets) == ["small", "modest", "large"]
    # Of two items one is found, with a precision of 1/2 at the 51 recalls up to 0.5.
    assert evaluation.scores.metrics["AP"] == pytest.approx(0.5 * 51 / 101)
    subsets = {n: (s.metrics["AP"], s.metrics["AP50"]) for n, s in evaluation.subsets.items()}
    # The result on the large item is not wrong among the small ones; that on nothing always is.
    assert subsets["small"] == (0, 0)
    assert subsets["modest"] == (-1, -1)
    assert subsets["large"] == pytest.approx((0.5, 0.5))


@pytest.mark.parametrize("kind", KINDS)
def test_one_result_on_an_item_of_another_subset_is_not_wrong(
    write: Write, engine: str, kind: str
) -> None:
    small, large = [10, 10, 50, 50], [200, 200, 200, 200]
    truth = write("gt.json", _document({"bbox": small, "scale": 1}, {"bbox": large, "scale": 3}))
    on = {
        name: {
            "bbox": box,
            "segmentation": _rectangle(*box),
            "keypoints": _slots((*box[:2], 1)),
        }
        for name, box in (("small", small), ("large", large))
    }
    found = [_result(**on["large"]), _result(**on["small"], score=0.1)]
    evaluation = evaluate(kind, truth, write("r.json", found), by="scale", engine=engine)
    assert evaluation.subsets["small"].metrics["AP"] == pytest.approx(1)
    # Nor is it right, and a second one is wrong.
    found.append(_result(**on["large"], score=0.8))
    evaluation = evaluate(kind, truth, write("r.json", found), by="scale", engine=engine)
    assert evaluation.subsets["small"].metrics["AP"] == pytest.approx(1 / 2)


def _rectangle(x: int, y: int, w: int, h: int) -> dict[str, Any]:
    """An uncompressed RLE (column by column) in an image of 640 x 480."""
    runs = [x * 480 + y]
    for _ in range(w):
        runs += [h, 480 - h]
    runs[-1] = 640 * 480 - sum(runs[:-1])
    return {"size": [480, 640], "counts": runs}


def test_results_without_a_box_have_the_area_of_their_own_slots(write: Write, engine: str) -> None:
    # Medium items; the wrong result must count among them although 281 slots lie at 0, 0.
    truth = write("gt.json", _document({"bbox": [400, 300, 50, 50]}))
    wrong = [(500 + 40 * (n % 2), 400 + 40 * (n // 2 % 2), 1) for n in range(8)]
    right = [(400 + 40 * (n % 2), 300 + 40 * (n // 2 % 2), 1) for n in range(8)]
    results = [_result(keypoints=_slots(*wrong)), _result(keypoints=_slots(*right), score=0.5)]
    metrics = evaluate("keypoints", truth, write("r.json", results), engine=engine).scores.metrics
    assert metrics["APm"] == pytest.approx(0.5)
    # In the category's own layout the same.
    for result in results:
        result["keypoints"] = result["keypoints"][3 * SKIRT.slots.start : 3 * SKIRT.slots.stop]
    own = evaluate("keypoints", truth, write("own.json", results), engine=engine)
    assert own.scores.metrics == metrics


def test_two_results_on_one_item(write: Write, engine: str) -> None:
    truth = write("gt.json", _document({}))
    box = [100, 100, 100, 100]
    results = write("r.json", [_result(bbox=box, score=0.5), _result(bbox=box, score=0.9)])
    metrics = evaluate("bbox", truth, results, engine=engine).scores.metrics
    # The second is wrong, but comes after all items are found.
    assert (metrics["AP"], metrics["AR1"]) == pytest.approx((1, 1))


# ---------------------------------------------------------------- files


@pytest.fixture(scope="module")
def converted(validation: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository's split in all the shapes that ground truth has."""
    folder = tmp_path_factory.mktemp("converted")
    for name, options in {
        "unified": asked(),
        "category": asked(layout="category"),
        "box": asked(area="box"),
        "official": asked(preset="official"),
    }.items():
        convert(validation, folder / f"{name}.json", **options)
    return folder


def _own_results(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The ground truth as if it had been found."""
    from df2coco.masks import union_mask

    sizes = {image["id"]: (image["width"], image["height"]) for image in document["images"]}
    results = []
    for annotation in document["annotations"]:
        mask = union_mask(annotation["segmentation"], *sizes[annotation["image_id"]])
        results.append(
            {
                "image_id": annotation["image_id"],
                "category_id": annotation["category_id"],
                "bbox": annotation["bbox"],
                "keypoints": annotation["keypoints"],
                "segmentation": {"size": mask["size"], "counts": mask["counts"].decode()},
                "score": 0.5,
            }
        )
    return results


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layout", ["unified", "category", "official"])
def test_ground_truth_against_itself(
    converted: Path, tmp_path: Path, kind: str, layout: str, engine: str
) -> None:
    truth = converted / f"{layout}.json"
    results = tmp_path / "results.json"
    results.write_text(json.dumps(_own_results(json.loads(truth.read_text()))))
    by = None if layout == "official" else "occlusion"
    evaluation = evaluate(kind, truth, results, engine=engine, by=by)
    for scores in (evaluation.scores, *evaluation.subsets.values()):
        # A photo may hold several items, so one result a photo does not find them all.
        counted = [v for name, v in scores.metrics.items() if v != -1 and name != "AR1"]
        assert counted == pytest.approx([1] * len(counted))
        assert scores.metrics["AP"] == pytest.approx(1)


def test_all_ground_truths_give_the_same_landmark_scores(converted: Path, tmp_path: Path) -> None:
    found = _own_results(json.loads((converted / "unified.json").read_text()))
    for number, result in enumerate(found):
        result["score"] = number / len(found)
        moved = [(n + number % 4 * 3) * bool(n) for n in result["keypoints"]]
        moved[2::3] = result["keypoints"][2::3]
        result["keypoints"] = moved
    results = tmp_path / "results.json"
    results.write_text(json.dumps(found))
    scores = {
        name: list(
            evaluate("keypoints", converted / f"{name}.json", results).scores.metrics.values()
        )
        for name in ("unified", "category", "box", "official")
    }
    assert 0.2 < scores["unified"][0] < 0.95
    for other in scores.values():
        assert other == pytest.approx(scores["unified"], abs=1e-12)


# ---------------------------------------------------------------- what is refused


GOOD = {
    "bbox": _result(bbox=[100, 100, 100, 100]),
    "segm": _result(segmentation=_rectangle(100, 100, 100, 100)),
    "keypoints": _result(keypoints=_slots((100, 100, 1))),
}

FAULTS: list[tuple[str, dict[str, Any], str]] = [
    ("bbox", {"image_id": 3}, "results[1].image_id: 3 is not an image of"),
    ("bbox", {"image_id": "000001"}, "results[1].image_id: '000001', expected a whole number"),
    ("bbox", {"image_id": "000002.jpg"}, "'000002.jpg', expected a whole number (000002.jpg is 2)"),
    ("bbox", {"image_id": True}, "results[1].image_id: True"),
    ("bbox", {"category_id": 14}, "results[1].category_id: 14 is not a category"),
    ("bbox", {"category_id": 1.5}, "results[1].category_id: 1.5"),
    ("bbox", {"score": None}, "results[1].score: None"),
    ("bbox", {"score": math.nan}, "results[1].score: nan"),
    ("bbox", {"score": "0.5"}, "results[1].score: '0.5'"),
    ("bbox", {"bbox": [1, 2, 3]}, "results[1].bbox: [1, 2, 3], expected 4 numbers"),
    ("bbox", {"bbox": [1, 2, math.inf, 4]}, "results[1].bbox"),
    ("bbox", {"bbox": [1, math.nan, 3, 4]}, "results[1].bbox"),
    (
        "bbox",
        {"bbox": [1, 2, -3, 4]},
        "[1, 2, -3, 4], expected 4 numbers x, y, w, h (w and h from 0)",
    ),
    ("bbox", {"bbox": [[1, 2, 3, 4]]}, "without brackets around them"),
    ("bbox", {"bbox": [1, 2, 1e300, 4]}, "results[1].bbox"),
    ("bbox", {"bbox": [1, 2, True, 4]}, "results[1].bbox"),
    ("bbox", {"bbox": None}, "results[1].bbox"),
    (
        "segm",
        {"segmentation": [[1, 1, 5, 1]]},
        "an RLE of size [480, 640] (height, width) or polygons of 3 points or more. 2 of",
    ),
    ("segm", {"segmentation": [1, 1, 5, 1, 5, 5]}, "A polygon has to be in a list: [["),
    ("segm", {"segmentation": [[1, 1], [5, 1], [5, 5]]}, "points or more without brackets around"),
    ("segm", {"segmentation": [[[1, 1], [5, 1], [5, 5]]]}, "no brackets around each point: [["),
    ("segm", {"segmentation": ["1", "2"]}, "RLE of its image's size or polygons. 2 of"),
    ("segm", {"segmentation": [[1, 1, 5, 1, 5, math.nan]]}, "an RLE of its image's size"),
    ("segm", {"segmentation": [[1, 1, 5, 1, 5, 1e8]]}, "an RLE of its image's size"),
    ("segm", {"segmentation": [[1, 1, 5, 1, 5, 5]], "bbox": [1, 2]}, "results[1].bbox"),
    ("segm", {"segmentation": [], "bbox": [1, 1, -5, 5]}, "results[1].bbox"),
    ("segm", {"segmentation": []}, "an RLE of size [480, 640]"),
    ("segm", {"segmentation": {"size": [480, 640], "counts": "é" * 9}}, "an RLE of size"),
    ("segm", {"segmentation": {"size": [640, 480], "counts": "0"}}, "an RLE of size [480, 640]"),
    ("segm", {"segmentation": {"size": [480, 640], "counts": "0"}}, "an RLE of size [480, 640]"),
    ("segm", {"segmentation": {"size": [480, 640], "counts": "~~~"}}, "an RLE of size"),
    ("segm", {"segmentation": {"size": [480, 640], "counts": "oooooooooooo"}}, "an RLE of size"),
    ("segm", {"segmentation": {"size": [480, 640], "counts": ""}}, "an RLE of size"),
    ("segm", {"segmentation": {"size": [480, 640], "counts": [5, 5]}}, "an RLE of size"),
    (
        "segm",
        {"segmentation": {"size": [480, 640], "counts": "b'0'"}},
        "write counts.decode(). 2 of",
    ),
    ("segm", {"segmentation": [[0] * 640] * 480}, "a mask as rows of pixels, expected an RLE"),
    ("segm", {"segmentation": {"size": [480, 640]}}, "an RLE of its image's size"),
    (
        "keypoints",
        {"keypoints": [1, 2, 3]},
        "3 numbers, expected 882, 243 or 24 (8 landmarks x 3 for skirt).",
    ),
    (
        "keypoints",
        {"keypoints": [1] * 16},
        "skirt). These are x and y alone: write v = 2 behind each. 2 of",
    ),
    (
        "keypoints",
        {"keypoints": [[1, 2, 3]] * 8},
        "for each landmark without brackets around them: [x1, y1,",
    ),
    ("keypoints", {"keypoints": None}, "results[1].keypoints: None, expected 3 numbers x, y, v"),
    ("keypoints", {"keypoints": [math.nan] * 24}, "expected 3 numbers x, y, v for each"),
    (
        "keypoints",
        {"keypoints": [*[0] * 800, math.nan, *[0] * 81]},
        "expected 3 numbers x, y, v for each",
    ),
    ("keypoints", {"keypoints": ["1"] * 24}, "expected 3 numbers x, y, v for each"),
    ("keypoints", {"keypoints": [True] * 24}, "expected 3 numbers x, y, v for each"),
    ("keypoints", {"bbox": [1, 2]}, "results[1].bbox"),
]


@pytest.mark.parametrize(("kind", "fields", "message"), FAULTS)
def test_a_faulty_result_is_named_and_nothing_is_scored(
    write: Write, kind: str, fields: dict[str, Any], message: str
) -> None:
    bad = {**GOOD[kind], **fields}
    truth = write("gt.json", _document({}))
    results = write("r.json", [GOOD[kind], bad, GOOD[kind], bad])
    run = CliRunner().invoke(app, ["evaluate", kind, str(truth), str(results), "--json"])
    assert (run.exit_code, run.stdout) == (2, "")
    assert message in run.stderr
    assert "2 of 4 results cannot be used, so nothing was scored" in run.stderr
    assert run.stderr.count("\n") == 1


def test_a_missing_score_and_what_is_no_object(write: Write) -> None:
    truth = write("gt.json", _document({}))
    for bad, message in (
        ({"image_id": 1, "category_id": 9, "bbox": [1, 2, 3, 4]}, "results[0].score: missing"),
        (17, "results[0]: 17, expected an object. 1 of"),
        (
            {"image_id": 1, "boxes": [], "labels": [], "scores": []},
            "is 1). Each result is an object of its own",
        ),
        ([GOOD["bbox"]], "expected an object. Each result is an object of its own"),
        ({**GOOD["bbox"], "category_id": "SKIRT"}, "'SKIRT', expected a whole number (skirt is 9)"),
    ):
        results = write("r.json", [bad])
        run = CliRunner().invoke(app, ["evaluate", "bbox", str(truth), str(results)])
        assert run.exit_code == 2
        assert message in run.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_no_results_score_zero(write: Write, engine: str, kind: str) -> None:
    truth = write("gt.json", _document({}))
    metrics = evaluate(kind, truth, write("r.json", []), engine=engine).scores.metrics
    assert metrics["AP"] == metrics["AR" if kind == "keypoints" else "AR100"] == 0


@pytest.mark.parametrize("kind", KINDS)
def test_no_ground_truth_scores_nothing(write: Write, engine: str, kind: str) -> None:
    truth = write("gt.json", _document())
    metrics = evaluate(kind, truth, write("r.json", [GOOD[kind]]), engine=engine).scores.metrics
    assert set(metrics.values()) == {-1}


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        (
            lambda d: d["annotations"][0].pop("bbox"),
            "bbox",
            "annotations[0].bbox: missing. df2coco validate reports all that is wrong.",
        ),
        (  # a valid file, of which validate has nothing to report
            lambda d: d["annotations"][0].pop("keypoints"),
            "keypoints",
            "annotations[0].keypoints: missing. Name a file in which every annotation has keypoints.",
        ),
        (lambda d: d["annotations"][0].update(image_id=7), "bbox", "image_id 7"),
        (lambda d: d["annotations"][0].update(category_id=70), "bbox", "category_id 70"),
        (
            lambda d: d["annotations"][0].update(category_id=70),
            "keypoints",
            "category_id 70 is not in the file",
        ),
        (lambda d: d["annotations"][0].update(keypoints=[1, 2, 2]), "keypoints", "882, 243 or 24"),
        (
            lambda d: d["annotations"][0].update(segmentation=[]),
            "segm",
            "an empty list. Name a file",
        ),
        (
            lambda d: d["annotations"][0].update(segmentation=[[1.0, 2.0, 3.0, 4.0]]),
            "segm",
            "or polygons of 3 points or more. df2coco validate reports all",
        ),
        (lambda d: d["categories"][0].update(keypoints=["nose"]), "keypoints", "1 keypoints for"),
        (
            lambda d: d["categories"][8].update(name="person"),
            "keypoints",
            "'person' is not a category",
        ),
        (lambda d: d.pop("images"), "bbox", "images"),
        (lambda d: d["images"][1].update(id=-2), "bbox", "-2, expected a whole number from 0"),
        (lambda d: d["annotations"][0].update(area=None), "bbox", "annotations[0].area"),
        (lambda d: d["annotations"][0].pop("area"), "bbox", "annotations[0].area: missing"),
        (lambda d: d["annotations"][0].pop("area"), "segm", "annotations[0].area: missing"),
        (
            lambda d: d["annotations"][0].pop("segmentation"),
            "segm",
            "annotations[0].segmentation: missing",
        ),
    ],
)
def test_unusable_ground_truth(
    write: Write, change: Callable[[dict[str, Any]], Any], kind: str, message: str
) -> None:
    document = _document({})
    change(document)
    truth, results = write("gt.json", document), write("r.json", [])
    run = CliRunner().invoke(app, ["evaluate", kind, str(truth), str(results)])
    assert (run.exit_code, run.stderr.count("\n")) == (2, 1)
    assert message in run.stderr


def test_an_attribute_that_the_file_does_not_have(write: Write) -> None:
    truth, results = write("gt.json", _document({})), write("r.json", [])
    run = CliRunner().invoke(app, ["evaluate", "bbox", str(truth), str(results), "--by", "scale"])
    assert run.exit_code == 2
    assert "no annotation has 'scale'" in run.stderr


def test_an_engine_that_is_not_installed(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "hotcoco", None)
    truth, results = write("gt.json", _document({})), write("r.json", [GOOD["bbox"]])
    arguments = ["evaluate", "bbox", str(truth), str(results)]
    run = CliRunner().invoke(app, [*arguments, "--engine", "hotcoco"])
    assert run.exit_code == 2
    assert "df2coco[evaluate]" in run.stderr
    assert evaluate("bbox", truth, results).engine == "pycocotools"


# ---------------------------------------------------------------- the command line


@pytest.mark.parametrize("kind", KINDS)
def test_json_has_the_metrics_as_keys(converted: Path, tmp_path: Path, kind: str) -> None:
    truth = converted / "unified.json"
    results = tmp_path / "results.json"
    results.write_text(json.dumps(_own_results(json.loads(truth.read_text()))))
    arguments = ["evaluate", kind, str(truth), str(results), "--per-category", "--by", "viewpoint"]
    run = CliRunner().invoke(app, [*arguments, "--json"])
    document = json.loads(run.stdout)
    metrics = list(METRICS["keypoints" if kind == "keypoints" else "instances"])
    assert list(document) == [*metrics, "per_category", "by", "notes"]
    assert document["notes"] == []
    assert list(document["per_category"]) == [c.name for c in CATEGORIES]
    assert list(document["by"]["viewpoint"]) == ["not worn", "frontal", "side or back"]
    assert list(document["by"]["viewpoint"]["frontal"]) == [*metrics, "per_category"]

    text = CliRunner().invoke(app, arguments).stdout
    assert max(map(len, text.splitlines())) <= 80
    assert "AP" in text
    assert "long sleeve outwear" in text


def test_real_ground_truth_against_itself(real: Path, tmp_path: Path, engine: str) -> None:
    truth = real / "train" / "official_coco.json"
    results = tmp_path / "results.json"
    results.write_text(json.dumps(_own_results(json.loads(truth.read_text()))))
    for kind in KINDS:
        assert evaluate(kind, truth, results, engine=engine).scores.metrics["AP"] == pytest.approx(
            1
        )


def test_results_of_81_slots_score_as_the_same_in_294(validation: Path, tmp_path: Path) -> None:
    """Each category's own sigmas count, whatever the layout of ground truth and results."""
    truths = {}
    for layout in ("unified", "aggregated", "category"):
        truths[layout] = tmp_path / f"{layout}.json"
        convert(validation, truths[layout], **asked(layout=layout))
    rng = random.Random(0)
    shared, wide, perfect = [], [], []
    for annotation in json.loads(truths["aggregated"].read_bytes())["annotations"]:
        category = CATEGORY_BY_ID[annotation["category_id"]]
        keypoints = [
            n + rng.gauss(0, 4) if number % 3 < 2 else n
            for number, n in enumerate(annotation["keypoints"])
        ]
        expanded = [0.0] * 882
        for slot, group in zip(category.slots, category.groups, strict=True):
            expanded[3 * slot : 3 * slot + 3] = keypoints[3 * group - 3 : 3 * group]
        common = {name: annotation[name] for name in ("image_id", "category_id", "bbox")}
        common["score"] = rng.random()
        shared.append({**common, "keypoints": keypoints})
        wide.append({**common, "keypoints": expanded})
        if annotation["num_keypoints"]:  # nothing fits an item without landmarks
            perfect.append({**common, "keypoints": annotation["keypoints"]})
    by_hand = evaluate("keypoints", truths["unified"], wide, engine="pycocotools").scores
    assert 0.1 < by_hand.metrics["AP"] < 0.999
    for truth in truths.values():
        scores = evaluate("keypoints", truth, shared).scores
        assert scores.metrics == pytest.approx(by_hand.metrics, abs=1e-9)
        for name, metrics in scores.per_category.items():
            assert metrics == pytest.approx(by_hand.per_category[name], abs=1e-9)
        assert evaluate("keypoints", truth, perfect).scores.metrics["AP"] == pytest.approx(1)


def test_text_that_is_no_unicode_in_a_document_of_results(tmp_path: Path) -> None:
    truth, results = tmp_path / "truth.json", tmp_path / "results.json"
    item = {
        "id": 1,
        "image_id": 1,
        "category_id": 1,
        "bbox": [1, 1, 9, 9],
        "area": 81,
        "iscrowd": 0,
    }
    document: dict[str, Any] = {
        "images": [{"id": 1, "width": 20, "height": 20}],
        "categories": [{"id": 1, "name": "x"}],
        "annotations": [item],
    }
    truth.write_text(json.dumps(document))
    document["annotations"] = [{**item, "score": 0.5, "text": "\ud800", "loss": math.nan}]
    results.write_text(json.dumps(document))
    assert evaluate("bbox", truth, results).as_json()["AP"] == pytest.approx(1)
