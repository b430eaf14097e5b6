"""What can go wrong, and where: the exceptions, `Place` and `Diagnostic`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was written: the way back from a verdict to a line of a file.

    Attributes
    ----------
    file : str
        Path as the user gave it; ``<stdin>`` for standard input.
    document : int
        1-based number of the document (or list item) in the file; 0 where the file is meant as a whole.
    line : int
        1-based line; 0 where it is not known.
    field : str
        Path of the field within the document, such as ``spec.ingress[0].ports[1].endPort``; may be empty.
    """

    file: str
    document: int = 0
    line: int = 0
    field: str = ""

    def __str__(self) -> str:
        """Render as ``file:line, document 2, field``, leaving out what is not known."""
        start = f"{self.file}:{self.line}" if self.line else self.file
        parts = [start]
        if self.document > 1:
            parts.append(f"document {self.document}")
        if self.field:
            parts.append(self.field)
        return ", ".join(parts)


class Severity(StrEnum):
    """How bad a diagnostic is: an error makes the input unusable, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem found in the input: where, what, and the way out."""

    severity: Severity
    place: Place
    message: str

    def __str__(self) -> str:
        """Render as ``place: message``."""
        return f"{self.place}: {self.message}"


class SimulatorError(Exception):
    """Base of every error this project raises on purpose."""


class LoadError(SimulatorError):
    """Input that cannot be read or is invalid; carries every problem found."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__("\n".join(str(diagnostic) for diagnostic in self.diagnostics))

    @classmethod
    def at(cls, place: Place, message: str) -> LoadError:
        """Make the error of a single problem."""
        return cls([Diagnostic(Severity.ERROR, place, message)])


class UnsupportedError(SimulatorError):
    """Valid input that the simulator does not model."""


class ResolveError(SimulatorError):
    """A name that stands for nothing in the cluster or the policies."""


class CapacityError(SimulatorError):
    """A table would outgrow what its numbers can hold."""
