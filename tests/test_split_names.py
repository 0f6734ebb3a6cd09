"""Which split a name means: one answer for every command."""

from pathlib import Path

import pytest

from df2coco.converter.run import convert
from df2coco.errors import SourceError
from df2coco.export import export_yolo
from df2coco.parser.places import kind_of
from df2coco.releases import RELEASES, Release
from df2coco.split_names import SPLITS, spellings, split_called, split_of
from df2coco.stats import statistics
from df2coco.subsets import merge
from df2coco.validator import validate
from tests.conftest import run_command, write_split
from tests.samples import make_annotation

NAMES = {
    # a name, the split that it means, and whether it says nothing else
    "train": ("train", True), "validation": ("validation", True), "test": ("test", True),
    "val": ("validation", True), "valid": ("validation", True), "VALID": ("validation", True),
    "Train (1)": ("train", True), "Copy of train": ("train", True),
    "train-20240101T000000Z-001": ("train", True), "val - Copy": ("validation", True),
    "val_annos": ("validation", False), "train_images.zip": ("train", False),
    "keypoints_valid.json": ("validation", False), "keypoints_val.json": ("validation", False),
    "instances_train2017.json": ("train", False), "val2017": ("validation", False),
    "image_info_test.json": ("test", False), "image_info_test-dev2017": ("test", False),
    "deepfashion2_train": ("train", False), "train-002.zip": ("train", False),
    "deepfashion2_trousers_validation.json": ("validation", False),
    "train_val": ("validation", False), "test1": ("test", False),
    "train - Kopie": ("train", True), "val - Copia (2)": ("validation", True),
    "test - \u526f\u672c": ("test", True), "train copy 2": ("train", True),
    # near misses
    "train - Kopien": ("train", False), "train copied": ("train", False),
    "trainer": (None, False), "value": (None, False), "trainval": (None, False),
    "contest": (None, False), "mine": (None, False), "": (None, False), "2017": (None, False),
}  # fmt: skip


@pytest.mark.parametrize(("name", "meaning"), NAMES.items())
def test_the_split_that_a_name_means(name: str, meaning: tuple[str | None, bool]) -> None:
    split, alone = meaning
    assert split_of(name) == split
    assert split_called(name) == (split if alone else None)


FILES = [f"keypoints_{word}.json" for word in ("validation", "val", "valid", "val2017")]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root of two splits, and the file of the second under each of the names."""
    root = tmp_path_factory.mktemp("root")
    for name, images in (("train", 2), ("validation", 3)):
        write_split(root / name, {number: make_annotation() for number in range(1, images + 1)})
    convert(root / "train", root / "train.json")
    for file in FILES:
        convert(root / "validation", root / file)
    return root


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES)
def test_all_commands_say_the_same(
    file: str, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RELEASES, "validation", Release(3, 3))  # type: ignore[arg-type]
    assert validate(root / file, against=root, score_images=0).images == 3
    assert statistics(root / file).split == "validation"
    merged = merge([root / "train.json", root / file], tmp_path / "merged.json")
    assert merged.folders == ("train/image", "validation/image")
    done = export_yolo([root / file], tmp_path / "yolo")
    assert [split.name for split in done.splits] == ["val"]
    for command in (("draw", "--sample", 1), ("report", "--examples", 1)):
        out = tmp_path / {"draw": "x.png", "report": "x.html"}[command[0]]
        assert run_command(*command, root / file, "--out", out).exit_code == 0


@pytest.mark.parametrize("name", ["other", "trainer", "value"])
def test_a_name_that_means_no_split(name: str, root: Path, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.json"
    path.write_bytes((root / FILES[0]).read_bytes())
    with pytest.raises(SourceError, match=r"holds several splits \(train, validation\)"):
        validate(path, against=root)
    for command in (("draw",), ("report",)):
        result = run_command(*command, path, "--out", tmp_path / "out.html")
        assert result.exit_code == 2
        assert result.stderr.count("\n") == 1
    merged = merge([root / FILES[0], path], tmp_path / "merged.json")
    assert merged.folders == ("validation/image", f"{name}/image")


@pytest.mark.parametrize("word", [word for split in SPLITS for word in spellings(split)])
def test_a_folder_is_known_by_every_word_that_means_its_split(word: str) -> None:
    for form in ("{0}_{1}", "{0}-{1}", "{1}_{0}", "{1} {0}"):
        assert kind_of(form.format(word, "annos")) == ("annotations", word)
        assert kind_of(form.format(word, "image")) == ("images", word)
