"""`df2coco[all]` and what people train with go into one environment."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("others", "hotcoco"),
    [
        # RF-DETR's newest has an exact version of hotcoco; a resolver could else take an older RF-DETR.
        ((f"rfdetr[train]=={version('rfdetr')}", "ultralytics", "fiftyone", "datumaro", "transformers"), "1.0.1"),
        (("ultralytics",), None),
    ],
)  # fmt: skip
def test_resolved_together(others: tuple[str, ...], hotcoco: str | None, tmp_path: Path) -> None:
    wanted = tmp_path / "wanted.in"
    wanted.write_text("\n".join((f"df2coco[all] @ {ROOT.as_uri()}", *others)))
    command = (sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-header", wanted)
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0, done.stderr
    chosen = dict(re.findall(r"^([\w-]+)==(\S+)$", done.stdout, re.M))
    assert {re.split(r"[\[=]", other)[0] for other in others} <= chosen.keys()
    assert chosen["hotcoco"].startswith("1.")
    assert hotcoco in (None, chosen["hotcoco"])
