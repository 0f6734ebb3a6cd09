"""Whole conversions: what stands in the file, and when there is none."""

from __future__ import annotations

import dataclasses
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from df2coco.coco import load
from df2coco.converter.encoder import make_encoder, measure
from df2coco.converter.options import LAYOUTS, LayoutName, Selection, Shape
from df2coco.converter.run import ConversionError, convert, image_info
from df2coco.errors import OptionError, OutputError, SourceError
from df2coco.layouts import AGGREGATED, find_layout, own_slots
from df2coco.parser.annotation import parse_annotation
from df2coco.parser.records import ImageRecord
from df2coco.taxonomy import CATEGORIES, CATEGORY_BY_ID, LANDMARK_NAMES, NUM_LANDMARKS
from df2coco.validator import validate
from tests.conftest import MakeSplit, copy_tree, run_command, write_split
from tests.samples import asked, is_taken, make_annotation, make_item, make_jpeg


def converted(source: Path, out: Path, **options: Any) -> dict[str, Any]:
    """Convert and read what was written, which the summary must count."""
    run = {name: options.pop(name) for name in ("images", "on_error", "workers") if name in options}
    (summary,) = convert(source, out, **asked(**options), **run)
    document: dict[str, Any] = json.loads(out.read_bytes())
    assert summary.images == len(document["images"])
    categories = Counter(a["category_id"] for a in document["annotations"])
    assert +Counter(summary.items_per_category) == categories
    return document


def encoded(record: ImageRecord, shape: Shape) -> dict[str, Any]:
    """The annotation of a record's one item."""
    (measured,) = measure([record], count=shape.area == "mask")
    text = make_encoder(shape.of_file("keypoints")).annotation(record, record.items[0], measured)
    annotation: dict[str, Any] = json.loads(text % 1)
    return annotation


def whole_floats(numbers: Any) -> bool:
    return all(isinstance(n, float) for n in numbers)


