"""Trees as people have the dataset, and what is read of each: `source_trees.txt` has all of it.

    python -m tests.source_trees > tests/source_trees.txt
    python -m tests.source_trees --random 3000 --seed 1

The second prints further trees, to be compared before and after a change.
"""

import argparse
import json
import random
import tempfile
import zipfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Final, NamedTuple

from df2coco.errors import Df2cocoError
from df2coco.parser.splits import find_splits
from tests.samples import make_annotation, make_jpeg

CONTENTS: Final = {
    "json": json.dumps(make_annotation()).encode(),
    "jpg": make_jpeg(),
    "png": make_jpeg(),
    "txt": b"text",
    "coco": b'{"images": [], "annotations": []}',
}


class Tree(NamedTuple):
    """What lies in a folder, and what of it is named.

    Of `paths` each is a folder and what is in it: "train/annos:json2" holds 000001.json and 000002.json,
    "train.zip!annos:json2" does so in an archive, "annos:" is empty, "a.coco" is a file; + is a space.
    """

    paths: tuple[str, ...]
    source: str = ""
    images: str | None = None

    def __str__(self) -> str:
        images = "" if self.images is None else f" --images {self.images}"
        return f"{' '.join(self.paths)} < {self.source or '.'}{images}"


PAIRS: Final = """
    annos,image annos,images annos,imags annots,images annotations,images Annos,Image
    annos/annos,image/image annos,image/images annos, ,image , labels,image annos,photos
    val_annos,val_images val_annos,val_image val_annos,images val_annos,train_images
    train_annos,image val_annos/val_annos,val_images/val_images annos,- -,image
"""
"""Folders of annotation files and of images; "" is the folder around, "-" is none."""

NAMES: Final = """
    train Train TRAIN val valid validation test train+(1) mine Copy+of+train train+-+Copy
    train-20240101T000000Z-001 train-20240101T000000Z-002 train-002 train_annos val_images
    val2017 deepfashion2_train test1 trainer DeepFashion2 a/b/c/train a/b/c/d/e/train
    train/train odd;+name~
"""
"""Folders of a split; + is a space."""

