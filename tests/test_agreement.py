"""Commands agree on what a COCO file may hold: tests made from the declaration, `df2coco.coco.schema`.

And each defect does what the validator says: pycocotools itself is run on it.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import math
import re
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import Meta

from df2coco.coco import load
from df2coco.coco.results import RESULTS, ResultDecoder
from df2coco.coco.schema import (
    DATASET_FIELDS,
    FIELDS,
    MAX_ID,
    MIN_ID,
    Field,
    fields_of,
    is_id,
    read_whole_numbers,
)
from df2coco.converter import convert
from df2coco.converter.options import Shape
from df2coco.converter.restore import restore
from df2coco.drawing import draw
from df2coco.drawing.drawables import read_drawables
from df2coco.errors import CocoFileError, Df2cocoError
from df2coco.evaluation import ResultsError, evaluate
from df2coco.export.coco import export_coco, export_roboflow
from df2coco.export.table import export_table
from df2coco.export.yolo import export_yolo
from df2coco.report import write_report
from df2coco.stats import statistics
from df2coco.subsets import split
from df2coco.validator import CHECK_BY_CODE, validate


@pytest.fixture(scope="module")
def base(validation: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """An image with one item, as df2coco converts it."""
    return small(validation, tmp_path_factory.mktemp("agreement"), layout="category")


@pytest.fixture(scope="module")
def unified(validation: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The same with 294 slots."""
    return small(validation, tmp_path_factory.mktemp("agreement"))


def small(validation: Path, folder: Path, **shape: Any) -> dict[str, Any]:
    out = folder / "out.json"
    convert(validation, out, shape=Shape(**shape))
    document: dict[str, Any] = json.loads(out.read_text())
    document["images"] = document["images"][:1]
    item = next(a for a in document["annotations"] if a["image_id"] == document["images"][0]["id"])
    document["annotations"] = [item]
    document["categories"] = [c for c in document["categories"] if c["id"] == item["category_id"]]
    return document


class Place:
    """A file in a folder, its photos, and what commands make of it."""

    def __init__(self, folder: Path, photos: Path) -> None:
        self.path, self.folder, self.photos = folder / "val.json", folder, photos
        self.results = folder / "results.json"
        self.results.write_text("[]")
        self.count = 0

    def new(self, suffix: str = "") -> Path:
        self.count += 1
        return self.folder / f"out{self.count}{suffix}"


PARTS = {"train": 0.5, "val": 0.5}


COMMANDS: dict[str, tuple[Any, Callable[[Place], Any]]] = {
    "load": ("any", lambda p: load(p.path)),
    "split": ("any", lambda p: split(p.path, p.new(), parts=PARTS)),
    "stats": ("stats", lambda p: statistics(p.path)),
    "evaluate bbox": ("bbox", lambda p: evaluate("bbox", p.path, p.results)),
    "evaluate segm": ("segm", lambda p: evaluate("segm", p.path, p.results)),
    "evaluate keypoints": ("keypoints", lambda p: evaluate("keypoints", p.path, p.results)),
    "evaluate keypoints --oks-area mask": (
        "keypoints of masks",
        lambda p: evaluate("keypoints", p.path, p.results, oks_area="mask"),
    ),
    "restore": ("restore", lambda p: restore(p.path, p.new())),
    "export yolo detect": ("boxes", lambda p: export_yolo([p.path], p.new(), images=[p.photos])),
    "export yolo segment": (
        "boxes and masks",
        lambda p: export_yolo([p.path], p.new(), images=[p.photos], task="segment"),
    ),
    "export yolo pose": (
        "boxes and landmarks",
        lambda p: export_yolo([p.path], p.new(), images=[p.photos], task="pose"),
    ),
    "export coco": ("any", lambda p: export_coco([p.path], p.new(), images=[p.photos])),
    "export table": ("table", lambda p: export_table(p.path, p.new(".csv"))),
    "export roboflow": ("boxes", lambda p: export_roboflow([p.path], p.new(), images=[p.photos])),
}
"""Command -> its use of annotations, and how it is run."""

SLOW: dict[str, tuple[Any, Callable[[Place], Any]]] = {
    "draw": ("any", lambda p: draw(p.path, p.photos, p.new(".png"), sample=1)),
    "report": ("stats", lambda p: write_report(p.path, p.photos, p.new(".html"), examples=1)),
}

ALL = {
    (name, field): rule
    for table in (FIELDS, DATASET_FIELDS)
    for name, fields in table.items()
    for field, rule in fields.items()
}


def refuses(run: Callable[[Place], Any], place: Place, rule: Field) -> bool:
    """Whether a command stops at the form of a field."""
    try:
        run(place)
    except Df2cocoError as error:
        return f", expected {rule.expected}." in str(error)
    return False


