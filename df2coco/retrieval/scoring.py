"""Consumer-to-shop retrieval: top-k accuracy, as the DeepFashion2 benchmark scores it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from df2coco.boxes import Box, from_corners, iou
from df2coco.coco.reader import ResultsSource, no_collection, open_source
from df2coco.coco.results import ResultDecoder
from df2coco.errors import CocoFileError, FaultError, check_choice, printable
from df2coco.evaluation.detection import Attribute
from df2coco.evaluation.results import USUAL, Faults, Numbered, read_entries
from df2coco.taxonomy import ATTRIBUTE_VALUES, ATTRIBUTES, CATEGORY_BY_ID

TOP: Final = (1, 5, 10, 15, 20)
"""The k of the top-k accuracies."""

ANSWERS: Final = TOP[-1]
"""Answers to a query that count; more are cut."""

_MATCH: Final = 0.5
"""The IoU from which on an answer's box is the gallery item's."""


@dataclass(frozen=True, slots=True)
class RetrievalScores:
    """Top-k accuracy over some query items.

    - top: k -> share of query items, from 0 to 1, with a right answer among the first k.
    - queries: Query items with style > 0.
    - missed: Those for which no detection stands: none in the image is nearest to them and of
      their class. Unlike `miss_num` of the official code, which prints no such number, items
      of images without any result are among them; the accuracies are over all query items in
      both.
    """

    top: dict[int, float]
    queries: int
    missed: int

    def as_json(self) -> dict[str, float]:
        tops = {f"top{k}": value for k, value in self.top.items()}
        return {**tops, "queries": self.queries, "missed": self.missed}


@dataclass(frozen=True, slots=True)
class RetrievalEvaluation:
    """How good the answers to queries are.

    - gallery_items: Items of the gallery.
    - results: Detections in query images that were scored.
    - scores: Over all query items.
    - per_category: Category name -> scores, for categories with query items.
    - by: The attribute that `subsets` are by, or None.
    - subsets: Value of the attribute `by` -> scores, for values with query items.
    - notes: What a person must know before believing the scores: one sentence each.
    """

    gallery_items: int
    results: int
    scores: RetrievalScores
    per_category: dict[str, RetrievalScores] = field(repr=False)
    by: str | None = None
    subsets: dict[str, RetrievalScores] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def as_json(self, *, per_category: bool = False) -> dict[str, Any]:
        """ "top1" to "top20", "queries" and "missed"; with "per_category", below "by" the subsets, and "notes"."""
        document: dict[str, Any] = self.scores.as_json()
        if per_category:
            document["per_category"] = {n: s.as_json() for n, s in self.per_category.items()}
        if self.by is not None:
            document["by"] = {self.by: {n: s.as_json() for n, s in self.subsets.items()}}
        return {**document, "notes": list(self.notes)}

    def __str__(self) -> str:
        return self.as_text()

    def as_text(self, *, per_category: bool = False) -> str:
        """What `df2coco evaluate retrieval` prints, but for the notes."""
        return "\n".join(map(printable, self._lines(per_category)))

    def _lines(self, per_category: bool) -> Iterator[str]:
        yield f"retrieval: {self.results:,} results, {self.gallery_items:,} gallery items"
        rows = {"all": self.scores, **self.subsets, **(self.per_category if per_category else {})}
        tops = "".join(f"{f'top{k}':>7}" for k in TOP)
        yield f"{self.by or '':<22}{tops}{'queries':>10}{'missed':>9}"
        for name, scores in rows.items():
            tops = "".join(f"{scores.top[k]:>7.3f}" for k in TOP)
            yield f"{name:<22}{tops}{scores.queries:>10,}{scores.missed:>9,}"


def evaluate_retrieval(
    query: ResultsSource,
    gallery: ResultsSource,
    results: ResultsSource,
    *,
    by: Attribute | None = None,
) -> RetrievalEvaluation:
    """Score the answers in `results` against the items in `query` and `gallery`: files, or lists of dicts.

    Every detection in a query image is given to the item with which its box has the largest IoU. For an
    item with style > 0 the one of the right class with the highest score counts; its k-th answer is right
    when the image named holds a gallery item of the same pair_id and style whose box has an IoU of 0.5 or
    more with the box named. At ties the first in the file counts. `by` is an attribute of the query items.
    Results for other images than those of `query` are ignored, and answers that name other images than
    those of `gallery` are wrong.

    Raises `OptionError` for a `by` that does not exist, `CocoFileError` when a file cannot be read, and
    `ResultsError` when an entry cannot be used.
    """
    check_choice("by", by, (None, *ATTRIBUTES))
    with no_collection():
        retrieval = _Retrieval(query, gallery, results, by)
    counted = [item for items in retrieval.items.values() for item in items if item.style > 0]
    if not counted:
        text = "no query item has a style > 0, so there is nothing to score."
        raise CocoFileError(text, file=retrieval.query)
    for item in counted:
        item.rank = retrieval.rank(item)
    values = ATTRIBUTES[by] if by is not None else ()
    return RetrievalEvaluation(
        gallery_items=retrieval.num_gallery,
        results=retrieval.num_results,
        scores=_scores(counted),
        per_category=_split(counted, "category", {n: c.name for n, c in CATEGORY_BY_ID.items()}),
        by=by,
        subsets=_split(counted, "value", dict(enumerate(values, start=1))),
        notes=tuple(retrieval.notes(counted)),
    )


@dataclass(slots=True, eq=False)
class _Item:
    """A query item, and the detection that stands for it."""

    box: Box
    style: int
    pair: int
    category: int
    value: int
    """The attribute `by`; 0 where the item has none."""
    score: float | None = None
    """None: no detection stands for it."""
    answers: Sequence[tuple[int, Box]] = ()
    """Image id and corners of each answer of that detection."""
    rank: int = ANSWERS
    """The place (0 to 19) of the first right answer, 20 for none."""


class _Retrieval:
    """The query items and the gallery, and the results, each given to its query item."""

    def __init__(
        self, query: ResultsSource, gallery: ResultsSource, results: ResultsSource, by: str | None
    ) -> None:
        self.items: dict[int, list[_Item]] = {}
        """The query items by image."""
        self.boxes: dict[tuple[int, int, int], list[Box]] = {}
        """(image id, pair_id, style) -> boxes of gallery items."""
        self.answered: set[int] = set()
        """Query images that have results."""
        self.ignored = self.answers = self.outside = 0
        """Results for other images; answers, and those of them that name an image outside the gallery."""
        self.steps: Counter[int] = Counter()
        """Class of the item minus class of the detection given to it."""
        self._by = by
        loaded = open_source(query, "the query items")
        self.query = loaded.path
        decoder = ResultDecoder("query items", {}, () if by is None else (by,))
        read_entries(loaded, decoder, self._take_queries, what="items")
        if by is not None and not any(i.value for items in self.items.values() for i in items):
            text = f"no item has {by!r}. Use a file of df2coco retrieval."
            raise CocoFileError(text, file=self.query)
        loaded = open_source(gallery, "the gallery items")
        self.gallery = loaded.path
        decoder = ResultDecoder("gallery items", {})
        self.num_gallery = read_entries(loaded, decoder, self._take_gallery, what="items")
        self._images = {image for image, _, _ in self.boxes}
        loaded = open_source(results, "the results")
        decoder = ResultDecoder("retrieval", {})
        self.num_results = read_entries(loaded, decoder, self._take_results, what="results")

    def _take_queries(self, part: Numbered) -> Faults:
        for _, entry in part:
            value: Any = None if self._by is None else getattr(entry, self._by)
            # What has no such attribute belongs to none of its values.
            is_known = type(value) in (int, float) and value in ATTRIBUTE_VALUES
            known = int(value) if is_known else 0
            box = from_corners(entry.bbox)
            item = _Item(box, entry.style, entry.pair_id, entry.cls, known)
            self.items.setdefault(entry.query_image_id, []).append(item)
        return ()

    def _take_gallery(self, part: Numbered) -> Faults:
        for _, entry in part:
            key = entry.gallery_image_id, entry.pair_id, entry.style
            self.boxes.setdefault(key, []).append(from_corners(entry.bbox))
        return ()

    def _take_results(self, part: Numbered) -> Faults:
        for index, result in part:
            category = result.query_cls
            images, boxes = result.gallery_image_id, result.gallery_bbox
            if category not in CATEGORY_BY_ID:
                hint = " They seem to be counted from 0: add 1 to each." if category == 0 else ""
                text = f"{category} is not one of the categories 1 to 13.{hint}"
                yield index, FaultError("query_cls", text)
            elif len(images) != len(boxes):
                text = f"{len(boxes)} boxes for {len(images)} gallery_image_id."
                yield index, FaultError("gallery_bbox", text)
            elif result.query_image_id not in self.items:
                self.ignored += 1
            else:
                self.answered.add(result.query_image_id)
                self.answers += len(images)
                self.outside += sum(image not in self._images for image in images)
                # The first of the file at ties.
                box, items = from_corners(result.query_bbox), self.items[result.query_image_id]
                item = max(items, key=lambda each: iou(box, each.box)) if items[1:] else items[0]
                self.steps[item.category - category] += 1
                is_better = item.score is None or result.query_score > item.score
                if category == item.category and is_better:
                    item.score = result.query_score
                    item.answers = list(zip(images, boxes, strict=True))[:ANSWERS]

    def rank(self, item: _Item) -> int:
        """The place (0 to 19) of the first right answer, 20 for none."""
        for place, (image, corners) in enumerate(item.answers):
            for other in self.boxes.get((image, item.pair, item.style), ()):
                if iou(from_corners(corners), other) >= _MATCH:
                    return place
        return ANSWERS

    def notes(self, counted: Sequence[_Item]) -> Iterator[str]:
        if not self.num_results:
            yield "There are no results, so nothing was found."
            return
        if self.ignored:
            text = f"{self.ignored:,} of {self.num_results:,} results are for images that are not "
            yield text + f"in {self.query}. They were ignored."
        if self.outside:
            text = f"{self.outside:,} of {self.answers:,} answers name an image that is not in "
            yield text + f"{self.gallery}. They count as wrong."
        if len(self.answered) < USUAL * len(self.items):
            text = f"The results are of {len(self.answered):,} of the {len(self.items):,} query "
            yield text + "images. The items of the other images count as missed."
        step, count = max(self.steps.items(), key=lambda each: each[1], default=(0, 0))
        if abs(step) == 1 and count > self.steps.total() / 2 and self.steps[0] < count / 4:
            yield f"The classes of the results seem to be shifted by one ({-step:+d})."
        partners = {(pair, style) for _, pair, style in self.boxes}
        alone = sum((item.pair, item.style) not in partners for item in counted)
        if alone:
            text = f"{alone:,} of {len(counted):,} query items have no item of their pair_id and "
            yield text + "style in the gallery, so no answer to them can be right."


def _scores(items: Sequence[_Item]) -> RetrievalScores:
    tops = {k: sum(item.rank < k for item in items) / len(items) for k in TOP}
    return RetrievalScores(tops, len(items), sum(item.score is None for item in items))


def _split(items: list[_Item], name: str, names: Mapping[int, str]) -> dict[str, RetrievalScores]:
    """Scores of the items with each value of a field; none for values without items."""
    groups = {t: [i for i in items if getattr(i, name) == value] for value, t in names.items()}
    return {text: _scores(own) for text, own in groups.items() if own}
