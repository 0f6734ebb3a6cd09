"""Files as they are read: of a folder, or members of a zip archive without unpacking it.

The standard library reads an archive's directory, once. Members are read here, also 384,000 of
them, also encrypted: its `ZipFile` would read that directory again in every worker (seconds and
hundreds of MB for `train.zip`), and its own decryption is pure Python: `fast-zip-decryption` does
the same 27 times faster (`make bench`) and is used where it is installed.
"""

import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import IO, Any, Final, NamedTuple, TypeAlias

from df2coco.errors import PasswordError, SourceError
from df2coco.file_kind import VOLUME, is_text_file, recognise_file


class Member(NamedTuple):
    """Where a member lies in its archive, and how to check it."""

    offset: int
    compressed_size: int
    method: int
    encrypted: bool
    check: int
    """The byte that the decrypted header must end with."""
    crc: int


Reference: TypeAlias = str | Member
"""How `Files` finds a file: its name in a folder, or its place in an archive."""


MAX_WHOLE: Final = 1 << 26
"""The largest image that is read as a whole."""

MISSING: Final = "is missing. Download or unpack it again."
_NOT_REGULAR: Final = "not a regular file. Remove it."
_BLOCK: Final = 1 << 16
"""Bytes of a file that are read at first: hardly any annotation file has more."""
# O_NONBLOCK: opening a FIFO must not wait for a writer.
_OPEN_FLAGS: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class FolderFiles:
    """Regular files of one folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._prefix = os.path.join(path, "")

    def read(self, reference: Any, size: int) -> tuple[bytes, bool]:
        """The first `size` bytes of a file, and whether that is all of it.

        Raises `SourceError` without the name of the file, `PasswordError`.
        """
        try:
            descriptor = os.open(self._prefix + reference, _OPEN_FLAGS)
            try:
                data = os.read(descriptor, min(size + 1, _BLOCK))
                # What ends after its first bytes is a regular file; asking takes as long as reading.
                if len(data) <= size and (not data or os.read(descriptor, 1)):
                    status = os.fstat(descriptor)
                    if not stat.S_ISREG(status.st_mode):
                        raise SourceError(_NOT_REGULAR)
                    os.lseek(descriptor, 0, os.SEEK_SET)
                    with open(descriptor, "rb", closefd=False) as file:
                        data = file.read(min(size + 1, status.st_size))
                return data[:size], len(data) <= size
            finally:
                os.close(descriptor)
        except OSError as error:
            raise _unreadable(error) from None

    def ends(self, reference: Any, size: int) -> tuple[bytes, bytes, int]:
        """The first and the last `size` bytes of a file, and how many it has. Raises as `read`."""
        try:
            with open(self._prefix + reference, "rb") as file:
                first = file.read(size)
                length = file.seek(0, os.SEEK_END)
                file.seek(max(length - size, 0))
                return first, file.read(size), length
        except OSError as error:
            raise _unreadable(error) from None


def read_named(path: Path, remedy: str) -> bytes:
    """What an option names; of a device, which may never end, the start. Raises `SourceError`."""
    try:
        with path.open("rb") as stream:
            start = stream.read(1 << 16)
            return start if b"\0" in start else start + stream.read(MAX_WHOLE)
    except IsADirectoryError:
        raise SourceError(f"is not a file. {remedy}", file=path) from None
    except OSError as error:
        raise SourceError(f"cannot be read ({error.strerror}).", file=path) from None


def _unreadable(error: OSError) -> SourceError:
    texts = {FileNotFoundError: MISSING, IsADirectoryError: _NOT_REGULAR}
    return SourceError(texts.get(type(error), f"cannot be read ({error.strerror})."))


_AES: Final = 99
_LOCAL_HEADER: Final = struct.Struct("<4s22xHH")
_END_RECORD: Final = struct.Struct("<4xH4xH10x")
_ENCRYPTION_HEADER: Final = 12
_TOO_EARLY: Final = "it ends too early"


def read_directory(path: Path) -> Iterator[tuple[str, Member]]:
    """Name, with "/" between folders, and place of each file in the archive, but those that macOS adds.

    Raises `SourceError` when it is not a zip archive or is damaged.
    """
    if not os.path.isfile(path):  # opening a FIFO would wait for a writer
        text = "is neither a folder nor a file. Name a folder or a zip archive."
        raise SourceError(text, file=path)
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, struct.error, NotImplementedError) as error:
        raise SourceError(_why_not(path, error), file=path) from None
    if read_end(path).is_last_volume:  # which zipfile reads as if it were all
        raise SourceError(_why_not(path, ValueError()), file=path)
    places = sorted((info.header_offset, info.compress_size + _LOCAL_HEADER.size) for info in infos)
    # As only archives that do harm have it: a few bytes would be read again and again.
    if any(start + length > other for (start, length), (other, _) in pairwise(places)):
        text = "two members lie at one place in the archive. Download it again."
        raise SourceError(text, file=path)
    size = os.path.getsize(path)
    for info in infos:
        if info.compress_type == _AES:
            text = "encrypted with AES; df2coco reads the traditional cipher of the released downloads."
            raise SourceError(f"{text} Unpack the archive with 7z x.", file=path)
        name = info.filename.replace("\\", "/")  # as some packers on Windows write it
        if name.endswith("/") or "__MACOSX" in name:
            continue
        hour, minute = info.date_time[3:5]
        # A streamed member's CRC was not known when its header was encrypted: its time serves.
        check = hour << 3 | minute >> 3 if info.flag_bits & 0x8 else info.CRC >> 24
        # Of 64 bits, with which nothing can be sought.
        offset = min(max(info.header_offset, 0), size)
        place = offset, info.compress_size, info.compress_type
        yield name, Member(*place, bool(info.flag_bits & 0x1), check, info.CRC)


def _why_not(path: Path, error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be read ({error.strerror})."
    end = read_end(path)
    kind = VOLUME if end.is_last_volume else recognise_file(path)
    if kind is not None:
        needed = "" if kind.form else ", not a zip archive"
        return f"this is {kind.what}{needed}. {kind.remedy}".strip()
    if not os.path.getsize(path):
        return "the file is empty. Download it again."
    if starts_as_zip(path) and not end.is_complete:
        text = "its end is missing: the download is not complete."
        return f"{text} Download it again, or complete it."
    if path.suffix.lower() != ".zip":
        return f"neither a folder nor a zip archive ({error}). Name a folder or a zip of it."
    if not is_text_file(path):
        return f"not a readable zip archive ({error}). Download it again."
    return (
        "this is text, not a zip archive. The download did not work: open the file in an editor, where "
        "it may say why, and download it again."
    )


def starts_as_zip(path: Path, offset: int = 0) -> bool:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(4) == b"PK\3\4"


class End(NamedTuple):
    """What the record at the end of an archive says."""

    is_complete: bool
    """It is there, and no more than a comment follows."""
    is_last_volume: bool = False
    """It counts other volumes before this one."""
    members: int = 0


def read_end(path: Path) -> End:
    """The end of an archive, without its directory. Raises `OSError`."""
    with path.open("rb") as file:
        file.seek(-min(os.path.getsize(path), 1 << 16), os.SEEK_END)
        data = file.read()
    start, long = data.rfind(b"PK\5\6"), data.rfind(b"PK\6\6")
    if start < 0 or len(data) < start + _END_RECORD.size:
        return End(False)
    volume, members = _END_RECORD.unpack_from(data, start)
    if members == 0xFFFF and long >= 0:
        members = int.from_bytes(data[long + 32 : long + 40], "little")
    return End(True, volume not in (0, 0xFFFF), members)


class ZipFiles:
    """Members of one archive. Opened at the first read, so it can be sent to a worker."""

    def __init__(self, path: Path, password: str | None) -> None:
        self.path = path
        # What is not UTF-8 comes from the command line as lone surrogates.
        self._password = None if password is None else password.encode("utf-8", "surrogateescape")
        self._file: IO[bytes] | None = None

    def __del__(self) -> None:
        if self._file is not None:
            self._file.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None}

    def read(self, member: Any, size: int) -> tuple[bytes, bool]:
        """As `FolderFiles.read`."""
        try:
            return self._read(member, size)
        except (OSError, zlib.error, zipfile.BadZipFile) as error:
            reason = getattr(error, "strerror", None) or str(error)
            text = f"damaged in {self.path.name} ({reason}). Download the archive again."
            raise SourceError(text) from None

    def ends(self, member: Any, size: int) -> tuple[bytes, bytes, int]:
        """As `FolderFiles.ends`."""
        data, complete = self.read(member, MAX_WHOLE)
        if not complete:
            raise SourceError(f"larger than {MAX_WHOLE >> 20} MB. Unpack the archive.")
        return data[:size], data[-size:], len(data)

    def _read(self, member: Member, size: int) -> tuple[bytes, bool]:
        if member.method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            text = f"zip compression method {member.method} is not supported."
            raise SourceError(f"{text} Unpack it with 7z x.")
        if self._file is None:
            self._file = self.path.open("rb")
        file = self._file
        file.seek(member.offset)
        header = file.read(_LOCAL_HEADER.size)
        if len(header) < _LOCAL_HEADER.size:
            raise zipfile.BadZipFile(_TOO_EARLY)
        signature, name_length, extra_length = _LOCAL_HEADER.unpack(header)
        if signature != b"PK\3\4":
            raise zipfile.BadZipFile("no member where the directory says")
        file.seek(name_length + extra_length, 1)
        left = member.compressed_size
        decrypt: Callable[[bytes], bytes] | None = None
        if member.encrypted:
            if self._password is None:
                text = "the archive is encrypted. Give its password with --password or DF2COCO_PASSWORD"
                raise PasswordError(f"{text} (in Python: password=).", file=self.path)
            decrypt = _decrypter(self._password)
            start = decrypt(file.read(_ENCRYPTION_HEADER))
            left -= _ENCRYPTION_HEADER
            if len(start) < _ENCRYPTION_HEADER or start[-1] != member.check:
                text = "the password is wrong. Give the one that came with the download."
                raise PasswordError(text, file=self.path)
        inflate = zlib.decompressobj(-15) if member.method == zipfile.ZIP_DEFLATED else None
        data = b""
        # One byte more than asked for shows whether there is more; max_length keeps bombs small.
        while len(data) <= size and left > 0:
            raw = file.read(min(left, max(size + 1 - len(data), 64)))
            if not raw:
                raise zipfile.BadZipFile(_TOO_EARLY)
            left -= len(raw)
            raw = raw if decrypt is None else decrypt(raw)
            data += raw if inflate is None else inflate.decompress(raw, size + 1 - len(data))
        if len(data) > size:
            return data[:size], False
        if inflate is not None and not inflate.eof:
            raise zipfile.BadZipFile(_TOO_EARLY)
        if zlib.crc32(data) != member.crc:
            raise zipfile.BadZipFile("wrong checksum")
        return data, True


Files: TypeAlias = FolderFiles | ZipFiles
"""A folder's files or an archive's members."""


def _decrypter(password: bytes) -> Callable[[bytes], bytes]:
    try:
        from _zipdecrypter import StandardZipDecrypter
    except ImportError:
        return zipfile._ZipDecrypter(password)  # type: ignore[attr-defined,no-any-return]
    return StandardZipDecrypter(password).decrypt_bytes  # type: ignore[no-any-return]
