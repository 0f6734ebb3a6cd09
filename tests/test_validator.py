"""The validator: every check finds its defect and nothing else, on files of all makers."""

from __future__ import annotations

import contextlib
import copy
import importlib
import io
import json
import os
import random
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from df2coco.cli.app import app
from df2coco.coco import lists
from df2coco.coco.reader import Loaded
from df2coco.coco.schema import DATASET_FIELDS, FIELDS
from df2coco.errors import CocoFileError
from df2coco.parser.records import NOTICES
from df2coco.validator import CHECKS, LEVELS, Hit, Report, checks, validate
from df2coco.validator.checks import File
from tests.conftest import copy_tree
from tests.tools.documents import check_pages, checks_index

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


MISSING = ("info-missing", "licenses-missing", "supercategory-missing")
"""Notes that most files of others get."""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_defect_is_found_and_nothing_else(path: Path) -> None:
    found = codes(examine(path))
    if path.stem != "landmarks-not-17":
        found.discard("landmarks-not-17")  # true of every file with 294 slots
    if path.stem == "crowds-only":
        found.remove("crowd")  # each of them is one
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
        "keypoints": [n for i in range(17) for n in (3 + i, 5 + i, 2)], "num_keypoints": 17,
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
    assert codes(validate(path)) == {"crowd", "category-id-gaps", *MISSING}


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
        ("area-unexplained", ["--strict"], 1),
        ("area-unexplained", ["--strict", "--quick"], 0),
        ("mask-empty", ["--quick"], 0),
        ("mask-empty", [], 1),
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
        (b"[" * 100_000, "nested too deeply"),
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
    assert max(map(len, out.replace(str(path), path.name).splitlines())) <= 80
    code, out, _ = run(path, "--json")
    report = json.loads(out)
    found = {finding["code"]: finding for finding in report["findings"]}
    assert found["bbox-malformed"]["ids"] == list(range(-5, 30))
    assert found["bbox-malformed"]["count"] == len(found["bbox-malformed"]["details"]) == 35
    assert found["annotation-id-zero"]["ids"] == [0]
    assert report["counts"]["error"] == sum(f["level"] == "error" for f in report["findings"])
    assert set(found["bbox-malformed"]) == {
        "code", "level", "about", "sentence", "affects", "cause", "remedy", "link", "count", "ids",
        "details",
    }  # fmt: skip


def test_a_wrong_value_of_an_image_is_named_as_the_images(tmp_path: Path) -> None:
    document = json.loads((FINDINGS / "source-image-missing.json").read_text())
    document["images"][0]["pair_id"] = 99
    path = tmp_path / "a.json"
    path.write_text(json.dumps(document))
    against = ("--against", FINDINGS / "source")
    _, out, _ = run(path, *against)
    assert "\n  - image 1: 000001.json: pair_id: 7 in the source, 99 in the file\n" in out
    (finding,) = json.loads(run(path, *against, "--json")[1])["findings"]
    assert finding["ids"] == ["image 1"]


def test_the_index_names_every_check_once() -> None:
    named = [row.split("`")[1] for row in checks_index().splitlines() if "`" in row]
    assert sorted(named) == sorted(check.code for check in CHECKS)
    assert {check.level for check in CHECKS} == set(LEVELS)
    for check in CHECKS:
        for text in (check.sentence, check.affects, check.cause, check.remedy):
            assert text.endswith("."), text


def test_a_check_is_made_of_its_function() -> None:
    def some_defect(file: File) -> Iterable[Hit]:
        """A defect
        in two lines.

        affects: Some: all
            of them.
        cause: A cause.
        remedy: A remedy.
        """
        yield Hit(file.path)

    made = checks.check("note", needs="source")(some_defect)
    assert (made.code, made.about, made.of_part) == ("some-defect", "file", False)
    prose = ("A defect in two lines.", "Some: all of them.", "A cause.", "A remedy.")
    assert (made.sentence, made.affects, made.cause, made.remedy) == prose
    some_defect.__doc__ = "A defect.\n\naffects: Some.\nremedy: A remedy."
    with pytest.raises(ValueError, match="some_defect: the docstring needs affects, cause and"):
        checks.check("note")(some_defect)
    some_defect.__doc__ = None  # python -OO
    assert checks.check("note")(some_defect).sentence == ""


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


PARTED = [path for path in FILES if BY_CODE[path.stem].needs != "source"]


def seen(report: Report) -> dict[str, list[str]]:
    return {f.check.code: sorted(map(str, f.hits)) for f in report.findings}


