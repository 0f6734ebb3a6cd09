"""Where the dataset lies: folders and archives, under all the names that splits have had.

`find_splits` turns what the user named into `Split`s.
"""

import dataclasses
import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import repeat
from pathlib import Path
from typing import Final

from df2coco.errors import SourceError
from df2coco.file_kind import recognise_file
from df2coco.parser.candidates import Candidates, find_candidates
from df2coco.parser.photos import find_image_place, image_place, reject_shared_images
from df2coco.parser.places import JPG, Chosen, Folder, Place, archive_places, list_folder
from df2coco.parser.reader import Entry, Reader, Reference, Split, read_split
from df2coco.parser.records import ImageRecord
from df2coco.parser.rivals import more_annotations, reject_same_ids, reject_same_names
from df2coco.split_names import SPLITS

_ANNOTATED: Final = SPLITS[:2]

_DEEPEST: Final = 4
"""How many folders below the one that is named are looked into (the Kaggle mirror has two)."""

_MOST_FOLDERS: Final = 500
"""How many folders are looked into at all: the user may have named the whole disk."""


def find_splits(
    source: str | Path, images: str | Path | None = None, password: str | None = None
) -> list[Split]:
    """The splits at `source`: annotation folder, split folder, archive of either, or dataset root.

    `images` is a folder or archive of the images; without it they are looked for beside the annotations.
    Splits come in the order train, validation, test, then others by name.

    Raises `SourceError` when there is no annotation file and no image, when names do not fit together, or
    when it is not clear which files belong together.
    """
    source, images = Path(source), None if images is None else Path(images)
    if not os.path.exists(source):
        raise SourceError("no such file or folder.", file=source)
    search = _Search(images, password)
    splits = search.splits_at(source, 0)
    if not splits:
        raise _nothing_found(source, search)
    if images is not None and len(splits) > 1:
        names = ", ".join(split.name for split in splits)
        raise SourceError(
            f"--images goes with one split; here are {names}. Name one of them as SOURCE.",
            file=source,
        )
    reject_same_names(splits)
    splits.sort(key=lambda split: (*(split.name != name for name in SPLITS), split.name))
    splits[0].passed_over.extend(search.passed_over)
    return [
        dataclasses.replace(split, lacks_annotations=True)
        if split.reader.annotations is None and split.name in _ANNOTATED
        else split
        for split in splits
    ]


def read(
    source: str | Path, *, images: str | Path | None = None, password: str | None = None
) -> Iterator[ImageRecord]:
    """The images of one split with their items, sorted by name, each read when it is asked for.

    `source` and `images` are as `convert` takes them. What is repaired or left out of a file is in the
    record's `notices`.

    Raises `SourceError` when there is no split at `source` or several; when it comes to it, `SourceError`
    for an annotation file and `ImageError` for an image that cannot be used; `PasswordError`.
    """
    splits = find_splits(source, images, password)
    if len(splits) > 1:
        names = ", ".join(split.name for split in splits)
        raise SourceError(f"holds several splits ({names}). Name one of them.", file=source)
    return read_split(splits[0])


def find_images(images: Path, password: str | None = None) -> Split:
    """The images at a folder or archive, as a split without annotations. Raises `SourceError`."""
    place = image_place(images, None, password)
    return _image_split(place)


