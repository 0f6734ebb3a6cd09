"""The round trip through pycocotools: it loads a file, draws every mask, scores ground truth against itself."""

import contextlib
import io
import json
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import msgspec

from df2coco.coco.decoding import check_fields
from df2coco.coco.lists import cut, read_text
from df2coco.coco.reader import Loaded, index, no_collection
from df2coco.coco.schema import FIELDS, Entry, read_whole_numbers
from df2coco.errors import CocoFileError, shorten
from df2coco.lazy_numpy import np
from df2coco.validator.annotations import Annotations
from df2coco.validator.checks import File, Hit, Trip, check
from df2coco.workers import in_background

_PERFECT: Final = 1 - 1e-9
"""COCOeval gives perfect results 0.9999999999999998."""


@check("error", about="category", needs="masks")
def score_imperfect(file: File) -> Iterable[Hit]:
    """pycocotools stops, or gives less than AP 1 to the annotations scored as if they were results.

    affects: No detector can reach AP 1 on this file.
    cause: Items that cannot be distinguished.
    remedy: Look at the images with most items; remove what is not meant to be evaluated.
    """
    return file.trip.hits if file.trip else ()


@contextlib.contextmanager
def started(path: Path, most: int | None, workers: int) -> Iterator[Callable[[], Trip]]:
    """What waits for a file, which is read as COCO meanwhile, to go through pycocotools.

    Of more than `most` images only so many are taken, spread evenly; None: all. Of more than one worker
    it gets one, unless the file is small.
    """
    apart = workers > 1 and path.is_file() and path.stat().st_size > _SMALL
    take = partial(_take, path, most)
    with TemporaryDirectory() as folder, in_background(take, Path(folder), apart=apart) as wait:
        yield wait


_SMALL: Final = 4 << 20
"""A file of so many bytes has gone through before another process has started."""


def _take(path: Path, most: int | None, folder: Path) -> Trip:
    from pycocotools.coco import COCO

    fault, where = "does not load it", ""
    try:
        with no_collection(), contextlib.redirect_stdout(io.StringIO()):
            coco = COCO(_sample(path, most, folder))
        fault = "cannot score it"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pycocotools' own use of numpy
            return _scored(coco, path)
    except MemoryError:
        raise
    except CocoFileError as error:
        fault, where = "may crash on the errors in it, so it was not scored", f" ({error.field})"
    except Exception as error:
        fault += f": {shorten(error)}"
    return Trip(fault, hits=(Hit(None, f"pycocotools {fault}{where}"),))


class _Linked(msgspec.Struct):
    image_id: Any = None


_LINKS: Final = msgspec.json.Decoder(list[_Linked])
_TEXTS: Final = msgspec.json.Decoder(list[msgspec.Raw])


