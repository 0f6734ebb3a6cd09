"""Checks of the list of images, and with --images of the images themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import PurePosixPath
from typing import Any, Final

from df2coco.errors import ImageError
from df2coco.parser.image_header import ImageHeader
from df2coco.parser.mapping import map_entries
from df2coco.parser.reader import Entry as PictureEntry
from df2coco.parser.reader import Reader
from df2coco.validator.categories import repeated
from df2coco.validator.document import (
    MAX_SIDE,
    Check,
    Document,
    Entry,
    Hit,
    identify,
    is_integer,
    sized_images,
)

__all__ = ["CHECKS"]

Hits = Iterable[Hit]


def _where(
    document: Document, wrong: Callable[[Entry], bool], detail: Callable[[Entry], str]
) -> Hits:
    for index, entry in enumerate(document.images):
        if wrong(entry):
            yield Hit(identify(entry, index), detail(entry))


def _key_missing(document: Document) -> Hits:
    names = ("id", "file_name", "width", "height")
    if all(map(frozenset(names).issubset, document.images)):
        return ()
    return _where(
        document,
        lambda e: any(name not in e for name in names),
        lambda e: ", ".join(name for name in names if name not in e),
    )


def _id_type(document: Document) -> Hits:
    if {type(e.get("id")) for e in document.images} == {int}:
        return ()
    return _where(
        document, lambda e: "id" in e and not is_integer(e["id"]), lambda e: f"id {e['id']!r}"
    )


def _is_side(value: Any) -> bool:
    return is_integer(value) and 0 < value <= MAX_SIDE


def _size_type(document: Document) -> Hits:
    if len(list(sized_images(document))) == len(document.images):
        return ()
    return _where(
        document,
        lambda e: not (_is_side(e.get("width", 1)) and _is_side(e.get("height", 1))),
        lambda e: f"{e.get('width')!r} x {e.get('height')!r}",
    )


def _id_duplicate(document: Document) -> Hits:
    return (Hit(each) for each in repeated(e["id"] for e in document.images if "id" in e))


def _name_duplicate(document: Document) -> Hits:
    found = [e.get("file_name") for e in document.images]
    names = set(repeated(name for name in found if type(name) is str))
    for index, name in enumerate(found) if names else ():
        if type(name) is str and name in names:
            yield Hit(identify(document.images[index], index), repr(name))


def _is_outside(name: Any) -> bool:
    if type(name) is not str:
        return True
    if "/" not in name and "\\" not in name:
        return name in ("", ".", "..")
    path = PurePosixPath(name.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or name[1:2] == ":"


def _name_outside(document: Document) -> Hits:
    return _where(
        document, lambda e: _is_outside(e.get("file_name", "a")), lambda e: repr(e["file_name"])
    )


def _without_annotations(document: Document) -> Hits:
    used = {each for each in document.column("image_id") if is_integer(each)}
    return _where(document, lambda e: is_integer(e.get("id")) and e["id"] not in used, lambda _: "")


# ---------------------------------------------------------------- with --images


def _headers(reader: Reader, entries: list[PictureEntry]) -> list[ImageHeader | str]:
    result: list[ImageHeader | str] = []
    for entry in entries:
        try:
            result.append(reader.header(entry))
        except ImageError as error:
            result.append(str(error))
    return result


def _stem(entry: Entry) -> str | None:
    """Under which name `Split` knows an image."""
    name = entry.get("file_name")
    if type(name) is not str or not name.endswith(".jpg"):
        return None
    return name.rpartition("/")[2][:-4]


def _looked_up(document: Document) -> list[ImageHeader | str | None]:
    """The header of each image that the file lists; None: there is none; text: why it is unreadable."""
    split = document.pictures
    if split is None:
        return []
    by_stem = {entry.stem: entry for entry in split.entries}
    found = [by_stem.get(_stem(entry) or "") for entry in document.images]
    present = [entry for entry in found if entry is not None]
    parts = map_entries(
        partial(_headers, split.reader),
        present,
        phase="reading image headers",
        workers=document.workers,
        progress=document.progress,
    )
    answers = iter([header for part in parts for header in part])
    return [None if entry is None else next(answers) for entry in found]


def _picture_missing(document: Document) -> Hits:
    headers = document.once(_looked_up)
    for index, (entry, header) in enumerate(zip(document.images, headers, strict=True)):
        if header is None:
            yield Hit(identify(entry, index), str(entry.get("file_name")))


def _picture_unreadable(document: Document) -> Hits:
    for index, (entry, header) in enumerate(
        zip(document.images, document.once(_looked_up), strict=True)
    ):
        if isinstance(header, str):
            yield Hit(identify(entry, index), header)


def _picture_size(document: Document) -> Hits:
    headers = {id(e): h for e, h in zip(document.images, document.once(_looked_up), strict=True)}
    for entry, width, height in sized_images(document):
        header = headers[id(entry)]
        if isinstance(header, ImageHeader) and header.size != (width, height):
            turned = ", rotated by EXIF" if header.orientation != 1 else ""
            real = f"{header.size[0]} x {header.size[1]}{turned}"
            yield Hit(identify(entry, 0), f"{width} x {height}, the image is {real}")


def _picture_rotated(document: Document) -> Hits:
    for index, (entry, header) in enumerate(
        zip(document.images, document.once(_looked_up), strict=True)
    ):
        if isinstance(header, ImageHeader) and header.orientation != 1:
            yield Hit(identify(entry, index), f"EXIF orientation {header.orientation}")


def _picture_not_listed(document: Document) -> Hits:
    listed = {_stem(entry) for entry in document.images}
    for entry in document.pictures.entries if document.pictures else ():
        if entry.stem not in listed:
            yield Hit(f"{entry.stem}.jpg")


CHECKS: Final = (
    Check(
        "image-key-missing",
        "error",
        "image",
        "An image has no id, file_name, width or height.",
        "Detectron2, MMDetection, MMPose and supervision stop with a KeyError.",
        "A converter did not read the images' sizes.",
        "Add the missing keys; df2coco convert reads sizes from the images.",
        _key_missing,
        whole=True,
    ),
    Check(
        "image-id-type",
        "error",
        "image",
        "An image id is no integer.",
        "Results with integer ids match nothing; MMPose stops with a TypeError.",
        'Ids were written as text ("000001"), as many rewrites of the official converter do.',
        "Write ids as JSON integers: 000001.jpg is 1.",
        _id_type,
        whole=True,
    ),
    Check(
        "image-size-type",
        "error",
        "image",
        "A width or height is no integer from 1 to 65535.",
        "supervision stops with a TypeError; masks cannot be drawn.",
        "Sizes were written as floats or text, or were never filled in.",
        "Write the size in pixels as JSON integers.",
        _size_type,
        whole=True,
    ),
    Check(
        "image-id-duplicate",
        "error",
        "image",
        "Two images have the same id.",
        "pycocotools keeps the last one, and gives it the items of both.",
        "Splits were merged: DeepFashion2's numbers repeat in train and validation.",
        "Number one of the splits anew, in images and annotations.",
        _id_duplicate,
        whole=True,
    ),
    Check(
        "file-name-duplicate",
        "warning",
        "image",
        "Two images have the same file_name.",
        "Both ids show one picture, and the items of one of them do not fit it.",
        "Splits were merged: DeepFashion2's names repeat in train and validation.",
        "Put the split's folder into file_name.",
        _name_duplicate,
        whole=True,
    ),
    Check(
        "file-name-outside",
        "error",
        "image",
        "A file_name is no path inside the image folder.",
        "supervision refuses the file; on another machine no loader finds the image.",
        "An absolute path, or one with .., was written.",
        "Write names relative to the image folder.",
        _name_outside,
        whole=True,
    ),
    Check(
        "image-without-annotations",
        "note",
        "image",
        "An image has no annotation.",
        "Detectron2 leaves it out of training; MMDetection keeps it unless filter_empty_gt is set.",
        "Its items were left out, or it has none.",
        "Nothing, if that is meant.",
        _without_annotations,
        whole=True,
    ),
    Check(
        "picture-missing",
        "error",
        "image",
        "An image is not there.",
        "Every loader stops when it comes to it.",
        "Not unpacked or not downloaded, or file_name differs.",
        "Unpack the images again, or name the right folder with --images.",
        _picture_missing,
        stage="images",
        whole=True,
    ),
    Check(
        "picture-unreadable",
        "error",
        "image",
        "An image cannot be read.",
        "Every loader stops when it comes to it.",
        "The file is damaged, or no JPEG.",
        "Download it again.",
        _picture_unreadable,
        stage="images",
        whole=True,
    ),
    Check(
        "picture-size",
        "error",
        "image",
        "Width and height are not the image's.",
        "Detectron2 stops with a SizeMismatchError; MMDetection and MMPose train on shifted items.",
        "The images were resized, or width and height were exchanged or guessed.",
        "Convert again with the images at hand.",
        _picture_size,
        stage="images",
        whole=True,
    ),
    Check(
        "picture-rotated",
        "warning",
        "image",
        "An image is stored rotated (EXIF orientation is not 1).",
        "Detectron2, MMDetection and MMPose turn it, torchvision does not: items fit in one of them only.",
        "The image was taken with a turned camera and saved as it was.",
        "Save the image upright, without the EXIF orientation.",
        _picture_rotated,
        stage="images",
        whole=True,
    ),
    Check(
        "picture-not-listed",
        "note",
        "image",
        "The image folder holds an image that the file does not list.",
        "No consumer looks at it.",
        "The file is of a subset, or of another split.",
        "Nothing, if that is meant.",
        _picture_not_listed,
        stage="images",
        whole=True,
    ),
)  # fmt: skip
