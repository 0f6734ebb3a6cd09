"""split and merge: pairs stay whole, shares are kept, ids do not collide, and one undoes the other."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from df2coco.converter import convert
from df2coco.errors import CocoFileError, OptionError, OutputError
from df2coco.parser.photos import Pictures
from df2coco.subsets import merge, split
from df2coco.subsets.split import share_out
from df2coco.validator import validate
from tests.test_cli import run
from tests.tools.synthetic import make_split

Document = dict[str, Any]


def read(path: Path) -> Document:
    return dict(json.loads(path.read_bytes()))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic split of 600 images in 60 pairs."""
    folder = tmp_path_factory.mktemp("source") / "train"
    make_split(folder, images=600)
    return folder


@pytest.fixture(scope="module")
def whole(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "keypoints_train.json"
    convert(source, path)
    return path


# ---------------------------------------------------------------- balance

groups = st.dictionaries(
    st.integers(0, 200),
    st.dictionaries(st.integers(0, 5), st.integers(1, 9), min_size=1).map(Counter),
    min_size=1,
    max_size=60,
)
shares = st.lists(st.integers(1, 9), min_size=2, max_size=4).map(
    lambda parts: [part / sum(parts) for part in parts]
)


@given(groups, shares, st.integers(0, 3))
def test_every_group_gets_one_part_whatever_the_order(
    groups: dict[int, Counter[int]], shares: list[float], seed: int
) -> None:
    parts = share_out(groups, shares, seed)
    assert parts.keys() == groups.keys()
    assert set(parts.values()) <= set(range(len(shares)))
    backwards = dict(reversed(groups.items()))
    assert share_out(backwards, shares, seed) == parts
    # No part is more than one group away from its share of the groups.
    counts = Counter(parts.values())
    assert all(
        abs(counts[n] - share * len(groups)) <= len(shares) for n, share in enumerate(shares)
    )


def test_rare_kinds_are_shared_as_well_as_frequent_ones() -> None:
    groups = {
        n: Counter({"often": 3 + n % 5, "seldom": int(n % 40 == 0), "medium": n % 3})
        for n in range(4000)
    }
    parts = share_out(groups, [0.8, 0.2], 0)
    for kind in ("often", "medium", "seldom"):
        total = sum(kinds[kind] for kinds in groups.values())
        test = sum(groups[n][kind] for n, part in parts.items() if part == 1)
        assert test / total == pytest.approx(0.2, abs=0.01), kind


def test_parts_have_large_and_small_groups_alike() -> None:
    groups = {n: Counter(images=1 + n % 30) for n in range(3000)}
    parts = share_out(groups, [0.9, 0.1], 0)
    sizes = [[groups[n].total() for n in groups if parts[n] == part] for part in (0, 1)]
    assert sum(sizes[0]) / len(sizes[0]) == pytest.approx(sum(sizes[1]) / len(sizes[1]), rel=0.05)


# ---------------------------------------------------------------- split


@pytest.mark.slow
def test_pairs_are_not_torn_apart(source: Path, whole: Path, tmp_path: Path) -> None:
    parts = split(whole, tmp_path, parts={"train": 0.8, "val": 0.1, "test": 0.1}, seed=3)
    assert [part.path for part in parts] == [
        tmp_path / "train.json",
        tmp_path / "val.json",
        tmp_path / "test.json",
    ]
    before = read(whole)
    documents = [read(part.path) for part in parts]
    pairs = [{image["pair_id"] for image in document["images"]} for document in documents]
    assert not pairs[0] & pairs[1]
    assert not pairs[0] & pairs[2]
    assert not pairs[1] & pairs[2]
    for name in ("images", "annotations"):
        entries = [entry for document in documents for entry in document[name]]
        assert sorted(entries, key=lambda e: e["id"]) == sorted(before[name], key=lambda e: e["id"])
    for part, document in zip(parts, documents, strict=True):
        assert document["categories"] == before["categories"]
        assert document["info"]["df2coco"] == {**before["info"]["df2coco"], "part": part.name}
        ids = {image["id"] for image in document["images"]}
        assert all(annotation["image_id"] in ids for annotation in document["annotations"])
        assert (part.images, part.annotations, part.pairs) == (
            len(document["images"]),
            len(document["annotations"]),
            len({image["pair_id"] for image in document["images"]}),
        )
        assert validate(part.path).is_valid(strict=True)
    test = parts[-1].path
    assert validate(test, against=source, score_images=50).is_valid(strict=True)
    # What a part has must be the source's, also where the rest is not expected.
    document = read(test)
    document["annotations"][0]["style"] += 1
    del document["annotations"][1]
    test.write_text(json.dumps(document))
    codes = {finding.check.code for finding in validate(test, against=source).findings}
    assert {"source-value", "source-item-missing"} <= codes
    assert "source-image-missing" not in codes


@pytest.mark.slow
def test_the_shares_that_are_reported_are_the_files(whole: Path, tmp_path: Path) -> None:
    before = Counter(each["category_id"] for each in read(whole)["annotations"])
    names = {each["id"]: each["name"] for each in read(whole)["categories"]}
    for part in split(whole, tmp_path, parts={"a": 0.7, "b": 0.3}):
        found = Counter(each["category_id"] for each in read(part.path)["annotations"])
        assert part.category_shares == {
            names[n]: found[n] / count for n, count in sorted(before.items())
        }
        assert part.image_share == part.images / 600
        assert part.image_share == pytest.approx(part.share, abs=0.05)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_files_and_another_others(whole: Path, tmp_path: Path) -> None:
    for folder, seed in (("a", 0), ("b", 0), ("c", 1)):
        split(whole, tmp_path / folder, parts={"train": 0.9, "test": 0.1}, seed=seed)
    a, b, c = ((tmp_path / folder / "test.json").read_bytes() for folder in "abc")
    assert a == b
    assert a != c


def test_images_without_a_pair_go_one_by_one(whole: Path, tmp_path: Path) -> None:
    document = read(whole)
    for entry in (*document["images"], *document["annotations"]):
        del entry["pair_id"]
    path = tmp_path / "o.json"
    path.write_text(json.dumps(document))
    parts = split(path, tmp_path / "parts", parts={"a": 0.5, "b": 0.5})
    assert [(part.images, part.pairs) for part in parts] == [(300, 0), (300, 0)]


def test_a_pair_may_stand_in_the_annotations_alone(whole: Path, tmp_path: Path) -> None:
    document = read(whole)
    for image in document["images"]:
        del image["pair_id"]
    path = tmp_path / "o.json"
    path.write_text(json.dumps(document))
    parts = split(path, tmp_path / "parts", parts={"a": 0.5, "b": 0.5})
    pairs = [{each["pair_id"] for each in read(p.path)["annotations"]} for p in parts]
    assert not pairs[0] & pairs[1]


PAIRS: dict[str, tuple[list[Any], list[list[Any]], list[set[int]]]] = {
    # pair_id of images 1 to 4, pair_ids of their items, which images belong together
    "text": (["a", "b", "a", "b"], [[], [], [], []], [{1, 3}, {2, 4}]),
    "whole numbers written as floats": ([1.0, 2, 1, 2.0], [[], [], [], []], [{1, 3}, {2, 4}]),
    "something else": ([[1], 2.5, [1], 2.5], [[], [], [], []], [{1, 3}, {2, 4}]),
    "items of another pair than their image": ([1, 2, 3, 4], [[7], [8], [8], [7]], [{1, 4}, {2, 3}]),
    "items of two pairs": ([None] * 4, [[1, 2], [2, 3], [3], [4]], [{1, 2, 3}, {4}]),
    "none": ([None] * 4, [[None], [], [], []], [{1}, {2}, {3}, {4}]),
    "1 and text of it": ([1, "1", 2, "2"], [[], [], [], []], [{1}, {2}, {3}, {4}]),
}  # fmt: skip


@pytest.mark.parametrize(("of_images", "of_items", "together"), PAIRS.values(), ids=PAIRS)
def test_a_pair_id_of_any_kind_keeps_images_together(
    of_images: list[Any], of_items: list[list[Any]], together: list[set[int]], tmp_path: Path
) -> None:
    path = tmp_path / "o.json"
    path.write_text(json.dumps(tiny(of_images, of_items)))
    apart = set()
    for seed in range(12):
        split(path, tmp_path, parts={"a": 0.5, "b": 0.5}, seed=seed)
        part = {image["id"] for image in read(tmp_path / "a.json")["images"]}
        apart |= {frozenset((i, j)) for i in part for j in {1, 2, 3, 4} - part}
    assert apart == {
        frozenset((i, j))
        for group, another in itertools.combinations(together, 2)
        for i in group
        for j in another
    }


def tiny(of_images: list[Any], of_items: list[list[Any]]) -> Document:
    """Images with these pair_ids, and items with those."""
    images = [
        {"id": n, "file_name": f"{n}.jpg", "width": 9, "height": 9, "pair_id": pair}
        for n, pair in enumerate(of_images, 1)
    ]
    owners = [(n, pair) for n, pairs in enumerate(of_items, 1) for pair in pairs]
    annotations = [
        {"id": n, "image_id": image_id, "category_id": 1, "bbox": [1, 1, 5, 5], "pair_id": pair}
        for n, (image_id, pair) in enumerate(owners, 1)
    ]
    categories = [{"id": 1, "name": "toy", "supercategory": "x"}]
    return {"images": images, "annotations": annotations, "categories": categories}


@pytest.mark.parametrize("name", ["style", "hash"])
@pytest.mark.parametrize("value", [1e30, -1e30, 2.0**63, 2.0**62, 1e18, 10**22 + 1, -(10**400) - 1])
def test_numbers_of_any_size(value: float, name: str, tmp_path: Path) -> None:
    document = tiny([1, 2], [[1], [2]])
    document["annotations"][0][name] = value
    (tmp_path / "o.json").write_text(json.dumps(document))
    split(tmp_path / "o.json", tmp_path, parts={"a": 0.5, "b": 0.5})
    merge([tmp_path / "a.json", tmp_path / "b.json"], tmp_path / "m.json")
    assert value in [each.get(name) for each in read(tmp_path / "m.json")["annotations"]]


def test_what_else_a_file_holds_stays(tmp_path: Path) -> None:
    document = tiny([1, 2], [[1], [2]])
    extra = {"licenses": [{"id": 1, "name": "free"}], "seasons": {"1": "summer"}}
    path = tmp_path / "o.json"
    path.write_text(json.dumps(extra | document))
    split(path, tmp_path, parts={"a": 0.5, "b": 0.5})
    for name in "ab":
        assert {key: read(tmp_path / f"{name}.json").get(key) for key in extra} == extra
    done = merge([tmp_path / "a.json", tmp_path / "b.json"], tmp_path / "m.json")
    assert {key: read(tmp_path / "m.json").get(key) for key in extra} == extra
    assert done.left_out == ()
    path.write_text(json.dumps(document | {"seasons": {}}))
    merged = run("merge", tmp_path / "a.json", path, tmp_path / "m.json")
    assert "'seasons' is not the same in all files, and is left out" in merged.stderr
    assert "seasons" not in read(tmp_path / "m.json")


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"train": 1.0}, "two parts"),
        ({"train": 0.9, "test": 0.2}, "add up to 1.1"),
        ({"train": 1.2, "test": -0.2}, "not a share"),
        ({"train": 0.9, "../test": 0.1}, "cannot name a file"),
        ({"train": 0.9, "": 0.1}, "cannot name a file"),
    ],
)
def test_parts_that_make_no_sense(
    whole: Path, tmp_path: Path, parts: dict[str, float], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        split(whole, tmp_path / "parts", parts=parts)
    assert not (tmp_path / "parts").exists()


@pytest.mark.parametrize("parts", [None, "a=1", [("a", 0.5), ("b", 0.5)], {1: 0.5, 2: 0.5}])
def test_parts_of_another_type(whole: Path, tmp_path: Path, parts: Any) -> None:
    with pytest.raises(OptionError, match=r"^parts: "):
        split(whole, tmp_path / "parts", parts=parts)


@pytest.mark.parametrize("options", [{"paths": "a.json"}, {"folders": "ab"}])
def test_lists_of_another_type(whole: Path, tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="is not a list"):
        merge(**{"paths": [whole, whole], "out": tmp_path / "all.json", **options})


def test_split_writes_nothing_over_its_input(whole: Path) -> None:
    before = whole.read_bytes()
    with pytest.raises(OutputError):
        split(whole, whole.parent, parts={"keypoints_train": 0.5, "other": 0.5})
    assert whole.read_bytes() == before
    assert [path.name for path in whole.parent.iterdir()] == [whole.name]


def test_split_looks_at_its_outputs_before_it_reads(tmp_path: Path) -> None:
    (tmp_path / "a.json").mkdir()
    (tmp_path / "o.json").write_text("no JSON")
    with pytest.raises(OutputError, match=r"a\.json"):
        split(tmp_path / "o.json", tmp_path, parts={"a": 0.5, "b": 0.5})


# ---------------------------------------------------------------- merge


def by_id(entries: list[Document]) -> list[Document]:
    return sorted(entries, key=lambda entry: entry["id"])


def test_merging_the_parts_gives_the_file_again(whole: Path, tmp_path: Path) -> None:
    parts = split(whole, tmp_path, parts={"train": 0.5, "val": 0.25, "test": 0.25})
    merged = merge([part.path for part in parts], tmp_path / "merged.json")
    assert not any(merged.renumbered.values())
    assert merged.folders == ()
    before, after = read(whole), read(tmp_path / "merged.json")
    assert by_id(after["images"]) == before["images"]
    assert by_id(after["annotations"]) == before["annotations"]
    assert after["categories"] == before["categories"]


@pytest.mark.slow
def test_two_splits_with_equal_numbers(source: Path, whole: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "train").mkdir(parents=True)
    (root / "validation").mkdir()
    (root / "train" / "image").symlink_to(source / "image")
    make_split(tmp_path / "other", images=40, seed=5)
    (root / "validation" / "image").symlink_to(tmp_path / "other" / "image")
    other = tmp_path / "keypoints_val.json"
    convert(tmp_path / "other", other)
    out = tmp_path / "all.json"
    merged = merge([whole, other], out)
    assert merged.folders == ("train/image", "validation/image")
    assert merged.renumbered == {
        **dict.fromkeys(("image ids", "annotation ids", "pair ids"), (str(other),)),
        **dict.fromkeys(("category ids", "license ids"), ()),
    }
    train, validation, after = read(whole), read(other), read(out)
    assert (merged.images, merged.annotations) == (
        640,
        len(train["annotations"]) + len(validation["annotations"]),
    )
    images = after["images"]
    assert [image["id"] for image in images] == list(range(1, 641))
    assert images[0]["file_name"] == "train/image/000001.jpg"
    assert images[600]["file_name"] == "validation/image/000001.jpg"
    assert {k: v for k, v in images[0].items() if k != "file_name"} == {
        k: v for k, v in train["images"][0].items() if k != "file_name"
    }
    pairs = [{e["pair_id"] for e in part} for part in (images[:600], images[600:])]
    assert not pairs[0] & pairs[1]
    # The same images are partners as before.
    groups = Counter(image["pair_id"] for image in images[600:])
    assert sorted(groups.values()) == sorted(
        Counter(image["pair_id"] for image in validation["images"]).values()
    )
    by_image = {image["id"]: image["pair_id"] for image in images}
    assert all(by_image[each["image_id"]] == each["pair_id"] for each in after["annotations"])
    ids = [each["id"] for each in after["annotations"]]
    assert len(set(ids)) == len(ids)
    assert validate(out).is_valid(strict=True)
    with pytest.raises(CocoFileError, match="merged from train, validation"):
        validate(out, against=source)
    pictures = Pictures(root)
    assert all(pictures.find(image["file_name"]) is not None for image in images)


def test_folders_by_hand(whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "all.json"
    merge([whole, whole], out, folders=["a", "b/c/"])
    names = [image["file_name"] for image in read(out)["images"]]
    assert names[0] == "a/000001.jpg"
    assert names[600] == "b/c/000001.jpg"


def test_files_of_one_name_need_folders(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(CocoFileError, match="--folder"):
        merge([whole, whole], tmp_path / "all.json")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layout": "category"}, "categories: keypoints of .* are not those of"),
        ({"task": "instances"}, "same --task|keypoints of"),
        # As version 0.2 wrote keypoints files.
        ({"area": "mask"}, "info.df2coco.area: 'mask', but 'box' in .*train.json.*same --area"),
    ],
)
def test_files_that_do_not_fit(
    source: Path, whole: Path, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    from df2coco.converter.options import Shape

    other = tmp_path / "other.json"
    convert(source, other, shape=Shape(**options))
    with pytest.raises(CocoFileError, match=message):
        merge([whole, other], tmp_path / "all.json")
    assert not (tmp_path / "all.json").exists()


def noted(**changes: Any) -> dict[str, Any]:
    return {"df2coco": {"task": "instances", "area": "mask", "only": None, **changes}}


def other(**changes: Any) -> Document:
    """A file of two images, ids 1 and 2, and an item each."""
    return tiny([1, 2], [[1], [2]]) | changes


def item(**changes: Any) -> list[Document]:
    return [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5], **changes}]


