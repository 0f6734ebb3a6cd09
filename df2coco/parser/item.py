"""One item of an annotation file: JSON of any form brought into `Fields`, and what `Fields` cannot say."""

import math
import re
from typing import Any, Final, TypeVar

import msgspec
from msgspec.structs import astuple

from df2coco.boxes import FORMS, PLAIN, best_reading, from_corners, iou, readings
from df2coco.errors import FaultError, shorten
from df2coco.limits import MAX_PIXELS, MAX_SIDE, SHORTEST_POLYGON
from df2coco.parser.records import Corners, Fields, Item, Number, Polygon, Repair
from df2coco.taxonomy import ATTRIBUTES, CATEGORIES, CATEGORY_BY_ID, SOURCES, Category, same_name

_LONGEST_OUTLINE: Final = 1_000_000
"""The longest outline of a polygon in pixels (real ones stay under 20,000): drawing costs memory."""
_VISIBILITIES: Final = (0, 1, 2)
"""Not labelled, occluded, visible."""
_WRONG_LENGTH: Final = f"{{}} numbers, expected an even number of at least {SHORTEST_POLYGON}"
_CORRECT: Final = "Correct it, or remove the item."
_IN_PARTS: Final = "is in parts of the width and height, expected pixels."
_CORRECT_FIELD: Final = "Correct it, or remove the field."
_WHOLE: Final = f"{{}}, expected a whole number of 0 or more. {_CORRECT_FIELD}"
_FAULTS: Final = {
    "category_id": f"{{}} is not an integer from 1 to {len(CATEGORIES)}. {_CORRECT}",
    "bounding_box": f"{{}}, expected 4 numbers x1, y1, x2, y2 of at most {MAX_SIDE}. {_CORRECT}",
    "segmentation": f"{{}}, expected a list of polygons. {_CORRECT}",
    "style": _WHOLE,
    "pair_id": _WHOLE,
    "source": f"{{}}, expected {' or '.join(SOURCES)}. {_CORRECT_FIELD}",
    **dict.fromkeys(ATTRIBUTES, f"{{}}, expected 1, 2 or 3. {_CORRECT_FIELD}"),
}
"""Field -> what a message says of a value that its declaration does not take."""

_CORNERS: Final = PLAIN._replace(form=FORMS[1])
_READINGS: Final = [
    *(each for each in readings(FORMS[1:2]) if len(each.steps) == 2),
    *(PLAIN._replace(form=form) for form in FORMS[2:]),
]
"""What the numbers of a box may be that are not corners in pixels: one thing is otherwise."""

_Declared = TypeVar("_Declared", bound=msgspec.Struct)
_FIELD: Final = re.compile(r"`\$\.(\w+)")


def checked(values: dict[str, Any], kind: type[_Declared]) -> _Declared:
    """JSON values as the fields of a declared struct. Raises `FaultError` for one that does not fit."""
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        for field in msgspec.structs.fields(kind):
            if field.required and field.name not in values:
                needless = "; --task instances needs none" if field.name == "landmarks" else ""
                text = f"missing. Add it, or remove the item{needless}."
                raise FaultError(field.name, text) from None
        (name,) = _FIELD.findall(str(error))
        if name in _FAULTS:
            raise FaultError(name, _FAULTS[name].format(shorten(values[name]))) from None
        describe = _other_name if name == "category_name" else _unfit_landmarks
        category = CATEGORY_BY_ID[values["category_id"]]
        raise FaultError(name, describe(values[name], category)) from None


def read_fields(value: Any, repairs: list[Repair], *, needs_landmarks: bool = True) -> Fields:
    """The fields of an item in JSON of any form; `repairs` gets what is left out. Raises `FaultError`.

    Where landmarks are not needed, those that are missing are unlabelled.
    """
    if type(value) is not dict:
        raise FaultError("", f"{shorten(value)} is not a JSON object. {_CORRECT}")
    values = {name: value[name] for name in Fields.__struct_fields__ if value.get(name) is not None}
    if "zoom_in" not in values and value.get("zoom-in") is not None:
        values["zoom_in"] = value["zoom-in"]  # the dataset's README spells it so
    polygons = values.get("segmentation")
    if type(polygons) is list and polygons:
        values["segmentation"] = _usable(polygons, repairs)
    if not needs_landmarks and not values.get("landmarks"):
        category_id = values.get("category_id")
        category = CATEGORY_BY_ID.get(category_id) if type(category_id) is int else None
        values["landmarks"] = [0] * (3 * category.num_landmarks if category else 0)
    return checked(values, Fields)


