"""From files to pictures: a COCO file, its images and perhaps a model's results -> pictures on disk."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from df2coco.coco.info import conversion_of
from df2coco.coco.lists import read_parts
from df2coco.coco.reader import no_collection
from df2coco.drawing.comparison import Style, Subject, paint
from df2coco.drawing.drawables import PARTS, USUAL_PARTS
from df2coco.drawing.inputs import Photos, annotations_of, choose, results_of
from df2coco.drawing.sheet import justify, page, text_line
from df2coco.errors import CocoFileError, OutputError, check_choice, check_list, printable
from df2coco.outputs import Outputs, check_folder, check_outputs, check_suffix, reported_for
from df2coco.parser.photos import find_photos
from df2coco.progress import Progress, no_progress
from df2coco.workers import check_workers, map_ordered, worthwhile

if TYPE_CHECKING:
    from PIL.Image import Image

MIN_SCORE: Final = 0.3
MAX_ON_SHEET: Final = 200
"""A sheet of more pictures is too large for most viewers."""
SHEET: Final = 2000
ROW: Final = 480
"""Width of a contact sheet and about the height of its pictures, in pixels."""

_JPEG: Final = {"format": "JPEG", "quality": 90, "subsampling": 0}
_SAVED_AS: Final[dict[str, Any]] = {".png": {"format": "PNG"}, ".jpg": _JPEG, ".jpeg": _JPEG}
"""Suffix -> how Pillow saves it."""


def draw(
    coco: str | Path,
    images: str | Path | None,
    out: str | Path,
    *,
    image_ids: Sequence[int] = (),
    sample: int | None = None,
    seed: int = 0,
    results: str | Path | None = None,
    min_score: float = MIN_SCORE,
    parts: Iterable[str] = USUAL_PARTS,
    password: str | None = None,
    workers: int = 1,
    progress: Progress = no_progress,
) -> list[Path]:
    """Draw images of the COCO file `coco` with their annotations; the files that were written.

    `images` is a folder or archive of the images; None: it is looked for beside `coco`. Drawn are those
    of `image_ids` and `sample` more, chosen at random by `seed`; 12 when neither is given. `out` is a
    `.png` or `.jpg` file, which becomes the picture, or a contact sheet when there are several; or a
    folder, which gets one `.jpg` an image.
    `results` is a model's results file: ground truth is on the left then, and on the right the results with a
    score of at least `min_score`, and colors say what matches (OKS or IoU of 0.5). `parts` chooses among
    the keys of `PARTS`. `workers` is the number of processes.

    Raises `CocoFileError` when `coco` or `results` cannot be used, `OutputError` when `out` cannot be
    written, `SourceError` when an image is missing or damaged, `PasswordError` for the password; nothing
    is written then. The same arguments give the same bytes.
    """
    coco, out = Path(coco), Path(out)
    results = None if results is None else Path(results)
    check_workers(workers)
    check_list("image_ids", image_ids)
    check_list("parts", parts)
    for part in (parts := tuple(parts)):
        check_choice("parts", part, PARTS)
    photos = None if images is None else Photos(images, password)
    inputs = [coco, *([results] if results else [])]
    is_folder = os.path.isdir(out) or not out.suffix
    if is_folder:
        check = partial(check_folder, out, replace=True, make_folders=True)
    else:
        check_suffix(out, *_SAVED_AS)
        check = partial(check_outputs, [out])
    check(inputs)
    progress(f"reading {coco.name}", 0, 0)
    # Twice over the file rather than all of it in memory: the images come last.
    with no_collection():
        document, _ = read_parts(coco, "any")
    photos = photos or Photos(find_photos(coco, document["images"]), password)
    chosen = choose(coco, document["images"], image_ids, sample, seed)
    if not is_folder and len(chosen) > MAX_ON_SHEET:
        text = f"a sheet holds at most {MAX_ON_SHEET} pictures, not {len(chosen)}. Name a folder."
        raise OutputError(text, file=out)
    ids = {image["id"] for image in chosen}
    annotations = annotations_of(coco, ids)
    if not chosen:
        raise CocoFileError("there is no image to draw.", file=coco)
    found = {} if results is None else results_of(results, ids, document, coco)
    subjects = []
    for image in chosen:
        picture, number = photos.required(image.get("file_name")), image["id"]
        subjects.append(Subject(image, picture, annotations[number], found.get(number, [])))
    check([*inputs, *photos.places(subject.picture for subject in subjects)])
    made = conversion_of(document.get("info"))
    if made is None or made.sizes_known:
        for subject in subjects:  # before anything is written
            photos.check_size(subject.image, subject.picture)
    style = Style(coco, document["categories"], photos, parts, results, min_score)
    workers = worthwhile(workers, len(subjects))
    if is_folder:
        return _draw_folder(style, subjects, out, workers, progress)
    title = printable(f"{coco.name}: {len(subjects)} of {len(document['images']):,} images")
    sheet = _sheet(style, subjects, title, workers, progress)
    with Outputs() as outputs:
        _save(sheet, out, outputs.open(out))
    return [out]


def draw_skeletons(out: str | Path, *, slots: bool = False) -> Path:
    """Write the poster of the 13 landmark definitions to `out`, a `.png` or `.svg` file; the file.

    With `slots` it has also each landmark's slot. Raises `OutputError` when it cannot be written.
    """
    from importlib.resources import files  # here, since it is slow to load

    out = Path(out)
    check_suffix(out, ".png", ".svg")
    check_outputs([out])
    name = ("slots" if slots else "plain") + out.suffix.lower()
    with Outputs() as outputs:
        outputs.open(out).write((files("df2coco.drawing") / "posters" / name).read_bytes())
    return out


def _title(image: Mapping[str, Any]) -> str:
    parts = (str(image[name]) for name in ("file_name", "source") if name in image)
    return printable(" · ".join(parts))


def _save(picture: Image, path: Path, stream: IO[bytes]) -> None:
    try:
        picture.save(stream, **_SAVED_AS[path.suffix.lower()])
    except (OSError, ValueError, SystemError) as error:
        if isinstance(error, OSError) and error.strerror:
            raise
        raise OutputError(f"cannot be written ({error}). Try .png.", file=path) from None


def _draw_folder(
    style: Style, subjects: Sequence[Subject], out: Path, workers: int, progress: Progress
) -> list[Path]:
    paths: list[Path] = []
    with Outputs() as outputs:
        draw_one = partial(_draw_into, style, outputs.folder(out), out)
        with closing(map_ordered(draw_one, subjects, workers=workers)) as done:
            for path in done:
                paths.append(path)
                progress("drawing images", len(paths), len(subjects))
    return paths


def _draw_into(style: Style, work: Path, out: Path, subject: Subject) -> Path:
    picture, keys = paint(style, subject)
    path = out / f"{subject.image['id']:06d}.jpg"  # as the dataset names its images
    with reported_for(path), open(work / path.name, "wb") as stream:
        _save(page(picture, _title(subject.image), keys), path, stream)
    return path


def _sheet(
    style: Style, subjects: Sequence[Subject], title: str, workers: int, progress: Progress
) -> Image:
    """The picture, or a contact sheet of several, which has that title."""
    from PIL import Image

    if len(subjects) == 1:
        picture, keys = paint(style, subjects[0])
        return page(picture, _title(subjects[0].image), keys)
    text, gap = 14, 14
    pair = 2 if style.results_path else 1
    sizes = (style.photos.size(subject.image, subject.picture) for subject in subjects)
    # Panoramas and ribbons get a place that is less extreme.
    aspects = [min(max(pair * width / height, 0.2), 6.0) for width, height in sizes]
    # As wide as an ordinary row is, so that two pictures do not become giants.
    wide = round(sum(aspects) * ROW) + gap * (len(aspects) - 1)
    places = justify(aspects, min(SHEET, wide), ROW, gap, below=round(1.5 * text))
    tall = places[-1].y + places[-1].height + round(1.5 * text)
    sheet = Image.new("RGB", (max(p.x + p.width for p in places), tall), "#ffffff")
    keys = set()
    rooms = [s._replace(room=place[2:]) for s, place in zip(subjects, places, strict=True)]
    with closing(map_ordered(partial(paint, style), rooms, workers=workers)) as painted:
        for number, (picture, its_keys) in enumerate(painted):
            x, y, width, height = places[number]
            sheet.paste(picture, (x, y))
            sheet.paste(text_line(_title(subjects[number].image), width, text), (x, y + height))
            keys |= its_keys
            progress("drawing images", number + 1, len(subjects))
    return page(sheet, title, keys)
