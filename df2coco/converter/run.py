"""The whole job: one or more splits into COCO files, in one pass over each, written all or not at all."""

import os
import re
from array import array
from collections.abc import Generator, Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from df2coco.coco.writer import Writer
from df2coco.converter.chunk import Converted, Output, convert_chunk, take_sample
from df2coco.converter.encoder import make_encoder, make_info
from df2coco.converter.options import ON_ERROR, OnError, Selection, Shape, Task
from df2coco.converter.summary import ConversionError, Summary, report_json
from df2coco.errors import OptionError, OutputError, SourceError, check_choice, counted
from df2coco.outputs import Outputs, atomic_write, check_outputs, check_suffix, refuse_stdout
from df2coco.parser.annotation import find_image_id
from df2coco.parser.photo_fit import judge_photos
from df2coco.parser.reader import Split, map_images
from df2coco.parser.records import EMPTYING, Notice, leaves_nothing
from df2coco.parser.splits import find_images, find_splits
from df2coco.progress import Progress, no_progress
from df2coco.taxonomy import CATEGORIES, Category
from df2coco.workers import check_workers


def _plan(
    splits: Sequence[Split], out: Path, selection: Selection, shape: Shape, *, per_category: bool
) -> list[list[Output]]:
    """The files of each split. Raises `OutputError`, `OptionError` or `SourceError` for what does not fit."""
    if _is_folder(out):
        if shape.preset is not None:
            raise OptionError(f"{shape.preset} is one file. Name a .json file.", field="preset")
        if per_category and shape.classes:
            text = "is not for the files of --per-category, which have landmarks. Leave one of them out."
            raise OptionError(text, field="classes")
        own = [c for c in CATEGORIES if per_category and c.id in selection.category_ids]
        return [_family(split, out, shape, own) for split in splits]
    if per_category:
        text = "--per-category writes a file of each category."
        raise OutputError(f"{text} Name a folder instead of a .json file.", file=out)
    if len(splits) > 1:
        names = ", ".join(split.name for split in splits)
        raise OutputError(f"one file for several splits ({names}). Name a folder.", file=out)
    if splits[0].reader.annotations is None:
        raise SourceError(
            f"{splits[0].reader.images_label}: images without annotations. "
            "Use df2coco image-info, or name the folder that holds annos too."
        )
    return [[Output(out, shape.of_file(shape.task or "keypoints"))]]


def _is_folder(out: Path) -> bool:
    """Whether OUT names a folder; else it is a .json file. Raises `OutputError` for anything else."""
    refuse_stdout(out)
    if out.suffix.lower() == ".json" or os.path.isdir(out):
        return os.path.isdir(out)
    if re.fullmatch(r"\.[A-Za-z]\w{0,7}", out.suffix):  # coco-v1.2 is the name of a folder
        text = (
            "is not the name of a .json file. Name one, or a folder (a folder whose name looks "
            "like a file's must be there already)."
        )
        raise OutputError(text, file=out)
    return True


def _family(split: Split, folder: Path, shape: Shape, own: Iterable[Category]) -> list[Output]:
    """The files of a split in a folder; each category of `own` has one, too."""
    if split.reader.annotations is None:
        bare = Shape(classes=shape.classes).of_file("instances")
        return [Output(folder / f"image_info_{split.name}.json", bare)]
    tasks: tuple[Task, ...] = (shape.task,) if shape.task else ("instances", "keypoints")
    outputs = [Output(folder / f"{task}_{split.name}.json", shape.of_file(task)) for task in tasks]
    for category in own:
        name = f"deepfashion2_{category.official_name}_{split.name}.json"
        outputs.append(Output(folder / split.name / name, shape.of_file("keypoints"), category.id))
    return outputs


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
    report: str | Path | None = None,
    keep_notices: bool = False,
    progress: Progress = no_progress,
) -> list[Summary]:
    """Convert the splits at `source` to COCO; one summary a split.

    `source` is a folder of annotation files, a split's folder, a zip archive of either, or a dataset root.
    `out` is a `.json` file, or a folder for `instances_<split>.json` and `keypoints_<split>.json`
    (`shape.task` chooses one of them), with `per_category` also MMPose's file of each category; a split
    without annotations gives `image_info_<split>.json`. `images` is a folder or archive, looked for beside
    the annotations when not given. `report` is a JSON file for all that was dropped, repaired or noticed.
    `keep_notices` keeps all notices in the summary, too.

    Raises `OptionError` for an option, `ConversionError` when something cannot be used and `on_error` is
    "fail", `SourceError` when there is nothing to read, `PasswordError` for the password, `OutputError`
    when a file cannot be written. No file is touched then, of no split; `ConversionError` leaves the
    report alone.
    """
    out = Path(out)
    selection, shape = selection or Selection(), shape or Shape()
    run = _Run(selection, on_error, workers, keep_notices, report, progress)
    makes_folders = _is_folder(out)
    progress("looking for annotation files", 0, 0)
    splits = find_splits(source, images, password)
    if selection.listed:
        splits = _listed_alone(splits, frozenset(selection.listed), source)
    plans = _plan(splits, out, selection, shape, per_category=per_category)
    return run.convert(splits, plans, makes_folders=makes_folders)


