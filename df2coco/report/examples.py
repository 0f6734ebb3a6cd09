"""Examples worth looking at: items of every category, as different as possible, drawn small."""

from __future__ import annotations

import base64
import heapq
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from df2coco.coco.lists import read_annotations
from df2coco.drawing import Photos, draw_image
from df2coco.errors import Df2cocoError, PasswordError
from df2coco.progress import Progress, no_progress
from df2coco.taxonomy import ATTRIBUTES, SOURCES

__all__ = ["FACETS", "UNTOLD", "Example", "Gallery", "make_gallery"]

FACETS: Final = ("category", "source", *ATTRIBUTES)
"""What examples are filtered by."""

UNTOLD: Final = "not told"

_SIZE: Final = 400
"""The longer side of a picture in pixels: sharp on dense screens too."""
_QUALITY: Final = 78

_ALIKE: Final = 3
"""Candidates that are kept of one category and the same attributes, so that rare ones are among them."""


@dataclass(frozen=True, slots=True)
class Example:
    """One item and its picture."""

    annotation_id: int
    file_name: str
    facets: Mapping[str, str]
    """Facet -> value: "short sleeve top", "user", "modest", ..."""
    picture: str
    """A data: URI of a JPEG."""
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Gallery:
    """The examples, in the order of categories."""

    examples: tuple[Example, ...]
    faults: tuple[str, ...]
    """Why others could not be shown."""

    def choices(self) -> dict[str, list[str]]:
        """Facet -> its values among the examples, where there are several."""
        found: dict[str, list[str]] = {}
        for facet in FACETS:
            values = list(dict.fromkeys(example.facets[facet] for example in self.examples))
            if len(values) > 1:
                order = _ORDER.get(facet, values)
                found[facet] = sorted(values, key=order.index)
        return found


_ORDER: Final[Mapping[str, list[str]]] = {
    "source": [*SOURCES, UNTOLD],
    **{name: [*values, UNTOLD] for name, values in ATTRIBUTES.items()},
}


def make_gallery(
    coco_file: Path,
    photos: Photos,
    number: int,
    *,
    progress: Progress = no_progress,
) -> Gallery:
    """Choose and draw `number` examples of a COCO file. The same file gives the same examples.

    Images that cannot be opened and items that cannot be drawn are left out and told.
    Raises `CocoFileError` when the file cannot be read, `PasswordError` for the images' password.
    """
    progress(f"reading {coco_file.name}", 0, 0)
    candidates = _Candidates(number)
    document = read_annotations(coco_file, candidates.take)
    images = {image["id"]: image for image in document["images"]}
    categories = document["categories"]
    names = {category["id"]: str(category.get("name", category["id"])) for category in categories}
    pools: dict[str, list[_Candidate]] = {name: [] for name in names.values()}
    for annotation in candidates.annotations():
        image = images.get(annotation.get("image_id"))
        name = names.get(annotation.get("category_id"))
        if image is not None and name is not None:
            facets = {"category": name} | _facets(image, annotation)
            pools[name].append(_Candidate(annotation, image, facets))
    examples: list[tuple[_Candidate, Example]] = []
    faults = []
    for candidate in _choose(pools, number):
        try:
            examples.append((candidate, _draw(candidate, photos, categories)))
        except PasswordError:
            raise
        except Df2cocoError as error:
            faults.append(str(error))
        progress("drawing examples", len(examples) + len(faults), number)
    order = list(pools)
    examples.sort(key=lambda pair: (order.index(pair[0].facets["category"]), _rank(pair[0][0])))
    return Gallery(tuple(example for _, example in examples), tuple(dict.fromkeys(faults)))


# ---------------------------------------------------------------- choosing


class _Candidate(NamedTuple):
    annotation: Mapping[str, Any]
    image: Mapping[str, Any]
    facets: Mapping[str, str]


def _rank(annotation: Mapping[str, Any]) -> int:
    """A number that has nothing to do with the order of the file, and is the same every time."""
    return int(annotation["id"]) * 2654435761 % 4294967296


class _Candidates:
    """Takes a file's annotations in parts and keeps some of each category, also of the rare kinds."""

    def __init__(self, number: int) -> None:
        self._limits = number, _ALIKE
        self._kept: dict[tuple[int, ...], list[tuple[int, int, dict[str, Any]]]] = {}
        self._taken = 0

    def take(self, annotations: list[dict[str, Any]]) -> None:
        for annotation in annotations:
            if type(annotation.get("id")) is not int:
                continue
            self._taken += 1
            # The largest rank is dropped first; the second number only keeps dicts from being compared.
            entry = -_rank(annotation), self._taken, annotation
            category = annotation["category_id"]
            alike = category, *(_level(annotation, name) for name in ATTRIBUTES)
            for key, limit in zip(((category,), alike), self._limits, strict=True):
                kept = self._kept.setdefault(key, [])
                (heapq.heappush if len(kept) < limit else heapq.heappushpop)(kept, entry)

    def annotations(self) -> list[dict[str, Any]]:
        """What was kept, in the order of the file."""
        kept = {
            number: annotation for heap in self._kept.values() for _, number, annotation in heap
        }
        return [kept[number] for number in sorted(kept)]


def _level(annotation: Mapping[str, Any], name: str) -> int:
    """The value of an attribute, 0 when there is none."""
    value = annotation.get(name)
    return value if type(value) is int and value in (1, 2, 3) else 0


def _facets(image: Mapping[str, Any], annotation: Mapping[str, Any]) -> dict[str, str]:
    source = image.get("source")
    return {"source": source if source in SOURCES else UNTOLD} | {
        name: (UNTOLD, *values)[_level(annotation, name)] for name, values in ATTRIBUTES.items()
    }


def _choose(pools: Mapping[str, Sequence[_Candidate]], number: int) -> list[_Candidate]:
    """One of each category after the other, each time the one whose facets were seen least."""
    left = {name: list(pool) for name, pool in pools.items() if pool}
    seen: Counter[Any] = Counter()
    chosen: list[_Candidate] = []

    def seldom(candidate: _Candidate) -> tuple[int, int, int]:
        category = candidate.facets["category"]
        facets = sum(seen[category, facet] for facet in candidate.facets.items())
        return seen[candidate.image["id"]], facets, _rank(candidate.annotation)

    while left and len(chosen) < number:
        for name in list(left)[: number - len(chosen)]:
            best = min(left[name], key=seldom)
            left[name].remove(best)
            if not left[name]:
                del left[name]
            chosen.append(best)
            seen[best.image["id"]] += 1
            seen.update((name, facet) for facet in best.facets.items())
    return chosen


# ---------------------------------------------------------------- drawing


def _draw(candidate: _Candidate, photos: Photos, categories: Sequence[Any]) -> Example:
    photo = photos.open(candidate.image)
    picture = draw_image(photo, [candidate.annotation], categories, size=_SIZE)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    return Example(
        candidate.annotation["id"],
        str(candidate.image.get("file_name")),
        candidate.facets,
        "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode(),
        *picture.size,
    )
