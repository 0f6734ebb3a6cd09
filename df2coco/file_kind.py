"""What a file is when it is not what its name or place promises: a web page saved as zip, a COCO file ..."""

import re
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal, NamedTuple

import orjson

LOOKED_AT: Final = 1 << 16
"""How many bytes of a file are looked at."""


class FileKind(NamedTuple):
    """What a file is, and what its user can do."""

    what: str
    """ "a web page", to come after "this is"."""
    remedy: str
    """One or more sentences."""
    form: Literal["", "annotation", "coco", "many", "lines", "other"] = ""
    """What JSON it is; "" where it is none, "other" where no more is known."""


_UNPACK: Final = "Unpack it and name the folder."
_REPLACE: Final = "Replace it, or name another file or folder."
_SIGNATURES: Final[tuple[tuple[int, bytes | tuple[bytes, ...], FileKind], ...]] = (
    # where, the bytes there, what that is
    (0, b"Rar!\x1a\x07", FileKind("a rar archive", _UNPACK)),
    (0, b"7z\xbc\xaf\x27\x1c", FileKind("a 7z archive", _UNPACK)),
    (257, b"ustar", FileKind("a tar archive", _UNPACK)),
    (0, b"BZh", FileKind("a bzip2 archive", _UNPACK)),
    (0, b"\xfd7zXZ\0", FileKind("an xz archive", _UNPACK)),
    (0, b"\x28\xb5\x2f\xfd", FileKind("a zstd archive", _UNPACK)),
    (0, b"\xff\xd8\xff", FileKind("a JPEG image", _REPLACE)),
    (0, b"\x89PNG\r\n\x1a\n", FileKind("a PNG image", _REPLACE)),
    (4, (b"ftyphei", b"ftypmif1"), FileKind("a HEIC file", "Convert it to JPEG.")),
    (0, b"version https://git-lfs", FileKind("a pointer of Git LFS", "Download the file itself: git lfs pull.")),
    (0, b"%PDF", FileKind("a PDF document", _REPLACE)),
    (0, b"PAR1", FileKind("a parquet table", _REPLACE)),
    (0, b"\x89HDF\r\n", FileKind("an HDF5 file", _REPLACE)),
    (0, (b"\x80\2", b"\x80\3", b"\x80\4", b"\x80\5"),
        FileKind("a Python pickle", "Name a folder of 000001.json files.")),
    (0, (b"\xff\xfe", b"\xfe\xff", b"{\0", b"\0{", b"[\0", b"\0["),
        FileKind("text in UTF-16", "Save it as UTF-8.")),
)  # fmt: skip

_WEB_PAGE: Final = FileKind(
    "a web page",
    "The download did not work: open the page in a browser, which says why, and download the file again.",
)
_XML: Final = FileKind(
    "an XML document",
    "The download did not work: open the file in an editor, where it says why, and download it again.",
)
VOLUME: Final = FileKind(
    "one volume of an archive of several",
    "Unpack all of them together (7z x on the first one), and name the folder.",
)
_TAR_GZ: Final = FileKind("a compressed tar archive", _UNPACK)
_GZIP: Final = FileKind("compressed with gzip", "Unpack it with gunzip, as a .gz file.")
_TORCH: Final = FileKind(
    "a file of PyTorch (weights, or predictions as Detectron2 writes beside coco_instances_results.json)",
    _REPLACE,
)
_NEEDED: Final = "Name the folder that has one file an image: 000001.json, 000002.json ..."
_COCO: Final = FileKind(
    "a COCO file already",
    "Use it as it is, or name the folder of DeepFashion2's own annotation files.",
    "coco",
)
_RESULTS: Final = FileKind("a file of results of a model", _NEEDED, "many")
_ANNOTATION: Final = FileKind(
    "the annotation file of one image", "Name the folder that it lies in.", "annotation"
)
_MANY: Final = FileKind("one JSON file for many images", _NEEDED, "many")
_OTHER: Final = FileKind("a JSON file of another form", _NEEDED, "other")
_LINES: Final = FileKind("JSON Lines (a JSON object in each line)", _NEEDED, "lines")

_VOLUME_NAME: Final = re.compile(r"\.(?:z\d\d|(?:zip|7z|rar)\.\d+|part\d+\.rar)$", re.IGNORECASE)
_PAGE: Final = re.compile(rb"(?i)\s*(?:<\?xml[^>]*>\s*)?<(?:!doctype\s+html|html|head|body)")
_OBJECTS: Final = (
    # the first of these that is true says what a JSON file is
    (re.compile(rb'"(?:images|annotations|categories|licenses)"\s*:\s*\[').search, _COCO),
    (re.compile(rb'\{\s*"(?:item\d+|source|pair_id)"\s*:').match, _ANNOTATION),
    (re.compile(rb'\[\s*\{[^{}]*"(?:image_id|score)"\s*:').match, _RESULTS),
    (re.compile(rb'"(?:item\d+|bounding_box|landmarks|pair_id)"\s*:').search, _MANY),
)


def recognise(data: bytes, name: str = "") -> FileKind | None:
    """What the file `name` is whose first bytes are `data`; None for anything that is not known."""
    if _VOLUME_NAME.search(name) or data.startswith(b"PK\x07\x08"):
        return VOLUME
    for offset, signature, kind in _SIGNATURES:
        if data.startswith(signature, offset):
            return kind
    if data.startswith(b"PK\3\4") and b"/data.pkl" in data[:128]:
        return _TORCH
    if data.startswith(b"\x1f\x8b"):
        inside = b""
        with suppress(zlib.error):
            inside = zlib.decompressobj(31).decompress(data, 512)
        is_tar = inside[257:262] == b"ustar" or name.lower().endswith((".tar.gz", ".tgz"))
        return _TAR_GZ if is_tar else _GZIP
    text = data.removeprefix(b"\xef\xbb\xbf").lstrip()
    if _PAGE.match(text):
        return _WEB_PAGE
    if text.startswith(b"<?xml"):
        return _XML
    if text[:1] not in (b"{", b"["):
        return None
    text = text[:LOOKED_AT]
    first, _, rest = text.partition(b"\n")
    if rest.lstrip()[:1] == b"{":
        with suppress(orjson.JSONDecodeError):
            if type(orjson.loads(first)) is dict:
                return _LINES
    return next((kind for is_so, kind in _OBJECTS if is_so(text)), _OTHER)


def recognise_file(path: Path) -> FileKind | None:
    """`recognise` for the beginning of a file; None also when it cannot be read."""
    return recognise(start_of(path), path.name)


def is_coco_source(path: Path) -> bool:
    """Whether commands that take a split or a COCO file read `path` as a COCO file."""
    if path.suffix.lower() == ".json":
        return not path.is_dir()
    kind = recognise_file(path) if path.is_file() else None
    return kind is not None and bool(kind.form)


def is_text_file(path: Path) -> bool:
    """Whether a file begins with text, without a byte that only other files have."""
    start = start_of(path)[:1024].decode("utf-8", "ignore")
    return bool(start.strip()) and all(c.isprintable() or c in "\t\r\n" for c in start)


def start_of(path: Path) -> bytes:
    """The beginning of a file; nothing where it cannot be read."""
    try:
        if not path.is_file():  # opening a FIFO would wait for a writer
            return b""
        with path.open("rb") as file:
            return file.read(LOOKED_AT)
    except OSError:
        return b""
