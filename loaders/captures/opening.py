"""From paths to a capture: find the files, see which format each has, and check that its columns can be read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from functools import reduce
from types import MappingProxyType
from typing import cast

from simcore.errors import Diagnostic, LoadError
from simcore.model.flows import Capture

from .converted import open_converted
from .formats import FORMATS
from .mapping import read_mapping
from .numbers import NANOSECONDS, is_number
from .origins import Origin, Recognised, recognise_names
from .parquet import File, ParquetCapture, as_warning, open_file
from .records.converting import Progress, Recorded, convert_records, record_of
from .records.reading import Reading
from .records.stored import format_of as stored_format
from .shapes import FLOWS, Shape
from .sources import Wanted, find_files, partitions_of, problem
from .streams import Source
from .telling import HUBBLE, PARQUET, is_capture, tell_format
from .vpc import recognise_vpc
from .writer import TOLD_BY

CAPTURES: Mapping[str, Callable[[Collection[str], Collection[str]], Recognised | None]] = MappingProxyType(
    {"aws-vpc": recognise_vpc, "names": recognise_names}
)
"""The formats by name. The first that recognises a file, by its columns and partitions, says what they mean."""

_ENDS = ("source", "destination")


def open_capture(
    paths: Sequence[str],
    mapping: Mapping[str, str] | None = None,
    *,
    format_name: str | None = None,
    strict: bool = False,
) -> Capture:
    """Open the capture that lies in some files; those that are not Parquet are converted first.

    Parameters
    ----------
    paths : sequence of str
        Files, folders (with all the captures below them) and patterns such as ``logs/*.parquet``.
    mapping : mapping of str to str, optional
        What makes up a column of a flow, where the file's own names do not say it: a column of the file;
        ``column:unit`` for times in numbers, unit one of s, ms, us, ns; ``namespace+name`` for a pod told in two
        columns; an empty text to leave the column out.
    format_name : str, optional
        The format of all files, one of `loaders.captures.KNOWN`; told by what they hold if not given.
    strict : bool
        Whether a record, a value, a row group or a file that cannot be read is an error, rather than told and counted.

    Raises
    ------
    LoadError
        A path leads nowhere, a file cannot be read, or its columns do not make a flow. Every problem is told.
    """
    if not paths:
        raise ValueError("a capture needs at least one path")
    problems: list[Diagnostic] = []
    found = _told_apart(paths, format_name, problems)
    damaged: list[Diagnostic] = []
    files = list(_opened(found.pop(PARQUET, []), damaged))
    held = {column for file in files for column in file.columns}
    asked = read_mapping(mapping or {}, FLOWS, held, problems) if files else {}
    failed = (mapping or {}).keys() - asked.keys()
    if found and mapping and not files:
        problems.append(problem("--map", "there is no column to name: these files say what they hold"))
    origins = [_origins(file, asked, failed, problems) for file in files]
    captures = [ParquetCapture.of(files, origins, formats=[_format(file) for file in files], strict=strict)]
    if problems:
        raise LoadError([*problems, *damaged])
    for name, sources in found.items():
        try:
            captures.append(open_converted(name, sources, strict=strict))
        except LoadError as error:
            damaged += error.diagnostics
    if damaged and (strict or (len(captures) == 1 and not files)):
        raise LoadError(damaged)
    opened = reduce(ParquetCapture.joined, captures)
    return replace(opened, diagnostics=[*map(_left_out, damaged), *opened.diagnostics])


def _left_out(found: Diagnostic) -> Diagnostic:
    return as_warning(found, f"{found.message}. This is left out, and the rest read")


def convert_capture(
    paths: Sequence[str],
    output: str,
    mapping: Mapping[str, str] | None = None,
    *,
    format_name: str | None = None,
    strict: bool = False,
    progress: Progress | None = None,
) -> Reading:
    """Write the capture that lies in some files to one Parquet file, in order of time; Hubble's events are not taken.

    Parameters
    ----------
    paths, mapping, format_name, strict
        See `open_capture`.
    output : str
        Parquet file to write.
    progress : callable, optional
        Called now and then with the records met so far.

    Returns
    -------
    Reading
        What became of every record.

    Raises
    ------
    LoadError
        A path leads nowhere, or nothing can be read.
    """
    problems: list[Diagnostic] = []
    reading = Reading(strict)
    files = [
        each
        for name, sources in _told_apart(paths, format_name, problems).items()
        for each in _records(name, sources, mapping, reading, problems)
    ]
    if problems:
        raise LoadError(problems)
    convert_records(files, output, reading, progress=progress)
    return reading


def holds_events(paths: Sequence[str], format_name: str | None = None) -> bool:
    """Whether files hold Hubble's events, which are put together rather than converted one by one.

    Raises
    ------
    LoadError
        Some hold them and some do not.
    """
    if "-" in paths or format_name is not None:
        return format_name in (None, HUBBLE)
    found = _told_apart(paths, None, [])
    if HUBBLE in found and len(found) > 1:
        other = next(files[0] for name, files in found.items() if name != HUBBLE)
        text = "this holds no events of Hubble's, and other files do. Convert each kind by itself"
        raise LoadError([problem(other, text)])
    return HUBBLE in found


def _records(
    name: str,
    paths: Sequence[str],
    mapping: Mapping[str, str] | None,
    reading: Reading,
    problems: list[Diagnostic],
) -> Iterator[Recorded]:
    """Find out what the columns of files of one format mean."""
    for path in paths:
        try:
            if name == PARQUET:
                capture = open_capture([path], mapping, format_name=PARQUET, strict=reading.strict)
                yield record_of(Source(path), stored_format(cast(ParquetCapture, capture)))
            else:
                yield record_of(Source(path), FORMATS[name])
        except LoadError as error:
            problems.extend(error.diagnostics)


def _told_apart(paths: Sequence[str], wanted: str | None, problems: list[Diagnostic]) -> dict[str, list[str]]:
    """Find the files, by their format."""
    found: dict[str, list[str]] = {}
    for path in find_files(paths, problems, Wanted("capture", is_capture)):
        try:
            found.setdefault(tell_format(path, wanted), []).append(path)
        except LoadError as error:
            problems.extend(error.diagnostics)
    return found


def _opened(paths: Iterable[str], problems: list[Diagnostic]) -> list[File]:
    files: list[File] = []
    for path in paths:
        try:
            files.append(open_file(path, partitions_of(path)))
        except LoadError as error:
            problems.extend(error.diagnostics)
    return files


def _origins(
    file: File, asked: Mapping[str, Origin | None], failed: Set[str], problems: list[Diagnostic]
) -> dict[str, Origin]:
    """What makes up each column of a flow in one file: as asked, otherwise as recognised.

    Of the columns whose mapping `failed`, nothing more is said.
    """
    known = _recognise(file)
    origins = choose_origins(FLOWS, file, known, asked, failed, problems)
    doubts = known.ambiguous.keys() - asked.keys()
    for end in _ENDS:
        if not {f"{end}_address", f"{end}_pod"} & (origins.keys() | doubts | failed):
            problems.append(problem(file.path, _no_end(end, file.columns)))
    return origins


def choose_origins(
    shape: Shape,
    file: File,
    known: Recognised,
    asked: Mapping[str, Origin | None],
    failed: Set[str],
    problems: list[Diagnostic],
) -> dict[str, Origin]:
    """Choose what makes up each column of a row: as asked, otherwise as recognised; tell doubts and wrong types."""
    doubts = known.ambiguous.keys() - asked.keys() - failed
    problems += [problem(file.path, _doubt(name, known.ambiguous[name])) for name in sorted(doubts)]
    origins = {name: origin for name, origin in known.origins.items() if name not in asked.keys() | failed}
    for name, origin in asked.items():
        if origin and all(column in file.columns for column in origin.columns):
            origins[name] = origin
    problems += [problem(file.path, text) for name in origins for text in _misfits(shape, name, origins[name], file)]
    return origins


def _recognise(file: File) -> Recognised:
    found = (recognise(file.types, file.partitions) for recognise in CAPTURES.values())
    return next(recognised for recognised in found if recognised)


def _format(file: File) -> str:
    """Name the format of a file: the one that its rows come from, where it was converted."""
    told: str = (file.metadata.metadata or {}).get(TOLD_BY, b"").decode("utf-8", "replace")
    if told in FORMATS:
        return told
    return next(name for name, recognise in CAPTURES.items() if recognise(file.types, file.partitions))


def _doubt(name: str, candidates: Sequence[str]) -> str:
    return f"several columns may be {name}: {', '.join(candidates)}. Choose one with --map {name}={candidates[0]}"


def _no_end(end: str, columns: Sequence[str]) -> str:
    return (
        f"no column tells the {end} of a flow, neither its address nor its pod; the columns are "
        f"{', '.join(columns) or 'none'}. Name one with --map {end}_address=COLUMN or --map {end}_pod=COLUMN"
    )


def _misfits(shape: Shape, name: str, origin: Origin, file: File) -> Iterator[str]:
    """What is wrong with the types of the columns that make up one column of a row."""
    kind = shape.kinds[name]
    for column in origin.columns:
        held = file.type_of(column)
        if not kind.takes(held):
            yield (
                f"column {column!r} has type {held}, and {name} is read from {kind.accepted}. "
                f"Name another column with --map {name}=COLUMN{_or_none(shape, name)}"
            )
        elif shape.is_time(name) and is_number(held) and origin.unit is None:
            yield (
                f"column {column!r} has type {held}, and its unit is not known. Say it with "
                f"--map {name}={column}:UNIT, UNIT being one of {', '.join(NANOSECONDS)}{_or_none(shape, name)}"
            )


def _or_none(shape: Shape, name: str) -> str:
    return "" if name in shape.required else f", or leave it out with --map {name}="
