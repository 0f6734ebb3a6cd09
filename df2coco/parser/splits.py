"""Where the dataset lies: folders and archives under all names of splits become `Split`s."""

import os
import re
from collections.abc import Iterable, Iterator
from itertools import repeat
from pathlib import Path
from typing import Final

from df2coco.errors import SourceError
from df2coco.file_kind import recognise_file, start_of
from df2coco.parser.annotation import find_image_id
from df2coco.parser.files import read_end
from df2coco.parser.photos import find_image_places, image_place, other_split, photos_near
from df2coco.parser.places import JPG, NOTHING, Folder, Place, Trees, find_candidates, list_folder
from df2coco.parser.reader import Reader, Split, SplitEntry, read_split
from df2coco.parser.records import ImageRecord
from df2coco.split_names import SPLITS, split_called

_YOLO_LABEL: Final = re.compile(rb"\s*\d+( [\d.e-]+){4,}\s")
_DEEPEST: Final = 4  # folders below the one that is named (the Kaggle mirror has two)
_MOST_FOLDERS: Final = 500  # that are looked into: the user may have named the whole disk
_LONG: Final = 10_000  # members of an archive whose directory takes a while to read
_MOST_SPLITS: Final = 100  # of an archive: each is compared with all others
_FOLDERS: Final = 8  # members of an archive that may be folders


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
    search = _Search(images, Trees(password))
    splits = search.splits_at(source, 0)
    if not _annotated(splits) and (other := _other_dataset(source, list_folder(source))):
        raise SourceError(other, file=source)
    if not splits:
        raise search.empty or _nothing_found(source, search)
    if search.empty is not None:
        search.passed_over.append((search.empty.file, f"not read: {search.empty.text}"))
    if images is not None and len(splits) > 1:
        names = ", ".join(split.name for split in splits)
        text = f"--images goes with one split; here are {names}."
        raise SourceError(f"{text} Name one of them as SOURCE.", file=source)
    by_name: dict[str, Split] = {}
    for split in splits:
        if (first := by_name.setdefault(split.name, split)) is not split:
            both = f"{first.label} and {split.label} are both the split {split.name}."
            raise SourceError(f"{both} Name one of the two as SOURCE.")
    splits.sort(key=lambda split: (*(split.name != name for name in SPLITS), split.name))
    splits[0].passed_over.extend(search.passed_over)
    return splits


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
    trees = Trees(password)
    return _split(None, image_place(images, None, trees), trees)


