"""Places: the folders, on disk or in a zip archive, that hold annotation files or images."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple, TypeAlias

from df2coco.errors import SourceError, counted
from df2coco.file_kind import FileKind, recognise_file
from df2coco.parser.annotation import find_image_id
from df2coco.parser.files import FolderFiles, Reference, ZipFiles, read_directory, starts_as_zip
from df2coco.split_names import SPLITS, original_name, spellings, split_called, split_of

IMAGE_FOLDERS: Final = ("image", "images", "imags")
"""What a folder of images may be called; the most usual first."""
JPG: Final = ".jpg"
"""The suffix of all images of the dataset."""
_RARE: Final = (".webp", ".bmp", ".gif", ".tif", ".tiff", ".jfif", ".jpe", ".avif")
IMAGE_SUFFIXES: Final = (JPG, ".jpeg", ".png", *_RARE, ".heic", ".heif")
"""In lower case; of two images of one name, that of the first suffix is taken."""

ARCHIVE_NAME: Final = re.compile(
    r"\.(?:zip|7z|rar|tar|tgz|z\d\d|\d\d\d|(?:tar\.|t)(?:gz|bz2|xz|zst))$", re.IGNORECASE
)
_SPLIT: Final = f"({'|'.join(word for split in SPLITS for word in spellings(split))})"
_KIND: Final = re.compile(
    rf"(?:(.+)_|{_SPLIT}[- ])?(?:(annos?|annots?|annotations?)|{'|'.join(IMAGE_FOLDERS)})"
    rf"(?:[-_ ]{_SPLIT})?",
    re.IGNORECASE,
)
_UNSAFE: Final = re.compile(r"[^\w.\- ]")
_LONGEST_NAME: Final = 80


def kind_of(name: str) -> tuple[str, str]:
    """What a folder of that name holds, and of which split: ("annotations", "val") for "annos-val".

    Else it holds "images"; ("", "") is for all other names.
    """
    match = _KIND.fullmatch(name)
    if match is None:
        return "", ""
    return "annotations" if match[3] else "images", match[1] or match[2] or match[4] or ""


def is_image(name: str) -> bool:
    """Whether a file is an image by its suffix, in any letter case; hidden files are not."""
    return name.lower().endswith(IMAGE_SUFFIXES) and name[name.rfind("/") + 1] != "."


class Folder:
    """A folder on disk as a tree of names; each folder in it is listed once, when it is first looked into."""

    archive = ""
    top = ""

    def __init__(self, path: Path, label: str = "", names: Iterable[str] | None = None) -> None:
        """`names` is what the folder holds, where that is known."""
        self.path = path
        self.label = label or str(path)
        """The folder as messages name it."""
        # Called as the user calls it, also where a link leads to a folder of another name.
        self.own = Path(os.path.abspath(path))
        self.files = FolderFiles(path)
        self._listings = {} if names is None else {"": {name: name for name in names}}

    def listing(self, folder: str = "") -> Mapping[str, Reference]:
        """What lies in a folder below this one, by name. Raises `SourceError` when it cannot be read."""
        if folder not in self._listings:
            around, _, own = folder.rpartition("/")
            # Each folder on the way is looked up by its exact name, also where disks ignore case.
            inside = not folder or own in self.listing(around)
            names = list_folder(self.path / folder) if inside else ()
            prefix = f"{folder}/" if folder else ""
            self._listings[folder] = {name: prefix + name for name in names}
        return self._listings[folder]

    def image_names(self) -> Iterator[str]:
        """The paths of all images below the folder, in no order. Raises as `listing`."""
        seen: set[str] = set()
        waiting = [""]
        while waiting:
            prefix = waiting.pop()
            real = os.path.realpath(self.path / prefix)
            if real in seen:  # a link to a folder around it
                continue
            seen.add(real)
            for name in list_folder(self.path / prefix):
                if is_image(name):
                    yield prefix + name
                elif name[0] != "." and name != "__MACOSX" and (self.path / prefix / name).is_dir():
                    waiting.append(f"{prefix}{name}/")


class Archive:
    """A zip archive as a tree of names. Raises `SourceError` when it is not one, or is damaged."""

    def __init__(self, path: Path, password: str | None = None, label: str = "") -> None:
        self.path = path
        self.label = label or str(path)
        self.archive = path.stem
        """The archive's name without its suffix; "" for folders."""
        self.own = Path(os.path.abspath(path)).with_suffix("")
        self.files = ZipFiles(path, password)
        self._folders: dict[str, dict[str, Reference]] = {}
        self.inner: list[str] = []
        self.faults: list[tuple[str, str]] = []
        """What of it cannot be read, each with the reason."""
        members = list(read_directory(path))
        twice: list[str] = []
        for name, member in members:
            folder, _, base = name.rpartition("/")
            files = self._folders.setdefault(folder, {})
            if base in files:
                twice.append(name)
            files[base] = member
            if ARCHIVE_NAME.search(base) and base[0] != ".":
                self.inner.append(name)
        self.inner.sort()
        if twice:
            more = f" (as {counted(len(twice) - 1, 'other member')})" if twice[1:] else ""
            reason = f"{twice[0]} is in it twice{more}: the last is read. Pack it again."
            self.faults.append((self.label, reason))
        first = min((member.offset for _, member in members), default=0)
        if first > 0 and starts_as_zip(path) and starts_as_zip(path, first):
            reason = "two archives joined: only the last is read. Separate them, or unpack both."
            self.faults.append((self.label, reason))

    def places(self) -> list["Place"]:
        """The folders with annotation files or images, sorted. Raises `SourceError` for archives alone."""
        places = [Place(self, folder) for folder in sorted(self._folders)]
        places = [place for place in places if not place.is_empty]
        if self.inner and not places:
            some = ", ".join(self.inner[:4]) + ("..." if len(self.inner) > 4 else "")
            text = f"an archive of archives ({some}). Unpack it and name the folder of those."
            raise SourceError(text, file=self.path)
        return places

    def listing(self, folder: str = "") -> Mapping[str, Reference]:
        return self._folders.get(folder, {})

    @cached_property
    def top(self) -> str:
        """The folder that all images lie in or below; "" when they have none in common."""
        folders = [f.split("/") for f, names in self._folders.items() if any(map(is_image, names))]
        return "/".join(os.path.commonprefix(folders))  # noqa: RUF071 (lists)

    def image_names(self) -> Iterator[str]:
        for folder, names in self._folders.items():
            prefix = f"{folder}/" if folder else ""
            yield from (prefix + name for name in names if is_image(name))


