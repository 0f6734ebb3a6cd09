"""Notes on scores that mean little, each with near misses; and the forms that inputs may have."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from typer.testing import CliRunner

import df2coco.cli.evaluate  # noqa: F401
from df2coco.cli.app import app
from df2coco.coco.reader import Loaded
from df2coco.errors import CocoFileError, Df2cocoError, OptionError
from df2coco.evaluation import ResultsError, evaluate
from df2coco.evaluation.ground_truth import read_ground_truth
from df2coco.evaluation.results import read_results
from df2coco.taxonomy import CATEGORIES, CATEGORY_BY_ID, FLIP_INDICES, NUM_LANDMARKS

Change = Callable[[dict[str, Any], list[dict[str, Any]]], Any]
KINDS = ("bbox", "segm", "keypoints")
WIDTH, HEIGHT = W, H = 640, 480


def _corners(x: float, y: float, w: float, h: float) -> list[float]:
    return [x, y, x + w, y, x + w, y + h, x, y + h]


def _landmarks(category_id: int, box: list[float]) -> list[float]:
    """294 slots, the category's own spread over its box."""
    numbers: list[float] = [0] * (3 * NUM_LANDMARKS)
    slots = CATEGORY_BY_ID[category_id].slots
    x, y, w, h = box
    for n, slot in enumerate(slots):
        share = n / (len(slots) - 1)
        numbers[3 * slot : 3 * slot + 3] = [x + w * (n % 2), y + h * share, 2]
    return numbers


def _rle(box: list[float]) -> dict[str, Any]:
    rle = coco_mask.frPyObjects([_corners(*box)], HEIGHT, WIDTH)[0]
    return {"size": rle["size"], "counts": rle["counts"].decode()}


ITEMS = [
    (1, 3, [200, 150, 120, 100]),
    (1, 8, [350, 200, 100, 140]),
    (2, 3, [220, 100, 130, 120]),
    (3, 12, [300, 230, 90, 110]),
]


