"""README and docs: what is between their marks is made here from the code; their blocks are found here.

A mark is a pair of comments: <!-- name --> and <!-- /name -->.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Any

import typer

from df2coco import ImageRecord, Item, Selection, Shape, Summary
from df2coco.cli import load_commands
from df2coco.cli.app import app
from df2coco.cli.values import described
from df2coco.converter.restore import Restored
from df2coco.errors import printable
from df2coco.evaluation import Evaluation
from df2coco.evaluation.detection import Scores
from df2coco.export import Exported, ExportedSplit
from df2coco.parser.records import NOTICES, Notice
from df2coco.retrieval import RetrievalEvaluation, RetrievalScores, RetrievalSummary
from df2coco.stats import CategoryStatistics, SplitStatistics
from df2coco.subsets import Merged, Part
from df2coco.taxonomy import CATEGORIES, Category
from df2coco.validator import CHECKS, NEEDS, Check, Finding, Hit, Report, validate
from tests.conftest import ROOT
from tests.tools.terminal import terminal

PAGES = {
    path.relative_to(ROOT).as_posix(): path
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
}
"""Name -> file of each page that people read."""

FINDINGS = ROOT / "fixtures" / "findings"
SOURCE = FINDINGS / "source"
"""What most of the files in it were converted from."""


def marked(text: str, name: str) -> str | None:
    """What is between the marks `name`; None when they are not there."""
    match = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", text, re.S)
    return None if match is None else match[1].strip()


def notices_table() -> str:
    """The codes of what a conversion drops, repairs or notices."""
    rows = [f"| `{code}` | {kind.level} | {kind.sentence} |" for code, kind in NOTICES.items()]
    return "\n".join(["| code | level | meaning |", "|---|---|---|", *rows])


def landmarks_table() -> str:
    """The categories with their numbers of landmarks and their slots."""
    rows = [
        f"| {c.id} | {c.name} | {c.num_landmarks} | {c.first_slot} to {c.slots[-1]} | "
        f"{len(c.skeleton)} | {len(c.flip_pairs)} |"
        for c in CATEGORIES
    ]
    head = "| id | category | landmarks | slots in the 294, from 0 | edges | mirror pairs |"
    return "\n".join([head, "|--:|---|--:|---|--:|--:|", *rows])


_SUBJECTS: Mapping[str, Callable[[Check], bool]] = {
    "The pictures (with --images)": lambda check: check.needs == "images",
    "The comparison with the source (with --against)": lambda check: check.needs == "source",
    "Landmarks": lambda check: re.search("landmark|keypoint|skeleton", check.code) is not None,
    "Categories": lambda check: check.about == "category",
    "Images": lambda check: check.about == "image",
    "Annotations, boxes and masks": lambda check: check.about == "annotation",
    "The file as a whole": lambda _: True,
}
"""Heading -> whether a check belongs below it; the first that fits has it."""


def checks_index() -> str:
    """All checks by subject: code (a link to its page), level, defect."""
    tables: dict[str, list[str]] = {subject: [] for subject in reversed(_SUBJECTS)}
    for check in sorted(CHECKS, key=lambda check: check.code):
        subject = next(name for name, fits in _SUBJECTS.items() if fits(check))
        cells = f"[`{check.code}`]({check.code}.md)", check.level, check.sentence
        tables[subject].append("| " + " | ".join(cells) + " |")
    head = "| code | level | defect |\n|---|---|---|"
    return "\n\n".join(
        f"## {subject}\n\n" + "\n".join([head, *rows]) for subject, rows in tables.items()
    )


def check_pages() -> dict[str, str]:
    """The page of each check, by its name."""
    return {
        f"docs/checks/{check.code}.md": f"""---
description: {json.dumps(f"{check.code}: {check.sentence}".replace('"', "'"))}
---

# {check.code}

{check.sentence}

- **level**: {check.level}
- **checked**: {NEEDS[check.needs]}{", on files of DeepFashion2" * check.garments}
- **affects**: {check.affects}
- **cause**: {check.cause}
- **remedy**: {check.remedy}
- **example**, in a clone of the repository: {_example(check)}

