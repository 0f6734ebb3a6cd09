"""Running the checks: on the annotations part by part, in several processes, and on the file as a whole."""

from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import orjson

from df2coco.coco.format import Entry
from df2coco.coco.lists import Span, cut, read_span
from df2coco.coco.reader import (
    check_document,
    fault_of_json,
    find_not_finite,
    no_collection,
    parse_with_nan,
    read_bytes,
    refuse_other_kinds,
    repeated_keys,
)
from df2coco.coco.schema import read_whole_numbers
from df2coco.errors import SourceError
from df2coco.parser.photos import Pictures
from df2coco.parser.reader import Split
from df2coco.parser.splits import find_splits
from df2coco.progress import Progress, no_progress
from df2coco.split_names import SPLITS, split_of
from df2coco.validator import pictures as picture_checks
from df2coco.validator import source
from df2coco.validator.annotations import Annotations
from df2coco.validator.checks import LEVELS, Need, checks_in
from df2coco.validator.file import Columns, File, Header, Trip
from df2coco.validator.hits import Hit, Position
from df2coco.validator.report import Finding, Report
from df2coco.validator.round_trip import score_imperfect, started
from df2coco.validator.table import CHECKS
from df2coco.workers import map_ordered, worthwhile

SCORED_IMAGES: Final = 2000
"""So many images go through pycocotools, unless another number is asked for."""

_PART: Final = 2000
"""Annotations that are looked at together, where the file is read as a whole."""


_PARTS_A_START: Final = {False: 30, True: 6}
"""Parts that are examined in the time that a worker takes to start with numpy, without and with masks."""


def validate(
    path: str | Path,
    *,
    against: str | Path | None = None,
    images: str | Path | None = None,
    decode: bool = False,
    quick: bool = False,
    score_images: int | None = SCORED_IMAGES,
    password: str | None = None,
    workers: int = 1,
    progress: Progress = no_progress,
) -> Report:
    """Examine the COCO file at `path`.

    pycocotools must load it, draw its masks, and give AP 1 to ground truth scored against itself: of
    `score_images` images spread evenly over the file (None: all; 0: none). `against` is the source that it
    was converted from (see `convert`): every image, item and value must be the same. `images` is a folder
    or archive of the images; `decode` decodes each of them in full. `quick` leaves out what needs masks
    drawn or pycocotools.

    Raises `CocoFileError` when the file cannot be read as COCO, `SourceError` and `PasswordError` when
    `against` or `images` cannot be read.
    """
    path = Path(path)
    needs: set[Need] = {"always"} if quick else {"always", "masks"}
    pictures = split = None
    if images is not None:
        progress("looking for images", 0, 0)
        pictures = Pictures(images, password)
        needs.add("images")
    if against is not None:
        progress("looking for annotation files", 0, 0)
        split = _find_source(
            path, Path(against), None if images is None else Path(images), password
        )
        needs.add("source")
    with no_collection(), ExitStack() as stack:
        progress(f"reading {path.name}", 0, 0)
        trip = None
        if not quick and score_images != 0:
            trip = stack.enter_context(started(path, score_images, workers))
        file, hits = _examine_annotations(path, needs, workers, progress)
        file.pictures, file.source, file.decode = pictures, split, decode
        _examine_whole(file, needs, hits, trip)
    order = list(LEVELS)
    findings = [Finding(check, tuple(hits[check.code])) for check in CHECKS if hits.get(check.code)]
    reader = split.reader if split else None
    return Report(
        path,
        len(file.images),
        len(file.columns.ids),
        len(file.categories),
        file.trip,
        tuple(sorted(findings, key=lambda finding: order.index(finding.check.level))),
        reader.annotations.path if reader and reader.annotations else None,
    )


def _find_source(path: Path, against: Path, images: Path | None, password: str | None) -> Split:
    splits = [
        split
        for split in find_splits(against, images, password)
        if split.reader.annotations is not None
    ]
    if len(splits) > 1:
        meant = split_of(path.stem)
        others = [s.name for s in splits if s.name not in SPLITS and s.name in path.stem]
        named = [s for s in splits if s.name in (meant, *others)]
        if len(named) != 1:
            names = ", ".join(split.name for split in splits)
            raise SourceError(f"holds several splits ({names}). Name one of them.", file=against)
        splits = named
    if not splits:
        raise SourceError("no annotation files found. Name what was converted.", file=against)
    return splits[0]


# ---------------------------------------------------------------- the annotations, part by part

Hits = dict[str, list[Hit]]
"""By the code of the check."""


@dataclass(frozen=True, slots=True)
class _Job:
    """What a process must know to examine a part."""

    path: Path
    header: Header
    needs: frozenset[Need]


class _Examined(NamedTuple):
    """What a part shows, and what is kept of it."""

    hits: Hits
    columns: Columns
    decimal: Counter[str]
    areas: list[int | None]
    """Of the masks, where they are measured for the comparison with the source."""


