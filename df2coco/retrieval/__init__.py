"""Consumer-to-shop retrieval: its ground truth, and the benchmark's score of answers to it."""

from df2coco.retrieval.ground_truth import PAIR_COLUMNS, RetrievalSummary, write_retrieval
from df2coco.retrieval.scoring import RetrievalEvaluation, RetrievalScores, evaluate_retrieval

__all__ = [
    "PAIR_COLUMNS",
    "RetrievalEvaluation",
    "RetrievalScores",
    "RetrievalSummary",
    "evaluate_retrieval",
    "write_retrieval",
]
