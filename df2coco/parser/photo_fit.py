"""Whether the photos are those that the annotations were made on, from how far the items reach in them.

The reach of an image is the largest x2 / width or y2 / height of its boxes, as its file gives them. In the right
photos it is never above 1, and often near 1, since people are cut by the borders of their photos.

- Smaller photos (a resized mirror), or those of another split, whose names are the same: boxes leave them.
- Larger photos: no item comes near the right or the lower border. The reach of an image is below t with a
  probability of about t^6 (measured from 0.5 to 0.9: 17 real samples and 6,000 synthetic images). Images of one garment
  are alike, so that n images count as n / 2: all of n are below t by chance in t^(3n) of cases.

Measured on a synthetic split of 6,000 images (`python -m tests.tools.synthetic`, seed 0), each of its runs of 3, 5,
10, 20, 50, 200 and 1,000 neighbours, and 104,000 random subsets of those sizes: no false alarm in 40,719 + 104,000.
Photos half as large are found from 3 images on, those of another split in 36 % of cases with 3, 95 % with 10, and
always from 20 on. Photos 4 times as large are found from 3 images on, 2 times from 10, 1.25 times from 20, and
1.1 times from 50 on. Below 1.1 times nothing can be said.
"""

import math
from collections.abc import Sequence
from typing import Final

from df2coco.parser.records import Notice

_FEWEST_LEAVING: Final = 2
_SHARE_LEAVING: Final = 0.05
"""Fewer boxes that leave their images are single faults, which have a notice each."""
_LEAVES: Final = 1.01
"""Boxes that are drawn a pixel or two too large do not say that the photo is another one."""
_FEWEST: Final = 3
_NOT_NEAR: Final = 0.95
_CHANCE: Final = 1e-5
_NOT_PIXELS: Final = 0.02
"""Nobody enlarges photos by so much: the boxes are not in pixels, and each has a notice that says so."""


def judge_photos(reaches: Sequence[float]) -> Notice | None:
    """A warning when the photos of a split are hardly those of its annotations, with the likely cause.

    `reaches` are the `ImageRecord.reach` of its images, those that are known.
    """
    if any(map(math.isnan, reaches)):
        return None
    furthest = max(reaches, default=0)
    leaving = sum(reach > _LEAVES for reach in reaches)
    if leaving >= _FEWEST_LEAVING and leaving >= _SHARE_LEAVING * len(reaches):
        text = f"in {leaving:,} of {len(reaches):,} images a box leaves the photo, by up to"
        text += f" {furthest:.3g} times its width or height. Probably "
        # Resized photos have one factor, which most boxes exceed or none by much; other photos have any size.
        if furthest <= 1.2 or leaving >= 0.6 * len(reaches):
            text += "the photos were made smaller after the annotations were made. Use the original photos."
        else:
            text += "these are the photos of another split: their names are the same."
            text += " Name the right ones with --images."
    else:
        if len(reaches) < _FEWEST or not _NOT_PIXELS < furthest <= _NOT_NEAR:
            return None
        if furthest ** (3 * len(reaches)) > _CHANCE:
            return None
        text = (
            f"in none of {len(reaches):,} images an item reaches further than {furthest:.0%} of the width or the "
            f"height. Probably the photos were enlarged, up to {1 / furthest:.2g} times, after the annotations were "
            "made. Use the original photos."
        )
    return Notice("other-photos", "", "", text)
