"""What all exports share: the splits and photos of whatever the user named, and what comes of them."""

import contextlib
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path, PurePosixPath
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from df2coco.coco.info import conversion_of
from df2coco.coco.lists import read_parts
from df2coco.coco.schema import invalid, missing, unknown_id
from df2coco.converter.options import Selection, Shape
from df2coco.converter.run import convert
from df2coco.errors import (
    CocoFileError,
    OptionError,
    OutputError,
    SourceError,
    check_choice,
    check_list,
)
from df2coco.outputs import Outputs, check_folder, reported_for
from df2coco.parser.photos import Picture, Pictures, find_photos
from df2coco.parser.splits import find_splits
from df2coco.progress import Progress
from df2coco.split_names import split_of
from df2coco.taxonomy import CATEGORY_BY_ID, Category
from df2coco.workers import check_workers, map_ordered, worthwhile

PhotosAs: TypeAlias = Literal["link", "copy"]

PHOTOS: Final[Mapping[PhotosAs, str]] = {
    "link": "links to where they are",
    "copy": "copies, also out of archives",
}

_BATCH: Final = 32
"""Photos that a worker copies at a time."""


@dataclass(frozen=True)
class ExportedSplit:
    """One split of an export.

    - name: The tool's name of it: "train", "val".
    - images: Images of the split.
    - items: Items of the split.
    - notes: Code of `NOTES` or of `df2coco.parser.records.NOTICES` -> how often.
    """

    name: str
    images: int
    items: int
    notes: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Exported:
    """What was written.

    - splits: One for each source.
    - classes: In label order.
    """

    splits: tuple[ExportedSplit, ...]
    classes: tuple[str, ...]


class Photo(NamedTuple):
    """An image of a COCO file."""

    file_name: str
    """A path below a folder, in its shortest form."""
    picture: Picture
    width: int
    height: int


@dataclass(frozen=True)
class Dataset:
    """One split: a COCO file, whose images and categories are checked."""

    name: str
    """The tool's name of the split."""
    coco: Path
    photos: Mapping[int, Photo]
    """By image id."""
    pictures: Pictures
    categories: Sequence[Mapping[str, Any]]
    """Those to export, in the order of their ids: training tools number classes by it."""
    category_ids: frozenset[int]
    """Of all that the file has."""
    notices: Counter[str]
    """Code of `df2coco.parser.records.NOTICES` -> how often, where it was converted."""

    def annotations(self, use: str) -> Iterator[list[tuple[int, Any]]]:
        """The annotations as `use` needs them, each with its number, in parts.

        Raises `CocoFileError`, also for one whose image or category is not in the file.
        """
        first = 0
        for part in read_parts(self.coco, use)[1]:
            numbered = list(enumerate(part, first))
            for number, annotation in numbered:
                if annotation.image_id not in self.photos:
                    raise unknown_id("image_id", annotation.image_id, self.coco, number)
                if annotation.category_id not in self.category_ids:
                    raise unknown_id("category_id", annotation.category_id, self.coco, number)
            yield numbered
            first += len(part)


class _File(NamedTuple):
    """A COCO file to export."""

    split: str
    """What says which split it is."""
    coco: Path
    pictures: Pictures
    found: Mapping[str, Picture]
    """By file name, those that are known already."""
    notices: Counter[str]


