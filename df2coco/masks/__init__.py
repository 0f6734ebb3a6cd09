"""Masks of items and their areas, as pycocotools draws them."""

from __future__ import annotations

from df2coco.masks.union import union_area, union_areas, union_mask

__all__ = ["union_area", "union_areas", "union_mask"]