MIXTURES: Final = """
    train/annos:json2 train/image:jpg2 validation/annos:json2 validation/image:jpg2 test/image:jpg2
    D/o/train/annos:json2 D/o/train/image:jpg2 D/o/test/image:jpg2 D/json_for_validation:txt2
    train/annos:json2 train/image:jpg2 train.zip!annos:json2 train.zip!image:jpg2
    train/annos:json1 train/image:jpg2 train.zip!annos:json2 train.zip!image:jpg2
    train/annos: train/image:jpg2 train.zip!annos:json2 train.zip!image:jpg2
    train/image:jpg2 train/annos:
    train/image:jpg2 train.zip!train/annos:json2 train.zip!train/image:jpg2
    train/annos:json2 train.zip!train/image:jpg2
    train/annos:json2 train/image.zip!image:jpg2
    train/annos:json2 train.zip!train/image:jpg1
    train/annos:json2 train/image: train.zip!image:jpg2
    train/image:jpg2 train.zip!train/annos:json2
    val/image:jpg2 train.zip!train/annos:json2
    train/annos:json2 validation.zip!validation/image:jpg2
    val_annos/annos:json2 val_images/image:jpg2
    val_annos.zip!annos:json2 validation_images.zip!image:jpg2
    val_annos.zip!annos:json2 train_images.zip!image:jpg2
    my_annos.zip!annos:json2 my_images.zip!image:jpg2
    annos/train:json2 images:jpg2
    annos/train:json2 images/val:jpg2
    annotations/train:json2 train/image:jpg2 test/image:jpg2
    train/annos:json2 train/image/image.zip!:jpg2
    train/annos:json2 train/image/x:jpg2
    train/annos:json2 train/image/x:jpg1
    train/labels:txt2 train/images:jpg2
    train/json:json2 train/images:jpg2
    train/annos:json2 train/masks:png2
    train/annos:json2 train/img:jpg1
    train/annos:json2 Train/annos:json1
    train/annos:json2 train/image:jpg2 train/Image:jpg1
    validation/annos:json2 val/annos:json2
    validation/image:jpg2 val/annos:json2 val.zip!annos:json2
    train.zip!annos:json2 validation.zip!annos:json2 test.zip!image:jpg2
    all.zip!train.zip:txt1
    all.zip!train/annos:json2 all.zip!validation/annos:json2 all.zip!validation/image:jpg1
    train.zip!annos:json2 train+(1).zip!annos:json2
    train+(1).zip!annos:json2 Copy+of+train.zip!annos:json2
    train-20240101T000000Z-001.zip!annos:json2 train-20240101T000000Z-002.zip!annos:json2
    train-001.zip!annos:json2 train-002.zip!annos:json2
    train-001/annos:json2 train-002/annos:json2
    val_annos:json2 train_annos:json2 image:jpg2
    val_annos:json2 train_annos:json2 val_images:jpg2 image:jpg2
    val_annos.zip!:json2 val_images.zip!:jpg2
    val_annos.zip!annos:json2 val_images.zip!image:jpg2
    val_annos.zip!annos:json2 val_images.zip!image:jpg2 train_annos.zip!annos:json2 train_images.zip!image:jpg2
    annos.zip!:json2 image.zip!:jpg2
    annos.zip!annos:json2 image:jpg2
    val_annos:json2 val_images.zip!val_images:jpg2
    annos/train:json2 annos/val:json2 images/train:jpg2 images/val:jpg2
    annotations/train:json2 train/image:jpg2
    train/annos:json2 train/image/user:jpg1 train/image/shop:jpg1
    train/annos:json2 train/image:
    train/labels:json2 train/images:jpg2
    train/annos:json2 train/JPEGImages:jpg2
    a/train/annos:json2 b/train/annos:json2
    annotations/instances_val2017.coco val2017:jpg2
    annotations/instances_val.coco val:jpg2
    keypoints_train.coco
    train/annos:json2 train/image:png2
    train/annos:json1 train/image:jpg1 train/image:png2 train/image/1.png:txt1
    train.tar:txt1 validation/annos:json2
    a.jpg:jpg1 one/two/annos:json2
    one/annos:json2 two/annos:json2 two/image:jpg2
    test/image:jpg2 train/image:jpg2 test/annos:json2
    train/train.zip!annos:json2
    train/annos:json2 train/val.zip!annos:json2
    photos/x:jpg2 photos.zip!a:jpg2 photos.zip!b:jpg2
    x.zip!a:jpg2 x.zip!b:jpg2
    x.zip!image:jpg2 x.zip!other:jpg2
    x.zip!annos:json2 x.zip!image:jpg2 x.zip!inner.zip:txt1
    empty:
    notes:txt2
    annos:txt2
    image:jpg2 train:
    train/annos:json2 train/my+photos:jpg2
    train/annos:json2 train/a:jpg1 train/b:jpg2
    annos/train:json2 shots/train:jpg2
    train/annos:json2 train/image:jpg2 train/images:jpg2
    train_annos:json2 train_images:jpg2 test_images:jpg2
    train/annos:json2 train/image:jpg2 validation/annos: validation/image:jpg2
    train+-+Kopie/annos:json2 train+-+Kopie/image:jpg2
    archive.zip!D/train/annos:json2
    Annos/Train:json2 Images/Train:jpg2
    train.zip!train/annos:json2 train.zip!train/image/all:jpg2
    train.zip!annos:json2 train.zip!image/a:jpg1 train.zip!image/b:jpg1
    train.zip!train/annos:json2 train.zip!validation/annos:json2 train.zip!validation/image:jpg2
""".strip().splitlines()
"""Trees with several splits, and what may lie beside them."""


def trees() -> Iterator[Tree]:
    """Those of `source_trees.txt`."""
    for pair, packed in product(PAIRS.split(), ("", "train.zip!", "both", "annos", "image")):
        yield _split("train", pair, packed)
    for name in NAMES.split():
        tree = _split(name, "annos,image", "")
        packed = _split(f"root/{name}", "annos,image", "train.zip!").paths
        renamed = tuple(
            path.replace("root/", "").replace("/train.zip!", ".zip!") for path in packed
        )
        yield from (tree, tree._replace(source=name), tree._replace(source=f"{name}/annos"))
        yield from (Tree(renamed), Tree(renamed, f"{name}.zip"))
        yield Tree((*renamed, "validation/annos:json2", "validation/image:jpg2"))
    for text in MIXTURES:
        yield Tree(tuple(text.split()))
    for images in ("photos", "photos/image", "photos.zip", "train.zip", "none", "photos/train"):
        paths = "x/annos:json2 photos/image:jpg2 photos.zip!:jpg1 train.zip!a:jpg1 train.zip!b:jpg1"
        yield Tree(tuple(paths.split()), "x", images)
        yield Tree((*paths.split(), "train/annos:json2"), "train/annos", images)
        yield Tree((*paths.split(), "photos/train/image:jpg1"), "", images)


