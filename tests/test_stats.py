"""Statistics: of a split counted by hand, of files by any converter, and what they are compared with."""

from __future__ import annotations

import dataclasses
import itertools
import json
import shutil
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from df2coco.coco import load
from df2coco.converter.run import convert, image_info
from df2coco.errors import CocoFileError, SourceError
from df2coco.releases import RELEASES
from df2coco.stats import SplitStatistics, quantile, split_statistics, statistics, text_table
from df2coco.stats.reading import Counts, ImageFacts, ItemFacts, count, statistics_of
from df2coco.stats.values import gaps
from df2coco.taxonomy import CATEGORIES
from tests.conftest import MakeSplit, copy_tree, run_command
from tests.samples import asked, make_annotation, make_item, make_jpeg


def same_numbers(one: SplitStatistics, other: SplitStatistics) -> bool:
    """Whether they differ in nothing but what they are called and what was wrong with the input."""
    about = {"name": "", "split": None, "missing_images": (), "notices": {}}
    return dataclasses.replace(one, **about) == dataclasses.replace(other, **about)


@pytest.fixture
def counted(make_split: MakeSplit) -> SplitStatistics:
    """Four photos of pair 7 and one of pair 8, small enough to count by hand."""
    skirt, sling = make_item(9), make_item(6, style=2, scale=3, occlusion=...)
    unlabelled = make_item(9, style=0, landmarks=[0] * 24)
    halved = make_item(9, segmentation=[[10, 10, 60, 10, 60, 40, 10, 40]])
    folder = make_split(
        {
            1: make_annotation(skirt, halved, source="user", pair_id=7),
            2: make_annotation(skirt, sling, unlabelled, source="shop", pair_id=7),
            3: make_annotation(skirt, source="shop", pair_id=7),
            4: make_annotation(skirt, source="shop", pair_id=8),
            5: make_annotation(make_item(9, style=5), source="user", pair_id=7),
        },
        images={"000003.jpg": make_jpeg(200, 100)},
    )
    return statistics(folder)


def test_counts(counted: SplitStatistics) -> None:
    expected = {
        "images": 5,
        "items": 8,
        "landmarks": 7,
        "masks": 8,
        "pairs": 4,  # two skirts of the user, two of the shop with pair 7 and style 1
        "query_items": 2,
        "unpaired_query_items": 1,  # style 5
        "gallery_items": 5,
        "images_per_source": {"user": 2, "shop": 3},
        "items_per_source": {"user": 3, "shop": 5},
        "items_per_image": {1: 3, 2: 1, 3: 1},
        "image_sizes": ((100, 120, 4), (200, 100, 1)),
        "box_sizes": {55: 8},  # root of 50 x 60
        "box_shares": {15: 1, 25: 7},
        "mask_shares": {50: 1, 100: 7},
        "split": None,
    }
    assert {name: getattr(counted, name) for name in expected} == expected


def test_attributes(counted: SplitStatistics) -> None:
    assert counted.attributes == {
        "scale": (7, 0, 1),
        "occlusion": (0, 7, 0),
        "zoom_in": (0, 0, 8),
        "viewpoint": (0, 8, 0),
    }


def test_landmarks_per_category(counted: SplitStatistics) -> None:
    found = {c.name: c for c in counted.categories}
    assert [c.id for c in counted.categories] == list(range(1, 14))
    # A skirt has 8 landmarks, of which make_item hides every other one; one skirt has none.
    skirt, sling = found["skirt"], found["sling"]
    assert (skirt.items, skirt.visible, skirt.occluded, skirt.unlabelled) == (7, 24, 24, 8)
    assert (sling.items, sling.visible, sling.occluded, sling.unlabelled) == (1, 7, 8, 0)
    total = counted.total
    assert (total.visible, total.occluded, total.unlabelled) == (31, 32, 8)


@pytest.mark.parametrize("layout", ["unified", "category", "aggregated"])
def test_a_converted_file_has_the_numbers_of_its_source(
    validation: Path, tmp_path: Path, layout: str
) -> None:
    out = tmp_path / "out.json"
    convert(validation, out, **asked(layout=layout, area="mask"))
    of_source, of_file = statistics(validation), statistics(out)
    assert of_source.items > 20
    assert of_source.mask_shares
    assert same_numbers(of_source, of_file)
    assert same_numbers(of_file, statistics(load(out)))
    assert same_numbers(of_file, statistics(json.loads(out.read_bytes())))


