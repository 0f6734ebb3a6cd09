"""Consumer-to-shop retrieval: cases computed by hand, the slow statement, and what is refused."""

from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import df2coco.cli.evaluate  # noqa: F401
from df2coco.cli.app import app
from df2coco.errors import OptionError
from df2coco.retrieval import RetrievalEvaluation, evaluate_retrieval
from tests.reference_protocols import retrieval_accuracy

BOX = [10, 10, 50, 90]
ELSEWHERE = [200, 200, 300, 300]


def query(image: int = 1, **fields: Any) -> dict[str, Any]:
    return {"query_image_id": image, "style": 1, "cls": 1, "pair_id": 5, "bbox": BOX, **fields}


def shop(image: int = 100, **fields: Any) -> dict[str, Any]:
    return {"gallery_image_id": image, "style": 1, "pair_id": 5, "bbox": BOX, **fields}


def found(*answers: tuple[int, list[float]], **fields: Any) -> dict[str, Any]:
    return {
        "query_image_id": 1,
        "query_bbox": BOX,
        "query_cls": 1,
        "query_score": 0.5,
        "gallery_image_id": [image for image, _ in answers],
        "gallery_bbox": [box for _, box in answers],
        **fields,
    }


def score(
    queries: list[dict[str, Any]],
    gallery: list[dict[str, Any]],
    results: list[dict[str, Any]],
    **options: Any,
) -> RetrievalEvaluation:
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{name}.json") for name in ("query", "gallery", "results")]
        for path, document in zip(paths, (queries, gallery, results), strict=True):
            path.write_text(json.dumps(document))
        return evaluate_retrieval(*paths, **options)


RIGHT, WRONG = (100, BOX), (101, BOX)
GALLERY = [shop(100), shop(101, style=2), shop(102, pair_id=6)]
TWO_IN_ONE = [query(), query(bbox=ELSEWHERE, style=2)]

# name, query items, gallery items, results, top1, top5, top20, missed
CASES: list[tuple[str, list[Any], list[Any], list[Any], float, float, float, int]] = [
    ("right at once", [query()], GALLERY, [found(RIGHT)], 1, 1, 1, 0),
    ("right at the second place", [query()], GALLERY, [found(WRONG, RIGHT)], 0, 1, 1, 0),
    ("right at the 20th place", [query()], GALLERY, [found(*[WRONG] * 19, RIGHT)], 0, 0, 1, 0),
    ("right at the 21st place", [query()], GALLERY, [found(*[WRONG] * 20, RIGHT)], 0, 0, 0, 0),
    ("no answers", [query()], GALLERY, [found()], 0, 0, 0, 0),
    ("another style", [query()], GALLERY, [found(WRONG)], 0, 0, 0, 0),
    ("another pair", [query()], GALLERY, [found((102, BOX))], 0, 0, 0, 0),
    # 40 x 80 boxes, one 40 wide and 40 high inside it: IoU 0.5; one pixel less: below.
    ("IoU of 0.5", [query()], GALLERY, [found((100, [10, 10, 50, 50]))], 1, 1, 1, 0),
    ("IoU below 0.5", [query()], GALLERY, [found((100, [10, 10, 50, 49]))], 0, 0, 0, 0),
    ("right image, wrong place", [query()], GALLERY, [found((100, ELSEWHERE))], 0, 0, 0, 0),
    (
        "two gallery items in one photo",
        [query()],
        [shop(bbox=ELSEWHERE), shop()],
        [found((100, BOX))],
        *(1, 1, 1, 0),
    ),
    ("wrong class", [query()], GALLERY, [found(RIGHT, query_cls=2)], 0, 0, 0, 1),
    ("nothing detected", [query()], GALLERY, [], 0, 0, 0, 1),
    (
        "nothing detected in one of two images",
        [query(), query(2)],
        GALLERY,
        [found(RIGHT)],
        *(0.5, 0.5, 0.5, 1),
    ),
    (
        "two detections on one item: the higher score stands",
        [query()],
        GALLERY,
        [found(RIGHT, query_score=0.4), found(WRONG, query_score=0.6)],
        *(0, 0, 0, 0),
    ),
    (
        "but not when its class is wrong",
        [query()],
        GALLERY,
        [found(RIGHT, query_score=0.4), found(WRONG, query_score=0.6, query_cls=2)],
        *(1, 1, 1, 0),
    ),
    ("tie of scores: the first", [query()], GALLERY, [found(RIGHT), found(WRONG)], 1, 1, 1, 0),
    ("tie of scores: the first", [query()], GALLERY, [found(WRONG), found(RIGHT)], 0, 0, 0, 0),
    (
        "a detection far from all items is still given to the nearest",
        [query()],
        GALLERY,
        [found(RIGHT, query_bbox=[500, 500, 510, 510])],
        *(1, 1, 1, 0),
    ),
    (
        "tie of overlaps: the first item",
        TWO_IN_ONE,
        GALLERY,
        [found(RIGHT, query_bbox=[500, 500, 510, 510])],
        *(0.5, 0.5, 0.5, 1),
    ),
    (
        "each detection to its item",
        TWO_IN_ONE,
        GALLERY,
        [found(RIGHT), found(WRONG, query_bbox=ELSEWHERE)],
        *(1, 1, 1, 0),
    ),
    (
        "an item without a partner takes its detection and is not counted",
        [query(), query(bbox=ELSEWHERE, style=0)],
        GALLERY,
        [found(RIGHT, query_bbox=ELSEWHERE)],
        *(0, 0, 0, 1),
    ),
    (
        "gallery items of style 0 are nobody's",
        [query(), query(2, style=0)],
        [shop(style=0), shop(101)],
        [found((100, BOX))],
        *(0, 0, 0, 0),
    ),
]


