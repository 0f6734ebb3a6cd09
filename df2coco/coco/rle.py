"""Compressed run-length encodings of masks, read without trust in what they say."""

from collections.abc import Sequence
from typing import Any, Final

from df2coco.lazy_numpy import np

_CHARACTERS: Final = bytes(range(48, 112))

_LONGEST: Final = 7
"""Characters of one number: 35 bits, where 31 do for the largest mask."""

_BATCH: Final = 256
"""Masks that are read together: their arrays fit into a processor's cache."""


def mask_areas(counts: Sequence[str], pixels: Sequence[int]) -> list[int | None]:
    """The area in pixels of each mask, whose run lengths `counts` holds as text.

    None where it is not such a text, or where the runs do not fill `pixels` (height times width, up to
    2^30): pycocotools believes what it reads, and would read and write beyond the mask. A character has
    six bits: five of a number, and one that says that more follow; from the fourth on, a number is the
    difference to the last but one (pycocotools' maskApi.c, rleFrString).
    """
    areas: list[int | None] = [None] * len(counts)
    texts = [text.encode("ascii", "replace") for text in counts]
    readable = [
        number
        for number, text in enumerate(texts)
        if text and text[-1] < 80 and not text.translate(None, _CHARACTERS)
    ]
    for start in range(0, len(readable), _BATCH):
        batch = readable[start : start + _BATCH]
        zeros, ones, are_runs = _sums([texts[number] for number in batch])
        for number, total, area, fits in zip(batch, zeros + ones, ones, are_runs, strict=True):
            if fits and total == pixels[number]:
                areas[number] = int(area)
    return areas


def _sums(texts: Sequence[bytes]) -> tuple[Any, Any, Any]:
    """Of each mask the pixels outside and inside, and whether all its runs are from 0 to 2^30."""
    bits = np.frombuffer(b"".join(texts), np.uint8) - np.uint8(48)
    ends = np.flatnonzero(bits < 32)
    lengths = np.diff(ends, prepend=-1)
    numbers = (bits[ends].astype(np.int64) ^ 16) - 16  # the last character has the sign
    longer = np.arange(ends.size)
    for place in range(1, _LONGEST):
        longer = longer[lengths[longer] > place]
        numbers[longer] = (numbers[longer] << 5) | (bits[ends[longer] - place] & 31)
    # Rows of two, zeros and ones; each mask begins with a row of its own.
    stops = np.searchsorted(ends, np.cumsum([len(text) for text in texts]))
    counts = np.diff(stops, prepend=0)
    pairs = (counts + 1) // 2
    first = np.cumsum(pairs) - pairs
    runs = np.zeros((int(pairs.sum()), 2), np.int64)
    places = np.arange(numbers.size) + np.repeat(2 * first - (stops - counts), counts)
    runs.reshape(-1)[places] = numbers
    # The differences begin in the second row, and those of zeros with the second row itself.
    alone = runs[first, 0]
    runs[first, 0] = 0
    sums = np.cumsum(runs, axis=0)
    sums -= np.repeat(sums[first] - runs[first], pairs, axis=0)
    sums[first, 0] = alone
    sums[(first + pairs - 1)[counts % 2 == 1], 1] = 0
    low, high = (each.reduceat(sums, first) for each in (np.minimum, np.maximum))
    zeros, ones = np.add.reduceat(sums, first).T
    are_short = np.maximum.reduceat(lengths, stops - counts) <= _LONGEST
    return zeros, ones, are_short & (low.min(axis=1) >= 0) & (high.max(axis=1) <= 1 << 30)
