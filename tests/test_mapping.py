"""One function over all images of a split: the same from any number of processes, nothing lost, all in order."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from df2coco.errors import PasswordError, SourceError
from df2coco.parser.reader import ReadImage, Split, SplitEntry, map_images, read_image
from df2coco.parser.splits import find_images, find_splits
from df2coco.progress import no_progress
from tests.conftest import write_split
from tests.samples import make_annotation, make_item
from tests.test_source import pack
from tests.worker_tasks import describe, fail_at, stems

COUNT = 300
"""Enough for two processes."""
BAD = {7: "bad-file", 100: "bad-image", 299: "bad-file"}


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Split:
    """Nobody changes it."""
    folder = write_split(
        tmp_path_factory.mktemp("mapping") / "validation",
        dict.fromkeys(range(1, COUNT + 1), make_annotation(make_item())),
    )
    (folder / "annos" / "000007.json").write_bytes(b"[]")
    (folder / "image" / "000100.jpg").write_bytes(b"no photo")
    (folder / "annos" / "000299.json").write_text(
        json.dumps({**make_annotation(make_item()), "source": "elsewhere"})
    )
    return find_splits(folder, None, None)[0]


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("count", [0, 1, 64, 65, 300])
def test_every_entry_comes_once_and_in_order(split: Split, count: int, workers: int) -> None:
    calls: list[tuple[str, int, int]] = []
    parts = map_images(
        stems,
        split.reader,
        split.entries[:count],
        phase="looking",
        workers=workers,
        progress=lambda *call: calls.append(call),
    )
    assert [stem for part in parts for stem in part] == [f"{n:06d}" for n in range(1, count + 1)]
    assert calls[0] == ("looking", 0, count)
    assert calls[-1] == ("looking", count, count)
    done = [call[1] for call in calls]
    assert done == sorted(set(done))


@pytest.mark.parametrize("workers", [1, 2])
def test_what_cannot_be_used_stands_where_it_belongs(split: Split, workers: int) -> None:
    parts = map_images(
        describe, split.reader, split.entries, phase="", workers=workers, progress=no_progress
    )
    found = [image for part in parts for image in part]
    assert [stem for stem, *_ in found] == [entry.stem for entry in split.entries]
    codes = {int(stem): code for stem, _, code, _ in found if code}
    assert codes == BAD
    assert all((image_id is None) == bool(code) for _, image_id, code, _ in found)
    files = {int(stem): Path(file).name for stem, _, code, file in found if code}
    assert files == {7: "000007.json", 100: "000100.jpg", 299: "000299.json"}


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("position", [0, 130, 299])
def test_what_the_function_raises_is_raised(split: Split, position: int, workers: int) -> None:
    entries = list(split.entries)
    entries[position] = SplitEntry("bad", "bad.json", None)
    with pytest.raises(SourceError, match="bad entry"):
        list(
            map_images(
                fail_at, split.reader, entries, phase="", workers=workers, progress=no_progress
            )
        )
    assert psutil.Process().children() == []


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("password", [None, "wrong"])
def test_a_password_is_no_matter_of_single_files(
    split: Split, tmp_path: Path, password: str | None, workers: int
) -> None:
    assert split.reader.annotations is not None
    folder = split.reader.annotations.path.parent
    archive = pack(folder, tmp_path / "split.zip", password="right")
    locked = find_splits(archive, None, password)[0]
    with pytest.raises(PasswordError, match="password"):
        list(
            map_images(
                describe,
                locked.reader,
                locked.entries,
                phase="",
                workers=workers,
                progress=no_progress,
            )
        )


def test_leaving_early_ends_the_processes(split: Split) -> None:
    parts = map_images(
        stems, split.reader, split.entries, phase="", workers=2, progress=no_progress
    )
    with closing(parts):
        assert next(parts)[0] == "000001"
        assert len(psutil.Process().children()) == 2
    assert psutil.Process().children() == []


def test_images_without_annotations(split: Split) -> None:
    assert split.reader.images is not None
    images = find_images(split.reader.images.path, None)
    read = [read_image(images.reader, entry) for entry in images.entries]
    assert {int(each.entry.stem): each.notices[0].code for each in read if each.error} == {
        100: "bad-image"
    }
    assert sum(each.record is not None for each in read) == COUNT - 1


def test_a_record_is_required_or_its_error_raised(split: Split) -> None:
    good, bad = (read_image(split.reader, split.entries[index]) for index in (0, 6))
    assert good.required() is good.record
    assert good.notices == ()
    assert isinstance(bad, ReadImage)
    with pytest.raises(SourceError, match=r"000007\.json"):
        bad.required()
