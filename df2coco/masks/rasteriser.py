"""Areas and RLEs of many masks at once, to the pixel as pycocotools draws them.

pycocotools walks every outline in steps of a fifth of a pixel and keeps the steps on which it passes from
one column of pixels to the next (maskApi.c, rleFrPoly). Those alone are computed here, for all polygons
together: their places are known in advance, since edges are straight. Rounding is done in the same order,
so that the same pixels come out; `tests/test_rasteriser.py` holds both against each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, Final, NamedTuple, TypeAlias

from df2coco.lazy_numpy import Array, np

_Masks: TypeAlias = Sequence[Sequence[Sequence[float]]]
_Sizes: TypeAlias = Sequence[tuple[int, int]]

_SCALE: Final = 5
"""Steps a pixel (`scale` in rleFrPoly)."""


def count_pixels(segmentations: _Masks, sizes: _Sizes) -> list[int]:
    """Pixels in the union of each item's polygons [x1, y1, x2, y2, ...]; `sizes` are the images' (width, height).

    A pixel's place in the image, down the columns, is a 32-bit number here, polygon after polygon: width
    x height summed over all polygons must stay below 2^32.
    """
    begins, ends, first, _ = _runs(segmentations, sizes)
    areas = np.zeros(len(sizes), np.int64)
    filled = np.flatnonzero(np.diff(first))
    if len(filled):
        areas[filled] = np.add.reduceat(ends - begins, first[filled], dtype=np.int64)
    return areas.tolist()  # type: ignore[no-any-return]


def run_lengths(segmentations: _Masks, sizes: _Sizes) -> list[dict[str, Any]]:
    """Each mask as an uncompressed RLE, where no run but the first is 0; see `count_pixels`."""
    begins, ends, first, start = _runs(segmentations, sizes)
    apart = ends[:-1] < begins[1:]
    apart |= np.diff(np.repeat(np.arange(len(sizes)), np.diff(first))) > 0
    begins = np.append(begins[:1], begins[1:][apart])
    ends = np.append(ends[:-1][apart], ends[-1:])
    filled = begins < ends
    begins, ends = begins[filled], ends[filled]
    places = 2 * np.searchsorted(begins, start)
    edges = np.insert(np.stack([begins, ends], axis=1), places, start)
    places += np.arange(len(sizes))
    last = np.append(places[1:], len(edges)) - 1
    counts = np.diff(edges, append=edges[-1:])
    counts[last] = start + np.prod(np.array(sizes, np.uint32), axis=1) - edges[last]
    parts = map(counts.__getitem__, map(slice, places, last + (counts[last] > 0)))
    return [{"size": [h, w], "counts": c} for c, (w, h) in zip(parts, sizes, strict=True)]


def _runs(segmentations: _Masks, sizes: _Sizes) -> tuple[Array, Array, Array, Array]:
    """Where the runs of pixels in the items' masks begin and end; each item's first run, and at last their
    number; where the pixels of each item begin."""
    counts = np.fromiter(map(len, segmentations), np.intp, len(segmentations))
    polygons = list(chain.from_iterable(segmentations))
    lengths = np.fromiter(map(len, polygons), np.intp, len(polygons)) // 2
    item = np.repeat(np.arange(len(counts)), counts)
    width, height = np.array(sizes, np.int64).reshape(-1, 2)[item].T
    base = np.cumsum(width * height) - width * height
    numbers = np.fromiter(chain.from_iterable(polygons), np.float64, 2 * int(lengths.sum()))
    points = (_SCALE * numbers + 0.5).astype(np.int32).reshape(-1, 2)

    edges = _edges(points, lengths, width, height, base)
    crossings = np.bincount(edges.polygon, edges.columns, len(polygons)).astype(np.intp)
    dx, dy = np.abs(edges.end - edges.start).T
    wide, steep = np.flatnonzero(dx >= dy), np.flatnonzero(dx < dy)
    keys = np.concatenate([_keys(edges.take(wide), _wide), _keys(edges.take(steep), _steep)])
    # Keys rise along every edge: "stable" makes use of that, and takes a third of the time.
    keys.sort(kind="stable")

    start = np.append(base, 0)[np.cumsum(counts) - counts]
    # Down a column, a polygon begins at one crossing and ends at the next. Moved to where the item's
    # first polygon lies, its polygons overlap; then their union lacks what lies between the n-th end and
    # the next begin, where that comes later.
    runs = crossings // 2
    moved = np.repeat((base - start[item]).astype(np.uint32), runs)
    begins, ends = keys[0::2] - moved, keys[1::2] - moved
    begins.sort(kind="stable")
    ends.sort(kind="stable")
    np.minimum(ends[:-1], begins[1:], out=ends[:-1])
    return begins, ends, _from_zero(runs)[_from_zero(counts)], start


class _Edges(NamedTuple):
    """Edges that pass from a column to the next; points are (x, y) in fifths of a pixel."""

    start: Array
    """(E, 2): for a wide edge its left end, for a steep one its upper end."""
    end: Array
    column: Array
    """(E,): the first column that it leaves, counted from 0."""
    columns: Array
    """(E,): how many it leaves."""
    height: Array
    """(E,): the image's."""
    key: Array
    """(E,): of the first column's uppermost pixel."""
    polygon: Array

    def take(self, which: Array) -> _Edges:
        return _Edges(*(values[which] for values in self))


