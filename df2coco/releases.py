"""How many images and items were released, to see whether a download is complete.

Counted on the released files. The paper's table counts more: half of train was never released.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Release:
    """The size of one split."""

    images: int
    items: int
    items_per_category: tuple[int, ...] = ()
    """Categories 1 to 13; () where it is not public."""
    user_images: int | None = None
    shop_images: int | None = None
    user_items: int | None = None
    shop_items: int | None = None
    pairs: int | None = None
    """Consumer-shop pairs; the paper's table alone has these."""
    query_items: int | None = None
    gallery_items: int | None = None


_TRAIN = (71645, 36064, 543, 13457, 16095, 1985, 36616, 55387, 30835, 17211, 7907, 17949, 6492)
_VALIDATION = (12556, 5966, 142, 2011, 2113, 322, 4167, 9586, 6522, 3127, 1477, 3352, 1149)

RELEASES: Final[Mapping[str, Release]] = {
    "train": Release(191_961, 312_186, _TRAIN, 59_804, 132_157, 83_628, 228_558),
    "validation": Release(32_153, 52_490, _VALIDATION, 10_844, 21_309, 15_529, 36_961),
    "test": Release(62_629, 101_351, (), 20_681, 41_948),
}
"""The released splits."""

PAPER: Final[Mapping[str, Release]] = {
    "train": Release(390_884, 636_624, pairs=685_584),
    "validation": Release(33_669, 54_910, pairs=62_563, query_items=12_550, gallery_items=37_183),
    "test": Release(67_342, 109_198, pairs=125_087, query_items=24_402, gallery_items=75_347),
}
"""Table 1 of the paper, as the paper and, for pairs, the dataset's README have it."""


def completeness(split: str, images: int, items: int) -> list[str]:
    """Whether a split of that name has all that was released; nothing for other splits."""
    release = RELEASES.get(split)
    if release is None or images < release.images / 2:
        return []  # somebody's sample, not a download that lost files
    missing = []
    if images != release.images:
        missing.append(f"{images:,} of {release.images:,} images")
    if items != release.items and split != "test":
        missing.append(f"{items:,} of {release.items:,} items")
    if missing:
        return [f"incomplete: {' and '.join(missing)} of the released {split} split."]
    return [f"complete: all that was released as {split}."]
