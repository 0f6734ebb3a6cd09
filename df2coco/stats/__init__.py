"""Numbers of a split, published and otherwise: of the dataset itself or of any COCO file.

- `statistics(source)`: one split.
- `split_statistics(source)`: each of the splits at a source.
- `SplitStatistics`: what they return.
- `text_table(statistics)`: that as lines of text.
"""

from df2coco.stats.reading import split_statistics, statistics
from df2coco.stats.values import CategoryStatistics, SplitStatistics, quantile, text_table

__all__ = [
    "CategoryStatistics",
    "SplitStatistics",
    "quantile",
    "split_statistics",
    "statistics",
    "text_table",
]