def _edges(points: Array, lengths: Array, width: Array, height: Array, base: Array) -> _Edges:
    polygon = np.repeat(np.arange(len(lengths)), lengths)
    following = np.arange(1, len(points) + 1)
    following[np.cumsum(lengths) - 1] -= lengths
    after = points[following]
    # Column c is left between the steps 5c + 2 and 5c + 3.
    left, right = np.minimum(points[:, 0], after[:, 0]), np.maximum(points[:, 0], after[:, 0])
    column = np.maximum((left + 2) // _SCALE, 0)
    count = np.minimum((right - 3) // _SCALE, width[polygon] - 1) - column + 1
    kept = np.flatnonzero(count > 0)
    points, after, column, count, polygon = (
        values[kept] for values in (points, after, column, count, polygon)
    )
    x, y = np.abs(after - points).T
    turned = np.where(x >= y, points[:, 0] > after[:, 0], points[:, 1] > after[:, 1])[:, None]
    start, end = np.where(turned, after, points), np.where(turned, points, after)
    tall = height[polygon]
    return _Edges(start, end, column, count, tall, base[polygon] + column * tall, polygon)


def _keys(edges: _Edges, crossing: Callable[[_Edges, Array, Array], Array]) -> Array:
    """The places, down the columns, where edges leave a column: (sum of columns,)."""
    total = int(edges.columns.sum())
    # What grows from one crossing of an edge to the next is a multiple of the crossing's number among all,
    # plus what belongs to the edge.
    before = np.cumsum(edges.columns) - edges.columns
    number = np.arange(total, dtype=np.int32)
    row = (np.maximum(crossing(edges, before, number), 2) + 2) // _SCALE
    height = np.repeat(edges.height.astype(np.int32), edges.columns)
    np.minimum(row, height, out=row)
    number *= height
    row += number
    keys = np.repeat((edges.key - before * edges.height).astype(np.uint32), edges.columns)
    keys += row.view(np.uint32)
    return keys


def _wide(edges: _Edges, before: Array, number: Array) -> Array:
    """The upper of the two steps around each crossing of edges that have a step for every x."""
    x, y = edges.start.T
    dx, dy = (edges.end - edges.start).T
    slope = dy / dx
    first = _SCALE * (edges.column - before) + 2 - x + (slope < 0)
    step = _SCALE * number
    step += np.repeat(first.astype(np.int32), edges.columns)
    place = np.repeat(slope, edges.columns)
    place *= step
    place += np.repeat(y, edges.columns)
    place += 0.5
    return place.astype(np.int32)


def _steep(edges: _Edges, before: Array, number: Array) -> Array:
    """The upper of the two steps around each crossing of edges that have a step for every y."""
    x, y = edges.start.T
    dx, dy = (edges.end - edges.start).T
    slope = np.repeat(dx / dy, edges.columns)
    start = np.repeat(x.astype(np.float64), edges.columns)
    beyond = np.repeat(_SCALE * (edges.column - before) + 3.0, edges.columns)
    beyond += _SCALE * number
    step = beyond - start
    step -= 0.5
    step /= slope
    np.rint(step, out=step)
    # The nearest step is the first behind the crossing, or the last before it: rounding decides which.
    upper = step.astype(np.int32)
    step *= slope
    step += start
    step += 0.5
    behind = (step >= beyond) == (slope > 0)
    upper += np.repeat(y, edges.columns)
    upper -= behind
    return upper


def _from_zero(values: Array) -> Array:
    """Running totals, with a 0 before the first."""
    return np.concatenate(([0], np.cumsum(values, dtype=np.int64)))
