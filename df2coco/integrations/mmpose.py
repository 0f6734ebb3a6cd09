"""MMPose: the complete `dataset_info` of the 294 landmarks, for its `DeepFashion2Dataset`.

MMPose brings one of its own. It has no sigmas (its `CocoMetric` then fails), does not swap vest 13 back
to 9, and swaps the neck and lapel points of short sleeve outwear as the published figure labels them,
not as they are annotated (see `df2coco.taxonomy`): flipped training images then teach wrong landmarks.
"""

from __future__ import annotations

from typing import Any, Final

from df2coco.integrations._source import literal, rgb, rows
from df2coco.taxonomy import CATEGORIES, NUM_LANDMARKS, SIGMAS, Category

__all__ = ["DATASET_INFO", "source"]

PAPER_INFO: Final = {
    "author": "Yuying Ge and Ruimao Zhang and Lingyun Wu and Xiaogang Wang and Xiaoou Tang and Ping Luo",
    "title": (
        "DeepFashion2: A Versatile Benchmark for Detection, Pose Estimation, Segmentation and "
        "Re-Identification of Clothing Images"
    ),
    "container": "Proceedings of IEEE Conference on Computer Vision and Pattern Recognition (CVPR)",
    "year": "2019",
    "homepage": "https://github.com/switchablenorms/DeepFashion2",
}


def _keypoints(category: Category) -> dict[int, dict[str, Any]]:
    """Slot -> name, id, colour and the name of its mirror partner, "" for a landmark on the axis."""
    names = category.landmark_names
    partner = {a: b for pair in category.flip_pairs for a, b in (pair, pair[::-1])}
    return {
        slot: {
            "name": names[number - 1],
            "id": slot,
            "color": list(rgb(category)),
            "type": "",  # "upper" or "lower" half of a body
            "swap": names[partner[number] - 1] if number in partner else "",
        }
        for number, slot in enumerate(category.slots, 1)
    }


def _links(category: Category) -> dict[int, dict[str, Any]]:
    """Number of the link -> names of its ends, id and colour; numbers run on over the categories."""
    names = category.landmark_names
    first = sum(len(other.skeleton) for other in CATEGORIES if other.id < category.id)
    return {
        number: {
            "link": (names[a - 1], names[b - 1]),
            "id": number,
            "color": list(rgb(category)),
        }
        for number, (a, b) in enumerate(category.skeleton, first)
    }


DATASET_INFO: Final[dict[str, Any]] = {
    "dataset_name": "deepfashion2",
    "paper_info": PAPER_INFO,
    "keypoint_info": {k: v for category in CATEGORIES for k, v in _keypoints(category).items()},
    "skeleton_info": {k: v for category in CATEGORIES for k, v in _links(category).items()},
    "joint_weights": [1.0] * NUM_LANDMARKS,
    "sigmas": list(SIGMAS),
}
"""What `metainfo=` of a dataset takes: 294 keypoints, 304 links, weights and OKS sigmas in slot order."""


def source() -> str:
    """A config that defines `dataset_info`, for `metainfo=dict(from_file=...)`."""
    paper = "\n".join(f"        {literal(k)}: {literal(v)}," for k, v in PAPER_INFO.items())
    keypoints = rows(lambda category: _entries(_keypoints(category)), indent=8)
    links = rows(lambda category: _entries(_links(category)), indent=8)
    sigmas = rows(lambda category: map(literal, category.sigmas), indent=8)
    return f'''\
"""DeepFashion2 for MMPose, written by `df2coco metainfo mmpose`.

Name it in the datasets of your config: `metainfo=dict(from_file="...")`. Do not call it
deepfashion2.py: MMPose takes its own file of that name when it does not find this one.
"""

# fmt: off
dataset_info = {{
    "dataset_name": {literal(DATASET_INFO["dataset_name"])},
    "paper_info": {{
{paper}
    }},
    "keypoint_info": {{
{keypoints}
    }},
    "skeleton_info": {{
{links}
    }},
    "joint_weights": [1.0] * {NUM_LANDMARKS},
    "sigmas": [
{sigmas}
    ],
}}
# fmt: on
'''


def _entries(table: dict[int, dict[str, Any]]) -> list[str]:
    return [
        f"{key}: dict({', '.join(f'{name}={literal(v)}' for name, v in fields.items())})"
        for key, fields in table.items()
    ]
