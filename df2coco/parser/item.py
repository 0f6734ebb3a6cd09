"""One item of an annotation file: its fields, checked and repaired."""

from typing import Any, Final

from df2coco.errors import FaultError, shorten
from df2coco.parser.records import MAX_COORDINATE, Item, Notice, Number
from df2coco.taxonomy import ATTRIBUTES, CATEGORY_BY_ID, Category

MAX_OUTLINE: Final = 1_000_000
"""The longest outline of a polygon in pixels (real ones stay under 20,000): drawing it costs memory."""

_CORRECT: Final = "Correct it, or remove the item."
_CORRECT_FIELD: Final = "Correct it, or remove the field."


def parse_item(
    key: str, value: Any, size: tuple[int, int] | None, file: str, notices: list[Notice]
) -> Item:
    """The item that the JSON `value` of `key` describes, in an image of `size`; `notices` gets its repairs.

    Raises `FaultError` when it cannot be used.
    """
    if type(value) is not dict:
        raise FaultError("", f"{shorten(value)} is not a JSON object. {_CORRECT}")
    repairs: list[Notice] = []
    category = _category(value)
    box = _box(value, size, file, key, repairs)
    landmarks, num_labelled = _landmarks(value, category, file, key, repairs)
    segmentation = _segmentation(value, file, key, repairs)
    attributes = [_optional_choice_number(value, name) for name in ATTRIBUTES]
    item = Item(
        key,
        category.id,
        box,
        landmarks,
        num_labelled,
        segmentation,
        optional_integer(value, "style"),
        *attributes,
    )
    notices.extend(repairs)
    return item


def _required(value: dict[str, Any], name: str) -> Any:
    found = value.get(name)
    if found is None:
        raise FaultError(name, "missing. Add it, or remove the item.")
    return found


def _category(value: dict[str, Any]) -> Category:
    category_id = _required(value, "category_id")
    category = CATEGORY_BY_ID.get(category_id) if type(category_id) is int else None
    if category is None:
        raise FaultError(
            "category_id",
            f"{shorten(category_id)} is not an integer from 1 to 13. {_CORRECT}",
        )
    name = value.get("category_name")
    if name != category.name and name is not None:
        raise FaultError(
            "category_name",
            f"{shorten(name)}, but category_id {category.id} is {category.name!r}. Correct one of them.",
        )
    return category


def _box(
    value: dict[str, Any], size: tuple[int, int] | None, file: str, key: str, repairs: list[Notice]
) -> tuple[Number, Number, Number, Number]:
    box = _required(value, "bounding_box")
    if not is_box(box):
        raise FaultError(
            "bounding_box",
            f"{shorten(box)}, expected 4 numbers x1, y1, x2, y2 of at most {MAX_COORDINATE}. {_CORRECT}",
        )
    x1, y1, x2, y2 = box
    if x1 > x2 or y1 > y2:
        if _is_around((x1, y1, x1 + x2, y1 + y2), value.get("segmentation")):
            raise FaultError(
                "bounding_box",
                f"{box} is x, y, width, height, as the mask shows, expected x1, y1, x2, y2. {_CORRECT}",
            )
        x1, x2, y1, y2 = min(x1, x2), max(x1, x2), min(y1, y2), max(y1, y2)
        text = f"{box} gives its corners in the other order; corrected"
        repairs.append(Notice("corners-swapped", file, f"{key}.bounding_box", text))
    width, height = size or (MAX_COORDINATE, MAX_COORDINATE)
    if x1 < 0 or y1 < 0 or x2 > width or y2 > height:
        x1, y1, x2, y2 = max(x1, 0), max(y1, 0), min(x2, width), min(y2, height)
        text = f"{box} leaves the image of {width} x {height} pixels; cut at its border"
        repairs.append(Notice("box-clipped", file, f"{key}.bounding_box", text))
    if x2 - x1 < 1 or y2 - y1 < 1:
        if 0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1:
            fault = "is in parts of the width and height, expected pixels."
        else:
            image = f" inside the image of {size[0]} x {size[1]} pixels" if size else ""
            fault = f"has no pixel{image}; a box needs a positive size."
        raise FaultError("bounding_box", f"{box} {fault} {_CORRECT}")
    return x1, y1, x2, y2


def _is_around(box: tuple[Number, Number, Number, Number], polygons: Any) -> bool:
    """Whether a box is that of a mask, but for a few pixels."""
    if type(polygons) is not list or any(map(_polygon_fault, polygons)) or not polygons:
        return False
    xs = [x for polygon in polygons for x in polygon[0::2]]
    ys = [y for polygon in polygons for y in polygon[1::2]]
    sides = zip(box, (min(xs), min(ys), max(xs), max(ys)), strict=True)
    allowed = max(2, 0.05 * max(box[2] - box[0], box[3] - box[1]))
    return all(abs(a - b) <= allowed for a, b in sides)


