"""One outline around each item's mask, for formats that know no other shape than one polygon."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple, TypeAlias

from df2coco.lazy_numpy import np
from df2coco.limits import SHORTEST_POLYGON

Point: TypeAlias = tuple[float, float]

_SMALLEST: Final = 1.0
"""Square pixels: smaller parts and holes come from edges that nearly meet, and cover no pixel."""

_MOST_POINTS: Final = 10_000
_MOST_CROSSINGS: Final = 2_000
"""Masks with more points, or whose edges meet more often, take seconds and have no use as labels."""


class Polygons(NamedTuple):
    """An item's mask."""

    segmentation: Sequence[Sequence[float]]
    """Polygons [x1, y1, x2, y2, ...]."""
    width: int
    """Of the image."""
    height: int


def outlines(masks: Sequence[Polygons]) -> list[list[Point] | None]:
    """The union of each mask's polygons as the points x, y of one polygon inside its image.

    Separate parts and holes are joined to it by bridges of no width: a line there and the same line
    back. A polygon that crosses itself is filled as pycocotools fills it (even-odd). Parts run one way
    round and holes the other, so that both rules of filling give the same mask. [] where the polygons
    cover nothing, None where they have more than 10,000 points or cross more than 2,000 times.
    Needs shapely.
    """
    drawn = [
        # pycocotools draws no others
        [p for p in mask.segmentation if len(p) >= SHORTEST_POLYGON and len(p) % 2 == 0]
        for mask in masks
    ]
    simple = [not _is_too_complex(polygons) for polygons in drawn]
    chosen = [number for number, is_simple in enumerate(simple) if is_simple and drawn[number]]
    rings = _rings([masks[number]._replace(segmentation=drawn[number]) for number in chosen])
    joined = dict(zip(chosen, map(_join, rings), strict=True))
    return [joined.get(number, []) if ok else None for number, ok in enumerate(simple)]


def _is_too_complex(polygons: Sequence[Sequence[float]]) -> bool:
    num_points = sum(map(len, polygons)) // 2
    if num_points > _MOST_POINTS or num_points**2 <= 2 * _MOST_CROSSINGS:
        return num_points > _MOST_POINTS
    import shapely

    rings = [np.asarray(polygon, float).reshape(-1, 2) for polygon in polygons]
    ends = np.concatenate([np.stack([ring, np.roll(ring, -1, 0)], 1) for ring in rings])
    edges = shapely.linestrings(ends)
    tree = shapely.STRtree(edges)
    # Each edge meets itself, the one before and the one after; each crossing counts for both edges.
    left = 3 * num_points + 2 * _MOST_CROSSINGS
    for start in range(0, num_points, 100):  # all at once could take GBs
        left -= tree.query(edges[start : start + 100], "intersects").shape[1]
        if left < 0:
            return True
    return False


def _rings(masks: Sequence[Polygons]) -> list[list[list[Point]]]:
    """The borders of each mask's union: of each part, and of each hole."""
    if not masks:
        return []
    import shapely

    unions = _unions([mask.segmentation for mask in masks])
    left, top, right, bottom = shapely.bounds(unions).T
    width, height = np.array([mask[1:] for mask in masks]).T
    outside = (left < 0) | (top < 0) | (right > width) | (bottom > height)
    boxes = shapely.box(0, 0, width[outside], height[outside])
    unions[outside] = shapely.intersection(unions[outside], boxes)
    # A collection may hold points and lines too, where a polygon is flat.
    parts, mask_of = shapely.get_parts(unions, return_index=True)
    areas = shapely.area(parts)
    largest = np.zeros(len(masks))
    np.maximum.at(largest, mask_of, areas)
    kept = (areas > 0) & (areas >= np.minimum(largest, _SMALLEST)[mask_of])
    rings, part_of = shapely.get_rings(shapely.orient_polygons(parts[kept]), return_index=True)
    mask_of = mask_of[kept][part_of]
    is_hole = np.diff(part_of, prepend=-1) == 0
    kept = ~is_hole | (shapely.area(shapely.polygons(rings)) >= _SMALLEST)
    points = zip(*shapely.get_coordinates(rings[kept]).T.tolist(), strict=True)
    result: list[list[list[Point]]] = [[] for _ in masks]
    for number, length in zip(mask_of[kept], shapely.get_num_points(rings[kept]), strict=True):
        result[number].append(list(islice(points, length))[:-1])
    return result


