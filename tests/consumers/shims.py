"""What the frameworks' releases need before they load with today's numpy, Pillow and torch, on a CPU.

None of it touches how data is read, transformed or scored: names that numpy and Pillow dropped, and
stand-ins for compiled operators that these tests never call. Calling one raises `NotImplementedError`,
so no test can pass on a stub's result.
"""

from __future__ import annotations

import importlib.machinery
import sys
import types
from typing import Any

__all__ = ["install"]


class _Uncompiled(types.ModuleType):
    """A module in which every name is an operator that cannot be called."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def operator(*_: object, **__: object) -> None:
            raise NotImplementedError(f"{self.__name__}.{name} is a compiled operator")

        return operator


def _uncompiled(name: str) -> None:
    module = _Uncompiled(name)
    module.__spec__ = importlib.machinery.ModuleSpec(name, None)  # pkgutil and importlib ask for it
    sys.modules[name] = module


def install() -> None:
    """Put the names back; call before the first import of a framework."""
    # numpy 1.24 dropped the aliases of the built-in types; Detectron2 0.6 uses them.
    import numpy as np

    for alias in (bool, int, float, object, str):
        if alias.__name__ not in vars(np):
            setattr(np, alias.__name__, alias)

    # Pillow 10 dropped LINEAR, which is BILINEAR; Detectron2 0.6 has it as a default argument.
    from PIL import Image

    if not hasattr(Image, "LINEAR"):
        Image.LINEAR = Image.Resampling.BILINEAR  # type: ignore[attr-defined]

    # mmcv-lite has no compiled operators, yet MMDetection's masks import mmcv.ops.
    _uncompiled("mmcv._ext")

    # torchvision built for CUDA cannot load its operators beside a CPU torch, and then stops at its
    # own import because their schemas are unknown. Where the two fit nothing is done.
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        import torch

        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "FRAGMENT")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _KEEP.append(library)  # the definitions live as long as the object

    # The sdist's C++ part is not built.
    _uncompiled("detectron2._C")


_KEEP: list[object] = []
