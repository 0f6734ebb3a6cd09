"""Long lists read in parts are the lists that json reads."""

from __future__ import annotations

import gzip
import json
import math
import pickle
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from df2coco.coco import lists as json_lists
from df2coco.coco.lists import cut, iter_list, read_parts, read_span
from df2coco.coco.reader import Loaded, read, repeated_keys
from df2coco.errors import CocoFileError
from df2coco.validator import validate

texts = st.text(st.sampled_from('ab"\\{}[],: \n'), max_size=6)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(texts | st.just("annotations"), values, max_size=3)
layouts = st.sampled_from(({}, {"indent": 1}, {"separators": (",", ":")}))


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_lists, "_PART", 40)


def read_all(path: Path) -> tuple[dict[str, Any], list[Any]]:
    """All but the annotations, and these."""
    document, parts = read_parts(path)
    return document, [annotation for part in parts for annotation in part]


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(entries=st.lists(objects | values, max_size=8), layout=layouts)
def test_a_list(tmp_path: Path, entries: list[Any], layout: dict[str, Any]) -> None:
    path = tmp_path / "list.json"
    path.write_text(json.dumps(entries, **layout))
    assert [e for part in iter_list(Loaded(path), what="entries") for e in part] == entries


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=st.dictionaries(texts, values, max_size=3),
    annotations=st.lists(objects, max_size=6),
    images=st.lists(objects, max_size=2),
    images_first=st.booleans(),
    layout=layouts,
)
def test_annotations(
    tmp_path: Path,
    before: dict[str, Any],
    annotations: list[dict[str, Any]],
    images: list[dict[str, Any]],
    images_first: bool,
    layout: dict[str, Any],
) -> None:
    lists = {"images": images, "annotations": annotations}
    if not images_first:
        lists = dict(reversed(lists.items()))
    document = {"info": before, **lists, "categories": []}
    path = tmp_path / "coco.json"
    path.write_text(json.dumps(document, **layout))
    rest, taken = read_all(path)
    assert taken == annotations
    assert {**rest, "annotations": annotations} == document


