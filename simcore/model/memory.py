"""What reading and compiling a large cluster asks of the interpreter."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collection_paused() -> Iterator[None]:
    """Keep the garbage collector from walking growing values again and again; they hold no cycles.

    Measured: 10,000 YAML policies are read in 3 s instead of 13, tables of 100,000 pods built in 9.5 s instead of 12.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
