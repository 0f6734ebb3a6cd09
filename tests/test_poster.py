"""The poster of the landmarks: its geometry, and that the package ships what the script draws."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from PIL import Image, ImageColor
from typer.testing import CliRunner

import df2coco.cli.draw  # noqa: F401 (registers its commands)
from df2coco.cli.app import app
from df2coco.drawing import draw_skeletons
from df2coco.errors import Df2cocoError
from df2coco.taxonomy import CATEGORIES, Category
from tests.tools.poster import PAIR_COLORS, Disc, Line, Text, poster


@pytest.mark.slow
@pytest.mark.no_cover
@pytest.mark.parametrize("slots", [False, True])
def test_the_poster_has_every_landmark_number_and_edge_once(slots: bool) -> None:
    (width, height), marks = poster(slots=slots)
    numbers = [int(m.text) for m in marks if isinstance(m, Text) and m.text.isdecimal()]
    expected = [n for c in CATEGORIES for n in range(1, c.num_landmarks + 1)]
    assert sorted(numbers) == sorted(expected + list(range(294)) * slots)
    lines = [mark for mark in marks if isinstance(mark, Line)]
    assert len(lines) == sum(len(category.skeleton) for category in CATEGORIES)
    assert sum(isinstance(mark, Disc) and mark.color != "#ffffff" for mark in marks) == 294 + 5
    assert all(0 < mark[0] < width and 0 < mark[1] < height for mark in marks)
    assert any(isinstance(m, Text) and "swapped" in m.text for m in marks)


def cell(category: Category) -> tuple[list[Disc], list[Text]]:
    """A category's dots and numbers, in landmark order."""
    marks = poster()[1]
    starts = [i for i, m in enumerate(marks) if isinstance(m, Text) and m.size == 22]
    end = [*starts[1:], len(marks)][category.id - 1]
    part = marks[starts[category.id - 1] : end]
    dots = [m for m in part if isinstance(m, Disc) and m.color != "#ffffff"]
    texts = [m for m in part if isinstance(m, Text) and m.text.isdecimal()]
    count = category.num_landmarks
    return dots[:count], texts[:count]


@pytest.mark.slow
@pytest.mark.no_cover
@pytest.mark.parametrize("category", CATEGORIES, ids=lambda c: c.name)
def test_mirrored_pairs_mirror_in_place_and_share_a_color(category: Category) -> None:
    dots, texts = cell(category)
    paired = {number for pair in category.flip_pairs for number in pair}
    single = [n for n in range(1, category.num_landmarks + 1) if n not in paired]
    axis = (dots[category.flip_pairs[0][0] - 1].x + dots[category.flip_pairs[0][1] - 1].x) / 2
    for left, right in category.flip_pairs:
        a, b = dots[left - 1], dots[right - 1]
        assert a.x < axis < b.x  # the lower number on the viewer's left, as in the figure
        assert a.x + b.x == pytest.approx(2 * axis, abs=0.5)
        assert a.y == pytest.approx(b.y, abs=0.5)
        assert a.color == b.color in PAIR_COLORS
        assert texts[left - 1].y == pytest.approx(texts[right - 1].y)
    for number in single:
        assert dots[number - 1].x == pytest.approx(axis, abs=0.5)
        assert dots[number - 1].color not in PAIR_COLORS


