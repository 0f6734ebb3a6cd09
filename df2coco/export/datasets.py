"""What all exports share: the splits and photos of whatever the user named, and what comes of them."""

import contextlib
import os
import tempfile
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from df2coco.coco.info import conversion_of
from df2coco.coco.lists import read_parts
from df2coco.coco.schema import invalid, missing
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
from df2coco.file_kind import is_coco_source
from df2coco.outputs import Outputs, check_folder, reported_for
from df2coco.parser.photos import Picture, Pictures, find_photos
from df2coco.parser.splits import find_splits
from df2coco.progress import Progress
from df2coco.split_names import split_of
from df2coco.taxonomy import Category
from df2coco.workers import check_workers, map_ordered, worthwhile

PhotosAs: TypeAlias = Literal["link", "copy"]
PHOTOS: Final[Mapping[PhotosAs, str]] = {
    "link": "links to where they are",
    "copy": "copies, also out of archives",
}

_BATCH: Final = 32
"""Photos that are linked or copied at a time."""


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
    notices: Counter[str] = field(default_factory=Counter)
    """Code of `df2coco.parser.records.NOTICES` -> how often, where it was converted."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """In label order."""
        return tuple(str(entry["name"]) for entry in self.categories)

    def annotations(self, use: str) -> Iterator[list[tuple[int, Any]]]:
        """The annotations as `use` needs them. Otherwise as `numbered`."""
        parts = read_parts(self.coco, use)[1]
        return numbered(parts, self.coco, self.photos, self.category_ids)


def numbered(
    parts: Iterable[list[Any]], path: Path, images: Container[int], categories: Container[int]
) -> Iterator[list[tuple[int, Any]]]:
    """Annotations in parts, each with its number in the file at `path`.

    Raises `CocoFileError`, also for one whose image or category is not in the file.
    """
    first = 0
    for part in parts:
        own = list(enumerate(part, first))
        for number, annotation in own:
            if annotation.image_id not in images:
                text = f"{annotation.image_id} is not in the file."
                raise invalid(path, f"annotations[{number}].image_id", text)
            if annotation.category_id not in categories:
                text = f"{annotation.category_id} is not in the file."
                raise invalid(path, f"annotations[{number}].category_id", text)
        yield own
        first += len(part)


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
    only: Category | None = None
    """The only category to export."""

    def __post_init__(self) -> None:
        check_list("sources", self.sources)
        check_list("images", self.images)
        check_workers(self.workers)
        check_choice("photos", self.photos, PHOTOS)
        check_folder(self.folder)
        if self.images and len(self.images) != len(self.sources):
            text = f"{len(self.images)} folders of images for {len(self.sources)} sources."
            raise OptionError(f"{text} Give one each.")

    @contextlib.contextmanager
    def datasets(self) -> Iterator[tuple[Path, list[Dataset]]]:
        """A folder to fill, whose content comes to `folder` when the block ends well, and the splits.

        Raises what `convert` raises, `OptionError` when two sources are the same split, `SourceError` when
        photos to link to lie in an archive, `CocoFileError` when something in a file cannot be exported,
        `ImageError` when a photo is missing, `OutputError` when `folder` lies among the photos.
        """
        with Outputs() as outputs:
            work = outputs.folder(self.folder)
            datasets: dict[str, Dataset] = {}
            with tempfile.TemporaryDirectory(dir=work) as converted:
                for number, source in enumerate(map(Path, self.sources)):
                    photos = self.images[number] if self.images else None
                    for each in self._read_source(source, photos, f"{converted}/{number}"):
                        other = datasets.setdefault(each.name, each)
                        if other is not each:
                            files = f"{other.coco.name}, {each.coco.name}"
                            text = f"{files}: more than one source for the split {each.name}."
                            remedy = "Put train, validation or test into the name of each file."
                            raise OptionError(f"{text} {remedy}")
                yield work, list(datasets.values())

    def _read_source(self, source: Path, photos: str | Path | None, out: str) -> Iterator[Dataset]:
        """The splits of a source, which is converted to `out` where it is not a COCO file."""
        if is_coco_source(source):
            photos = photos or find_photos(source, read_parts(source)[0]["images"])
            yield self._read(source.stem, source, self._pictures(photos, source), {})
            return
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
            selection=Selection(categories=(self.only.id,) if self.only else ()),
            shape=self.shape,
            workers=self.workers,
            password=self.password,
            progress=self.progress,
        )
        for split, own, done in zip(splits, pictures, summaries, strict=True):
            found = {e.file_name: Picture(e.file_name, e.image) for e in split.entries if e.image}
            dataset = self._read(split.name, done.outputs[0], own, found)
            yield replace(dataset, notices=done.notice_counts)

    def _pictures(self, path: str | Path, source: Path) -> Pictures:
        pictures = Pictures(path, self.password)
        if self.photos == "link" and not pictures.path.is_dir():
            text = "its photos lie in an archive, and nothing can link to them there. Pass --photos copy."
            raise SourceError(text, file=source)
        return pictures

    def _read(self, split: str, path: Path, own: Pictures, found: dict[str, Picture]) -> Dataset:
        """The COCO file at `path`; `found` are pictures that are known already, by file name."""
        document, _ = read_parts(path, "any")
        conversion = conversion_of(document.get("info"))
        if conversion is not None and not conversion.sizes_known:
            text = "was converted without photos, so the sizes of its images are guesses."
            raise CocoFileError(f"{text} Convert it again with --images.", file=path)
        photos: dict[int, Photo] = {}
        for number, image in enumerate(document["images"]):
            where = f"images[{number}]"
            for name in ("file_name", "width", "height"):
                if name not in image:
                    raise missing(path, where, name)
            if image["id"] in photos:
                raise invalid(path, f"{where}.id", f"{image['id']} is there twice.")
            name = image["file_name"]
            picture = found.get(name) or own.required(name)
            name = str(PurePosixPath(name)) if "/" in name else name
            photos[image["id"]] = Photo(name, picture, image["width"], image["height"])
        folders = {os.path.dirname(photo.picture.name) for photo in photos.values()}
        check_folder(self.folder, [own.path / folder for folder in folders])
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
        return Dataset(self.names[split_of(split)], path, photos, own, categories, ids)

    def put_photos(self, dataset: Dataset, work: Path, places: Mapping[str, Photo]) -> None:
        """Link or copy photos, each to its place below `work`.

        Raises `OutputError`, and for copies `ImageError` and `PasswordError`.
        """
        for folder in {place.rpartition("/")[0] for place in places}:
            os.makedirs(work / folder, exist_ok=True)
        is_link = self.photos == "link"
        tasks = [(photo.picture, place) for place, photo in places.items()]
        batches = [tasks[start : start + _BATCH] for start in range(0, len(tasks), _BATCH)]
        put = partial(_link if is_link else _copy, dataset.pictures, self.folder, work)
        workers = 1 if is_link else worthwhile(self.workers, len(batches))
        phase, done = f"{'linking' if is_link else 'copying'} photos of {dataset.name}", 0
        with contextlib.closing(map_ordered(put, batches, workers=workers)) as results:
            for batch, _ in zip(batches, results, strict=True):
                done += len(batch)
                self.progress(phase, done, len(places))


_Tasks: TypeAlias = Sequence[tuple[Picture, str]]
"""Photos, each with its place below a folder."""


def _copy(pictures: Pictures, folder: Path, work: Path, tasks: _Tasks) -> None:
    """Copy photos into `work`, whose content comes to `folder`."""
    for picture, place in tasks:
        data = pictures.read(picture)
        with reported_for(folder):
            (work / place).write_bytes(data)


def _link(pictures: Pictures, folder: Path, work: Path, tasks: _Tasks) -> None:
    """Link them. Relatively, so that photos and links can move together.

    Where the system makes no such links (Windows asks for a right, and has drives), another name of the
    same file.
    """
    starts: dict[tuple[str, str], str] = {}
    for picture, place in tasks:
        original = f"{pictures.path}/{picture.name}"
        if not os.path.isfile(original):
            pictures.read(picture)  # raises, and says why
        inner, _, name = picture.name.rpartition("/")
        key = inner, place.rpartition("/")[0]
        if key not in starts:
            starts[key] = os.path.realpath(pictures.path / inner)
            with contextlib.suppress(ValueError):  # another drive
                starts[key] = os.path.relpath(starts[key], os.path.realpath(folder / key[1]))
        _make_link(original, os.path.join(starts[key], name), f"{work}/{place}")


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
            text = f"cannot be a link to {picture} ({error.strerror}). Write to a disk with links;"
            text += " on Windows switch the developer mode on."
            raise OutputError(text, file=link) from None
