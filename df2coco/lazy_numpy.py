"""`np` is numpy, loaded when something of it is first used: many commands, and every --help, do without."""

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
else:

    class _Numpy:
        def __getattr__(self, name: str) -> Any:
            import numpy

            value = getattr(numpy, name)
            setattr(self, name, value)  # found there from now on, without a call
            return value

    np = _Numpy()

Array: TypeAlias = Any
"""A numpy array."""

__all__ = ["Array", "np"]