@pytest.fixture(scope="module")
def document(validation: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The fixtures' annotations, converted with the default options."""
    return converted(validation, tmp_path_factory.mktemp("out") / "out.json")


class TestFile:
    """What consumers ask of every file."""

    def test_images_are_those_of_the_split(
        self, document: dict[str, Any], validation: Path
    ) -> None:
        assert [i["file_name"] for i in document["images"]] == sorted(
            path.name for path in (validation / "image").iterdir()
        )
        for image in document["images"]:
            assert image["id"] == int(image["file_name"][:6])
            assert [type(image[k]) for k in ("id", "width", "height")] == [int] * 3

    def test_annotation_ids_count_from_1_in_file_order(
        self, document: dict[str, Any], validation: Path
    ) -> None:
        assert [a["id"] for a in document["annotations"]] == list(
            range(1, len(document["annotations"]) + 1)
        )
        expected = [
            (int(path.stem), key)
            for path in sorted((validation / "annos").iterdir())
            for key in json.loads(path.read_bytes())
            if key.startswith("item")
        ]
        assert [(a["image_id"], a["item"]) for a in document["annotations"]] == expected
        assert any(key == "item2" for _, key in expected)

    def test_numbers_have_the_types_that_consumers_need(self, document: dict[str, Any]) -> None:
        for annotation in document["annotations"]:
            assert whole_floats(annotation["bbox"])
            assert all(whole_floats(polygon) for polygon in annotation["segmentation"])
            assert all(type(n) is int for n in annotation["keypoints"])
            assert len(annotation["keypoints"]) == 3 * NUM_LANDMARKS
            assert annotation["iscrowd"] == 0
            assert annotation["area"] > 0
            assert annotation["num_keypoints"] == sum(v > 0 for v in annotation["keypoints"][2::3])

    def test_categories_are_all_13_in_order_with_the_layouts_names(
        self, document: dict[str, Any]
    ) -> None:
        assert [(c["id"], c["name"]) for c in document["categories"]] == [
            (c.id, c.name) for c in CATEGORIES
        ]
        for entry, category in zip(document["categories"], CATEGORIES, strict=True):
            assert entry["keypoints"] == list(LANDMARK_NAMES)
            numbers = {n for edge in entry["skeleton"] for n in edge}
            assert numbers == {slot + 1 for slot in category.slots}

    def test_slots_outside_the_category_are_zero(self, document: dict[str, Any]) -> None:
        for annotation in document["annotations"]:
            slots = CATEGORY_BY_ID[annotation["category_id"]].slots
            keypoints = annotation["keypoints"]
            assert not any(keypoints[: 3 * slots.start])
            assert not any(keypoints[3 * slots.stop :])

    def test_info_tells_the_version_and_the_options_and_no_place_or_time(
        self, document: dict[str, Any], tmp_path: Path
    ) -> None:
        told = document["info"]["df2coco"]
        assert {
            "task": "keypoints",
            "layout": "unified",
            "area": "box",
            "landmarks": "all",
        }.items() <= told.items()
        assert str(tmp_path.parent) not in json.dumps(document["info"])

    def test_every_value_of_the_source_is_there(
        self, document: dict[str, Any], validation: Path
    ) -> None:
        images = {image["id"]: image for image in document["images"]}
        for annotation in document["annotations"]:
            path = validation / "annos" / f"{annotation['image_id']:06d}.json"
            source = json.loads(path.read_bytes())
            item = source[annotation["item"]]
            x, y, w, h = annotation["bbox"]
            assert [x, y, x + w, y + h] == item["bounding_box"]
            assert annotation["segmentation"] == item["segmentation"]
            slots = CATEGORY_BY_ID[item["category_id"]].slots
            assert annotation["keypoints"][3 * slots.start : 3 * slots.stop] == item["landmarks"]
            for field in ("category_id", "style", "scale", "occlusion", "zoom_in", "viewpoint"):
                assert annotation[field] == item[field]
            assert (
                annotation["pair_id"]
                == images[annotation["image_id"]]["pair_id"]
                == source["pair_id"]
            )
            assert images[annotation["image_id"]]["source"] == source["source"]

    def test_area_is_the_union_mask(self, validation: Path, tmp_path: Path) -> None:
        document = converted(validation, tmp_path / "m.json", area="mask")
        images = {image["id"]: image for image in document["images"]}
        for annotation in document["annotations"]:
            size = images[annotation["image_id"]]["height"], images[annotation["image_id"]]["width"]
            union = sum(
                coco_mask.decode(coco_mask.frPyObjects([polygon], *size))[:, :, 0]
                for polygon in annotation["segmentation"]
            )
            assert annotation["area"] == (union > 0).sum()


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A split that is large enough for three processes."""
    return write_split(
        tmp_path_factory.mktemp("large") / "validation",
        {n: make_annotation(make_item(1 + n % 13)) for n in range(1, 700)},
    )


class TestOptions:
    def test_category_layout_holds_each_categorys_own(
        self, validation: Path, tmp_path: Path
    ) -> None:
        document = converted(validation, tmp_path / "o.json", layout="category")
        unified = converted(validation, tmp_path / "u.json")
        for entry, category in zip(document["categories"], CATEGORIES, strict=True):
            assert entry["keypoints"] == list(category.landmark_names)
            assert entry["skeleton"] == [list(edge) for edge in category.skeleton]
        for own, wide in zip(document["annotations"], unified["annotations"], strict=True):
            slots = CATEGORY_BY_ID[own["category_id"]].slots
            assert own["keypoints"] == wide["keypoints"][3 * slots.start : 3 * slots.stop]
            assert own | {"keypoints": 0} == wide | {"keypoints": 0}

    def test_the_aggregated_layout_has_81_slots(self, validation: Path, tmp_path: Path) -> None:
        document = converted(validation, tmp_path / "o.json", layout="aggregated")
        unified = converted(validation, tmp_path / "u.json")
        for entry, category in zip(document["categories"], CATEGORIES, strict=True):
            assert entry["keypoints"] == list(AGGREGATED.names)
            groups = category.groups
            assert entry["skeleton"] == [
                [groups[a - 1], groups[b - 1]] for a, b in category.skeleton
            ]
        for shared, wide in zip(document["annotations"], unified["annotations"], strict=True):
            assert len(shared["keypoints"]) == 243
            category = CATEGORY_BY_ID[shared["category_id"]]
            for slot, group in zip(category.slots, category.groups, strict=True):
                assert (
                    shared["keypoints"][3 * group - 3 : 3 * group]
                    == wide["keypoints"][3 * slot : 3 * slot + 3]
                )
            assert sum(v > 0 for v in shared["keypoints"][2::3]) == shared["num_keypoints"]
            assert shared | {"keypoints": 0} == wide | {"keypoints": 0}

    def test_instances_have_no_landmarks(self, validation: Path, tmp_path: Path) -> None:
        document = converted(validation, tmp_path / "i.json", task="instances")
        assert not any("keypoints" in c or "skeleton" in c for c in document["categories"])
        assert not any("keypoints" in a or "num_keypoints" in a for a in document["annotations"])

    def test_visible_unlabels_what_is_occluded(self, validation: Path, tmp_path: Path) -> None:
        seen = converted(validation, tmp_path / "v.json", landmarks="visible")["annotations"]
        everything = converted(validation, tmp_path / "a.json")["annotations"]
        assert any(1 in a["keypoints"][2::3] for a in everything)
        for some, all_ in zip(seen, everything, strict=True):
            for i in range(0, 3 * NUM_LANDMARKS, 3):
                expected = (
                    all_["keypoints"][i : i + 3] if all_["keypoints"][i + 2] == 2 else [0, 0, 0]
                )
                assert some["keypoints"][i : i + 3] == expected
            assert some["num_keypoints"] == all_["keypoints"][2::3].count(2)

    def test_area_of_each_task(self, validation: Path, tmp_path: Path) -> None:
        """A keypoints file has the areas by which OKS is scaled, an instances file COCO's own."""
        for asked_for, expected in {
            None: ("mask", "box", "box"),
            "mask": ("mask", "mask", "mask"),
            "box": ("box", "box", "box"),
        }.items():
            folder = tmp_path / str(asked_for)
            shape = Shape(area=asked_for)  # type: ignore[arg-type]
            convert(validation, folder, shape=shape, per_category=True)
            names = (
                "instances_validation.json",
                "keypoints_validation.json",
                "validation/deepfashion2_skirt_validation.json",
            )
            documents = [json.loads((folder / name).read_bytes()) for name in names]
            assert tuple(d["info"]["df2coco"]["area"] for d in documents) == expected
            for document, area in zip(documents, expected, strict=True):
                boxes = [a["bbox"][2] * a["bbox"][3] for a in document["annotations"]]
                areas = [a["area"] for a in document["annotations"]]
                assert (areas == boxes) is (area == "box")

    def test_the_files_of_each_category_have_areas_of_boxes_beside_instances_alone(
        self, validation: Path, tmp_path: Path
    ) -> None:
        convert(validation, tmp_path / "o", shape=Shape(task="instances"), per_category=True)
        path = tmp_path / "o/validation/deepfashion2_skirt_validation.json"
        assert json.loads(path.read_bytes())["info"]["df2coco"]["area"] == "box"

    def test_box_area(self, validation: Path, tmp_path: Path) -> None:
        for a in converted(validation, tmp_path / "b.json", area="box")["annotations"]:
            assert a["area"] == a["bbox"][2] * a["bbox"][3]

    def test_category_subset_keeps_ids_and_all_categories(
        self, validation: Path, tmp_path: Path
    ) -> None:
        document = converted(validation, tmp_path / "c.json", categories=(8, 9))
        assert {a["category_id"] for a in document["annotations"]} == {8, 9}
        assert {i["id"] for i in document["images"]} == {
            a["image_id"] for a in document["annotations"]
        }
        assert len(document["categories"]) == 13
        assert document["info"]["df2coco"]["categories"] == [8, 9]

    @pytest.mark.parametrize("only", ["user", "shop"])
    def test_only_one_source(self, validation: Path, tmp_path: Path, only: str) -> None:
        document = converted(validation, tmp_path / "s.json", only=only)
        assert {i["source"] for i in document["images"]} == {only}
        everything = converted(validation, tmp_path / "a.json")
        assert len(document["images"]) == sum(i["source"] == only for i in everything["images"])

    def test_a_selection_needs_no_images(self, validation: Path, tmp_path: Path) -> None:
        copy_tree(validation / "annos", tmp_path / "annos")
        documents = [
            converted(source, tmp_path / "o.json", only="user", categories=(8, 9))
            for source in (validation, tmp_path / "annos")
        ]
        images, lonely = ([i["id"] for i in document["images"]] for document in documents)
        assert images == lonely
        annotations, alone = (
            [(a["id"], a["category_id"]) for a in document["annotations"]] for document in documents
        )
        assert annotations == alone

    def test_limit_counts_what_is_left(self, validation: Path, tmp_path: Path) -> None:
        shops = converted(validation, tmp_path / "a.json", only="shop")["images"]
        assert (
            converted(validation, tmp_path / "l.json", only="shop", limit=3)["images"] == shops[:3]
        )

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "options", [{}, {"layout": "category"}, {"task": "instances"}, {"preset": "official"}]
    )
    def test_bytes_are_the_same_for_any_number_of_workers(
        self, large: Path, tmp_path: Path, options: dict[str, Any]
    ) -> None:
        files = []
        for workers in (1, 2, 3):
            out = tmp_path / f"{workers}.json"
            convert(large, out, **asked(**options), workers=workers)
            files.append(out.read_bytes())
        assert files[0] == files[1] == files[2]


