"""Query and gallery ground truth, and the pairs."""

from __future__ import annotations

import csv
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import df2coco.cli.evaluate  # noqa: F401
from df2coco.cli.app import app
from df2coco.errors import SourceError
from df2coco.retrieval import PAIR_COLUMNS, evaluate_retrieval, write_retrieval
from df2coco.taxonomy import CATEGORY_BY_ID
from tests.conftest import MakeSplit
from tests.samples import make_annotation, make_item, make_jpeg


def run(*arguments: Any) -> Result:
    return CliRunner().invoke(app, ["retrieval", *map(str, arguments)])


def read(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text())


def pairs(folder: Path, split: str = "validation") -> list[dict[str, str]]:
    with (folder / f"{split}_pairs.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def box(x: int) -> list[int]:
    return [x, 10, x + 40, 70]


@pytest.fixture
def split(make_split: MakeSplit) -> Path:
    """Two users' and three shops' photos of pair 7, and a user's photo of pair 8."""
    return make_split(
        {
            1: make_annotation(
                make_item(1, style=1, bounding_box=box(1)),
                make_item(9, style=2, bounding_box=box(2)),
            ),
            2: make_annotation(make_item(1, style=1, bounding_box=box(3))),
            3: make_annotation(make_item(1, style=1, bounding_box=box(4)), source="shop"),
            4: make_annotation(
                make_item(1, style=1, bounding_box=box(5)),
                make_item(9, style=0, bounding_box=box(6)),
                source="shop",
            ),
            5: make_annotation(make_item(8, style=3, bounding_box=box(7)), source="shop"),
            6: make_annotation(make_item(1, style=1, bounding_box=box(8)), pair_id=8),
        }
    )


def test_the_documented_formats(split: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = run(split, out)
    assert (result.exit_code, result.stdout) == (0, "")
    attributes = {"scale": 1, "occlusion": 2, "zoom_in": 3, "viewpoint": 2}

    def query(image: int, style: int, cls: int, x: int, pair_id: int = 7) -> dict[str, Any]:
        fields = {"query_image_id": image, "style": style, "cls": cls, "pair_id": pair_id}
        return {**fields, "bbox": box(x), **attributes}

    # The skirt of image 1 and the top of pair 8 have nobody in the gallery, so their style is 0.
    assert read(out, "validation_query.json") == [
        query(1, 1, 1, 1),
        query(1, 0, 9, 2),
        query(2, 1, 1, 3),
        query(6, 0, 1, 8, 8),
    ]
    assert read(out, "validation_gallery.json") == [
        {"gallery_image_id": image, "style": style, "pair_id": 7, "bbox": box(x)}
        for image, style, x in ((3, 1, 4), (4, 1, 5), (4, 0, 6), (5, 3, 7))
    ]
    assert [list(row.values()) for row in pairs(out)] == [
        [query_image, "item1", gallery_image, "item1", "7", "1", "short sleeve top"]
        for query_image in ("000001.jpg", "000002.jpg")
        for gallery_image in ("000003.jpg", "000004.jpg")
    ]
    assert tuple(pairs(out)[0]) == PAIR_COLUMNS
    assert "validation: 4 pairs" in result.stderr
    assert "scored: 2 query items with a partner" in result.stderr
    assert "2 query items with a style but no partner: written with style 0" in result.stderr


def test_lists_of_images(split: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    queries, gallery = tmp_path / "list_query.txt", tmp_path / "list_gallery.txt"
    queries.write_text("# of users\n000002.JPG\n\n 000004 # again \r\n")
    gallery.write_text("image/000001.jpg\nvalidation\\image\\000003.jpg\n")
    [summary] = write_retrieval(split, out, query_list=queries, gallery_list=gallery)
    assert {q["query_image_id"] for q in read(out, "validation_query.json")} == {2, 4}
    assert {g["gallery_image_id"] for g in read(out, "validation_gallery.json")} == {1, 3}
    assert summary.pairs == len(pairs(out)) == 4

    # One list alone takes its images from the other side.
    [summary] = write_retrieval(split, out, query_list=queries)
    assert {g["gallery_image_id"] for g in read(out, "validation_gallery.json")} == {3, 5}
    assert summary.pairs == 2


@pytest.mark.linux
def test_a_list_that_is_a_folder(split: Path, tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    with pytest.raises(SourceError, match=r"is not a file\. Name a list"):
        write_retrieval(split, tmp_path / "out", query_list=tmp_path / "lists")


def test_an_annotation_file_whose_name_is_too_long_a_number(tmp_path: Path) -> None:
    names = ["000001", "1" * 5000]
    with zipfile.ZipFile(tmp_path / "train.zip", "w") as archive:
        for name in names:
            archive.writestr(f"annos/{name}.json", json.dumps(make_annotation()))
    with pytest.raises(SourceError, match="the name is not a number"):
        write_retrieval(tmp_path / "train.zip", tmp_path / "out")


def test_many_partners_give_a_product(make_split: MakeSplit, tmp_path: Path) -> None:
    photos = {n: make_annotation(make_item(), source="user") for n in range(1, 31)}
    photos |= {n: make_annotation(make_item(), source="shop") for n in range(31, 71)}
    [summary] = write_retrieval(make_split(photos), tmp_path)
    rows = pairs(tmp_path)
    assert summary.pairs == len(rows) == 30 * 40
    assert len({(row["query_image"], row["gallery_image"]) for row in rows}) == 30 * 40


@pytest.mark.parametrize(
    ("query", "gallery", "message"),
    [
        (
            "000009.jpg\nno.jpg\n",
            None,
            "line 1: '000009.jpg' is not an image of the split; 2 of 2 lines",
        ),
        ("1" * 5000, None, "1... is not an image of the split; 1 of 1 lines"),
        ("000001.txt", None, "line 1: '000001.txt' is not an image"),
        ("", None, "names no image"),
        ("000001\n", "000003\n000001\n", "000001.jpg is in"),
        (b"\xff\xfe\x00", None, "is not text"),
        (..., None, "cannot be read"),
    ],
)
def test_unusable_lists(
    split: Path, tmp_path: Path, query: Any, gallery: str | None, message: str
) -> None:
    lists = {"query": query, "gallery": gallery}
    arguments: list[Any] = []
    for name, text in lists.items():
        path = tmp_path / f"{name}.txt"
        if text is None:
            continue
        if text is not ...:
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        arguments += [f"--{name}-list", path]
    out = tmp_path / "out"
    result = run(split, out, *arguments)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert message in result.stderr
    assert not list(out.glob("*"))


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        (make_annotation(pair_id=...), "pair_id: missing"),
        (make_annotation(make_item(category_id=14)), "item1.category_id: 14 is not"),
        (b"{", "000002.json: not JSON"),
    ],
)
def test_unusable_annotations(
    make_split: MakeSplit, tmp_path: Path, annotation: Any, message: str
) -> None:
    out = tmp_path / "out"
    result = run(make_split({1: make_annotation(), 2: annotation}), out)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert message in result.stderr
    assert not list(out.glob("*"))


def test_photos_of_nobody_know_whom_are_left_out_and_counted(
    make_split: MakeSplit, tmp_path: Path
) -> None:
    photos = {
        1: make_annotation(),
        2: make_annotation(source="shop"),
        3: make_annotation(source=...),
    }
    split = make_split(photos)
    result = run(split, tmp_path / "out")
    assert "1 image without a source (user or shop)" in result.stderr
    assert "1 pair\n" in result.stderr
    names = tmp_path / "list.txt"
    names.write_text("000003\n")
    [summary] = write_retrieval(split, tmp_path / "out", query_list=names)
    assert (summary.query_items, summary.pairs, summary.without_source) == (1, 1, 0)


def test_several_splits(make_split: MakeSplit, tmp_path: Path) -> None:
    photos = {1: make_annotation(), 2: make_annotation(source="shop")}
    for name in ("train", "validation"):
        make_split(photos, name=name)
    out = tmp_path / "out"
    assert [s.split for s in write_retrieval(tmp_path, out)] == ["train", "validation"]
    assert len(list(out.iterdir())) == 6
    names = tmp_path / "list.txt"
    names.write_text("000001\n")
    result = run(tmp_path, out, "--query-list", names)
    assert result.exit_code == 2
    assert "a list of images goes with one split" in result.stderr


def test_images_without_annotations(make_split: MakeSplit, tmp_path: Path) -> None:
    split = make_split({}, images={"000001.jpg": make_jpeg()})
    (split / "annos").rmdir()
    result = run(split, tmp_path / "out")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert f"{split}: no annotations, so no pairs." in result.stderr


def test_the_output_is_not_written_among_the_annotations(split: Path) -> None:
    result = run(split, split / "annos")
    assert result.exit_code == 2
    assert "annos, which is read" in result.stderr
    assert len(list((split / "annos").iterdir())) == 6


def test_what_is_written_can_be_scored(validation: Path, tmp_path: Path) -> None:
    [summary] = write_retrieval(validation, tmp_path)
    queries, gallery = (read(tmp_path, f"validation_{name}.json") for name in ("query", "gallery"))
    assert summary.pairs == len(pairs(tmp_path)) > 0
    assert {row["category"] for row in pairs(tmp_path)} <= {c.name for c in CATEGORY_BY_ID.values()}
    results = [
        {
            "query_image_id": q["query_image_id"],
            "query_bbox": q["bbox"],
            "query_cls": q["cls"],
            "query_score": 1,
            "gallery_image_id": [g["gallery_image_id"] for g in partners],
            "gallery_bbox": [g["bbox"] for g in partners],
        }
        for q in queries
        for partners in [
            [g for g in gallery if (g["pair_id"], g["style"]) == (q["pair_id"], q["style"])]
        ]
    ]
    (tmp_path / "results.json").write_text(json.dumps(results))
    names = ("validation_query.json", "validation_gallery.json", "results.json")
    evaluation = evaluate_retrieval(*(tmp_path / name for name in names), by="viewpoint")
    assert evaluation.scores.top[1] == 1
    assert evaluation.scores.queries == summary.scored
    assert evaluation.scores.missed == 0


def test_real_samples(real: Path, tmp_path: Path) -> None:
    stems = sorted(path.stem for path in (real / "train" / "annos").iterdir())
    lists = [tmp_path / "query.txt", tmp_path / "gallery.txt"]
    lists[0].write_text("\n".join(stems[::2]))
    lists[1].write_text("\n".join(f"{stem}.jpg" for stem in stems[1::2]))
    [summary] = write_retrieval(real, tmp_path / "out", query_list=lists[0], gallery_list=lists[1])
    assert summary.query_images + summary.gallery_images == len(stems)
    # No two of the samples are of one pair.
    assert (summary.pairs, summary.scored, summary.without_source) == (0, 0, 0)
    assert summary.query_items == len(read(tmp_path / "out", "train_query.json"))
