"""One annotation file: what is read, what is repaired, what is refused."""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import inspect

import df2coco.parser
from df2coco.errors import SourceError
from df2coco.parser import records
from df2coco.parser.annotation import find_image_id, parse_annotation
from df2coco.parser.records import NOTICES, Fields, ImageRecord
from tests.samples import make_annotation, make_item

SIZE = (100, 120)
OUTLINE = [10, 10, 60, 10, 60, 70]


def parse(document: Any, *, size: tuple[int, int] | None = SIZE) -> ImageRecord:
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    return parse_annotation(raw, "a/000007.json", image_id=7, file_name="000007.jpg", size=size)


def test_a_good_file_keeps_everything_in_its_order() -> None:
    document = {"item2": make_item(8), "source": "shop", "pair_id": 3, "item1": make_item(1)}
    record = parse(document)
    assert (record.image_id, record.file_name, record.width, record.height) == (
        7,
        "000007.jpg",
        *SIZE,
    )
    assert (record.source, record.pair_id, record.notices) == ("shop", 3, ())
    assert [(item.key, item.category_id) for item in record.items] == [("item2", 8), ("item1", 1)]
    item = record.items[0]
    assert item.bounding_box == (10, 10, 60, 70)
    assert item.landmarks == document["item2"]["landmarks"]
    assert item.num_labelled == 14
    assert item.segmentation == document["item2"]["segmentation"]
    assert (item.style, item.scale, item.occlusion, item.zoom_in, item.viewpoint) == (1, 1, 2, 3, 2)
    assert item.category.name == "trousers"


def test_absent_attributes_are_none() -> None:
    item = make_item(
        style=..., scale=..., occlusion=..., zoom_in=..., viewpoint=..., category_name=...
    )
    record = parse(make_annotation(item, source=..., pair_id=...))
    found = record.items[0]
    assert (found.style, found.scale, found.occlusion, found.zoom_in, found.viewpoint) == (
        None,
    ) * 5
    assert (record.source, record.pair_id, record.notices) == (None, None, ())


def test_the_other_spelling_of_zoom_in_is_read() -> None:
    assert parse(make_annotation(make_item(zoom_in=..., **{"zoom-in": 2}))).items[0].zoom_in == 2


@pytest.mark.parametrize("name", ["Item2", "item", "item_2", "garment"])
def test_what_looks_like_an_item_is_not_ignored_in_silence(name: str) -> None:
    record = parse(make_annotation(**{name: make_item()}))
    assert [(notice.code, notice.field) for notice in record.notices] == [("item-ignored", name)]
    assert len(record.items) == 1


@pytest.mark.parametrize(
    ("value", "codes"),
    [
        ([make_item(), make_item()], ["item-ignored", "no-items"]),
        ({"item1": make_item()}, ["item-ignored", "no-items"]),
        ({"all": [[make_item()]]}, ["item-ignored", "no-items"]),
        ({"count": 2, "names": ["item1", "item2"]}, ["no-items"]),
        ({"landmarks": "by hand", "by": {"segmentation": "a model"}}, ["no-items"]),
        ([], ["no-items"]),
    ],
)
def test_a_list_or_object_of_items_is_not_ignored_in_silence(value: Any, codes: list[str]) -> None:
    record = parse({"source": "user", "pair_id": 7, "items": value})
    assert [notice.code for notice in record.notices] == codes


def test_unknown_keys_are_ignored() -> None:
    document = make_annotation(
        make_item(colour="red: dark", extra={"a": True}), split="train", items=[1]
    )
    assert parse(document) == parse(make_annotation())


