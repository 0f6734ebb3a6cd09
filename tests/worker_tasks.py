"""What the tests of the workers have them do; apart, since a worker imports the module of its function."""

from __future__ import annotations

import os
import struct
import sys
import time
from contextlib import suppress
from typing import Any

from df2coco.errors import SourceError
from df2coco.parser.reader import ReadImage


def double(number: int) -> int:
    time.sleep(0.001 * (number % 3))
    return 2 * number


def large(number: int) -> bytes:
    print("what a library prints")
    return bytes([number % 256]) * 3_000_000


def fail(number: int) -> int:
    raise SourceError(f"{number} is bad")


def crash(number: int) -> int:
    raise ZeroDivisionError(f"a bug at {number}")


def die(_: int) -> int:
    os._exit(3)


def resize(task: tuple[bytes, int]) -> bytes:
    data, size = task
    return data[:1] * size


def add_length(data: bytes, number: int) -> int:
    return len(data) + number


def make_lambda(_: int) -> Any:
    return lambda: None


def out_of_memory(_: int) -> int:
    raise MemoryError


def nested(_: int) -> int:
    raise RecursionError("maximum recursion depth exceeded")


def exit_quietly(_: int) -> int:
    sys.exit(0)


def stems(images: list[ReadImage]) -> list[str]:
    return [image.entry.stem for image in images]


def fail_at(images: list[ReadImage]) -> None:
    if any(image.entry.stem == "bad" for image in images):
        raise SourceError("bad entry")


def describe(images: list[ReadImage]) -> list[tuple[str, int | None, str, str]]:
    """Stem, image id, and code and file of the fault of each."""
    return [
        (
            image.entry.stem,
            image.record and image.record.image_id,
            image.notices[0].code if image.error else "",
            image.notices[0].file if image.error else "",
        )
        for image in images
    ]


def die_halfway(_: int) -> None:
    """End in the middle of a result."""
    for descriptor in range(3, 10):
        with suppress(OSError):
            os.write(descriptor, struct.pack("<Q", 100) + b"half of it")
    os._exit(3)
