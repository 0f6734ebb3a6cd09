"""One outline around each item's mask, for formats that know no other shape than one polygon."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

Point: TypeAlias = tuple[float, float]

_SMALLEST: Final = 1.0
"""Square pixels: smaller parts and holes come from edges that nearly meet, and cover no pixel."""

_MOST_POINTS: Final = 10_000
_MOST_CROSSINGS: Final = 5_000
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
    cover nothing, None where they have more than 10,000 points or cross more than 5,000 times.
    Needs shapely.
    """
    drawn = [
        # pycocotools draws no others
        [polygon for polygon in mask.segmentation if len(polygon) >= 6 and len(polygon) % 2 == 0]
        for mask in masks
    ]
    simple = [not _is_too_complex(polygons) for polygons in drawn]
    chosen = [number for number, is_simple in enumerate(simple) if is_simple and drawn[number]]
    rings = _rings([drawn[number] for number in chosen], [masks[number][1:] for number in chosen])
    joined = dict(zip(chosen, map(_join, rings), strict=True))
    return [joined.get(number, []) if ok else None for number, ok in enumerate(simple)]


def outline(segmentation: Sequence[Sequence[float]], width: int, height: int) -> list[Point] | None:
    """As `outlines`, of one mask."""
    return outlines([Polygons(segmentation, width, height)])[0]


def _is_too_complex(polygons: Sequence[Sequence[float]]) -> bool:
    num_points = sum(map(len, polygons)) // 2
    if num_points > _MOST_POINTS or num_points**2 <= 2 * _MOST_CROSSINGS:
        return num_points > _MOST_POINTS
    import numpy as np
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


def _rings(
    masks: Sequence[Sequence[Sequence[float]]], sizes: Sequence[tuple[int, int]]
) -> list[list[list[Point]]]:
    """The borders of each mask's union: of each part, and of each hole."""
    if not masks:
        return []
    import numpy as np
    import shapely

    mask_of = np.repeat(np.arange(len(masks)), list(map(len, masks)))
    lengths = [len(polygon) // 2 for polygons in masks for polygon in polygons]
    numbers = [n for polygons in masks for polygon in polygons for n in polygon]
    edge_of = np.repeat(np.arange(len(lengths)), lengths)
    polygons = shapely.polygons(
        shapely.linearrings(np.array(numbers, float).reshape(-1, 2), indices=edge_of)
    )
    for number in np.flatnonzero(~shapely.is_valid(polygons)):
        polygons[number] = _fill(polygons[number])
    groups = np.split(polygons, np.searchsorted(mask_of, np.arange(1, len(masks))))
    unions = np.array(
        [shapely.union_all(group) if len(group) > 1 else group[0] for group in groups]
    )
    left, top, right, bottom = shapely.bounds(unions).T
    width, height = np.array(sizes).T
    outside = (left < 0) | (top < 0) | (right > width) | (bottom > height)
    for number in np.flatnonzero(outside).tolist():
        unions[number] = shapely.intersection(unions[number], shapely.box(0, 0, *sizes[number]))
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
    result: list[list[list[Point]]] = [[] for _ in masks]
    for ring, number in zip(rings[kept], mask_of[kept], strict=True):
        result[number].append(list(map(tuple, shapely.get_coordinates(ring)[:-1].tolist())))
    return result


def _fill(polygon: Any) -> Any:
    """A polygon that crosses itself as what it covers, even-odd, also where it runs the same way twice."""
    import numpy as np
    import shapely

    line = shapely.get_exterior_ring(polygon)
    faces = shapely.get_parts(shapely.polygonize([shapely.unary_union(line)]))
    (ax, ay), (bx, by) = (
        shapely.get_coordinates(line).T[:, :-1],
        shapely.get_coordinates(line).T[:, 1:],
    )
    x, y = shapely.get_coordinates(shapely.point_on_surface(faces)).T[..., None]
    odd = np.zeros(len(faces), bool)
    step = 1_000_000 // len(ax) + 1
    for first in range(0, len(faces), step):
        some = slice(first, first + step)
        # A ray to the right crosses the edges an odd number of times.
        with np.errstate(divide="ignore", invalid="ignore"):
            right = x[some] < ax + (bx - ax) * (y[some] - ay) / (by - ay)
        odd[some] = (((ay > y[some]) != (by > y[some])) & right).sum(1) % 2 == 1
    return shapely.union_all(faces[odd])


def _join(rings: list[list[Point]]) -> list[Point]:
    """One ring out of several, by the shortest bridges between points that join them all."""
    points = [point for ring in rings for point in ring]
    after: list[int] = []
    for ring in rings:
        start = len(after)
        after += [*range(start + 1, start + len(ring)), start]
    for here, there in _bridges(rings) if len(rings) > 1 else ():
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
    import numpy as np

    points = np.concatenate(rings).T
    ring_of = np.repeat(np.arange(len(rings)), list(map(len, rings)))
    outside = np.ones(len(ring_of), bool)
    # Of each point outside, how near the rings are that are joined, and at which of their points.
    distance, nearest = np.full(len(ring_of), np.inf), np.zeros(len(ring_of), int)
    joined = 0
    for _ in rings[1:]:
        outside[ring_of == joined] = False
        for number in np.flatnonzero(ring_of == joined).tolist():
            here = ((points - points[:, number, None]) ** 2).sum(0)
            nearer = outside & (here < distance)
            distance[nearer], nearest[nearer] = here[nearer], number
        there = int(np.argmin(np.where(outside, distance, np.inf)))
        joined = ring_of[there]
        yield int(nearest[there]), there
