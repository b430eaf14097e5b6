"""Objects that the input gives more than once."""

from __future__ import annotations

from dataclasses import dataclass

from simcore.errors import Diagnostic, Place, Severity

_DIFFERS = "is given twice and differs from the one at"


@dataclass(frozen=True, slots=True)
class Repeat:
    """An object given again, equal to the first."""

    kind: str
    again: Place
    first: Place


def repeated_message(kind: str, namespace: str, name: str, first: Place) -> str:
    """Say that an object is given twice, and differently."""
    full_name = f"{namespace}/{name}" if namespace else name
    return f"{kind} {full_name} {_DIFFERS} {first}. Keep one of them"


def is_of_repeat(diagnostic: Diagnostic) -> bool:
    """Whether a diagnostic says that an object is given twice, and differently."""
    return _DIFFERS in diagnostic.message


def warn_of_repeats(repeats: list[Repeat], problems: list[Diagnostic]) -> None:
    """Warn, once for all of them, of objects that are given twice, alike."""
    if not repeats:
        return
    one = repeats[0]
    count = f" ({len(repeats)} such objects in all)" if len(repeats) > 1 else ""
    message = f"this {one.kind} was already given, alike, at {one.first}; the repeat is ignored{count}"
    problems.append(Diagnostic(Severity.WARNING, one.again, message))
