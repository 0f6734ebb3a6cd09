"""Encrypted zip archives as the released downloads are, which the standard library can only read.

The traditional cipher is a chain: each byte's key depends on the bytes before. So numpy goes through all
members side by side, one byte of each at a time: 64,000 members take seconds instead of minutes.
"""

from __future__ import annotations

import functools
import hashlib
import struct
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["encrypt", "write_encrypted_zip"]

_LOCAL: Final = struct.Struct("<4s5H3L2H")
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
_END: Final = struct.Struct("<4s4H2LH")
_DATE: Final = 1 << 5 | 1  # 1980-01-01, 00:00:00
_ENCRYPTED, _STREAMED = 0x1, 0x8


def write_encrypted_zip(
    path: Path,
    members: Iterable[tuple[str, bytes]],
    password: str | bytes,
    *,
    method: int = zipfile.ZIP_STORED,
    streamed: bool = False,
) -> None:
    """Write the members (name, data) encrypted; the same members always give the same bytes.

    `method` is `zipfile.ZIP_STORED` or `zipfile.ZIP_DEFLATED`. `streamed` writes as to a pipe: sizes
    behind the data, and the time instead of the checksum as the password's check. Up to 65,535 members
    and 4 GB.
    """
    flags = _ENCRYPTED | (_STREAMED if streamed else 0)
    entries = []
    plain = []
    for name, data in members:
        crc = zlib.crc32(data)
        entries.append((name.encode(), crc, len(data)))
        salt = hashlib.sha256(data).digest()[:11]
        check = 0 if streamed else crc >> 24
        plain.append(salt + bytes([check]) + (_deflate(data) if method else data))
    directory = b""
    with path.open("wb") as file:
        for (name, crc, size), data in zip(entries, encrypt(tuple(plain), password), strict=True):
            offset, known = file.tell(), (0, 0, 0) if streamed else (crc, len(data), size)
            fields = (20, flags, method, 0, _DATE)
            file.write(_LOCAL.pack(b"PK\3\4", *fields, *known, len(name), 0) + name + data)
            if streamed:
                file.write(struct.pack("<4s3L", b"PK\7\10", crc, len(data), size))
            rest = (len(name), 0, 0, 0, 0, 0, offset)
            directory += _CENTRAL.pack(b"PK\1\2", 20, *fields, crc, len(data), size, *rest) + name
        count, start = len(entries), file.tell()
        file.write(directory + _END.pack(b"PK\5\6", 0, 0, count, count, len(directory), start, 0))


def _deflate(data: bytes) -> bytes:
    deflater = zlib.compressobj(6, zlib.DEFLATED, -15)
    return deflater.compress(data) + deflater.flush()


def _crc_table() -> NDArray[np.uint32]:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, table >> 1 ^ np.uint32(0xEDB88320), table >> 1)
    return table.astype(np.uint32)


@functools.lru_cache(maxsize=8)
def encrypt(messages: tuple[bytes, ...], password: str | bytes) -> list[bytes]:
    """Each message (with its header of 12 bytes) encrypted for itself.

    Photos take seconds, and many tests want the same.
    """
    table = _crc_table()
    lengths = np.array([len(message) for message in messages], np.int64)
    order = np.argsort(-lengths, kind="stable")  # the longest first: those still going are a prefix
    starts = np.concatenate(([0], np.cumsum(lengths)[:-1]))[order]
    going = np.searchsorted(-lengths[order], -np.arange(int(lengths.max(initial=0))), "left")
    text = np.frombuffer(b"".join(messages), np.uint8).copy()
    keys = [np.uint32(0x12345678), np.uint32(0x23456789), np.uint32(0x34567890)]
    first, second, third = (np.full(len(messages), key) for key in keys)

    def update(count: int, byte: NDArray[np.uint8]) -> None:
        a, b, c = first[:count], second[:count], third[:count]
        a[:] = table[(a ^ byte) & 0xFF] ^ a >> 8
        b += a & 0xFF
        b *= np.uint32(134775813)
        b += np.uint32(1)
        c[:] = table[(c ^ b >> 24) & 0xFF] ^ c >> 8

    for letter in password.encode() if isinstance(password, str) else password:
        update(len(messages), np.full(len(messages), letter, np.uint8))
    for step, count in enumerate(going):
        where = starts[:count] + step
        byte = text[where]
        key = third[:count] & 0xFFFF | 2
        text[where] = byte ^ (key * (key ^ 1) >> 8).astype(np.uint8)
        update(count, byte)
    ends = np.cumsum(lengths)
    raw = text.tobytes()
    return [raw[end - length : end] for end, length in zip(ends, lengths, strict=True)]
