"""The validator: every check finds its defect and nothing else, on files of all makers."""

from __future__ import annotations

import contextlib
import copy
import importlib
import json
import os
import random
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from df2coco.cli.app import app
from df2coco.errors import CocoFileError
from df2coco.coco import lists
from df2coco.validator import CHECKS, LEVELS, Report, checks_sections, checks_table, run, validate

NAN = float("nan")
FINDINGS = Path(__file__).resolve().parent.parent / "fixtures" / "findings"
FILES = sorted(FINDINGS.glob("*.json"))
BY_CODE = {check.code: check for check in CHECKS}


def codes(report: Report) -> set[str]:
    return {finding.check.code for finding in report.findings}


def examine(path: Path) -> Report:
    """Validate a file of `fixtures/findings` with the options that its check needs."""
    stage = BY_CODE[path.stem].needs
    source = path.with_suffix(".source")
    source = source if source.is_dir() else FINDINGS / "source"
    return validate(
        path,
        images=source / "image" if stage == "images" else None,
        against=source if stage == "source" else None,
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_defect_is_found_and_nothing_else(path: Path) -> None:
    found = codes(examine(path))
    if path.stem != "landmarks-not-17":
        found.discard("landmarks-not-17")  # true of every file with 294 slots
    if path.stem == "score-imperfect":
        found.discard("items-too-many")  # which is why
    assert found == {path.stem}


def test_every_check_has_its_file() -> None:
    assert {path.stem for path in FILES} == set(BY_CODE)
    assert len(BY_CODE) == len(CHECKS)


def test_a_good_file_has_no_finding() -> None:
    document = json.loads((FINDINGS / "source-image-missing.json").read_text())
    assert len(document["annotations"]) == 3
    report = validate(FINDINGS / "source-image-missing.json", against=FINDINGS / "source")
    assert report.findings == ()
    assert report.loaded
    assert report.scored == 2


def test_quick_leaves_out_masks_and_pycocotools() -> None:
    assert codes(validate(FINDINGS / "mask-empty.json", quick=True)) == set()
    assert validate(FINDINGS / "mask-empty.json", quick=True).loaded is None
    assert codes(validate(FINDINGS / "bbox-small.json", quick=True)) == {"bbox-small"}


def test_files_of_other_data_sets(tmp_path: Path) -> None:
    """COCO's own: a person's landmarks, categories with gaps, RLE crowds, areas of polygons."""
    names = ["nose", "left_eye", "right_eye", *(f"point_{n}" for n in range(14))]
    person = {
        "id": 1, "image_id": 5, "category_id": 1, "bbox": [1.5, 1.5, 20.25, 30.0], "area": 300.25,
        "iscrowd": 0, "segmentation": [[1.5, 1.5, 21.75, 1.5, 1.5, 31.5]],
        "keypoints": [5, 5, 2] * 17, "num_keypoints": 17,
    }  # fmt: skip
    dog = {name: person[name] for name in ("bbox", "area", "iscrowd", "segmentation")}
    crowd = {
        "bbox": [0.0, 0.0, 50.0, 40.0], "area": 2000, "iscrowd": 1,
        "segmentation": {"size": [40, 50], "counts": [0, 2000]},
    }  # fmt: skip
    document = {
        "images": [{"id": 5, "file_name": "a.png", "width": 50, "height": 40}],
        "annotations": [
            person,
            dog | {"id": 2, "image_id": 5, "category_id": 18},
            crowd | {"id": 3, "image_id": 5, "category_id": 18},
        ],
        "categories": [
            {"id": 1, "name": "person", "keypoints": names, "skeleton": [[1, 2]]},
            {"id": 18, "name": "dog"},
        ],
    }
    path = tmp_path / "coco.json"
    path.write_text(json.dumps(document))
    assert codes(validate(path)) == {"iscrowd-set", "segmentation-rle", "category-id-gaps"}


# ---------------------------------------------------------------- the command


def run(*arguments: str | Path) -> tuple[int, str, str]:
    importlib.import_module("df2coco.cli.validate")
    result = CliRunner().invoke(app, ["validate", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


CLEAN = FINDINGS / "source-image-missing.json"


@pytest.mark.parametrize(
    ("name", "arguments", "code"),
    [
        ("source-image-missing", [], 0),
        ("annotation-id-zero", [], 1),
        ("bbox-small", [], 0),
        ("bbox-small", ["--strict"], 1),
        ("mask-empty", ["--strict"], 1),
        ("mask-empty", ["--strict", "--quick"], 0),
        ("no-annotations", ["--strict"], 0),
        ("picture-size", ["--images", FINDINGS / "source" / "image"], 1),
        ("source-value", ["--against", FINDINGS / "source", "--score", "0"], 1),
    ],
)
def test_exit_code(name: str, arguments: list[str | Path], code: int) -> None:
    status, out, _ = run(FINDINGS / f"{name}.json", *arguments)
    assert status == code
    assert out.splitlines()[0].endswith(f"{name}.json")
    assert out.splitlines()[-1].startswith(
        "not valid: " if code and "--strict" not in arguments else "valid: "
    )


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "the file is empty"),
        (b'{"images": [', "not JSON"),
        (b"[]", "not a JSON object"),
        (b"{}", "images: expected a list of objects"),
        (b'{"images": [1], "annotations": [], "categories": []}', "images: expected a list"),
        (b'{"images": [], "annotations": [NaN, ', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"a": NaN, "b":' + b"[" * 100_000, "not JSON"),
        (b"\xff\xfe{}", "not JSON"),
    ],
)
def test_what_is_no_coco_file_ends_in_one_line(content: bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    code, out, error = run(path)
    assert (code, out) == (2, "")
    assert told in error
    assert error.count("\n") == 1


@pytest.mark.posix
def test_what_is_no_file_ends_in_one_line(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (tmp_path, tmp_path / "none.json", fifo):
        code, out, error = run(path)
        assert (code, out, error.count("\n")) == (2, "", 1)
    code, _, error = run(CLEAN, "--against", tmp_path / "none")
    assert (code, error.count("\n")) == (2, 1)


def test_text_is_capped_and_json_is_complete(tmp_path: Path) -> None:
    document = json.loads(CLEAN.read_text())
    first = document["annotations"][0]
    document["annotations"] = [first | {"id": n, "bbox": []} for n in range(-5, 30)]
    document["images"][0]["file_name"] = "\x1b[31m../red"
    path = tmp_path / "a.json"
    path.write_text(json.dumps(document))
    code, out, _ = run(path)
    assert code == 1
    assert "  - annotation -5: bbox []\n" in out
    assert "  ... 35 in all; --json lists them\n" in out
    assert "annotation -1: " in out
    assert "annotation 0: " not in out
    assert "\x1b" not in out
    assert max(map(len, out.splitlines())) <= 80
    code, out, _ = run(path, "--json")
    report = json.loads(out)
    found = {finding["code"]: finding for finding in report["findings"]}
    assert found["bbox-malformed"]["ids"] == list(range(-5, 30))
    assert found["bbox-malformed"]["count"] == len(found["bbox-malformed"]["details"]) == 35
    assert found["annotation-id-zero"]["ids"] == [0]
    assert report["counts"]["error"] == sum(f["level"] == "error" for f in report["findings"])
    assert set(found["bbox-malformed"]) == {
        "code", "level", "about", "sentence", "suffers", "cause", "remedy", "count", "ids", "details",
    }  # fmt: skip


def test_the_table_names_every_check() -> None:
    rows = checks_table().splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == [check.code for check in CHECKS]
    assert {check.level for check in CHECKS} == set(LEVELS)
    for check in CHECKS:
        for text in (check.sentence, check.suffers, check.cause, check.remedy):
            assert text.endswith("."), text


# ---------------------------------------------------------------- any file whatever


WEIRD: list[Any] = [
    None, True, -1, 0, 0.5, 1e300, -1e300, 10**15, 10**30, float("nan"), float("inf"), "", "1",
    "\x1b[2J", [], {}, [[]], [None], [1e18] * 8, [{}], {"size": [1, 2], "counts": "zz"},
    {"size": [100, 100], "counts": [10**9, 3]}, {"counts": []}, "zeros 3 4", ["zeros 9 9"], [0] * 900,
]  # fmt: skip


def mutate(document: Any, generator: random.Random) -> None:
    """Change, remove or repeat one value anywhere in a document."""
    holder, key = document, generator.choice(list(document))
    while isinstance(holder[key], (dict, list)) and holder[key] and generator.random() < 0.85:
        holder = holder[key]
        key = generator.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
    action = generator.randrange(4)
    if action == 0:
        del holder[key]
    elif action == 1 and isinstance(holder, list):
        holder.append(copy.deepcopy(holder[key]))
    else:
        holder[key] = copy.deepcopy(generator.choice(WEIRD))


@pytest.fixture(scope="module")
def good() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((FINDINGS / "landmarks-not-17.json").read_text())
    other = json.loads((FINDINGS / "segmentation-rle.json").read_text())
    document["annotations"] += other["annotations"]
    return document


@pytest.mark.parametrize("seed", range(6))
def test_no_file_ends_in_a_traceback(seed: int, good: dict[str, Any], tmp_path: Path) -> None:
    generator = random.Random(seed)
    path = tmp_path / "mutated.json"
    for _ in range(40):
        document = copy.deepcopy(good)
        for _ in range(generator.randint(1, 4)):
            if document:
                mutate(document, generator)
        path.write_text(
            json.dumps(document, separators=generator.choice([(",", ":"), (", ", ": ")]))
        )
        with contextlib.suppress(CocoFileError):
            report = validate(path, against=FINDINGS / "source", images=FINDINGS / "source/image")
            orjson.dumps(report.to_json())


def test_numbers_that_would_crash_pycocotools(good: dict[str, Any], tmp_path: Path) -> None:
    monsters: list[tuple[str, Any]] = [
        ("segmentation", [[10.0, 10.0, NAN, 10.0, 60.0, 70.0]]),
        ("segmentation", [[10.0, 10.0, 1e18, 10.0, 60.0, 70.0]]),
        ("segmentation", [[0.0, 0.0, 9e6, 9e6, 0.0, 9e6]]),
        ("segmentation", {"size": [100, 100], "counts": [10**9]}),
        ("segmentation", {"size": [100, 100], "counts": "~~~~"}),
        ("keypoints", ["zeros 99999999999 3"]),
        ("keypoints", ["zeros a b"]),
        ("id", 10**30),
        ("image_id", [1]),
        ("category_id", {"a": 1}),
    ]
    path = tmp_path / "a.json"
    for name, value in monsters:
        document = copy.deepcopy(good)
        document["annotations"][0][name] = value
        path.write_text(json.dumps(document))
        report = validate(path)
        assert not report.is_valid(strict=True), name
    document = copy.deepcopy(good)
    for image in document["images"]:
        image["file_name"] = ["twice", "the same"]
    path.write_text(json.dumps(document))
    assert "file-name-outside" in codes(validate(path))


# ---------------------------------------------------------------- in parts


PARTED = [path for path in FILES if BY_CODE[path.stem].needs in ("quick", "masks", "images")]


def seen(report: Report) -> dict[str, list[str]]:
    return {f.check.code: sorted(map(str, f.hits)) for f in report.findings}


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_a_file_in_parts_is_examined_as_in_one(
    separators: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    cuts = []
    for file in PARTED:
        document = json.loads(file.read_text())
        path.write_text(json.dumps(document, separators=separators))
        images = FINDINGS / "source" / "image"
        whole = validate(path, images=images)
        with monkeypatch.context() as patch:
            patch.setattr(parts, "_PART", 100)
            cuts.append(parts.cut(path))
            parted = validate(path, images=images)
        assert seen(parted) == seen(whole), file.name
        assert parted.loaded == whole.loaded
        assert parted.annotations == whole.annotations
    assert max(len(each.parts) for each in cuts if each) == 3
    assert sum(each is None for each in cuts) < 5  # those without annotations


def test_parts_go_to_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = json.loads((FINDINGS / "annotation-id-zero.json").read_text())
    first = document["annotations"][0]
    del first["id"]
    document["annotations"] = [
        first | ({"id": n} if n % 3 else {}) | ({"area": 9} if n % 2 else {}) for n in range(40)
    ]
    path = tmp_path / "a.json"
    path.write_text(json.dumps(document))
    one = validate(path)
    monkeypatch.setattr(parts, "_PART", 500)
    assert len(parts.cut(path).parts) > 10
    reports = [validate(path, workers=workers) for workers in (1, 2)]
    assert seen(reports[0]) == seen(reports[1]) == seen(one)
    found = next(f for f in one.findings if f.check.code == "annotation-key-missing")
    assert [str(hit.id) for hit in found.hits[:3]] == ["#0", "#3", "#6"]


@pytest.mark.parametrize(
    "text",
    [
        '{"info": {"annotations": [%s]}, "images": [], "annotations": [], "categories": []}',
        '{"annotations": [%s], "images": [], "categories": [], "annotations": []}',
        '{"images": [], "categories": [], "annotations": [%s]',
        '{"images": [], "categories": [], "annotations": [%s, 3]}',
        '{"images": [], "categories": [], "annotations": [{"a": [%s]}]}',
        '{"images": [], "categories": [], "annotations": [{"a": "%s"}]}',
        '{"images": [], "categories": [], "annotations": %s}',
    ],
)
def test_what_cannot_be_cut_is_read_as_one(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = ", ".join(json.dumps({"id": number}) for number in range(20))
    path = tmp_path / "a.json"
    path.write_text(text % (entries.replace('"', "'") if '"%s"' in text else entries))

    def examined() -> Any:
        try:
            return seen(validate(path))
        except CocoFileError as error:
            return str(error)

    whole = examined()
    monkeypatch.setattr(parts, "_PART", 50)
    assert examined() == whole


# ---------------------------------------------------------------- zeros as counts


numbers = st.one_of(
    st.just(0), st.just(0), st.sampled_from([0.0, -0.0, 0.5, 10, 100, -5, 2, 1, 1e-7, 20.0, 1e20])
)
runs = st.lists(st.tuples(numbers, st.integers(1, 70)), max_size=5).map(
    lambda pairs: [number for number, count in pairs for _ in range(count)]
)
texts = st.sampled_from(['"keypoints":[0,0', "0,0,0,0]", "zeros 48 0", "keypoints", ""])


@given(
    st.lists(st.one_of(runs, st.lists(texts), st.lists(runs), texts), max_size=4),
    st.sampled_from([(",", ":"), (", ", ": "), (",", ": ")]),
    st.sampled_from(["keypoints", 'a"keypoints', "k"]),
)
def test_folding_loses_nothing(values: list[Any], separators: tuple[str, str], key: str) -> None:
    document = [{key: value, "text": '"keypoints":[0,0'} for value in values]
    raw = json.dumps(document, separators=separators).encode()
    loaded = folding.loads(raw)
    assert [repr(unfolded(entry, key)) for entry in loaded] == [repr(v) for v in values]


def unfolded(entry: dict[str, Any], key: str) -> Any:
    found = folding.keypoints_of(entry) if key == "keypoints" else None
    return entry[key] if found is None else found.numbers()


def test_folding_is_worth_it() -> None:
    numbers = [0] * 300 + [5, 6, 2] * 9 + [0] * 300
    for zero in (0, 0.0):
        raw = json.dumps({"keypoints": [n or zero for n in numbers]}).encode()
        found = folding.keypoints_of(folding.loads(raw))
        assert found == (300, [5, 6, 2] * 9, 300)
    with pytest.raises(orjson.JSONDecodeError):
        folding.loads(raw[:-1])
