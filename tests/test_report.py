"""The report: what stands on it, and how it behaves in a real browser."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from df2coco.converter.run import convert
from df2coco.report import write_report
from df2coco.validator import validate
from df2coco.version import DOCS
from tests.browser import Browser
from tests.conftest import MakeSplit, copy_tree, run_command
from tests.samples import asked, make_annotation, make_jpeg

pytest.importorskip("matplotlib")
pytest.importorskip("jinja2")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fixtures' split, converted, with its report."""
    folder = tmp_path_factory.mktemp("report")
    validation = Path(__file__).parent.parent / "fixtures/validation"
    convert(validation, folder / "keypoints_validation.json")
    write_report(folder / "keypoints_validation.json", validation / "image", folder / "report.html")
    return folder


class Page(HTMLParser):
    """The elements of a page, with a check that they nest."""

    VOID = frozenset(("meta", "link", "img", "br", "input", "path", "use", "rect", "stop"))

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(path.read_text("utf-8"))
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def test_what_stands_on_the_page(folder: Path) -> None:
    page = Page(folder / "report.html")
    for expected in (
        "21 images, 40 items in 13 categories",
        "Valid : 0 errors",
        "box area, % of its image",
        "gallery items 26",
        "Items per category",
    ):
        assert expected in page.text
    assert len(page.all("svg")) == 8
    assert len(page.all("img")) == 40
    assert [a["name"] for a in page.all("select")] == [
        "category", "source", "scale", "occlusion", "zoom_in", "viewpoint",
    ]  # fmt: skip


def test_the_page_needs_nothing_else(folder: Path) -> None:
    page = Page(folder / "report.html")
    for tag, attributes in page.elements:
        if tag == "a" and (attributes["href"] or "").startswith(DOCS):
            continue  # followed by who clicks on it
        for name in ("src", "href", "xlink:href", "action", "srcset"):
            assert (attributes.get(name) or "#").startswith(("#", "data:"))
    text = (folder / "report.html").read_text("utf-8")
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)


def test_labels_for_those_who_do_not_see_it(folder: Path) -> None:
    page = Page(folder / "report.html")
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.elements:
        for name in ("aria-labelledby", "aria-controls"):
            assert attributes.get(name) in (None, *ids)
    assert all("short sleeve" in (a["alt"] or "") or a["alt"] for a in page.all("img"))
    assert (
        sum(a.get("role") == "img" and bool(a.get("aria-description")) for a in page.all("div"))
        == 8
    )
    assert page.all("html")[0]["lang"] == "en"
    assert [tag for tag, _ in page.elements if tag == "h1"] == ["h1"]


