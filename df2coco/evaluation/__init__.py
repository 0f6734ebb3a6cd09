"""The four DeepFashion2 benchmarks: boxes, masks, landmarks, and consumer-to-shop retrieval."""

from df2coco.evaluation.detection import Evaluation, Scores, evaluate
from df2coco.evaluation.entries import ResultsError
from df2coco.evaluation.retrieval import RetrievalEvaluation, RetrievalScores, evaluate_retrieval

__all__ = [
    "Evaluation",
    "ResultsError",
    "RetrievalEvaluation",
    "RetrievalScores",
    "Scores",
    "evaluate",
    "evaluate_retrieval",
]
