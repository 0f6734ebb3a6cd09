"""Places: the folders, on disk or in a zip archive, that hold annotation files or images."""

import os
import re
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Final

from df2coco.errors import SourceError
from df2coco.parser.archive import ZipFiles, read_directory
from df2coco.parser.reader import Files, FolderFiles, Reference

IMAGE_FOLDERS: Final = ("image", "images", "imags")
"""What a folder of images may be called; the most usual first."""

JPG: Final = ".jpg"
"""The suffix of all images of the dataset."""

IMAGE_SUFFIXES: Final = (
    *(JPG, ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".jfif", ".jpe", ".avif"),
    *(".heic", ".heif"),
)
"""In lower case; of two images of one name, that of the first suffix is taken."""

SPLITS: Final = ("train", "validation", "test")
SPLIT_OF_WORD: Final[Mapping[str, str]] = {
    **{name: name for name in SPLITS},
    "valid": "validation",
    "val": "validation",
}
"""A word in the name of a file or folder -> the split."""

_ANNOTATIONS: Final = re.compile(r"(?:(.+)_)?(?:annos?|annots?|annotations?)", re.IGNORECASE)
_IMAGES: Final = re.compile(r"(?:(.+)_)?(?:image|images|imags)", re.IGNORECASE)
ARCHIVE_NAME: Final = re.compile(
    r"\.(?:zip|7z|rar|tar|tgz|z\d\d|\d\d\d|(?:tar\.|t)(?:gz|bz2|xz|zst))$", re.IGNORECASE
)
_COPY: Final = re.compile(
    r"^copy of |-\d{8}T\d{6}Z(?:-\d+)*$|(?: - copy)? ?\(\d+\)$| - copy$", re.IGNORECASE
)
_UNSAFE: Final = re.compile(r"[^\w.\- ]")
_LONGEST_NAME: Final = 80


def is_image_name(name: str) -> bool:
    """Whether a file of this name is an image, going by its suffix in any letter case; hidden files are not."""
    return name.lower().endswith(IMAGE_SUFFIXES) and name[name.rfind("/") + 1] != "."


def original_name(name: str) -> str:
    """The name of a download before browsers, Google Drive and file managers changed it.

    "Copy of train", "train (1)" and "train-20240101T000000Z-001" are "train".
    """
    before = ""
    while before != name:
        before, name = name, _COPY.sub("", name)
    return name


def split_of(name: str) -> str | None:
    """ "train", "validation" or "test" for a name of the split ("val", "Train (1)"); None for others."""
    return SPLIT_OF_WORD.get(original_name(name).lower())


def is_place_name(name: str) -> bool:
    """Whether a folder of annotation files or of images may be called so: "annos", "val_images"."""
    return bool(_ANNOTATIONS.fullmatch(name) or _IMAGES.fullmatch(name))


def annotations_prefix(name: str) -> str:
    """ "val" of "val_annos" in lower case, "" of "annos" and of what is not a folder of annotation files."""
    match = _ANNOTATIONS.fullmatch(name)
    return (match.group(1) or "").lower() if match else ""