def random_trees(number: int, seed: int) -> Iterator[Tree]:
    """Mixtures of one to three splits under any of the names, with what may lie beside them."""
    rng = random.Random(seed)
    beside = [path for text in MIXTURES for path in text.split()]
    for _ in range(number):
        paths: list[str] = []
        for _ in range(rng.randint(1, 3)):
            packed = rng.choice(("", "", "", "train.zip!", "val.zip!", "both", "annos", "image"))
            name, pair = rng.choice(("", *NAMES.split())), rng.choice(PAIRS.split())
            paths += _split(name, pair, packed).paths
        paths += rng.sample(beside, rng.choice((0, 0, 1, 2, 3)))
        places = [path.partition(":")[0].partition("!")[0] for path in paths]
        around = [place.rpartition("/")[0] for place in places]
        source = rng.choice(("", "", rng.choice(places), rng.choice(around)))
        images = rng.choice(places) if rng.random() < 0.1 else None
        yield Tree(tuple(dict.fromkeys(paths)), source, images)


def _split(name: str, pair: str, packed: str) -> Tree:
    """One split, whose folders (`packed`: one or both, each or together) may be archives."""
    paths = []
    for folder, content in zip(pair.split(","), ("json2", "jpg2"), strict=True):
        if folder != "-":
            alone = packed == "both" or packed == {"json2": "annos", "jpg2": "image"}[content]
            inside = packed if packed.endswith("!") else ""
            place = f"{name}/{inside}{folder}".strip("/") if name else f"{inside}{folder}"
            if alone and folder:
                place = f"{place}.zip!"
            paths.append(f"{place}:{content}")
    return Tree(tuple(paths))


def build(tree: Tree, root: Path) -> None:
    """Make the files of a tree."""
    for path in tree.paths:
        place, _, content = path.replace("+", " ").partition(":")
        archive, inside, folder = place.rpartition("!")
        kind, count = content.rstrip("0123456789"), content.lstrip("abcdefghijklmnopqrstuvwxyz")
        names = [f"{number:06d}.{kind}" for number in range(1, int(count or 0) + 1)]
        if place.endswith(".coco"):
            folder, _, name = place.rpartition("/")
            names, kind = [name.replace(".coco", ".json")], "coco"
        for name in names:
            if inside:
                _file_of(root / archive)
                with zipfile.ZipFile(root / archive, "a") as target:
                    target.writestr(f"{folder}/{name}".strip("/"), CONTENTS[kind])
            else:
                _file_of(root / folder / name).write_bytes(CONTENTS[kind])
        if not names:
            _file_of(root / folder / "x")


def _file_of(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def read(tree: Tree) -> list[str]:
    """What is read of a tree, in lines."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "root")
        root.mkdir()
        try:
            build(tree, root)
        except (OSError, zipfile.BadZipFile):
            return ["no such tree"]
        images = None if tree.images is None else root / tree.images.replace("+", " ")
        try:
            splits = find_splits(root / tree.source.replace("+", " "), images)
        except Df2cocoError as error:
            return [str(error).replace(str(root), "R")]
        lines = []
        for split in splits:
            files = sum(entry.annotation is not None for entry in split.entries)
            photos = sum(entry.image is not None for entry in split.entries)
            reader = split.reader
            lines.append(
                f"{split.name}: {files} in {reader.annotations_label or '-'}, "
                f"{photos} in {reader.images_label or '-'}"
            )
            lines += [f"  {notice.code} {notice}" for notice in split.notices()]
        return [line.replace(str(root), "R") for line in lines]


def table(chosen: Iterator[Tree]) -> str:
    """All of `chosen`, each followed by what is read of it."""
    seen = dict.fromkeys(chosen)
    return "".join(f"{tree}\n" + "".join(f"    {line}\n" for line in read(tree)) for tree in seen)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.source_trees", description=__doc__)
    parser.add_argument("--random", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chosen = random_trees(options.random, options.seed) if options.random else trees()
    print(table(chosen), end="")


if __name__ == "__main__":
    main()
