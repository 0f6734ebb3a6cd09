"""DeepFashion2 to COCO: convert, validate, evaluate, look.

Loaded when asked for, so that importing costs nothing that is not used:

- `convert(source, out)`: annotations to COCO files.
- `validate(path)`: what is wrong with a COCO file.
- `evaluate(kind, ground_truth, results)`: the benchmarks' numbers.
- `statistics(source)`: the numbers of a split.
- `draw(coco_file, images, out)`: pictures.
- `load(path)`: a COCO file, as pycocotools has it.
- `CATEGORIES`: the 13 categories with their landmarks.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from df2coco.version import __version__ as __version__

if TYPE_CHECKING:
    from df2coco.coco import load
    from df2coco.converter import convert
    from df2coco.drawing import draw
    from df2coco.evaluation import evaluate
    from df2coco.stats import statistics
    from df2coco.taxonomy import CATEGORIES
    from df2coco.validator import validate

__all__ = [
    "CATEGORIES",
    "convert",
    "draw",
    "evaluate",
    "load",
    "statistics",
    "validate",
]

_ROOMS: Final = {
    "CATEGORIES": "taxonomy",
    "convert": "converter",
    "draw": "drawing",
    "evaluate": "evaluation",
    "load": "coco",
    "statistics": "stats",
    "validate": "validator",
}


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_ROOMS[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
