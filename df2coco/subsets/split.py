"""One COCO file into several, with all images of a pair in the same one."""

import math
import random
import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Final, TypeAlias

from df2coco.coco.lists import read_parts
from df2coco.coco.schema import Entry, check_known
from df2coco.coco.writer import Writer
from df2coco.errors import OptionError, shorten
from df2coco.outputs import Outputs, check_outputs
from df2coco.progress import Progress, no_progress


@dataclass(frozen=True, slots=True)
class Part:
    """One of the files that a file was split into.

    - name: "train", as it was asked for.
    - path: The file.
    - share: What was asked for, 0 to 1.
    - images: Images in it.
    - annotations: Annotations in it.
    - pairs: Groups of images with one `pair_id`.
    - image_share: What it got of all images, 0 to 1.
    - category_shares: Category name -> what it got of the category's annotations; categories
      without any are left out.
    """

    name: str
    path: Path
    share: float
    images: int
    annotations: int
    pairs: int
    image_share: float
    category_shares: Mapping[str, float]


Pair: TypeAlias = int | str
"""A `pair_id`. DeepFashion2 has whole numbers."""

Group: TypeAlias = tuple[str, Pair]
""""pair" and a `pair_id`, or "image" and the id of an image without one."""


def split(
    path: str | Path,
    folder: str | Path,
    *,
    parts: Mapping[str, float],
    seed: int = 0,
    progress: Progress = no_progress,
) -> list[Part]:
    """Split the COCO file at `path` into `folder`/NAME.json, one file for each of `parts`.

    `parts` says what share of the images each part should get: {"train": 0.9, "test": 0.1}; they add up
    to 1. All images of a `pair_id` stay together, since they show the same garments: it may be the
    image's or one of its items', and an image with several joins them. An image without one is a group by
    itself. The categories are balanced as far as whole groups allow. Ids and categories stay as they are.
    The same file, parts and seed give the same files.

    Raises `OptionError` for parts that make no sense, `CocoFileError` when the file cannot be read, and
    `OutputError` when the files cannot be written; then none of them has been.
    """
    path, folder = Path(path), Path(folder)
    _check_parts(parts)
    outputs = {name: folder / f"{name}.json" for name in parts}
    check_outputs(outputs.values(), [path], make_folders=True)
    contents: defaultdict[int, Counter[Hashable]] = defaultdict(Counter)
    """Image id -> how many items of each category, and 1 for "images"."""
    links: set[tuple[int, Pair | None]] = set()
    document, annotations = read_parts(path, "any", as_objects=True)
    for annotation in chain.from_iterable(annotations):
        image_id = annotation["image_id"]
        contents[image_id][annotation["category_id"]] += 1
        links.add((image_id, pair_of(annotation)))
    check_known(path, "image_id", contents, [image["id"] for image in document["images"]])
    for image in document["images"]:
        contents[image["id"]]["images"] = 1
        links.add((image["id"], pair_of(image)))
    group_of = _join(links)
    groups: defaultdict[Group, Counter[Hashable]] = defaultdict(Counter)
    for image_id, group in group_of.items():
        groups[group].update(contents[image_id])
    chosen = share_out(groups, list(parts.values()), seed)
    part_of = {image_id: chosen[group] for image_id, group in group_of.items()}
    _write(path, document, part_of, outputs, progress)
    pairs = Counter(part for (kind, _), part in chosen.items() if kind == "pair")
    filled, totals = [Counter[Hashable]() for _ in parts], Counter[Hashable]()
    for image_id, number in part_of.items():
        filled[number].update(contents[image_id])
        totals.update(contents[image_id])
    names = {entry["id"]: str(entry.get("name", entry["id"])) for entry in document["categories"]}
    return [
        Part(
            name=name,
            path=outputs[name],
            share=share,
            images=found["images"],
            annotations=found.total() - found["images"],
            pairs=pairs[number],
            image_share=found["images"] / max(1, totals["images"]),
            category_shares={
                names[kind]: found[kind] / totals[kind] for kind in names if totals[kind]
            },
        )
        for number, ((name, share), found) in enumerate(zip(parts.items(), filled, strict=True))
    ]


def pair_of(entry: Entry) -> Pair | None:
    """The `pair_id` of an image or annotation; None where it has none.

    What is neither a whole number nor text becomes text, so that equal values stay equal.
    """
    found = entry.get("pair_id")
    return found if found is None or type(found) in (int, str) else repr(found)


