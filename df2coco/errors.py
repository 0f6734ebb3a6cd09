"""What can go wrong, in one line for a person: file, field, fault, remedy."""

from __future__ import annotations

__all__ = ["CocoFileError", "Df2cocoError", "SourceError", "WorkerError", "printable"]


class Df2cocoError(Exception):
    """Base of everything that df2coco raises on purpose; `str()` is one printable line."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class SourceError(Df2cocoError):
    """The dataset side: a folder, an archive, an annotation file or an image that cannot be used."""


class CocoFileError(Df2cocoError):
    """The COCO side: a file that cannot be read as COCO, or cannot be written."""


class WorkerError(Df2cocoError):
    """A worker process ended before its work was done."""


def printable(text: str) -> str:
    """`text` on one line and without characters that a terminal would act on."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode()
        for c in text
    )
