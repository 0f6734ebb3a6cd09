"""The version, where nothing else is: whatever needs it need not load the package's face."""

__version__ = "0.3.0.dev0"

DOCS = "https://df2coco.github.io/df2coco/"
"""Where the documentation of this version is."""