class Place:
    """One folder, on disk or in an archive. Its files are listed when they are first asked for."""

    def __init__(
        self,
        path: PurePosixPath | Path,
        archive: str,
        label: str,
        files: Files,
        list_files: Callable[[], Mapping[str, Reference]],
    ) -> None:
        self.path = path
        """The folder, as a path on disk or in its archive."""
        self.archive = archive
        """The archive's name without its suffix, or ""."""
        self.label = label
        """The folder as messages name it."""
        self.files = files
        self.annotation_doubles: list[str] = []
        """Annotation files not taken, since another one has the same name but for the suffix's letter case."""
        self.doubles: list[str] = []
        """Images not taken, since another one has the same name but for the suffix."""
        self.suffixes: dict[str, str] = {}
        """Those of the images that are not `JPG`, by their names without suffix."""
        self._list = list_files

    @property
    def name(self) -> str:
        """The folder's own name; at the top of an archive the archive's, which says what it is (val_annos.zip)."""
        return self.path.name or self.archive

    @cached_property
    def _listed(self) -> Mapping[str, Reference]:
        return self._list()

    @cached_property
    def annotations(self) -> dict[str, Reference]:
        """The annotation files: name without suffix -> reference."""
        listed = self._listed
        found = {
            name[:-5]: reference
            for name, reference in listed.items()
            if name.endswith(".json") and name[0] != "."
        }
        others = [n for n in listed if n[-5:].lower() == ".json" and not n.endswith(".json")]
        for name in sorted(n for n in others if n[0] != "."):
            if name[:-5] in found:
                self.annotation_doubles.append(name)
            else:
                found[name[:-5]] = listed[name]
        return found

    @cached_property
    def images(self) -> dict[str, Reference]:
        """The images: name without suffix -> reference."""
        listed = self._listed
        # All images of the dataset are .jpg, so that others may take longer.
        found = {
            name[:-4]: reference
            for name, reference in listed.items()
            if name.endswith(JPG) and name[0] != "."
        }
        others = []
        if len(found) < len(listed):
            others = [n for n in listed if not n.endswith((JPG, ".json")) and is_image_name(n)]
        for name in sorted(others, key=_rank):
            stem, suffix = os.path.splitext(name)
            if stem in found:
                self.doubles.append(name)
            else:
                found[stem] = listed[name]
                self.suffixes[stem] = suffix
        return found

    @property
    def has_numbered_annotations(self) -> bool:
        """Whether an annotation file here is called by a number, as all of the dataset are."""
        return any(stem.isdecimal() for stem in self.annotations)

    @property
    def has_numbered_images(self) -> bool:
        """Whether an image here is called by a number, as all of the dataset are."""
        return any(stem.isdecimal() for stem in self.images)

    @property
    def is_annotations(self) -> bool:
        """Whether it is called as a folder of annotation files is."""
        return _ANNOTATIONS.fullmatch(self.name) is not None

    @property
    def is_images(self) -> bool:
        """Whether it is called as a folder of images is."""
        return _IMAGES.fullmatch(self.name) is not None

    @property
    def split(self) -> str:
        """The split's name: one safe part of a path. "val_annos" and "val/annos" give "validation"."""
        own = original_name(self.name)
        match = _ANNOTATIONS.fullmatch(own) or _IMAGES.fullmatch(own)
        name = (match.group(1) or self._around) if match else own
        return split_of(name) or _safe(name)

    @property
    def around(self) -> PurePosixPath | Path:
        """The folder around it; of annos/annos, as unpacking gives it, the one around both."""
        parent = self.path.parent
        return parent.parent if parent.name == self.path.name else parent

    @property
    def _around(self) -> str:
        """The name of the folder or archive around it, which is often the split's."""
        return self.around.name or self.archive

    @property
    def prefix(self) -> str:
        """ "val" of "val_annos", else ""."""
        match = _ANNOTATIONS.fullmatch(self.name) or _IMAGES.fullmatch(self.name)
        return (match.group(1) or "") if match else ""


def _rank(name: str) -> tuple[int, str]:
    return IMAGE_SUFFIXES.index(os.path.splitext(name)[1].lower()), name


def _safe(name: str) -> str:
    name = _UNSAFE.sub("_", name)[:_LONGEST_NAME].strip(". ")
    return name or "split"


def list_folder(path: Path) -> list[str]:
    """The names in a folder, in no order. Raises `SourceError` when it cannot be read."""
    try:
        return os.listdir(path)
    except OSError as error:
        raise SourceError(f"cannot be read ({error.strerror}).", file=path) from None


def folder_place(path: Path, label: str = "", names: list[str] | None = None) -> Place:
    """A folder on disk; `names` is what it holds, where that is known."""
    # Called as the user calls it, also where a link leads to a folder of another name.
    whole = Path(os.path.abspath(path))

    def files() -> dict[str, Reference]:
        return {name: name for name in (list_folder(path) if names is None else names)}

    return Place(whole, "", label or str(path), FolderFiles(path), files)


def archive_places(
    path: Path,
    password: str | None,
    label: str = "",
    passed_over: list[tuple[str, str]] | None = None,
) -> list[Place]:
    """The folders with annotation files or images in a zip archive, sorted by path.

    `passed_over` gets the archives in it, each with the reason.

    Raises `SourceError` when it is not a zip archive, is damaged, or holds nothing but other archives.
    """
    folders: dict[str, dict[str, Reference]] = {}
    inner: list[str] = []
    for name, member in read_directory(path):
        folder, _, base = name.rpartition("/")
        if base[:1] in ("", "."):
            continue
        if base[-5:].lower() == ".json" or is_image_name(base):
            folders.setdefault(folder, {})[base] = member
        elif ARCHIVE_NAME.search(base):
            inner.append(name)
    if inner and not folders:
        some = ", ".join(sorted(inner)[:4]) + ("..." if len(inner) > 4 else "")
        raise SourceError(
            f"an archive of archives ({some}). Unpack it and name the folder of those.", file=path
        )
    if passed_over is not None:
        reason = "not read, since it is an archive in an archive. Unpack both, and name the folder."
        passed_over += [(f"{label or path}/{name}", reason) for name in sorted(inner)]
    reader = ZipFiles(path, password)
    return [
        Place(
            PurePosixPath(folder),
            path.stem,
            f"{label or path}/{folder}".rstrip("/"),
            reader,
            lambda members=members: members,  # type: ignore[misc]
        )
        for folder, members in sorted(folders.items())
    ]
