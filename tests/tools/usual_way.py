"""How it is done today: the official converter's way (json, Pillow, numpy padding, one big document).

Written anew from a description of what `deepfashion2_to_coco.py` does, with sorted files so that ids agree.
`python tests/tools/usual_way.py SPLIT OUT`
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from df2coco.taxonomy import CATEGORIES


def convert(split: Path, out: Path) -> None:
    dataset: dict[str, Any] = {"info": {}, "licenses": [], "images": [], "annotations": []}
    dataset["categories"] = [
        {
            "id": category.id,
            "name": category.official_name,
            "supercategory": "clothes",
            "keypoints": [str(number) for number in range(1, 295)],
            "skeleton": [],
        }
        for category in CATEGORIES
    ]
    first_slots = {category.id: category.first_slot for category in CATEGORIES}
    annotation_id = 0
    for path in sorted((split / "annos").iterdir()):
        image_id = int(path.stem)
        with Image.open(split / "image" / f"{path.stem}.jpg") as image:
            width, height = image.size
        with path.open() as file:
            content = json.load(file)
        dataset["images"].append(
            {
                "coco_url": "",
                "date_captured": "",
                "file_name": f"{path.stem}.jpg",
                "flickr_url": "",
                "id": image_id,
                "license": 0,
                "width": width,
                "height": height,
            }
        )
        for key, item in content.items():
            if key in ("source", "pair_id"):
                continue
            annotation_id += 1
            x1, y1, x2, y2 = item["bounding_box"]
            landmarks = item["landmarks"]
            points = np.zeros(294 * 3)
            start = first_slots[item["category_id"]]
            xs, ys, vs = (
                np.array(landmarks[0::3]),
                np.array(landmarks[1::3]),
                np.array(landmarks[2::3]),
            )
            for number in range(len(vs)):
                points[3 * (start + number)] = xs[number]
                points[3 * (start + number) + 1] = ys[number]
                points[3 * (start + number) + 2] = vs[number]
            dataset["annotations"].append(
                {
                    "area": (x2 - x1) * (y2 - y1),
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "category_id": item["category_id"],
                    "id": annotation_id,
                    "pair_id": content["pair_id"],
                    "image_id": image_id,
                    "iscrowd": 0,
                    "style": item["style"],
                    "num_keypoints": len(np.where(vs > 0)[0]),
                    "keypoints": points.tolist(),
                    "segmentation": item["segmentation"],
                }
            )
    with out.open("w") as file:
        json.dump(dataset, file)


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
