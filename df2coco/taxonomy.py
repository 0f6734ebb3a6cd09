"""The 13 categories of DeepFashion2 and their landmarks: data, and nothing that computes.

Sources, column by column:

- ids, names, landmark counts: the dataset's own README ("Data Organization", figure 2).
- official names, the order of the 294 slots: the official converter, `deepfashion2_to_coco.py`.
- skeletons, flip pairs: figure 2, `landmark_definitions`. One correction: for *short sleeve outwear* the
  figure labels the left neck point 4 and the left lapel end 2. The annotations have it the other way
  round, like long sleeve outwear: the official sigmas mirror only so (2 = 6, 4 = 26), and the official
  baseline's published predictions put landmark 2 at the neck. Tables copied from the figure (MMPose,
  HRNet, KGDet) flip 2-26 and 4-6, which is wrong.
- groups: the 81 aggregated landmarks of the winner of the 2020 landmark challenge (arXiv 2005.00419 and
  the table in its published code). Landmarks of different categories that play the same part share one.
- sigmas: the official evaluation code, `pycocotools/cocoeval.py` of the DeepFashion2 API.
- colors: ours, chosen so that color-blind people can distinguish them, too.
"""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args


@dataclass(frozen=True, slots=True)
class Category:
    """One garment category. Landmark numbers are 1-based within the category, slots 0-based in the 294.

    - id: 1 to 13.
    - name: The dataset's name: "short sleeve top".
    - official_name: The official converter's name: "short_sleeved_shirt".
    - num_landmarks: 8 to 39.
    - first_slot: The slot of landmark 1 in the layout of 294.
    - color: "#rrggbb" for pictures and palettes.
    - skeleton: Edges between landmark numbers.
    - flip_pairs: Landmark numbers that change places when the image is mirrored; the others stay.
    - sigmas: OKS sigmas, one a landmark.
    - groups: For each landmark the number, 1 to 81, of the aggregated one that plays its part.
    """

    id: int
    name: str
    official_name: str
    num_landmarks: int
    first_slot: int
    color: str
    skeleton: tuple[tuple[int, int], ...]
    flip_pairs: tuple[tuple[int, int], ...]
    sigmas: tuple[float, ...]
    groups: tuple[int, ...]

    @property
    def landmark_names(self) -> tuple[str, ...]:
        """Names that are unique over all 294: "short_sleeve_top_1"."""
        stem = self.name.replace(" ", "_")
        return tuple(f"{stem}_{number}" for number in range(1, self.num_landmarks + 1))

    @property
    def slots(self) -> range:
        """The slots of this category in the layout of 294."""
        return range(self.first_slot, self.first_slot + self.num_landmarks)


def _path(text: str) -> tuple[int, ...]:
    """ "2 7..10 6" -> (2, 7, 8, 9, 10, 6); "10..7" counts down."""
    numbers: list[int] = []
    for part in text.split():
        first, _, last = part.partition("..")
        start, stop = int(first), int(last or first)
        step = 1 if stop >= start else -1
        numbers.extend(range(start, stop + step, step))
    return tuple(numbers)


def _edges(paths: str) -> tuple[tuple[int, int], ...]:
    return tuple(edge for path in paths.split("|") for edge in itertools.pairwise(_path(path)))


def _pairs(ones: str, others: str) -> tuple[tuple[int, int], ...]:
    return tuple(zip(_path(ones), _path(others), strict=True))


def _sigmas(text: str) -> tuple[float, ...]:
    return tuple(int(number) / 10_000 for number in text.split())


