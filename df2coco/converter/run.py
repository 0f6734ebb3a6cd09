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
from typing import Final

from df2coco.coco.writer import Writer
from df2coco.converter.chunk import Converted, Job, Output, convert_chunk, take_sample
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
from df2coco.taxonomy import CATEGORIES
from df2coco.workers import check_workers

# ---------------------------------------------------------------- the files


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
        return [_family(split, out, selection, shape, per_category) for split in splits]
    if per_category:
        raise OutputError(
            "--per-category writes a file of each category. Name a folder instead of a .json file.",
            file=out,
        )
    if len(splits) > 1:
        names = ", ".join(split.name for split in splits)
        raise OutputError(f"one file for several splits ({names}). Name a folder.", file=out)
    if splits[0].reader.annotations is None:
        raise SourceError(
            f"{splits[0].reader.images_label}: images without annotations. "
            "Use df2coco image-info, or name the folder that holds annos too."
        )
    return [[Output(out, shape.of_file(shape.task or "keypoints"))]]


_SUFFIX: Final = re.compile(r"\.[A-Za-z]\w{0,7}")
"""What looks like the end of a file's name; that of a folder may have dots, too: coco-v1.2."""


def _is_folder(out: Path) -> bool:
    """Whether OUT names a folder; else it is a .json file. Raises `OutputError` for anything else."""
    refuse_stdout(out)
    if os.path.isdir(out):
        return True
    suffix = out.suffix
    if suffix.lower() == ".json":
        return False
    if _SUFFIX.fullmatch(suffix):
        raise OutputError(
            "is not the name of a .json file. Name one, or a folder (a folder whose name looks "
            "like a file's must be there already).",
            file=out,
        )
    return True


def _family(
    split: Split, folder: Path, selection: Selection, shape: Shape, per_category: bool
) -> list[Output]:
    if split.reader.annotations is None:
        bare = Shape(classes=shape.classes).of_file("instances")
        return [Output(folder / f"image_info_{split.name}.json", bare)]
    tasks: tuple[Task, ...] = (shape.task,) if shape.task else ("instances", "keypoints")
    outputs = [Output(folder / f"{task}_{split.name}.json", shape.of_file(task)) for task in tasks]
    for category in CATEGORIES if per_category else ():
        if category.id not in selection.category_ids:
            continue
        name = f"deepfashion2_{category.official_name}_{split.name}.json"
        outputs.append(Output(folder / split.name / name, shape.of_file("keypoints"), category.id))
    return outputs


# ---------------------------------------------------------------- the job


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
    splits = _listed_alone(find_splits(source, images, password), selection.listed, source)
    plans = _plan(splits, out, selection, shape, per_category=per_category)
    return run.convert(splits, plans, makes_folders=makes_folders)


