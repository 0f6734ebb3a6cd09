"""Run all kinds and print the numbers; 1 when there was a failure."""

from __future__ import annotations

import argparse
import sys
import time
from typing import Final

from df2coco.workers import available_cores
from tests.tools import fuzz as package
from tests.tools.fuzz import cases
from tests.tools.fuzz.annotations import annotation_batch
from tests.tools.fuzz.archives import archive_batch
from tests.tools.fuzz.coco import coco_batch
from tests.tools.fuzz.outlines import outline_batch
from tests.tools.fuzz.pictures import header_batch, picture_batch
from tests.tools.fuzz.retrieval import retrieval_batch

KINDS: Final = {
    "annotations": (annotation_batch, 10_000, "annotation files"),
    "coco": (coco_batch, 2_000, "COCO files"),
    "headers": (header_batch, 10_000, "headers of images"),
    "pictures": (picture_batch, 1_000, "pictures"),
    "archives": (archive_batch, 5_000, "archives"),
    "outlines": (outline_batch, 5_000, "outlines"),
    "retrieval": (retrieval_batch, 2_000, "answers of retrieval"),
}
"""Option -> the batch, how many cases, what they are called."""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=package.__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    for option, (_, number, _) in KINDS.items():
        parser.add_argument(f"--{option}", type=int, default=number, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=available_cores())
    parser.add_argument("--only", type=int, metavar="CASE", help="run this case of each kind again")
    arguments = parser.parse_args()
    failed = False
    for option, (batch, _, name) in KINDS.items():
        started = time.perf_counter()
        if arguments.only is not None:
            numbers = range(arguments.only, arguments.only + 1)
            outcome = cases.summed(batch(arguments.seed, numbers))
        else:
            number = getattr(arguments, option)
            outcome = cases.fuzz(batch, number, arguments.seed, arguments.workers)
        seconds, slowest = outcome.slowest
        print(
            f"{outcome.cases:,} {name} in {time.perf_counter() - started:.0f} s: "
            f"{outcome.accepted:,} accepted, slowest {seconds:.2f} s (case {slowest}), "
            f"{len(outcome.failures)} failures",
            flush=True,
        )
        for failure in outcome.failures[:20]:
            print(f"--- case {failure.case}: {failure.what}\n{failure.raw[:300]!r}")
        failed = failed or bool(outcome.failures) or seconds > cases.SLOW
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