class TestOptionErrors:
    """A wrong option is an error that names it, its value and the allowed values; nothing is written."""

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (
                lambda: Shape(task="keypoint"),
                "task: 'keypoint' is not one of keypoints, instances.",
            ),
            (
                lambda: Shape(layout="unifed"),
                "layout: 'unifed' is not one of unified, aggregated, category.",
            ),
            (lambda: Shape(layout=None), "layout: None is not one of"),
            (lambda: Shape(landmarks="hidden"), "landmarks: 'hidden' is not one of all, visible."),
            (lambda: Shape(area=["box"]), "area: ['box'] is not one of mask, box."),
            (lambda: Shape(preset="offical"), "preset: 'offical' is not one of official."),
            (
                lambda: Shape(layout="category", preset="official"),
                "layout: 'category' does not go with preset official, which has unified.",
            ),
            (
                lambda: Shape(task="instances", preset="official"),
                "task: 'instances' does not go with preset official, which has keypoints.",
            ),
            (lambda: Selection(categories=("skirts",)), "categories: 'skirts' is not one of short"),
            (lambda: Selection(categories=(14,)), "categories: 14 is not one of"),
            (lambda: Selection(categories=(True,)), "categories: True is not one of"),
            (lambda: Selection(categories="skirt"), "categories: 'skirt' is not a list. Write"),
            (lambda: Selection(categories=9), "categories: 9 is not a list. Write"),
            (lambda: Selection(only="users"), "only: 'users' is not one of user, shop."),
            (lambda: Selection(limit=0), "limit: 0 is not a number of images, 1 or more."),
            (lambda: Selection(limit=True), "limit: True is not a number of images"),
        ],
    )
    def test_of_selection_and_shape(self, make: Any, message: str) -> None:
        with pytest.raises(OptionError) as caught:
            make()
        assert str(caught.value).startswith(message)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"on_error": "raise"}, "on_error: 'raise' is not one of fail, skip."),
            ({"workers": 0}, "workers: 0 is not a number of processes, 1 or more."),
            ({"workers": 1.5}, "workers: 1.5 is not a number of processes"),
        ],
    )
    @pytest.mark.parametrize("function", [convert, image_info])
    def test_of_the_run(
        self, validation: Path, tmp_path: Path, function: Any, options: Any, message: str
    ) -> None:
        with pytest.raises(OptionError) as caught:
            function(validation, tmp_path / "out.json", **options)
        assert str(caught.value).startswith(message)
        assert list(tmp_path.iterdir()) == []

    def test_categories_are_names_or_ids(self) -> None:
        names = Selection(categories=("skirt", "long_sleeved_dress", 9, "vest"))
        assert names == Selection(categories=[11, 5, 9])
        assert names.category_ids == (5, 9, 11)

    def test_a_preset_gives_the_other_options(self) -> None:
        shape = Shape(preset="official")
        assert shape == Shape("keypoints", "unified", "all", "box", "official")
        assert dataclasses.replace(shape) == shape


