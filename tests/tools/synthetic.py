"""A synthetic split of any size with the released validation split's statistics and quirks.

    python -m tests.tools.synthetic OUT_DIR --images 32153 --seed 0

The garments are jittered figures; the photos are noise, because only their headers matter. For a
split worth looking at see `fixtures/`.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from df2coco.taxonomy import CATEGORY_BY_ID
from tests.tools.garment_figure import FIGURE
from tests.tools.garments import PANELS, annotation_text, occlusion_of, scale_of, zoom_in_of

__all__ = ["make_split"]

# Counts of the released validation split.
RELEASED_IMAGES: Final = 32153
RELEASED_USER_IMAGES: Final = 10844
RELEASED_ITEMS: Final = (
    12556, 5966, 142, 2011, 2113, 322, 4167, 9586, 6522, 3127, 1477, 3352, 1149,
)  # fmt: skip
# Shares of images with 1, 2, ... items: together 1.43 items a user image and 1.73 a shop image.
USER_ITEMS: Final = (0.583, 0.4025, 0.0135, 0.0008, 0.0002)
SHOP_ITEMS: Final = (0.309, 0.649, 0.0395, 0.0020, 0.0005)

IMAGE_SIZES: Final = (
    (468, 624), (468, 702), (640, 961), (640, 960), (468, 702), (750, 612), (880, 1173), (468, 624),
    (640, 640), (750, 499), (468, 624), (468, 832), (790, 1185), (468, 468), (880, 813), (750, 1125),
    (640, 960), (750, 750), (800, 800), (600, 900), (468, 624), (960, 640), (500, 667), (1000, 1000),
)  # fmt: skip
"""Width, height of the photos, in pixels."""

DENSE_SHARE: Final = 0.1
"""Share of items whose mask is one open polygon of floats."""
OPEN_OUTWEAR: Final = (3, 4)
UNLABELLED_SHARE: Final = 0.005
"""Share of items without any labelled landmark."""

Points = NDArray[np.float64]


def make_split(out: Path, images: int, seed: int = 0, link_images: bool = True) -> None:
    """Write `out`/annos/NNNNNN.json and `out`/image/NNNNNN.jpg, numbered from 000001.

    The first third of the images are user photos, the others shop photos. The photos are 24 files
    under many names: hard links, or copies where links fail or `link_images` is false.
    """
    annos, photos = out / "annos", out / "image"
    annos.mkdir(parents=True)
    photos.mkdir()
    rng = np.random.default_rng(seed)
    encoded = [_photo(width, height, rng) for width, height in IMAGE_SIZES]
    first_names: dict[int, Path] = {}
    weights = np.array(RELEASED_ITEMS) / sum(RELEASED_ITEMS)
    users = round(images * RELEASED_USER_IMAGES / RELEASED_IMAGES)
    pairs = max(1, images // 8)
    main_categories = rng.choice(13, size=pairs, p=weights) + 1

    for index in range(images):
        name = f"{index + 1:06d}"
        is_user = index < users
        share = index / users if is_user else (index - users) / (images - users)
        pair = int(share * pairs)
        count = 1 + int(rng.choice(5, p=USER_ITEMS if is_user else SHOP_ITEMS))
        size_index = int(rng.integers(len(IMAGE_SIZES)))
        categories = [int(c) + 1 for c in rng.choice(13, size=count, p=weights)]
        styles = [int(rng.integers(1, 4)) if rng.random() < 0.1 else 0 for _ in range(count)]
        main = int(rng.integers(count))
        categories[main] = int(main_categories[pair])
        styles[main] = int(rng.integers(1, 3)) if rng.random() < 0.9 else 0
        items = [
            _item(category, style, IMAGE_SIZES[size_index], (place + 0.5) / count, rng)
            for place, (category, style) in enumerate(zip(categories, styles, strict=True))
        ]
        text = annotation_text("user" if is_user else "shop", pair + 1, items)
        (annos / f"{name}.json").write_text(text, encoding="utf-8", newline="")
        _place(encoded[size_index], photos / f"{name}.jpg", size_index, first_names, link_images)


def _photo(width: int, height: int, rng: np.random.Generator) -> bytes:
    """A baseline JPEG of a gradient and blurred noise, about as large a file as a real photo."""
    coarse = rng.integers(60, 230, size=(6, 5, 3), dtype=np.uint8)
    smooth = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    grain = rng.normal(0, 9, size=(height, width, 1))
    pixels = np.clip(np.asarray(smooth, dtype=np.float64) + grain, 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=60)
    return buffer.getvalue()


def _place(data: bytes, path: Path, key: int, first: dict[int, Path], link: bool) -> None:
    """Put a photo at `path`: written out the first time, linked or copied afterwards."""
    if key not in first:
        path.write_bytes(data)
        first[key] = path
        return
    if link:
        try:
            os.link(first[key], path)
            return
        except OSError:  # another file system, or as many links as a file can have
            pass
    shutil.copyfile(first[key], path)
    first[key] = path


def _item(
    category: int, style: int, size: tuple[int, int], height: float, rng: np.random.Generator
) -> dict[str, Any]:
    """One item of an image of `size` (width, height) whose middle is near `height` (0 to 1)."""
    width_px, height_px = size
    points = _pose(category, size, height, rng)
    inside = (
        (points[:, 0] >= 0)
        & (points[:, 0] < width_px)
        & (points[:, 1] >= 0)
        & (points[:, 1] < height_px)
    )
    hidden = rng.random(len(points)) < rng.beta(1.0, 3.0)
    visibility = np.where(inside, np.where(hidden, 1, 2), 0)
    if rng.random() < UNLABELLED_SHARE:
        visibility[:] = 0
    rounded = np.clip(np.rint(points), 0, (width_px - 1, height_px - 1)).astype(int)
    landmarks = np.column_stack((rounded, visibility)) * (visibility > 0)[:, None]

    # Open outwear has two halves, which one polygon does not show.
    if rng.random() < DENSE_SHARE and category not in OPEN_OUTWEAR:
        segmentation: list[list[Any]] = [_dense(points, category, size, rng)]
    else:
        segmentation = _parts(rounded, category, rng)
    corners = np.concatenate(
        [rounded[visibility > 0], *(np.reshape(polygon, (-1, 2)) for polygon in segmentation)]
    )
    # As in the dataset: no box is much larger than its item, and no landmark far outside of it.
    margins = np.clip(np.rint(rng.normal(7, 4, size=4)), -2, 20)
    margins = np.minimum(margins, np.floor(0.06 * np.tile(np.ptp(corners, axis=0), 2)))
    low = np.maximum(np.floor(corners.min(axis=0)) - margins[:2], 0)
    high = np.ceil(corners.max(axis=0)) + margins[2:]
    high = np.maximum(np.minimum(high, (width_px - 1, height_px - 1)), low + 1)
    box = [int(value) for value in (*low, *high)]
    area = (box[2] - box[0]) * (box[3] - box[1]) / (width_px * height_px)
    return {
        "segmentation": segmentation,
        "scale": scale_of(area),
        "viewpoint": int(rng.choice((1, 2, 3), p=(0.12, 0.76, 0.12))),
        "zoom_in": zoom_in_of(float(np.mean(~inside))),
        "landmarks": landmarks.ravel().tolist(),
        "style": style,
        "bounding_box": box,
        "category_id": category,
        "occlusion": occlusion_of(float(np.mean(hidden))),
        "category_name": CATEGORY_BY_ID[category].name,
    }


_FIGURES: Final[dict[int, Points]] = {
    category: np.array(figure, dtype=np.float64) for category, figure in FIGURE.items()
}


def _pose(category: int, size: tuple[int, int], height: float, rng: np.random.Generator) -> Points:
    """The figure somewhere in the image, or partly outside: (x, y) in pixels, shape (landmarks, 2)."""
    figure = _FIGURES[category]
    figure = figure - (figure.min(axis=0) + figure.max(axis=0)) / 2
    area = min(0.9, rng.lognormal(-1.8, 0.8)) * size[0] * size[1]
    extent = np.ptp(figure, axis=0)
    unit = np.sqrt(area / (extent[0] * extent[1])) * rng.normal(1, 0.1, size=2)
    angle = rng.normal(0, 0.15)
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array(((cos, sin), (-sin, cos)))
    centre = np.clip((rng.normal(0.5, 0.08), rng.normal(height, 0.08)), 0.05, 0.95) * size
    jitter = rng.normal(0, 0.015, size=figure.shape) * unit
    posed: Points = figure * unit @ turn + centre + jitter
    return posed


def _parts(points: NDArray[np.int64], category: int, rng: np.random.Generator) -> list[list[Any]]:
    """Closed polygons of ints: the outline, its parts, and now and then a duplicate."""
    polygons = []
    for loop in PANELS[category]:
        numbers = np.array(loop) - 1
        if len(numbers) > 4 and rng.random() < 0.16:  # two points in the wrong order
            swap = int(rng.integers(len(numbers) - 1))
            numbers[[swap, swap + 1]] = numbers[[swap + 1, swap]]
        polygons.append(points[np.append(numbers, numbers[0])].ravel().tolist())
    if len(polygons) < 6 and rng.random() < 0.01:
        polygons.append(list(polygons[-1]))
    return polygons


def _dense(
    points: Points, category: int, size: tuple[int, int], rng: np.random.Generator
) -> list[float]:
    """One open polygon of 60 to 100 points with 2 to 14 decimals, a fraction outside at the edges."""
    loop = points[np.array(PANELS[category][0]) - 1]
    steps = max(2, round(float(rng.uniform(60, 100)) / len(loop)))
    t = (np.arange(steps) / steps)[None, :, None]
    dense = (loop[:, None] * (1 - t) + np.roll(loop, -1, axis=0)[:, None] * t).reshape(-1, 2)
    dense = dense + rng.normal(0, 0.8, size=dense.shape)
    decimals = int(rng.choice((2, 2, 2, 0, 6, 12, 14)))
    dense = np.round(np.clip(dense, -0.2, size), decimals)
    values: list[float] = (dense + 0.0).ravel().tolist()
    return values


def main() -> None:
    """Make a split as the command line asks."""
    parser = argparse.ArgumentParser(prog="python -m tests.tools.synthetic", description=__doc__)
    parser.add_argument("out", type=Path, metavar="OUT_DIR")
    parser.add_argument("--images", type=int, default=RELEASED_IMAGES)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--copy", action="store_true", help="copy the photos, make no hard links")
    options = parser.parse_args()
    make_split(options.out, options.images, options.seed, link_images=not options.copy)


if __name__ == "__main__":
    main()