# First id, names, number of landmarks, first slot, color. A skeleton is written as paths:
# "2 7..25 6 | 2 1 6" walks 2, 7, 8, ... 25, 6 and then 2, 1, 6. Sigmas are written times 10,000.
# fmt: off
CATEGORIES: Final[tuple[Category, ...]] = (
    Category(
        1, "short sleeve top", "short_sleeved_shirt", 25, 0, "#8E80E4",
        skeleton=_edges("2 7..25 6 | 2..6 | 2 1 6"),
        flip_pairs=_pairs("2 3 7..15", "6 5 25..17"),
        groups=_path("1..6 9..14 41..43 47 44..46 15..20"),
        sigmas=_sigmas("120 158 169 165 169 158 298 329 321 323 340 388 452 574 492 352 492 574 "
                       "452 388 340 323 321 329 298"),
    ),
    Category(
        2, "long sleeve top", "long_sleeved_shirt", 33, 25, "#A8C9FF",
        skeleton=_edges("2 7..33 6 | 2..6 | 2 1 6"),
        flip_pairs=_pairs("2 3 7..19", "6 5 33..21"),
        groups=_path("1..6 21..30 41..43 47 44..46 31..40"),
        sigmas=_sigmas("194 170 185 193 185 170 286 471 547 526 430 392 513 566 509 564 542 604 "
                       "599 520 599 604 542 564 509 566 513 392 430 526 547 471 286"),
    ),
    Category(
        3, "short sleeve outwear", "short_sleeved_outwear", 31, 58, "#D86907",
        skeleton=_edges("2 7..16 31 30 4 | 2 3 4 | 2 1 6 25..17 29..26 5 6"),
        flip_pairs=_pairs("2 3 4 16 30 31 7..15", "6 5 26 29 27 28 25..17"),
        groups=_path("1..3 7 5 6 9..14 41..43 53 44..46 15..20 8 48..52"),
        sigmas=_sigmas("74 85 165 248 165 85 156 231 296 137 195 250 347 380 257 370 257 380 347 "
                       "250 195 137 296 231 156 248 469 632 370 469 632"),
    ),
    Category(
        4, "long sleeve outwear", "long_sleeved_outwear", 39, 89, "#F5B218",
        skeleton=_edges("2 7..20 39 38 4 | 2 3 4 | 2 1 6 33..21 37..34 5 6"),
        flip_pairs=_pairs("2 3 4 20 38 39 7..19", "6 5 34 37 35 36 33..21"),
        groups=_path("1..3 7 5 6 21..30 41..43 53 44..46 31..40 8 48..52"),
        sigmas=_sigmas("137 153 243 377 243 153 203 366 467 433 393 329 418 477 399 331 420 492 "
                       "436 478 436 492 420 331 399 477 418 329 393 433 467 366 203 377 645 573 "
                       "478 645 573"),
    ),
    Category(
        5, "vest", "vest", 15, 128, "#009A66",
        skeleton=_edges("2 7..15 6 | 2..6 | 2 1 6"),
        flip_pairs=_pairs("2 3 7..10", "6 5 15..12"),
        groups=_path("1..6 54 41..43 47 44..46 55"),
        sigmas=_sigmas("352 158 210 214 210 158 196 500 489 404 401 404 489 500 196"),
    ),
    Category(
        6, "sling", "sling", 15, 143, "#66E0CD",
        skeleton=_edges("7 2 8..14 6 15 | 2..6 | 2 1 6"),
        flip_pairs=_pairs("2 3 7..10", "6 5 15..12"),
        groups=_path("1..6 56 41..43 47 44..46 57"),
        sigmas=_sigmas("276 548 283 204 283 548 369 726 677 640 251 640 677 726 369"),
    ),
    Category(
        7, "shorts", "shorts", 10, 158, "#A27099",
        skeleton=_edges("1 4..10 3 2 1"),
        flip_pairs=_pairs("1 4..6", "3 10..8"),
        groups=_path("63..65 71 66 67 70 68 69 72"),
        sigmas=_sigmas("308 216 308 506 494 463 477 463 494 506"),
    ),
    Category(
        8, "trousers", "trousers", 14, 168, "#D5003A",
        skeleton=_edges("1 4..14 3 2 1"),
        flip_pairs=_pairs("1 4..8", "3 14..10"),
        groups=_path("63..65 71 73 66 67 74 70 75 68 69 76 72"),
        sigmas=_sigmas("275 202 275 651 451 350 280 392 362 392 280 350 451 651"),
    ),
    Category(
        9, "skirt", "skirt", 8, 182, "#89055E",
        skeleton=_edges("1 4..8 3 2 1"),
        flip_pairs=_pairs("1 4 5", "3 8 7"),
        groups=_path("63..65 77..81"),
        sigmas=_sigmas("253 195 253 513 543 415 543 513"),
    ),
    Category(
        10, "short sleeve dress", "short_sleeved_dress", 29, 190, "#4D2CA9",
        skeleton=_edges("2 7..29 6 | 2..6 | 2 1 6"),
        flip_pairs=_pairs("2 3 7..17", "6 5 29..19"),
        groups=_path("1..6 9..14 41..43 58..62 44..46 15..20"),
        sigmas=_sigmas("153 230 167 145 167 230 332 391 391 396 440 452 498 514 585 655 635 602 "
                       "635 655 585 514 498 452 440 396 391 391 332"),
    ),
    Category(
        11, "long sleeve dress", "long_sleeved_dress", 37, 219, "#08609E",
        skeleton=_edges("2 7..37 6 | 2..6 | 2 1 6"),
        flip_pairs=_pairs("2 3 7..21", "6 5 37..23"),
        groups=_path("1..6 21..30 41..43 58..62 44..46 31..40"),
        sigmas=_sigmas("121 134 158 162 158 134 246 406 470 404 463 466 435 499 455 440 411 490 "
                       "576 685 618 483 618 685 576 490 411 440 486 499 435 466 463 404 470 406 "
                       "246"),
    ),
    Category(
        12, "vest dress", "vest_dress", 19, 256, "#C3C26C",
        skeleton=_edges("2 7..19 6 | 2..6 | 2 1 6"),
        flip_pairs=_pairs("2 3 7..12", "6 5 19..14"),
        groups=_path("1..6 54 41..43 58..62 44..46 55"),
        sigmas=_sigmas("116 167 160 180 160 167 196 385 421 497 562 528 428 528 562 497 421 385 "
                       "196"),
    ),
    Category(
        13, "sling dress", "sling_dress", 19, 275, "#484D13",
        skeleton=_edges("7 2 8..18 6 19 | 2..6 | 2 1 6"),
        flip_pairs=_pairs("2 3 7..12", "6 5 19..14"),
        groups=_path("1..6 56 41..43 58..62 44..46 57"),
        sigmas=_sigmas("244 297 244 208 244 297 173 616 659 712 707 685 339 685 707 712 659 616 "
                       "173"),
    ),
)
# fmt: on