class TestOfficialPreset:
    def test_it_is_what_the_official_converter_wrote(self, real: Path, tmp_path: Path) -> None:
        document = converted(real / "train", tmp_path / "o.json", preset="official")
        official = json.loads((real / "train" / "official_coco.json").read_bytes())
        images = {image["id"]: image for image in official["images"]}
        assert len(images) == 16
        assert {i["id"]: i for i in document["images"] if i["id"] in images} == images
        assert document["categories"] == official["categories"]
        assert (document["info"], document["licenses"]) == (official["info"], official["licenses"])
        # The real ids number the whole of train.
        ours = [{**a, "id": 0} for a in document["annotations"] if a["image_id"] in images]
        assert ours == [{**a, "id": 0} for a in official["annotations"]]
        assert [set(a) for a in ours] == [set(a) for a in official["annotations"]]

    def test_default_file_agrees_with_it_on_every_value(self, real: Path, tmp_path: Path) -> None:
        official = json.loads((real / "train" / "official_coco.json").read_bytes())
        ids = {image["id"] for image in official["images"]}
        ours = [
            a
            for a in converted(real / "train", tmp_path / "o.json")["annotations"]
            if a["image_id"] in ids
        ]
        same = (
            "bbox",
            "keypoints",
            "num_keypoints",
            "segmentation",
            "style",
            "pair_id",
            "category_id",
            "image_id",
        )
        assert [[a[k] for k in same] for a in ours] == [
            [a[k] for k in same] for a in official["annotations"]
        ]

    def test_it_has_the_official_names_and_types(self, validation: Path, tmp_path: Path) -> None:
        document = converted(validation, tmp_path / "o.json", preset="official")
        assert [c["name"] for c in document["categories"]] == [c.official_name for c in CATEGORIES]
        annotation = document["annotations"][0]
        assert set(annotation) == {
            "area", "bbox", "category_id", "id", "pair_id", "image_id", "iscrowd", "style",
            "num_keypoints", "keypoints", "segmentation",
        }  # fmt: skip
        assert whole_floats(annotation["keypoints"])
        assert annotation["area"] == annotation["bbox"][2] * annotation["bbox"][3]


class TestFamily:
    def test_a_folder_gets_instances_and_keypoints(self, validation: Path, tmp_path: Path) -> None:
        (summary,) = convert(validation, tmp_path / "out")
        names = ["instances_validation.json", "keypoints_validation.json"]
        assert [p.name for p in summary.outputs] == names
        assert sorted(p.name for p in (tmp_path / "out").iterdir()) == names
        for task in ("instances", "keypoints"):
            alone = tmp_path / f"{task}.json"
            convert(validation, alone, **asked(task=task))
            assert (tmp_path / "out" / f"{task}_validation.json").read_bytes() == alone.read_bytes()

    def test_per_category_files_are_those_of_mmpose(self, validation: Path, tmp_path: Path) -> None:
        convert(validation, tmp_path / "out", per_category=True)
        whole = json.loads((tmp_path / "out" / "keypoints_validation.json").read_bytes())
        for category in CATEGORIES:
            name = f"deepfashion2_{category.official_name}_validation.json"
            part = json.loads((tmp_path / "out" / "validation" / name).read_bytes())
            assert [c["id"] for c in part["categories"]] == [category.id]
            expected = [a for a in whole["annotations"] if a["category_id"] == category.id]
            assert [a | {"id": 0} for a in part["annotations"]] == [a | {"id": 0} for a in expected]
            assert [a["id"] for a in part["annotations"]] == list(range(1, len(expected) + 1))
            assert {i["id"] for i in part["images"]} == {a["image_id"] for a in expected}

    def test_a_dataset_root_gives_every_split(self, make_split: MakeSplit, tmp_path: Path) -> None:
        root = tmp_path / "root"
        make_split({1: make_annotation()}, name="root/train")
        make_split({1: make_annotation(), 2: make_annotation()}, name="root/validation")
        (root / "test" / "image").mkdir(parents=True)
        (root / "test" / "image" / "000001.jpg").write_bytes(make_jpeg())
        summaries = convert(root, tmp_path / "out")
        assert [(s.split, s.images, s.items) for s in summaries] == [
            ("train", 1, 1), ("validation", 2, 2), ("test", 1, 0),
        ]  # fmt: skip
        assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
            "image_info_test.json", "instances_train.json", "instances_validation.json",
            "keypoints_train.json", "keypoints_validation.json",
        ]  # fmt: skip
        info = json.loads((tmp_path / "out" / "image_info_test.json").read_bytes())
        assert [i["file_name"] for i in info["images"]] == ["000001.jpg"]
        assert info["annotations"] == []
        image_info(root / "test", tmp_path / "alone.json")
        assert (tmp_path / "alone.json").read_bytes() == (
            tmp_path / "out" / "image_info_test.json"
        ).read_bytes()

    def test_a_dataset_root_needs_a_folder(self, make_split: MakeSplit, tmp_path: Path) -> None:
        make_split({1: make_annotation()}, name="root/train")
        make_split({1: make_annotation()}, name="root/validation")
        with pytest.raises(OutputError, match="Name a folder"):
            convert(tmp_path / "root", tmp_path / "o.json")


