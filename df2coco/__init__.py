"""DeepFashion2 to COCO: convert, validate, evaluate, look.

Loaded when asked for, so that importing costs nothing that is not used:

- `convert(source, out, selection=Selection(...), shape=Shape(...))`: annotations to COCO files.
- `image_info(images, out)`: a COCO file of images without annotations.
- `restore(path, folder)`: the annotation files again.
- `read(source)`: the records of a split, one image after the other, to work with in Python.
- `load(path)`: a COCO file, as pycocotools has it.
- `validate(path)`: what is wrong with a COCO file.
- `evaluate(kind, ground_truth, results)`, `evaluate_retrieval(...)`: the benchmarks' numbers.
- `statistics(source)`: the numbers of a split.
- `draw(coco_file, images, out)`, `write_report(coco_file, images, out)`: pictures, and a page.
- `split(path, folder, parts=...)`, `merge(paths, out)`: one COCO file into several, several into one.
- `export_yolo(sources, folder)`, `export_roboflow(sources, folder)`: for tools that do not read one COCO file.
- `CATEGORIES`: the 13 categories with their landmarks.
- `Df2cocoError` and its children: all that is raised on purpose.
"""

import importlib
from typing import TYPE_CHECKING, Any, Final

from df2coco.version import __version__ as __version__

if TYPE_CHECKING:
    from df2coco.coco import load
    from df2coco.converter import ConversionError, Selection, Shape, Summary, convert, image_info
    from df2coco.converter.restore import restore
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
    from df2coco.evaluation import evaluate, evaluate_retrieval
    from df2coco.export import export_roboflow, export_yolo
    from df2coco.parser import ImageRecord, Item, read
    from df2coco.report import write_report
    from df2coco.stats import statistics
    from df2coco.subsets import merge, split
    from df2coco.taxonomy import CATEGORIES
    from df2coco.validator import validate

__all__ = [
    "CATEGORIES",
    "CocoFileError",
    "ConversionError",
    "Df2cocoError",
    "ImageError",
    "ImageRecord",
    "Item",
    "OptionError",
    "OutputError",
    "PasswordError",
    "Selection",
    "Shape",
    "SourceError",
    "Summary",
    "WorkerError",
    "convert",
    "draw",
    "evaluate",
    "evaluate_retrieval",
    "export_roboflow",
    "export_yolo",
    "image_info",
    "load",
    "merge",
    "read",
    "restore",
    "split",
    "statistics",
    "validate",
    "write_report",
]

_MODULES: Final = {
    "CATEGORIES": "taxonomy",
    "CocoFileError": "errors",
    "ConversionError": "converter",
    "Df2cocoError": "errors",
    "ImageError": "errors",
    "ImageRecord": "parser",
    "Item": "parser",
    "OptionError": "errors",
    "OutputError": "errors",
    "PasswordError": "errors",
    "Selection": "converter",
    "Shape": "converter",
    "SourceError": "errors",
    "Summary": "converter",
    "WorkerError": "errors",
    "convert": "converter",
    "draw": "drawing",
    "evaluate": "evaluation",
    "evaluate_retrieval": "evaluation",
    "export_roboflow": "export",
    "export_yolo": "export",
    "image_info": "converter",
    "load": "coco",
    "merge": "subsets",
    "read": "parser",
    "restore": "converter.restore",
    "split": "subsets",
    "statistics": "stats",
    "validate": "validator",
    "write_report": "report",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
