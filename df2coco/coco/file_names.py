"""What a `file_name` may be: a path below the folder of the images."""

from typing import Any


def is_address(name: str) -> bool:
    """Whether it is an address in the network: "https://...", "s3://..."."""
    return "://" in name


def is_outside(name: Any) -> bool:
    """Whether it names no file below a folder: no text, nothing, an absolute path, a folder, one with "..", one
    that no system takes (NUL)."""
    if type(name) is not str:
        return True
    if "/" not in name and "\\" not in name:
        return name in ("", ".", "..") or name[1:2] == ":" or "\0" in name
    parts = name.replace("\\", "/").split("/")
    outside = not parts[0] or parts[-1] in ("", ".") or ".." in parts or name[1:2] == ":"
    outside = outside or "\0" in name
    return outside and not is_address(name)
