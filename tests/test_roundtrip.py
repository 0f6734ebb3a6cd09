"""What was converted is what was there: for every layout, task, preset, subset and kind of source."""

from __future__ import annotations

import json
import random
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from df2coco.coco import load
from df2coco.converter.options import AREAS, LANDMARKS, LAYOUTS
from df2coco.converter.run import convert
from df2coco.converter.summary import ConversionError
from df2coco.errors import PasswordError, SourceError
from df2coco.layouts import own_slots
from df2coco.masks import union_area
from df2coco.taxonomy import CATEGORIES, CATEGORY_BY_ID
from df2coco.validator import Report, validate
from tests.conftest import copy_tree
from tests.samples import asked, is_taken, make_annotation, make_item, make_jpeg
from tests.zipcrypto import write_encrypted_zip

OPTIONS: dict[str, dict[str, Any]] = {
    **{
        f"{layout}-{landmarks}-{area}": {"layout": layout, "landmarks": landmarks, "area": area}
        for layout in LAYOUTS
        for landmarks in LANDMARKS
        for area in AREAS
    },
    "instances": {"task": "instances"},
    "instances-box": {"task": "instances", "area": "box"},
    "one-category": {"categories": (9,)},
    "categories": {"categories": (1, 8, 12), "layout": "category"},
    "user": {"only": "user"},
    "limit": {"limit": 3},
    "all-at-once": {"categories": (1, 8), "only": "shop", "limit": 2, "landmarks": "visible"},
}


def told(report: Report) -> list[str]:
    """All errors and warnings, to be read in a failed test."""
    return [
        f"{finding.check.code}: {hit.id}: {hit.detail}"
        for finding in report.findings
        if finding.check.level != "note"
        for hit in finding.hits
    ]


def codes(report: Report) -> set[str]:
    return {finding.check.code for finding in report.findings}


