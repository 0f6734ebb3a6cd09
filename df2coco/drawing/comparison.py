"""One image's picture: its annotations or, when there are results, annotations beside results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from df2coco.drawing.drawables import read_drawables
from df2coco.drawing.matches import MATCHED, mark_matches
from df2coco.drawing.overlay import overlay
from df2coco.drawing.photos import Photos
from df2coco.drawing.sheet import Key, beside, beside_room, keys_of
from df2coco.parser.photos import Picture

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, slots=True)
class Style:
    """What all pictures have in common."""

    path: Path
    """The COCO file."""
    categories: list[dict[str, Any]]
    photos: Photos
    parts: tuple[str, ...]
    results_path: Path | None
    min_score: float


class Subject(NamedTuple):
    """One image to draw."""

    image: Mapping[str, Any]
    """Its entry in the file."""
    picture: Picture
    annotations: list[dict[str, Any]]
    results: list[dict[str, Any]]
    room: tuple[int, int] | None = None
    """Width and height that the picture must fit in; None: as large as the photo."""


def paint(style: Style, subject: Subject) -> tuple[Image, set[Key]]:
    """The image with its items, and what the legend must explain.

    Raises `CocoFileError` for annotations and results that are not COCO, and as `Photos.open`.
    """
    photo = style.photos.open(subject.image, subject.picture)
    truth = read_drawables(subject.annotations, style.categories, where=f"{style.path}: ")
    if style.results_path is None:
        size = subject.room and _fitting(photo.size, subject.room)
        picture = overlay(photo, truth, parts=style.parts, size=size)
        return picture, keys_of(truth, style.parts, compared=False)
    where = f"{style.results_path}: image {subject.image['id']}: "
    counting = [result for result in subject.results if _counts(result, style.min_score)]
    results = read_drawables(counting, style.categories, where=where, predicted=True)
    # Both sides show the same: boxes alone where the results are boxes.
    has = {part for part in style.parts if any(result.extent([part]) for result in results)}
    has |= {"numbers"} if "landmarks" in has else set()
    parts = tuple(part for part in style.parts if part in has) or style.parts
    truth, results = mark_matches(truth, results, photo.size)
    size = subject.room and _fitting(photo.size, beside_room(subject.room))
    matches = sum(item.color == MATCHED for item in truth)
    hidden = len(subject.results) - len(results)
    below = f", {hidden} below {style.min_score:g}" if hidden else ""
    captions = (
        f"ground truth: {matches} of {len(truth)} found",
        f"results: {matches} of {len(results)} match{below}",
    )
    pictures = [overlay(photo, drawables, parts=parts, size=size) for drawables in (truth, results)]
    return beside(pictures, captions), keys_of(truth + results, parts, compared=True)


def _counts(result: Mapping[str, Any], min_score: float) -> bool:
    score = result.get("score")
    return not isinstance(score, int | float) or score >= min_score


def _fitting(size: tuple[int, int], room: tuple[int, int]) -> int:
    """The longer side of a picture of that aspect that fills the room."""
    scale = min(room[0] / size[0], room[1] / size[1])
    return max(1, int(max(size) * scale))