class _Search:
    """Looks for splits in a folder and what is in it."""

    def __init__(self, images: Path | None, trees: Trees) -> None:
        self._images = images
        self._trees = trees
        self._folders = 0
        self.passed_over: list[tuple[str, str]] = []
        """Archives and folders that look like the dataset's and are not read, each with the reason."""
        self.empty: SourceError | None = None
        """The last split that has images, a folder for annotation files, and none in it."""

    def splits_at(self, source: Path, depth: int) -> list[Split]:
        """All splits in a folder or archive; the nearest to the top of it."""
        if not os.path.isdir(source):
            return self._splits_of(self._places_at(source))
        self._folders += 1
        names = list_folder(source)
        own = Place(Folder(source, names=names))
        unclear: list[tuple[str, str]] = []
        paths, groups, others = find_candidates(source, names, unclear)
        places = [place for path in paths for place in self._places_at(path)]
        self.passed_over += unclear
        splits = self._with_annotations([*places, own])
        if splits:
            return splits + self._beside(groups, splits, places, depth)
        splits = [split for group in groups for split in self._first_annotated(group, depth)]
        if splits:
            return splits
        if any(place.kind == "images" and place.images.files for place in places):
            for place in places:
                if place.kind == "annotations" and not place.annotations.files:  # no test split
                    text = "no annotation files in this folder. Unpack the archive again, or remove"
                    text += " the folder if these are images without annotations."
                    self.empty = SourceError(text, file=place.label)
                    return []
            labelled = (Place(Folder(path), kind="annotations") for path in others)
            return self._splits_of([*places, *filter(_holds_annotations, labelled)])
        empty = [Path(place.path) for place in places if place.is_empty and not place.tree.archive]
        return self._further_down([*others, *empty], depth) or self._of_images([own])

    def _splits_of(self, places: list[Place]) -> list[Split]:
        return self._with_annotations(places) or self._of_images(places)

    def _beside(
        self, groups: list[list[Path]], splits: list[Split], places: list[Place], depth: int
    ) -> list[Split]:
        """Of folders and archives beside annotations, the splits that are read too; others are passed over."""
        used = _used(splits)
        # annotations/train lies beside train, so that test has to be looked for as if it were alone.
        by_split = any(p.annotations.numbered and not p.kind for p in places if not p.tree.archive)
        names = {split.name for split in splits}
        more: list[Split] = []
        for group in groups:
            if by_split and split_called(group[0].stem) not in names:
                more += self._first_annotated(group, depth)
                continue
            reason = f"not read, since {splits[0].label} is. Name it as SOURCE to read it."
            self._pass_over((path for path in group if path.absolute() not in used), reason)
        return more

    def _places_at(self, path: Path) -> list[Place]:
        """The folder, or the folders of an archive, with annotation files or images at a path."""
        if path.is_dir():
            place, twice = Place(Folder(path)), path / path.name
            if place.is_empty and twice.is_dir():
                return [Place(Folder(twice))]
            by_split = [path / name for name in list_folder(path) if split_called(name)]
            inner = [Place(Folder(p)) for p in sorted(by_split) if place.kind == "annotations"]
            inner = [p for p in inner if p.annotations.numbered]
            return inner if inner and place.is_empty else [place]
        archive = self._trees.archive(path)
        places = archive.places()
        self.passed_over += archive.faults
        reason = "not read, since it is an archive in an archive. Unpack both, and name the folder."
        self._pass_over((f"{path}/{name}" for name in archive.inner), reason)
        return places

    def _with_annotations(self, places: list[Place]) -> list[Split]:
        """A split for each folder of annotation files among `places`."""
        numbered = [place for place in places if place.annotations.numbered]
        annotations = [place for place in numbered if place.kind == "annotations"] or numbered
        # Names that are not numbers are a fault of each file, unless other folders have numbers.
        for place in [] if annotations else places:
            if place.kind == "annotations" and place.annotations.files:
                file, kind = place.first_file()
                if kind is None or kind.form in ("", "annotation", "other"):
                    annotations.append(place)
                else:
                    self._pass_over([file], f"not read: this is {kind.what}. {kind.remedy}")
        if len(annotations) > _MOST_SPLITS:
            text = f"{len(annotations):,} folders of annotation files: there are three splits."
            raise SourceError(f"{text} Name one of them as SOURCE.", file=annotations[0].tree.label)
        trees = repeat(self._trees)
        if self._images is not None:
            images = [image_place(self._images, p.split, self._trees) for p in annotations]
            return list(map(_split, annotations, images, trees))
        found = find_image_places(annotations, places, self._trees)
        splits = list(map(_split, annotations, found, trees))
        used = {label for split in splits for label in (split.label, split.reader.images_label)}
        for place in places if splits else ():
            if place.kind == "images" and place.images.files and place.label not in used:
                own = (split.reader.images_label for split in splits if split.name == place.split)
                taken = next(own, "") or splits[0].label
                reason = f"not read, since {taken} is. Name it as SOURCE, or with --images,"
                self._pass_over([place.label], f"{reason} to read it.")
        return splits

    def _first_annotated(self, group: list[Path], depth: int) -> list[Split]:
        """The splits in the first of some places that has annotations, else in the first that has any."""
        found: list[Split] = []
        before, taken = self.empty, group[0]
        for path in group:
            splits = self.splits_at(path, depth)
            if _annotated(splits) or not found:
                found, taken = splits, path
            if _annotated(splits):
                break
        if not found:
            if self.empty is before:
                reason = "not read: no annotation files and no images in it."
                self._pass_over(group, f"{reason} Download or unpack it again.")
            return []
        self.empty = before
        used = _used(found)
        for path in group:
            if path == taken or path.absolute() in used:
                continue
            why: str | None = f"not read, since {taken.name} is."
            if path.stem.lower() == taken.stem.lower() and not (path.is_dir() and taken.is_dir()):
                why = self._more_annotations(path, found)
            if why is not None:
                self._pass_over([path], why)
            for split in found:
                split.others.append(str(path))
        return found

    def _more_annotations(self, archive: Path, splits: list[Split]) -> str | None:
        """What is wrong when an archive has more annotation files than what was unpacked from it."""
        here = sum(len(split.entries) for split in splits)
        files = sum(2 * len(split.entries) + len(split.unannotated) for split in splits)
        try:
            if not archive.is_file() or _LONG < read_end(archive).members <= files + _FOLDERS:
                return None
            places = self._trees.archive(archive).places()
            there = sum(len(place.annotations.files) for place in places)
        except (SourceError, OSError):
            return None
        text = f"not read, though it has {there:,} annotation files and {splits[0].label} has"
        return f"{text} {here:,}. Unpack it again, or name it as SOURCE." if there > here else None

    def _further_down(self, folders: list[Path], depth: int) -> list[Split]:
        found: list[Split] = []
        for folder in folders if depth < _DEEPEST else ():
            if self._folders == _MOST_FOLDERS:
                break
            try:
                splits = self.splits_at(folder, depth + 1)
            except SourceError as error:
                self._pass_over([error.file or folder], f"not read: {error.text}")
                continue
            if _annotated(splits):
                found += splits
        return found

    def _of_images(self, places: list[Place]) -> list[Split]:
        """A split without annotations for each folder of images among `places`."""
        some = [place for place in places if place.images.files]
        chosen = [place for place in some if place.kind == "images"]
        chosen = chosen or [place for place in some if place.images.numbered] or some
        return [_split(None, p, self._trees, p.split in SPLITS[:2]) for p in chosen]

    def _pass_over(self, paths: Iterable[str | Path], reason: str) -> None:
        self.passed_over += [(str(path), reason) for path in paths]


