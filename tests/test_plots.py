"""Plots: every format, the same bytes every time, any numbers and names."""

from __future__ import annotations

import dataclasses
import functools
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from df2coco.errors import MissingPackageError
from df2coco.stats import CategoryStatistics, SplitStatistics, statistics
from df2coco.stats.panels import PANELS
from df2coco.stats.plots import PLOT_SUFFIXES, check_plot, panel_svg, save_plots
from tests.conftest import MakeSplit, run_command
from tests.samples import make_annotation, make_item

pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def numbers() -> SplitStatistics:
    return statistics(Path(__file__).parent.parent / "fixtures/validation")


Page = Callable[[str], Path]


@pytest.fixture(scope="module")
def page(numbers: SplitStatistics, tmp_path_factory: pytest.TempPathFactory) -> Page:
    """Gives a whole page in a format. Drawing one takes seconds, so it is drawn when asked for, once."""
    folder = tmp_path_factory.mktemp("pages")

    @functools.cache
    def draw(suffix: str) -> Path:
        path = folder / f"plot{suffix}"
        assert save_plots([numbers], path) == [path]
        return path

    return draw


def with_names(numbers: SplitStatistics, name: str) -> SplitStatistics:
    categories = tuple(dataclasses.replace(c, name=name) for c in numbers.categories)
    return dataclasses.replace(numbers, name=name, categories=categories)


BEGINNINGS = {".png": b"\x89PNG", ".pdf": b"%PDF", ".svg": b"<?xml"}


@pytest.mark.slow
@pytest.mark.no_cover
@pytest.mark.parametrize("suffix", PLOT_SUFFIXES)
def test_every_format(page: Page, suffix: str) -> None:
    data = page(suffix).read_bytes()
    assert data.startswith(BEGINNINGS[suffix])
    assert len(data) > 10_000


@pytest.mark.slow
def test_a_picture_is_large_enough_to_read_and_not_empty(page: Page) -> None:
    from PIL import Image

    with Image.open(page(".png")) as image:
        width, height = image.size
        colors = image.convert("RGB").getcolors(1 << 24)
    assert width >= 1600
    assert height >= 1600
    assert {"#3a86c4", "#0b4f8a", "#5aa0d6", "#c6def1"} <= {
        "#{:02x}{:02x}{:02x}".format(*color) for count, color in colors if count > 1000
    }


SCRIPT = """
import sys
from collections.abc import Callable
from pathlib import Path
from df2coco.stats.plots import save_plots
from df2coco.stats import statistics
numbers = statistics(sys.argv[1])
save_plots([numbers], Path(sys.argv[2]) / "plot.png")
"""