def image(**changes: Any) -> list[Document]:
    return [{"id": 1, "file_name": "1.jpg", "width": 9, "height": 9, **changes}]


def names(*texts: str) -> list[Document]:
    return [{"id": number, "name": text} for number, text in enumerate(texts, start=1)]


LARGEST = (1 << 63) - 1
TRIANGLE = [[1.0, 1.0, 6.0, 1.0, 6.0, 6.0]]
REFUSED: dict[str, tuple[Document, Document, str]] = {
    "an item of an image of the other file": (
        other(), other(images=image(id=3), annotations=item(image_id=1)), "image_id 1 is not in the file"),
    "an item of a category of the other file": (
        other(categories=names("a", "b")), other(annotations=item(category_id=2)), "category_id 2 is not in"),
    "image ids without room behind them": (
        other(images=image(id=LARGEST), annotations=[]),
        other(images=image(id=LARGEST), annotations=[]), "image ids would exceed 64 bits"),
    "pair ids without room behind them": (
        other(images=image(pair_id=LARGEST), annotations=[]),
        other(images=image(pair_id=LARGEST), annotations=[]), "pair ids would exceed 64 bits"),
    "pairs that are text": (
        other(images=image(pair_id="a")), other(images=image(pair_id="a")), "'a' is in"),
    "masks in one of them": (
        other(annotations=item(segmentation=TRIANGLE)), other(annotations=item(segmentation=[])),
        "validation.json: annotations: have no segmentation, but those of .*train.json have"),
    "landmarks in one of them": (
        other(annotations=item()), other(annotations=item(keypoints=[1, 1, 2])),
        "train.json: annotations: have no keypoints, but those of .*validation.json have"),
    "another category": (
        other(categories=names("shirt", "shoe")), other(categories=names("shirt", "hat")),
        "2: 'shoe' in .*train.json, 'hat' here. With --by-name"),
    "a category missing": (
        other(categories=names("shirt", "shoe")), other(categories=names("shirt")), "2: 'shoe' in .*train.json, nothing here. With --by-name"),
    "another skeleton": (
        other(categories=[{"id": 1, "name": "a", "keypoints": ["b"], "skeleton": []}]),
        other(categories=[{"id": 1, "name": "a", "keypoints": ["c"], "skeleton": []}]),
        "keypoints of 'a' are not those of .*train.json"),
}  # fmt: skip


