"""The whole job: one or more splits into COCO files, in one pass over each, written all or not at all."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from df2coco.coco.writer import Writer
from df2coco.converter.chunk import Converted, Job, convert_chunk
from df2coco.converter.encoder import Encoder, make_encoder, make_info
from df2coco.converter.options import ON_ERROR, OnError, Selection, Shape, Task, check_choice
from df2coco.errors import OutputError, SourceError
from df2coco.files import atomic_write, check_output
from df2coco.parser.mapping import map_images
from df2coco.parser.reader import Entry, Split
from df2coco.parser.records import Notice
from df2coco.parser.splits import find_images, find_splits
from df2coco.progress import Progress, no_progress
from df2coco.taxonomy import CATEGORIES
from df2coco.workers import check_workers

__all__ = ["ConversionError", "Summary", "convert", "image_info"]

_SHOWN: Final = 5
"""Notices of a kind that a summary keeps when not all are asked for."""


@dataclass
class Summary:
    """What a conversion read and wrote."""

    split: str
    outputs: list[Path]
    images: int = 0
    items: int = 0
    items_per_category: dict[int, int] = field(
        default_factory=lambda: {c.id: 0 for c in CATEGORIES}
    )
    notice_counts: Counter[str] = field(default_factory=Counter)
    """Notice code -> how often."""
    notices: list[Notice] = field(default_factory=list)
    """All of them, or the first few of each code."""
    subset: bool = False
    """Options left images or items out, so that counts say nothing of completeness."""

    @property
    def errors(self) -> int:
        """How many files, images and items cannot be used."""
        return sum(self.notice_counts[code] for code in ("bad-file", "bad-image", "bad-item"))

    def note(self, notice: Notice, *, keep: bool) -> None:
        """Count a notice, and keep it if `keep` or if it is among the first of its code."""
        self.notice_counts[notice.code] += 1
        if keep or self.notice_counts[notice.code] <= _SHOWN:
            self.notices.append(notice)


class ConversionError(SourceError):
    """Something in the source cannot be used, and it was not allowed to leave it out."""

    def __init__(self, message: str, summary: Summary) -> None:
        super().__init__(message)
        self.summary = summary


def convert(
    source: str | Path,
    out: str | Path,
    *,
    images: str | Path | None = None,
    selection: Selection | None = None,
    shape: Shape | None = None,
    per_category: bool = False,
    on_error: OnError = "fail",
    workers: int = 1,
    password: str | None = None,
    keep_notices: bool = False,
    progress: Progress = no_progress,
) -> list[Summary]:
    """Convert the splits at `source` to COCO; one summary a split.

    `source` is a folder of annotation files, a split's folder, a zip archive of either, or a dataset root.
    `out` is a `.json` file, or a folder for `instances_<split>.json` and `keypoints_<split>.json`
    (`shape.task` chooses one of them), with `per_category` also MMPose's 13 files; a split without
    annotations gives `image_info_<split>.json`. `images` is a folder or archive, looked for beside the
    annotations when not given. `keep_notices` keeps all notices in the summary.

    Raises `OptionError` for an option, `ConversionError` when something cannot be used and `on_error` is
    "fail", `SourceError` when there is nothing to read, `PasswordError` for the password, `OutputError`
    when `out` cannot be written. No file at `out` is touched then.
    """
    source, out = Path(source), Path(out)
    selection, shape = selection or Selection(), shape or Shape()
    check_choice("on_error", on_error, ON_ERROR)
    check_workers(workers)
    progress("looking for annotation files", 0, 0)
    splits = find_splits(source, None if images is None else Path(images), password)
    plans = [_plan(split, out, shape, per_category) for split in splits]
    paths = [output.path for plan in plans for output in plan]
    if len(set(paths)) < len(paths):
        names = ", ".join(split.name for split in splits)
        raise OutputError(f"one file for several splits ({names}). Name a folder.", file=out)
    for split, outputs in zip(splits, plans, strict=True):
        _check(split, source, outputs)
    run = _Run(selection, on_error, workers, keep_notices, progress)
    return [run.split(split, outputs) for split, outputs in zip(splits, plans, strict=True)]


def image_info(
    images: str | Path,
    out: str | Path,
    *,
    on_error: OnError = "fail",
    workers: int = 1,
    password: str | None = None,
    keep_notices: bool = False,
    progress: Progress = no_progress,
) -> Summary:
    """A COCO file of the images in a folder or archive, without annotations. Raises as `convert`."""
    check_choice("on_error", on_error, ON_ERROR)
    check_workers(workers)
    progress("looking for images", 0, 0)
    split = find_images(Path(images), password)
    if not split.entries:
        raise SourceError("no images found. Name their folder or archive.", file=images)
    outputs = [_Output(Path(out), Shape(task="instances"), in_family=False)]
    _check(split, Path(images), outputs)
    run = _Run(Selection(), on_error, workers, keep_notices, progress)
    return run.split(split, outputs)


# ---------------------------------------------------------------- what to write


class _Output(NamedTuple):
    path: Path
    shape: Shape
    category_id: int | None = None
    """Only this category's items, category and images."""
    in_family: bool = True
    """Its folder is made when it is not there."""


