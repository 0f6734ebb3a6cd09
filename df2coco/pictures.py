"""Which picture a `file_name` means, in a folder or a zip archive: the one rule for every command."""

import os
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

from df2coco.errors import ImageError, SourceError
from df2coco.parser.archive import ZipFiles, read_directory
from df2coco.parser.image_end import find_cut
from df2coco.parser.image_header import ImageHeader
from df2coco.parser.places import IMAGE_FOLDERS, is_image_name
from df2coco.parser.reader import Files, FolderFiles, Reference, read_image_header

MAX_PICTURE_BYTES: Final = 1 << 26
"""No picture is larger."""

_Parts: TypeAlias = tuple[str, ...]
Result = TypeVar("Result")


class Picture(NamedTuple):
    """One picture that is there. Small, so that it can be sent to a worker."""

    name: str
    """Its path below the folder or in the archive, with "/": one of `Pictures.names`."""
    reference: Reference


class Pictures:
    """The pictures in a folder or a zip archive, found by the `file_name` of a COCO image.

    A `file_name` is a path below the folder, as every loader takes it. Three things are forgiven: the
    pictures may lie one folder deeper, in `image`, `images` or `imags`; the path may begin with the
    folder's own names (`train/image/000001.jpg` in `data/train/image`); and an archive may hold everything
    below one top folder. A path that names another folder is never found by its last part alone.
    Letter case and Unicode form must agree, since they must on Linux.

    Pickled, it is small: a worker can read what the parent found (`header`, `read` of a `Picture`).
    """

    def __init__(self, images: str | Path, password: str | None = None) -> None:
        """Raises `SourceError` when `images` is neither a folder nor a readable zip archive."""
        self.path = Path(images)
        """The folder or archive that is read."""
        self.label = str(images)
        """The folder or archive, as messages name it."""
        self._folders: _Folder | _Archive
        if not os.path.exists(self.path):
            raise SourceError("no such file or folder.", file=self.path)
        if os.path.isdir(self.path):
            self._folders = _Folder(self.path)
            self._files: Files = FolderFiles(self.path)
        else:
            self._folders = _Archive(self.path)
            self._files = ZipFiles(self.path, password)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_folders"}

    def names(self) -> Iterator[str]:
        """The paths of all pictures below the folder or in the archive, in no particular order.

        Raises `SourceError` when a folder cannot be read.
        """
        return self._folders.names()

    def find(self, file_name: object) -> Picture | None:
        """The picture that a `file_name` means; None when it is not there, or is not a path below the folder.

        A path with backslashes is not found: only Windows would find it.
        Raises `SourceError` when a folder cannot be read.
        """
        parts = _parts(file_name)
        if parts is None:
            return None
        for candidate in self._folders.candidates(parts):
            reference = self._folders.reference(candidate)
            if reference is not None:
                return Picture("/".join(candidate), reference)
        return None

    def header(self, which: Picture | object) -> ImageHeader:
        """Size and orientation of a `Picture` or of what a `file_name` means.

        Raises `ImageError` when it is missing or is not a readable image, `PasswordError`.
        """
        return self._ask(read_image_header, self._required(which))

    def read(self, which: Picture | object) -> bytes:
        """All bytes of a `Picture` or of what a `file_name` means.

        Raises `ImageError` when it is missing, cannot be read or is larger than `MAX_PICTURE_BYTES`;
        `PasswordError`.
        """
        picture = self._required(which)
        data, complete = self._ask(
            lambda files, reference: files.read(reference, MAX_PICTURE_BYTES), picture
        )
        if not complete:
            limit = MAX_PICTURE_BYTES >> 20
            raise ImageError(
                f"larger than {limit} MB. Replace the picture.", file=self._file(picture)
            )
        return data

    def find_cut(self, which: Picture | object) -> str | None:
        """What shows that a picture is cut off; None when it has its end. As `df2coco.parser.image_end`.

        Raises `ImageError` when it is missing or cannot be read, `PasswordError`.
        """
        return self._ask(find_cut, self._required(which))

    def missing(self, file_name: object) -> ImageError:
        """Why `find` did not find a `file_name`, and what to do; names a picture that is nearly the one."""
        if not isinstance(file_name, str):
            return ImageError(f"file_name {file_name!r} is not text.", file=self.label)
        if "\\" in file_name:
            text = f"file_name {file_name!r} has backslashes, which only Windows takes for folders. Write / instead."
            return ImageError(text, file=self.label)
        parts = _parts(file_name)
        if parts is None:
            text = f"file_name {file_name!r} is not the name of a file below this folder. Write a relative path."
            return ImageError(text, file=self.label)
        file = f"{self.label}/{file_name}"
        near = self._nearly(parts)
        if near is not None:
            text = f"is missing, but there is {near!r}. Write one of the two names as the other."
            return ImageError(text, file=file)
        return ImageError(
            "is missing. Download or unpack it again, or name the right folder.", file=file
        )

    def _required(self, which: Picture | object) -> Picture:
        picture = which if isinstance(which, Picture) else self.find(which)
        if picture is None:
            raise self.missing(which)
        return picture

    def _ask(self, question: Callable[[Files, Reference], Result], picture: Picture) -> Result:
        try:
            return question(self._files, picture.reference)
        except SourceError as error:
            raise ImageError(error.text, file=self._file(picture)) from None

    def _file(self, picture: Picture) -> str:
        return f"{self.label}/{picture.name}"

    def _nearly(self, parts: _Parts) -> str | None:
        """The name of a picture in the same folder that differs in letter case, Unicode form or suffix."""
        stem = _folded(PurePosixPath(parts[-1]).stem)
        for candidate in self._folders.candidates(parts):
            for name in self._folders.listing(candidate[:-1]):
                if _folded(PurePosixPath(name).stem) == stem and is_image_name(name):
                    return "/".join((*candidate[:-1], name))
        return None


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _parts(file_name: object) -> _Parts | None:
    """The folders and the name of a relative path; None for anything else."""
    if not isinstance(file_name, str) or "\\" in file_name or "\0" in file_name:
        return None
    path = PurePosixPath(file_name)
    parts = path.parts
    if not parts or path.is_absolute() or ".." in parts or file_name.endswith("/"):
        return None
    return parts


