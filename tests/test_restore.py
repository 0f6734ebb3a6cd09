"""The annotation files again: what convert wrote comes back, and what cannot is told first."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from typer.testing import CliRunner

import df2coco.cli.convert
import df2coco.cli.files  # noqa: F401
from df2coco.cli.app import app
from df2coco.converter.restore import TOP_LEVEL_ORDER, restore
from df2coco.converter.run import convert
from df2coco.converter.summary import ConversionError
from df2coco.errors import CocoFileError, Df2cocoError, OutputError
from df2coco.taxonomy import CATEGORIES
from tests.conftest import copy_tree
from tests.samples import asked, is_taken, make_annotation, make_item, make_jpeg

HEIGHT, WIDTH = 120, 100

OPTIONS = {
    "default": asked(),
    "category layout": asked(layout="category"),
    "aggregated layout": asked(layout="aggregated"),
    "box area": asked(area="box"),
    "visible": asked(landmarks="visible"),
    "official": asked(preset="official"),
    "some categories": asked(categories=(1, 9)),
    "one source": asked(only="user"),
}


def texts_in(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.iterdir())}


def there_and_back(source: Path, work: Path, options: dict[str, Any], images: Path | None) -> Path:
    """Convert, restore, convert again; the bytes must be the same. The folder of restored files."""
    one, two, annos = work / "one.json", work / "two.json", work / "annos"
    try:
        convert(source, one, images=images, **options)
    except ConversionError as error:
        if "leave no image" not in str(error):  # what is chosen may leave nothing
            raise
        annos.mkdir()
        return annos
    restore(one, annos)
    if any(annos.iterdir()):
        convert(annos, two, images=images, **options)
        assert two.read_bytes() == one.read_bytes()
    return annos


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("with_images", [True, False])
def test_fixtures_convert_to_the_same_bytes_again(
    validation: Path, tmp_path: Path, options: dict[str, Any], with_images: bool
) -> None:
    if options["selection"].categories and not with_images:
        pytest.skip("sizes were found by the items that are left out")
    source = validation if with_images else tmp_path / "elsewhere"
    if not with_images:
        copy_tree(validation / "annos", source)
    images = validation / "image" if with_images else None
    assert any(there_and_back(source, tmp_path, options, images).iterdir())


@pytest.mark.parametrize("layout", ["unified", "aggregated", "category"])
def test_fixtures_come_back_to_the_letter(validation: Path, tmp_path: Path, layout: str) -> None:
    annos = there_and_back(validation, tmp_path, asked(layout=layout), images=validation / "image")
    assert texts_in(annos) == texts_in(validation / "annos")


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_real_samples_convert_to_the_same_bytes_again(
    real: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    there_and_back(real / "train", tmp_path, options, images=real / "train/image")


def test_real_samples_come_back_to_the_letter(real: Path, tmp_path: Path) -> None:
    source = real / "train/annos"
    annos = there_and_back(source, tmp_path, asked(), images=real / "train/image")
    restored, given = texts_in(annos), texts_in(source)
    # One sample is formatted otherwise, so its values must do.
    formatted = {name for name, text in given.items() if text == json.dumps(json.loads(text))}
    assert len(formatted) == len(given) - 1
    for name, text in given.items():
        assert json.loads(restored[name]) == json.loads(text)
        assert list(json.loads(restored[name])) == list(json.loads(text))
        assert name not in formatted or restored[name] == text


def test_official_converters_real_file_gives_the_very_texts(real: Path, tmp_path: Path) -> None:
    done = restore(real / "train/official_coco.json", tmp_path / "annos")
    given = texts_in(real / "train/annos")
    restored = texts_in(tmp_path / "annos")
    assert (done.files, done.items) == (len(restored), 30) == (16, 30)
    assert all(given[name] == text for name, text in restored.items())


# ---------------------------------------------------------------- any annotation file

coordinates = st.one_of(
    st.integers(0, 99),
    st.floats(0, 99).map(lambda n: round(n, 2)),
    st.floats(0, 99),
    st.just(-0.0),
    st.integers(0, 99).map(float),
)
polygon_kinds = st.sampled_from(
    [
        st.integers(0, 99),
        coordinates,
        st.integers(-2, 101).map(float),
        st.floats(-0.5, 100).map(lambda n: round(n, 14)),
    ]
)
polygons = polygon_kinds.flatmap(
    lambda kind: st.lists(st.tuples(kind, kind), min_size=3, max_size=6)
).map(lambda points: [number for point in points for number in point])


@st.composite
def items(draw: st.DrawFn) -> dict[str, Any]:
    category = draw(st.sampled_from(CATEGORIES))
    landmark = st.tuples(coordinates, coordinates, st.sampled_from([1, 2, 2.0]))
    landmarks = draw(
        st.lists(
            st.one_of(landmark, st.just((0, 0, 0))),
            min_size=category.num_landmarks,
            max_size=category.num_landmarks,
        )
    )
    number = st.integers(0, 98) | st.floats(0, 98)
    x1, y1, dx, dy = (draw(number) for _ in range(4))
    # Rounding must not take the one pixel that a box needs.
    more = st.sampled_from([1, 2.5])
    box = [x1, y1, min(x1 + draw(more) + dx, WIDTH), min(y1 + 1.5 + dy, HEIGHT)]
    if box[2] - x1 < 1:
        box[2] = x1 + 1.5
    changes: dict[str, Any] = {
        "landmarks": [number for landmark in landmarks for number in landmark],
        "segmentation": draw(st.lists(polygons, min_size=1, max_size=3)),
        "bounding_box": box,
        "style": draw(st.integers(0, 20)),
    }
    for name in draw(st.sets(st.sampled_from(["style", "scale", "zoom_in", "category_name"]))):
        changes[name] = ...
    return make_item(category.id, **changes)


@st.composite
def annotations(draw: st.DrawFn) -> dict[str, Any]:
    keys = draw(
        st.one_of(
            st.sampled_from(TOP_LEVEL_ORDER[1:]),
            st.permutations(["item1", "item2", "pair_id", "item33"]),
            st.just(tuple(f"item{number}" for number in range(12))),
        )
    )
    head = {"source": draw(st.sampled_from(["user", "shop"])), "pair_id": draw(st.integers(0, 99))}
    annotation = {key: head[key] if key in head else draw(items()) for key in keys}
    assume(is_taken(annotation, (WIDTH, HEIGHT)))
    return annotation


@given(annotations(), st.sampled_from(list(OPTIONS)), st.booleans())
def test_any_annotation_converts_to_the_same_bytes_again(
    annotation: dict[str, Any], name: str, with_images: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for folder_name in ("photos", "there"):
            (work / folder_name).mkdir()
        (work / "photos/000007.jpg").write_bytes(JPEG)
        (work / "there/000007.json").write_text(json.dumps(annotation))
        # Without images, sizes are found by all items and landmarks: also by those left out.
        with_images = with_images or name in ("some categories", "visible")
        images = work / "photos" if with_images else None
        annos = there_and_back(work / "there", work, OPTIONS[name], images)
        if name in ("default", "category layout", "aggregated layout") and "category_name" in str(
            annotation
        ):
            restored = json.loads((annos / "000007.json").read_text())
            assert dict(without_names(restored)) == dict(without_names(annotation))


JPEG = make_jpeg(WIDTH, HEIGHT)


def test_which_numbers_come_back_to_the_letter(tmp_path: Path) -> None:
    item = make_item(9, bounding_box=[-0.0, 1.0, 60, 70.5], segmentation=[[-0.0, 1, 5, 6.0, 7, 8]])
    item["segmentation"] += [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1, 2, 3, 4, 5, 6]]
    item["landmarks"][:6] = [-0.0, 12.0, 1, 12.5, 1.0, 2.0]
    (tmp_path / "there").mkdir()
    (tmp_path / "there/000001.json").write_text(json.dumps(make_annotation(item)))
    annos = there_and_back(tmp_path / "there", tmp_path, asked(), images=None)
    restored = json.loads((annos / "000001.json").read_text())["item1"]
    assert repr(restored["bounding_box"]) == "[-0.0, 1, 60, 70.5]"
    mixed, *others = restored["segmentation"]
    assert repr(mixed) == "[-0.0, 1.0, 5.0, 6.0, 7.0, 8.0]"
    assert repr(others) == str(item["segmentation"][1:])
    assert repr(restored["landmarks"][:6]) == "[0, 12, 1, 12.5, 1, 2]"


def test_far_corners_come_back_to_the_last_digit(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    # Where x1 + (x2 - x1) is 26.119999999999997.
    text = json.dumps(make_annotation(make_item(9, bounding_box=[10.12, 10.12, 26.12, 26.12])))
    (tmp_path / "there/000001.json").write_text(text)
    annos = there_and_back(tmp_path / "there", tmp_path, asked(), images=None)
    assert (annos / "000001.json").read_text() == text
    # Where several numbers would do, the whole one: 15.000000000000002 + 1.3 is 16.3, too.
    document = json.loads((tmp_path / "one.json").read_text())
    document["annotations"][0]["bbox"] = [-1.3, 20.0, 16.3, 40.0]
    assert restore_document(tmp_path / "there", document)[0] == 0
    restored = json.loads((tmp_path / "there/annos/000001.json").read_text())
    assert restored["item1"]["bounding_box"] == [-1.3, 20, 15, 60]


def without_names(annotation: dict[str, Any]) -> Any:
    """All but `category_name`, which restore always writes."""
    for key, value in annotation.items():
        if isinstance(value, dict):
            value = {name: v for name, v in value.items() if name != "category_name"}
        yield key, value


@given(st.permutations(TOP_LEVEL_ORDER[8]))
def test_keys_stand_where_the_dataset_has_them(keys: list[str]) -> None:
    """In the dataset's order with its items; source and pair_id first for any other order."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "there").mkdir()
        head = {"source": "shop", "pair_id": 3}
        content = {key: head.get(key) or make_item() for key in keys}
        (work / "there/000001.json").write_text(json.dumps(content))
        convert(work / "there", work / "one.json")
        restore(work / "one.json", work / "annos")
        restored = list(json.loads((work / "annos/000001.json").read_text()))
        order = [key for key in keys if key.startswith("item")]
        table = TOP_LEVEL_ORDER[8]
        assert restored == (table if order == table[:-2] else ["source", "pair_id", *order])