def _listed_alone(
    splits: list[Split], listed: Sequence[int | str], source: str | Path
) -> list[Split]:
    """The splits with the images of a list alone, where there is one. Raises `SourceError`."""
    if not listed:
        return splits
    wanted = frozenset(listed)
    shorter = [
        replace(split, entries=[e for e in split.entries if find_image_id(e.stem) in wanted])
        for split in splits
    ]
    found = (find_image_id(entry.stem) for split in shorter for entry in split.entries)
    if missing := sorted(set(listed).difference(found)):
        some = ", ".join(f"{number:06d}" for number in missing[:5]) + " ..." * (len(missing) > 5)
        are = "are" if len(missing) > 1 else "is"
        text = f"{counted(len(missing), 'image')} of the list {are} not there: {some}. Correct it."
        raise SourceError(text, file=source)
    return [split for split in shorter if split.entries]


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
        text = (
            f"no images found. Name their folder or archive{f', as {there[0]}' if there else ''}."
        )
        raise SourceError(text, file=images)
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

    def _note(self, summary: Summary, notices: Iterable[Notice]) -> None:
        for notice in notices:
            summary.note(notice, keep=self.keep_notices or self.report is not None)

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
                summaries = [
                    self._convert(split, plan, outputs)
                    for split, plan in zip(splits, plans, strict=True)
                ]
                empty = [s for s in summaries if "nothing-left" in s.notice_counts]
                if self._fails(*summaries) or len(empty) == len(summaries):
                    for summary in summaries:
                        summary.clear()
                    raise ConversionError(summaries)
                for summary in empty:  # the other splits are what was asked for
                    for path in summary.outputs:
                        outputs.drop(path)
                    summary.outputs.clear()
                    summary.clear()
                for path in reports:
                    outputs.open(path).write(report_json(summaries))
        except ConversionError as error:
            for path in reports:
                with atomic_write(path) as stream:
                    stream.write(report_json(error.summaries))
            raise
        return summaries

    def _convert(self, split: Split, plan: Sequence[Output], outputs: Outputs) -> Summary:
        """Convert one split; only notices count once something cannot be used that has to be."""
        selection = self._selection(split)
        classes = plan[0].shape.class_ids
        summary = Summary(split.name, [output.path for output in plan])
        summary.names = dict(enumerate(classes, 1)) or summary.names
        summary.subset = bool(classes) or selection != Selection()
        self._note(summary, self._notices(split))
        reaches = array("d")
        with ExitStack() as stack:
            writers = []
            for output in plan:
                info = make_info(
                    output.shape, selection, sizes_known=split.reader.images is not None
                )
                categories = make_encoder(output.shape).categories(output.category_id)
                writer = Writer(outputs.open(output.path), info, categories, output.path)
                writers.append(stack.enter_context(writer))
            chunks = stack.enter_context(closing(self._chunks(split, plan, selection)))
            results: Iterable[Converted] = chain.from_iterable(chunks)
            if selection.sample is not None:
                results = take_sample(results, selection.sample, selection.seed)
            for converted in results:
                reaches.extend(converted.reaches)
                self._note(summary, converted.notices)
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
        annotated = split.reader.annotations is not None
        if not self._fails(summary):
            written = summary.items if annotated else summary.images
            if leaves_nothing(summary.notice_counts, written):
                first = next(notice for notice in summary.notices if notice.code in EMPTYING)
                text = f"{_NOTHING_USABLE} ({first})"
                summary.note(Notice("nothing-left", "", "", text), keep=True)
            elif summary.subset and not summary.images:
                summary.note(Notice("nothing-left", "", "", _NOTHING_LEFT), keep=True)
        return summary

    def _chunks(
        self, split: Split, plan: Sequence[Output], selection: Selection
    ) -> Generator[list[Converted], None, None]:
        """What the images of a split give for each file of its plan. Close the generator to end early."""
        job = Job(
            # The official converter's file has sizes as stored.
            replace(
                split.reader,
                stored_size=plan[0].shape.preset == "official",
                needs_landmarks=any(output.shape.task == "keypoints" for output in plan),
            ),
            selection,
            plan,
        )
        return map_images(
            partial(convert_chunk, job),
            job.reader,
            split.entries,
            phase=f"converting {split.name}" if job.reader.annotations else "reading image headers",
            workers=self.workers,
            progress=self.progress,
        )

    def _selection(self, split: Split) -> Selection:
        """What of the selection makes sense for the split."""
        if split.reader.annotations is not None:
            return self.selection
        return self.selection.without_items

    def _notices(self, split: Split) -> Iterable[Notice]:
        """What is worth knowing before the first image."""
        if split.reader.images is None:
            yield Notice("no-images", "", "", f"{_NO_IMAGES} {split.where_photos_are()}")
        if self._selection(split) != self.selection:
            yield Notice("selection-ignored", split.reader.images_label, "", _NO_SELECTION)
        yield from split.notices()


_NO_IMAGES: Final = (
    "no images found, so width and height are the smallest that hold the annotations: "
    "good for evaluation, wrong for training."
)
_NO_SELECTION: Final = (
    "images without annotations: --only, --category, --exclude and --where cannot choose among them"
)
_NOTHING_LEFT: Final = "the chosen categories, classes, values or source leave no image"
_NOTHING_USABLE: Final = "nothing is left that can be used"
