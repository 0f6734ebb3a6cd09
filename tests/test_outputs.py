"""Every output is guarded against inputs, and a group of files appears together or not at all."""

from __future__ import annotations

import errno
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from df2coco.errors import OutputError
from df2coco.outputs import (
    Outputs,
    atomic_write,
    check_folder,
    check_outputs,
    check_suffix,
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
        for check in (lambda p: check_outputs([p]), check_folder, self.write):
            with pytest.raises(OutputError, match="-: data goes to files, not to stdout"):
                check(Path("-"))
            check(Path("./-a"))

    @staticmethod
    def write(path: Path) -> None:
        with atomic_write(path) as stream:
            stream.write(b"")

    @pytest.mark.parametrize("name", ["out.txt", "out", "out.json.gz", ".json"])
    def test_json_is_called_so(self, name: str) -> None:
        with pytest.raises(
            OutputError, match=rf"^{re.escape(name)}: the name must end with \.json"
        ):
            check_suffix(Path(name), ".json")
        check_suffix(Path("out.JSON"), ".json")
        with pytest.raises(OutputError, match=r"must end with \.png or \.svg\. Choose another"):
            check_suffix(Path(name), ".png", ".svg")

    def test_a_check_that_is_interrupted_leaves_nothing(
        self, place: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        @contextmanager
        def with_a_name(dir: Path) -> Iterator[None]:  # as on disks without unnamed files
            (dir / "probe").touch()
            os.kill(os.getpid(), signal.SIGINT)
            (dir / "probe").unlink()
            yield

        monkeypatch.setattr("tempfile.TemporaryFile", with_a_name)
        # A shell's background jobs ignore Ctrl-C.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            with pytest.raises(KeyboardInterrupt):
                check_outputs([place / "out.json"])
        finally:
            signal.signal(signal.SIGINT, before)
        assert not (place / "probe").exists()

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
            check_folder(place / name, [place / "source"], replace=True, make_folders=True)
        check_folder(place / "new/folder", [place / "source"], make_folders=True)
        check_folder(place, [place / "source"], replace=True)

    def test_a_folder_is_empty_or_its_files_may_be_replaced(self, place: Path) -> None:
        for name in ("folder", "new"):
            check_folder(place / name)
        (place / "folder" / ".hidden").touch()
        check_folder(place / "folder")
        (place / "folder" / "file").touch()
        with pytest.raises(OutputError, match=r"holds files already\. Name a new folder"):
            check_folder(place / "folder")
        with pytest.raises(OutputError, match=r"holds files already\. Go away"):
            check_folder(place / "folder", remedy="Go away.")
        check_folder(place / "folder", replace=True)
        with pytest.raises(OutputError, match="there is no folder"):
            check_folder(place / "new/folder")
        with pytest.raises(OutputError, match="loop: is not a folder"):
            check_folder(place / "loop")


def write_group(folder: Path, before_the_end: Callable[[], None] = lambda: None) -> None:
    """Write one.json, where a file may stand, and new/two.json."""
    with Outputs() as outputs:
        outputs.open(folder / "one.json").write(b"new one")
        outputs.open(folder / "new/two.json").write(b"new two")
        before_the_end()


class TestGroup:
    def test_all_appear_at_the_end(self, tmp_path: Path) -> None:
        (tmp_path / "one.json").write_bytes(b"old one")

        def nothing_yet() -> None:
            assert (tmp_path / "one.json").read_bytes() == b"old one"
            assert not (tmp_path / "new/two.json").exists()

        write_group(tmp_path, nothing_yet)
        assert below(tmp_path) == {
            "one.json": b"new one", "new": None, "new/two.json": b"new two",
        }  # fmt: skip

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, MemoryError])
    def test_none_appears_after_an_error(self, tmp_path: Path, error: type[BaseException]) -> None:
        (tmp_path / "one.json").write_bytes(b"old one")

        def fail() -> None:
            raise error

        with pytest.raises(error) as caught:
            write_group(tmp_path, fail)
        assert below(tmp_path) == {"one.json": b"old one"}
        if error is KeyboardInterrupt:
            assert str(caught.value) == "nothing was written"

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

        def no_link(*_: object, **__: object) -> None:
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

    def test_what_is_replaced_hands_on_its_mode(self, tmp_path: Path) -> None:
        modes = {"one.json": 0o640, "old/a": 0o604}
        (tmp_path / "old").mkdir()
        for name, mode in modes.items():
            (tmp_path / name).touch()
            (tmp_path / name).chmod(mode)
        umask = os.umask(0o077)
        try:
            with Outputs() as outputs:
                outputs.open(tmp_path / "one.json")
                outputs.open(tmp_path / "new.json")
                (outputs.folder(tmp_path / "old") / "a").write_text("new")
        finally:
            os.umask(umask)
        for name, mode in {**modes, "new.json": 0o600}.items():
            assert (tmp_path / name).stat().st_mode & 0o777 == mode
        assert (tmp_path / "old/a").read_text() == "new"

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")
    def test_and_its_owner(self, tmp_path: Path) -> None:
        (tmp_path / "one.json").touch()
        os.chown(tmp_path / "one.json", 12345, 54321)
        write_group(tmp_path)
        status = (tmp_path / "one.json").stat()
        assert (status.st_uid, status.st_gid, status.st_size) == (12345, 54321, 7)

    @pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, SystemExit])
    def test_whatever_is_raised_between_two_renames(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
    ) -> None:
        (tmp_path / "one.json").write_bytes(b"old one")
        replace, calls = os.replace, iter(range(10))

        def fail(one: Path, other: Path) -> None:
            replace(one, other)
            if next(calls) == 0:
                raise error

        monkeypatch.setattr(os, "replace", fail)
        with pytest.raises(error) as caught:
            write_group(tmp_path)
        assert below(tmp_path) == {"one.json": b"old one"}
        if error is KeyboardInterrupt:
            assert str(caught.value) == "nothing was written"

    def test_what_cannot_be_put_back_is_kept_and_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "one.json").write_bytes(b"old one")
        replace, calls = os.replace, iter(range(10))

        def fail(one: Path, other: Path) -> None:
            if next(calls) > 0:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            replace(one, other)

        monkeypatch.setattr(os, "replace", fail)
        with pytest.raises(
            OutputError, match=r"two\.json: .*What was there before is in "
        ) as caught:
            write_group(tmp_path)
        kept = Path(str(caught.value).split(" is in ")[1].removesuffix("."))
        assert kept.read_bytes() == b"old one"
        assert (tmp_path / "one.json").read_bytes() == b"new one"

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_a_signal_waits_until_all_are_renamed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
    ) -> None:
        replace, came = os.replace, []

        def handle(number: int, frame: object) -> None:
            del frame
            came.append(sorted(below(tmp_path)))
            raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)

        def interrupted(one: Path, other: Path) -> None:
            os.kill(os.getpid(), number)
            replace(one, other)

        before = signal.signal(number, handle)
        monkeypatch.setattr(os, "replace", interrupted)
        try:
            with pytest.raises((KeyboardInterrupt, SystemExit)) as caught:
                write_group(tmp_path)
            assert signal.getsignal(number) == handle
        finally:
            signal.signal(number, before)
        assert came == [["new", "new/two.json", "one.json"]]
        if number == signal.SIGINT:
            assert str(caught.value) == "all files are written"

    def test_a_signal_comes_when_nothing_is_left_to_take_away(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        replace, came = os.replace, []

        def interrupted(one: Path, other: Path) -> None:
            os.kill(os.getpid(), signal.SIGTERM)
            replace(one, other)

        monkeypatch.setattr(os, "replace", interrupted)
        before = signal.signal(signal.SIGTERM, lambda *_: came.append(below(tmp_path)))
        try:
            fill(tmp_path)  # its work lies inside of it
        finally:
            signal.signal(signal.SIGTERM, before)
        assert came == [FILLED]

    def test_in_another_thread(self, tmp_path: Path) -> None:
        with ThreadPoolExecutor() as pool:
            pool.submit(write_group, tmp_path).result()
        assert sorted(below(tmp_path)) == ["new", "new/two.json", "one.json"]


def fill(folder: Path, before_the_end: Callable[[], None] = lambda: None) -> None:
    with Outputs() as outputs:
        work = outputs.folder(folder)
        (work / "inner").mkdir()
        for name in ("a", "b", "inner/c"):
            (work / name).write_text(f"new {name}")
        before_the_end()


FILLED = {"a": b"new a", "b": b"new b", "inner": None, "inner/c": b"new inner/c"}


class TestFolder:
    @pytest.mark.parametrize("name", ["missing", "missing/too", "there"])
    def test_it_appears_at_the_end(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "there").mkdir()
        before = below(tmp_path)

        def nothing_yet() -> None:
            names = {name for name in below(tmp_path) if ".tmp" not in name}
            assert names - {"missing"} == set(before)

        fill(tmp_path / name, nothing_yet)
        assert below(tmp_path / name) == FILLED
        assert not list(tmp_path.rglob("*.tmp"))

    def test_files_of_the_same_names_are_replaced_and_others_stay(self, tmp_path: Path) -> None:
        for name in ("a", "x"):
            (tmp_path / name).write_text("old")
        (tmp_path / "b").symlink_to("x")
        fill(tmp_path)
        assert below(tmp_path) == {**FILLED, "x": b"old"}
        assert not (tmp_path / "b").is_symlink()

    def test_all_or_none(self, tmp_path: Path) -> None:
        for name in ("a", "x"):
            (tmp_path / name).write_text("old")
        (tmp_path / "b").symlink_to("x")
        (tmp_path / "inner").mkdir()
        (tmp_path / "inner" / "d").touch()
        before = below(tmp_path)
        with pytest.raises(OutputError, match="inner: cannot be written"):
            fill(tmp_path)
        assert below(tmp_path) == before
        assert (tmp_path / "b").is_symlink()

    @pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ValueError])
    def test_none_appears_after_an_error(self, tmp_path: Path, error: type[BaseException]) -> None:
        (tmp_path / "a").write_text("old")
        before = below(tmp_path)

        def fail() -> None:
            raise error

        for folder in (tmp_path, tmp_path / "missing/new"):
            with pytest.raises(error):
                fill(folder, fail)
            assert below(tmp_path) == before

    def test_an_error_of_the_system_is_the_folders(self, tmp_path: Path) -> None:
        def fail() -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with pytest.raises(
            OutputError, match=r"out: cannot be written \(No space left on device\)"
        ):
            fill(tmp_path / "out", fail)
        assert below(tmp_path) == {}