@pytest.mark.parametrize(("first", "second", "message"), REFUSED.values(), ids=REFUSED)
def test_files_that_cannot_be_merged(
    first: Document, second: Document, message: str, tmp_path: Path
) -> None:
    paths = write_both(tmp_path, first, second)
    with pytest.raises(CocoFileError, match=message):
        merge(paths, tmp_path / "all.json")
    assert not (tmp_path / "all.json").exists()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"segmentation": TRIANGLE}, {"segmentation": TRIANGLE, "keypoints": []}),
        ({"segmentation": []}, {}),
        ({"segmentation": TRIANGLE, "keypoints": [1, 1, 2]}, None),  # None: images alone
        (None, {"segmentation": TRIANGLE}),
    ],
)
def test_masks_and_landmarks_of_all_or_none_are_merged(
    first: Document | None, second: Document | None, tmp_path: Path
) -> None:
    documents = [
        other(annotations=[] if fields is None else item(**fields)) for fields in (first, second)
    ]
    merge(write_both(tmp_path, *documents), tmp_path / "all.json")


@pytest.mark.parametrize("by_name", [False, True])
def test_categories_of_one_name_are_one(tmp_path: Path, by_name: bool) -> None:
    extra = [{"id": 2, "name": "hat"}] if by_name else []
    colored = [*extra, {"id": 7, "name": "shoe", "color": "red"}, {"id": 1, "name": "shirt"}]
    second = other(categories=colored, annotations=item(category_id=7))
    paths = write_both(tmp_path, other(categories=names("shirt", "shoe")), second)
    done = merge(paths, tmp_path / "all.json", by_name=by_name)
    document = json.loads((tmp_path / "all.json").read_text())
    expected = names("shirt", "shoe", "hat")[: 3 if by_name else 2]
    assert document["categories"] == expected
    assert [each["category_id"] for each in document["annotations"]][-1] == 2
    assert done.renumbered["category ids"] == (str(paths[1]),)