class TestErrors:
    def bad_split(self, make_split: MakeSplit) -> Path:
        good = {n: make_annotation() for n in range(1, 4)}
        bad = {
            4: make_annotation(make_item(scale=9), make_item()),
            5: b"{",
            "six": make_annotation(),
        }
        return make_split({**good, **bad}, images={"000003.jpg": b"no image"})

    def test_fail_tells_all_and_leaves_out_as_it_was(
        self, make_split: MakeSplit, tmp_path: Path
    ) -> None:
        source = self.bad_split(make_split)
        out = tmp_path / "out.json"
        out.write_text("before")
        with pytest.raises(ConversionError) as caught:
            convert(source, out)
        counts = caught.value.summaries[0].notice_counts
        assert counts == Counter({"bad-file": 2, "bad-item": 1, "bad-image": 1})
        assert "2 annotation files, 1 image, 1 item cannot be used" in str(caught.value)
        assert out.read_text() == "before"
        assert sorted(p.name for p in tmp_path.iterdir()) == ["out.json", "validation"]

    def test_skip_leaves_out_what_is_bad_and_counts_it(
        self, make_split: MakeSplit, tmp_path: Path
    ) -> None:
        source = self.bad_split(make_split)
        (summary,) = convert(source, tmp_path / "o.json", on_error="skip")
        assert (summary.images, summary.items, summary.errors) == (3, 3, 4)
        document = json.loads((tmp_path / "o.json").read_bytes())
        assert [i["id"] for i in document["images"]] == [1, 2, 4]
        assert [(a["id"], a["image_id"], a["item"]) for a in document["annotations"]] == [
            (1, 1, "item1"), (2, 2, "item1"), (3, 4, "item2"),
        ]  # fmt: skip

    def test_a_missing_image_is_an_error_of_that_image(
        self, make_split: MakeSplit, tmp_path: Path
    ) -> None:
        source = make_split({1: make_annotation(), 2: make_annotation()})
        (source / "image" / "000002.jpg").unlink()
        with pytest.raises(ConversionError) as caught:
            convert(source, tmp_path / "o.json")
        (notice,) = caught.value.summaries[0].notices
        assert str(notice).endswith("000002.jpg: is missing. Download or unpack it again.")

    def test_two_names_for_one_id(self, make_split: MakeSplit, tmp_path: Path) -> None:
        source = make_split({"1": make_annotation(), "000001": make_annotation()})
        with pytest.raises(SourceError, match="000001 and 1 stand for one image id"):
            convert(source, tmp_path / "o.json")

    def test_no_images_at_all_still_converts(self, make_split: MakeSplit, tmp_path: Path) -> None:
        source = make_split({1: make_annotation()})
        lonely = source.rename(tmp_path / "x") / "annos"
        (tmp_path / "x" / "image" / "000001.jpg").unlink()
        (tmp_path / "x" / "image").rmdir()
        (summary,) = convert(lonely, tmp_path / "o.json")
        assert summary.notice_counts == Counter({"no-images": 1})
        document = json.loads((tmp_path / "o.json").read_bytes())
        assert (document["images"][0]["width"], document["images"][0]["height"]) == (60, 70)
        assert document["info"]["df2coco"]["image_sizes"].startswith("unknown")

    @pytest.mark.parametrize(
        ("polygon", "empty"),
        [
            ([20, 20, 20, 20, 20, 20], True),
            ([20, 20, 40, 40, 30, 30], True),
            ([200, 20, 240, 20, 240, 40], True),
            ([20, 20, 22, 20, 22, 22, 20, 22], False),
            ([90, 20, 240, 20, 240, 40, 90, 40], False),
        ],
    )
    @pytest.mark.parametrize("area", ["mask", "box", None])
    def test_a_mask_without_a_pixel_takes_the_area_of_the_box(
        self, make_split: MakeSplit, tmp_path: Path, area: str | None, polygon: Any, empty: bool
    ) -> None:
        """It is noticed where no file needs the areas of masks, too."""
        source = make_split({1: make_annotation(make_item(segmentation=[polygon]))})
        (summary,) = convert(source, tmp_path / "o.json", **asked(area=area))
        assert summary.notice_counts == Counter({"area-from-box": 1} if empty else {})
        if not empty and area == "mask":
            return
        assert json.loads((tmp_path / "o.json").read_bytes())["annotations"][0]["area"] == 3000

    @pytest.mark.parametrize(("keep", "kept"), [(False, 5), (True, 7)])
    def test_the_first_notices_of_a_code_are_kept(
        self, make_split: MakeSplit, tmp_path: Path, keep: bool, kept: int
    ) -> None:
        empty = make_annotation(make_item(segmentation=[[20, 20, 20, 20, 20, 20]]))
        source = make_split(dict.fromkeys(range(1, 8), empty))
        (summary,) = convert(source, tmp_path / "o.json", keep_notices=keep)
        assert (summary.notice_counts["area-from-box"], len(summary.notices)) == (7, kept)

    @pytest.mark.parametrize("place", ["annos/out.json", "image/out.json", "annos/000001.json"])
    def test_out_among_the_inputs_is_told_at_once(self, make_split: MakeSplit, place: str) -> None:
        source = make_split({1: make_annotation()})
        before = {p: p.read_bytes() for p in source.rglob("*") if p.is_file()}
        with pytest.raises(OutputError, match="which is read"):
            convert(source, source / place)
        assert before == {p: p.read_bytes() for p in source.rglob("*") if p.is_file()}

    def test_out_beside_the_annotations_is_fine(self, make_split: MakeSplit) -> None:
        source = make_split({1: make_annotation()})
        convert(source, source / "out.json")
        convert(source, source / "out.json")


class TestAllOrNothing:
    """Splits, tasks and the report: all files of a run appear, or none; the report has all splits."""

    @pytest.fixture
    def root(self, make_split: MakeSplit, tmp_path: Path) -> Path:
        """Three splits, of which two have a fault."""
        make_split({1: make_annotation()}, name="root/train")
        make_split({1: make_annotation(make_item(scale=9))}, name="root/validation")
        make_split({1: make_annotation(), 2: b"{"}, name="root/other")
        (tmp_path / "root/other").rename(tmp_path / "root/test")
        return tmp_path / "root"

    def test_a_faulty_split_stops_all(self, root: Path, tmp_path: Path) -> None:
        with pytest.raises(ConversionError) as caught:
            convert(root, tmp_path / "out", report=tmp_path / "report.json")
        assert str(caught.value) == (
            "validation: 1 item; test: 1 annotation file cannot be used, so nothing was written. "
            "Fix them, or pass --on-error skip to leave them out."
        )
        assert sorted(path.name for path in tmp_path.iterdir()) == ["report.json", "root"]
        report = json.loads((tmp_path / "report.json").read_bytes())
        assert [(split["split"], split["counts"]) for split in report] == [
            ("train", {}), ("validation", {"bad-item": 1}), ("test", {"bad-file": 1}),
        ]  # fmt: skip

    def test_what_was_there_before_stays(self, root: Path, tmp_path: Path) -> None:
        (tmp_path / "out").mkdir()
        (tmp_path / "out/instances_train.json").write_text("before")
        with pytest.raises(ConversionError):
            convert(root, tmp_path / "out")
        (only,) = (tmp_path / "out").iterdir()
        assert only.read_text() == "before"

    def test_the_report_comes_with_the_files(self, root: Path, tmp_path: Path) -> None:
        (root / "validation/annos/000002.json").write_text(json.dumps(make_annotation()))
        (root / "validation/image/000002.jpg").write_bytes(make_jpeg())
        convert(root, tmp_path / "out", on_error="skip", report=tmp_path / "report.json")
        report = json.loads((tmp_path / "report.json").read_bytes())
        assert [split["images"] for split in report] == [1, 2, 1]
        assert len(list((tmp_path / "out").iterdir())) == 6

    @pytest.mark.parametrize(
        ("report", "message"),
        [
            ("out.json", "is named for two outputs"),
            ("validation/annos/000001.json", "annos, which is read"),
            ("validation/image/report.json", "image, which is read"),
            ("missing/report.json", "there is no folder"),
            ("validation", "is a folder"),
        ],
    )
    def test_the_report_is_guarded(
        self, make_split: MakeSplit, tmp_path: Path, report: str, message: str
    ) -> None:
        source = make_split({1: make_annotation()})
        before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
        with pytest.raises(OutputError, match=message):
            convert(source, tmp_path / "out.json", report=tmp_path / report)
        assert before == {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}


