"""The one way kernels are compiled: lazily, without the interpreter's lock, cached on disk where that can be."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit

CACHE, STAMP = "__pycache__", "kernels.stamp"


def forget_stale(folder: Path) -> None:
    """Remove compiled kernels of a room that were made from other sources.

    numba compiles anew what changed in its own file, but not what calls a kernel of another file that changed.

    Parameters
    ----------
    folder : Path
        Where the sources are; numba keeps what it compiled beside them.
    """
    found = [(str(path.relative_to(folder)), path.stat()) for path in sorted(folder.rglob("*.py"))]
    stamp = "\n".join(f"{name} {status.st_mtime_ns} {status.st_size}" for name, status in found)
    written = folder / CACHE / STAMP
    if written.exists() and written.read_text("utf-8") == stamp:
        return
    for compiled in folder.rglob(f"{CACHE}/*.nb[ic]"):
        compiled.unlink(missing_ok=True)
    written.parent.mkdir(exist_ok=True)
    written.write_text(stamp, "utf-8")


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function; where no folder for the cache can be written, every process compiles anew."""
    try:
        return njit(nogil=True, cache=True)(function)
    except RuntimeError:
        return njit(nogil=True)(function)


_here = Path(__file__).parent
if "NUMBA_CACHE_DIR" not in os.environ and os.access(_here, os.W_OK):
    forget_stale(_here)
