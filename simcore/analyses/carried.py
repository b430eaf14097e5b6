"""Requests, counted: flows that they decided, and flows let through to a proxy that looks at what is not known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..model.policy import Rule
from ..tables.layout import Tables
from .judging import Judged


@dataclass(frozen=True)
class RequestCounts:
    """What is told of requests.

    Attributes
    ----------
    decided : int
        Flows that were decided by their request.
    on_condition : int
        Flows that are let through to a proxy which looks at requests that the capture does not show; in a what-if,
        after the change.
    rules : tuple of (Rule, int)
        The rules that let them through, most flows first; a flow may have one in either direction.
    """

    decided: int = 0
    on_condition: int = 0
    rules: tuple[tuple[Rule, int], ...] = ()


NO_REQUESTS = RequestCounts()


@dataclass(frozen=True)
class RequestTally:
    """The same as numbers that can be added up; `by_outcome` is int64[outcomes]."""

    decided: int
    on_condition: int
    by_outcome: NDArray[np.int64]

    @classmethod
    def none(cls, tables: Tables) -> RequestTally:
        """Return the tally of no flows."""
        return cls(0, 0, np.zeros(len(tables.outcomes), np.int64))

    def __add__(self, other: RequestTally) -> RequestTally:
        """Return the tally of the flows of both."""
        return RequestTally(
            self.decided + other.decided,
            self.on_condition + other.on_condition,
            self.by_outcome + other.by_outcome,
        )

    def counts(self, tables: Tables) -> RequestCounts:
        """Name the rules."""
        order = np.argsort(-self.by_outcome, kind="stable")[: np.count_nonzero(self.by_outcome)].tolist()
        rules = [(tables.outcomes[number].rule, int(self.by_outcome[number])) for number in order]
        found = tuple((rule, flows) for rule, flows in rules if rule is not None)
        return RequestCounts(self.decided, self.on_condition, found)


def tally_requests(tables: Tables, judged: Judged) -> RequestTally:
    """Count the flows of a batch."""
    rows = judged.on_condition
    by_outcome = np.zeros(len(tables.outcomes), np.int64)
    for cells in (judged.egress[-1], judged.ingress[-1]):
        outcomes = cells[rows] >> np.uint32(2)
        outcomes = outcomes[tables.arrays.conditional[outcomes]]
        by_outcome += np.bincount(outcomes, minlength=by_outcome.size)
    return RequestTally(judged.by_request, rows.size, by_outcome)
