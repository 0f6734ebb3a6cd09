"""From files to pictures: a COCO file, its images and perhaps a model's results -> pictures on disk."""

from __future__ import annotations

import os
import random
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from df2coco.coco.lists import iter_list, read_annotations
from df2coco.coco.reader import no_collection
from df2coco.coco.schema import check_fields
from df2coco.drawing.overlay import overlay
from df2coco.drawing.photos import Photos
from df2coco.drawing.shapes import PARTS, Shape, read_shapes
from df2coco.drawing.sheet import Panel, beside, beside_room, justify, page, text_line
from df2coco.errors import CocoFileError, OutputError, printable, shorten
from df2coco.files import (
    atomic_write,
    check_output_folder,
    check_outputs,
    make_folder,
    reported_for,
)
from df2coco.progress import Progress, no_progress

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["DEFAULT_SAMPLE", "MAX_ON_SHEET", "MIN_SCORE", "draw"]

DEFAULT_SAMPLE: Final = 12
MIN_SCORE: Final = 0.3
MAX_ON_SHEET: Final = 200
"""A sheet of more pictures is too large for most viewers."""

FORMATS: Final[Mapping[str, Mapping[str, Any]]] = {
    ".png": {"format": "PNG"},
    ".jpg": {"format": "JPEG", "quality": 90, "subsampling": 0},
    ".jpeg": {"format": "JPEG", "quality": 90, "subsampling": 0},
}
"""Suffix -> how Pillow saves it."""


def draw(
    coco: str | Path,
    images: str | Path,
    out: str | Path,
    *,
    image_ids: Sequence[int] = (),
    sample: int | None = None,
    seed: int = 0,
    results: str | Path | None = None,
    min_score: float = MIN_SCORE,
    only: Iterable[str] = tuple(PARTS),
    password: str | None = None,
    progress: Progress = no_progress,
) -> list[Path]:
    """Draw images of the COCO file `coco` with their annotations; the files that were written.

    `images` is a folder or archive of the images. Drawn are those of `image_ids` and `sample` more,
    chosen at random by `seed`; 12 when neither is given. `out` is a `.png` or `.jpg` file, which becomes
    the picture, or a contact sheet when there are several; or a folder, which gets one `.jpg` an image.
    `results` is a model's results file: ground truth stands left then, and right the results with a
    score of at least `min_score`. `only` chooses among the keys of `PARTS`.

    Raises `CocoFileError` when `coco` or `results` cannot be used, `OutputError` when `out` cannot
    be written, `SourceError` when an image is missing or damaged, `PasswordError` for the password. The same
    arguments give the same bytes.
    """
    coco, out = Path(coco), Path(out)
    photos = Photos(images, password)
    inputs = [coco, photos.path, *([Path(results)] if results else [])]
    _check(out, inputs)
    progress(f"reading {coco.name}", 0, 0)
    # Twice over the file rather than all of it in memory: the images stand last.
    with no_collection():
        document = read_annotations(coco, _ignore)
    check_fields(document, coco)
    chosen = _choose(coco, document["images"], image_ids, sample, seed)
    if not _is_folder(out) and len(chosen) > MAX_ON_SHEET:
        raise CocoFileError(
            f"a sheet holds at most {MAX_ON_SHEET} pictures, not {len(chosen)}. Name a folder.",
            file=out,
        )
    ids = {image["id"] for image in chosen}
    every = {image["id"] for image in document["images"]}
    job = _Job(
        coco,
        document["categories"],
        photos,
        tuple(only),
        _read_annotations(coco, ids),
        None if results is None else Path(results),
        {} if results is None else _read_results(Path(results), ids, every, coco),
        min_score,
    )
    if _is_folder(out):
        return _draw_folder(job, chosen, out, progress)
    _draw_file(job, chosen, len(every), out, progress)
    return [out]


def _is_folder(out: Path) -> bool:
    return os.path.isdir(out) or not out.suffix