class TestOut:
    """OUT is a .json file or a folder, and nothing else."""

    @pytest.mark.parametrize("name", ["out.txt", "out.json.gz", "out.jsonl", "out.png"])
    def test_what_is_neither(self, validation: Path, tmp_path: Path, name: str) -> None:
        with pytest.raises(OutputError, match=r"is not the name of a \.json file"):
            convert(validation, tmp_path / name)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("name", ["-", "/dev/stdout"])
    def test_stdout(self, validation: Path, name: str) -> None:
        with pytest.raises(OutputError, match="data goes to files, not to stdout"):
            convert(validation, name)

    @pytest.mark.parametrize("name", ["OUT.JSON", "a.b.Json"])
    def test_a_file(self, validation: Path, tmp_path: Path, name: str) -> None:
        convert(validation, tmp_path / name)
        assert (tmp_path / name).is_file()

    @pytest.mark.parametrize("name", ["coco", "coco-v1.2", "2024.10.01", "there.txt"])
    def test_a_folder(self, validation: Path, tmp_path: Path, name: str) -> None:
        (tmp_path / "there.txt").mkdir()
        convert(validation, tmp_path / name, **asked(task="instances"))
        assert [p.name for p in (tmp_path / name).iterdir()] == ["instances_validation.json"]

    def test_several_splits_in_one_file(self, make_split: MakeSplit, tmp_path: Path) -> None:
        make_split({1: make_annotation()}, name="root/train")
        (tmp_path / "root/test/image").mkdir(parents=True)
        (tmp_path / "root/test/image/000001.jpg").write_bytes(make_jpeg())
        with pytest.raises(OutputError, match=r"one file for several splits \(train, test\)"):
            convert(tmp_path / "root", tmp_path / "out.json")


class TestLandmarksAreNeededWhereTheyAreWritten:
    @pytest.mark.parametrize("landmarks", [..., None, []])
    def test_instances_of_items_without_landmarks(
        self, make_split: MakeSplit, tmp_path: Path, landmarks: Any
    ) -> None:
        bare = make_item(landmarks=landmarks)
        if landmarks is ...:
            bare.pop("landmarks", None)
        source = make_split({1: make_annotation(bare), 2: make_annotation()})
        (summary,) = convert(source, tmp_path / "out.json", **asked(task="instances"))
        assert (summary.items, dict(summary.notice_counts)) == (2, {})
        for out in ("keypoints.json", "folder"):
            with pytest.raises(ConversionError) as caught:
                convert(source, tmp_path / out)
            (notice,) = caught.value.summaries[0].notices
            assert notice.field == "item1.landmarks"
            assert landmarks == [] or notice.text.endswith("--task instances needs none.")

    def test_landmarks_of_another_category_are_a_fault_all_the_same(
        self, make_split: MakeSplit, tmp_path: Path
    ) -> None:
        source = make_split({1: make_annotation(make_item(landmarks=[1, 1, 2]))})
        with pytest.raises(ConversionError):
            convert(source, tmp_path / "out.json", **asked(task="instances"))

    def test_another_spelling_of_categories_is_one_notice(
        self, make_split: MakeSplit, tmp_path: Path
    ) -> None:
        odd = make_annotation(make_item(1, category_name="short_sleeve_top"))
        source = make_split(dict.fromkeys(range(1, 5), odd))
        (summary,) = convert(source, tmp_path / "out.json")
        assert (len(summary.notices), summary.notice_counts) == (1, {"category-name": 4})


