"""The target format: what a COCO file holds, how one is written and how one is loaded."""

from __future__ import annotations

import contextlib
import gc
import io
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple, TypedDict

import orjson

from df2coco.errors import CocoFileError
from df2coco.fields import check_fields

if TYPE_CHECKING:
    from pycocotools.coco import COCO

__all__ = [
    "OPEN_ID",
    "CocoAnnotation",
    "CocoCategory",
    "CocoFile",
    "CocoImage",
    "Encoded",
    "Part",
    "Writer",
    "atomic_write",
    "check_output",
    "index",
    "load",
    "no_collection",
    "read",
]


class _Image(TypedDict):
    id: int
    file_name: str
    width: int
    height: int


class CocoImage(_Image, total=False):
    """An image. `width` and `height` in pixels, after the rotation that EXIF asks for."""

    source: str
    pair_id: int


class _Annotation(TypedDict):
    id: int
    image_id: int
    category_id: int
    bbox: list[float]
    area: float
    iscrowd: int
    segmentation: list[list[float]]


class CocoAnnotation(_Annotation, total=False):
    """An item.

    `bbox` is x, y, w, h in pixels, origin top left; `area` in pixels; `segmentation` a list of polygons
    x1, y1, x2, y2, ... whose union is the mask; `keypoints` x1, y1, v1, ... of all slots of the layout.
    """

    keypoints: list[int]
    num_keypoints: int
    pair_id: int
    style: int
    scale: int
    occlusion: int
    zoom_in: int
    viewpoint: int
    item: str
    float_polygons: list[int]


class _Category(TypedDict):
    id: int
    name: str
    supercategory: str


class CocoCategory(_Category, total=False):
    """A category. `skeleton` counts from 1 in its `keypoints`, as COCO does."""

    keypoints: list[str]
    skeleton: list[list[int]]


class CocoFile(TypedDict):
    """A whole file."""

    info: dict[str, Any]
    licenses: list[Any]
    images: list[CocoImage]
    annotations: list[CocoAnnotation]
    categories: list[CocoCategory]


# ---------------------------------------------------------------- writing


class Encoded(NamedTuple):
    """One image's part of a file, as JSON."""

    image: bytes
    annotations: list[bytes]
    """Each with the `id` `OPEN_ID`: the writer numbers them. No other % stands in them."""


OPEN_ID: Final = orjson.Fragment(b"%d")


class Part(NamedTuple):
    """Some images' part of a file, as JSON: what `Writer.add` can write without looking into it."""

    num_images: int
    images: bytes
    num_annotations: int
    annotations: bytes

    @classmethod
    def join(cls, encoded: Sequence[Encoded]) -> Part:
        """The part of several images, in their order."""
        images = [each.image for each in encoded]
        annotations = [annotation for each in encoded for annotation in each.annotations]
        return cls(len(images), b",\n".join(images), len(annotations), b",\n".join(annotations))


_SPOOL: Final = 4 << 20
"""Bytes of image entries that are kept in memory; more go to a temporary file."""


class Writer:
    """Streams a COCO file: memory does not grow with what is added. Annotation ids count from 1.

    `images` stands last in the file, since `annotations` is the list too long to hold back.
    """

    def __init__(
        self,
        stream: IO[bytes],
        info: dict[str, Any],
        categories: Iterable[CocoCategory],
        folder: Path,
    ) -> None:
        self.num_images = 0
        self.num_annotations = 0
        self._stream = stream
        # Beside OUT, where there is room for OUT itself, and not on a small /tmp.
        self._images = tempfile.SpooledTemporaryFile(_SPOOL, dir=str(folder))  # noqa: SIM115
        stream.write(
            b'{"info":%b,\n"licenses":[],\n"categories":[\n%b\n],\n"annotations":['
            % (orjson.dumps(info), b",\n".join(map(orjson.dumps, categories)))
        )

    def add(self, part: Part) -> None:
        """Add images and their annotations."""
        if part.num_images:
            self._images.write(b",\n" if self.num_images else b"\n")
            self._images.write(part.images)
            self.num_images += part.num_images
        if part.num_annotations:
            self._stream.write(b",\n" if self.num_annotations else b"\n")
            first = self.num_annotations + 1
            self.num_annotations += part.num_annotations
            ids = tuple(range(first, self.num_annotations + 1))
            self._stream.write(part.annotations % ids)

    def close(self) -> None:
        """Write what stands after the annotations."""
        with self._images as images:
            self._stream.write(b'\n],\n"images":[')
            images.seek(0)
            shutil.copyfileobj(images, self._stream, 1 << 20)
            self._stream.write(b"\n]}\n")

    def discard(self) -> None:
        """Release what `close` would have written."""
        self._images.close()


def check_output(path: Path) -> None:
    """Raise `CocoFileError` when no file can be written at `path`; better told before the work."""
    target = Path(os.path.realpath(path))
    with _as_coco_error(path):
        if target.is_dir():
            raise CocoFileError(f"{path}: is a folder. Name a file.")
        if target.exists() and not stat.S_ISREG(target.stat().st_mode):
            raise CocoFileError(f"{path}: is no regular file. Name another one.")
        if not target.parent.is_dir():
            raise CocoFileError(f"{path}: there is no folder {target.parent}. Create it first.")
        with tempfile.TemporaryFile(dir=target.parent):
            pass


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[IO[bytes]]:
    """A binary file that becomes `path` when the block ends well, and leaves no trace when it does not.

    Raises `CocoFileError` when the file cannot be written (no folder, no permission, disk full).
    """
    check_output(path)
    target = Path(os.path.realpath(path))  # a link stays a link
    with _as_coco_error(path):
        # Named before it is made, so that there is no moment in which a signal leaves it behind.
        name = target.parent / f".{target.name}.{os.urandom(4).hex()}.tmp"
        try:
            with open(name, "xb", buffering=1 << 20) as stream:
                yield stream
            os.replace(name, target)
        except BaseException:
            name.unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def _as_coco_error(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CocoFileError(f"{path}: cannot be written ({error.strerror}).") from None


# ---------------------------------------------------------------- loading


def read(path: Path) -> dict[str, Any]:
    """The JSON object in the file at `path`, with lists of objects for images, annotations, categories.

    Raises `CocoFileError` when it cannot be read as a COCO file.
    """
    try:
        if path.exists() and not path.is_file():
            raise CocoFileError(f"{path}: is no regular file. Name a COCO file.")
        raw = path.read_bytes()
    except OSError as error:
        raise CocoFileError(f"{path}: cannot be read ({error.strerror}).") from None
    try:
        with no_collection():
            document = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        what = "the file is empty" if not raw.strip() else f"not JSON ({error})"
        raise CocoFileError(f"{path}: {what}. Was it written to the end?") from None
    return check_document(path, document)


def check_document(path: Path, document: Any) -> dict[str, Any]:
    """The parsed JSON of `path`, if it has the outer shape of a COCO file; else `CocoFileError`."""
    if not isinstance(document, dict):
        raise CocoFileError(f"{path}: not a JSON object, so no COCO file. Name a COCO file.")
    for name in ("images", "annotations", "categories"):
        entries = document.get(name, [] if name == "annotations" else None)
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise CocoFileError(f"{path}: {name}: expected a list of objects. Name a COCO file.")
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
