"""Ultralytics: the `data.yaml` of an exported dataset; `source()` is that of one with landmarks."""

import json
import textwrap
from collections.abc import Iterable, Sequence
from typing import Final

from df2coco.errors import printable
from df2coco.layouts import UNIFIED, Layout
from df2coco.taxonomy import CATEGORIES

MINIMUM_VERSION: Final = "8.4.117"
"""The first release whose training loss reads `kpt_oks_sigmas` (`v8PoseLoss` in its utils/loss.py)."""


def data_yaml(
    names: Sequence[str],
    layout: Layout | None = None,
    *,
    splits: Sequence[str] = ("train", "val"),
    comments: Iterable[str] = (),
) -> str:
    """The text of a `data.yaml`.

    `names` are the classes in label order, from 0. `splits` are Ultralytics' names ("train", "val",
    "test"), whose photos are in images/train and so on beside the file. `layout` is for pose only.
    It has no key `path`: Ultralytics then starts from the folder of the file itself, wherever it lies.
    """
    lines = [f"# {comment}".rstrip() for comment in comments]
    lines += [*(f"{split}: images/{split}" for split in splits), "", "names:"]
    lines += [
        # Beside JSON's escapes, YAML asks for those of DEL, C1 and what else is not printable.
        f"  {number}: {printable(json.dumps(name, ensure_ascii=False))}"
        for number, name in enumerate(names)
    ]
    if layout is not None:
        lines += [
            "",
            f"kpt_shape: [{len(layout.sigmas)}, 3]",
            "# The slot that each landmark becomes when the image is mirrored.",
            *_numbers("flip_idx", layout.flip_indices),
            "# Without these the pose loss uses 1 / number of landmarks, and landmarks learn nothing.",
            f"# Training reads them since Ultralytics {MINIMUM_VERSION}.",
            *_numbers("kpt_oks_sigmas", layout.sigmas),
        ]
    return "\n".join(lines) + "\n"


def source(layout: Layout = UNIFIED) -> str:
    """The `data.yaml` of train and validation with the landmarks of a layout."""
    return data_yaml(
        [category.name for category in CATEGORIES],
        layout,
        comments=(
            "DeepFashion2 for Ultralytics YOLO, written by `df2coco metainfo ultralytics`.",
            "`df2coco export yolo` writes it together with the labels. For detect and segment leave out",
            "kpt_shape and what follows.",
        ),
    )


def _numbers(key: str, numbers: Iterable[float]) -> list[str]:
    """A flow sequence, with as many numbers in a line as fit."""
    text = ", ".join(map(repr, numbers))
    lines = textwrap.wrap(text, width=100, initial_indent="  ", subsequent_indent="  ")
    return [f"{key}: [", *lines, "]"]