def test_it_is_read_in_parts(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_text(json.dumps([{"image_id": number} for number in range(100)]))
    parts = [len(part) for part in iter_list(Loaded(path), what="results")]
    assert sum(parts) == 100
    assert max(parts) <= 3
    document = {"annotations": [{"id": n} for n in range(100)], "images": [], "categories": []}
    path.write_text(json.dumps(document))
    parts = [len(part) for part in read_parts(path)[1]]
    assert sum(parts) == 100
    assert max(parts) <= 4


def test_nan_and_infinity_are_for_the_reader_to_find(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_text('[{"score": 1}, {"score": NaN}, {"score": -Infinity}]' + " " * 50)
    scores = [e["score"] for part in iter_list(Loaded(path), what="results") for e in part]
    assert scores[0] == 1
    assert math.isnan(scores[1])
    assert scores[2] == -math.inf


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("  \n", "the file is empty"),
        ("[", "not JSON"),
        ('[{"a": 1}', "Was it written to the end?"),
        ('[{"a": 1}, {"a": 2}' + ', {"a": 3}' * 20, "not JSON"),
        ('[{"a": 1}] trailing', "Correct it, or write the file again."),
        ('[{"a": 1},]', "not JSON"),
        ('{"a": 1}', "not a JSON list. Expected a list of results"),
        ("17", "not a JSON list"),
        ('[{"a": "\\ud83d\\ude00"}, {"a": "\\ud83d, "}]', "no low surrogate"),
        ("[" * 5000, "nested too deeply"),
    ],
)
def test_what_is_no_list(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "list.json"
    path.write_text(text)
    with pytest.raises(CocoFileError, match=message):
        list(iter_list(Loaded(path), what="results"))


def test_what_is_no_file(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.json"):
        with pytest.raises(CocoFileError):
            list(iter_list(Loaded(path), what="results"))
        with pytest.raises(CocoFileError):
            read_all(path)


@pytest.mark.parametrize("text", ["", "[]", '{"annotations": [{"a": 1}', '{"annotations": []}'])
def test_what_is_no_coco_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "coco.json"
    path.write_text(text)
    with pytest.raises(CocoFileError):
        read_all(path)


# ---------------------------------------------------------------- in linear time


@pytest.mark.parametrize(
    "annotation",
    [
        {"a": [{}] * 4000},
        {
            "segments_info": [{"id": 1, "bbox": [1, 2, 3, 4]}, {"id": 2}],
            "file_name": "}]",
            "bbox": [],
        },
        {"a": "}, {", "b": ['\\"', "}]", "[{"]},
        {"a": [[[]] * 20] * 100},
        {"a": "x" * 500},
    ],
)
def test_the_work_is_linear(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, annotation: dict[str, Any]
) -> None:
    """No byte is parsed more than four times."""
    annotations = [annotation] * 50
    path = tmp_path / "coco.json"
    path.write_text(json.dumps({"images": [], "annotations": annotations, "categories": []}))
    parsed, loads = 0, json_lists.parse

    def counted_loads(raw: bytes) -> Any:
        nonlocal parsed
        parsed += len(raw)
        return loads(raw)

    monkeypatch.setattr(json_lists, "parse", counted_loads)
    _, taken = read_all(path)
    assert taken == annotations
    assert parsed <= 4 * path.stat().st_size


def test_cuts_are_between_annotations(tmp_path: Path) -> None:
    annotations = [{"id": n, "a": [[n], {"b": "]}"}]} for n in range(30)]
    path = tmp_path / "coco.json"
    path.write_text(json.dumps({"annotations": annotations, "images": [], "categories": []}))
    found = cut(Loaded(path))
    assert found is not None
    assert len(found.spans) > 10
    assert found.document == {"annotations": [], "images": [], "categories": []}
    assert [e for span in found.spans for e in read_span(path, span) or ()] == annotations


def test_a_part_that_was_cut_inside_of_an_annotation_is_not_read(tmp_path: Path) -> None:
    annotations = [{"id": n, "a": [{"b": m} for m in range(20)]} for n in range(30)]
    path = tmp_path / "coco.json"
    path.write_text(json.dumps({"annotations": annotations, "images": [], "categories": []}))
    found = cut(Loaded(path))
    assert found is not None
    assert None in [read_span(path, span) for span in found.spans]
    assert read_all(path)[1] == annotations


# ---------------------------------------------------------------- what JSON has not, or has twice


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"info": {"a": [1, NaN]}, %s}', "info.a[1]: NaN is not JSON"),
        ('{%s, "style": -Infinity}', "style: an infinite number: Infinity, or one like 1e999."),
        ('{%s, "style": 1e999}', "style: an infinite number"),
        ('{"annotations": [], %s}', "annotations: is in the file twice"),
        ('{%s, "images": []}', "images: is in the file twice"),
        ("\ufeff{%s}", "byte order mark"),
    ],
)
def test_what_json_has_not_or_has_twice(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "coco.json"
    path.write_text(text % '"images": [], "annotations": [{"id": 1}], "categories": []')
    for read_file in (lambda: read_all(path), lambda: read(Loaded(path))):
        with pytest.raises(CocoFileError, match=re.escape(message)):
            read_file()


@pytest.mark.parametrize(
    "value", ["1", "NaN", "-Infinity", '{"annotations": []}', '"\\ud800"', 'NaN, "y": "\\udfff"']
)
def test_keys_that_stand_twice_with_anything_beside_them(value: str) -> None:
    raw = f'{{"info": {{"x": {value}}}, "images": [{{"info": 1}}], "info": {{"images": 2}}, "x": 1, "x": 2}}'
    assert repeated_keys(raw.encode()) == ["info"]


def test_keys_inside_of_something_else_are_not_twice(tmp_path: Path) -> None:
    path = tmp_path / "coco.json"
    document = {
        "info": {"images": 1, "categories": [], "text": '"annotations": ['},
        "images": [{"id": 1, "images": 5}],
        "annotations": [{"id": 1, "categories": 2}],
        "categories": [],
    }
    path.write_text(json.dumps(document))
    assert read(Loaded(path)) == document
    assert read_all(path)[0]["info"] == document["info"]


def test_whole_numbers_as_pandas_writes_them(tmp_path: Path) -> None:
    path = tmp_path / "coco.json"
    annotation = {"id": 1.0, "image_id": 2.0, "iscrowd": False, "scale": 3.0, "area": 4.0}
    path.write_text(
        json.dumps(
            {"images": [{"id": 2.0}], "annotations": [annotation], "categories": [{"id": 3.5}]}
        )
    )
    rest, taken = read_all(path)
    assert repr(taken[0]) == repr({"id": 1, "image_id": 2, "iscrowd": 0, "scale": 3, "area": 4.0})
    assert repr(rest["images"] + rest["categories"]) == repr([{"id": 2}, {"id": 3.5}])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"images": [], "annotations": [{"id": 1, "caption": "a cat"}]}', "a file of captions"),
        (
            '{"images": [], "annotations": [{"image_id": 1, "segments_info": []}], "categories": []}',
            "a file of panoptic segmentation",
        ),
        ('[{"image_id": 1, "score": 0.5}]', "a list, as results of a model are"),
        ('{"source": "user", "pair_id": 1, "item1": {}}', "an annotation file of DeepFashion2"),
    ],
)
def test_files_of_another_kind_are_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "coco.json"
    path.write_text(text)
    with pytest.raises(CocoFileError, match=message):
        read_all(path)


def test_json_lines_are_a_list(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text('{"image_id": 1}\n{"image_id": 2}\n')
    assert [e for part in iter_list(Loaded(path), what="results") for e in part] == [
        {"image_id": 1},
        {"image_id": 2},
    ]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"<!DOCTYPE html><html>", "this is a web page, not a JSON file. Name a JSON file."),
        (b"PK\3\4rest", "this is a zip archive. Unpack it, and name the COCO file."),
        (gzip.compress(b"{}", mtime=0), "this is compressed with gzip, not a JSON file."),
        (pickle.dumps({"a": 1}), "this is a Python pickle, not a JSON file."),
        (b'{"id": 1}\n{"id": 2}\n', "this is JSON Lines (a JSON object in each line), not a JSON"),
        (b'{"x": ' + b"[" * 100_000, "nested too deeply for a COCO file."),
        (b'{"images": [', "not JSON ("),
        (b"path,category\n", "not JSON ("),
    ],
)
def test_what_is_not_json_is_named(raw: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    path.write_bytes(raw)
    for command in (read_all, validate):
        with pytest.raises(CocoFileError) as caught:
            command(path)
        assert str(caught.value).startswith(f"{path}: {message}")
