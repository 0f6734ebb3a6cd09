"""A dataset as other tools want it: their folders, labels and photos, and a table of the items."""

from df2coco.export.coco import export_coco, export_roboflow
from df2coco.export.datasets import PHOTOS, Exported, ExportedSplit
from df2coco.export.table import export_table
from df2coco.export.yolo import NOTES, YOLO_TASKS, YoloTask, export_yolo

__all__ = [
    "NOTES",
    "PHOTOS",
    "YOLO_TASKS",
    "Exported",
    "ExportedSplit",
    "YoloTask",
    "export_coco",
    "export_roboflow",
    "export_table",
    "export_yolo",
]