REPAIRS: list[tuple[str, dict[str, Any], str, dict[str, Any]]] = [
    # changes to the item, code of the notice, fields of the result
    (
        "corners",
        {"bounding_box": [60, 70, 10, 10]},
        "corners-swapped",
        {"bounding_box": (10, 10, 60, 70)},
    ),
    (
        "one corner",
        {"bounding_box": [60, 10, 10, 70]},
        "corners-swapped",
        {"bounding_box": (10, 10, 60, 70)},
    ),
    (
        "corners, of another place than the mask",
        {"bounding_box": [60, 70, 40, 30], "segmentation": [OUTLINE]},
        "corners-swapped",
        {"bounding_box": (40, 30, 60, 70)},
    ),
    (
        "border",
        {"bounding_box": [10, 10, 103, 121]},
        "box-clipped",
        {"bounding_box": (10, 10, 100, 120)},
    ),
    (
        "negative",
        {"bounding_box": [-3, 10, 60, 70]},
        "box-clipped",
        {"bounding_box": (0, 10, 60, 70)},
    ),
    (
        "v = 0",
        {"landmarks": [5, 6, 0] + [9, 9, 2] * 7},
        "landmark-cleared",
        {"landmarks": [0, 0, 0] + [9, 9, 2] * 7, "num_labelled": 7},
    ),
    (
        "odd polygon",
        {"segmentation": [[*OUTLINE, 1], OUTLINE]},
        "polygon-dropped",
        {"segmentation": [OUTLINE]},
    ),
    (
        "short polygon",
        {"segmentation": [OUTLINE, [1, 2, 3, 4]]},
        "polygon-dropped",
        {"segmentation": [OUTLINE]},
    ),
    (
        "empty polygon",
        {"segmentation": [OUTLINE, []]},
        "polygon-dropped",
        {"segmentation": [OUTLINE]},
    ),
    (
        "no polygon",
        {"segmentation": [None, OUTLINE]},
        "polygon-dropped",
        {"segmentation": [OUTLINE]},
    ),
    (
        "text",
        {"segmentation": [["1"] * 6, OUTLINE]},
        "polygon-dropped",
        {"segmentation": [OUTLINE]},
    ),
    (
        "far away",
        {"segmentation": [[*OUTLINE, 1e9, 1], OUTLINE]},
        "polygon-dropped",
        {"segmentation": [OUTLINE]},
    ),
    (
        "endless outline",
        {"segmentation": [[0, 0, 65535, 65535] * 5, OUTLINE]},
        "polygon-dropped",
        {"segmentation": [OUTLINE]},
    ),
]


@pytest.mark.parametrize(
    ("changes", "code", "result"), [r[1:] for r in REPAIRS], ids=[r[0] for r in REPAIRS]
)
def test_repairs_are_made_and_told(
    changes: dict[str, Any], code: str, result: dict[str, Any]
) -> None:
    record = parse(make_annotation(make_item(**changes)))
    assert [notice.code for notice in record.notices] == [code]
    assert NOTICES[code].level == "repair"
    for field, value in result.items():
        assert getattr(record.items[0], field) == value
    assert str(record.notices[0]).startswith("a/000007.json: item1.")


@pytest.mark.parametrize(
    "box",
    [
        [0, 0, 60, 60],  # the same both ways
        [10, 10, 70, 60],  # a careless box of corners
        [10, 40, 70, 45],  # neither form fits
    ],
)
def test_boxes_whose_masks_do_not_show_another_form(box: list[int]) -> None:
    polygon = [11, 11, 69, 12, 68, 69, 12, 68]
    record = parse(make_annotation(make_item(bounding_box=box, segmentation=[polygon])))
    assert record.items[0].bounding_box == tuple(box)


@pytest.mark.parametrize(
    ("name", "category_id", "code"),
    [
        ("short_sleeve_top", 1, "category-name"),
        ("short_sleeved_shirt", 1, "category-name"),
        ("Short Sleeve Top", 1, "category-name"),
        ("short sleeve top", 1, None),
        (None, 1, None),
        ("short_sleeve_top", 2, "bad-item"),
        ("Trousers", 7, "bad-item"),
        ("top", 1, "bad-item"),
    ],
)
def test_of_category_names_the_id_decides(
    name: str | None, category_id: int, code: str | None
) -> None:
    record = parse(make_annotation(make_item(category_id, category_name=name)))
    assert [notice.code for notice in record.notices] == ([code] if code else [])
    if code == "category-name":
        assert record.items[0].category_name == "short sleeve top"