def _plan(split: Split, out: Path, shape: Shape, per_category: bool) -> list[_Output]:
    family = os.path.isdir(out) or out.suffix != ".json"
    if not family:
        if per_category:
            raise OutputError(
                "--per-category writes 13 files. Name a folder instead of a .json file.", file=out
            )
        if split.reader.annotations is None:
            raise SourceError(
                f"{split.reader.images_label}: images without annotations. "
                "Use df2coco image-info, or name the folder that holds annos too."
            )
        return [_Output(out, _of_task(shape, shape.task or "keypoints"), in_family=False)]
    if split.reader.annotations is None:
        return [_Output(out / f"image_info_{split.name}.json", Shape(task="instances"))]
    if shape.preset is not None:
        raise OutputError(f"--preset {shape.preset} is one file. Name a .json file.", file=out)
    tasks: tuple[Task, ...] = (shape.task,) if shape.task else ("instances", "keypoints")
    outputs = [_Output(out / f"{task}_{split.name}.json", _of_task(shape, task)) for task in tasks]
    if per_category:
        keypoints = _of_task(shape, "keypoints")
        for category in CATEGORIES:
            name = f"deepfashion2_{category.official_name}_{split.name}.json"
            outputs.append(_Output(out / split.name / name, keypoints, category.id))
    return outputs


def _of_task(shape: Shape, task: Task) -> Shape:
    return dataclasses.replace(shape, task=task)


def _check(split: Split, source: Path, outputs: list[_Output]) -> None:
    """Report now what would fail after an hour."""
    inputs = [Path(os.path.realpath(path)) for path in [source, *split.folders]]
    for output in outputs:
        target = Path(os.path.realpath(output.path))
        for folder, path in zip(inputs[1:], split.folders, strict=True):
            if target == folder or folder in target.parents:
                raise OutputError(
                    f"{output.path}: would lie in {path}, which is read. Write it elsewhere."
                )
        if target == inputs[0]:
            raise OutputError(f"{output.path}: is the source itself. Write it elsewhere.")
        if not output.in_family or os.path.isdir(target.parent):
            check_output(output.path)


# ---------------------------------------------------------------- one split


class _Run(NamedTuple):
    """How to go about it."""

    selection: Selection
    on_error: OnError
    workers: int
    keep_notices: bool
    progress: Progress

    def split(self, split: Split, outputs: list[_Output]) -> Summary:
        """Convert one split; nothing is written unless all of it can be."""
        sizes_known = split.reader.images is not None
        shapes = list(dict.fromkeys(output.shape for output in outputs))
        encoders = [make_encoder(each) for each in shapes]
        official = shapes[0].preset is not None
        reader = dataclasses.replace(split.reader, stored_size=official)
        summary = Summary(split.name, [output.path for output in outputs])
        summary.subset = self.selection != Selection()
        if not sizes_known:
            summary.note(Notice("no-images", "", "", _NO_IMAGES), keep=True)
        for notice in split.notices():
            summary.note(notice, keep=self.keep_notices)
        failed = False
        with ExitStack() as stack:
            chosen = [(shapes.index(o.shape), o.category_id) for o in outputs]
            writers = [
                _open(
                    stack,
                    output,
                    make_info(output.shape, self.selection, sizes_known=sizes_known),
                    encoders[index],
                )
                for output, (index, _) in zip(outputs, chosen, strict=True)
            ]
            for converted in self._convert(
                split.name, Job(reader, self.selection, encoders, chosen), split.entries
            ):
                for notice in converted.notices:
                    summary.note(notice, keep=self.keep_notices)
                    failed |= self.on_error == "fail" and notice.level == "error"
                if failed:
                    continue  # only more errors are of interest
                summary.images += converted.images
                summary.items += len(converted.category_ids)
                for category_id in converted.category_ids:
                    summary.items_per_category[category_id] += 1
                for writer, part in zip(writers, converted.parts, strict=True):
                    writer.add(part)
                if summary.images == self.selection.limit:
                    break
            if failed:
                raise _failure(summary)
            for writer in writers:
                writer.close()
        return summary

    def _convert(self, name: str, job: Job, entries: Sequence[Entry]) -> Iterator[Converted]:
        phase = "reading image headers" if job.reader.annotations is None else f"converting {name}"
        results = map_images(
            partial(convert_chunk, job),
            job.reader,
            entries,
            phase=phase,
            workers=self.workers,
            progress=self.progress,
        )
        with closing(results):
            for result in results:
                yield from result


_NO_IMAGES: Final = (
    "no images found, so width and height are the smallest that hold the annotations: "
    "good for evaluation, wrong for training. Name the images with --images."
)


def _failure(summary: Summary) -> ConversionError:
    counts = summary.notice_counts
    parts = [
        (counts["bad-file"], "annotation file"),
        (counts["bad-image"], "image"),
        (counts["bad-item"], "item"),
    ]
    faults = ", ".join(f"{n} {what}{'s' * (n != 1)}" for n, what in parts if n)
    return ConversionError(
        f"{summary.split}: {faults} cannot be used, so nothing was written. "
        "Fix them, or pass --on-error skip to leave them out.",
        summary,
    )


def _open(stack: ExitStack, output: _Output, info: dict[str, Any], encoder: Encoder) -> Writer:
    """A writer of one output file, which `stack` puts in place or takes away."""
    if output.path.parent != Path() and not os.path.exists(output.path.parent):
        _make_folder(output.path.parent)
    stream = stack.enter_context(atomic_write(output.path))
    categories = [c for c in encoder.categories() if output.category_id in (None, c["id"])]
    folder = Path(os.path.realpath(output.path)).parent
    writer = Writer(stream, info, categories, folder)
    stack.callback(writer.discard)
    return writer


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot be created ({error.strerror}).", file=folder) from None
