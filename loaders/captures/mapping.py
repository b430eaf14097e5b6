"""The mapping a user gives: ``time=ts:ms``, ``source_pod=src_ns+src_name``, ``node=`` to leave a column out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches

from simcore.errors import Diagnostic

from .numbers import NANOSECONDS
from .origins import Origin
from .shapes import Shape
from .sources import problem


def read_mapping(
    mapping: Mapping[str, str], shape: Shape, held: Collection[str], problems: list[Diagnostic]
) -> dict[str, Origin | None]:
    """Read what each entry asks for; None where it asks to leave the column out.

    Parameters
    ----------
    mapping : mapping of str to str
        Column of a row to what it is made of: a column, ``column:unit`` for times, columns joined with ``+``.
    shape : Shape
        What a row is.
    held : collection of str
        Names of the columns that any file of the capture has.
    problems : list of Diagnostic
        Takes up every entry that makes no sense.
    """
    found: dict[str, Origin | None] = {}
    for name, text in mapping.items():
        place = f"--map {name}={text}"
        if name not in shape.kinds:
            known = f"A {shape.noun} has the columns {', '.join(shape.kinds)}"
            text = f"a {shape.noun} has no column {name!r}{_guess(name, shape.kinds)}. {known}"
            problems.append(problem(place, text))
        elif not text:
            found[name] = None
        elif isinstance(origin := _read_entry(name, text, shape, held), Origin):
            found[name] = origin
        else:
            problems.append(problem(place, origin))
    return found


def _read_entry(name: str, text: str, shape: Shape, held: Collection[str]) -> Origin | str:
    if text in held:
        return Origin((text,))
    column, unit = text, None
    if shape.is_time(name) and ":" in text:
        column, _, unit = text.rpartition(":")
        if unit not in NANOSECONDS:
            return f"{unit!r} is no unit of time. Write one of {', '.join(NANOSECONDS)} after the colon"
    columns = (column,) if column in held or not shape.kinds[name].joins else tuple(column.split("+"))
    absent = [each for each in columns if each not in held]
    if absent:
        return f"the capture has no column {absent[0]!r}{_guess(absent[0], held)}. It has {', '.join(sorted(held))}"
    return Origin(columns, unit)


def _guess(word: str, known: Collection[str]) -> str:
    close = get_close_matches(word, known, 1)
    return f" (did you mean {close[0]!r}?)" if close else ""