@pytest.mark.slow
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_a_file_in_parts_is_examined_as_in_one(
    separators: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    cuts = []
    for file in PARTED:
        document = json.loads(file.read_text())
        if file.stem != "key-repeated":
            path.write_text(json.dumps(document, separators=separators))
        images = FINDINGS / "source" / "image"
        whole = validate(path, images=images)
        with monkeypatch.context() as patch:
            patch.setattr(lists, "_PART", 100)
            with contextlib.suppress(CocoFileError):
                cuts.append(lists.cut(Loaded(path)))
            parted = validate(path, images=images)
        assert seen(parted) == seen(whole), file.name
        assert parted.loaded == whole.loaded
        assert parted.annotations == whole.annotations
    assert max(len(each.spans) for each in cuts if each) > 20
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
    monkeypatch.setattr(lists, "_PART", 500)
    monkeypatch.setattr("df2coco.validator.examination._PARTS_A_START", {True: 1})
    found_parts = lists.cut(Loaded(path))
    assert found_parts is not None
    assert len(found_parts.spans) > 10
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
    monkeypatch.setattr(lists, "_PART", 50)
    assert examined() == whole


def test_workers_agree_on_what_is_the_same_item(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python's hash of a text is another number in every process."""
    document = json.loads((FINDINGS / "segmentation-rle.json").read_text())
    first = document["annotations"][0]
    document["annotations"] = [first | {"id": 1 + n} for n in range(12)]
    path = tmp_path / "a.json"
    path.write_text(json.dumps(document))
    monkeypatch.setattr(lists, "_PART", 100)
    monkeypatch.setattr("df2coco.validator.examination._PARTS_A_START", {True: 1})
    (found,) = (f for f in validate(path, workers=2).findings if f.check.code == "item-repeated")
    assert len(found.hits) == 11


def test_progress_names_what_is_done_now() -> None:
    """No phase stays at its end while others run."""
    calls: list[tuple[str, int, int]] = []
    source = FINDINGS / "source"
    validate(
        FINDINGS / "source-image-missing.json",
        against=source,
        images=source / "image",
        progress=lambda *call: calls.append(call),
    )
    phases = [phase for n, (phase, *_) in enumerate(calls) if not n or calls[n - 1][0] != phase]
    assert phases == [
        "looking for images",
        "looking for annotation files",
        "reading source-image-missing.json",
        "checking annotations",
        "checking the file as a whole",
        "reading image headers",
        "checking the file as a whole",
        "comparing with the source",
        "checking the file as a whole",
        "going through pycocotools",
    ]


# ---------------------------------------------------------------- near misses


@pytest.fixture(scope="module")
def clean() -> dict[str, Any]:
    """Two images with three items of DeepFashion2, boxes and masks."""
    document: dict[str, Any] = json.loads((FINDINGS / "source-image-missing.json").read_text())
    return document


@pytest.fixture(scope="module")
def posed() -> dict[str, Any]:
    """Two toys with 17 landmarks, of another dataset."""
    document: dict[str, Any] = json.loads((FINDINGS / "licenses-missing.json").read_text())
    return document | {"licenses": []}


def set_in(where: str, name: str, value: Any) -> Any:
    """Sets a field of the first entry in a list."""
    return lambda document: document[where][0].update({name: value})


BOX = [10.0, 10.0, 60.0, 10.0, 60.0, 70.0, 10.0, 70.0]
BARELY: list[tuple[str, str, Any]] = [
    ("bbox-small", "clean", lambda d: thin(d, 1.0)),
    ("bbox-empty", "clean", lambda d: thin(d, 0.01)),
    ("bbox-outside", "clean", set_in("annotations", "bbox", [10.0, 10.0, 90.005, 60.0])),
    ("bbox-outside", "clean", set_in("annotations", "bbox", [0.0, 0.0, 60.0, 70.0])),
    ("bbox-integers", "clean", set_in("annotations", "bbox", [10, 10, 50, 60.0])),
    ("polygon-integers", "clean", set_in("annotations", "segmentation", [[10.0, *map(int, BOX[1:])]])),
    ("polygon-malformed", "clean", set_in("annotations", "segmentation", [BOX[:6]])),
    ("polygon-outside", "clean", lambda d: grow(d, 102.9)),
    ("area-not-positive", "clean", set_in("annotations", "area", 0.001)),
    ("area-unexplained", "clean", set_in("annotations", "area", 3000 * 1.09)),
    ("area-of-box", "clean", set_in("annotations", "area", 3000.1)),
    ("area-unexplained", "clean", lambda d: stripe(d, 1)),
    ("annotation-key-missing", "clean", lambda d: [e.update(iscrowd=0) for e in d["annotations"]]),
    ("keypoints-length", "posed", lambda d: d["categories"][0]["keypoints"].append("p18")),
    ("keypoints-length", "posed", lambda d: d["categories"][0]["keypoints"].pop()),
    ("keypoints-names", "posed", lambda d: d["annotations"][0]["keypoints"].extend([0, 0, 0])),
    ("keypoints-names", "posed", lambda d: d["categories"].append({"id": 2, "name": "b", "keypoints": ["c"]})),
    ("score-imperfect", "clean", lambda d: many(d, 120)),
    ("annotation-id-duplicate", "clean", set_in("annotations", "id", 99)),
    ("mask-empty", "clean", set_in("annotations", "segmentation", [[10.0, 10, 12, 10, 12, 12]])),
    ("box-not-of-mask", "clean", set_in("annotations", "bbox", [10.0, 10.0, 65.0, 85.0])),
    ("coordinates-in-fractions", "clean", set_in("annotations", "bbox", [0.5, 0.5, 1.5, 1.0])),
    ("annotation-id-zero", "clean", set_in("annotations", "id", 7)),
    ("annotation-id-type", "clean", set_in("annotations", "id", 7.0)),
    ("annotation-id-type", "clean", set_in("annotations", "id", (1 << 63) - 1)),
    ("sizes-unknown", "clean", lambda d: d["info"]["df2coco"].pop("image_sizes")),
    ("id-large", "clean", set_in("annotations", "id", (1 << 31) - 1)),
    ("iscrowd-malformed", "clean", set_in("annotations", "iscrowd", False)),
    ("iscrowd-set", "clean", set_in("annotations", "iscrowd", False)),
    ("number-as-decimal", "clean", set_in("annotations", "iscrowd", False)),
    ("number-as-decimal", "clean", set_in("annotations", "area", 3000.0)),
    ("ignore-set", "clean", set_in("annotations", "ignore", 0)),
    *(
        ("attribute-range", "clean", set_in("annotations", name, value))
        for name in ("scale", "occlusion", "zoom_in", "viewpoint")
        for value in (1, 3, 3.0, None)
    ),
    ("item-repeated", "clean", lambda d: twice(d, bbox=[11.5, 10.0, 50.0, 60.0])),
    ("item-repeated", "clean", lambda d: twice(d, segmentation=[[12.0, 10.0, *BOX[2:6], 12.0, 70.0]])),
    ("item-repeated", "clean", lambda d: [e.update(bbox=[10.0, 10.0, 4.0, 4.0], segmentation=[]) for e in (d["annotations"][0], twice(d))] and d["annotations"][-1].update(bbox=[11.0, 10.0, 4.0, 4.0])),
    ("box-not-of-mask", "clean", lambda d: copies(d, 5, bbox=[10.0, 10.0, 57.5, 60.0])),
    ("box-not-of-mask", "clean", lambda d: copies(d, 5, segmentation=[[*BOX, *BOX[:2]]])),
    ("box-not-of-mask", "clean", lambda d: copies(d, 5, segmentation=[[10.0, 10.0, 10.0, 70.0, 60.0, 70.0, 60.0, 10.0]])),
    ("box-not-of-mask", "clean", lambda d: copies(d, 5, iscrowd=1, bbox=[20.0, 10.0, 50.0, 60.0])),
    ("box-not-of-mask", "clean", lambda d: [e.update(bbox=[e["bbox"][0] + 3.0, *e["bbox"][1:]]) for e in d["annotations"]]),
    ("box-not-of-mask", "pair", lambda d: padded(d, 14)),
    ("box-not-of-mask", "pair", lambda d: padded(d, 14, bbox=[0.0, 22.0, 88.0, 118.0])),
    ("box-not-of-mask", "pair", lambda d: [copies(d, 9), wider(d, [0, 0, 0, 0, 0, 0, 0, 5, 5, 5, 12])]),
    ("box-not-of-mask", "pair", lambda d: [copies(d, 9), wider(d, [0, 0, 0, 0, 0, 12, 14, 16, 18, 20, 22])]),
    ("landmarks-not-of-mask", "pair", lambda d: outlined(d, None)),
    ("landmarks-not-of-mask", "pair", lambda d: outlined(d, lambda p: [(x + 3, y) for x, y in p])),
    ("landmarks-not-of-mask", "pair", lambda d: outlined(d, lambda p: [(90, 50)] * 10 + p[10:])),
    ("landmarks-not-of-mask", "pair", lambda d: outlined(d, lambda p: p[::-1])),
    ("landmarks-not-of-mask", "pair", lambda d: outlined(d, None, lambda p: p[::-1])),
    ("landmarks-not-of-mask", "pair", lambda d: [shirts(d), outlined(d, lambda p: [(30, 100)] * len(p))]),
    ("landmarks-not-of-mask", "pair", lambda d: [shirts(d), copies(d, 5), points(d, lambda x, y: (x + 30, y), 6)]),
    ("landmarks-not-of-mask", "pair", lambda d: [shirts(d), copies(d, 5), points(d, lambda x, y: (x + 45, y), 6), occluded(d, 6)]),
    ("landmarks-reversed", "pair", lambda d: flared(d)),
    ("landmarks-reversed", "pair", lambda d: flared(d, reverse=True, landmarks=6)),
    ("landmarks-reversed", "pair", lambda d: [flared(d, reverse=True), d["categories"][0].update(name="hat")]),
    ("landmarks-reversed", "pair", lambda d: [flared(d), points(d, lambda x, y: (80 - x, y))]),
    ("sizes-too-large", "pair", lambda d: [shirts(d), copies(d, 9), [e.update(bbox=[0.0, 0.0, 60.0, 130.0]) for e in d["annotations"]]]),
    ("sizes-too-large", "pair", lambda d: [shirts(d), copies(d, 9), [e.update(width=400, height=320) for e in d["images"]]]),
    ("crowds-only", "posed", lambda d: d["annotations"][0].update(iscrowd=1)),
    ("crowds-only", "posed", lambda d: [d["categories"].append({"id": 2, "name": "b"}), d["annotations"][0].update(category_id=2, iscrowd=1)]),
    ("landmarks-absent", "posed", lambda d: d["annotations"][0].update(keypoints=[0] * 51, num_keypoints=0)),
    ("landmarks-absent", "posed", lambda d: nothing_labelled(d)),
    ("file-name-outside", "clean", set_in("images", "file_name", "a./b/c.")),
    ("sizes-too-large", "clean", lambda d: d["images"].append(d["images"][0] | {"id": 9, "file_name": "c.jpg"})),
    ("item-repeated", "clean", lambda d: twice(d, category_id=8)),
    ("item-repeated", "clean", lambda d: twice(d, image_id=2)),
    ("item-repeated", "clean", lambda d: [twice(d), *(e.update(id=str(e["id"])) for e in d["images"])] and [e.update(image_id=str(number)) for number, e in enumerate(d["annotations"], 1)]),
    ("item-repeated", "posed", lambda d: twice(d, keypoints=[41, *d["annotations"][0]["keypoints"][1:]])),
    ("items-too-many", "clean", lambda d: many(d, 99)),
    ("items-too-many", "posed", lambda d: many(d, 19)),
    ("items-too-many", "posed", lambda d: [e.update(iscrowd=1) for e in many(d, 30)]),
    ("image-size-type", "clean", set_in("images", "width", 65_535)),
    ("image-size-type", "clean", set_in("images", "height", 1)),
    ("file-name-outside", "clean", set_in("images", "file_name", "a/..b/c..jpg")),
    ("file-name-outside", "clean", set_in("images", "file_name", "https://a.org/../b.jpg")),
    ("file-name-address", "clean", set_in("images", "file_name", "http/s3/a.jpg")),
    ("file-name-backslash", "clean", set_in("images", "file_name", "a/b.jpg")),
    ("file-name-unicode", "clean", set_in("images", "file_name", "caf\u00e9.jpg")),
    ("file-name-duplicate", "clean", set_in("images", "file_name", "a/000002.jpg")),
    ("image-without-annotations", "clean", lambda d: d["annotations"].pop(0)),
    ("segmentation-empty", "clean", lambda d: [e.update(segmentation=[]) for e in d["annotations"]]),
    ("segmentation-missing", "clean", lambda d: [e.pop("segmentation") for e in d["annotations"]]),
    ("no-segmentations", "clean", lambda d: [e.update(segmentation=[]) for e in d["annotations"][1:]]),
    ("segmentation-rle", "clean", lambda d: crowd(d)),
    ("category-order", "posed", lambda d: d["categories"].append({"id": 5, "name": "b"})),
    ("category-id-gaps", "posed", lambda d: d["categories"].append({"id": 2, "name": "b"})),
    ("category-renamed", "clean", set_in("categories", "name", "short_sleeved_shirt")),
    ("category-renamed", "clean", lambda d: shift(d, -1)),
    ("image-unknown", "clean", lambda d: [e.update(id=f"{e['id']:06d}") for e in d["images"]]),
    ("category-unknown", "clean", lambda d: [e.update(id=str(e["id"])) for e in d["categories"]]),
    ("image-id-duplicate", "clean", lambda d: [e.update(id=None) for e in d["images"]]),
    ("category-id-gaps", "clean", lambda d: shift(d, -1)),
    ("category-numbered-from-0", "clean", lambda d: shift(d, 0)),
    ("category-numbered-from-0", "clean", lambda d: shift(d, 1)),
    ("category-absent", "clean", lambda d: keep_category(d, 9)),
    ("landmark-outside", "posed", lambda d: d["annotations"][0]["keypoints"].__setitem__(0, 99)),
    ("landmark-outside", "posed", lambda d: d["annotations"][0]["keypoints"].__setitem__(0, 99.5)),
    ("landmark-outside", "posed", lambda d: d["annotations"][0]["keypoints"].__setitem__(0, -0.5)),
    ("landmark-at-origin", "posed", lambda d: d["annotations"][0]["keypoints"].__setitem__(0, 0)),
    ("landmark-at-origin", "posed", lambda d: unlabelled(d, 0)),
    ("landmark-visibility", "posed", lambda d: d["annotations"][0]["keypoints"].__setitem__(2, 1)),
    ("landmarks-not-of-box", "posed", lambda d: moved(d, 8)),
    ("num-keypoints-wrong", "posed", lambda d: unlabelled(d, 0)),
    ("keypoints-length", "posed", lambda _: None),
    ("landmark-name-duplicate", "posed", lambda _: None),
    ("skeleton-range", "posed", set_in("categories", "skeleton", [[1, 17]])),
    ("skeleton-range", "posed", lambda d: d["categories"][0].pop("keypoints")),
    ("skeleton-range", "posed", lambda d: nothing_labelled(d)),
    ("skeleton-missing", "posed", set_in("categories", "skeleton", [])),
    ("rle-malformed", "clean", lambda d: crowd(d)),
    ("not-finite", "clean", set_in("annotations", "text", "NaN")),
    ("not-finite", "clean", set_in("annotations", "hash", 10**400)),
    ("key-repeated", "clean", lambda d: d["info"].update(annotations=[], images=1)),
]  # fmt: skip
"""Code, the clean file, and a change that its check must not find."""


def thin(document: dict[str, Any], height: float) -> None:
    box = [10.0, 10.0, 60.0, 10.0, 60.0, 10.0 + height, 10.0, 10.0 + height]
    document["annotations"][0] |= {"bbox": [10.0, 10.0, 50.0, height], "segmentation": [box]}


def stripe(document: dict[str, Any], share: float) -> None:
    """A thin diagonal mask, whose pixels are many more than its exact area; `share` of that is area."""
    thin = [[10.0, 10.0, 60.0, 70.0, 59.0, 70.0, 9.0, 10.0]]
    document["annotations"][0] |= {"segmentation": thin, "area": 60.0 * share}


def grow(document: dict[str, Any], right: float) -> None:
    document["annotations"][0]["segmentation"] = [
        [10.0, 10.0, right, 10.0, right, 70.0, 10.0, 70.0]
    ]


def twice(document: dict[str, Any], **changes: Any) -> dict[str, Any]:
    document["annotations"].append(document["annotations"][0] | {"id": 99} | changes)
    last: dict[str, Any] = document["annotations"][-1]
    return last


def copies(document: dict[str, Any], count: int, **changes: Any) -> None:
    """So many further images with one item each, of which the last is changed."""
    image, item = document["images"][0], document["annotations"][0]
    for n in range(100, 100 + count):
        document["images"].append(image | {"id": n, "file_name": f"{n}.jpg"})
        document["annotations"].append(item | {"id": n, "image_id": n})
    document["annotations"][-1].update(changes)


def many(document: dict[str, Any], more: int) -> list[dict[str, Any]]:
    first = document["annotations"][0]
    new = [first | {"id": 100 + n, "bbox": [10.0, n / 10, 50.0, 60.0]} for n in range(more)]
    document["annotations"] = [first, *new]
    return new


def crowd(document: dict[str, Any]) -> None:
    rle = {"size": [100, 100], "counts": [1010, 3000, 5990]}
    document["annotations"][0] |= {"iscrowd": 1, "segmentation": rle}


def shift(document: dict[str, Any], by: int) -> None:
    for entry in document["categories"]:
        entry["id"] += by
    for entry in document["annotations"]:
        entry["category_id"] += by


def keep_category(document: dict[str, Any], category_id: int) -> None:
    document["categories"] = [c for c in document["categories"] if c["id"] == category_id]


def unlabelled(document: dict[str, Any], number: int) -> None:
    document["annotations"][0]["keypoints"][3 * number : 3 * number + 3] = [0, 0, 0]
    document["annotations"][0]["num_keypoints"] = 16


def nothing_labelled(document: dict[str, Any]) -> None:
    """Nothing says how many landmarks there are."""
    document["annotations"] = []
    for category in document["categories"]:
        category.pop("keypoints", None)


def moved(document: dict[str, Any], by: float) -> None:
    numbers = document["annotations"][0]["keypoints"]
    numbers[0::3] = [x - by for x in numbers[0::3]]


def changed(document: dict[str, Any], change: Any) -> dict[str, Any]:
    document = copy.deepcopy(document)
    change(document)
    return document


def examined(document: Any, folder: Path, **options: Any) -> Report:
    path = folder / "a.json"
    path.write_text(json.dumps(document))
    return validate(path, **options)


@pytest.mark.parametrize(
    "number", range(len(BARELY)), ids=[f"{b[0]}-{n}" for n, b in enumerate(BARELY)]
)
def test_near_misses_stay_silent(
    number: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    code, base, change = BARELY[number]
    document = changed(request.getfixturevalue(base), change)
    assert code in BY_CODE
    assert code not in codes(examined(document, tmp_path))


# ---------------------------------------------------------------- what must be found


W, H = 200, 160
SQUARE = [40.0, 30.0, 120.0, 30.0, 120.0, 130.0, 40.0, 130.0]


@pytest.fixture(scope="module")
def pair(posed: dict[str, Any]) -> dict[str, Any]:
    """An image with two short sleeve tops side by side, with 25 landmarks each."""
    document = copy.deepcopy(posed)
    names = [f"top_{n}" for n in range(25)]
    document["images"] = [{"id": 1, "file_name": "000001.jpg", "width": W, "height": H}]
    document["categories"] = [
        {"id": 1, "name": "short sleeve top", "supercategory": "clothes", "keypoints": names, "skeleton": []}
    ]  # fmt: skip
    document["annotations"] = []
    for number, left in enumerate((10, 100)):
        box = [float(left), 40.0, 60.0, 90.0]
        right = left + 60.0
        document["annotations"].append(
            {
                "id": number + 1, "image_id": 1, "category_id": 1, "bbox": box, "area": 5400.0, "iscrowd": 0,
                "segmentation": [[left + 0.0, 40.0, right, 40.0, right, 130.0, left + 0.0, 130.0]],
                "keypoints": [n for i in range(25) for n in (left + 12 * (i % 5) + 4, 45 + 18 * (i // 5), 2)],
                "num_keypoints": 25,
            }
        )  # fmt: skip
    return document


def points(document: dict[str, Any], move: Any, item: int = 0) -> None:
    numbers = [*document["annotations"][item]["keypoints"]]
    pairs = [move(x, y) for x, y in zip(numbers[0::3], numbers[1::3], strict=True)]
    numbers[0::3], numbers[1::3] = [p[0] for p in pairs], [p[1] for p in pairs]
    document["annotations"][item]["keypoints"] = numbers


def box(document: dict[str, Any], *numbers: float, item: int = 1) -> None:
    document["annotations"][item]["bbox"] = [float(n) for n in numbers]


def outside(document: dict[str, Any], count: int) -> None:
    """So many of the first item's 25 landmarks are moved out of its box."""
    numbers = document["annotations"][0]["keypoints"]
    numbers[0 : 3 * count : 3] = [190] * count


def without_names(document: dict[str, Any], length: int) -> None:
    del document["categories"][0]["keypoints"], document["categories"][0]["skeleton"]
    for each in document["annotations"]:
        each["keypoints"] = each["keypoints"][:length]


def fractions(document: dict[str, Any]) -> None:
    for each in document["annotations"]:
        x, y, w, h = each["bbox"]
        each["bbox"] = [x / W, y / H, w / W, h / H]
        polygon = each["segmentation"][0]
        polygon[0::2], polygon[1::2] = (
            [x / W for x in polygon[0::2]],
            [y / H for y in polygon[1::2]],
        )


def padded(document: dict[str, Any], by: float, **changes: Any) -> None:
    """Boxes that are larger than their masks at each side, as those of other projects are."""
    for each in document["annotations"]:
        x, y, w, h = each["bbox"]
        each["bbox"] = [max(x - by, 0.0), y - by, w + 2 * by - max(by - x, 0.0), h + 2 * by]
    copies(document, 5, **changes)


def occluded(document: dict[str, Any], item: int) -> None:
    """What is not seen of an item may lie outside of what is."""
    document["annotations"][item]["keypoints"][2::3] = [1] * 25


def shirts(document: dict[str, Any]) -> None:
    """No garment of DeepFashion2."""
    document["categories"][0]["name"] = "shirt"


def wider(document: dict[str, Any], pixels: list[float]) -> None:
    for each, by in zip(document["annotations"], pixels, strict=True):
        each["bbox"] = [*each["bbox"][:2], 60.0 + by, 90.0]


def outlined(document: dict[str, Any], landmarks: Any, mask: Any = None) -> None:
    """Triangles with landmarks on two of their sides, of which the last has its landmarks or its mask elsewhere."""
    ends = [(10.0, 40.0), (70.0, 130.0), (10.0, 130.0)]
    line = [(10 + 60 * i / 12, 40 + 90 * i / 12) for i in range(13)]
    line += [(10.0, 130 - 90 * i / 12) for i in range(12)]
    del document["annotations"][1]

    def item(points: Any, corners: Any) -> dict[str, Any]:
        numbers = [n for x, y in points for n in (round(x), round(y), 2)]
        mask = [[float(n) for corner in corners for n in corner]]
        return {"keypoints": numbers, "segmentation": mask, "area": 2700.0}

    document["annotations"][0] |= item(line, ends)
    copies(
        document, 5, **item(landmarks(line) if landmarks else line, mask(ends) if mask else ends)
    )


def flared(document: dict[str, Any], reverse: bool = False, landmarks: int = 8) -> None:
    """A skirt, of which some of its 8 landmarks are labelled."""
    outline = [(20, 42), (40, 42), (60, 42), (16, 80), (10, 128), (40, 129), (69, 128), (64, 80)]
    shown = [(x, y, 2) for x, y in outline[:landmarks]] + [(0, 0, 0)] * (8 - landmarks)
    document["categories"][0] |= {
        "id": 9,
        "name": "skirt",
        "keypoints": [f"s{n}" for n in range(8)],
    }
    numbers = [n for each in (shown[::-1] if reverse else shown) for n in each]
    for each in document["annotations"]:
        each |= {"category_id": 9, "keypoints": numbers, "num_keypoints": landmarks}


GROSS: list[tuple[str, Any, str]] = [
    ("box-not-of-mask", lambda d: box(d, 100, 40, 160, 130), "these fit as corners"),
    ("box-not-of-mask", lambda d: box(d, 10, 40, 70, 130, item=0), "these fit as corners"),
    ("box-not-of-mask", lambda d: box(d, 0, 0, 5, 5), ""),
    ("box-not-of-mask", lambda d: box(d, 1e6, 1e6, 1e-11, 1e-11), ""),  # x + width is x
    ("box-not-of-mask", lambda d: box(d, 0, 0, W, H), "the box is the whole image"),
    ("box-not-of-mask", lambda d: box(d, 130, 85, 60, 90), "these fit as centre"),
    ("box-not-of-mask", lambda d: box(d, 0.5, 0.25, 0.3, 0.5625), "these fit in fractions"),
    ("box-not-of-mask", lambda d: box(d, 50, 20, 30, 45), "these fit if they are doubled"),
    ("box-not-of-mask", lambda d: box(d, 200, 80, 120, 180), "these fit if they are halved"),
    ("box-not-of-mask", lambda d: box(d, 40, 40, 60, 90), "these fit mirrored"),
    ("box-not-of-mask", lambda d: box(d, 10, 40, 60, 90), "the box fits the mask of annotation 1"),
    (
        "box-not-of-mask",
        lambda d: d["annotations"][1].update(segmentation=d["annotations"][0]["segmentation"]),
        "the mask fits the box of annotation 1",
    ),
    (
        "landmarks-not-of-box",
        lambda d: d["annotations"][1].update(keypoints=d["annotations"][0]["keypoints"]),
        "they fit the box of annotation 1",
    ),
    ("landmarks-not-of-box", lambda d: points(d, lambda x, y: (x / 2, y / 2), 1), "they are doubled"),
    ("landmarks-not-of-box", lambda d: points(d, lambda x, y: (x / 2, y / 2), 0), "they are doubled"),
    ("landmarks-not-of-box", lambda d: points(d, lambda x, y: (2 * x, 2 * y), 1), "they are halved"),
    ("landmarks-not-of-box", lambda d: points(d, lambda x, y: (W - x, y)), "mirrored"),
    ("landmarks-not-of-box", lambda d: points(d, lambda x, y: (x / W, y / H)), "in fractions"),
    ("landmarks-not-of-box", lambda d: points(d, lambda x, y: (y, x), 1), "x and y exchanged"),
    ("landmark-at-origin", lambda d: d["annotations"][0]["keypoints"].__setitem__(slice(3, 5), [0, 0]), "landmark 2"),
    ("landmarks-not-of-box", lambda d: outside(d, 7), "7 of 25 lie outside"),
    ("coordinates-in-fractions", fractions, "bbox [0.05"),
    *(
        ("annotation-key-missing", lambda d, name=name: d["annotations"][1].pop(name), name)
        for name in ("id", "image_id", "category_id", "bbox", "area", "iscrowd")
    ),
    *(
        ("image-key-missing", lambda d, name=name: d["images"][0].pop(name), name)
        for name in ("id", "file_name", "width", "height")
    ),
    ("category-key-missing", lambda d: d["categories"].append({}), "id, name"),
    ("keypoints-length", lambda d: without_names(d, 50), "50 numbers"),
    ("keypoints-names", lambda d: d["categories"][0]["keypoints"].append("p26"), "26 names, 25 landmarks"),
    ("keypoints-names", lambda d: d["categories"][0]["keypoints"].pop(), "24 names, 25 landmarks"),
    ("area-unexplained", lambda d: d["annotations"][0].update(area=30.0, segmentation=[[10.0, 40.0, 70.0, 130.0, 70.0, 40.0, 10.0, 129.0]]), "area 30"),
    ("annotation-key-missing", lambda d: [e.pop("iscrowd") for e in d["annotations"]], "iscrowd of all 2 annotations"),
    ("annotation-id-duplicate", set_in("annotations", "id", 2), "annotations[0] of image 1, annotations[1] of image 1"),
    ("area-wrong", set_in("annotations", "area", 10**400), "area 1000"),
    ("polygon-malformed", set_in("annotations", "segmentation", SQUARE), "not in a list of its own"),
    ("polygon-malformed", set_in("annotations", "segmentation", [[[1, 2], [3, 4], [5, 6]]]), "pairs"),
    ("polygon-malformed", set_in("annotations", "segmentation", [[{"x": 1, "y": 2}]]), "points as objects"),
    ("polygon-malformed", set_in("annotations", "segmentation", [1e8, 0, 0, 0, 5, 5]), "list of its own"),
    ("polygon-malformed", set_in("annotations", "segmentation", [[1e8, 0.0, 0.0, 0.0, 5.0, 5.0]]), "too large"),
    ("polygon-malformed", set_in("annotations", "segmentation", [[1e8, 1e8, 1e8 + 5, 1e8, 1e8, 1e8 + 5]]), "too large"),
    ("polygon-malformed", set_in("annotations", "segmentation", [[10**400, 0, 0, 0, 5, 5]]), "too large"),
    ("polygon-malformed", set_in("annotations", "segmentation", [[10**400, 0.5, 0, 0, 5, 5]]), "too large"),
    ("polygon-malformed", set_in("annotations", "segmentation", None), "segmentation None"),
    ("polygon-malformed", set_in("annotations", "segmentation", [["1", "2", "3", "4", "5", "6"]]), "not all"),
    ("polygon-malformed", lambda d: d["annotations"][0]["segmentation"].append([1.0] * 4), "[1]: 4 numbers"),
    ("polygon-malformed", lambda d: d["annotations"][0]["segmentation"].append([1.0] * 7), "[1]: 7 numbers"),
    ("keypoints-no-numbers", lambda d: d["annotations"][0]["keypoints"].__setitem__(4, "7"), "'7'"),
    ("keypoints-no-numbers", lambda d: d["annotations"][0]["keypoints"].__setitem__(4, 1e8), "too large"),
    ("keypoints-no-numbers", lambda d: d["annotations"][0]["keypoints"].__setitem__(4, 10**400), "too large"),
    ("keypoints-length", lambda d: d["annotations"][0]["keypoints"].pop(), "74 numbers"),
    ("keypoints-length", set_in("annotations", "keypoints", None), "not a list"),
    ("keypoints-length", set_in("annotations", "keypoints", {}), "not a list"),
    ("bbox-outside", lambda d: box(d, 120, -0.5, 60, 90), "bbox"),
    ("bbox-outside", lambda d: box(d, -0.5, 40, 60, 90), "bbox"),
    ("bbox-outside", lambda d: box(d, 120, 72, 60, 90), "bbox"),
    ("bbox-outside", lambda d: box(d, 150, 40, 60, 90), "bbox"),
    ("bbox-outside", lambda d: box(d, 100, 40, 160, 130), "as corners"),
    ("bbox-empty", lambda d: box(d, 120, 40, 60, 0), "bbox"),
    ("bbox-empty", lambda d: box(d, 120, 40, -60, 90), "bbox"),
    ("bbox-malformed", set_in("annotations", "bbox", [1.0, 2.0, 3.0]), "bbox [1.0, 2.0, 3.0]"),
    ("bbox-malformed", set_in("annotations", "bbox", ["1", 2, 3, 4]), "bbox"),
    ("bbox-malformed", set_in("annotations", "bbox", None), "bbox None"),
    ("image-size-type", set_in("images", "width", 200.0), "width 200.0"),
    ("image-size-type", set_in("images", "height", 160.5), "height 160.5"),
    ("image-size-type", set_in("images", "height", 0), "height 0"),
    ("image-size-type", set_in("images", "width", 65_536), "width 65536"),
    ("image-size-type", lambda d: d["images"][0].update(width=60_000, height=60_000), "60000 x 60000"),
    ("image-id-type", lambda d: renumbered(d, str), "id '1'"),
    ("image-id-type", lambda d: renumbered(d, lambda n: -n), "id -1"),
    ("image-id-type", lambda d: renumbered(d, lambda n: n + 0.5), "id 1.5"),
    ("image-id-type", lambda d: renumbered(d, lambda n: n + (1 << 63)), "id 9223372036854775809"),
    ("annotation-id-type", set_in("annotations", "image_id", "1"), "image_id '1'"),
    ("annotation-id-type", set_in("annotations", "category_id", True), "category_id True"),
    ("annotation-id-type", set_in("annotations", "id", -1), "id -1"),
    ("annotation-id-type", set_in("annotations", "id", None), "id None"),
    ("number-as-decimal", lambda d: renumbered(d, float), "images[].id: 1 times"),
    ("number-as-decimal", set_in("annotations", "scale", 2.0), "annotations[].scale: 1 times"),
    ("number-as-decimal", set_in("categories", "id", 1.0), "categories[].id: 1 times"),
    ("iscrowd-malformed", set_in("annotations", "iscrowd", None), "iscrowd None"),
    ("iscrowd-malformed", set_in("annotations", "iscrowd", 2), "iscrowd 2"),
    ("iscrowd-malformed", set_in("annotations", "iscrowd", "0"), "iscrowd '0'"),
    ("iscrowd-malformed", set_in("annotations", "iscrowd", [1]), "iscrowd [1]"),
    *(
        ("attribute-range", set_in("annotations", name, value), f"{name} {value}")
        for name in ("scale", "occlusion", "zoom_in", "viewpoint")
        for value in (0, 4)
    ),
    *(
        ("attribute-type", set_in("annotations", name, value), f"{name} {value!r}")
        for name in ("scale", "occlusion", "zoom_in", "viewpoint", "style", "pair_id")
        for value in (2.5, True, "x")
    ),
    ("num-keypoints-type", set_in("annotations", "num_keypoints", -1), "num_keypoints -1"),
    ("num-keypoints-wrong", set_in("annotations", "num_keypoints", 0), "num_keypoints 0, 25 are"),
    ("num-keypoints-wrong", set_in("annotations", "num_keypoints", 26), "num_keypoints 26"),
    ("item-repeated", lambda d: twice(d, bbox=[11.0, 40.0, 60.0, 90.0]), "nearly the same as annotation 1"),
    ("item-repeated", lambda d: twice(d, bbox=[9.6, 40.4, 60.0, 90.0], segmentation=[[9.6, 40.4, 69.6, 40.4, 69.6, 130.4, 9.6, 130.4]]), "nearly the same"),
    ("item-repeated", lambda d: twice(d), "the same as annotation 1"),
    ("box-not-of-mask", lambda d: copies(d, 5, bbox=[22.0, 40.0, 60.0, 90.0]), "off by 12 pixels"),
    ("box-not-of-mask", lambda d: copies(d, 5, bbox=[10.0, 40.0, 90.0, 90.0]), "off by 30 pixels"),
    ("box-not-of-mask", lambda d: copies(d, 5, segmentation=[[25.0, 40.0, 85.0, 40.0, 85.0, 130.0, 25.0, 130.0]]), "off by 15 pixels"),
    ("box-not-of-mask", lambda d: [copies(d, 5), [e.update(bbox=[e["bbox"][0] + 10, 50.0, 60.0, 90.0]) for e in d["annotations"]]], "7 boxes lie 10, 10 pixels"),
    ("box-not-of-mask", lambda d: copies(d, 5, bbox=[40.0, 10.0, 90.0, 60.0]), "x and y exchanged"),
    ("box-not-of-mask", lambda d: copies(d, 5, bbox=[0.0, 20.0, 100.0, 130.0]), "off by 30 pixels"),
    ("box-not-of-mask", lambda d: padded(d, 14, bbox=[19.0, 30.0, 60.0, 105.0]), "off by 10 pixels"),
    ("landmarks-not-of-mask", lambda d: outlined(d, lambda p: [(x + 30, y) for x, y in p]), "pixels from the outline"),
    ("landmarks-not-of-mask", lambda d: outlined(d, lambda p: [(W - x, y) for x, y in p]), "pixels from the outline"),
    ("landmarks-not-of-mask", lambda d: outlined(d, lambda p: [(80 - x, y) for x, y in p]), "pixels from the outline"),
    ("landmarks-not-of-mask", lambda d: outlined(d, lambda p: [(y, x) for x, y in p]), "pixels from the outline"),
    ("landmarks-not-of-mask", lambda d: outlined(d, None, lambda p: [(80 - x, y) for x, y in p]), "pixels from the outline"),
    ("landmarks-not-of-mask", lambda d: [shirts(d), copies(d, 5), points(d, lambda x, y: (x + 45, y), 6)], "pixels from the outline"),
    ("landmarks-reversed", lambda d: flared(d, reverse=True), ""),
    ("crowds-only", lambda d: [d["categories"][0].update(name="shirt"), [e.update(iscrowd=1) for e in d["annotations"]]], "all 2 annotations"),
    ("crowds-only", lambda d: [d["categories"][0].update(name="shirt"), d["categories"].append({"id": 2, "name": "b"}), copies(d, 1, category_id=2), [e.update(iscrowd=1) for e in d["annotations"][:2]]], "all 2 annotations"),
    ("landmarks-absent", lambda d: [e.pop("keypoints") for e in d["annotations"]], "no annotation has"),
    ("landmarks-absent", lambda d: [e.update(keypoints=[0] * 75) for e in d["annotations"]], "no v is above 0"),
    ("file-name-outside", set_in("images", "file_name", "image/"), "'image/'"),
    ("file-name-outside", set_in("images", "file_name", "image/."), "'image/.'"),
    ("file-name-outside", set_in("images", "file_name", "a\0.jpg"), "a"),
    ("sizes-too-large", lambda d: [copies(d, 9), [e.update(width=400, height=320) for e in d["images"]]], "in none of 10 images"),
    ("area-wrong", set_in("annotations", "area", "5"), "area '5'"),
    ("area-wrong", set_in("annotations", "area", True), "area True"),
    ("area-not-positive", set_in("annotations", "area", 0), "area 0"),
    ("area-not-positive", set_in("annotations", "area", -5.0), "area -5.0"),
    ("area-unexplained", set_in("annotations", "area", 5400 * 1.12), "area 6048"),
    ("area-unexplained", set_in("annotations", "area", 5400 * 0.88), "area 4752"),
    ("file-name-outside", set_in("images", "file_name", "/data/a.jpg"), "'/data/a.jpg'"),
    ("file-name-outside", set_in("images", "file_name", "a/../../b.jpg"), "'a/../../b.jpg'"),
    ("file-name-outside", set_in("images", "file_name", "C:\\a.jpg"), "C:"),
    ("file-name-outside", set_in("images", "file_name", ""), "''"),
    ("file-name-outside", set_in("images", "file_name", "image/"), "'image/'"),
    ("file-name-outside", set_in("images", "file_name", None), "None"),
    ("file-name-address", set_in("images", "file_name", "s3://bucket/a.jpg"), "s3:"),
    ("landmark-elsewhere", lambda d: unified(d, 25), "landmark 26, its own are 1 to 25"),
    ("landmark-outside", lambda d: d["annotations"][0]["keypoints"].__setitem__(0, W), "in 200 x 160"),
    ("landmark-outside", lambda d: d["annotations"][0]["keypoints"].__setitem__(1, H), "in 200 x 160"),
    ("landmark-outside", lambda d: d["annotations"][0]["keypoints"].__setitem__(1, -1), "in 200 x 160"),
    ("skeleton-range", set_in("categories", "skeleton", [[1, 26]]), "[1, 26] among 25"),
    ("skeleton-malformed", set_in("categories", "skeleton", [["a", "b"]]), "skeleton"),
    ("skeleton-malformed", set_in("categories", "skeleton", 5), "skeleton 5"),
    ("items-too-many", lambda d: many(d, 20), "21 items with landmarks of category 1"),
    ("items-too-many", lambda d: many(d, 100), "101 items of category 1"),
    ("category-renamed", set_in("categories", "name", "Short-Sleeve_Top"), "expected 'short sleeve top'"),
    ("category-renamed", set_in("categories", "name", "ShortSleeveTop"), "expected 'short sleeve top'"),
    ("rle-malformed", set_in("annotations", "segmentation", {"size": [W, H], "counts": [W * H]}), "size [200, 160]"),
    ("rle-malformed", set_in("annotations", "segmentation", {"size": [H, W], "counts": [5]}), "counts"),
]  # fmt: skip
"""Code, what is done to two tops, and what the detail must say."""


def renumbered(document: dict[str, Any], change: Any) -> None:
    document["images"][0]["id"] = change(1)
    for each in document["annotations"]:
        each["image_id"] = change(1)


def unified(document: dict[str, Any], slot: int) -> None:
    """All 294 slots, one of another category labelled."""
    document["categories"][0]["keypoints"] = [f"slot_{n}" for n in range(294)]
    for each in document["annotations"]:
        each["keypoints"] += [0] * (3 * 294 - len(each["keypoints"]))
    numbers = document["annotations"][0]["keypoints"]
    numbers[3 * slot : 3 * slot + 3] = [20, 50, 2]
    document["annotations"][0]["num_keypoints"] = 26


@pytest.mark.parametrize(
    "number", range(len(GROSS)), ids=[f"{g[0]}-{n}" for n, g in enumerate(GROSS)]
)
def test_what_must_be_found(number: int, pair: dict[str, Any], tmp_path: Path) -> None:
    code, change, detail = GROSS[number]
    report = examined(changed(pair, change), tmp_path)
    found = {finding.check.code: finding.hits for finding in report.findings}
    assert any(detail in hit.detail for hit in found[code]), found


@pytest.mark.parametrize(
    ("part", "field"),
    [(p, f) for table in (FIELDS, DATASET_FIELDS) for p, fields in table.items() for f in fields],
)
def test_what_does_not_fit_the_schema_has_its_finding(
    part: str, field: str, pair: dict[str, Any], tmp_path: Path
) -> None:
    rule = {**FIELDS[part], **DATASET_FIELDS.get(part, {})}[field]
    value = next(each for each in ("x", 7) if not rule.fits(each))
    document = changed(pair, lambda d: d[part][0].update({field: value}))
    assert rule.code in codes(examined(document, tmp_path))


def test_two_tops_are_in_order(pair: dict[str, Any], tmp_path: Path) -> None:
    assert codes(examined(pair, tmp_path)) == {"landmarks-not-17"}


def test_landmarks_on_the_mask_may_leave_the_box(pair: dict[str, Any], tmp_path: Path) -> None:
    report = examined(changed(pair, lambda d: box(d, 10, 40, 31, 90, item=0)), tmp_path)
    assert codes(report) == {"landmarks-not-17"}


def test_a_few_landmarks_may_stray(pair: dict[str, Any], tmp_path: Path) -> None:
    report = examined(changed(pair, lambda d: outside(d, 6)), tmp_path)
    assert codes(report) == {"landmarks-not-17"}


# ---------------------------------------------------------------- pictures


def jpeg(width: int, height: int) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.effect_noise((width, height), 90).convert("RGB").save(stream, "JPEG")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (jpeg(W, H), set()),
        (jpeg(W + 1, H), {"picture-size"}),
        (jpeg(W, H + 1), {"picture-size"}),
        (jpeg(H, W), {"picture-size"}),
        (jpeg(W, H)[:-2000], {"picture-unreadable"}),
        (jpeg(W, H) + b"data of the camera", set()),
        (b"<html>", {"picture-unreadable"}),
    ],
    ids=["right", "wide", "high", "turned", "cut", "longer", "page"],
)
def test_pictures(picture: bytes, expected: set[str], pair: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "000001.jpg").write_bytes(picture)
    for decode in (False, True):
        report = examined(pair, tmp_path, images=tmp_path / "photos", decode=decode)
        assert codes(report) - {"landmarks-not-17"} == expected


def test_only_decoding_finds_damage_in_the_middle(pair: dict[str, Any], tmp_path: Path) -> None:
    from PIL import Image

    stream = io.BytesIO()
    Image.effect_noise((W, H), 90).save(stream, "PNG")
    damaged = bytearray(stream.getvalue())
    damaged[len(damaged) // 2] ^= 0xFF
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "000001.png").write_bytes(damaged)
    document = changed(pair, set_in("images", "file_name", "000001.png"))
    found = [
        codes(examined(document, tmp_path, images=tmp_path / "photos", decode=decode))
        for decode in (False, True)
    ]
    assert "picture-unreadable" not in found[0]
    assert "picture-unreadable" in found[1]


def test_each_kind_is_scored_against_itself() -> None:
    """Landmarks of one item that are also another's: boxes and masks can be told apart."""
    report = examine(FINDINGS / "score-imperfect.json")
    found = next(f for f in report.findings if f.check.code == "score-imperfect")
    assert {hit.detail.split()[0] for hit in found.hits} == {"keypoints"}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda d: renumbered(d, str), {"image-id-type"}),
        (lambda d: renumbered(d, float), {"number-as-decimal"}),
        (lambda d: renumbered(d, lambda n: -n), {"image-id-type"}),
        (set_in("annotations", "segmentation", SQUARE), {"polygon-malformed"}),
        (set_in("annotations", "segmentation", [[[1, 2], [3, 4], [5, 6]]]), {"polygon-malformed"}),
        (
            lambda d: d["annotations"][0]["segmentation"][0].__setitem__(1, True),
            {"polygon-malformed"},
        ),
        (lambda d: d["annotations"][0]["keypoints"].__setitem__(2, True), {"keypoints-no-numbers"}),
        (set_in("annotations", "iscrowd", None), {"iscrowd-malformed"}),
        (lambda d: [e.update(iscrowd=False) for e in d["annotations"]], set()),
        (lambda d: [e.update(segmentation=[]) for e in d["annotations"]], {"no-segmentations"}),
    ],
)
def test_one_defect_is_one_finding(
    change: Any, expected: set[str], pair: dict[str, Any], tmp_path: Path
) -> None:
    report = examined(changed(pair, change), tmp_path)
    assert codes(report) == expected | {"landmarks-not-17"}
    for finding in report.findings:
        assert len(set(finding.hits)) == len(finding.hits) <= 2


def test_fields_with_decimals_are_listed_in_one_order(pair: dict[str, Any], tmp_path: Path) -> None:
    document = copy.deepcopy(pair)
    for annotation in document["annotations"]:
        annotation.update(dict.fromkeys(("scale", "occlusion", "zoom_in", "viewpoint"), 1.0))
    (finding,) = (
        each
        for each in examined(document, tmp_path).findings
        if each.check.code == "number-as-decimal"
    )
    details = [hit.detail for hit in finding.hits]
    assert len(details) == 4
    assert details == sorted(details)


def test_other_datasets_hear_nothing_of_deepfashion2() -> None:
    """Checks of any file; the others look at garments only, or compare with the dataset."""
    for check in CHECKS:
        if not check.garments:
            text = " ".join((check.sentence, check.affects, check.cause, check.remedy))
            for word in (
                "DeepFashion",
                "official",
                "--preset",
                "df2coco convert",
                "metainfo prints",
            ):
                assert word not in text, check.code


@pytest.mark.parametrize("others", [["person", "shoe"], [f"class {n}" for n in range(1199)]])
def test_one_class_of_ours_does_not_make_a_file_ours(
    others: list[str], posed: dict[str, Any], tmp_path: Path
) -> None:
    document = copy.deepcopy(posed)
    document["categories"][0]["name"] = "vest"
    document["categories"] += [
        {"id": n, "name": name, "supercategory": "x"} for n, name in enumerate(others, start=2)
    ]
    assert codes(examined(document, tmp_path)) == set()


def test_a_good_file_prints_a_verdict_and_one_line_of_notes(
    pair: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(pair))
    code, out, _ = run(path)
    assert code == 0
    assert out.splitlines()[1:] == [
        "  1 image, 2 annotations, 1 category",
        "  pycocotools loads it; the annotations of 1 image scored as results: boxes",
        "  1.000, masks 1.000, landmarks 1.000",
        "",
        "notes: landmarks-not-17 (--notes shows them)",
        "valid: 0 errors, 0 warnings, 1 note",
    ]
    code, out, _ = run(path, "--notes")
    assert "note: landmarks-not-17\n  The number of landmarks is not the 17" in out


def test_findings_can_be_chosen() -> None:
    name = FINDINGS / "bbox-small.json"
    assert run(name, "--strict", "--ignore", "bbox-small")[0] == 0
    assert run(name, "--strict", "--select", "bbox-outside")[0] == 0
    code, text, _ = run(name, "--strict", "--select", "bbox-small")
    assert (code, text.splitlines()[-1]) == (1, "valid: 0 errors, 1 warning, 0 notes")
    text = run(name, "--ignore", "bbox-small")[1]
    assert text.endswith("valid: 0 errors, 0 warnings, 0 notes; 1 finding ignored\n")
    assert validate(name, ignore=["bbox-small"]).to_json()["ignored"] == ("bbox-small",)
    error = FINDINGS / "annotation-id-zero.json"
    assert run(error, "--ignore", "annotation-id-zero")[0] == 0
    assert run(error, "--ignore", "bbox-small")[0] == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--ignore", "bbox-smal"], "bbox-small"),
        (["--select", "nothing"], "no code 'nothing'"),
        (["--select", "picture-size"], "only runs with --images"),
        (["--select", "source-value"], "only runs with --against"),
        (["--quick", "--select", "mask-empty"], "only runs unless --quick"),
    ],
)
def test_a_finding_that_cannot_be_chosen(arguments: list[str], told: str) -> None:
    code, _, errors = run(CLEAN, *arguments)
    assert code == 2
    assert told in errors


