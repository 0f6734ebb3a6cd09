"""Running the checks: on the annotations part by part, in several processes, and on the file as a whole."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Final, TypeAlias

from df2coco.coco.lists import Span, cut, read_span
from df2coco.coco.reader import Loaded, no_collection, read_whole, refuse_other_kinds
from df2coco.coco.schema import Entry, read_whole_numbers
from df2coco.errors import LONGEST, OptionError, SourceError, check_list, cut_text, did_you_mean
from df2coco.parser.photos import Pictures
from df2coco.parser.reader import Split
from df2coco.parser.splits import find_splits
from df2coco.progress import Progress, no_progress
from df2coco.split_names import SPLITS, split_of
from df2coco.validator import (
    categories,
    comparison,
    consistency,
    items,
    landmarks,
    pictures,
    round_trip,
    structure,
)
from df2coco.validator import images as of_images
from df2coco.validator.annotations import Annotations, packed
from df2coco.validator.checks import LEVELS, NEEDS, Check, Columns, File, Found, Header, Hit, Trip
from df2coco.validator.report import Finding, Report
from df2coco.workers import map_ordered, worthwhile

_OF_THE_FILE: Final = (structure, of_images, items, consistency, landmarks, categories)
_OF_MORE: Final = (pictures, comparison, round_trip)

_DEFINED: Final = chain.from_iterable(vars(m).values() for m in _OF_THE_FILE + _OF_MORE)
CHECKS: Final = tuple(value for value in _DEFINED if isinstance(value, Check))

CHECK_BY_CODE: Final = {check.code: check for check in CHECKS}


def unknown_code(code: str, codes: Iterable[str], option: str = "") -> OptionError:
    """The error for what is none of `codes`."""
    hint = did_you_mean(code, codes, "df2coco explain lists all.")
    return OptionError(f"there is no code {code!r}. {hint}", field=option)


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

    pycocotools must load it, draw its masks, and give AP 1 to the annotations scored as results: of
    `score_images` images spread evenly over the file (None: all; 0: none). `against` is the source that it
    was converted from (see `convert`): every image, item and value must be the same. `images` is a folder
    or archive of the images; `decode` decodes each of them in full. `quick` leaves out what needs masks
    drawn or pycocotools. Findings whose code is in `ignore`, or not in `select` where it names some, count
    for nothing.

    Raises `OptionError` for codes of no check, or in `select` of one that does not run, `CocoFileError`
    when the file cannot be read as COCO, `SourceError` and `PasswordError` when `against` or `images`
    cannot be read.
    """
    path = Path(path)
    asked = {"masks": not quick, "images": images is not None, "source": against is not None}
    needs = {"always", *(need for need, is_asked in asked.items() if is_asked)}
    _check_codes(select, ignore, needs)
    photos = split = None
    if images is not None:
        progress("looking for images", 0, 0)
        photos = Pictures(images, password)
    if against is not None:
        progress("looking for annotation files", 0, 0)
        split = _find_source(path, against, images, password)
    made = partial(
        File, path, workers=workers, progress=progress, pictures=photos, decode=decode, source=split
    )
    with no_collection(), ExitStack() as stack:
        progress(f"reading {path.name}", 0, 0)
        trip = None
        if not quick and score_images != 0:
            trip = stack.enter_context(round_trip.started(path, score_images, workers))
        file = _examine_annotations(path, made, needs)
        _examine_whole(file, needs, trip)
    in_order = sorted(CHECKS, key=lambda check: list(LEVELS).index(check.level))
    findings = [Finding(c, tuple(file.hits[c.code])) for c in in_order if file.hits.get(c.code)]
    kept = set(select or CHECK_BY_CODE).difference(ignore)
    return Report(
        path,
        len(file.images),
        len(file.columns.ids),
        len(file.categories),
        file.trip,
        tuple(finding for finding in findings if finding.check.code in kept),
        split.folders[0] if split else None,
        tuple(finding.check.code for finding in findings if finding.check.code not in kept),
    )


def _check_codes(select: Collection[str], ignore: Collection[str], needs: set[str]) -> None:
    for option, codes in (("select", select), ("ignore", ignore)):
        check_list(option, codes)
        for code in codes:
            if code not in CHECK_BY_CODE:
                raise unknown_code(code, CHECK_BY_CODE, option)
            needed = CHECK_BY_CODE[code].needs
            if option == "select" and needed not in needs:
                raise OptionError(f"{code} only runs {NEEDS[needed]}.", field=option)


