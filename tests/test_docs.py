"""README, docs, help and code say the same: tables are generated, commands and code are run."""

from __future__ import annotations

import inspect
import json
import pydoc
import re
import subprocess
import sys
from pathlib import Path

import pytest

from df2coco.validator import CHECKS
from df2coco.validator.checks import PAGE
from tests.conftest import ROOT
from tests.test_cli import run
from tests.tools.documents import (
    API,
    MARKED,
    PAGES,
    TERMINAL,
    check_pages,
    commands_of,
    console_blocks,
    environment,
    marked,
    normalized,
    python_blocks,
    terminal_picture,
)
from tests.tools.notebook import NOTEBOOK, PICTURE, page_of, picture_of

TEXTS = {name: path.read_text() for name, path in PAGES.items()}
FIELDS = marked(TEXTS["docs/file-format.md"], "fields") or ""

every_page = pytest.mark.parametrize("page", PAGES)


@pytest.mark.parametrize("name", MARKED)
def test_what_stands_between_marks_is_the_codes(name: str) -> None:
    found = [block for text in TEXTS.values() if (block := marked(text, name)) is not None]
    assert found == [MARKED[name]().strip()], "run make regenerate"


def test_every_check_has_its_page() -> None:
    pages = {name: text for name, text in TEXTS.items() if name.startswith("docs/checks/")}
    index = pages.pop("docs/checks/index.md")
    assert pages == check_pages(), "run make regenerate"
    for check in CHECKS:
        assert f"[`{check.code}`]({check.code}.md)" in index
        assert check.link == f"{PAGE}{check.code}/"


def test_the_notebooks_page_is_the_notebook() -> None:
    text = NOTEBOOK.read_text()
    assert TEXTS["docs/notebook.md"] == page_of(text), "run make regenerate"
    assert PICTURE.read_bytes() == picture_of(text)


def test_the_picture_of_a_terminal_shows_what_readme_shows() -> None:
    assert TERMINAL.read_text() == terminal_picture(), "run make regenerate"


def test_every_field_of_the_file_is_described(validation: Path, tmp_path: Path) -> None:
    assert run("convert", validation, tmp_path / "o.json").exit_code == 0
    document = json.loads((tmp_path / "o.json").read_bytes())
    described = {
        (field, place.strip())
        for fields, places in re.findall(r"^\| (`.*?) \| (.*?) \|", FIELDS, re.M)
        for field in re.findall(r"`(\w+)`", fields)
        for place in places.split(",")
    }
    written = {(key, "image") for image in document["images"] for key in image}
    written |= {(key, "annotation") for a in document["annotations"] for key in a}
    written |= {
        (key, "category") for c in document["categories"] for key in c if key != "supercategory"
    }
    written.add(("df2coco", "info"))
    assert described == written


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    """A folder where the commands of a page find what they name."""
    (tmp_path / "fixtures").symlink_to(ROOT / "fixtures")
    assert run("convert", ROOT / "fixtures" / "validation", tmp_path / "out.json").exit_code == 0
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("page", [name for name, text in TEXTS.items() if console_blocks(text)])
@pytest.mark.posix
def test_commands_print_what_a_page_shows(page: str, workplace: Path) -> None:
    for block in console_blocks(TEXTS[page]):
        for command, shown in commands_of(block):
            result = subprocess.run(
                ["bash", "-c", f"{command} 2>&1"],
                cwd=workplace,
                env=environment(),
                capture_output=True,
                text=True,
            )
            assert normalized(result.stdout) == normalized(shown), f"{command}: run make regenerate"


@pytest.mark.slow
@pytest.mark.parametrize("page", [name for name, text in TEXTS.items() if python_blocks(text)])
@pytest.mark.posix
def test_code_runs(page: str, workplace: Path) -> None:
    for code in python_blocks(TEXTS[page]):
        # The second is pycocotools' own, in its mask.decode under numpy 2.
        warnings = ("-W", "error", "-W", "ignore:__array__ implementation:DeprecationWarning")
        subprocess.run([sys.executable, *warnings, "-c", code], cwd=workplace, check=True)


@pytest.mark.posix
def test_questions_are_answered_with_the_table(workplace: Path) -> None:
    pytest.importorskip("duckdb")
    (code,) = re.findall(
        r"^```python\n(# needs duckdb\n.*?)^```", TEXTS["docs/looking.md"], re.M | re.S
    )
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, cwd=workplace, check=True, capture_output=True, text=True)
    hidden, pairs, largest = (
        [[cell.strip() for cell in row.strip("│").split("│")] for row in rows]
        for rows in (re.findall("^│.*│$", each, re.M) for each in result.stdout.split("\n\n"))
        if rows
    )
    document = json.loads((workplace / "out.json").read_bytes())
    images = {image["id"]: image for image in document["images"]}
    names = {entry["id"]: entry["name"] for entry in document["categories"]}
    shares: dict[str, list[float]] = {}
    sizes = []
    for each in document["annotations"]:
        image = images[each["image_id"]]
        sizes.append((each["bbox"][2] * each["bbox"][3] / image["width"] / image["height"], image))
        if each["num_keypoints"]:
            share = each["keypoints"][2::3].count(1) / each["num_keypoints"]
            shares.setdefault(names[each["category_id"]], []).append(share)
    most = max(shares, key=lambda name: sum(shares[name]) / len(shares[name]))
    assert hidden[0] == ["category", "hidden"]
    assert (hidden[2][0], len(hidden)) == (most, 2 + len(shares))  # below names and types
    assert pairs[0] == ["pair_id", "style", "category", "photos"]
    assert int(pairs[2][3]) >= 2
    assert largest[2][0] == max(sizes, key=lambda each: each[0])[1]["file_name"]
    assert len(largest) == 2 + 5


@every_page
def test_links_lead_somewhere(page: str) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", TEXTS[page]):
        file = PAGES[page].parent / target if target else PAGES[page]
        assert file.exists(), target
        assert ".." not in target, "is not on the site"
        if anchor:
            assert anchor in anchors(file.read_text()), f"{target}#{anchor}"


def anchors(text: str) -> set[str]:
    """The names of a page's headings, as GitHub and the site make them."""
    headings = re.findall(r"^#+ (.*)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


@every_page
def test_no_cell_of_a_table_ends_at_a_bar_that_is_part_of_it(page: str) -> None:
    """GitHub ends a cell at a bar, also within code."""
    for table in re.findall(r"(?:^\|.*\n)+", TEXTS[page], re.M):
        counts = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(counts) == 1, table.splitlines()[0]


@pytest.mark.parametrize("kind", API, ids=lambda kind: kind.__name__)
def test_help_explains_the_fields_of_results(kind: type) -> None:
    shown = pydoc.render_doc(kind, renderer=pydoc.plaintext)
    for name in inspect.get_annotations(kind):
        assert re.search(rf"- {name}: \w*", shown), name
