"""Where the photos are: of a folder of annotation files, of a COCO file, and of a `file_name`."""

import os
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import unquote

from df2coco.errors import ImageError, SourceError, shorten
from df2coco.parser.files import MAX_WHOLE, Files, Reference
from df2coco.parser.image_header import ImageHeader, find_cut, read_image_header
from df2coco.parser.places import (
    IMAGE_FOLDERS,
    Archive,
    Folder,
    Place,
    Trees,
    is_image,
    kind_of,
    listed,
)
from df2coco.split_names import SPLITS, spellings, split_called, split_of

_Answer = TypeVar("_Answer")
_PHOTO_FOLDERS: Final = ("jpegimages", "photos", "photo", "imgs", "img", "pictures", "jpg")
_MOST_NEAR: Final = 100  # names in a folder: the annotations may lie among anything
_composed: Final = partial(unicodedata.normalize, "NFC")


def find_image_places(
    annotations: list[Place], places: list[Place], trees: Trees
) -> list[Place | None]:
    """As `_find_image_place`. Raises `SourceError` when two would take the same images."""
    images = [_find_image_place(place, places, trees) for place in annotations]
    taken: dict[str, Place] = {}
    for place, own in zip(annotations, images, strict=True):
        if own is not None and (other := taken.setdefault(own.label, place)) is not place:
            raise _shared(own.label, other.label, place.label)
    return images


def _find_image_place(place: Place, places: list[Place], trees: Trees) -> Place | None:
    """Where the images of a folder of annotation files are, among `places` beside it or on disk."""
    if place.images.numbered:
        return place
    words = dict.fromkeys((place.prefix.lower(), *spellings(split_called(place.prefix))))
    names = [*_image_folders(filter(None, words)), *IMAGE_FOLDERS]
    others = [p for p in places if p is not place and p.images.files]
    beside = [p for p in others if p.photo_name in names and p.around in (place.around, place.path)]
    # The exact letter case first.
    beside.sort(key=lambda p: (names.index(p.photo_name), p.name.swapcase()))
    beside += [p for p in others if p.path == place.around and p.images.numbered]
    if beside:
        return beside[0]
    found = _images_in(place.home, names, place, trees)
    real = Path(os.path.realpath(place.path))
    if found is None and not place.tree.archive and real.parent != place.around:
        # beside what a link leads to
        found = _images_in(real.parent, names, Place(Folder(real)), trees)
    if found is not None and found.images.files:
        return found
    for near in _near(place, found, trees):
        images = near.images.files
        locked = trees.password is None and any(getattr(m, "encrypted", 0) for m in images.values())
        if place.annotations.files.keys() <= images.keys() and not locked:
            return near
    return found


def _images_in(around: Path, names: list[str], place: Place, trees: Trees) -> Place | None:
    """The images in the folder around the annotations: in a folder or archive of one of `names`, or in itself."""
    there = listed(around)
    # Messages name the folder the way the user named its neighbour.
    label = os.path.dirname(place.tree.label)
    for name in _called(names, there):
        images = os.path.join(label, name)
        if place.prefix and not kind_of(name.lower().removesuffix(".zip"))[1]:
            _reject_rivals(place, there, images)
        return image_place(around / name, None, trees, images)
    itself = Place(Folder(around, label or ".", there))
    return itself if not place.tree.archive and itself.images.numbered else None


def photos_near(place: Place, wrong: Place | None, trees: Trees) -> list[str]:
    """Folders and archives near annotation files that may have their photos, but not the `wrong` one."""
    places: list[Place] = []
    with suppress(SourceError):
        beside = _find_image_place(place, [], trees)
        places = [*([] if beside is None else [beside]), *_near(place, wrong, trees)]
    taken = wrong and wrong.label
    places = [p for p in places if p.images.numbered and other_split(p, place) is None]
    labels = [p.label for p in places if p.label != taken]
    around, label = place.home, os.path.dirname(place.tree.label)
    for _ in range(0 if labels else 2):
        # All that holds images beside annotation files and around them, but that of other splits.
        names = [name for name in sorted(listed(around))[:_MOST_NEAR] if name[0] != "."]
        own = (split_called(place.split), None)
        names = [name for name in names if split_called(name.removesuffix(".zip")) in own]
        for photos in _open_near(around, names, label, place.split, trees):
            # masks have the photos' names, too, but are not JPEGs
            jpegs = photos.images.files.keys() - photos.images.suffixes.keys()
            alike = not place.annotations.files.keys().isdisjoint(jpegs)
            if alike and other_split(photos, place) is None:
                labels.append(photos.label)
        around, label = around.parent, os.path.dirname(label) if label else ".."
    return list(dict.fromkeys(labels))


def other_split(images: Place, place: Place) -> str | None:
    """The split that photos are of by the names of folders, when annotations are of another one."""
    around = place.around if images.tree is place.tree else place.home
    shared = images.around == around and (images.tree is place.tree or not images.tree.archive)
    # The name of a folder around both says nothing of one of them.
    name = split_of(images.name) or (None if shared else split_called(images.split))
    return name if name != place.split and {name, place.split} < set(SPLITS) else None


