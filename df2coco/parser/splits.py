"""Where the dataset lies: folders and archives, under all the names that splits have had.

`find_splits` turns what the user named into `Split`s.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

from df2coco.errors import SourceError
from df2coco.parser.archive import ZipFiles, read_directory
from df2coco.parser.reader import Entry, Files, FolderFiles, Reader, Reference, Split

__all__ = ["IMAGE_FOLDERS", "find_images", "find_splits", "is_image_name"]

_SPLIT_NAMES: Final = ("train", "validation", "val", "test")
_ANNOTATIONS: Final = re.compile(r"(?:(.+)_)?(?:annos|annots)")
_IMAGES: Final = re.compile(r"(?:(.+)_)?(?:image|images|imags)")


IMAGE_FOLDERS: Final = ("image", "images", "imags")
"""What a folder of images may be called; the most usual first."""

IMAGE_SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".jfif")
"""In lower case."""


def is_image_name(name: str) -> bool:
    """Whether a file of this name is an image, going by its suffix in any letter case; hidden files are not."""
    return name.lower().endswith(IMAGE_SUFFIXES) and name[name.rfind("/") + 1] != "."


class _Place(NamedTuple):
    """A folder on disk or in an archive, with a way to list its files."""

    name: str
    parent: str
    """The name of the folder around it, which is often the split's."""
    label: str
    files: Files
    list: Callable[[str], dict[str, Reference]]
    """Suffix -> the files with it: stem -> reference."""


def find_splits(
    source: str | Path, images: str | Path | None = None, password: str | None = None
) -> list[Split]:
    """The splits at `source`: annotation folder, split folder, archive of either, or dataset root.

    `images` is a folder or archive of the images; without it they are looked for beside the annotations.
    Splits come in the order train, validation, test, then others by name.

    Raises `SourceError` when there is no annotation file and no image, or names do not fit together.
    """
    source, images = Path(source), None if images is None else Path(images)
    if not os.path.exists(source):
        raise SourceError("no such file or folder.", file=source)
    splits = _splits_at(source, images, password)
    if not splits:
        raise SourceError(
            f"{source}: no annotation files found. Name a folder of 000001.json files (val_annos), "
            "a folder that holds annos and image, a zip of either, or the folder of the splits."
        )
    if images is not None and len(splits) > 1:
        names = ", ".join(split.name for split in splits)
        raise SourceError(f"--images goes with one split; here are {names}.", file=source)
    return splits


def find_images(images: Path, password: str | None = None) -> Split:
    """The images at a folder or archive, as a split without annotations. Raises `SourceError`."""
    place = _image_place(images, None, password)
    return _image_split(place, _split_name(place))


def _splits_at(source: Path, images: Path | None, password: str | None) -> list[Split]:
    places = _places(source, password)
    annotations = [place for place in places if _ANNOTATIONS.fullmatch(place.name)]
    if not annotations:
        # A folder of annotation files may have any name; what it holds tells.
        annotations = [p for p in places if any(s.isdecimal() for s in p.list(".json"))]
    if annotations:
        return [_split(place, places, source, images, password) for place in annotations]
    children = _children(source)
    if children:
        return [split for pair in children for split in _best(pair, images, password)]
    pictures = [p for p in places if _IMAGES.fullmatch(p.name) and p.list(".jpg")]
    pictures = pictures or [p for p in places if p.list(".jpg")]
    return [_image_split(place, _split_name(place)) for place in pictures]


def _children(source: Path) -> list[list[Path]]:
    """The splits of a dataset root, each a folder or an archive or both."""
    if not os.path.isdir(source):
        return []
    pairs = ((source / name, source / f"{name}.zip") for name in _SPLIT_NAMES)
    found = ([path for path in pair if os.path.exists(path)] for pair in pairs)
    return [pair for pair in found if pair]


def _best(pair: list[Path], images: Path | None, password: str | None) -> list[Split]:
    """The splits in the first of some places that has annotations, else in the first that has any."""
    found: list[Split] = []
    for path in pair:
        splits = _splits_at(path, images, password)
        if any(split.reader.annotations is not None for split in splits):
            return splits
        found = found or splits
    return found


def _places(source: Path, password: str | None) -> list[_Place]:
    if os.path.isdir(source):
        folders = sorted(child for child in _scan(source) if os.path.isdir(child))
        places = [_folder(child) for child in folders]
        return [place for place in places if _is_known(place.name)] or [_folder(source)]
    return _archive_places(source, password)


def _is_known(name: str) -> bool:
    return bool(_ANNOTATIONS.fullmatch(name) or _IMAGES.fullmatch(name))


