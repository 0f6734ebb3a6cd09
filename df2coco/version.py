"""The version, where nothing else stands: whatever needs it need not load the package's face."""

__version__ = "0.2.0"
