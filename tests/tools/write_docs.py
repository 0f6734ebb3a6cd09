"""Write into README and docs what their tests expect of them: part of `make regenerate`.

What stands between marks comes from the code, and the output below each `$` in a console block from
running it.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
from pathlib import Path

from tests.conftest import ROOT
from tests.tools.documents import (
    MARKED,
    PAGES,
    TERMINAL,
    check_pages,
    commands_of,
    console_blocks,
    environment,
    normalized,
    terminal_picture,
    workplace,
)
from tests.tools.notebook import NOTEBOOK, PICTURE, executed, page_of, picture_of, printed
from tests.tools.notebook import PAGE as NOTEBOOK_PAGE


def with_marked(text: str) -> str:
    """The page with what belongs between its marks."""
    for name, make in MARKED.items():
        head, opening, rest = text.partition(f"<!-- {name} -->\n")
        if opening:
            _, closing, tail = rest.partition(f"<!-- /{name} -->")
            text = f"{head}{opening}{make().strip()}\n{closing}{tail}"
    return text


def with_output(text: str, folder: Path) -> str:
    """The page with what its commands print, run one after the other in `folder`."""

    def rerun(match: re.Match[str]) -> str:
        shown = ""
        for command, old in commands_of(match[1]):
            result = subprocess.run(
                ["bash", "-c", f"{command} 2>&1"],
                cwd=folder,
                env=environment(),
                capture_output=True,
                text=True,
            )
            same = normalized(result.stdout) == normalized(old)
            shown += f"$ {command}\n{(old if same else result.stdout).rstrip()}\n"
        return f"```console\n{shown}```"

    return re.sub(r"^```console\n(.*?)^```", rerun, text, flags=re.M | re.S)


def write_check_pages() -> None:
    """A page for each check, and none for a check that is no more."""
    pages = check_pages()
    for name in PAGES:
        if name.startswith("docs/checks/") and name not in {*pages, "docs/checks/index.md"}:
            (ROOT / name).unlink()
    for name, text in pages.items():
        (ROOT / name).write_text(text)


def write_notebook() -> None:
    """Run the notebook again where nbclient is installed, and write its page."""
    text = NOTEBOOK.read_text()
    if importlib.util.find_spec("nbclient") is None:
        print("nbclient is not installed (make docs does that): the notebook is not run again")
    else:
        with workplace() as folder:
            new = executed(text, folder)
        if printed(new) != printed(text) or picture_of(new) != PICTURE.read_bytes():
            NOTEBOOK.write_text(new)
            PICTURE.write_bytes(picture_of(new))
            text = new
    NOTEBOOK_PAGE.write_text(page_of(text))


def main() -> None:
    """All of it."""
    write_check_pages()
    for page in [path for path in PAGES.values() if path.exists()]:
        text = with_marked(page.read_text())
        if console_blocks(text):
            with workplace() as folder:
                text = with_output(text, folder)
        page.write_text(text)
    write_notebook()
    TERMINAL.write_text(terminal_picture())


if __name__ == "__main__":
    main()
