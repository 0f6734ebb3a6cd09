"""Whether an image file is cut off, from its last bytes, without decoding a pixel."""

from typing import Final

from df2coco.parser.reader import Files, Reference

_END: Final = 4096
"""How many of the last bytes are looked at first: all of the image's own end, and what some programs append."""

_WHOLE: Final = 1 << 26
"""The largest file that is read as a whole, for an end that much else follows."""

_PNG_END: Final = b"IEND\xae\x42\x60\x82"


def find_cut(files: Files, reference: Reference) -> str | None:
    """What shows that an image is cut off, with the remedy; None when it has its end.

    A JPEG must have its end marker after the beginning of the scan, a PNG its last chunk, and a WebP as many bytes
    as its header says. Other formats, and damage before the end, are not looked for: only decoding finds that.
    More bytes after the end are not a fault, since loaders ignore them.

    Raises `SourceError` without the name of the file, `PasswordError`.
    """
    first, last, size = files.ends(reference, _END)
    if first[:2] == b"\xff\xd8":
        cut = not last.endswith(b"\xff\xd9") and not _has_end_marker(files, reference, last, size)
        what = "JPEG", "its end marker is missing"
    elif first[:8] == b"\x89PNG\r\n\x1a\n":
        cut = _PNG_END not in last and _PNG_END not in files.read(reference, _WHOLE)[0]
        what = "PNG", "its last chunk is missing"
    elif first[:4] == b"RIFF" and first[8:12] == b"WEBP":
        wanted = int.from_bytes(first[4:8], "little") + 8
        cut = size < wanted
        what = "WebP", f"{size} bytes of {wanted}"
    else:
        return None
    return f"the {what[0]} is cut off ({what[1]}). Download or unpack it again." if cut else None


def _has_end_marker(files: Files, reference: Reference, last: bytes, size: int) -> bool:
    """Whether the end marker stands after the beginning of the scan; a preview in EXIF has its own before."""
    data = last if size <= len(last) else files.read(reference, _WHOLE)[0]
    start = _scan_start(data)
    return start is not None and data.find(b"\xff\xd9", start) >= 0


def _scan_start(data: bytes) -> int | None:
    """Where the first scan of a JPEG begins."""
    position = 2
    while position + 4 <= len(data):
        if data[position] != 0xFF:  # bytes between segments, which loaders skip
            position += 1
            continue
        marker = data[position + 1]
        if marker in (0x00, 0x01, 0xFF) or 0xD0 <= marker <= 0xD9:
            position += 1 if marker == 0xFF else 2
            continue
        length = data[position + 2] << 8 | data[position + 3]
        position += 2 + length
        if marker == 0xDA:
            return position
    return None