def _find_source(
    path: Path, against: str | Path, images: str | Path | None, password: str | None
) -> Split:
    splits = [s for s in find_splits(against, images, password) if s.reader.annotations is not None]
    if not splits:
        raise SourceError("no annotation files found. Name what was converted.", file=against)
    if len(splits) > 1:
        meant, names = split_of(path.stem), ", ".join(split.name for split in splits)
        others = [s.name for s in splits if s.name not in SPLITS and s.name in path.stem]
        splits = [split for split in splits if split.name in (meant, *others)]
        if len(splits) != 1:
            raise SourceError(f"holds several splits ({names}). Name one of them.", file=against)
    return splits[0]


_Examined: TypeAlias = tuple[dict[str, list[Found]], Columns, Counter[str]]
"""What a part shows by code of the check, what is kept of it, and `File.decimal` of it."""


def _examine_annotations(path: Path, made: Callable[..., File], needs: set[str]) -> File:
    """The file, its annotations looked at one part after the other."""
    if (parts := cut(Loaded(path))) is not None:
        file = made(parts.document)
        draws = not needs.isdisjoint(("masks", "source"))
        workers = worthwhile(file.workers, len(parts.spans) // _PARTS_A_START[draws])
        look = partial(_examine_span, path, file.header, needs)
        with closing(map_ordered(look, parts.spans, workers=workers)) as examined:
            if _take(file, examined, len(parts.spans)):
                return file
    # It cannot be cut, or has what other commands refuse it for: that is for the checks to report.
    document, not_finite, keys = read_whole(Loaded(path))
    annotations = document.get("annotations", [])
    document.update({"annotations": []} if "annotations" in document else {})
    file = made(document, not_finite=not_finite, repeated_keys=keys)
    file.annotations = annotations if "source" in needs else []
    pieces = [annotations[i : i + _PART] for i in range(0, len(annotations), _PART)]
    _take(file, (_examine(file.header, needs, piece) for piece in pieces), len(pieces))
    return file


def _examine_span(path: Path, header: Header, needs: set[str], span: Span) -> _Examined | None:
    with no_collection():
        annotations = read_span(path, span)
        if annotations is None:
            return None
        refuse_other_kinds(path, annotations)
        found, columns, decimal = _examine(header, needs, annotations)
        if "source" in needs:
            columns.places = comparison.places_in(path, span)
        return found, columns, decimal


def _examine(header: Header, needs: set[str], annotations: list[Entry]) -> _Examined:
    changed = read_whole_numbers("annotations", annotations)
    part = Annotations(header, annotations)
    found = {c.code: [*c.find(part)] for c in CHECKS if c.of_part and c.needs in needs}
    columns = part.columns()
    if "masks" in needs:
        columns.strays = packed(consistency.strays_of(part))
    if "source" in needs:
        columns.names, columns.areas = list(set[str]().union(*annotations)), part.areas
    return found, columns, Counter(f"annotations[].{field}" for _, field in changed)


def _take(file: File, parts: Iterable[_Examined | None], count: int) -> bool:
    """Put together what the parts show; false when one of them could not be read."""
    for number, examined in enumerate(parts, start=1):
        if examined is None:
            return False
        found, columns, decimal = examined
        offset = len(file.columns.ids)
        file.columns.extend(columns)
        for code, places in found.items():
            moved = ((position + offset, detail) for position, detail in places)
            file.hits.setdefault(code, []).extend(_hits(moved, file.columns.ids))
        file.decimal.update(decimal)
        file.progress("checking annotations", number, count)
    return True


def _hits(found: Iterable[Hit | Found], ids: Sequence[Any]) -> Iterator[Hit]:
    """What a check finds among entries with these ids; what is not an id, or a long text, is not shown."""
    for each in found:
        if not isinstance(each, Hit):
            value = ids[each[0]]
            is_short = type(value) in (int, str) and len(str(value)) <= 100
            each = Hit(value if is_short else f"#{each[0]}", each[1])
        is_long = len(each.detail) > LONGEST
        yield each._replace(detail=cut_text(each.detail, LONGEST)) if is_long else each


def _examine_whole(file: File, needs: set[str], trip: Callable[[], Trip] | None) -> None:
    """Add what is found by looking at the whole file, last of all what pycocotools makes of it."""
    for check in CHECKS:
        if not check.of_part and check.needs in needs:
            # One of the checks may have counted something.
            file.progress("checking the file as a whole", 0, 0)
            if check is round_trip.score_imperfect:
                file.progress("going through pycocotools", 0, 0)
                file.trip = trip() if trip else None
            file.hits[check.code] = list(_hits(check.find(file), file.ids.get(check.about, ())))
    errors = {c.code for c in CHECKS if c.level == "error" and file.hits.get(c.code)}
    if errors - _NOT_WHY:
        file.hits.pop("score-imperfect", None)  # the others are why


_NOT_WHY: Final = {"score-imperfect", "mask-empty"}.union(
    check.code for check in CHECKS if check.needs in ("images", "source")
)
"""Errors that do not make pycocotools stop, or are worth saying in its words too."""