def test_several_files_are_examined() -> None:
    bad = FINDINGS / "annotation-id-zero.json"
    assert run(CLEAN, CLEAN)[0] == 0
    code, text, _ = run(CLEAN, bad)
    assert code == 1
    assert str(CLEAN) in text
    assert str(bad) in text
    assert [each["file"] for each in json.loads(run(CLEAN, bad, "--json")[1])] == [
        str(CLEAN),
        str(bad),
    ]
    assert run(CLEAN, bad, "--against", FINDINGS / "source")[0] == 2


def test_explain_knows_every_code() -> None:
    importlib.import_module("df2coco.cli.validate")
    for check in CHECKS:
        result = CliRunner().invoke(app, ["explain", check.code])
        assert result.exit_code == 0
        assert check.code in result.stdout.splitlines()[0]
        assert " ".join(check.remedy.split()) in " ".join(result.stdout.split())
        assert max(map(len, result.stdout.splitlines()[:-1])) <= 100
        assert f"/checks/{check.code}/\n" in result.stdout  # a notice may have the code, too
    result = CliRunner().invoke(app, ["explain", "bbox-smal"])
    assert result.exit_code == 2
    assert "Did you mean bbox-small" in result.stderr


def test_explain_knows_the_notices_of_convert_and_lists_all() -> None:
    importlib.import_module("df2coco.cli.validate")
    codes = [*(check.code for check in CHECKS), *NOTICES]
    assert [
        line.strip()
        for line in CliRunner().invoke(app, ["explain"]).stdout.splitlines()
        if line[:1] == " "
    ] == codes
    for code, notice in NOTICES.items():
        for name in (code, code.upper()):
            result = CliRunner().invoke(app, ["explain", name])
            assert result.exit_code == 0
            assert f"{code} ({notice.level}; of the source" in result.stdout
            assert notice.sentence in " ".join(result.stdout.split())
    result = CliRunner().invoke(app, ["explain", "nonsense"])
    assert (result.exit_code, result.stdout) == (2, "")