def _examine_annotations(
    path: Path, needs: set[Need], workers: int, progress: Progress
) -> tuple[File, Hits]:
    """The file, and what its annotations show, looked at one after the other.

    Only the comparison with the source keeps them.
    """
    for exact in (False, True):
        found = cut(path, exact=exact)
        if found is None:
            break
        file = _make_file(path, found.document, workers, progress)
        job = _Job(path, file.header, frozenset(needs))
        if "source" in needs:
            kept: list[Entry] = []
            for span in found.spans:
                part = read_span(path, span)
                if part is None:
                    break
                kept += part
            else:
                refuse_other_kinds(path, kept)
                return file, _take_all(file, job, kept)
        else:
            count = worthwhile(workers, len(found.spans) // _PARTS_A_START["masks" in needs])
            parts = map_ordered(partial(_examine_span, job), found.spans, workers=count)
            hits = _take(file, parts, len(found.spans))
            parts.close()
            if hits is not None:
                return file, hits
    file, annotations = _read_whole(path, workers, progress)
    return file, _take_all(file, _Job(path, file.header, frozenset(needs)), annotations)


def _make_file(path: Path, document: Entry, workers: int, progress: Progress) -> File:
    file = File(path, document, document["images"], document["categories"])
    file.workers, file.progress = workers, progress
    for name in ("images", "categories"):
        for _, field in read_whole_numbers(name, document[name]):
            where = f"{name}[].{field}"
            file.decimal[where] = file.decimal.get(where, 0) + 1
    return file


def _read_whole(path: Path, workers: int, progress: Progress) -> tuple[File, list[Entry]]:
    """A file that cannot be cut, with all that other commands refuse: it is for the checks to report."""
    raw = read_bytes(path)
    not_finite: tuple[Hit, ...] = ()
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError:
        document = parse_with_nan(raw)
        if document is None:
            raise fault_of_json(path, raw) from None
        not_finite = tuple(Hit(None, f"{w}: {number}") for w, number in find_not_finite(document))
    document = check_document(path, document)
    has_annotations = "annotations" in document
    annotations = document.pop("annotations", [])
    refuse_other_kinds(path, annotations)
    file = _make_file(path, document, workers, progress)
    file.has_annotations, file.not_finite = has_annotations, not_finite
    file.repeated_keys = tuple(repeated_keys(raw))
    return file, annotations


def _take_all(file: File, job: _Job, annotations: list[Entry]) -> Hits:
    """Examine annotations that are at hand."""
    parts = [annotations[i : i + _PART] for i in range(0, len(annotations), _PART)]
    hits = _take(file, (_examine(job, part) for part in parts), len(parts))
    assert hits is not None
    if "source" in job.needs:
        file.annotations = annotations
    return hits


def _examine_span(job: _Job, span: Span) -> _Examined | None:
    with no_collection():
        annotations = read_span(job.path, span)
        if annotations is None:
            return None
        refuse_other_kinds(job.path, annotations)
        return _examine(job, annotations)


def _examine(job: _Job, annotations: list[Entry]) -> _Examined:
    decimal = Counter(
        f"annotations[].{field}" for _, field in read_whole_numbers("annotations", annotations)
    )
    part = Annotations(job.header, annotations, exact="source" in job.needs)
    return _examine_part(job, part)._replace(decimal=decimal)


def _examine_part(job: _Job, part: Annotations) -> _Examined:
    hits = {
        check.code: [Hit(part.identify(position), detail) for position, detail in check.find(part)]
        for check in CHECKS
        if check.of_part and check.needs in job.needs
    }
    areas = part.areas if "source" in job.needs else []
    return _Examined(
        {c: found for c, found in hits.items() if found}, part.columns(), Counter(), areas
    )


def _take(file: File, parts: Iterable[_Examined | None], count: int) -> Hits | None:
    """Put together what the parts show; None when one of them could not be read."""
    hits: Hits = {}
    for number, examined in enumerate(parts, start=1):
        if examined is None:
            return None
        offset = len(file.columns.ids)
        for code, found in examined.hits.items():
            hits.setdefault(code, []).extend(_moved(hit, offset) for hit in found)
        file.columns.extend(examined.columns)
        file.areas += examined.areas
        for field, times in examined.decimal.items():
            file.decimal[field] = file.decimal.get(field, 0) + times
        file.progress("checking annotations", number, count)
    return hits


def _moved(hit: Hit, by: int) -> Hit:
    return Hit(Position(hit.id.number + by), hit.detail) if type(hit.id) is Position else hit


# ---------------------------------------------------------------- the file as a whole

_AS_A_WHOLE: Final = "checking the file as a whole"


def _examine_whole(
    file: File, needs: set[Need], hits: Hits, trip: Callable[[], Trip] | None
) -> None:
    """Add what is found by looking at the whole file, last of all what pycocotools makes of it."""
    for check in CHECKS:
        if not check.of_part and check.needs in needs:
            file.progress(_AS_A_WHOLE, 0, 0)  # one of them may have counted something
            if check is score_imperfect:
                file.progress("going through pycocotools", 0, 0)
                file.trip = trip() if trip else None
            hits[check.code] = list(check.find(file))
    errors = {check.code for check in CHECKS if check.level == "error" and hits.get(check.code)}
    if errors - _NOT_WHY:
        hits.pop(score_imperfect.code, None)  # the others are why


_NOT_WHY: Final = frozenset(
    {score_imperfect.code, "items-too-many", "mask-empty"}.union(
        check.code for module in (picture_checks, source) for check in checks_in(module)
    )
)
"""Errors that do not make pycocotools stop, or are worth saying in its words too."""