def _check(out: Path, inputs: Iterable[Path]) -> None:
    """Report now what would fail, or do harm, later."""
    if not _is_folder(out) and out.suffix.lower() not in FORMATS:
        raise OutputError(f"name a {', '.join(FORMATS)} file or a folder.", file=out)
    if _is_folder(out):
        check_output_folder(out, inputs)
    else:
        check_outputs([out], inputs)


@dataclass(frozen=True, slots=True)
class _Job:
    """What is drawn."""

    path: Path
    categories: list[dict[str, Any]]
    photos: Photos
    only: tuple[str, ...]
    annotations: Mapping[int, list[dict[str, Any]]]
    """Image id -> annotations."""
    results_path: Path | None
    results: Mapping[int, list[dict[str, Any]]]
    """Image id -> results."""
    min_score: float

    def shapes(self, image: Mapping[str, Any]) -> tuple[list[Shape], list[Shape]]:
        """Ground truth and the results that are drawn."""
        truth = self.annotations.get(image["id"], [])
        found = [r for r in self.results.get(image["id"], []) if self._counts(r)]
        where = f"{self.results_path}: image {image['id']}: "
        return (
            read_shapes(truth, self.categories, where=f"{self.path}: "),
            read_shapes(found, self.categories, where=where, predicted=True),
        )

    def _counts(self, result: Mapping[str, Any]) -> bool:
        score = result.get("score")
        return not isinstance(score, int | float) or score >= self.min_score

    def picture(
        self, image: Mapping[str, Any], room: tuple[int, int] | None = None
    ) -> tuple[Image, list[Shape]]:
        """The image with its items, ground truth beside results when there are results.

        No larger than `room` (width, height), and as large as the photo without.
        """
        photo = self.photos.open(image)
        truth, found = self.shapes(image)
        if self.results_path is None:
            size = room and _fitting(photo.size, room)
            return overlay(photo, truth, only=self.only, size=size), truth
        size = room and _fitting(photo.size, beside_room(room))
        every = len(self.results.get(image["id"], []))
        caption = f"results, score at least {self.min_score:g}: {len(found)} of {every}"
        left, right = (
            Panel(overlay(photo, shapes, only=self.only, size=size), text)
            for shapes, text in ((truth, f"ground truth: {len(truth)}"), (found, caption))
        )
        return beside(left, right), truth + found


def _fitting(size: tuple[int, int], room: tuple[int, int]) -> int:
    """The longer side of a picture of that aspect that fills the room."""
    scale = min(room[0] / size[0], room[1] / size[1])
    return max(1, int(max(size) * scale))


_ByImage: TypeAlias = dict[int, list[dict[str, Any]]]


def _ignore(part: list[dict[str, Any]]) -> None:
    del part


def _read_annotations(path: Path, ids: Container[int]) -> _ByImage:
    """The annotations of those images; the others are not kept, so that memory does not grow."""
    groups: _ByImage = defaultdict(list)

    def take(part: list[dict[str, Any]]) -> None:
        for annotation in part:
            image_id = annotation.get("image_id")
            if isinstance(image_id, int) and image_id in ids:
                groups[image_id].append(annotation)

    with no_collection():
        read_annotations(path, take)
    return groups


def _read_results(path: Path, ids: Container[int], every: Container[int], coco: Path) -> _ByImage:
    """The results for the images `ids`; `every` are all images of `coco`."""
    groups: _ByImage = defaultdict(list)
    known = total = 0
    for part in iter_list(path, what="results"):
        for number, result in enumerate(part, start=total):
            image_id = result.get("image_id") if isinstance(result, dict) else None
            if not isinstance(image_id, int):
                raise CocoFileError(
                    f"{path}: results[{number}].image_id: {shorten(image_id)}, expected the number "
                    "of the image."
                )
            known += image_id in every
            if image_id in ids:
                groups[image_id].append(result)
        total += len(part)
    if total and not known:
        raise CocoFileError(
            f"none of its images is in {coco}. Name the file it belongs to.", file=path
        )
    return groups


