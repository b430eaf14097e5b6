"""How an analysis of a capture is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def settings(threads: int | None, batch_rows: int | None, output: str | None) -> dict[str, Any]:
    """Return the keyword arguments of an analysis; what was not asked for is left to it."""
    chosen: dict[str, Any] = {"threads": threads, "output": None if output is None else Path(output)}
    if batch_rows is not None:
        chosen["batch_rows"] = batch_rows
    return chosen