@pytest.mark.parametrize(
    ("queries", "gallery", "results", "top1", "top5", "top20", "missed"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_by_hand(
    queries: list[Any],
    gallery: list[Any],
    results: list[Any],
    top1: float,
    top5: float,
    top20: float,
    missed: int,
) -> None:
    scores = score(queries, gallery, results).scores
    assert (scores.top[1], scores.top[5], scores.top[20]) == (top1, top5, top20)
    assert scores.missed == missed
    assert scores.as_json() == retrieval_accuracy(
        queries, gallery, [{**r, **_cut(r)} for r in results]
    )


def _cut(result: dict[str, Any]) -> dict[str, Any]:
    return {name: result[name][:20] for name in ("gallery_image_id", "gallery_bbox")}


def test_ground_truth_against_itself() -> None:
    queries = [query(i, pair_id=i, cls=1 + i % 13) for i in range(1, 40)]
    gallery = [shop(100 + i, pair_id=i) for i in range(1, 40)]
    results = [found((100 + i, BOX), query_image_id=i, query_cls=1 + i % 13) for i in range(1, 40)]
    evaluation = score(queries, gallery, results)
    assert set(evaluation.scores.top.values()) == {1}
    assert sum(s.queries for s in evaluation.per_category.values()) == 39


corners = st.sampled_from(
    ([0, 0, 10, 10], [0, 0, 10, 5], [0, 5, 10, 10], [0, 0, 8, 8], [30, 30, 40, 40], [5, 5, 5, 5])
)


@st.composite
def retrievals(draw: st.DrawFn) -> tuple[list[Any], list[Any], list[Any]]:
    small = st.integers(1, 3)
    queries = [query(style=1)] + [
        query(draw(small), style=draw(st.integers(0, 2)), cls=draw(st.integers(1, 2)), pair_id=p)
        | {"bbox": draw(corners), "scale": draw(small)}
        for p in draw(st.lists(st.integers(5, 6), max_size=6))
    ]
    gallery = [
        shop(draw(small), style=draw(st.integers(0, 2)), pair_id=p, bbox=draw(corners))
        for p in draw(st.lists(st.integers(5, 6), min_size=1, max_size=8))
    ]
    query_images = sorted({q["query_image_id"] for q in queries})
    gallery_images = sorted({g["gallery_image_id"] for g in gallery})
    answers = st.lists(st.tuples(st.sampled_from(gallery_images), corners), max_size=20)
    results = [
        found(
            *draw(answers),
            query_image_id=draw(st.sampled_from(query_images)),
            query_cls=draw(st.integers(1, 2)),
            query_score=s,
            query_bbox=draw(corners),
        )
        for s in draw(st.lists(st.sampled_from((0.1, 0.5, 0.9)), max_size=8))
    ]
    return queries, gallery, results


@settings(max_examples=200)
@given(retrieval=retrievals())
def test_the_protocol(retrieval: tuple[list[Any], list[Any], list[Any]]) -> None:
    queries, gallery, results = retrieval
    by = "scale" if any("scale" in q for q in queries) else None
    evaluation = score(queries, gallery, results, by=by)
    assert evaluation.scores.as_json() == retrieval_accuracy(queries, gallery, results)
    assert sum(s.queries for s in evaluation.per_category.values()) == evaluation.scores.queries
    assert sum(s.missed for s in evaluation.per_category.values()) == evaluation.scores.missed
    for value, name in enumerate(("small", "modest", "large"), start=1):
        counted = sum(q["style"] > 0 and q.get("scale") == value for q in queries)
        if by and counted:
            assert evaluation.subsets[name].queries == counted
        else:
            assert name not in evaluation.subsets


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"query_image_id": "1"}, "results[1].query_image_id: '1', expected a whole number"),
    ({"query_cls": 14}, "results[1].query_cls: 14 is not one of the categories"),
    ({"query_score": math.nan}, "results[1].query_score: nan"),
    ({"query_score": None}, "results[1].query_score: None"),
    ({"query_bbox": [1, 2, 3]}, "results[1].query_bbox: [1, 2, 3], expected 4 numbers"),
    ({"query_bbox": [5, 5, 1, 1]}, "results[1].query_bbox: [5, 5, 1, 1]"),
    ({"query_bbox": [5, 5, 1, 9]}, "results[1].query_bbox: [5, 5, 1, 9]"),
    ({"query_bbox": [5, 5, 9, 1]}, "results[1].query_bbox: [5, 5, 9, 1]"),
    ({"query_cls": 0}, "0 is not one of the categories 1 to 13. They seem to be counted from 0"),
    (
        {"gallery_image_id": ["100"]},
        "expected a list of whole numbers",
    ),
    ({"gallery_image_id": [100, 100]}, "1 boxes for 2 gallery_image_id"),
    ({"gallery_image_id": 100}, "expected a list of whole numbers"),
    ({"gallery_image_id": [1.5]}, "expected a list of whole numbers"),
    ({"gallery_bbox": [[1, math.nan, 3, 4]]}, "expected a list of boxes"),
    ({"gallery_bbox": BOX}, "expected a list of boxes"),
]


