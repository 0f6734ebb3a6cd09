"""Which files a conversion writes, and what is in each."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from df2coco.converter.options import Selection, Shape, Task
from df2coco.errors import OptionError, OutputError, SourceError
from df2coco.parser.reader import Split
from df2coco.taxonomy import CATEGORIES


class Output(NamedTuple):
    """One COCO file."""

    path: Path
    shape: Shape
    """As `Shape.of_file` gives it."""
    category_id: int | None = None
    """Only this category's items, category and images."""


def plan_outputs(
    splits: Sequence[Split], out: Path, selection: Selection, shape: Shape, *, per_category: bool
) -> list[list[Output]]:
    """The files of each split. Raises `OutputError`, `OptionError` or `SourceError` for what does not fit."""
    if is_folder(out):
        if shape.preset is not None:
            raise OptionError(f"{shape.preset} is one file. Name a .json file.", field="preset")
        return [_family(split, out, selection, shape, per_category) for split in splits]
    if per_category:
        raise OutputError(
            "--per-category writes a file of each category. Name a folder instead of a .json file.",
            file=out,
        )
    if len(splits) > 1:
        names = ", ".join(split.name for split in splits)
        raise OutputError(f"one file for several splits ({names}). Name a folder.", file=out)
    if splits[0].reader.annotations is None:
        raise SourceError(
            f"{splits[0].reader.images_label}: images without annotations. "
            "Use df2coco image-info, or name the folder that holds annos too."
        )
    return [[Output(out, shape.of_file(shape.task or "keypoints"))]]


_SUFFIX: Final = re.compile(r"\.[A-Za-z]\w{0,7}")
"""What looks like the end of a file's name; that of a folder may have dots, too: coco-v1.2."""


def is_folder(out: Path) -> bool:
    """Whether OUT names a folder; else it is a .json file. Raises `OutputError` for anything else."""
    if os.path.isdir(out):
        return True
    suffix = out.suffix
    if suffix.lower() == ".json":
        return False
    if out.name == "-" or _SUFFIX.fullmatch(suffix):
        raise OutputError(
            "is not the name of a .json file. Name one, or a folder (a folder whose name looks "
            "like a file's must be there already).",
            file=out,
        )
    return True


def _family(
    split: Split, folder: Path, selection: Selection, shape: Shape, per_category: bool
) -> list[Output]:
    if split.reader.annotations is None:
        return [Output(folder / f"image_info_{split.name}.json", Shape().of_file("instances"))]
    tasks: tuple[Task, ...] = (shape.task,) if shape.task else ("instances", "keypoints")
    outputs = [Output(folder / f"{task}_{split.name}.json", shape.of_file(task)) for task in tasks]
    chosen = [c for c in CATEGORIES if not selection.categories or c.id in selection.category_ids]
    for category in chosen if per_category else ():
        name = f"deepfashion2_{category.official_name}_{split.name}.json"
        outputs.append(Output(folder / split.name / name, shape.of_file("keypoints"), category.id))
    return outputs
