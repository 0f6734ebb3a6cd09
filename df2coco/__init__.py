"""DeepFashion2 to COCO: convert, validate, evaluate, look."""

from __future__ import annotations

__version__ = "0.1.0"
