"""What checks may look at: the file as a whole, and a part of its annotations as columns and arrays."""

from __future__ import annotations

import contextlib
from array import array
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

from df2coco.coco.garments import find_garments, own_slots
from df2coco.coco.info import Conversion, conversion_of
from df2coco.coco.schema import FIELDS, MAX_NUMBER, MAX_OUTLINE, MAX_SIDE, is_id, is_mask
from df2coco.errors import shorten
from df2coco.masks import union_area, union_areas
from df2coco.parser.reader import Split
from df2coco.pictures import Pictures
from df2coco.progress import Progress, no_progress
from df2coco.taxonomy import Category
from df2coco.validator.checks import Found, Hit, identify

__all__ = ["Columns", "Entry", "File", "Header", "Landmarks", "Outlines", "Part", "repeated"]

Entry: TypeAlias = "dict[str, Any]"
Array: TypeAlias = Any
"""A numpy array: numpy is imported where it is used."""
Result = TypeVar("Result")


def repeated(values: Iterable[Any]) -> list[Any]:
    """The values that occur more than once; what cannot be compared is left out."""
    values = list(values)
    with contextlib.suppress(TypeError):
        if len(set(values)) == len(values):
            return []
    counts = Counter(value for value in values if isinstance(value, Hashable))
    return [value for value, count in counts.items() if count > 1]


class Header(NamedTuple):
    """What a part of the annotations is judged by. Small, so that it can be sent to a worker."""

    sizes: dict[int, tuple[int, int] | None]
    """Image id -> (width, height) in pixels; None where the file has no usable ones."""
    lengths: dict[int, int]
    """Category id -> numbers in `keypoints` by its landmark names; 0 where it names none."""
    garments: dict[int, Category]
    """Category id -> DeepFashion2's category; {} for files of other datasets."""
    other_ids: frozenset[Any]
    """Ids of images and categories that are not whole numbers, but can be compared."""


@dataclass
class Columns:
    """What is kept of every annotation, for checks of the file as a whole. One entry an annotation."""

    ids: list[Any] = field(default_factory=list)
    """None where it is neither a number nor text."""
    image_ids: list[Any] = field(default_factory=list)
    """None where it is not a whole number."""
    category_ids: list[Any] = field(default_factory=list)
    masks: list[int] = field(default_factory=list)
    """0: no segmentation, 1: an empty one, 2: one with something in it."""
    lengths: list[int | None] = field(default_factory=list)
    """How many numbers `keypoints` has; -1: it is not a list; None: there are none."""
    counted: list[bool] = field(default_factory=list)
    """It takes part in an evaluation: not a crowd."""
    labelled: list[bool] = field(default_factory=list)
    """It has a labelled landmark."""
    linked: list[bool] = field(default_factory=list)
    """It has an id, an image_id and a category_id of a kind that can be looked up."""
    prints: list[int | None] = field(default_factory=list)
    """Equal for equal items: of image, category, box, mask and landmarks; None: there is no box."""

    def extend(self, other: Columns) -> None:
        """Add the columns of the next part."""
        for name, values in vars(other).items():
            getattr(self, name).extend(values)


