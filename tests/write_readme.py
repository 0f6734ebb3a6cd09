"""Write into README.md what its tests expect of it: `make readme`.

Tables come from the code, and the output below each `$` in a console block from running it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.conftest import ROOT
from tests.test_readme import TABLES


def environment() -> dict[str, str]:
    """A terminal of 80 columns without colours, in which `df2coco` is this one."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "COLUMNS": "80", "NO_COLOR": "1"}


def with_tables(text: str) -> str:
    for name, table in TABLES.items():
        text = re.sub(
            rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)",
            lambda m, table=table: f"{m[1]}{table().strip()}\n{m[2]}",  # type: ignore[misc]
            text,
            flags=re.S,
        )
    return text


def with_output(text: str, folder: Path) -> str:
    def rerun(match: re.Match[str]) -> str:
        shown = ""
        for command in re.findall(r"^\$ ((?:.*\\\n)*.*)\n", match[1], re.M):
            result = subprocess.run(
                ["bash", "-c", f"{command} 2>&1"],
                cwd=folder,
                env=environment(),
                capture_output=True,
                text=True,
            )
            shown += f"$ {command}\n{result.stdout.rstrip()}\n"
        return f"```console\n{shown}```"

    return re.sub(r"^```console\n(.*?)^```", rerun, text, flags=re.M | re.S)


if __name__ == "__main__":
    readme = ROOT / "README.md"
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "fixtures").symlink_to(ROOT / "fixtures")
        readme.write_text(with_output(with_tables(readme.read_text()), Path(name)))