BAD_ITEMS: list[tuple[str, dict[str, Any], str]] = [
    # changes to the item, what the notice says after "a/000007.json: item1."
    ("category 0", {"category_id": 0}, "category_id: 0 is not an integer from 1 to 13"),
    ("category 14", {"category_id": 14}, "category_id: 14 is not an integer"),
    ("category as text", {"category_id": "9"}, "category_id: '9' is not an integer"),
    ("category as float", {"category_id": 9.0}, "category_id: 9.0 is not an integer"),
    ("category as list", {"category_id": [9]}, "category_id: [9] is not an integer"),
    ("no category", {"category_id": ...}, "category_id: missing. "),
    ("name", {"category_name": "vest"}, "category_name: 'vest', but category_id 9 is 'skirt'"),
    ("no box", {"bounding_box": ...}, "bounding_box: missing. Add it"),
    ("short box", {"bounding_box": [1, 2, 3]}, "bounding_box: [1, 2, 3], expected 4 numbers"),
    (
        "box of text",
        {"bounding_box": ["1", "2", "3", "4"]},
        "bounding_box: ['1', '2', '3', '4'], expected 4",
    ),
    ("box of nothing", {"bounding_box": None}, "bounding_box: missing. Add it"),
    ("huge box", {"bounding_box": [0, 0, 1e300, 5]}, "bounding_box: [0, 0, 1e+300, 5], expected 4"),
    (
        "empty box",
        {"bounding_box": [10, 10, 10, 70]},
        "bounding_box: [10, 10, 10, 70] has no pixel",
    ),
    (
        "less than a pixel",
        {"bounding_box": [10, 10, 10.99, 70]},
        "bounding_box: [10, 10, 10.99, 70] has no pixel",
    ),
    (
        "box outside",
        {"bounding_box": [200, 10, 260, 70]},
        "bounding_box: [200, 10, 260, 70] has no pixel",
    ),
    (
        "x, y, width, height",
        {"bounding_box": [40, 50, 20, 30], "segmentation": [[41, 50, 60, 50, 60, 79]]},
        "bounding_box: [40, 50, 20, 30] is x, y, width, height, as the mask shows, expected x1",
    ),
    (
        "x, y, width, height, which pass for corners",
        {"bounding_box": [10, 40, 60, 50], "segmentation": [[11, 41, 69, 42, 68, 89, 12, 88]]},
        "bounding_box: [10, 40, 60, 50] is x, y, width, height, as the mask shows, expected x1",
    ),
    (
        "parts of the size",
        {"bounding_box": [0.1, 0.1, 0.6, 0.7]},
        "bounding_box: [0.1, 0.1, 0.6, 0.7] is in parts of the width and height, expected pixels",
    ),
    *(
        (
            words,
            {"bounding_box": box, "segmentation": [[12, 42, 68, 43, 67, 88, 13, 87]]},
            f"bounding_box: {box}: these numbers fit the mask {words}, expected x1, y1, x2, y2 in pixels.",
        )
        for words, box in {
            "as centre x, y, w, h": [40, 65, 60, 50],
            "as x1, x2, y1, y2": [10, 70, 40, 90],
            "with x and y exchanged": [40, 10, 90, 70],
            "if they are doubled": [5, 20, 35, 45],
        }.items()
    ),
    (
        "a mask in parts of the size",
        {"segmentation": [[0.1, 0.1, 0.6, 0.1, 0.6, 0.6]]},
        "segmentation: is in parts of the width and height, expected pixels.",
    ),
    (
        "landmarks in parts of the size",
        {"landmarks": [0.1, 0.25, 2] * 8},
        "landmarks: is in parts of the width and height, expected pixels.",
    ),
    (
        "a box of nothing in a corner",
        {"bounding_box": [0.0, 0.0, 0.5, 0.0]},
        "bounding_box: [0.0, 0.0, 0.5, 0.0] has no pixel",
    ),
    ("no landmarks", {"landmarks": ...}, "landmarks: missing"),
    (
        "23 numbers",
        {"landmarks": [1] * 23},
        "landmarks: 23 numbers, expected 24 (8 landmarks x 3 for skirt). Correct the category",
    ),
    ("landmarks as object", {"landmarks": {"x": 1}}, "landmarks: {'x': 1}, expected 24"),
    ("landmarks of text", {"landmarks": ["1"] * 24}, "landmarks: not all are numbers"),
    ("nested landmarks", {"landmarks": [[1]] * 24}, "landmarks: not all are numbers"),
    (
        "landmarks as lists",
        {"landmarks": [[1, 2, 2]] * 8},
        "landmarks: landmarks as lists [x, y, v]",
    ),
    (
        "points as pairs",
        {"segmentation": [[[1, 2], [9, 2], [9, 9]]]},
        "segmentation: no polygon can be used: points as lists [x, y], not in a row",
    ),
    (
        "huge landmark",
        {"landmarks": [99999, 1, 2] * 8},
        "landmarks: not all are numbers of at most 65535",
    ),
    ("v = 3", {"landmarks": [1, 1, 3] * 8}, "landmarks: a visibility of 3, expected 0, 1 or 2"),
    ("v = 1.5", {"landmarks": [1, 1, 1.5] * 8}, "landmarks: a visibility of 1.5"),
    ("no segmentation", {"segmentation": ...}, "segmentation: missing"),
    ("no polygons", {"segmentation": []}, "segmentation: [], expected a list of polygons"),
    ("rle", {"segmentation": {"counts": "x"}}, "segmentation: {'counts': 'x'}, expected a list"),
    (
        "flat polygon",
        {"segmentation": [1, 2, 3, 4, 5, 6]},
        "segmentation: the polygon is not in a list of its own. Write [[x1, y1, ...]].",
    ),
    (
        "only bad ones",
        {"segmentation": [[1, 2], [3]]},
        "segmentation: no polygon can be used: 2 numbers",
    ),
    ("scale 4", {"scale": 4}, "scale: 4, expected 1, 2 or 3"),
    ("occlusion 0", {"occlusion": 0}, "occlusion: 0, expected 1, 2 or 3"),
    ("zoom_in as text", {"zoom_in": "2"}, "zoom_in: '2', expected 1, 2 or 3"),
    ("viewpoint as float", {"viewpoint": 2.0}, "viewpoint: 2.0, expected 1, 2 or 3"),
    (
        "category as boolean",
        {"category_id": True},
        "category_id: True is not an integer from 1 to 13",
    ),
    ("landmarks of booleans", {"landmarks": [1, True, 2] * 8}, "landmarks: not all are numbers"),
    (
        "box of booleans",
        {"bounding_box": [1, True, 50, 60]},
        "bounding_box: [1, True, 50, 60], exp",
    ),
    ("polygon of booleans", {"segmentation": [[True] * 6]}, "segmentation: no polygon can be used"),
    ("style as boolean", {"style": False}, "style: False, expected a whole number"),
    ("scale as boolean", {"scale": True}, "scale: True, expected 1, 2 or 3"),
    ("style below 0", {"style": -1}, "style: -1, expected a whole number of 0 or more"),
    ("style as text", {"style": "1"}, "style: '1', expected a whole number"),
]


