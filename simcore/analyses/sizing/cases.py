"""Cases: a capture's tables under one set of assumptions, and under another to compare with."""

from __future__ import annotations

from dataclasses import dataclass

from .sizes import Curves, Policing, TableSize


@dataclass(frozen=True)
class Case:
    """The tables under one set of assumptions.

    Attributes
    ----------
    policing : Policing
    scale : float
        Connections that stand for one of the capture.
    tables : tuple of TableSize
        Every table, by node.
    fleet : TableSize
        All of them together.
    curves : Curves
    """

    policing: Policing
    scale: float
    tables: tuple[TableSize, ...]
    fleet: TableSize
    curves: Curves


@dataclass(frozen=True)
class Outlasting:
    """A timeout that is longer than the capture, so that its entries had no time to pile up.

    Attributes
    ----------
    setting : str
        Its name.
    seconds : int
    entries : int
        Entries of the fleet at its peak that it keeps.
    """

    setting: str
    seconds: int
    entries: int


@dataclass(frozen=True)
class Sizing:
    """What the tables of a cluster's nodes need for the traffic of a capture.

    Attributes
    ----------
    flows : int
        Rows of the capture.
    begin, end : int
        First and last start of a flow, ns.
    baseline : Case
        As things are.
    candidate : Case or None
        With other timeouts, policies, or more traffic.
    changes : tuple of str
        What makes the candidate differ, in words.
    outlasting : tuple of Outlasting
        Timeouts of the case to be sized for that are longer than the capture; longest first.
    late, untimed : int
        Rows that came too late to be put in order, and rows without time.
    """

    flows: int
    begin: int
    end: int
    baseline: Case
    candidate: Case | None
    changes: tuple[str, ...]
    outlasting: tuple[Outlasting, ...]
    late: int
    untimed: int

    @property
    def final(self) -> Case:
        """The case to be sized for: the candidate, if there is one."""
        return self.candidate or self.baseline

    @property
    def seconds(self) -> float:
        """Length of the capture."""
        return (self.end - self.begin) / 1e9
