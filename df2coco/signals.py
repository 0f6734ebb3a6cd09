"""Signals that ask for an end: Ctrl-C, SIGTERM, and those of a terminal that is closed."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Final

ENDINGS: Final = [
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    if hasattr(signal, name)
]


@contextlib.contextmanager
def signals_wait() -> Iterator[None]:
    """Signals that ask for an end are noted, and do what they would have done after the block.

    Blocking them is not enough: another thread would take them, and Python interrupt this one.
    """
    came: list[int] = []
    try:
        with contextlib.ExitStack() as stack:
            # Python calls handlers in the main thread alone.
            is_main = threading.current_thread() is threading.main_thread()
            for number in ENDINGS if is_main else ():
                handler = signal.getsignal(number)
                if handler not in (None, signal.SIG_IGN):
                    stack.callback(signal.signal, number, handler)
                    signal.signal(number, lambda number, _: came.append(number))
            yield
    finally:
        for number in dict.fromkeys(came):
            signal.raise_signal(number)
