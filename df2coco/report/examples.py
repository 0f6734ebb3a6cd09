"""Examples worth looking at: items of every category, as different as possible, drawn small."""

import base64
import heapq
import io
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

from df2coco.coco.lists import read_parts
from df2coco.drawing import PARTS, Photos
from df2coco.drawing.drawables import Extent, read_drawables
from df2coco.drawing.overlay import overlay
from df2coco.errors import Df2cocoError, PasswordError
from df2coco.progress import Progress, no_progress
from df2coco.taxonomy import ATTRIBUTE_VALUES, ATTRIBUTES, SOURCES

FACETS: Final[Mapping[str, Sequence[str]]] = {"category": (), "source": SOURCES, **ATTRIBUTES}
"""What examples are filtered by -> its values in order; the others follow as they come."""

UNKNOWN: Final = "unknown"

_SIZE: Final = 560
"""The longer side of a picture in pixels: sharp on dense screens, and large enough to be enlarged."""
_QUALITY: Final = 70

_MOST_PLACES: Final = 24
"""Places of findings that are examples before all others, so that there is room for the others."""

FindingPlace: TypeAlias = tuple[str, int]
"""What a finding is about, "image" or "annotation", and its id."""

_ALIKE: Final = 3
"""Candidates that are kept of one category and the same attributes, so that rare ones are among them."""


@dataclass(frozen=True, slots=True)
class Example:
    """One item and its picture."""

    annotation_id: int
    image_id: int
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
        choices: dict[str, list[str]] = {}
        for facet, order in FACETS.items():
            values = dict.fromkeys(example.facets[facet] for example in self.examples)
            if len(values) > 1:
                rest = [value for value in values if value not in order]
                choices[facet] = [*(value for value in order if value in values), *rest]
        return choices

    def of_places(self) -> dict[FindingPlace, int]:
        """Each annotation and image among the examples -> the annotation of (the first of) its examples."""
        of_images = {("image", e.image_id): e.annotation_id for e in reversed(self.examples)}
        return of_images | {("annotation", e.annotation_id): e.annotation_id for e in self.examples}


def make_gallery(
    coco_file: Path,
    photos: Photos,
    number: int,
    places: Iterable[FindingPlace] = (),
    *,
    progress: Progress = no_progress,
) -> Gallery:
    """Choose and draw `number` examples of a COCO file. The same file gives the same examples.

    The first of `places`, where the findings are, come before others of their categories.
    Images that cannot be opened and items that cannot be drawn are left out and reported.
    Raises `CocoFileError` when the file cannot be read, `PasswordError` for the images' password.
    """
    progress(f"reading {coco_file.name}", 0, 0)
    document, parts = read_parts(coco_file)
    wanted = islice(dict.fromkeys(places), _MOST_PLACES)
    annotations = _candidates(chain.from_iterable(parts), number, frozenset(wanted))
    images = {image["id"]: image for image in document["images"]}
    categories = document["categories"]
    names = {category["id"]: str(category.get("name", category["id"])) for category in categories}
    pools: dict[str, list[_Candidate]] = {name: [] for name in names.values()}
    for annotation, is_place in annotations:
        image = images.get(annotation.get("image_id"))
        name = names.get(annotation.get("category_id"))
        if image is not None and name is not None:
            source = image.get("source")
            facets = {"category": name, "source": source if source in SOURCES else UNKNOWN}
            for facet, values in ATTRIBUTES.items():
                facets[facet] = (UNKNOWN, *values)[_level(annotation, facet)]
            pools[name].append(_Candidate(annotation, image, facets, is_place))
    examples, faults = [], []
    for candidate in _choose(pools, number):
        try:
            examples.append(_draw(candidate, photos, categories))
        except PasswordError:
            raise
        except Df2cocoError as error:
            faults.append(str(error))
        progress("drawing examples", len(examples) + len(faults), number)
    order = list(pools)
    examples.sort(key=lambda e: (order.index(e.facets["category"]), _rank(e.annotation_id)))
    return Gallery(tuple(examples), tuple(dict.fromkeys(faults)))


