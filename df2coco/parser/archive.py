"""Zip archives, read member by member without unpacking: also 384,000 members, also encrypted.

The standard library reads the archive's directory, once. Members are read here, because its `ZipFile`
would read that directory again in every worker (seconds and hundreds of MB for `train.zip`), and its
own decryption is pure Python: `fast-zip-decryption` does the same 27 times faster (`make bench`) and is
used where it is installed.
"""

import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

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


_METHODS: Final = {zipfile.ZIP_STORED: "stored", zipfile.ZIP_DEFLATED: "deflated"}
_AES: Final = 99
_LOCAL_HEADER: Final = struct.Struct("<4s22xHH")
_ENCRYPTION_HEADER: Final = 12
_WHOLE: Final = 1 << 26
"""The largest member that is read as a whole."""


def read_directory(path: Path) -> Iterator[tuple[str, Member]]:
    """Name and place of each file in the archive at `path`, in its order, with "/" between folders.

    Files that macOS adds (`__MACOSX`) are left out.

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
    if _is_last_volume(path):  # which zipfile reads as if it were all
        raise SourceError(_why_not(path, ValueError()), file=path)
    if len({info.header_offset for info in infos}) < len(
        infos
    ):  # as only archives that do harm have it
        text = "two members lie at one place in the archive. Download it again."
        raise SourceError(text, file=path)
    aes = "encrypted with AES; df2coco reads the traditional cipher of the released downloads."
    for info in infos:
        if info.compress_type == _AES:
            raise SourceError(f"{aes} Unpack the archive with 7z x.", file=path)
        name = info.filename.replace("\\", "/")  # as some packers on Windows write it
        if name.endswith("/") or "__MACOSX" in name:
            continue
        hour, minute = info.date_time[3:5]
        streamed = info.flag_bits & 0x8
        yield (
            name,
            Member(
                info.header_offset,
                info.compress_size,
                info.compress_type,
                bool(info.flag_bits & 0x1),
                # A streamed member's CRC was not known when its header was encrypted: its time serves.
                hour << 3 | minute >> 3 if streamed else info.CRC >> 24,
                info.CRC,
            ),
        )


def _why_not(path: Path, error: Exception) -> str:
    """What a file is that `zipfile` cannot read, and what to do."""
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be read ({error.strerror})."
    kind = VOLUME if _is_last_volume(path) else recognise_file(path)
    if kind is not None:
        needed = "" if kind.is_json else ", not a zip archive"
        return f"this is {kind.what}{needed}. {kind.remedy}".strip()
    if not os.path.getsize(path):
        return "the file is empty. Download it again."
    if _starts_as_zip(path) and not _has_end(path):
        return (
            "its end is missing: the download is not complete. Download it again, or complete it."
        )
    if path.suffix.lower() != ".zip":
        return f"neither a folder nor a zip archive ({error}). Name a folder or a zip of it."
    if not is_text_file(path):
        return f"not a readable zip archive ({error}). Download it again."
    return (
        "this is text, not a zip archive. The download did not work: open the file in an editor, where "
        "it may say why, and download it again."
    )


def _starts_as_zip(path: Path, offset: int = 0) -> bool:
    """Whether a member begins there."""
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(4) == b"PK\3\4"


def _has_end(path: Path) -> bool:
    """Whether the record that ends a zip archive is near its end, and no more than a comment follows."""
    end = _end(path)
    start = end.rfind(b"PK\5\6")
    return start >= 0 and len(end) - start >= _END_RECORD


_END_RECORD: Final = 22


def preceding_archive(path: Path, first: int) -> bool:
    """Whether another zip archive lies before the first member of the directory: two were joined."""
    return first > 0 and _starts_as_zip(path) and _starts_as_zip(path, first)


def count_members(path: Path) -> int:
    """How many members an archive has by the record at its end, without reading the directory; else 0."""
    try:
        end = _end(path)
    except OSError:
        return 0
    long, start = end.rfind(b"PK\6\6"), end.rfind(b"PK\5\6")
    count = end[start + 10 : start + 12]
    if count == b"\xff\xff" and long >= 0:
        count = end[long + 32 : long + 40]
    return int.from_bytes(count, "little") if start >= 0 else 0


def _is_last_volume(path: Path) -> bool:
    """Whether the record at the end of a zip archive counts other volumes before this one."""
    end = _end(path)
    start = end.rfind(b"PK\5\6")
    return start >= 0 and end[start + 4 : start + 6] not in (b"\0\0", b"\xff\xff", b"")


def _end(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(-min(os.path.getsize(path), 1 << 16), os.SEEK_END)
        return file.read()


class ZipFiles:
    """Reads members of one archive. Opened at the first read, so it can be sent to a worker."""

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

    def read(self, member: Member, size: int) -> tuple[bytes, bool]:
        """The first `size` bytes of a member, and whether that is all of it (then its CRC was checked).

        Raises `PasswordError` for a missing or wrong password, `SourceError` for a damaged member.
        """
        try:
            return self._read(member, size)
        except (OSError, zlib.error, struct.error, EOFError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise self._damaged(reason) from None

    def ends(self, member: Member, size: int) -> tuple[bytes, bytes, int]:
        """The first and the last `size` bytes of a member, and how many it has. Raises as `read`."""
        data, complete = self.read(member, _WHOLE)
        if not complete:
            raise SourceError(f"larger than {_WHOLE >> 20} MB. Unpack the archive.")
        return data[:size], data[-size:], len(data)

    def _read(self, member: Member, size: int) -> tuple[bytes, bool]:
        if member.method not in _METHODS:
            raise SourceError(
                f"zip compression method {member.method} is not supported. Unpack it with 7z x."
            )
        if self._file is None:
            self._file = self.path.open("rb")
        file = self._file
        file.seek(member.offset)
        header = file.read(_LOCAL_HEADER.size)
        if len(header) < _LOCAL_HEADER.size:
            raise self._damaged("it ends too early")
        signature, name_length, extra_length = _LOCAL_HEADER.unpack(header)
        if signature != b"PK\x03\x04":
            raise self._damaged("no member where the directory says")
        file.seek(name_length + extra_length, 1)
        left = member.compressed_size
        decrypt: Callable[[bytes], bytes] | None = None
        if member.encrypted:
            decrypt = _decrypter(self._required_password())
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
                raise self._damaged("it ends too early")
            left -= len(raw)
            if decrypt is not None:
                raw = decrypt(raw)
            data += raw if inflate is None else _inflate(inflate, raw, size + 1 - len(data))
        if len(data) > size:
            return data[:size], False
        if inflate is not None and not inflate.eof:
            raise self._damaged("it ends too early")
        if zlib.crc32(data) != member.crc:
            raise self._damaged("wrong checksum")
        return data, True

    def _required_password(self) -> bytes:
        if self._password is None:
            text = "the archive is encrypted. Give its password with --password or DF2COCO_PASSWORD"
            raise PasswordError(f"{text} (in Python: password=).", file=self.path)
        return self._password

    def _damaged(self, reason: str) -> SourceError:
        return SourceError(f"damaged in {self.path.name} ({reason}). Download the archive again.")


def _inflate(inflate: Any, raw: bytes, wanted: int) -> bytes:
    data: bytes = inflate.decompress(raw, wanted)
    while len(data) < wanted and inflate.unconsumed_tail:
        data += inflate.decompress(inflate.unconsumed_tail, wanted - len(data))
    return data


def _load_decrypter() -> Callable[[bytes], Callable[[bytes], bytes]]:
    try:
        from _zipdecrypter import StandardZipDecrypter
    except ImportError:
        return zipfile._ZipDecrypter  # type: ignore[attr-defined,no-any-return]
    return lambda password: StandardZipDecrypter(password).decrypt_bytes


_decrypter = _load_decrypter()
