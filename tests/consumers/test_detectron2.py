"""Detectron2 on converted files: catalogs, mapper, keypoint targets, evaluator, training."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from detectron2.config import get_cfg
from detectron2.data import DatasetCatalog, DatasetMapper, MetadataCatalog
from detectron2.data import detection_utils as utils
from detectron2.data.transforms import RandomFlip, Resize
from detectron2.evaluation import COCOEvaluator
from detectron2.structures import Boxes, Instances

from df2coco.converter.run import convert
from df2coco.integrations import detectron2 as integration
from df2coco.taxonomy import CATEGORIES, FLIP_INDICES, LANDMARK_NAMES, SIGMAS
from tests.consumers.conftest import FIXTURES, Converted
from tests.samples import asked

SIZE = (311, 389)
"""Height and width to resize to: they divide nothing."""


@pytest.fixture(scope="module", params=["module", "source"])
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """`register` and `add_config`: of df2coco, and of what `df2coco metainfo detectron2` writes."""
    if request.param == "module":
        return integration
    path = tmp_path_factory.mktemp("source") / "deepfashion2.py"
    path.write_text(integration.source())
    module = ModuleType("deepfashion2")
    exec(compile(path.read_text(), str(path), "exec"), vars(module))
    return module


@pytest.fixture
def name(told: Any, converted: Converted) -> Iterator[str]:
    """The keypoints file in the catalogs, under this name."""
    yield from _registered(told, converted, "keypoints")


def _registered(told: Any, converted: Converted, kind: str) -> Iterator[str]:
    name = f"deepfashion2_{kind}_{converted.split}"
    told.register(name, getattr(converted, kind), converted.images)
    yield name
    DatasetCatalog.remove(name)
    MetadataCatalog.remove(name)


def make_cfg(told: Any, name: str, mask_format: str = "polygon") -> Any:
    cfg = get_cfg()
    told.add_config(cfg)
    cfg.DATASETS.TRAIN = cfg.DATASETS.TEST = (name,)
    cfg.MODEL.MASK_ON = True
    cfg.MODEL.DEVICE = "cpu"
    cfg.INPUT.MASK_FORMAT = mask_format
    return cfg


def make_mapper(cfg: Any, augmentations: list[Any]) -> DatasetMapper:
    """The mapper that the trainer makes of `cfg`, but for its random augmentations."""
    arguments = DatasetMapper.from_config(cfg, is_train=True)
    return DatasetMapper(**{**arguments, "augmentations": augmentations})


def corners(annotations: list[dict[str, Any]]) -> np.ndarray:
    return np.array([[x, y, x + w, y + h] for x, y, w, h in (a["bbox"] for a in annotations)])


def keypoints(annotations: list[dict[str, Any]]) -> np.ndarray:
    """Shape (N, 294, 3): x, y in pixels, v."""
    return np.array([a["keypoints"] for a in annotations], dtype=float).reshape(-1, 294, 3)


def test_catalogs(name: str, converted: Converted, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        dicts = DatasetCatalog.get(name)
    assert not caplog.records  # ids from 1, without gaps, nothing dropped
    metadata = MetadataCatalog.get(name)
    assert metadata.thing_classes == [c.name for c in CATEGORIES]
    assert metadata.keypoint_names == list(LANDMARK_NAMES)
    assert len(metadata.keypoint_connection_rules) == 304
    assert len(metadata.thing_colors) == 13
    assert utils.create_keypoint_hflip_indices(name) == list(FLIP_INDICES)
    assert len(dicts) == len(converted.coco.imgs)
    for each in dicts:
        annotations = converted.annotations(each["image_id"])
        assert [a["category_id"] + 1 for a in each["annotations"]] == [
            a["category_id"] for a in annotations
        ]
        assert [a["bbox"] for a in each["annotations"]] == [a["bbox"] for a in annotations]
        assert [a["segmentation"] for a in each["annotations"]] == [
            a["segmentation"] for a in annotations
        ]
        assert Path(each["file_name"]).is_file()


def test_the_names_in_the_file_go(told: Any, tmp_path: Path) -> None:
    """A file with the official converter's names loads as well."""
    path = tmp_path / "official.json"
    convert(FIXTURES / "validation", path, **asked(preset="official"))
    name = "deepfashion2_official"
    told.register(name, path, FIXTURES / "validation" / "image")
    try:
        assert MetadataCatalog.get(name).thing_classes == [c.name for c in CATEGORIES]
        assert len(DatasetCatalog.get(name)) == len(DatasetCatalog.get(name))
        assert MetadataCatalog.get(name).thing_classes == [c.official_name for c in CATEGORIES]
    finally:
        DatasetCatalog.remove(name)
        MetadataCatalog.remove(name)