@pytest.mark.parametrize(
    ("changes", "message"), [b[1:] for b in BAD_ITEMS], ids=[b[0] for b in BAD_ITEMS]
)
def test_a_bad_item_is_left_out_and_told(changes: dict[str, Any], message: str) -> None:
    record = parse(make_annotation(make_item(**changes), make_item(8)))
    assert [item.key for item in record.items] == ["item2"]
    (notice,) = record.notices
    assert (notice.code, notice.level) == ("bad-item", "error")
    assert str(notice).startswith(f"a/000007.json: item1.{message}")


@pytest.mark.parametrize(
    "changes",
    [
        {"bounding_box": [70, 90, 10, 40]},  # corners in the other order
        {"bounding_box": [20, 45, 70, 90]},  # half of it in common
        {"bounding_box": [0, 0, 30, 40]},  # another item's
        {"segmentation": [[0, 0, 0.5, 0, 0.5, 0.5]], "bounding_box": [0, 0, 1, 1]},
        {"landmarks": [1, 1, 2] * 8},
    ],
)
def test_a_box_that_nothing_explains_is_the_datasets_own(changes: dict[str, Any]) -> None:
    mask = [[12, 42, 68, 43, 67, 88, 13, 87]]
    record = parse(make_annotation(make_item(**{"segmentation": mask, **changes})))
    assert len(record.items) == 1
    assert {notice.code for notice in record.notices} <= {"corners-swapped"}