def _listed_alone(splits: list[Split], listed: frozenset[Any], source: str | Path) -> list[Split]:
    """The splits with the images of a list alone. Raises `SourceError`."""
    splits = [
        replace(split, entries=[e for e in split.entries if find_image_id(e.stem) in listed])
        for split in splits
    ]
    found = (find_image_id(entry.stem) for split in splits for entry in split.entries)
    if missing := sorted(listed.difference(found)):
        some = ", ".join(f"{number:06d}" for number in missing[:5]) + " ..." * (len(missing) > 5)
        are = "are" if len(missing) > 1 else "is"
        text = f"{counted(len(missing), 'image')} of the list {are} not there: {some}. Correct it."
        raise SourceError(text, file=source)
    return [split for split in splits if split.entries]


def image_info(
    images: str | Path,
    out: str | Path,
    *,
    on_error: OnError = "fail",
    workers: int = 1,
    password: str | None = None,
    report: str | Path | None = None,
    keep_notices: bool = False,
    progress: Progress = no_progress,
) -> Summary:
    """A COCO file of the images in a folder or archive, without annotations. Raises as `convert`."""
    check_suffix(Path(out), ".json")
    run = _Run(Selection(), on_error, workers, keep_notices, report, progress)
    progress("looking for images", 0, 0)
    split = find_images(Path(images), password)
    if not split.entries:
        names = ("test/image", "test.zip", "test_image*", "test")
        there = [str(p.relative_to(images)) for name in names for p in Path(images).glob(name)]
        hint = f", as {there[0]}" if there else ""
        raise SourceError(f"no images found. Name their folder or archive{hint}.", file=images)
    output = Output(Path(out), Shape().of_file("instances"))
    (summary,) = run.convert([split], [[output]], makes_folders=False)
    return summary


