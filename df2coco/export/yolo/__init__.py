"""All that is Ultralytics': the folder that it trains from, its labels, its `data.yaml`."""

from df2coco.export.yolo.dataset import export_yolo
from df2coco.export.yolo.labels import NOTES, YOLO_TASKS, YoloTask

__all__ = ["NOTES", "YOLO_TASKS", "YoloTask", "export_yolo"]
