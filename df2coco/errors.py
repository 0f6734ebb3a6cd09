"""What can go wrong: one base error and its children, each one line for a person.

An error knows its file, the field in it, the fault and the remedy.
"""

import copyreg
import importlib
import os
from collections.abc import Iterable, Mapping
from typing import Any, Final

LONGEST: Final = 1000
"""Characters of what a stranger's file says, in a text for a person."""


class Df2cocoError(Exception):
    """Base of everything that df2coco raises on purpose; `str()` is one printable line."""

    def __init__(self, text: str, *, file: str | os.PathLike[str] = "", field: str = "") -> None:
        self.text = text
        """The fault and the remedy."""
        self.file = os.fspath(file)
        """The file or folder at fault, or ""."""
        self.field = field
        """The field at fault ("item1.landmarks"), or ""."""
        super().__init__(text)

    def __str__(self) -> str:
        # A name that is in a file may have megabytes.
        file = cut_text(self.file, LONGEST)
        return printable(": ".join(part for part in (file, self.field, self.text) if part))

    def __reduce__(self) -> tuple[Any, ...]:
        # By its attributes, since an error must survive the way back from a worker.
        new = copyreg.__newobj__  # type: ignore[attr-defined]  # typeshed leaves it out
        return new, (type(self), *self.args), self.__dict__


class SourceError(Df2cocoError):
    """The dataset side: a folder, an archive, an annotation file or an image that cannot be used."""


class ImageError(SourceError):
    """An image that is missing or has no readable size."""


class PasswordError(Df2cocoError):
    """An archive is encrypted, and the password is missing or wrong."""


class CocoFileError(Df2cocoError):
    """The COCO side: a file that cannot be read as COCO."""


class OutputError(Df2cocoError):
    """A file or folder that cannot be written, or must not be."""


class OptionError(Df2cocoError, ValueError):
    """An option of the library or the command line that has no such value."""


class WorkerError(Df2cocoError):
    """A worker process could not be started, or ended before its work was done."""


class MissingPackageError(Df2cocoError):
    """A package that not everybody needs is not installed."""


class FaultError(Exception):
    """A field that cannot be used, for whoever knows the file: it becomes an error or a notice of that."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field
        self.text = text


def check_choice(option: str, value: object, values: Iterable[object]) -> None:
    """Raise `OptionError` when `value` is not one of `values`; None among them means "not given"."""
    allowed = list(values)
    if not any(type(value) is type(choice) and value == choice for choice in allowed):
        names = ", ".join(str(choice) for choice in allowed if choice is not None)
        raise OptionError(f"{shorten(value)} is not one of {names}.", field=option)


def check_list(option: str, value: object) -> None:
    """Raise `OptionError` for one path or name where a list of them is expected."""
    if isinstance(value, (str, bytes, os.PathLike)) or not isinstance(value, Iterable):
        raise OptionError(f"{shorten(value)} is not a list. Write [...].", field=option)


def require(package: str, extra: str, user: str) -> Any:
    """A module that `user` needs and an extra brings. Raises `MissingPackageError`."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        is_missing = isinstance(error, ModuleNotFoundError)
        why = "is not installed" if is_missing else f"cannot be loaded ({error})"
        text = f'needs {package}, which {why}: pip install "df2coco[{extra}]".'
        raise MissingPackageError(f"{user} {text}") from None


def did_you_mean(given: object, names: Iterable[str], otherwise: str = "") -> str:
    """A hint for who wrote what is none of `names`: the nearest of them, or `otherwise`."""
    import difflib  # here, since it is slow to load

    near = difflib.get_close_matches(str(given).lower(), list(names), n=3, cutoff=0.7)
    return f"Did you mean {' or '.join(near)}?" if near else otherwise


def counted(count: int, what: str) -> str:
    """A number of things: "1 item", "1,200 items", "2 categories"."""
    if count != 1:
        what = f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
    return f"{count:,} {what}"


def shorten(value: object) -> str:
    """A value as a message shows it: never longer than a line."""
    return cut_text(repr(value), 60)


def cut_text(text: str, most: int) -> str:
    """`text`, cut where it is longer than so many characters."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def shown(entry: Mapping[str, Any], name: str) -> str:
    """A field of an entry as a message shows it."""
    return shorten(entry[name]) if name in entry else "missing"


def printable(text: str) -> str:
    """`text` on one line and without characters that a terminal would act on."""
    if text.isprintable():
        return text
    text = text.translate(_BYTES)
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


_BYTES = {0xDC00 + byte: f"\\x{byte:02x}" for byte in range(0x80, 0x100)}
"""A byte of a file's name that is not UTF-8 is a lone surrogate in Python."""
