"""Reading a COCO file as a whole."""

from __future__ import annotations

import contextlib
import gc
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from df2coco.coco.schema import check_fields
from df2coco.errors import CocoFileError

if TYPE_CHECKING:
    from pycocotools.coco import COCO

__all__ = ["check_document", "index", "load", "no_collection", "read"]


def read(path: Path) -> dict[str, Any]:
    """The JSON object in the file at `path`, with lists of objects for images, annotations, categories.

    Raises `CocoFileError` when it cannot be read as a COCO file.
    """
    try:
        if path.exists() and not path.is_file():
            raise CocoFileError("is no regular file. Name a COCO file.", file=path)
        raw = path.read_bytes()
    except OSError as error:
        raise CocoFileError(f"cannot be read ({error.strerror}).", file=path) from None
    try:
        with no_collection():
            document = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        what = "the file is empty" if not raw.strip() else f"not JSON ({error})"
        raise CocoFileError(f"{what}. Was it written to the end?", file=path) from None
    return check_document(path, document)


def check_document(path: Path, document: Any) -> dict[str, Any]:
    """The parsed JSON of `path`, if it has the outer shape of a COCO file; else `CocoFileError`."""
    if not isinstance(document, dict):
        raise CocoFileError("not a JSON object, so no COCO file. Name a COCO file.", file=path)
    for name in ("images", "annotations", "categories"):
        entries = document.get(name, [] if name == "annotations" else None)
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise CocoFileError(f"{name}: expected a list of objects. Name a COCO file.", file=path)
    return document


@contextlib.contextmanager
def no_collection() -> Iterator[None]:
    """Parsing makes millions of lists and no garbage: looking for it takes longer than parsing."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def load(path: str | Path, needs: Iterable[str] = ()) -> COCO:
    """The file at `path` as a `pycocotools.coco.COCO`, without the lines that its constructor prints.

    `needs` names fields that every annotation must have ("bbox"). Raises `CocoFileError` when it cannot
    be read as a COCO file, or when a field is missing or is not what it must be.
    """
    path = Path(path)
    document = read(path)
    check_fields(document, path, needs)
    return index(document)


def index(document: dict[str, Any]) -> COCO:
    """A COCO document that has been read and checked, indexed by pycocotools."""
    from pycocotools.coco import COCO

    coco = COCO()
    coco.dataset = document
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
    return coco
