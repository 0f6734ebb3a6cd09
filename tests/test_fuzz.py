"""A short run of the fuzzing with fixed seeds, and proof that it would notice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.tools.fuzz import __main__ as command
from tests.tools.fuzz import annotations, archives, cases, coco, outlines, pictures, retrieval
from tests.tools.fuzz.cases import Outcome


@pytest.mark.slow
@pytest.mark.no_cover
@pytest.mark.parametrize(
    ("fuzz", "number", "low", "high"),
    [
        # Neither are all refused, nor do all mutations miss.
        (annotations.fuzz_annotations, 1000, 300, 700),
        (coco.fuzz_coco, 40, 5, 35),
        (archives.fuzz_archives, 300, 50, 240),
        (pictures.fuzz_pictures, 24, 6, 22),
        (outlines.fuzz_outlines, 100, 90, 101),
        (retrieval.fuzz_retrieval, 300, 150, 290),
    ],
)
def test_mutated_input(fuzz: Callable[..., Outcome], number: int, low: int, high: int) -> None:
    outcome = fuzz(number, seed=1)
    assert outcome.failures == []
    assert outcome.slowest[0] < 2 * cases.SLOW  # coverage halves the speed
    assert low < outcome.accepted < high


def test_cases_are_the_same_on_every_run() -> None:
    assert annotations.annotation_case(4711, 0) == annotations.annotation_case(4711, 0)
    assert annotations.annotation_case(4711, 0) != annotations.annotation_case(4711, 1)


def test_what_escapes_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise TypeError("a bug")

    monkeypatch.setattr(annotations, "parse_annotation", fail)
    outcome = annotations.fuzz_annotations(3, seed=0)
    assert [failure.case for failure in outcome.failures] == [0, 1, 2]
    assert "TypeError: a bug" in outcome.failures[0].what


@pytest.mark.parametrize(
    ("written", "instead", "what"),
    [
        (b'"area":', b'"size":', "not valid"),
        (b'"category_id":9,', b'"category_id":8,', "category_id of item"),
        (b'"style":1', b'"style":2', "style of item"),
    ],
)
def test_output_that_is_wrong_is_a_failure_of_its_own_case(
    monkeypatch: pytest.MonkeyPatch, written: bytes, instead: bytes, what: str
) -> None:
    annotation = annotations.Encoder.annotation

    def change(*args: Any) -> bytes:
        return annotation(*args).replace(written, instead)

    monkeypatch.setattr(annotations.Encoder, "annotation", change)
    failures = annotations.fuzz_annotations(20, seed=0).failures
    assert any(what in failure.what for failure in failures)
    # `--only` shows the same one again.
    number = failures[-1].case
    alone = cases.summed(annotations.annotation_batch(0, range(number, number + 1)))
    assert alone.failures
    assert {failure.case for failure in alone.failures} == {number}


def test_other_bytes_than_those_of_zipfile_are_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    read = archives.Pictures.read
    monkeypatch.setattr(archives.Pictures, "read", lambda *args: read(*args)[:-1])
    assert any("by zipfile" in f.what for f in archives.fuzz_archives(20, seed=0).failures)


def test_holes_that_are_filled_are_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    triangle = [(0.0, 0.0), (200.0, 0.0), (200.0, 200.0)]
    monkeypatch.setattr(outlines, "outlines", lambda masks: [triangle for _ in masks])
    assert any("pixels" in f.what for f in outlines.fuzz_outlines(20, seed=0).failures)


def test_memory_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    peaks = iter((100.0, 900.0, 900.0))
    monkeypatch.setattr(cases, "_peak", lambda: next(peaks))
    watch = cases.Watch(3, b"")
    assert watch.run(lambda: None, "load")
    assert [failure.what for failure in watch.failures] == ["load: took 900 MB"]


def test_a_failure_ends_the_command_in_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        command,
        "KINDS",
        {"outlines": command.KINDS["outlines"], "headers": command.KINDS["headers"]},
    )
    monkeypatch.setattr("sys.argv", ["fuzz", "--only", "5"])
    assert command.main() == 0
    monkeypatch.setattr(cases, "SLOW", 0.0)
    assert command.main() == 1
    assert "1 outlines" in capsys.readouterr().out