def _split() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Four items in three images, and results that find them all."""
    annotations, results = [], []
    for number, (image_id, category_id, box) in enumerate(ITEMS, start=1):
        common = {"image_id": image_id, "category_id": category_id, "bbox": box}
        keypoints = _landmarks(category_id, list(map(float, box)))
        annotations.append(
            {
                **copy.deepcopy(common),
                "id": number,
                "area": box[2] * box[3],
                "iscrowd": 0,
                "segmentation": [_corners(*box)],
                "keypoints": keypoints,
                "num_keypoints": sum(v > 0 for v in keypoints[2::3]),
                "scale": 1 + number % 3,
            }
        )
        results.append(
            {
                **copy.deepcopy(common),
                "segmentation": _rle(list(map(float, box))),
                "keypoints": list(keypoints),
                "score": 0.9,
            }
        )
    document = {
        "images": [
            {"id": n, "file_name": f"{n:06d}.jpg", "width": WIDTH, "height": HEIGHT}
            for n in (1, 2, 3)
        ],
        "annotations": annotations,
        "categories": [
            {"id": c.id, "name": c.name, "keypoints": [str(n) for n in range(NUM_LANDMARKS)]}
            for c in CATEGORIES
        ],
    }
    return document, results


# ---------------------------------------------------------------- notes


def _shift(name: str, step: int) -> Change:
    def change(document: dict[str, Any], results: list[dict[str, Any]]) -> None:
        del document
        for result in results:
            result[name] += step

    return change


def _boxes(read: Callable[..., list[float]]) -> Change:
    def change(document: dict[str, Any], results: list[dict[str, Any]]) -> None:
        del document
        for result in results:
            result["bbox"] = read(*result["bbox"])

    return change


def _more(count: int, category_ids: tuple[int, ...] = (3,)) -> Change:
    """So many results of each category in the first image, all of them on nothing."""

    def change(document: dict[str, Any], results: list[dict[str, Any]]) -> None:
        del document
        for category_id in category_ids:
            have = sum((r["image_id"], r["category_id"]) == (1, category_id) for r in results)
            box = [float(n) for n in (10, 10, 20, 20)]
            results += [
                {
                    "image_id": 1,
                    "category_id": category_id,
                    "bbox": box,
                    "segmentation": _rle(box),
                    "keypoints": _landmarks(category_id, box),
                    "score": 0.1,
                }
            ] * (count - have)

    return change


def _again(**fields: Any) -> Change:
    def change(document: dict[str, Any], results: list[dict[str, Any]]) -> None:
        del results
        document["annotations"].append({**document["annotations"][0], "id": 99, **fields})

    return change


def _only(category_id: int) -> Change:
    """Ground truth of one category."""

    def change(document: dict[str, Any], results: list[dict[str, Any]]) -> None:
        del results
        for name, field in (("annotations", "category_id"), ("categories", "id")):
            document[name] = [e for e in document[name] if e[field] == category_id]

    return change


def _points(results: list[dict[str, Any]], read: Callable[[float, float], Any]) -> None:
    for result in results:
        triples = np.array(result["keypoints"], float).reshape(-1, 3)
        numbers = [[*(read(x, y) if v else (0, 0)), v] for x, y, v in triples.tolist()]
        result["keypoints"] = np.ravel(numbers).tolist()


def _flipped(keypoints: list[float]) -> list[float]:
    return np.reshape(keypoints, (-1, 3))[list(FLIP_INDICES)].ravel().tolist()  # type: ignore[no-any-return]


def _in_first_slots(result: dict[str, Any]) -> list[float]:
    slots = CATEGORY_BY_ID[result["category_id"]].slots
    own = result["keypoints"][3 * slots.start : 3 * slots.stop]
    return [*own, *[0.0] * (3 * NUM_LANDMARKS - len(own))]


def _in_crop(x: float, y: float, box: list[float]) -> tuple[float, float]:
    return (x - box[0]) / box[2] * 192, (y - box[1]) / box[3] * 256


def _by_rows(box: list[float]) -> dict[str, Any]:
    """As `_rle`, of somebody who went through the pixels row by row."""
    pixels = coco_mask.decode(_rle(box)).ravel()
    changes = (np.flatnonzero(np.diff(pixels)) + 1).tolist()
    return {"size": [H, W], "counts": np.diff([0, *changes, H * W]).tolist()}


def _elsewhere(result: dict[str, Any]) -> dict[str, Any]:
    box = [500.0, 20.0, 60.0, 50.0]
    keypoints = _landmarks(result["category_id"], box)
    return {**result, "bbox": box, "segmentation": _rle(box), "keypoints": keypoints}


NOTES: list[tuple[str, tuple[str, ...], Change, str]] = [
    ("0-based labels", KINDS[:2], _shift("category_id", -1), "shifted by one (-1)"),
    ("labels off the other way", KINDS[:2], _shift("category_id", 1), "shifted by one (+1)"),
    (
        "labels in another order",
        KINDS[:2],
        lambda _, r: [e.update(category_id=14 - e["category_id"]) for e in r],
        "fit items of other categories than their own",
    ),
    (
        "0-based labels of landmarks",
        ("keypoints",),
        _shift("category_id", -1),
        "category ids seem to be shifted by one (-1)",
    ),
    ("corners", ("bbox", "keypoints"), _boxes(lambda x, y, w, h: [x, y, x + w, y + h]), "corners"),
    (
        "centres",
        ("bbox", "keypoints"),
        _boxes(lambda x, y, w, h: [x + w / 2, y + h / 2, w, h]),
        "centre x, y",
    ),
    (
        "fractions",
        ("bbox", "keypoints"),
        _boxes(lambda x, y, w, h: [x / WIDTH, y / HEIGHT, w / WIDTH, h / HEIGHT]),
        "fractions",
    ),
    (
        "centres in fractions",
        ("bbox", "keypoints"),
        _boxes(lambda x, y, w, h: [(x + w / 2) / W, (y + h / 2) / H, w / W, h / H]),
        "boxes of the results fit the items as centre x, y, w, h in fractions of the image",
    ),
    (
        "corners in fractions, y first",
        ("bbox",),
        _boxes(lambda x, y, w, h: [y / H, x / W, (y + h) / H, (x + w) / W]),
        "as corners x1, y1, x2, y2 with x and y exchanged in fractions of the image",
    ),
    ("y before x", ("bbox",), _boxes(lambda x, y, w, h: [y, x, h, w]), "with x and y exchanged"),
    (
        "640 x 640",
        ("bbox", "keypoints"),
        _boxes(lambda x, y, w, h: [x, 640 / H * y, w, 640 / H * h]),
        "in pixels of a 640 x 640 input",
    ),
    ("a third", ("bbox",), _boxes(lambda *box: [n / 3 for n in box]), "if multiplied by 3"),
    ("nearly half", ("bbox",), _boxes(lambda *box: [0.501 * n for n in box]), "they are doubled"),
    (
        "target_sizes turned",
        ("bbox",),
        _boxes(lambda x, y, w, h: [x / W * H, y / H * W, w / W * H, h / H * W]),
        "changed places",
    ),
    (
        "landmarks in fractions",
        ("keypoints",),
        lambda _, r: _points(r, lambda x, y: (x / W, y / H)),
        "landmarks of the results fit the items in fractions of the image",
    ),
    (
        "landmarks, y first",
        ("keypoints",),
        lambda _, r: _points(r, lambda x, y: (y, x)),
        "landmarks of the results fit the items with x and y exchanged",
    ),
    (
        "landmarks of half the size",
        ("keypoints",),
        lambda _, r: _points(r, lambda x, y: (x / 2, y / 2)),
        "landmarks of the results fit the items if they are doubled",
    ),
    (
        "landmarks of partners",
        ("keypoints",),
        lambda _, r: [e.update(keypoints=_flipped(e["keypoints"])) for e in r],
        "if left and right are exchanged",
    ),
    (
        "landmarks in the first slots",
        ("keypoints",),
        lambda _, r: [e.update(keypoints=_in_first_slots(e)) for e in r],
        "from the first of the slots",
    ),
    (
        "landmarks in the first slots, of a third of the size",
        ("keypoints",),
        lambda _, r: [
            _points(r, lambda x, y: (x / 3, y / 3)),
            *(e.update(keypoints=_in_first_slots(e)) for e in r),
        ],
        "from the first of the slots if multiplied by 3",
    ),
    (
        "landmarks in a crop",
        ("keypoints",),
        lambda _, r: [
            _points([e], lambda x, y, e=e: (x - e["bbox"][0], y - e["bbox"][1])) for e in r
        ],
        "fit the items from the corner of the item's box, not as they are. They must be moved by the box's x and y.",
    ),
    (
        "landmarks in a crop of 192 x 256",
        ("keypoints",),
        lambda _, r: [_points([e], lambda x, y, e=e: _in_crop(x, y, e["bbox"])) for e in r],
        "from the corner of the item's box in pixels of a 192 x 256 input, not as they are. They must be multiplied "
        "by the box's width / 192 (x) and height / 256 (y), then moved by the box's x and y.",
    ),
    (
        "polygons in fractions",
        ("segm",),
        lambda _, r: [
            e.update(
                segmentation=[
                    [n / s for n, s in zip(_corners(*e["bbox"]), (W, H) * 4, strict=True)]
                ]
            )
            for e in r
        ],
        "masks of the results fit the items in fractions of the image",
    ),
    (
        "equal scores",
        KINDS,
        lambda _, r: r.insert(0, _elsewhere(r[0])),
        "All scores are 0.9, so AP depends on the order of the list: in reverse",
    ),
    ("one image of three", KINDS, lambda _, r: r.__delitem__(slice(2, None)), "1 of the 3 images"),
    ("image ids shifted", ("bbox",), lambda d, r: _move(d, r), "image ids seem to be shifted"),
    ("no items", KINDS[:2], lambda d, _: d["annotations"].clear(), "no item that counts"),
    (
        "crowds alone",
        KINDS,
        lambda d, _: [a.update(iscrowd=1) for a in d["annotations"]],
        "no item that counts",
    ),
    ("no results", KINDS, lambda _, r: r.clear(), "There are no results"),
    ("101 results", KINDS[:2], _more(101), "more than 100 results of one category, 101 at most"),
    ("21 results", KINDS[2:], _more(21), "more than 20 results of one category, 21 at most"),
    ("id 0", KINDS, lambda d, _: d["annotations"][1].update(id=0), "with id 0"),
    ("an id twice", KINDS, lambda d, _: d["annotations"][1].update(id=1), "1 annotations of the"),
    ("an item twice", KINDS, _again(), "holds 1 of 5 items twice"),
    (
        "one category",
        KINDS,
        _only(3),
        "2 of 4 results are of categories that the ground truth does not",
    ),
]


def _move(document: dict[str, Any], results: list[dict[str, Any]]) -> None:
    """Image ids from 2 in the results, with an image 4 in the file that nothing is in."""
    document["images"].append({**document["images"][0], "id": 4})
    _shift("image_id", 1)(document, results)


@pytest.mark.parametrize(
    ("kind", "change", "note"),
    [
        pytest.param(kind, change, note, id=f"{name}-{kind}")
        for name, kinds, change, note in NOTES
        for kind in kinds
    ],
)
def test_what_makes_a_score_meaningless_is_noted(
    tmp_path: Path, kind: Any, change: Change, note: str
) -> None:
    document, results = _split()
    change(document, results)
    evaluation = evaluate(kind, document, results)
    assert [each for each in evaluation.notes if note in each], evaluation.notes
    # A note changes no number.
    assert evaluation.scores.metrics == pytest.approx(_pycocotools(kind, document, results))
    run = _run(tmp_path, kind, document, results, "--json")
    assert run.exit_code == 0
    assert json.loads(run.stdout)["notes"] == list(evaluation.notes)
    assert all(f"note: {each}" in run.stderr for each in evaluation.notes)
    assert not _run(tmp_path, kind, document, results, "--quiet").stderr


def _run(folder: Path, kind: str, document: Any, results: Any, *options: str) -> Any:
    paths = folder / "gt.json", folder / "results.json"
    for path, value in zip(paths, (document, results), strict=True):
        path.write_text(json.dumps(value))
    return CliRunner().invoke(app, ["evaluate", kind, *map(str, paths), *options])


@pytest.mark.parametrize(
    ("kind", "change", "note"),
    [
        (
            "keypoints",
            lambda _, r: [e.update(keypoints=_in_first_slots(e)[: 3 * 81]) for e in r],
            "if they are taken from the first of the slots, not",
        ),
        (
            "segm",
            lambda _, r: [e.update(segmentation=_by_rows(e["bbox"])) for e in r],
            "masks of the results fit the items if their counts run along the rows",
        ),
        (
            "segm",
            lambda _, r: [r[0].pop("segmentation"), r[1].update(segmentation=[])],
            "2 of 4 results have no mask: their boxes are taken for masks, as COCO does.",
        ),
    ],
)
def test_what_pycocotools_cannot_read_or_takes_as_it_comes_is_noted(
    kind: Any, change: Change, note: str
) -> None:
    document, results = _split()
    change(document, results)
    assert [each for each in evaluate(kind, document, results).notes if note in each]


SILENT: list[tuple[str, tuple[str, ...], Change]] = [
    ("all found", KINDS, lambda *_: None),
    ("100 results", KINDS[:2], _more(100)),
    ("20 results", KINDS[2:], _more(20)),
    ("130 results of 13 categories", KINDS, _more(10, tuple(range(1, 14)))),
    ("an image without items", KINDS, lambda d, _: d["images"].append({**d["images"][0], "id": 4})),
    (
        "one crowd",
        KINDS,
        _again(iscrowd=1, segmentation=[_corners(10, 10, 90, 90)], bbox=[10, 10, 90, 90]),
    ),
    ("ids with gaps", KINDS, lambda d, _: [a.update(id=900 - a["id"]) for a in d["annotations"]]),
    ("one wrong label", KINDS[:2], lambda _, r: r[0].update(category_id=2)),
    (
        "each item also as the next category",
        KINDS[:2],
        lambda _, r: r.extend([{**e, "category_id": e["category_id"] - 1} for e in r]),
    ),
    ("boxes a little off", KINDS, _boxes(lambda x, y, w, h: [x + 9, y - 9, w * 0.9, h * 1.1])),
    (
        "equal scores of right results",
        KINDS,
        lambda _, r: [e.update(score=1.0) for e in r],
    ),
    (
        "landmarks a little off",
        KINDS[2:],
        lambda _, r: _points(r, lambda x, y: (1.02 * x + 3, 1.02 * y - 3)),
    ),
    (
        "landmarks of nothing",
        KINDS[2:],
        lambda _, r: _points(r, lambda x, y: ((7 * x + 3 * y) % W, (5 * x + 7 * y) % H)),
    ),
    ("boxes of nothing", KINDS, _boxes(lambda *_: [1, 2, 3, 4])),
    ("equal boxes of two categories", KINDS[:1], _again(category_id=4, image_id=2)),
    (
        "equal boxes, other shapes",
        KINDS[:1],
        _again(segmentation=[_corners(200, 150, 100, 100)]),
    ),
    (
        "equal boxes, other landmarks",
        KINDS[2:],
        _again(keypoints=_landmarks(3, [210, 150, 120, 100])),
    ),
    ("equal items in two images", KINDS, _again(image_id=3)),
    ("one category and only its results", KINDS, lambda d, r: _one_alone(d, r)),
]


def _one_alone(document: dict[str, Any], results: list[dict[str, Any]]) -> None:
    _only(3)(document, results)
    results[:] = [result for result in results if result["category_id"] == 3]


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        pytest.param(kind, change, id=f"{name}-{kind}")
        for name, kinds, change in SILENT
        for kind in kinds
    ],
)
def test_near_misses_are_silent(kind: Any, change: Change) -> None:
    document, results = _split()
    change(document, results)
    assert evaluate(kind, document, results).notes == ()


@pytest.mark.parametrize("seed", range(30))
def test_results_of_one_image_prove_nothing(seed: int) -> None:
    """A box that is off lies by chance where a neighbour's item is, or where another reading puts it."""
    rng = np.random.default_rng(seed)
    document, results = _split()
    results = [results[2], copy.deepcopy(results[2])]
    for result in results:
        low = rng.uniform(0, 300, 2)
        box = [*low, *rng.uniform(60, 180, 2)]
        result.update(bbox=box, keypoints=_landmarks(3, box), segmentation=_rle(box))
    for kind in KINDS:
        notes = evaluate(kind, document, results).notes  # type: ignore[arg-type]
        assert [note for note in notes if " fit " in note] == []


