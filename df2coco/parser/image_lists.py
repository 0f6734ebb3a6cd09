"""Lists of images: files with a name in each line, and the image that a name means."""

import os
from pathlib import Path

from df2coco.errors import SourceError
from df2coco.parser.annotation import find_image_id
from df2coco.parser.files import read_named
from df2coco.parser.places import is_image


def image_id_of(name: str) -> int | None:
    """The image that a number, a name or a path means; its suffix is an image's or .json."""
    name = name.replace("\\", "/").rpartition("/")[2]
    has_suffix = is_image(name) or name.lower().endswith(".json")
    return find_image_id(os.path.splitext(name)[0] if has_suffix else name)


def read_list(path: Path) -> dict[int, str]:
    """Number of a line, from 1 -> what it names; comments begin with #. Raises `SourceError`."""
    raw = read_named(path, "Name a list of image names.")
    try:
        lines = raw.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        text = "is not text. Name a list of image names, one in each line."
        raise SourceError(text, file=path) from None
    numbered = ((n, line.partition("#")[0].strip()) for n, line in enumerate(lines, start=1))
    names = {number: name for number, name in numbered if name}
    if not names:
        raise SourceError("names no image. Write one a line.", file=path)
    return names
