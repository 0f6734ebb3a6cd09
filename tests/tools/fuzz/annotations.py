"""Mutated annotation files through the parser, the encoders and the validator."""

from __future__ import annotations

import functools
import json
import random
import re
import tempfile
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

import orjson

from df2coco.coco.writer import Block, Writer
from df2coco.converter.encoder import Encoder, make_encoder, make_info, measure
from df2coco.converter.options import Selection, Shape
from df2coco.parser.annotation import parse_annotation
from df2coco.taxonomy import CATEGORY_BY_ID
from df2coco.validator import validate
from tests.samples import make_annotation, make_item
from tests.tools.fuzz.cases import Case, Outcome, Watch, fuzz
from tests.tools.mutations import mutate

FOLDER: Final = Path(__file__).resolve().parents[3] / "fixtures/validation"

_SHAPES: Final = (
    Shape("keypoints", area="box"),
    Shape("keypoints", area="mask", layout="category", landmarks="visible"),
    Shape("keypoints", area="mask"),
)

_REPORTED: Final = frozenset({"mask-empty"})
"""Errors of a file that the conversion has a notice of ("area-from-box"): the source is at fault."""

_ATTRIBUTES: Final = ("scale", "occlusion", "zoom_in", "viewpoint", "style")

Size: TypeAlias = tuple[int, int] | None


class _Accepted:
    """A case that was converted."""

    def __init__(self, watch: Watch, size: Size) -> None:
        self.watch, self.size = watch, size
        self.blocks: list[Block] = []
        self.notices: tuple[Any, ...] = ()


@functools.cache
def _seeds(folder: Path) -> list[Any]:
    annotations = [orjson.loads(path.read_bytes()) for path in sorted(folder.glob("*.json"))]
    small = [make_annotation(make_item(category), make_item(9)) for category in (1, 4, 8)]
    return annotations + small * 5


def annotation_case(number: int, seed: int) -> tuple[bytes, Size]:
    rng = random.Random(f"annotation {seed} {number}")
    document = rng.choice(_seeds(FOLDER / "annos"))
    size = rng.choice((None, (468, 624), (100, 120), (1, 1), (65535, 2000)))
    return mutate(document, rng), size


def annotation_batch(seed: int, numbers: range) -> Iterator[Case]:
    """Parse and encode each; the COCO files of what was accepted must be valid and hold the source's values."""
    encoders = [make_encoder(shape) for shape in _SHAPES]
    cases = []
    for number in numbers:
        raw, size = annotation_case(number, seed)
        case = _Accepted(Watch(number, raw), size)
        case.watch.run(partial(_convert, case, encoders))
        cases.append(case)
    accepted = [case for case in cases if case.blocks]
    with tempfile.TemporaryDirectory() as folder:
        if list(_faults(encoders, accepted, Path(folder))):
            # Which of them? Each in a file of its own.
            for case in accepted:
                for what in _faults(encoders, [case], Path(folder)):
                    case.watch.fail(what)
    for case in cases:
        yield case.watch.end(accepted=bool(case.blocks))


def _convert(case: _Accepted, encoders: list[Encoder]) -> None:
    number, raw = case.watch.number, case.watch.raw
    name = f"{number:06d}"
    record = parse_annotation(raw, name, image_id=number, file_name=f"{name}.jpg", size=case.size)
    for notice in record.notices:
        if not str(notice).isprintable():
            raise AssertionError(f"not printable: {str(notice)!r}")
    case.notices = tuple(record.notices)
    blocks = []
    for encoder in encoders:
        measured = measure([record], count=encoder.shape.area == "mask")
        annotations = [
            encoder.annotation(record, item, each)
            for item, each in zip(record.items, measured, strict=True)
        ]
        blocks.append(Block.join([encoder.image(record)], annotations))
    case.blocks = blocks


def _faults(encoders: list[Encoder], cases: list[_Accepted], folder: Path) -> Iterator[str]:
    for index, encoder in enumerate(encoders):
        path = folder / f"{index}.json"
        with path.open("wb") as stream:
            info = make_info(encoder.shape, Selection(), sizes_known=True)
            writer = Writer(stream, info, encoder.categories(), folder)
            for case in cases:
                writer.add(case.blocks[index])
            writer.close()
        # Without scoring: masks of 65535 x 2000 pixels take minutes to draw.
        report = validate(path, score_images=0)
        errors = [hit.to_json() for hit in report.findings if hit.check.level == "error"]
        errors = [error for error in errors if error["code"] not in _REPORTED]
        if errors:
            yield f"not valid: {json.dumps(errors)[:2000]}"
    yield from _wrong_values(cases, orjson.loads((folder / "0.json").read_bytes()))


def _wrong_values(cases: Iterable[_Accepted], document: dict[str, Any]) -> Iterator[str]:
    """Converted values that are not the source's, in items that nothing was repaired in."""
    written: dict[int, list[dict[str, Any]]] = {}
    for annotation in document["annotations"]:
        written.setdefault(annotation["image_id"], []).append(annotation)
    for case in cases:
        source = json.loads(case.watch.raw.decode("utf-8-sig"))
        items = {key: item for key, item in source.items() if _ITEM.fullmatch(key)}
        annotations = {a["item"]: a for a in written.get(case.watch.number, [])}
        changed = {n.field.partition(".")[0] for n in case.notices if n.level == "repair"}
        left_out = {n.field.partition(".")[0] for n in case.notices if n.level == "error"}
        if items.keys() - left_out != annotations.keys():
            yield f"the items {sorted(items)} became {sorted(annotations)}"
            continue
        for key in annotations.keys() - changed:
            for field, value in _expected(items[key], source).items():
                given = annotations[key].get(field)
                if given != value:
                    yield f"{field} of {key}: {str(value)[:500]} became {str(given)[:500]}"


_ITEM: Final = re.compile(r"item\d+")


def _expected(item: dict[str, Any], source: dict[str, Any]) -> dict[str, Any]:
    """What an item is in COCO, by the words of both formats alone."""
    x1, y1, x2, y2 = item["bounding_box"]
    category = item["category_id"]
    keypoints = [0] * (3 * 294)
    start = 3 * CATEGORY_BY_ID[category].first_slot
    labelled = [item["landmarks"][n : n + 3] for n in range(0, len(item["landmarks"]), 3)]
    for slot, (x, y, visibility) in enumerate(labelled):
        if visibility:
            keypoints[start + 3 * slot : start + 3 * slot + 3] = [x, y, visibility]
    return {
        "category_id": category,
        "bbox": [x1, y1, x2 - x1, y2 - y1],
        "area": (x2 - x1) * (y2 - y1),
        "segmentation": item["segmentation"],
        "keypoints": keypoints,
        "num_keypoints": sum(visibility > 0 for _, _, visibility in labelled),
        "pair_id": source.get("pair_id"),
        **{name: item[name] for name in _ATTRIBUTES if name in item},
    }


def fuzz_annotations(cases: int, seed: int, workers: int = 1) -> Outcome:
    return fuzz(annotation_batch, cases, seed, workers)
