"""From paths to a capture: find the files, see which format each has, and check that its columns can be read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from types import MappingProxyType

from pyarrow.types import is_null

from simcore.errors import Diagnostic, LoadError
from simcore.model.flows import Capture

from .converted import HUBBLE, convert_events, name_of
from .hubble.streams import is_hubble
from .mapping import read_mapping
from .numbers import NANOSECONDS, is_time
from .origins import Origin, Recognised, recognise_names
from .parquet import File, ParquetCapture, open_file
from .shapes import FLOWS, Shape
from .sources import Wanted, find_files, looks_like_parquet, partitions_of, problem
from .vpc import recognise_vpc

CAPTURES: Mapping[str, Callable[[Collection[str], Collection[str]], Recognised | None]] = MappingProxyType(
    {"aws-vpc": recognise_vpc, "names": recognise_names}
)
"""The formats by name. The first that recognises a file, by its columns and partitions, says what they mean."""

_ENDS = ("source", "destination")


def open_capture(paths: Sequence[str], mapping: Mapping[str, str] | None = None) -> Capture:
    """Open the capture that lies in some Parquet files, or in exports of Hubble, which are converted first.

    Parameters
    ----------
    paths : sequence of str
        Files, folders (with all the captures below them) and patterns such as ``logs/*.parquet``.
    mapping : mapping of str to str, optional
        What makes up a column of a flow, where the file's own names do not say it: a column of the file;
        ``column:unit`` for times in numbers, unit one of s, ms, us, ns; ``namespace+name`` for a pod told in two
        columns; an empty text to leave the column out.

    Raises
    ------
    LoadError
        A path leads nowhere, a file cannot be read, or its columns do not make a flow. Every problem is told.
    """
    if not paths:
        raise ValueError("a capture needs at least one path")
    problems: list[Diagnostic] = []
    found = list(find_files(paths, problems, Wanted("capture", _is_capture)))
    events = [path for path in found if is_hubble(path)]
    files = list(_opened([path for path in found if path not in events], problems))
    held = {column for file in files for column in file.columns}
    asked = read_mapping(mapping or {}, FLOWS, held, problems) if files else {}
    failed = (mapping or {}).keys() - asked.keys()
    if events and mapping and not files:
        problems.append(problem("--map", "there is no column to name: Hubble's events say what they hold"))
    origins = [_origins(file, asked, failed, problems) for file in files]
    if problems:
        raise LoadError(problems)
    if events:
        return _with_events(files, origins, events)
    return ParquetCapture.of(files, origins, formats=[_format(file) for file in files])


def _is_capture(path: str) -> bool:
    return looks_like_parquet(path) or is_hubble(path)


def _with_events(files: list[File], origins: list[dict[str, Origin]], events: Sequence[str]) -> ParquetCapture:
    """Open a capture of which some files are events, which are converted; their rows come last."""
    file, temporary, found = convert_events(events)
    formats = [*(_format(each) for each in files), HUBBLE]
    made = ParquetCapture.of([*files, file], [*origins, dict(recognise_names(file.types, ()).origins)], formats=formats)
    return replace(made, files=[*made.files[:-1], name_of(events)], diagnostics=found, keeps=temporary)


def open_files(paths: Sequence[str], problems: list[Diagnostic]) -> list[File]:
    """Open all the files that paths lead to; those that cannot be read become problems."""
    return _opened(find_files(paths, problems), problems)


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
    """Name the format of a file."""
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
        elif shape.is_time(name) and not (is_time(held) or is_null(held)) and origin.unit is None:
            yield (
                f"column {column!r} has type {held}, and its unit is not known. Say it with "
                f"--map {name}={column}:UNIT, UNIT being one of {', '.join(NANOSECONDS)}{_or_none(shape, name)}"
            )


def _or_none(shape: Shape, name: str) -> str:
    return "" if name in shape.required else f", or leave it out with --map {name}="
