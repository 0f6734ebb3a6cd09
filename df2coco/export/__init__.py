"""A dataset as training tools want it that do not read one COCO file: their folders, labels and links."""

from df2coco.export.datasets import Exported, ExportedSplit
from df2coco.export.roboflow import export_roboflow
from df2coco.export.yolo import NOTES, YOLO_TASKS, YoloTask, export_yolo

__all__ = [
    "NOTES",
    "YOLO_TASKS",
    "Exported",
    "ExportedSplit",
    "YoloTask",
    "export_roboflow",
    "export_yolo",
]
