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
from tests.tools.documents import MARKED, PAGES, commands_of, environment, normalized


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


if __name__ == "__main__":
    for page in PAGES.values():
        with tempfile.TemporaryDirectory() as name:
            work = Path(name)
            (work / "fixtures").symlink_to(ROOT / "fixtures")
            command = ["bash", "-c", "df2coco convert fixtures/validation out.json -q"]
            subprocess.run(command, cwd=work, env=environment(), check=True)
            page.write_text(with_output(with_marked(page.read_text()), work))
