"""Captures of events that are opened as they are: converted to a file of their own, which goes when they do."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Sequence

from simcore.errors import Diagnostic, Severity

from .hubble.converting import convert_sources
from .hubble.streams import Source
from .parquet import File, open_file
from .sources import problem

HUBBLE = "hubble"
"""The format's name."""


class Temporary:
    """A folder that is removed with it, or at the end of the program."""

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="flowverdict-")
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)


def convert_events(paths: Sequence[str]) -> tuple[File, Temporary, list[Diagnostic]]:
    """Turn files of events into one file of flows; return what else there is to say of them.

    Raises
    ------
    LoadError
        None of them holds an event that can be read.
    """
    temporary = Temporary()
    output = os.path.join(temporary.folder, "flows.parquet")
    counts = convert_sources([Source(path) for path in paths], output)
    found = list(counts.problems)
    if untold := counts.unreadable - len(found):
        found.append(_warning(paths, f"{untold:,} more lines cannot be read"))
    if counts.lost:
        found.append(_warning(paths, f"Hubble lost {counts.lost:,} events: what they told is missing here"))
    return open_file(output, {}), temporary, found


def name_of(paths: Sequence[str]) -> str:
    """Name several files that are read as one."""
    return paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1:,} more"


def _warning(paths: Sequence[str], text: str) -> Diagnostic:
    return Diagnostic(Severity.WARNING, problem(name_of(paths), text).place, text)
