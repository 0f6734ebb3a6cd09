"""From records to COCO files and back."""

from __future__ import annotations

from df2coco.converter.options import Selection, Shape
from df2coco.converter.run import ConversionError, Summary, convert, image_info

__all__ = ["ConversionError", "Selection", "Shape", "Summary", "convert", "image_info"]
