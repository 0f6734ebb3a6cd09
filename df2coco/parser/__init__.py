"""The source format: DeepFashion2's folders, archives and annotation files, read as records."""

from df2coco.parser.records import ImageRecord, Item
from df2coco.parser.splits import read

__all__ = ["ImageRecord", "Item", "read"]
