"""The command line as a person or a script meets it."""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import re
import shutil
import signal
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import df2coco.cli
from df2coco.cli.app import app
from df2coco.converter.options import AREAS, LANDMARKS, LAYOUTS, PRESETS, TASKS
from df2coco.converter.run import convert
from df2coco.releases import RELEASES, completeness
from df2coco.version import __version__
from tests.conftest import MakeSplit
from tests.samples import asked, make_annotation, make_item
from tests.test_source import pack

if sys.platform != "win32":
    import fcntl
    import pty
    import termios

for module in pkgutil.iter_modules(df2coco.cli.__path__):
    importlib.import_module(f"df2coco.cli.{module.name}")


def run(*arguments: Any, **options: Any) -> Result:
    environment = {"COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb"}
    return CliRunner(env=environment).invoke(
        app, [str(argument) for argument in arguments], **options
    )


def command(*arguments: Any) -> list[str]:
    return [sys.executable, "-m", "df2coco", *map(str, arguments)]


def test_help_knows_every_command() -> None:
    # In a process of its own, which loads no more modules than the command line does.
    shown = subprocess.run(command("--help"), capture_output=True, text=True, check=True).stdout
    names = [each.name for each in (*app.registered_commands, *app.registered_groups)]
    assert len(names) > 10
    assert [name for name in names if f" {name} " not in shown] == []


def on_terminal(
    arguments: list[str], *, prompt: bytes = b"", answer: str = ""
) -> tuple[int, bytes]:
    """Run a command as a person does; its exit code and what the terminal showed."""
    process, terminal = pty.fork()
    if process == 0:
        # A shell's background jobs ignore Ctrl-C, and so would all that they start.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.execv(arguments[0], arguments)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
    shown = b""
    while True:
        try:
            part = os.read(terminal, 1000)
        except OSError:
            break
        if not part:
            break
        shown += part
        if prompt and prompt in shown:
            os.write(terminal, answer.encode() + b"\n")
            prompt = b""
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), shown


def what_stays(shown: bytes) -> str:
    """The text on a terminal after all carriage returns."""
    lines, column = [""], 0
    for piece in re.findall(r"\r|\n|[^\r\n]+", shown.decode()):
        if piece == "\n":
            lines.append("")
        elif piece == "\r":
            column = 0
        else:
            lines[-1] = lines[-1][:column] + piece + lines[-1][column + len(piece) :]
            column += len(piece)
    return "\n".join(line.rstrip() for line in lines)


def without_times(text: str) -> str:
    return re.sub(r"[\d.]+ seconds", "", text)