def _below(root: _Parts, own: _Parts, parts: _Parts) -> Iterator[_Parts]:
    """Where `parts` may lie below `root`, whose own path is `own`; the most literal first."""
    for start in range(len(parts)):
        if start and parts[:start] != own[-start:]:
            continue
        *folders, name = parts[start:]
        yield (*root, *folders, name)
        for inner in IMAGE_FOLDERS:
            yield (*root, inner, *folders, name)
            if folders:
                yield (*root, *folders, inner, name)


class _Folder:
    """A folder on disk; each folder in it is listed once, when it is first looked into."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._own = Path(os.path.abspath(path)).parts
        self._listings: dict[_Parts, frozenset[str]] = {}

    def candidates(self, parts: _Parts) -> Iterator[_Parts]:
        return _below((), self._own, parts)

    def listing(self, folders: _Parts) -> frozenset[str]:
        """The names in a folder; none when there is no such folder."""
        found = self._listings.get(folders)
        if found is None:
            # Each folder on the way is looked up by its exact name, also where disks ignore case.
            inside = all(folders[i] in self.listing(folders[:i]) for i in range(len(folders)))
            found = self._listings[folders] = (
                frozenset(_list(self._path.joinpath(*folders))) if inside else frozenset()
            )
        return found

    def reference(self, parts: _Parts) -> Reference | None:
        return "/".join(parts) if parts[-1] in self.listing(parts[:-1]) else None

    def names(self) -> Iterator[str]:
        seen: set[str] = set()
        waiting: list[tuple[Path, str]] = [(self._path, "")]
        while waiting:
            folder, prefix = waiting.pop()
            real = os.path.realpath(folder)
            if real in seen:  # a link to a folder around it
                continue
            seen.add(real)
            for name in _list(folder):
                if name.startswith("."):
                    continue
                if is_image_name(name):
                    yield prefix + name
                elif os.path.isdir(folder / name) and name != "__MACOSX":
                    waiting.append((folder / name, f"{prefix}{name}/"))


def _list(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise SourceError(f"cannot be read ({error.strerror}).", file=folder) from None


class _Archive:
    """A zip archive's members."""

    def __init__(self, path: Path) -> None:
        self._own = Path(os.path.abspath(path)).with_suffix("").parts
        self._members = {
            name: member for name, member in read_directory(path) if not name.endswith(".json")
        }
        self._top = _common_folder(name for name in self._members if is_image_name(name))
        self._listings: dict[_Parts, list[str]] | None = None

    def candidates(self, parts: _Parts) -> Iterator[_Parts]:
        for depth in range(len(self._top) + 1):
            root = self._top[:depth]
            yield from _below(root, (*self._own, *root), parts)

    def listing(self, folders: _Parts) -> list[str]:
        """The names of the files in a folder of the archive."""
        if self._listings is None:
            self._listings = {}
            for each in self._members:
                *around, name = each.split("/")
                self._listings.setdefault(tuple(around), []).append(name)
        return self._listings.get(folders, [])

    def reference(self, parts: _Parts) -> Reference | None:
        return self._members.get("/".join(parts))

    def names(self) -> Iterator[str]:
        return (name for name in self._members if is_image_name(name))


def _common_folder(names: Iterable[str]) -> _Parts:
    folders = {name.rpartition("/")[0] for name in names}
    if not folders:
        return ()
    split = [folder.split("/") if folder else [] for folder in folders]
    first, last = min(split), max(split)
    depth = 0
    while depth < min(len(first), len(last)) and first[depth] == last[depth]:
        depth += 1
    return tuple(first[:depth])
