"""Compressed run-length encodings of masks, read without trust in what they say."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

_LONGEST: Final = 7
"""Characters of one number: 35 bits, where 31 do for the largest mask."""

_BATCH: Final = 1 << 16
"""Characters that are read together: their arrays fit into a processor's cache."""


def mask_areas(counts: Sequence[str], pixels: Sequence[int]) -> list[int | None]:
    """The area in pixels of each mask, whose run lengths `counts` holds as text.

    None where it is not such a text, or where the runs do not fill `pixels` (height times width, up to
    2^30): pycocotools believes what it reads, and would read and write beyond the mask. A character has
    six bits: five of a number, and one that says that more follow; from the fourth on, a number is the
    difference to the last but one (pycocotools' maskApi.c, rleFrString).
    """
    areas: list[int | None] = [None] * len(counts)
    for batch in _batches(counts):
        while batch:
            found, faulty = _areas([counts[n] for n in batch], [pixels[n] for n in batch])
            if not faulty.any():
                for n, area in zip(batch, found.tolist(), strict=True):
                    areas[n] = area
                break
            batch = [n for n, bad in zip(batch, faulty.tolist(), strict=True) if not bad]
    return areas


def _batches(counts: Sequence[str]) -> Iterator[list[int]]:
    """The masks that are read together, without those that are empty or not ASCII."""
    batch: list[int] = []
    size = 0
    for number, text in enumerate(counts):
        if not text or not text.isascii():
            continue
        batch.append(number)
        size += len(text)
        if size >= _BATCH:
            yield batch
            batch, size = [], 0
    yield batch


def _areas(texts: Sequence[str], pixels: Sequence[int]) -> tuple[Any, Any]:
    """The area of each mask, and which ones are faulty; the areas hold only if none is."""
    import numpy as np

    bits = np.frombuffer("".join(texts).encode("ascii"), np.uint8) - np.uint8(48)
    stops = np.cumsum([len(text) for text in texts])
    faulty = (bits[stops - 1] & 32).astype(bool)  # more should follow
    if bits.max() > 63:
        faulty[np.searchsorted(stops, np.flatnonzero(bits > 63), "right")] = True
    if faulty.any():
        return None, faulty
    ends = np.flatnonzero(bits < 32)
    lengths = np.diff(ends, prepend=-1)
    longest = int(lengths.max())
    if longest > _LONGEST:
        faulty[np.searchsorted(stops, ends[lengths > _LONGEST], "right")] = True
        return None, faulty
    counted = np.searchsorted(ends, stops - 1) + 1  # numbers up to the end of each mask
    runs, pairs = _runs(_numbers(bits, ends, lengths, longest), np.diff(counted, prepend=0))
    first = np.concatenate([[0], np.cumsum(pairs)[:-1]])
    low, high = (each.reduceat(runs, first).T for each in (np.minimum, np.maximum))
    faulty = (low.min(axis=0) < 0) | (high.max(axis=0) > 1 << 30)
    zeros, ones = np.add.reduceat(runs, first, dtype=np.int64).T
    return ones, faulty | (zeros + ones != pixels)


def _numbers(bits: Any, ends: Any, lengths: Any, longest: int) -> Any:
    """The signed numbers whose last characters stand at `ends`.

    32 bits do for six characters: where a sum of them leaves 0 to 2^30, the first value outside is at
    most 2^30 away, which 32 bits still keep apart from those inside.
    """
    import numpy as np

    kind = np.int32 if longest <= 6 else np.int64
    # The last character has the sign.
    numbers = (bits[ends].astype(kind) ^ 16) - 16
    longer = np.flatnonzero(lengths > 1)
    for place in range(1, longest):
        longer = longer[lengths[longer] > place]
        numbers[longer] = (numbers[longer] << 5) | (bits[ends[longer] - place] & 31)
    return numbers


def _runs(numbers: Any, counts: Any) -> tuple[Any, Any]:
    """The run lengths as rows of two, zeros and ones; and how many rows each mask has.

    `counts` says how many numbers are of each mask.
    """
    import numpy as np

    pairs = (counts + 1) // 2
    stops = np.cumsum(pairs)
    runs = np.zeros(2 * stops[-1], numbers.dtype)
    # Each mask begins with a row of its own.
    before = 2 * (stops - pairs) - (np.cumsum(counts) - counts)
    runs[np.arange(numbers.size) + np.repeat(before, counts)] = numbers
    runs = runs.reshape(-1, 2)
    first = stops - pairs
    # The differences begin in the second row, and those of zeros with the second row itself.
    alone = runs[first, 0]
    runs[first, 0] = 0
    padded = np.flatnonzero(counts % 2)
    sums = np.cumsum(runs, axis=0, dtype=numbers.dtype)
    start = sums[first] - runs[first]
    sums -= np.repeat(start, pairs, axis=0)
    sums[first, 0] = alone
    sums[stops[padded] - 1, 1] = 0
    return sums, pairs