`df2coco explain {check.code}` prints the same. [All checks](index.md)
"""
        for check in CHECKS
    }


def _example(check: Check) -> str:
    """The file of `fixtures/findings` that fails the check, and the place that `validate` names."""
    path = FINDINGS / f"{check.code}.json"
    source = path.with_suffix(".source") if path.with_suffix(".source").is_dir() else SOURCE
    options = {"images": ("images", source / "image"), "source": ("against", source)}
    name, value = options.get(check.needs, ("", None))
    report = validate(path, **({name: value} if name else {}))
    (hit,) = (f.hits[0] for f in report.findings if f.check.code == check.code)
    words = ["df2coco validate", path.relative_to(ROOT).as_posix()]
    words += [f"--{name}", value.relative_to(ROOT).as_posix()] if value else []
    words += ["--notes"] if check.level == "note" else []
    place = "" if hit.id is None else f"{hit.about or check.about} {hit.id}"
    text = printable(": ".join(each for each in (place, hit.detail) if each))
    return f"`{' '.join(words)}`" + (f" names `{text}`" if text else "")


def commands_reference() -> str:
    """Every command with its arguments and options, from what their help is made of."""
    load_commands()
    return "\n\n".join(_sections(typer.main.get_command(app), "df2coco"))


def _sections(command: Any, name: str) -> Iterator[str]:
    if hasattr(command, "commands"):
        for child in sorted(command.commands):
            yield from _sections(command.commands[child], f"{name} {child}")
        return
    context = command.context_class(command, info_name=name)
    usage = command.get_usage(context).removeprefix("Usage: ").replace("\n", " ")
    shown = [described(parameter) for parameter in command.params if not parameter.hidden]
    entries = [f"- `{names}`: {_prose(text)}" for names, text in shown]
    about = _prose(command.help or "")
    yield "\n".join([f"## {name}", "", about, "", f"`{' '.join(usage.split())}`", "", *entries])


def _prose(text: str) -> str:
    """Help as a paragraph of Markdown, in which <...> is no tag."""
    joined = re.sub(r"(?<!\n)\n(?!\n)", " ", text.replace("\b\n", "").strip())
    return escape(joined, quote=False)


API = (
    Shape, Selection, Summary, Notice, ImageRecord, Item, Category, Evaluation, Scores,
    RetrievalEvaluation, RetrievalScores, RetrievalSummary, Report, Finding, Check, Hit, SplitStatistics,
    CategoryStatistics, Restored, Exported, ExportedSplit, Merged, Part,
)  # fmt: skip
"""What the library's functions take and give, and what is in it."""

MARKED: Mapping[str, Any] = {
    "notices": notices_table,
    "landmarks": landmarks_table,
    "commands": commands_reference,
    "checks": checks_index,
}
"""Mark -> what makes the text between."""


def console_blocks(text: str) -> list[str]:
    """Blocks of commands, each behind a `$`, with what they print."""
    return re.findall(r"^```console\n(.*?)^```", text, re.M | re.S)


TERMINAL = ROOT / "docs" / "pictures" / "terminal.svg"


def terminal_picture() -> str:
    """README's first two console blocks, convert and validate, as a terminal shows them."""
    blocks = console_blocks((ROOT / "README.md").read_text())[:2]
    return terminal("\n".join(blocks).splitlines())


def python_blocks(text: str) -> list[str]:
    """Blocks of Python, without those that need a framework: tests/consumers has these."""
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)
    return [block for block in blocks if not block.startswith("# needs ")]


def commands_of(block: str) -> list[tuple[str, str]]:
    """The commands of a console block, each with what is below it."""
    return re.findall(r"^\$ ((?:.*\\\n)*.*)\n((?:(?!\$ ).*\n)*)", block, re.M)


def normalized(text: str) -> str:
    """An output without what differs from run to run."""
    return re.sub(r"\d+\.\d seconds", "0.0 seconds", text).strip()


def environment() -> dict[str, str]:
    """A terminal of 80 columns without colours, in which `df2coco` is this one."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "COLUMNS": "80", "NO_COLOR": "1"}


@contextmanager
def workplace() -> Iterator[Path]:
    """A folder where commands find what README and docs name."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "fixtures").symlink_to(ROOT / "fixtures")
        command = ["bash", "-c", "df2coco convert fixtures/validation out.json -q"]
        subprocess.run(command, cwd=folder, env=environment(), check=True)
        yield folder
