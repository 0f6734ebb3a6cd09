"""Consumer-to-shop retrieval: top-k accuracy, as the DeepFashion2 benchmark scores it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from df2coco.boxes import Box, from_corners, iou
from df2coco.coco.reader import Loaded, ResultsSource, no_collection, open_source
from df2coco.coco.results import ResultDecoder
from df2coco.errors import CocoFileError, FaultError, check_choice, printable
from df2coco.evaluation.detection import Attribute
from df2coco.evaluation.notes import USUAL
from df2coco.evaluation.results import Faults, Numbered, read_entries
from df2coco.taxonomy import ATTRIBUTES, CATEGORY_BY_ID

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
        rows = {"all": self.scores, **self.subsets}
        if per_category:
            rows.update(self.per_category)
        yield (
            f"{self.by or '':<22}"
            + "".join(f"{f'top{k}':>7}" for k in TOP)
            + (f"{'queries':>10}{'missed':>9}")
        )
        for name, scores in rows.items():
            yield (
                f"{name:<22}"
                + "".join(f"{scores.top[k]:>7.3f}" for k in TOP)
                + (f"{scores.queries:>10,}{scores.missed:>9,}")
            )


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
        queries = _Queries(open_source(query, "the query items"), by)
        shop = _Gallery(open_source(gallery, "the gallery items"))
        answers = _Answers(open_source(results, "the results"), queries, shop)
    counted = [item for items in queries.images.values() for item in items if item.style > 0]
    if not counted:
        raise CocoFileError(
            "no query item has a style > 0, so there is nothing to score.", file=queries.path
        )
    for item in counted:
        item.rank = _rank(item, shop)
    values = ATTRIBUTES[by] if by is not None else ()
    return RetrievalEvaluation(
        gallery_items=shop.num_items,
        results=answers.num_results,
        scores=_scores(counted),
        per_category=_split(
            counted, "category", {number: c.name for number, c in CATEGORY_BY_ID.items()}
        ),
        by=by,
        subsets=_split(counted, "value", dict(enumerate(values, start=1))),
        notes=tuple(_notes(counted, queries, shop, answers)),
    )


# ---------------------------------------------------------------- reading


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


class _Queries:
    """The query items by image."""

    def __init__(self, source: Loaded, by: str | None) -> None:
        self.path = source.path
        self.images: dict[int, list[_Item]] = {}
        self._by = by
        decoder = ResultDecoder("query items", {}, () if by is None else (by,))
        read_entries(source, decoder, self._take, what="items")
        if by is not None and not any(i.value for items in self.images.values() for i in items):
            raise CocoFileError(
                f"no item has {by!r}. Use a file of df2coco retrieval.", file=self.path
            )

    def _take(self, part: Numbered) -> Faults:
        for _, entry in part:
            value = None if self._by is None else getattr(entry, self._by)
            # What has no such attribute belongs to none of its values.
            known = int(value) if type(value) in (int, float) and value in (1, 2, 3) else 0
            box = from_corners(entry.bbox)
            item = _Item(box, entry.style, entry.pair_id, entry.cls, known)
            self.images.setdefault(entry.query_image_id, []).append(item)
        return ()


class _Gallery:
    """The boxes of gallery items by what an answer must have in common with a query item."""

    def __init__(self, source: Loaded) -> None:
        self.path = source.path
        self.images: set[int] = set()
        self.boxes: dict[tuple[int, int, int], list[Box]] = {}
        """(image id, pair_id, style) -> boxes."""
        decoder = ResultDecoder("gallery items", {})
        self.num_items = read_entries(source, decoder, self._take, what="items")

    def _take(self, part: Numbered) -> Faults:
        for _, entry in part:
            self.images.add(entry.gallery_image_id)
            key = entry.gallery_image_id, entry.pair_id, entry.style
            self.boxes.setdefault(key, []).append(from_corners(entry.bbox))
        return ()


class _Answers:
    """Reads the results, gives each to its query item, and counts what a person must know."""

    def __init__(self, source: Loaded, queries: _Queries, shop: _Gallery) -> None:
        self._queries = queries
        self._shop = shop
        self.images: set[int] = set()
        """Query images that have results."""
        self.ignored = 0
        """Results for other images."""
        self.answers = self.outside = 0
        """Answers, and those among them that name an image outside the gallery."""
        self.steps: Counter[int] = Counter()
        """Class of the item minus class of the detection given to it."""
        decoder = ResultDecoder("retrieval", {})
        self.num_results = read_entries(source, decoder, self._take, what="results")

    def _take(self, part: Numbered) -> Faults:
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
            else:
                self._add(result, list(zip(images, boxes, strict=True)))

    def _add(self, result: Any, answers: list[tuple[int, Box]]) -> None:
        image, category, score = result.query_image_id, result.query_cls, result.query_score
        items = self._queries.images.get(image)
        if items is None:
            self.ignored += 1
            return
        self.images.add(image)
        self.answers += len(answers)
        self.outside += sum(other not in self._shop.images for other, _ in answers)
        # The first of the file at ties.
        box = from_corners(result.query_bbox)
        item = max(items, key=lambda each: iou(box, each.box)) if items[1:] else items[0]
        self.steps[item.category - category] += 1
        if category == item.category and (item.score is None or score > item.score):
            item.score, item.answers = score, answers[:ANSWERS]


# ---------------------------------------------------------------- scoring


def _rank(item: _Item, shop: _Gallery) -> int:
    """The place (0 to 19) of the first right answer, 20 for none."""
    for place, (image, corners) in enumerate(item.answers):
        for other in shop.boxes.get((image, item.pair, item.style), ()):
            if iou(from_corners(corners), other) >= _MATCH:
                return place
    return ANSWERS


def _scores(items: Sequence[_Item]) -> RetrievalScores:
    return RetrievalScores(
        {k: sum(item.rank < k for item in items) / len(items) for k in TOP},
        len(items),
        sum(item.score is None for item in items),
    )


def _split(
    items: Sequence[_Item], name: str, names: Mapping[int, str]
) -> dict[str, RetrievalScores]:
    """Scores of the items with each value of a field; none for values without items."""
    groups = {
        text: [i for i in items if getattr(i, name) == value] for value, text in names.items()
    }
    return {text: _scores(own) for text, own in groups.items() if own}


def _notes(
    counted: Sequence[_Item], queries: _Queries, shop: _Gallery, answers: _Answers
) -> Iterator[str]:
    if not answers.num_results:
        yield "There are no results, so nothing was found."
        return
    if answers.ignored:
        yield (
            f"{answers.ignored:,} of {answers.num_results:,} results are for images that are not in "
            f"{queries.path}. They were ignored."
        )
    if answers.outside:
        yield (
            f"{answers.outside:,} of {answers.answers:,} answers name an image that is not in {shop.path}. "
            "They count as wrong."
        )
    if len(answers.images) < USUAL * len(queries.images):
        yield (
            f"The results are of {len(answers.images):,} of the {len(queries.images):,} query images. The "
            "items of the other images count as missed."
        )
    step, count = max(answers.steps.items(), key=lambda each: each[1], default=(0, 0))
    if abs(step) == 1 and count > answers.steps.total() / 2 and answers.steps[0] < count / 4:
        yield f"The classes of the results seem to be shifted by one ({-step:+d})."
    partners = {(pair, style) for _, pair, style in shop.boxes}
    alone = sum((item.pair, item.style) not in partners for item in counted)
    if alone:
        yield (
            f"{alone:,} of {len(counted):,} query items have no item of their pair_id and style in the "
            "gallery, so no answer to them can be right."
        )
