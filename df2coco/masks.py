"""Masks of items, as pycocotools draws them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["union_area", "union_mask"]


def union_mask(segmentation: Sequence[Sequence[float]], width: int, height: int) -> Any:
    """The union of polygons [x1, y1, x2, y2, ...] as one compressed RLE of `height` x `width` pixels.

    The polygons of one item overlap, so their areas must not be added; pixels outside the image do
    not count. The RLE is pycocotools' {"size": [height, width], "counts": bytes}.
    """
    from pycocotools import mask as coco_mask  # here, so that --help need not load numpy

    masks = coco_mask.frPyObjects(segmentation, height, width)
    return masks[0] if len(masks) == 1 else coco_mask.merge(masks)


def union_area(segmentation: Sequence[Sequence[float]], width: int, height: int) -> int:
    """The number of pixels in the union of polygons: COCO's `area`."""
    from pycocotools import mask as coco_mask

    return int(coco_mask.area(union_mask(segmentation, width, height)))