def test_config(told: Any) -> None:
    cfg = get_cfg()
    told.add_config(cfg)
    assert cfg.MODEL.KEYPOINT_ON
    assert cfg.MODEL.ROI_HEADS.NUM_CLASSES == cfg.MODEL.RETINANET.NUM_CLASSES == 13
    assert cfg.MODEL.ROI_KEYPOINT_HEAD.NUM_KEYPOINTS == 294
    assert list(SIGMAS) == cfg.TEST.KEYPOINT_OKS_SIGMAS
    again = get_cfg()
    again.merge_from_other_cfg(cfg.load_cfg(cfg.dump()))  # as a training's config.yaml is read
    assert list(SIGMAS) == again.TEST.KEYPOINT_OKS_SIGMAS


def test_masks_are_those_of_pycocotools(told: Any, name: str, converted: Converted) -> None:
    mapper = make_mapper(make_cfg(told, name, "bitmask"), [])
    for each in DatasetCatalog.get(name):
        annotations = converted.annotations(each["image_id"])
        instances = mapper(each)["instances"]
        assert len(instances) == len(annotations)
        for mask, annotation in zip(instances.gt_masks.tensor, annotations, strict=True):
            np.testing.assert_array_equal(mask, converted.coco.annToMask(annotation))


@pytest.mark.parametrize("mask_format", ["polygon", "bitmask"])
@pytest.mark.parametrize("flip", [False, True], ids=["resize", "resize and flip"])
def test_mapper_keeps_every_item_and_sub_pixel_coordinates(
    told: Any, name: str, converted: Converted, mask_format: str, flip: bool
) -> None:
    augmentations = [Resize(SIZE), *([RandomFlip(prob=1.0)] if flip else [])]
    mapper = make_mapper(make_cfg(told, name, mask_format), augmentations)
    height, width = SIZE
    fractions = []
    for each in DatasetCatalog.get(name):
        image = converted.coco.imgs[each["image_id"]]
        annotations = converted.annotations(each["image_id"])
        scale = np.array([width / image["width"], height / image["height"]])
        data = mapper(each)
        instances = data["instances"]
        assert data["image"].shape == (3, height, width)
        assert (instances.gt_classes + 1).tolist() == [a["category_id"] for a in annotations]

        boxes = corners(annotations).reshape(-1, 2, 2) * scale
        if flip:
            boxes[:, :, 0] = width - boxes[:, ::-1, 0]
        boxes = boxes.clip(0, (width, height)).reshape(-1, 4)
        np.testing.assert_allclose(instances.gt_boxes.tensor, boxes, atol=1e-3)
        fractions.append(instances.gt_boxes.tensor.numpy() % 1)

        if mask_format == "polygon":
            for polygons, annotation in zip(instances.gt_masks, annotations, strict=True):
                for polygon, source in zip(polygons, annotation["segmentation"], strict=True):
                    points = np.array(source).reshape(-1, 2) * scale
                    if flip:
                        points[:, 0] = width - points[:, 0]
                    np.testing.assert_allclose(polygon.reshape(-1, 2), points, atol=1e-6)
        else:
            assert instances.gt_masks.tensor.shape == (len(annotations), height, width)
            assert instances.gt_masks.tensor.any(dim=2).any(dim=1).all()

        # Detectron2 counts pixel centres as +0.5, on loading.
        given = keypoints(annotations)
        expected = (given[..., :2] + 0.5) * scale
        visible = given[..., 2].copy()
        if flip:
            expected[..., 0] = width - expected[..., 0]
            expected, visible = expected[:, FLIP_INDICES], visible[:, FLIP_INDICES]
        got = instances.gt_keypoints.tensor.numpy()
        np.testing.assert_array_equal(got[..., 2], visible)
        np.testing.assert_allclose(got[visible > 0, :2], expected[visible > 0], atol=1e-3)
        assert not got[visible == 0].any()
    assert np.concatenate(fractions).any()


