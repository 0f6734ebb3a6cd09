"""Every output is guarded against inputs, and a group of files appears together or not at all."""

from __future__ import annotations

import errno
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from df2coco.errors import OutputError
from df2coco.files import (
    Outputs,
    atomic_write,
    check_json_name,
    check_new_folder,
    check_output_folder,
    check_outputs,
    make_folder,
    replace_all,
)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links and pipes of POSIX")


def below(folder: Path) -> dict[str, bytes | None]:
    """Every name below a folder, with what the files hold."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with inputs (`source/` and `source.zip`) and some other files."""
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "000001.json").write_text("input")
    (tmp_path / "source.zip").write_text("input")
    (tmp_path / "old.json").write_text("old")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.zip").symlink_to("source.zip")
    (tmp_path / "linked").symlink_to("source")
    os.link(tmp_path / "source.zip", tmp_path / "hard.zip")
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    return tmp_path


class TestGuard:
    @pytest.mark.parametrize(
        ("names", "message"),
        [
            (["folder"], "is a folder. Name a file."),
            (["pipe"], "is not a regular file. Name another one."),
            (["missing/out.json"], "there is no folder"),
            (["old.json/out.json"], "is not a folder. Write elsewhere."),
            (["source.zip"], "is read by this command. Write elsewhere."),
            (["link.zip"], "is read by this command."),
            (["hard.zip"], "is read by this command."),
            (["folder/../source.zip"], "is read by this command."),
            (["source/000001.json"], "source, which is read. Write elsewhere."),
            (["source/new.json"], "source, which is read."),
            (["linked/new.json"], "source, which is read."),
            (["new.json", "new.json"], "is named for two outputs. Name two files."),
            (["new.json", "folder/../new.json"], "is named for two outputs."),
            (["loop"], "is a link that leads back to itself. Name a file."),
            (["x" * 300], "cannot be written (File name too long)."),
        ],
    )
    def test_what_is_refused(self, place: Path, names: list[str], message: str) -> None:
        before = below(place)
        with pytest.raises(OutputError) as caught:
            check_outputs([place / n for n in names], [place / "source", place / "source.zip"])
        assert message in str(caught.value)
        assert str(caught.value).startswith(str(place / names[-1]))
        assert below(place) == before

    @pytest.mark.parametrize(
        "names", [["new.json"], ["old.json"], ["old.json", "new.json"], ["source2"], ["sourc"]]
    )
    def test_what_is_not(self, place: Path, names: list[str]) -> None:
        check_outputs([place / n for n in names], [place / "source", place / "source.zip"])

    def test_no_output_is_called_as_stdout(
        self, place: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(place)
        for check in (lambda p: check_outputs([p]), check_new_folder, self.write):
            with pytest.raises(OutputError, match="-: is not the name of a file"):
                check(Path("-"))
            check(Path("./-a"))

    @staticmethod
    def write(path: Path) -> None:
        with atomic_write(path) as stream:
            stream.write(b"")

    @pytest.mark.parametrize("name", ["out.txt", "out", "-", "out.json.gz", ".json"])
    def test_json_is_called_so(self, name: str) -> None:
        with pytest.raises(
            OutputError, match=rf"^{re.escape(name)}: is not the name of a \.json file"
        ):
            check_json_name(Path(name))
        check_json_name(Path("out.JSON"))

    def test_missing_folders_where_they_are_made(self, place: Path) -> None:
        check_outputs([place / "a/b/out.json"], make_folders=True)
        with pytest.raises(OutputError, match=r"old\.json is not a folder"):
            check_outputs([place / "old.json/b/out.json"], make_folders=True)

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("source", "is read by this command"),
            ("linked/new", "source, which is read"),
            ("old.json", "is not a folder. Name a folder."),
            ("old.json/new", "is not a folder"),
        ],
    )
    def test_of_a_folder(self, place: Path, name: str, message: str) -> None:
        with pytest.raises(OutputError, match=message):
            check_output_folder(place / name, [place / "source"])
        check_output_folder(place / "new/folder", [place / "source"])
        check_output_folder(place, [place / "source"])


def test_the_folders_that_were_missing(tmp_path: Path) -> None:
    made = [tmp_path / "a", tmp_path / "a/b", tmp_path / "a/b/c"]
    assert make_folder(tmp_path / "a/b/c") == made
    assert make_folder(tmp_path / "a/b/c") == []
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"file: cannot be created \(File exists\)"):
        make_folder(tmp_path / "file")