def _choose(
    path: Path,
    images: list[dict[str, Any]],
    image_ids: Sequence[int],
    sample: int | None,
    seed: int,
) -> list[dict[str, Any]]:
    """The images named, in that order, then the sample, in the order of their ids."""
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
    result = [*chosen.values(), *(rest[number] for number in sorted(numbers))]
    if not result:
        raise CocoFileError("there is no image to draw.", file=path)
    return result


def _title(image: Mapping[str, Any]) -> str:
    parts = [str(image.get("file_name")), *([image["source"]] if "source" in image else [])]
    return printable(" · ".join(map(str, parts)))


# ---------------------------------------------------------------- a folder


def _draw_folder(
    job: _Job,
    chosen: Sequence[Mapping[str, Any]],
    out: Path,
    progress: Progress,
) -> list[Path]:
    make_folder(out)
    paths: list[Path] = []
    for done, image in enumerate(chosen, start=1):
        picture, shapes = job.picture(image)
        path = out / f"{image['id']:06d}.jpg"  # as the dataset names its images
        _save(page(picture, _title(image), shapes, job.only), path)
        paths.append(path)
        progress("drawing images", done, len(chosen))
    return paths


def _save(picture: Image, path: Path) -> None:
    options = dict(FORMATS[path.suffix.lower()])
    with atomic_write(path) as stream, reported_for(path):
        try:
            picture.save(stream, **options)
        except (OSError, ValueError, SystemError) as error:
            if isinstance(error, OSError) and error.strerror:
                raise
            raise OutputError(f"cannot be written ({error}). Try .png.", file=path) from None


# ---------------------------------------------------------------- a file


SHEET: Final = 2000
ROW: Final = 480
"""Width of a contact sheet and about the height of its pictures, in pixels."""


def _draw_file(
    job: _Job,
    chosen: Sequence[Mapping[str, Any]],
    total: int,
    out: Path,
    progress: Progress,
) -> None:
    if len(chosen) == 1:
        picture, shapes = job.picture(chosen[0])
        title = _title(chosen[0])
    else:
        picture, shapes = _contact_sheet(job, chosen, progress)
        title = printable(f"{job.path.name}: {len(chosen)} of {total:,} images")
    _save(page(picture, title, shapes, job.only), out)


def _contact_sheet(
    job: _Job,
    chosen: Sequence[Mapping[str, Any]],
    progress: Progress,
) -> tuple[Image, list[Shape]]:
    from PIL import Image

    text, gap = 14, 14
    pair = 2 if job.results_path else 1
    aspects = [_aspect(job.photos.size(image), pair) for image in chosen]
    # As wide as an ordinary row is, so that two pictures do not become giants.
    wide = round(sum(aspects) * ROW) + gap * (len(aspects) - 1)
    places = justify(aspects, min(SHEET, wide), ROW, gap, below=round(1.5 * text))
    height = places[-1].y + places[-1].height + round(1.5 * text)
    sheet = Image.new("RGB", (max(p.x + p.width for p in places), height), "#ffffff")
    every: list[Shape] = []
    for done, (image, place) in enumerate(zip(chosen, places, strict=True), start=1):
        picture, shapes = job.picture(image, (place.width, place.height))
        sheet.paste(picture, (place.x, place.y))
        caption = text_line(_title(image), place.width, text)
        sheet.paste(caption, (place.x, place.y + place.height))
        every += shapes
        progress("drawing images", done, len(chosen))
    return sheet, every


def _aspect(size: tuple[int, int], pair: int) -> float:
    """Width over height in the sheet; panoramas and ribbons get a place that is less extreme."""
    return min(max(pair * size[0] / size[1], 0.2), 6.0)