def _near(place: Place, empty: Place | None, trees: Trees) -> Iterator[Place]:
    """Where the photos of annotation files may be but beside them: the most likely first.

    train.zip beside train, images/train beside annos/train, JPEGImages beside annos; and what is in `empty`,
    a folder of images that has none itself, or in such a folder of an archive.
    """
    if isinstance(place.tree, Archive):
        for photos in place.tree.places():
            below = photos.path.parts[len(place.around.parts) :]
            is_inside = place.around in photos.path.parents and len(below) > 1
            if is_inside and kind_of(below[0])[0] == "images" and photos.images.files:
                yield photos
    if empty is not None and not empty.tree.archive:
        inside = sorted(name for name in listed(empty.tree.path) if name[0] != ".")
        yield from _open_near(empty.tree.path, inside, empty.label, None, trees)
    around, label = place.home, os.path.dirname(place.tree.label)
    if not place.tree.archive:
        beside = _called(_PHOTO_FOLDERS, listed(around))
        yield from _open_near(around, beside, label, None, trees)
    if place.split not in SPLITS:
        return
    if not place.tree.archive and not kind_of(place.name)[1]:  # not val_annos, but val/annos
        around, label = around.parent, os.path.dirname(label) if label else ".."
    words = spellings(place.split)
    beside = _called([*_image_folders(words), *words, *IMAGE_FOLDERS], listed(around))
    for photos in _open_near(around, beside, label, place.split, trees):
        if photos.split == place.split:
            yield photos


def _open_near(
    folder: Path, names: Iterable[str], label: str, split: str | None, trees: Trees
) -> Iterator[Place]:
    """The places of images in those of `names` that are folders or zip archives."""
    for name in names:
        if os.path.isdir(folder / name) or name.lower().endswith(".zip"):
            with suppress(SourceError):
                yield image_place(folder / name, split, trees, os.path.join(label, name))


def _image_folders(words: Iterable[str]) -> Iterator[str]:
    """What the folders of images of a split are called that words mean, as `kind_of` knows them."""
    forms = ("{0}_{1}", "{1}_{0}", "{0}-{1}", "{1}-{0}", "{0} {1}", "{1} {0}")
    return (form.format(word, name) for word in words for name in IMAGE_FOLDERS for form in forms)


def _called(names: Sequence[str], there: list[str]) -> Iterator[str]:
    """What is `there` of one of `names`, in any letter case, also as a zip, in that order."""
    own = {name.lower(): name for name in sorted(there)}
    wanted = (f"{name}{end}" for name in names for end in ("", ".zip"))
    return (own[name] for name in wanted if name in own)


def image_place(images: Path, split: str | None, trees: Trees, label: str = "") -> Place:
    """The one place of images at a folder or archive. Raises `SourceError`."""
    tree = trees.open(images, label)
    if isinstance(tree, Folder):
        names = spellings(split) or ([split.lower()] if split else [])
        inner = _first_folder(images, names)
        deeper = [*IMAGE_FOLDERS] if inner else [*IMAGE_FOLDERS, images.name.lower()]
        inner = os.path.join(inner, _first_folder(images / inner, deeper))
        return Place(Folder(images / inner, os.path.join(tree.label, inner).rstrip("/")))
    places = [place for place in tree.places() if place.images.files]
    places = [place for place in places if place.split == split] or places
    if len(places) != 1:
        labels = ", ".join(place.label for place in places[:5]) or "none"
        labels += f", ... ({len(places):,} in all)" if len(places) > 5 else ""
        text = f"expected one folder of images in the archive, found {labels}."
        raise SourceError(f"{text} Unpack it, and name the folder of images.", file=images)
    return places[0]


def _first_folder(around: Path, names: Sequence[str]) -> str:
    there = (name for name in _called(names, listed(around)) if os.path.isdir(around / name))
    return next(there, "")


def _reject_rivals(place: Place, there: list[str], images: str) -> None:
    """Raise when another split's annotations beside `place` would take the same images."""
    kinds = {name: kind_of(name.lower().removesuffix(".zip")) for name in sorted(there)}
    settled = {"", place.prefix.lower()} | {p for kind, p in kinds.values() if kind == "images"}
    for name, (kind, prefix) in kinds.items():
        if kind == "annotations" and prefix not in settled:
            raise _shared(images, place.label, name)


def _shared(images: str, one: str, other: str) -> SourceError:
    text = f"may be the images of {one} or of {other}: every split has the same numbers."
    hint = "Name one of the two as SOURCE, and its own images with --images."
    return SourceError(f"{text} {hint}", file=images)


