"""The target format: what a COCO file holds, how one is read and how one is written."""

from __future__ import annotations

from df2coco.coco.reader import load

__all__ = ["load"]
