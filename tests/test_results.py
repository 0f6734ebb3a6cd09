"""Results from what frameworks have in hand: what is written scores 1 where the model is right."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from df2coco import convert, evaluate, load
from df2coco.boxes import to_corners
from df2coco.converter.options import Shape
from df2coco.errors import OptionError, OutputError
from df2coco.results import Results
from df2coco.taxonomy import CATEGORY_BY_ID
from tests.conftest import FIXTURES


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("truth") / "keypoints_validation.json"
    convert(FIXTURES / "validation", path)
    return load(path), path


class Tensor:
    """What torch has: no array before it is detached and on the CPU."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def detach(self) -> "Tensor":
        return self

    def cpu(self) -> Any:
        return self._value


def _perfect(truth: Any, results: Results, first_label: int = 0, form: Any = np.asarray) -> None:
    for image in truth.dataset["images"]:
        items = truth.imgToAnns[image["id"]]
        results.add(
            f"photos/{image['file_name']}",
            labels=form([each["category_id"] - 1 + first_label for each in items]),
            scores=form([0.9] * len(items)),
            boxes=form([to_corners(each["bbox"]) for each in items]),
            masks=form(np.array([truth.annToMask(each) for each in items])[:, None]),
            landmarks=form(np.reshape([each["keypoints"] for each in items], (-1, 294, 3))),
        )


@pytest.mark.parametrize("first_label", [0, 1])
@pytest.mark.parametrize("form", [np.asarray, Tensor, lambda a: np.asarray(a).tolist()])
def test_right_results_score_1(tmp_path: Path, truth: Any, first_label: int, form: Any) -> None:
    coco, path = truth
    results = Results(path, first_label=first_label)
    if first_label == 0 and form is np.asarray:
        results = Results(coco)  # what is loaded
    _perfect(coco, results, first_label, form)
    out = tmp_path / "results.json"
    results.write(out)
    assert json.loads(out.read_text()) == results.entries
    for kind in ("bbox", "segm", "keypoints"):
        evaluation = evaluate(kind, path, out)  # type: ignore[arg-type]
        assert evaluation.scores.metrics["AP"] == pytest.approx(1), kind
        assert evaluation.notes == ()


def test_labels_in_the_models_own_order(truth: Any) -> None:
    coco, path = truth
    # Names as RF-DETR and transformers give them, in an order of their own.
    names = sorted(c["name"].replace(" ", "_") for c in coco.dataset["categories"])
    results = Results(path, labels=names)
    item = coco.dataset["annotations"][0]
    label = names.index(CATEGORY_BY_ID[item["category_id"]].name.replace(" ", "_"))
    results.add(item["image_id"], labels=[label], scores=[1], boxes=[[1, 2, 3, 5]])
    (entry,) = results.entries
    assert (entry["category_id"], entry["bbox"]) == (item["category_id"], [1, 2, 2, 3])
    with pytest.raises(OptionError, match="labels: 'hat' is not a category of"):
        Results(path, labels=["hat"])


@pytest.mark.parametrize("layout", ["unified", "aggregated", "category"])
@pytest.mark.parametrize("count", ["own", "all"])
def test_landmarks_go_to_the_slots_of_the_file(tmp_path: Path, layout: Any, count: str) -> None:
    path = tmp_path / "keypoints_validation.json"
    convert(FIXTURES / "validation", path, shape=Shape(layout=layout))
    file = load(path)
    results = Results(path, labels=["trousers"])
    category = CATEGORY_BY_ID[8]
    item = next(a for a in file.dataset["annotations"] if a["category_id"] == 8)
    own = np.arange(2 * 14).reshape(1, 14, 2) + 1.0
    given = own
    if count == "all":
        given = np.full((1, 294, 2), 7.0)
        given[:, list(category.slots)] = own
    results.add(item["image_id"], labels=[0], scores=[0.5], landmarks=given)
    numbers = np.reshape(results.entries[0]["keypoints"], (-1, 3))
    assert len(numbers) == len(item["keypoints"]) // 3
    assert numbers[numbers[:, 2] > 0][:, :2].sum() == own.sum()
    if layout == "unified":
        assert numbers[list(category.slots), :2].tolist() == own[0].tolist()


ONE: dict[str, Any] = {"labels": [0], "scores": [0.5], "boxes": [[1, 2, 3, 4]]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.update(boxes=[[1, 2, 3, 4]] * 2), "boxes: 2 for 1 scores"),
        (lambda a: a.update(labels=[]), "labels: 0 for 1 scores"),
        (lambda a: a.update(labels=[13]), "labels: 13 is not one of 0 to 12"),
        (lambda a: a.update(masks=np.zeros((1, 8, 8))), r"masks: \(8, 8\) is not the photo's"),
        (lambda a: a.update(landmarks=np.zeros((1, 24, 3))), "landmarks: 24 for short sleeve top"),
        (lambda a: a.update(photo="999999.jpg"), "photo: '999999.jpg' is not an image of"),
        (lambda a: a.update(photo=999999), "photo: 999999 is not an image of"),
    ],
)
def test_what_does_not_fit_is_refused(
    truth: Any, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    results = Results(truth[1])
    arguments: dict[str, Any] = {"photo": "000001.jpg", **ONE}
    results.add(**arguments)
    change(arguments)
    with pytest.raises(OptionError, match=message):
        results.add(**arguments)
    assert len(results.entries) == 1


def test_photos_of_one_name_in_two_folders_are_told_by_their_path() -> None:
    names = ("user/1.jpg", "shop/1.jpg")
    images = [{"id": n, "file_name": name} for n, name in enumerate(names, start=1)]
    document = {"images": images, "annotations": [], "categories": [{"id": 1, "name": "vest"}]}
    results = Results(document)
    results.add("shop\\1.jpg", **ONE)
    assert results.entries[0]["image_id"] == 2
    with pytest.raises(OptionError, match=r"photo: '1.jpg' is not an image of"):
        results.add("1.jpg", **ONE)
    Results({**document, "images": images[:1]}).add("photos/1.jpg", **ONE)


def test_the_ground_truth_is_not_written_over(truth: Any) -> None:
    results = Results(truth[1])
    with pytest.raises(OutputError):
        results.write(truth[1])


def test_a_photo_without_results(truth: Any) -> None:
    results = Results(truth[1])
    results.add("000001.jpg", labels=[], scores=[], boxes=np.zeros((0, 4)))
    assert results.entries == []