@pytest.mark.no_cover
def test_the_same_file_gives_the_same_page(folder: Path, validation: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.html"
    write_report(folder / "keypoints_validation.json", validation / "image", again)
    assert again.read_bytes() == (folder / "report.html").read_bytes()


@pytest.mark.no_cover
def test_examples_cover_all_categories_and_are_small(
    folder: Path, validation: Path, tmp_path: Path
) -> None:
    source = folder / "keypoints_validation.json"
    for number in (0, 5, 13):
        out = tmp_path / f"{number}.html"
        result = run_command(
            "report", source, "--images", validation / "image", "--out", out, "--examples", number
        )
        assert result.exit_code == 0
        assert str(out) in result.stderr
        page = Page(out)
        pictures = page.all("img")
        assert len(pictures) == number
        assert len({(a["alt"] or "").split(",")[0] for a in pictures}) == number
    data = [base64.b64decode((a["src"] or "").partition(",")[2]) for a in pictures]
    with Image.open(io.BytesIO(data[0])) as image:
        assert max(image.size) == 560
    # Sixty such stay well below 5 MB.
    assert 60 * 4 / 3 * max(map(len, data)) < 4_000_000


def test_a_file_of_the_official_converter(validation: Path, tmp_path: Path) -> None:
    convert(validation, tmp_path / "official.json", **asked(preset="official"))
    write_report(tmp_path / "official.json", validation / "image", tmp_path / "report.html")
    page = Page(tmp_path / "report.html")
    assert [a["name"] for a in page.all("select")] == ["category"]  # it has nothing else
    assert "Not in the input: user and shop, pairs, scale" in page.text
    assert len(page.all("img")) == 40


def test_images_that_cannot_be_opened_are_reported(
    folder: Path, validation: Path, tmp_path: Path
) -> None:
    copy_tree(validation / "image", tmp_path / "image")
    (tmp_path / "image/000001.jpg").unlink()
    (tmp_path / "image/000002.jpg").write_bytes(b"\xff\xd8 no picture")
    out = tmp_path / "report.html"
    write_report(folder / "keypoints_validation.json", tmp_path / "image", out)
    page = Page(out)
    assert 30 < len(page.all("img")) < 40
    assert "Not shown" in page.text
    assert "000001.jpg: is missing" in page.text
    assert "Not valid" in page.text  # the validator reports it too


@pytest.fixture(scope="module")
def faulty(folder: Path, validation_images: Path) -> Path:
    """The report of a file with faults in an image and in annotations."""
    document = json.loads((folder / "keypoints_validation.json").read_bytes())
    document["images"][2]["pair_id"] = "x"
    document["annotations"][3]["area"] *= 3
    document["annotations"][12]["keypoints"][2] = 7
    del document["licenses"]  # a note
    (folder / "faulty.json").write_text(json.dumps(document))
    write_report(folder / "faulty.json", validation_images, folder / "faulty.html", examples=13)
    return folder / "faulty.html"


@pytest.fixture(scope="module")
def validation_images() -> Path:
    return Path(__file__).parent.parent / "fixtures/validation/image"


def test_findings_link_to_their_pictures(faulty: Path) -> None:
    """Also among two examples: what has a finding comes first in its category."""
    page = Page(faulty)
    ids = {f"#{a['id']}" for a in page.all("li") if "id" in a}
    links = {a["href"] for a in page.all("a") if (a["href"] or "").startswith("#item-")}
    assert len(page.all("img")) == len(ids) == 13
    assert {"#item-4", "#item-13"} <= links <= ids
    assert page.text.count("image 3 :") == 1
    document = json.loads((faulty.parent / "faulty.json").read_bytes())
    of_image = {f"#item-{a['id']}" for a in document["annotations"] if a["image_id"] == 3}
    assert links & of_image


def test_findings_link_to_their_checks_and_captions_name_annotations(faulty: Path) -> None:
    page = Page(faulty)
    links = {a["href"] for a in page.all("a")}
    found = validate(faulty.parent / "faulty.json").findings
    assert len(found) >= 4
    assert {f"{DOCS}checks/{finding.check.code}/" for finding in found} <= links
    document = json.loads((faulty.parent / "faulty.json").read_bytes())
    names = {image["id"]: image["file_name"] for image in document["images"]}
    expected = {f"annotation {a['id']} of {names[a['image_id']]}" for a in document["annotations"]}
    alts = {(a["alt"] or "").partition(", ")[2] for a in page.all("img")}
    assert len(alts) == 13
    assert alts <= expected


@pytest.mark.parametrize(("side", "share"), [(60, 0.45), (500, 0.75)])
def test_small_items_are_large_enough_to_be_looked_at(
    tmp_path: Path, side: int, share: float
) -> None:
    """Of a photo of 800 x 600 at least the surroundings of the item are shown, and all where it is large."""
    (tmp_path / "image").mkdir()
    photo = Image.new("RGB", (800, 600), "#ffffff")
    box = [290, 90, side, side]
    photo.paste("#0000ff", (box[0], box[1], box[0] + side, box[1] + side))
    photo.save(tmp_path / "image" / "1.png")
    item = {
        "id": 7,
        "image_id": 1,
        "category_id": 1,
        "bbox": box,
        "area": side * side,
        "iscrowd": 0,
    }
    document = {
        "images": [{"id": 1, "file_name": "1.png", "width": 800, "height": 600}],
        "annotations": [item],
        "categories": [{"id": 1, "name": "hat"}],
    }
    (tmp_path / "in.json").write_text(json.dumps(document))
    write_report(tmp_path / "in.json", tmp_path / "image", tmp_path / "r.html")
    (picture,) = Page(tmp_path / "r.html").all("img")
    with Image.open(
        io.BytesIO(base64.b64decode((picture["src"] or "").partition(",")[2]))
    ) as image:
        assert max(image.size) == pytest.approx(560, abs=2)
        middle = [image.getpixel((x, round(image.height / 2))) for x in range(image.width)]
    blue = [p for p in middle if isinstance(p, tuple) and p[2] > 150 and p[0] < 90]
    assert share - 0.2 < len(blue) / len(middle) < share + 0.2


def test_photos_of_another_size_are_not_drawn(
    folder: Path, validation: Path, tmp_path: Path
) -> None:
    """As draw refuses them: the boxes would be in wrong places."""
    document = json.loads((folder / "keypoints_validation.json").read_bytes())
    document["images"][2]["width"] = 9
    (tmp_path / "in.json").write_text(json.dumps(document))
    write_report(tmp_path / "in.json", validation / "image", tmp_path / "r.html")
    page = Page(tmp_path / "r.html")
    of_image = [a for a in document["annotations"] if a["image_id"] == 3]
    assert len(page.all("img")) == 40 - len(of_image)
    assert "000003.jpg: is 720 x 560 pixels, and the file says 9 x 560" in page.text


@pytest.mark.no_cover
def test_without_examples_findings_have_no_links(
    faulty: Path, validation_images: Path, tmp_path: Path
) -> None:
    source = faulty.parent / "faulty.json"
    write_report(source, validation_images, tmp_path / "r.html", examples=0)
    page = Page(tmp_path / "r.html")
    assert not [a for a in page.all("a") if (a["href"] or "").startswith("#item-")]
    assert "annotation 13: v = 7" in page.text


@pytest.mark.no_cover
def test_from_an_archive(folder: Path, validation: Path, tmp_path: Path) -> None:
    archive = shutil.make_archive(str(tmp_path / "images"), "zip", validation / "image")
    write_report(folder / "keypoints_validation.json", archive, tmp_path / "r.html", examples=3)
    assert len(Page(tmp_path / "r.html").all("img")) == 3


@pytest.mark.parametrize(
    ("file", "images", "out", "message"),
    [
        ("no.json", "image", "r.html", "no.json: cannot be read"),
        ("out.json", "nowhere", "r.html", "nowhere: no such file or folder"),
        ("out.json", "image", "no/r.html", "there is no folder"),
        ("out.json", "image", "out.json", "the name must end with .html"),
        ("out.json", "image", "image/000001.jpg", "the name must end with .html"),
        ("out.html", "image", "out.html", "is read by this command"),
        ("out.json", "image", "image/r.html", "image, which is read. Write elsewhere."),
        ("out.json", "image.zip", "image.zip", "the name must end with .html"),
    ],
)
def test_what_cannot_be_done(
    make_split: MakeSplit, file: str, images: str, out: str, message: str
) -> None:
    split = make_split({1: make_annotation()})
    convert(split, split / "out.json")
    shutil.copy(split / "out.json", split / "out.html")
    shutil.make_archive(str(split / "image"), "zip", split / "image")
    before = {path: path.read_bytes() for path in split.rglob("*") if path.is_file()}
    result = run_command("report", split / file, "--images", split / images, "--out", split / out)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert {path: path.read_bytes() for path in split.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("packages", [["jinja2"], ["matplotlib"], ["matplotlib", "jinja2"]])
def test_what_is_not_installed_is_asked_for_once(
    make_split: MakeSplit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, packages: list[str]
) -> None:
    split = make_split({1: make_annotation()})
    convert(split, tmp_path / "out.json")
    for package in packages:
        monkeypatch.setitem(sys.modules, package, None)
    result = run_command(
        "report", tmp_path / "out.json", "--images", split / "image", "--out", tmp_path / "r.html"
    )
    assert result.exit_code == 2
    assert result.stderr == (
        f"df2coco: a report needs {packages[0]}, which is not installed: "
        'pip install "df2coco[report]".\n'
    )


# ---------------------------------------------------------------- strings of the data

EVIL = "</script></style><script>window.owned=1</script><img src=x onerror=window.owned=1>"
EVIL_FILE = "\"'><svg onload=window.owned=1>{{ 7*7 }}.jpg"


@pytest.fixture
def evil(tmp_path: Path) -> Path:
    """The report of a file whose every string wants to be code."""
    (tmp_path / "image").mkdir()
    (tmp_path / "image" / EVIL_FILE).write_bytes(make_jpeg(100, 120))
    item = {
        "image_id": 1, "category_id": 1, "bbox": [1, 1, 50, 60], "area": 9, "iscrowd": 0,
        "segmentation": [[1, 1, 50, 1, 50, 60]],
    }  # fmt: skip
    document = {
        "info": {"description": EVIL},
        "images": [
            {"id": 1, "file_name": EVIL_FILE, "width": 100, "height": 120, "source": EVIL},
            {"id": 2, "file_name": EVIL, "width": 100, "height": 120},
        ],
        "annotations": [
            {"id": 1, **item},
            {"id": 2, **item, "category_id": 2, "item": EVIL, "scale": EVIL},
            {"id": 3, **item, "image_id": 2},
        ],
        "categories": [{"id": 1, "name": EVIL}, {"id": 2, "name": f"{EVIL} $x$ {{{{ 7*7 }}}}"}],
    }
    name = "<b onclick=x>&amp;.json"
    (tmp_path / name).write_text(json.dumps(document))
    result = run_command(
        "report", tmp_path / name, "--images", tmp_path / "image", "--out", tmp_path / "report.html"
    )
    assert result.exit_code == 0, result.output
    return tmp_path / "report.html"


def test_strings_of_the_data_are_escaped(evil: Path) -> None:
    page = Page(evil)
    assert len(page.all("script")) == 1
    assert len(page.all("img")) == 2
    assert not [a for _, a in page.elements if any(name.startswith("on") for name in a)]
    assert not page.all("b")
    assert EVIL in page.text
    assert EVIL_FILE in (page.all("img")[0]["alt"] or "")
    assert page.text.startswith("<b onclick=x>&amp;.json: report")


# ---------------------------------------------------------------- in a browser


TAB, DOWN, ENTER, RIGHT, LEFT, ESCAPE = "\ue004", "\ue015", "\ue007", "\ue014", "\ue012", "\ue00c"


@pytest.fixture
def page(browser: Browser, folder: Path) -> Browser:
    browser.emulate("Emulation.setEmulatedMedia", features=[])
    browser.emulate("Emulation.clearDeviceMetricsOverride")
    browser.open(folder / "report.html")
    return browser


SHOWN = "[...document.querySelectorAll('#gallery > li')].filter(e => e.offsetParent).length"


def test_it_loads_without_errors(page: Browser) -> None:
    assert page.console() == []
    assert page.js("performance.getEntriesByType('resource').filter(e => !e.name.startsWith('data:')).length") == 0  # fmt: skip
    assert page.js("[...document.images].every(i => i.complete && i.naturalWidth > 200)")
    assert page.js("document.getElementById('count').textContent") == "40 of 40 examples"
    assert page.js(SHOWN) == 40


def test_filters_work_by_click(page: Browser) -> None:
    page.click("select[name=category] option:nth-child(9)")
    captions = "[...document.querySelectorAll('#gallery > li')].filter(e => e.offsetParent).map(e => e.querySelector('strong').textContent)"
    assert page.js(captions) == ["trousers"] * 6
    assert page.js("document.getElementById('count').textContent") == "6 of 40 examples"
    page.click("select[name=source] option:nth-child(2)")
    users = page.js(SHOWN)
    page.click("select[name=source] option:nth-child(3)")
    assert 0 < users < 6
    assert users + page.js(SHOWN) == 6
    page.click("#all")
    assert page.js(SHOWN) == 40
    assert page.console() == []


def test_filters_work_by_keyboard(page: Browser) -> None:
    page.js("document.querySelector('#examples h2').scrollIntoView()")
    order = []
    for _ in range(40):
        page.keys(TAB)
        order.append(page.js("document.activeElement.name || document.activeElement.id || document.activeElement.textContent"))  # fmt: skip
        if order[-1] == "occlusion":
            break
    # The skip link, the sections, the switch of colors, and the filters, in the order of the page.
    assert order[0] == "Skip to the report"
    assert order.index("theme") < order.index("category") < order.index("source")
    page.keys(DOWN)
    slight = page.js(SHOWN)
    page.keys(DOWN)
    assert page.js("document.activeElement.selectedOptions[0].textContent") == "medium"
    assert 0 < page.js(SHOWN) < slight < 40
    for _ in range(3):
        page.keys(TAB)
    assert page.js("document.activeElement.id") == "all"
    page.keys(ENTER)
    assert page.js(SHOWN) == 40


ENLARGED = (
    "document.getElementById('enlarged').open && document.querySelector('#enlarged p').textContent"
)
ALTS = "[...document.querySelectorAll('#gallery img')].map(e => e.alt)"


def test_pictures_enlarge_by_keyboard(page: Browser) -> None:
    alts = page.js(ALTS)
    page.js("document.querySelector('#gallery .enlarge').focus()")
    page.keys(ENTER)
    assert page.js(ENLARGED) == alts[0]
    assert page.js("document.querySelector('#enlarged img').getBoundingClientRect().height") > 500
    for key, expected in ((RIGHT, alts[1]), (RIGHT, alts[2]), (LEFT, alts[1])):
        page.keys(key)
        assert page.js(ENLARGED) == expected
    page.keys(ESCAPE)
    assert page.js(ENLARGED) is False
    assert page.js("document.activeElement.querySelector('img').alt") == alts[1]
    # What a filter hides is passed over.
    page.click("select[name=category] option:nth-child(9)")
    page.click("#gallery > li:not([hidden]) .enlarge")
    page.keys(LEFT)
    assert page.js(ENLARGED).startswith("trousers")
    page.click("#close")
    assert page.js(ENLARGED) is False
    assert page.console() == []


def test_a_finding_leads_to_its_picture(browser: Browser, faulty: Path) -> None:
    browser.open(faulty)
    browser.click("select[name=category] option:nth-child(9)")
    browser.click("#findings a[href='#item-13']")
    place = "document.getElementById('item-13').getBoundingClientRect()"
    assert browser.js(f"{place}.top >= 0 && {place}.top < innerHeight")
    assert browser.console() == []


def brightness(page: Browser) -> float:
    return sum(page.screenshot().convert("L").resize((1, 1)).tobytes())


def test_light_and_dark(page: Browser) -> None:
    looks = {}
    for scheme in ("light", "dark"):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        page.emulate("Emulation.setEmulatedMedia", features=[feature])
        page.js("location.reload()")
        looks[scheme] = brightness(page)
        # Text and charts are readable on either: the same color, far from the background's.
        ink = "getComputedStyle(document.querySelector('#charts svg text')).fill"
        assert page.js(ink) == page.js("getComputedStyle(document.body).color")
        page.click("#theme")
        looks[f"{scheme}, switched"] = brightness(page)
    assert (
        looks["light"]
        == pytest.approx(looks["dark, switched"], abs=4)
        == pytest.approx(240, abs=15)
    )
    assert (
        looks["dark"] == pytest.approx(looks["light, switched"], abs=4) == pytest.approx(30, abs=15)
    )


def contrast(page: Browser, text: str, behind: str) -> float:
    """WCAG's contrast ratio between the color of an element and the background of another."""

    def luminance(selector: str, name: str) -> float:
        color = page.js(f"getComputedStyle(document.querySelector('{selector}')).{name}")
        parts = [int(part) / 255 for part in re.findall(r"\d+", color)[:3]]
        red, green, blue = (
            p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((luminance(text, "color"), luminance(behind, "backgroundColor")))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(page: Browser, faulty: Path, scheme: str) -> None:
    feature = {"name": "prefers-color-scheme", "value": scheme}
    page.emulate("Emulation.setEmulatedMedia", features=[feature])
    for text, behind in (
        ("p", "body"), ("header p", "body"), ("thead th", "body"), (".good", "body"), ("nav a", "body"),
        ("button", "button"), ("select", "select"),
    ):  # fmt: skip
        assert contrast(page, text, behind) >= 4.5, (text, scheme)
    page.open(faulty)
    for text in (".note", "dt", "dd"):
        assert contrast(page, text, ".card") >= 4.5, (text, scheme)


def test_it_fits_a_telephone(page: Browser) -> None:
    page.emulate(
        "Emulation.setDeviceMetricsOverride",
        width=360,
        height=740,
        deviceScaleFactor=1,
        mobile=True,
    )
    page.js("location.reload()")
    assert page.js("document.documentElement.scrollWidth") <= 360
    assert page.js("document.querySelector('#gallery img').getBoundingClientRect().width") > 140
    assert page.js("document.documentElement.scrollHeight") < 12_000


def test_strings_of_the_data_stay_inert(browser: Browser, evil: Path) -> None:
    browser.open(evil)
    assert browser.console() == []
    assert browser.js("window.owned === undefined")
    assert browser.js(SHOWN) == 2
    browser.click("select[name=category] option:nth-child(2)")
    assert browser.js(SHOWN) == 1
    assert browser.js("document.querySelector('#gallery strong').textContent").startswith(
        "</script>"
    )
    # Even if something had come through, the page's policy runs its own script alone.
    browser.js(
        "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=window.owned=1>')"
    )
    time.sleep(0.3)
    assert browser.js("window.owned === undefined")