@dataclass
class File:
    """A COCO file under examination: all but its annotations, and columns of these."""

    path: Path
    document: Entry
    """The file without its annotations."""
    images: list[Entry]
    categories: list[Entry]
    columns: Columns = field(default_factory=Columns)
    annotations: list[Entry] = field(default_factory=list)
    """All of them, only where the file is compared with its source."""
    areas: list[int | None] = field(default_factory=list)
    """Of the masks of `annotations`, in pixels."""
    has_annotations: bool = True
    """The file has the key `annotations`."""
    repeated_keys: tuple[str, ...] = ()
    not_finite: tuple[Hit, ...] = ()
    decimal: dict[str, int] = field(default_factory=dict)
    """"annotations[].image_id" -> how often it is written with a decimal point."""
    workers: int = 1
    pictures: Pictures | None = None
    decode: bool = False
    """Pictures are decoded in full."""
    source: Split | None = None
    score_images: int = 0
    """How many images of ground truth to score against itself."""
    progress: Progress = no_progress
    _once: dict[Any, Any] = field(default_factory=dict, repr=False)

    def once(self, function: Callable[[File], Result]) -> Result:
        """`function(self)`, computed at the first call: what several checks look at."""
        if function not in self._once:
            self._once[function] = function(self)
        result: Result = self._once[function]
        return result

    @cached_property
    def conversion(self) -> Conversion | None:
        """How df2coco made the file; None for files of others."""
        return conversion_of(self.document.get("info"))

    @cached_property
    def garments(self) -> dict[int, Category]:
        """Category id -> DeepFashion2's category; {} for files of other datasets."""
        return find_garments(self.categories)

    @cached_property
    def image_by_id(self) -> dict[int, Entry]:
        """Where an id occurs twice, the last image, as in pycocotools."""
        return {entry["id"]: entry for entry in self.images if is_id(entry.get("id"))}

    @cached_property
    def category_by_id(self) -> dict[int, Entry]:
        return {entry["id"]: entry for entry in self.categories if is_id(entry.get("id"))}

    @cached_property
    def header(self) -> Header:
        others = (
            entry.get("id")
            for entry in (*self.images, *self.categories)
            if not is_id(entry.get("id"))
        )
        return Header(
            {image_id: size_of(entry) for image_id, entry in self.image_by_id.items()},
            {key: 3 * len(names_of(entry)) for key, entry in self.category_by_id.items()},
            self.garments,
            frozenset(each for each in others if type(each) in (str, int, float)),
        )

    def images_where(
        self, wrong: Callable[[Entry], bool], detail: Callable[[Entry], str]
    ) -> Iterator[Hit]:
        """A hit for each image that is wrong."""
        return _where(self.images, wrong, detail)

    def annotation_hit(self, number: int, detail: str = "") -> Hit:
        """A hit at an annotation of the file."""
        return Hit(identify({"id": self.columns.ids[number]}, number), detail)

    def categories_where(
        self, wrong: Callable[[Entry], bool], detail: Callable[[Entry], str] = lambda _: ""
    ) -> Iterator[Hit]:
        """A hit for each category that is wrong."""
        return _where(self.categories, wrong, detail)


def _where(
    entries: list[Entry], wrong: Callable[[Entry], bool], detail: Callable[[Entry], str]
) -> Iterator[Hit]:
    for number, entry in enumerate(entries):
        if wrong(entry):
            yield Hit(identify(entry, number), detail(entry))


def size_of(image: Mapping[str, Any]) -> tuple[int, int] | None:
    """Width and height of an image; None when an image cannot have these."""
    width, height = image.get("width"), image.get("height")
    if type(width) is int and type(height) is int and 0 < width <= MAX_SIDE >= height > 0:
        return width, height
    return None


def names_of(category: Mapping[str, Any]) -> list[Any]:
    """A category's landmark names; [] when it has none."""
    found = category.get("keypoints")
    return found if type(found) is list else []


# ---------------------------------------------------------------- a part of the annotations


class Outlines(NamedTuple):
    """The polygons of a part."""

    polygons: list[list[list[float]]]
    """Of each annotation, those that can be drawn; [] where there are none."""
    extents: Array
    """(N, 4): x1, y1, x2, y2 of each annotation's polygons; NaN where there are none."""
    empty: list[int]
    rles: list[int]
    integers: list[int]
    """All numbers of a polygon are written as integers."""
    faults: list[Found]
    totals: list[float]
    """The sum of each annotation's coordinates."""


class Landmarks(NamedTuple):
    """The landmarks of a part, those in unlabelled slots of other categories left out. M landmarks."""

    item: Array
    """(M,): the position of its annotation."""
    slot: Array
    """(M,): its place in `keypoints`, from 0."""
    x: Array
    y: Array
    v: Array
    labelled: Array
    """(N,): labelled landmarks of each annotation; -1 where there are no usable keypoints."""
    lengths: list[int | None]
    """As in `Columns`."""
    own: list[Sequence[int] | None]
    """The slots of the annotation's own category, where the layout is known."""
    floats: list[int]
    """They are written as floats."""
    faults: list[Found]
    """Something in `keypoints` is not a number, or is too large a one."""