class TestConvert:
    def test_the_summary_goes_to_stderr_and_nothing_to_stdout(
        self, validation: Path, tmp_path: Path
    ) -> None:
        result = run("convert", validation / "annos", tmp_path / "out.json")
        assert result.exit_code == 0
        assert result.stdout == ""
        assert "validation: 21 images, 40 items" in result.stderr
        assert str(tmp_path / "out.json") in result.stderr.replace("\n", "")

    def test_missing_photos_are_reported_once_with_the_way_to_convert_again(
        self, make_split: MakeSplit, tmp_path: Path
    ) -> None:
        split = make_split({1: make_annotation()})
        annos = (split / "annos").rename(tmp_path / "annos")
        result = run("convert", annos, tmp_path / "out.json")
        assert result.stderr.count("no images found") == 1
        last = result.stderr.splitlines()[-1]
        assert last.startswith("To train, convert again with the photos")
        assert "--images PATH" in last
        again = run("convert", annos, tmp_path / "out.json", "--images", split / "image")
        assert "no images found" not in again.stderr
        assert "convert again" not in again.stderr
        assert run("convert", annos, tmp_path / "out.json", "--quiet").output == ""

    def test_quiet_says_nothing(self, validation: Path, tmp_path: Path) -> None:
        result = run("convert", validation, tmp_path / "out.json", "--quiet")
        assert (result.exit_code, result.output) == (0, "")

    def test_errors_are_told_and_end_in_2(self, make_split: MakeSplit, tmp_path: Path) -> None:
        source = make_split({1: make_annotation(make_item(scale=5)), 2: b"{", 3: make_annotation()})
        result = run("convert", source, tmp_path / "out.json", "--report", tmp_path / "report.json")
        assert result.exit_code == 2
        lines = result.stderr.splitlines()
        assert "000001.json: item1.scale: 5, expected 1, 2 or 3." in lines[0]
        assert "000002.json: not JSON" in lines[1]
        assert lines[2].startswith("df2coco: validation: 1 annotation file, 1 item cannot be used")
        assert len(lines) == 3
        assert not (tmp_path / "out.json").exists()
        (told,) = json.loads((tmp_path / "report.json").read_bytes())
        assert [notice["code"] for notice in told["notices"]] == ["bad-item", "bad-file"]

    def test_skip_converts_the_rest(self, make_split: MakeSplit, tmp_path: Path) -> None:
        source = make_split({1: b"{", 2: make_annotation()})
        result = run(
            "convert",
            source,
            tmp_path / "o.json",
            "--on-error",
            "skip",
            "--report",
            tmp_path / "r.json",
        )
        assert result.exit_code == 0
        assert "bad-file" in result.stderr
        assert json.loads((tmp_path / "r.json").read_bytes())[0]["counts"] == {"bad-file": 1}
        assert len(json.loads((tmp_path / "o.json").read_bytes())["images"]) == 1

    def test_many_notices_are_cut_and_counted(self, make_split: MakeSplit, tmp_path: Path) -> None:
        source = make_split(dict.fromkeys(range(1, 31), b"{"))
        result = run("convert", source, tmp_path / "o.json", "--report", tmp_path / "r.json")
        assert "... and 20 more" in result.stderr
        assert len(json.loads((tmp_path / "r.json").read_bytes())[0]["notices"]) == 30

    @pytest.mark.parametrize(
        "arguments",
        [
            ["--layout", "wide"],
            ["--task", "panoptic"],
            ["--category", "hat"],
            ["--only", "web"],
            ["--workers", "0"],
            ["--limit", "0"],
            ["--preset", "official", "--layout", "category"],
            ["--preset", "official", "--area", "mask", "--task", "instances"],
            ["--on-error", "ignore"],
        ],
        ids=" ".join,
    )
    def test_wrong_use_ends_in_2_without_output(
        self, validation: Path, tmp_path: Path, arguments: list[str]
    ) -> None:
        result = run("convert", validation, tmp_path / "out.json", *arguments)
        assert result.exit_code == 2
        assert "Traceback" not in result.output
        assert not (tmp_path / "out.json").exists()

    @pytest.mark.parametrize("source", ["nowhere", "two\nlines", "\x1b[31mred"])
    def test_a_source_that_is_not_there(self, tmp_path: Path, source: str) -> None:
        result = run("convert", source, tmp_path / "out.json")
        assert result.exit_code == 2
        assert result.stderr.count("\n") == 1
        assert "\x1b" not in result.stderr
        assert "no such file or folder" in result.stderr

    @pytest.mark.parametrize(
        ("given", "hint"),
        [
            ("Skirt", "Did you mean skirt?"),
            ("9", "Did you mean skirt?"),
            ("trouser", "Did you mean trousers?"),
            ("hat", ""),
        ],
    )
    def test_a_category_that_there_is_none_of(
        self, validation: Path, tmp_path: Path, given: str, hint: str
    ) -> None:
        result = run("convert", validation, tmp_path / "o.json", "--category", given)
        assert result.exit_code == 2
        assert f"{given!r} is not one of short sleeve top, " in result.stderr
        assert result.stderr.strip().endswith(hint or "sling dress.")

    def test_options_reach_the_file(self, validation: Path, tmp_path: Path) -> None:
        arguments = [
            "--layout", "category", "--area", "box", "--landmarks", "visible", "--only", "user",
            "--category", "trousers", "--category", "short_sleeved_shirt", "--limit", "2",
        ]  # fmt: skip
        assert run("convert", validation, tmp_path / "o.json", *arguments).exit_code == 0
        told = json.loads((tmp_path / "o.json").read_bytes())["info"]["df2coco"]
        assert told["layout"] == "category"
        assert (told["area"], told["landmarks"], told["only"]) == ("box", "visible", "user")
        assert (told["categories"], told["limit"]) == ([1, 8], 2)

    def test_a_folder_gets_the_family(self, validation: Path, tmp_path: Path) -> None:
        assert run("convert", validation, tmp_path / "out", "--per-category").exit_code == 0
        assert len(list((tmp_path / "out").rglob("*.json"))) == 15
        assert run("convert", validation, tmp_path / "one", "--task", "instances").exit_code == 0
        assert [p.name for p in (tmp_path / "one").iterdir()] == ["instances_validation.json"]

    def test_image_info(self, validation: Path, tmp_path: Path) -> None:
        result = run("image-info", validation / "image", tmp_path / "info.json")
        assert result.exit_code == 0
        document = json.loads((tmp_path / "info.json").read_bytes())
        assert (len(document["images"]), document["annotations"]) == (21, [])
        assert len(document["categories"]) == 13


