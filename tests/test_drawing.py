"""Pictures: what stands where, in which color, and what becomes of files that cannot be drawn."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import re
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from PIL import Image, ImageChops, ImageColor
from typer.testing import CliRunner

import df2coco.cli.draw  # noqa: F401 (registers its commands)
from df2coco.cli.app import app
from df2coco.converter.encoder import make_encoder
from df2coco.converter.options import LAYOUTS, Shape
from df2coco.converter.run import convert
from df2coco.drawing import PARTS, USUAL_PARTS, Photos, draw, draw_image
from df2coco.drawing.comparison import MATCHED, UNMATCHED, keys_of, mark_matches
from df2coco.drawing.drawables import read_drawables
from df2coco.drawing.labels import Obstacle, Rectangle, Wish, place_labels
from df2coco.drawing.overlay import (
    LARGEST,
    SMALLEST,
    casing_of,
    distinguish,
    font,
    picture_size,
    shortened,
)
from df2coco.drawing.sheet import HAIRLINE, Key, justify, legend
from df2coco.errors import CocoFileError, OptionError, OutputError, SourceError
from df2coco.layouts import own_slots
from df2coco.taxonomy import CATEGORIES, CATEGORY_BY_ID, Category
from tests.tools.garment_figure import FIGURE
from tests.zipcrypto import write_encrypted_zip

Color = tuple[int, ...]
SIDE = 600
GREY = "#808080"


def category_entries(layout: Any) -> list[dict[str, Any]]:
    """The `categories` of a file of that layout; "official": the official converter's."""
    shape = Shape(preset="official") if layout == "official" else Shape(layout=layout)
    return [dict(entry) for entry in make_encoder(shape).categories()]


def garment(category: Category, layout: str, visibility: Sequence[int]) -> dict[str, Any]:
    """An annotation of the category's figure, 500 pixels large; `visibility` is repeated."""
    points = [(round(50 + 500 * x), round(50 + 500 * y)) for x, y in FIGURE[category.id]]
    own = [
        n
        for (x, y), v in zip(points, itertools.cycle(visibility), strict=False)
        for n in ((x, y, v) if v else (0, 0, 0))
    ]
    count = {"category": category.num_landmarks, "aggregated": 81}.get(layout, 294)
    slots = own_slots(category, count)
    assert slots is not None
    keypoints = [0] * (3 * count)
    for number, slot in enumerate(slots):
        keypoints[3 * slot : 3 * slot + 3] = own[3 * number : 3 * number + 3]
    return {
        "id": 1,
        "image_id": 1,
        "category_id": category.id,
        "bbox": [50.0, 50.0, 500.0, 500.0],
        "keypoints": keypoints,
        "segmentation": [],
    }


def distance(a: Color, b: Color) -> float:
    return math.dist(a, b)


def pixel(picture: Image.Image, x: float, y: float) -> Color:
    value = picture.getpixel((round(x), round(y)))
    assert isinstance(value, tuple)
    return value


def grey(size: tuple[int, int] = (SIDE, SIDE)) -> Image.Image:
    return Image.new("RGB", size, GREY)


# ---------------------------------------------------------------- landmarks


@pytest.mark.parametrize("layout", [*LAYOUTS, "official"])
@pytest.mark.parametrize("category", CATEGORIES, ids=lambda c: c.name)
def test_visible_landmarks_have_the_categorys_color_and_occluded_ones_are_hollow(
    category: Category, layout: str
) -> None:
    annotation = garment(category, layout, (2, 1, 0))
    picture = draw_image(grey(), [annotation], category_entries(layout), parts=("landmarks",))
    color = ImageColor.getrgb(category.color)
    drawable = read_drawables([annotation], category_entries(layout))[0]
    points = [(x, y) for x, y, _ in drawable.landmarks.values()]
    assert len(points) == sum(i % 3 < 2 for i in range(category.num_landmarks))
    label = 40  # the label may lie on the topmost ones
    for x, y, visible in drawable.landmarks.values():
        near = [p for p in points if p != (x, y) and math.dist(p, (x, y)) < 12]
        if near or y < 50 + label:
            continue
        expected = color if visible else (255, 255, 255)
        assert distance(pixel(picture, x, y), expected) < 40, (x, y, visible)


@pytest.mark.parametrize("category", CATEGORIES, ids=lambda c: c.name)
def test_the_skeleton_is_drawn_even_where_the_file_has_none(category: Category) -> None:
    categories = category_entries("official")
    assert all(entry["skeleton"] == [] for entry in categories)
    annotation = garment(category, "official", (2,))
    picture = draw_image(grey(), [annotation], categories, parts=("landmarks",))
    color = ImageColor.getrgb(category.color)
    points = [(50 + 500 * x, 50 + 500 * y) for x, y in FIGURE[category.id]]
    long = [(a, b) for a, b in category.skeleton if math.dist(points[a - 1], points[b - 1]) > 60]
    assert long
    for a, b in long:
        x, y = ((p + q) / 2 for p, q in zip(points[a - 1], points[b - 1], strict=True))
        around = [pixel(picture, x + dx, y + dy) for dx in range(-4, 5) for dy in range(-4, 5)]
        casing = ImageColor.getrgb(casing_of(category.color))
        assert min(distance(p, color) for p in around) < 60, (a, b)
        assert min(distance(p, casing) for p in around) < 100, (a, b)


@pytest.mark.parametrize("of_file", [*LAYOUTS, "official"])
@pytest.mark.parametrize("of_results", LAYOUTS)
@pytest.mark.parametrize("category", CATEGORIES[:4:3], ids=lambda c: c.name)
def test_results_in_any_layout_lie_where_the_annotation_lies(
    category: Category, of_results: str, of_file: str
) -> None:
    """As `evaluate` takes them: a result says its layout by its number of landmarks."""
    categories = category_entries(of_file)
    (truth,) = read_drawables([garment(category, of_file, (2,))], categories)
    result = garment(category, of_results, (2,)) | {"score": 0.5}
    (found,) = read_drawables([result], categories, predicted=True)
    assert len(found.landmarks) == category.num_landmarks
    assert (found.landmarks, found.edges) == (truth.landmarks, truth.edges)


