"""What to export: COCO files and the folders of their photos, whatever the user named."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from df2coco.coco.info import conversion_of
from df2coco.coco.lists import read_annotations
from df2coco.coco.schema import check_fields, invalid, missing
from df2coco.converter.options import Selection, Shape
from df2coco.converter.run import convert
from df2coco.errors import CocoFileError, OptionError, OutputError, SourceError
from df2coco.outputs import check_folder
from df2coco.parser.photos import Pictures, find_photos
from df2coco.parser.reader import FolderFiles
from df2coco.parser.splits import find_splits
from df2coco.progress import Progress
from df2coco.split_names import SPLITS, split_of
from df2coco.taxonomy import Category


@dataclass(frozen=True)
class Dataset:
    """One split."""

    split: str
    """One of `SPLITS`."""
    coco: Path
    photos: Path
    """The folder of the photos."""
    notices: Counter[str] = field(default_factory=Counter)
    """Code of `df2coco.parser.records.NOTICES` -> how often, where it was converted."""


class Photo(NamedTuple):
    """An image of a COCO file."""

    file_name: str
    """A path below a folder."""
    picture: str
    """Where it was found below the folder of the photos."""
    width: int
    height: int


@dataclass(frozen=True)
class Head:
    """A COCO file without its annotations, checked."""

    photos: Mapping[int, Photo]
    """By image id."""
    categories: Sequence[Mapping[str, Any]]
    """In the order of their ids: training tools number classes by it."""


def find_datasets(
    sources: Sequence[Path],
    images: Sequence[Path],
    *,
    work: Path,
    folder: Path,
    selection: Selection,
    shape: Shape,
    workers: int,
    password: str | None,
    progress: Progress,
) -> list[Dataset]:
    """The splits of `sources`, each a COCO file or anything that `convert` takes.

    What is not COCO yet is converted with `selection` and `shape` into the folder `work`. `images` are the folders of
    photos, one for each source; without them they are looked for beside it. `folder` is the output, for
    messages and to be kept out of what is read.

    Raises what `convert` raises, `OptionError` when two sources are the same split, and `SourceError`
    when the photos are not in a folder.
    """
    if images and len(images) != len(sources):
        raise OptionError(
            f"{len(images)} folders of images for {len(sources)} sources. Give one each."
        )
    found: list[Dataset] = []
    for number, source in enumerate(sources):
        photos = images[number] if images else None
        if source.suffix.lower() == ".json" and source.is_file():
            found.append(
                Dataset(split_of(source.stem) or SPLITS[0], source, _photos_of(source, photos))
            )
            continue
        splits = find_splits(source, photos, password)
        folders = {split.name: _folder_of(split.reader.images, source) for split in splits}
        check_folder(folder, [place for split in splits for place in split.folders])
        summaries = convert(
            source,
            work / str(number),
            images=photos,
            selection=selection,
            shape=shape,
            workers=workers,
            password=password,
            progress=progress,
        )
        found += [
            Dataset(
                split_of(summary.split) or SPLITS[0],
                summary.outputs[0],
                folders[summary.split],
                summary.notice_counts,
            )
            for summary in summaries
        ]
    names = [dataset.split for dataset in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        files = ", ".join(d.coco.name for d in found if d.split == twice)
        raise OptionError(
            f"{files}: more than one source for the split {twice}. Put train, validation or test into "
            "the name of each file."
        )
    return found


def _folder_of(files: object, source: Path) -> Path:
    if isinstance(files, FolderFiles):
        return files.path
    what = "its photos lie in an archive" if files is not None else "no photos were found"
    raise SourceError(
        f"{what}, and an export links to photos. Unpack them, and name their folder with --images.",
        file=source,
    )


def _photos_of(coco: Path, given: Path | None) -> Path:
    """The folder of a COCO file's photos."""
    if given is not None and not given.is_dir():
        raise SourceError("is not a folder. Unpack the photos, and name their folder.", file=given)
    photos = given or find_photos(coco, _without_annotations(coco)["images"])
    return photos if photos.is_dir() else _folder_of(photos, coco)


def read_head(dataset: Dataset, folder: Path, category: Category | None = None) -> Head:
    """A COCO file without its annotations; with `category` only that one of its categories.

    Raises `CocoFileError` when something in it cannot be exported, `ImageError` when a photo is missing,
    `OutputError` when the output `folder` lies among the photos.
    """
    path, pictures = dataset.coco, Pictures(dataset.photos)
    document = _without_annotations(path)
    check_fields(document, path)
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
            raise invalid(path, f"{where}.id", f"{image['id']} stands twice.")
        picture = pictures.find(image["file_name"])
        if picture is None:
            raise pictures.missing(image["file_name"])
        photos[image["id"]] = Photo(
            image["file_name"], picture.name, image["width"], image["height"]
        )
    folders = {os.path.dirname(photo.picture) for photo in photos.values()}
    check_folder(folder, [dataset.photos / each for each in folders])
    categories = sorted(document["categories"], key=lambda entry: int(entry["id"]))
    for number, entry in enumerate(categories):
        if number and entry["id"] == categories[number - 1]["id"]:
            raise invalid(path, "categories", f"{entry['id']} stands twice.")
        if "name" not in entry:
            raise missing(path, f"categories[{number}]", "name")
    if category is not None:
        names = (category.name, category.official_name)
        categories = [entry for entry in categories if entry["name"] in names]
    if not categories:
        what = f"no category {category.name!r}" if category else "no categories"
        raise CocoFileError(f"has {what}. Name another file.", file=path)
    return Head(photos, categories)


def _without_annotations(path: Path) -> dict[str, Any]:
    return read_annotations(path, lambda _: None)


class Links:
    """Makes links to photos, relative ones, so that photos and links can move together.

    Where the system makes no such links (Windows asks for a right, and has drives), another name of the
    same file. Photos are never copied.
    """

    def __init__(self, photos: Path, work: Path, folder: Path) -> None:
        """Links below `work`, whose content comes to `folder`, to `photos`."""
        self._photos = photos
        self._work = work
        self._folder = folder
        self._folders: dict[tuple[Path, Path], str] = {}

    def make(self, picture: str, link: Path) -> None:
        """Make `link`, whose folder is there, a link to the picture of that path. Raises `OutputError`."""
        photo = self._photos / picture
        key = photo.parent, link.parent
        if key not in self._folders:
            start = self._folder / link.parent.relative_to(self._work)
            self._folders[key] = _path_from(*map(os.path.realpath, (photo.parent, start)))
        try:
            os.symlink(os.path.join(self._folders[key], photo.name), link)
        except FileExistsError:
            raise
        except OSError:
            try:
                os.link(photo, link)
            except OSError as error:
                raise OutputError(
                    f"cannot be a link to {photo} ({error.strerror}). Write to a disk with links; on "
                    "Windows switch the developer mode on.",
                    file=link,
                ) from None


def _path_from(folder: str, start: str) -> str:
    try:
        return os.path.relpath(folder, start)
    except ValueError:  # another drive
        return folder