# ---------------------------------------------------------------- what is lost, and what cannot be


def make_coco(tmp_path: Path, **options: Any) -> dict[str, Any]:
    """A converted file of two images with two items each, and a name to write it to."""
    folder = tmp_path / "source"
    folder.mkdir()
    for number in (1, 2):
        content = {"item2": make_item(9), "source": "user", "pair_id": 4, "item1": make_item(1)}
        (folder / f"{number:06d}.json").write_text(json.dumps(content))
    convert(folder, tmp_path / "out.json", **asked(**options))
    document: dict[str, Any] = orjson.loads((tmp_path / "out.json").read_bytes())
    return document


def restore_document(tmp_path: Path, document: Any) -> tuple[int, list[str]]:
    """Exit code and lines of `df2coco restore` of a document."""
    (tmp_path / "out.json").write_bytes(orjson.dumps(document))
    result = CliRunner().invoke(
        app, ["restore", str(tmp_path / "out.json"), str(tmp_path / "annos")]
    )
    assert result.stdout == ""
    return result.exit_code, result.stderr.splitlines()


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({}, "what the conversion repaired or left out stays so"),
        ({"landmarks": "visible"}, "occluded landmarks were left out (--landmarks visible)"),
        ({"categories": (9,)}, "only items of chosen categories"),
        ({"only": "user"}, "only items of one source"),
        ({"limit": 1}, "only the first images"),
        ({"preset": "official"}, "no source, scale, occlusion, zoom_in, viewpoint:"),
        ({"preset": "official"}, "4 items have no names of their own"),
    ],
)
def test_losses_of_our_own_files_are_told(
    tmp_path: Path, options: dict[str, Any], line: str
) -> None:
    code, lines = restore_document(tmp_path, make_coco(tmp_path, **options))
    assert code == 0
    assert sum(each.startswith("not given back: ") and line in each for each in lines) == 1
    assert "annotation file" in lines[-1]


