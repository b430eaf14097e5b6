"""Captures of any format to one capture in Parquet."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from simcore.errors import Diagnostic, LoadError

from ..origins import Recognised
from ..shapes import FLOWS
from ..sorting import RUN_ROWS, Sorter, write_sorted
from ..sources import problem
from ..streams import Source
from .format import Format
from .reading import Reading
from .rows import Rows
from .samples import read_sample

Progress = Callable[[int], None]
"""Called with the records met so far."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A file, its format, and what its columns mean."""

    source: Source
    format: Format
    known: Recognised


def record_of(source: Source, format_: Format) -> Recorded:
    """Find out what the columns of a file mean.

    Raises
    ------
    LoadError
        They do not make a flow.
    """
    held = format_.fields(read_sample(source.path))
    known = format_.meaning(held, ())
    if known is None or known.ambiguous or not _has_ends(known):
        text = f"its columns are not those of {format_.title}: {', '.join(held) or 'none'}"
        raise LoadError([problem(source.name, text)])
    return Recorded(source, format_, known)


def _has_ends(known: Recognised) -> bool:
    return all({f"{end}_address", f"{end}_pod"} & known.origins.keys() for end in ("source", "destination"))


def convert_records(
    files: Sequence[Recorded],
    output: str,
    reading: Reading,
    *,
    progress: Progress | None = None,
    run_rows: int = RUN_ROWS,
) -> None:
    """Write the rows of files to one, in order of time. Memory is bounded, whatever the size of the files.

    Parameters
    ----------
    files : sequence of Recorded
    output : str
        Parquet file to write.
    reading : Reading
        Counts what is read.
    progress : callable, optional
        Called now and then.
    run_rows : int
        Rows that are sorted at a time. Does not change the result.

    Raises
    ------
    LoadError
        Nothing can be read, or something cannot and `reading` is strict.
    """
    columns = [name for name in FLOWS.schema.names if any(name in file.known.origins for file in files)]
    is_wide = False
    with Sorter(os.path.dirname(output), run_rows) as sorter:
        for order, file in enumerate(files):
            before = reading.records
            rows = Rows(file.source, file.known, columns, reading, order)
            for table in rows.tables(file.format.read(file.source, reading)):
                sorter.add(table)
                if progress is not None:
                    progress(reading.records)
            is_wide |= rows.is_wide
            if reading.records == before:
                reading.note(file.source, "there is no record in it")
        if reading.unreadable and not reading.rows:
            raise LoadError(as_errors(reading.diagnostics))
        names = {file.format.name for file in files}
        write_sorted(sorter, output, wide=is_wide, told_by=names.pop() if len(names) == 1 else "")


def as_errors(found: Sequence[Diagnostic]) -> list[Diagnostic]:
    """Return diagnostics as errors."""
    from dataclasses import replace

    from simcore.errors import Severity

    return [replace(each, severity=Severity.ERROR) for each in found]
