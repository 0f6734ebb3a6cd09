"""The notebook of the docs: it is run here, and made into a page of the site."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, Final

from tests.conftest import ROOT

NOTEBOOK: Final = ROOT / "docs" / "notebook.ipynb"
PAGE: Final = ROOT / "docs" / "notebook.md"
PICTURE: Final = ROOT / "docs" / "pictures" / "notebook.jpg"

_HEAD: Final = """---
description: A notebook that reads records, converts, validates, counts and draws, with what it prints
---

"""
_LINK: Final = "The notebook itself: [notebook.ipynb](notebook.ipynb)."


def cells_of(text: str) -> list[dict[str, Any]]:
    """The cells of a notebook."""
    cells: list[dict[str, Any]] = json.loads(text)["cells"]
    return cells


def executed(text: str, folder: Path) -> str:
    """The notebook after all of its cells were run in `folder`, in order. Needs nbclient."""
    import nbclient
    import nbformat

    notebook = nbformat.reads(text, as_version=4)
    place = {"metadata": {"path": str(folder)}}
    client = nbclient.NotebookClient(notebook, resources=place, coalesce_streams=True)
    client.execute()
    document = json.loads(nbformat.writes(notebook))
    for cell in document["cells"]:
        cell["metadata"] = {}  # when it was run
        for output in cell.get("outputs", ()):
            if "image/jpeg" in output.get("data", ()):
                del output["data"]["image/png"]  # the same picture, five times as large
    document["metadata"]["language_info"] = {"name": "python"}
    return json.dumps(document, indent=1) + "\n"


def printed(text: str) -> list[str]:
    """What the cells of a notebook print."""
    return [
        "".join(output["text"])
        for cell in cells_of(text)
        for output in cell.get("outputs", ())
        if output["output_type"] == "stream"
    ]


def page_of(text: str) -> str:
    """The notebook as a page, whose one picture is `PICTURE`."""
    parts = []
    for cell in cells_of(text):
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(f"```py\n{source}\n```")
        parts += [_shown(output) for output in cell["outputs"]]
    return _HEAD + "\n\n".join([parts[0], _LINK, *parts[1:]]) + "\n"


def _shown(output: dict[str, Any]) -> str:
    if output["output_type"] == "stream":
        return f"```text\n{''.join(output['text']).rstrip()}\n```"
    return f"![The photo with its annotations](pictures/{PICTURE.name})"


def picture_of(text: str) -> bytes:
    """The picture that the last cell shows."""
    return base64.b64decode("".join(cells_of(text)[-1]["outputs"][-1]["data"]["image/jpeg"]))