def _without(name: str) -> Any:
    def change(document: dict[str, Any]) -> None:
        for annotation in document["annotations"]:
            del annotation[name]

    return change


def _set(path: str, value: Any) -> Any:
    def change(document: Any) -> None:
        *way, last = [int(part) if part.isdecimal() else part for part in path.split(".")]
        for part in way:
            document = document[part]
        document[last] = value

    return change


def _counted_from_0(document: dict[str, Any]) -> None:
    for category in document["categories"]:
        category["id"] -= 1
    for annotation in document["annotations"]:
        annotation["category_id"] -= 1


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (_without("item"), "4 items have no names of their own in the file"),
        (_set("annotations.0.item", "item1"), "2 items have no names of their own"),
        (_set("annotations.0.item", "\x1b[31m"), "2 items have no names of their own"),
        (_set("annotations.0.item", None), "2 items have no names of their own"),
        (_set("images.0.file_name", "a/photo.jpg"), "1 images have file names that are not"),
        (_set("images.0.file_name", "000002.jpg"), "1 images have file names that are not"),
        (_set("annotations.0.iscrowd", 1), "1 annotations are crowds"),
        (_set("annotations.0.pair_id", 9), "1 annotations have another pair_id"),
        (_set("annotations.0.image_id", 99), "1 annotations belong to no image"),
        (_set("annotations.0.keypoints.2", 2), "1 annotations have landmarks outside"),
    ],
)
def test_losses_of_changed_files_are_told(tmp_path: Path, change: Any, line: str) -> None:
    document = make_coco(tmp_path)
    change(document)
    code, lines = restore_document(tmp_path, document)
    assert code == 0
    assert sum(each.startswith(f"not given back: {line}") for each in lines) == 1
    convert(tmp_path / "annos", tmp_path / "again.json")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (_without("keypoints"), "annotations[0].keypoints: missing. Name a file in which every"),
        (_set("info.df2coco.task", "instances"), "holds no landmarks (--task instances)"),
        (_without("bbox"), "annotations[0].bbox: missing. df2coco validate reports all"),
        (_set("annotations.0.keypoints", [1, 2, 2] * 17), "annotations[0].keypoints: 51 numbers"),
        (_set("annotations.0.keypoints", "x"), "annotations[0].keypoints: 'x', expected 3 numbers"),
        (_set("annotations.0.category_id", 14), "annotations[0].category_id: 14 is none of"),
        (_set("annotations.3.category_id", None), "annotations[3].category_id: None, expected"),
        (_set("annotations.0.bbox", [1, 2, 3]), "annotations[0].bbox: [1, 2, 3], expected 4"),
        (_set("annotations.0.bbox", [1e300] * 4), "annotations[0].bbox: [1e+300, 1e+300"),
        (_set("annotations.0.style", "1"), "annotations[0].style: '1', expected a whole number"),
        (_set("annotations.0.scale", [1]), "annotations[0].scale: [1], expected a whole number"),
        (_set("annotations.0.pair_id", 1.5), "annotations[0].pair_id: 1.5, expected a whole"),
        (_set("annotations.0.float_polygons", 0), "annotations[0].float_polygons: 0, expected"),
        (
            _set("annotations.0.segmentation", {"size": [1, 2], "counts": [2]}),
            "annotations[0].segmentation: an RLE, but annotation files have polygons",
        ),
        (_set("annotations.0.image_id", {}), "annotations[0].image_id: {}, expected a whole"),
        (_set("images.0.id", -1), "images[0].id: -1, expected a whole number from 0"),
        (_set("images.0.id", 10**18), "images[0].id: 1000000000000000000 cannot name"),
        (_set("images.0.id", 2), "images[1].id: 2 is there twice. df2coco validate reports all"),
        (_set("images.0.id", "1"), "images[0].id: '1', expected a whole number"),
        (_set("images.0.source", 1), "images[0].source: 1, expected user or shop"),
        (_set("images.0.pair_id", "1"), "images[0].pair_id: '1', expected a whole number"),
        (_set("images.0.file_name", 1), "images[0].file_name: 1, expected text"),
        (_set("categories.0.name", "person"), "categories[0]: 1 is 'person', but 'short sleeve"),
        (_set("categories.0.id", 99), "categories[0]: 99 is 'short sleeve top', but none"),
        (_counted_from_0, "categories[0]: 0 is 'short sleeve top', but none of that id"),
        (_set("categories", {}), "categories: expected a list of objects"),
        (_set("info", None), ""),
    ],
)
def test_what_makes_no_annotation_files_is_refused_in_one_line(
    tmp_path: Path, change: Any, line: str
) -> None:
    document = make_coco(tmp_path)
    change(document)
    code, lines = restore_document(tmp_path, document)
    if not line:
        assert code == 0
        return
    assert code == 2
    assert len(lines) == 1
    assert lines[0].startswith(f"df2coco: {tmp_path}/out.json: {line}")
    assert not (tmp_path / "annos").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".tmp")]