CATEGORY_BY_ID: Final[Mapping[int, Category]] = {category.id: category for category in CATEGORIES}

CATEGORY_BY_NAME: Final[Mapping[str, Category]] = {
    name: category for category in CATEGORIES for name in (category.name, category.official_name)
}
"""The dataset's name or the official converter's -> category."""


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name)).casefold()


_BY_PLAIN_NAME: Final = {_plain(name): category for name, category in CATEGORY_BY_NAME.items()}


def same_name(name: object) -> Category | None:
    """DeepFashion2's category of that name, the dataset's or the official converter's.

    Letters alone count, capitals as small ones: "ShortSleeveTop" and "short_sleeve-top" are the same.
    """
    return _BY_PLAIN_NAME.get(_plain(name)) if type(name) is str else None


NUM_LANDMARKS: Final = 294
"""Landmarks of all categories together: the slots of the unified layout."""

LANDMARK_NAMES: Final[tuple[str, ...]] = tuple(
    name for category in CATEGORIES for name in category.landmark_names
)
"""The 294 names, in slot order."""

SIGMAS: Final[tuple[float, ...]] = tuple(s for category in CATEGORIES for s in category.sigmas)
"""The 294 official OKS sigmas, in slot order."""

SKELETON: Final[tuple[tuple[int, int], ...]] = tuple(
    (c.first_slot + a, c.first_slot + b) for c in CATEGORIES for a, b in c.skeleton
)
"""The edges of all categories as 1-based numbers over the 294 (COCO counts skeletons from 1)."""


def flip_indices(count: int, pairs: Iterable[tuple[int, int]]) -> tuple[int, ...]:
    """For each of `count` slots the one that it becomes when `pairs` of them change places."""
    indices = list(range(count))
    for a, b in pairs:
        indices[a], indices[b] = b, a
    return tuple(indices)


FLIP_INDICES: Final[tuple[int, ...]] = flip_indices(
    NUM_LANDMARKS, ((c.slots[a - 1], c.slots[b - 1]) for c in CATEGORIES for a, b in c.flip_pairs)
)
"""For each of the 294 slots, the slot it becomes when the image is mirrored."""

ATTRIBUTES: Final[Mapping[str, tuple[str, str, str]]] = {
    "scale": ("small", "modest", "large"),
    "occlusion": ("slight", "medium", "heavy"),
    "zoom_in": ("none", "medium", "large"),
    "viewpoint": ("not worn", "frontal", "side or back"),
}
"""The attributes of an item and what their values mean."""

ATTRIBUTE_VALUES: Final = range(1, 4)

ImageSource: TypeAlias = Literal["user", "shop"]
SOURCES: Final[tuple[ImageSource, ...]] = get_args(ImageSource)
"""Where an image comes from: taken by a consumer, or by a commercial store."""