@pytest.mark.parametrize(("written", "noted"), [(5, True), (3, False)])
def test_one_image_shows_a_model_of_one_category(written: int, noted: bool) -> None:
    document, results = _split()
    (mine,) = [r for r in results if r["category_id"] == 8]
    notes = evaluate("bbox", document, [{**mine, "category_id": written}] * 2).notes
    assert bool([note for note in notes if "--category NAME" in note]) == noted


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize(
    "change",
    [
        lambda _, r: [e.update(category_id=14 - e["category_id"]) for e in r],
        _shift("category_id", 1),
        _move,
        _boxes(lambda *box: [n / 2 for n in box]),
    ],
)
def test_one_image_explains_nothing_and_three_do(change: Change, count: int) -> None:
    """All results are wrong in one way; in one image that may be by chance, in three it is not."""
    document, results = _split()
    results = results[:count]
    change(document, results)
    notes = evaluate("bbox", document, results).notes
    assert bool([note for note in notes if " fit " in note]) == (count == 4), notes


@pytest.mark.parametrize(("name", "what"), [("image_id", "image"), ("category_id", "category")])
def test_ids_from_0_are_named_as_such(name: str, what: str) -> None:
    document, results = _split()
    results[0][name] = 0
    with pytest.raises(
        ResultsError, match=rf"{what} ids start at 1. They seem to be counted from 0"
    ):
        evaluate("bbox", document, results)


