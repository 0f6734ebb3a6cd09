"""COCO files taken apart and put together: split and merge."""

from df2coco.subsets.merge import Merged, merge
from df2coco.subsets.split import Part, split

__all__ = ["Merged", "Part", "merge", "split"]