@pytest.mark.parametrize("name", OPTIONS)
def test_own_files_have_no_error_and_no_warning(
    name: str, validation: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.json"
    convert(validation, out, **asked(**OPTIONS[name]))
    report = validate(out, against=validation, images=validation / "image")
    assert told(report) == []
    assert report.loaded
    assert report.annotations
    assert report.scored == report.images


@pytest.mark.parametrize("name", ["defaults", "box"])
def test_a_perfect_file_of_ours_has_no_finding_at_all(
    name: str, validation: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.json"
    convert(validation, out, **asked(**({"area": "box"} if name == "box" else {})))
    assert codes(validate(out, against=validation)) == set()
    document = json.loads(out.read_text())
    del document["info"]["df2coco"]
    out.write_text(json.dumps(document))
    notes = {
        "landmarks-not-17",
        *(["area-of-box"] if name == "box" else []),
    }
    assert notes <= codes(validate(out))


def test_preset_official(validation: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    convert(validation, out, **asked(preset="official"))
    report = validate(out, against=validation, images=validation / "image")
    assert report.is_valid(), told(report)
    assert codes(report) == {
        "bbox-integers", "polygon-integers", "area-of-box",
        "category-official-name", "landmarks-not-17", "source-field-absent",
    }  # fmt: skip


def test_families(validation: Path, tmp_path: Path) -> None:
    convert(validation, tmp_path / "out", per_category=True)
    files = sorted((tmp_path / "out").rglob("*.json"))
    assert len(files) == 2 + len(CATEGORIES)
    for file in files:
        assert told(validate(file, against=validation)) == [], file


def test_images_in_a_zip(validation: Path, tmp_path: Path) -> None:
    images = tmp_path / "images.zip"
    with zipfile.ZipFile(images, "w") as archive:
        for path in (validation / "image").iterdir():
            archive.write(path, f"image/{path.name}")
    out = tmp_path / "out.json"
    convert(validation / "annos", out, images=images)
    assert told(validate(out, against=validation / "annos", images=images)) == []


@pytest.mark.slow
def test_encrypted_zip(validation: Path, tmp_path: Path) -> None:
    source = tmp_path / "validation.zip"
    members = [
        (f"validation/{path.relative_to(validation)}", path.read_bytes())
        for path in sorted(validation.rglob("*.*"))
    ]
    write_encrypted_zip(source, members, "secret")
    out = tmp_path / "out.json"
    convert(source, out, password="secret")
    assert told(validate(out, against=source, images=source, password="secret")) == []
    with pytest.raises(PasswordError):
        validate(out, against=source)


def test_no_images(validation: Path, tmp_path: Path) -> None:
    annos = copy_tree(validation / "annos", tmp_path / "annos")
    out = tmp_path / "out.json"
    convert(annos, out)
    for source in (None, annos, validation):  # sizes were not known, and are not compared
        report = validate(out, against=source)
        assert {f.check.code for f in report.findings} == {"sizes-unknown"}
        assert report.is_valid()


def test_what_cannot_be_used_is_not_expected(validation: Path, tmp_path: Path) -> None:
    source = copy_tree(validation, tmp_path / "validation")
    first, second = sorted((source / "annos").iterdir())[:2]
    content = json.loads(first.read_text())
    key = next(key for key in content if key.startswith("item"))
    content[key]["category_id"] = 99
    first.write_text(json.dumps(content))
    second.write_text("{")
    out = tmp_path / "out.json"
    convert(source, out, on_error="skip")
    report = validate(out, against=source)
    assert told(report) == []
    unusable = next(f for f in report.findings if f.check.code == "source-unusable")
    assert [hit.id for hit in unusable.hits] == [first.name, second.name]


def test_root_of_several_splits(validation: Path, tmp_path: Path) -> None:
    for name in ("train", "validation"):
        copy_tree(validation, tmp_path / "root" / name)
    convert(tmp_path / "root", tmp_path / "out")
    assert (
        told(validate(tmp_path / "out" / "keypoints_train.json", against=tmp_path / "root")) == []
    )
    renamed = (tmp_path / "out" / "keypoints_train.json").rename(tmp_path / "a.json")
    with pytest.raises(SourceError, match=r"several splits \(train, validation\)"):
        validate(renamed, against=tmp_path / "root")


@pytest.mark.slow
def test_real_samples(real: Path, tmp_path: Path) -> None:
    for name in OPTIONS:
        if name == "all-at-once":  # no photo of a shop among them has one of its categories
            with pytest.raises(ConversionError, match="leave no image"):
                convert(real / "train", tmp_path / "none.json", **asked(**OPTIONS[name]))
            continue
        convert(real / "train", tmp_path / "out.json", **asked(**OPTIONS[name]))
        report = validate(
            tmp_path / "out.json", against=real / "train", images=real / "train/image"
        )
        assert told(report) == [], name


def test_real_output_of_the_official_converter(real: Path) -> None:
    """It holds 16 of the 17 images; all that it does hold is equal."""
    report = validate(real / "train/official_coco.json", against=real / "train")
    assert {f.check.code for f in report.findings if f.check.level != "note"} == {
        "source-image-missing", "bbox-integers", "polygon-integers",
    }  # fmt: skip
    missing = next(f for f in report.findings if f.check.code == "source-image-missing")
    assert [hit.id for hit in missing.hits] == [1]
    assert report.scored == 16


# ---------------------------------------------------------------- changes are found


def remove_image(document: Any) -> None:
    gone = document["images"].pop(3)
    document["annotations"] = [a for a in document["annotations"] if a["image_id"] != gone["id"]]


def swap_items(document: Any) -> None:
    a, b = document["annotations"][:2]
    a["category_id"], b["category_id"] = b["category_id"], a["category_id"]


def exchange_keys(document: Any) -> None:
    a, b = next(
        (a, b)
        for a, b in zip(document["annotations"], document["annotations"][1:], strict=False)
        if a["image_id"] == b["image_id"]
    )
    a["item"], b["item"] = b["item"], a["item"]


def change(number: int, name: str, value: Any) -> Callable[[Any], None]:
    def apply(document: Any) -> None:
        document["annotations"][number][name] = value

    return apply


def nudge(document: Any) -> None:
    document["annotations"][5]["segmentation"][0][2] += 0.25


def shift_landmarks(document: Any) -> None:
    numbers = document["annotations"][0]["keypoints"]
    numbers[:] = numbers[-3:] + numbers[:-3]


CHANGES: dict[str, tuple[Callable[[Any], None], str, str]] = {
    "image-removed": (remove_image, "source-image-missing", "000004.jpg"),
    "categories-swapped": (swap_items, "source-value", "category_id: "),
    "items-exchanged": (exchange_keys, "source-value", "bbox"),
    "annotation-removed": (lambda d: d["annotations"].pop(), "source-item-missing", "item"),
    "box-moved": (change(4, "bbox", [0.0, 0.0, 9.0, 9.0]), "source-value", "bbox[0]: "),
    "point-nudged": (nudge, "source-value", "segmentation[0][2]: "),
    "landmarks-shifted": (shift_landmarks, "source-value", "keypoints["),
    "area-off-by-one": (change(2, "area", 17), "source-value", "area: "),
    "style-lost": (
        lambda d: d["annotations"][0].pop("style"),
        "source-value",
        "missing in the file",
    ),
    "attribute-removed": (
        change(0, "occlusion", None),
        "source-value",
        "in the source, None in the file",
    ),
    "photo-renamed": (
        lambda d: d["images"][0].update(file_name="1.jpg"),
        "source-value",
        "file_name: '000001.jpg' in the source, '1.jpg' in the file",
    ),
    "size-changed": (lambda d: d["images"][0].update(width=7), "source-value", "width: "),
    "source-changed": (lambda d: d["images"][0].update(source="shop"), "source-value", "source: "),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_found(name: str, validation: Path, tmp_path: Path) -> None:
    apply, code, text = CHANGES[name]
    out = tmp_path / "out.json"
    convert(validation, out)
    document = json.loads(out.read_text())
    apply(document)
    out.write_text(json.dumps(document))
    report = validate(out, against=validation, score_images=0)
    found = [f for f in report.findings if f.check.code == code]
    assert found, told(report)
    assert any(text in hit.detail for hit in found[0].hits), found[0].hits


@pytest.mark.parametrize("spaces", [None, 2])
@pytest.mark.parametrize("info", [{}, {"annotations": []}], ids=["in-parts", "as-a-whole"])
def test_changes_are_found_by_any_number_of_workers(
    spaces: int | None,
    info: dict[str, Any],
    validation: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However the file is written, and whether or not it can be read in parts."""
    monkeypatch.setattr("df2coco.parser.reader._CHUNK", 1)
    out = tmp_path / "out.json"
    convert(validation, out)
    document = json.loads(out.read_text())
    document["info"] |= info
    last = document["annotations"][-1]
    document["annotations"].append(last | {"id": 999, "item": "item9"})
    change(4, "bbox", [0.0, 0.0, 9.0, 9.0])(document)
    change(-1, "style", 9.0)(document)
    random.Random(0).shuffle(document["annotations"])
    out.write_text(json.dumps(document, indent=spaces))
    one, two = (
        validate(out, against=validation, score_images=0, workers=workers) for workers in (1, 2)
    )
    assert one == two
    assert {"source-value", "source-item-extra"} <= codes(one)
    assert not codes(one) & {"source-item-missing", "source-image-missing", "source-image-extra"}


def foreign_keys(document: dict[str, Any]) -> None:
    for each in document["annotations"]:
        each |= {"ignore": 0, "attributes": {"occluded": False}, "color": "red"}
    for each in document["images"]:
        each |= {"license": 0, "date_captured": ""}


def other_order(document: dict[str, Any]) -> None:
    of_others(document)
    document["annotations"].reverse()
    document["images"].reverse()


def from_zero(document: dict[str, Any]) -> None:
    for each in document["categories"]:
        each["id"] -= 1
    for each in document["annotations"]:
        each["category_id"] -= 1


def renamed(document: dict[str, Any]) -> None:
    for each in document["categories"]:
        each["name"] = each["name"].title()
    document["categories"][0]["name"] = "T-shirt"


def of_others(document: dict[str, Any]) -> None:
    """As another converter writes it: no word about how, images with ids of their own, few fields."""
    document["info"] = {}
    for each in document["images"]:
        each["id"] += 1000
        each["file_name"] = f"validation/image/{each['file_name']}"
        del each["source"], each["pair_id"]
    for each in document["annotations"]:
        each["image_id"] += 1000
        for name in ("item", "style", "pair_id", "scale", "occlusion", "zoom_in", "viewpoint"):
            each.pop(name, None)


def with_areas_of_boxes(document: dict[str, Any]) -> None:
    of_others(document)
    for each in document["annotations"]:
        each["area"] = each["bbox"][2] * each["bbox"][3]


def other_type(value: Any) -> Callable[[dict[str, Any]], None]:
    def apply(document: dict[str, Any]) -> None:
        document["info"]["df2coco"] = value

    return apply


NO_DIFFERENCE: dict[str, Callable[[dict[str, Any]], None]] = {
    "foreign-keys": foreign_keys,
    "other-order": other_order,
    "from-zero": from_zero,
    "renamed": renamed,
    "of-others": of_others,
    "areas-of-boxes": with_areas_of_boxes,
    **{
        f"info-{value!r}": other_type(value)
        for value in (None, 5, "x", [], {"categories": 5}, {"area": 3, "only": [], "limit": "x"})
    },
}


@pytest.mark.parametrize("name", NO_DIFFERENCE)
def test_what_is_no_difference(name: str, validation: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    convert(validation, out)
    document = json.loads(out.read_text())
    NO_DIFFERENCE[name](document)
    out.write_text(json.dumps(document))
    report = validate(out, against=validation, score_images=0)
    assert not [line for line in told(report) if line.startswith("source-")]
    assert report.is_valid(), told(report)


def test_items_that_have_moved_a_little_are_the_same_items(
    validation: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.json"
    convert(validation, out)
    document = json.loads(out.read_text())
    other_order(document)
    for each in document["annotations"]:
        each["bbox"][0] += 1
        each["segmentation"] = [[n + 1 for n in polygon] for polygon in each["segmentation"]]
        each["keypoints"] = [n + bool(n) for n in each["keypoints"]]
    out.write_text(json.dumps(document))
    report = validate(out, against=validation, score_images=0)
    assert "source-value" in codes(report)
    assert not codes(report) & {"source-item-missing", "source-item-extra"}


def test_landmarks_are_scored_against_themselves(tmp_path: Path) -> None:
    """21 items of a category are too many for landmarks, and not for boxes."""
    source = tmp_path / "split"
    (source / "annos").mkdir(parents=True)
    items = {f"item{n}": make_item(7) for n in range(1, 22)}
    content = make_annotation() | items
    (source / "annos" / "000001.json").write_text(json.dumps(content))
    out = tmp_path / "out.json"
    convert(source, out)
    report = validate(out, against=source)
    found = {f.check.code: f.hits for f in report.findings}
    assert [hit.detail for hit in found["items-too-many"]] == [
        "21 items with landmarks of category 7"
    ]
    assert report.is_valid()
    assert report.trip is not None
    assert report.trip.scores["landmarks"] < 1
    assert report.trip.scores["boxes"] == pytest.approx(1)


@pytest.mark.parametrize("value", [None, "0", [], {}, 2, -1, True])
def test_iscrowd_of_any_type(value: Any, validation: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    convert(validation, out)
    document = json.loads(out.read_text())
    document["annotations"][0]["iscrowd"] = value
    out.write_text(json.dumps(document))
    report = validate(out, against=validation)
    assert ("iscrowd-malformed" in codes(report)) == (value is not True)
    assert "source-value" in codes(report)


# ---------------------------------------------------------------- for any annotations whatever


WIDTH, HEIGHT = 100, 120
integers = st.integers(-3, 130)
coordinates = st.one_of(integers, st.floats(-3, 130, allow_nan=False))


@st.composite
def polygons(draw: st.DrawFn) -> list[Any]:
    numbers = draw(st.sampled_from([integers, coordinates, integers.map(float)]))
    points = draw(st.lists(st.tuples(numbers, numbers), min_size=3, max_size=8))
    return [n for point in points for n in point]


@st.composite
def items(draw: st.DrawFn) -> dict[str, Any]:
    category = draw(st.sampled_from(CATEGORIES))
    x, y = draw(st.integers(0, WIDTH - 2)), draw(st.integers(0, HEIGHT - 2))
    landmarks: list[int] = []
    for _ in range(category.num_landmarks):
        v = draw(st.integers(0, 2))
        point = (draw(st.integers(0, WIDTH - 1)), draw(st.integers(0, HEIGHT - 1)), v)
        landmarks += point if v else (0, 0, 0)
    right, bottom = draw(st.integers(x + 1, WIDTH)), draw(st.integers(y + 1, HEIGHT))
    attribute = st.sampled_from([1, 2, 3, ...])
    return make_item(
        category.id,
        segmentation=draw(st.lists(polygons(), min_size=1, max_size=3)),
        landmarks=landmarks,
        bounding_box=[x, y, right, bottom],
        style=draw(st.integers(0, 9)),
        **{name: draw(attribute) for name in ("scale", "occlusion", "zoom_in", "viewpoint")},
    )


splits = st.dictionaries(
    st.integers(0, 999_999),
    st.lists(items(), max_size=3).flatmap(
        lambda found: st.permutations(list(enumerate(found, start=1))).map(
            lambda pairs: {"source": "user", "pair_id": 3} | {f"item{n}": i for n, i in pairs}
        )
    ),
    min_size=1,
    max_size=3,
)
options = st.builds(
    asked,
    layout=st.sampled_from(list(LAYOUTS)),
    landmarks=st.sampled_from(list(LANDMARKS)),
    area=st.sampled_from(list(AREAS)),
    task=st.sampled_from(["keypoints", "instances"]),
)


@contextmanager
def written(split: dict[int, Any]) -> Iterator[Path]:
    with TemporaryDirectory() as name:
        folder = Path(name) / "split"
        (folder / "annos").mkdir(parents=True)
        (folder / "image").mkdir()
        for number, content in split.items():
            (folder / "annos" / f"{number:06d}.json").write_text(json.dumps(content))
            (folder / "image" / f"{number:06d}.jpg").write_bytes(PHOTO)
        yield folder


PHOTO = make_jpeg(WIDTH, HEIGHT)


def are_taken(split: dict[int, Any]) -> bool:
    return all(is_taken(content, (WIDTH, HEIGHT)) for content in split.values())


@given(splits.filter(are_taken), options)
@settings(max_examples=60)
def test_whatever_is_converted_validates(split: dict[int, Any], chosen: dict[str, Any]) -> None:
    with written(split) as folder:
        out = folder / "out.json"
        convert(folder, out, **chosen)
        # Random landmarks of two items may coincide, which COCOeval cannot tell apart: not scored.
        report = validate(out, against=folder, images=folder / "image", score_images=0)
        # A polygon that covers no pixel is an error, and may well be in the source.
        errors = {f.check.code for f in report.findings if f.check.level == "error"}
        assert errors <= {"mask-empty"}, told(report)
        assert report.annotations == sum(len(content) - 2 for content in split.values())


@given(splits.filter(are_taken), options)
@settings(max_examples=40)
def test_landmarks_and_areas_survive(split: dict[int, Any], chosen: dict[str, Any]) -> None:
    with written(split) as folder:
        out = folder / "out.json"
        convert(folder, out, **chosen)
        coco = load(out)
    for annotation in coco.dataset["annotations"]:
        item = split[annotation["image_id"]][annotation["item"]]
        polygons = [list(map(float, p)) for p in item["segmentation"]]
        x1, y1, x2, y2 = item["bounding_box"]
        pixels = union_area(polygons, WIDTH, HEIGHT) if chosen["shape"].area == "mask" else 0
        assert annotation["area"] == (pixels or (x2 - x1) * (y2 - y1))
        if chosen["shape"].task == "instances":
            assert "keypoints" not in annotation
            continue
        category = CATEGORY_BY_ID[annotation["category_id"]]
        numbers = annotation["keypoints"]
        slots = own_slots(category, len(numbers) // 3)
        assert slots is not None
        own = [number for slot in slots for number in numbers[3 * slot : 3 * slot + 3]]
        hidden = chosen["shape"].landmarks == "visible"
        for position in range(0, len(own), 3):
            before = item["landmarks"][position : position + 3]
            lost = hidden and before[2] == 1
            assert own[position : position + 3] == ([0, 0, 0] if lost else before)
        assert sum(map(bool, numbers)) == sum(map(bool, own))  # zero elsewhere
        assert annotation["num_keypoints"] == sum(v > 0 for v in numbers[2::3])


@given(st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_any_lost_or_changed_number_is_found(generator: random.Random) -> None:
    """One number anywhere in an annotation of a good file is changed."""
    split = {1: make_annotation(make_item(9), make_item(1, style=2))}
    with written(split) as folder:
        out = folder / "out.json"
        convert(folder, out)
        document = json.loads(out.read_text())
        holder: Any = generator.choice(document["annotations"])
        numeric = [k for k, v in holder.items() if k != "item"]
        key: Any = generator.choice(numeric)
        while isinstance(holder[key], list):
            holder = holder[key]
            key = generator.randrange(len(holder))
        holder[key] += generator.choice([1, -1, 3])
        out.write_text(json.dumps(document))
        report = validate(out, against=folder, score_images=0)
        # Ids are the file's own: the source knows none, and only a 0 or a double is wrong.
        renumbered = [a["id"] for a in document["annotations"]] not in ([1, 2], [2, 1])
        double = len({a["id"] for a in document["annotations"]}) < 2
        zero = any(a["id"] == 0 for a in document["annotations"])
        assert report.is_valid() is (renumbered and not double and not zero), told(report)
