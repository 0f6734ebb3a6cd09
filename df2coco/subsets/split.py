"""One COCO file into several, with all images of a pair in the same one."""

import math
import re
from collections import Counter
from collections.abc import Hashable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Final, TypeAlias

from df2coco.coco.lists import read_parts
from df2coco.coco.schema import Entry
from df2coco.coco.writer import Writer
from df2coco.errors import OptionError, shorten
from df2coco.outputs import Outputs, check_outputs
from df2coco.progress import Progress, no_progress
from df2coco.subsets.balance import share_out
from df2coco.subsets.entries import Pair, check_known, others_of, pair_of


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
    to 1. All images of a `pair_id` stay together, since they show the same garments: it may be the image's
    or one of its items', and an image with several joins them. An image without one is a group by itself. The 13 categories are balanced as far as whole groups allow. Ids and
    categories stay as they are. The same file, parts and seed give the same files.

    Raises `OptionError` for parts that make no sense, `CocoFileError` when the file cannot be read, and
    `OutputError` when the files cannot be written; then none of them has been.
    """
    path, folder = Path(path), Path(folder)
    _check_parts(parts)
    outputs = {name: folder / f"{name}.json" for name in parts}
    check_outputs(outputs.values(), [path], make_folders=True)
    categories_of: dict[int, Counter[Hashable]] = {}
    joined: dict[Group, Group] = {}
    """A group -> the one that it belongs to."""

    def first(group: Group) -> Group:
        while group in joined:
            group = joined[group]
        return group

    def join(image_id: int, pair: Pair | None) -> None:
        if pair is None:
            return
        one, other = first(("image", image_id)), first(("pair", pair))
        if one != other:
            # A pair stands for its images, and which one does not depend on the order.
            last = min(one, other, key=lambda group: (group[0] == "image", repr(group[1])))
            joined[other if last == one else one] = last

    document, annotations = read_parts(path, "any", as_objects=True)
    for annotation in chain.from_iterable(annotations):
        image_id = annotation["image_id"]
        categories_of.setdefault(image_id, Counter())[annotation["category_id"]] += 1
        join(image_id, pair_of(annotation))
    images: list[Entry] = document["images"]
    check_known(path, "image_id", categories_of, images)
    for image in images:
        join(image["id"], pair_of(image))
    groups: dict[Group, Counter[Hashable]] = {}
    group_of = {image["id"]: first(("image", image["id"])) for image in images}
    for image in images:
        kinds = groups.setdefault(group_of[image["id"]], Counter())
        kinds.update(categories_of.get(image["id"], ()))
        kinds["images"] += 1
    chosen = share_out(groups, list(parts.values()), seed)
    part_of = {image_id: chosen[group] for image_id, group in group_of.items()}
    _write(path, document, part_of, outputs, progress)
    return _describe(parts, outputs, document, part_of, categories_of, chosen)


_NAME: Final = re.compile(r"\w[\w.-]*")
_TOLERANCE: Final = 1e-6


def _check_parts(parts: Mapping[str, float]) -> None:
    if not isinstance(parts, Mapping):
        raise OptionError(f'{shorten(parts)} is not {{"train": 0.9, "test": 0.1}}.', field="parts")
    if len(parts) < 2:
        raise OptionError("name two parts or more: train=0.9,test=0.1.", field="parts")
    for name, share in parts.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise OptionError(
                f"{shorten(name)} cannot name a file. Use letters and digits.", field="parts"
            )
        if not (isinstance(share, (int, float)) and 0 < share < 1):
            raise OptionError(f"{name}={share} is not a share between 0 and 1.", field="parts")
    total = math.fsum(parts.values())
    if abs(total - 1) > _TOLERANCE:
        raise OptionError(f"the shares add up to {total:g}, not to 1.", field="parts")


def _write(
    path: Path,
    document: Mapping[str, Any],
    part_of: Mapping[int, int],
    outputs: Mapping[str, Path],
    progress: Progress,
) -> None:
    with Outputs() as files, ExitStack() as stack:
        writers = []
        for name, output in outputs.items():
            head = _info(document.get("info"), name), document["categories"], output
            writer = Writer(files.open(output), *head, others_of(document))
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


def _info(info: Any, name: str) -> Any:
    """The file's `info`; one of ours also says which part this is."""
    if not isinstance(info, dict) or not isinstance(info.get("df2coco"), dict):
        return info
    return {**info, "df2coco": {**info["df2coco"], "part": name}}


def _describe(
    parts: Mapping[str, float],
    outputs: Mapping[str, Path],
    document: Mapping[str, Any],
    part_of: Mapping[int, int],
    categories_of: Mapping[int, Counter[Hashable]],
    chosen: Mapping[Group, int],
) -> list[Part]:
    images = Counter(part_of.values())
    pairs = Counter(part for (kind, _), part in chosen.items() if kind == "pair")
    items = [Counter[Hashable]() for _ in parts]
    for image_id, kinds in categories_of.items():
        items[part_of[image_id]].update(kinds)
    totals = sum(items, Counter[Hashable]())
    names = {entry["id"]: str(entry.get("name", entry["id"])) for entry in document["categories"]}
    return [
        Part(
            name,
            outputs[name],
            share,
            images[number],
            items[number].total(),
            pairs[number],
            images[number] / max(1, len(part_of)),
            {
                label: items[number][category_id] / totals[category_id]
                for category_id, label in names.items()
                if totals[category_id]
            },
        )
        for number, (name, share) in enumerate(parts.items())
    ]
