"""Which folder or archive holds the images of a folder of annotation files."""

import os
from pathlib import Path

from df2coco.errors import SourceError
from df2coco.parser.places import (
    IMAGE_FOLDERS,
    Place,
    annotations_prefix,
    archive_places,
    folder_place,
    list_folder,
)


def find_image_place(place: Place, places: list[Place], password: str | None) -> Place | None:
    """Where the images of a folder of annotation files are; None when there are none.

    `places` are those found beside it.
    """
    if place.has_numbered_images:
        return place
    names = [prefix + name for prefix in _prefixes(place) for name in IMAGE_FOLDERS]
    around = place.around
    beside = [
        p
        for p in places
        if p is not place
        and p.name.lower() in names
        and p.around in (around, place.path)
        and p.images
    ]
    if beside:
        return min(beside, key=lambda p: names.index(p.name.lower()))
    mixed = [p for p in places if p.path == around and p is not place and p.has_numbered_images]
    if mixed:
        return mixed[0]
    folder = place.files.path.parent if place.archive else Path(around)
    found = _images_in(folder, names, place, password)
    real = os.path.realpath(place.path)
    if found is None and not place.archive and os.path.dirname(real) != str(around):
        return _images_in(Path(real).parent, names, folder_place(Path(real)), password)
    return found


def _prefixes(place: Place) -> list[str]:
    return [f"{place.prefix.lower()}_", ""] if place.prefix else [""]


def _images_in(around: Path, names: list[str], place: Place, password: str | None) -> Place | None:
    """The images in the folder around the annotations: in a folder or archive of one of `names`, or in itself."""
    try:
        listed = list_folder(around)
    except SourceError:  # the annotations can be read all the same
        return None
    there = {name.lower(): name for name in sorted(listed, reverse=True)}
    # Messages name the folder the way the user named its neighbour.
    beside = os.path.dirname(place.label if not place.archive else str(place.files.path))
    for name in names:
        for wanted in (name, f"{name}.zip"):
            if wanted not in there:
                continue
            if place.prefix and name in IMAGE_FOLDERS:
                _reject_rivals(place, there, os.path.join(beside, there[wanted]))
            label = os.path.join(beside, there[wanted])
            return image_place(around / there[wanted], None, password, label)
    itself = folder_place(around, beside or ".", listed)
    return itself if not place.archive and itself.has_numbered_images else None


def image_place(images: Path, split: str | None, password: str | None, label: str = "") -> Place:
    """The one place of images at a folder or archive."""
    if not os.path.exists(images):
        raise SourceError("no such file or folder.", file=images)
    if os.path.isdir(images):
        folders = [*IMAGE_FOLDERS, images.name]
        if split:
            names = (split, "val") if split == "validation" else (split,)
            folders[:0] = [
                f"{n}/{inner}".rstrip("/") for n in names for inner in (*IMAGE_FOLDERS, "")
            ]
        inner = next((name for name in folders if (images / name).is_dir()), "")
        return folder_place(images / inner, os.path.join(label or images, inner).rstrip("/"))
    places = [place for place in archive_places(images, password, label) if place.images]
    if len(places) > 1:
        places = [p for p in places if split == p.split] or places
    if len(places) != 1:
        labels = ", ".join(place.label for place in places) or "none"
        raise SourceError(
            f"expected one folder of images in the archive, found {labels}. "
            "Unpack it, and name the folder of images.",
            file=images,
        )
    return places[0]


def reject_shared_images(annotations: list[Place], pictures: list[Place | None]) -> None:
    """Raise `SourceError` when two folders of annotation files would take the same images."""
    taken: dict[str, Place] = {}
    for place, images in zip(annotations, pictures, strict=True):
        if images is None:
            continue
        other = taken.setdefault(images.label, place)
        if other is not place:
            raise _shared(images.label, other.label, place.label)


def _reject_rivals(place: Place, there: dict[str, str], images: str) -> None:
    """Raise when another split's annotations beside `place` would take the same images."""
    for name in there:
        other = annotations_prefix(name.removesuffix(".zip"))
        if not other or other == place.prefix.lower():
            continue
        if not any(
            f"{other}_{each}{end}" in there for each in IMAGE_FOLDERS for end in ("", ".zip")
        ):
            raise _shared(images, place.label, there[name])


def _shared(images: str, one: str, other: str) -> SourceError:
    return SourceError(
        f"may be the images of {one} or of {other}: every split has the same numbers. "
        "Name one of the two as SOURCE, and its own images with --images.",
        file=images,
    )