@pytest.mark.no_cover
@pytest.mark.parametrize("category", CATEGORIES, ids=lambda c: c.name)
def test_each_number_is_nearest_to_its_own_dot_and_covers_no_other(category: Category) -> None:
    dots, texts = cell(category)
    boxes = []
    for text, dot in zip(texts, dots, strict=True):
        width = 0.6 * text.size * len(text.text)
        box = (text.x, text.y - 6, text.x + width, text.y + 6)
        boxes.append(box)

        def gap(other: Disc, box: tuple[float, ...] = box) -> float:
            x, y = (min(max(other[i], box[i]), box[i + 2]) for i in (0, 1))
            return math.dist((other.x, other.y), (x, y))

        assert min(dots, key=gap) == dot, text.text
        assert gap(dot) < 25
    for a, b in itertools.combinations(boxes, 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


# From the published figure: what stands over and left of what. The pairs 2 and 4 of short sleeve outwear
# are as the annotations have them.
ORDER = {
    1: "1: 2<1<6 | y: 2<1<4 7<8<9 13<14<15",
    2: "1: 11<12<19<20<21<28<29 | y: 7<8<9<10<11 16<17<18<19",
    3: "1: 2<3<4<26<5<6 16<31<29 | y: 2<3<4 30<31<16 27<28<29 13<14<15",
    4: "1: 2<3<4<34<5<6 11<12<19<20<37<21 | y: 2<3<4 38<39<20 35<36<37",
    5: "1: 7<2<3<4<5<6<15 | y: 1<4 7<8<9<10",
    6: "1: 2<3<4<5<6 10<11<12 | y: 7<2<1<4 8<9<10",
    7: "1: 1<2<3 5<6<7<8<9 | y: 1<4<5 7<6",
    8: "1: 1<2<3 6<7<8<9<10<11<12 | y: 1<4<5<6 9<8<7",
    9: "1: 5<4<1<2<3<8<7 | y: 1<4<5<6",
    10: "1: 9<10<12<13 17<18<19 | y: 12<13<14<15<16<17",
    11: "1: 11<12<17<18 21<22<23 | y: 16<17<18<19<20<21",
    12: "1: 7<2<3<4<5<6<19 12<13<14 | y: 1<4 7<8<9<10<11<12",
    13: "1: 2<3<4<5<6 12<13<14 | y: 7<2<1<4 8<9<10<11<12",
}


@pytest.mark.parametrize("category", CATEGORIES, ids=lambda c: c.name)
def test_the_arrangement_is_the_published_figures(category: Category) -> None:
    dots, _ = cell(category)
    across, down = ORDER[category.id].split(" | ")
    for index, chains in ((0, across.removeprefix("1: ")), (1, down.removeprefix("y: "))):
        for chain in chains.split():
            values = [dots[int(number) - 1][index] for number in chain.split("<")]
            assert all(a < b for a, b in itertools.pairwise(values)), chain


def crosses(a: Line, b: Line) -> bool:
    """Whether two lines cross within both."""

    def side(x: float, y: float, line: Line) -> float:
        return (line.x2 - line.x1) * (y - line.y1) - (line.y2 - line.y1) * (x - line.x1)

    return (
        side(a.x1, a.y1, b) * side(a.x2, a.y2, b) < -1e-6
        and side(b.x1, b.y1, a) * side(b.x2, b.y2, a) < -1e-6
    )


@pytest.mark.no_cover
def test_no_edges_of_a_garment_cross() -> None:
    lines = [mark for mark in poster()[1] if isinstance(mark, Line)]
    assert not [(a, b) for a, b in itertools.combinations(lines, 2) if crosses(a, b)]


SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.slow
@pytest.mark.parametrize("slots", [False, True])
def test_the_command_writes_the_poster_as_svg_and_png(tmp_path: Path, slots: bool) -> None:
    for name in ("poster.svg", "poster.PNG"):
        arguments = ["skeletons", "--out", str(tmp_path / name), *["--slots"] * slots]
        result: Any = CliRunner().invoke(app, arguments)
        assert (result.exit_code, result.stderr) == (0, f"-> {tmp_path / name}\n")
    # What is shipped is what the script draws; the places of numbers vary with Pillow's font.
    (width, height), marks = poster(slots=slots)
    root = ElementTree.parse(tmp_path / "poster.svg").getroot()
    assert root.attrib["viewBox"] == f"0 0 {width} {height}"
    assert len(root) == 2 + len(marks)
    discs = [mark for mark in marks if isinstance(mark, Disc)]
    for disc, element in zip(discs, root.iter(f"{SVG}circle"), strict=True):
        assert element.attrib["fill"] == disc.color
        assert [float(element.attrib[name]) for name in ("cx", "cy")] == pytest.approx(
            [disc.x, disc.y], abs=0.06
        )
    texts = [mark.text for mark in marks if isinstance(mark, Text)]
    assert [element.text or "" for element in root.iter(f"{SVG}text")] == texts
    with Image.open(tmp_path / "poster.PNG") as picture:
        assert picture.size == (width, height)
        rgb = picture.convert("RGB")
    for disc in discs:
        if disc.radius == 5 and disc.color != "#ffffff":
            pixel = rgb.getpixel((round(disc.x), round(disc.y)))
            assert isinstance(pixel, tuple)
            assert math.dist(pixel, ImageColor.getrgb(disc.color)) < 50


def test_other_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Df2cocoError, match=r"must end with \.png or \.svg"):
        draw_skeletons(tmp_path / "poster.pdf")
