"""The one way kernels are compiled: lazily, without the interpreter's lock, cached on disk where that can be."""

from collections.abc import Callable
from typing import Any

from numba import njit


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function; where no folder for the cache can be written, every process compiles anew."""
    try:
        return njit(nogil=True, cache=True)(function)
    except RuntimeError:
        return njit(nogil=True)(function)
