"""One function over all images of a split: in chunks, in several processes, in the order of the split."""

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from functools import partial
from typing import Final, TypeVar

import msgspec

from df2coco.errors import ImageError, SourceError
from df2coco.parser.reader import Reader, SplitEntry
from df2coco.parser.records import ImageRecord, Notice
from df2coco.progress import Progress
from df2coco.workers import map_ordered, worthwhile

_Result = TypeVar("_Result")

_CHUNK: Final = 64
"""Images a task: enough to hide the cost of passing them on, few enough to share the work evenly."""


class ReadImage(msgspec.Struct, frozen=True):
    """What the files of one image came to: a record, or the error that says why there is none."""

    entry: SplitEntry
    record: ImageRecord | None
    error: SourceError | None

    @property
    def notices(self) -> tuple[Notice, ...]:
        """Those of the record, or the one that says why there is none."""
        if self.record is not None:
            return self.record.notices
        assert self.error is not None
        code = "bad-image" if isinstance(self.error, ImageError) else "bad-file"
        return (Notice(code, self.error.file, self.error.field, self.error.text),)

    def required(self) -> ImageRecord:
        """The record. Raises the error when there is none."""
        if self.error is not None:
            raise self.error
        assert self.record is not None
        return self.record


def map_images(
    function: Callable[[list[ReadImage]], _Result],
    reader: Reader,
    entries: Sequence[SplitEntry],
    *,
    phase: str,
    workers: int,
    progress: Progress,
) -> Generator[_Result, None, None]:
    """`function` of all images, chunk by chunk, in up to `workers` processes; one result a chunk, in order.

    A file that cannot be used is part of what the function is given. The function and its results must be
    picklable, and what it raises is raised here. `progress` is called with `phase` and numbers of images.
    Raises `PasswordError` for the password of an archive, `WorkerError` when a process cannot be started or
    dies. Close the generator to end the processes early.
    """
    chunks = [entries[i : i + _CHUNK] for i in range(0, len(entries), _CHUNK)]
    work = partial(_read_and_apply, function, reader)
    done = 0
    progress(phase, done, len(entries))
    with closing(map_ordered(work, chunks, workers=worthwhile(workers, len(chunks)))) as results:
        for chunk, result in zip(chunks, results, strict=True):
            yield result
            done += len(chunk)
            progress(phase, done, len(entries))


def read_image(reader: Reader, entry: SplitEntry) -> ReadImage:
    """One image, with or without annotations. Raises `PasswordError`."""
    try:
        return ReadImage(entry, reader.record(entry), None)
    except SourceError as error:
        # What was raised keeps the frames that it passed, and these the bytes that were read.
        error.__context__ = None
        return ReadImage(entry, None, error.with_traceback(None))


def _read_and_apply(
    function: Callable[[list[ReadImage]], _Result], reader: Reader, entries: Sequence[SplitEntry]
) -> _Result:
    return function([read_image(reader, entry) for entry in entries])