def test_ids_from_0_say_nothing_where_the_file_has_large_ids() -> None:
    document, results = _split()
    for entry in (*document["images"], *document["annotations"]):
        name = "image_id" if "image_id" in entry else "id"
        entry[name] += 1000
    results[0]["image_id"] = 0
    with pytest.raises(ResultsError, match=r"image ids start at 1001\. "):
        evaluate("bbox", document, results)


def test_results_without_a_known_category_score_0() -> None:
    document, results = _split()
    _only(5)(document, results)
    document["annotations"] = [{**_split()[0]["annotations"][0], "category_id": 5}]
    evaluation = evaluate("bbox", document, results)
    assert evaluation.scores.metrics["AP"] == 0
    assert "4 of 4 results are of categories" in evaluation.notes[0]


# ---------------------------------------------------------------- as pycocotools


def _pycocotools(kind: str, document: Any, results: list[dict[str, Any]]) -> dict[str, float]:
    """What everybody's script prints, on annotations numbered from 1 and the official OKS."""
    from df2coco.evaluation.detection import METRICS
    from df2coco.taxonomy import SIGMAS

    document, results = copy.deepcopy((document, results))
    for number, annotation in enumerate(document["annotations"], start=1):
        annotation["id"] = number
        if kind == "keypoints":
            annotation["area"] = annotation["bbox"][2] * annotation["bbox"][3]
    if kind == "segm" and any(isinstance(r.get("segmentation"), dict) for r in results):
        results = [{k: v for k, v in r.items() if k != "bbox"} for r in results]
    truth = COCO()
    truth.dataset = {"info": {}, **document}
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        found = truth.loadRes(results) if results else COCO()
        if not results:
            found.dataset = {**document, "annotations": []}
            found.createIndex()
        evaluation = COCOeval(truth, found, kind)
        evaluation.params.kpt_oks_sigmas = np.array(SIGMAS)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    names = METRICS["keypoints" if kind == "keypoints" else "instances"]
    return dict(zip(names, map(float, evaluation.stats), strict=True))


