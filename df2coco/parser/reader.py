"""Reading a split, image by image, here or in several processes, in the order of the split."""

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import msgspec

from df2coco.errors import ImageError, SourceError, counted
from df2coco.parser.annotation import MAX_ANNOTATION_BYTES, find_image_id, parse_annotation
from df2coco.parser.files import MISSING, Files, Reference
from df2coco.parser.image_header import ImageHeader, read_image_header
from df2coco.parser.records import ImageRecord, Notice
from df2coco.progress import Progress
from df2coco.split_names import original_name
from df2coco.workers import map_ordered, worthwhile

_Result = TypeVar("_Result")
_CHUNK: Final = 64
"""Images a task: enough to hide the cost of passing them on, few enough to share the work evenly."""
_NO_ID: Final = (
    "{}: the name is not a number, so it gives no image id. Name the files as the dataset does: "
    "000123.json, 000123.jpg."
)


class SplitEntry(NamedTuple):
    """One image of a split."""

    stem: str
    """The file name without its suffix: "000123"."""
    annotation: Reference | None
    image: Reference | None
    suffix: str = ".jpg"
    """The image's."""

    @property
    def file_name(self) -> str:
        """The image's name: "000123.jpg"."""
        return self.stem + self.suffix


@dataclass(frozen=True)
class Reader:
    """Reads the images of a split; small, so that it can be sent to workers."""

    annotations: Files | None
    annotations_label: str
    """The annotations' folder as messages name it."""
    images: Files | None
    images_label: str
    stored_size: bool = False
    """Take image sizes as stored, without the rotation that EXIF asks for."""
    needs_landmarks: bool = True
    """Whether items without landmarks cannot be used."""

    def annotation_file(self, entry: SplitEntry) -> str:
        """An entry's annotation file as messages name it."""
        return f"{self.annotations_label}/{entry.stem}.json"

    def record(self, entry: SplitEntry) -> ImageRecord:
        """One image: its annotation file with the size of its photo, or a photo without annotations.

        Raises `SourceError` for an annotation file, `ImageError` for an image that cannot be used, and
        `PasswordError` for a wrong password.
        """
        header, image_id = None, find_image_id(entry.stem)
        if self.annotations is None:
            header = self.header(entry)
            if image_id is None:
                raise ImageError(_NO_ID.format(entry.stem), file=self._image_file(entry))
            record = ImageRecord(image_id, entry.file_name, *self._size(header), None, None, ())
        else:
            file = self.annotation_file(entry)
            try:
                raw, _ = self.annotations.read(entry.annotation, MAX_ANNOTATION_BYTES + 1)
            except SourceError as error:
                raise SourceError(error.text, file=file) from None
            if image_id is None:
                raise SourceError(_NO_ID.format(entry.stem), file=file)
            header = self.header(entry) if self.images else None
            size = self._size(header) if header else None
            record = parse_annotation(
                raw, file, image_id, entry.file_name, size, needs_landmarks=self.needs_landmarks
            )
        if header is None or header.orientation == 1:
            return record
        text = f"EXIF orientation {header.orientation}: loaders turn it, and the annotations may not fit"
        notice = Notice("exif-orientation", self._image_file(entry), "", text)
        return msgspec.structs.replace(record, notices=(*record.notices, notice), reach=None)

    def _size(self, header: ImageHeader) -> tuple[int, int]:
        return header.stored_size if self.stored_size else header.size

    def _image_file(self, entry: SplitEntry) -> str:
        return f"{self.images_label}/{entry.file_name}"

    def header(self, entry: SplitEntry) -> ImageHeader:
        """Size and orientation of one image. Raises `ImageError`, `PasswordError`."""
        assert self.images is not None
        try:
            if entry.image is None:
                raise SourceError(MISSING)
            return read_image_header(self.images, entry.image)
        except SourceError as error:
            raise ImageError(error.text, file=self._image_file(entry)) from None


@dataclass(frozen=True)
class Split:
    """The files of one split."""

    name: str
    """"train", "validation", "test", or what the folder is called."""
    reader: Reader
    """Its `annotations` are None for the test split, its `images` when there are none."""
    entries: Sequence[SplitEntry]
    """Sorted by name."""
    unannotated: Sequence[str] = ()
    """Names of the images that have no annotation file, sorted."""
    doubles: Sequence[tuple[str, str]] = ()
    """Code and file: others of the same name but for the suffix are taken."""
    lacks_annotations: bool = False
    """Only images were found, though the dataset has annotations for a split of this name."""
    passed_over: list[tuple[str, str]] = field(default_factory=list)
    """Folders and archives that look like the dataset's and are not read, each with the reason."""
    others: list[str] = field(default_factory=list)
    """Folders and archives that may hold this split, too."""
    near: Sequence[str] = ()
    """Where its photos may be, when none were found."""
    photos_of: str | None = None
    """The other split whose photos these are, going by the names of folders."""

    @property
    def label(self) -> str:
        """The folder of its annotation files, else of its images, as messages name it."""
        return self.reader.annotations_label or self.reader.images_label

    def check_photos(self) -> None:
        """Raise `SourceError` when there is a place for photos, and none of them in it."""
        reader = self.reader
        if reader.annotations and reader.images and not any(e.image for e in self.entries):
            text = f"has none of the {counted(len(self.entries), 'photo')} of {self.label}. {self.where_photos_are()}"
            raise SourceError(text, file=reader.images_label)

    def where_photos_are(self) -> str:
        """What to do when no photos were found."""
        if len(self.near) > 1:
            some = ", ".join(self.near[:3]) + (" ..." if len(self.near) > 3 else "")
            text = f"Photos lie in {some}: put all into one folder,"
            return f"{text} or name the one that has all with --images."
        where = f"the images, which may be in {self.near[0]}," if self.near else "the images"
        return f"Name {where} with --images."

    @property
    def folders(self) -> list[Path]:
        """The folders and archives that are read."""
        return [files.path for files in (self.reader.annotations, self.reader.images) if files]

    def notices(self) -> Iterator[Notice]:
        """What lies there and is not read: images without annotation file, doubles, other archives."""
        hint, images = "", self.reader.images_label
        if self.others:
            hint = f" {self.others[0]} may hold it: unpack that again, or name it as SOURCE."
        if self.lacks_annotations:
            text = "no annotation files beside these images, so they are taken as those of the test split are."
            text += hint or " Unpack annos, too."
            yield Notice("split-without-annotations", images, "", text)
        if self.photos_of is not None:
            text = f"going by the names, these are the photos of {self.photos_of}, and the annotations of {self.name}: every split has the same numbers. Name the right ones with --images."
            yield Notice("other-photos", images, "", text)
        text = f"no annotation file, so the image is left out.{hint}"
        for name in self.unannotated:
            yield Notice("image-without-annotations", f"{images}/{name}", "", text)
        for code, path in self.doubles:
            what = "image" if code == "image-double" else "annotation file"
            stem = os.path.splitext(os.path.basename(path))[0]
            text = f"another {what} has the same name but for the suffix, and is taken. Remove one of the two."
            if original_name(stem) != stem:
                text = f"a copy of another {what}, which is taken. Remove it."
            yield Notice(code, path, "", text)
        for path, reason in self.passed_over:
            yield Notice("not-read", path, "", reason)


def read_split(split: Split) -> Iterator[ImageRecord]:
    """The records of a split, sorted by name, read as they are asked for. Raises as `Reader.record`."""
    return map(split.reader.record, split.entries)


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
