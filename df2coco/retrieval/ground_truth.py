"""Ground truth for consumer-to-shop retrieval: the query and gallery items of a split, and all its pairs."""

import csv
import dataclasses
import io
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, Final, NamedTuple, TypeAlias

import orjson

from df2coco.errors import SourceError, shorten
from df2coco.outputs import Outputs, check_outputs
from df2coco.parser.annotation import find_image_id
from df2coco.parser.image_lists import image_id_of, read_list
from df2coco.parser.reader import Reader, ReadImage, Split, map_images
from df2coco.parser.splits import find_splits
from df2coco.progress import Progress, no_progress
from df2coco.taxonomy import ATTRIBUTES, CATEGORY_BY_ID
from df2coco.workers import check_workers

_ITEM_COLUMNS: Final = ("query_image", "query_item", "gallery_image", "gallery_item")
PAIR_COLUMNS: Final = (*_ITEM_COLUMNS, "pair_id", "style", "category")
"""The columns of `<split>_pairs.csv`. Items are named by their key in the annotation file; the category is
the query item's name."""


@dataclass(frozen=True, slots=True)
class RetrievalSummary:
    """What was written for one split.

    - split: "train", "validation", or what the folder is called.
    - query_images: Images of the query list.
    - query_items: Their items.
    - gallery_images: Images of the gallery list.
    - gallery_items: Their items.
    - pairs: Pairs of a query and a gallery item.
    - scored: Query items with style > 0.
    - without_partner: Query items whose style no gallery item has: written with style 0.
    - without_source: Images that no list names and that do not say whether a user or a shop
      took them: left out.
    - outputs: The files that were written.
    """

    split: str
    query_images: int
    query_items: int
    gallery_images: int
    gallery_items: int
    pairs: int
    scored: int
    without_partner: int
    without_source: int
    outputs: tuple[Path, ...]


class _Item(NamedTuple):
    image_id: int
    file_name: str
    key: str
    style: int
    category_id: int
    pair_id: int
    box: tuple[float, float, float, float]
    values: tuple[int | None, ...]
    """The attributes, in the order of `ATTRIBUTES`."""


_Found: TypeAlias = tuple[list[_Item], list[_Item], int]
"""Query items, gallery items, and the number of images of which nobody says who took them."""


def write_retrieval(
    source: str | Path,
    out: str | Path,
    *,
    query_list: str | Path | None = None,
    gallery_list: str | Path | None = None,
    password: str | None = None,
    workers: int = 1,
    progress: Progress = no_progress,
) -> list[RetrievalSummary]:
    """Write `<split>_query.json`, `<split>_gallery.json` and `<split>_pairs.csv` of the splits at `source`
    into the folder `out`.

    Query images are those that the file `query_list` names, one a line, gallery images those of
    `gallery_list`; without them, user and shop photos. A query item whose pair_id and style no gallery item
    has is written with style 0, which means just that. Images are not read, and their sizes not needed.

    Raises `SourceError` when annotations cannot be used or a list names what is not there, `PasswordError`
    for the password, `OptionError` for `workers`, and `OutputError` when a file cannot be written. Nothing
    is written of any split then.
    """
    progress("looking for annotation files", 0, 0)
    splits = [s for s in find_splits(Path(source), None, password) if s.reader.annotations]
    if not splits:
        raise SourceError("no annotations, so no pairs. Name a split that has annos.", file=source)
    lists = [None if path is None else Path(path) for path in (query_list, gallery_list)]
    if len(splits) > 1 and any(lists):
        names = ", ".join(split.name for split in splits)
        raise SourceError(f"a list of images goes with one split; here are {names}.", file=source)
    check_workers(workers)
    plans = [tuple(Path(out) / f"{split.name}_{what}" for what in _FILES) for split in splits]
    read = [path for split in splits for path in split.folders]
    files = [path for paths in plans for path in paths]
    check_outputs(files, [*read, *(path for path in lists if path)], make_folders=True)
    with Outputs() as outputs:
        return [
            _write(split.name, outputs, paths, _read_split(split, lists, workers, progress))
            for split, paths in zip(splits, plans, strict=True)
        ]


_FILES: Final = ("query.json", "gallery.json", "pairs.csv")


def _read_split(
    split: Split, lists: Sequence[Path | None], workers: int, progress: Progress
) -> _Found:
    ids = ((find_image_id(entry.stem), entry.stem) for entry in split.entries)
    stems = {image_id: stem for image_id, stem in ids if image_id is not None}
    chosen = [None if path is None else _read_list(path, stems) for path in lists]
    if chosen[0] is not None and chosen[1] is not None and chosen[0] & chosen[1]:
        both = stems[min(chosen[0] & chosen[1])]
        text = f"{lists[1]}: {both}.jpg is in {lists[0]} too. An image is one or the other."
        raise SourceError(text)
    reader = dataclasses.replace(split.reader, images=None)
    find = partial(_find, chosen, reader)
    phase = f"reading annotations of {split.name}"
    parts = map_images(find, reader, split.entries, phase=phase, workers=workers, progress=progress)
    with closing(parts):
        found = list(parts)
    query = [item for own, _, _ in found for item in own]
    gallery = [item for _, own, _ in found for item in own]
    return query, gallery, sum(unknown for *_, unknown in found)