Tree: TypeAlias = Folder | Archive


def list_folder(path: Path) -> list[str]:
    """The names in a folder, in no order; none where there is no folder. Raises `SourceError`."""
    try:
        return os.listdir(path)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise SourceError(f"cannot be read ({error.strerror}).", file=path) from None


def listed(folder: Path) -> list[str]:
    """As `list_folder`; none where it cannot be read: what is in it can be all the same."""
    try:
        return list_folder(folder)
    except SourceError:
        return []


class Trees:
    """Opens what one search looks into; the directory of an archive is read once."""

    def __init__(self, password: str | None) -> None:
        self.password = password
        self._archives: dict[str, Archive] = {}

    def open(self, path: Path, label: str = "") -> Tree:
        """The tree of a folder or a zip archive. Raises `SourceError` when it is neither."""
        if not os.path.exists(path):
            raise SourceError("no such file or folder.", file=label or path)
        return Folder(path, label) if os.path.isdir(path) else self.archive(path, label)

    def archive(self, path: Path, label: str = "") -> Archive:
        """The tree of a zip archive. Raises as `open`."""
        own = os.path.abspath(path)
        if own not in self._archives:
            self._archives[own] = Archive(path, self.password, label)
        return self._archives[own]


class Chosen(NamedTuple):
    """Files of one kind."""

    files: dict[str, Reference]
    """By their names without suffix."""
    suffixes: dict[str, str]
    """Those that are not the usual one, by the names without them."""
    doubles: list[str]
    """Files not taken, since another one has the same name but for the suffix."""

    @property
    def numbered(self) -> bool:
        """Whether one of them is called by a number, as all files of the dataset are."""
        return any(find_image_id(stem) is not None for stem in self.files)