def _split(
    annotations: Place | None, images: Place | None, trees: Trees, lacks_annotations: bool = False
) -> Split:
    """The split of a folder of annotation files, of images, or of both. Raises `SourceError`."""
    place = annotations or images
    assert place is not None
    files = annotations.annotations if annotations else NOTHING
    photos = images.images if images else NOTHING
    stems = files.files if annotations else photos.files
    _reject_same_ids(place.label, stems)
    reader = Reader(
        annotations.files if annotations else None,
        annotations.label if annotations else "",
        images.files if images else None,
        images.label if images else "",
    )
    # No worker has begun yet, so each step is one call for all names.
    names = sorted(stems)
    ends = (photos.suffixes.get(name, JPG) for name in names) if photos.suffixes else repeat(JPG)
    left = sorted(n + photos.suffixes.get(n, JPG) for n in photos.files.keys() - stems.keys())
    found = map(files.files.get, names), map(photos.files.get, names)
    entries = list(map(SplitEntry, names, *found, ends))
    doubles = [("annotation-double", f"{reader.annotations_label}/{n}") for n in files.doubles]
    doubles += (("image-double", f"{reader.images_label}/{name}") for name in photos.doubles)
    near, photos_of = [], None
    if annotations and stems.keys().isdisjoint(photos.files):
        near = photos_near(annotations, images, trees)
    elif annotations and images:
        photos_of = other_split(images, annotations)
    whole = place.split, reader, entries, left, doubles
    return Split(*whole, lacks_annotations, near=near, photos_of=photos_of)


def _reject_same_ids(label: str, stems: Iterable[str]) -> None:
    if len(set(map(len, stems))) < 2:
        return  # different names of one length are different numbers
    seen: dict[int, str] = {}
    for stem in sorted(stems):
        image_id = find_image_id(stem)
        if image_id is not None and (other := seen.setdefault(image_id, stem)) != stem:
            raise SourceError(f"{label}: {other} and {stem} stand for one image id. Rename one.")


def _annotated(splits: list[Split]) -> bool:
    return any(split.reader.annotations is not None for split in splits)


def _used(splits: list[Split]) -> set[Path]:
    """The folders and archives that are read, and all around them."""
    read = {Path(os.path.abspath(path)) for split in splits for path in split.folders}
    return read | {around for path in read for around in path.parents}


def _holds_annotations(place: Place) -> bool:
    """Whether the first file in it is an annotation file, as in labels or json."""
    kind = place.first_file()[1] if place.annotations.numbered else None
    return kind is not None and kind.form == "annotation"


def _nothing_found(source: Path, search: _Search) -> SourceError:
    hints = [f"{path}: {reason}" for path, reason in search.passed_over[:3]]
    passed_over = {path for path, _ in search.passed_over}
    for name in list_folder(source)[:1000]:
        path = source / name
        is_new = path.is_file() and str(path) not in passed_over and len(hints) < 3
        kind = recognise_file(path) if is_new else None
        if kind is not None:
            hints.append(f"{name} is {kind.what}. {kind.remedy}".strip())
        elif is_new and name.lower().endswith(".zip"):
            hints.append(f"{name}: not read. Name it as SOURCE if it is the dataset.")
    hint = f" ({' '.join(hints)})" if hints else ""
    text = "no annotation files found. Name a folder of 000001.json files (val_annos), a folder"
    text += f" that holds annos and image, a zip of either, or the folder of the splits.{hint}"
    return SourceError(text, file=source)


def _other_dataset(source: Path, names: list[str]) -> str | None:
    """What a folder is that holds another dataset, or this one in another form."""
    inner = [f"{name}/{n}" for name in names[:100] for n in list_folder(source / name)[:100]]
    ends = {name.rpartition("/")[2].lower() for name in (*names, *inner)}
    if {"anno", "img"} <= ends or ends & {"anno_coarse", "anno_fine", "list_bbox.txt"}:
        return "this is DeepFashion, the dataset before DeepFashion2, which has no such annotations. Download DeepFashion2."
    deeper = [f"{name}/{n}" for name in inner[:1000] for n in list_folder(source / name)[:20]]
    for name in [*names, *inner, *deeper]:
        if name.endswith((".parquet", ".arrow")):
            text = f"{name} is a table, as Hugging Face has datasets. Download the dataset's own archives, or"
            return f"{text} write each row as an annotation file and a photo (train/annos/000001.json, train/image/000001.jpg)."
    labels = [name for name in deeper if "labels" in name.lower().split("/")]
    texts = [source / name for name in (*names, *inner, *labels) if name.endswith(".txt")][:100]
    if {"data.yaml", "dataset.yaml"} & {*names} or any(map(_is_yolo_label, texts)):
        text = "this is a dataset in the form of YOLO, whose labels have no masks and landmarks of"
        return f"{text} DeepFashion2. Name the dataset's own annotation files."
    return None


def _is_yolo_label(path: Path) -> bool:
    return _YOLO_LABEL.match(start_of(path) + b"\n") is not None