coordinates = st.floats(-20, 660, allow_nan=False, width=32)


@pytest.mark.parametrize("engine", ["hotcoco", "pycocotools"])
@settings(max_examples=30, deadline=None)
@given(
    shapes=st.lists(
        st.tuples(
            st.sampled_from((1, 2, 3)),
            st.lists(
                st.lists(coordinates, min_size=6, max_size=14).filter(lambda p: len(p) % 2 == 0),
                min_size=1,
                max_size=3,
            ),
            st.sampled_from((0.2, 0.5, 0.9)),
        ),
        min_size=1,
        max_size=6,
    ),
    boxes_only=st.booleans(),
)
def test_masks_as_polygons_and_as_boxes(
    engine: Any, shapes: list[tuple[int, list[list[float]], float]], boxes_only: bool
) -> None:
    pytest.importorskip(engine)
    document, results = _split()
    for number, (image_id, polygons, score) in enumerate(shapes):
        xs = [x for polygon in polygons for x in polygon[0::2]]
        ys = [y for polygon in polygons for y in polygon[1::2]]
        box = [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]
        if number % 2:
            annotation = document["annotations"][number % 4]
            annotation.update(image_id=image_id, segmentation=polygons, area=box[2] * box[3])
        results.append(
            {
                "image_id": image_id,
                "category_id": 3,
                "score": score,
                "bbox": box,
                "segmentation": polygons,
            }
        )
    results = [
        {k: v for k, v in r.items() if k not in ("keypoints", "segmentation" * boxes_only)}
        for r in results
    ]
    for result in results:
        if isinstance(result.get("segmentation"), dict):
            result["segmentation"] = [_corners(*result["bbox"])]
    metrics = evaluate("segm", document, results, engine=engine).scores.metrics
    assert metrics == pytest.approx(_pycocotools("segm", document, results), abs=1e-9)


def test_polygons_without_a_box_have_the_area_of_their_mask() -> None:
    document, results = _split()
    wrong = {
        "image_id": 1,
        "category_id": 3,
        "score": 1,
        "segmentation": [_corners(500, 10, 20, 20)],
    }
    metrics = evaluate("segm", document, [wrong, *results]).scores.metrics
    assert metrics["APl"] == pytest.approx(1)  # it is small, so it is wrong among the small only
    assert metrics["AP"] < 1
    assert evaluate(
        "segm", document, [{**wrong, "bbox": [0, 0, 100, 100]}, *results]
    ).scores.metrics["APl"] == pytest.approx(metrics["AP"])


# ---------------------------------------------------------------- the ground truth


@pytest.mark.parametrize("empty", [[], [[700.0, 500.0, 710.0, 500.0, 710.0, 510.0]]])
@pytest.mark.parametrize("noted", ["mask", "box", None])
def test_an_empty_mask_has_the_oks_scale_of_its_box(empty: Any, noted: str | None) -> None:
    document, results = _split()
    document["annotations"] = document["annotations"][:1]
    document["annotations"][0].update(segmentation=empty, area=0)
    if noted:
        document["info"] = {"df2coco": {"area": noted}}
    evaluation = evaluate("keypoints", document, results[:1], oks_area="mask")
    assert evaluation.scores.metrics["AP"] == pytest.approx(1)
    assert evaluation.scores.metrics["APl"] == pytest.approx(1)


