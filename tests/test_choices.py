"""What convert leaves out or makes one: --classes, --exclude, --where, --list; and what reads such files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from df2coco import (
    Selection,
    Shape,
    convert,
    evaluate,
    export_roboflow,
    export_yolo,
    restore,
    statistics,
    validate,
)
from df2coco import split as split_file
from df2coco.drawing import draw
from df2coco.errors import CocoFileError, Df2cocoError, OptionError
from tests.conftest import FIXTURES, copy_tree
from tests.test_cli import run

SPLIT = FIXTURES / "validation"
CLASSES = {
    "top": ["short sleeve top", "long sleeve top", "vest", "sling"],
    "outwear": ["short sleeve outwear", "long_sleeved_outwear"],
    "skirt": [9],
}
"""By both spellings, and by an id."""

MEMBERS = {"top": {1, 2, 5, 6}, "outwear": {3, 4}, "skirt": {9}}


def written(out: Path, **options: Any) -> dict[str, Any]:
    """What a conversion of the fixtures writes."""
    shape = Shape(**options.pop("shape", {"task": "instances"}))
    convert(SPLIT, out, selection=Selection(**options), shape=shape)
    return dict(json.loads(out.read_text()))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return written(tmp_path_factory.mktemp("whole") / "instances.json")


@pytest.fixture
def merged(tmp_path: Path) -> Path:
    """A file of classes."""
    written(tmp_path / "instances_validation.json", shape={"classes": CLASSES})
    return tmp_path / "instances_validation.json"


def left(
    whole: dict[str, Any], keep: Callable[[dict[str, Any]], object]
) -> tuple[list[Any], list[Any]]:
    """Images and annotations, without ids, that are left of a file."""
    kept = [each for each in whole["annotations"] if keep(each)]
    images = {each["image_id"] for each in kept}
    return [i for i in whole["images"] if i["id"] in images], without_ids(kept)


def without_ids(annotations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{n: v for n, v in each.items() if n != "id"} for each in annotations]


# ---------------------------------------------------------------- classes


def test_classes_are_numbered_in_order_and_all_else_is_as_it_was(
    merged: Path, whole: dict[str, Any]
) -> None:
    document = json.loads(merged.read_text())
    assert document["categories"] == [
        {"id": number, "name": name, "supercategory": "clothes"}
        for number, name in enumerate(CLASSES, 1)
    ]
    number_of = {c: n for n, ids in enumerate(MEMBERS.values(), 1) for c in ids}
    images, annotations = left(whole, lambda each: each["category_id"] in number_of)
    assert document["images"] == images
    expected = [{**a, "category_id": number_of[a["category_id"]]} for a in annotations]
    assert without_ids(document["annotations"]) == expected
    noted = document["info"]["df2coco"]
    assert noted["task"] == "instances"
    assert noted["classes"]["outwear"] == ["short sleeve outwear", "long sleeve outwear"]
    assert noted["categories"] == []
    assert "classes" not in whole["info"]["df2coco"]


def test_what_is_in_no_class_is_counted(tmp_path: Path, whole: dict[str, Any]) -> None:
    (tmp_path / "classes.json").write_text(json.dumps(CLASSES), encoding="utf-8-sig")
    rest = sum(a["category_id"] not in set().union(*MEMBERS.values()) for a in whole["annotations"])
    result = run(
        *("convert", SPLIT, tmp_path / "out.json", "--classes", tmp_path / "classes.json"),
        *("--report", tmp_path / "report.json"),
    )
    assert result.exit_code == 0
    assert f"in no class{rest:>20}  items are left out" in result.stderr
    assert "  top      " in result.stderr
    (report,) = json.loads((tmp_path / "report.json").read_text())
    assert report["items_in_no_class"] == rest
    assert report["items_per_category"].keys() == CLASSES.keys()
    assert sum(report["items_per_category"].values()) == len(whole["annotations"]) - rest


def test_a_folder_gets_instances_alone(tmp_path: Path) -> None:
    root = tmp_path / "data"
    copy_tree(SPLIT, root / "validation")
    copy_tree(SPLIT / "image", root / "test" / "image")
    convert(root, tmp_path / "out", shape=Shape(classes=CLASSES))
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "instances_validation.json",
        "image_info_test.json",
    }
    # A test split is scored with the same classes.
    for path in (tmp_path / "out").iterdir():
        names = [entry["name"] for entry in json.loads(path.read_text())["categories"]]
        assert names == list(CLASSES)


@pytest.mark.parametrize("name", ["top", "skirt"])
def test_classes_are_compared_with_the_source(name: str, merged: Path) -> None:
    report = validate(merged, against=SPLIT)
    assert report.findings == ()
    document = json.loads(merged.read_text())
    number = list(CLASSES).index(name) + 1
    changed = next(a for a in document["annotations"] if a["category_id"] == number)
    changed["category_id"] = 2
    merged.write_text(json.dumps(document))
    report = validate(merged, against=SPLIT)
    assert [finding.check.code for finding in report.findings] == ["source-value"]


def test_what_reads_files_reads_classes(merged: Path, tmp_path: Path) -> None:
    document = json.loads(merged.read_text())
    results = [
        {**{n: a[n] for n in ("image_id", "category_id", "bbox")}, "score": 1.0}
        for a in document["annotations"]
    ]
    (tmp_path / "results.json").write_text(json.dumps(results))
    assert evaluate("bbox", merged, tmp_path / "results.json").scores.metrics["AP"] == 1
    numbers = statistics(merged)
    assert [category.name for category in numbers.categories] == list(CLASSES)
    assert numbers.items == len(document["annotations"])
    draw(merged, SPLIT / "image", tmp_path / "sheet.png", sample=2)
    done = export_yolo([merged], tmp_path / "yolo", images=[SPLIT / "image"])
    assert done.classes == tuple(CLASSES)
    assert (
        export_roboflow([merged], tmp_path / "rf", images=[SPLIT / "image"]).classes == done.classes
    )
    split_file(merged, tmp_path, parts={"a": 0.5, "b": 0.5})
    part = json.loads((tmp_path / "a.json").read_text())
    assert part["info"]["df2coco"]["classes"].keys() == CLASSES.keys()
    assert validate(tmp_path / "a.json", against=SPLIT).findings == ()
    with pytest.raises(CocoFileError, match="has classes made of several categories"):
        restore(merged, tmp_path / "annos")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"top": ["vest"], "top": ["sling"]}', "'top' is there twice"),
        ('{"top": ["vest"], "all": ["sling", "vest"]}', "vest is there twice, in 'top' and 'all'"),
        ('{"top": ["vest", "vest"]}', "vest is there twice, in 'top' and 'top'"),
        ('{"top": ["long sleve top"]}', "sling dress. Did you mean long sleeve top"),
        ('{"top": ["hat"]}', "'hat' is not one of short sleeve top, "),
        ('{"top": [14]}', "14 is not one of short sleeve top, "),
        ('{"top": [true]}', "True is not one of short sleeve top, "),
        ('{"top": []}', "'top' has no category"),
        ('{"top": "vest"}', "'vest' is not a list"),
        ('{"top": 3}', "3 is not a list"),
        ('{"top": {"a": 1}}', "('a', 1) is not one of"),
        ('{" ": ["vest"]}', "' ' is not a name"),
        ('{"\\ud800": ["vest"]}', r"'\ud800' is not a name"),
        ('{"a\\u001b[31m": ["vest"]}', r"'a\x1b[31m' is not a name"),
        ("{}", "is not an object of names with lists"),
        ("[]", "is not an object of names with lists"),
        ('["vest"]', "is not an object of names with lists"),
        ("{top}", "is not JSON"),
        ('{"top": ["\xff"]}', "is not JSON"),
    ],
)
def test_classes_that_cannot_be(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "classes.json").write_bytes(text.encode("latin-1"))
    arguments = ("--classes", tmp_path / "classes.json")
    result = run("convert", SPLIT, tmp_path / "out.json", *arguments)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert result.stderr.startswith("df2coco: --classes: ")
    assert message in result.stderr
    assert not (tmp_path / "out.json").exists()


def test_classes_have_no_landmarks(tmp_path: Path) -> None:
    with pytest.raises(
        OptionError, match="task: keypoints does not go with classes: the landmarks"
    ):
        Shape(task="keypoints", classes=CLASSES)
    with pytest.raises(OptionError, match="classes: does not go with preset official"):
        Shape(preset="official", classes=CLASSES)
    with pytest.raises(OptionError, match="classes: is not for the files of --per-category"):
        convert(SPLIT, tmp_path / "out", shape=Shape(classes=CLASSES), per_category=True)
    assert Shape(classes=CLASSES) == Shape(task="instances", classes=CLASSES)
    (tmp_path / "classes.json").write_text(json.dumps(CLASSES))
    arguments = ("--classes", tmp_path / "classes.json", "--layout", "category")
    result = run("convert", SPLIT, tmp_path / "out.json", *arguments)
    assert result.stderr == "df2coco: --layout: task instances has no landmarks. Leave it out.\n"


# ---------------------------------------------------------------- items


@pytest.mark.parametrize(
    ("options", "keep"),
    [
        ({"exclude": ("skirt", "vest")}, lambda a: a["category_id"] not in (9, 5)),
        ({"categories": (8, 9), "exclude": (9,)}, lambda a: a["category_id"] == 8),
        ({"where": ("scale=2",)}, lambda a: a["scale"] == 2),
        ({"where": ("scale=1,3",)}, lambda a: a["scale"] != 2),
        ({"where": ("style=1-",)}, lambda a: a["style"] >= 1),
        ({"where": ("style=0, 2-3",)}, lambda a: a["style"] in (0, 2, 3)),
        (
            {"where": ("viewpoint=2-3", "occlusion=1"), "exclude": (1,)},
            lambda a: a["viewpoint"] > 1 and a["occlusion"] == 1 and a["category_id"] != 1,
        ),
    ],
)
def test_items_are_chosen(
    options: dict[str, Any],
    keep: Callable[[dict[str, Any]], object],
    whole: dict[str, Any],
    tmp_path: Path,
) -> None:
    document = written(tmp_path / "some.json", **options)
    images, annotations = left(whole, keep)
    assert 0 < len(annotations) < len(whole["annotations"])
    assert document["images"] == images
    assert without_ids(document["annotations"]) == annotations
    assert len(document["categories"]) == 13
    report = validate(tmp_path / "some.json", against=SPLIT)
    assert [f.check.level for f in report.findings if f.check.level == "error"] == []
    document["annotations"].pop()
    (tmp_path / "some.json").write_text(json.dumps(document))
    codes = {
        finding.check.code for finding in validate(tmp_path / "some.json", against=SPLIT).findings
    }
    assert "source-item-missing" in codes


def test_what_was_chosen_is_noted(tmp_path: Path) -> None:
    document = written(
        tmp_path / "some.json", exclude=("skirt",), where=("scale=2-",), listed=(1, 2)
    )
    noted = document["info"]["df2coco"]
    assert (noted["exclude"], noted["where"], noted["listed"]) == ([9], ["scale=2-"], 2)


def test_a_note_that_says_nonsense_says_nothing(tmp_path: Path) -> None:
    document = written(tmp_path / "some.json")
    nonsense = {"where": ["scale=9", 3], "classes": {"top": 3}, "exclude": "skirt", "listed": "7"}
    document["info"]["df2coco"] |= nonsense
    (tmp_path / "some.json").write_text(json.dumps(document))
    assert validate(tmp_path / "some.json", against=SPLIT).findings == ()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"where": "scale=1"}, "where: 'scale=1' is not a list"),
        (
            {"where": ("size=1",)},
            "where: 'size' is not one of scale, occlusion, zoom_in, viewpoint",
        ),
        ({"where": (3,)}, "where: '3' is not one of scale, occlusion"),
        ({"where": ("scale",)}, "where: '' is not a value of scale"),
        ({"where": ("scale=4",)}, r"'4' is not a value of scale \(1 small, 2 modest, 3 large\)"),
        ({"where": ("scale=1,",)}, "'' is not a value of scale"),
        ({"where": ("scale=small",)}, "'small' is not a value of scale"),
        ({"where": ("style=3-1",)}, "'3-1' is not a value of style. Write style=1"),
        ({"where": ("style=-1",)}, "'-1' is not a value of style"),
        ({"exclude": ("skirts",)}, "exclude: 'skirts' is not one of .*Did you mean skirt?"),
        ({"listed": ("photo.jpg",)}, "listed: 'photo.jpg' is not the name or number of an image"),
        ({"listed": (-1,)}, "listed: -1 is not the name or number of an image"),
        ({"listed": (True,)}, "listed: True is not the name or number of an image"),
    ],
    ids=str,
)
def test_choices_that_cannot_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Selection(**options)


def test_nothing_left_is_said(tmp_path: Path) -> None:
    result = run("convert", SPLIT, tmp_path / "out.json", "--where", "style=100000-")
    assert result.exit_code == 2
    assert "leave no image" in result.stderr
    assert not (tmp_path / "out.json").exists()


# ---------------------------------------------------------------- images


def test_a_list_of_images(tmp_path: Path, whole: dict[str, Any]) -> None:
    text = "\ufeff# mine\n1\n\n000003.jpg\n  image/000005.jpg  # the fifth\n000005.json\nval\\image\\000003.jpg\n"
    (tmp_path / "list.txt").write_text(text, encoding="utf-8")
    out = tmp_path / "some.json"
    result = run("convert", SPLIT, out, "--task", "instances", "--list", tmp_path / "list.txt")
    assert result.exit_code == 0, result.stderr
    document = json.loads(out.read_text())
    images, annotations = left(whole, lambda a: a["image_id"] in (1, 3, 5))
    assert document["images"] == images
    assert without_ids(document["annotations"]) == annotations
    assert document["info"]["df2coco"]["listed"] == 3
    assert validate(out, against=SPLIT).findings == ()
    document["images"][0]["source"] = "shop" if images[0]["source"] == "user" else "user"
    out.write_text(json.dumps(document))
    (finding,) = validate(out, against=SPLIT).findings
    assert finding.check.code == "source-value"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1\n77\n", "validation: 1 image of the list is not there: 000077."),
        ("\n".join(map(str, range(1, 40))), "18 images of the list are not there: 000022, 000023"),
        ("photo.jpg\n", "--list: 'photo.jpg' is not the name or number of an image"),
        ("# nothing\n\n", "names no image"),
    ],
)
def test_lists_that_cannot_be(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text(text)
    result = run("convert", SPLIT, tmp_path / "out.json", "--list", tmp_path / "list.txt")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert message in result.stderr
    assert not (tmp_path / "out.json").exists()


def test_a_list_may_name_images_of_one_split_alone(tmp_path: Path) -> None:
    copy_tree(SPLIT, tmp_path / "data" / "validation")
    train = tmp_path / "data" / "train"
    copy_tree(SPLIT, train)
    for path in (train / "annos" / "000001.json", train / "image" / "000001.jpg"):
        path.unlink()
    (done,) = convert(tmp_path / "data", tmp_path / "out", selection=Selection(listed=(1,)))
    assert (done.split, done.images) == ("validation", 1)
    both = convert(tmp_path / "data", tmp_path / "out", selection=Selection(listed=(2, "1")))
    assert [(each.split, each.images) for each in both] == [("train", 1), ("validation", 2)]
    with pytest.raises(Df2cocoError, match="1 image of the list is not there: 000099"):
        convert(tmp_path / "data", tmp_path / "out", selection=Selection(listed=(1, 99)))
