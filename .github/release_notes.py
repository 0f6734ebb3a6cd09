"""Print the section of CHANGELOG.md that belongs to a version: `python release_notes.py 0.2.0`."""

import re
import sys
from pathlib import Path


def section(changelog: str, version: str) -> str:
    """The text below the heading of a version. Raises `SystemExit` when there is none."""
    match = re.search(
        rf"^## {re.escape(version)} \(\d{{4}}-\d\d-\d\d\)\n(.*?)(?=^## |\Z)", changelog, re.M | re.S
    )
    if match is None:
        raise SystemExit(
            f"CHANGELOG.md: no section '## {version} (date)'. Write it before the release."
        )
    return match[1].strip()


if __name__ == "__main__":
    print(section((Path(__file__).parent.parent / "CHANGELOG.md").read_text("utf-8"), sys.argv[1]))
