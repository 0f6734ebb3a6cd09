"""What Windows and macOS lack is not needed, and nothing depends on the encoding of the system.

Neither system is at hand where this is developed. So what only POSIX or Linux has is taken away from the
interpreter, and from those of the workers, by a `sitecustomize.py` that Python runs before all else.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from df2coco import workers
from tests.conftest import MakeSplit
from tests.samples import make_annotation, make_item
from tests.test_source import pack

ABSENT = """
import mmap, os, signal, sys

MODULES = {"fcntl", "grp", "pty", "pwd", "resource", "termios", "tty", "_posixshmem"}
OS = '''O_NONBLOCK O_CLOEXEC O_NOFOLLOW O_DIRECTORY O_SYNC sched_getaffinity geteuid getuid getgid mkfifo
    killpg setsid getpgid fork forkpty fchmod fchown chown lchown posix_fadvise posix_fallocate pread pwrite
    preadv readv writev sendfile statvfs mknod nice getloadavg sync'''.split()
SIGNALS = '''SIGHUP SIGALRM SIGPIPE SIGUSR1 SIGQUIT SIGCHLD pthread_sigmask sigwait sigtimedwait alarm
    setitimer siginterrupt'''.split()

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name in MODULES:
            raise ModuleNotFoundError(f"No module named {name!r} on this system", name=name)

for name in MODULES:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Absent())
for module, names in ((os, OS), (signal, SIGNALS), (mmap, [n for n in dir(mmap) if "MADV" in n])):
    for name in names:
        if hasattr(module, name):
            delattr(module, name)
"""

COMMANDS = """
convert SPLIT OUT/a.json --workers 2
convert ZIP OUT/b.json --task instances --workers 2 --report OUT/report.json
convert SPLIT OUT/family --per-category
image-info SPLIT/image OUT/info.json
validate OUT/a.json --against SPLIT --images SPLIT/image --workers 2
validate OUT/b.json --json
stats SPLIT --workers 2
retrieval SPLIT OUT/retrieval --workers 2
restore OUT/a.json OUT/annos
draw OUT/a.json --images SPLIT/image --out OUT/sheet.png --sample 2
metainfo mmpose
--version
"""


@pytest.mark.slow
@pytest.mark.linux
def test_nothing_that_windows_lacks_is_needed(make_split: MakeSplit, tmp_path: Path) -> None:
    annotation = make_annotation(make_item())
    split = make_split(dict.fromkeys(range(1, 300), annotation))
    archive = pack(split, tmp_path / "split.zip")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(ABSENT)
    (tmp_path / "out").mkdir()
    root = Path(workers.__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), str(root)])}
    probe = "import os, signal; print(hasattr(os, 'O_NONBLOCK') or hasattr(signal, 'SIGHUP'))"
    for line in ["probe", *COMMANDS.strip().splitlines()]:
        for name, path in (("SPLIT", split), ("ZIP", archive), ("OUT", tmp_path / "out")):
            line = line.replace(name, str(path))
        arguments = ["-c", probe] if line == "probe" else ["-m", "df2coco", *line.split()]
        result = subprocess.run(
            [sys.executable, *arguments], env=environment, capture_output=True, text=True
        )
        assert result.returncode == 0, (line, result.stdout, result.stderr)
        if line == "probe":
            assert result.stdout == "False\n"
    assert (tmp_path / "out" / "b.json").stat().st_size > 0


@pytest.mark.slow
def test_no_file_is_opened_in_the_encoding_of_the_system(
    make_split: MakeSplit, tmp_path: Path
) -> None:
    split = make_split({1: make_annotation(make_item())})
    (tmp_path / "queries.txt").write_text("000001.jpg\n", encoding="utf-8")
    strict = ["-X", "warn_default_encoding", "-W", "error::EncodingWarning"]
    out = tmp_path / "out.json"
    for arguments in (
        ["convert", split, out, "--report", tmp_path / "report.json"],
        ["validate", out, "--against", split],
        ["stats", out],
        ["stats", split, "--json"],
        ["restore", out, tmp_path / "annos"],
        ["retrieval", split, tmp_path / "retrieval", "--query-list", tmp_path / "queries.txt"],
        ["metainfo", "mmpose"],
        ["metainfo", "detectron2"],
    ):
        result = subprocess.run(
            [sys.executable, *strict, "-m", "df2coco", *map(str, arguments)],
            capture_output=True,
            text=True,
        )
        assert result.returncode in (0, 1), (arguments, result.stderr)
        assert "EncodingWarning" not in result.stderr


@pytest.mark.linux
def test_data_in_a_pipe_is_the_same_in_every_locale(tmp_path: Path) -> None:
    box = {"bbox": [0, 0, 9, 9], "area": 81, "iscrowd": 0}
    document = {
        "images": [{"id": 1, "file_name": "1.jpg", "width": 9, "height": 9}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, **box}],
        "categories": [{"id": 1, "name": "caf\u00e9"}],
    }
    path = tmp_path / "out.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    ascii_only = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    shown = {
        subprocess.run(
            [sys.executable, "-m", "df2coco", "stats", path],
            capture_output=True,
            env={**os.environ, **environment},
            check=True,
        ).stdout
        for environment in ({"PYTHONUTF8": "1"}, ascii_only)
    }
    assert len(shown) == 1
    assert "caf\u00e9".encode() in shown.pop()


@pytest.mark.posix
def test_a_command_under_nohup_outlives_its_terminal(make_split: MakeSplit, tmp_path: Path) -> None:
    split = make_split({1: make_annotation(make_item())})
    script = (
        "import os, signal, sys; from df2coco.cli import main\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "import df2coco.converter as run\n"
        "convert = run.convert\n"
        "run.convert = lambda *a, **k: (os.kill(os.getpid(), signal.SIGHUP), convert(*a, **k))[1]\n"
        f"sys.argv = ['df2coco', 'convert', {str(split)!r}, {str(tmp_path / 'out.json')!r}]\n"
        "main()"
    )
    for code, ignored in ((0, True), (129, False)):
        line = script if ignored else script.replace("SIG_IGN", "SIG_DFL")
        result = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True)
        assert result.returncode == code, result.stderr
        assert "Traceback" not in result.stderr
