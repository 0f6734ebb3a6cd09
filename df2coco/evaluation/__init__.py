"""The DeepFashion2 benchmarks of boxes, masks and landmarks."""

from df2coco.evaluation.detection import Evaluation, Scores, evaluate
from df2coco.evaluation.results import ResultsError

__all__ = ["Evaluation", "ResultsError", "Scores", "evaluate"]
