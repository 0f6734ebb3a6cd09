"""Checks of what an annotation is and what it refers to; its geometry is in `shapes` and `landmarks`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from df2coco.errors import shorten
from df2coco.taxonomy import ATTRIBUTES
from df2coco.validator.categories import repeated
from df2coco.validator.document import (
    Check,
    Document,
    Hit,
    category_of,
    garments,
    image_of,
    is_integer,
)

__all__ = ["CHECKS"]

Hits = Iterable[Hit]

_REQUIRED: Final = ("id", "image_id", "category_id", "bbox", "area", "iscrowd")


def _no_key(document: Document) -> Hits:
    if not document.has_annotations:
        yield Hit(None)


def _none(document: Document) -> Hits:
    if document.has_annotations and not document.annotations:
        yield Hit(None)


def _key_missing(document: Document) -> Hits:
    required = frozenset(_REQUIRED)
    for index, annotation in enumerate(document.annotations):
        if not annotation.keys() >= required:
            missing = [name for name in _REQUIRED if name not in annotation]
            yield document.hit(index, ", ".join(missing))


def _id_type(document: Document) -> Hits:
    for index, each in enumerate(document.column("id")):
        if type(each) is not int and "id" in document.annotations[index]:
            yield document.hit(index, f"id {shorten(each)}")


def _id_zero(document: Document) -> Hits:
    return (
        document.hit(index)
        for index, each in enumerate(document.column("id"))
        if each == 0 and is_integer(each)
    )


def _id_duplicate(document: Document) -> Hits:
    ids = document.column("id")
    return (Hit(each) for each in repeated(ids) if is_integer(each))


def _image_unknown(document: Document) -> Hits:
    for index, image in enumerate(document.once(image_of)):
        annotation = document.annotations[index]
        if image is None and "image_id" in annotation:
            yield document.hit(index, f"image_id {shorten(annotation['image_id'])}")


def _category_unknown(document: Document) -> Hits:
    for index, category in enumerate(document.once(category_of)):
        annotation = document.annotations[index]
        if category is None and "category_id" in annotation:
            yield document.hit(index, f"category_id {shorten(annotation['category_id'])}")


def _crowd(document: Document) -> Hits:
    for index, crowd in enumerate(document.column("iscrowd")):
        if crowd is not None and (crowd != 0 or type(crowd) is not int):
            yield document.hit(index, f"iscrowd {shorten(crowd)}")


def _ignore(document: Document) -> Hits:
    for index, ignore in enumerate(document.column("ignore")):
        if ignore:
            yield document.hit(index, f"ignore {shorten(ignore)}")


def _attributes(document: Document) -> Hits:
    if not garments(document):
        return
    for name, meanings in ATTRIBUTES.items():
        allowed = tuple(range(1, len(meanings) + 1))  # no set: a value may be a list
        for index, value in enumerate(document.column(name)):
            if value not in allowed and value is not None:
                yield document.hit(index, f"{name} {shorten(value)}")


CHECKS: Final = (
    Check(
        "annotations-missing",
        "error",
        "file",
        'The file has no key "annotations".',
        "MMPose stops (need at least one array), Detectron2's COCOEvaluator with a KeyError.",
        "The file is of a split without annotations.",
        'Write "annotations": [], and use no evaluator with it.',
        _no_key,
        whole=True,
    ),
    Check(
        "no-annotations",
        "note",
        "file",
        "The file has no annotations.",
        "It can be used to run a model, not to train or evaluate one.",
        "The file is of a split without annotations.",
        "Nothing, if that is meant.",
        _none,
        whole=True,
    ),
    Check(
        "annotation-key-missing",
        "error",
        "annotation",
        "An annotation lacks a key that is needed: id, image_id, category_id, bbox, area, iscrowd.",
        "pycocotools, Detectron2, MMDetection or MMPose stop with a KeyError (iscrowd and area: in COCOeval).",
        "A converter left it out.",
        "Add the key; iscrowd is 0.",
        _key_missing,
    ),
    Check(
        "annotation-id-type",
        "error",
        "annotation",
        "An annotation id is no integer.",
        "COCOeval stores matches as numbers; hotcoco refuses the file.",
        "Ids were written as text or floats.",
        "Write ids as JSON integers.",
        _id_type,
    ),
    Check(
        "annotation-id-zero",
        "error",
        "annotation",
        "An annotation has the id 0.",
        "COCOeval stores a match as the id, and 0 means unmatched: AP falls from 1.000 to 0.942, silently.",
        "Annotations were counted from 0.",
        "Count from 1.",
        _id_zero,
    ),
    Check(
        "annotation-id-duplicate",
        "error",
        "annotation",
        "Two annotations have the same id.",
        "Detectron2 and MMDetection stop; pycocotools keeps one of them and lowers AP silently.",
        "Files were merged, or ids restart in every image.",
        "Number the annotations from 1 through the file.",
        _id_duplicate,
        whole=True,
    ),
    Check(
        "image-unknown",
        "error",
        "annotation",
        "An annotation's image_id is no image of the file.",
        "Detectron2 stops with a KeyError; the others drop the annotation.",
        "Images were left out, or image_id is text.",
        "Add the image, or remove the annotation.",
        _image_unknown,
    ),
    Check(
        "category-unknown",
        "error",
        "annotation",
        "An annotation's category_id is no category of the file.",
        "Detectron2 stops with a KeyError; MMDetection drops the annotation.",
        "Categories were left out, or counted from 0.",
        "Add the category, or correct category_id.",
        _category_unknown,
    ),
    Check(
        "iscrowd-set",
        "warning",
        "annotation",
        "iscrowd is not 0.",
        "Detectron2, MMDetection and MMPose drop the item from training; COCOeval ignores it.",
        "DeepFashion2 has no crowds: a converter's mistake.",
        "Write 0.",
        _crowd,
    ),
    Check(
        "ignore-set",
        "error",
        "annotation",
        "An annotation has ignore set.",
        "Detectron2 refuses the whole file; MMDetection drops the item.",
        "The file is of another benchmark's format.",
        "Remove the key, or the annotation.",
        _ignore,
    ),
    Check(
        "attribute-range",
        "warning",
        "annotation",
        "scale, occlusion, zoom_in or viewpoint is not 1, 2 or 3.",
        "Evaluation by attribute (df2coco evaluate --by) leaves the item out of every group.",
        "Attributes were edited, or counted from 0.",
        "Write 1, 2 or 3, or leave the key out.",
        _attributes,
    ),
)  # fmt: skip
