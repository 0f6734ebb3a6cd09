"""`df2coco evaluate bbox`, `segm`, `keypoints` and `retrieval`."""

import sys
from pathlib import Path
from typing import Annotated, Any, cast

from df2coco.cli import app as cli
from df2coco.cli.streams import say
from df2coco.evaluation import evaluate
from df2coco.evaluation.detection import COUNTED_LANDMARKS, OKS_AREAS, Attribute, Kind
from df2coco.evaluation.engines import ENGINES
from df2coco.retrieval import evaluate_retrieval
from df2coco.taxonomy import ATTRIBUTES

group = cli.command_group("evaluate", "Score results as the DeepFashion2 benchmarks do.")

GroundTruthArgument = Annotated[
    Path,
    cli.argument(
        "GT", "The ground truth: a COCO file of df2coco convert or of the official converter."
    ),
]


def _results(fields: str) -> Any:
    return cli.argument(
        "RESULTS",
        f"A JSON list of {{image_id, category_id, {fields}, score}}; image_id of 000001.jpg is 1.",
    )


def _by(help: str) -> Any:
    text = f"Also the numbers of each value of an attribute{help}"
    return cli.choice(text, tuple(ATTRIBUTES), show_default=False)


PerCategoryOption = Annotated[
    bool, cli.flag("--per-category", "Also the numbers of each category.")
]
ByOption = Annotated[
    str | None,
    _by(
        ", as the published tables have them: items with other values are ignored, so a result that "
        "matches one is neither right nor wrong."
    ),
]
CategoryOption = Annotated[
    str | None,
    cli.category_option(
        "Score the items of this category, and take all results for its, whatever category_id they have: "
        "those of a model of one category.",
    ),
]
EngineOption = Annotated[
    str | None,
    cli.choice(
        "What matches results to items; both give the same numbers.",
        tuple(ENGINES),
        show_default="hotcoco where it is installed",
    ),
]


def _detection_command(kind: Kind, fields: str, summary: str) -> None:
    @cli.command(kind, group, help=summary)
    def detection_command(
        ground_truth: GroundTruthArgument,
        results: Annotated[Path, _results(fields)],
        per_category: PerCategoryOption = False,
        by: ByOption = None,
        category: CategoryOption = None,
        engine: EngineOption = None,
        as_json: cli.JsonOption = False,
        quiet: cli.QuietOption = False,
    ) -> None:
        options = {"by": by, "category": category, "engine": engine}
        _evaluate(kind, ground_truth, results, options, per_category, as_json, quiet)


_detection_command(
    "bbox", "bbox [x, y, w, h]", "Clothes detection: COCO's average precision of boxes."
)
_detection_command(
    "segm", "segmentation RLE", "Clothes segmentation: COCO's average precision of masks."
)


@cli.command("keypoints", group)
def keypoints_command(
    ground_truth: GroundTruthArgument,
    results: Annotated[
        Path, _results("keypoints (x, y, v of all 294 or of the category's own), bbox (optional)")
    ],
    landmarks: Annotated[str, cli.choice("Which landmarks count.", COUNTED_LANDMARKS)] = "all",
    oks_area: Annotated[str, cli.choice("The scale of an item in OKS.", OKS_AREAS)] = "box",
    per_category: PerCategoryOption = False,
    by: ByOption = None,
    category: CategoryOption = None,
    engine: EngineOption = None,
    as_json: cli.JsonOption = False,
    quiet: cli.QuietOption = False,
) -> None:
    """Landmark estimation: COCO's average precision by OKS.

    The sigmas are the official ones. The benchmark has two numbers: of all labelled landmarks, and with --landmarks visible.
    """
    options = {"by": by, "category": category, "engine": engine}
    options |= {"landmarks": landmarks, "oks_area": oks_area}
    _evaluate("keypoints", ground_truth, results, options, per_category, as_json, quiet)


@cli.command("retrieval", group)
def retrieval_command(
    query: Annotated[Path, cli.argument("QUERY", "<split>_query.json of df2coco retrieval.")],
    gallery: Annotated[Path, cli.argument("GALLERY", "<split>_gallery.json of df2coco retrieval.")],
    results: Annotated[
        Path,
        cli.argument(
            "RESULTS",
            "A JSON list of {query_image_id, query_bbox [x1, y1, x2, y2], query_cls, query_score, "
            "gallery_image_id, gallery_bbox}, the last two lists of up to 20 answers.",
        ),
    ],
    per_category: PerCategoryOption = False,
    by: Annotated[str | None, _by(" of the query items.")] = None,
    as_json: cli.JsonOption = False,
    quiet: cli.QuietOption = False,
) -> None:
    """Consumer-to-shop retrieval: top-1, 5, 10, 15 and 20 accuracy."""
    evaluation = evaluate_retrieval(query, gallery, results, by=cast("Attribute | None", by))
    _show(evaluation, per_category, as_json, quiet)


def _evaluate(
    kind: Kind,
    ground_truth: Path,
    results: Path,
    options: dict[str, Any],
    per_category: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    with cli.progress_bar(quiet=quiet) as progress:
        evaluation = evaluate(kind, ground_truth, results, **options, progress=progress)
    _show(evaluation, per_category, as_json, quiet)


def _show(evaluation: Any, per_category: bool, as_json: bool, quiet: bool) -> None:
    if as_json:
        cli.print_json(evaluation.as_json(per_category=per_category))
    else:
        print(evaluation.as_text(per_category=per_category))
    sys.stdout.flush()  # the notes come last, also where both streams go to one file
    for note in () if quiet else evaluation.notes:
        say(f"note: {note}")