def test_other_datasets_bring_their_own_landmarks() -> None:
    person = {"id": 1, "name": "person", "keypoints": list("abcde"), "skeleton": [[1, 2], [5, 6]]}
    keypoints = [300, 100, 2, 300, 500, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    annotation = {"id": 1, "category_id": 1, "keypoints": keypoints}
    (drawable,) = read_drawables([annotation], [person])
    assert list(drawable.landmarks) == [0, 1]
    assert drawable.edges == ((0, 1),)
    assert drawable.garment is None
    picture = draw_image(grey(), [annotation], [person])
    color = ImageColor.getrgb(CATEGORY_BY_ID[1].color)
    assert distance(pixel(picture, 300, 300), color) < 40  # the edge 1-2
    assert pixel(picture, 5, 5) == ImageColor.getrgb(GREY)
    nameless = {"id": 1, "name": "person"}
    assert read_drawables([annotation], [nameless])[0].landmarks == {}
    fewer = {"id": 1, "category_id": 1, "keypoints": keypoints[:12]}
    assert list(read_drawables([fewer], [person])[0].landmarks) == [0, 1]
    assert read_drawables([fewer], [person])[0].edges == ((0, 1),)


def test_a_garment_with_another_number_of_landmarks_has_its_files_own() -> None:
    top = {"id": 1, "name": "short sleeve top", "keypoints": ["a", "b"], "skeleton": [[1, 2]]}
    annotation = {"id": 1, "category_id": 1, "keypoints": [1, 2, 2, 3, 4, 1]}
    (drawable,) = read_drawables([annotation], [top])
    assert [(x, y) for x, y, _ in drawable.landmarks.values()] == [(1, 2), (3, 4)]
    assert drawable.edges == ((0, 1),)
    assert drawable.garment is None  # its sigmas would be wrong


# ---------------------------------------------------------------- masks and boxes


OVERLAPPING = [
    [100.0, 100.0, 300.0, 100.0, 300.0, 300.0, 100.0, 300.0],
    [200.0, 200.0, 400.0, 200.0, 400.0, 400.0, 200.0, 400.0],
]


def test_a_mask_is_the_union_of_its_polygons() -> None:
    annotation = {"id": 1, "category_id": 1, "segmentation": OVERLAPPING}
    picture = draw_image(grey(), [annotation], category_entries("unified"), parts=("masks",))
    one, both, other = (pixel(picture, at, at) for at in (150, 250, 350))
    assert one == both == other != ImageColor.getrgb(GREY)
    assert pixel(picture, 350, 150) == pixel(picture, 450, 450) == ImageColor.getrgb(GREY)
    # Its edge is drawn stronger, not those of each polygon.
    color = ImageColor.getrgb(CATEGORY_BY_ID[1].color)
    assert distance(pixel(picture, 100, 150), color) < distance(one, color) / 2
    assert pixel(picture, 200, 250) == pixel(picture, 250, 299) == both


def test_a_run_length_mask_is_drawn_as_its_polygons_are() -> None:
    from pycocotools import mask as coco_mask

    encoded = coco_mask.merge(coco_mask.frPyObjects(OVERLAPPING, SIDE, SIDE))
    flat = coco_mask.decode(encoded).flatten("F").tolist()
    counts = [len(list(run)) for _, run in itertools.groupby(flat)]
    text = {"size": [SIDE, SIDE], "counts": encoded["counts"].decode()}
    pictures = [
        draw_image(
            grey(),
            [{"id": 1, "category_id": 1, "bbox": [100, 100, 300, 300], "segmentation": mask}],
            category_entries("unified"),
            parts=("masks",),
        )
        for mask in (OVERLAPPING, text, {**text, "counts": counts}, encoded)
    ]
    for x, y in [(150, 150), (250, 250), (350, 350), (350, 150), (450, 450)]:
        assert len({pixel(picture, x, y) for picture in pictures}) == 1


MARKS = {
    "boxes": (549, 299, 551, 301),
    "masks": (149, 119, 151, 121),
    "landmarks": (299, 187, 301, 189),
    "numbers": (304, 168, 318, 184),
}
"""Where parts of the item below are, and no other part of it."""


def drawn_parts(picture: Image.Image) -> set[str]:
    """The parts of the item below that are in a picture of it."""
    plain = grey(picture.size)
    changed = ImageChops.difference(picture, plain)
    return {part for part, box in MARKS.items() if changed.crop(box).getbbox()}


def trousers(visibility: int) -> dict[str, Any]:
    """An item with all parts; its landmark 9 is alone."""
    square = [100, 100, 160, 100, 160, 160, 100, 160]
    return garment(CATEGORY_BY_ID[8], "unified", (visibility,)) | {"segmentation": [square]}


def test_only_what_is_asked_for_is_drawn() -> None:
    assert set(MARKS) == set(PARTS)
    for size in range(len(PARTS) + 1):
        for parts in itertools.combinations(PARTS, size):
            picture = draw_image(grey(), [trousers(2)], category_entries("unified"), parts=parts)
            assert drawn_parts(picture) == set(parts)
            changed = ImageChops.difference(picture, grey()).getbbox() or (50, 50, 550, 550)
            assert min(changed[:2]) >= 20
            assert max(changed[2:]) <= 580


def test_the_label_stands_at_the_parts_that_are_drawn() -> None:
    """And there is none where nothing is drawn."""
    corners = {"boxes": (300, 400), "masks": (80, 300), "landmarks": (400, 150)}
    annotation = {
        "id": 1,
        "category_id": 1,
        "bbox": [300, 400, 90, 80],
        "segmentation": [[80, 300, 200, 300, 200, 350, 80, 350]],
        "keypoints": [400, 180, 2, 480, 150, 1],
    }
    category = {"id": 1, "name": "top", "keypoints": ["a", "b"], "skeleton": []}
    ends = {"boxes": (390, 480), "masks": (200, 350), "landmarks": (480, 180)}
    (drawable,) = read_drawables([annotation], [category])
    for part, (x, y) in corners.items():
        assert drawable.extent([part]) == (x, y, *ends[part])
        picture = draw_image(grey(), [annotation], [category], parts=[part, "numbers"])
        color = ImageColor.getrgb(CATEGORY_BY_ID[1].color)
        rows = [n for n in range(y - 50, y) if distance(pixel(picture, x, n), color) < 60]
        assert 12 <= len(rows) <= 24  # one line of text, on the upper left corner
        assert rows[-1] >= y - 5
    assert drawable.extent(USUAL_PARTS) == (80, 150, 480, 480)
    assert drawable.extent(["numbers"]) is None
    mask = {"size": [200, 400], "counts": [80000]}
    (whole,) = read_drawables([{"id": 1, "category_id": 1, "segmentation": mask}], [])
    assert whole.extent(["masks"]) == (0, 0, 400, 200)
    (boxed,) = read_drawables([{**annotation, "segmentation": mask}], [])
    assert boxed.extent(["masks"]) == (300, 400, 390, 480)


def test_a_label_makes_way_for_landmarks_that_are_drawn() -> None:
    category = {"id": 1, "name": "top", "keypoints": ["a"], "skeleton": []}
    box = {"id": 1, "category_id": 1, "bbox": [200, 200, 200, 200], "keypoints": [220, 190, 1]}
    color = ImageColor.getrgb(CATEGORY_BY_ID[1].color)
    for parts, free in ((("boxes",), False), (("boxes", "landmarks"), True)):
        picture = draw_image(grey(), [box], [category], parts=parts)
        assert (distance(pixel(picture, 200, 190), color) > 60) == free
        assert (pixel(picture, 220, 190) == (255, 255, 255)) == free  # occluded, so hollow


def test_a_label_stands_on_no_other_box_where_there_is_room() -> None:
    own, other = (100, 100, 200, 300), (60, 40, 300, 130)
    boxes = own, other, (300, 350, 390, 390)
    place = place_labels([Wish(80, 20, box) for box in boxes], (400, 400))[0]
    assert place is not None
    assert (
        not place.overlaps(Rectangle(60, 40, 240, 90))
        or place.shared(Rectangle(100, 100, 100, 200)) == 1600
    )
    # Within both boxes, better in its own one than on its edge.
    around = Wish(80, 20, (0, 0, 400, 400))
    assert place_labels([Wish(80, 20, own), around], (400, 400))[0] == Rectangle(100, 100, 80, 20)
    # Where there is none, it stands where it did.
    assert place_labels([Wish(80, 20, own)], (400, 400)) == [Rectangle(100, 80, 80, 20)]


def test_with_box_results_both_sides_show_boxes_alone(tmp_path: Path) -> None:
    truth = {"id": 1, "image_id": 1, **trousers(2)}
    photos, coco, results = tmp_path / "image", tmp_path / "gt.json", tmp_path / "results.json"
    photos.mkdir()
    grey().save(photos / "000001.png")
    image = {"id": 1, "file_name": "000001.png", "width": SIDE, "height": SIDE}
    document = {
        "images": [image],
        "annotations": [truth],
        "categories": category_entries("unified"),
    }
    coco.write_text(json.dumps(document))
    pictures = []
    for fields, parts in (
        (("bbox",), USUAL_PARTS),
        (("bbox",), ("boxes",)),
        (("bbox", "keypoints"), USUAL_PARTS),
    ):
        result = {"image_id": 1, "category_id": 8, "score": 0.9, **{f: truth[f] for f in fields}}
        results.write_text(json.dumps([result]))
        out = tmp_path / f"{len(pictures)}.png"
        draw(coco, photos, out, results=results, parts=parts)
        pictures.append(out.read_bytes())
    assert pictures[0] == pictures[1] != pictures[2]


def test_numbers_stand_beside_landmarks() -> None:
    assert set(PARTS) == {*USUAL_PARTS, "numbers"}
    plain, numbered = (
        draw_image(grey(), [trousers(2)], category_entries("unified"), parts=parts)
        for parts in (("landmarks",), ("landmarks", "numbers"))
    )
    changed = ImageChops.difference(plain, numbered)
    for x, y in FIGURE[8]:
        at = 50 + 500 * x, 50 + 500 * y
        assert changed.crop((at[0], at[1] - 25, at[0] + 30, at[1])).getbbox() is not None
    assert [drawn_parts(picture) for picture in (plain, numbered)] == [
        {"landmarks"},
        {"landmarks", "numbers"},
    ]


def test_drawing_leaves_the_image_and_what_is_not_covered_as_they_are() -> None:
    photo = Image.effect_noise((SIDE, SIDE), 90).convert("RGB")
    before = photo.tobytes()
    annotation = {"id": 1, "category_id": 1, "bbox": [200, 200, 100, 100]}
    picture = draw_image(photo, [annotation], category_entries("unified"))
    assert photo.tobytes() == before
    assert (
        picture.crop((0, 320, SIDE, SIDE)).tobytes() == photo.crop((0, 320, SIDE, SIDE)).tobytes()
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((40, 60), (320, SMALLEST)),
        ((600, 900), (600, 900)),
        ((3000, 4800), (1500, LARGEST)),
        ((1, 900), (1, 900)),
    ],
)
def test_pictures_are_as_large_as_photos_within_reason(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert picture_size(*size) == expected
    assert draw_image(grey(size), [], []).size == expected
    assert max(draw_image(grey(size), [], [], size=200).size) == 200


@pytest.mark.parametrize("size", [(30, 40), (400, 25), (2500, 3000)])
def test_positions_follow_the_pictures_size(size: tuple[int, int]) -> None:
    width, height = size
    annotation = {"id": 1, "category_id": 5, "bbox": [0, height / 2, width, height / 2]}
    picture = draw_image(grey(size), [annotation], category_entries("unified"), parts=("boxes",))
    color = ImageColor.getrgb(CATEGORY_BY_ID[5].color)
    middle, bottom = picture.width - picture.width // 8, picture.height - 1
    reach = max(3, picture.height // 200)
    line = [pixel(picture, middle, y) for y in range(bottom - reach, bottom + 1)]
    assert min(distance(p, color) for p in line) < 60  # the box's lower edge is in sight
    assert pixel(picture, middle, 0) == ImageColor.getrgb(GREY)
    half = [0, height / 2, width, height / 2, width, height, 0, height]
    annotation["segmentation"] = [half]
    picture = draw_image(grey(size), [annotation], category_entries("unified"), parts=("masks",))
    for x in (0, picture.width // 2, picture.width - 3):
        assert pixel(picture, x, bottom - 3) != ImageColor.getrgb(GREY)


def test_a_boxs_four_sides_look_the_same() -> None:
    annotation = {"id": 1, "category_id": 8, "bbox": [150, 150, 300, 300]}
    picture = draw_image(grey(), [annotation], category_entries("unified"), parts=("boxes",))
    inward = [
        [pixel(picture, 146 + n, 400) for n in range(9)],
        [pixel(picture, 400, 146 + n) for n in range(9)],
        [pixel(picture, 454 - n, 400) for n in range(9)],
        [pixel(picture, 400, 454 - n) for n in range(9)],
    ]
    color = ImageColor.getrgb(CATEGORY_BY_ID[8].color)
    casing = ImageColor.getrgb(casing_of(CATEGORY_BY_ID[8].color))
    for side in inward:
        assert {side[0], side[-1]} == {ImageColor.getrgb(GREY)}
        line = min(range(9), key=lambda n: distance(side[n], color))
        assert line in (3, 4, 5)
        for part in (side[:line], side[line + 1 :]):  # the casing on both
            assert min(distance(p, casing) for p in part) < 150


def test_landmarks_of_small_items_are_small_wherever_they_lie() -> None:
    category = {"id": 1, "name": "top", "keypoints": ["a", "b"], "skeleton": []}
    for length, is_small in ((20, True), (400, False)):
        places = [(570 - length, 550), (570, 550), (550, 570 - length), (550, 570)]
        for pair in (places[:2], places[2:]):
            annotation = {
                "id": 1,
                "category_id": 1,
                "keypoints": [n for at in pair for n in (*at, 2)],
            }
            picture = draw_image(grey(), [annotation], [category], parts=("landmarks",))
            x, y = pair[1]
            assert (pixel(picture, x + 4, y) == ImageColor.getrgb(GREY)) == is_small


def test_a_name_longer_than_the_picture_is_cut() -> None:
    annotation = {"id": 1, "category_id": 1, "bbox": [100, 200, 400, 200]}
    picture = draw_image(grey(), [annotation], [{"id": 1, "name": "i" * 999}], parts=["boxes"])
    label = ImageChops.difference(picture, grey()).crop((0, 0, SIDE, 198)).getbbox()
    assert label is not None
    assert label[0] < 5
    assert label[2] > 595


def test_every_color_stands_out_from_its_casing() -> None:
    for category in CATEGORIES:
        color, casing = (ImageColor.getrgb(c) for c in (category.color, casing_of(category.color)))
        assert distance(color, casing) > 120, category.name


SIGHTS = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deutan": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritan": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
"""What becomes of linear RGB in eyes that lack one kind of cone, at severity 1.

Machado, Oliveira and Fernandes: A Physiologically-based Model for Simulation of Color Vision Deficiency
(2009), table 1.
"""


def lab(color: str, sight: str) -> tuple[float, float, float]:
    """CIE L*, a*, b* (D65) of an sRGB color as it is seen."""
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (value / 255 for value in ImageColor.getrgb(color))
    ]

    def applied(matrix: Any, values: list[float]) -> list[float]:
        return [sum(m * v for m, v in zip(row, values, strict=True)) for row in matrix]

    seen = [min(max(value, 0), 1) for value in applied(SIGHTS[sight], linear)]
    to_xyz = (
        (0.4124564 / 0.95047, 0.3575761 / 0.95047, 0.1804375 / 0.95047),
        (0.2126729, 0.7151522, 0.0721750),
        (0.0193339 / 1.08883, 0.1191920 / 1.08883, 0.9503041 / 1.08883),
    )
    x, y, z = (
        v ** (1 / 3) if v > 216 / 24389 else (24389 / 27 * v + 16) / 116
        for v in applied(to_xyz, seen)
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@pytest.mark.parametrize("sight", SIGHTS)
def test_any_two_categories_differ_in_color_for_every_eye(sight: str) -> None:
    """By CIE76. Of the pairs all are asked for: any two garments may lie in one photo."""
    seen = [lab(category.color, sight) for category in CATEGORIES]
    least = min(math.dist(a, b) for a, b in itertools.combinations(seen, 2))
    assert least >= (30 if sight == "normal" else 20)


def test_colors_stand_out_from_light_and_dark_photos() -> None:
    for category in CATEGORIES:
        assert 25 <= lab(category.color, "normal")[0] <= 85, category.name


def test_a_label_away_from_its_box_has_a_line_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    annotation = {"id": 1, "category_id": 8, "bbox": [400, 400, 100, 100]}

    def colored(x: int, y: int) -> int:
        """Pixels of the color between the picture's corner and the box, when the label is at x, y."""
        monkeypatch.setattr(
            "df2coco.drawing.overlay.place_labels",
            lambda wishes, *_: [Rectangle(3 * x, 3 * y, *wish[:2]) for wish in wishes],
        )
        picture = draw_image(grey(), [annotation], category_entries("unified"), parts=["boxes"])
        color = ImageColor.getrgb(CATEGORY_BY_ID[8].color)
        there = picture.crop((150, 150, 390, 390)).getcolors(1 << 16) or []
        return sum(
            count for count, it in there if isinstance(it, tuple) and distance(it, color) < 60
        )

    assert colored(55, 60) > 200
    assert colored(405, 385) == 0


def slanted(kind: str) -> dict[str, Any]:
    """An item whose drawn part fills no more than the lower right of the box around it, 100 to 500."""
    corners = [480, 100, 500, 100, 500, 500, 100, 500, 100, 480]
    if kind == "landmarks":
        places = [[x, y, 2] for x, y in zip(corners[::2], corners[1::2], strict=True)]
        return {"id": 1, "category_id": 1, "keypoints": [n for place in places for n in place]}
    annotation = {
        "id": 1,
        "category_id": 1,
        "bbox": [100, 100, 400, 400],
        "segmentation": [corners],
    }
    if kind == "run-length":
        from pycocotools import mask as coco_mask

        annotation["segmentation"] = coco_mask.frPyObjects([corners], SIDE, SIDE)[0]
    return annotation


@pytest.mark.parametrize("kind", ["polygons", "run-length", "landmarks"])
def test_a_label_away_from_its_mask_or_landmarks_has_a_line_to_them(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Though it touches the box around them, when that is not drawn."""
    entry = {"id": 1, "name": "skirt-like", "keypoints": list("abcde"), "skeleton": []}

    def changed(x: int, y: int) -> bool:
        """Whether something is drawn in the empty part of the box, when the label is at x, y."""
        monkeypatch.setattr(
            "df2coco.drawing.overlay.place_labels",
            lambda wishes, *_: [Rectangle(3 * x, 3 * y, 120, 60) for _ in wishes],
        )
        parts = ["landmarks"] if kind == "landmarks" else ["masks", "landmarks"]
        picture = draw_image(grey(), [slanted(kind)], [entry], parts=parts)
        there = picture.crop((150, 150, 270, 270))
        return ImageChops.difference(there, grey(there.size)).getbbox() is not None

    assert changed(105, 150)  # the box's upper left, where nothing is drawn
    assert not changed(300, 400)  # on the item
    assert not changed(460, 80)  # at its corner


# ---------------------------------------------------------------- what cannot be drawn

BAD = {
    "bbox": [[1, 2, 3], ["a", 1, 1, 1], [1, 2, -3, 4], [0, 0, float("nan"), 1], "box", 1e9],
    "segmentation": [
        "mask",
        [[1, 2, "x"]],
        [[float("nan")] * 6],
        {"size": [2, 2], "counts": [1]},
        {"size": [2, 2], "counts": "\x00\x00"},
        {"size": [-1, 2], "counts": []},
        {"counts": "12"},
    ],
    "keypoints": [[1, 2], "points", [None] * 882, [float("inf")] * 882],
    "category_id": ["1", None, 1.5, [1]],
}


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, values in BAD.items() for value in values]
)
def test_what_is_not_coco_is_reported_by_annotation_and_field(field: str, value: object) -> None:
    annotation = {"id": 77, "category_id": 1, field: value}
    with pytest.raises(CocoFileError, match=rf"annotation 77: {field}: .*expected"):
        draw_image(grey(), [annotation], category_entries("unified"))


@pytest.mark.parametrize("score", ["high", float("nan"), [1]])
def test_a_bad_score_is_reported(score: object) -> None:
    with pytest.raises(CocoFileError, match="result 1: score: "):
        draw_image(grey(), [{"category_id": 1, "score": score}], [], predicted=True)


def test_items_far_outside_and_unknown_categories_are_drawn_without_harm() -> None:
    annotations = [
        {"id": 1, "category_id": 99, "bbox": [-1e6, -1e6, 3e6, 3e6]},
        {"id": 2, "category_id": 0, "bbox": [9e6, 9e6, 5, 5], "segmentation": [[9e6] * 6]},
        {"id": 3, "category_id": 1, "bbox": [5, 5, 0, 0], "segmentation": [[5, 5, 5, 5]]},
        {"id": 4, "category_id": 1},
    ]
    assert draw_image(grey(), annotations, []).size == (SIDE, SIDE)


# ---------------------------------------------------------------- labels

LENGTHS = st.integers(1, 300)
PLACES = st.floats(-200, 700)
WISHES = st.lists(
    st.builds(Wish, LENGTHS, st.integers(1, 80), st.tuples(PLACES, PLACES, PLACES, PLACES)),
    max_size=14,
)


@given(WISHES, st.tuples(st.integers(1, 600), st.integers(1, 600)))
def test_labels_lie_inside_and_apart(wishes: list[Wish], size: tuple[int, int]) -> None:
    places = place_labels(wishes, size)
    assert len(places) == len(wishes)
    for wish, place in zip(wishes, places, strict=True):
        if place is None:
            continue
        assert (place.width, place.height) == (wish.width, wish.height)
        assert 0 <= place.x <= size[0] - place.width
        assert 0 <= place.y <= size[1] - place.height
    there = [place for place in places if place is not None]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(there, 2))


SMALL = st.builds(Wish, st.integers(1, 7), st.integers(1, 7), st.just((3.0, 3.0, 9.0, 9.0)))


@given(st.lists(SMALL, max_size=9), st.tuples(st.integers(1, 14), st.integers(1, 14)))
def test_a_label_is_left_out_only_when_there_is_no_room(
    wishes: list[Wish], size: tuple[int, int]
) -> None:
    before: list[Rectangle] = []
    for wish, place in zip(wishes, place_labels(wishes, size), strict=True):
        if place is not None:
            before.append(place)
            continue
        for x in range(size[0] - wish.width + 1):
            for y in range(size[1] - wish.height + 1):
                free = Rectangle(x, y, wish.width, wish.height)
                assert any(map(free.overlaps, before))


def test_labels_for_which_the_picture_has_no_room_are_left_out() -> None:
    wishes = [Wish(60, 20, (80, 80, 90, 90))] * 9
    *there, last = sorted(filter(None, place_labels(wishes, (100, 100))))
    assert {place.y for place in (*there, last)} == {0, 20, 40, 60, 80}
    assert len(there) == 4
    assert last.x <= 40


def dot(x: int, y: int) -> Obstacle:
    return Obstacle(Rectangle(x - 2, y - 2, 4, 4), 1)


def test_a_label_stands_on_its_box_and_makes_way() -> None:
    box = (100.0, 100.0, 300.0, 300.0)
    wish = Wish(80, 20, box)
    assert place_labels([wish], (600, 600)) == [Rectangle(100, 80, 80, 20)]
    assert place_labels([wish], (600, 600), [dot(120, 90)]) == [Rectangle(220, 80, 80, 20)]
    # In the middle of the upper side.
    dots = [dot(120, 90), dot(280, 90)]
    assert place_labels([wish], (600, 600), dots) == [Rectangle(160, 80, 80, 20)]
    first, second = place_labels([wish, wish], (600, 600))
    assert (first, second) == (Rectangle(100, 80, 80, 20), Rectangle(220, 80, 80, 20))


def test_a_label_finds_the_one_free_place_at_its_box() -> None:
    wish, size = Wish(80, 20, (100.0, 100.0, 300.0, 300.0)), (600, 600)
    everywhere = [dot(x, y) for x in range(18, 400, 18) for y in range(18, 400, 18)]
    for free, place in (
        (Rectangle(300, 185, 80, 30), Rectangle(300, 190, 80, 20)),  # right, halfway down
        (Rectangle(128, 75, 84, 30), Rectangle(130, 80, 80, 20)),  # above, a quarter along
        (Rectangle(158, 278, 84, 24), Rectangle(160, 280, 80, 20)),  # within, in the middle
    ):
        obstacles = [each for each in everywhere if not each.place.overlaps(free)]
        assert place_labels([wish], size, obstacles) == [place]
    # Where all places are equally bad, the first of them.
    whole = Obstacle(Rectangle(0, 0, 600, 600), 1)
    assert place_labels([wish], size, [whole]) == [Rectangle(100, 80, 80, 20)]
    # Where all is taken, what is least bad: a face is worse than a landmark.
    face = Obstacle(Rectangle(100, 60, 200, 60), 8)
    (there,) = place_labels([wish], size, [face, dot(320, 200), dot(60, 200)])
    assert there is not None
    assert not there.overlaps(face.place)


def test_labels_keep_off_the_face_above_a_top_and_not_above_a_skirt() -> None:
    categories = category_entries("unified")
    for number in (1, 2, 3, 4, 5, 6, 10, 11, 12, 13):
        (top,) = read_drawables([garment(CATEGORY_BY_ID[number], "unified", (2,))], categories)
        face = top.face()
        assert face is not None
        x1, y1, x2, y2 = face
        assert x1 < 300 < x2  # its axis is in the middle
        assert 60 < x2 - x1 < 260
        assert y1 < y2 == min(top.landmarks[number].y for number in range(6))
        bare = {"id": 1, "category_id": number, "bbox": [100, 200, 100, 300]}
        assert read_drawables([bare], categories)[0].face() == (135.0, 158.0, 165.0, 200.0)
    for number in (7, 8, 9):
        (low,) = read_drawables([garment(CATEGORY_BY_ID[number], "unified", (2,))], categories)
        assert low.face() is None


def test_items_of_one_category_differ_in_shade_and_stand_out() -> None:
    four = [{"id": n, "category_id": 1, "bbox": [9 * n, 9, 9, 9]} for n in range(4)]
    for category in CATEGORIES:
        entries = [{**each, "category_id": category.id} for each in four]
        colors = [each.color for each in distinguish(read_drawables(entries, []))]
        assert colors[0].upper() == category.color.upper()
        for a, b in itertools.combinations(map(ImageColor.getrgb, colors), 2):
            assert distance(a, b) > 40
        for color in colors:
            assert distance(ImageColor.getrgb(color), ImageColor.getrgb(casing_of(color))) > 100
    mixed = [{**each, "category_id": 1 + n} for n, each in enumerate(four)]
    assert [d.color.upper() for d in distinguish(read_drawables(mixed, []))] == [
        d.color.upper() for d in read_drawables(mixed, [])
    ]


def test_the_two_of_a_match_have_one_shade() -> None:
    truth = [{"bbox": [200 * n, 9, 90, 90], "category_id": 8} for n in range(3)]
    found = [{**truth[n], "score": 0.2 + 0.1 * n} for n in (2, 1)]
    sides = [read_drawables(truth, []), read_drawables(found, [], predicted=True)]
    left, right = (distinguish(side) for side in mark_matches(*sides, (600, 600)))
    assert [each.color for each in left[:0:-1]] == [each.color for each in right]
    assert len({each.color for each in left}) == 3


@pytest.mark.parametrize(("suffix", "mode"), [("jpg", "RGB"), ("png", "RGBA"), ("webp", "RGB")])
def test_large_photos_are_reduced_and_boxes_stay_in_place(
    tmp_path: Path, suffix: str, mode: str
) -> None:
    """5 x as large as they are drawn, on a sheet."""
    photo = Image.new(mode, (2400, 3000), "#ffffff")
    photo.paste("#000000", (1200, 1500, 2400, 3000))
    (tmp_path / "image").mkdir()
    photo.save(tmp_path / "image" / f"1.{suffix}")
    images = [{"id": n, "file_name": f"1.{suffix}", "width": 2400, "height": 3000} for n in (1, 2)]
    box = {"image_id": 1, "category_id": 8, "bbox": [1200, 1500, 600, 750]}
    document = {
        "images": images,
        "annotations": [{**box, "id": 1}],
        "categories": category_entries("unified"),
    }
    (tmp_path / "coco.json").write_text(json.dumps(document))
    draw(
        tmp_path / "coco.json",
        tmp_path / "image",
        tmp_path / "sheet.png",
        sample=2,
        parts=["boxes"],
    )
    with Image.open(tmp_path / "sheet.png") as sheet:
        color = ImageColor.getrgb(CATEGORY_BY_ID[8].color)
        # Below the title and the frame, the first picture is 384 x 480.
        top = next(y for y in range(99) if pixel(sheet, 100, y) == ImageColor.getrgb(HAIRLINE))
        left = next(x for x in range(99) if pixel(sheet, x, 300) == ImageColor.getrgb(HAIRLINE))
        line = [pixel(sheet, left + 240, top + 240 + n) for n in range(-3, 4)]
        assert min(distance(p, color) for p in line) < 60
        assert pixel(sheet, left + 380, top + 470) == (0, 0, 0)
        assert pixel(sheet, left + 100, top + 470) == (255, 255, 255)
        # The second one ends, too, where its white meets the paper.
        edges = [x for x in range(300, 500) if pixel(sheet, x, top + 100) != (255, 255, 255)]
        assert {pixel(sheet, x, top + 100) for x in edges} == {ImageColor.getrgb(HAIRLINE)}
        assert len(edges) == 2


def test_two_garments_of_one_category_are_drawn_in_two_colors() -> None:
    annotations = [
        {"id": n, "category_id": 8, "segmentation": [[x, 50, x + 200, 50, x + 200, 500, x, 500]]}
        for n, x in ((1, 20), (2, 350))
    ]
    picture = draw_image(grey(), annotations, category_entries("unified"), parts=("masks",))
    assert distance(pixel(picture, 120, 300), pixel(picture, 450, 300)) > 20


# ---------------------------------------------------------------- contact sheet


@given(
    st.lists(st.floats(0.2, 6), min_size=1, max_size=40),
    st.integers(300, 2000),
    st.integers(60, 480),
)
def test_a_sheets_pictures_lie_in_rows_apart_and_undistorted(
    aspects: list[float], width: int, height: int
) -> None:
    gap, below = 10, 20
    places = justify(aspects, width, height, gap, below)
    assert len(places) == len(aspects)
    grown = [p._replace(width=p.width + gap, height=p.height + below + gap) for p in places]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(grown, 2))
    rows = itertools.groupby(places, key=lambda p: p.y)
    for _, row in rows:
        cells = list(row)
        assert len({cell.height for cell in cells}) == 1
        assert cells[-1].x + cells[-1].width <= width
    for aspect, place in zip(aspects, places, strict=True):
        assert place.height <= 1.25 * height + 1
        assert abs(place.width - aspect * place.height) <= 1 + aspect / 2


def sheet_of(folder: Path, sizes: Sequence[tuple[int, int]], **options: Any) -> Image.Image:
    """A sheet of photos of those sizes, each all of its own color."""
    (folder / "image").mkdir()
    images = []
    for number, size in enumerate(sizes, start=1):
        name = f"{number:06d}.png"
        Image.new("RGB", size, (40 * number, 0, 255)).save(folder / "image" / name)
        images.append({"id": number, "file_name": name, "width": size[0], "height": size[1]})
    document = {"images": images, "annotations": [], "categories": category_entries("unified")}
    (folder / "coco.json").write_text(json.dumps(document))
    out = folder / "sheet.png"
    draw(folder / "coco.json", folder / "image", out, sample=len(sizes), **options)
    return Image.open(out).convert("RGB")


def photo_on(sheet: Image.Image, number: int) -> tuple[int, int, int, int]:
    """Where on a sheet the color of the photo of that number is, and nothing else."""
    plain = Image.new("RGB", sheet.size, (40 * number, 0, 255))
    bands = ImageChops.difference(sheet, plain).split()
    other = ImageChops.lighter(ImageChops.lighter(bands[0], bands[1]), bands[2])
    box = other.point(lambda value: 255 * (value == 0)).getbbox()
    assert box is not None
    return box


def test_every_photo_of_a_sheet_lies_at_its_place(tmp_path: Path) -> None:
    sizes = [(300, 400), (400, 300), (900, 150), (400, 400), (300, 500), (640, 480)]
    sheet = sheet_of(tmp_path, sizes)
    places = [photo_on(sheet, number) for number in range(1, 7)]
    for (width, height), (x1, y1, x2, y2) in zip(sizes, places, strict=True):
        across, down = x2 - x1 + 2, y2 - y1 + 2  # with the frame
        assert abs(across - width / height * down) < 2 + width / height
        assert len(sheet.crop((x1, y1, x2, y2)).getcolors(99) or []) == 1
    rows = [list(row) for _, row in itertools.groupby(places, key=lambda place: place[1])]
    assert len(rows) > 1
    for row in rows:
        assert all(a[2] < b[0] for a, b in itertools.pairwise(row))
        assert row[-1][2] < sheet.width
    for above, below in itertools.pairwise([*rows, [(0, sheet.height, 0, 0)]]):
        bottom = max(place[3] for place in above)
        assert bottom + 14 < below[0][1]
        for x1, _, x2, _ in above:  # the caption, on paper
            caption = sheet.crop((x1, bottom + 2, x2, bottom + 16)).convert("L").getextrema()
            assert caption[0] < 99 < caption[1] == 255


def test_a_sheet_of_two_is_as_large_as_its_photos(tmp_path: Path) -> None:
    sheet = sheet_of(tmp_path, [(300, 400), (400, 300)])
    for number in (1, 2):
        _, y1, _, y2 = photo_on(sheet, number)
        assert 474 <= y2 - y1 <= 480
        assert sheet.height - y2 < 50  # the caption and the margin: there is nothing for a legend


def test_pairs_on_a_sheet_fill_it(tmp_path: Path) -> None:
    results = write_results(tmp_path / "results.json", [])
    sheet = sheet_of(tmp_path, [(400, 400), (400, 400)], results=results)
    (_, top, left, _), (right, _, end, bottom) = (photo_on(sheet, number) for number in (1, 2))
    assert 0 < right - left < 99
    assert sheet.width - end < 99
    assert 420 < bottom - top < 480


# ---------------------------------------------------------------- legend

KEYS = [
    Key("swatch", "#ff0000", "long sleeve top"),
    Key("dot", "#00aa00", "visible"),
    Key("ring", "#0000ff", "occluded"),
]
"""In the legend's order."""


def ink_in(strip: Image.Image, left: int = 0, right: int | None = None) -> tuple[int, ...]:
    """x1, y1, x2, y2 of what is not paper between two columns."""
    part = strip.crop((left, 0, right or strip.width, strip.height)).convert("L")
    box = part.point(lambda value: 255 * (value < 200)).getbbox()
    assert box is not None
    return box[0] + left, box[1], box[2] + left, box[3]


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.symbol)
@pytest.mark.parametrize("size", [10, 20])
def test_a_symbol_of_the_legend_lies_left_of_its_text(key: Key, size: int) -> None:
    strip = legend([key], 300, size)
    assert strip.size == (300, round(1.7 * size))
    x1, y1, x2, y2 = ink_in(strip, 0, round(1.2 * size))
    wide = size if key.symbol == "swatch" else 0.6 * size
    assert (x2 - x1, y2 - y1) == pytest.approx((wide, wide), abs=2)
    assert ((x1 + x2) / 2, (y1 + y2) / 2) == pytest.approx((0.5 * size, 0.85 * size), abs=1)
    middle = pixel(strip, 0.5 * size, 0.85 * size - 0.5)
    assert (distance(middle, ImageColor.getrgb(key.color)) < 40) == (key.symbol != "ring")
    assert (distance(middle, (255, 255, 255)) < 40) == (key.symbol == "ring")
    corner = pixel(strip, 0.5 * size - 0.42 * size, 0.85 * size - 0.42 * size)
    assert (distance(corner, (255, 255, 255)) > 150) == (key.symbol == "swatch")
    left, top, right, bottom = ink_in(strip, round(1.2 * size))
    assert left == pytest.approx(1.4 * size, abs=2)
    assert right - left == pytest.approx(font(size).getlength(key.text), rel=0.1)
    assert (top + bottom) / 2 == pytest.approx(0.85 * size, abs=0.2 * size)
    assert 0.6 * size < bottom - top < 1.2 * size


def test_the_legends_entries_lie_in_rows_inside_it() -> None:
    size, row = 10, 17
    alone = [legend([key], 300, size) for key in KEYS]
    lengths = [font(size).getlength(key.text) + 2.6 * size for key in KEYS]
    total = math.ceil(sum(lengths))
    for width, rows in ((total, 1), (total - 1, 2), (120, 3)):
        strip = legend(KEYS[::-1], width, size)
        assert strip.size == (width, rows * row)
        dark = [255 - np.asarray(each.convert("L"), dtype=float) for each in (strip, *alone)]
        # As much ink as they have alone: none is cut, and none on another.
        assert dark[0].sum() == pytest.approx(sum(each.sum() for each in dark[1:]), rel=0.03)
    for number, each in enumerate(alone):  # the three rows
        there = strip.crop((0, row * number, width, row * number + row))
        assert there.tobytes() == each.crop((0, 0, width, row)).tobytes()


def test_a_long_name_is_cut_in_labels_and_legend() -> None:
    started = time.process_time()
    for room in (100, 1000):
        cut = shortened("name " * 100_000, 20, room)
        length = font(20).getlength
        assert length(cut) <= room < length(cut[:-1] + "name ")
    strip = legend([Key("swatch", "#1f77b4", "m" * 100_000), KEYS[0]], 300, 10)
    assert time.process_time() - started < 1
    assert strip.size == (300, 34)
    row = 255 - np.asarray(strip.crop((0, 0, 300, 17)).convert("L"))
    assert row[:, :290].any()
    assert not row[:, 299:].any()  # it ends inside


# ---------------------------------------------------------------- files


@pytest.fixture(scope="module")
def coco(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fixtures, converted."""
    path = tmp_path_factory.mktemp("coco") / "validation.json"
    convert(Path(__file__).resolve().parent.parent / "fixtures" / "validation", path)
    return path


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_pictures_in_a_folder_are_counted(coco: Path, validation: Path, tmp_path: Path) -> None:
    for sample, says in (1, "1 picture in"), (2, "2 pictures in"):
        out = tmp_path / str(sample)
        result = run("draw", coco, "--images", validation, "--out", out, "--sample", sample)
        assert result.stderr.splitlines()[-1] == f"{says} {out}"


def test_one_image_is_the_picture_with_title_and_legend(
    coco: Path, validation: Path, tmp_path: Path
) -> None:
    out = tmp_path / "one.png"
    result = run("draw", coco, "--images", validation, "--out", out, "--image-id", 2)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", f"-> {out}\n")
    with Image.open(validation / "image" / "000002.jpg") as photo, Image.open(out) as picture:
        assert picture.width > photo.width
        assert picture.height > photo.height
        margin = (picture.width - photo.width) // 2
        assert pixel(picture, 1, 1) == pixel(picture, margin // 2, picture.height // 2)
        document = json.loads(coco.read_text())
        entry = next(image for image in document["images"] if image["id"] == 2)
        own = [a for a in document["annotations"] if a["image_id"] == 2]
        drawn = draw_image(Photos(validation).open(entry), own, document["categories"])
        assert drawn.tobytes() in {
            picture.crop((margin, y, margin + photo.width, y + photo.height)).tobytes()
            for y in range(picture.height - photo.height)
        }


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(
    coco: Path, validation: Path, tmp_path: Path
) -> None:
    sheets = []
    for number, seed in enumerate((0, 0, 1)):
        out = tmp_path / f"{number}.png"
        draw(coco, validation, out, sample=4, seed=seed)
        sheets.append(out.read_bytes())
    assert sheets[0] == sheets[1] != sheets[2]


def test_a_folder_gets_a_file_for_each_image(coco: Path, validation: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "pictures"
    done: list[tuple[str, int, int]] = []
    paths = draw(
        coco,
        validation / "image",
        out,
        image_ids=[3],
        sample=2,
        progress=lambda *counts: done.append(counts),
    )
    assert sorted(paths) == sorted(out.iterdir())
    assert len(paths) == 3
    assert paths[0].name == "000003.jpg"
    assert [each for each in done if each[2]] == [("drawing images", n, 3) for n in (1, 2, 3)]
    with Image.open(paths[0]) as picture:
        assert picture.format == "JPEG"


@pytest.mark.slow
def test_without_a_choice_there_are_twelve_and_never_more_than_there_are(
    coco: Path, validation: Path, tmp_path: Path
) -> None:
    assert len(draw(coco, validation, tmp_path / "some")) == 12
    images = len(json.loads(coco.read_text())["images"])
    assert len(draw(coco, validation, tmp_path / "all", sample=999)) == images


@pytest.mark.slow
@pytest.mark.parametrize("password", [None, "secret"])
def test_an_archive_gives_the_same_bytes_as_its_folder(
    coco: Path, validation: Path, tmp_path: Path, password: str | None
) -> None:
    archive = tmp_path / "validation.zip"
    files = {f"validation/image/{p.name}": p for p in sorted((validation / "image").iterdir())}
    if password is None:
        with zipfile.ZipFile(archive, "w") as stream:
            for name, path in files.items():
                stream.write(path, name)
    else:
        write_encrypted_zip(archive, [(n, p.read_bytes()) for n, p in files.items()], password)
    options = ["--image-id", 1, "--quiet", *(["--password", password] if password else [])]
    for source, name in ((archive, "zip.png"), (validation, "folder.png")):
        result = run("draw", coco, "--images", source, "--out", tmp_path / name, *options)
        assert (result.exit_code, result.stderr) == (0, "")
    assert (tmp_path / "zip.png").read_bytes() == (tmp_path / "folder.png").read_bytes()
    if password:
        wrong = run(
            "draw", coco, "--images", archive, "--out", tmp_path / "x.png", "--password", "no"
        )
        assert wrong.exit_code == 2
        assert "password is wrong" in wrong.stderr


def small_file(folder: Path, **image: Any) -> Path:
    """A COCO file of one image of 60 x 40 pixels, which lies in `folder`/image."""
    (folder / "image").mkdir()
    Image.new("RGB", (60, 40), "#ffffff").save(folder / "image" / "000001.jpg")
    entry = {"id": 1, "file_name": "000001.jpg", "width": 60, "height": 40, **image}
    document = {
        "images": [entry],
        "categories": category_entries("unified"),
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 30, 20]}],
    }
    path = folder / "coco.json"
    path.write_text(json.dumps(document))
    return path


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (Path.unlink, "is missing"),
    "empty": (lambda path: path.write_bytes(b""), "empty"),
    "no image": (lambda path: path.write_bytes(b"<html>"), "not an image"),
    "cut": (lambda path: path.write_bytes(path.read_bytes()[:-200]), "damaged"),
    "header only": (lambda path: path.write_bytes(path.read_bytes()[:200]), "damaged"),
    "folder": (lambda path: (path.unlink(), path.mkdir()), "regular file"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_an_image_that_cannot_be_read_is_one_line(tmp_path: Path, damage: str) -> None:
    path = small_file(tmp_path)
    Image.effect_noise((60, 40), 90).convert("RGB").save(tmp_path / "image" / "000001.jpg")
    spoil, words = DAMAGES[damage]
    spoil(tmp_path / "image" / "000001.jpg")
    result = run("draw", path, "--images", tmp_path / "image", "--out", tmp_path / "x.png")
    assert result.exit_code == 2
    assert re.fullmatch(rf"df2coco: .*000001\.jpg: .*{words}.*\n", result.stderr), result.stderr
    assert not (tmp_path / "x.png").exists()


@pytest.mark.parametrize(
    ("size", "refused"),
    [
        ({"width": 60, "height": 40}, False),
        ({"width": 30, "height": 20}, True),
        ({"width": 40, "height": 60}, True),
    ],
)
def test_a_photo_of_another_size_is_not_drawn(
    tmp_path: Path, size: dict[str, Any], refused: bool
) -> None:
    path = small_file(tmp_path, **size)
    result = run("draw", path, "--images", tmp_path / "image", "--out", tmp_path / "out")
    assert (result.exit_code, (tmp_path / "out").exists()) == (2 * refused, not refused)
    assert ("is 60 x 40 pixels, and the file says" in result.stderr) == refused


@pytest.mark.parametrize("name", ["../000001.jpg", "/etc/passwd", "", "a/../../b.jpg", "..\\a.jpg"])
def test_a_file_name_does_not_lead_out_of_the_folder(tmp_path: Path, name: str) -> None:
    path = small_file(tmp_path, file_name=name)
    (tmp_path / "000001.jpg").write_bytes((tmp_path / "image" / "000001.jpg").read_bytes())
    with pytest.raises(SourceError, match=r"is not the name of a file below|has backslashes"):
        draw(path, tmp_path / "image", tmp_path / "x.png")


def test_a_photo_of_another_split_is_not_taken_for_the_images(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    path = small_file(tmp_path / "train", file_name="train/image/000001.jpg")
    images = tmp_path / "train" / "image"
    draw(path, images, tmp_path / "x.png")
    document = json.loads(path.read_text())
    document["images"][0]["file_name"] = "validation/image/000001.jpg"
    path.write_text(json.dumps(document))
    with pytest.raises(SourceError, match=r"validation/image/000001\.jpg: is missing"):
        draw(path, images, tmp_path / "y.png")
    assert not (tmp_path / "y.png").exists()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_turned_as_their_entry_is(tmp_path: Path, orientation: int) -> None:
    """Red is left in what is stored."""
    (tmp_path / "image").mkdir()
    stored = Image.new("RGB", (60, 40), "#0000ff")
    stored.paste("#ff0000", (0, 0, 30, 40))
    exif = stored.getexif()
    exif[0x112] = orientation
    stored.save(tmp_path / "image" / "000001.jpg", exif=exif, quality=95)
    photos = Photos(tmp_path / "image")
    upright = (60, 40) if orientation < 5 else (40, 60)
    entry = {"id": 1, "file_name": "000001.jpg", "width": upright[0], "height": upright[1]}
    picture = photos.open(entry)
    assert picture.size == photos.size(entry) == upright
    # Where the stored left edge is when the image stands upright.
    red = {1: (5, 20), 2: (55, 20), 3: (55, 20), 4: (5, 20)}
    red |= {5: (20, 5), 6: (20, 5), 7: (20, 55), 8: (20, 55)}
    assert pixel(picture, *red[orientation])[0] > 200
    as_stored = {"id": 1, "file_name": "000001.jpg", "width": 60, "height": 40}
    if orientation > 4:  # the official converter's file
        assert photos.open(as_stored).size == photos.size(as_stored) == (60, 40)
        assert pixel(photos.open(as_stored), 5, 20)[0] > 200


WRONG_USE = {
    "format": (["--out", "{tmp}/x.gif"], "the name must end with .png"),
    "no such image": (["--image-id", "999"], "no image with id 999"),
    "over a photo": (
        ["--out", "{images}/000001.jpg", "--images", "{tmp}"],
        "(would be inside|is read by)",
    ),
    "over the photos": (["--out", "{images}"], "(would be inside|is read by)"),
    "among the photos": (["--out", "{images}/000001.jpg"], "(would be inside|is read by)"),
    "nothing": (["--sample", "0"], "no image to draw"),
    "no folder": (["--out", "{tmp}/no/where.png"], "no folder"),
    "no images": (["--images", "{tmp}/none"], "no such file"),
}


@pytest.mark.parametrize("case", WRONG_USE)
def test_wrong_use_is_one_line_and_leaves_the_photos_alone(tmp_path: Path, case: str) -> None:
    path = small_file(tmp_path)
    before = (tmp_path / "image" / "000001.jpg").read_bytes()
    extra, words = WRONG_USE[case]
    extra = [text.format(images=tmp_path / "image", tmp=tmp_path) for text in extra]
    out = tmp_path / "x.png"
    result = run("draw", path, "--images", tmp_path / "image", "--out", out, *extra)
    assert result.exit_code == 2
    assert re.fullmatch(rf"df2coco: .*{words}.*\n", result.stderr), result.stderr
    assert (tmp_path / "image" / "000001.jpg").read_bytes() == before
    assert [p.name for p in (tmp_path / "image").iterdir()] == ["000001.jpg"]


def test_parts_are_known_ones(tmp_path: Path) -> None:
    path = small_file(tmp_path)
    options = ["--images", tmp_path, "--out", tmp_path / "x.png"]
    boxes = {}
    for name in ("--parts", "--only"):  # the older name
        assert run("draw", path, *options, name, "boxes,landmarks").exit_code == 0
        boxes[name] = (tmp_path / "x.png").read_bytes()
    assert boxes["--parts"] == boxes["--only"]
    result = run("draw", path, *options, "--parts", "boxes,faces")
    assert result.exit_code == 2
    assert re.fullmatch("df2coco: --parts: 'faces' is not one of .*\n", result.stderr)
    assert "--only" not in run("draw", "--help").stdout


def test_the_number_of_workers_is_checked_before_files_are_read(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="workers: 0"):
        draw(tmp_path / "no.json", tmp_path, tmp_path / "x.png", workers=0)


def test_a_sheet_too_large_for_jpeg_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, images, out = small_file(tmp_path), tmp_path / "image", tmp_path / "x.jpg"
    large = Image.new("RGB", (1, 70_000))
    monkeypatch.setattr("df2coco.drawing.batch.page", lambda *_: large)
    with pytest.raises(OutputError, match=r"x\.jpg: cannot be written \(.*\)\. Try \.png\."):
        draw(path, images, out)
    assert not out.exists()
    draw(path, images, out.with_suffix(".png"))


def test_the_archive_of_the_photos_is_not_written_over(tmp_path: Path) -> None:
    path, archive = small_file(tmp_path), tmp_path / "photos.png"
    with zipfile.ZipFile(archive, "w") as stream:
        stream.write(tmp_path / "image" / "000001.jpg", "image/000001.jpg")
    before = archive.read_bytes()
    with pytest.raises(OutputError, match="is read by this command"):
        draw(path, archive, archive)
    assert archive.read_bytes() == before


def test_the_legend_explains_what_is_there_and_nothing_else() -> None:
    categories = category_entries("unified")

    def texts(annotations: list[Any], parts: Sequence[str] = USUAL_PARTS) -> set[str]:
        drawables = read_drawables(annotations, categories)
        return {key.text for key in keys_of(drawables, parts, compared=False)}

    box = {"id": 1, "category_id": 8, "bbox": [1, 1, 5, 5]}
    assert texts([box]) == {"trousers"}
    assert texts([trousers(2)]) == {"trousers", "visible landmark"}
    assert texts([trousers(1)]) == {"trousers", "occluded landmark"}
    assert texts([trousers(1)], ["boxes"]) == {"trousers"}
    assert texts([]) == set()


@pytest.mark.slow
def test_workers_change_no_byte(coco: Path, validation: Path, tmp_path: Path) -> None:
    for out in ("sheet.png", "folder"):
        drawn = []
        for workers in (1, 2):
            place = tmp_path / f"{workers}" / out
            place.parent.mkdir(exist_ok=True)
            paths = draw(coco, validation, place, sample=6, workers=workers)
            drawn.append([(path.name, path.read_bytes()) for path in paths])
        assert drawn[0] == drawn[1]


def test_after_an_interrupt_nothing_is_written(
    coco: Path, validation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"

    def interrupt(phase: str, done: int, _: int) -> None:
        if done == 2 and phase == "drawing images":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="nothing was written"):
        draw(coco, validation, out, sample=5, progress=interrupt)
    assert not out.exists()
    out.mkdir()

    @contextlib.contextmanager
    def interrupting(**_: object) -> Iterator[Callable[..., None]]:
        yield interrupt

    monkeypatch.setattr("df2coco.cli.app.progress_bar", interrupting)
    result = run("draw", coco, "--images", validation, "--out", out, "--workers", "1")
    assert result.exit_code == 130
    assert result.stderr == "df2coco: interrupted; nothing was written.\n"
    assert list(out.iterdir()) == []


def test_a_sheet_has_an_end(tmp_path: Path) -> None:
    path = small_file(tmp_path)
    document = json.loads(path.read_text())
    document["images"] = [{**document["images"][0], "id": number} for number in range(1, 300)]
    path.write_text(json.dumps(document))
    with pytest.raises(OutputError, match=r"at most 200 pictures, not 201\. Name a folder"):
        draw(path, tmp_path / "image", tmp_path / "x.png", sample=201)


# ---------------------------------------------------------------- results


def write_results(path: Path, results: object) -> Path:
    path.write_text(json.dumps(results))
    return path


def test_results_stand_on_the_right_from_the_least_score_on(tmp_path: Path) -> None:
    path = small_file(tmp_path)
    result = {"image_id": 1, "category_id": 1, "bbox": [1, 2, 30, 20]}

    def colors(score: float, least: float, **changed: Any) -> list[set[str]]:
        """Which of the two colors the left and the right picture have."""
        results = write_results(tmp_path / "results.json", [{**result, **changed, "score": score}])
        out = tmp_path / "x.png"
        draw(path, tmp_path / "image", out, results=results, min_score=least)
        with Image.open(out) as picture:
            left = picture.crop((0, 0, picture.width // 2, 340))
            right = picture.crop((picture.width // 2, 0, picture.width, 340))
        found = [{c for _, c in half.getcolors(1 << 20) or []} for half in (left, right)]
        names = {ImageColor.getrgb(MATCHED): "match", ImageColor.getrgb(UNMATCHED): "none"}
        return [{names[color] for color in half if color in names} for half in found]

    assert colors(0.9, 0.3) == [{"match"}, {"match"}]
    assert colors(0.3, 0.3) == [{"match"}, {"match"}]
    assert colors(0.2, 0.3) == [{"none"}, set()]
    assert colors(0.2, 0.0) == [{"match"}, {"match"}]
    assert colors(0.9, 0.3, bbox=[40, 5, 15, 30]) == [{"none"}, {"none"}]
    assert colors(0.9, 0.3, category_id=2) == [{"none"}, {"none"}]


def test_matches_are_those_of_cocos_rule() -> None:
    categories = category_entries("unified")

    def notes(truth: list[Any], found: list[Any]) -> tuple[list[str], list[str]]:
        pair = (
            read_drawables([{"id": 1, "category_id": 1, **each} for each in truth], categories),
            read_drawables(
                [{"category_id": 1, "score": 0.5, **each} for each in found],
                categories,
                predicted=True,
            ),
        )
        marked = mark_matches(*pair, (600, 600))
        for each in itertools.chain(*marked):
            missed = each.note == "missed" or each.note.startswith("no match")
            assert each.color == (UNMATCHED if missed else MATCHED)
        shades = [[d.shade for d in side if d.shade is not None] for side in marked]
        assert sorted(shades[0]) == sorted(shades[1]) == list(range(len(shades[0])))
        return [d.note for d in marked[0]], [d.note for d in marked[1]]

    box, half, third = [0, 0, 90, 90], [0, 0, 90, 45], [0, 0, 90, 44]
    assert notes([{"bbox": box}], [{"bbox": half}]) == ([""], ["IoU 0.50"])
    assert notes([{"bbox": box}], [{"bbox": third}]) == (["missed"], ["no match, IoU 0.49"])
    assert notes([{"bbox": box}], []) == (["missed"], [])
    # The higher score takes it, though the other fits better; what is taken is not left for it.
    two = [{"bbox": box, "score": 0.4}, {"bbox": half, "score": 0.9}]
    assert notes([{"bbox": box}], two) == ([""], ["no match", "IoU 0.50"])
    other = [{"bbox": box, "category_id": 2}]
    assert notes([{"bbox": box}], other) == (["missed"], ["no match"])
    # Masks are compared where both have them, whatever their boxes.
    square, low = [[0, 0, 90, 0, 90, 90, 0, 90]], [[0, 60, 90, 60, 90, 90, 0, 90]]
    truth = [{"bbox": box, "segmentation": square}]
    assert notes(truth, [{"bbox": box, "segmentation": low}])[1] == ["no match, IoU 0.33"]
    assert notes(truth, [{"bbox": box}])[1] == ["IoU 1.00"]
    assert notes([{"bbox": box}], [{"segmentation": square}])[1] == ["IoU 1.00"]
    # Results without a score come last, those of a model that found nothing else are read.
    nothing: dict[str, Any] = {"score": None, "segmentation": None, "keypoints": []}
    two = [{"bbox": box, **nothing}, {"bbox": half, "score": 0.1}, {"bbox": box, **nothing}]
    best = ["no match", "no match", "IoU 0.50"]  # large ones stand first
    assert notes([{"bbox": box}], two)[1] == best
    from pycocotools import mask as coco_mask

    rle = coco_mask.merge(coco_mask.frPyObjects(low, 600, 600))
    for counts in (rle["counts"].decode(), coco_mask_counts(coco_mask.decode(rle))):
        found = {"segmentation": {"size": [600, 600], "counts": counts}}
        assert notes(truth, [found])[1] == ["no match, IoU 0.33"]


def coco_mask_counts(mask: Any) -> list[int]:
    runs = [(value, len(list(run))) for value, run in itertools.groupby(mask.flatten("F").tolist())]
    return [0] * int(runs[0][0]) + [length for _, length in runs]


@pytest.mark.parametrize("category", CATEGORIES[::4], ids=lambda c: c.name)
@pytest.mark.parametrize("shift", [0, 9, 40, 90])
def test_oks_is_pycocotools(category: Category, shift: int) -> None:
    import numpy as np
    from pycocotools.cocoeval import COCOeval

    from df2coco.coco.reader import index

    truth = garment(category, "category", (2, 1, 0)) | {"num_keypoints": 1, "area": 250_000.0}
    truth["iscrowd"] = 0
    result = garment(category, "category", (2,)) | {"score": 0.5, "area": 1.0}
    result["keypoints"][0::3] = [x + shift for x in result["keypoints"][0::3]]
    files = [
        index({"images": [{"id": 1}], "categories": [{"id": category.id}], "annotations": [each]})
        for each in (truth, result)
    ]
    evaluation = COCOeval(*files, "keypoints")
    evaluation.params.kpt_oks_sigmas = np.array(category.sigmas)
    evaluation._prepare()
    expected = float(evaluation.computeOks(1, category.id)[0, 0])
    categories = category_entries("category")
    (marked,) = mark_matches(
        read_drawables([truth], categories),
        read_drawables([result], categories, predicted=True),
        (600, 600),
    )[1]
    assert marked.note.endswith(f"OKS {expected:.2f}")


def test_a_mask_is_drawn_once_to_find_its_match(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []

    def run_lengths(drawable: Any, _: tuple[int, int]) -> None:
        drawn.append(id(drawable))

    monkeypatch.setattr("df2coco.drawing.comparison._run_lengths", run_lengths)
    entry = {"category_id": 1, "segmentation": [[0, 0, 9, 0, 9, 9]], "iscrowd": 0, "score": 0.5}
    sides = [
        read_drawables([entry] * 20, category_entries("unified"), predicted=predicted)
        for predicted in (False, True)
    ]
    mark_matches(*sides, (600, 600))
    assert sorted(drawn) == sorted({id(item) for side in sides for item in side})


@pytest.mark.parametrize("part", USUAL_PARTS)
def test_results_of_each_kind_are_drawn(part: str) -> None:
    """Visibility does not matter in results: landmarks of any v are drawn, filled."""
    whole = trousers(1) | {"score": 0.5}
    whole["keypoints"][2::3] = [0, 1, 2] * 98
    field = {"boxes": "bbox", "masks": "segmentation", "landmarks": "keypoints"}[part]
    alone = {name: whole[name] for name in ("category_id", "score", field)}
    picture = draw_image(grey(), [alone], category_entries("unified"), predicted=True)
    assert drawn_parts(picture) == {part}
    if part == "landmarks":
        color = ImageColor.getrgb(CATEGORY_BY_ID[8].color)
        for x, y in FIGURE[8][3:]:
            assert distance(pixel(picture, 50 + 500 * x, 50 + 500 * y), color) < 40


BAD_RESULTS: dict[str, tuple[str, str]] = {
    "no JSON": ("{", "not (a )?JSON"),
    "no list": ('{"image_id": 1}', "list"),
    "another file's": ('[{"image_id": 5, "category_id": 1}]', "none of its images is in"),
    "a name for an id": ('[{"image_id": "1", "category_id": 1}]', r"results\[0\].image_id"),
    "no object": ("[7]", r"results\[0\]"),
    "a bad box": (
        '[{"image_id": 1, "category_id": 1, "bbox": [1, 2, NaN, 4]}]',
        "image 1: result 1: bbox",
    ),
}


@pytest.mark.parametrize("case", BAD_RESULTS)
def test_results_that_cannot_be_used_are_one_line(tmp_path: Path, case: str) -> None:
    path, results = small_file(tmp_path), tmp_path / "results.json"
    text, words = BAD_RESULTS[case]
    results.write_text(text)
    options = ["--images", tmp_path / "image", "--out", tmp_path / "x.png", "--results", results]
    result = run("draw", path, *options)
    assert result.exit_code == 2
    assert re.fullmatch(rf"df2coco: .*results\.json.*{words}.*\n", result.stderr), result.stderr


# ---------------------------------------------------------------- real samples


@pytest.mark.slow
def test_real_samples_and_the_official_converters_file_are_drawn(
    real: Path, tmp_path: Path
) -> None:
    images = real / "train" / "image"
    convert(real / "train", tmp_path / "out.json")
    assert len(draw(tmp_path / "out.json", images, tmp_path / "ours", sample=99)) == 17
    official = real / "train" / "official_coco.json"
    assert len(draw(official, images, tmp_path / "official", sample=99)) == 16
