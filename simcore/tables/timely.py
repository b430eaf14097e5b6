"""Outcomes that rest on domain names which stand for addresses only at times."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..model.addresses import Address
from ..model.cluster import Cluster
from ..model.flows import Outcome, Reason, Verdict
from ..model.names import ALWAYS, Timetable, names_in
from ..model.peers import DomainNames


class Timely:
    """Which outcomes of some tables hold only while a name stands for the peer's address.

    Attributes
    ----------
    outcomes : tuple of Outcome
        Those of the tables, then those that take the place of some at other times.
    instead : int32[outcomes]
        Number of the outcome that takes the place of each; -1 where none does.
    """

    def __init__(self, outcomes: Sequence[Outcome], cluster: Cluster) -> None:
        self._timetable = Timetable(cluster)
        self._names: dict[int, tuple[DomainNames, ...]] = {}
        self._edges: dict[tuple[int, int, int], NDArray[np.int64] | None] = {}
        found = list(outcomes)
        self.instead = np.full(len(outcomes), -1, np.int32)
        for number, outcome in enumerate(outcomes):
            names = names_in(outcome.rule) if outcome.rule and outcome.verdict is not Verdict.UNKNOWN else ()
            if names:
                self._names[number] = names
                self.instead[number] = len(found)
                found.append(Outcome(Verdict.UNKNOWN, Reason.NAME_NOT_KNOWN_THEN, outcome.rule))
        self.outcomes = tuple(found)

    def edges(self, outcome: int, high: int, low: int) -> NDArray[np.int64] | None:
        """Return when the names of an outcome's rule stand for an address: begins and ends, in turn.

        None where they always do, or never: then the rule matches otherwise. The address is given by its halves, IPv4
        ones mapped into IPv6.
        """
        key = outcome, high, low
        if key not in self._edges:
            address = Address.from_bytes((high << 64 | low).to_bytes(16, "big"))
            stretches = self._timetable.of(self._names[outcome], address)
            always = not stretches or stretches == (ALWAYS,)
            self._edges[key] = None if always else np.array(stretches, np.int64).ravel()
        return self._edges[key]
