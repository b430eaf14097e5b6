"""Captures that are opened as they are: converted to a file of their own, which goes when they do."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import replace

from simcore.errors import Diagnostic, LoadError, Severity

from .formats import FORMATS
from .hubble.converting import convert_sources
from .origins import recognise_names
from .parquet import ParquetCapture, open_file
from .records.converting import convert_records, record_of
from .records.reading import Reading
from .sources import problem
from .streams import Source
from .telling import HUBBLE


class Temporary:
    """A folder that is removed with it, or at the end of the program."""

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="flowverdict-")
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)


def open_converted(name: str, paths: Sequence[str], *, strict: bool = False) -> ParquetCapture:
    """Turn files of one format into one file of flows, and open that.

    Raises
    ------
    LoadError
        Nothing in them can be read, or something cannot and `strict` is set.
    """
    temporary = Temporary()
    output = os.path.join(temporary.folder, "flows.parquet")
    convert = _convert_events if name == HUBBLE else _convert_records
    found = convert(name, paths, output, strict)
    file = open_file(output, {})
    made = ParquetCapture.of([file], [dict(recognise_names(file.types, ()).origins)], formats=[name])
    return replace(made, files=[name_of(paths)], diagnostics=found, keeps=(temporary,))


def _convert_records(name: str, paths: Sequence[str], output: str, strict: bool) -> list[Diagnostic]:
    reading = Reading(strict)
    problems: list[Diagnostic] = []
    files = []
    for path in paths:
        try:
            files.append(record_of(Source(path), FORMATS[name]))
        except LoadError as error:
            problems.extend(error.diagnostics)
    if problems:
        raise LoadError(problems)
    convert_records(files, output, reading)
    return told_of(paths, reading)


def told_of(paths: Sequence[str], reading: Reading) -> list[Diagnostic]:
    """Say what became of the records of files."""
    found = list(reading.diagnostics)
    if untold := reading.untold:
        found.append(_warning(paths, f"{untold:,} more records cannot be read"))
    left = [_warning(paths, f"left out: {count:,} {why}") for why, count in sorted(reading.left_out.items())]
    return [*found, *left]


def _convert_events(_name: str, paths: Sequence[str], output: str, strict: bool) -> list[Diagnostic]:
    counts = convert_sources([Source(path) for path in paths], output, strict=strict)
    found = list(counts.problems)
    if untold := counts.unreadable - len(found):
        found.append(_warning(paths, f"{untold:,} more lines cannot be read"))
    if counts.lost:
        found.append(_warning(paths, f"Hubble lost {counts.lost:,} events: what they told is missing here"))
    return found


def name_of(paths: Sequence[str]) -> str:
    """Name several files that are read as one."""
    return paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1:,} more"


def _warning(paths: Sequence[str], text: str) -> Diagnostic:
    return Diagnostic(Severity.WARNING, problem(name_of(paths), text).place, text)