NOTHING: Final = Chosen({}, {}, [])


class Place:
    """One folder of a tree. Its files are listed when they are first asked for."""

    def __init__(self, tree: Tree, folder: str = "", kind: str = "") -> None:
        """`kind` is what it holds where its name does not say so."""
        self.tree = tree
        self._folder = folder
        self.files = tree.files
        self.label = f"{tree.label}/{folder}" if folder else tree.label
        """The folder as messages name it."""
        self.path = PurePosixPath(folder) if tree.archive else tree.own
        """The folder, as a path on disk or in its archive."""
        self.name = self.path.name or tree.archive
        """The folder's own name; at the top of an archive the archive's, which says what it is (val_annos.zip)."""
        named, self.prefix = kind_of(original_name(self.name))
        self.kind = kind or named
        if self.kind and not self.prefix:  # val_annos.zip holds annos, as val_annos does unpacked
            outer = kind_of(original_name(self.around.name or tree.archive))[1]
            self.prefix = outer if split_called(outer) else ""

    @cached_property
    def annotations(self) -> Chosen:
        """The annotation files; of two of one name but for the suffix's letter case, .json is taken."""
        return _choose(self.tree.listing(self._folder), (".json",))

    @cached_property
    def images(self) -> Chosen:
        """The images; of two of one name, the one whose suffix is first of `IMAGE_SUFFIXES`."""
        return _choose(self.tree.listing(self._folder), IMAGE_SUFFIXES)

    def first_file(self) -> tuple[str, FileKind | None]:
        """The first of its annotation files, and what that is; not known in an archive."""
        if self.tree.archive:
            return self.label, None
        name = min(map(str, self.annotations.files.values()))
        return os.path.join(self.label, name), recognise_file(self.tree.path / name)

    @property
    def is_empty(self) -> bool:
        """Whether it has neither annotation files nor images."""
        return not (self.annotations.files or self.images.files)

    @property
    def split(self) -> str:
        """The split's name: one safe part of a path. "val_annos" and "val/annos" give "validation"."""
        name = original_name(self.name)
        if self.kind:
            name = self.prefix or self.around.name or self.tree.archive
            if kind_of(name)[0] == "annotations" and split_called(self.home.name):
                name = self.home.name  # annos.zip lies in the split's folder, as annos does
        return split_called(name) or _UNSAFE.sub("_", name)[:_LONGEST_NAME].strip(". ") or "split"

    @property
    def photo_name(self) -> str:
        """What its folder of images is called, in lower case: also "val_image" for image in val_images.zip."""
        name = self.name.lower()
        return f"{self.prefix.lower()}_{name}" if self.prefix and not kind_of(name)[1] else name

    @property
    def around(self) -> PurePosixPath | Path:
        """The folder around it; of annos/annos, as unpacking gives it, the one around both."""
        parent = self.path.parent
        return parent.parent if parent.name == self.path.name else parent

    @property
    def home(self) -> Path:
        """The folder on disk around it, or around its archive."""
        return self.tree.own.parent if self.tree.archive else Path(self.around)


def _choose(listed: Mapping[str, Reference], suffixes: tuple[str, ...]) -> Chosen:
    """The files of the first suffix, and those of the others, in any letter case, whose names are free."""
    usual = suffixes[0]
    files = {n[: -len(usual)]: r for n, r in listed.items() if n.endswith(usual) and n[0] != "."}
    others = [n for n in listed if n.lower().endswith(suffixes) and not n.endswith(usual)]
    ends = {name: os.path.splitext(name) for name in sorted(others) if name[0] != "."}
    chosen = Chosen(files, {}, [])
    for name in sorted(ends, key=lambda name: suffixes.index(ends[name][1].lower())):
        stem, suffix = ends[name]
        if stem in files:
            chosen.doubles.append(name)
        else:
            files[stem] = listed[name]
            chosen.suffixes[stem] = suffix
    for stem in [stem for stem in files if not stem.isdecimal()]:
        if (original := original_name(stem)) != stem and original in files:  # 000001 (1).json
            chosen.doubles.append(stem + chosen.suffixes.pop(stem, usual))
            del files[stem]
    return chosen