def test_licenses_of_any_form(tmp_path: Path) -> None:
    """Without ids, with text for one, and no objects at all; an image without a license gets none."""
    both = [
        other(licenses=["MIT", {"name": name}, {"id": "x", "name": name}], images=image(license=of))
        for name, of in (("a", "x"), ("b", "x"), ("a", None))
    ]
    paths = [tmp_path / f"{number}.json" for number in range(3)]
    for path, document in zip(paths, both, strict=True):
        path.write_text(json.dumps(document | {"annotations": []}))
    done = merge(paths, tmp_path / "all.json")
    document = json.loads((tmp_path / "all.json").read_text())
    assert document["licenses"] == [
        "MIT",
        {"name": "a"},
        {"id": "x", "name": "a"},
        {"name": "b"},
        {"id": 1, "name": "b"},
    ]
    assert [each["license"] for each in document["images"]] == ["x", 1, None]
    assert done.renumbered["license ids"] == (str(paths[1]),)


def test_licenses_are_numbered_anew(tmp_path: Path) -> None:
    both = [
        other(
            licenses=[{"id": number, "name": name}, {"id": 5, "name": "c"}],
            images=image(license=number),
        )
        for number, name in ((0, "a"), (0, "b"))
    ]
    merge(write_both(tmp_path, *both), tmp_path / "all.json")
    document = json.loads((tmp_path / "all.json").read_text())
    named = {each["id"]: each["name"] for each in document["licenses"]}
    assert named == {0: "a", 5: "c", 6: "b"}
    assert [named[each["license"]] for each in document["images"]] == ["a", "b"]