def test_an_item_that_is_no_object_is_told() -> None:
    (notice,) = parse(make_annotation(item1=[1])).notices
    assert str(notice).startswith("a/000007.json: item1: [1] is not a JSON object. ")


BAD_FILES: list[tuple[str, bytes, str]] = [
    ("empty", b"", "the file is empty"),
    ("truncated", b'{"source": "us', "not JSON"),
    ("list", b"[]", "not a JSON object"),
    ("nan", b'{"pair_id": NaN}', "NaN is not JSON, though Python's json writes it (character 12)"),
    ("infinity", b'{"pair_id": -Infinity}', "-Infinity is not JSON"),
    ("infinite", b'{"pair_id": 1e999}', "not JSON"),
    ("utf-16", '{"pair_id": 1}'.encode("utf-16"), "this is text in UTF-16, not an annotation"),
    ("gzip", b"\x1f\x8b\x08\0", "this is compressed with gzip, not an annotation file. Unpack"),
    ("web page", b"<!DOCTYPE html><html>", "this is a web page, not an annotation file."),
    ("JSON Lines", b'{"pair_id": 1}\n{"pair_id": 2}\n', "this is JSON Lines"),
    (
        "COCO",
        b'{"images": [], "annotations": []}',
        "this is a COCO file already, not the annotations",
    ),
    (
        "whole split",
        b'{"000001.jpg": {"item1": {}}}',
        "this is one JSON file for many images, not the",
    ),
    ("latin-1", b'{"source": "\xe9"}', "not text in UTF-8. Save it as UTF-8."),
    ("zeros", bytes(500), "holds zero bytes alone. "),
    ("deep", b'{"a":' * 100_000, "nested too deeply"),
    ("source", b'{"source": "web"}', "source: 'web', expected user or shop"),
    ("source list", b'{"source": ["user"]}', "source: ['user'], expected user or shop"),
    ("pair_id", b'{"pair_id": "7"}', "pair_id: '7', expected a whole number"),
    ("pair_id as float", b'{"pair_id": 7.0}', "pair_id: 7.0, expected a whole number"),
    ("key twice", b'{"pair_id": 7, "pair_id": 8}', "pair_id: the key is in one object twice"),
    (
        "item twice",
        b'{"item1": {"scale": 1}, "item1": {"scale": 1}}',
        "item1: the key is in one object twice",
    ),
    (
        "field twice",
        b'{"item1": {"scale": 1, "scale": 2}}',
        "scale: the key is in one object twice",
    ),
    ("boolean", b'{"pair_id": true}', "pair_id: True, expected a whole number"),
    (
        "600 deep",
        b'{"item1": {"style": ' + b"[" * 600 + b"]" * 600 + b"}}",
        "item1: nested too deeply",
    ),
    ("deep objects", b'{"pair_id": 1, "x": ' + b'{"a":' * 900 + b"1" + b"}" * 901, "x: nested too"),
    ("large", b" " * (8 << 20) + b"{}", "larger than 8 MB"),
]


@pytest.mark.parametrize(
    ("raw", "message"), [b[1:] for b in BAD_FILES], ids=[b[0] for b in BAD_FILES]
)
def test_a_bad_file_is_refused(raw: bytes, message: str) -> None:
    with pytest.raises(SourceError) as caught:
        parse(raw)
    assert str(caught.value).startswith(f"a/000007.json: {message}")
    assert "\n" not in str(caught.value)