def test_instances_are_refused_also_without_annotations(tmp_path: Path) -> None:
    document = make_coco(tmp_path, task="instances")
    document["annotations"] = []
    assert restore_document(tmp_path, document)[0] == 2


# ---------------------------------------------------------------- the folder


def test_losses_are_told_before_anything_is_written(tmp_path: Path) -> None:
    make_coco(tmp_path, landmarks="visible")
    there = []
    restore(
        tmp_path / "out.json",
        tmp_path / "annos",
        report_loss=lambda _: there.append(list(tmp_path.glob("*annos*"))),
    )
    assert there == [[], []]


def test_a_folder_with_files_is_left_alone_without_force(tmp_path: Path) -> None:
    make_coco(tmp_path)
    annos = tmp_path / "annos"
    annos.mkdir()
    restore(tmp_path / "out.json", annos)  # an empty one is fine
    for name in ("000001.json", "000005.json", "notes.txt"):
        (annos / name).write_text("mine")
    with pytest.raises(OutputError, match=r"annos: holds files already.*--force"):
        restore(tmp_path / "out.json", annos)
    assert (annos / "000001.json").read_text() == "mine"
    result = CliRunner().invoke(app, ["restore", str(tmp_path / "out.json"), str(annos), "--force"])
    assert result.exit_code == 0
    assert "warning: " in result.stderr
    assert "holds 1 other annotation file too" in result.stderr
    assert sorted(texts_in(annos)) == ["000001.json", "000002.json", "000005.json", "notes.txt"]
    assert (annos / "000001.json").read_text() == (annos / "000002.json").read_text()