def reports(place: Place, rule: Field) -> bool:
    """Whether validate has the finding of that field, or one that says it more exactly."""
    codes = {finding.check.code for finding in validate(place.path, quick=True).findings}
    return bool(codes & {rule.code, *MORE_EXACT.get(rule.code, ())})


MORE_EXACT = {
    "polygon-malformed": ["rle-malformed"],
    "keypoints-length": ["keypoints-no-numbers"],
    "annotation-id-type": ["image-id-type"],
}


def readers(
    name: str, field: str, commands: dict[str, tuple[Any, Callable[[Place], Any]]]
) -> Iterator[tuple[str, Callable[[Place], Any]]]:
    """The commands that look at a field."""
    for command, (use, run) in commands.items():
        if field in fields_of(name, use)[0]:
            yield command, run


# ---------------------------------------------------------------- values at the bounds


def bounds(kind: Any) -> set[float]:
    """All bounds in a type."""
    found = set()
    for part in getattr(kind, "__metadata__", ()):
        if isinstance(part, Meta):
            found |= {b for b in (part.ge, part.gt, part.le, part.lt) if b is not None}
    for part in typing.get_args(kind):
        found |= bounds(part)
    return found


def with_first_number(value: Any, number: Any) -> Any:
    """The value, or the first number in its lists replaced."""
    if isinstance(value, list) and value:
        return [with_first_number(value[0], number), *value[1:]]
    return number


WRONG: list[Any] = [
    None, True, "1", "", 1, 1.0, 1.5, [], {}, [[]], [None], ["a"], [1], [1, 2, 3], [[1, 2]], [["a", "b"]],
    {"size": [1, 2], "counts": [2]}, {"size": [1, 2], "counts": [3]}, {"size": [5, 5], "counts": "zz"},
]  # fmt: skip


def values(rule: Field, good: Any) -> Iterator[Any]:
    """Values just inside and just outside of each bound, and of other types."""
    yield from WRONG
    for bound in bounds(rule.type):
        for number in (bound - 1, bound, bound + 1):
            yield with_first_number(good, int(number) if number == int(number) else number)
    for wrong in (None, True, "1", []):
        yield with_first_number(good, wrong)
    if isinstance(good, list):
        yield good[:-1]
        yield [*good, *good[:1]]
        yield [[-1e7, 0, 1e7, 0] * 9]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "field"), ALL, ids=lambda each: str(each))
def test_all_commands_agree_on_every_value(
    name: str, field: str, base: dict[str, Any], validation: Path, tmp_path: Path
) -> None:
    rule = ALL[name, field]
    place = Place(tmp_path, validation / "image")
    good = base[name][0].get(field, 0)
    wrong = []
    for value in {repr(value): value for value in values(rule, good)}.values():
        document = copy.deepcopy(base)
        document[name][0][field] = value
        place.path.write_text(json.dumps(document))
        shaped = {field: value}
        read_whole_numbers(name, [shaped])
        refused = not rule.fits(shaped[field])
        for command, run in readers(name, field, COMMANDS):
            if refuses(run, place, rule) != refused:
                wrong.append((command, str(value)[:40]))
        if refused > reports(place, rule):
            wrong.append(("validate", str(value)[:40]))
    assert wrong == []


