"""Results as FiftyOne, supervision, Label Studio and CVAT write them: a COCO document with scores."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from df2coco.coco.reader import Loaded, opened, parse_with_nan
from df2coco.errors import CocoFileError, shorten
from df2coco.taxonomy import same_name


def as_list(source: Loaded, images: Mapping[str, int], names: Mapping[int, str]) -> Loaded:
    """The annotations of a COCO document as a list of results; anything else as it is.

    `images` are the ids of the ground truth's images by file_name, `names` the names of its categories by id:
    a document has its own ids. Where it has no such lists, its ids are the ground truth's.
    Raises `CocoFileError` when no annotation has a score, and for an image that the ground truth lacks.
    """
    document = _document(source)
    annotations = document.get("annotations")
    if not isinstance(annotations, list) or not all(isinstance(a, dict) for a in annotations):
        return source
    results = [_with_score(annotation) for annotation in annotations]
    if not any("score" in result for result in results) and (results or document.get("images")):
        raise CocoFileError(
            "a COCO file without scores: ground truth, or the two files changed places. Name the ground "
            "truth first, then the results, which have a score each.",
            file=source.path,
        )
    used = {key: {_hashed(r.get(key)) for r in results} for key in ("image_id", "category_id")}
    ids = {
        "image_id": _image_ids(_entries(document, "images"), images, used["image_id"], source.path),
        "category_id": _category_ids(_entries(document, "categories"), names),
    }
    for result in results:
        for key, own in ids.items():
            result[key] = own.get(_hashed(result.get(key)), result.get(key))
    return Loaded(source.path, msgspec.json.encode(results))


def _document(source: Loaded) -> dict[str, Any]:
    """The JSON object in a file; {} where there is something else."""
    raw = source.raw
    if raw is None:
        with opened(source.path) as stream:
            raw = stream.read() if stream.peek().lstrip()[:1] == b"{" else b""
    value = parse_with_nan(raw) if raw.lstrip()[:1] == b"{" else None
    return value if isinstance(value, dict) else {}


def _entries(document: dict[str, Any], name: str) -> list[dict[str, Any]]:
    entries = document.get(name)
    if not isinstance(entries, list):
        return []
    return [e for e in entries if isinstance(e, dict) and type(e.get("id")) in (int, float, str)]


def _hashed(value: Any) -> Any:
    return value if type(value) in (int, float, str) else None


def _with_score(annotation: dict[str, Any]) -> dict[str, Any]:
    """With its score, which CVAT has among the attributes."""
    attributes = annotation.get("attributes")
    if "score" in annotation or not isinstance(attributes, dict) or "score" not in attributes:
        return dict(annotation)
    return {**annotation, "score": attributes["score"]}


def _image_ids(
    entries: list[dict[str, Any]], images: Mapping[str, int], used: set[Any], path: Path
) -> dict[Any, int]:
    """Id in the document -> id in the ground truth."""
    last = {PurePosixPath(name).name: number for name, number in images.items()}
    last = last if len(last) == len(images) else {}
    ids = {}
    for entry in entries:
        name = entry.get("file_name")
        if type(name) is not str or not images:
            continue
        number = images.get(name, last.get(PurePosixPath(name.replace("\\", "/")).name))
        if number is not None:
            ids[entry["id"]] = number
        elif entry["id"] in used:
            text = f"{shorten(name)} is not a file_name of the ground truth."
            raise CocoFileError(text, file=path, field=f"images, id {entry['id']}")
    return ids


def _category_ids(entries: list[dict[str, Any]], names: Mapping[int, str]) -> dict[Any, int]:
    """Id in the document -> id in the ground truth; an id that it does not have for another category."""
    numbers = {name: number for number, name in names.items()}
    garments = {same_name(name): number for number, name in names.items()}
    ids = {}
    for place, entry in enumerate(entries, start=1):
        name = entry.get("name")
        if type(name) is str:
            other = max(names, default=0) + place
            known = garments.get(same_name(name), other) if same_name(name) else other
            ids[entry["id"]] = numbers.get(name, known)
    return ids
