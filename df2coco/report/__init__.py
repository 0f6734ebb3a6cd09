"""A COCO file on one page of HTML that needs nothing else: numbers, findings, charts, examples.

- `write_report(coco_file, images, out)` writes it.
"""

from df2coco.report.page import write_report

__all__ = ["write_report"]
