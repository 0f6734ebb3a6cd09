"""One outline around an item's mask, for formats that know no other shape than one polygon."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from df2coco.errors import Df2cocoError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Ring: TypeAlias = "NDArray[Any]"
"""(n, 2): the points x, y of a closed line, the first not repeated."""

_SMALLEST: Final = 1.0
"""Square pixels: smaller parts and holes come from edges that nearly meet, and cover no pixel."""


def outline(
    segmentation: Sequence[Sequence[float]], width: int, height: int
) -> list[tuple[float, float]]:
    """The union of polygons [x1, y1, x2, y2, ...] as the points x, y of one polygon inside the image.

    Separate parts and holes are joined to it by bridges of no width: a line there and the same line
    back. A polygon that crosses itself is filled as pycocotools fills it (even-odd). Parts run one way
    round and holes the other, so that both rules of filling give the same mask. [] where the polygons
    cover nothing. Needs shapely, see `check_shapely`.
    """
    rings = _rings(segmentation, width, height)
    points = [(float(x), float(y)) for x, y in _join(rings)] if rings else []
    # Some readers take a return to the first point for the end: no bridge must start there.
    start = next((n for n, point in enumerate(points) if points.count(point) == 1), 0)
    return points[start:] + points[:start]


def check_shapely() -> None:
    """Raise `Df2cocoError` when shapely is not installed."""
    try:
        import shapely  # noqa: F401
    except ImportError:
        raise Df2cocoError(
            'outlines of masks need shapely, which is not installed: pip install "df2coco[yolo]".'
        ) from None


def _rings(segmentation: Sequence[Sequence[float]], width: int, height: int) -> list[Ring]:
    """The borders of the union: of each part, and of each hole."""
    import numpy as np
    import shapely

    polygons = [
        shapely.make_valid(shapely.Polygon(np.asarray(polygon, float).reshape(-1, 2)))
        for polygon in segmentation
        if len(polygon) >= 6 and len(polygon) % 2 == 0  # pycocotools draws no others
    ]
    inside = shapely.intersection(shapely.union_all(polygons), shapely.box(0, 0, width, height))
    # A collection may hold points and lines too, where a polygon is flat.
    parts = [part for part in shapely.get_parts(inside) if part.geom_type == "Polygon"]
    large = [part for part in parts if part.area >= _SMALLEST]
    if not large:
        large = sorted(parts, key=lambda part: part.area)[-1:]
    rings = []
    for part in large:
        directed = shapely.orient_polygons(part)
        holes = [hole for hole in directed.interiors if shapely.Polygon(hole).area >= _SMALLEST]
        rings += [np.asarray(ring.coords)[:-1] for ring in (directed.exterior, *holes)]
    return rings


def _join(rings: list[Ring]) -> Ring:
    """One ring out of several: each time the nearest of the rest, where two of its points are nearest."""
    import numpy as np

    joined, *rest = sorted(rings, key=len, reverse=True)
    while rest:
        bridges = []
        for number, ring in enumerate(rest):
            distances = ((joined[:, None] - ring[None]) ** 2).sum(-1)
            here, there = np.unravel_index(distances.argmin(), distances.shape)
            bridges.append((distances[here, there], number, int(here), int(there)))
        _, number, here, there = min(bridges)
        ring = rest.pop(number)
        walk = np.roll(ring, -there, axis=0)
        joined = np.concatenate([joined[: here + 1], walk, walk[:1], joined[here:]])
    return joined