@dataclass
class Part:
    """Some annotations of a file, one after the other in it. N annotations."""

    header: Header
    annotations: list[Entry]
    exact: bool = False
    """Masks are measured by pycocotools itself."""

    def column(self, name: str) -> list[Any]:
        """A field of every annotation; None where it is missing."""
        return [annotation.get(name) for annotation in self.annotations]

    @cached_property
    def image_ids(self) -> list[Any]:
        return self.column("image_id")

    @cached_property
    def category_ids(self) -> list[Any]:
        return self.column("category_id")

    @cached_property
    def sizes(self) -> list[tuple[int, int] | None]:
        """Width and height of each annotation's image; None where it has no such image."""
        get = self.header.sizes.get
        return [get(each) if type(each) is int else None for each in self.image_ids]

    @cached_property
    def size_arrays(self) -> tuple[Array, Array]:
        """(N,) widths and (N,) heights of the images; NaN where they are not known."""
        import numpy as np

        pairs = [size or (np.nan, np.nan) for size in self.sizes]
        widths, heights = np.array(pairs, float).reshape(-1, 2).T
        return widths, heights

    @cached_property
    def boxes(self) -> Array:
        """(N, 4): x, y, w, h; NaN where there is no usable box."""
        import numpy as np

        fits = FIELDS["annotations"]["bbox"].fits
        nothing = [np.nan] * 4
        boxes = [box if fits(box) else nothing for box in self.column("bbox")]
        return np.array(boxes, float).reshape(-1, 4)

    @cached_property
    def crowds(self) -> Array:
        """(N,): whether it is a crowd."""
        import numpy as np

        return np.array([value == 1 for value in self.column("iscrowd")], bool)

    @cached_property
    def garment_of(self) -> list[Category | None]:
        get = self.header.garments.get
        return [get(each) if type(each) is int else None for each in self.category_ids]

    def where(self, wrong: Array, field: str = "") -> Iterator[Found]:
        """The annotations for which the array (N,) is true, with a field as it stands there."""
        for position in wrong.nonzero()[0].tolist():
            detail = f"{field} {shorten(self.annotations[position].get(field))}" if field else ""
            yield position, detail

    @cached_property
    def outlines(self) -> Outlines:
        return _outlines(self.column("segmentation"))

    @cached_property
    def rle_faults(self) -> dict[int, str]:
        """Why RLEs cannot be used, by the position of their annotation."""
        faults = {}
        for position in self.outlines.rles:
            rle, size = self.annotations[position]["segmentation"], self.sizes[position]
            if not is_mask(rle):
                faults[position] = shorten(rle)
            elif size is not None and rle["size"] != [size[1], size[0]]:
                faults[position] = f"size {rle['size']}, the image has {[size[1], size[0]]}"
        return faults

    @cached_property
    def landmarks(self) -> Landmarks:
        return _landmarks(self)

    @cached_property
    def overshoot(self) -> Array:
        """(N,): how many pixels the polygons leave the image; NaN where there are none."""
        import numpy as np

        widths, heights = self.size_arrays
        x1, y1, x2, y2 = self.outlines.extents.T
        return np.max([-x1, -y1, x2 - widths, y2 - heights, np.zeros(len(x1))], axis=0)

    @cached_property
    def areas(self) -> list[int | None]:
        """Pixels of each annotation's mask; None where it cannot be drawn."""
        drawable = (self.overshoot <= MAX_SIDE).nonzero()[0].tolist()
        polygons = [self.outlines.polygons[position] for position in drawable]
        sizes = [self.sizes[position] or (0, 0) for position in drawable]
        if self.exact:
            pixels = [union_area(p, *size) for p, size in zip(polygons, sizes, strict=True)]
        else:
            pixels = union_areas(polygons, sizes) if polygons else []
        result: list[int | None] = [None] * len(self.annotations)
        for position, area in zip(drawable, pixels, strict=True):
            result[position] = area
        for position in self.outlines.rles:
            if position not in self.rle_faults and self.sizes[position] is not None:
                result[position] = _area_of_rle(self.annotations[position]["segmentation"])
        return result

    def columns(self) -> Columns:
        """What is kept of the part."""
        boxes, outlines, landmarks = self.column("bbox"), self.outlines, self.landmarks
        segmentations = self.column("segmentation")
        crowds = self.crowds.tolist()
        return Columns(
            [each if type(each) in (int, str) else None for each in self.column("id")],
            [each if type(each) is int else None for each in self.image_ids],
            [each if type(each) is int else None for each in self.category_ids],
            [
                2 if each else int("segmentation" in annotation)
                for each, annotation in zip(segmentations, self.annotations, strict=True)
            ],
            landmarks.lengths,
            [not crowd for crowd in crowds],
            (landmarks.labelled > 0).tolist(),
            [
                all(type(a.get(name)) in (int, float, str) for name in _LINKS)
                for a in self.annotations
            ],
            [
                _print(a.get("image_id"), a.get("category_id"), box, total, a.get("keypoints"))
                for a, box, total in zip(self.annotations, boxes, outlines.totals, strict=True)
            ],
        )


