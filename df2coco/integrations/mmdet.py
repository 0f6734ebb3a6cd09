"""MMDetection: the metainfo of a converted file, and a config fragment that uses it.

Nothing needs registering, MMDetection's own `CocoDataset` reads the file. It must know the names:
it drops the annotations whose category is not among them, with no warning, and numbers the labels in
the file's order, which is this one.
"""

from typing import Any, Final

from df2coco.integrations._source import literal, rgb
from df2coco.layouts import UNIFIED, Layout
from df2coco.taxonomy import CATEGORIES

METAINFO: Final[dict[str, Any]] = {
    "classes": tuple(category.name for category in CATEGORIES),
    "palette": [rgb(category) for category in CATEGORIES],
}
"""`classes`: the 13 names in label order. `palette`: red, green, blue (0 to 255) for each."""


def source(_: Layout = UNIFIED) -> str:
    """A config fragment: the dataset's part of a training config, to merge with a model's.

    MMDetection looks at no landmarks, so that all layouts have the same.
    """
    classes = "\n".join(f"        {literal(name)}," for name in METAINFO["classes"])
    palette = "\n".join(f"        {literal(color)}," for color in METAINFO["palette"])
    return f'''\
"""DeepFashion2 for MMDetection, written by `df2coco metainfo mmdet`.

Put it below the `_base_` line of your config, with the folder that holds train/image,
validation/image and the converted files as `data_root`.
"""

data_root = "data/deepfashion2/"

metainfo = dict(
    classes=(
{classes}
    ),
    palette=[
{palette}
    ],
)

train_dataloader = dict(
    dataset=dict(
        type="CocoDataset",
        metainfo=metainfo,
        data_root=data_root,
        ann_file="instances_train.json",
        data_prefix=dict(img="train/image/"),
    ),
)
val_dataloader = dict(
    dataset=dict(
        type="CocoDataset",
        metainfo=metainfo,
        data_root=data_root,
        ann_file="instances_validation.json",
        data_prefix=dict(img="validation/image/"),
        test_mode=True,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(
    type="CocoMetric",
    ann_file=data_root + "instances_validation.json",
    metric=["bbox", "segm"],
    classwise=True,
)
test_evaluator = val_evaluator

# The model has to know the number of classes too; where, depends on the model:
# model = dict(bbox_head=dict(num_classes=13))  # one stage, such as RetinaNet
# model = dict(  # two stages, such as Mask R-CNN
#     roi_head=dict(bbox_head=dict(num_classes=13), mask_head=dict(num_classes=13)),
# )
'''