def _find(chosen: Sequence[set[int] | None], reader: Reader, images: list[ReadImage]) -> _Found:
    """What is found in some images."""
    sides: tuple[list[_Item], list[_Item]] = ([], [])
    without_source = 0
    for image in images:
        record = image.required()
        named = [side for side, ids in enumerate(chosen) if ids and record.image_id in ids]
        # Without a list, a side has the images of its source, but for those that the other's names.
        taken = [
            side for side, ids in enumerate(chosen) if not ids and record.source == _SIDES[side]
        ]
        if not named and not taken:
            without_source += None in chosen and record.source is None
            continue
        errors = [notice for notice in record.notices if notice.level == "error"]
        if errors:
            raise SourceError(f"{errors[0]} Fix the file.")
        if record.pair_id is None:
            text = "pair_id: missing, so its items have no partners. Fix the file."
            raise SourceError(f"{reader.annotation_file(image.entry)}: {text}")
        sides[(named or taken)[0]].extend(
            _Item(
                record.image_id,
                record.file_name,
                item.key,
                item.style or 0,
                item.category_id,
                record.pair_id,
                item.bounding_box,
                tuple(getattr(item, name) for name in ATTRIBUTES),
            )
            for item in record.items
        )
    return *sides, without_source


_SIDES: Final = ("user", "shop")
"""Who takes the images of the query list, and of the gallery list."""


def _read_list(path: Path, stems: Mapping[int, str]) -> set[int]:
    """The image ids of the names in a file. Raises `SourceError` for one not in the split."""
    names = read_list(path)
    ids = {number: image_id_of(name) for number, name in names.items()}
    unknown = [number for number in names if ids[number] not in stems]
    if unknown:
        text = f"line {unknown[0]}: {shorten(names[unknown[0]])} is not an image of the split; "
        text += f"{len(unknown):,} of {len(names):,} lines are not."
        raise SourceError(text, file=path)
    return {image_id for image_id in ids.values() if image_id is not None}


def _write(
    split: str, outputs: Outputs, paths: tuple[Path, ...], found: _Found
) -> RetrievalSummary:
    query, gallery, without_source = found
    partners: dict[tuple[int, int], list[_Item]] = {}
    for item in gallery:
        if item.style > 0:
            partners.setdefault((item.pair_id, item.style), []).append(item)
    with_style = [item for item in query if item.style > 0]
    scored = [item for item in with_style if (item.pair_id, item.style) in partners]
    query_file, gallery_file, pairs_file = map(outputs.open, paths)
    _write_list(query_file, (_query_entry(item, partners) for item in query))
    _write_list(gallery_file, map(_gallery_entry, gallery))
    text = io.TextIOWrapper(pairs_file, "utf-8", newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(PAIR_COLUMNS)
    pairs = 0
    for item in scored:
        common = item.pair_id, item.style, CATEGORY_BY_ID[item.category_id].name
        others = partners[item.pair_id, item.style]
        pairs += len(others)
        writer.writerows((item.file_name, item.key, o.file_name, o.key, *common) for o in others)
    text.detach()  # flushes, and leaves the stream to its owner
    return RetrievalSummary(
        split=split,
        query_images=len({item.image_id for item in query}),
        query_items=len(query),
        gallery_images=len({item.image_id for item in gallery}),
        gallery_items=len(gallery),
        pairs=pairs,
        scored=len(scored),
        without_partner=len(with_style) - len(scored),
        without_source=without_source,
        outputs=paths,
    )


def _query_entry(item: _Item, partners: Mapping[tuple[int, int], Any]) -> dict[str, Any]:
    # The attributes are not in the official file: for scores by attribute.
    values = zip(ATTRIBUTES, item.values, strict=True)
    return {
        "query_image_id": item.image_id,
        "style": item.style if (item.pair_id, item.style) in partners else 0,
        "cls": item.category_id,
        "pair_id": item.pair_id,
        "bbox": item.box,
        **{name: value for name, value in values if value is not None},
    }


def _gallery_entry(item: _Item) -> dict[str, Any]:
    entry = {"gallery_image_id": item.image_id, "style": item.style, "pair_id": item.pair_id}
    return {**entry, "bbox": item.box}


def _write_list(stream: IO[bytes], entries: Iterable[dict[str, Any]]) -> None:
    lines = b",\n".join(map(orjson.dumps, entries))
    stream.write(b"[\n%b\n]\n" % lines if lines else b"[]\n")