@pytest.mark.parametrize(("fields", "message"), FAULTS)
def test_a_faulty_result_is_named_and_nothing_is_scored(
    tmp_path: Path, fields: dict[str, Any], message: str
) -> None:
    good = found(RIGHT)
    bad = {**good, **fields}
    run = _command(tmp_path, [query()], GALLERY, [good, bad, good, bad])
    assert (run.exit_code, run.stdout, run.stderr.count("\n")) == (2, "", 1)
    assert message in run.stderr
    assert "2 of 4 results cannot be used, so nothing was scored" in run.stderr


def _command(folder: Path, *documents: Any, options: tuple[str, ...] = ()) -> Any:
    paths = [folder / f"{name}.json" for name in ("query", "gallery", "results")]
    for path, document in zip(paths, documents, strict=True):
        path.write_text(json.dumps(document))
    return CliRunner().invoke(app, ["evaluate", "retrieval", *map(str, paths), *options])


@pytest.mark.parametrize(
    ("queries", "gallery", "options", "message"),
    [
        ([query(style=0)], GALLERY, (), "no query item has a style > 0"),
        ([], GALLERY, (), "no query item has a style > 0"),
        ([query()], GALLERY, ("--by", "scale"), "no item has 'scale'"),
        ([query(style=None)], GALLERY, (), "items[0].style: None, expected a whole number"),
        ([query()], [{}], (), "items[0].gallery_image_id: missing"),
        ({"a": 1}, GALLERY, (), "not a JSON list"),
        ([query()], GALLERY, ("--by", "color"), "is none of scale, occlusion"),
    ],
)
def test_unusable_ground_truth(
    tmp_path: Path, queries: Any, gallery: Any, options: tuple[str, ...], message: str
) -> None:
    run = _command(tmp_path, queries, gallery, [], options=options)
    assert run.exit_code == 2
    assert message in " ".join(run.stderr.replace("│", " ").split())


