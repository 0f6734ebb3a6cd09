"""What an export came to."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

NOTES: Final[Mapping[str, str]] = {
    "crowd": "crowds (iscrowd 1) are left out: labels cannot say it",
    "box-empty": "boxes cover nothing of their photo: their items are left out",
    "outline-from-box": "masks cover nothing: their outline is the box",
    "outline-too-complex": "masks have more than 10,000 points or cross themselves more than 5,000 times: "
    "their outline is the box",
    "landmark-outside": "labelled landmarks lie outside their photo: exported as not labelled",
}
"""Code -> what was left out or changed, beside the notices of converting (`box-clipped` too)."""


@dataclass(frozen=True)
class ExportedSplit:
    """One split of an export.

    - name: The tool's name of it: "train", "val".
    - images: Images of the split.
    - items: Items of the split.
    - notes: Code of `NOTES` or of `df2coco.parser.records.NOTICES` -> how often.
    """

    name: str
    images: int
    items: int
    notes: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Exported:
    """What was written.

    - splits: One for each source.
    - classes: In label order.
    """

    splits: tuple[ExportedSplit, ...]
    classes: tuple[str, ...]
