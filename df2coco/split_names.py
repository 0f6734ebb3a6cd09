"""Which split a name means: the one rule for folders, archives and COCO files."""

import re
from typing import Final

SPLITS: Final = ("train", "validation", "test")

_SPLIT_OF_WORD: Final = {name: name for name in SPLITS} | dict.fromkeys(("valid", "val"), SPLITS[1])

_COPIED: Final = (
    "copy|copie|kopie|copia|c\u00f3pia|kopia|\u526f\u672c|\u043a\u043e\u043f\u0438\u044f"
)
"""What Windows adds to the name of a copy, in the languages of most users."""

_COPY: Final = re.compile(
    rf"^copy of |-\d{{8}}T\d{{6}}Z(?:-\d+)*$|(?: - (?:{_COPIED}))? ?\(\d+\)$| - (?:{_COPIED})$| copy(?: \d+)?$",
    re.IGNORECASE,
)


def split_of(name: str) -> str | None:
    """The split that a name means by the last of its words that says one; None when none does.

    "val_annos", "keypoints_valid.json", "val2017", "Train (1)", "deepfashion2_train": each means one.
    """
    words = re.findall("[a-z]+", name.lower())
    return next((_SPLIT_OF_WORD[word] for word in reversed(words) if word in _SPLIT_OF_WORD), None)


def split_called(name: str) -> str | None:
    """As `split_of`, for a name that says nothing else: "val", "Train (1)", but not "val_annos"."""
    return _SPLIT_OF_WORD.get(original_name(name).lower())


def spellings(split: str | None) -> list[str]:
    """The words that mean a split, its own name first."""
    return [word for word, meaning in _SPLIT_OF_WORD.items() if meaning == split]


def original_name(name: str) -> str:
    """The name of a download before browsers, Google Drive and file managers changed it.

    "Copy of train", "train (1)" and "train-20240101T000000Z-001" are "train".
    """
    before = ""
    while before != name:
        before, name = name, _COPY.sub("", name)
    return name
