"""The poster of the 13 landmark definitions, which the package ships as pictures."""

from pathlib import Path

from df2coco.errors import OutputError
from df2coco.outputs import atomic_write


def draw_skeletons(out: str | Path, *, slots: bool = False) -> Path:
    """Write the poster to `out`, a `.png` or `.svg` file; with `slots` also each landmark's of the 294.

    Raises `OutputError` when it cannot be written.
    """
    from importlib.resources import files  # here, since it is slow to load

    out = Path(out)
    suffix = out.suffix.lower()
    if suffix not in (".png", ".svg"):
        raise OutputError("the name must end with .png or .svg. Choose another name.", file=out)
    name = ("slots" if slots else "plain") + suffix
    with atomic_write(out) as stream:
        stream.write((files("df2coco.drawing") / "posters" / name).read_bytes())
    return out