class TestNothingIsIgnored:
    def test_a_selection_that_leaves_nothing(self, make_split: MakeSplit, tmp_path: Path) -> None:
        source = make_split({1: make_annotation(make_item(1)), 2: make_annotation(source="shop")})
        for chosen, codes in [
            (asked(only="shop", categories=["long sleeve dress"]), {"nothing-left": 1}),
            (asked(only="shop", categories=[9]), {}),
            (asked(categories=[2]), {"nothing-left": 1}),
            (asked(limit=1), {}),
        ]:
            if codes:
                with pytest.raises(ConversionError, match="leave no image, so nothing was"):
                    convert(source, tmp_path / "out.json", **chosen)
            else:
                (summary,) = convert(source, tmp_path / "other.json", **chosen)
                assert not summary.notice_counts
        assert not (tmp_path / "out.json").exists()

    @pytest.mark.parametrize("reason", ["selection", "faults"])
    def test_one_empty_split_does_not_stop_the_others(
        self, make_split: MakeSplit, tmp_path: Path, reason: str
    ) -> None:
        top = make_annotation(make_item(1))
        root, out = (
            make_split({1: make_annotation(), 2: top}, name="root/train").parent,
            tmp_path / "out",
        )
        make_split({1: top if reason == "selection" else b"{"}, name="root/validation")
        chosen = asked(categories=[9]) if reason == "selection" else {"on_error": "skip"}
        train, validation = convert(root, out, **chosen)
        assert sorted(os.listdir(out)) == ["instances_train.json", "keypoints_train.json"]
        assert [summary.notice_counts["nothing-left"] for summary in (train, validation)] == [0, 1]
        assert (validation.outputs, validation.images, validation.items) == ([], 0, 0)
        assert train.images == (1 if reason == "selection" else 2)
        with pytest.raises(ConversionError, match="nothing was written"):
            convert(root / "validation", tmp_path / "other", **chosen)
        assert not (tmp_path / "other").exists()

    def test_nothing_that_can_be_used(self, make_split: MakeSplit, tmp_path: Path) -> None:
        source = make_split({1: b"{", 2: make_annotation(make_item(1))})
        for chosen in (asked(categories=[1]), asked()):
            (summary,) = convert(source, tmp_path / "good.json", on_error="skip", **chosen)
            assert dict(summary.notice_counts) == {"bad-file": 1}
        with pytest.raises(ConversionError) as caught:
            convert(source, tmp_path / "out.json", on_error="skip", **asked(categories=[2]))
        assert caught.value.summaries[0].notice_counts == {"bad-file": 1, "nothing-left": 1}
        assert [n.level for n in caught.value.summaries[0].notices] == ["error", "error"]

    @pytest.mark.parametrize(
        ("files", "left"),
        [
            ([b"", b"{"], False),
            ([b"", make_annotation()], True),
            ([b"", {"source": "user"}], False),
            ([{"source": "user"}, {"source": "user"}], True),  # files without items are not a fault
            ([{"source": "user", "item_1": make_item()}], False),
            ([{"source": "user", "items": [make_item(), make_item()]}], False),
            ([{"source": "user", "items": 2}], True),
            ([make_annotation(make_item(category_id=0))], False),
        ],
    )
    def test_nothing_is_written_where_faults_leave_no_item(
        self, make_split: MakeSplit, tmp_path: Path, files: list[Any], left: bool
    ) -> None:
        source, out = make_split(dict(enumerate(files, start=1))), tmp_path / "out.json"
        report = tmp_path / "report.json"
        result = run_command("convert", source, out, "--on-error", "skip", "--report", report)
        assert (result.exit_code, out.exists()) == ((0, True) if left else (2, False))
        counts = json.loads(report.read_text())[0]["counts"]
        assert ("nothing-left" in counts) is not left
        result = run_command("stats", source)
        assert result.exit_code == (0 if left else 2)
        assert bool(result.stdout) is left

    def test_nothing_is_counted_as_written_that_is_not(
        self, make_split: MakeSplit, tmp_path: Path
    ) -> None:
        source = make_split({**dict.fromkeys(range(1, 70), make_annotation()), 70: b"{"})
        with pytest.raises(ConversionError) as caught:
            convert(source, tmp_path / "out.json", report=tmp_path / "report.json")
        (summary,) = caught.value.summaries
        assert (summary.images, summary.items) == (0, 0)
        (split,) = json.loads((tmp_path / "report.json").read_text())
        assert (split["images"], split["items"], split["counts"]["bad-file"]) == (0, 0, 1)
        assert not any(split["items_per_category"].values())

    def test_a_selection_where_there_are_no_annotations(
        self, make_split: MakeSplit, tmp_path: Path
    ) -> None:
        make_split({1: make_annotation()}, name="root/train")
        (tmp_path / "root/test/image").mkdir(parents=True)
        for number in (1, 2, 3):
            (tmp_path / f"root/test/image/00000{number}.jpg").write_bytes(make_jpeg())
        for chosen, codes, images in [
            (asked(only="user"), {"selection-ignored": 1}, 3),
            (asked(categories=[9], limit=2), {"selection-ignored": 1}, 2),
            (asked(limit=2), {}, 2),
            (asked(), {}, 3),
        ]:
            train, test = convert(tmp_path / "root", tmp_path / "out", **chosen)
            assert (dict(test.notice_counts), test.images) == (codes, images)
            assert dict(train.notice_counts) == {}

    def test_only_the_files_of_chosen_categories(self, validation: Path, tmp_path: Path) -> None:
        convert(validation, tmp_path / "out", per_category=True, **asked(categories=["skirt", 1]))
        assert sorted(p.name for p in (tmp_path / "out/validation").iterdir()) == [
            "deepfashion2_short_sleeved_shirt_validation.json",
            "deepfashion2_skirt_validation.json",
        ]

    def test_a_preset_is_one_file(self, validation: Path, tmp_path: Path) -> None:
        with pytest.raises(OptionError, match="preset: official is one file"):
            convert(validation, tmp_path / "out", **asked(preset="official"))


def test_exif_rotation_gives_the_size_that_loaders_see(
    make_split: MakeSplit, tmp_path: Path
) -> None:
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    source = make_split(
        {1: make_annotation()}, images={"000001.jpg": make_jpeg(200, 100, exif=exif)}
    )
    (summary,) = convert(source, tmp_path / "o.json")
    assert summary.notice_counts == Counter({"exif-orientation": 1})
    image = json.loads((tmp_path / "o.json").read_bytes())["images"][0]
    assert (image["width"], image["height"]) == (100, 200)
    convert(source, tmp_path / "official.json", **asked(preset="official"))
    image = json.loads((tmp_path / "official.json").read_bytes())["images"][0]
    assert (image["width"], image["height"]) == (200, 100)  # as the official converter had it


