"""Masks of items and their areas, as pycocotools draws them."""

from df2coco.masks.union import (
    area_or_box,
    compressed,
    has_pixels,
    union_area,
    union_areas,
    union_mask,
)

__all__ = ["area_or_box", "compressed", "has_pixels", "union_area", "union_areas", "union_mask"]
