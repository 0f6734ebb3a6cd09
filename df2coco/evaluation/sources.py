"""What is scored, and against what: files, or what a program has loaded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from df2coco.errors import OptionError


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


def open_document(source: GroundTruthSource) -> Loaded:
    """The ground truth. Raises `OptionError` when it is nothing of the kind."""
    if isinstance(source, (str, Path)):
        return Loaded(Path(source))
    return Loaded(Path("the ground truth"), _json(getattr(source, "dataset", source)))


def open_list(source: ResultsSource, name: str = "the results") -> Loaded:
    """Results, or another list. Raises `OptionError` when it is nothing of the kind."""
    if isinstance(source, (str, Path)):
        return Loaded(Path(source))
    entries = getattr(source, "dataset", source)
    if isinstance(entries, Mapping):
        entries = entries.get("annotations")
    return Loaded(Path(name), _json(entries))


def _json(value: Any) -> bytes:
    import orjson

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
