"""How far long work has come: the library calls one function, and whoever passed it shows what it says."""

from collections.abc import Callable
from typing import TypeAlias

Progress: TypeAlias = Callable[[str, int, int], None]
"""Called as `progress(phase, done, total)`.

`phase` is a few words for a person ("converting images"); each phase counts from its own start. `total` is
0 while nobody knows how much there is, as when one large file is read: then only the phase is worth showing.
"""


def no_progress(phase: str, done: int, total: int) -> None:
    """Show nothing."""