def test_text_from_the_file_cannot_reach_the_terminal() -> None:
    with pytest.raises(SourceError) as caught:
        parse(b'{"source": "\\u001b[31mred\\n"}')
    assert str(caught.value).isprintable()


def test_an_image_without_items_is_told() -> None:
    record = parse({"source": "user", "pair_id": 1})
    assert record.items == ()
    assert [notice.code for notice in record.notices] == ["no-items"]


def test_a_byte_order_mark_is_read_over() -> None:
    raw = json.dumps(make_annotation()).encode()
    assert parse(b"\xef\xbb\xbf" + raw) == parse(raw)


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({}, "the same item as item1"),
        ({"style": 0}, "the same category and box as item1"),
        ({"segmentation": [OUTLINE]}, "the same category and box as item1"),
        ({"bounding_box": [10, 10, 60, 71]}, ""),
        ({"bounding_box": [10.0, 10, 60, 70]}, "the same item as item1"),
    ],
)
def test_an_item_that_stands_twice_is_kept_and_reported(changes: dict[str, Any], same: str) -> None:
    record = parse(make_annotation(make_item(), make_item(8), make_item(**changes)))
    assert len(record.items) == 3
    notices = [str(notice) for notice in record.notices]
    assert len(notices) == bool(same)
    assert all(n.startswith(f"a/000007.json: item3: {same}. Remove one") for n in notices)


def test_a_box_of_one_pixel_is_kept() -> None:
    record = parse(make_annotation(make_item(bounding_box=[10, 10, 11, 70])))
    assert (record.items[0].bounding_box, record.notices) == ((10, 10, 11, 70), ())


def test_another_category_at_the_same_place_is_no_double() -> None:
    assert parse(make_annotation(make_item(1), make_item(3))).notices == ()


# ---------------------------------------------------------------- the declaration, and both ways to it


def edges(kind: inspect.Type) -> Iterator[Any]:
    """Values just inside and just outside each bound of a declared type, and of other types."""
    yield from (None, True, "x", {}, [])
    if isinstance(kind, inspect.UnionType):
        for member in kind.types:
            yield from edges(member)
    elif isinstance(kind, inspect.IntType | inspect.FloatType):
        step = 1 if isinstance(kind, inspect.IntType) else 0.5
        for bound in filter(None, (kind.ge, kind.gt, kind.le, kind.lt)):
            yield from (bound - step, bound, bound + step)
        yield from (0, 1, 0.5, 1.0)
    elif isinstance(kind, inspect.ListType):
        for length in (kind.min_length or 1, (kind.min_length or 1) - 1):
            yield [GOOD[kind.item_type.__class__]] * length


GOOD = {inspect.ListType: OUTLINE, inspect.UnionType: 20}
"""Type of an entry -> one that fits."""


def paths(name: str, kind: inspect.Type) -> Iterator[tuple[list[Any], inspect.Type]]:
    """Each place in a field where a declared type stands: `["segmentation", 0, 0]`."""
    yield [name], kind
    item = kind.item_types[0] if isinstance(kind, inspect.TupleType) else None
    item = kind.item_type if isinstance(kind, inspect.ListType) else item
    if item is not None:
        for path, inner in paths(name, item):
            yield [name, 0, *path[1:]], inner


def edge_cases() -> list[dict[str, Any]]:
    """Good items with one value changed, for each edge of each declared type."""
    cases = []
    for field in msgspec.structs.fields(Fields):
        for path, kind in paths(field.name, inspect.type_info(field.type)):
            for value in edges(kind):
                item = make_item(segmentation=[OUTLINE[:]])
                place: Any = item
                for step in path[:-1]:
                    place = place[step]
                place[path[-1]] = value
                cases.append(item)
    return cases