def _usable(polygons: list[Any], repairs: list[Repair]) -> list[Any]:
    """The polygons that can be used. Raises `FaultError` when none can."""
    if {int, float}.issuperset(map(type, polygons)):
        text = "the polygon is not in a list of its own. Write [[x1, y1, ...]]."
        raise FaultError("segmentation", f"{text} {_CORRECT}")
    faults = list(map(_fault_of_any, polygons))
    if None not in faults:
        raise FaultError("segmentation", f"no polygon can be used: {faults[0]}. {_CORRECT}")
    for i, fault in enumerate(faults):
        if fault is not None:
            repairs.append(("polygon-dropped", f"segmentation[{i}]", f"{fault}; dropped"))
    return [polygon for polygon, fault in zip(polygons, faults, strict=True) if fault is None]


def _fault_of_any(polygon: Any) -> str | None:
    try:
        return polygon_fault(msgspec.convert(polygon, Polygon))
    except msgspec.ValidationError:
        if type(polygon) is not list:
            return f"{shorten(polygon)} is not a list of numbers"
        if list in map(type, polygon):
            return "points as lists [x, y], not in a row"
        if len(polygon) < SHORTEST_POLYGON or len(polygon) % 2:
            return _WRONG_LENGTH.format(len(polygon))
        return f"not all are numbers of at most {MAX_SIDE} pixels"


def polygon_fault(polygon: list[Number]) -> str | None:
    """What is wrong with a polygon, though all its numbers are coordinates."""
    if len(polygon) % 2:
        return _WRONG_LENGTH.format(len(polygon))
    # The outline is at most twice the sum of the coordinates, and that at most sqrt(n) x hypot (Cauchy): quick to
    # compute, and hardly any outline needs adding up.
    longest = 2 * math.sqrt(len(polygon)) * math.hypot(*polygon)
    if longest > _LONGEST_OUTLINE:
        xs, ys = polygon[0::2], polygon[1::2]
        steps = (abs(xs[i] - xs[i - 1]) + abs(ys[i] - ys[i - 1]) for i in range(len(xs)))
        if sum(steps) > _LONGEST_OUTLINE:
            return f"an outline of more than {_LONGEST_OUTLINE} pixels"
    return None


def complete(key: str, fields: Fields, size: tuple[int, int] | None, repairs: list[Repair]) -> Item:
    """The item of an image of `size`; `repairs` gets what is changed. Raises `FaultError`."""
    category = CATEGORY_BY_ID[fields.category_id]
    name = fields.category_name
    if name is not None and name != category.name:
        if same_name(name) is not category:
            raise FaultError("category_name", _other_name(name, category))
        text = f"{shorten(name)} is read as {category.name!r}, by category_id"
        repairs.append(("category-name", "category_name", text))
        name = category.name
    box = _box(fields, size, repairs)
    landmarks = _landmarks(fields.landmarks, category, repairs)
    return Item(
        category.id, box, landmarks, fields.segmentation, name, *astuple(fields)[5:], key=key
    )


def _other_name(name: Any, category: Category) -> str:
    what = f"category_id {category.id} is {category.name!r}"
    return f"{shorten(name)}, but {what}. Correct one of them."


def _box(fields: Fields, size: tuple[int, int] | None, repairs: list[Repair]) -> Corners:
    box = x1, y1, x2, y2 = fields.bounding_box
    width, height = size or (MAX_SIDE, MAX_SIDE)
    given = list(box)
    if x1 > x2 or y1 > y2:
        x1, x2, y1, y2 = min(x1, x2), max(x1, x2), min(y1, y2), max(y1, y2)
        text = f"{given} gives its corners in the other order; corrected"
        repairs.append(("corners-swapped", "bounding_box", text))
    if x1 < 0 or y1 < 0 or x2 > width or y2 > height:
        x1, y1, x2, y2 = max(x1, 0), max(y1, 0), min(x2, width), min(y2, height)
        text = f"{given} leaves the image of {width} x {height} pixels; cut at its border"
        repairs.append(("box-clipped", "bounding_box", text))
    if x2 - x1 < 1 or y2 - y1 < 1:
        if 0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1:
            fault = _IN_PARTS
        else:
            image = f" inside the image of {size[0]} x {size[1]} pixels" if size else ""
            fault = f"has no pixel{image}; a box needs a positive size."
        raise FaultError("bounding_box", f"{given} {fault} {_CORRECT}")
    return x1, y1, x2, y2


