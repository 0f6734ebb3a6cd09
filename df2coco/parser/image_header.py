"""Size and EXIF orientation of an image, and whether it is cut off, without decoding a pixel.

Plain JPEG headers are read here, as all photos of the dataset have them: Pillow took 2.1 times as long on
32,153 images (`make bench`). Whatever is unusual (EXIF, bytes between segments, rare markers), damaged or
no JPEG is left to Pillow, so that both always agree.
"""

import functools
import io
import logging
import re
import struct
import warnings
from itertools import islice
from typing import Any, Final

import msgspec

from df2coco.errors import SourceError
from df2coco.file_kind import recognise
from df2coco.parser.files import MAX_WHOLE, Files, Reference

_FIRST_BYTES: Final = 4096  # to read at first; most JPEG headers end before
_END: Final = 4096  # bytes: all of the image's own end, and what some programs append
_PNG_END: Final = b"IEND\xae\x42\x60\x82"
_MOST_PIXELS: Final = 178_956_970
"""Pillow refuses to decode more as a "decompression bomb", and so does every loader built on it."""
_FORMATS: Final = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF")
"""What is opened: for others Pillow may start programs, as Ghostscript for EPS."""
_MOST_MEMORY: Final = 320 << 20
_BYTES: Final = {"WEBP": 12, "AVIF": 12, "GIF": 12}
"""Format -> bytes a pixel while Pillow decodes it, where these are more than 4."""
_BOMB: Final = f"the image claims more than {_MOST_PIXELS} pixels, which image loaders refuse. Download it again."

_MOST_CHUNKS: Final = 50_000
_MOST_RUN_LENGTHS: Final = 4 << 20
_MOST_SCANS: Final = 100
_SCANS: Final = re.compile(rb"\xff\xda\0[\x06-\x0e][\x01-\x04]")

_segment: Final = struct.Struct(">BBH").unpack_from
"""How a segment begins: 0xFF, marker, length of what follows the marker."""
_frame: Final = struct.Struct(">BHHB").unpack_from
"""What follows in a segment that gives the size: bits a sample, height, width, number of layers."""
_FRAME: Final = frozenset((0xC0, 0xC1, 0xC2))
"""Markers of the segments that give the size: baseline, extended, progressive."""
_PLAIN: Final = frozenset((0xC4, 0xDD, 0xFE, *range(0xE3, 0xED), 0xEF))
"""Markers of segments whose content says nothing of size and orientation, and which Pillow takes as they are."""
_JFIF: Final = 0xE0
_TABLES: Final = 0xDB
_SCAN: Final = 0xDA


class ImageHeader(msgspec.Struct, frozen=True, gc=False):
    """What an image's header says."""

    stored_width: int
    """Columns of pixels as stored."""
    stored_height: int
    orientation: int
    """EXIF orientation, 1 to 8; 1 is upright."""

    @property
    def stored_size(self) -> tuple[int, int]:
        """Width and height as stored."""
        return self.stored_width, self.stored_height

    @property
    def size(self) -> tuple[int, int]:
        """Width and height after the rotation that EXIF asks for, as image loaders give them."""
        width, height = self.stored_width, self.stored_height
        return (height, width) if self.orientation >= 5 else (width, height)


class HeaderTooShortError(Exception):
    """The header does not end within the bytes given."""


def _header_limit(data: bytes) -> int:
    """How many first bytes must hold an image's header: that of a damaged one may go on for GBs."""
    return 4 << 20 if data[:2] in (b"\xff\xd8", b"\x89P", b"GI") else MAX_WHOLE


def read_image_header(files: Files, reference: Reference) -> ImageHeader:
    """What the header of an image says, from as few bytes as will do. Raises as `FolderFiles.read`."""
    size = _FIRST_BYTES
    while True:
        data, complete = files.read(reference, size)
        limit = _header_limit(data)
        try:
            return read_header(data, complete=complete or size >= limit)
        except HeaderTooShortError:
            size = min(size * 16, limit)