def both_ways(
    item: dict[str, Any], read: Callable[..., ImageRecord] = parse_annotation
) -> ImageRecord:
    """The record of a file as the dataset writes it, which one in other forms must be, too."""
    raw = json.dumps(make_annotation(item, make_item(8))).encode()
    other = json.dumps(make_annotation(item | {"colour": "red"}, make_item(8), split="x")).encode()
    record, *others = (
        read(text, "a/000007.json", image_id=7, file_name="000007.jpg", size=SIZE)
        for text in (raw, b"\xef\xbb\xbf" + raw, other)
    )
    assert [repr(each) for each in others] == [repr(record)] * 2
    return record


EDGES = list({repr(item): item for item in edge_cases()}.values())


def is_declared(item: dict[str, Any]) -> bool:
    """Whether the declaration alone takes an item."""
    try:
        msgspec.convert({name: v for name, v in item.items() if v is not None}, Fields)
    except msgspec.ValidationError:
        return False
    return True


@pytest.mark.parametrize("name", Fields.__struct_fields__)
def test_each_edge_of_the_declaration_is_the_same_both_ways(name: str) -> None:
    good = make_item(segmentation=[OUTLINE])
    items = [item for item in EDGES if repr(item[name]) != repr(good[name])]
    for item in items:
        record = both_ways(item)
        if not is_declared(item):
            assert [item.key for item in record.items] == ["item2"]
            assert [notice.field for notice in record.notices] == [f"item1.{name}"]
    assert {is_declared(item) for item in items} == {True, False}


DECLARATION = Path(records.__file__).read_text(encoding="utf-8")
BOUNDS = list(re.finditer(r"\b(?:ge|le|lt|min_length)=((?:[^(),]|\([^()]*\))+)", DECLARATION))


def reread(monkeypatch: pytest.MonkeyPatch, **sources: str) -> Any:
    """The parser's module of annotation files, made anew from the source of modules below it."""
    for name in ("records", "item", "annotation"):
        monkeypatch.setattr(df2coco.parser, name, sys.modules[f"df2coco.parser.{name}"])
        monkeypatch.delitem(sys.modules, f"df2coco.parser.{name}")
    for name, source in sources.items():
        module = ModuleType(f"df2coco.parser.{name}")
        monkeypatch.setitem(sys.modules, module.__name__, module)
        exec(source, module.__dict__)
    return importlib.import_module("df2coco.parser.annotation")


