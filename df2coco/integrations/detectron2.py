"""Detectron2: register a converted file, and set what a config needs for it.

The tables name landmarks as the file does: unique over all 294, which Detectron2's flip relies on (it
looks a name up by its first occurrence). `register` and `add_config` use these tables and nothing
else of df2coco, so that `source()` can write them out as a module that stands alone.
"""

import inspect
import os
from typing import Any, Final

from df2coco.integrations._source import links, literal, rgb, rows, wrapped
from df2coco.layouts import UNIFIED, Layout
from df2coco.taxonomy import CATEGORIES


def keypoint_metadata(layout: Layout) -> dict[str, Any]:
    """What Detectron2 must know of a layout.

    `names` in slot order; `flip_map`: the pairs that change places when the image is mirrored, each once
    (Detectron2 adds the reverse); `connection_rules`: the links and their colors (red, green, blue, 0 to
    255); `oks_sigmas` in slot order, as a list: the evaluator asks it for its truth value.
    """
    names = layout.names
    return {
        "names": list(names),
        "flip_map": [(names[a], names[b]) for a, b in enumerate(layout.flip_indices) if a < b],
        "connection_rules": [(names[a], names[b], color) for a, b, color in links(layout)],
        "oks_sigmas": list(layout.sigmas),
    }


KEYPOINTS: Final = keypoint_metadata(UNIFIED)
"""The 294 landmarks."""

THING_CLASSES: Final = [category.name for category in CATEGORIES]
"""The 13 names, in label order: label 0 is category 1."""

THING_COLORS: Final = [rgb(category) for category in CATEGORIES]
"""A color for each category (red, green, blue, 0 to 255)."""


def register(
    name: str,
    json_file: str | os.PathLike[str],
    image_root: str | os.PathLike[str],
    keypoints: dict[str, Any] = KEYPOINTS,
) -> None:
    """Put a converted file into the catalogs as `name`, with complete metadata.

    `image_root` is the folder of the images that the file names. The file is read when the dataset
    is first used; the metadata serves before that too, for an evaluator or a picture. `keypoints`
    are those of the file's layout.
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
        keypoint_names=keypoints["names"],
        keypoint_flip_map=keypoints["flip_map"],
        keypoint_connection_rules=keypoints["connection_rules"],
    )


def add_config(cfg: Any, keypoints: dict[str, Any] = KEYPOINTS) -> None:
    """Set what the dataset needs in a `CfgNode`: 13 classes, the number of keypoints, their sigmas.

    With an instances file, which has no keypoints, set `cfg.MODEL.KEYPOINT_ON = False` afterwards.
    """
    cfg.MODEL.ROI_HEADS.NUM_CLASSES = len(THING_CLASSES)
    cfg.MODEL.RETINANET.NUM_CLASSES = len(THING_CLASSES)
    cfg.MODEL.KEYPOINT_ON = True
    cfg.MODEL.ROI_KEYPOINT_HEAD.NUM_KEYPOINTS = len(keypoints["names"])
    cfg.TEST.KEYPOINT_OKS_SIGMAS = list(keypoints["oks_sigmas"])


def source(layout: Layout = UNIFIED) -> str:
    """A module that needs Detectron2 and not df2coco: the tables, `register` and `add_config`."""
    slots = {name: slot for slot, name in enumerate(layout.names)}
    tables = ""
    for name, values in keypoint_metadata(layout).items():
        entries = [
            # A pair or a link stands with its first landmark's category.
            (number if name in ("names", "oks_sigmas") else slots[value[0]], literal(value))
            for number, value in enumerate(values)
        ]
        tables += f'    "{name}": [\n{rows(layout, entries)}\n    ],\n'
    functions = "\n\n".join(inspect.getsource(each) for each in (register, add_config)).rstrip()
    return f'''\
"""DeepFashion2 for Detectron2, written by `df2coco metainfo detectron2`.

Call `register(name, json_file, image_root)` for each converted file, and `add_config(cfg)` once.
"""


import os
from typing import Any

# fmt: off
KEYPOINTS: dict[str, Any] = {{
{tables}}}
THING_CLASSES = [
{wrapped(map(literal, THING_CLASSES), 4)}
]
THING_COLORS = [
{wrapped(map(literal, THING_COLORS), 4)}
]
# fmt: on


{functions}
'''
