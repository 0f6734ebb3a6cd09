"""`df2coco evaluate bbox`, `segm`, `keypoints` and `retrieval`, and `df2coco retrieval`."""

import sys
from pathlib import Path
from typing import Any, cast

from df2coco.cli import app, say
from df2coco.errors import counted
from df2coco.evaluation import evaluate
from df2coco.evaluation.detection import COUNTED_LANDMARKS, OKS_AREAS, Attribute, Kind
from df2coco.evaluation.engines import ENGINES
from df2coco.retrieval import evaluate_retrieval, write_retrieval
from df2coco.taxonomy import ATTRIBUTES

group = app.command_group("evaluate", "Score results as the DeepFashion2 benchmarks do.")

_GROUND_TRUTH = app.argument(
    "GT", "The ground truth: a COCO file of df2coco convert or of the official converter."
)


def _results(fields: str) -> Any:
    return app.argument(
        "RESULTS",
        f"A JSON list of {{image_id, category_id, {fields}, score}}; image_id of 000001.jpg is 1.",
    )


def _by(help: str) -> Any:
    text = f"Also the numbers of each value of an attribute{help}"
    return app.choice(text, tuple(ATTRIBUTES))


_PER_CATEGORY = app.flag("--per-category", "Also the numbers of each category.")
_BY = _by(
    ", as the published tables have them: items with other values are ignored, so a result that "
    "matches one is neither right nor wrong."
)
_CATEGORY = app.category_option(
    "Score the items of this category, and take all results for its, whatever category_id they have: "
    "those of a model of one category."
)
_ENGINE = app.choice(
    "What matches results to items; both give the same numbers.",
    tuple(ENGINES),
    show_default="hotcoco where it is installed",
)


def _detection_command(kind: Kind, fields: str, summary: str) -> None:
    @app.command(kind, "validation.json results.json", group, summary)
    def detection_command(
        ground_truth: Path = _GROUND_TRUTH,
        results: Path = _results(fields),
        per_category: bool = _PER_CATEGORY,
        by: str | None = _BY,
        category: str | None = _CATEGORY,
        engine: str | None = _ENGINE,
        as_json: bool = app.JSON_FLAG,
        quiet: bool = app.QUIET_FLAG,
    ) -> None:
        options: Any = {"by": by, "category": category, "engine": engine}
        with app.progress_bar(quiet=quiet) as progress:
            evaluation = evaluate(kind, ground_truth, results, **options, progress=progress)
        _show(evaluation, per_category, as_json, quiet)


_detection_command(
    "bbox", "bbox [x, y, w, h]", "Clothes detection: COCO's average precision of boxes."
)
_detection_command(
    "segm", "segmentation RLE", "Clothes segmentation: COCO's average precision of masks."
)


@app.command("keypoints", "validation.json results.json", group)
def keypoints_command(
    ground_truth: Path = _GROUND_TRUTH,
    results: Path = _results(
        "keypoints (x, y, v of all 294 or of the category's own), bbox (optional)"
    ),
    landmarks: str = app.choice("Which landmarks count.", COUNTED_LANDMARKS, default="all"),
    oks_area: str = app.choice("The scale of an item in OKS.", OKS_AREAS, default="box"),
    per_category: bool = _PER_CATEGORY,
    by: str | None = _BY,
    category: str | None = _CATEGORY,
    engine: str | None = _ENGINE,
    as_json: bool = app.JSON_FLAG,
    quiet: bool = app.QUIET_FLAG,
) -> None:
    """Landmark estimation: COCO's average precision by OKS.

    The sigmas are the official ones. The benchmark has two numbers: of all labelled landmarks, and with --landmarks visible.
    """
    options: Any = {"by": by, "category": category, "engine": engine}
    options |= {"landmarks": landmarks, "oks_area": oks_area}
    with app.progress_bar(quiet=quiet) as progress:
        evaluation = evaluate("keypoints", ground_truth, results, **options, progress=progress)
    _show(evaluation, per_category, as_json, quiet)


@app.command("retrieval", "query.json gallery.json results.json", group)
def evaluate_retrieval_command(
    query: Path = app.argument("QUERY", "<split>_query.json of df2coco retrieval."),
    gallery: Path = app.argument("GALLERY", "<split>_gallery.json of df2coco retrieval."),
    results: Path = app.argument(
        "RESULTS",
        "A JSON list of {query_image_id, query_bbox [x1, y1, x2, y2], query_cls, query_score, "
        "gallery_image_id, gallery_bbox}, the last two lists of up to 20 answers.",
    ),
    per_category: bool = _PER_CATEGORY,
    by: str | None = _by(" of the query items."),
    as_json: bool = app.JSON_FLAG,
    quiet: bool = app.QUIET_FLAG,
) -> None:
    """Consumer-to-shop retrieval: top-1, 5, 10, 15 and 20 accuracy."""
    evaluation = evaluate_retrieval(query, gallery, results, by=cast("Attribute | None", by))
    _show(evaluation, per_category, as_json, quiet)


def _show(evaluation: Any, per_category: bool, as_json: bool, quiet: bool) -> None:
    if as_json:
        app.print_json(evaluation.as_json(per_category=per_category))
    else:
        print(evaluation.as_text(per_category=per_category))
    sys.stdout.flush()  # the notes come last, also where both streams go to one file
    for note in () if quiet else evaluation.notes:
        say(f"note: {note}")


_IMAGE_LIST = app.option(
    "FILE",
    "Names of the images, one in each line, with or without .jpg: list_query.txt, list_gallery.txt. "
    "Without it query images are the users' photos, gallery images the shops'.",
)


@app.command("retrieval", "validation retrieval")
def retrieval_command(
    source: Path = app.SOURCE,
    out: Path = app.argument(
        "OUT_DIR", "The folder for <split>_query.json, <split>_gallery.json and <split>_pairs.csv."
    ),
    query_list: Path | None = _IMAGE_LIST,
    gallery_list: Path | None = _IMAGE_LIST,
    workers: int | None = app.WORKERS,
    password: str | None = app.PASSWORD,
    quiet: bool = app.QUIET_FLAG,
) -> None:
    """Write the ground truth of consumer-to-shop retrieval.

    That is query items, gallery items, and all positive pairs. The pairs are the items of a query and a gallery image with the same pair_id and style. Query items
    whose style no gallery item has are written with style 0, which means that they have no partner.
    """
    options: Any = {"query_list": query_list, "gallery_list": gallery_list, "workers": workers}
    summaries = app.run(write_retrieval, source, out, **options, password=password, quiet=quiet)
    for summary in () if quiet else summaries:
        say(f"{summary.split}: {counted(summary.pairs, 'pair')}")
        say(f"  query    {summary.query_images:>8,} images {summary.query_items:>8,} items")
        say(f"  gallery  {summary.gallery_images:>8,} images {summary.gallery_items:>8,} items")
        say(f"  scored: {counted(summary.scored, 'query item')} with a partner")
        if summary.without_partner:
            alone = counted(summary.without_partner, "query item")
            say(f"  {alone} with a style but no partner: written with style 0")
        if summary.without_source:
            say(f"  {counted(summary.without_source, 'image')} without a source (user or shop):")
            say("  left out. Name them by --query-list and --gallery-list.")
        for path in summary.outputs:
            say(f"  -> {path}")
