"""How an analysis of a capture is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def settings(threads: int | None, batch_rows: int | None, output: str | None) -> dict[str, Any]:
    """Return the keyword arguments of an analysis that may write; what was not asked for is left to it."""
    return {**reading(threads, batch_rows), "output": None if output is None else Path(output)}


def reading(threads: int | None, batch_rows: int | None) -> dict[str, Any]:
    """Return the keyword arguments of how a capture is read; what was not asked for is left to the analysis."""
    chosen: dict[str, Any] = {"threads": threads}
    if batch_rows is not None:
        chosen["batch_rows"] = batch_rows
    return chosen