def box_fault(fields: Fields, size: tuple[int, int] | None = None) -> FaultError | None:
    """What is wrong with a box or a mask, where the two show it: numbers that are no corners in pixels."""
    x1, y1, x2, y2 = box = fields.bounding_box
    first = fields.segmentation[0]
    half = len(first) // 4 * 2
    x, y, other_x, other_y = first[0], first[1], first[half], first[half + 1]
    # Two points on opposite sides: of corners, hardly ever one lies outside.
    if x1 <= x <= x2 >= other_x >= x1 and y1 <= y <= y2 >= other_y >= y1:
        return None
    xs = [x for polygon in fields.segmentation for x in polygon[0::2]]
    ys = [y for polygon in fields.segmentation for y in polygon[1::2]]
    mask = from_corners((min(xs), min(ys), max(xs), max(ys)))
    # Careless boxes have more than half in common with their masks.
    if iou(_CORNERS.box(box, ()), mask) >= 0.5:
        return None
    known = size or (math.nan, math.nan)
    scaled = [part * side for part, side in zip(mask, known * 2, strict=True)]
    if iou(_CORNERS.box(box, ()), scaled) >= 0.5:
        return FaultError("segmentation", f"{_IN_PARTS} {_CORRECT}")
    if iou(box, mask) >= 0.7:
        what = "is x, y, width, height, as the mask shows, expected x1, y1, x2, y2."
        return FaultError("bounding_box", f"{list(box)} {what} {_CORRECT}")
    reading, fit = best_reading(_READINGS, lambda each: iou(each.box(box, known), mask))
    if fit < 0.85:  # of many, one may fit by chance
        return None
    words = " ".join(step.words for step in reading.steps if step is not _CORNERS.form)
    what = f"these numbers fit the mask {words}, expected x1, y1, x2, y2 in pixels."
    text = f"{list(box)}: {what} Correct the box or the mask, or remove the item."
    return FaultError("bounding_box", text)


def _landmarks(landmarks: list[Number], category: Category, repairs: list[Repair]) -> list[Number]:
    """Whole numbers as integers, and 0, 0 where v is 0."""
    if len(landmarks) != 3 * category.num_landmarks:
        raise FaultError("landmarks", _unfit_landmarks(landmarks, category))
    if type(sum(landmarks)) is float:
        landmarks = [int(n) if n == int(n) else n for n in landmarks]
        places = landmarks[0::3] + landmarks[1::3]
        if max(places) <= 1 and sum(0 < place < 1 for place in places) >= 6:
            raise FaultError("landmarks", f"{_IN_PARTS} {_CORRECT}")
    visibilities = landmarks[2::3]
    num_unlabelled, *others = map(visibilities.count, _VISIBILITIES)
    if num_unlabelled + sum(others) != category.num_landmarks:
        wrong = next(v for v in visibilities if v not in _VISIBILITIES)
        raise FaultError("landmarks", f"a visibility of {wrong}, expected 0, 1 or 2. {_CORRECT}")
    if not num_unlabelled:
        return landmarks
    points = list(zip(landmarks[0::3], landmarks[1::3], visibilities, strict=True))
    if points.count((0, 0, 0)) != num_unlabelled:
        landmarks = [n for point in points for n in (point if point[2] else (0, 0, 0))]
        text = "an unlabelled landmark (v = 0) had a position; set to 0, 0"
        repairs.append(("landmark-cleared", "landmarks", text))
    return landmarks


def grow(size: tuple[int, int], item: Item) -> tuple[int, int]:
    """`size` (width, height), or more where an item needs it. Raises `FaultError` above all images."""
    sides = []
    for axis, side in enumerate(size):
        # A landmark at x needs pixel x, so a width of x + 1; an edge at x needs a width of x.
        furthest = [side, item.bounding_box[2 + axis], max(item.landmarks[axis::3]) + 1]
        furthest += (max(polygon[axis::2]) for polygon in item.segmentation)
        sides.append(min(math.ceil(max(furthest)), MAX_SIDE))
    width, height = sides
    if width * height > MAX_PIXELS:
        text = f"needs an image of {width} x {height} pixels, and no image has more than"
        raise FaultError("", f"{text} {MAX_PIXELS}. {_CORRECT}")
    return width, height


def _unfit_landmarks(landmarks: Any, category: Category) -> str:
    expected = 3 * category.num_landmarks
    if type(landmarks) is not list:
        given = shorten(landmarks)
    elif len(landmarks) == expected:
        return f"not all are numbers of at most {MAX_SIDE} pixels. {_CORRECT}"
    elif list in map(type, landmarks):
        given = "landmarks as lists [x, y, v], not in a row"
    else:
        given = f"{len(landmarks)} numbers"
    each = f"{category.num_landmarks} landmarks x 3 for {category.name}"
    return f"{given}, expected {expected} ({each}). Correct the category or the landmarks."
