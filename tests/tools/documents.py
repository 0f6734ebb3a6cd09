"""README and docs: what stands between their marks is made here from the code; their blocks are found here.

A mark is a pair of comments: <!-- name --> and <!-- /name -->.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import typer

from df2coco.cli import load_commands
from df2coco.cli.app import app
from df2coco.errors import printable
from df2coco.parser.records import NOTICES
from df2coco.taxonomy import CATEGORIES
from df2coco.validator import CHECKS, NEEDS, Check, validate
from tests.conftest import ROOT

PAGES = {
    path.relative_to(ROOT).as_posix(): path
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
}
"""Name -> file of each page that people read."""

FINDINGS = ROOT / "fixtures" / "findings"
SOURCE = FINDINGS / "source"
"""What most of the files in it were converted from."""


def marked(text: str, name: str) -> str | None:
    """What stands between the marks `name`; None when they are not there."""
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


def checks_table() -> str:
    """All checks: code (a link to its section), level, when, defect."""
    lines = ["| code | level | when | defect |", "|---|---|---|---|"]
    for check in CHECKS:
        sentence = check.sentence.replace("|", "\\|")
        cells = f"[`{check.code}`](#{check.code})", check.level, NEEDS[check.needs], sentence
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def checks_sections() -> str:
    """A section for each check, whose anchor is the code."""
    return "\n".join(
        f"### {check.code}\n\n"
        f"*{check.level}, {NEEDS[check.needs]}{', DeepFashion2 only' * check.garments}.* {check.sentence}\n\n"
        f"- affects: {check.affects}\n- cause: {check.cause}\n- remedy: {check.remedy}\n"
        f"- example: {_example(check)}\n"
        for check in CHECKS
    )


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
    arguments = [_value(each) for each in command.params if not _is_option(each)]
    usage = " ".join([*arguments, "[OPTIONS]"])
    lines = [f"## {name}", "", _prose(command.help or ""), "", f"`{name} {usage}`", ""]
    rows = [row for parameter in command.params if (row := _row(parameter))]
    yield "\n".join([*lines, "| argument or option | meaning |", "|---|---|", *rows])


def _is_option(parameter: Any) -> bool:
    return any(name.startswith("-") for name in parameter.opts)


def _value(parameter: Any) -> str:
    kind = getattr(parameter, "type", None)
    choices = "|".join(getattr(kind, "choices", ()))
    return parameter.metavar or choices or getattr(kind, "name", parameter.name).upper()


def _prose(text: str) -> str:
    return re.sub(r"(?<!\n)\n(?!\n)", " ", text.replace("\b\n", "").strip())


def _row(parameter: Any) -> str | None:
    if getattr(parameter, "hidden", False):
        return None
    names = [name for name in parameter.opts if name.startswith("-")]
    value = "" if getattr(parameter, "is_flag", False) else _value(parameter)
    cell = " ".join([", ".join(names), value]).strip() or parameter.name.upper()
    text = _prose(parameter.help or "")
    default = parameter.default
    if (
        names
        and parameter.show_default
        and isinstance(default, (str, int))
        and value
        and "default" not in text.lower()
    ):
        text += f" Default: {default}."
    # A bar would end its cell.
    return "| `{}` | {} |".format(*(each.replace("|", "\\|") for each in (cell, text)))


MARKED: Mapping[str, Any] = {
    "notices": notices_table,
    "landmarks": landmarks_table,
    "commands": commands_reference,
    "checks": lambda: f"{checks_table()}\n{checks_sections()}",
}
"""Mark -> what makes the text between."""


def console_blocks(text: str) -> list[str]:
    """Blocks of commands, each behind a `$`, with what they print."""
    return re.findall(r"^```console\n(.*?)^```", text, re.M | re.S)


def python_blocks(text: str) -> list[str]:
    """Blocks of Python, without those that need a framework: tests/consumers has these."""
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)
    return [block for block in blocks if not block.startswith("# needs ")]


def commands_of(block: str) -> list[tuple[str, str]]:
    """The commands of a console block, each with what stands below it."""
    return re.findall(r"^\$ ((?:.*\\\n)*.*)\n((?:(?!\$ ).*\n)*)", block, re.M)


def normalized(text: str) -> str:
    """An output without what differs from run to run."""
    return re.sub(r"\d+\.\d seconds", "0.0 seconds", text).strip()


def environment() -> dict[str, str]:
    """A terminal of 80 columns without colours, in which `df2coco` is this one."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "COLUMNS": "80", "NO_COLOR": "1"}
