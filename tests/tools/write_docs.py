"""Write into README and docs what their tests expect of them: part of `make regenerate`.

What stands between marks comes from the code, and the output below each `$` in a console block from
running it.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

from tests.conftest import ROOT
from tests.tools.documents import (
    MARKED,
    PAGES,
    check_pages,
    commands_of,
    console_blocks,
    environment,
    normalized,
)


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


def main() -> None:
    """All of it."""
    write_check_pages()
    for page in [path for path in PAGES.values() if path.exists()]:
        text = with_marked(page.read_text())
        if console_blocks(text):
            with tempfile.TemporaryDirectory() as name:
                work = Path(name)
                (work / "fixtures").symlink_to(ROOT / "fixtures")
                command = ["bash", "-c", "df2coco convert fixtures/validation out.json -q"]
                subprocess.run(command, cwd=work, env=environment(), check=True)
                text = with_output(text, work)
        page.write_text(text)


if __name__ == "__main__":
    main()
