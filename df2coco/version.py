"""The version, where nothing else stands: whatever needs it need not load the package's face."""

__version__ = "0.3.0.dev0"