@pytest.mark.slow
def test_the_same_numbers_give_the_same_bytes(page: Page, validation: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    # matplotlib reads its user's settings there.
    (elsewhere / "matplotlibrc").write_text("font.size: 30\nsvg.hashsalt: other\n")
    command = [sys.executable, "-c", SCRIPT, str(validation), str(elsewhere)]
    subprocess.run(command, cwd=elsewhere, check=True)
    assert page(".png").read_bytes() == (elsewhere / "plot.png").read_bytes()


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_for_a_page(numbers: SplitStatistics, panel: str) -> None:
    text = panel_svg(PANELS[panel], numbers, prefix=panel)
    root = ElementTree.fromstring(text)
    assert root.tag.endswith("svg")
    assert "currentColor" in text
    assert "<style" not in text
    assert "<metadata" not in text
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert all(name.startswith(f"{panel}-") for name in ids)
    used = re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', text)
    assert {a or b for a, b in used} <= set(ids)
    # Every color is one of ours or the page's own.
    assert set(re.findall(r"#[0-9a-f]{6}\b", text)) <= {
        "#3a86c4", "#0b4f8a", "#5aa0d6", "#c6def1", "#000000", "#ffffff",
    }  # fmt: skip


NOTHING = {
    field.name: {} for field in dataclasses.fields(SplitStatistics) if "Mapping" in str(field.type)
} | {"items_per_image": {}, "box_sizes": {}, "box_shares": {}, "mask_shares": {}}

NAMES = [
    "<script>alert(1)</script>",
    r"$\frac{1}{2}$ \$ $",
    '"#x id="y',
    "#123457",
    "上衣 👗",
    "\x1b[2J\nnew line",
    "long " * 1000,
    "",
]


@pytest.mark.slow
@pytest.mark.no_cover
@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_any_name(numbers: SplitStatistics, name: str, tmp_path: Path) -> None:
    named = with_names(numbers, name)
    root = ElementTree.fromstring(panel_svg(PANELS["categories"], named, prefix="x"))
    assert not root.findall(".//{*}script")
    texts = ["".join(element.itertext()) for element in root.findall(".//{*}text")]
    if len(name) < 30 and name.isprintable():
        assert texts.count(name) == (13 if name else 0)
    few = dataclasses.replace(named, name=name, **NOTHING)  # a page with what has the name
    assert few.categories
    save_plots([few], tmp_path / "plot.svg")
    assert not ElementTree.parse(tmp_path / "plot.svg").findall(".//{*}script")


@pytest.mark.slow
@pytest.mark.no_cover
def test_any_numbers(numbers: SplitStatistics, tmp_path: Path) -> None:
    empty = dataclasses.replace(
        numbers, images=0, items=0, landmarks=None, categories=(), image_sizes=(), **NOTHING
    )
    many = tuple(CategoryStatistics(n, f"category {n}", n, 3, n, 0, 0) for n in range(5000))
    large = dataclasses.replace(
        numbers,
        items=10**9,
        categories=many,
        items_per_image={0: 1, 1: 5, 400: 1},
        image_sizes=tuple((n, 10**7, 1) for n in range(1, 3000)),
        box_sizes={0: 1, 10**7: 1},
        mask_shares={100: 1, 10**9: 1},
    )
    one = dataclasses.replace(numbers, box_sizes={55: 1}, items_per_image={1: 1})
    for name, each in {"empty": empty, "large": large, "one": one}.items():
        save_plots([each], tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").stat().st_size > 1000


def test_descriptions_give_the_numbers(numbers: SplitStatistics) -> None:
    assert "trousers 6" in PANELS["categories"].describe(numbers)
    assert "scale: small " in PANELS["attributes"].describe(numbers)
    assert PANELS["box_sizes"].describe(numbers).startswith("median ")


def texts(numbers: SplitStatistics, panel: str) -> dict[str, tuple[float, float]]:
    """Text of a panel -> where it stands."""
    root = ElementTree.fromstring(panel_svg(PANELS[panel], numbers, prefix="x"))
    found = {}
    for element in root.iter("{http://www.w3.org/2000/svg}text"):
        place = re.search(r"translate\(([-\d.]+) ([-\d.]+)\)", element.attrib.get("transform", ""))
        x, y = place.groups() if place else (element.attrib["x"], element.attrib["y"])
        found["".join(element.itertext()).strip()] = (float(x), float(y))
    return found


def test_the_key_of_the_attributes_stands_in_columns_under_each_bar(
    numbers: SplitStatistics,
) -> None:
    shares = dataclasses.replace(
        numbers,
        attributes={"scale": (1, 998, 1), "occlusion": (0, 0, 9), "zoom_in": (3, 3, 3)},
    )
    found = texts(shares, "attributes")
    assert {"scale", "occlusion", "zoom-in"} <= found.keys()
    columns = [
        ("small 0.1 %", "slight 0.0 %"),
        ("modest 99.8 %", "medium 0.0 %"),
        ("large 0.1 %", "heavy 100.0 %"),
    ]
    lefts = []
    for one, other in columns:
        assert found[one][0] == found[other][0]
        lefts.append(found[one][0])
        assert found["scale"][1] < found[one][1] < found["occlusion"][1] < found[other][1]
    assert lefts == sorted(lefts)


def test_the_sizes_of_images_fill_their_panel(numbers: SplitStatistics) -> None:
    from matplotlib.figure import Figure

    def limits(sizes: list[tuple[int, int, int]]) -> tuple[tuple[float, float], str]:
        axes = Figure().add_subplot()
        found = dataclasses.replace(
            numbers, image_sizes=tuple(sizes), images=sum(n for *_, n in sizes)
        )
        PANELS["image_sizes"].draw(axes, found)
        return axes.get_xlim(), axes.get_xlabel()

    common = [(468, 624, 600), (480, 640, 300), (700, 900, 99)]
    (low, high), label = limits(common)
    assert 400 < low < 468
    assert 700 < high < 760
    assert "beyond" not in label
    (low, high), label = limits([*common, (9000, 700, 1)])
    assert high < 760
    assert "0.1 % are beyond" in label
    assert limits([(1, 1, 5)])[0] == (0, 2)


@pytest.mark.slow
def test_the_command(make_split: MakeSplit, tmp_path: Path) -> None:
    split = make_split({1: make_annotation(make_item())})  # a page of one item is drawn in no time
    result = run_command("stats", split, "--plot", tmp_path / "plot.svg")
    assert result.exit_code == 0
    assert (tmp_path / "plot.svg").exists()
    assert "plot.svg" in result.stderr
    assert "plot.svg" not in result.stdout


@pytest.mark.slow
def test_several_splits_have_a_picture_each(numbers: SplitStatistics, tmp_path: Path) -> None:
    few = dataclasses.replace(numbers, **NOTHING)
    paths = save_plots([dataclasses.replace(few, name="train"), few], tmp_path / "plot.svg")
    assert [path.name for path in paths] == ["plot_train.svg", "plot_validation.svg"]
    assert all(path.exists() for path in paths)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("plot.jpg", "the name must end with .png or .pdf or .svg"),
        ("no/plot.png", "there is no folder"),
    ],
)
def test_files_that_cannot_be_written(
    validation: Path, tmp_path: Path, name: str, message: str
) -> None:
    result = run_command("stats", validation, "--plot", tmp_path / name)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""  # reported before the work
    assert result.stderr.count("\n") == 1


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingPackageError, match=r'pip install "df2coco\[plot\]"'):
        check_plot(tmp_path / "plot.png")


def test_a_matplotlib_that_cannot_be_loaded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(_: str) -> None:
        raise ImportError("failed to map segment")

    monkeypatch.setattr("importlib.import_module", fail)
    with pytest.raises(MissingPackageError, match=r"cannot be loaded \(failed to map segment\)"):
        check_plot(tmp_path / "plot.png")