@pytest.mark.parametrize(
    ("code", "times", "works"), [(32, 3, True), (5, 99, False), (17, 1, False)]
)
def test_a_file_that_an_antivirus_holds_is_renamed_a_little_later(
    code: int, times: int, works: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, real, waits = tmp_path / "a.json", os.replace, list[float]()
    path.write_bytes(b"old")

    def hold(work: Path, target: Path) -> None:
        nonlocal times
        times -= 1
        if times >= 0:
            error = PermissionError(13, "Access is denied")
            error.winerror = code  # type: ignore[attr-defined,unused-ignore]
            raise error
        real(work, target)

    monkeypatch.setattr(os, "replace", hold)
    monkeypatch.setattr(time, "sleep", waits.append)
    with nullcontext() if works else pytest.raises(OutputError, match="Access is") as caught:  # noqa: SIM117
        with atomic_write(path) as stream:
            stream.write(b"new")
    assert path.read_bytes() == (b"new" if works else b"old")
    assert len(waits) == {32: 3, 5: 8, 17: 0}[code]
    left = [name for name in os.listdir(tmp_path) if name != "a.json"]
    assert len(left) == (
        code == 5
    )  # what was written is not lost, and the message says where it is
    for name in left:
        assert (tmp_path / name).read_bytes() == b"new"
        assert f"Another program holds it: rename {tmp_path / name} yourself." in str(caught.value)