def _landmarks(
    value: dict[str, Any], category: Category, file: str, key: str, repairs: list[Notice]
) -> tuple[list[Number], int]:
    landmarks = _required(value, "landmarks")
    expected = 3 * category.num_landmarks
    if type(landmarks) is not list or len(landmarks) != expected:
        found = f"{len(landmarks)} numbers" if type(landmarks) is list else shorten(landmarks)
        if type(landmarks) is list and list in map(type, landmarks):
            found = "landmarks as lists [x, y, v], not in a row"
        raise FaultError(
            "landmarks",
            f"{found}, expected {expected} ({category.num_landmarks} landmarks x 3 for {category.name}). "
            "Correct the category or the landmarks.",
        )
    if _span(landmarks) is None:
        raise FaultError(
            "landmarks", f"not all are numbers of at most {MAX_COORDINATE} pixels. {_CORRECT}"
        )
    visibility = landmarks[2::3]
    if not _VISIBILITIES.issuperset(visibility):
        wrong = next(v for v in visibility if v not in _VISIBILITIES)
        raise FaultError("landmarks", f"a visibility of {wrong}, expected 0, 1 or 2. {_CORRECT}")
    if type(sum(landmarks)) is float:
        landmarks = [int(n) if n == int(n) else n for n in landmarks]
    unlabelled = visibility.count(0)
    if unlabelled and _clear_unlabelled(landmarks):
        text = "an unlabelled landmark (v = 0) had a position; set to 0, 0"
        repairs.append(Notice("landmark-cleared", file, f"{key}.landmarks", text))
    return landmarks, category.num_landmarks - unlabelled


_VISIBILITIES: Final = frozenset((0, 1, 2))


def _clear_unlabelled(landmarks: list[Number]) -> bool:
    """Set x and y of every landmark with v = 0 to 0; whether any was not."""
    cleared = False
    for start, v in enumerate(landmarks[2::3]):
        if not v and (landmarks[3 * start] or landmarks[3 * start + 1]):
            landmarks[3 * start] = landmarks[3 * start + 1] = 0
            cleared = True
    return cleared


def _segmentation(
    value: dict[str, Any], file: str, key: str, repairs: list[Notice]
) -> list[list[Number]]:
    polygons = _required(value, "segmentation")
    if type(polygons) is not list or not polygons:
        raise FaultError(
            "segmentation", f"{shorten(polygons)}, expected a list of polygons. {_CORRECT}"
        )
    if {int, float}.issuperset(map(type, polygons)):
        raise FaultError(
            "segmentation",
            f"the polygon is not in a list of its own. Write [[x1, y1, ...]]. {_CORRECT}",
        )
    good: list[list[Number]] = []
    for number, polygon in enumerate(polygons):
        fault = _polygon_fault(polygon)
        if fault is None:
            good.append(polygon)
        else:
            repairs.append(
                Notice(
                    "polygon-dropped", file, f"{key}.segmentation[{number}]", f"{fault}; dropped"
                )
            )
    if not good:
        raise FaultError(
            "segmentation", f"no polygon can be used: {_polygon_fault(polygons[0])}. {_CORRECT}"
        )
    return good


def _polygon_fault(polygon: Any) -> str | None:
    if type(polygon) is not list:
        return f"{shorten(polygon)} is not a list of numbers"
    if list in map(type, polygon):
        return "points as lists [x, y], not in a row"
    length = len(polygon)
    if length < 6 or length % 2:
        return f"{length} numbers, expected an even number of at least 6"
    span = _span(polygon)
    if span is None:
        return f"not all are numbers of at most {MAX_COORDINATE} pixels"
    # No edge is longer than its span in x and in y, so hardly any outline needs adding up.
    if span * length > MAX_OUTLINE and _outline(polygon) > MAX_OUTLINE:
        return f"an outline of more than {MAX_OUTLINE} pixels"
    return None


def _outline(polygon: list[Number]) -> float:
    xs, ys = polygon[0::2], polygon[1::2]
    return sum(abs(xs[i] - xs[i - 1]) + abs(ys[i] - ys[i - 1]) for i in range(len(xs)))


def is_box(box: Any) -> bool:
    """Whether it is 4 numbers that can be coordinates."""
    return type(box) is list and len(box) == 4 and _span(box) is not None


def _span(values: list[Any]) -> Number | None:
    """The largest less the smallest of some coordinates; None when not all are coordinates."""
    if not {int, float}.issuperset(map(type, values)):
        return None
    low, high = min(values), max(values)
    if low < -MAX_COORDINATE or high > MAX_COORDINATE:
        return None
    return high - low  # type: ignore[no-any-return]


# ---------------------------------------------------------------- fields that may be absent


def optional_integer(value: dict[str, Any], name: str) -> int | None:
    """A field that is 0 or more, or None where it is missing. Raises `FaultError`."""
    found = value.get(name)
    if found is None:
        return None
    if type(found) is not int or not 0 <= found < 1 << 53:
        raise FaultError(
            name, f"{shorten(found)}, expected a whole number of 0 or more. {_CORRECT_FIELD}"
        )
    return found


def optional_choice(value: dict[str, Any], name: str, choices: tuple[str, ...]) -> str | None:
    """A field that is one of `choices`, or None where it is missing. Raises `FaultError`."""
    found = value.get(name)
    if found is None or found in choices:
        return found
    raise FaultError(name, f"{shorten(found)}, expected {' or '.join(choices)}. {_CORRECT_FIELD}")


def _optional_choice_number(value: dict[str, Any], name: str) -> int | None:
    found = value.get(name)
    if found is None and name == "zoom_in":
        found = value.get("zoom-in")  # the dataset's README spells it so
    if found is None or (type(found) is int and 1 <= found <= 3):
        return found
    raise FaultError(name, f"{shorten(found)}, expected 1, 2 or 3. {_CORRECT_FIELD}")
