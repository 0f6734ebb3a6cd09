"""What is published, as far as it can be looked at without publishing it."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from df2coco import __version__
from tests.conftest import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.fixture(autouse=True)
def _checkout() -> None:
    if not WORKFLOWS:
        pytest.skip("not a checkout of the repository")


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_to_a_commit(workflow: Path) -> None:
    for action in re.findall(r"uses: (.*)", workflow.read_text()):
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


def test_release_notes_are_the_changelogs_section() -> None:
    specification = importlib.util.spec_from_file_location(
        "release_notes", ROOT / ".github" / "release_notes.py"
    )
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    changelog = (
        "# Changelog\n\n## 0.2.0 (2027-01-02)\n\n- New.\n\n## 0.1.0 (2026-01-02)\n\n- Old.\n"
    )
    assert module.section(changelog, "0.2.0") == "- New."
    assert module.section(changelog, "0.1.0") == "- Old."
    for version in ("0.3.0", "0x2.0", "0.2"):
        with pytest.raises(SystemExit, match="no section"):
            module.section(changelog, version)
    assert module.section((ROOT / "CHANGELOG.md").read_text(), "0.1.0").startswith("The first")


def test_the_changelog_can_be_read_in_a_minute() -> None:
    versions = re.split(r"^## ", (ROOT / "CHANGELOG.md").read_text(), flags=re.M)[1:]
    for version in versions:
        assert len(version.strip().splitlines()) <= 40, version.splitlines()[0]
        titles = re.findall(r"^(\w+):$", version, re.M)
        assert titles == [each for each in ("Breaking", "Added", "Fixed") if each in titles]


def test_the_dockerfile_has_instructions_that_exist_and_no_root() -> None:
    text = (ROOT / ".docker" / "Dockerfile").read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    instructions = [line.split()[0] for line in lines]
    assert instructions[0] == "FROM"
    known = {"FROM", "COPY", "RUN", "USER", "WORKDIR", "ENTRYPOINT", "CMD"}
    assert set(instructions) <= known
    assert instructions.index("USER") < instructions.index("ENTRYPOINT")
    # The array form: the shell form would not pass arguments on.
    assert 'ENTRYPOINT ["df2coco"]' in lines


def test_links_of_readme_are_files_here_and_addresses_for_the_package_index() -> None:
    text = (ROOT / "README.md").read_text()
    links = re.findall(r"\]\(([^)]+)\)", text)
    own = [target for target in links if not target.startswith(("https://", "#"))]
    assert len(own) > 10
    assert not [target for target in own if not (ROOT / target.split("#")[0]).is_file()]
    published = text
    tomllib = pytest.importorskip("tomllib")  # Python 3.11
    with (ROOT / "pyproject.toml").open("rb") as stream:
        hooks = tomllib.load(stream)["tool"]["hatch"]["metadata"]["hooks"]
    for change in hooks["fancy-pypi-readme"]["substitutions"]:
        published = re.sub(change["pattern"], change["replacement"], published)
    assert len(re.findall(r"\]\(", published)) == len(links)
    for target in re.findall(r"\]\(([^)]+)\)", published):
        assert target.startswith(("https://", "#")), target
    raw = "https://raw.githubusercontent.com/df2coco/df2coco/main/"
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", published)
    badges = [address for address in pictures if not address.startswith(raw)]
    assert [address for address in pictures if address not in badges] == [
        f"{raw}docs/pictures/examples.png"
    ]
    assert all(re.search(r"^https://(github.com/df2coco|img.shields.io)/", each) for each in badges)


@pytest.mark.parametrize(
    ("system", "machine", "expected"),
    [("win32", "ARM64", False), ("win32", "AMD64", True), ("darwin", "arm64", True), ("linux", "aarch64", True)],
)  # fmt: skip
def test_extras_are_left_out_where_they_have_no_wheels(
    system: str, machine: str, expected: bool
) -> None:
    requirements = pytest.importorskip("packaging.requirements")
    tomllib = pytest.importorskip("tomllib")  # Python 3.11
    with (ROOT / "pyproject.toml").open("rb") as stream:
        extras = tomllib.load(stream)["project"]["optional-dependencies"]
    for extra in ("zip", "evaluate"):
        (line,) = extras[extra]
        marker = requirements.Requirement(line).marker
        assert marker.evaluate({"sys_platform": system, "platform_machine": machine}) is expected


def test_what_is_published_was_tested_and_no_job_can_do_more_than_it_must() -> None:
    """The jobs of release.yml: all tests, then the build; each right to write has a job of its own."""
    text = (ROOT / ".github" / "workflows" / "release.yml").read_text()
    jobs = dict(re.findall(r"^  (\w+):\n((?:    .*\n)+)", text.partition("jobs:\n")[2], re.M))
    assert "bash .ci/run" in jobs["test"]
    needs = {name: re.findall(r"needs: (\w+)", job) for name, job in jobs.items()}
    assert needs == {"test": [], "build": ["test"], "index": ["build"], "release": ["index"]}
    rights = {name: re.findall(r"([\w-]+): write", job) for name, job in jobs.items()}
    assert rights == {"test": [], "build": [], "index": ["id-token"], "release": ["contents"]}


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_checkout_keeps_no_credentials(workflow: Path) -> None:
    text = workflow.read_text()
    kept = re.findall(
        r"actions/checkout@.*\n(?!        with:\n          persist-credentials: false)", text
    )
    assert kept == []


def test_one_version_everywhere() -> None:
    """What is cited is the last release; what is not released yet is called so."""
    sections = re.findall(r"^## (.*)", (ROOT / "CHANGELOG.md").read_text(), re.M)
    in_work = __version__.endswith(".dev0")
    assert (sections[0] == "Unreleased") is in_work
    released = sections[in_work].partition(" (")[0]
    assert f"\nversion: {released}\n" in (ROOT / "CITATION.cff").read_text()
    assert (released == __version__) is not in_work


def test_readme_stays_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 250
