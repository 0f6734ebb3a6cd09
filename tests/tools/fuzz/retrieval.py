"""Query, gallery and answers of retrieval: what is scored must be what the protocol's own statement comes to."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from functools import partial
from typing import Any, TypeAlias

import orjson

from df2coco.retrieval import evaluate_retrieval
from tests.reference_protocols import retrieval_accuracy
from tests.tools.fuzz.cases import Case, Outcome, Watch, fuzz
from tests.tools.mutations import encode, mutate

_Lists: TypeAlias = list[list[dict[str, Any]]]


def retrieval_case(number: int, seed: int) -> tuple[_Lists, list[bytes]]:
    """Query, gallery and results that are good, and the same with faults in one of them, or in none."""
    rng = random.Random(f"retrieval {seed} {number}")
    lists = _good(rng)
    raw = [encode(entries) for entries in lists]
    odd = rng.randrange(6)
    if odd < 3:
        raw[odd] = mutate(copy.deepcopy(lists[odd]), rng)
    return lists, raw


def _good(rng: random.Random) -> _Lists:
    def corners() -> list[float]:
        x, y = rng.randrange(60), rng.randrange(60)
        return [x, y, x + rng.randrange(5, 40), y + rng.randrange(5, 40)]

    def item(image: int, side: str) -> dict[str, Any]:
        return {
            f"{side}_image_id": image, "bbox": corners(), "cls": rng.randrange(1, 4),
            "pair_id": rng.randrange(1, 4), "style": rng.randrange(3),
        }  # fmt: skip

    query = [item(n, "query") for n in range(1, 5) for _ in range(rng.randrange(1, 4))]
    gallery = [item(n, "gallery") for n in range(1, 7) for _ in range(rng.randrange(1, 3))]
    results = []
    for entry in query:
        answers = rng.choices(gallery, k=rng.randrange(1, 8))
        results.append(
            {
                "query_image_id": entry["query_image_id"],
                "query_bbox": rng.choice((entry["bbox"], corners())),
                "query_cls": rng.choice((entry["cls"], 1)),
                "query_score": rng.random(),
                "gallery_image_id": [answer["gallery_image_id"] for answer in answers],
                "gallery_bbox": [rng.choice((a["bbox"], corners())) for a in answers],
            }
        )
    for number, entry in enumerate(query + gallery, start=1):
        entry["item_id"] = number
    return [query, gallery, results]


def retrieval_batch(seed: int, numbers: range) -> Iterator[Case]:
    for number in numbers:
        _, raw = retrieval_case(number, seed)
        watch = Watch(number, b"\n\n".join(raw))
        accepted = watch.run(partial(_score, watch, raw))
        yield watch.end(accepted=accepted)


def _score(watch: Watch, raw: list[bytes]) -> None:
    documents = []
    for text in raw:
        try:
            documents.append(orjson.loads(text))
        except orjson.JSONDecodeError:
            return
    scores = evaluate_retrieval(*documents).scores.as_json()
    expected = retrieval_accuracy(*documents)
    for key, value in expected.items():
        if abs(scores[key] - value) > 1e-12:
            watch.fail(f"{key} is {scores[key]}, and {value} by the protocol")


def fuzz_retrieval(cases: int, seed: int, workers: int = 1) -> Outcome:
    return fuzz(retrieval_batch, cases, seed, workers)