def _join(links: Iterable[tuple[int, Pair | None]]) -> dict[int, Group]:
    """Image id -> its group, by which images and their items have which pairs."""
    joined: dict[Group, Group] = {}

    def first(group: Group) -> Group:
        while group in joined:
            group = joined[group]
        return group

    images = set()
    for image_id, pair in links:
        images.add(image_id)
        one = first(("image", image_id))
        other = one if pair is None else first(("pair", pair))
        if one != other:
            # A pair stands for its images, and which one does not depend on the order.
            last = min(one, other, key=lambda group: (group[0] == "image", repr(group[1])))
            joined[other if last == one else one] = last
    return {image_id: first(("image", image_id)) for image_id in images}


def _check_parts(parts: Mapping[str, float]) -> None:
    if not isinstance(parts, Mapping):
        raise OptionError(f'{shorten(parts)} is not {{"train": 0.9, "test": 0.1}}.', field="parts")
    if len(parts) < 2:
        raise OptionError("name two parts or more: train=0.9,test=0.1.", field="parts")
    for name, share in parts.items():
        if not isinstance(name, str) or not re.fullmatch(r"\w[\w.-]*", name):
            text = f"{shorten(name)} cannot name a file. Use letters and digits."
            raise OptionError(text, field="parts")
        if not (isinstance(share, (int, float)) and 0 < share < 1):
            raise OptionError(f"{name}={share} is not a share between 0 and 1.", field="parts")
    total = math.fsum(parts.values())
    if abs(total - 1) > 1e-6:
        raise OptionError(f"the shares add up to {total:g}, not to 1.", field="parts")


def _write(
    path: Path,
    document: Mapping[str, Any],
    part_of: Mapping[int, int],
    outputs: Mapping[str, Path],
    progress: Progress,
) -> None:
    info: Any = document.get("info")
    is_ours = isinstance(info, dict) and isinstance(info.get("df2coco"), dict)
    with Outputs() as files, ExitStack() as stack:
        writers = []
        for name, output in outputs.items():
            own = {**info, "df2coco": {**info["df2coco"], "part": name}} if is_ours else info
            writer = Writer(files.open(output), own, document["categories"], output, document)
            writers.append(stack.enter_context(writer))
        done = 0
        for entries in read_parts(path, "any", as_objects=True)[1]:
            for number, writer in enumerate(writers):
                writer.add_entries((), [e for e in entries if part_of[e["image_id"]] == number])
            done += len(entries)
            progress("writing annotations", done, max(done, 1))
        for number, writer in enumerate(writers):
            writer.add_entries([e for e in document["images"] if part_of[e["id"]] == number], ())
            writer.close()


def share_out(
    groups: Mapping[Group, Counter[Hashable]], shares: Sequence[float], seed: int
) -> dict[Group, int]:
    """Group -> the number (from 0) of the part that it goes to.

    `groups` says how many of each kind are in a group, `shares` what part of all each part should get;
    they add up to 1. The same input and seed give the same parts, whatever the order of `groups`.

    Groups come by size, the largest first, and among groups of one size in random order. Parts take
    turns as their shares say, so that each gets its share of large and small groups. The next of some
    groups of about one size goes to the part whose turn it is: the one that brings what the part lacks
    most. A kind's distance from its share counts by its own total, so that rare kinds are shared out as
    well as frequent ones.
    """
    totals = Counter[Hashable]()
    for counts in groups.values():
        totals.update(counts)
    order = sorted(groups, key=repr)
    random.Random(seed).shuffle(order)
    order.sort(key=lambda group: -groups[group].total())
    seen = Counter[Hashable]()
    filled = [Counter[Hashable]() for _ in shares]
    turns = [0.0] * len(shares)
    result: dict[Group, int] = {}
    waiting: list[Group] = []
    while len(result) < len(order):
        for group in order[len(result) + len(waiting) : len(result) + _CHOICE]:
            waiting.append(group)
            seen.update(groups[group])
        turns = [turn + share for turn, share in zip(turns, shares, strict=True)]
        part = max(range(len(shares)), key=lambda each: (turns[each], -each))
        turns[part] -= 1
        lacks = {
            kind: (shares[part] * count - filled[part][kind]) / totals[kind]
            for kind, count in seen.items()
        }
        gains = [sum(n * lacks[kind] for kind, n in groups[each].items()) for each in waiting]
        group = waiting.pop(gains.index(max(gains)))
        filled[part].update(groups[group])
        result[group] = part
    return result


_CHOICE: Final = 16