@pytest.mark.parametrize("bound", BOUNDS, ids=[bound[0] for bound in BOUNDS])
def test_a_narrower_bound_is_felt_both_ways(
    bound: re.Match[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sign = "+" if bound[0].startswith(("ge", "min")) else "-"
    start, end = bound.span(1)
    source = f"{DECLARATION[:start]}({bound[1]}) {sign} 1{DECLARATION[end:]}"
    read = reread(monkeypatch, records=source).parse_annotation
    assert any(str(both_ways(i).notices) != str(both_ways(i, read).notices) for i in EDGES)


@pytest.mark.parametrize(
    "name", [n for n in Fields.__struct_fields__ if n not in ("landmarks", "segmentation")]
)
def test_what_a_message_expects_are_the_declared_bounds(name: str) -> None:
    """But for bounds that no file comes near, from 2^53 on: the words are in `item.py`."""
    (notice, *_) = parse(make_annotation(make_item(**{name: "x"}))).notices
    said = set(re.findall(r"\d+", notice.text))
    (kind,) = (f.type for f in msgspec.structs.fields(Fields) if f.name == name)
    declared = re.findall(r"(exclusive)?(?i:min|max)imum': -?(\d+)", str(msgspec.json.schema(kind)))
    bounds = {int(number) - bool(exclusive) for exclusive, number in declared}
    assert {str(bound) for bound in bounds if bound < 2**53 - 1} <= said


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("records", "style: Whole | None", "style: Annotated[int, Meta(ge=0, le=0)] | None"),
        ("item", "    box = _box(", "    if fields.style == 1: raise FaultError('style', 'x')\n    box = _box("),
        ("item", "1_000_000", "100"),
        ("item", "if len(polygon) % 2:", "if len(polygon) % 4:"),
        ("item", "if name is not None and name !=", "if name is not None or name !="),
    ],
)  # fmt: skip
def test_a_rule_that_is_added_in_its_one_place_is_felt_both_ways(
    module: str, old: str, new: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Path(sys.modules[f"df2coco.parser.{module}"].__file__ or "").read_text("utf-8")
    assert source.count(old) == 1
    item = make_item(segmentation=[OUTLINE])
    assert both_ways(item).notices == ()
    read = reread(monkeypatch, **{module: source.replace(old, new)}).parse_annotation
    assert {"bad-item", "category-name"} & {n.code for n in both_ways(item, read).notices}


def test_files_as_the_dataset_writes_them_are_decoded_in_one_step(
    validation: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = [path.read_bytes() for path in sorted((validation / "annos").glob("*.json"))]
    good += [json.dumps(make_annotation(make_item(c))).encode() for c in range(1, 14)]
    good += [json.dumps(make_annotation(make_item(style=...), source=...)).encode()]
    expected = [parse(b"\xef\xbb\xbf" + raw) for raw in good]
    monkeypatch.setattr("orjson.loads", None)
    assert [repr(parse(raw)) for raw in good] == list(map(repr, expected))


def test_whole_floats_become_integers_in_landmarks() -> None:
    item = parse(make_annotation(make_item(landmarks=[1.0, 2.5, 2.0] * 8))).items[0]
    assert item.landmarks == [1, 2.5, 2] * 8
    assert [type(n) for n in item.landmarks[:3]] == [int, float, int]


@pytest.mark.parametrize(
    ("changes", "size"),
    [
        ({}, (60, 70)),
        ({"bounding_box": [10, 10, 80, 90]}, (80, 90)),
        ({"landmarks": [99, 109, 2] * 8}, (100, 110)),
        ({"segmentation": [[0, 0, 88.5, 0, 88.5, 91.25]]}, (89, 92)),
    ],
)
def test_without_an_image_the_size_is_the_smallest_that_holds_all(
    changes: dict[str, Any], size: tuple[int, int]
) -> None:
    record = parse(make_annotation(make_item(**changes)), size=None)
    assert (record.width, record.height) == size


def far(x: int, y: int) -> dict[str, Any]:
    return make_item(bounding_box=[10, 10, x, y])


@pytest.mark.parametrize(
    ("items", "refused"),
    [
        ([far(65535, 65535)], ["item1"]),
        ([far(32768, 32768)], []),  # 2^30 pixels
        ([far(32768, 32769)], ["item1"]),
        ([far(65535, 100), far(100, 65535), far(100, 16384)], ["item2"]),
        ([make_item(segmentation=[[0, 0, 65535, 0, 65535, 65535]]), make_item()], ["item1"]),
    ],
)
def test_without_an_image_no_item_may_need_too_large_a_one(
    items: list[Any], refused: list[str]
) -> None:
    record = parse(make_annotation(*items), size=None)
    bad = [notice for notice in record.notices if notice.code == "bad-item"]
    assert [notice.field for notice in bad] == refused
    assert all("no image has more than 1073741824" in notice.text for notice in bad)
    assert record.width * record.height <= 1 << 30
    assert len(record.items) == len(items) - len(refused)
    assert not [n for n in parse(make_annotation(*items)).notices if n.code == "bad-item"]


@given(st.integers(0, 10**18 - 1), st.integers(0, 5))
@example(10**18 - 1, 0)
def test_image_ids_are_the_integers_of_names(number: int, zeros: int) -> None:
    stem = "0" * zeros + str(number)
    if len(stem) <= 18:
        assert find_image_id(stem) == number


@pytest.mark.parametrize(
    "stem", ["", "a", "1a", "-1", "+1", " 1", "1_0", "1.5", "\u0661", "\u00b2", "9" * 19]
)
def test_other_names_give_no_image_id(stem: str) -> None:
    assert find_image_id(stem) is None