@pytest.mark.slow
def test_the_number_of_workers_and_the_kind_of_source_change_nothing(
    validation: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "validation"
    for part in ("annos", "image"):
        (folder / part).mkdir(parents=True)
    for source in sorted((validation / "annos").iterdir()):
        for repeat in range(16):  # so many that there is something to share out
            stem = f"{repeat}{source.stem[1:]}"
            shutil.copy(source, folder / "annos" / f"{stem}.json")
            shutil.copy(validation / f"image/{source.stem}.jpg", folder / "image" / f"{stem}.jpg")
    archive = shutil.make_archive(str(tmp_path / "packed"), "zip", folder)
    done: list[tuple[str, int, int]] = []
    alone = statistics(folder, progress=lambda *at: done.append(at))
    assert same_numbers(alone, statistics(folder, workers=3))
    assert same_numbers(alone, statistics(archive))
    assert done[-1] == ("counting validation", alone.images, alone.images)


def test_a_file_of_the_official_converter_gives_what_it_holds(
    validation: Path, tmp_path: Path
) -> None:
    out = tmp_path / "official.json"
    convert(validation, out, **asked(preset="official"))
    source, official = statistics(validation), statistics(out)
    for name in ("images", "items", "landmarks", "total", "box_sizes"):
        assert getattr(official, name) == getattr(source, name)
    assert (official.pairs, official.query_items, official.gallery_items) == (None, None, None)
    assert official.attributes == {}
    assert official.mask_shares == {}  # its area is the box's
    assert official.categories[0].name == "short_sleeved_shirt"
    said = " ".join(" ".join(text_table(official)).split())
    assert "Not in the input: user and shop, pairs, scale, occlusion, zoom_in, viewpoint" in said


@pytest.mark.parametrize("preset", [None, "official"])
def test_areas_of_boxes_say_nothing_of_masks(
    validation: Path, tmp_path: Path, preset: str | None
) -> None:
    out = tmp_path / "out.json"
    convert(validation, out, **asked(preset=preset))
    said = " ".join(" ".join(text_table(statistics(out))).split())
    assert "mask area, % of its box" not in said
    assert "Mask areas are not shown: area is that of boxes here." in said
    convert(validation, out, **asked(area="mask"))
    said = " ".join(" ".join(text_table(statistics(out))).split())
    assert "mask area, % of its box" in said
    assert "Mask areas" not in said


def test_attributes_may_be_written_as_floats(validation: Path, tmp_path: Path) -> None:
    """As pandas writes them."""
    out = tmp_path / "out.json"
    convert(validation, out)
    document = json.loads(out.read_bytes())
    expected = statistics(document)
    for annotation in document["annotations"]:
        for name in ("scale", "occlusion", "zoom_in", "viewpoint", "style", "pair_id", "image_id"):
            if name in annotation:
                annotation[name] = float(annotation[name])
    out.write_text(json.dumps(document))
    assert expected.attributes["scale"][1] > 5
    for found in (statistics(out), statistics(document)):
        assert same_numbers(found, expected)
    assert document["annotations"][0]["scale"] == 2.0
    assert type(document["annotations"][0]["scale"]) is float  # the caller's own


def test_a_file_without_landmarks(validation: Path, tmp_path: Path) -> None:
    out = tmp_path / "instances.json"
    convert(validation, out, **asked(task="instances"))
    found = statistics(out)
    assert found.landmarks is None
    assert found.total.visible + found.total.occluded + found.total.unlabelled == 0
    assert "visible" not in "\n".join(text_table(found))


def test_images_without_annotations(validation: Path, tmp_path: Path) -> None:
    folder = tmp_path / "test"
    copy_tree(validation / "image", folder / "image")
    image_info(folder, tmp_path / "out.json")
    found = statistics(folder)
    assert (found.images, found.items) == (len(list((folder / "image").iterdir())), 0)
    assert found.image_sizes
    of_file = statistics(tmp_path / "out.json")
    assert (of_file.images, of_file.items) == (found.images, 0)
    assert of_file.image_sizes == found.image_sizes


def test_without_images_sizes_are_not_told(validation: Path, tmp_path: Path) -> None:
    copy_tree(validation / "annos", tmp_path / "annos")
    found = statistics(tmp_path / "annos")
    convert(tmp_path / "annos", tmp_path / "out.json")
    assert found.image_sizes == ()
    assert found.items == statistics(validation).items
    assert statistics(tmp_path / "out.json").image_sizes == ()


def test_what_cannot_be_used_is_counted(make_split: MakeSplit) -> None:
    bad_item = make_annotation(make_item(9), make_item(9, landmarks=[1, 2, 3]))
    folder = make_split({1: make_annotation(), 2: bad_item, 3: b"{", 4: make_annotation()})
    (folder / "image/000004.jpg").unlink()
    found = statistics(folder)
    assert found.notices == {"bad-file": 1, "bad-image": 1, "bad-item": 1}
    assert (found.images, found.items) == (3, 3)
    assert sum(count for _, _, count in found.image_sizes) == 2
    assert "1 x bad-file" in "\n".join(text_table(found))


def test_what_convert_warns_of_is_counted(make_split: MakeSplit, tmp_path: Path) -> None:
    folder = make_split({number: make_annotation() for number in (1, 2, 3)})
    assert statistics(folder).notices == {}
    (folder / "annos/000003.json").unlink()
    shutil.copy(folder / "image/000001.jpg", folder / "image/000001.png")
    (tmp_path / "train.tar").write_bytes(b"x")
    for number in (1, 2):
        (folder / f"image/00000{number}.jpg").write_bytes(make_jpeg(50, 60))
    (summary,) = convert(tmp_path, tmp_path / "out")
    assert statistics(tmp_path).notices == dict(summary.notice_counts)
    assert sorted(summary.notice_counts) == [
        "box-clipped",
        "image-double",
        "image-without-annotations",
        "not-read",
        "other-photos",
    ]


@pytest.mark.parametrize("name", ["OUT.JSON", "out", "out.json.txt"])
def test_a_coco_file_of_another_name(make_split: MakeSplit, tmp_path: Path, name: str) -> None:
    convert(make_split({1: make_annotation()}), tmp_path / "out.json")
    (tmp_path / "out.json").rename(tmp_path / name)
    assert statistics(tmp_path / name).images == 1


def test_several_splits(make_split: MakeSplit, tmp_path: Path) -> None:
    make_split({1: make_annotation()}, name="train")
    make_split({1: make_annotation(), 2: make_annotation()}, name="validation")
    assert [(s.name, s.images) for s in split_statistics(tmp_path)] == [
        ("train", 1),
        ("validation", 2),
    ]
    with pytest.raises(SourceError, match=r"here are train, validation\. Name one"):
        statistics(tmp_path)
    text = run_command("stats", tmp_path).stdout
    assert text.index("train: 1 image,") < text.index("validation: 2 images")


# ---------------------------------------------------------------- beside the release


ENTRIES = [(c.id, c.name, c.num_landmarks) for c in CATEGORIES]


def released(
    missing: set[int], *, split: str = "validation", items: tuple[int, ...] | None = None
) -> SplitStatistics:
    """Statistics of a released split as it should be, but for some images."""
    release = RELEASES[split]
    counts: Counts = defaultdict(Counter)
    numbers = [n for n in range(1, release.images + 1) if n not in missing]
    pictures = [ImageFacts(n, (468, 624), "user" if n <= 10844 else "shop") for n in numbers]
    count(counts, pictures, ())
    for category, number in zip(CATEGORIES, items or release.items_per_category, strict=True):
        counts["kinds"][category.id, True, None] = number
    return statistics_of(counts, split, split, ENTRIES)


def test_a_complete_split() -> None:
    assert released(set()).missing() == ["complete: all that was released as validation."]
    rows = {row.what: row[1:] for row in released(set()).comparison()}
    assert rows["images"] == (32_153, 32_153, 33_669)
    assert rows["boxes"] == (52_490, 52_490, 54_910)
    assert rows["pairs"] == (None, None, 62_563)
    assert rows["user images"] == (10_844, 10_844, None)


def test_what_is_missing_is_named() -> None:
    counts = list(RELEASES["validation"].items_per_category)
    counts[2] -= 4
    found = released({1, 5, 6, 7, 32_153}, items=tuple(counts))
    assert found.missing() == [
        "incomplete: 32,148 of 32,153 images and 52,486 of 52,490 items of the released validation split.",
        "missing images: 000001, 000005-000007, 032153.",
        "short sleeve outwear: 4 items missing (138 of 142).",
    ]
    assert "000005-000007" in "\n".join(text_table(found))


def test_many_gaps_are_told_in_short() -> None:
    lines = released(set(range(1, 2000, 2))).missing()
    assert lines[1].endswith("000013, 000015 and 992 more gaps.")


def test_a_sample_is_not_taken_for_a_split_that_lost_files(validation: Path) -> None:
    found = statistics(validation)
    assert (found.name, found.split, found.missing()) == ("validation", None, [])


@pytest.mark.parametrize(
    ("name", "images", "options", "split"),
    [
        ("keypoints_validation.json", 20_000, {}, "validation"),
        ("val.json", 20_000, {}, "validation"),
        ("out.json", 32_153, {}, "validation"),
        ("out.json", 32_152, {}, None),
        ("keypoints_validation.json", 20, {}, None),
        ("keypoints_validation.json", 20_000, {"only": "user"}, None),
        ("keypoints_validation.json", 20_000, {"limit": 20_000}, None),
    ],
)
def test_which_split_a_file_is(
    tmp_path: Path, name: str, images: int, options: dict[str, Any], split: str | None
) -> None:
    document = {
        "info": {"df2coco": options},
        "images": [
            {"id": n, "file_name": f"{n:06d}.jpg", "width": 9, "height": 9}
            for n in range(1, images + 1)
        ],
        "annotations": [],
        "categories": [{"id": c.id, "name": c.name} for c in CATEGORIES],
    }
    (tmp_path / name).write_text(json.dumps(document))
    assert statistics(tmp_path / name).split == split


# ---------------------------------------------------------------- invariants

FACTS = st.tuples(
    st.integers(1, 13),
    st.integers(0, 2500),
    st.none() | st.integers(0, 2500),
    st.booleans(),
    st.none() | st.tuples(st.integers(0, 5), st.integers(0, 5)),
    st.none() | st.integers(0, 2),
    st.none() | st.integers(0, 2),
    st.tuples(*[st.sampled_from([None, 1, 2, 3])] * 4),
)
PICTURE = st.tuples(
    st.none() | st.tuples(st.integers(1, 90), st.integers(1, 90)),
    st.sampled_from([None, "user", "shop"]),
    st.lists(FACTS, max_size=4),
)


def counts_of(pictures: list[Any], first: int = 1) -> Counts:
    counts: Counts = defaultdict(Counter)
    for number, (size, source, items) in enumerate(pictures, first):
        image = ImageFacts(number, size, source)
        count(counts, [image], [ItemFacts(image, *item) for item in items])
    return counts


@given(st.lists(PICTURE, max_size=8), st.integers(0, 8))
def test_parts_add_up_to_the_whole(pictures: list[Any], cut: int) -> None:
    parts = counts_of(pictures[:cut])
    for name, counter in counts_of(pictures[cut:], 1 + len(pictures[:cut])).items():
        parts[name].update(counter)
    whole = statistics_of(counts_of(pictures), "x", None, ENTRIES)
    assert statistics_of(parts, "x", None, ENTRIES) == whole
    # Pairs as the definition has them, counted one by one.
    images = [ImageFacts(0, size, source) for size, source, _ in pictures]
    items = [
        (image.source, ItemFacts(image, *item))
        for image, (_, _, found) in zip(images, pictures, strict=True)
        for item in found
    ]
    pairs = [
        (user, shop)
        for source, user in items
        for other, shop in items
        if (source, other) == ("user", "shop")
        and user.style
        and user.pair_id is not None
        and (user.pair_id, user.style) == (shop.pair_id, shop.style)
    ]
    if whole.pairs is not None:
        assert whole.pairs == len(pairs)
    assert sum(c.items for c in whole.categories) == whole.items == len(items)
    assert sum(k * n for k, n in whole.items_per_image.items()) == whole.items


@given(st.lists(st.integers(0, 9), min_size=1), st.floats(0, 1))
def test_quantile(values: list[int], share: float) -> None:
    histogram = {value: values.count(value) for value in sorted(set(values))}
    found = quantile(histogram, share)
    assert sum(v <= found for v in values) >= share * len(values) - 1e-9
    assert sum(v < found for v in values) <= share * len(values) + 1e-9


@given(st.sets(st.integers(-3, 30)), st.integers(1, 20))
def test_gaps(numbers: set[int], last: int) -> None:
    found = gaps(numbers, last)
    inside = {n for first, end in found for n in range(first, end + 1)}
    assert inside == set(range(1, last + 1)) - numbers
    assert all(b[0] > a[1] + 1 for a, b in itertools.pairwise(found))


# ---------------------------------------------------------------- the command line


def test_text_fits_80_columns(validation: Path) -> None:
    result = run_command("stats", validation)
    assert result.exit_code == 0
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    assert lines[0].startswith("validation: 21 images, 40 items")
    assert any(line.startswith("short sleeve outwear ") for line in lines)
    assert max(map(len, lines)) <= 80
    assert max(map(len, text_table(released(set(range(1, 9000, 7)))))) <= 80


def test_names_of_a_file_do_not_reach_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / f"x{'y' * 90}.json"
    categories = [{"id": 1, "name": "\x1b[2Jred\n" + "long " * 50}]
    annotation = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 3, 4], "area": 6}
    image = {"id": 1, "file_name": "1.jpg", "width": 9, "height": 9}
    path.write_text(
        json.dumps({"images": [image], "annotations": [annotation], "categories": categories})
    )
    result = run_command("stats", path)
    assert result.exit_code == 0
    assert "\x1b" not in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_json(validation: Path) -> None:
    (found,) = json.loads(run_command("stats", validation, "--json").stdout)
    expected = statistics(validation)
    assert found["items"] == expected.items
    assert found["categories"][0]["name"] == "short sleeve top"
    assert found["items_per_image"]["1"] == expected.items_per_image[1]
    assert found["comparison"][0] == {"what": "images", "here": 21, "released": None, "paper": None}


