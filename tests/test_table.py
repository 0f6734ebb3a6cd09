"""The table of items: every value is the COCO file's."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from df2coco import Shape, convert, export_table
from df2coco.errors import Df2cocoError
from df2coco.export.table import COLUMNS
from df2coco.taxonomy import ATTRIBUTES
from tests.conftest import FIXTURES
from tests.test_cli import run
from tests.test_export import changed, refused

SPLIT = FIXTURES / "validation"


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    convert(SPLIT, tmp_path / "out.json")
    return tmp_path / "out.json"


def rows_of(table: Path) -> list[dict[str, str]]:
    with table.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def expected_rows(coco: Path) -> list[dict[str, Any]]:
    """The table of a converted file, worked out from its JSON alone."""
    document = json.loads(coco.read_text())
    images = {image["id"]: image for image in document["images"]}
    categories = {entry["id"]: entry for entry in document["categories"]}
    rows = []
    for each in document["annotations"]:
        image = images[each["image_id"]]
        x, y, w, h = each["bbox"]
        row: dict[str, Any] = {
            "id": each["id"],
            "image_id": image["id"],
            "file_name": image["file_name"],
            **{name: image[name] for name in ("width", "height", "source")},
            **{name: each[name] for name in ("pair_id", "style", "category_id")},
            "category": categories[each["category_id"]]["name"],
            "bbox_x": x,
            "bbox_y": y,
            "bbox_w": w,
            "bbox_h": h,
            "area": each["area"],
            **{name: each[name] for name in ATTRIBUTES},
            **dict.fromkeys(("visible", "occluded", "unlabelled")),
        }
        if "keypoints" in each:
            visible, occluded = (each["keypoints"][2::3].count(v) for v in (2, 1))
            names = categories[each["category_id"]]["skeleton"]
            own = len({slot for edge in names for slot in edge})  # each landmark is on an edge
            row |= {"visible": visible, "occluded": occluded}
            row["unlabelled"] = own - visible - occluded
        rows.append(row)
    return rows


def as_text(value: Any) -> str:
    return "" if value is None else str(float(value) if type(value) is float else value)


@pytest.mark.parametrize("layout", ["unified", "aggregated", "category", None])
def test_a_row_for_each_item(layout: Any, tmp_path: Path) -> None:
    coco = tmp_path / "out.json"
    shape = Shape(task="instances") if layout is None else Shape(layout=layout)
    convert(SPLIT, coco, shape=shape)
    assert export_table(coco, tmp_path / "items.csv") == 40
    rows = rows_of(tmp_path / "items.csv")
    expected = expected_rows(coco)
    assert [list(row) for row in rows] == [list(COLUMNS)] * 40
    for row, values in zip(rows, expected, strict=True):
        values["area"] = float(values["area"])
        assert row == {name: as_text(value) for name, value in values.items()}


@pytest.mark.parametrize("rows", [7, 20_000])
def test_parquet_keeps_the_types(rows: int, coco: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr("df2coco.export.table._ROWS", rows)
    out = coco.with_suffix(".PARQUET")
    assert export_table(coco, out) == 40
    table = parquet.read_table(out)
    assert {
        name: str(kind) for name, kind in zip(table.schema.names, table.schema.types, strict=True)
    } == dict(COLUMNS)
    assert table.to_pylist() == expected_rows(coco)


@pytest.mark.parametrize("end", ["csv", "parquet"])
def test_a_file_of_somebody_else(end: str, tmp_path: Path) -> None:
    """What it does not say is empty; landmarks of other things are counted as they are."""
    document = {
        "images": [{"id": 7, "file_name": 'a,"b"\nü.jpg', "pair_id": 5}],
        "categories": [{"id": 3, "name": "person"}, {"id": 4}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 3, "bbox": [1, 2, 3, 4], "keypoints": [1, 1, 2, 0, 0, 0]},
            {"id": 2.0, "image_id": 7, "category_id": 4, "bbox": [1.5, 2, 3, 4], "area": 12,
             "pair_id": 8},
        ],
    }  # fmt: skip
    (tmp_path / "coco.json").write_text(json.dumps(document))
    out = tmp_path / f"items.{end}"
    if end == "parquet":
        parquet = pytest.importorskip("pyarrow.parquet")
        export_table(tmp_path / "coco.json", out)
        first, second = parquet.read_table(out).to_pylist()
        assert (first["area"], first["style"], second["category"]) == (None, None, None)
        assert (second["id"], second["area"], second["visible"]) == (2, 12.0, None)
    else:
        export_table(tmp_path / "coco.json", out)
        first, second = rows_of(out)  # type: ignore[assignment]
        assert (first["area"], first["style"], second["category"]) == ("", "", "")
        assert (second["id"], second["area"], second["visible"]) == ("2", "12.0", "")
    assert first["file_name"] == 'a,"b"\nü.jpg'
    assert [int(first[name]) for name in ("visible", "occluded", "unlabelled")] == [1, 0, 1]
    # The image's, where the item says no other.
    assert [int(row["pair_id"]) for row in (first, second)] == [5, 8]


@pytest.mark.parametrize("end", ["csv", "parquet"])
def test_no_items_are_a_table_without_rows(end: str, coco: Path) -> None:
    empty = changed(coco, coco.with_name("empty.json"), lambda d: d.update(annotations=[]))
    out = coco.with_name(f"items.{end}")
    if end == "parquet":
        parquet = pytest.importorskip("pyarrow.parquet")
        assert export_table(empty, out) == 0
        assert parquet.read_table(out).num_rows == 0
    else:
        assert export_table(empty, out) == 0
        assert out.read_text() == f"{','.join(COLUMNS)}\n"


FAULTS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "image": (lambda d: d["images"].pop(), "image_id: 21 is not"),
    "category": (lambda d: d["categories"].pop(0), "category_id: 1 is not"),
    "style": (
        lambda d: d["annotations"][9].update(style="casual"),
        "[9].style: 'casual', expected a",
    ),
    "source": (lambda d: d["images"][2].update(source=3), "images[2].source: 3, expected"),
    "bbox": (lambda d: d["annotations"][39].pop("bbox"), "annotations[39].bbox: missing"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_files_that_make_no_table(name: str, coco: Path) -> None:
    """What was there before stays."""
    change, message = FAULTS[name]
    bad = changed(coco, coco.with_name("bad.json"), change)
    out = coco.with_name("items.csv")
    out.write_text("old")
    refused(lambda: export_table(bad, out), coco.parent, message)


def test_outputs_that_cannot_be(coco: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (coco.parent / "folder.csv").mkdir()
    for name, message in (
        ("items.xlsx", "must end with .csv or .parquet"),
        ("folder.csv", "is a folder"),
        ("no/items.csv", "there is no folder"),
    ):
        refused(lambda n=name: export_table(coco, coco.parent / n), coco.parent, message)  # type: ignore[misc]
    coco = coco.rename(coco.with_suffix(".csv"))
    refused(lambda: export_table(coco, coco), coco.parent, "is read by this command")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    refused(
        lambda: export_table(coco, coco.parent / "items.parquet"),
        coco.parent,
        'Parquet needs pyarrow, which is not installed: pip install "df2coco[table]"',
    )


@pytest.mark.posix
@pytest.mark.parametrize("end", ["csv", "parquet"])
def test_a_disk_that_cannot_hold_it(end: str, coco: Path) -> None:
    if end == "parquet":
        pytest.importorskip("pyarrow")
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(Df2cocoError, match=f"items.{end}: cannot be written"):
            export_table(coco, coco.with_name(f"items.{end}"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [path.name for path in coco.parent.iterdir()] == ["out.json"]


def test_the_command(coco: Path) -> None:
    out = coco.with_name("items.csv")
    result = run("export", "table", coco, out)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", f"40 rows -> {out}\n")
    again = run("export", "table", coco, out, "--quiet")
    assert (again.exit_code, again.stderr) == (0, "")
    assert len(rows_of(out)) == 40
    wrong = run("export", "table", coco, coco.with_name("items.json"))
    assert (wrong.exit_code, wrong.stderr.count("\n")) == (2, 1)


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(1)", "\t=1"])
def test_no_text_is_a_formula_for_spreadsheets(name: str, coco: Path, tmp_path: Path) -> None:
    document = json.loads(coco.read_text())
    used = document["annotations"][0]["category_id"]
    for category in document["categories"]:
        category["name"] = name if category["id"] == used else f"class {category['id']}"
    for image in document["images"]:
        image["source"] = name
        image["file_name"] = f"{name}{image['file_name']}"
    coco.write_text(json.dumps(document))
    export_table(coco, tmp_path / "items.csv")
    rows = rows_of(tmp_path / "items.csv")
    assert {row["source"] for row in rows} == {f"'{name}"}
    assert rows[0]["category"] == f"'{name}"
    assert all(row["file_name"].startswith(f"'{name}") for row in rows)
    assert all(row["category"].startswith(("'", "class ")) for row in rows)


def test_a_carriage_return_in_a_name_ends_no_row(coco: Path, tmp_path: Path) -> None:
    document = json.loads(coco.read_text())
    for image in document["images"]:
        image["source"] = "a\rb"
    coco.write_text(json.dumps(document))
    count = export_table(coco, tmp_path / "items.csv")
    rows = rows_of(tmp_path / "items.csv")
    assert len(rows) == count
    assert {row["source"] for row in rows} == {"a\\rb"}
