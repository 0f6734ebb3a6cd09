"""Counting: images and items go in one by one, tallies of parts add up, a split's statistics come out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from df2coco.errors import printable
from df2coco.releases import RELEASES
from df2coco.stats.values import CategoryStatistics, SplitStatistics, gaps
from df2coco.taxonomy import ATTRIBUTES, SOURCES


class CountedCategory(NamedTuple):
    """A category of the split or file."""

    id: int
    name: str
    num_landmarks: int


class ItemFacts(NamedTuple):
    """What is counted of an item."""

    category_id: int
    box: tuple[float, float]
    """Width and height in pixels."""
    area: float | None
    """Pixels of the mask; None when not known."""
    has_mask: bool
    points: tuple[int, int] | None
    """Visible and occluded landmarks; None when the item has no field for them."""
    pair_id: int | None
    style: int | None
    attributes: Sequence[int | None]
    """In the order of `ATTRIBUTES`; 1, 2, 3 or None."""


@dataclass(slots=True)
class Tally:
    """Counts of a part of a split."""

    ids: list[int] = field(default_factory=list)
    items: Counter[int] = field(default_factory=Counter)
    """Category id -> items."""
    with_landmarks: Counter[int] = field(default_factory=Counter)
    """Category id -> items that have the field."""
    visible: Counter[int] = field(default_factory=Counter)
    occluded: Counter[int] = field(default_factory=Counter)
    labelled_items: int = 0
    masks: int = 0
    images_per_source: Counter[str] = field(default_factory=Counter)
    items_per_source: Counter[str] = field(default_factory=Counter)
    styles: Counter[tuple[str, int | None, int]] = field(default_factory=Counter)
    """Source, pair_id, style > 0 -> items."""
    with_style: int = 0
    attributes: Counter[tuple[str, int]] = field(default_factory=Counter)
    items_per_image: Counter[int] = field(default_factory=Counter)
    image_sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    box_sizes: Counter[int] = field(default_factory=Counter)
    box_shares: Counter[int] = field(default_factory=Counter)
    mask_shares: Counter[int] = field(default_factory=Counter)
    notices: Counter[str] = field(default_factory=Counter)
    reaches: list[float] = field(default_factory=list)
    """See `ImageRecord.reach`."""

    def add_image(
        self,
        image_id: int,
        size: tuple[int, int] | None,
        source: str | None,
        items: Sequence[ItemFacts],
    ) -> None:
        """Count an image and its items; `size` is its width and height, None when not known."""
        self.ids.append(image_id)
        self.items_per_image[len(items)] += 1
        if size is not None:
            self.image_sizes[size] += 1
        if source is not None:
            self.images_per_source[source] += 1
            self.items_per_source[source] += len(items)
        for item in items:
            self.add_item(item, size, source)

    def add_item(self, item: ItemFacts, size: tuple[int, int] | None, source: str | None) -> None:
        """Count an item by itself; see `add_image`."""
        self.items[item.category_id] += 1
        self.masks += item.has_mask
        if item.points is not None:
            self.with_landmarks[item.category_id] += 1
            self.visible[item.category_id] += item.points[0]
            self.occluded[item.category_id] += item.points[1]
            self.labelled_items += any(item.points)
        if item.style is not None:
            self.with_style += 1
            if item.style > 0 and source is not None:
                self.styles[source, item.pair_id, item.style] += 1
        for name, value in zip(ATTRIBUTES, item.attributes, strict=True):
            if value is not None:
                self.attributes[name, value] += 1
        box_area = item.box[0] * item.box[1]
        if box_area > 0:
            self.box_sizes[round(math.sqrt(box_area))] += 1
            if size is not None:
                self.box_shares[round(100 * box_area / (size[0] * size[1]))] += 1
            if item.area is not None:
                self.mask_shares[round(100 * item.area / box_area)] += 1

    def merge(self, other: Tally) -> None:
        """Add what another tally counted."""
        for name in self.__slots__:
            mine, theirs = getattr(self, name), getattr(other, name)
            if isinstance(mine, Counter):
                mine.update(theirs)
            else:
                mine += theirs  # a list grows where it is
                setattr(self, name, mine)

    def statistics(
        self, name: str, split: str | None, categories: Iterable[CountedCategory]
    ) -> SplitStatistics:
        """The statistics of a split; `split` is the released split that it seems to be."""
        release = RELEASES.get(split or "")
        if release is None or len(self.ids) < release.images / 2:
            split = release = None  # somebody's sample
        pairs, query_items, unpaired_query_items = self._pairs()
        return SplitStatistics(
            name=printable(name),
            split=split,
            images=len(self.ids),
            items=self.items.total(),
            landmarks=self.labelled_items if self.with_landmarks else None,
            masks=self.masks,
            pairs=pairs,
            query_items=query_items,
            unpaired_query_items=unpaired_query_items,
            gallery_items=self.items_per_source["shop"] if self.images_per_source else None,
            categories=self._categories(categories),
            attributes={
                name: (counts[0], counts[1], counts[2])
                for name in ATTRIBUTES
                if any(counts := [self.attributes[name, value] for value in (1, 2, 3)])
            },
            images_per_source=_in_order(self.images_per_source),
            items_per_source=_in_order(self.items_per_source),
            items_per_image=_sorted(self.items_per_image),
            image_sizes=tuple(
                (w, h, n)
                for (w, h), n in sorted(self.image_sizes.items(), key=lambda e: (-e[1], e[0]))
            ),
            box_sizes=_sorted(self.box_sizes),
            box_shares=_sorted(self.box_shares),
            mask_shares=_sorted(self.mask_shares),
            missing_images=gaps(self.ids, release.images) if release else (),
            notices=dict(sorted(self.notices.items())),
        )

    def _pairs(self) -> tuple[int, int, int] | tuple[None, None, None]:
        """Pairs, user items in one, and user items with style > 0 in none."""
        if not self.with_style or not self.images_per_source:
            return None, None, None
        pairs = queries = unpaired = 0
        for (source, pair_id, style), users in self.styles.items():
            if source == "user":
                shops = 0 if pair_id is None else self.styles["shop", pair_id, style]
                pairs += users * shops
                queries += users if shops else 0
                unpaired += 0 if shops else users
        return pairs, queries, unpaired

    def _categories(self, entries: Iterable[CountedCategory]) -> tuple[CategoryStatistics, ...]:
        known = list(entries)
        unknown = sorted(set(self.items) - {entry.id for entry in known})
        known += [CountedCategory(number, f"(unknown category {number})", 0) for number in unknown]
        return tuple(
            CategoryStatistics(
                number,
                name,
                items=self.items[number],
                num_landmarks=landmarks,
                visible=(visible := self.visible[number]),
                occluded=(occluded := self.occluded[number]),
                unlabelled=max(0, self.with_landmarks[number] * landmarks - visible - occluded),
            )
            for number, name, landmarks in known
        )


def _sorted(counter: Mapping[int, int]) -> dict[int, int]:
    return dict(sorted(counter.items()))


def _in_order(counter: Mapping[str, int]) -> dict[str, int]:
    return {source: counter.get(source, 0) for source in SOURCES} if counter else {}
