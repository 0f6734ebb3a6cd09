"""The target format: what a COCO file holds, how one is read and how one is written."""

from __future__ import annotations

from df2coco.coco.format import CocoAnnotation, CocoCategory, CocoFile, CocoImage
from df2coco.coco.garments import find_garments, own_slots
from df2coco.coco.info import Conversion, conversion_of
from df2coco.coco.lists import iter_list, read_annotations
from df2coco.coco.reader import check_document, index, load, no_collection, read
from df2coco.coco.schema import FIELDS, USES, check_fields
from df2coco.coco.writer import OPEN_ID, Block, Writer

__all__ = [
    "FIELDS",
    "OPEN_ID",
    "USES",
    "Block",
    "CocoAnnotation",
    "CocoCategory",
    "CocoFile",
    "CocoImage",
    "Conversion",
    "Writer",
    "check_document",
    "check_fields",
    "conversion_of",
    "find_garments",
    "index",
    "iter_list",
    "load",
    "no_collection",
    "own_slots",
    "read",
    "read_annotations",
]
