"""COCO files and results, or what a program has loaded of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import orjson

from df2coco.coco.decoding import check_fields
from df2coco.coco.lists import read_annotations
from df2coco.coco.reader import index, no_collection
from df2coco.errors import OptionError

if TYPE_CHECKING:
    from pycocotools.coco import COCO


class HasDataset(Protocol):
    """`pycocotools.coco.COCO`, and whatever else has its `dataset`."""

    dataset: Any


GroundTruthSource: TypeAlias = str | Path | Mapping[str, Any] | HasDataset
"""A COCO file, or one that is loaded."""

ResultsSource: TypeAlias = str | Path | Sequence[Mapping[str, Any]] | HasDataset
"""A file of results, a list of them, or what `COCO.loadRes` gives."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """JSON that is in a file, or the text of what is loaded."""

    path: Path
    """The file, or what messages call it."""
    raw: bytes | None = None
    """The JSON text of what is in no file."""


def open_document(source: GroundTruthSource, name: str = "the ground truth") -> Loaded:
    """A COCO file. Raises `OptionError` when it is nothing of the kind."""
    if isinstance(source, (str, Path)):
        return Loaded(Path(source))
    return Loaded(Path(name), dump(getattr(source, "dataset", source)))


def open_list(source: ResultsSource, name: str = "the results") -> Loaded:
    """Results, or another list. Raises `OptionError` when it is nothing of the kind."""
    if isinstance(source, (str, Path)):
        return Loaded(Path(source))
    return Loaded(Path(name), dump(getattr(source, "dataset", source)))


def dump(value: Any) -> bytes:
    """The JSON text of what a program has. Raises `OptionError` when JSON cannot hold it."""
    try:
        return orjson.dumps(value, default=_plain)
    except TypeError as error:
        raise OptionError(f"not a file, and nothing that JSON can hold ({error}).") from None


def _plain(value: Any) -> Any:
    """Counts as pycocotools encodes them, tuples of a kind, and numpy's numbers and arrays."""
    if isinstance(value, bytes):
        return value.decode("ascii", "replace")
    if isinstance(value, (Mapping, Sequence)) and not isinstance(value, str):
        return dict(value) if isinstance(value, Mapping) else list(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} {value!r:.40}")


def load(path: str | Path) -> "COCO":
    """The file at `path` as a `pycocotools.coco.COCO`, without the lines that its constructor prints.

    Raises `CocoFileError` when it cannot be read as a COCO file, or when a field is missing or is not what
    it must be.
    """
    annotations: list[Any] = []
    path = Path(path)
    with no_collection():
        document = read_annotations(
            path,
            annotations.extend,
            use="any",
            as_objects=True,
            start=lambda rest: check_fields(rest, path),
        )
    return index({**document, "annotations": annotations})
