"""Consumer-to-shop retrieval: top-k accuracy, as the DeepFashion2 benchmark scores it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeGuard

from df2coco.coco.reader import no_collection
from df2coco.errors import CocoFileError
from df2coco.evaluation.entries import (
    FaultError,
    are_finite,
    finite_number,
    read_checked,
    shown,
    whole_number,
)
from df2coco.evaluation.sources import Loaded
from df2coco.taxonomy import ATTRIBUTES, CATEGORY_BY_ID

__all__ = ["ANSWERS", "TOP", "RetrievalEvaluation", "RetrievalScores", "evaluate_retrieval"]

TOP: Final = (1, 5, 10, 15, 20)
"""The k of the top-k accuracies."""

ANSWERS: Final = TOP[-1]
"""Answers to a query that count; more are cut."""

_MATCH: Final = 0.5
"""The IoU from which on an answer's box is the gallery item's."""


@dataclass(frozen=True, slots=True)
class RetrievalScores:
    """Top-k accuracy over some query items."""

    top: dict[int, float]
    """k -> share of query items, from 0 to 1, with a right answer among the first k."""
    queries: int
    """Query items with style > 0."""
    missed: int
    """Those for which no detection stands."""

    def as_json(self) -> dict[str, float]:
        tops = {f"top{k}": value for k, value in self.top.items()}
        return {**tops, "queries": self.queries, "missed": self.missed}


@dataclass(frozen=True, slots=True)
class RetrievalEvaluation:
    """How good the answers to queries are."""

    gallery_items: int
    results: int
    scores: RetrievalScores
    per_category: dict[str, RetrievalScores]
    """Category name -> scores, for categories with query items."""
    by: str | None = None
    subsets: dict[str, RetrievalScores] = field(default_factory=dict)
    """Value of the attribute `by` -> scores, for values with query items."""

    def as_json(self, *, per_category: bool = False) -> dict[str, Any]:
        """ "top1" to "top20", "queries" and "missed"; with "per_category", and the subsets below "by"."""
        document: dict[str, Any] = self.scores.as_json()
        if per_category:
            document["per_category"] = {n: s.as_json() for n, s in self.per_category.items()}
        if self.by is not None:
            document["by"] = {self.by: {n: s.as_json() for n, s in self.subsets.items()}}
        return document


def evaluate_retrieval(
    query: str | Path, gallery: str | Path, results: str | Path, *, by: str | None = None
) -> RetrievalEvaluation:
    """Score the answers in `results` against the items in `query` and `gallery`.

    Every detection in a query image is given to the item with which its box has the largest IoU. For an
    item with style > 0 the one of the right class with the highest score stands; its k-th answer is right
    when the image named holds a gallery item of the same pair_id and style whose box has an IoU of 0.5 or
    more with the box named. At ties the first in the file counts. `by` is an attribute of the query items.

    Raises `CocoFileError` when a file cannot be read, and `ResultsError` when an entry cannot be used.
    """
    with no_collection():
        queries = _read_items(Path(query), "query_image_id", ("style", "pair_id", "cls"), by)
        shop = _read_items(Path(gallery), "gallery_image_id", ("style", "pair_id"))
        answers = _read_answers(Path(results), queries, shop)
    counted = queries.columns["style"] > 0
    if not counted.any():
        raise CocoFileError(
            f"{query}: no query item has a style > 0, so there is nothing to score."
        )
    rank, stands = _ranks(queries, shop, answers)
    return RetrievalEvaluation(
        gallery_items=len(shop.boxes),
        results=len(answers.scores),
        scores=_scores(rank, stands, counted),
        per_category=_split(
            rank, stands, counted, queries.columns["cls"], {i: c.name for i, c in _CATEGORIES}
        ),
        by=by,
        subsets=_split(
            rank, stands, counted, queries.columns[by], dict(enumerate(ATTRIBUTES[by], start=1))
        )
        if by is not None
        else {},
    )


_CATEGORIES: Final = tuple(CATEGORY_BY_ID.items())


# ---------------------------------------------------------------- reading


@dataclass(frozen=True, slots=True)
class _Items:
    """Items of the query or gallery images."""

    path: Path
    images: Any
    """Image ids, shape (items,)."""
    boxes: Any
    """x1, y1, x2, y2, shape (items, 4)."""
    columns: Mapping[str, Any]
    """Other fields, each of shape (items,)."""


@dataclass(frozen=True, slots=True)
class _Answers:
    """Detected query items and what was found for them."""

    images: Any
    boxes: Any
    classes: Any
    scores: Any
    """Shape (detections,), as `images` and `classes`; `boxes` has (detections, 4)."""
    gallery_images: Any
    """Shape (detections, 20); -1 where there are fewer answers."""
    gallery_boxes: Any
    """Shape (detections, 20, 4)."""


def _read_items(path: Path, image: str, columns: Sequence[str], by: str | None = None) -> _Items:
    import numpy as np

    rows: list[list[int]] = []
    boxes: list[list[float]] = []

    def take(index: int, found: dict[str, Any]) -> None:
        del index
        row = [whole_number(found, name) for name in (image, *columns)]
        if by is not None:
            # What has no such attribute belongs to none of its values.
            row.append(found[by] if type(found.get(by)) is int else 0)
        boxes.append(_box(found, "bbox"))
        rows.append(row)

    read_checked(Loaded(path), take, what="items")
    names = (image, *columns, *((by,) if by is not None else ()))
    table = np.array(rows, np.int64).reshape(-1, len(names)).T
    found = dict(zip(names, table, strict=True))
    if by is not None and not found[by].any():
        raise CocoFileError(f"no item has {by!r}. Use a file of df2coco retrieval.", file=path)
    return _Items(path, found[image], np.array(boxes, float).reshape(-1, 4), found)


def _box(found: dict[str, Any], name: str) -> list[float]:
    box = found.get(name)
    if not _is_box(box):
        raise FaultError(name, f"{shown(found, name)}, expected 4 numbers x1, y1, x2, y2.")
    return box


def _is_box(box: Any) -> TypeGuard[list[float]]:
    return are_finite(box) and len(box) == 4 and box[0] <= box[2] and box[1] <= box[3]


def _read_answers(path: Path, queries: _Items, shop: _Items) -> _Answers:
    import numpy as np

    query_images = frozenset(queries.images.tolist())
    shop_images = frozenset(shop.images.tolist())
    rows: list[tuple[int, int, float]] = []
    boxes: list[list[float]] = []
    answer_images: list[list[int]] = []
    answer_boxes: list[list[list[float]]] = []

    def take(index: int, found: dict[str, Any]) -> None:
        del index
        image = whole_number(found, "query_image_id", "000001.jpg is 1")
        if image not in query_images:
            raise FaultError("query_image_id", f"{image} is no image of {queries.path}.")
        category = whole_number(found, "query_cls", "short sleeve top is 1")
        if category not in CATEGORY_BY_ID:
            raise FaultError("query_cls", f"{category} is none of the categories 1 to 13.")
        score = finite_number(found, "query_score")
        box = _box(found, "query_bbox")
        answers = _answers(found, shop, shop_images)
        rows.append((image, category, score))
        boxes.append(box)
        answer_images.append(answers[0])
        answer_boxes.append(answers[1])

    read_checked(Loaded(path), take, what="results")
    images, classes, scores = zip(*rows, strict=True) if rows else ((), (), ())
    return _Answers(
        np.array(images, np.int64),
        np.array(boxes, float).reshape(-1, 4),
        np.array(classes, np.int64),
        np.array(scores, float),
        np.array(answer_images, np.int64).reshape(-1, ANSWERS),
        np.array(answer_boxes, float).reshape(-1, ANSWERS, 4),
    )


def _answers(
    found: dict[str, Any], shop: _Items, shop_images: frozenset[int]
) -> tuple[list[int], list[list[float]]]:
    """The first 20 image ids and boxes of a result, filled up with -1 and empty boxes."""
    images, boxes = found.get("gallery_image_id"), found.get("gallery_bbox")
    if type(images) is not list or not {int}.issuperset(map(type, images)):
        raise FaultError("gallery_image_id", "expected a list of whole numbers.")
    if type(boxes) is not list or not all(map(_is_box, boxes)):
        raise FaultError("gallery_bbox", "expected a list of boxes x1, y1, x2, y2.")
    if len(images) != len(boxes):
        raise FaultError("gallery_bbox", f"{len(boxes)} boxes for {len(images)} gallery_image_id.")
    if not shop_images.issuperset(images):
        unknown = next(image for image in images if image not in shop_images)
        raise FaultError("gallery_image_id", f"{unknown} is no image of {shop.path}.")
    missing = ANSWERS - len(images)
    return (
        images[:ANSWERS] + [-1] * missing,
        boxes[:ANSWERS] + [[0.0] * 4] * missing,
    )


# ---------------------------------------------------------------- scoring


def _ranks(queries: _Items, shop: _Items, answers: _Answers) -> tuple[Any, Any]:
    """For each query item the place (0 to 19) of the first right answer, 20 for none; and whether a
    detection stands for it."""
    import numpy as np

    given = _nearest_item(queries, answers)
    right_class = np.flatnonzero(answers.classes == queries.columns["cls"][given])
    # The highest score first within each item; the sort is stable, so the first in the file wins ties.
    order = right_class[np.lexsort((-answers.scores[right_class], given[right_class]))]
    items, first = np.unique(given[order], return_index=True)
    standing = order[first]
    right = _right_answers(queries, shop, answers, items, standing)
    rank = np.full(len(queries.images), ANSWERS)
    rank[items] = np.where(right.any(axis=1), right.argmax(axis=1), ANSWERS)
    stands = np.zeros(len(queries.images), bool)
    stands[items] = True
    return rank, stands


def _nearest_item(queries: _Items, answers: _Answers) -> Any:
    """For each detection the index of the query item in its image with the largest IoU."""
    import numpy as np

    detection, item = _join(answers.images, queries.images)
    overlap = _iou(answers.boxes[detection], queries.boxes[item])
    # Detections in order, the largest overlap first, and the first item of the file at ties.
    order = np.lexsort((item, -overlap, detection))
    _, first = np.unique(detection[order], return_index=True)
    return item[order[first]]


def _right_answers(
    queries: _Items, shop: _Items, answers: _Answers, items: Any, standing: Any
) -> Any:
    """Which answers of the standing detections are right: shape (items, 20)."""
    import numpy as np

    wanted = np.stack([queries.columns[name][items] for name in ("pair_id", "style")], axis=-1)
    images = answers.gallery_images[standing]
    asked = np.concatenate(
        [images[..., None], np.broadcast_to(wanted[:, None], (*images.shape, 2))], axis=-1
    ).reshape(-1, 3)
    held = np.stack([shop.images, shop.columns["pair_id"], shop.columns["style"]], axis=-1)
    _, keys = np.unique(np.concatenate([asked, held]), axis=0, return_inverse=True)
    keys = keys.reshape(-1)
    answer, item = _join(keys[: len(asked)], keys[len(asked) :])
    boxes = answers.gallery_boxes[standing].reshape(-1, 4)
    right = np.zeros(len(asked), bool)
    right[answer[_iou(boxes[answer], shop.boxes[item]) >= _MATCH]] = True
    return right.reshape(-1, ANSWERS) & (queries.columns["style"][items] > 0)[:, None]


def _join(left: Any, right: Any) -> tuple[Any, Any]:
    """The indices (i, j) of all equal pairs left[i] == right[j], ordered by i and then by j."""
    import numpy as np

    order = np.argsort(right, kind="stable")
    start = np.searchsorted(right[order], left, "left")
    count = np.searchsorted(right[order], left, "right") - start
    i = np.repeat(np.arange(len(left)), count)
    within = np.arange(len(i)) - np.repeat(np.cumsum(count) - count, count)
    return i, order[np.repeat(start, count) + within]


def _iou(a: Any, b: Any) -> Any:
    """The IoU of boxes x1, y1, x2, y2, row by row, computed as pycocotools does from x, y, w, h."""
    import numpy as np

    a_size, b_size = a[:, 2:] - a[:, :2], b[:, 2:] - b[:, :2]
    low = np.maximum(a[:, :2], b[:, :2])
    sides = np.minimum(a_size + a[:, :2], b_size + b[:, :2]) - low
    common = np.where((sides > 0).all(axis=1), sides.prod(axis=1), 0.0)
    union = a_size.prod(axis=1) + b_size.prod(axis=1) - common
    return np.divide(common, union, out=np.zeros_like(common), where=union > 0)


def _scores(rank: Any, stands: Any, chosen: Any) -> RetrievalScores:
    queries = int(chosen.sum())
    return RetrievalScores(
        {k: int((rank[chosen] < k).sum()) / queries for k in TOP},
        queries,
        int((~stands[chosen]).sum()),
    )


def _split(
    rank: Any, stands: Any, counted: Any, column: Any, names: Mapping[int, str]
) -> dict[str, RetrievalScores]:
    """Scores of the query items with each value of a column; none for values without query items."""
    chosen = {name: counted & (column == value) for value, name in names.items()}
    return {name: _scores(rank, stands, own) for name, own in chosen.items() if own.any()}
