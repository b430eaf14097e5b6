"""The rule book: all rules of all policy sets."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import UnsupportedError
from ..model.peers import AnyOf, Anything, Endpoints, Network
from ..model.policy import NETWORKPOLICY, Action, Policy, Rule
from ..model.ports import PORT_PROTOCOLS
from ..model.profile import Profile


class RuleBook:
    """All rules of all policy sets, numbered; a policy that stands in several sets is held once.

    A rule has a number, which is its place, and a serial number, which it keeps from one book to the next.
    Where nothing is enforced, the sets are empty; staged policies are in none.

    Attributes
    ----------
    rules : list of Rule
        By number.
    sets : list of int64[...]
        Serial numbers of the rules of each set, in the order of numbers.
    number_of : int64[serials]
        Number of the rule of each serial; -1 where it is gone.
    new : list of Rule
        Those that the book before did not have.
    gone : list of Rule
        Those that only the book before had, in no order.
    """

    def __init__(
        self, policy_sets: Sequence[Sequence[Policy]], profile: Profile, before: RuleBook | None = None
    ) -> None:
        self.rules: list[Rule] = []
        self.number_of: NDArray[np.int64]
        sets: list[list[int]] = []
        first_number: dict[int, int] = {}
        for policies in policy_sets:
            numbers: list[int] = []
            for policy in policies:
                first = first_number.setdefault(id(policy), len(self.rules))
                if first == len(self.rules):
                    self.rules += policy.rules
                if policy.stages is None:
                    numbers += range(first, first + len(policy.rules))
            sets.append(numbers if profile.enforced else [])
        serials = self._number(before)
        self.sets = [serials[np.unique(np.array(numbers, np.int64))] for numbers in sets]
        for rule in self.new:
            profile.place(rule.tier)
            if rule.tier != NETWORKPOLICY or not _is_plain(rule):
                raise UnsupportedError(f"{rule.place}: {rule} is of a kind that the tables cannot hold")

    def _number(self, before: RuleBook | None) -> NDArray[np.int64]:
        """Give every rule its serial number; a rule that stands here repeatedly has several."""
        known = before._known if before else {}
        self._known: dict[Hashable, int] = {}
        self.new: list[Rule] = []
        found = []
        count: int = before.number_of.size if before else 0
        for rule in self.rules:
            key: Hashable = id(rule)
            while key in self._known:  # a rule that stands here before
                key = (key,)
            if (serial := known.get(key)) is None:
                serial = count + len(self.new)
                self.new.append(rule)
            self._known[key] = serial
            found.append(serial)
        serials = np.array(found, np.int64)
        self.number_of = np.full(count + len(self.new), -1, np.int64)
        self.number_of[serials] = np.arange(serials.size)
        self.gone = [before.rule(known[key]) for key in known.keys() - self._known.keys()] if before else []
        return serials

    @property
    def crowded(self) -> bool:
        """Whether most serial numbers are of rules that are gone."""
        return 2 * len(self.rules) + 1000 < self.number_of.size

    def rule(self, serial: int) -> Rule:
        """Return the rule of a serial number."""
        return self.rules[int(self.number_of[serial])]

    def ordered(self, serials: Sequence[int]) -> tuple[int, ...]:
        """Sort rules in the order in which they are tried."""
        return tuple(sorted(serials, key=self._sort_key))

    def _sort_key(self, serial: int) -> tuple[tuple[float | str, ...], int]:
        number = int(self.number_of[serial])
        return self.rules[number].order, number


def _is_plain(rule: Rule) -> bool:
    ends = [part for end in (rule.subject, rule.peer) for part in (end.members if isinstance(end, AnyOf) else (end,))]
    return (
        rule.action is not Action.PASS
        and not (rule.hosts or rule.rejects or rule.condition or rule.tie)
        and rule.source_ports.is_everything
        and not rule.ports.excluded
        and all(member.protocol in PORT_PROTOCOLS for member in rule.ports.members or ())
        and all(isinstance(end, Anything | Endpoints | Network) for end in ends)
        and all(not end.accounts.requirements for end in ends if isinstance(end, Endpoints))
    )
