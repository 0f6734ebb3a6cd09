"""Rules of `coco.schema` as msgspec checks them while it decodes, in C: for annotations as nearly all are."""

from typing import Annotated, Final

from msgspec import Meta

from df2coco.coco.schema import MAX_ID, MAX_NUMBER

Id = Annotated[int, Meta(ge=0, le=MAX_ID)]
Flag = Annotated[int, Meta(ge=0, le=1)]

NUMBER: Final = Meta(ge=-MAX_NUMBER, le=MAX_NUMBER)
"""Of a coordinate."""
NEAR: Final = Meta(ge=-10_000, le=10_000)
"""Of a coordinate of a polygon."""
MOST_NUMBERS: Final = 500
"""Of a polygon: with as many numbers between -10,000 and 10,000 no outline is too long to be drawn."""
