"""The source format: DeepFashion2's folders, archives and annotation files, read as records."""

from __future__ import annotations

from df2coco.parser.annotation import parse_annotation, parse_image_id
from df2coco.parser.reader import Entry, Reader, Split, read_split
from df2coco.parser.records import NOTICES, ImageRecord, Item, Notice, NoticeKind, Number
from df2coco.parser.splits import find_images, find_splits, read

__all__ = [
    "NOTICES",
    "Entry",
    "ImageRecord",
    "Item",
    "Notice",
    "NoticeKind",
    "Number",
    "Reader",
    "Split",
    "find_images",
    "find_splits",
    "parse_annotation",
    "parse_image_id",
    "read",
    "read_split",
]
