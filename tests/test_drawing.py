"""Pictures: what stands where, in which color, and what becomes of files that cannot be drawn."""

from __future__ import annotations

import itertools
import json
import math
import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given
from PIL import Image, ImageColor
from typer.testing import CliRunner

import df2coco.cli.draw  # noqa: F401 (registers its commands)
from df2coco.cli.app import app
from df2coco.converter.encoder import make_encoder
from df2coco.converter.options import LAYOUTS, Shape
from df2coco.converter.run import convert
from df2coco.drawing import PARTS, Photos, draw, draw_image
from df2coco.drawing.labels import Rectangle, Wish, place_labels
from df2coco.drawing.overlay import LARGEST, SMALLEST, casing_of, picture_size
from df2coco.drawing.shapes import landmark_slots, read_shapes
from df2coco.drawing.sheet import justify
from df2coco.errors import CocoFileError, SourceError
from df2coco.taxonomy import CATEGORIES, CATEGORY_BY_ID, Category
from fixtures.garment_figure import FIGURE
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
    before = 0 if layout == "category" else category.first_slot
    slots = category.num_landmarks if layout == "category" else 294
    keypoints = [0] * (3 * slots)
    keypoints[3 * before : 3 * before + len(own)] = own
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
    picture = draw_image(grey(), [annotation], category_entries(layout), only=("landmarks",))
    color = ImageColor.getrgb(category.color)
    shape = read_shapes([annotation], category_entries(layout))[0]
    points = [(x, y) for x, y, _ in shape.landmarks.values()]
    assert len(points) == sum(i % 3 < 2 for i in range(category.num_landmarks))
    label = 40  # the label may lie on the topmost ones
    for x, y, visible in shape.landmarks.values():
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
    picture = draw_image(grey(), [annotation], categories, only=("landmarks",))
    color = ImageColor.getrgb(category.color)
    points = [(50 + 500 * x, 50 + 500 * y) for x, y in FIGURE[category.id]]
    long = [(a, b) for a, b in category.skeleton if math.dist(points[a - 1], points[b - 1]) > 60]
    assert long
    for a, b in long:
        x, y = ((p + q) / 2 for p, q in zip(points[a - 1], points[b - 1], strict=True))
        around = [pixel(picture, x + dx, y + dy) for dx in (-2, -1, 0, 1, 2) for dy in (-2, 0, 2)]
        assert min(distance(p, color) for p in around) < 60, (a, b)


def test_other_converters_categories_bring_their_own_slots() -> None:
    person = {"id": 1, "name": "person", "keypoints": list("abcde"), "skeleton": [[1, 2], [5, 9]]}
    assert landmark_slots(person) == (range(5), ((0, 1),))
    assert landmark_slots({"id": 1, "name": "person"}) == (range(0), ())
    top = CATEGORY_BY_ID[1]
    assert landmark_slots({"id": 1, "keypoints": [""] * 294, "skeleton": []})[0] == top.slots
    keypoints = [300, 100, 2, 300, 500, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    annotation = {"id": 1, "category_id": 1, "keypoints": keypoints}
    picture = draw_image(grey(), [annotation], [person])
    assert distance(pixel(picture, 300, 300), ImageColor.getrgb(top.color)) < 40  # the edge 1-2
    assert pixel(picture, 5, 5) == ImageColor.getrgb(GREY)


# ---------------------------------------------------------------- masks and boxes


OVERLAPPING = [
    [100.0, 100.0, 300.0, 100.0, 300.0, 300.0, 100.0, 300.0],
    [200.0, 200.0, 400.0, 200.0, 400.0, 400.0, 200.0, 400.0],
]


def test_a_mask_is_the_union_of_its_polygons() -> None:
    annotation = {"id": 1, "category_id": 1, "segmentation": OVERLAPPING}
    picture = draw_image(grey(), [annotation], category_entries("unified"), only=("masks",))
    one, both, other = (pixel(picture, at, at) for at in (150, 250, 350))
    assert one == both == other != ImageColor.getrgb(GREY)
    assert pixel(picture, 350, 150) == pixel(picture, 450, 450) == ImageColor.getrgb(GREY)


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
            only=("masks",),
        )
        for mask in (OVERLAPPING, text, {**text, "counts": counts}, encoded)
    ]
    for x, y in [(150, 150), (250, 250), (350, 350), (350, 150), (450, 450)]:
        assert len({pixel(picture, x, y) for picture in pictures}) == 1


