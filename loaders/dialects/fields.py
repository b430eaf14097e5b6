"""A field of a document under validation: its value, its path, and how to complain about it."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, TypeVar

from simcore.errors import Diagnostic, Place, Severity

from ..documents import Document
from ..paths import Path

T = TypeVar("T")

_NO_HINTS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a document; absent and null are alike, both have the value None.

    Every check reports what it finds and goes on with a value that raises no further complaint.
    """

    document: Document
    problems: list[Diagnostic]
    value: Any
    path: Path = field(default=())

    @property
    def place(self) -> Place:
        """Where it is written."""
        return self.document.place(self.path)

    def error(self, message: str, *below: str | int) -> None:
        """Report that this field, or one below it, makes the document unusable."""
        self._report(Severity.ERROR, message, below)

    def warn(self, message: str, *below: str | int) -> None:
        """Report something that the user may not have meant."""
        self._report(Severity.WARNING, message, below)

    def _report(self, severity: Severity, message: str, below: Path) -> None:
        self.problems.append(Diagnostic(severity, self.document.place(self.path + below), message))

    def get(self, name: str) -> Field:
        """Return the field below this one; this one must be a mapping or None."""
        below = self.value.get(name) if self.value is not None else None
        return Field(self.document, self.problems, below, (*self.path, name))

    def mapping(self, known: Collection[str], hints: Mapping[str, str] = _NO_HINTS) -> Field:
        """Check that this is a mapping (or absent) whose keys are all known; return it, emptied if it is not.

        Parameters
        ----------
        known : collection of str
            The keys that may stand here.
        hints : mapping of str to str
            What to say about keys that people write here by mistake.
        """
        if self.value is None:
            return self
        if not isinstance(self.value, dict):
            self.error(f"expected a mapping, got {describe(self.value)}")
            return Field(self.document, self.problems, None, self.path)
        for name in self.value:
            if name not in known:
                self.error(f"unknown field. {hints.get(name) or _suggestion(name, known)}", name)
        return self

    def items(self) -> Iterator[Field]:
        """Yield the items of this list; none where it is absent."""
        if self.value is None:
            return
        if not isinstance(self.value, list):
            self.error(f"expected a list, got {describe(self.value)}. Put a dash (-) before each item")
            return
        for position, item in enumerate(self.value):
            yield Field(self.document, self.problems, item, (*self.path, position))

    def text(self) -> str | None:
        """Return the text that stands here; None where it is absent or is something else."""
        if self.value is None or isinstance(self.value, str):
            return self.value
        self.error(f"expected text, got {describe(self.value)}. {quoting(self.value)}")
        return None

    def integer(self) -> int | None:
        """Return the whole number that stands here; None where it is absent or is something else."""
        if self.value is None or (isinstance(self.value, int) and not isinstance(self.value, bool)):
            return self.value
        self.error(f"expected a whole number, got {describe(self.value)}")
        return None

    def number(self) -> float | None:
        """Return the number, whole or not, that stands here; None where it is absent or is something else."""
        if self.value is None or (isinstance(self.value, int | float) and not isinstance(self.value, bool)):
            return self.value
        self.error(f"expected a number, got {describe(self.value)}")
        return None

    def boolean(self) -> bool | None:
        """Return the truth value that stands here; None where it is absent or is something else."""
        if self.value is None or isinstance(self.value, bool):
            return self.value
        self.error(f"expected true or false, got {describe(self.value)}")
        return None

    def text_map(self) -> dict[str, str]:
        """Return a mapping from text to text, as labels are; null is the empty text, as in the API."""
        result: dict[str, str] = {}
        for name, value in (self.mapping(self.value or ()).value or {}).items():
            if value is None:
                self.warn('no value: read as the empty text. Write "" if that is meant', name)
            elif not isinstance(value, str):
                self.error(f"expected text, got {describe(value)}. {quoting(value)}", name)
            result[name] = value if isinstance(value, str) else ""
        return result


def describe(value: object) -> str:
    """Name a value and its type for a message: ``the number 80``."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    text = json.dumps(value)
    if isinstance(value, str):
        return f"the text {text}"
    if isinstance(value, bool):
        return f"the boolean {text}"
    return f"the number {text}"


def quoting(value: object) -> str:
    """Say how to write a value that YAML reads as a number or a boolean, but that should be text."""
    if isinstance(value, bool):
        return "YAML reads yes, no, on, off, y and n as booleans too: write it in quotes"
    return "Write it in quotes" if isinstance(value, int | float) else "Write the text alone"


def _suggestion(name: str, known: Collection[str]) -> str:
    folded = {key.lower(): key for key in known}
    near = get_close_matches(name.lower(), folded, n=1, cutoff=0.6)
    if near:
        return f"Did you mean {folded[near[0]]}?"
    return f"Known here: {', '.join(known)}" if known else "Nothing may stand here"


def read_alone(document: Document, diagnostics: list[Diagnostic], read: Callable[[Field], T]) -> list[T]:
    """Read a document that stands for itself, and tell its problems from top to bottom; nothing where it is invalid."""
    found: list[Diagnostic] = []
    made = read(Field(document, found, document.value))
    diagnostics += sorted(found, key=lambda diagnostic: diagnostic.place.line)
    return [] if any(diagnostic.severity is Severity.ERROR for diagnostic in found) else [made]
