"""Running the checks: on a whole file, or part by part in several processes."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from df2coco.coco.reader import index, no_collection
from df2coco.errors import SourceError
from df2coco.parser.reader import Split
from df2coco.parser.splits import find_images, find_splits
from df2coco.progress import Progress, no_progress
from df2coco.validator import roundtrip, scoring
from df2coco.validator.document import (
    LEVELS,
    Document,
    Entry,
    Hit,
    Position,
    read_document,
)
from df2coco.validator.folding import Keypoints
from df2coco.validator.landmarks import keypoints
from df2coco.validator.parts import Cut, cut, read_part
from df2coco.validator.report import Finding, Report
from df2coco.validator.table import CHECKS
from df2coco.workers import map_ordered

__all__ = ["SCORED_IMAGES", "validate"]

SCORED_IMAGES: Final = 2000
"""So many images of ground truth are scored against themselves, unless another number is asked for."""


def validate(
    path: str | Path,
    *,
    against: str | Path | None = None,
    images: str | Path | None = None,
    quick: bool = False,
    score_images: int = SCORED_IMAGES,
    password: str | None = None,
    workers: int = 1,
    progress: Progress = no_progress,
) -> Report:
    """Examine the COCO file at `path`.

    `against` is the source that it was converted from (see `convert`): every image, item and value must be
    the same, and ground truth scored against itself must give AP 1, on `score_images` images spread evenly
    over the file. `images` is a folder or archive of the images. `quick` leaves out what needs masks drawn
    or pycocotools.

    Raises `CocoFileError` when the file cannot be read as COCO, `SourceError` and `PasswordError` when
    `against` or `images` cannot be read.
    """
    path = Path(path)
    options = Document(path, {}, [], [], [], workers=workers, progress=progress)
    options.score_images = score_images
    stages = {"quick"} if quick else {"quick", "masks"}
    if images is not None:
        images = Path(images)
        progress("looking for images", 0, 0)
        options.pictures = find_images(images, password)
        stages.add("images")
    if against is not None:
        progress("looking for annotation files", 0, 0)
        options.source = _source(path, Path(against), images, password)
        stages.add("against")
    with no_collection():
        document, hits = _examine_entries(options, stages)
        progress("checking the file as a whole", 0, 0)
        loaded = None if quick else _is_loaded(document)
        scored = _examine_whole(document, stages, hits)
    order = list(LEVELS)
    findings = [Finding(check, hits[check.code]) for check in CHECKS if hits.get(check.code)]
    reader = document.source.reader if document.source else None
    return Report(
        path,
        len(document.images),
        len(document.annotations),
        len(document.categories),
        loaded,
        tuple(sorted(findings, key=lambda finding: order.index(finding.check.level))),
        reader.annotations.path if reader and reader.annotations else None,
        scored,
    )


def _source(path: Path, against: Path, images: Path | None, password: str | None) -> Split:
    splits = [
        split
        for split in find_splits(against, images, password)
        if split.reader.annotations is not None
    ]
    if len(splits) > 1:
        named = [split for split in splits if split.name in path.stem]
        if len(named) != 1:
            names = ", ".join(split.name for split in splits)
            raise SourceError(f"holds several splits ({names}). Name one of them.", file=against)
        splits = named
    if not splits:
        raise SourceError("no annotation files found. Name what was converted.", file=against)
    return splits[0]


# ---------------------------------------------------------------- one annotation after the other


Hits = dict[str, tuple[Hit, ...]]
"""By the code of the check."""


class _Examined(NamedTuple):
    """A part of the annotations, reduced to what checks of the whole file look at."""

    hits: Hits
    ids: list[Any]
    image_ids: list[Any]
    category_ids: list[Any]
    segmentations: list[Any]
    """None: there is none."""
    keypoints: list[Any]
    """How many numbers, or what there is instead of a list; None: there are none."""


class _Job(NamedTuple):
    """What a process must know to examine a part."""

    document: Document
    stages: frozenset[str]


def _examine_entries(options: Document, stages: set[str]) -> tuple[Document, Hits]:
    """The file, and what is found by looking at its annotations one after the other.

    The round trip needs the annotations; else only what checks of the whole file look at is kept.
    """
    options.progress(f"reading {options.path.name}", 0, 0)
    found = cut(options.path) if options.source is None else None
    if found is not None:
        examined = _examine_parts(options, stages, found)
        if examined is not None:
            return examined
    document = read_document(options.path)
    for name in ("workers", "progress", "pictures", "source", "score_images"):
        setattr(document, name, getattr(options, name))
    return document, _entry_hits(document, stages)


def _entry_hits(document: Document, stages: set[str] | frozenset[str]) -> Hits:
    return {
        check.code: tuple(check.find(document))
        for check in CHECKS
        if check.stage in stages and not check.whole
    }


def _examine_parts(options: Document, stages: set[str], found: Cut) -> tuple[Document, Hits] | None:
    """None when the file cannot be cut after all."""
    document = Document(
        options.path,
        {},
        found.document["images"],
        [],
        found.document["categories"],
    )
    job = _Job(document, frozenset(stages))
    hits: dict[str, list[Hit]] = {}
    annotations: list[Entry] = []
    parts = map_ordered(
        partial(_examine_part, job), found.parts, workers=min(options.workers, len(found.parts))
    )
    for number, examined in enumerate(parts, start=1):
        if examined is None:
            parts.close()
            return None
        for code, part in examined.hits.items():
            hits.setdefault(code, []).extend(_moved(hit, len(annotations)) for hit in part)
        annotations += _reduced(examined)
        options.progress("checking annotations", number, len(found.parts))
    info = found.document.get("info")
    whole = dataclasses.replace(
        options,
        info=info if isinstance(info, dict) else {},
        images=document.images,
        annotations=annotations,
        categories=document.categories,
    )
    return whole, {code: tuple(each) for code, each in hits.items()}


def _examine_part(job: _Job, part: tuple[int, int]) -> _Examined | None:
    with no_collection():
        annotations = read_part(job.document.path, part)
        if annotations is None:
            return None
        document = job.document.with_part(annotations)
        return _Examined(
            {code: hits for code, hits in _entry_hits(document, job.stages).items() if hits},
            [each.get("id", ...) for each in annotations],
            [each.get("image_id", ...) for each in annotations],
            [each.get("category_id", ...) for each in annotations],
            [None if each is None else 0 for each in document.column("segmentation")],
            [
                value if each is None else len(each)
                for each, value in zip(
                    document.once(keypoints), document.column("keypoints"), strict=True
                )
            ],
        )


def _reduced(examined: _Examined) -> list[Entry]:
    """Annotations with no more in them than checks of the whole file look at."""
    result = []
    for each, image_id, category_id, segmentation, length in zip(*examined[1:], strict=True):
        entry = {"id": each, "image_id": image_id, "category_id": category_id}
        if ... in entry.values():
            entry = {name: value for name, value in entry.items() if value is not ...}
        if segmentation is not None:
            entry["segmentation"] = segmentation
        if type(length) is int:
            entry["keypoints"] = Keypoints(length, [], 0)
        elif length is not None:
            entry["keypoints"] = length
        result.append(entry)
    return result


def _moved(hit: Hit, by: int) -> Hit:
    return Hit(Position(hit.id.number + by), hit.detail) if type(hit.id) is Position else hit


# ---------------------------------------------------------------- the file as a whole


def _examine_whole(document: Document, stages: set[str], hits: Hits) -> int:
    """Add what is found by looking at the whole file; how many images were scored."""
    for check in CHECKS:
        if check.stage in stages and check.whole and check not in scoring.CHECKS:
            hits[check.code] = tuple(check.find(document))
    if not document.source or not document.score_images or not _can_be_scored(hits):
        return 0
    document.progress("scoring the ground truth against itself", 0, 0)
    for check in scoring.CHECKS:
        hits[check.code] = tuple(check.find(document))
    return len(scoring.chosen_images(document))


_NO_OBSTACLES: Final = frozenset(check.code for check in roundtrip.CHECKS)


def _can_be_scored(hits: Hits) -> bool:
    """COCOeval fails or crashes on what other checks tell as errors."""
    errors = {check.code for check in CHECKS if check.level == "error" and hits.get(check.code)}
    return errors <= _NO_OBSTACLES


def _is_loaded(document: Document) -> bool:
    content = {
        "images": document.images,
        "annotations": document.annotations,
        "categories": document.categories,
    }
    try:
        index(content)
    except (KeyError, TypeError):
        return False  # ids that are missing, or lists: a check tells
    return True
