"""What is drawn: photos, and what a COCO file and a model's results say of them."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from df2coco.coco.lists import iter_list, read_parts
from df2coco.coco.reader import Loaded, no_collection
from df2coco.coco.results import RESULTS, as_list
from df2coco.coco.schema import read_whole_numbers
from df2coco.drawing.overlay import picture_size
from df2coco.errors import CocoFileError, ImageError, OptionError, SourceError, shorten
from df2coco.parser.image_header import ImageHeader, decode
from df2coco.parser.photos import Picture, Pictures

if TYPE_CHECKING:
    from PIL.Image import Image

DEFAULT_SAMPLE: Final = 12

_ByImage: TypeAlias = dict[int, list[dict[str, Any]]]


def choose(
    path: Path,
    images: list[dict[str, Any]],
    image_ids: Sequence[int],
    sample: int | None,
    seed: int,
) -> list[dict[str, Any]]:
    """The images named, in that order, then the sample, in the order of their ids.

    Raises `CocoFileError` for an id that is not there, `OptionError` for a bad `sample`.
    """
    if sample is not None and (type(sample) is not int or sample < 0):
        raise OptionError(f"{shorten(sample)} is not a number of images.", field="sample")
    by_id = {image["id"]: image for image in sorted(images, key=itemgetter("id"))}
    chosen = {}
    for image_id in image_ids:
        if image_id not in by_id:
            raise CocoFileError(f"there is no image with id {image_id}.", file=path)
        chosen[image_id] = by_id[image_id]
    if sample is None:
        sample = 0 if image_ids else DEFAULT_SAMPLE
    rest = [image for image_id, image in by_id.items() if image_id not in chosen]
    numbers = random.Random(seed).sample(range(len(rest)), min(sample, len(rest)))
    return [*chosen.values(), *(rest[number] for number in sorted(numbers))]


def annotations_of(path: Path, ids: Container[int]) -> _ByImage:
    """The annotations of those images; the others are not kept, so that memory does not grow."""
    groups: _ByImage = defaultdict(list)
    with no_collection():
        _, parts = read_parts(path)
        for annotation in chain.from_iterable(parts):
            image_id = annotation.get("image_id")
            if isinstance(image_id, int) and image_id in ids:
                groups[image_id].append(annotation)
    return groups


def results_of(path: Path, ids: Container[int], document: dict[str, Any], coco: Path) -> _ByImage:
    """The results for the images `ids` of `document`, the COCO file at `coco`."""
    groups: _ByImage = defaultdict(list)
    known, total, rule = 0, 0, RESULTS["bbox"]["image_id"]
    images, categories = document["images"], document["categories"]
    every = {image["id"] for image in images}
    names = {each["id"]: each["name"] for each in categories if "name" in each}
    loaded = as_list(
        Loaded(path), {i["file_name"]: i["id"] for i in images if "file_name" in i}, names
    )
    for part in iter_list(loaded, what="results"):
        read_whole_numbers("annotations", [result for result in part if isinstance(result, dict)])
        for number, result in enumerate(part, start=total):
            image_id: Any = result.get("image_id") if isinstance(result, dict) else None
            if not rule.fits(image_id):
                text = f"{shorten(image_id)}, expected {rule.expected}."
                raise CocoFileError(text, file=path, field=f"results[{number}].image_id")
            known += image_id in every
            if image_id in ids:
                groups[image_id].append(result)
        total += len(part)
    if total and not known:
        raise CocoFileError(
            f"none of its images is in {coco}. Name the file it belongs to.", file=path
        )
    return groups


class Photos(Pictures):
    """Opens the pictures of the entries of `images`."""

    def places(self, pictures: Iterable[Picture]) -> set[Path]:
        """The archive, or the folders that these pictures lie in: there nothing must be written."""
        if self.path.is_file():
            return {self.path}
        return {(self.path / picture.name).parent for picture in pictures}

    def open(
        self, image: Mapping[str, Any], picture: Picture | None = None, *, longer: int | None = None
    ) -> Image:
        """The pixels of an entry of `images`, RGB, as its `width` and `height` ask for.

        That is turned upright as EXIF says, unless only the stored pixels have the entry's size (the
        official converter's files). What is much larger than it will be drawn, `longer` pixels or what is
        usual, is reduced. `picture` is the entry's, if it is known.
        Raises `ImageError` when the image is missing, damaged or of another size, `PasswordError`.
        """
        from PIL import Image, ImageOps

        picture = picture or self.required(image.get("file_name"))
        self.check_size(image, picture)
        header, data = self.header(picture), self.read(picture)
        try:
            opened: Image.Image = decode(data, picture_size(*header.stored_size, longer))
        except SourceError as error:
            raise ImageError(error.text, file=f"{self.label}/{picture.name}") from None
        if not _as_stored(header, image):
            ImageOps.exif_transpose(opened, in_place=True)
        if opened.has_transparency_data:
            layer = opened.convert("RGBA")
            opened = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
        return opened if opened.mode == "RGB" else opened.convert("RGB")

    def size(self, image: Mapping[str, Any], picture: Picture | None = None) -> tuple[int, int]:
        """Width and height of an image as `open` turns it, from its header alone."""
        header = self.header(picture or self.required(image.get("file_name")))
        return header.stored_size if _as_stored(header, image) else header.size

    def check_size(self, image: Mapping[str, Any], picture: Picture) -> None:
        """Raise `ImageError` when the image has another size than its entry: boxes would not fit, either."""
        wanted = image.get("width"), image.get("height")
        width, height = self.size(image, picture)
        if None not in wanted and wanted != (width, height):
            raise ImageError(
                f"is {width} x {height} pixels, and the file says {wanted[0]} x {wanted[1]}, so that boxes "
                "would be drawn in wrong places. Name the folder of the right images.",
                file=f"{self.label}/{picture.name}",
            )


def _as_stored(header: ImageHeader, image: Mapping[str, Any]) -> bool:
    size = (image.get("width"), image.get("height"))
    return size == header.stored_size and size != header.size