def test_a_number_never_means_another_files_license(tmp_path: Path) -> None:
    """Many files write a license number for each image, and list no licenses."""
    listed = other(licenses=[{"id": 1, "name": "free"}], images=image(license=1))
    bare = other(licenses=[], images=[*image(license=1), *image(id=2, file_name="b", license=7)])
    for number, both in enumerate(([listed, bare], [bare, listed])):
        folder = tmp_path / str(number)
        folder.mkdir()
        merge(write_both(folder, *both), folder / "all.json")
        document = read(folder / "all.json")
        assert document["licenses"] == listed["licenses"]
        kept = [each.get("license") for each in document["images"]]
        assert kept == ([1, None, 7] if number == 0 else [None, 7, 1])
        assert ["license" in each for each in document["images"]].count(False) == 1


def test_ids_follow_those_of_the_file_before(tmp_path: Path) -> None:
    """Without a gap: the first new id is one more than the largest so far."""
    for name in "ab":
        document = tiny([4, 5], [[4], [5]])
        (tmp_path / f"{name}.json").write_text(json.dumps(document))
    first = read(tmp_path / "a.json")
    merge([tmp_path / "a.json", tmp_path / "b.json"], tmp_path / "all.json")
    for entries in ("images", "annotations"):
        for field in ("id", "pair_id"):
            found = [each[field] for each in read(tmp_path / "all.json")[entries]]
            own = [each[field] for each in first[entries]]
            # Numbers start at 1, so that a file's largest is how far the next is moved.
            assert found == [*own, *(max(own) + number for number in own)]