def decode(data: bytes, drawn: tuple[int, int] | None = None) -> Any:
    """The pixels of an image as Pillow's `Image`; much larger than it will be `drawn`, it is reduced.

    Without `drawn` it is as small as its format can decode it: what is damaged is damaged at any size.
    Raises `SourceError` for what cannot be decoded, or takes more memory than there may be.
    """
    read_header(data[: _header_limit(data)], complete=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about broken metadata, which does not matter here
            image = _open(data)
            width, height = image.size
            room = (2 * drawn[0], 2 * drawn[1]) if drawn else image.size
            image.draft(None, room if drawn else (1, 1))  # JPEG decodes to 1/2, 1/4, 1/8
            a_pixel = _BYTES.get(image.format, 4)
            a_pixel += 4 * image.has_transparency_data  # of a copy that can be reduced
            needed = image.width * image.height * a_pixel
            needed += 6 * width * height * bool(image.info.get("progressive"))
            if needed > _MOST_MEMORY:
                size = f"{width} x {height}"
                raise SourceError(f"{size} pixels take too much memory. Make the image smaller.")
            image.thumbnail(room)
            image.load()
    except SourceError:
        raise
    except Exception as error:  # Pillow's readers raise of every kind on damaged files
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise SourceError(f"damaged ({reason}). Download it again.") from None
    return image


def _open(data: bytes) -> Any:
    from PIL import Image

    _silence_pillow()
    if _has_too_many_parts(data):
        raise ValueError("it has more parts than a program writes")
    return Image.open(io.BytesIO(data), formats=[name for name in _FORMATS if name in Image.OPEN])


def _has_too_many_parts(data: bytes) -> bool:
    """Whether Pillow would take seconds or minutes, since it looks at each part or byte by itself."""
    if data[:2] == b"\xff\xd8":
        scans = islice(_SCANS.finditer(data), _MOST_SCANS + 1)
        return data.count(b"Exif\0\0") > _MOST_SCANS or len(list(scans)) > _MOST_SCANS
    if data[:2] == b"BM":  # run lengths are decoded in Python
        return data[30:31] in (b"\1", b"\2") and len(data) > _MOST_RUN_LENGTHS
    if data[:4] != b"\x89PNG":
        return False
    position = 8
    for _ in range(_MOST_CHUNKS):
        if position >= len(data):
            return False
        position += 12 + int.from_bytes(data[position : position + 4], "big")
    return True


@functools.cache
def _silence_pillow() -> None:
    """Load Pillow's readers, which log what is damaged."""
    from PIL import Image

    Image.init()
    logging.getLogger("PIL").addHandler(logging.NullHandler())


def read_header(data: bytes, *, complete: bool) -> ImageHeader:
    """The header of an image whose first bytes are `data`; `complete` says that there are no more.

    Raises `HeaderTooShortError` when more bytes can help, `SourceError` when none can.
    """
    header = None
    if data[:3] == b"\xff\xd8\xff":
        try:
            header = _read_jpeg(data)
        except (IndexError, struct.error):  # the data ends within the header
            if not complete:
                raise HeaderTooShortError from None
    header = header or _read_by_pillow(data, complete)
    if not header.stored_width or not header.stored_height:
        raise SourceError("the image claims a size of 0 pixels. Download it again.")
    if header.stored_width * header.stored_height > _MOST_PIXELS:
        raise SourceError(_BOMB)
    return header


def _read_jpeg(data: bytes) -> ImageHeader | None:
    """The header of a plain JPEG; None for one that Pillow must read.

    Raises `IndexError` or `struct.error` when `data` is too short.
    """
    width = height = -1
    position = 2
    while True:
        start, marker, length = _segment(data, position)
        if start != 0xFF:
            return None
        if marker in _PLAIN:
            if length < 2:
                return None
        elif marker == _TABLES:
            # One or two tables of bytes, 65 each.
            if length == 132 and data[position + 69] > 15:
                return None
            if length not in (67, 132) or data[position + 4] > 15:
                return None
        elif marker in _FRAME:
            depth, height, width, layers = _frame(data, position + 4)
            # One byte a sample and one, three or four layers: Pillow refuses all others.
            if depth != 8 or layers not in (1, 3, 4) or length != 8 + 3 * layers:
                return None
        elif marker == _SCAN and length >= 2 and width >= 0:
            _ = data[position + 1 + length]
            return ImageHeader(width, height, 1)
        elif marker != _JFIF or length < 9:
            return None
        position += 2 + length


def _read_by_pillow(data: bytes, complete: bool) -> ImageHeader:
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with _open(data) as image:
                width, height = image.size
                if not complete and data[:2] == b"\xff\xd8" and not image.tile:
                    raise HeaderTooShortError  # more may follow before the scan
                orientation = _orientation(image)
    except Image.DecompressionBombError:
        raise SourceError(_BOMB) from None
    except Exception:  # Pillow's readers raise of every kind on damaged files
        if not complete:
            raise HeaderTooShortError from None
        raise SourceError(_fault(data)) from None
    return ImageHeader(width, height, orientation)


def _orientation(image: Any) -> int:
    """As loaders take it that ask Pillow: 1 where there is none, or none that makes sense."""
    if image.format == "PNG" and "exif" not in image.info:
        return 1  # asking further would decode the image
    try:
        value = image.getexif().get(0x0112, 1)
        return next((known for known in range(1, 9) if value == known), 1)
    except Exception:  # damaged EXIF, which loaders ignore
        return 1


def _fault(data: bytes) -> str:
    if not data:
        return "the file is empty. Download it again."
    if data[:2] == b"\xff\xd8":
        return "the JPEG's header is damaged or cut off. Download it again."
    kind = recognise(data)
    if kind is not None and not kind.what.endswith("image"):
        return f"this is {kind.what}, not an image. {kind.remedy}".strip()
    if kind is not None:
        return f"{kind.what} whose header is damaged or cut off. Download it again."
    return "this is not an image. Download it again."


def find_cut(files: Files, reference: Reference) -> str | None:
    """What shows that an image is cut off, with the remedy; None when it has its end.

    A JPEG must have as many end markers as beginnings (a preview in EXIF has its own), a PNG its last
    chunk, and a WebP as many bytes as its header says. Other formats, and damage before the end, are
    not looked for: only decoding finds that. More bytes after the end are not a fault, since loaders
    ignore them.

    Raises as `FolderFiles.read`.
    """
    first, last, size = files.ends(reference, _END)
    fault = ""
    if first[:2] == b"\xff\xd8":
        if not last.endswith(b"\xff\xd9"):
            data = last if size <= len(last) else files.read(reference, MAX_WHOLE)[0]
            if data.count(b"\xff\xd9") < data.count(b"\xff\xd8\xff"):
                fault = "JPEG is cut off (its end marker is missing)"
    elif first[:8] == b"\x89PNG\r\n\x1a\n":
        if _PNG_END not in last and _PNG_END not in files.read(reference, MAX_WHOLE)[0]:
            fault = "PNG is cut off (its last chunk is missing)"
    elif first[:4] == b"RIFF" and first[8:12] == b"WEBP":
        wanted = int.from_bytes(first[4:8], "little") + 8
        if size < wanted:
            fault = f"WebP is cut off ({size} bytes of {wanted})"
    return f"the {fault}. Download or unpack it again." if fault else None