def write_group(folder: Path, before_the_end: Callable[[], None] = lambda: None) -> Outputs:
    """Write one.json, where a file may stand, and new/two.json."""
    outputs = Outputs(make_folders=True)
    with outputs:
        outputs.open(folder / "one.json").write(b"new one")
        outputs.open(folder / "new/two.json").write(b"new two")
        before_the_end()
    return outputs


class TestReplaceAll:
    def test_all_are_renamed(self, tmp_path: Path) -> None:
        for name in ("a", "b", "old"):
            (tmp_path / name).write_text(name)
        replace_all({tmp_path / "a": tmp_path / "old", tmp_path / "b": tmp_path / "new"})
        assert below(tmp_path) == {"old": b"a", "new": b"b"}

    def test_what_was_there_comes_back_when_one_cannot_be(self, tmp_path: Path) -> None:
        for name in ("a", "b", "c", "old"):
            (tmp_path / name).write_text(name)
        (tmp_path / "folder").mkdir()
        names = {"a": "old", "b": "new", "c": "folder"}
        with pytest.raises(OutputError, match="folder: cannot be written"):
            replace_all({tmp_path / old: tmp_path / new for old, new in names.items()})
        found = below(tmp_path)
        assert (found["old"], "new" in found, found["folder"]) == (b"old", False, None)
        assert not [name for name in found if name.endswith(".tmp")]


class TestGroup:
    def test_all_appear_at_the_end(self, tmp_path: Path) -> None:
        (tmp_path / "one.json").write_bytes(b"old one")

        def nothing_yet() -> None:
            assert (tmp_path / "one.json").read_bytes() == b"old one"
            assert not (tmp_path / "new/two.json").exists()

        outputs = write_group(tmp_path, nothing_yet)
        assert str(outputs.interrupted()) == "all files are written"
        assert below(tmp_path) == {
            "one.json": b"new one", "new": None, "new/two.json": b"new two",
        }  # fmt: skip

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, MemoryError])
    def test_none_appears_after_an_error(self, tmp_path: Path, error: type[BaseException]) -> None:
        (tmp_path / "one.json").write_bytes(b"old one")

        def fail() -> None:
            raise error

        with pytest.raises(error):
            write_group(tmp_path, fail)
        assert below(tmp_path) == {"one.json": b"old one"}
        assert str(Outputs().interrupted()) == "nothing was written"

    @pytest.mark.parametrize("links", [True, False])
    @pytest.mark.parametrize("failing", [0, 1])
    def test_none_appears_when_one_cannot_be_renamed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int, links: bool
    ) -> None:
        (tmp_path / "one.json").write_bytes(b"old one")
        replace, calls = os.replace, iter(range(10))

        def fail(one: Path, other: Path) -> None:
            if next(calls) == failing:
                raise OSError(errno.EACCES, os.strerror(errno.EACCES))
            replace(one, other)

        def no_link(*_: object) -> None:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))

        monkeypatch.setattr(os, "replace", fail)
        if not links:
            monkeypatch.setattr(os, "link", no_link)
        name = ["one.json", "two.json"][failing]
        with pytest.raises(OutputError, match=rf"{name}: cannot be written \(Permission denied\)"):
            write_group(tmp_path)
        assert below(tmp_path) == {"one.json": b"old one"}

    def test_a_link_stays_a_link(self, tmp_path: Path) -> None:
        (tmp_path / "there").mkdir()
        (tmp_path / "one.json").symlink_to("there/one.json")
        write_group(tmp_path)
        assert (tmp_path / "one.json").is_symlink()
        assert (tmp_path / "there/one.json").read_bytes() == b"new one"

    def test_other_errors_in_the_block_are_not_put_down_to_the_file(self, tmp_path: Path) -> None:
        with pytest.raises(OSError, match="Too many open files"), atomic_write(tmp_path / "out"):
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        assert below(tmp_path) == {}

    @pytest.mark.parametrize("size", [10, 5 << 20])
    def test_errors_of_the_file_are(self, tmp_path: Path, size: int) -> None:
        (tmp_path / "out").write_bytes(b"old")
        resource = pytest.importorskip("resource")
        old = resource.getrlimit(resource.RLIMIT_FSIZE)
        ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5, old[1]))
        try:
            with (
                pytest.raises(OutputError, match=r"out: cannot be written \(File too large\)"),
                atomic_write(tmp_path / "out") as stream,
            ):
                stream.write(b"x" * size)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, old)
            signal.signal(signal.SIGXFSZ, ignored)
        assert below(tmp_path) == {"out": b"old"}
