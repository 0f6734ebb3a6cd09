"""Running the checks: on the annotations part by part, in several processes, and on the file as a whole."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from df2coco.coco.lists import Span, cut, read_span
from df2coco.coco.reader import Loaded, no_collection, read_whole, refuse_other_kinds
from df2coco.coco.schema import Entry, read_whole_numbers
from df2coco.errors import OptionError, SourceError, check_list
from df2coco.parser.photos import Pictures
from df2coco.parser.reader import Split
from df2coco.parser.splits import find_splits
from df2coco.progress import Progress, no_progress
from df2coco.split_names import SPLITS, split_of
from df2coco.validator import comparison
from df2coco.validator import pictures as picture_checks
from df2coco.validator.annotations import Annotations
from df2coco.validator.checks import LEVELS, NEEDS, Need, checks_in
from df2coco.validator.comparison import places_in
from df2coco.validator.file import Columns, File, Header, Trip
from df2coco.validator.hits import Hit, Hits, Position
from df2coco.validator.report import Finding, Report
from df2coco.validator.round_trip import score_imperfect, started
from df2coco.validator.table import CHECK_BY_CODE, CHECKS, find_check
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
    select: Collection[str] = (),
    ignore: Collection[str] = (),
    password: str | None = None,
    workers: int = 1,
    progress: Progress = no_progress,
) -> Report:
    """Examine the COCO file at `path`.

    pycocotools must load it, draw its masks, and give AP 1 to ground truth scored against itself: of
    `score_images` images spread evenly over the file (None: all; 0: none). `against` is the source that it
    was converted from (see `convert`): every image, item and value must be the same. `images` is a folder
    or archive of the images; `decode` decodes each of them in full. `quick` leaves out what needs masks
    drawn or pycocotools. Findings whose code is in `ignore`, or not in `select` where it names some, count for
    nothing.

    Raises `OptionError` for codes of no check, or in `select` of one that does not run, `CocoFileError` when the file cannot be read as COCO, `SourceError` and `PasswordError` when
    `against` or `images` cannot be read.
    """
    path = Path(path)
    needs: set[Need] = {"always"} if quick else {"always", "masks"}
    needs.update(
        ["images"] if images is not None else (), ["source"] if against is not None else ()
    )
    _check_codes(select, ignore, needs)
    pictures = split = None
    if images is not None:
        progress("looking for images", 0, 0)
        pictures = Pictures(images, password)
    if against is not None:
        progress("looking for annotation files", 0, 0)
        split = _find_source(
            path, Path(against), None if images is None else Path(images), password
        )
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
    kept = set(select or CHECK_BY_CODE).difference(ignore)
    reader = split.reader if split else None
    return Report(
        path,
        len(file.images),
        len(file.columns.ids),
        len(file.categories),
        file.trip,
        tuple(
            finding
            for finding in sorted(findings, key=lambda finding: order.index(finding.check.level))
            if finding.check.code in kept
        ),
        reader.annotations.path if reader and reader.annotations else None,
        tuple(f.check.code for f in findings if f.check.code not in kept),
    )


def _check_codes(select: Collection[str], ignore: Collection[str], needs: set[Need]) -> None:
    for option, codes in (("select", select), ("ignore", ignore)):
        check_list(option, codes)
        for code in codes:
            check = find_check(code, option)
            if option == "select" and check.needs not in needs:
                raise OptionError(f"{code} only runs {NEEDS[check.needs]}.", field=option)


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


class _Examined(NamedTuple):
    """What a part shows, and what is kept of it."""

    hits: Hits
    columns: Columns
    decimal: Counter[str]
    """"annotations[].image_id" -> how often it is written with a decimal point."""


def _examine_annotations(
    path: Path, needs: set[Need], workers: int, progress: Progress
) -> tuple[File, Hits]:
    """The file, and what its annotations show, looked at one part after the other."""
    for exact in (False, True):
        parts = cut(Loaded(path), exact=exact)
        if parts is None:
            break
        file = _make_file(path, parts.document, workers, progress)
        draws = not needs.isdisjoint(("masks", "source"))
        count = worthwhile(workers, len(parts.spans) // _PARTS_A_START[draws])
        look = partial(_examine_span, path, file.header, needs)
        with closing(map_ordered(look, parts.spans, workers=count)) as examined:
            hits = _take(file, examined, len(parts.spans))
        if hits is not None:
            return file, hits
    file, annotations = _read_whole(path, workers, progress)
    file.annotations = annotations if "source" in needs else []
    pieces = [annotations[i : i + _PART] for i in range(0, len(annotations), _PART)]
    hits = _take(file, (_examine(file.header, needs, piece) for piece in pieces), len(pieces))
    assert hits is not None
    return file, hits


def _make_file(path: Path, document: Entry, workers: int, progress: Progress) -> File:
    file = File(path, document, document["images"], document["categories"])
    file.workers, file.progress = workers, progress
    for name in ("images", "categories"):
        changed = read_whole_numbers(name, document[name])
        file.decimal.update(f"{name}[].{field}" for _, field in changed)
    return file


def _read_whole(path: Path, workers: int, progress: Progress) -> tuple[File, list[Entry]]:
    """A file that cannot be cut, with all that other commands refuse: it is for the checks to report."""
    document, not_finite, keys = read_whole(Loaded(path))
    has_annotations = "annotations" in document
    annotations = document.pop("annotations", [])
    file = _make_file(path, document, workers, progress)
    file.has_annotations, file.repeated_keys = has_annotations, tuple(keys)
    file.not_finite = tuple(Hit(None, f"{where}: {number}") for where, number in not_finite)
    return file, annotations


def _examine_span(path: Path, header: Header, needs: set[Need], span: Span) -> _Examined | None:
    with no_collection():
        annotations = read_span(path, span)
        if annotations is None:
            return None
        refuse_other_kinds(path, annotations)
        examined = _examine(header, needs, annotations)
        if "source" in needs:
            examined.columns.places = places_in(path, span)
        return examined


def _examine(header: Header, needs: set[Need], annotations: list[Entry]) -> _Examined:
    changed = read_whole_numbers("annotations", annotations)
    part = Annotations(header, annotations)
    hits = {
        check.code: [Hit(part.identify(position), detail) for position, detail in check.find(part)]
        for check in CHECKS
        if check.of_part and check.needs in needs
    }
    columns = part.columns()
    if "source" in needs:
        columns.names, columns.areas = list(set().union(*annotations)), part.areas
    return _Examined(
        {code: places for code, places in hits.items() if places},
        columns,
        Counter(f"annotations[].{field}" for _, field in changed),
    )


def _take(file: File, parts: Iterable[_Examined | None], count: int) -> Hits | None:
    """Put together what the parts show; None when one of them could not be read."""
    hits: Hits = {}
    for number, examined in enumerate(parts, start=1):
        if examined is None:
            return None
        offset = len(file.columns.ids)
        for code, places in examined.hits.items():
            hits.setdefault(code, []).extend(_moved(hit, offset) for hit in places)
        file.columns.extend(examined.columns)
        file.decimal.update(examined.decimal)
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
    {score_imperfect.code, "mask-empty"}.union(
        check.code for module in (picture_checks, comparison) for check in checks_in(module)
    )
)
"""Errors that do not make pycocotools stop, or are worth saying in its words too."""