@pytest.mark.parametrize(("name", "field"), ALL, ids=lambda each: str(each))
def test_a_rule_that_is_narrowed_is_felt_by_all_commands(
    name: str,
    field: str,
    unified: dict[str, Any],
    validation: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rule = ALL[name, field]
    place = Place(tmp_path, validation / "image")
    document = copy.deepcopy(unified)
    document[name][0].setdefault(field, [0])
    place.path.write_text(json.dumps(document))
    everything = COMMANDS | SLOW
    for _, run in readers(name, field, COMMANDS):
        run(place)
    assert not reports(place, rule)
    wrong = []
    for attribute, narrow in (("also", lambda _: False), ("type", dict[str, int])):
        # The rule itself: whoever keeps another one beside it does not feel it.
        monkeypatch.setitem(rule.__dict__, attribute, narrow)
        rule.__dict__.pop("_holder", None)
        for command, run in readers(name, field, everything):
            if not refuses(run, place, rule):
                wrong.append(command)
        if not reports(place, rule):
            wrong.append("validate")
    monkeypatch.undo()
    rule.__dict__.pop("_holder", None)
    assert wrong == []


@pytest.mark.slow
def test_a_number_beyond_64_bits_is_refused_by_all_commands(
    base: dict[str, Any], validation: Path, tmp_path: Path
) -> None:
    place = Place(tmp_path, validation / "image")
    document = copy.deepcopy(base)
    for digits, is_right in ((19, True), (20, False), (401, False)):
        document["annotations"][0]["area"] = 10 ** (digits - 1)
        place.path.write_text(json.dumps(document))
        for quick in (True, False):
            found = validate(place.path, quick=quick)
            assert ("area-wrong" not in {f.check.code for f in found.findings}) == is_right
        for _, run in (COMMANDS | SLOW).values():
            with (
                contextlib.nullcontext()
                if is_right
                else pytest.raises(CocoFileError, match=r"area: 1000.*expected a number")
            ):
                run(place)


def test_a_key_that_nobody_reads_may_hold_any_integer(
    base: dict[str, Any], validation: Path, tmp_path: Path
) -> None:
    place = Place(tmp_path, validation / "image")
    document = copy.deepcopy(base)
    for entries in ("images", "annotations", "categories"):
        document[entries][0]["hash"] = 10**400 + 7
    place.path.write_text(json.dumps(document))
    assert validate(place.path).is_valid()
    for _, run in (COMMANDS | SLOW).values():
        run(place)


@pytest.mark.slow
@pytest.mark.parametrize(
    "number", ["1e999", "-1E+400", "1e99", "7" * 400 + ".5", "7" * 210 + "e99", "7" * 209 + "e99"]
)
@pytest.mark.parametrize("entries", ["images", "annotations", "categories"])
def test_a_key_that_nobody_reads_may_not_be_infinite(
    entries: str, number: str, base: dict[str, Any], validation: Path, tmp_path: Path
) -> None:
    place = Place(tmp_path, validation / "image")
    document = copy.deepcopy(base)
    document[entries][0]["hash"] = "NUMBER"
    place.path.write_text(json.dumps(document).replace('"NUMBER"', number))
    is_right = math.isfinite(float(number))
    codes = {f.check.code for f in validate(place.path).findings}
    assert ("not-finite" not in codes) == is_right
    for _, run in (COMMANDS | SLOW).values():
        with (
            contextlib.nullcontext()
            if is_right
            else pytest.raises(CocoFileError, match=rf"{entries}\[0\].hash: an infinite number")
        ):
            run(place)


@pytest.mark.parametrize("entries", ["images", "annotations", "categories"])
def test_a_key_that_nobody_reads_may_not_have_more_digits_than_python_reads(
    entries: str, base: dict[str, Any], validation: Path, tmp_path: Path
) -> None:
    place = Place(tmp_path, validation / "image")
    document = copy.deepcopy(base)
    document[entries][0]["hash"] = "NUMBER"
    place.path.write_text(json.dumps(document).replace('"NUMBER"', "7" * 4301))
    for run in (lambda p: validate(p.path), *(run for _, run in (COMMANDS | SLOW).values())):
        with pytest.raises(CocoFileError, match="not JSON"):
            run(place)


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


@pytest.mark.parametrize("value", [MIN_ID - 1, MIN_ID, MAX_ID, MAX_ID + 1, True, 1.0, "1", None])
def test_what_an_id_is_has_one_answer(value: Any) -> None:
    assert is_id(value) == FIELDS["images"]["id"].fits(value)


@pytest.mark.parametrize(
    ("field", "value", "is_right"),
    [
        ("bbox", [-1e7, 0, 1e7, 5], True),
        ("bbox", [0, 0, 1e7 + 1, 5], False),
        ("bbox", [5, 5, -1, 0], True),  # nonsense that code can compute with
        ("area", -5, True),
        ("keypoints", [1, 2, 2] * 24 + [1, 2], False),
        ("keypoints", [], True),
        ("segmentation", [[1, 2, 3]], True),
        ("segmentation", [[0, 0, 1e6, 0] * 9], False),
        ("segmentation", [[0, 0, 1e6, 0] * 2], True),
    ],
)
def test_what_the_declaration_takes_now(
    field: str, value: Any, is_right: bool, base: dict[str, Any], tmp_path: Path
) -> None:
    """Not made from the declaration: whoever changes that, in `coco/schema.py`, means to change this."""
    document = copy.deepcopy(base)
    document["annotations"][0][field] = value
    (tmp_path / "a.json").write_text(json.dumps(document))
    with contextlib.nullcontext() if is_right else pytest.raises(CocoFileError, match=field):
        load(tmp_path / "a.json")


# ---------------------------------------------------------------- results

GOOD = {"image_id": 1, "category_id": 1, "score": 0.5, "bbox": [10, 10, 50, 60]}
SHAPES: dict[str, dict[str, Any]] = {
    "bbox": {},
    "segm": {"segmentation": [[10, 10, 60, 10, 60, 70]]},
    "keypoints": {"keypoints": [1.5, 2, 1] * 25},
}


def draws(result: dict[str, Any], categories: Any) -> bool:
    """Whether `draw --results` takes a result."""
    with contextlib.suppress(CocoFileError):
        return bool(read_drawables([result], categories, predicted=True))
    return False


@pytest.mark.parametrize(
    ("kind", "field"), [(kind, field) for kind in SHAPES for field in RESULTS[kind]]
)
def test_a_result_is_refused_for_what_is_declared(
    kind: Any, field: str, base: dict[str, Any], tmp_path: Path
) -> None:
    """Alone, and in a part of a file in which another result has to be brought into shape."""
    item = base["annotations"][0]
    good = GOOD | SHAPES[kind] | {n: item[n] for n in ("image_id", "category_id")}
    if kind == "keypoints":
        good["keypoints"] = item["keypoints"]
    decoder, rule = ResultDecoder(kind, {}), RESULTS[kind][field]
    alike = field in ("category_id", "score", "bbox")  # the others fit an image or a category
    path = tmp_path / "results.json"
    for value in {repr(value): value for value in values(rule, good[field])}.values():
        shaped = {field: value}
        decoder.bring_into_shape(shaped)
        fits = rule.fits(shaped[field])
        if alike and shaped[field] not in (None, []):  # a score or box that is missing is not drawn
            assert draws(good | shaped, base["categories"]) == fits, value
        if fits and field == "segmentation" and re.search("9999999|10000000", repr(value)):
            continue  # drawing it takes pycocotools seconds
        for first in (good, good | {"image_id": float(good["image_id"])}):
            path.write_text(json.dumps([first, good | {field: value}]))
            try:
                evaluate(kind, base, path)
                refused = False
            except ResultsError as error:
                refused = f"results[1].{field}: " in str(error) and rule.expected in str(error)
            assert refused != fits, value


@pytest.mark.parametrize(
    "changes",
    [{"score": -3.5}, {"score": 41.7}, {"bbox": [-4e8, 0, 1e9, 5]}, {"bbox": [1, 2, 0, 0]}],
)
def test_a_result_that_is_odd_is_scored_and_drawn(
    changes: dict[str, Any], base: dict[str, Any]
) -> None:
    """A diverged model is scored, too: see `coco/results.py`."""
    result = GOOD | {n: base["annotations"][0][n] for n in ("image_id", "category_id")} | changes
    evaluate("bbox", base, [result])
    assert draws(result, base["categories"])


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


def halved(document: dict[str, Any]) -> None:
    """In twelve images an item at one of the two corners; then coordinates and areas are halved."""
    image, item = document["images"][0], document["annotations"][0]
    numbers = range(1, 13)
    document["images"] = [image | {"id": n, "file_name": f"{n}.jpg"} for n in numbers]
    document["annotations"] = [item | {"id": n, "image_id": n} for n in numbers]
    for n, each in zip(numbers, document["annotations"], strict=True):
        x, y = (79.5, 49.5) if n % 2 else (0.5, 0.5)
        each["bbox"] = [x / 2, y / 2, 10.0, 15.0]
        x1, y1, x2, y2 = x / 2, y / 2, x / 2 + 10, y / 2 + 15
        each |= {"area": 150.0, "segmentation": [[x1, y1, x2, y1, x2, y2, x1, y2]]}
        each["keypoints"] = [v for i in range(17) for v in (x1 + i / 2, y1 + i / 2, 2)]


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
    ("keypoints-names", lambda d: d["categories"][0]["keypoints"].append("p18"), "keypoints", FINE),
    ("keypoints-names", lambda d: d["categories"][0]["keypoints"].pop(), "keypoints", FINE),
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
    ("box-not-of-mask", first(bbox=[6.5, 5.5, 30.0, 20.0]), "bbox", FINE),  # y, x, height, width
    ("box-not-of-mask", first(bbox=[20.5, 6.5, 20.0, 30.0]), "bbox", FINE),  # shifted by 15
    ("box-not-of-mask", first(bbox=[0.0, 0.0, 45.5, 56.5]), "bbox", FINE),  # grown by 40
    ("box-not-of-mask", first(segmentation=[[20.5, 6.5, 40.5, 6.5, 40.5, 36.5, 20.5, 36.5]]), "segm", FINE),
    ("landmarks-not-of-mask", first(keypoints=[v for i in range(17) for v in (36 + i, 8 + i, 2)]), "keypoints", FINE),
    ("landmarks-not-of-box", first(keypoints=[v for i in range(17) for v in (36 + i, 8 + i, 2)]), "keypoints", FINE),
    ("sizes-too-large", halved, "bbox", FINE),
    ("sizes-too-large", lambda d: [halved(d), [e.update(width=400, height=320) for e in d["images"]]], "bbox", FINE),
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
    correctable = code != "items-too-many"  # nothing in the file is wrong: it stays as it is
    assert (CHECK_BY_CODE[code].level == "error") == (outcome != FINE and correctable)
