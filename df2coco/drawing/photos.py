"""The pixels behind a COCO file's images, from a folder or an archive."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from df2coco.errors import SourceError
from df2coco.parser.image_header import ImageHeader, read_header
from df2coco.parser.reader import FolderFiles
from df2coco.parser.splits import find_images

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["Photos"]

MAX_BYTES: Final = 1 << 26
"""No photo is larger."""


class Photos:
    """Opens images by the `file_name` of their COCO entry. Raises `SourceError` when there are none."""

    def __init__(self, images: str | Path, password: str | None = None) -> None:
        split = find_images(Path(images), password)
        assert split.reader.images is not None
        self._files = split.reader.images
        self.label = split.reader.images_label
        """The folder, as messages name it."""
        self._by_stem = {entry.stem: entry.image for entry in split.entries}

    @property
    def path(self) -> Path:
        """The folder or archive that is read."""
        return self._files.path

    def open(self, image: Mapping[str, Any]) -> Image:
        """The pixels of an entry of `images`, RGB, as its `width` and `height` ask for.

        That is turned upright as EXIF says, unless only the stored pixels have the entry's size (the
        official converter's files). Raises `SourceError` when the image is missing or damaged.
        """
        from PIL import Image, ImageOps

        file, data = self._read(image)
        header = _header(data, file)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about broken metadata, which does not matter here
                picture: Image.Image = Image.open(io.BytesIO(data))
                if not _as_stored(header, image):
                    picture = ImageOps.exif_transpose(picture)
                return _on_white(picture)
        except (OSError, ValueError, SyntaxError, EOFError, TypeError, ArithmeticError) as error:
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise SourceError(f"{file}: damaged ({reason}). Download it again.") from None

    def size(self, image: Mapping[str, Any]) -> tuple[int, int]:
        """Width and height of what `open` returns. Raises as it does."""
        file, data = self._read(image)
        header = _header(data, file)
        return header[:2] if _as_stored(header, image) else header.size

    def _read(self, image: Mapping[str, Any]) -> tuple[str, bytes]:
        name = image.get("file_name")
        parts = PurePosixPath(name.replace("\\", "/")).parts if isinstance(name, str) else ()
        if not parts or ".." in parts or parts[0] == "/" or "\0" in parts[-1]:
            raise SourceError(
                f"image {image.get('id')}: file_name {name!r} is no name of a file below {self.label}."
            )
        file = f"{self.label}/{parts[-1]}"
        try:
            data, complete = self._find(parts)
        except SourceError as error:
            raise SourceError(error.text, file=file) from None
        if not complete:
            raise SourceError(f"{file}: larger than {MAX_BYTES >> 20} MB.")
        return file, data

    def _find(self, parts: tuple[str, ...]) -> tuple[bytes, bool]:
        """The file of that path, or of its last part: "train/000001.jpg" may lie in the folder itself."""
        if not isinstance(self._files, FolderFiles):
            reference = self._by_stem.get(PurePosixPath(parts[-1]).stem)
            if reference is None:
                raise SourceError("is not in the archive. Download it again.")
            return self._files.read(reference, MAX_BYTES)
        whole = "/".join(parts)
        return self._files.read(
            whole if os.path.exists(self.path / whole) else parts[-1], MAX_BYTES
        )


def _header(data: bytes, file: str) -> ImageHeader:
    try:
        return read_header(data, complete=True)
    except SourceError as error:
        raise SourceError(error.text, file=file) from None


def _as_stored(header: ImageHeader, image: Mapping[str, Any]) -> bool:
    size = (image.get("width"), image.get("height"))
    return size == header[:2] and size != header.size


def _on_white(picture: Image) -> Image:
    from PIL import Image

    if not picture.has_transparency_data:
        return picture.convert("RGB")
    layer = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