BAD_FILES = {
    "a list": ([], "not a JSON object"),
    "no images": ({"categories": []}, "images: expected a list"),
    "an image id": ({"images": [{"id": "1"}]}, r"images\[0\].id"),
    "a category id": ({"annotations": [{"id": 1, "image_id": 1}]}, r"annotations\[0\].category_id"),
    "a box": (
        {"annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2]}]},
        r"annotations\[0\].bbox: \[1, 2\], expected 4 numbers",
    ),
    "keypoints": (
        {"annotations": [{"id": 1, "image_id": 1, "category_id": 1, "keypoints": 3}]},
        r"annotations\[0\].keypoints",
    ),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_file_that_is_no_coco(case: str, tmp_path: Path) -> None:
    content, message = BAD_FILES[case]
    if isinstance(content, dict) and case != "no images":
        content = {"images": [], "annotations": [], "categories": []} | content
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(content))
    with pytest.raises(CocoFileError, match=message):
        statistics(path)
    result = run_command("stats", path)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1


def test_strange_values_of_a_file_are_passed_over(tmp_path: Path) -> None:
    annotation = {
        "id": 1, "image_id": 99, "category_id": 77, "bbox": [0, 0, -3, 4], "area": -1, "style": "1",
        "scale": [1], "occlusion": 4, "zoom_in": True, "pair_id": 1.5, "segmentation": [],
    }  # fmt: skip
    document = {
        "info": "text",
        "images": [{"id": 1, "source": "moon"}],
        "annotations": [annotation],
        "categories": [{"id": 1, "name": "a"}],
    }
    (tmp_path / "x.json").write_text(json.dumps(document))
    found = statistics(tmp_path / "x.json")
    assert (found.items, found.masks, found.pairs, found.box_sizes) == (1, 0, None, {})
    assert found.attributes == {}
    assert found.categories[-1].name == "(unknown category 77)"
    assert run_command("stats", tmp_path / "x.json").exit_code == 0


def test_real_samples(real: Path) -> None:
    found = statistics(real / "train")
    assert (found.images, found.items, found.landmarks) == (17, 32, 32)
    assert found.images_per_source["user"] == 1  # one of the samples has all fields
    assert statistics(real / "train/official_coco.json").items > 0