@pytest.mark.parametrize(("kind", "options"), [("segm", {}), ("keypoints", {"oks_area": "mask"})])
def test_an_rle_of_another_size(kind: Any, options: Any) -> None:
    document, results = _split()
    turned = coco_mask.frPyObjects([_corners(10, 10, 50, 50)], WIDTH, HEIGHT)[0]
    turned["counts"] = turned["counts"].decode()
    document["annotations"][1]["segmentation"] = turned
    with pytest.raises(CocoFileError, match=r"annotations\[1\].segmentation: .*size \[480, 640\]"):
        evaluate(kind, document, results, **options)
    document["annotations"][1]["segmentation"] = _rle([350, 200, 100, 140])
    assert evaluate(kind, document, results, **options).scores.metrics["AP"] == pytest.approx(1)
    # A bad mask does not stop what has no need of masks.
    for bad in (turned, [[1, 2]], "x", {"size": [5], "counts": "~"}, None):
        document["annotations"][1]["segmentation"] = bad
        assert evaluate("bbox", document, results).scores.metrics["AP"] == pytest.approx(1)
        assert evaluate("keypoints", document, results).scores.metrics["AP"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("number", "name", "count"),
    [(1, "person", 17), (1, "person", 25), (2, "hand", 33), (1, "vest", 25), (1, "trousers", 25)],
)
def test_landmarks_of_other_datasets_are_refused(
    tmp_path: Path, number: int, name: str, count: int
) -> None:
    box = [100.0, 100.0, 90.0, 90.0]
    keypoints = [100.0, 150.0, 2.0] * count
    document = {
        "images": [{"id": 1, "file_name": "1.jpg", "width": WIDTH, "height": HEIGHT}],
        "categories": [{"id": number, "name": name, "keypoints": [str(n) for n in range(count)]}],
        "annotations": [
            {
                "id": 1,
                "image_id": 1,
                "category_id": number,
                "bbox": box,
                "area": 8100,
                "iscrowd": 0,
                "keypoints": keypoints,
                "num_keypoints": count,
            }
        ],
    }
    result = {"image_id": 1, "category_id": number, "keypoints": keypoints, "score": 1, "bbox": box}
    run = _run(tmp_path, "keypoints", document, [result])
    assert (run.exit_code, run.stdout, run.stderr.count("\n")) == (2, "", 1)
    assert "is not a category of DeepFashion2" in run.stderr or "expected 294, 81 or" in run.stderr
    if name not in {category.name for category in CATEGORIES}:
        # Also where there is nothing to be scored.
        run = _run(tmp_path, "keypoints", {**document, "annotations": []}, [])
        assert "is not a category of DeepFashion2" in run.stderr
    # Its boxes are scored.
    assert _run(tmp_path, "bbox", document, [result]).exit_code == 0


def test_the_name_says_which_landmarks_a_category_has() -> None:
    # Ids from 0: the sigmas are still those of the garments named.
    document, results = _split()
    expected = evaluate("keypoints", document, _noisy(results)).scores.metrics
    for entry in (*document["annotations"], *results):
        entry["category_id"] -= 1
    for category in document["categories"]:
        category["id"] -= 1
    metrics = evaluate("keypoints", document, _noisy(results)).scores.metrics
    assert metrics == expected
    assert 0 < metrics["AP"] < 1