@dataclass(frozen=True)
class _Run:
    """How to go about it. Raises `OptionError`."""

    selection: Selection
    on_error: OnError
    workers: int
    keep_notices: bool
    report: str | Path | None
    progress: Progress

    def __post_init__(self) -> None:
        check_choice("on_error", self.on_error, ON_ERROR)
        check_workers(self.workers)

    def _fails(self, *summaries: Summary) -> bool:
        """Whether nothing is to be written, since something cannot be used."""
        return self.on_error == "fail" and any(summary.errors for summary in summaries)

    def convert(
        self, splits: Sequence[Split], plans: Sequence[list[Output]], *, makes_folders: bool
    ) -> list[Summary]:
        """Convert splits into the files of their plans: all of them but those of empty splits, or none."""
        for split in splits:
            split.check_photos()
        read = [path for split in splits for path in split.folders]
        reports = [] if self.report is None else [Path(self.report)]
        check_outputs(reports, read)
        paths = [output.path for plan in plans for output in plan]
        check_outputs([*paths, *reports], read, make_folders=makes_folders)
        try:
            with Outputs() as outputs:
                summaries = list(map(partial(self._convert, outputs), splits, plans))
                empty = [s for s in summaries if "nothing-left" in s.notice_counts]
                is_void = self._fails(*summaries) or len(empty) == len(summaries)
                for summary in summaries if is_void else empty:
                    summary.images = summary.items = summary.left_out = 0
                    summary.items_per_category.clear()
                if is_void:
                    raise ConversionError(summaries)
                for summary in empty:  # the other splits are what was asked for
                    while summary.outputs:
                        outputs.drop(summary.outputs.pop())
                for path in reports:
                    outputs.open(path).write(report_json(summaries))
        except ConversionError as error:
            for path in reports:
                with atomic_write(path) as stream:
                    stream.write(report_json(error.summaries))
            raise
        return summaries

    def _convert(self, outputs: Outputs, split: Split, plan: Sequence[Output]) -> Summary:
        """Convert one split; only notices count once something cannot be used that has to be."""
        selection, classes = self.selection, plan[0].shape.class_ids
        if split.reader.annotations is None:
            selection = replace(selection, categories=(), exclude=(), where=(), only=None)
        summary = Summary(split.name, [output.path for output in plan])
        summary.names = dict(enumerate(classes, 1)) or summary.names
        summary.subset = bool(classes) or selection != Selection()
        keep = self.keep_notices or self.report is not None
        for notice in self._notices(split, selection):
            summary.note(notice, keep=keep)
        reaches = array("d")
        with ExitStack() as stack:
            writers = []
            sizes_known = split.reader.images is not None
            for output in plan:
                info = make_info(output.shape, selection, sizes_known=sizes_known)
                categories = make_encoder(output.shape).categories(output.category_id)
                writer = Writer(outputs.open(output.path), info, categories, output.path)
                writers.append(stack.enter_context(writer))
            chunks = stack.enter_context(closing(self._chunks(split, plan, selection)))
            results: Iterable[Converted] = chain.from_iterable(chunks)
            if selection.sample is not None:
                results = take_sample(results, selection.sample, selection.seed)
            for converted in results:
                reaches.extend(converted.reaches)
                for notice in converted.notices:
                    summary.note(notice, keep=keep)
                if self._fails(summary):
                    continue  # only more errors are of interest
                summary.images += converted.images
                summary.items_per_category.update(converted.items_per_category)
                summary.left_out += converted.left_out
                for writer, block in zip(writers, converted.blocks, strict=True):
                    writer.add(block)
                if summary.images == selection.limit:
                    break
            for writer in writers:
                writer.close()
        summary.items = sum(summary.items_per_category.values())
        if other_photos := judge_photos(reaches):
            summary.note(other_photos, keep=True)
        if not self._fails(summary) and (text := _why_empty(split, summary)):
            summary.note(Notice("nothing-left", "", "", text), keep=True)
        return summary

    def _notices(self, split: Split, selection: Selection) -> Iterable[Notice]:
        """What is worth knowing before the first image."""
        if split.reader.images is None:
            text = (
                "no images found, so width and height are the smallest that hold the annotations: "
                f"good for evaluation, wrong for training. {split.where_photos_are()}"
            )
            yield Notice("no-images", "", "", text)
        if selection != self.selection:
            those = "--only, --category, --exclude and --where"
            text = f"images without annotations: {those} cannot choose among them"
            yield Notice("selection-ignored", split.reader.images_label, "", text)
        yield from split.notices()

    def _chunks(
        self, split: Split, plan: Sequence[Output], selection: Selection
    ) -> Generator[list[Converted], None, None]:
        """What the images of a split give for each file of its plan. Close the generator to end early."""
        reader = replace(
            split.reader,
            stored_size=plan[0].shape.preset == "official",  # whose file has sizes as stored
            needs_landmarks=any(output.shape.task == "keypoints" for output in plan),
        )
        work = partial(convert_chunk, reader, selection, plan)
        phase = f"converting {split.name}" if reader.annotations else "reading image headers"
        return map_images(
            work, reader, split.entries, phase=phase, workers=self.workers, progress=self.progress
        )


def _why_empty(split: Split, summary: Summary) -> str:
    """Why nothing is left of a split; "" when something is."""
    written = summary.images if split.reader.annotations is None else summary.items
    if leaves_nothing(summary.notice_counts, written):
        first = next(notice for notice in summary.notices if notice.code in EMPTYING)
        return f"nothing is left that can be used ({first})"
    if summary.subset and not summary.images:
        return "the chosen categories, classes, values or source leave no image"
    return ""
