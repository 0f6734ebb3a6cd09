"""MMPose: the complete `dataset_info` of a layout, for its `DeepFashion2Dataset`.

MMPose brings one of its own. It has no sigmas (its `CocoMetric` then fails), does not swap vest 13 back
to 9, and swaps the neck and lapel points of short sleeve outwear as the published figure labels them,
not as they are annotated (see `df2coco.taxonomy`): flipped training images then teach wrong landmarks.
"""

from typing import Any, Final

from df2coco.integrations._source import links, literal, rows, slot_colors
from df2coco.layouts import UNIFIED, Layout

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


def dataset_info(layout: Layout) -> dict[str, Any]:
    """What `metainfo=` of a dataset takes: keypoints, links, weights and OKS sigmas in slot order.

    A keypoint's `swap` names its mirror partner, and is "" for a landmark on the axis.
    """
    names, colors = layout.names, slot_colors(layout)
    return {
        "dataset_name": "deepfashion2",
        "paper_info": PAPER_INFO,
        "keypoint_info": {
            slot: {
                "name": names[slot],
                "id": slot,
                "color": list(colors[slot]),
                "type": "",  # "upper" or "lower" half of a body
                "swap": names[partner] if partner != slot else "",
            }
            for slot, partner in enumerate(layout.flip_indices)
        },
        "skeleton_info": {
            number: {"link": (names[a], names[b]), "id": number, "color": list(color)}
            for number, (a, b, color) in enumerate(links(layout))
        },
        "joint_weights": [1.0] * len(names),
        "sigmas": list(layout.sigmas),
    }


DATASET_INFO: Final = dataset_info(UNIFIED)
"""That of the 294 landmarks and their 304 links."""


def source(layout: Layout = UNIFIED) -> str:
    """A config that defines `dataset_info`, for `metainfo=dict(from_file=...)`."""
    info = dataset_info(layout)
    slots = {name: slot for slot, name in enumerate(layout.names)}
    paper = "\n".join(f"        {literal(k)}: {literal(v)}," for k, v in PAPER_INFO.items())
    keypoints = rows(layout, enumerate(_entries(info["keypoint_info"])))
    ends = [slots[link["link"][0]] for link in info["skeleton_info"].values()]
    skeleton = rows(layout, zip(ends, _entries(info["skeleton_info"]), strict=True))
    sigmas = rows(layout, enumerate(map(literal, layout.sigmas)))
    return f'''\
"""DeepFashion2 for MMPose, written by `df2coco metainfo mmpose`.

Name it in the datasets of your config: `metainfo=dict(from_file="...")`. Do not call it
deepfashion2.py: MMPose takes its own file of that name when it does not find this one.
"""

# fmt: off
dataset_info = {{
    "dataset_name": {literal(info["dataset_name"])},
    "paper_info": {{
{paper}
    }},
    "keypoint_info": {{
{keypoints}
    }},
    "skeleton_info": {{
{skeleton}
    }},
    "joint_weights": [1.0] * {len(layout.names)},
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