class _Search:
    """Looks for splits in a folder and what is in it."""

    def __init__(self, images: Path | None, password: str | None) -> None:
        self._images = images
        self._password = password
        self._folders = 0
        self.passed_over: list[tuple[str, str]] = []
        """Archives and folders that look like the dataset's and are not read, each with the reason."""

    def splits_at(self, source: Path, depth: int) -> list[Split]:
        """All splits in a folder or archive; the nearest to the top of it."""
        if not os.path.isdir(source):
            places = archive_places(source, self._password, passed_over=self.passed_over)
            return self._with_annotations(places) or self._of_images(places)
        self._folders += 1
        names = list_folder(source)
        own = Place(Folder(source, names=names))
        candidates = find_candidates(source, names)
        places = self._known_places(candidates)
        self.passed_over += candidates.passed_over
        splits = self._with_annotations([*places, own])
        if splits:
            reason = f"not read, since {splits[0].label} is. Name it as SOURCE to read it."
            self.passed_over += [(str(p), reason) for group in candidates.splits for p in group]
            return splits
        splits = [s for group in candidates.splits for s in self._first_annotated(group, depth)]
        if splits:
            return splits
        named = [place for place in places if place.kind.is_images and place.images.files]
        if named:
            _reject_empty_annotations(places)
            return self._of_images(named)
        empty = [p for p in places if not (p.tree.archive or p.images.files or p.annotations.files)]
        further = [*candidates.others, *(Path(place.path) for place in empty)]
        return self._further_down(further, depth) or self._of_images([own])

    def _known_places(self, candidates: Candidates) -> list[Place]:
        """The folders and archives of annotations or images directly in a folder."""
        places: list[Place] = []
        for path in candidates.places:
            if path.is_dir():
                place, twice = Place(Folder(path)), path / path.name
                if not (place.annotations.files or place.images.files) and twice.is_dir():
                    place = Place(Folder(twice))
                places.append(place)
            else:
                places += archive_places(path, self._password, passed_over=self.passed_over)
        return places

    def _with_annotations(self, places: list[Place]) -> list[Split]:
        """A split for each folder of annotation files among `places`."""
        annotations = [p for p in places if p.kind.is_annotations and p.has_numbered_annotations]
        annotations = annotations or [p for p in places if p.has_numbered_annotations]
        # Names that are not numbers are a fault of each file, unless other folders have numbers.
        for place in [] if annotations else places:
            if place.kind.is_annotations and place.annotations.files:
                coco = _coco_file(place)
                if coco is None:
                    annotations.append(place)
                else:
                    self.passed_over.append(
                        (coco, "a COCO file already: not an annotation file of one image.")
                    )
        pictures = [self._images_of(place, places) for place in annotations]
        if self._images is None:
            reject_shared_images(annotations, pictures)
        return [_split(a, p) for a, p in zip(annotations, pictures, strict=True)]

    def _of_images(self, places: list[Place]) -> list[Split]:
        """A split without annotations for each folder of images among `places`."""
        chosen = [p for p in places if p.kind.is_images and p.images.files]
        chosen = chosen or [p for p in places if p.has_numbered_images]
        chosen = chosen or [p for p in places if p.images.files]
        return [_image_split(place) for place in chosen]

    def _first_annotated(self, group: list[Path], depth: int) -> list[Split]:
        """The splits in the first of some places that has annotations, else in the first that has any."""
        found: list[Split] = []
        taken = group[0]
        for path in group:
            try:
                splits = self.splits_at(path, depth)
            except _EmptyAnnotationsError:
                if path == group[-1] and not found:
                    raise
                continue
            annotated = any(split.reader.annotations is not None for split in splits)
            if annotated or not found:
                found, taken = splits, path
            if annotated:
                break
        if not found:
            reason = "not read: no annotation files and no images in it. Unpack its archive again."
            self.passed_over += [(str(path), reason) for path in group]
        for path in group:
            if path == taken or not found:
                continue
            if path.stem.lower() != taken.stem.lower():  # val beside validation
                self.passed_over.append((str(path), f"not read, since {taken.name} is."))
            elif (more := more_annotations(path, found)) is not None:
                self.passed_over.append((str(path), more))
            for split in found:
                split.others.append(str(path))
        return found

    def _further_down(self, folders: list[Path], depth: int) -> list[Split]:
        if depth == _DEEPEST:
            return []
        found = []
        for folder in folders:
            if self._folders == _MOST_FOLDERS:
                break
            try:
                splits = self.splits_at(folder, depth + 1)
            except SourceError as error:
                self.passed_over.append((error.file or str(folder), f"not read: {error.text}"))
                continue
            if any(split.reader.annotations is not None for split in splits):
                found += splits
        return found

    def _images_of(self, place: Place, places: list[Place]) -> Place | None:
        """Where the images of a folder of annotation files are; None when there are none."""
        if self._images is None:
            return find_image_place(place, places, self._password)
        return image_place(self._images, place.split, self._password)


# ---------------------------------------------------------------- one split


def _split(place: Place, pictures: Place | None) -> Split:
    """The split of a folder of annotation files, with its images where there are any."""
    stems, doubles = place.annotations.files, place.annotations.doubles
    reject_same_ids(place, stems)
    if pictures is None:
        reader = Reader(place.files, place.label, None, "")
        return Split(place.split, reader, _entries(stems, stems, None), annotation_doubles=doubles)
    images = pictures.images
    reader = Reader(place.files, place.label, pictures.files, pictures.label)
    left = sorted(n + images.suffixes.get(n, JPG) for n in images.files.keys() - stems.keys())
    entries = _entries(stems, stems, images)
    return Split(place.split, reader, entries, left, images.doubles, doubles)


def _image_split(place: Place) -> Split:
    reject_same_ids(place, place.images.files)
    entries = _entries(place.images.files, {}, place.images)
    reader = Reader(None, "", place.files, place.label)
    return Split(place.split, reader, entries, (), place.images.doubles)


def _entries(
    stems: Iterable[str], annotations: Mapping[str, Reference], images: Chosen | None
) -> list[Entry]:
    """The entries of some names, sorted; no worker has begun yet, so each step is one call for all names."""
    names = sorted(stems)
    files, suffixes = (images.files, images.suffixes) if images else ({}, {})
    ends = (suffixes.get(name, JPG) for name in names) if suffixes else repeat(JPG)
    return list(map(Entry, names, map(annotations.get, names), map(files.get, names), ends))


def _reject_empty_annotations(places: list[Place]) -> None:
    for place in places:
        if place.kind.is_annotations and not place.annotations.files:
            raise _EmptyAnnotationsError(
                "no annotation files in this folder. Unpack the archive again, or remove the folder "
                "if these are images without annotations.",
                file=place.label,
            )


class _EmptyAnnotationsError(SourceError):
    """A folder for annotation files has none, so that its images would pass for a test split."""


def _coco_file(place: Place) -> str | None:
    """A file of `annotations/` that is COCO (`instances_val2017.json`), as some keep them under that name."""
    if place.tree.archive:
        return None
    for name in list(place.annotations.files.values())[:1]:
        path = Path(place.path) / str(name)
        kind = recognise_file(path)
        if kind is not None and kind.what.startswith("a COCO file"):
            return os.path.join(place.label, str(name))
    return None


def _nothing_found(source: Path, search: _Search) -> SourceError:
    hints = [f"{path}: {reason}" for path, reason in search.passed_over[:3]]
    if os.path.isdir(source):
        for name in list_folder(source)[:1000]:
            path = source / name
            kind = recognise_file(path) if path.is_file() and len(hints) < 3 else None
            if kind is not None:
                hints.append(f"{name} is {kind.what}. {kind.remedy}".strip())
    hint = f" ({' '.join(hints)})" if hints else ""
    return SourceError(
        "no annotation files found. Name a folder of 000001.json files (val_annos), "
        f"a folder that holds annos and image, a zip of either, or the folder of the splits.{hint}",
        file=source,
    )
