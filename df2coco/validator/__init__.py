"""What is wrong with a COCO file: checks in a table, findings as values.

A check is an entry in the `CHECKS` of one of the modules here, and a file in `fixtures/findings` that has
its defect and no other.
"""

from df2coco.validator.document import LEVELS, Check, Hit
from df2coco.validator.examination import SCORED_IMAGES, validate
from df2coco.validator.report import Finding, Report
from df2coco.validator.table import CHECKS, checks_table

__all__ = [
    "CHECKS",
    "LEVELS",
    "SCORED_IMAGES",
    "Check",
    "Finding",
    "Hit",
    "Report",
    "checks_table",
    "validate",
]