class _Candidate(NamedTuple):
    annotation: Mapping[str, Any]
    image: Mapping[str, Any]
    facets: Mapping[str, str]
    is_place: bool


def _rank(annotation_id: int) -> int:
    """A number that has nothing to do with the order of the file, and is the same every time."""
    return annotation_id * 2654435761 % 4294967296


def _candidates(
    annotations: Iterable[dict[str, Any]], number: int, places: Collection[FindingPlace]
) -> list[tuple[dict[str, Any], bool]]:
    """Some annotations of each category, also of the rare kinds, in the order of the file.

    With each whether a finding is about it or its image.
    """
    of_places: dict[FindingPlace, tuple[int, dict[str, Any]]] = {}
    heaps: defaultdict[tuple[int, ...], list[tuple[int, int, dict[str, Any]]]] = defaultdict(list)
    for at, annotation in enumerate(annotations):
        if type(annotation.get("id")) is not int:
            continue
        # The largest rank is dropped first; the second number only keeps dicts from being compared.
        entry = -_rank(annotation["id"]), at, annotation
        for place in (("annotation", annotation["id"]), ("image", annotation["image_id"])):
            if place in places:
                of_places.setdefault(place, (at, annotation))
        category = annotation["category_id"]
        alike = category, *(_level(annotation, name) for name in ATTRIBUTES)
        for key, limit in (((category,), number), (alike, _ALIKE)):
            (heapq.heappush if len(heaps[key]) < limit else heapq.heappushpop)(heaps[key], entry)
    kept = {at: annotation for heap in heaps.values() for _, at, annotation in heap}
    first = dict(of_places.values())
    return [(annotation, at in first) for at, annotation in sorted((kept | first).items())]


def _level(annotation: Mapping[str, Any], name: str) -> int:
    """The value of an attribute, 0 when there is none."""
    value = annotation.get(name)
    return value if type(value) is int and value in ATTRIBUTE_VALUES else 0


def _choose(pools: Mapping[str, Sequence[_Candidate]], number: int) -> list[_Candidate]:
    """One of each category after the other, each time the one whose facets were seen least."""
    left = {name: list(pool) for name, pool in pools.items() if pool}
    seen: Counter[Any] = Counter()
    chosen: list[_Candidate] = []

    def seldom(candidate: _Candidate) -> tuple[bool, int, int, int]:
        category = candidate.facets["category"]
        facets = sum(seen[category, facet] for facet in candidate.facets.items())
        of_image = seen[candidate.image["id"]]
        return not candidate.is_place, of_image, facets, _rank(candidate.annotation["id"])

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


def _draw(candidate: _Candidate, photos: Photos, categories: Sequence[Any]) -> Example:
    (item,) = read_drawables([candidate.annotation], categories)
    whole = photos.size(candidate.image)
    left, top, right, bottom = _window(item.extent(PARTS) or (0, 0, *whole), whole)
    size = round(_SIZE * max(whole) / max(right - left, bottom - top))
    picture = overlay(photos.open(candidate.image, longer=size), [item], size=size, whole=whole)
    scale = picture.width / whole[0]
    picture = picture.crop((left * scale, top * scale, right * scale, bottom * scale))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    return Example(
        candidate.annotation["id"],
        candidate.image["id"],
        str(candidate.image.get("file_name")),
        candidate.facets,
        "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode(),
        *picture.size,
    )


def _window(item: Extent, whole: tuple[int, int]) -> Extent:
    """What is shown of a photo: around a small item twice as much as it is, else all."""
    x1, y1, x2, y2 = item
    side = max(2 * (x2 - x1), 2 * (y2 - y1), max(whole) / 4)
    if side >= 0.8 * max(whole):
        return (0, 0, *whole)
    left, top = (
        min(max(middle - side / 2, 0), max(end - side, 0))
        for middle, end in zip(((x1 + x2) / 2, (y1 + y2) / 2), whole, strict=True)
    )
    return left, top, min(left + side, whole[0]), min(top + side, whole[1])
