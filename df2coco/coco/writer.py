"""Writing a COCO file as a stream."""

import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

import orjson
from msgspec.json import encode

from df2coco.coco.schema import Entry
from df2coco.outputs import reported_for

OWN_KEYS: Final = ("info", "images", "annotations", "categories")
"""Outermost keys whose values are given apart."""

OPEN_ID: Final = orjson.Fragment(b"%d")
"""Stands for an annotation's `id`: the writer numbers them."""


class Block(NamedTuple):
    """Some images' part of a file, as JSON: what `Writer.add` can write without looking into it."""

    num_images: int
    images: bytes
    num_annotations: int
    annotations: bytes
    """Each with the id `%d`. There is no other % in them."""

    @classmethod
    def join(cls, images: Sequence[bytes], annotations: Sequence[bytes]) -> "Block":
        """The part of several images and of all their annotations."""
        return cls(len(images), b",\n".join(images), len(annotations), b",\n".join(annotations))


class Writer:
    """Streams a COCO file: memory does not grow with what is added. Annotation ids count from 1.

    `images` comes last in the file, since `annotations` is the list too long to hold back.
    """

    def __init__(
        self,
        stream: IO[bytes],
        info: dict[str, Any],
        categories: Iterable[Entry],
        path: Path,
        others: Mapping[str, Any] | None = None,
    ) -> None:
        """`stream` is what becomes the file at `path`; of `others` all but `OWN_KEYS` are written, too."""
        self.num_images = 0
        self.num_annotations = 0
        self._stream = stream
        self._path = path
        # Beyond 4 MB beside the file, where there is room too, and not on a small /tmp.
        folder = os.path.dirname(os.path.realpath(path))
        self._images = tempfile.SpooledTemporaryFile(4 << 20, dir=folder)  # noqa: SIM115
        stream.write(b'{"info":%b' % encode(info))
        for name, value in {"licenses": [], **(others or {})}.items():
            if name not in OWN_KEYS:
                stream.write(b",\n%b:%b" % (encode(name), encode(value)))
        entries = b",\n".join(map(encode, categories))
        stream.write(b',\n"categories":[\n%b\n],\n"annotations":[' % entries)

    def add(self, block: Block) -> None:
        """Add images and their annotations, and number the annotations."""
        first = self.num_annotations + 1
        ids = tuple(range(first, first + block.num_annotations))
        self._add(block._replace(annotations=block.annotations % ids))

    def add_entries(self, images: Iterable[Entry], annotations: Iterable[Entry]) -> None:
        """Add images and annotations that have their ids already."""
        self._add(Block.join([*map(encode, images)], [*map(encode, annotations)]))

    def _add(self, block: Block) -> None:
        if block.num_images:
            with reported_for(self._path):
                self._images.write(b",\n" if self.num_images else b"\n")
                self._images.write(block.images)
            self.num_images += block.num_images
        if block.num_annotations:
            self._stream.write(b",\n" if self.num_annotations else b"\n")
            self._stream.write(block.annotations)
            self.num_annotations += block.num_annotations

    def close(self) -> None:
        """Write what comes after the annotations."""
        with self._images as images:
            self._stream.write(b'\n],\n"images":[')
            with reported_for(self._path):
                images.seek(0)
                shutil.copyfileobj(images, self._stream, 1 << 20)
            self._stream.write(b"\n]}\n")

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *_: object) -> None:
        """Release what `close` would have written."""
        self._images.close()