@dataclass(frozen=True)
class Export:
    """What is exported, to where and how.

    Each source is a COCO file or anything that `convert` takes, which is converted with `shape` first.
    `images` are where the photos are, one for each source; without them they are looked for beside it.
    Raises `OptionError`, and `OutputError` when `folder` cannot be written.
    """

    sources: Sequence[str | Path]
    folder: Path
    images: Sequence[str | Path]
    shape: Shape
    names: Mapping[str | None, str]
    """Our name of a split -> the tool's; None: it is not known."""
    photos: PhotosAs
    workers: int
    password: str | None
    progress: Progress
    category: int | str | None = None
    """Id or name of the only one to export."""

    def __post_init__(self) -> None:
        check_list("sources", self.sources)
        check_list("images", self.images)
        check_workers(self.workers)
        check_choice("photos", self.photos, PHOTOS)
        check_folder(self.folder)
        if self.images and len(self.images) != len(self.sources):
            text = f"{len(self.images)} folders of images for {len(self.sources)} sources."
            raise OptionError(f"{text} Give one each.")

    @cached_property
    def selection(self) -> Selection:
        return Selection(categories=() if self.category is None else (self.category,))

    @property
    def only(self) -> Category | None:
        """The only category."""
        return None if self.category is None else CATEGORY_BY_ID[self.selection.category_ids[0]]

    @contextlib.contextmanager
    def datasets(self) -> Iterator[tuple[Path, list[Dataset]]]:
        """A folder to fill, whose content comes to `folder` when the block ends well, and the splits.

        Raises what `convert` raises, `OptionError` when two sources are the same split, `SourceError` when
        photos to link to lie in an archive, `CocoFileError` when something in a file cannot be exported,
        `ImageError` when a photo is missing, `OutputError` when `folder` lies among the photos.
        """
        with Outputs() as outputs:
            work = outputs.folder(self.folder)
            with tempfile.TemporaryDirectory(dir=work) as converted:
                files: list[_File] = []
                for number, source in enumerate(map(Path, self.sources)):
                    photos = Path(self.images[number]) if self.images else None
                    if source.suffix.lower() == ".json" and source.is_file():
                        files.append(self._file(source, photos))
                    else:
                        files += self._converted(source, photos, Path(converted, str(number)))
                self._check_splits(files)
                yield work, [self._read(file) for file in files]

    def _file(self, coco: Path, photos: Path | None) -> _File:
        photos = photos or find_photos(coco, read_parts(coco)[0]["images"])
        return _File(coco.stem, coco, self._pictures(photos, coco), {}, Counter())

    def _converted(self, source: Path, photos: Path | None, out: Path) -> Iterator[_File]:
        splits = find_splits(source, photos, self.password)
        pictures = []
        for split in splits:
            if split.reader.images is None:
                text = "no photos were found, and an export needs them. Name their folder with --images."
                raise SourceError(text, file=source)
            pictures.append(self._pictures(split.reader.images.path, source))
            check_folder(self.folder, split.folders)
        summaries = convert(
            source,
            out,
            images=photos,
            selection=self.selection,
            shape=self.shape,
            workers=self.workers,
            password=self.password,
            progress=self.progress,
        )
        for split, its_pictures, done in zip(splits, pictures, summaries, strict=True):
            found = {e.file_name: Picture(e.file_name, e.image) for e in split.entries if e.image}
            yield _File(split.name, done.outputs[0], its_pictures, found, done.notice_counts)

    def _pictures(self, path: Path, source: Path) -> Pictures:
        pictures = Pictures(path, self.password)
        if self.photos == "link" and not path.is_dir():
            text = "its photos lie in an archive, and nothing can link to them there. Pass --photos copy."
            raise SourceError(text, file=source)
        return pictures

    def _check_splits(self, files: Sequence[_File]) -> None:
        names = [self.names[split_of(file.split)] for file in files]
        for name, count in Counter(names).items():
            if count > 1:
                same = [f.coco.name for f, own in zip(files, names, strict=True) if own == name]
                raise OptionError(
                    f"{', '.join(same)}: more than one source for the split {name}. Put train, "
                    "validation or test into the name of each file."
                )

    def _read(self, file: _File) -> Dataset:
        path = file.coco
        document, _ = read_parts(path, "any")
        conversion = conversion_of(document.get("info"))
        if conversion is not None and not conversion.sizes_known:
            raise CocoFileError(
                "was converted without photos, so the sizes of its images are guesses. Convert it again "
                "with --images.",
                file=path,
            )
        photos: dict[int, Photo] = {}
        for number, image in enumerate(document["images"]):
            where = f"images[{number}]"
            for name in ("file_name", "width", "height"):
                if name not in image:
                    raise missing(path, where, name)
            if image["id"] in photos:
                raise invalid(path, f"{where}.id", f"{image['id']} is there twice.")
            name = image["file_name"]
            picture = file.found.get(name) or file.pictures.required(name)
            name = str(PurePosixPath(name)) if "/" in name else name
            photos[image["id"]] = Photo(name, picture, image["width"], image["height"])
        folders = {os.path.dirname(photo.picture.name) for photo in photos.values()}
        check_folder(self.folder, [file.pictures.path / folder for folder in folders])
        categories = sorted(document["categories"], key=lambda entry: int(entry["id"]))
        for number, entry in enumerate(categories):
            if number and entry["id"] == categories[number - 1]["id"]:
                raise invalid(path, "categories", f"{entry['id']} is there twice.")
            if "name" not in entry:
                raise missing(path, f"categories[{number}]", "name")
        ids, only = frozenset(entry["id"] for entry in categories), self.only
        if only is not None:
            names = (only.name, only.official_name)
            categories = [entry for entry in categories if entry["name"] in names]
        if not categories:
            what = f"no category {only.name!r}" if only else "no categories"
            raise CocoFileError(f"has {what}. Name another file.", file=path)
        name = self.names[split_of(file.split)]
        return Dataset(name, path, photos, file.pictures, categories, ids, file.notices)

    def put_photos(self, dataset: Dataset, work: Path, places: Mapping[str, Photo]) -> None:
        """Link or copy photos, each to its place below `work`.

        Raises `OutputError`, and for copies `ImageError` and `PasswordError`.
        """
        for folder in {os.path.dirname(place) for place in places}:
            os.makedirs(work / folder, exist_ok=True)
        put = self._linked if self.photos == "link" else self._copied
        phase = f"{'linking' if self.photos == 'link' else 'copying'} photos of {dataset.name}"
        for done in put(dataset, work, places):
            self.progress(phase, done, len(places))

    def _copied(self, dataset: Dataset, work: Path, places: Mapping[str, Photo]) -> Iterator[int]:
        """Copy photos; gives how many are done."""
        tasks = [(photo.picture, work / place) for place, photo in places.items()]
        batches = [tasks[start : start + _BATCH] for start in range(0, len(tasks), _BATCH)]
        copy = partial(_copy, dataset.pictures, self.folder)
        workers = worthwhile(self.workers, len(batches))
        done = 0
        with contextlib.closing(map_ordered(copy, batches, workers=workers)) as results:
            for number in results:
                yield (done := done + number)

    def _linked(self, dataset: Dataset, work: Path, places: Mapping[str, Photo]) -> Iterator[int]:
        """Make links; gives how many are done.

        Relative ones, so that photos and links can move together. Where the system makes no such links
        (Windows asks for a right, and has drives), another name of the same file.
        """
        starts: dict[tuple[str, str], str] = {}
        for number, (place, photo) in enumerate(places.items(), 1):
            inner, name = os.path.split(photo.picture.name)
            key = inner, os.path.dirname(place)
            if key not in starts:
                own, start = dataset.pictures.path / inner, self.folder / key[1]
                starts[key] = _path_from(os.path.realpath(own), os.path.realpath(start))
            picture = os.path.join(dataset.pictures.path, photo.picture.name)
            _make_link(picture, os.path.join(starts[key], name), os.path.join(work, place))
            if number % 256 == 0 or number == len(places):
                yield number


def _copy(pictures: Pictures, folder: Path, tasks: Sequence[tuple[Picture, Path]]) -> int:
    """Copy photos, each to a path of its own; how many. `folder` is what they will be in."""
    for picture, path in tasks:
        data = pictures.read(picture)
        with reported_for(folder):
            path.write_bytes(data)
    return len(tasks)


def _make_link(picture: str, path: str, link: str) -> None:
    """`path` leads from the folder of `link` to the picture."""
    try:
        os.symlink(path, link)
    except FileExistsError:
        raise
    except OSError:
        try:
            os.link(picture, link)
        except OSError as error:
            raise OutputError(
                f"cannot be a link to {picture} ({error.strerror}). Write to a disk with links; on "
                "Windows switch the developer mode on.",
                file=link,
            ) from None


def _path_from(folder: str, start: str) -> str:
    try:
        return os.path.relpath(folder, start)
    except ValueError:  # another drive
        return folder
