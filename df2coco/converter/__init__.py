"""From records to COCO files and back."""

from df2coco.converter.options import Selection, Shape
from df2coco.converter.run import convert, image_info
from df2coco.converter.summary import ConversionError, Summary

__all__ = ["ConversionError", "Selection", "Shape", "Summary", "convert", "image_info"]
