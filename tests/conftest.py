"""Fixtures that all tests share: where the samples lie, and splits made on the spot."""

from __future__ import annotations

import functools
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import typer.main
import typer.testing

from tests.browser import browser as browser
from tests.samples import make_jpeg

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "fixtures"

# Nothing here depends on how fast the machine is at the moment, or on what failed before.
hypothesis.settings.register_profile("df2coco", deadline=None, max_examples=50, database=None)
hypothesis.settings.load_profile("df2coco")

# The tests start the command line a thousand times; it should not be compiled each time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@functools.cache
def _build_commands(app: typer.Typer) -> Any:
    from df2coco.cli import load_commands  # here, because coverage starts after this module

    load_commands()
    return typer.main.get_command(app)


# CliRunner builds all commands for each call, which takes far longer than most commands take here.
typer.testing._get_command = _build_commands  # type: ignore[attr-defined]


def run_command(*arguments: object) -> typer.testing.Result:
    """Run the command line with a terminal of 80 columns."""
    from df2coco.cli.app import app

    runner = typer.testing.CliRunner(env={"COLUMNS": "80", "TERM": "dumb"})
    return runner.invoke(app, list(map(str, arguments)))


SYSTEMS = {
    "posix": (
        os.name == "posix",
        "needs POSIX: signals, FIFOs, permissions, pseudo-terminals, bash",
    ),
    "linux": (sys.platform.startswith("linux"), "needs Linux: its error texts, limits or pipes"),
}
"""What a test may need by a mark, and whether it is here."""


MEASURED = {"test_cli.py", "test_workers.py"}
"""Modules whose child processes are measured by coverage, too. That doubles the time of a short process, and
what the others start was measured in these already."""

_COVERAGE = "COVERAGE_PROCESS_CONFIG"
_configuration: list[str] = []


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if _COVERAGE in os.environ:
        _configuration[:] = [os.environ.pop(_COVERAGE)]
    wanted = item.path.name in MEASURED and not item.get_closest_marker("no_cover")
    if wanted and _configuration:
        os.environ[_COVERAGE] = _configuration[0]


@pytest.hookimpl(tryfirst=True)  # before pytest looks at the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        # Measuring doubles the time, and what many random inputs reach, the cases beside them reach, too.
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker(pytest.mark.no_cover)
            item.add_marker(pytest.mark.slow)
        for name, (here, reason) in SYSTEMS.items():
            if not here and item.get_closest_marker(name):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def validation() -> Path:
    """The split that comes with the repository."""
    return FIXTURES / "validation"


@pytest.fixture(scope="session")
def real() -> Path:
    """A folder with `train/annos`, `train/image` of real samples; not in the repository."""
    folder = os.environ.get("DF2COCO_REAL")
    if not folder:
        pytest.skip("DF2COCO_REAL names no folder of real samples")
    return Path(folder)


MakeSplit = Callable[..., Path]


def copy_tree(source: Path, target: Path) -> Path:
    """A copy that may be written to, also of fixtures that may not."""
    shutil.copytree(source, target)
    for path in (target, *target.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return target


def write_split(
    folder: Path,
    annotations: dict[int | str, Any],
    images: dict[str, bytes] | None = None,
) -> Path:
    """Write annotations (number -> content, or the very bytes), each with an image, to a new folder."""
    (folder / "annos").mkdir(parents=True)
    (folder / "image").mkdir()
    photo = make_jpeg()
    for number, content in annotations.items():
        stem = number if isinstance(number, str) else f"{number:06d}"
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        (folder / "annos" / f"{stem}.json").write_bytes(raw)
        (folder / "image" / f"{stem}.jpg").write_bytes(photo)
    for file_name, data in (images or {}).items():
        (folder / "image" / file_name).write_bytes(data)
    return folder


@pytest.fixture
def make_split(tmp_path: Path) -> MakeSplit:
    """`write_split` to a folder of the test's own, which is returned."""

    def make(
        annotations: dict[int | str, Any],
        *,
        images: dict[str, bytes] | None = None,
        name: str = "validation",
    ) -> Path:
        return write_split(tmp_path / name, annotations, images)

    return make