def test_keypoint_targets(told: Any, name: str, converted: Converted) -> None:
    """What the keypoint head learns: a cell of a grid over the box for each labelled landmark in it."""
    mapper = make_mapper(make_cfg(told, name), [])
    size = 56
    for each in DatasetCatalog.get(name):
        annotations = converted.annotations(each["image_id"])
        instances = mapper(each)["instances"]
        boxes = instances.gt_boxes.tensor
        cells, valid = instances.gt_keypoints.to_heatmap(boxes, size)
        given, corner = keypoints(annotations), corners(annotations)
        low, high = corner[:, None, :2], corner[:, None, 2:]
        where = (given[..., :2] + 0.5 - low) / (high - low) * size
        labelled = given[..., 2] > 0
        # A hair from a cell's border, single precision decides.
        inside = labelled & (where > 1e-3).all(axis=-1) & (where < size - 1e-3).all(axis=-1)
        valid = valid.numpy() > 0
        assert (inside <= valid).all()
        assert (valid <= labelled).all()
        centres = np.stack([cells.numpy() % size, cells.numpy() // size], axis=-1) + 0.5
        assert np.abs(centres - where)[inside].max(initial=0) <= 0.5 + 1e-3
        for slots, annotation in zip(valid, annotations, strict=True):
            category = CATEGORIES[annotation["category_id"] - 1]
            assert set(np.flatnonzero(slots)) <= set(category.slots)


def predict_truth(evaluator: COCOEvaluator, converted: Converted) -> None:
    for image_id, image in converted.coco.imgs.items():
        annotations = converted.annotations(image_id)
        points = keypoints(annotations)
        points[..., :2] += 0.5
        # An item without a labelled landmark is ignored, if what is predicted for it lies in its box.
        for k, annotation in enumerate(annotations):
            if not annotation["num_keypoints"]:
                x, y, w, h = annotation["bbox"]
                points[k, :, :2] = x + w / 2, y + h / 2
        masks = np.array([converted.coco.annToMask(a) for a in annotations], dtype=bool)
        instances = Instances(
            (image["height"], image["width"]),
            pred_boxes=Boxes(torch.tensor(corners(annotations))),
            scores=torch.ones(len(annotations)),
            pred_classes=torch.tensor([a["category_id"] - 1 for a in annotations]),
            pred_masks=torch.from_numpy(masks),
            pred_keypoints=torch.from_numpy(points),
        )
        evaluator.process([{"image_id": image_id}], [{"instances": instances}])


def test_ground_truth_scores_100_against_itself(
    told: Any, name: str, converted: Converted, tmp_path: Path
) -> None:
    cfg = make_cfg(told, name)
    evaluator = COCOEvaluator(
        name,
        distributed=False,
        output_dir=str(tmp_path),
        use_fast_impl=False,
        kpt_oks_sigmas=cfg.TEST.KEYPOINT_OKS_SIGMAS,
    )
    evaluator.reset()
    predict_truth(evaluator, converted)
    results = evaluator.evaluate()
    assert set(results) == {"bbox", "segm", "keypoints"}
    present = {a["category_id"] for a in converted.coco.anns.values()}
    for task, scores in results.items():
        assert scores["AP"] == pytest.approx(100.0, abs=1e-9), task
        for category in CATEGORIES:
            each = scores.get(f"AP-{category.name}", 100.0 if category.id in present else np.nan)
            assert each == pytest.approx(100.0, abs=1e-9) or category.id not in present


def test_instances_file(converted: Converted) -> None:
    for name in _registered(integration, converted, "instances"):
        cfg = make_cfg(integration, name)
        cfg.MODEL.KEYPOINT_ON = False
        mapper = make_mapper(cfg, [Resize(SIZE), RandomFlip(prob=1.0)])
        for each in DatasetCatalog.get(name):
            instances = mapper(each)["instances"]
            assert len(instances) == len(converted.annotations(each["image_id"]))
            assert not instances.has("gt_keypoints")


def test_a_test_split_loads(image_info_file: Path) -> None:
    name = "deepfashion2_test"
    integration.register(name, image_info_file, FIXTURES / "validation" / "image")
    try:
        mapper = DatasetMapper(is_train=False, augmentations=[], image_format="BGR")
        dicts = DatasetCatalog.get(name)
        assert len(dicts) == 21
        for each in dicts:
            assert mapper(each)["image"].shape == (3, each["height"], each["width"])
    finally:
        DatasetCatalog.remove(name)
        MetadataCatalog.remove(name)
