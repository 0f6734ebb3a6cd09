"""Reading a split, one image at a time."""

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

import msgspec

from df2coco.errors import ImageError, SourceError, counted
from df2coco.parser.annotation import MAX_ANNOTATION_BYTES, parse_annotation, parse_image_id
from df2coco.parser.archive import Member
from df2coco.parser.image_header import (
    FIRST_BYTES,
    HeaderTooShortError,
    ImageHeader,
    header_limit,
    read_header,
)
from df2coco.parser.records import ImageRecord, Notice
from df2coco.split_names import original_name

Reference: TypeAlias = str | Member
"""How `Files` finds a file: its name in a folder, or its place in an archive."""

MAX_HEADER_BYTES: Final = 64 << 20
"""An image whose header does not end by then has no size."""


_BLOCK: Final = 1 << 16
"""Bytes of a file that are read at first: hardly any annotation file has more."""


class Files(Protocol):
    """A folder's files or an archive's members."""

    path: Path

    def read(self, reference: Any, size: int) -> tuple[bytes, bool]:
        """The first `size` bytes of a file, and whether that is all of it."""

    def ends(self, reference: Any, size: int) -> tuple[bytes, bytes, int]:
        """The first and the last `size` bytes of a file, and how many it has."""


class FolderFiles:
    """Reads regular files of one folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._prefix = os.path.join(path, "")

    def read(self, reference: str, size: int) -> tuple[bytes, bool]:
        """See `Files.read`. Raises `SourceError` for what is not a readable regular file."""
        wanted = size + 1
        try:
            descriptor = os.open(self._prefix + reference, _OPEN_FLAGS)
            try:
                data = os.read(descriptor, min(wanted, _BLOCK))
                # What ends after its first bytes is a regular file; asking takes as long as reading.
                if len(data) != wanted and (not data or os.read(descriptor, 1)):
                    data = _read_whole(descriptor, wanted)
            except OSError:
                _length(descriptor)
                raise
            finally:
                os.close(descriptor)
        except OSError as error:
            raise _unreadable(error) from None
        return data[:size], len(data) <= size

    def ends(self, reference: str, size: int) -> tuple[bytes, bytes, int]:
        """See `Files.ends`. Raises as `read`."""
        try:
            descriptor = os.open(self._prefix + reference, _OPEN_FLAGS)
            try:
                length = _length(descriptor)
                first = os.read(descriptor, size)
                os.lseek(descriptor, max(length - size, 0), os.SEEK_SET)
                return first, os.read(descriptor, size), length
            finally:
                os.close(descriptor)
        except OSError as error:
            raise _unreadable(error) from None


def _read_whole(descriptor: int, size: int) -> bytes:
    """The first `size` bytes of a regular file."""
    wanted = min(size, _length(descriptor))
    os.lseek(descriptor, 0, os.SEEK_SET)
    data = b""
    while len(data) < wanted and (more := os.read(descriptor, wanted - len(data))):
        data += more
    return data


def _length(descriptor: int) -> int:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise SourceError("not a regular file. Remove it.")
    return status.st_size


def _unreadable(error: OSError) -> SourceError:
    if isinstance(error, FileNotFoundError):
        return SourceError("is missing. Download or unpack it again.")
    return SourceError(f"cannot be read ({error.strerror}).")


# O_NONBLOCK: opening a FIFO must not wait for a writer.
_OPEN_FLAGS: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


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
        """One annotation file with the size of its image.

        Raises `SourceError` for an annotation file, `ImageError` for an image that cannot be used, and
        `PasswordError` for a wrong password.
        """
        assert self.annotations is not None
        assert entry.annotation is not None
        file = self.annotation_file(entry)
        try:
            raw, _ = self.annotations.read(entry.annotation, MAX_ANNOTATION_BYTES + 1)
            image_id = parse_image_id(entry.stem)
        except SourceError as error:
            raise SourceError(error.text, file=file) from None
        header = None if self.images is None else self.header(entry)
        record = parse_annotation(
            raw,
            file,
            image_id=image_id,
            file_name=entry.file_name,
            size=None if header is None else self._size(header),
            needs_landmarks=self.needs_landmarks,
        )
        return record if header is None else self._with_orientation(record, header)

    def bare_record(self, entry: SplitEntry) -> ImageRecord:
        """A record of an image that has no annotations. Raises `ImageError`, `PasswordError`."""
        header = self.header(entry)
        try:
            image_id = parse_image_id(entry.stem)
        except SourceError as error:
            raise ImageError(error.text, file=f"{self.images_label}/{entry.file_name}") from None
        size = self._size(header)
        record = ImageRecord(image_id, entry.file_name, *size, None, None, ())
        return self._with_orientation(record, header)

    def _with_orientation(self, record: ImageRecord, header: ImageHeader) -> ImageRecord:
        if header.orientation == 1:
            return record
        text = f"EXIF orientation {header.orientation}: loaders turn it, and the annotations may not fit"
        notice = Notice("exif-orientation", f"{self.images_label}/{record.file_name}", "", text)
        return msgspec.structs.replace(record, notices=(*record.notices, notice), reach=None)

    def _size(self, header: ImageHeader) -> tuple[int, int]:
        return header.stored_size if self.stored_size else header.size

    def header(self, entry: SplitEntry) -> ImageHeader:
        """Size and orientation of one image. Raises `ImageError`, `PasswordError`."""
        assert self.images is not None
        try:
            if entry.image is None:
                raise SourceError("is missing. Download or unpack it again.")
            return read_image_header(self.images, entry.image)
        except SourceError as error:
            raise ImageError(error.text, file=f"{self.images_label}/{entry.file_name}") from None


def read_image_header(files: Files, reference: Reference) -> ImageHeader:
    """Size and orientation of one image, from as few of its first bytes as will do.

    Raises `SourceError` without the name of the file, `PasswordError`.
    """
    size = FIRST_BYTES
    while True:
        data, complete = files.read(reference, size)
        limit = header_limit(data) or MAX_HEADER_BYTES
        try:
            return read_header(data, complete=complete or size >= limit)
        except HeaderTooShortError:
            size = min(size * 16, limit)


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
    doubles: Sequence[str] = ()
    """Names of images that are not taken, since another one has the same name but for the suffix."""
    annotation_doubles: Sequence[str] = ()
    """As `doubles`, of annotation files."""
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
        if None in (self.reader.annotations, self.reader.images):
            return
        if all(entry.image is None for entry in self.entries):
            text = f"has none of the {counted(len(self.entries), 'photo')} of {self.label}. {self.where_photos_are()}"
            raise SourceError(text, file=self.reader.images_label)

    def where_photos_are(self) -> str:
        """What to do when no photos were found."""
        if len(self.near) > 1:
            some = f"{', '.join(self.near[:3])}{' ...' if len(self.near) > 3 else ''}"
            return (
                f"Photos lie in {some}: name one of them with --images, or put all into one folder."
            )
        where = f"the images, which may be in {self.near[0]}," if self.near else "the images"
        return f"Name {where} with --images."

    @property
    def folders(self) -> list[Path]:
        """The folders and archives that are read."""
        return [files.path for files in (self.reader.annotations, self.reader.images) if files]

    def notices(self) -> Iterator[Notice]:
        """What lies there and is not read: images without annotation file, doubles, other archives."""
        hint = ""
        if self.others:
            hint = f" {self.others[0]} may hold it: unpack that again, or name it as SOURCE."
        if self.lacks_annotations:
            text = "no annotation files beside these images, so they are taken as those of the test split are.{}"
            yield Notice(
                "split-without-annotations",
                self.reader.images_label,
                "",
                text.format(hint or " Unpack annos, too."),
            )
        if self.photos_of is not None:
            text = f"going by the names, these are the photos of {self.photos_of}, and the annotations of {self.name}: every split has the same numbers. Name the right ones with --images."
            yield Notice("other-photos", self.reader.images_label, "", text)
        for name in self.unannotated:
            text = f"no annotation file, so the image is left out.{hint}"
            yield Notice(
                "image-without-annotations", f"{self.reader.images_label}/{name}", "", text
            )
        for what, code, label, names in (
            (
                "annotation file",
                "annotation-double",
                self.reader.annotations_label,
                self.annotation_doubles,
            ),
            ("image", "image-double", self.reader.images_label, self.doubles),
        ):
            for name in names:
                stem = os.path.splitext(name)[0]
                other = f"another {what} has the same name but for the suffix, and is taken. Remove one of the two."
                if original_name(stem) != stem:
                    other = f"a copy of another {what}, which is taken. Remove it."
                yield Notice(code, f"{label}/{name}", "", other)
        for path, reason in self.passed_over:
            yield Notice("not-read", path, "", reason)


def read_split(split: Split) -> Iterator[ImageRecord]:
    """The records of a split, sorted by name, read as they are asked for. Raises as `Reader.record`.

    Records of a split without annotations have no items.
    """
    reader = split.reader
    return map(reader.bare_record if reader.annotations is None else reader.record, split.entries)
