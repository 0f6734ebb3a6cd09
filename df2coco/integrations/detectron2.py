"""Detectron2: register a converted file, and set what a config needs for it.

The tables name landmarks as the file does: unique over all 294, which Detectron2's flip relies on (it
looks a name up by its first occurrence). `register` and `add_config` use these tables and nothing
else of df2coco, so that `source()` can write them out as a module that stands alone.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Sequence
from typing import Any, Final

from df2coco.integrations._source import literal, rgb, rows
from df2coco.taxonomy import CATEGORIES, Category

__all__ = [
    "KEYPOINT_CONNECTION_RULES",
    "KEYPOINT_FLIP_MAP",
    "KEYPOINT_NAMES",
    "KEYPOINT_OKS_SIGMAS",
    "THING_CLASSES",
    "THING_COLORS",
    "add_config",
    "register",
    "source",
]


def _names(category: Category) -> Sequence[str]:
    return category.landmark_names


def _sigmas(category: Category) -> Sequence[float]:
    return category.sigmas


def _flips(category: Category) -> list[tuple[str, str]]:
    names = category.landmark_names
    return [(names[a - 1], names[b - 1]) for a, b in category.flip_pairs]


def _links(category: Category) -> list[tuple[str, str, tuple[int, int, int]]]:
    names = category.landmark_names
    return [(names[a - 1], names[b - 1], rgb(category)) for a, b in category.skeleton]


KEYPOINT_NAMES: Final = [name for category in CATEGORIES for name in _names(category)]
"""The 294 names, in slot order."""

KEYPOINT_FLIP_MAP: Final = [pair for category in CATEGORIES for pair in _flips(category)]
"""The pairs that change places when the image is mirrored, each once (Detectron2 adds the reverse)."""

KEYPOINT_CONNECTION_RULES: Final = [link for category in CATEGORIES for link in _links(category)]
"""The 304 links and their colours (red, green, blue, 0 to 255)."""

KEYPOINT_OKS_SIGMAS: Final = [sigma for category in CATEGORIES for sigma in _sigmas(category)]
"""The 294 OKS sigmas, in slot order. A list: the evaluator asks it for its truth value."""

THING_CLASSES: Final = [category.name for category in CATEGORIES]
"""The 13 names, in label order: label 0 is category 1."""

THING_COLORS: Final = [rgb(category) for category in CATEGORIES]
"""A colour for each category (red, green, blue, 0 to 255)."""


def register(
    name: str, json_file: str | os.PathLike[str], image_root: str | os.PathLike[str]
) -> None:
    """Put a converted file into the catalogs as `name`, with complete metadata.

    `image_root` is the folder of the images that the file names. The file is read when the dataset
    is first used; the metadata serves before that too, for an evaluator or a picture.
    """
    from detectron2.data import DatasetCatalog, MetadataCatalog
    from detectron2.data.datasets import load_coco_json

    json_file, image_root = os.fspath(json_file), os.fspath(image_root)
    metadata = MetadataCatalog.get(name)

    def load() -> list[dict[str, Any]]:
        # What the file calls its categories goes, should it be the official converter's names.
        vars(metadata).pop("thing_classes", None)
        return load_coco_json(json_file, image_root, name)  # type: ignore[no-any-return]

    DatasetCatalog.register(name, load)
    metadata.set(
        json_file=json_file,
        image_root=image_root,
        evaluator_type="coco",
        thing_classes=list(THING_CLASSES),
        thing_colors=THING_COLORS,
        thing_dataset_id_to_contiguous_id={k + 1: k for k in range(len(THING_CLASSES))},
        keypoint_names=KEYPOINT_NAMES,
        keypoint_flip_map=KEYPOINT_FLIP_MAP,
        keypoint_connection_rules=KEYPOINT_CONNECTION_RULES,
    )


def add_config(cfg: Any) -> None:
    """Set what the dataset asks of a `CfgNode`: 13 classes, 294 keypoints and their sigmas.

    With an instances file, which has no keypoints, set `cfg.MODEL.KEYPOINT_ON = False` afterwards.
    """
    cfg.MODEL.ROI_HEADS.NUM_CLASSES = len(THING_CLASSES)
    cfg.MODEL.RETINANET.NUM_CLASSES = len(THING_CLASSES)
    cfg.MODEL.KEYPOINT_ON = True
    cfg.MODEL.ROI_KEYPOINT_HEAD.NUM_KEYPOINTS = len(KEYPOINT_NAMES)
    cfg.TEST.KEYPOINT_OKS_SIGMAS = list(KEYPOINT_OKS_SIGMAS)


def source() -> str:
    """A module that needs Detectron2 and not df2coco: the tables, `register` and `add_config`."""

    def table(name: str, entries: Callable[[Category], Sequence[object]]) -> str:
        lines = rows(lambda category: map(literal, entries(category)), indent=4)
        return f"# fmt: off\n{name} = [\n{lines}\n]\n# fmt: on"

    tables = (
        table("KEYPOINT_NAMES", _names),
        table("KEYPOINT_FLIP_MAP", _flips),
        table("KEYPOINT_CONNECTION_RULES", _links),
        table("KEYPOINT_OKS_SIGMAS", _sigmas),
        table("THING_CLASSES", lambda category: [category.name]),
        table("THING_COLORS", lambda category: [rgb(category)]),
    )
    functions = (inspect.getsource(register), inspect.getsource(add_config))
    return "\n".join((_HEADING, *tables, "", *(f"\n{text}" for text in functions)))


_HEADING: Final = '''\
"""DeepFashion2 for Detectron2, written by `df2coco metainfo detectron2`.

Call `register(name, json_file, image_root)` for each converted file, and `add_config(cfg)` once.
"""

from __future__ import annotations

import os
from typing import Any
'''
