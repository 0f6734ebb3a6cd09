"""A dataset as other tools want it: their folders, labels and photos, and a table of the items."""

from df2coco.export.coco import export_coco, export_roboflow
from df2coco.export.datasets import Exported, ExportedSplit
from df2coco.export.table import export_table
from df2coco.export.yolo import export_yolo

__all__ = [
    "Exported",
    "ExportedSplit",
    "export_coco",
    "export_roboflow",
    "export_table",
    "export_yolo",
]