_LINKS: Final = ("id", "image_id", "category_id")


def _print(image_id: Any, category_id: Any, box: Any, total: float, keypoints: Any) -> int | None:
    if not box or not isinstance(box, list):
        return None
    with contextlib.suppress(TypeError):
        return hash((image_id, category_id, *box, total, sum(keypoints or ())))
    return None


def _area_of_rle(rle: Any) -> int:
    from pycocotools import mask as coco_mask

    packed = coco_mask.frPyObjects(rle, *rle["size"]) if type(rle["counts"]) is list else rle
    return int(coco_mask.area(packed))


# ---------------------------------------------------------------- polygons


def _outlines(segmentations: list[Any]) -> Outlines:
    import numpy as np

    found = Outlines([], np.full((len(segmentations), 4), np.nan), [], [], [], [], [])
    for position, segmentation in enumerate(segmentations):
        polygons: list[Any] = []
        total = 0.0
        if type(segmentation) is list:
            if not segmentation:
                found.empty.append(position)
            elif not (fault := _flat(segmentation)):
                polygons, total = _usable(found, position, segmentation)
            else:
                found.faults.append((position, f"segmentation {shorten(segmentation)}: {fault}"))
        elif type(segmentation) is dict:
            found.rles.append(position)
            total = float(hash(str(segmentation.get("counts"))))
        elif segmentation is not None:
            found.faults.append((position, f"segmentation {shorten(segmentation)}"))
        found.polygons.append(polygons)
        found.totals.append(total)
    _measure_extents(found)
    return found


def _flat(segmentation: list[Any]) -> str:
    """What is wrong with a list in which numbers or pairs stand where polygons belong; "": nothing."""
    first = segmentation[0]
    if type(first) in (int, float):
        return "the polygon is not in a list of its own"
    if type(first) is list and first and type(first[0]) is list:
        if len(first[0]) == 2 and all(type(each) in (int, float) for each in first[0]):
            return "points as pairs [x, y], not in a row"
        return "lists in lists in lists"
    if type(first) is dict or (type(first) is list and first and type(first[0]) is dict):
        return "points as objects, not numbers in a row"
    return ""


def _usable(found: Outlines, position: int, segmentation: list[Any]) -> tuple[list[Any], float]:
    """The polygons of a segmentation that can be drawn; what is wrong with the others is noted."""
    polygons, sums, integers = [], [], False
    for number, polygon in enumerate(segmentation):
        what = ""
        if type(polygon) is not list:
            what = shorten(polygon)
        elif len(polygon) < 6 or len(polygon) & 1:
            what = f"{len(polygon)} numbers"
        else:
            try:
                total = sum(polygon)
            except TypeError:
                what = "not all are numbers"
            else:
                if not abs(total) < MAX_NUMBER**2 and not is_mask([polygon]):
                    if total == total:
                        found.faults.append((position, f"segmentation[{number}]: too large"))
                    continue
                integers |= type(total) is int
                sums.append(total)
                polygons.append(polygon)
        if what:
            found.faults.append((position, f"segmentation[{number}]: {what}"))
    if integers:
        found.integers.append(position)
    return polygons, sum(sums)


