"""A random sample of a split that does not tear pairs apart, taken in one pass."""

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from heapq import heappop, heappush
from typing import Final

from df2coco.coco.writer import Block
from df2coco.converter.chunk import Converted


def take_sample(converted: Iterable[Converted], size: int, seed: int) -> Iterator[Converted]:
    """Of results of one image each, those of a random sample of pairs, in their order.

    The sample is the fewest pairs, in a random order that `seed` decides, that have `size` images or more
    together. An image without a pair counts as one. The order depends on the pair alone, so that the same
    split and seed give the same sample whatever else is done.

    Notices come at once and without images, the chosen images at the end. Memory holds little more than
    the sample: a pair that is not needed any more is dropped, and so is the rest of it.
    """
    waiting: dict[int, list[tuple[int, Converted]]] = {}
    ranks: list[int] = []  # a heap of the negative ranks, so that the largest comes first
    held = 0
    limit = 1 << 64
    for number, image in enumerate(converted):
        yield image._replace(
            images=0, items_per_category={}, blocks=[_NO_BLOCK] * len(image.blocks)
        )
        rank = _rank(image.pair, seed)
        if not image.images or rank >= limit:
            continue
        if rank not in waiting:
            heappush(ranks, -rank)
        waiting.setdefault(rank, []).append((number, image))
        held += 1
        while held - len(waiting[-ranks[0]]) >= size:
            limit = -heappop(ranks)
            held -= len(waiting.pop(limit))
    chosen = sorted(
        (pair for pairs in waiting.values() for pair in pairs), key=lambda pair: pair[0]
    )
    for _, image in chosen:
        yield image._replace(notices=[])


_NO_BLOCK: Final = Block.join((), ())


def _rank(pair: str, seed: int) -> int:
    """A pair's place in the random order, 0 to 2^64 - 1."""
    return int.from_bytes(blake2b(f"{seed}:{pair}".encode(), digest_size=8).digest(), "big")
