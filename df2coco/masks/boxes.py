"""How much two boxes have in common."""

from collections.abc import Sequence


def iou(a: Sequence[float], b: Sequence[float]) -> float:
    """The IoU of boxes x1, y1, x2, y2; 0 where one has no area, or a NaN."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    common = max(0, width) * max(0, height)
    both = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return common / (both - common) if both > common else 0.0
