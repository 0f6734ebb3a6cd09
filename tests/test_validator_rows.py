"""Annotations that are decoded and checked at once give the findings of those that are read as objects."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import df2coco.cli.convert  # noqa: F401
from df2coco.cli.app import app
from df2coco.errors import CocoFileError
from df2coco.layouts import own_slots
from df2coco.taxonomy import CATEGORIES, NUM_LANDMARKS
from df2coco.validator import validate

FIXTURES: Final = Path(__file__).resolve().parent.parent / "fixtures"
DECODE: Final = "df2coco.validator.examination.decode_rows"
PARSE: Final = "df2coco.validator.examination.parse_list"


def _zeros() -> list[Any]:
    return [0] * (3 * NUM_LANDMARKS)


def _annotation(number: int, category_id: int, slots: int = NUM_LANDMARKS) -> dict[str, Any]:
    """A garment in the middle of an image of 400 x 300, on whose outline all its landmarks lie."""
    category = CATEGORIES[category_id - 1]
    keypoints = [0] * (3 * slots)
    for place, slot in enumerate(own_slots(category, slots) or ()):
        keypoints[3 * slot : 3 * slot + 3] = [
            110 + 37 * place % 180,
            100 + 53 * place % 130,
            1 + place % 2,
        ]
    return {
        "id": number,
        "image_id": 1 + number % 2,
        "category_id": category_id,
        "bbox": [100.5, 90.5, 200.0, 150.0],
        "area": 30000,
        "iscrowd": 0,
        "segmentation": [
            [100.5, 90.5, 300.5, 90.5, 300.5, 240.5, 100.5, 240.5],
            [110.5, 95.5, 290.5, 95.5, 290.5, 130.5],
        ],
        "keypoints": keypoints,
        "num_keypoints": category.num_landmarks,
        "pair_id": 1,
        "style": 0,
        "scale": 2,
        "occlusion": 1,
        "zoom_in": 3,
        "viewpoint": 2,
        "item": f"item{number}",
    }


def _document() -> dict[str, Any]:
    names = [
        f"{category.name}_{n}" for category in CATEGORIES for n in range(category.num_landmarks)
    ]
    return {
        "info": {},
        "licenses": [],
        "categories": [
            {
                "id": category.id,
                "name": category.name,
                "supercategory": "clothes",
                "keypoints": names,
            }
            for category in CATEGORIES
        ],
        "images": [
            {"id": n, "file_name": f"{n:06}.jpg", "width": 400, "height": 300} for n in (1, 2)
        ],
        # The first category and the last have nothing before or behind their slots.
        "annotations": [_annotation(n, category) for n, category in enumerate((1, 5, 13, 8), 1)],
    }


def _outcome(path: Path, **options: Any) -> Any:
    try:
        report = validate(path, **options)
    except CocoFileError as error:
        return str(error)
    return report.findings, report.loaded, report.annotations


def _both(path: Path, **options: Any) -> tuple[Any, Any]:
    """What is found in rows, and in objects."""
    rows = _outcome(path, **options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DECODE, lambda *_: None)
        return rows, _outcome(path, **options)


def _takes_rows(path: Path) -> bool:
    """Whether all annotations of a file are decoded at once."""

    def refuse(_: bytes) -> None:
        raise AssertionError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PARSE, refuse)
        try:
            validate(path, quick=True)
        except AssertionError:
            return False
    return True


# ---------------------------------------------------------------- files as they are


@pytest.mark.parametrize(
    "path",
    sorted((*(FIXTURES / "findings").glob("*.json"), *(FIXTURES / "malformed").glob("*.json"))),
    ids=lambda path: f"{path.parent.name}/{path.stem}",
)
def test_every_fixture_has_the_same_findings(path: Path) -> None:
    rows, objects = _both(path)
    assert rows == objects


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--layout", "category"],
        ["--layout", "aggregated"],
        ["--task", "instances"],
        ["--preset", "official"],
        ["--area", "box"],
    ],
    ids=" ".join,
)
def test_what_convert_writes_is_decoded_at_once(
    options: list[str], validation: Path, tmp_path: Path
) -> None:
    path = tmp_path / "a.json"
    run = CliRunner().invoke(app, ["convert", str(validation), str(path), "--quiet", *options])
    assert run.exit_code == 0, run.output
    assert _takes_rows(path)
    rows, objects = _both(path)
    assert rows == objects
    # Also as Python's json writes it.
    path.write_text(json.dumps(json.loads(path.read_text())))
    assert _takes_rows(path)
    assert _both(path) == (rows, rows)


def test_a_good_file_has_no_finding(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(_document()))
    assert _takes_rows(path)
    (findings, loaded, count), objects = _both(path)
    assert {found.check.code for found in findings} <= {
        "landmarks-not-17",
        "skeleton-missing",
        "area-of-box",
    }
    assert (loaded, count) == (True, 4)
    assert objects == (findings, loaded, count)


# ---------------------------------------------------------------- what must be left to the other way

Change = Callable[[dict[str, Any]], Any]


def _set(name: str, value: Any) -> Change:
    return lambda entry: entry.__setitem__(name, value)


def _in(name: str, place: int, value: Any) -> Change:
    return lambda entry: entry[name].__setitem__(place, value)


_OWN: Final = CATEGORIES[4].slots.start + 2
"""A slot in the middle of those of the annotation that is changed."""

REFUSED: Final[dict[str, Change]] = {
    "unknown field": _set("score", 0.5),
    "escape in a text": _set("item", 'a"b'),
    "crowd as true": _set("iscrowd", True),
    "id as decimal": _set("id", 3.0),
    "id as text": _set("id", "3"),
    "id below 0": _set("id", -1),
    "box of 3": lambda entry: entry["bbox"].pop(),
    "box too large": _in("bbox", 2, 1e8),
    "RLE": _set("segmentation", {"size": [300, 400], "counts": [120000]}),
    "flat polygon": _set("segmentation", [1.5, 1.5, 9.5, 1.5, 9.5, 9.5]),
    "polygon of 2 points": _in("segmentation", 1, [1.5, 1.5, 9.5, 1.5]),
    "polygon with a number too many": _in("segmentation", 1, [1.5, 1.5, 9.5, 1.5, 9.5, 9.5, 3.5]),
    "empty polygon": _in("segmentation", 1, []),
    "number among polygons": _in("segmentation", 1, 7),
    "polygon in polygon": _in("segmentation", 1, [[1.5, 1.5, 9.5, 1.5, 9.5, 9.5]]),
    "points as pairs": _set("segmentation", [[[1, 2], [3, 4], [5, 6]]]),
    "polygon too far": lambda entry: entry["segmentation"][1].__setitem__(0, 1e5),
    "no segmentation but null": _set("segmentation", None),
    "keypoints null": _set("keypoints", None),
    "keypoints an object": _set("keypoints", {"a": [1, 2, 3]}),
    "keypoints in lists": _set("keypoints", [[1, 2, 2]] * NUM_LANDMARKS),
    "keypoints of texts": _in("keypoints", 0, "]"),
    "keypoints with true": _in("keypoints", 2, True),
    "keypoints too large": _in("keypoints", 0, 1e9),
    "a slot more among its own": lambda entry: entry["keypoints"].__setitem__(
        slice(3 * _OWN, 3 * _OWN), [120, 130, 2]
    ),
    "a slot fewer among its own": lambda entry: entry["keypoints"].__delitem__(
        slice(3 * _OWN, 3 * _OWN + 3)
    ),
    "num_keypoints missing": lambda entry: entry.pop("num_keypoints"),
    "num_keypoints null": _set("num_keypoints", None),
    "style as text": _set("style", "1"),
    "scale as decimal": _set("scale", 1.0),
    "area as text": _set("area", "1"),
    "area missing": lambda entry: entry.pop("area"),
    "area beyond 64 bits": _set("area", 10**30),
}

TAKEN: Final[dict[str, Change]] = {
    "as it is": lambda _: None,
    "id 0": _set("id", 0),
    "id twice": _set("id", 1),
    "image unknown": _set("image_id", 77),
    "category unknown": _set("category_id", 77),
    "crowd": _set("iscrowd", 1),
    "box of integers": _set("bbox", [100, 90, 200, 150]),
    "box with an integer": _in("bbox", 0, 100),
    "box empty": _in("bbox", 2, 0.0),
    "box outside": _in("bbox", 0, 390.5),
    "area 0": _set("area", 0),
    "area wrong": _set("area", 77.5),
    "polygon of integers": _in("segmentation", 1, [110, 95, 290, 95, 290, 130]),
    "polygon that ends with an integer": _in("segmentation", 1, [110.5, 95, 290, 95, 290, 130]),
    "polygon that begins with an integer": _in("segmentation", 1, [110, 95, 290, 95, 290, 130.5]),
    "polygon outside": _in("segmentation", 1, [-9.5, 1.5, 290.5, 95.5, 290.5, 130.5]),
    "polygon written as 1e2": _in("segmentation", 1, [1e22 / 1e20, 1.5, 290.5, 95.5, 290.5, 130.5]),
    "polygons empty": _set("segmentation", []),
    "polygons missing": lambda entry: entry.pop("segmentation"),
    "many polygons": lambda entry: entry["segmentation"].extend(
        [[0.0, 0.0, 9e3, 0.0, 9e3, 9e3]] * 300
    ),
    "keypoints empty": _set("keypoints", []),
    "keypoints missing": lambda entry: entry.pop("keypoints"),
    "keypoints of 2 numbers": _set("keypoints", [1, 2]),
    "keypoints of 17": _set("keypoints", [120, 130, 2] * 17),
    "keypoints all 0": _set("keypoints", _zeros()),
    "keypoints all 0.0": _set("keypoints", [0.0] * 882),
    "keypoints as floats": lambda entry: entry.update(
        keypoints=[float(n) for n in entry["keypoints"]]
    ),
    "one keypoint as float": lambda entry: entry.update(
        keypoints=[float(n) if n == 110 else n for n in entry["keypoints"]]
    ),
    "own keypoints twice": lambda entry: entry.update(keypoints=[*entry["keypoints"], 1, 1, 1]),
    "one slot too few": lambda entry: entry.update(keypoints=entry["keypoints"][:-3]),
    "landmark of another category": _in("keypoints", 3 * 30, 120),
    "landmark of another, labelled": lambda entry: entry["keypoints"].__setitem__(
        slice(600, 603), [9, 9, 2]
    ),
    "landmark outside": lambda entry: entry.update(
        keypoints=[900 if n == 110 else n for n in entry["keypoints"]]
    ),
    "num_keypoints wrong": _set("num_keypoints", 2),
    "scale 7": _set("scale", 7),
    "style null": _set("style", None),
    "the same item twice": lambda entry: entry.update(_annotation(1, 1), id=2),
    "key in a text": _set("item", "keypoints"),
}


@pytest.mark.parametrize("change", REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_is_read_as_objects(change: Change, tmp_path: Path) -> None:
    document = _document()
    change(document["annotations"][1])
    path = tmp_path / "a.json"
    path.write_text(json.dumps(document, separators=(",", ":")))
    assert not _takes_rows(path)
    rows, objects = _both(path)
    assert rows == objects


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
@pytest.mark.parametrize("name", TAKEN)
def test_what_fits_has_the_same_findings(
    name: str, separators: tuple[str, str], tmp_path: Path
) -> None:
    document = _document()
    TAKEN[name](document["annotations"][1])
    path = tmp_path / "a.json"
    path.write_text(json.dumps(document, separators=separators))
    assert _takes_rows(path) == (name != "key in a text")
    rows, objects = _both(path)
    assert rows == objects


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"item":"item2"', '"item":"item2","keypoints":[1,2,3]'),
        ('"item":"item2"', '"item":"item2","keypoints":1'),
        ('"item":"item2"', '"item":"item2","keypoints" :1'),
        ('"item":"item2"', '"item":"item2","keypoints":"[1]"'),
        ('"item":"item2"', '"item":"item2","\\u006beypoints":1'),
        ('"item":"item2"', '"item":"item2","segmentation":[]'),
        ('"item":"item2"', '"item":"item2","segmentation":1'),
        (
            '"item":"item2"',
            '"item":"item2","segmentation":[[1.5,1.5,9.5,1.5,9.5,9.5]],"keypoints":[]',
        ),
        ('"item":"item2"', '"item":"\xff"'),
        (
            "[[100.5,90.5,300.5,90.5,300.5,240.5,100.5,240.5],[110.5,95.5,290.5,95.5,290.5,130.5]]",
            "[13.5,1.5,9.5,1.5,9.5,9.5]]",
        ),
        ('"item":"item2"', '"item":"a\tb"'),
        ('"keypoints":[0,', '"keypoints":[00,'),
        ('"keypoints":[0,', '"keypoints":[,'),
        ('"keypoints":[0,', '"keypoints":[0 0,'),
        ('"keypoints":[0,', '"keypoints":[-0,'),
        ('"keypoints":[0,', '"keypoints":[ 0,'),
        ('"keypoints":[0,', '"keypoints":[]'),
        ("]]", "],]"),
        ("]]", "]]]"),
        ("]]", "]"),
        ("[[", "[[["),
        ("[[", "[5,["),
        ("],[", "],5,["),
        ("],[", "] , ["),
        ("],[", "],[],["),
        ("],[", "]["),
        ("],[", ","),
        (",0,0,0,0,0]", ",0,0,0,0,0,]"),
        (",0,0,0,0,0]", ",0,0,0,0]"),
        (",0,0,0,0,0]", ",0,0,0,0,0.0]"),
        (",0,0,0,0,0]", ",0,0,0,0,0e0]"),
        (",0,0,0,0,0]", ",0,0,0,0,null]"),
        (",0,0,0,0,0]", ",0,0,0,0,[0]]"),
        (",0,0,0,0,0]", ',0,0,0,0,"]"]'),
    ],
)
def test_text_that_is_not_what_it_seems(old: str, new: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    text = json.dumps(_document(), separators=(",", ":"))
    start = text.index('"id":2,"image_id"')
    place = text.index(old, start)
    path.write_bytes(f"{text[:place]}{new}{text[place + len(old) :]}".encode("latin-1"))
    rows, objects = _both(path, quick=True)
    assert rows == objects


@pytest.mark.parametrize(
    "text",
    [
        '"keypoints":[ ]',
        '"keypoints":[]',
        '"keypoints":[1,2,3',
        '"segmentation":[ ]',
        '"segmentation":[[ ]]',
        '"segmentation":[[1.5,1.5,9.5,1.5,9.5,9.5]',
        '"item":"keypoints"',
        '"item":"segmentation"',
    ],
)
def test_lists_with_nothing_behind_them(text: str, tmp_path: Path) -> None:
    document = _document()
    (entry,) = document["annotations"] = document["annotations"][:1]
    name = text.split('"')[1]
    del entry[name]
    entry[name] = "here"
    path = tmp_path / "a.json"
    whole = json.dumps(document, separators=(",", ":"))
    path.write_text(whole.replace(f'"{name}":"here"', text))
    rows, objects = _both(path)
    assert rows == objects


# ---------------------------------------------------------------- any file whatever

ODD: Final[list[Any]] = [
    None, True, False, -1, 0, 0.5, 1.0, 3, 400, 1e9, -1e300, 10**15, 10**30, "", "]", "1", [], {}, [[]],
    [None], [[5, 5, 9, 5, 9, 9]], [[1.5, 1.5, 9.5, 1.5, 9.5, 9.5]], [1, 2, 3], [1.0, 2, 3], [0] * 882,
    [0.0] * 882, [0] * 24, {"size": [1, 2], "counts": "zz"}, [{}],
]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_values_have_the_same_findings(data: st.DataObject) -> None:
    document = _document()
    for _ in range(data.draw(st.integers(1, 3))):
        entry = data.draw(st.sampled_from(document["annotations"]))
        name = data.draw(st.sampled_from(sorted(entry)))
        value = copy.deepcopy(data.draw(st.sampled_from(ODD)))
        if isinstance(entry[name], list) and entry[name] and data.draw(st.booleans()):
            entry[name][data.draw(st.integers(0, len(entry[name]) - 1))] = value
        elif value == {}:
            del entry[name]
        else:
            entry[name] = value
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.json")
        path.write_text(json.dumps(document, separators=(",", ":")))
        rows, objects = _both(path)
    assert rows == objects


SNIPPETS: Final = (
    "", "[", "]", "]]", "[[", "],[", "{", "}", "},{", ",", ":", '"', "-", ".", ".5", "e5", "0", "00", " ", "\n",
    "\\", "\xff", "null", "true", "1e999", "NaN", '"keypoints":[1,2,3],', '"keypoints":0,', '"keypoints" :0,',
    '"segmentation":[[', '"segmentation":[],', '"id":9,', '"x":1,',
)  # fmt: skip


@settings(max_examples=250, deadline=None)
@given(data=st.data())
def test_any_text_has_the_same_findings(data: st.DataObject) -> None:
    text = json.dumps(_document(), separators=(",", ":"))
    start = text.index('"annotations":')
    for _ in range(data.draw(st.integers(1, 2))):
        # Most of the text is zeros: look near something else.
        marks = [n for n in range(start, len(text)) if text[n] not in "0,"]
        place = data.draw(st.sampled_from(marks)) + data.draw(st.integers(0, 2))
        length = data.draw(st.integers(0, 3))
        text = text[:place] + data.draw(st.sampled_from(SNIPPETS)) + text[place + length :]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.json")
        path.write_bytes(text.encode("latin-1"))
        rows, objects = _both(path, quick=True)
    assert rows == objects
