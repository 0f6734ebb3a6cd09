"""Results of a model in COCO's form, from what every framework has in hand: `Results`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from df2coco.boxes import from_corners
from df2coco.coco.decoding import find_garments
from df2coco.coco.lists import read_parts
from df2coco.coco.reader import GroundTruthSource, open_source
from df2coco.coco.results import image_finder
from df2coco.errors import OptionError, shorten
from df2coco.layouts import own_landmarks, own_slots
from df2coco.lazy_numpy import np
from df2coco.outputs import atomic_write, check_outputs
from df2coco.taxonomy import NUM_LANDMARKS, same_name


class Results:
    """Results of a model, with the ids of a COCO file: `add` those of one photo after the other, then `write`.

    `ground_truth` is the file that they will be compared with, or what is loaded of it. `labels` are the
    model's names of categories, in the order of its labels; without them these are the file's, by id. The
    first label is `first_label`: 0 for most models, 1 for torchvision's, whose 0 is the background.

    `entries` are the results so far, as `evaluate` takes them.

    Raises `CocoFileError` for a file that cannot be read, and `OptionError` for a name that it does not have.
    """

    def __init__(
        self,
        ground_truth: GroundTruthSource,
        *,
        labels: Sequence[str] | None = None,
        first_label: int = 0,
    ) -> None:
        loaded = open_source(ground_truth, "the ground truth")
        document, _ = read_parts(loaded, "any")
        self.entries: list[dict[str, Any]] = []
        self._file = loaded.path
        self._sizes = {i["id"]: (i.get("height"), i.get("width")) for i in document["images"]}
        names = {i["file_name"]: i["id"] for i in document["images"] if "file_name" in i}
        self._find_image = image_finder(names)
        categories = sorted(document["categories"], key=lambda category: int(category["id"]))
        self._slots = {c["id"]: len(c.get("keypoints", ())) or NUM_LANDMARKS for c in categories}
        self._garments = find_garments(categories)
        ids = [c["id"] for c in categories]
        if labels is not None:
            known = {same_name(c.get("name")) or c.get("name"): c["id"] for c in categories}
            for name in labels:
                if (same_name(name) or name) not in known:
                    text = f"{shorten(name)} is not a category of {self._file}."
                    raise OptionError(text, field="labels")
            ids = [known[same_name(name) or name] for name in labels]
        self._categories = dict(enumerate(ids, start=first_label))

    def add(
        self,
        photo: str | int,
        *,
        labels: Any,
        scores: Any,
        boxes: Any = None,
        masks: Any = None,
        landmarks: Any = None,
    ) -> None:
        """Add the results of one photo: lists, arrays or tensors, an entry each.

        - photo: Its path or `file_name`, or the image's id.
        - labels, scores: N numbers.
        - boxes: N x 4, corners x1, y1, x2, y2 in pixels of the photo.
        - masks: N x height x width (or N x 1 x ...) of the photo; a pixel of more than 0.5 belongs to it.
        - landmarks: N x K x 2 or 3 (x, y in pixels, v or a score), K of any layout.

        Raises `OptionError` when they do not fit together, or the file.
        """
        image_id = self._image_id(photo)
        columns = {"labels": labels, "scores": scores, "boxes": boxes, "masks": masks}
        columns["landmarks"] = landmarks
        arrays = {n: _array(value) for n, value in columns.items() if value is not None}
        for name, array in arrays.items():
            if len(array) != len(arrays["scores"]):
                text = f"{len(array)} for {len(arrays['scores'])} scores of {photo}."
                raise OptionError(text, field=name)
        entries = []
        for number, label in enumerate(arrays["labels"].tolist()):
            if label not in self._categories:
                known = f"{min(self._categories)} to {max(self._categories)}"
                raise OptionError(f"{label} is not one of {known}.", field="labels")
            entry = {
                "image_id": image_id,
                "category_id": self._categories[label],
                "score": float(arrays["scores"][number]),
            }
            if boxes is not None:
                entry["bbox"] = [float(n) for n in from_corners(arrays["boxes"][number].tolist())]
            if masks is not None:
                entry["segmentation"] = self._rle(arrays["masks"][number], image_id)
            if landmarks is not None:
                own = arrays["landmarks"][number]
                entry["keypoints"] = self._keypoints(own, entry["category_id"])
            entries.append(entry)
        self.entries += entries

    def write(self, path: str | Path) -> None:
        """Write them to a file for `df2coco evaluate`. Raises `OutputError` when that is not possible."""
        path = Path(path)
        check_outputs([path], [self._file])
        with atomic_write(path) as stream:
            stream.write(orjson.dumps(self.entries))

    def _image_id(self, photo: str | int) -> int:
        if isinstance(photo, int) or hasattr(photo, "item"):
            number = int(photo) if int(photo) in self._sizes else None
        else:
            number = self._find_image(str(photo))
        if number is None:
            text = f"{shorten(photo)} is not an image of {self._file}."
            raise OptionError(text, field="photo")
        return number

    def _rle(self, mask: Any, image_id: int) -> dict[str, Any]:
        from pycocotools import mask as coco_mask

        mask = mask.reshape(mask.shape[-2:])
        expected = self._sizes[image_id]
        if mask.shape != expected:
            text = f"{mask.shape} is not the photo's height and width {expected}: scale them first."
            raise OptionError(text, field="masks")
        rle = coco_mask.encode(np.asfortranarray(mask > 0.5, np.uint8))
        return {"size": list(mask.shape), "counts": rle["counts"].decode()}

    def _keypoints(self, landmarks: Any, category_id: int) -> list[float]:
        """Those of the category, in the slots of the file."""
        triples = np.ones((len(landmarks), 3))  # v, where there is none
        triples[:, : min(3, landmarks.shape[-1])] = landmarks[:, :3]
        numbers: list[float] = triples.ravel().tolist()
        garment = self._garments.get(category_id)
        if garment is None:
            return numbers
        own = own_landmarks(numbers, garment)
        slots = own_slots(garment, self._slots[category_id])
        if own is None or slots is None:
            text = f"{len(triples)} for {garment.name}, which has {garment.num_landmarks}."
            raise OptionError(text, field="landmarks")
        result = np.zeros((self._slots[category_id], 3))
        result[list(slots)] = np.reshape(own, (-1, 3))
        return result.ravel().tolist()  # type: ignore[no-any-return]


def _array(value: Any) -> Any:
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    return np.asarray(value)
