"""The two engines that match results to ground truth: pycocotools, the referee, and hotcoco, the fast one.

Both are given one category at a time. Categories never meet in COCO's evaluation, and neither do
images, so only the images that hold something of a category take part: the numbers are the same, and
pycocotools walks through 13 times fewer empty cells.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeAlias

from df2coco.coco import reader as coco
from df2coco.errors import Df2cocoError

__all__ = ["ENGINES", "Curves", "Engine", "EngineError", "choose_engine"]


class EngineError(Df2cocoError):
    """An engine that is asked for is not installed."""


class Curves(NamedTuple):
    """What COCOeval accumulates, for one category."""

    precision: Any
    """Array of shape (10 thresholds, 101 recalls, area ranges, detection limits); -1 without ground truth."""
    recall: Any
    """Array of shape (10 thresholds, area ranges, detection limits)."""


Engine: TypeAlias = Callable[
    [str, Sequence[dict[str, Any]], Sequence[dict[str, Any]], Sequence[float]], Curves
]
"""kind, annotations, results, sigmas -> curves. All of one category, in COCO's form; `area` and `id` on
each, `num_keypoints` 0 or an `area` outside all ranges on what is ignored."""


def _document(entries: Sequence[dict[str, Any]], image_ids: Iterable[int]) -> dict[str, Any]:
    category_id = entries[0]["category_id"] if entries else 1
    return {
        # Masks are given as RLEs, which know their size.
        "images": [{"id": i, "file_name": "", "width": 1, "height": 1} for i in image_ids],
        "categories": [{"id": category_id, "name": str(category_id)}],
        "annotations": entries,
    }


def _pycocotools(
    kind: str,
    annotations: Sequence[dict[str, Any]],
    results: Sequence[dict[str, Any]],
    sigmas: Sequence[float],
) -> Curves:
    import numpy as np
    from pycocotools.cocoeval import COCOeval

    image_ids = sorted({entry["image_id"] for entry in (*annotations, *results)})
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(
            coco.index(_document(annotations, image_ids)),
            coco.index(_document(results, image_ids)),
            kind,
        )
        evaluation.params.kpt_oks_sigmas = np.array(sigmas)
        evaluation.evaluate()
        evaluation.accumulate()
    accumulated = evaluation.eval
    return Curves(accumulated["precision"][:, :, 0], accumulated["recall"][:, 0])


def _hotcoco(
    kind: str,
    annotations: Sequence[dict[str, Any]],
    results: Sequence[dict[str, Any]],
    sigmas: Sequence[float],
) -> Curves:
    import hotcoco

    image_ids = sorted({entry["image_id"] for entry in (*annotations, *results)})
    with warnings.catch_warnings():
        # It warns that OKS with other sigmas than those of people is not COCO's.
        warnings.filterwarnings("ignore", message="hotcoco: kpt_oks_sigmas")
        evaluation = hotcoco.COCOeval(
            hotcoco.COCO(_document(annotations, image_ids)),
            hotcoco.COCO(_document(results, image_ids)),
            kind,
        )
        if kind == "keypoints":
            evaluation.params.kpt_oks_sigmas = list(sigmas)
        evaluation.evaluate()
        evaluation.accumulate()
    accumulated: Any = evaluation.eval
    return Curves(accumulated["precision"][:, :, 0], accumulated["recall"][:, 0])


ENGINES: Final[Mapping[str, Engine]] = MappingProxyType(
    {"hotcoco": _hotcoco, "pycocotools": _pycocotools}
)
"""Name -> engine, the fastest first."""


def choose_engine(name: str | None = None) -> str:
    """The engine of that name, or without one the fastest that is installed.

    Raises `EngineError` when `name` is not installed.
    """
    if name == "pycocotools":
        return name
    try:
        import hotcoco  # noqa: F401
    except ImportError:
        if name is None:
            return "pycocotools"
        raise EngineError(
            "hotcoco is not installed. Use --engine pycocotools, or: pip install df2coco[evaluate]"
        ) from None
    return "hotcoco"
