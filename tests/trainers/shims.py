"""What torchvision needs to load beside a torch for the CPU; the trainers import it.

PyPI's torchvision is built for CUDA and cannot load its compiled operators then. The one operator that
these tests call, non-maximum suppression, is given in plain torch.
"""

from __future__ import annotations

import sys
from typing import Any

import torch

__all__ = ["install"]

_KEEP: list[object] = []


def install() -> None:
    """Make `import torchvision` work; nothing is done where it does already."""
    try:
        import torchvision
    except RuntimeError:
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.impl("nms", _nms, "CPU")
        _KEEP.append(library)  # the definitions live as long as the object
        import torchvision.ops.boxes

        torchvision.ops.boxes._assert_has_ops = lambda: None


def _nms(boxes: Any, scores: Any, iou_threshold: float) -> Any:
    order, kept = scores.argsort(descending=True), []
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    while len(order):
        first, order = order[0], order[1:]
        kept.append(first)
        low = torch.maximum(boxes[first, :2], boxes[order, :2])
        high = torch.minimum(boxes[first, 2:], boxes[order, 2:])
        common = (high - low).clamp(0).prod(1)
        order = order[common <= iou_threshold * (areas[first] + areas[order] - common)]
    return torch.stack(kept) if kept else torch.zeros(0, dtype=torch.long)