def test_split_says_how_far_it_is(whole: Path, tmp_path: Path) -> None:
    calls: list[tuple[str, int, int]] = []
    split(whole, tmp_path, parts={"a": 0.5, "b": 0.5}, progress=lambda *call: calls.append(call))
    count = len(read(whole)["annotations"])
    assert calls[-1] == ("writing annotations", count, count)
    assert [done for _, done, _ in calls] == sorted({done for _, done, _ in calls})


def test_equal_categories_are_joined_whatever_their_names(tmp_path: Path) -> None:
    double = other(categories=names("shirt", "shirt"))
    merge(write_both(tmp_path, double, double), tmp_path / "all.json")
    assert read(tmp_path / "all.json")["categories"] == names("shirt", "shirt")
    with pytest.raises(CocoFileError, match="two have one name"):
        merge(write_both(tmp_path, double, other()), tmp_path / "all.json", by_name=True)


def write_both(folder: Path, first: Document, second: Document) -> list[Path]:
    paths = [folder / "train.json", folder / "validation.json"]
    for path, document in zip(paths, (first, second), strict=True):
        known = {each["id"] for each in document["images"]} | {1}
        kept = [each for each in document["annotations"] if each["image_id"] in known]
        path.write_text(json.dumps(document | {"annotations": kept}))
    return paths


