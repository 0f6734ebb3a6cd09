"""What all exports share: the splits and photos of whatever the user named, and links to photos."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from df2coco.coco.decoding import check_fields
from df2coco.coco.info import conversion_of
from df2coco.coco.lists import read_annotations
from df2coco.coco.schema import invalid, missing
from df2coco.converter.options import Selection, Shape
from df2coco.converter.run import convert
from df2coco.errors import CocoFileError, OptionError, OutputError, SourceError, check_list
from df2coco.outputs import Outputs, check_folder
from df2coco.parser.photos import Pictures, find_photos
from df2coco.parser.reader import FolderFiles
from df2coco.parser.splits import find_splits
from df2coco.progress import Progress
from df2coco.split_names import SPLITS, split_of
from df2coco.taxonomy import CATEGORY_BY_ID, Category
from df2coco.workers import check_workers


class Photo(NamedTuple):
    """An image of a COCO file."""

    file_name: str
    """A path below a folder."""
    picture: str
    """Where it was found below the folder of the photos."""
    width: int
    height: int


@dataclass(frozen=True)
class Dataset:
    """One split: a COCO file, whose images and categories are checked."""

    split: str
    """One of `SPLITS`."""
    coco: Path
    photos: Mapping[int, Photo]
    """By image id."""
    categories: Sequence[Mapping[str, Any]]
    """In the order of their ids: training tools number classes by it."""
    folder: Path
    """Of its photos."""
    work: Path
    """The folder to fill, whose content comes to `out`."""
    out: Path
    notices: Counter[str]
    """Code of `df2coco.parser.records.NOTICES` -> how often, where it was converted."""


@contextlib.contextmanager
def exporting(
    sources: Sequence[str | Path],
    folder: Path,
    images: Sequence[str | Path],
    selection: Selection,
    shape: Shape,
    workers: int,
    password: str | None,
    progress: Progress,
) -> Iterator[tuple[Path, list[Dataset]]]:
    """A folder to fill, whose content comes to `folder` when the block ends well, and the splits of `sources`.

    Each is a COCO file or anything that `convert` takes, which is converted with `selection` and `shape`
    first. `images` are the folders of photos, one for each source; without them they are looked for
    beside it. A category of the selection is the only one of every split.

    Raises what `convert` raises, `OptionError` when two sources are the same split, `SourceError` when the
    photos are not in a folder, `CocoFileError` when something in a file cannot be exported, `ImageError`
    when a photo is missing, `OutputError` when `folder` cannot be written or lies among the photos.
    """
    check_list("sources", sources)
    check_list("images", images)
    check_workers(workers)
    check_folder(folder)
    if images and len(images) != len(sources):
        text = f"{len(images)} folders of images for {len(sources)} sources. Give one each."
        raise OptionError(text)
    only = next((CATEGORY_BY_ID[number] for number in selection.category_ids), None)
    with Outputs() as outputs:
        work = outputs.folder(folder)
        with tempfile.TemporaryDirectory(dir=work) as converted:
            files: list[_File] = []
            for number, source in enumerate(map(Path, sources)):
                photos = Path(images[number]) if images else None
                if source.suffix.lower() == ".json" and source.is_file():
                    place = _photos_of(source, photos)
                    files.append(_File(_split(source.stem), source, place, Counter()))
                    continue
                splits = find_splits(source, photos, password)
                folders = {split.name: _folder_of(split.reader.images, source) for split in splits}
                check_folder(folder, [place for split in splits for place in split.folders])
                summaries = convert(
                    source,
                    Path(converted, str(number)),
                    images=photos,
                    selection=selection,
                    shape=shape,
                    workers=workers,
                    password=password,
                    progress=progress,
                )
                files += [
                    _File(
                        _split(each.split), each.outputs[0], folders[each.split], each.notice_counts
                    )
                    for each in summaries
                ]
            _check_splits(files)
            yield work, [_read(file, work, folder, only) for file in files]


class _File(NamedTuple):
    split: str
    coco: Path
    folder: Path
    """Of its photos."""
    notices: Counter[str]


def _split(name: str) -> str:
    return split_of(name) or SPLITS[0]


def _check_splits(files: Sequence[_File]) -> None:
    for split, count in Counter(file.split for file in files).items():
        if count > 1:
            names = ", ".join(file.coco.name for file in files if file.split == split)
            raise OptionError(
                f"{names}: more than one source for the split {split}. Put train, validation or test into "
                "the name of each file."
            )


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


def _read(file: _File, work: Path, folder: Path, only: Category | None) -> Dataset:
    path, pictures = file.coco, Pictures(file.folder)
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
        picture = pictures.required(image["file_name"])
        photos[image["id"]] = Photo(
            image["file_name"], picture.name, image["width"], image["height"]
        )
    folders = {os.path.dirname(photo.picture) for photo in photos.values()}
    check_folder(folder, [file.folder / each for each in folders])
    categories = sorted(document["categories"], key=lambda entry: int(entry["id"]))
    for number, entry in enumerate(categories):
        if number and entry["id"] == categories[number - 1]["id"]:
            raise invalid(path, "categories", f"{entry['id']} stands twice.")
        if "name" not in entry:
            raise missing(path, f"categories[{number}]", "name")
    if only is not None:
        names = (only.name, only.official_name)
        categories = [entry for entry in categories if entry["name"] in names]
    if not categories:
        what = f"no category {only.name!r}" if only else "no categories"
        raise CocoFileError(f"has {what}. Name another file.", file=path)
    return Dataset(file.split, path, photos, categories, file.folder, work, folder, file.notices)


def _without_annotations(path: Path) -> dict[str, Any]:
    return read_annotations(path, lambda _: None)


def make_links(
    dataset: Dataset, places: Sequence[tuple[Photo, Path]], name: str, progress: Progress
) -> None:
    """Make links to photos of the split `name`, each at its place, whose folder is there.

    Relative ones, so that photos and links can move together. Where the system makes no such links
    (Windows asks for a right, and has drives), another name of the same file. Photos are never copied.
    Raises `OutputError`.
    """
    starts: dict[tuple[Path, Path], str] = {}
    for number, (photo, link) in enumerate(places, 1):
        picture = dataset.folder / photo.picture
        key = picture.parent, link.parent
        if key not in starts:
            start = dataset.out / link.parent.relative_to(dataset.work)
            starts[key] = _path_from(*map(os.path.realpath, (picture.parent, start)))
        _make_link(picture, os.path.join(starts[key], picture.name), link)
        if number % 256 == 0 or number == len(places):
            progress(f"linking photos of {name}", number, len(places))


def _make_link(picture: Path, path: str, link: Path) -> None:
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
