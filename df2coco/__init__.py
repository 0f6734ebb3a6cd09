"""DeepFashion2 to COCO: convert, validate, evaluate, look.

Loaded when asked for, so that importing costs nothing that is not used:

- `convert(source, out, selection=Selection(...), shape=Shape(...))`: annotations to COCO files.
- `validate(path)`: what is wrong with a COCO file.
- `evaluate(kind, ground_truth, results)`: the benchmarks' numbers.
- `statistics(source)`: the numbers of a split.
- `draw(coco_file, images, out)`: pictures.
- `load(path)`: a COCO file, as pycocotools has it.
- `CATEGORIES`: the 13 categories with their landmarks.
- `Df2cocoError` and its children: all that is raised on purpose.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from df2coco.version import __version__ as __version__

if TYPE_CHECKING:
    from df2coco.coco import load
    from df2coco.converter import ConversionError, Selection, Shape, convert
    from df2coco.drawing import draw
    from df2coco.errors import (
        CocoFileError,
        Df2cocoError,
        ImageError,
        OptionError,
        OutputError,
        PasswordError,
        SourceError,
        WorkerError,
    )
    from df2coco.evaluation import evaluate
    from df2coco.stats import statistics
    from df2coco.taxonomy import CATEGORIES
    from df2coco.validator import validate

__all__ = [
    "CATEGORIES",
    "CocoFileError",
    "ConversionError",
    "Df2cocoError",
    "ImageError",
    "OptionError",
    "OutputError",
    "PasswordError",
    "Selection",
    "Shape",
    "SourceError",
    "WorkerError",
    "convert",
    "draw",
    "evaluate",
    "load",
    "statistics",
    "validate",
]

_MODULES: Final = {
    "CATEGORIES": "taxonomy",
    "CocoFileError": "errors",
    "ConversionError": "converter",
    "Df2cocoError": "errors",
    "ImageError": "errors",
    "OptionError": "errors",
    "OutputError": "errors",
    "PasswordError": "errors",
    "Selection": "converter",
    "Shape": "converter",
    "SourceError": "errors",
    "WorkerError": "errors",
    "convert": "converter",
    "draw": "drawing",
    "evaluate": "evaluation",
    "load": "coco",
    "statistics": "stats",
    "validate": "validator",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
