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
- `draw_image(image, annotations, categories)`: a picture for a notebook.
- `split(path, folder, parts=...)`, `merge(paths, out)`: one COCO file into several, several into one.
- `export_coco(sources, folder)`: a folder that stands alone, with its photos.
- `export_table(path, out)`: one row an item, as CSV or Parquet.
- `export_yolo(sources, folder)`, `export_roboflow(sources, folder)`: for tools that do not read one COCO file.
- `CATEGORIES`: the 13 categories with their landmarks.
- `Df2cocoError` and its children: all that is raised on purpose.
"""

import importlib
from typing import Any

from df2coco.version import __version__ as __version__

# Name -> its module, of the lines "from MODULE import NAME as NAME" in `__init__.pyi`.
# Type checkers and editors read that list, and so do we: there is no other.
_STUB = __loader__.get_data(f"{__path__[0]}/__init__.pyi").decode()
_LINES = (line.split() for line in _STUB.splitlines() if line.startswith("from "))
_HOMES = {words[3]: words[1] for words in _LINES if words[3] != "__version__"}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