@pytest.mark.slow
class TestPassword:
    def test_from_the_environment(self, validation: Path, tmp_path: Path) -> None:
        source = pack(validation, tmp_path / "v.zip", password="secret")
        environment = {**os.environ, "DF2COCO_PASSWORD": "secret"}
        subprocess.run(
            command("convert", source, tmp_path / "o.json"),
            env=environment,
            check=True,
            stderr=subprocess.DEVNULL,
        )
        assert b"secret" not in (tmp_path / "o.json").read_bytes()

    def test_missing_in_a_pipe(self, validation: Path, tmp_path: Path) -> None:
        source = pack(validation, tmp_path / "v.zip", password="secret")
        result = subprocess.run(
            command("convert", source, tmp_path / "o.json"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert result.returncode == 2
        assert result.stderr.count("\n") == 1
        assert "Give its password with --password or DF2COCO_PASSWORD" in result.stderr

    def test_wrong(self, validation: Path, tmp_path: Path) -> None:
        source = pack(validation, tmp_path / "v.zip", password="secret")
        result = run("convert", source, tmp_path / "o.json", "--password", "guess")
        assert result.exit_code == 2
        assert result.stderr.count("\n") == 1
        assert "guess" not in result.stderr

    @pytest.mark.parametrize(("typed", "code"), [("secret", 0), ("guess", 2)])
    @pytest.mark.posix
    def test_asked_for_on_a_terminal(
        self, validation: Path, tmp_path: Path, typed: str, code: int
    ) -> None:
        source = pack(validation, tmp_path / "v.zip", password="secret")
        arguments = command("convert", source, tmp_path / "o.json")
        found, shown = on_terminal(arguments, prompt=b"Password", answer=typed)
        assert found == code
        assert typed.encode() not in shown


class TestEverywhere:
    COMMANDS = sorted(c.name for c in app.registered_commands if c.name)

    @pytest.mark.parametrize("name", COMMANDS)
    def test_help_fits_80_columns(self, name: str) -> None:
        result = run(name, "--help")
        assert result.exit_code == 0
        assert max(map(len, result.stdout.splitlines())) <= 80

    @pytest.mark.parametrize(
        "table", [TASKS, LAYOUTS, LANDMARKS, AREAS, PRESETS], ids=lambda t: "|".join(t)
    )
    def test_help_of_convert_tells_every_choice(self, table: dict[str, Any]) -> None:
        text = re.sub(r"[\s│]+", " ", run("convert", "--help").stdout)
        for key, meaning in table.items():
            sentence = meaning if isinstance(meaning, str) else meaning.help
            assert f"{key}: {sentence}" in text

    def test_version(self) -> None:
        assert run("--version").stdout == f"df2coco {__version__}\n"

    def test_no_command_shows_help(self) -> None:
        assert "convert" in run().output

    @pytest.mark.posix
    def test_a_pipe_that_closes_is_no_error(self, validation: Path) -> None:
        code = f"{' '.join(command('--help'))} | head -1"
        result = subprocess.run(
            ["bash", "-c", code], capture_output=True, text=True, cwd=validation
        )
        assert "Traceback" not in result.stderr

    @pytest.mark.slow
    @pytest.mark.posix
    def test_a_bar_on_a_terminal_and_none_in_a_pipe(
        self, make_split: MakeSplit, tmp_path: Path
    ) -> None:
        source = make_split({n: make_annotation() for n in range(1, 500)})
        arguments = command("convert", source, tmp_path / "o.json", "--workers", 1)
        piped = subprocess.run(arguments, capture_output=True, text=True, check=True)
        assert "%|" not in piped.stderr
        code, shown = on_terminal(arguments)
        assert code == 0
        assert b"looking for annotation files ..." in shown
        assert b"converting validation: " in shown
        assert b" 499/499 [" in shown
        assert b"s/]" not in shown
        assert b"/s]" not in shown

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("arguments", "phases"),
        [
            (
                "convert {split} {out}",
                ["looking for annotation files ...", "converting validation:"],
            ),
            (
                "image-info {split}/image {out}.json",
                ["looking for images ...", "reading image headers:"],
            ),
            ("retrieval {split} {out}", ["reading annotations of validation:"]),
            ("stats {split}", ["looking for annotation files ...", "counting validation:"]),
            ("stats {coco}", ["reading coco{{}}.json ..."]),
            (
                "validate {coco} --against {split}",
                [
                    "looking for annotation files ...",
                    "reading coco{{}}.json ...",
                    "checking annotations:",
                    "checking the file as a whole ...",
                    "comparing with the source:",
                    "going through pycocotools ...",
                ],
            ),
            ("validate {coco} --images {split}", ["reading image headers:"]),
            (
                "evaluate bbox {coco} {results}",
                ["reading coco{{}}.json ...", "reading results.json ...", "scoring ..."],
            ),
            ("restore {coco} {out}", ["reading coco{{}}.json ...", "writing annotation files:"]),
            ("draw {coco} --images {split} --out {out} --sample 2", ["drawing images:"]),
        ],
    )
    @pytest.mark.no_cover
    @pytest.mark.posix
    def test_each_phase_has_its_name_and_leaves_nothing_on_the_terminal(
        self, validation: Path, tmp_path: Path, arguments: str, phases: list[str]
    ) -> None:
        coco, results = tmp_path / "coco{}.json", tmp_path / "results.json"
        convert(validation, coco, **asked(only="user"))
        results.write_text("[]")
        words = [
            word.format(split=validation, coco=coco, results=results, out=tmp_path / "out")
            for word in arguments.split()
        ]
        phases = [phase.format() for phase in phases]
        code, shown = on_terminal(command(*words))
        at = [shown.find(phase.encode()) for phase in phases]
        assert -1 not in at, shown
        assert at == sorted(at)
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        piped = subprocess.run(
            command(*words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        assert piped.returncode == code
        assert without_times(what_stays(shown)) == without_times(piped.stdout.decode())


class TestCompleteness:
    def test_all_of_a_released_split(self) -> None:
        for name, release in RELEASES.items():
            assert completeness(name, release.images, release.items)[0].startswith("complete")

    def test_a_download_that_lost_files(self) -> None:
        (line,) = completeness("validation", 32_000, 52_300)
        assert line == (
            "incomplete: 32,000 of 32,153 images and 52,300 of 52,490 items of the released validation split."
        )

    def test_nothing_is_said_of_samples_and_other_names(self) -> None:
        assert completeness("validation", 21, 40) == []
        assert completeness("mine", 32_153, 52_490) == []

    def test_totals_agree_with_the_table(self) -> None:
        for name, release in RELEASES.items():
            if release.items_per_category:
                assert sum(release.items_per_category) == release.items, name
            assert (release.user_images or 0) + (release.shop_images or 0) == release.images, name


def test_a_summary_has_what_the_library_gives(validation: Path, tmp_path: Path) -> None:
    calls: list[tuple[str, int, int]] = []
    (summary,) = convert(
        validation, tmp_path / "o.json", progress=lambda *counts: calls.append(counts)
    )
    assert calls[0] == ("looking for annotation files", 0, 0)
    assert calls[1] == ("converting validation", 0, 21)
    assert calls[-1] == ("converting validation", 21, 21)
    assert summary.items == sum(summary.items_per_category.values()) == 40
    assert all(summary.items_per_category.values())
    assert not summary.subset


_SIGNAL_NEAR_A_FINALIZER = """
import os, signal, sys, time
import df2coco.cli as cli

class Late:
    def __del__(self):
        os.kill(os.getpid(), int(sys.argv[1]))
        sum(range(1000))

class HalfMade:
    def __init__(self):
        os.kill(os.getpid(), int(sys.argv[1]))
        sum(range(1000))
        self.name = ""

    def __del__(self):
        self.name.strip()

def run(_):
    globals()[sys.argv[2]]()
    time.sleep(20)
    print("not ended")

cli._run = run
cli.main()
"""


@pytest.mark.posix
@pytest.mark.parametrize("name", ["Late", "HalfMade"])
@pytest.mark.parametrize(
    ("number", "code", "lines"),
    [
        (signal.SIGINT, 130, ""),
        (signal.SIGTERM, 143, "df2coco: terminated.\n"),
    ],
)
def test_a_signal_is_neither_lost_nor_followed_by_what_finalizers_say(
    number: signal.Signals, code: int, lines: str, name: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _SIGNAL_NEAR_A_FINALIZER, str(int(number)), name],
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (code, "", lines)


def test_printing_a_result_shows_what_the_command_prints(validation: Path, tmp_path: Path) -> None:
    coco = tmp_path / "o.json"
    convert(validation, coco)
    document = json.loads(coco.read_bytes())
    results = [{**a, "score": 0.5} for a in document["annotations"]]
    (tmp_path / "r.json").write_text(json.dumps(results))
    reports = {
        ("validate", coco): df2coco.validate(coco),
        ("evaluate", "bbox", coco, tmp_path / "r.json"): df2coco.evaluate(
            "bbox", document, results
        ),
        ("stats", validation): df2coco.statistics(validation),
    }
    for arguments, report in reports.items():
        assert run(*arguments).stdout == f"{report}\n"
    run("retrieval", validation, tmp_path)
    names = [tmp_path / f"validation_{name}.json" for name in ("query", "gallery")]
    (tmp_path / "answers.json").write_text("[]")
    evaluation = df2coco.evaluate_retrieval(*names, tmp_path / "answers.json")
    shown = run("evaluate", "retrieval", *names, tmp_path / "answers.json").stdout
    assert shown == f"{evaluation}\n"