def test_json_and_text(tmp_path: Path) -> None:
    queries = [query(scale=1), query(2, scale=3, cls=4)]
    documents = (queries, GALLERY, [found(WRONG, RIGHT)])
    options = ("--per-category", "--by", "scale")
    document = json.loads(_command(tmp_path, *documents, options=(*options, "--json")).stdout)
    numbers = {"top1": 0.0, "top5": 0.5, "top10": 0.5, "top15": 0.5, "top20": 0.5}
    assert document.items() >= {**numbers, "queries": 2, "missed": 1}.items()
    assert list(document["per_category"]) == ["short sleeve top", "long sleeve outwear"]
    assert document["by"]["scale"]["small"]["top5"] == 1
    assert document["by"]["scale"]["large"] == dict.fromkeys(numbers, 0) | {
        "queries": 1,
        "missed": 1,
    }
    plain = json.loads(_command(tmp_path, *documents, options=("--json",)).stdout)
    assert plain == {**numbers, "queries": 2, "missed": 1, "notes": plain["notes"]}
    text = _command(tmp_path, *documents, options=options).stdout
    assert max(map(len, text.splitlines())) <= 80
    assert "long sleeve outwear" in text


# ---------------------------------------------------------------- notes


@pytest.mark.parametrize(
    ("queries", "gallery", "results", "note"),
    [
        ([query()], GALLERY, [], "There are no results"),
        (
            [query()],
            GALLERY,
            [found(RIGHT), found(RIGHT, query_image_id=9)],
            "1 of 2 results are for images that are not in ",
        ),
        ([query()], GALLERY, [found((7, BOX), RIGHT)], "1 of 2 answers name an image"),
        ([query(), query(2), query(3)], GALLERY, [found(RIGHT)], "1 of the 3 query images"),
        ([query(pair_id=77)], GALLERY, [found(RIGHT)], "1 of 1 query items have no item of"),
        (
            [query(cls=3), query(2, cls=3)],
            GALLERY,
            [found(RIGHT, query_cls=2), found(RIGHT, query_image_id=2, query_cls=2)],
            "shifted by one (-1)",
        ),
        # Near misses.
        ([query()], GALLERY, [found(RIGHT)], ""),
        ([query(cls=3)], GALLERY, [found(RIGHT, query_cls=5)], ""),
        ([query(cls=3)], GALLERY, [found(RIGHT, query_cls=3), found(RIGHT, query_cls=2)], ""),
        ([query(), query(2, style=0)], GALLERY, [found(RIGHT), found(query_image_id=2)], ""),
    ],
)
def test_notes(
    tmp_path: Path, queries: list[Any], gallery: list[Any], results: list[Any], note: str
) -> None:
    notes = score(queries, gallery, results).notes
    assert len(notes) == bool(note)
    assert all(note in each for each in notes)
    run = _command(tmp_path, queries, gallery, results, options=("--json",))
    assert run.exit_code == 0
    assert len(json.loads(run.stdout)["notes"]) == run.stderr.count("note: ") == len(notes)
    assert not _command(tmp_path, queries, gallery, results, options=("--quiet",)).stderr


def test_what_is_outside_changes_no_number() -> None:
    plain = score([query()], GALLERY, [found(WRONG, RIGHT)]).scores
    outside = [found((7, BOX), RIGHT), found(RIGHT, query_image_id=9, query_score=1)]
    assert score([query()], GALLERY, outside).scores == plain
    assert plain.top == {1: 0, 5: 1, 10: 1, 15: 1, 20: 1}


def test_lists_and_numbers_with_a_decimal_point() -> None:
    result = found((100.0, [float(n) for n in BOX]), query_image_id=1.0, query_cls=1.0)
    evaluation = evaluate_retrieval([query()], GALLERY, [result])
    assert evaluation.scores.top[1] == 1
    with pytest.raises(OptionError, match="by"):
        evaluate_retrieval([query()], GALLERY, [result], by="color")  # type: ignore[arg-type]
