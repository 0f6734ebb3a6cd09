"""One outline around each item's mask, for formats that know no other shape than one polygon."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, TypeAlias

Point: TypeAlias = tuple[float, float]

_SMALLEST: Final = 1.0
"""Square pixels: smaller parts and holes come from edges that nearly meet, and cover no pixel."""

_MOST_POINTS: Final = 10_000
_MOST_CROSSINGS: Final = 5_000
_MOST_OWN_CROSSINGS: Final = 2_500
"""Masks with more points, or whose edges meet more often, all or those of a polygon, take seconds and have no use as
labels."""


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
    cover nothing, None where they have more than 10,000 points, cross more than 5,000 times or themselves
    more than 2,500 times.
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
    lengths = [len(polygon) // 2 for polygon in polygons]
    num_points = sum(lengths)
    if num_points > _MOST_POINTS or num_points**2 <= 2 * _MOST_OWN_CROSSINGS:
        return num_points > _MOST_POINTS
    import numpy as np
    import shapely

    rings = [np.asarray(polygon, float).reshape(-1, 2) for polygon in polygons]
    ends = np.concatenate([np.stack([ring, np.roll(ring, -1, 0)], 1) for ring in rings])
    edges = shapely.linestrings(ends)
    tree = shapely.STRtree(edges)
    ring_of = np.repeat(np.arange(len(lengths)), lengths)
    # Each edge meets itself, the one before and the one after; each crossing counts for both edges.
    own, all_ = (3 * num_points + 2 * most for most in (_MOST_OWN_CROSSINGS, _MOST_CROSSINGS))
    for start in range(0, num_points, 100):  # all at once could take GBs
        one, other = tree.query(edges[start : start + 100], "intersects")
        own -= np.count_nonzero(ring_of[start + one] == ring_of[other])
        all_ -= len(one)
        if own < 0 or all_ < 0:
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
    invalid = ~shapely.is_valid(polygons)
    polygons[invalid] = shapely.make_valid(polygons[invalid])  # even-odd
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
        there = int(np.where(outside, distance, np.inf).argmin())
        joined = ring_of[there]
        yield int(nearest[there]), there
