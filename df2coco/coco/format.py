"""What a COCO file holds, as types."""

from __future__ import annotations

from typing import Any, TypeAlias, TypedDict

__all__ = ["CocoAnnotation", "CocoCategory", "CocoImage", "Entry"]

Entry: TypeAlias = dict[str, Any]
"""An image, an annotation or a category of any file: nothing is known of its fields."""


class _Image(TypedDict):
    id: int
    file_name: str
    width: int
    height: int


class CocoImage(_Image, total=False):
    """An image. `width` and `height` in pixels, after the rotation that EXIF asks for."""

    source: str
    pair_id: int


class _Annotation(TypedDict):
    id: int
    image_id: int
    category_id: int
    bbox: list[float]
    area: float
    iscrowd: int
    segmentation: list[list[float]]


class CocoAnnotation(_Annotation, total=False):
    """An item.

    `bbox` is x, y, w, h in pixels, origin top left; `area` in pixels; `segmentation` a list of polygons
    x1, y1, x2, y2, ... whose union is the mask; `keypoints` x1, y1, v1, ... of all slots of the layout.
    """

    keypoints: list[int]
    num_keypoints: int
    pair_id: int
    style: int
    scale: int
    occlusion: int
    zoom_in: int
    viewpoint: int
    item: str
    float_polygons: list[int]


class _Category(TypedDict):
    id: int
    name: str
    supercategory: str


class CocoCategory(_Category, total=False):
    """A category. `skeleton` counts from 1 in its `keypoints`, as COCO does."""

    keypoints: list[str]
    skeleton: list[list[int]]
