"""A short run of the fuzzing with fixed seeds, and proof that it would tell."""

from __future__ import annotations

from typing import Any

import pytest

from tests.tools import fuzz


@pytest.mark.slow
@pytest.mark.no_cover
def test_mutated_annotation_files() -> None:
    outcome = fuzz.fuzz_annotations(1000, seed=1)
    assert outcome.failures == []
    assert outcome.slowest[0] < fuzz.SLOW
    # Neither are all refused, nor do all mutations miss.
    assert 300 < outcome.accepted < 700


@pytest.mark.slow
@pytest.mark.no_cover
def test_mutated_coco_files() -> None:
    outcome = fuzz.fuzz_coco(60, seed=1)
    assert outcome.failures == []
    assert outcome.slowest[0] < fuzz.SLOW
    assert 10 < outcome.accepted < 50


@pytest.mark.slow
@pytest.mark.no_cover
def test_mutated_archives() -> None:
    outcome = fuzz.fuzz_archives(300, seed=1)
    assert outcome.failures == []
    assert outcome.slowest[0] < fuzz.SLOW
    assert 60 < outcome.accepted < 240


def test_cases_are_the_same_on_every_run() -> None:
    assert fuzz.annotation_case(4711, 0) == fuzz.annotation_case(4711, 0)
    assert fuzz.annotation_case(4711, 0) != fuzz.annotation_case(4711, 1)


def test_what_escapes_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise TypeError("a bug")

    monkeypatch.setattr(fuzz, "parse_annotation", fail)
    outcome = fuzz.fuzz_annotations(3, seed=0)
    assert [failure.case for failure in outcome.failures] == [0, 1, 2]
    assert "TypeError: a bug" in outcome.failures[0].what


def test_output_that_is_not_valid_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    annotation = fuzz.Encoder.annotation

    def forget_a_field(*args: Any) -> bytes:
        return annotation(*args).replace(b'"area":', b'"size":')

    monkeypatch.setattr(fuzz.Encoder, "annotation", forget_a_field)
    outcome = fuzz.fuzz_annotations(20, seed=0)
    assert any("not valid" in failure.what for failure in outcome.failures)


def test_a_failure_ends_the_command_in_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["fuzz", "--only", "5"])
    assert fuzz.main() == 0
    monkeypatch.setattr(fuzz, "SLOW", 0.0)
    assert fuzz.main() == 1
    assert "1 annotation files" in capsys.readouterr().out
