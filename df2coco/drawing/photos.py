"""The pixels behind a COCO file's images, from a folder or an archive."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from df2coco.drawing.overlay import picture_size
from df2coco.errors import ImageError, SourceError
from df2coco.parser.image_header import ImageHeader, decode
from df2coco.parser.photos import Picture, Pictures

if TYPE_CHECKING:
    from PIL.Image import Image


class Photos(Pictures):
    """Opens the pictures of the entries of `images`."""

    def places(self, pictures: Iterable[Picture]) -> set[Path]:
        """The archive, or the folders that these pictures lie in: there nothing must be written."""
        if self.path.is_file():
            return {self.path}
        return {(self.path / picture.name).parent for picture in pictures}

    def open(
        self, image: Mapping[str, Any], picture: Picture | None = None, *, longer: int | None = None
    ) -> Image:
        """The pixels of an entry of `images`, RGB, as its `width` and `height` ask for.

        That is turned upright as EXIF says, unless only the stored pixels have the entry's size (the
        official converter's files). What is much larger than it will be drawn, `longer` pixels or what is
        usual, is reduced. `picture` is the entry's, if it is known.
        Raises `ImageError` when the image is missing, damaged or of another size, `PasswordError`.
        """
        from PIL import ImageOps

        picture = picture or self.required(image.get("file_name"))
        self.check_size(image, picture)
        header, data = self.header(picture), self.read(picture)
        try:
            opened: Image = decode(data, picture_size(*header.stored_size, longer))
        except SourceError as error:
            raise ImageError(error.text, file=f"{self.label}/{picture.name}") from None
        if not _as_stored(header, image):
            ImageOps.exif_transpose(opened, in_place=True)
        return _on_white(opened)

    def size(self, image: Mapping[str, Any], picture: Picture | None = None) -> tuple[int, int]:
        """Width and height of an image as `open` turns it, from its header alone."""
        header = self.header(picture or self.required(image.get("file_name")))
        return header.stored_size if _as_stored(header, image) else header.size

    def check_size(self, image: Mapping[str, Any], picture: Picture) -> None:
        """Raise `ImageError` when the image has another size than its entry: boxes would not fit, either."""
        wanted = image.get("width"), image.get("height")
        width, height = self.size(image, picture)
        if None not in wanted and wanted != (width, height):
            raise ImageError(
                f"is {width} x {height} pixels, and the file says {wanted[0]} x {wanted[1]}, so that boxes "
                "would be drawn in wrong places. Name the folder of the right images.",
                file=f"{self.label}/{picture.name}",
            )


def _as_stored(header: ImageHeader, image: Mapping[str, Any]) -> bool:
    size = (image.get("width"), image.get("height"))
    return size == header.stored_size and size != header.size


def _on_white(picture: Image) -> Image:
    from PIL import Image

    if not picture.has_transparency_data:
        return picture if picture.mode == "RGB" else picture.convert("RGB")
    layer = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
