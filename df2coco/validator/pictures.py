"""With --images: the pictures that the file lists."""

from collections.abc import Iterable
from functools import partial
from typing import Final, NamedTuple

from df2coco.errors import ImageError, SourceError
from df2coco.parser.image_header import ImageHeader, decode
from df2coco.parser.photos import Picture, Pictures
from df2coco.validator.checks import File, Found, Hit, check
from df2coco.workers import map_ordered, worthwhile

_CHUNK: Final = 100
"""Pictures that a worker looks at in one go."""


class _Seen(NamedTuple):
    """What looking at a picture has shown."""

    header: ImageHeader | None
    fault: str
    """Why it cannot be read; "": it can."""


def _look(pictures: Pictures, in_full: bool, chosen: list[Picture]) -> list[_Seen]:
    return [_look_at(pictures, in_full, picture) for picture in chosen]


def _look_at(pictures: Pictures, in_full: bool, picture: Picture) -> _Seen:
    try:
        header = pictures.header(picture)
        fault = str(pictures.find_cut(picture) or "")
        if in_full and not fault:
            decode(pictures.read(picture))
        return _Seen(header, fault)
    except ImageError as error:
        return _Seen(None, error.text)
    except SourceError as error:
        return _Seen(header, f"it cannot be decoded: {error.text}")


def _seen(file: File) -> list[_Seen | None]:
    """What each image shows; None: it is not there."""
    if file.pictures is None:
        return []
    listed = [file.pictures.find(entry.get("file_name")) for entry in file.images]
    present = [picture for picture in listed if picture is not None]
    chunks = [present[i : i + _CHUNK] for i in range(0, len(present), _CHUNK)]
    workers = worthwhile(file.workers, len(chunks))
    answers: list[_Seen] = []
    file.progress("reading image headers", 0, len(present))
    look = partial(_look, file.pictures, file.decode)
    for chunk in map_ordered(look, chunks, workers=workers):
        answers += chunk
        file.progress("reading image headers", len(answers), len(present))
    left = iter(answers)
    return [None if picture is None else next(left) for picture in listed]


@check("error", about="image", needs="images")
def picture_missing(file: File) -> Iterable[Found]:
    """An image is not there.

    affects: Every loader stops when it comes to it.
    cause: It was not unpacked or downloaded, or lies in another folder than file_name says.
    remedy: Unpack the images again, name the right folder with --images, or correct file_name.
    """
    for number, seen in enumerate(file.once(_seen)):
        if seen is None and file.pictures is not None:
            error = file.pictures.missing(file.images[number].get("file_name"))
            where = error.file.removeprefix(f"{file.pictures.label}/")
            yield number, f"{where}: {error.text}" if error.file else error.text


@check("error", about="image", needs="images")
def picture_unreadable(file: File) -> Iterable[Found]:
    """An image cannot be read to its end.

    affects: Every loader stops when it comes to it, or fills the rest with grey.
    cause: The file is damaged or cut off, or is not an image.
    remedy: Download it again.
    """
    for number, seen in enumerate(file.once(_seen)):
        if seen is not None and seen.fault:
            yield number, f"{file.images[number].get('file_name')}: {seen.fault}"


@check("error", about="image", needs="images")
def picture_size(file: File) -> Iterable[Found]:
    """Width and height are not the image's.

    affects: Detectron2 stops; MMDetection and MMPose train on shifted items.
    cause: The images were resized, or width and height were exchanged or guessed.
    remedy: Write the sizes of the images that you train on, or use the original images.
    """
    for number, (seen, size) in enumerate(zip(file.once(_seen), file.sizes, strict=True)):
        if seen and seen.header and size is not None and seen.header.size != size:
            turned = ", rotated by EXIF" if seen.header.orientation != 1 else ""
            real = f"{seen.header.size[0]} x {seen.header.size[1]}{turned}"
            yield number, f"{size[0]} x {size[1]}, the image is {real}"


@check("warning", about="image", needs="images")
def picture_rotated(file: File) -> Iterable[Found]:
    """An image is stored rotated (EXIF orientation is not 1).

    affects: Detectron2, MMDetection and MMPose turn it, torchvision does not: items fit in one way.
    cause: The image was taken with a turned camera and saved as it was.
    remedy: Save the image upright, without the EXIF orientation.
    """
    for number, seen in enumerate(file.once(_seen)):
        if seen and seen.header and seen.header.orientation != 1:
            yield number, f"EXIF orientation {seen.header.orientation}"


@check("note", about="image", needs="images")
def picture_not_listed(file: File) -> Iterable[Hit]:
    """The image folder holds an image that the file does not list.

    affects: No consumer looks at it.
    cause: The file is of a subset, or of another split.
    remedy: Nothing to do, if that is meant.
    """
    if file.pictures is not None:
        listed = (file.pictures.find(entry.get("file_name")) for entry in file.images)
        names = {picture.name for picture in listed if picture is not None}
        yield from map(Hit, sorted(set(file.pictures.names()) - names))
