"""What `validate` says of pycocotools is what pycocotools did with the file."""

import importlib
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from typer.testing import CliRunner

from df2coco.cli.app import app
from df2coco.validator import Report, round_trip, validate

CLEAN = Path(__file__).resolve().parent.parent / "fixtures" / "findings" / "id-large.json"
TOY = CLEAN.with_name("landmarks-not-of-mask.json")


def imperfect(report: Report) -> list[str]:
    return [h.detail for f in report.findings if f.check.code == "score-imperfect" for h in f.hits]


def run(*arguments: str | Path) -> tuple[int, str]:
    importlib.import_module("df2coco.cli.validate")
    result = CliRunner().invoke(app, ["validate", *map(str, arguments)])
    return result.exit_code, result.stdout


def raises(*_: Any, **__: Any) -> Any:
    raise KeyError("nothing")


def test_what_its_constructor_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(COCO, "__init__", raises)
    report = validate(CLEAN)
    assert not report.loaded
    assert not report.is_valid()
    assert imperfect(report) == ["pycocotools does not load it: KeyError('nothing')"]
    code, out = run(CLEAN)
    assert code == 1
    assert "\n  pycocotools does not load it: KeyError('nothing')\n" in out


def test_what_scoring_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(COCOeval, "accumulate", raises)
    assert imperfect(validate(CLEAN)) == ["pycocotools cannot score it: KeyError('nothing')"]


encode = COCO.annToRLE


@pytest.mark.parametrize("polygon", [[9.0] * 6, [9.0, 9, 19, 9, 19, 19]])
def test_a_wrong_mask(polygon: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """In truth and result, so that it is equal to itself."""
    assert imperfect(validate(CLEAN)) == []
    monkeypatch.setattr(
        COCO, "annToRLE", lambda self, entry: encode(self, entry | {"segmentation": [polygon]})
    )
    assert "pycocotools draws a mask of" in imperfect(validate(CLEAN))[0]


def test_a_mask_that_is_another_one_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    shifts = itertools.count()

    def draw(self: COCO, entry: dict[str, Any]) -> Any:
        if isinstance(entry["segmentation"], list):
            by = 3 * next(shifts)
            moved = [[n + by for n in polygon] for polygon in entry["segmentation"]]
            entry = entry | {"segmentation": moved}
        return encode(self, entry)

    monkeypatch.setattr(COCO, "annToRLE", draw)
    assert any(detail.startswith("segm AP 0.") for detail in imperfect(validate(CLEAN)))


def test_masks_of_the_largest_images_take_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Drawn in full, a mask of 30000 x 30000 pixels takes 1.8 GB."""
    document = json.loads(CLEAN.read_text())
    for image in document["images"]:
        image |= {"width": 30_000, "height": 30_000}
    path = tmp_path / "large.json"
    path.write_text(json.dumps(document))
    monkeypatch.setattr(COCO, "annToMask", raises)
    assert imperfect(validate(path)) == []


@pytest.mark.parametrize("value", ["x", [["x"] * 6], {"size": [100, 100], "counts": [9]}, None])
def test_what_it_may_crash_on_is_not_called_loaded(value: Any, tmp_path: Path) -> None:
    document = json.loads(CLEAN.read_text())
    document["annotations"][0]["segmentation"] = value
    path = tmp_path / "a.json"
    path.write_text(json.dumps(document))
    code, out = run(path)
    assert code == 1
    assert "loads" not in out
    assert "pycocotools may crash on the errors in it, so it was not scored" in out
    assert "score-imperfect" not in out  # another error says why


# ---------------------------------------------------------------- which images


def many(path: Path, **info: Any) -> Path:
    document = json.loads(TOY.read_text())
    first = document["annotations"][1]
    image = document["images"][0]
    numbers = range(1, 31)
    document["info"] = info
    document["images"] = [image | {"id": n, "file_name": f"{n}.jpg"} for n in numbers]
    document["annotations"] = [first | {"id": n, "image_id": n} for n in reversed(numbers)]
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize("info", [{}, {"annotations": []}], ids=["parts", "whole"])
@pytest.mark.parametrize(("score", "scored"), [("7", 7), ("30", 30), ("31", 30), ("all", 30)])
def test_so_many_images_are_scored(
    info: Any, score: str, scored: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = []
    construct = COCO.__init__

    def keep(self: COCO, *arguments: Any) -> None:
        construct(self, *arguments)
        loaded.extend([self] if arguments else [])

    monkeypatch.setattr(COCO, "__init__", keep)
    path = many(tmp_path / "a.json", **info)
    code, out = run(path, "--score", score, "--json")
    report = json.loads(out)
    assert code == 0
    assert report["scored_images"] == scored
    assert set(report["scores"]) == {"boxes", "masks", "landmarks"}
    assert min(report["scores"].values()) > 0.999999
    ids = [entry["id"] for entry in loaded[0].dataset["images"]]
    assert len(ids) == scored
    assert sorted(entry["image_id"] for entry in loaded[0].dataset["annotations"]) == ids
    assert max(np.diff(ids)) <= 5  # spread evenly
    of_all = "" if scored == 30 else " of 30"
    text = " ".join(run(path, "--score", score)[1].split())
    assert (
        f"pycocotools loads it; the annotations of {scored}{of_all} images scored as results: "
        in text
    )


def test_no_images_are_scored(tmp_path: Path) -> None:
    path = many(tmp_path / "a.json")
    for options in (["--score", "0"], ["--quick"]):
        assert "pycocotools" not in run(path, *options)[1]
    assert run(path, "--score", "-1")[0] == run(path, "--score", "some")[0] == 2


def test_another_process_gives_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(round_trip, "_SMALL", 0)
    path = many(tmp_path / "a.json")
    reports = [validate(path, score_images=9, workers=workers) for workers in (1, 2)]
    assert reports[0] == reports[1]
    assert reports[0].scored == 9
    assert capfd.readouterr() == ("", "")


# ---------------------------------------------------------------- quiet


def test_quiet_prints_what_is_wrong_and_nothing_else() -> None:
    assert run(CLEAN, "--quiet") == (0, "")
    code, out = run(CLEAN.with_name("bbox-empty.json"), "--quiet")
    assert code == 1
    assert "error: bbox-empty" in out
    assert run(CLEAN.with_name("bbox-small.json"), "--quiet") == (0, "")
    code, out = run(CLEAN.with_name("bbox-small.json"), "--quiet", "--strict")
    assert code == 1
    assert "warning: bbox-small" in out