def test_every_page_says_what_its_check_says() -> None:
    pages = check_pages()
    for check in CHECKS:
        page = pages[f"docs/checks/{check.code}.md"]
        for text in (f"# {check.code}\n", check.sentence, check.affects, check.cause, check.remedy):
            assert text in page


@pytest.mark.parametrize(
    ("where", "field"), [("images", "file_name"), ("images", "id"), ("categories", "name")]
)
@pytest.mark.parametrize("value", [dict.fromkeys(map(str, range(9999)), 1), "/" + "a" * 99999])
def test_no_value_fills_the_report(
    where: str, field: str, value: Any, clean: dict[str, Any], tmp_path: Path
) -> None:
    document = changed(clean, set_in(where, field, value))
    path = tmp_path / "long.json"
    path.write_text(json.dumps(document))
    for options in ((), ("--json",)):
        _, out, _ = run("validate", path, *options)
        assert len(out) < 10_000


def test_equal_ids_are_shown_by_their_places(clean: dict[str, Any], tmp_path: Path) -> None:
    document = copy.deepcopy(clean)
    for name, count in (("images", 5), ("categories", 2)):
        first = document[name][0]
        document[name] += [first | {"file_name": f"{n}.jpg"} for n in range(1, count)]
    path = tmp_path / "a.json"
    path.write_text(json.dumps(document))
    _, out, _ = run(path, "--quick")
    text = " ".join(out.split())
    (image, category) = (document[name][0] for name in ("images", "categories"))
    at = len(document["images"]) - 4
    told = f"images[0] '{image['file_name']}', images[{at}] '1.jpg', images[{at + 1}] '2.jpg', ... 5 in all"
    assert f"image {image['id']}: {told}" in text
    last = len(document["categories"]) - 1
    name = category["name"]
    assert f"categories[0] '{name}', categories[{last}] '{name}'" in text
    found = json.loads(run(path, "--quick", "--json")[1])["findings"]
    (same,) = (each for each in found if each["code"] == "image-id-duplicate")
    assert (same["count"], same["ids"]) == (1, [image["id"]])


def test_each_file_is_compared_with_its_split(tmp_path: Path) -> None:
    files = {}
    for split in ("train", "validation"):
        copy_tree(FINDINGS / "source", tmp_path / "root" / split)
        files[split] = tmp_path / f"keypoints_{split}.json"
        shutil.copy(CLEAN, files[split])
    first = next((tmp_path / "root" / "validation" / "annos").iterdir())
    first.write_text(first.read_text().replace('"style": ', '"style": 9'))
    code, out, _ = run(*files.values(), "--against", tmp_path / "root", "--json")
    reports = json.loads(out)
    assert code == 1
    assert [Path(each["compared_with"]).parent.name for each in reports] == list(files)
    assert [[f["code"] for f in each["findings"]] for each in reports] == [[], ["source-value"]]
    assert run(files["train"], files["train"], "--against", tmp_path / "root")[0] == 0
    code, _, error = run(*files.values(), "--against", tmp_path / "root" / "train")
    assert (code, "is one split. Name the root of the splits of all files." in error) == (2, True)
    other = files["train"].rename(tmp_path / "a.json")
    code, _, error = run(other, files["validation"], "--against", tmp_path / "root")
    assert (code, "several splits (train, validation)" in error) == (2, True)
