"""Sharing out groups that must stay whole, so that every part gets its share of every kind."""

import random
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

_Group = TypeVar("_Group", bound=Hashable)


def share_out(
    groups: Mapping[_Group, Counter[Hashable]], shares: Sequence[float], seed: int
) -> dict[_Group, int]:
    """Group -> the number (from 0) of the part that it goes to.

    `groups` says how many of each kind are in a group, `shares` what part of all each part should get;
    they add up to 1. The same input and seed give the same parts, whatever the order of `groups`.

    Groups come by size, the largest first, and among groups of one size in random order. Parts take
    turns as their shares say, so that each gets its share of large and small groups. The next of some
    groups of about one size goes to the part whose turn it is: the one that brings what the part lacks
    most. A kind's distance from its share counts by its own total, so that rare kinds are shared out as
    well as frequent ones.
    """
    totals: Counter[Hashable] = Counter()
    for kinds in groups.values():
        totals.update(kinds)
    order = sorted(groups, key=repr)
    random.Random(seed).shuffle(order)
    order.sort(key=lambda group: -groups[group].total())
    seen: Counter[Hashable] = Counter()
    filled: list[Counter[Hashable]] = [Counter() for _ in shares]
    turns = [0.0] * len(shares)
    result: dict[_Group, int] = {}
    position = 0
    waiting: list[_Group] = []
    while position < len(order) or waiting:
        while len(waiting) < _CHOICE and position < len(order):
            waiting.append(order[position])
            seen.update(groups[order[position]])
            position += 1
        turns = [turn + share for turn, share in zip(turns, shares, strict=True)]
        part = max(range(len(shares)), key=lambda each: (turns[each], -each))
        turns[part] -= 1
        lacks: defaultdict[Hashable, float] = defaultdict(float)
        for kind, count in seen.items():
            lacks[kind] = (shares[part] * count - filled[part][kind]) / totals[kind]

        def gain(number: int, lacks: Mapping[Hashable, float] = lacks) -> float:
            kinds = groups[waiting[number]]
            return sum(count * lacks[kind] for kind, count in kinds.items())

        group = waiting.pop(max(range(len(waiting)), key=gain))
        filled[part].update(groups[group])
        result[group] = part
    return result


_CHOICE = 16
