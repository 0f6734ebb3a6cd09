"""The target format: what a COCO file holds, how one is read and how one is written."""

from df2coco.coco.lists import load

__all__ = ["load"]