_LOOKS_LIKE: Final = re.compile("train|anno|fashion|df2", re.IGNORECASE)
# What browsers and other programs add to a download that is not complete.
_UNFINISHED: Final = r"\.(?:crdownload|part|partial|download|opdownload|aria2|!qb|tmp)$"
_UNCLEAR: Final = "not read, since its name does not say which split it holds."
_UNREAD: Final = {
    _UNFINISHED: "not read. Complete the download.",
    r"\.zip$": f"{_UNCLEAR} Name it as SOURCE if it is wanted.",
    ARCHIVE_NAME.pattern: "not read. Only zip archives are: unpack it and name the folder.",
}
"""Names of files that may hold a split and are not read, and why."""

_UNPACK: Final = "Unpack all parts into one folder"
_PART: Final = re.compile(r"-\d{8}T\d{6}Z.*-0*(\d+)(?:\.zip)?$", re.IGNORECASE)
"""Google Drive's names of the parts of a large download."""


def find_candidates(
    folder: Path, names: Iterable[str], passed_over: list[tuple[str, str]]
) -> tuple[list[Path], list[list[Path]], list[Path]]:
    """Sort what lies in `folder`, whose `names` are given, by what it may be.

    Folders and archives of annotation files or images (annos, image, val_annos.zip ...); for each
    split the folders and archives that may hold it, the one to take first; all other folders.
    `passed_over` gets archives that cannot be read or are not clear, each with the reason.
    """
    places: list[Path] = []
    others: list[Path] = []
    groups: dict[str, list[Path]] = {name: [] for name in SPLITS}
    # Most files of large folders are known by their ends; the disk is asked about the others alone.
    for name in sorted(n for n in names if not n.endswith((".json", ".jpg"))):
        if name[0] == "." or name == "__MACOSX" or is_image(name):
            continue
        path = folder / name
        is_folder = os.path.isdir(path)
        stem = name if is_folder or not name.lower().endswith(".zip") else name[:-4]
        readable = is_folder or stem != name
        if readable and kind_of(original_name(stem))[0]:
            places.append(path)
        elif readable and (split := split_called(stem)) is not None:
            groups[split].append(path)
        elif is_folder:
            others.append(path)
        elif split_of(name) or _LOOKS_LIKE.search(name):
            reasons = [why for end, why in _UNREAD.items() if re.search(end, name, re.IGNORECASE)]
            passed_over.extend((str(path), reason) for reason in reasons[:1])
    chosen = [_sort(split, group, passed_over) for split, group in groups.items()]
    return places, list(filter(None, chosen)), others


def _sort(split: str, group: list[Path], passed_over: list[tuple[str, str]]) -> list[Path]:
    """The paths that clearly hold a split, in order; others that may are passed over."""
    stems = {path: path.name.lower().removesuffix(".zip") for path in group}
    exact = [path for path in group if stems[path] in spellings(split)]
    exact.sort(key=lambda path: (stems[path] != split, path.is_file(), path.name.swapcase()))
    changed = [path for path in group if path not in exact]
    if not exact and len(changed) == 1:
        part = _PART.search(changed[0].name)
        if part is None or part[1] == "1":
            exact, changed = changed, []
    for path in changed:
        others = ", ".join(other.name for other in changed if other != path)
        if exact:
            reason = f"not read, since {exact[0].name} is. Remove one of the two."
        elif others:
            reason = f"not read: {others} may be the same or another part of {split}. {_UNPACK},"
            reason += " or name the one to read as SOURCE."
        else:
            reason = f"not read: it is a part of {split} whose first part is not here. {_UNPACK}."
        passed_over.append((str(path), reason))
    return exact
