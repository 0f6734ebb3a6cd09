"""The items of a COCO file as a table, one row an item: CSV, or Parquet, which keeps the types."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final, TypeAlias

from df2coco.coco.decoding import find_garments
from df2coco.coco.lists import read_parts
from df2coco.errors import Df2cocoError
from df2coco.export.datasets import numbered
from df2coco.layouts import own_landmarks
from df2coco.outputs import Outputs, check_outputs, check_suffix
from df2coco.progress import Progress, no_progress
from df2coco.taxonomy import ATTRIBUTES, Category

COLUMNS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("id", "image_id"), "int64"),
    "file_name": "string",
    **dict.fromkeys(("width", "height"), "int64"),
    "source": "string",
    **dict.fromkeys(("pair_id", "style", "category_id"), "int64"),
    "category": "string",
    **dict.fromkeys(("bbox_x", "bbox_y", "bbox_w", "bbox_h", "area"), "double"),
    **dict.fromkeys(ATTRIBUTES, "int64"),
    **dict.fromkeys(("visible", "occluded", "unlabelled"), "int64"),
}
"""Name of a column -> what Parquet calls its type. The last three count landmarks."""

_Write: TypeAlias = Callable[[Sequence[tuple[Any, ...]]], object]

_ROWS: Final = 20_000
"""Rows that are written at a time."""


def export_table(path: str | Path, out: str | Path, *, progress: Progress = no_progress) -> int:
    """Write the items of the COCO file at `path` to `out`, a `.csv` or `.parquet` file; how many there are.

    One row an item, with the columns of `COLUMNS`; what the file does not say is left empty.
    Raises `CocoFileError` for the file, `OutputError` for `out`, `Df2cocoError` when pyarrow, which
    Parquet needs, is missing. Nothing is written then.
    """
    path, out = Path(path), Path(out)
    check_suffix(out, *_WRITERS)
    check_outputs([out], [path])
    progress(f"reading {path.name}", 0, 0)
    with Outputs() as outputs, _WRITERS[out.suffix.lower()](outputs.open(out)) as write:
        rows, count = _rows(path), 0
        while True:
            batch = list(islice(rows, _ROWS))
            write(batch)
            count += len(batch)
            if len(batch) < _ROWS:
                return count
            progress("writing rows", count, 0)  # how many there will be is not known


def _rows(path: Path) -> Iterator[tuple[Any, ...]]:
    document, parts = read_parts(path, "table")
    images = {image["id"]: image for image in document["images"]}
    names = {entry["id"]: entry.get("name") for entry in document["categories"]}
    garments = find_garments(document["categories"])
    for part in numbered(parts, path, images, names):
        for _, each in part:
            image = images[each.image_id]
            yield (
                each.id,
                each.image_id,
                *map(image.get, ("file_name", "width", "height", "source")),
                image.get("pair_id") if each.pair_id is None else each.pair_id,
                each.style,
                each.category_id,
                names[each.category_id],
                *map(float, each.bbox),
                None if each.area is None else float(each.area),
                *(getattr(each, name) for name in ATTRIBUTES),
                *_landmarks(each.keypoints, garments.get(each.category_id)),
            )


def _landmarks(keypoints: list[float] | None, category: Category | None) -> list[int | None]:
    """How many are visible, occluded and not labelled; of a garment its own."""
    if keypoints is None:
        return [None, None, None]
    own = None if category is None else own_landmarks(keypoints, category)
    visibilities = (keypoints if own is None else own)[2::3]
    return [visibilities.count(visibility) for visibility in (2, 1, 0)]


@contextmanager
def _csv(stream: IO[bytes]) -> Iterator[_Write]:
    text = io.TextIOWrapper(stream, "utf-8", newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    yield lambda rows: writer.writerows(map(_harmless, row) for row in rows)
    text.detach()


def _harmless(value: Any) -> Any:
    """A value, with ' before what spreadsheets take for a formula, for which they may run programs."""
    if type(value) is not str:
        return value
    text = value.replace("\r", "\\r")  # not each Python's csv quotes it
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t")) else text


@contextmanager
def _parquet(stream: IO[bytes]) -> Iterator[_Write]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise Df2cocoError(
            'Parquet needs pyarrow, which is not installed: pip install "df2coco[table]". '
            "Or name a .csv file."
        ) from None
    schema = pyarrow.schema(list(COLUMNS.items()))

    def write(rows: Sequence[tuple[Any, ...]]) -> None:
        columns = [list(column) for column in zip(*rows, strict=True)] or [[]] * len(COLUMNS)
        arrays = [pyarrow.array(c, f.type) for c, f in zip(columns, schema, strict=True)]
        writer.write_table(pyarrow.Table.from_arrays(arrays, schema=schema))

    with parquet.ParquetWriter(stream, schema) as writer:
        yield write


_WRITERS: Final = {".csv": _csv, ".parquet": _parquet}
"""End of a file's name -> what writes it."""