MARKS = {"boxes": (550, 300), "masks": (150, 120), "landmarks": (300, 188)}
"""Where parts of the item below are, and no other part of it."""


def trousers(visibility: int) -> dict[str, Any]:
    """An item with all parts; its landmark 9 is alone."""
    square = [100, 100, 160, 100, 160, 160, 100, 160]
    return garment(CATEGORY_BY_ID[8], "unified", (visibility,)) | {"segmentation": [square]}


def test_only_what_is_asked_for_is_drawn() -> None:
    assert set(MARKS) == set(PARTS)
    for size in range(len(PARTS) + 1):
        for only in itertools.combinations(PARTS, size):
            picture = draw_image(grey(), [trousers(2)], category_entries("unified"), only=only)
            for part, at in MARKS.items():
                assert (pixel(picture, *at) != ImageColor.getrgb(GREY)) == (part in only)


def test_drawing_leaves_the_image_and_what_is_not_covered_as_they_are() -> None:
    photo = Image.effect_noise((SIDE, SIDE), 90).convert("RGB")
    before = photo.tobytes()
    annotation = {"id": 1, "category_id": 1, "bbox": [200, 200, 100, 100]}
    picture = draw_image(photo, [annotation], category_entries("unified"))
    assert photo.tobytes() == before
    assert (
        picture.crop((0, 320, SIDE, SIDE)).tobytes() == photo.crop((0, 320, SIDE, SIDE)).tobytes()
    )


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
    picture = draw_image(grey(size), [annotation], category_entries("unified"), only=("boxes",))
    color = ImageColor.getrgb(CATEGORY_BY_ID[5].color)
    middle, bottom = picture.width - picture.width // 8, picture.height - 1
    reach = max(3, picture.height // 200)
    line = [pixel(picture, middle, y) for y in range(bottom - reach, bottom + 1)]
    assert min(distance(p, color) for p in line) < 60  # the box's lower edge is in sight
    assert pixel(picture, middle, 0) == ImageColor.getrgb(GREY)


def test_every_color_stands_out_from_its_casing() -> None:
    for category in CATEGORIES:
        color, casing = (ImageColor.getrgb(c) for c in (category.color, casing_of(category.color)))
        assert distance(color, casing) > 120, category.name


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
    "keypoints": [[1, 2], [1.0, 2.0, 2], "points", [None] * 882, [float("inf")] * 882],
    "category_id": ["1", None, 1.5, [1]],
}


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, values in BAD.items() for value in values]
)
def test_what_is_no_coco_is_told_by_annotation_and_field(field: str, value: object) -> None:
    annotation = {"id": 77, "category_id": 1, field: value}
    with pytest.raises(CocoFileError, match=rf"annotation 77: {field}: .*expected"):
        draw_image(grey(), [annotation], category_entries("unified"))


@pytest.mark.parametrize("score", ["high", float("nan"), [1]])
def test_a_bad_score_is_told(score: object) -> None:
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


def test_a_label_stands_on_its_box_and_makes_way() -> None:
    box = (100.0, 100.0, 300.0, 300.0)
    wish = Wish(80, 20, box)
    assert place_labels([wish], (600, 600)) == [Rectangle(100, 80, 80, 20)]
    assert place_labels([wish], (600, 600), [(120, 90)]) == [Rectangle(220, 80, 80, 20)]
    first, second = place_labels([wish, wish], (600, 600))
    assert (first, second) == (Rectangle(100, 80, 80, 20), Rectangle(220, 80, 80, 20))


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


# ---------------------------------------------------------------- files