def _sample(path: Path, most: int | None, folder: Path) -> Path:
    """The file itself, or a new one with `most` of its images and what belongs to them."""
    if most is None:
        return path
    parts = cut(Loaded(path))
    document = parts.document if parts else json.loads(path.read_bytes())
    images = document["images"]
    if len(images) <= most:
        return path
    document["images"] = [images[number * len(images) // most] for number in range(most)]
    ids = {entry.get("id") for entry in document["images"]}
    every = document.get("annotations", [])
    document["annotations"] = [entry for entry in every if entry.get("image_id") in ids]
    for span in parts.spans if parts else ():
        text = read_text(path, span)
        try:
            entries = zip(_LINKS.decode(text), _TEXTS.decode(text), strict=True)
        except msgspec.DecodeError:
            return path  # not cut between two, as hardly ever
        document["annotations"] += (e.copy() for link, e in entries if link.image_id in ids)
    sample = folder / "sample.json"
    # Python's json alone knows NaN.
    sample.write_bytes(msgspec.json.encode(document) if parts else json.dumps(document).encode())
    return sample


def _scored(coco: Any, path: Path) -> Trip:
    """Draw every mask of pycocotools' COCO, and score ground truth against itself in each way that the file can be used for.

    Raises `CocoFileError` for what pycocotools could crash on.
    """
    document = coco.dataset
    for name in FIELDS:
        read_whole_numbers(name, document.get(name, []))
    check_fields(document, path)
    truth, file = document.get("annotations", []), File(path, document)
    part = Annotations(file.header, truth)
    if part.outlines.faults or part.rle_faults:
        raise CocoFileError("wrong polygons.", file=path, field="segmentation")
    masks, hits = _draw(coco, truth, part.areas)
    drawn = [entry for number, entry in enumerate(truth) if number in masks]
    marked = [entry for entry in truth if "keypoints" in entry]
    boxes = [entry for entry in truth if "bbox" in entry]
    scores = {}
    for name, kind, chosen, results in (
        ("boxes", "bbox", boxes, boxes),
        ("masks", "segm", drawn, [truth[n] | {"segmentation": masks[n]} for n in masks]),
        # An item without a labelled landmark is ignored, so that no result is a perfect one for it.
        ("landmarks", "keypoints", marked, [entry for entry in marked if entry["num_keypoints"]]),
    ):
        groups: dict[int, list[Any] | None] = {0: None}
        if kind == "keypoints":
            lengths = {entry["category_id"]: len(entry["keypoints"]) // 3 for entry in marked}
            groups = {n: [key for key in lengths if lengths[key] == n] for n in lengths.values()}
        found = dict[Any, float]()
        for landmarks, ids in groups.items():
            score = partial(_scores, document, chosen, results, kind, landmarks, ids)
            perfect = dict(score(slice(-1, None)))
            if min(perfect.values(), default=1) < _PERFECT:
                perfect = dict(score())
                # `items-too-many` reports items that COCOeval looks at only when asked.
                low = [pair for pair in score(most=max(1, len(results))) if pair[1] < _PERFECT]
                hits += (Hit(category_id, f"{kind} AP {ap:.3f}") for category_id, ap in low)
            found |= perfect
        if found:
            scores[name] = sum(found.values()) / len(found)
    return Trip("", len(file.images) if scores else 0, scores, tuple(hits))


def _draw(coco: Any, truth: list[Entry], areas: list[Any]) -> tuple[dict[int, Any], list[Hit]]:
    """Masks with something in them as RLEs, by the place of their annotation; those of another area."""
    from pycocotools import mask as coco_mask

    masks, hits = {}, []
    for number, area in enumerate(areas):
        if area:  # without pixels it cannot be matched: `mask-empty` reports it
            masks[number] = coco.annToRLE(truth[number])
            pixels = int(coco_mask.area(masks[number]))
            if pixels != area:
                detail = f"pycocotools draws a mask of {pixels} pixels, expected {area}"
                hits.append(Hit(truth[number]["id"], detail, "annotation"))
    return masks, hits


def _scores(
    document: Entry,
    truth: list[Entry],
    results: list[Entry],
    kind: str,
    landmarks: int,
    category_ids: list[Any] | None,
    thresholds: slice = slice(None),
    most: int | None = None,
) -> Iterator[tuple[Any, float]]:
    """AP over all sizes of each category that occurs; of an image `most` results, or as many as COCO takes.

    Whatever equals itself at the strictest of the thresholds does so at all others, and with any sigmas.
    """
    from pycocotools.cocoeval import COCOeval

    if not truth:
        return
    found = [{**entry, "score": 1.0} for entry in results if not entry["iscrowd"]]
    both = (index({**document, "annotations": entries}) for entries in (truth, found))
    evaluation = COCOeval(*both, kind)
    parameters = evaluation.params
    parameters.areaRng, parameters.areaRngLbl = parameters.areaRng[:1], parameters.areaRngLbl[:1]
    parameters.iouThrs = parameters.iouThrs[thresholds]
    parameters.maxDets = parameters.maxDets[-1:] if most is None else [most]
    used = {entry["category_id"] for entry in truth}  # the others cost as much, and have no score
    parameters.catIds = [n for n in parameters.catIds if n in used]
    if category_ids is not None:
        parameters.catIds = category_ids
        parameters.kpt_oks_sigmas = np.full(landmarks, 0.05)
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"]  # (thresholds, recalls, categories, areas, detections)
    for number, category_id in enumerate(parameters.catIds):
        values = precision[:, :, number]
        if (values > -1).any():
            yield category_id, float(values[values > -1].mean())