UNKNOWN = "unknown: the smallest that hold the annotations"
MERGED: dict[str, tuple[Any, Any, Any]] = {
    # info of the first, of the second, and what is kept
    "equal": (noted(), noted(), {"task": "instances", "area": "mask", "only": None}),
    "chosen images": (noted(only="shop"), noted(), {"task": "instances", "area": "mask"}),
    "sizes unknown": (
        noted(image_sizes="from the images"), noted(image_sizes=UNKNOWN),
        {"task": "instances", "area": "mask", "only": None, "image_sizes": UNKNOWN}),
    "of another tool": (noted(), {}, {}),
    "ours second": ({"year": 2020}, noted(), {}),
    "no info": (None, noted(), {}),
}  # fmt: skip


@pytest.mark.parametrize(("first", "second", "kept"), MERGED.values(), ids=MERGED)
def test_info_says_what_holds_for_all(first: Any, second: Any, kept: Any, tmp_path: Path) -> None:
    merge(write_both(tmp_path, other(info=first), other(info=second)), tmp_path / "all.json")
    info = read(tmp_path / "all.json")["info"]
    assert info.pop("df2coco") == {**kept, "merged": ["train", "validation"]}
    assert info == {k: v for k, v in (first or {}).items() if k != "df2coco"}


def test_files_of_other_tools_keep_their_info(tmp_path: Path) -> None:
    merge(write_both(tmp_path, other(info={"a": 1}), other(info={})), tmp_path / "all.json")
    assert read(tmp_path / "all.json")["info"] == {"a": 1}


def test_licenses_of_both_files(tmp_path: Path) -> None:
    one, two = {"id": 1, "name": "a"}, {"id": 2, "name": "b"}
    paths = write_both(tmp_path, other(licenses=[one]), other(licenses=[one, two]))
    merge(paths, tmp_path / "all.json")
    assert read(tmp_path / "all.json")["licenses"] == [one, two]


@pytest.mark.parametrize(
    "name", ["/", "/data", "..", "a/../b", "a\\b", "C:", "s3://a", "a\nb", "."]
)
def test_folders_that_lead_elsewhere(name: str, tmp_path: Path) -> None:
    paths = write_both(tmp_path, other(), other())
    with pytest.raises(OptionError, match="not the name of a folder"):
        merge(paths, tmp_path / "all.json", folders=[name, "b"])
    assert not (tmp_path / "all.json").exists()


@pytest.mark.parametrize("name", ["", "a", "./a", "a b/\xe4/", "a.b"])
def test_folders_below(name: str, tmp_path: Path) -> None:
    merge(write_both(tmp_path, other(), other()), tmp_path / "all.json", folders=[name, "z"])
    codes = {finding.check.code for finding in validate(tmp_path / "all.json").findings}
    assert not [code for code in codes if code.startswith("file-name")]


def test_one_file_is_not_merged(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="two files"):
        merge([whole], tmp_path / "all.json")


# ---------------------------------------------------------------- the command line


def test_the_commands(whole: Path, tmp_path: Path) -> None:
    parts = tmp_path / "parts"
    result = run("split", whole, parts, "--parts", "train=0.9, test=0.1", "--seed", "7")
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert "test: 56 images" in result.stderr
    assert "short sleeve top" in result.stderr
    merged = run("merge", parts / "train.json", parts / "test.json", tmp_path / "all.json")
    assert merged.exit_code == 0, merged.output
    assert "600 images" in merged.stderr
    quiet = run("split", whole, parts, "--quiet")
    assert (quiet.exit_code, quiet.output) == (0, "")


@pytest.mark.parametrize("text", ["train", "train=x", "train=0.5,train=0.5", "train=0.9"])
def test_parts_as_text_that_make_no_sense(whole: Path, tmp_path: Path, text: str) -> None:
    result = run("split", whole, tmp_path / "parts", "--parts", text)
    assert result.exit_code == 2
    assert "df2coco: --parts: " in result.stderr
    assert "Traceback" not in result.stderr
