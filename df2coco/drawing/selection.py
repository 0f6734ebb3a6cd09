"""What of a COCO file and a model's results is drawn: some images, and what belongs to them."""

import random
from collections import defaultdict
from collections.abc import Container, Sequence
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, TypeAlias

from df2coco.coco.lists import iter_list, read_parts
from df2coco.coco.reader import Loaded, no_collection
from df2coco.coco.results import as_list
from df2coco.coco.schema import is_id, read_whole_numbers
from df2coco.errors import CocoFileError, shorten

DEFAULT_SAMPLE: Final = 12

_ByImage: TypeAlias = dict[int, list[dict[str, Any]]]


def choose(
    path: Path,
    images: list[dict[str, Any]],
    image_ids: Sequence[int],
    sample: int | None,
    seed: int,
) -> list[dict[str, Any]]:
    """The images named, in that order, then the sample, in the order of their ids."""
    by_id = {image["id"]: image for image in sorted(images, key=itemgetter("id"))}
    chosen = {}
    for image_id in image_ids:
        if image_id not in by_id:
            raise CocoFileError(f"there is no image with id {image_id}.", file=path)
        chosen[image_id] = by_id[image_id]
    if sample is None:
        sample = 0 if image_ids else DEFAULT_SAMPLE
    rest = [image for image_id, image in by_id.items() if image_id not in chosen]
    numbers = random.Random(seed).sample(range(len(rest)), min(sample, len(rest)))
    return [*chosen.values(), *(rest[number] for number in sorted(numbers))]


def annotations_of(path: Path, ids: Container[int]) -> _ByImage:
    """The annotations of those images; the others are not kept, so that memory does not grow."""
    groups: _ByImage = defaultdict(list)

    with no_collection():
        _, parts = read_parts(path)
        for annotation in chain.from_iterable(parts):
            image_id = annotation.get("image_id")
            if isinstance(image_id, int) and image_id in ids:
                groups[image_id].append(annotation)
    return groups


def results_of(path: Path, ids: Container[int], document: dict[str, Any], coco: Path) -> _ByImage:
    """The results for the images `ids` of `document`, the COCO file at `coco`."""
    groups: _ByImage = defaultdict(list)
    known = total = 0
    images, categories = document["images"], document["categories"]
    every = {image["id"] for image in images}
    names = {each["id"]: each["name"] for each in categories if "name" in each}
    source = as_list(
        Loaded(path), {i["file_name"]: i["id"] for i in images if "file_name" in i}, names
    )
    for part in iter_list(source, what="results"):
        read_whole_numbers("annotations", [result for result in part if isinstance(result, dict)])
        for number, result in enumerate(part, start=total):
            image_id = result.get("image_id") if isinstance(result, dict) else None
            if not is_id(image_id):
                text = f"{shorten(image_id)}, expected the number of the image."
                raise CocoFileError(text, file=path, field=f"results[{number}].image_id")
            known += image_id in every
            if image_id in ids:
                groups[image_id].append(result)
        total += len(part)
    if total and not known:
        raise CocoFileError(
            f"none of its images is in {coco}. Name the file it belongs to.", file=path
        )
    return groups
