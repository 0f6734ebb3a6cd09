"""Who may import whom, and what an import may cost."""

from __future__ import annotations

import ast
import functools
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import df2coco
from tests.conftest import ROOT

PACKAGE = Path(df2coco.__file__).parent

# From left to right: a module imports only from rows above its own.
ROWS: list[set[str]] = [
    {"version", "limits", "lazy_numpy"},
    {"errors", "progress", "signals"},
    {"taxonomy", "split_names", "boxes", "outputs", "file_kind", "workers"},
    {"layouts"},
    {"releases", "parser", "coco", "masks"},
    {"converter"},
    {"validator", "evaluation", "results", "stats", "drawing", "subsets"},
    {"report", "integrations", "retrieval"},
    {"export"},
    {"cli"},
    {"__init__", "__main__"},
]
"""The two formats, `parser` and `coco`, know nothing of each other."""

MODULES = sorted(PACKAGE.rglob("*.py"))
CLI_ONLY = {"typer", "tqdm"}
OPTIONAL = {
    "matplotlib",
    "jinja2",
    "shapely",
    "ultralytics",
    "hotcoco",
    "detectron2",
    "mmdet",
    "mmpose",
    "mmengine",
    "torch",
}
HEAVY = {"numpy", "pycocotools", "PIL"}
ALL_NUMPY = {"rasteriser.py"}
"""Modules of nothing but arrays, themselves imported where they are used."""


def room(module: Path) -> str:
    """The module or folder directly below the package."""
    return module.relative_to(PACKAGE).parts[0].removesuffix(".py")


def named(module: Path) -> str:
    """The path of a module inside the package."""
    return module.relative_to(PACKAGE).as_posix()


def tops(names: set[str]) -> set[str]:
    """The packages that modules belong to."""
    return {name.split(".")[0] for name in names}


@functools.cache
def tree(module: Path) -> ast.Module:
    return ast.parse(module.read_text())


def imports(module: Path, *, at_import_time: bool = False) -> set[str]:
    """Dotted names that a module imports; `at_import_time` leaves out those inside functions and typing."""
    names: set[str] = set()

    def visit(node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            if at_import_time and isinstance(child, ast.FunctionDef):
                continue
            if (
                at_import_time
                and isinstance(child, ast.If)
                and "TYPE_CHECKING" in ast.dump(child.test)
            ):
                continue
            if isinstance(child, ast.Import):
                names.update(alias.name for alias in child.names)
            elif isinstance(child, ast.ImportFrom) and child.module:
                names.update(
                    f"{child.module}.{alias.name}" if child.module == "df2coco" else child.module
                    for alias in child.names
                )
            visit(child)

    visit(tree(module))
    return names


def test_every_room_has_its_row() -> None:
    assert {room(module) for module in MODULES} == set().union(*ROWS)


def test_contributing_has_every_room_in_its_order_and_every_test() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    rows = re.findall(r"^\| (`\w+/?`|all) \| .* \| (.*) \| *\d* *\|$", text, re.M)
    rooms = [name.strip("`/") for name, _ in rows if name != "all"]
    row = {name: number for number, names in enumerate(ROWS) for name in names}
    assert sorted(rooms) == sorted(row.keys() - {"__init__", "__main__"})
    assert rooms == sorted(rooms, key=row.__getitem__)
    tests = re.findall(r"`(test_\w+)`", " ".join(cell for _, cell in rows))
    assert sorted(tests) == sorted(path.stem for path in (ROOT / "tests").glob("test_*.py"))
    for name in re.findall(r"`([\w/]+\.py)`", text):
        assert (PACKAGE / name).exists() or (ROOT / name).exists(), name


def test_imports_point_left() -> None:
    row = {name: number for number, names in enumerate(ROWS) for name in names}
    wrong = [
        f"{named(module)} imports {name}"
        for module in MODULES
        for name in imports(module)
        if name.startswith("df2coco.")
        and (other := name.split(".")[1]) != (own := room(module))
        and row[other] >= row[own]
    ]
    assert wrong == []


def test_heavy_and_optional_packages_are_imported_where_they_are_used() -> None:
    for module in MODULES:
        allowed = {"numpy"} if module.name in ALL_NUMPY else set()
        early = tops(imports(module, at_import_time=True)) & (OPTIONAL | HEAVY) - allowed
        assert not early, named(module)
        if room(module) != "cli":
            assert not tops(imports(module)) & CLI_ONLY, named(module)


SEVERAL_MEANINGS: dict[str, str] = {}
"""Names of constants and types that may be defined in several modules, each with the reason."""


def defined(module: Path) -> Iterator[str]:
    """The public constants and types of a module: what begins with a capital letter."""
    for node in tree(module).body:
        if isinstance(node, ast.AnnAssign):
            names = [node.target]
        else:
            names = node.targets if isinstance(node, ast.Assign) else []
        for name in (node.name,) if isinstance(node, ast.ClassDef) else map(ast.unparse, names):
            if name[0].isupper():
                yield name


def test_a_constant_or_type_is_defined_in_one_module() -> None:
    modules: dict[str, list[str]] = {}
    for module in MODULES:
        for name in defined(module):
            modules.setdefault(name, []).append(named(module))
    several = {name: where for name, where in modules.items() if len(where) > 1}
    assert {name: several[name] for name in several.keys() - SEVERAL_MEANINGS.keys()} == {}
    assert several.keys() >= SEVERAL_MEANINGS.keys()


def test_only_the_command_line_prints_and_exits() -> None:
    for module in MODULES:
        if room(module) in ("cli", "__main__"):
            continue
        for node in ast.walk(tree(module)):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                assert name not in ("print", "sys.exit", "exit"), f"{named(module)}:{node.lineno}"


def loaded_by(code: str) -> set[str]:
    script = f"{code}\nimport json, sys; print(json.dumps(sorted(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return {name.split(".")[0] for name in json.loads(result.stdout.splitlines()[-1])}


@pytest.mark.parametrize("code", ["import df2coco", "import df2coco.cli.convert"])
def test_importing_loads_nothing_heavy(code: str) -> None:
    assert not loaded_by(code) & (OPTIONAL | HEAVY)


@pytest.mark.parametrize("name", df2coco.__all__)
def test_the_package_gives_what_it_names(name: str) -> None:
    assert getattr(df2coco, name) is not None
    assert name in dir(df2coco)


def test_dir_shows_what_is_meant_for_users() -> None:
    assert len(df2coco.__all__) == 33
    assert dir(df2coco) == sorted([*df2coco.__all__, "__version__"])


def test_other_names_are_no_attributes() -> None:
    with pytest.raises(AttributeError, match="no attribute 'konvert'"):
        _ = df2coco.konvert
