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
- colors: ours, chosen so that color-blind people tell them apart, too.
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
    - flip_pairs: Landmark numbers that change places when the image is mirrored; the others
      stay.
    - sigmas: OKS sigmas, one a landmark.
    - groups: For each landmark the number, 1 to 81, of the aggregated landmark that plays its
      part.
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


def _pairs(text: str) -> tuple[tuple[int, int], ...]:
    return tuple((int(a), int(b)) for a, _, b in (pair.partition("-") for pair in text.split()))


# First id, names, number of landmarks, first slot, color. A skeleton is written as paths:
# "2 7..25 6 | 2 1 6" walks 2, 7, 8, ... 25, 6 and then 2, 1, 6.
# fmt: off
CATEGORIES: Final[tuple[Category, ...]] = (
    Category(
        1, "short sleeve top", "short_sleeved_shirt", 25, 0, "#8E80E4",
        skeleton=_edges("2 7..25 6 | 2..6 | 2 1 6"),
        flip_pairs=_pairs("2-6 3-5 7-25 8-24 9-23 10-22 11-21 12-20 13-19 14-18 15-17"),
        groups=_path("1..6 9..14 41..43 47 44..46 15..20"),
        sigmas=(
            0.012, 0.0158, 0.0169, 0.0165, 0.0169, 0.0158, 0.0298, 0.0329, 0.0321, 0.0323,
            0.034, 0.0388, 0.0452, 0.0574, 0.0492, 0.0352, 0.0492, 0.0574, 0.0452, 0.0388,
            0.034, 0.0323, 0.0321, 0.0329, 0.0298,
        ),
    ),
    Category(
        2, "long sleeve top", "long_sleeved_shirt", 33, 25, "#A8C9FF",
        skeleton=_edges("2 7..33 6 | 2..6 | 2 1 6"),
        flip_pairs=_pairs(
            "2-6 3-5 7-33 8-32 9-31 10-30 11-29 12-28 13-27 14-26 15-25 16-24 17-23 18-22 19-21"
        ),
        groups=_path("1..6 21..30 41..43 47 44..46 31..40"),
        sigmas=(
            0.0194, 0.017, 0.0185, 0.0193, 0.0185, 0.017, 0.0286, 0.0471, 0.0547, 0.0526,
            0.043, 0.0392, 0.0513, 0.0566, 0.0509, 0.0564, 0.0542, 0.0604, 0.0599, 0.052,
            0.0599, 0.0604, 0.0542, 0.0564, 0.0509, 0.0566, 0.0513, 0.0392, 0.043, 0.0526,
            0.0547, 0.0471, 0.0286,
        ),
    ),
    Category(
        3, "short sleeve outwear", "short_sleeved_outwear", 31, 58, "#D86907",
        skeleton=_edges("2 7..16 31 30 4 | 2 3 4 | 2 1 6 25..17 29..26 5 6"),
        flip_pairs=_pairs("2-6 3-5 4-26 16-29 30-27 31-28 7-25 8-24 9-23 10-22 11-21 12-20 13-19 14-18 15-17"),
        groups=_path("1..3 7 5 6 9..14 41..43 53 44..46 15..20 8 48..52"),
        sigmas=(
            0.0074, 0.0085, 0.0165, 0.0248, 0.0165, 0.0085, 0.0156, 0.0231, 0.0296, 0.0137,
            0.0195, 0.025, 0.0347, 0.038, 0.0257, 0.037, 0.0257, 0.038, 0.0347, 0.025,
            0.0195, 0.0137, 0.0296, 0.0231, 0.0156, 0.0248, 0.0469, 0.0632, 0.037, 0.0469,
            0.0632,
        ),
    ),
    Category(
        4, "long sleeve outwear", "long_sleeved_outwear", 39, 89, "#F5B218",
        skeleton=_edges("2 7..20 39 38 4 | 2 3 4 | 2 1 6 33..21 37..34 5 6"),
        flip_pairs=_pairs(
            "2-6 3-5 4-34 20-37 38-35 39-36 7-33 8-32 9-31 10-30 11-29 12-28 13-27 14-26 15-25 16-24 "
            "17-23 18-22 19-21"
        ),
        groups=_path("1..3 7 5 6 21..30 41..43 53 44..46 31..40 8 48..52"),
        sigmas=(
            0.0137, 0.0153, 0.0243, 0.0377, 0.0243, 0.0153, 0.0203, 0.0366, 0.0467, 0.0433,
            0.0393, 0.0329, 0.0418, 0.0477, 0.0399, 0.0331, 0.042, 0.0492, 0.0436, 0.0478,
            0.0436, 0.0492, 0.042, 0.0331, 0.0399, 0.0477, 0.0418, 0.0329, 0.0393, 0.0433,
            0.0467, 0.0366, 0.0203, 0.0377, 0.0645, 0.0573, 0.0478, 0.0645, 0.0573,
        ),
    ),
    Category(
        5, "vest", "vest", 15, 128, "#009A66",
        skeleton=_edges("2 7..15 6 | 2..6 | 2 1 6"),
        flip_pairs=_pairs("2-6 3-5 7-15 8-14 9-13 10-12"),
        groups=_path("1..6 54 41..43 47 44..46 55"),
        sigmas=(
            0.0352, 0.0158, 0.021, 0.0214, 0.021, 0.0158, 0.0196, 0.05, 0.0489, 0.0404,
            0.0401, 0.0404, 0.0489, 0.05, 0.0196,
        ),
    ),
    Category(
        6, "sling", "sling", 15, 143, "#66E0CD",
        skeleton=_edges("7 2 8..14 6 15 | 2..6 | 2 1 6"),
        flip_pairs=_pairs("2-6 3-5 7-15 8-14 9-13 10-12"),
        groups=_path("1..6 56 41..43 47 44..46 57"),
        sigmas=(
            0.0276, 0.0548, 0.0283, 0.0204, 0.0283, 0.0548, 0.0369, 0.0726, 0.0677, 0.064,
            0.0251, 0.064, 0.0677, 0.0726, 0.0369,
        ),
    ),
    Category(
        7, "shorts", "shorts", 10, 158, "#A27099",
        skeleton=_edges("1 4..10 3 2 1"),
        flip_pairs=_pairs("1-3 4-10 5-9 6-8"),
        groups=_path("63..65 71 66 67 70 68 69 72"),
        sigmas=(
            0.0308, 0.0216, 0.0308, 0.0506, 0.0494, 0.0463, 0.0477, 0.0463, 0.0494, 0.0506,
        ),
    ),
    Category(
        8, "trousers", "trousers", 14, 168, "#D5003A",
        skeleton=_edges("1 4..14 3 2 1"),
        flip_pairs=_pairs("1-3 4-14 5-13 6-12 7-11 8-10"),
        groups=_path("63..65 71 73 66 67 74 70 75 68 69 76 72"),
        sigmas=(
            0.0275, 0.0202, 0.0275, 0.0651, 0.0451, 0.035, 0.028, 0.0392, 0.0362, 0.0392,
            0.028, 0.035, 0.0451, 0.0651,
        ),
    ),
    Category(
        9, "skirt", "skirt", 8, 182, "#89055E",
        skeleton=_edges("1 4..8 3 2 1"),
        flip_pairs=_pairs("1-3 4-8 5-7"),
        groups=_path("63..65 77..81"),
        sigmas=(
            0.0253, 0.0195, 0.0253, 0.0513, 0.0543, 0.0415, 0.0543, 0.0513,
        ),
    ),
    Category(
        10, "short sleeve dress", "short_sleeved_dress", 29, 190, "#4D2CA9",
        skeleton=_edges("2 7..29 6 | 2..6 | 2 1 6"),
        flip_pairs=_pairs("2-6 3-5 7-29 8-28 9-27 10-26 11-25 12-24 13-23 14-22 15-21 16-20 17-19"),
        groups=_path("1..6 9..14 41..43 58..62 44..46 15..20"),
        sigmas=(
            0.0153, 0.023, 0.0167, 0.0145, 0.0167, 0.023, 0.0332, 0.0391, 0.0391, 0.0396,
            0.044, 0.0452, 0.0498, 0.0514, 0.0585, 0.0655, 0.0635, 0.0602, 0.0635, 0.0655,
            0.0585, 0.0514, 0.0498, 0.0452, 0.044, 0.0396, 0.0391, 0.0391, 0.0332,
        ),
    ),
    Category(
        11, "long sleeve dress", "long_sleeved_dress", 37, 219, "#08609E",
        skeleton=_edges("2 7..37 6 | 2..6 | 2 1 6"),
        flip_pairs=_pairs(
            "2-6 3-5 7-37 8-36 9-35 10-34 11-33 12-32 13-31 14-30 15-29 16-28 17-27 18-26 19-25 20-24 "
            "21-23"
        ),
        groups=_path("1..6 21..30 41..43 58..62 44..46 31..40"),
        sigmas=(
            0.0121, 0.0134, 0.0158, 0.0162, 0.0158, 0.0134, 0.0246, 0.0406, 0.047, 0.0404,
            0.0463, 0.0466, 0.0435, 0.0499, 0.0455, 0.044, 0.0411, 0.049, 0.0576, 0.0685,
            0.0618, 0.0483, 0.0618, 0.0685, 0.0576, 0.049, 0.0411, 0.044, 0.0486, 0.0499,
            0.0435, 0.0466, 0.0463, 0.0404, 0.047, 0.0406, 0.0246,
        ),
    ),
    Category(
        12, "vest dress", "vest_dress", 19, 256, "#C3C26C",
        skeleton=_edges("2 7..19 6 | 2..6 | 2 1 6"),
        flip_pairs=_pairs("2-6 3-5 7-19 8-18 9-17 10-16 11-15 12-14"),
        groups=_path("1..6 54 41..43 58..62 44..46 55"),
        sigmas=(
            0.0116, 0.0167, 0.016, 0.018, 0.016, 0.0167, 0.0196, 0.0385, 0.0421, 0.0497,
            0.0562, 0.0528, 0.0428, 0.0528, 0.0562, 0.0497, 0.0421, 0.0385, 0.0196,
        ),
    ),
    Category(
        13, "sling dress", "sling_dress", 19, 275, "#484D13",
        skeleton=_edges("7 2 8..18 6 19 | 2..6 | 2 1 6"),
        flip_pairs=_pairs("2-6 3-5 7-19 8-18 9-17 10-16 11-15 12-14"),
        groups=_path("1..6 56 41..43 58..62 44..46 57"),
        sigmas=(
            0.0244, 0.0297, 0.0244, 0.0208, 0.0244, 0.0297, 0.0173, 0.0616, 0.0659, 0.0712,
            0.0707, 0.0685, 0.0339, 0.0685, 0.0707, 0.0712, 0.0659, 0.0616, 0.0173,
        ),
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
"""The attributes of an item and what their values 1, 2, 3 mean."""

ImageSource: TypeAlias = Literal["user", "shop"]
SOURCES: Final[tuple[ImageSource, ...]] = get_args(ImageSource)
"""Where an image comes from: taken by a consumer, or by a commercial store."""
