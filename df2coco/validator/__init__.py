"""What is wrong with a COCO file: checks in a table, findings as values.

A check is one function below `@check`, whose name is the code and whose docstring the prose, in one of the
modules here, and a file in `fixtures/findings` that has its defect and no other.
"""

from df2coco.validator.checks import LEVELS, NEEDS, Check, Hit
from df2coco.validator.examination import CHECK_BY_CODE, CHECKS, SCORED_IMAGES, validate
from df2coco.validator.report import Finding, Report

__all__ = [
    "CHECKS",
    "CHECK_BY_CODE",
    "LEVELS",
    "NEEDS",
    "SCORED_IMAGES",
    "Check",
    "Finding",
    "Hit",
    "Report",
    "validate",
]
