"""README, help and code say the same: its tables are generated, its commands and code are run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from df2coco.cli.app import app
from df2coco.parser.records import NOTICES
from df2coco.validator import checks_table
from tests.conftest import ROOT
from tests.test_cli import run

README = (ROOT / "README.md").read_text()


def block(name: str) -> str:
    """What stands between <!-- name --> and <!-- /name -->."""
    match = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", README, re.S)
    assert match is not None, name
    return match.group(1)


def options_table(command_name: str) -> str:
    """The options of a command as a table, from what its help is made of."""
    group = typer.main.get_command(app)
    rows = ["| option | meaning |", "|---|---|"]
    for parameter in group.commands[command_name].params:  # type: ignore[attr-defined]
        names = [name for name in parameter.opts if name.startswith("--")]
        if not names or names == ["--help"]:
            continue
        value = "" if parameter.is_flag else f" {parameter.metavar}"
        help_text = (parameter.help or "").replace("|", "\\|")
        rows.append(f"| `{names[0]}{value}` | {help_text} |".replace("|category`", "\\|category`"))
    return "\n".join(rows) + "\n"


def notices_table() -> str:
    rows = ["| code | | meaning |", "|---|---|---|"]
    rows += [f"| `{code}` | {kind.level} | {kind.sentence} |" for code, kind in NOTICES.items()]
    return "\n".join(rows) + "\n"


TABLES = {
    "options": lambda: options_table("convert"),
    "notices": notices_table,
    "checks": checks_table,
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_those_of_the_code(name: str) -> None:
    assert block(name).strip() == TABLES[name]().strip()


def test_every_field_of_the_file_is_told(validation: Path, tmp_path: Path) -> None:
    import json

    assert run("convert", validation, tmp_path / "o.json").exit_code == 0
    document = json.loads((tmp_path / "o.json").read_bytes())
    told = {
        (field, place.strip())
        for fields, places in re.findall(r"^\| (`.*?) \| (.*?) \|", block("fields"), re.M)
        for field in re.findall(r"`(\w+)`", fields)
        for place in places.split(",")
    }
    written = {(key, "image") for image in document["images"] for key in image}
    written |= {(key, "annotation") for a in document["annotations"] for key in a}
    written |= {
        (key, "category") for c in document["categories"] for key in c if key != "supercategory"
    }
    written.add(("df2coco", "info"))
    assert told == written


CONSOLE = re.findall(r"^```console\n(.*?)^```", README, re.M | re.S)
PYTHON = [
    code
    for code in re.findall(r"^```python\n(.*?)^```", README, re.M | re.S)
    if not code.startswith("# needs ")  # tests/consumers has these libraries
]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where the README's commands find what they name."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "fixtures").symlink_to(ROOT / "fixtures")
    assert run("convert", ROOT / "fixtures" / "validation", folder / "out.json").exit_code == 0
    return folder


def normalized(text: str) -> str:
    return re.sub(r"\d+\.\d seconds", "0.0 seconds", text).strip()


@pytest.mark.parametrize("text", CONSOLE, ids=lambda t: t.splitlines()[0][2:50])
def test_commands_print_what_the_readme_shows(text: str, workplace: Path) -> None:
    from tests.write_readme import environment

    for command, shown in re.findall(r"^\$ ((?:.*\\\n)*.*)\n((?:(?!\$ ).*\n)*)", text, re.M):
        result = subprocess.run(
            ["bash", "-c", f"{command} 2>&1"],
            cwd=workplace,
            env=environment(),
            capture_output=True,
            text=True,
        )
        assert normalized(result.stdout) == normalized(shown), command


@pytest.mark.parametrize("code", PYTHON, ids=lambda c: c.splitlines()[0][:50])
def test_code_runs(code: str, workplace: Path) -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=workplace, check=True)


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
