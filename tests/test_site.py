"""The site as a browser gets it: what is lost between Markdown and HTML, and whether everything is found.

`make docs` runs this with the site that it has built (the variable SITE); without, it is built here.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import typer

import df2coco
from df2coco.cli import load_commands
from df2coco.cli.app import app
from df2coco.validator import CHECKS
from tests.browser import Browser
from tests.conftest import ROOT
from tests.tools.documents import API, PAGES, workplace
from tests.tools.notebook import NOTEBOOK, executed, printed

pytest.importorskip("material", reason="the site is built with the extra docs")

pytestmark = [pytest.mark.slow, pytest.mark.posix]


class Page(HTMLParser):
    """The texts, links and addresses of a page of the site, within its article."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.text, self.entries = "", [""]
        """All text, and that of each item of a list or row of a table."""
        self.prose = ""
        """Text outside of code."""
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.description = ""
        self._inside: list[str] = []
        self.source = path.read_text()
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "meta" and values.get("name") == "description":
            self.description = values["content"]
        self.ids.add(values.get("id", ""))
        if tag in ("article", "code", "pre") and ("article" in self._inside or tag == "article"):
            self._inside.append(tag)
        if tag in ("li", "tr"):
            self.entries.append("")
        if tag == "a" and "article" in self._inside:
            self.links.append(values.get("href", ""))

    def handle_endtag(self, tag: str) -> None:
        if self._inside and tag == self._inside[-1]:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if "article" in self._inside:
            self.text += data
            self.entries[-1] += data
            if self._inside[-1] == "article":
                self.prose += data


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site."""
    if "SITE" in os.environ:
        return ROOT / os.environ["SITE"]
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
    command += ["--config-file", str(ROOT / ".mkdocs.yml"), "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    subprocess.run(command, check=True, cwd=ROOT, env=environment)
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, Page]:
    """Name of the Markdown file -> its page."""
    return {name: Page(address(site, name)) for name in PAGES if name.startswith("docs/")}


def address(site: Path, name: str) -> Path:
    """The page that is made of a file of docs."""
    path = Path(name).relative_to("docs").with_suffix("")
    return (site / path.parent if path.name == "index" else site / path) / "index.html"


def test_nothing_of_the_markdown_is_left(pages: dict[str, Page]) -> None:
    for name, page in pages.items():
        for left in (r"\\\|", r"\\[<>]"):
            assert not re.search(left, page.text), f"{name}: {left}"
        assert not re.search(r"\*\*|\]\(|:::|`", page.prose), name


def parameters() -> list[Any]:
    """Each command's name, parameter, and what `--help` says of it."""
    load_commands()

    def of(command: Any, name: str) -> list[Any]:
        if hasattr(command, "commands"):
            children = command.commands.items()
            return [row for child, each in children for row in of(each, f"{name} {child}")]
        context = command.context_class(command, info_name=name)
        return [
            pytest.param(name, record, id=f"{name} {parameter.name}")
            for parameter in command.params
            if (record := parameter.get_help_record(context))
        ]

    return of(typer.main.get_command(app), "df2coco")


@pytest.mark.parametrize(("command", "record"), parameters())
def test_the_page_of_commands_says_what_help_says(
    command: str, record: tuple[str, str], pages: dict[str, Page]
) -> None:
    names, text = record
    page = pages["docs/command-line.md"]
    assert command.replace(" ", "-") in page.ids
    sentences, _, extras = text.partition("  [")
    flat = [" ".join(entry.split()) for entry in page.entries]
    first = " ".join(sentences.split()).strip()
    said = [entry for entry in flat if first in entry and names.split(" <")[0] in entry]
    assert said, f"{names}: {first}"
    if default := re.search(r"default: \(?([^;\])]*)", extras):
        assert any(f"Default: {default[1]}" in entry for entry in said), default[1]


def test_every_page_has_a_description_of_its_own(pages: dict[str, Page]) -> None:
    descriptions = [page.description for page in pages.values()]
    assert min(map(len, descriptions)) > 10
    assert len(set(descriptions)) == len(pages)
    for name, page in pages.items():  # not the site's, which a page without one gets
        assert page.description in PAGES[name].read_text()


def test_every_page_can_be_edited_and_leads_on(pages: dict[str, Page]) -> None:
    for name, page in pages.items():
        assert f"https://github.com/df2coco/df2coco/edit/main/{name}" in page.links, name
        if not name.startswith("docs/checks/") or name.endswith("index.md"):
            assert re.search(r'class="md-footer__link md-footer__link--(prev|next)"', page.source)
        assert 'data-md-color-scheme="slate"' in page.source


def test_two_clicks_lead_from_readme_to_every_check(pages: dict[str, Page]) -> None:
    assert "(docs/checks/index.md)" in (ROOT / "README.md").read_text()
    index = pages["docs/checks/index.md"]
    assert 'href="checks/"' in pages["docs/index.md"].source
    for check in CHECKS:
        assert f"{check.code}/" in index.links
        assert check.link == f"https://df2coco.github.io/df2coco/checks/{check.code}/"
        assert check.remedy in " ".join(pages[f"docs/checks/{check.code}.md"].text.split())


def test_the_api_has_every_public_name(pages: dict[str, Page]) -> None:
    names = {name.rpartition(".")[2] for name in pages["docs/api.md"].ids}
    assert set(df2coco.__all__) <= names
    assert {kind.__name__ for kind in API} <= names


def test_the_notebook_gives_what_it_shows() -> None:
    pytest.importorskip("nbclient")
    text = NOTEBOOK.read_text()
    with workplace() as folder:
        assert printed(executed(text, folder)) == printed(text), "run make regenerate"


# ---------------------------------------------------------------- in a browser


def test_the_copy_button_takes_commands_alone(site: Path, browser: Browser) -> None:
    browser.open(site / "index.html")
    copied = browser.js("""(() => {
        const code = document.querySelector('code:has(.gp)')
        code.setAttribute('data-md-copying', '')
        return code.innerText
    })()""")
    assert [line for line in copied.splitlines() if line.strip()] == [
        "df2coco convert fixtures/validation/annos small.json --quiet",
        "df2coco validate small.json",
    ]


BROKEN = r"""[...document.querySelectorAll('article td code, article li > code')].filter(code => {
    const range = document.createRange(), text = code.firstChild
    return [...text.data.matchAll(/[^\s|/-]+/g)].some(word => {
        range.setStart(text, word.index)
        range.setEnd(text, word.index + word[0].length)
        const parts = [...range.getClientRects()]
        const width = parts.map(part => part.width).reduce((sum, each) => sum + each)
        return new Set(parts.map(part => Math.round(part.top))).size > 1 && width < 300
    })
}).map(code => code.textContent)"""
"""The codes of which a word goes on in the next line, though a line has room for it."""


@pytest.mark.parametrize("name", ["file-format", "command-line", "checks", "training"])
def test_a_telephone_shows_names_whole(name: str, site: Path, browser: Browser) -> None:
    browser.emulate(
        "Emulation.setDeviceMetricsOverride",
        width=390, height=844, deviceScaleFactor=1, mobile=True,
    )  # fmt: skip
    browser.open(site / name / "index.html")
    assert browser.js(BROKEN) == []
    assert browser.js("document.documentElement.scrollWidth") <= 390
