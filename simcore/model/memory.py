"""What reading and compiling a large cluster asks of the interpreter."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collection_paused() -> Iterator[None]:
    """Keep the garbage collector from walking growing values again and again; they hold no cycles.

    What was made meanwhile counts as old from then on, or the collector would walk all of it at once.

    Measured: 10,000 YAML policies are read in 3 s instead of 13, tables of 100,000 pods built in 9.5 s instead of 12,
    100,000 pods in columns loaded in 0.7 s instead of 0.9.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            _age()
            gc.enable()


def _age() -> None:
    """Put every object into the oldest generation; a freeze of somebody else's stays as it is."""
    if not gc.get_freeze_count():
        gc.freeze()
        gc.unfreeze()