def _unions(masks: Sequence[Sequence[Sequence[float]]]) -> Any:
    """What each mask's polygons cover; None where they cover nothing."""
    import shapely

    mask_of = np.repeat(np.arange(len(masks)), list(map(len, masks)))
    lengths = [len(polygon) // 2 for polygons in masks for polygon in polygons]
    numbers = [n for polygons in masks for polygon in polygons for n in polygon]
    points = np.array(numbers, float).reshape(-1, 2)
    rings = shapely.linearrings(points, indices=np.repeat(np.arange(len(lengths)), lengths))
    polygons = shapely.polygons(rings)
    crossed = ~shapely.is_valid(polygons)
    # Those that cross themselves become their faces that are inside, even-odd: shapely counts the edges
    # which a ray from a point meets, also those that run the same way twice.
    lines = shapely.union_all(rings[crossed, None], axis=1)
    faces, face_of = shapely.get_parts(shapely.polygonize(lines[:, None]), return_index=True)
    shapely.prepare(polygons[crossed])
    odd = shapely.intersects(polygons[crossed][face_of], shapely.point_on_surface(faces))
    parts = np.concatenate([polygons[~crossed], faces[odd]])
    mask_of = np.concatenate([mask_of[~crossed], mask_of[crossed][face_of[odd]]])
    # In most masks the largest part covers the others: they are the whole outline and its pieces.
    order = np.lexsort((-shapely.area(parts), mask_of))
    parts, mask_of = parts[order], mask_of[order]
    first = np.searchsorted(mask_of, mask_of)
    kept = first == np.arange(len(parts))
    kept[~kept] = ~shapely.covers(parts[first[~kept]], parts[~kept])
    unions = np.full(len(masks), None)
    shapely.multipolygons(parts[kept], indices=mask_of[kept], out=unions)
    several = np.bincount(mask_of[kept], minlength=len(masks)) > 1
    unions[several] = shapely.union_all(unions[several, None], axis=1)
    return unions


def _join(rings: list[list[Point]]) -> list[Point]:
    """One ring out of several, by the shortest bridges between points that join them all."""
    points = [point for ring in rings for point in ring]
    if len(rings) < 2 and len(set(points)) == len(points):
        return points
    after: list[int] = []
    for ring in rings:
        start = len(after)
        after += [*range(start + 1, start + len(ring)), start]
    for here, there in _bridges(rings):
        # Over to a copy of the one point, around its ring, and back to a copy of the other.
        points += [points[there], points[here]]
        after += [after[there], after[here]]
        after[here], after[there] = len(after) - 2, len(after) - 1
    # Some readers take a return to the first point for the end: no bridge must start there.
    count = Counter(points)
    place = next((n for n, point in enumerate(points) if count[point] == 1), 0)
    joined = []
    for _ in points:
        joined.append(points[place])
        place = after[place]
    return joined


def _bridges(rings: list[list[Point]]) -> Iterator[tuple[int, int]]:
    """The pairs of points, by their numbers, between which bridges join all rings (Prim)."""
    points = np.concatenate(rings).T
    ring_of = np.repeat(np.arange(len(rings)), list(map(len, rings)))
    # The points outside, how near the rings are that are joined, and at which of their points.
    outside = np.arange(len(ring_of))
    distance, nearest = np.full(len(ring_of), np.inf), np.zeros(len(ring_of), int)
    joined = 0
    for _ in rings[1:]:
        kept = ring_of[outside] != joined
        outside, distance, nearest = outside[kept], distance[kept], nearest[kept]
        others = points[:, None, outside]
        own = np.flatnonzero(ring_of == joined)
        for start in range(0, len(own), 100):  # all at once could take GBs
            some = own[start : start + 100]
            apart = ((points[:, some, None] - others) ** 2).sum(0)
            nearer = apart.min(0) < distance
            distance[nearer] = apart[:, nearer].min(0)
            nearest[nearer] = some[apart[:, nearer].argmin(0)]
        best = distance.argmin()
        joined = ring_of[outside[best]]
        yield int(nearest[best]), int(outside[best])