def _scan(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise SourceError(f"cannot be read ({error.strerror}).", file=folder) from None


def _folder(path: Path) -> _Place:
    def files(suffix: str) -> dict[str, Reference]:
        try:
            names = os.listdir(path)
        except OSError as error:
            raise SourceError(f"cannot be read ({error.strerror}).", file=path) from None
        end = -len(suffix)
        return {name[:end]: name for name in names if name.endswith(suffix) and name[0] != "."}

    whole = Path(os.path.realpath(path))
    return _Place(whole.name, whole.parent.name, str(path), FolderFiles(path), files)


def _archive_places(path: Path, password: str | None) -> list[_Place]:
    folders: dict[str, dict[str, Reference]] = {}
    for name, member in read_directory(path):
        folder, _, base = name.rpartition("/")
        if base.endswith((".json", ".jpg")) and base[0] != ".":
            folders.setdefault(folder, {})[base] = member
    reader = ZipFiles(path, password)

    def place(folder: str, members: dict[str, Reference]) -> _Place:
        def files(suffix: str) -> dict[str, Reference]:
            end = -len(suffix)
            return {base[:end]: m for base, m in members.items() if base.endswith(suffix)}

        inside = PurePosixPath(folder)
        # At the top of an archive the archive's own name says what it is: val_annos.zip.
        name = inside.name or path.stem
        return _Place(
            name, inside.parent.name or path.stem, f"{path}/{folder}".rstrip("/"), reader, files
        )

    return [place(folder, members) for folder, members in sorted(folders.items())]


def _split(
    place: _Place, places: list[_Place], source: Path, images: Path | None, password: str | None
) -> Split:
    name = _split_name(place)
    stems = place.list(".json")
    pictures = (
        _image_place(images, name, password)
        if images
        else _images_beside(place, places, source, password)
    )
    references: dict[str, Reference] = {}
    if pictures is not None and isinstance(pictures.files, ZipFiles):
        references = pictures.list(".jpg")
    elif pictures is not None:
        references = {stem: f"{stem}.jpg" for stem in stems}  # opening tells whether it is there
    entries = [Entry(stem, stems[stem], references.get(stem)) for stem in sorted(stems)]
    _reject_same_ids(place, entries)
    reader = Reader(
        place.files,
        place.label,
        pictures.files if pictures else None,
        pictures.label if pictures else "",
    )
    return Split(name, reader, entries)


def _image_split(place: _Place, name: str) -> Split:
    references = place.list(".jpg")
    entries = [Entry(stem, None, references[stem]) for stem in sorted(references)]
    _reject_same_ids(place, entries)
    return Split(name, Reader(None, "", place.files, place.label), entries)


def _reject_same_ids(place: _Place, entries: Iterable[Entry]) -> None:
    seen: dict[int, str] = {}
    for stem in (entry.stem for entry in entries):
        if stem.isascii() and stem.isdecimal() and len(stem) <= 18:
            other = seen.setdefault(int(stem), stem)
            if other != stem:
                raise SourceError(
                    f"{place.label}: {other} and {stem} stand for one image id. Rename one."
                )


def _split_name(place: _Place) -> str:
    match = _ANNOTATIONS.fullmatch(place.name) or _IMAGES.fullmatch(place.name)
    name = (match.group(1) or place.parent) if match else place.name
    return {"val": "validation"}.get(name, name) or "split"


def _image_names(place: _Place) -> list[str]:
    match = _ANNOTATIONS.fullmatch(place.name)
    prefixes = [f"{match.group(1)}_", ""] if match and match.group(1) else [""]
    return [prefix + name for prefix in prefixes for name in ("image", "images", "imags")]


def _images_beside(
    place: _Place, places: list[_Place], source: Path, password: str | None
) -> _Place | None:
    names = _image_names(place)
    if isinstance(place.files, ZipFiles):
        inside = [p for p in places if p.parent == place.parent and p.name in names]
        if inside:
            return min(inside, key=lambda p: names.index(p.name))
        around = source.parent
    else:
        around = Path(os.path.realpath(place.files.path)).parent
    for name in names:
        for path in (around / name, around / f"{name}.zip"):
            if os.path.exists(path):
                found = _image_place(path, None, password)
                # Messages name the folder the way the user named its neighbour.
                label = os.path.join(os.path.dirname(place.label), path.name)
                return found if path.suffix == ".zip" else found._replace(label=label)
    return None


def _image_place(images: Path, split: str | None, password: str | None) -> _Place:
    """The one place of images at a folder or archive."""
    if not os.path.exists(images):
        raise SourceError("no such file or folder.", file=images)
    if os.path.isdir(images):
        inner = [images / name for name in ("image", "images", "imags")]
        return _folder(next((path for path in inner if os.path.isdir(path)), images))
    places = [place for place in _archive_places(images, password) if place.list(".jpg")]
    if len(places) > 1:
        places = [p for p in places if split in (_split_name(p), p.parent)] or places
    if len(places) != 1:
        labels = ", ".join(place.label for place in places) or "none"
        raise SourceError(
            f"expected one folder of .jpg images in the archive, found {labels}.", file=images
        )
    return places[0]
