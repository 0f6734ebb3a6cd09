"""How the command line starts and ends: what it loads, values of options, standard streams that fail."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperCommand, TyperGroup
from typer.testing import CliRunner

from df2coco.cli import COMMANDS, load_commands
from df2coco.cli.app import app
from df2coco.cli.values import Command, CommandGroup
from df2coco.converter.run import convert
from df2coco.version import DOCS
from tests.conftest import ROOT
from tests.test_cli import command, on_terminal
from tests.test_source import pack

load_commands()

# Older versions of typer look whether there is a `rich`, but do not load its parts.
BAIT = {"rich.console", "pydantic", "numpy", "PIL", "pycocotools", "orjson", "tqdm"}


def loaded_by(*arguments: Any) -> set[str]:
    """The modules that a run of the command line loads."""
    script = (
        "import sys, df2coco.cli\n"
        "try: df2coco.cli.main()\n"
        "finally: print(*sys.modules, file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(result.stderr.splitlines()[-1].split())


class TestWhatIsLoaded:
    @pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["-h"]])
    def test_the_list_of_commands_loads_typer_alone(self, arguments: list[str]) -> None:
        loaded = loaded_by(*arguments)
        assert not loaded & BAIT
        assert "typer" in loaded

    @pytest.mark.parametrize("name", COMMANDS)
    def test_help_of_a_command_loads_nothing_heavy(self, name: str) -> None:
        assert not loaded_by(name, "--help") & (BAIT - {"orjson"})

    def test_conversion_with_areas_of_boxes_needs_no_numpy(
        self, validation: Path, tmp_path: Path
    ) -> None:
        out = tmp_path / "out.json"
        loaded = loaded_by("convert", validation, out, "--area", "box", "--workers", "1")
        assert not loaded & (BAIT - {"orjson"})
        loaded = loaded_by("convert", validation, out, "--area", "mask", "--workers", "1")
        assert "numpy" in loaded
        assert not loaded & {"rich.console", "pydantic"}

    def test_validate_needs_no_pydantic(self, validation: Path, tmp_path: Path) -> None:
        convert(validation, tmp_path / "out.json")
        loaded = loaded_by("validate", tmp_path / "out.json", "--quick")
        assert not loaded & {"rich.console", "pydantic", "pycocotools", "PIL", "tqdm"}


def test_the_list_of_commands_says_what_the_commands_say() -> None:
    said = {
        each.name: inspect.getdoc(each.callback).split("\n\n")[0].replace("\n", " ")  # type: ignore[union-attr]
        for each in app.registered_commands
    } | {each.name: each.typer_instance.info.help for each in app.registered_groups}  # type: ignore[union-attr]
    assert said == {name: summary for name, (_, summary) in COMMANDS.items()}


@pytest.mark.parametrize("group", [(), ("evaluate",), ("export",)])
def test_no_command_is_cut_short_in_a_list_of_commands(group: tuple[str, ...]) -> None:
    result = subprocess.run(command(*group, "--help"), capture_output=True, text=True, check=True)
    assert "..." not in result.stdout.partition("Commands:")[2]


def test_what_is_required_stands_without_braces() -> None:
    result = subprocess.run(
        command("convert", "--help"), capture_output=True, text=True, check=True
    )
    assert "convert [OPTIONS] SOURCE OUT\n" in result.stdout


WRONG_USE: dict[str, str | tuple[str, ...]] = {
    "convrt": "there is no command convrt. Did you mean convert? See",
    "convrt --help": "there is no command convrt. Did you mean convert? See",
    "train": "there is no command train. See",
    "evaluate boxes": "there is no command boxes. See",
    "--hlp": "No such option: --hlp",
    "convert in out --limt 3": "No such option: --limt",
    "convert": "Missing argument 'SOURCE'. See",
    "draw in.json": "Missing option '--out'. See",
    "convert in out --limit 0": (
        "--limit: 0 is less than 1. See",
        "--limit: 0 is not in the range x>=1. See",
    ),
    "convert in out --seed x": (
        "--seed: 'x' is not a whole number. See",
        "--seed: 'x' is not a valid integer. See",
    ),
    "draw in.json --out x.png --min-score high": (
        "--min-score: 'high' is not a number. See",
        "--min-score: 'high' is not a valid float. See",
    ),
    "convert in out --task boxes": "--task: 'boxes' is none of keypoints, instances. See",
    "metainfo torch": "FRAMEWORK: 'torch' is none of detectron2, mmdet, mmpose, ultralytics. See",
    "export yolo in.json": "SOURCE|COCO.json... DIR: name what to export",
    "convert in out --limit": "Option '--limit' requires an argument",
}


@pytest.mark.parametrize("line", WRONG_USE)
def test_wrong_use_is_one_line(line: str) -> None:
    result = CliRunner().invoke(app, line.split(), prog_name="df2coco")
    assert (result.exit_code, result.stdout) == (2, "")
    words = WRONG_USE[line]
    # Older versions of typer look at numbers themselves, and say it in their own words.
    alternatives = (words,) if isinstance(words, str) else words
    assert result.stderr.removeprefix("df2coco: ").startswith(alternatives)
    assert result.stderr.count("\n") == 1
    if result.stderr.count("See"):
        words = [word for word in line.split() if word in ("export", "yolo", *COMMANDS)]
        assert result.stderr.endswith(f"See {' '.join(['df2coco', *words])} --help.\n")


def every_command() -> dict[str, Any]:
    """Words of the name -> command."""
    top = typer.main.get_command(app)
    assert isinstance(top, TyperGroup)
    found: dict[str, Any] = {}
    for name, each in top.commands.items():
        inner = each.commands if isinstance(each, TyperGroup) else {"": each}
        found |= {f"{name} {word}".strip(): command for word, command in inner.items()}
    return found


@pytest.mark.parametrize("name", every_command())
def test_help_of_a_command_ends_with_an_example_and_its_page(name: str) -> None:
    shown = CliRunner().invoke(app, [*name.split(), "--help"], prog_name="df2coco").stdout
    example, page = shown.splitlines()[-2:]
    assert example.startswith(f"Example: df2coco {name} ")
    assert page == f"More: {DOCS}command-line/#df2coco-{name.replace(' ', '-')}"
    sections = re.findall("^## (.*)$", (ROOT / "docs/command-line.md").read_text("utf-8"), re.M)
    assert f"df2coco {name}" in sections
    # The example is right: all that could be wrong with it is that its files are not there.
    words = example.split()[2 + len(name.split()) :]
    every_command()[name].make_context(name, words)


@pytest.mark.parametrize("name", every_command())
def test_help_is_in_words(name: str) -> None:
    shown = CliRunner().invoke(app, [*name.split(), "--help"], prog_name="df2coco").stdout
    assert not re.search(r"[{}]\.\.\.|OUT}|DIR}|<list|<path>|x>=|\[default|\[required|\[env", shown)
    assert shown.startswith(f"Usage: df2coco {name} [OPTIONS]")


def completed(*words: str) -> list[str]:
    """What a shell offers for the last of the words."""
    environment = {
        "_DF2COCO_COMPLETE": "complete_fish",
        "_TYPER_COMPLETE_ARGS": " ".join(["df2coco", *words]),
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    result = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, df2coco.cli; sys.argv[0] = 'df2coco'; df2coco.cli.main()",
        ],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return [line.split("\t")[0] for line in result.stdout.split("\n") if line]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["metainfo", "mm"], ["mmdet", "mmpose"]),
        (["convert", "--category", "sk"], ["skirt"]),
        (["evaluate", "bbox", "--category", "sk"], ["skirt"]),
        (["explain", "bbox-m"], ["bbox-malformed"]),
        (["explain", "no-such-"], []),
    ],
)
def test_shells_complete_values(words: list[str], offered: list[str]) -> None:
    assert completed(*words) == offered


def test_no_arguments_show_the_help() -> None:
    shown = subprocess.run(command(), capture_output=True, text=True, check=False)
    assert "Usage:" in shown.stdout + shown.stderr
    assert "Traceback" not in shown.stderr


def test_brackets_survive_and_flags_take_no_value() -> None:
    shown = subprocess.run(
        command("evaluate", "bbox", "--help"), capture_output=True, text=True, check=True
    ).stdout
    assert "bbox [x, y, w, h]" in " ".join(shown.split())
    assert "<bool>" not in shown
    assert "--json  " in shown


def test_exit_codes_are_in_the_help() -> None:
    shown = subprocess.run(command("--help"), capture_output=True, text=True, check=True).stdout
    assert [
        code for code in ("0", "1", "2", "130", "141", "143") if code not in shown.split()
    ] == []


class TestValues:
    """Values are what typer makes of them, without the validators that typer may load."""

    @staticmethod
    def parsed(cls: type[TyperCommand], arguments: list[str]) -> Any:
        seen: list[Any] = []
        group: type[TyperGroup] = CommandGroup if cls is Command else TyperGroup
        own = typer.Typer(cls=group, rich_markup_mode=None, add_completion=False)

        @own.callback()
        def root() -> None:
            pass

        @own.command(cls=cls)
        def run(
            path: Path,
            text: str = "default",
            number: int | None = typer.Option(None, min=1),
            share: float = 0.5,
            names: list[str] = typer.Option([], "--name"),  # noqa: B008
            flag: bool = False,
            checked: str = typer.Option("a", callback=lambda value: value.upper()),
        ) -> None:
            seen.append((path, text, number, share, names, flag, checked))

        result = CliRunner().invoke(own, ["run", *arguments])
        return (result.exit_code, repr(seen))

    @pytest.mark.parametrize(
        "line",
        [
            "here",
            "",
            "here there",
            "/",
            "here --text x",
            "here --text= --number 1",
            "here --number 10",
            "here --number 0",
            "here --number -1",
            "here --number 1.5",
            "here --number x",
            "here --share 1",
            "here --share -1.25",
            "here --share 1e3",
            "here --share nan",
            "here --share x",
            "here --name a --name b",
            "here --flag",
            "here --no-flag --checked b",
            "here --flag=1",
        ],
    )
    def test_as_typer(self, line: str) -> None:
        arguments = line.split(" ") if line else []
        assert self.parsed(Command, arguments) == self.parsed(TyperCommand, arguments)


FULL = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")


def in_shell(line: str, *arguments: Any, redirect: str) -> tuple[int, str, str]:
    """Run a command of df2coco in a shell with some redirection; exit code, stdout and stderr."""
    script = f'"$@" {redirect}'
    result = subprocess.run(
        ["sh", "-c", script, "sh", *command(*line.split(), *arguments)],
        capture_output=True,
        text=True,
    )
    return result.returncode, result.stdout, result.stderr


PRINTING = [
    "--help",
    "--version",
    "convert --help",
    "stats",
    "stats --json",
    "validate",
    "metainfo mmdet",
]


@pytest.fixture(scope="module")
def coco(validation: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("streams") / "out.json"
    convert(validation, path)
    return path


@pytest.mark.slow
class TestStandardStreams:
    @staticmethod
    def inputs(line: str, coco: Path) -> list[Path]:
        return [coco] if line.startswith(("stats", "validate")) else []

    @FULL
    @pytest.mark.parametrize("line", PRINTING)
    def test_stdout_is_full(self, coco: Path, line: str) -> None:
        code, _, stderr = in_shell(line, *self.inputs(line, coco), redirect=">/dev/full")
        assert code == 2
        assert stderr == ("df2coco: standard output cannot be written (No space left on device).\n")

    @pytest.mark.parametrize("line", PRINTING)
    def test_stdout_is_closed(self, coco: Path, line: str) -> None:
        code, _, stderr = in_shell(line, *self.inputs(line, coco), redirect=">&-")
        assert code == 2
        assert stderr == "df2coco: standard output is closed, so the result cannot be printed.\n"

    @pytest.mark.parametrize("line", PRINTING)
    def test_nobody_reads_stdout(self, coco: Path, line: str) -> None:
        reading, writing = os.pipe()
        os.close(reading)
        arguments = command(*line.split(), *self.inputs(line, coco))
        result = subprocess.run(arguments, stdout=writing, stderr=subprocess.PIPE, check=False)
        os.close(writing)
        assert (result.returncode, result.stderr) == (141, b"")

    def test_a_command_that_prints_nothing_needs_no_stdout(
        self, validation: Path, coco: Path, tmp_path: Path
    ) -> None:
        out = tmp_path / "out.json"
        code, _, stderr = in_shell("convert", validation, out, redirect=">&-")
        assert code == 0
        assert "21 images" in stderr
        assert out.read_bytes() == coco.read_bytes()

    @pytest.mark.parametrize(
        "redirect", ["2>&-", "<&- 2>&-", "<&- >&- 2>&-", pytest.param("2>/dev/full", marks=FULL)]
    )
    def test_stderr_is_closed_or_full(
        self, validation: Path, coco: Path, tmp_path: Path, redirect: str
    ) -> None:
        """The work is done; no message lands in a file or in the data."""
        out = tmp_path / "out.json"
        assert in_shell("convert", validation, out, redirect=redirect) == (0, "", "")
        assert out.read_bytes() == coco.read_bytes()
        for line in ("convert", "convrt", "--hlp", "validate"):
            paths = [tmp_path / "none", out]
            assert in_shell(line, *paths, redirect=redirect) == (2, "", "")
        assert out.read_bytes() == coco.read_bytes()

    def test_stdin_is_closed(self, validation: Path, tmp_path: Path) -> None:
        archive = pack(validation, tmp_path / "locked.zip", password="secret")
        code, stdout, stderr = in_shell("convert", archive, tmp_path / "o.json", redirect="<&-")
        assert (code, stdout) == (2, "")
        assert len(stderr.splitlines()) == 1
        assert "password" in stderr


class TestEnds:
    @pytest.mark.slow
    def test_ctrl_d_at_the_prompt(self, validation: Path, tmp_path: Path) -> None:
        archive = pack(validation, tmp_path / "locked.zip", password="secret")
        code, shown = on_terminal(
            command("convert", archive, tmp_path / "o.json"), prompt=b"archive: ", answer="\x04"
        )
        assert code == 2
        assert b"Traceback" not in shown
        assert b"Aborted" not in shown
        assert b"password" in shown.splitlines()[-1]

    def test_ctrl_c_at_the_prompt(self, validation: Path, tmp_path: Path) -> None:
        archive = pack(validation, tmp_path / "locked.zip", password="secret")
        code, shown = on_terminal(
            command("convert", archive, tmp_path / "o.json"), prompt=b"archive: ", answer="\x03"
        )
        assert code == 130
        assert b"Traceback" not in shown
        assert shown.splitlines()[-1].startswith(b"df2coco: interrupted")

    def test_a_fault_of_our_own_is_no_finding(self) -> None:
        script = (
            "import sys, df2coco.cli, df2coco.cli.app as app\n"
            "def broken(): raise ZeroDivisionError('ours')\n"
            "app.app = broken\n"
            "sys.argv = ['df2coco', 'stats']\n"
            "df2coco.cli.main()"
        )
        result = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=False
        )
        assert result.returncode == 2
        assert "ZeroDivisionError: ours" in result.stderr
        assert result.stderr.splitlines()[-1] == (
            "df2coco: this is a fault of df2coco. Please report it with the lines above."
        )