@pytest.fixture(scope="module")
def coco(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fixtures, converted."""
    path = tmp_path_factory.mktemp("coco") / "validation.json"
    convert(Path(__file__).resolve().parent.parent / "fixtures" / "validation", path)
    return path


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


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


def test_without_a_choice_there_are_twelve_and_never_more_than_there_are(
    coco: Path, validation: Path, tmp_path: Path
) -> None:
    assert len(draw(coco, validation, tmp_path / "some")) == 12
    images = len(json.loads(coco.read_text())["images"])
    assert len(draw(coco, validation, tmp_path / "all", sample=999)) == images


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
    "no image": (lambda path: path.write_bytes(b"<html>"), "no image"),
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


@pytest.mark.parametrize("name", ["../000001.jpg", "/etc/passwd", "", "a/../../b.jpg", "..\\a.jpg"])
def test_a_file_name_does_not_lead_out_of_the_folder(tmp_path: Path, name: str) -> None:
    path = small_file(tmp_path, file_name=name)
    (tmp_path / "000001.jpg").write_bytes((tmp_path / "image" / "000001.jpg").read_bytes())
    with pytest.raises(SourceError, match="no name of a file below"):
        draw(path, tmp_path / "image", tmp_path / "x.png")


def test_a_file_name_with_folders_is_found_by_its_last_part(tmp_path: Path) -> None:
    path = small_file(tmp_path, file_name="train/image/000001.jpg")
    draw(path, tmp_path / "image", tmp_path / "x.png")
    assert (tmp_path / "x.png").exists()


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
    "format": (["--out", "x.gif"], "name a .png"),
    "no such image": (["--image-id", "999"], "no image with id 999"),
    "over the photos": (["--out", "{images}"], "would lie in"),
    "among the photos": (["--out", "{images}/000001.jpg"], "would lie in"),
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


def test_only_takes_known_parts(tmp_path: Path) -> None:
    path = small_file(tmp_path)
    options = ["--images", tmp_path, "--out", tmp_path / "x.png"]
    assert run("draw", path, *options, "--only", "boxes,landmarks").exit_code == 0
    result = run("draw", path, *options, "--only", "boxes,faces")
    assert result.exit_code == 2
    assert "faces" in result.stderr


def test_a_sheet_has_an_end(tmp_path: Path) -> None:
    path = small_file(tmp_path)
    document = json.loads(path.read_text())
    document["images"] = [{**document["images"][0], "id": number} for number in range(1, 300)]
    path.write_text(json.dumps(document))
    with pytest.raises(CocoFileError, match=r"at most 200 pictures, not 201\. Name a folder"):
        draw(path, tmp_path / "image", tmp_path / "x.png", sample=201)


# ---------------------------------------------------------------- results


def write_results(path: Path, results: object) -> Path:
    path.write_text(json.dumps(results))
    return path


def test_results_stand_on_the_right_from_the_least_score_on(tmp_path: Path) -> None:
    path = small_file(tmp_path)
    result = {"image_id": 1, "category_id": 7, "bbox": [40, 5, 15, 30]}
    color = ImageColor.getrgb(CATEGORY_BY_ID[7].color)

    def has_color(score: float, least: float) -> tuple[bool, bool]:
        """Whether the left and the right picture have the result's color."""
        results = write_results(tmp_path / "results.json", [{**result, "score": score}])
        out = tmp_path / "x.png"
        draw(path, tmp_path / "image", out, results=results, min_score=least)
        with Image.open(out) as picture:
            left = picture.crop((0, 0, picture.width // 2, 300))
            right = picture.crop((picture.width // 2, 0, picture.width, 300))
        colors = [half.getcolors(1 << 20) or [] for half in (left, right)]
        return (color in {c for _, c in colors[0]}, color in {c for _, c in colors[1]})

    assert has_color(0.9, 0.3) == (False, True)
    assert has_color(0.3, 0.3) == (False, True)
    assert has_color(0.2, 0.3) == (False, False)
    assert has_color(0.2, 0.0) == (False, True)


@pytest.mark.parametrize("part", PARTS)
def test_results_of_each_kind_are_drawn(part: str) -> None:
    """Visibility is no matter of results: landmarks of any v are drawn, filled."""
    whole = trousers(1) | {"score": 0.5}
    field = {"boxes": "bbox", "masks": "segmentation", "landmarks": "keypoints"}[part]
    alone = {name: whole[name] for name in ("category_id", "score", field)}
    picture = draw_image(grey(), [alone], category_entries("unified"), predicted=True)
    changed = {p for p, at in MARKS.items() if pixel(picture, *at) != ImageColor.getrgb(GREY)}
    assert changed == {part}
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


def test_real_samples_and_the_official_converters_file_are_drawn(
    real: Path, tmp_path: Path
) -> None:
    images = real / "train" / "image"
    convert(real / "train", tmp_path / "out.json")
    assert len(draw(tmp_path / "out.json", images, tmp_path / "ours", sample=99)) == 17
    official = real / "train" / "official_coco.json"
    assert len(draw(official, images, tmp_path / "official", sample=99)) == 16