def _noisy(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rng = np.random.default_rng(0)
    noisy = copy.deepcopy(results)
    for result in noisy:
        numbers = np.array(result["keypoints"], float).reshape(-1, 3)
        numbers[:, :2] += rng.normal(0, 5, (len(numbers), 2)) * (numbers[:, 2:] > 0)
        result["keypoints"] = numbers.ravel().tolist()
    return noisy


# ---------------------------------------------------------------- forms of the input


def _loaded(document: dict[str, Any]) -> COCO:
    coco = COCO()
    coco.dataset = copy.deepcopy({"info": {}, **document})
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
    return coco


def _with_numpy(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As a program has them that has just run a model."""
    return [
        {
            "image_id": np.int64(result["image_id"]),
            "category_id": np.int32(result["category_id"]),
            "bbox": np.array(result["bbox"], np.float32),
            "score": np.float32(result["score"]),
            "keypoints": tuple(result["keypoints"]),
            "segmentation": {
                **result["segmentation"],
                "counts": result["segmentation"]["counts"].encode(),
            },
        }
        for result in results
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_files_lists_and_what_is_loaded(tmp_path: Path, kind: Any) -> None:
    document, results = _split()
    results = _noisy(results)
    _run(tmp_path, kind, document, results)
    lines = tmp_path / "lines.jsonl"
    lines.write_text("".join(json.dumps(each) + "\n" for each in results))
    expected = evaluate(kind, tmp_path / "gt.json", tmp_path / "results.json", by="scale")
    before = copy.deepcopy((document, results))
    coco = _loaded(document)
    with contextlib.redirect_stdout(io.StringIO()):
        found = coco.loadRes(copy.deepcopy(results))
    for truth in (document, coco, str(tmp_path / "gt.json")):
        for given_results in (results, lines, _with_numpy(results), tuple(results)):
            assert evaluate(kind, truth, given_results, by="scale") == expected
    if kind != "segm":
        assert evaluate(kind, coco, found, by="scale") == expected
    assert (document, results) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "box"}, "kind: 'box' is not one of bbox, segm, keypoints"),
        ({"kind": None}, "kind: None"),
        ({"landmarks": "occluded"}, "landmarks: 'occluded' is not one of all, visible"),
        ({"oks_area": []}, "oks_area"),
        ({"by": "color"}, "by: 'color' is not one of scale, occlusion, zoom_in, viewpoint"),
        ({"engine": "fast"}, "engine: 'fast' is not one of hotcoco, pycocotools"),
        ({"ground_truth": 7}, "JSON|not a JSON object"),
        ({"ground_truth": {"a": {1, 2}}}, "nothing that JSON can hold"),
        ({"ground_truth": {}}, "images: expected a list"),
        ({"results": {"annotations": 5}}, "not a JSON list"),
        ({"results": [5]}, r"results\[0\]: 5, expected an object"),
    ],
)
def test_options_and_inputs_that_are_none(options: dict[str, Any], message: str) -> None:
    document, results = _split()
    arguments: dict[str, Any] = {"kind": "bbox", "ground_truth": document, "results": results}
    with pytest.raises((OptionError, CocoFileError, ResultsError), match=message):
        evaluate(**{**arguments, **options})


# ---------------------------------------------------------------- fast and slow reading


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("indent", [None, 1])
def test_one_harmless_form_changes_no_score(tmp_path: Path, kind: Any, indent: int | None) -> None:
    """A part of a file in which one entry has to be brought into shape gives the same."""
    document, results = _split()
    noisy = _noisy(results)
    paths = tmp_path / "gt.json", tmp_path / "results.json"
    for options in ({}, {"oks_area": "mask", "landmarks": "visible"}):
        scores = []
        for form in (int, float):
            document["annotations"][0]["id"] = form(document["annotations"][0]["id"])
            noisy[0]["image_id"] = form(noisy[0]["image_id"])
            for path, value in zip(paths, (document, noisy), strict=True):
                path.write_text(json.dumps(value, indent=indent))
            scores.append(evaluate(kind, *paths, by="scale", **options))  # type: ignore[arg-type]
        assert scores[0] == scores[1]


@pytest.mark.parametrize("seen", [False, True])
def test_slots_of_other_categories_count_where_they_are_not_zero(
    tmp_path: Path, seen: bool
) -> None:
    """COCO compares all slots with an item without labelled landmarks: those behind its own, too."""
    document, results = _split()
    document["annotations"], results = document["annotations"][:2], results[:2]
    slots = CATEGORY_BY_ID[3].slots
    item, result = document["annotations"][0], results[0]
    item["keypoints"], item["num_keypoints"] = [0] * (3 * NUM_LANDMARKS), 0
    # Digits as short as the zeros that are usually there; the box reaches the corner of the image.
    item["bbox"] = result["bbox"] = [0, 0, 300, 300]
    far = [9, 9, 1] if seen else [0, 0, 0]
    result["keypoints"] = [
        *[0] * (3 * slots.start),
        *[500, 400, 1] * len(slots),
        *far * (NUM_LANDMARKS - slots.stop),
    ]
    item["bbox"] = [1, 1, 4, 4] if seen else item["bbox"]
    paths = tmp_path / "gt.json", tmp_path / "results.json"
    for path, value in zip(paths, (document, results), strict=True):
        path.write_text(json.dumps(value, separators=(",", ":")))
    expected = _pycocotools("keypoints", document, results)
    for engine in ("hotcoco", "pycocotools"):
        pytest.importorskip(engine)
        metrics = evaluate("keypoints", *paths, engine=engine).scores.metrics  # type: ignore[arg-type]
        assert metrics == pytest.approx(expected, abs=1e-9)
    truth = read_ground_truth(Loaded(paths[0]), "keypoints")
    assert bool(read_results(Loaded(paths[1]), truth).all_slots) == seen


@pytest.mark.parametrize("kind", KINDS)
def test_an_engine_that_lacks_something_is_replaced(
    monkeypatch: pytest.MonkeyPatch, kind: Any
) -> None:
    """As hotcoco of another version; 1.0 lacks `COCO.from_arrays` alone, for which there is another way."""
    hotcoco = pytest.importorskip("hotcoco")
    document, results = _split()
    expected = evaluate(kind, document, results)
    plain = type("COCO", (), {"__new__": lambda _, *given: hotcoco.COCO(*given)})
    monkeypatch.setitem(
        sys.modules, "hotcoco", SimpleNamespace(COCO=plain, COCOeval=hotcoco.COCOeval)
    )
    assert evaluate(kind, document, results) == expected
    monkeypatch.setitem(sys.modules, "hotcoco", SimpleNamespace(COCO=plain))
    evaluation = evaluate(kind, document, results)
    assert (evaluation.engine, evaluation.scores) == ("pycocotools", expected.scores)
    assert "pycocotools scored instead" in evaluation.notes[0]
    with pytest.raises(Df2cocoError, match=r"hotcoco cannot be used .* Use --engine pycocotools"):
        evaluate(kind, document, results, engine="hotcoco")


# ---------------------------------------------------------------- results in a COCO document


def _as_document(
    document: dict[str, Any], results: list[dict[str, Any]], **changes: Any
) -> dict[str, Any]:
    """As tools write predictions: ids of their own, names as in the ground truth."""
    return {
        "images": [
            {**image, "id": 100 + image["id"], "file_name": f"photos/{image['file_name']}"}
            for image in document["images"]
        ],
        "categories": [
            {"id": 13 - category["id"], "name": category["name"].replace(" ", "_")}
            for category in document["categories"]
        ],
        "annotations": [
            {
                **result,
                "id": number,
                "image_id": 100 + result["image_id"],
                "category_id": 13 - result["category_id"],
                "area": 1.0,
                "iscrowd": 0,
            }
            for number, result in enumerate(results)
        ],
        **changes,
    }


@pytest.mark.parametrize("kind", KINDS)
def test_a_document_with_scores_is_read(tmp_path: Path, kind: Any) -> None:
    document, results = _split()
    results = _noisy(results)
    expected = evaluate(kind, document, results)
    own = _as_document(document, results)
    assert evaluate(kind, document, own) == expected
    run = _run(tmp_path, kind, document, own, "--json")
    assert json.loads(run.stdout) == expected.as_json()
    # Without names of its own, its ids are the ground truth's.
    assert evaluate(kind, document, {"annotations": results}) == expected
    attributes = [{**r, "attributes": {"score": r["score"]}} for r in results]
    for result in attributes:
        del result["score"]
    assert evaluate(kind, document, {"annotations": attributes}) == expected


def test_a_category_that_only_the_document_has_is_ignored() -> None:
    document, results = _split()
    _only(3)(document, results)
    notes = evaluate("bbox", document, _as_document(*_split())).notes
    assert "2 of 4 results are of categories" in notes[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: [a.pop("score") for a in d["annotations"]], "a COCO file without scores"),
        (lambda d: d["annotations"][1].pop("score"), r"results\[1\].score: missing"),
        (
            lambda d: d["images"][0].update(file_name="other.jpg"),
            "images, id 101: 'other.jpg' is not a file_name of the ground truth",
        ),
        (lambda d: d.update(annotations={}), "not a JSON list"),
    ],
)
def test_documents_that_cannot_be_scored(
    tmp_path: Path, change: Callable[[Any], Any], message: str
) -> None:
    document, results = _split()
    own = _as_document(document, results)
    change(own)
    with pytest.raises((CocoFileError, ResultsError), match=message):
        evaluate("bbox", document, own)
    run = _run(tmp_path, "bbox", document, own)
    assert (run.exit_code, run.stdout, run.stderr.count("\n")) == (2, "", 1)


def test_ground_truth_in_the_place_of_results_and_the_other_way_round(tmp_path: Path) -> None:
    document, results = _split()
    assert "ground truth, or the two files changed places" in str(
        _run(tmp_path, "bbox", document, document).stderr
    )
    assert "a list, as results of a model are" in _run(tmp_path, "bbox", results, document).stderr


def test_results_in_files_that_are_none(tmp_path: Path) -> None:
    document, _ = _split()
    labels = tmp_path / "labels"
    labels.mkdir()
    for folder in labels, tmp_path:
        with pytest.raises(CocoFileError, match=r"is a folder\. Name"):
            evaluate("bbox", document, folder)
    (labels / "000001.txt").write_text("3 0.5 0.5 0.1 0.1 0.9\n")
    for folder in labels, tmp_path:
        with pytest.raises(CocoFileError, match="a folder of text files, as YOLO"):
            evaluate("bbox", document, folder)
    weights = tmp_path / "instances_predictions.pth"
    for name, message in (("archive/data.pkl", "a file of PyTorch"), ("a.json", "a zip archive")):
        with zipfile.ZipFile(weights, "w") as archive:
            archive.writestr(name, b"\x80\x02}")
        with pytest.raises(CocoFileError, match=message):
            evaluate("bbox", document, weights)


# ---------------------------------------------------------------- results of one category


@pytest.mark.parametrize("written", [0, 1, 8])
@pytest.mark.parametrize("kind", KINDS)
def test_results_of_a_model_of_one_category(tmp_path: Path, kind: Any, written: int) -> None:
    document, results = _split()
    slots = CATEGORY_BY_ID[8].slots
    mine = [{**r, "category_id": written} for r in results if r["category_id"] == 8]
    for result in mine:
        result["keypoints"] = result["keypoints"][3 * slots.start : 3 * slots.stop]
    for name in ("trousers", "Trousers", "8"):
        evaluation = evaluate(kind, document, mine, category=name)
        assert evaluation.scores.metrics["AP"] == pytest.approx(1)
        assert list(evaluation.scores.per_category) == ["trousers"]
        assert (evaluation.items, evaluation.images, evaluation.notes) == (1, 3, ())
    run = _run(tmp_path, kind, document, mine, "--category", "trousers", "--json")
    assert json.loads(run.stdout)["AP"] == pytest.approx(1)


def test_results_of_one_category_under_another_id_are_named(tmp_path: Path) -> None:
    document, results = _split()
    mine = {**results[1], "category_id": 1, "keypoints": [9.0, 9.0, 2.0] * 14}
    run = _run(tmp_path, "keypoints", document, [mine])
    assert "42 numbers are 14 landmarks: trousers. --category trousers scores" in run.stderr
    both = {**mine, "keypoints": [9.0, 9.0, 2.0] * 15}
    run = _run(tmp_path, "keypoints", document, [both])
    assert "15 landmarks: vest or sling. --category vest" in run.stderr
    others = {**results[0], "category_id": 2, "keypoints": [9.0, 9.0, 2.0] * 33}
    run = _run(tmp_path, "keypoints", document, [mine, others])
    assert "trousers. Compare the category ids of the model" in run.stderr
    padded = [{**result, "keypoints": [9.0, 9.0, 2.0] * 39} for result in results]
    run = _run(tmp_path, "keypoints", document, padded)
    assert "All have so many: leave out what is behind the category's own." in run.stderr
    none = {**mine, "keypoints": [9.0, 9.0, 2.0] * 17}
    assert "--category" not in _run(tmp_path, "keypoints", document, [none]).stderr
    with pytest.raises(ResultsError, match=r"results\[1\].category_id: 3, others are 8"):
        evaluate("bbox", document, [results[1], results[2]], category="trousers")
    with pytest.raises(OptionError, match="category: 'hat' is not one of short sleeve top, "):
        evaluate("bbox", document, results, category="hat")