def find_photos(coco: Path, images: Sequence[Any]) -> Path:
    """The folder or archive beside a COCO file where the first of its `images` is found.

    Its name means the split that the file's name means ("train", "val_images"), or it is the folder that
    the file lies in. Of a file in `annotations`, it may also lie beside that folder. Folders come before
    archives. Raises `SourceError` when there is none.
    """
    words = [coco.stem.rpartition("_")[2].lower(), *spellings(split_of(coco.stem))]
    names = [*words, *_image_folders(words)]
    around = [coco.parent]
    if kind_of(coco.parent.absolute().name)[0] == "annotations":
        around.append(coco.parent.parent if coco.parent.name else coco.parent / "..")
    places: list[Path] = []
    for folder in around:
        places += [*(folder / name for name in _called(names, listed(folder))), folder]
    for place in sorted(places, key=os.path.isfile):
        with suppress(SourceError):  # of what is damaged or not to be read: another one may do
            if images and Pictures(place).find(images[0].get("file_name")):
                return place
    raise SourceError("no photos were found beside it. Name their folder with --images.", file=coco)


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
        self._tree = Trees(password).open(self.path)
        self._files: Files = self._tree.files
        self.label = self._tree.label
        """The folder or archive, as messages name it."""

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_tree"}

    def names(self) -> Iterator[str]:
        """The paths of all pictures, in no order. Raises `SourceError` when a folder cannot be read."""
        return self._tree.image_names()

    def find(self, file_name: object) -> Picture | None:
        """The picture that a `file_name` means; None when it is not there. Raises as `names`.

        A path with backslashes is not found: only Windows would find it.
        """
        for folder, name in self._candidates(_parts(file_name)):
            reference = self._tree.listing(folder).get(name)
            if reference is not None:
                return Picture(f"{folder}/{name}".lstrip("/"), reference)
        return None

    def required(self, which: object) -> Picture:
        """The `Picture`, or what a `file_name` means. Raises the `ImageError` of `missing`."""
        picture = which if isinstance(which, Picture) else self.find(which)
        if picture is None:
            raise self.missing(which)
        return picture

    def header(self, which: object) -> ImageHeader:
        """Size and orientation of a `Picture` or of what a `file_name` means.

        Raises `ImageError` when it is missing or cannot be read, `PasswordError`.
        """
        return self._ask(read_image_header, which)

    def read(self, which: object) -> bytes:
        """All its bytes. Raises as `header`, also when these are more than `MAX_WHOLE`."""
        return self._ask(_read_whole, which)

    def find_cut(self, which: object) -> str | None:
        """What shows that it is cut off; None when it has its end. Raises as `header`."""
        return self._ask(find_cut, which)

    def missing(self, file_name: object) -> ImageError:
        """Why `find` did not find a `file_name`, and what to do.

        It names a picture in the same folder that differs in letter case, Unicode form, %20 or suffix.
        """
        parts = _parts(file_name)
        if not parts:
            text = "is not the name of a file below this folder. Write a relative path."
            if not isinstance(file_name, str):
                text = "is not text."
            elif "\\" in file_name:
                text = "has backslashes, which only Windows takes for folders. Write / instead."
            return ImageError(f"file_name {shorten(file_name)} {text}", file=self.label)
        text = "is missing. Download or unpack it again, or name the right folder."
        folders = (folder for folder, _ in self._candidates(parts))
        names = ((folder, name) for folder in folders for name in self._tree.listing(folder))
        for folder, name in names:
            if is_image(name) and _folded_stem(name) == _folded_stem(parts[-1]):
                near = f"{folder}/{name}".lstrip("/")
                shown = repr(near)
                if _composed(near) == _composed("/".join(parts)):
                    shown = f"{near!a}, another Unicode form (NFC or NFD) of the same name"
                text = f"is missing, but there is {shown}. Write one of the two names as the other."
                break
        return ImageError(text, file=f"{self.label}/{file_name}")

    def _ask(self, question: Callable[[Files, Reference], _Answer], which: object) -> _Answer:
        picture = self.required(which)
        try:
            return question(self._files, picture.reference)
        except SourceError as error:
            raise ImageError(error.text, file=f"{self.label}/{picture.name}") from None

    def _candidates(self, parts: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        """Folders and names that `parts` may mean; the most literal first."""
        top = PurePosixPath(self._tree.top).parts
        for depth in range(len(top) + 1):
            root = top[:depth]
            own = (*self._tree.own.parts, *root)
            for start in range(len(parts)):
                if start and parts[:start] != own[-start:]:
                    continue
                *folders, name = parts[start:]
                yield "/".join((*root, *folders)), name
                for inner in IMAGE_FOLDERS:
                    yield "/".join((*root, inner, *folders)), name
                    if folders:
                        yield "/".join((*root, *folders, inner)), name


def _read_whole(files: Files, reference: Reference) -> bytes:
    data, complete = files.read(reference, MAX_WHOLE)
    if not complete:
        raise SourceError(f"larger than {MAX_WHOLE >> 20} MB. Replace the picture.")
    return data


def _folded_stem(name: str) -> str:
    return _composed(unquote(PurePosixPath(name).stem)).casefold()


def _parts(file_name: object) -> tuple[str, ...]:
    """The folders and the name of a relative path; () for anything else."""
    if not isinstance(file_name, str) or "\\" in file_name or "\0" in file_name:
        return ()
    path = PurePosixPath(file_name)
    is_below = not path.is_absolute() and ".." not in path.parts and not file_name.endswith("/")
    return path.parts if is_below else ()