def test_pycocotools_loads_it_without_a_word(
    validation: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    convert(validation, tmp_path / "o.json")
    coco = load(tmp_path / "o.json")
    assert capfd.readouterr() == ("", "")
    assert len(coco.getAnnIds()) == len(coco.dataset["annotations"])


landmark = st.one_of(
    st.just((0, 0, 0)), st.tuples(st.integers(-5, 700), st.integers(-5, 900), st.integers(1, 2))
)


@given(category=st.sampled_from(CATEGORIES), data=st.data(), layout=st.sampled_from(list(LAYOUTS)))
def test_landmarks_survive_each_layout(
    category: Any, data: st.DataObject, layout: LayoutName
) -> None:
    points = data.draw(
        st.lists(landmark, min_size=category.num_landmarks, max_size=category.num_landmarks)
    )
    flat = [n for point in points for n in point]
    raw = json.dumps(make_annotation(make_item(category.id, landmarks=flat))).encode()
    record = parse_annotation(raw, "f", image_id=1, file_name="1.jpg", size=(100, 120))
    annotation = encoded(record, Shape(layout=layout))
    keypoints = annotation["keypoints"]
    found = [tuple(keypoints[i : i + 3]) for i in range(0, len(keypoints), 3)]
    assert len(found) == len(find_layout(layout, category).names)
    own = own_slots(category, len(found))
    assert own is not None
    assert [found[slot] for slot in own] == points
    assert not any(any(point) for slot, point in enumerate(found) if slot not in own)
    assert annotation["num_keypoints"] == sum(v > 0 for _, _, v in points)


@pytest.mark.parametrize(
    "polygon",
    [
        [10, 11, 50, 12, 30, 60],
        [10.0, 11.0, 50.0, 12.0, 30.0, 60.0],
        [10, 11.5, 50, 12, 30, 60],
        [1e-7, 11, 50, 12, 30, 60],  # JSON of it has no point
        [1e-7, 11, 50, 12, 30, 2e-9],
    ],
)
def test_polygons_become_floats_whatever_they_were(polygon: list[float]) -> None:
    whole = [[20, 21, 50, 22, 30, 60], polygon, [0, 1, 2, 3, 4, 5]]
    raw = json.dumps(make_annotation(make_item(segmentation=whole))).encode()
    record = parse_annotation(raw, "f", image_id=1, file_name="1.jpg", size=(100, 120))
    annotation = encoded(record, Shape())
    assert annotation["segmentation"] == whole
    assert all(whole_floats(each) for each in annotation["segmentation"])


coordinate = st.one_of(
    st.integers(-3, 130), st.floats(-3, 130, allow_nan=False).map(lambda x: round(x, 3))
)
polygon = st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=12).map(
    lambda points: [n for point in points for n in point]
)


@given(polygons=st.lists(polygon, min_size=1, max_size=4))
def test_area_is_the_union_whatever_the_polygons(polygons: list[list[float]]) -> None:
    document = make_annotation(make_item(segmentation=polygons))
    assume(is_taken(document, (100, 120)))
    raw = json.dumps(document).encode()
    record = parse_annotation(raw, "f", image_id=1, file_name="1.jpg", size=(100, 120))
    annotation = encoded(record, Shape(area="mask"))
    union = sum(
        coco_mask.decode(m)
        for m in coco_mask.frPyObjects([list(map(float, p)) for p in polygons], 120, 100)
    )
    assert annotation["area"] == ((union > 0).sum() or 50 * 60)
    assert annotation["segmentation"] == polygons


class TestSample:
    @pytest.mark.parametrize("size", [1, 2, 3, 7, 12, 20, 21, 99])
    def test_whole_pairs_and_no_more_than_needed(
        self, validation: Path, tmp_path: Path, size: int
    ) -> None:
        whole = converted(validation, tmp_path / "whole.json")
        document = converted(validation, tmp_path / "o.json", sample=size, seed=5)
        pairs = Counter(image["pair_id"] for image in document["images"])
        everything = Counter(image["pair_id"] for image in whole["images"])
        assert pairs == {pair: everything[pair] for pair in pairs}
        found = len(document["images"])
        assert found >= min(size, len(whole["images"]))
        assert size >= len(whole["images"]) or found - max(pairs.values()) < size
        chosen = {image["id"] for image in document["images"]}
        assert document["images"] == [i for i in whole["images"] if i["id"] in chosen]
        annotations = [a for a in whole["annotations"] if a["image_id"] in chosen]
        assert document["annotations"] == [
            {**annotation, "id": number} for number, annotation in enumerate(annotations, start=1)
        ]
        assert document["info"]["df2coco"]["sample"] == size
        assert document["info"]["df2coco"]["seed"] == 5

    def test_a_sample_is_compared_with_the_source(self, validation: Path, tmp_path: Path) -> None:
        converted(validation, tmp_path / "o.json", sample=6)
        assert validate(tmp_path / "o.json", against=validation).is_valid(strict=True)

    def test_the_seed_alone_decides(self, validation: Path, tmp_path: Path) -> None:
        documents = [
            converted(validation, tmp_path / "o.json", sample=6, seed=seed) for seed in (1, 1, 2, 3)
        ]
        assert documents[0] == documents[1]
        assert any(documents[0]["images"] != each["images"] for each in documents[2:])

    def test_a_larger_sample_holds_the_smaller_one(self, validation: Path, tmp_path: Path) -> None:
        small, large = (
            {i["id"] for i in converted(validation, tmp_path / "o.json", sample=n)["images"]}
            for n in (4, 12)
        )
        assert small < large

    def test_errors_outside_the_sample_count(self, validation: Path, tmp_path: Path) -> None:
        source = tmp_path / "annos"
        copy_tree(validation / "annos", source)
        sample = {
            f"{i['id']:06d}.json"
            for i in converted(source, tmp_path / "o.json", sample=1)["images"]
        }
        other = next(path for path in sorted(source.iterdir()) if path.name not in sample)
        other.write_text("{")
        with pytest.raises(ConversionError):
            convert(source, tmp_path / "o.json", **asked(sample=1))

    def test_limit_and_sample_do_not_go_together(self) -> None:
        with pytest.raises(OptionError, match="limit"):
            Selection(limit=3, sample=3)