def _measure_extents(found: Outlines) -> None:
    """Fill in the extents; polygons that are too far away or too long to be drawn are faults."""
    import numpy as np

    items = [position for position, polygons in enumerate(found.polygons) if polygons]
    if not items:
        return
    flat = list(chain.from_iterable(found.polygons))
    lengths = np.fromiter(map(len, flat), np.intp, len(flat))
    # An array module's array takes floats faster than numpy does, and as strictly.
    numbers = np.frombuffer(array("d", chain.from_iterable(flat)), float)
    firsts = (np.cumsum(lengths) - lengths) // 2
    counts = np.array([len(found.polygons[position]) for position in items])
    groups = np.cumsum(counts) - counts
    extents = np.stack(
        [
            edge.reduceat(edge.reduceat(numbers[axis::2], firsts), groups)
            for edge in (np.minimum, np.maximum)
            for axis in (0, 1)
        ],
        axis=1,
    )
    sizes = np.add.reduceat(lengths, groups)
    # Quick, and never less than the outline of any polygon.
    spans = (extents[:, 2:] - extents[:, :2]).max(axis=1) * sizes
    suspects = (np.abs(extents).max(axis=1) > MAX_NUMBER) | (spans > MAX_OUTLINE)
    suspects |= ~np.isfinite(extents).all(axis=1)
    found.extents[items] = extents
    for number in suspects.nonzero()[0].tolist():
        position = items[number]
        if not is_mask(found.polygons[position]):
            if np.isfinite(extents[number]).all():
                text = f"a polygon from {extents[number].min():g} to {extents[number].max():g}"
                found.faults.append((position, f"segmentation: {text} is too large to be drawn"))
            found.polygons[position] = []
            found.extents[position] = np.nan


# ---------------------------------------------------------------- landmarks

_FEW: Final = 8
"""Other numbers than zero outside of an item's own slots: more are looked at one by one anyway."""


def _landmarks(part: Part) -> Landmarks:
    """Take an item's own slots out of its keypoints, and all others that are not zero."""
    import numpy as np

    taken: list[list[Any]] = []
    items: list[int] = []
    slots: list[Sequence[int]] = []
    lengths: list[int | None] = []
    owns: list[Sequence[int] | None] = []
    floats: list[int] = []
    faults: list[Found] = []
    known: dict[tuple[int, int], Sequence[int] | None] = {}
    fits = FIELDS["annotations"]["keypoints"].fits
    for position, keypoints in enumerate(part.column("keypoints")):
        own = None
        if type(keypoints) is not list:
            missing = keypoints is None and "keypoints" not in part.annotations[position]
            lengths.append(None if missing else -1)
            owns.append(None)
            continue
        length = len(keypoints)
        lengths.append(length)
        category = part.garment_of[position]
        if category is not None:
            key = category.id, length
            if key not in known:
                known[key] = own_slots(category, length // 3)
            own = known[key]
        owns.append(own)
        if length % 3:
            continue
        core, chosen = keypoints, range(length // 3)
        if type(own) is range:
            mine = keypoints[3 * own.start : 3 * own.stop]
            # Nothing but zeros elsewhere, as nearly always: then only its own are looked at.
            if keypoints.count(0) == mine.count(0) + length - len(mine):
                core, chosen = mine, own
        if not _are_small_numbers(core) and not fits(core):
            wrong = [n for n in core if type(n) not in (int, float)]
            if wrong:
                faults.append((position, f"keypoints: {shorten(wrong[0])} is not a number"))
            elif all(n == n and abs(n) != float("inf") for n in core):
                faults.append((position, f"keypoints: {max(core, key=abs):g} is too large"))
            continue
        if core and type(sum(core)) is float:
            floats.append(position)
        taken.append(core)
        items.append(position)
        slots.append(chosen)
    numbers = np.frombuffer(array("d", chain.from_iterable(taken)), float).reshape(-1, 3)
    counts = np.fromiter(map(len, slots), np.intp, len(slots))
    item = np.repeat(np.array(items, np.intp), counts)
    labelled = np.full(len(part.annotations), -1)
    labelled[items] = 0
    np.add.at(labelled, item[numbers[:, 2] != 0], 1)
    slot = np.fromiter(chain.from_iterable(slots), np.intp, len(item))
    x, y, v = numbers.T
    return Landmarks(item, slot, x, y, v, labelled, lengths, owns, floats, faults)


def _are_small_numbers(values: list[Any]) -> bool:
    """A quick test that nearly all keypoints pass."""
    try:
        return bool(sum(values) < MAX_NUMBER and min(values, default=0) >= 0)
    except TypeError:
        return False
