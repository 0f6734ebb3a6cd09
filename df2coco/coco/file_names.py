"""What a `file_name` may be: a path below the folder of the images."""

from pathlib import PurePosixPath
from typing import Any


def is_address(name: str) -> bool:
    """Whether it is an address in the network: "https://...", "s3://..."."""
    return "://" in name


def is_outside(name: Any) -> bool:
    """Whether it names no file below a folder: no text, nothing, an absolute path, one with "..", a folder."""
    if type(name) is not str or name.endswith("/"):
        return True
    if "/" not in name and "\\" not in name:
        return name in ("", ".", "..") or name[1:2] == ":"
    path = PurePosixPath(name.replace("\\", "/"))
    outside = path.is_absolute() or ".." in path.parts or name[1:2] == ":"
    return outside and not is_address(name)