def test_all_files_are_replaced_or_none(tmp_path: Path) -> None:
    make_coco(tmp_path)
    annos = tmp_path / "annos"
    (annos / "000002.json").mkdir(parents=True)
    (annos / "000001.json").write_text("mine")
    with pytest.raises(OutputError, match=r"annos/000002\.json: cannot be written"):
        restore(tmp_path / "out.json", annos, force=True)
    assert (annos / "000001.json").read_text() == "mine"
    assert {path.name for path in annos.iterdir()} == {"000001.json", "000002.json"}


@pytest.mark.linux
def test_the_file_behind_a_link_is_not_written_over(tmp_path: Path) -> None:
    make_coco(tmp_path)
    (tmp_path / "annos").mkdir()
    (tmp_path / "out.json").rename(tmp_path / "annos" / "000001.json")
    (tmp_path / "link.json").symlink_to("annos/000001.json")
    with pytest.raises(OutputError, match=r"holds link\.json itself"):
        restore(tmp_path / "link.json", tmp_path / "annos", force=True)


@pytest.mark.parametrize("stem", ["1" * 5000, "\u0661", "photo", ""])
def test_a_file_name_that_is_no_id(tmp_path: Path, stem: str) -> None:
    make_coco(tmp_path)
    document = json.loads((tmp_path / "out.json").read_text())
    document["images"][0]["file_name"] = f"{stem}.jpg"
    (tmp_path / "out.json").write_text(json.dumps(document))
    done = restore(tmp_path / "out.json", tmp_path / "annos")
    assert any("file names that are not their ids" in loss for loss in done.losses)
    assert (tmp_path / "annos" / "000001.json").is_file()


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("out.json", "out.json: is not a folder. Name a folder"),
        ("missing/annos", "there is no folder"),
        (".", "holds out.json itself"),
        ("out.json/annos", "out.json is not a folder. Write elsewhere"),
        ("a" * 300, "cannot be written"),
    ],
)
def test_a_folder_that_cannot_be_is_told_at_once(tmp_path: Path, folder: str, message: str) -> None:
    (tmp_path / "out.json").write_text("[never read")
    with pytest.raises(OutputError, match=message):
        restore(tmp_path / "out.json", tmp_path / folder, force=True)


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_coco(tmp_path)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(Df2cocoError, match=r"annos: cannot be written \(No space left on device\)"):
        restore(tmp_path / "out.json", tmp_path / "annos")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.json", "source"]


def test_no_coco_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CocoFileError, match="cannot be read"):
        restore(tmp_path / "none.json", tmp_path / "annos")


def test_progress_and_quiet(tmp_path: Path) -> None:
    make_coco(tmp_path)
    calls: list[tuple[str, int, int]] = []
    restore(
        tmp_path / "out.json",
        tmp_path / "a",
        progress=lambda *counts: calls.append(counts),
    )
    assert calls == [("reading out.json", 0, 0), ("writing annotation files", 2, 2)]
    result = CliRunner().invoke(
        app, ["restore", "-q", str(tmp_path / "out.json"), str(tmp_path / "b")]
    )
    assert (result.exit_code, result.output) == (0, "")


def test_an_image_without_items_comes_back(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there/000001.json").write_text('{"source": "user", "pair_id": 1}')
    (tmp_path / "there/000002.json").write_text(json.dumps(make_annotation()))
    annos = there_and_back(tmp_path / "there", tmp_path, asked(), images=None)
    assert texts_in(annos) == texts_in(tmp_path / "there")


def test_a_file_without_images_is_no_success(tmp_path: Path) -> None:
    (tmp_path / "coco.json").write_text('{"images": [], "annotations": [], "categories": []}')
    with pytest.raises(CocoFileError, match="has no images, so there is nothing to restore"):
        restore(tmp_path / "coco.json", tmp_path / "annos")
    assert not (tmp_path / "annos").exists()
