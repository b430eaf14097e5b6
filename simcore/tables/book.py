"""The rule book: all rules of all policy sets."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import UnsupportedError
from ..model.policy import Policy, Position, Role, Rule, Tier
from ..model.ports import IcmpType
from ..model.profile import Profile
from .extras import ICMP_KINDS, asked_by
from .ports import names_at_subject


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
    named : frozenset of int
        Serial numbers of rules that look up names of ports on the end that they guard, some of them gone.
    of_hosts : frozenset of int
        Likewise, of those that guard nodes.
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
        self._keys: dict[int, _SortKey] = {}
        serials = self._number(before)
        self.sets = [serials[np.unique(np.array(numbers, np.int64))] for numbers in sets]
        self._tiers = self._place(profile)
        positions = [tier.position for tier in self._tiers.values() if tier.position]
        ranks = {position: rank for rank, position in enumerate(sorted(set(positions)))}
        self._ranks = {key: ranks[tier.position] for key, tier in self._tiers.items() if tier.position}
        first = self.number_of.size - len(self.new)
        named = [serial for serial, rule in enumerate(self.new, first) if names_at_subject(rule)]
        of_hosts = [serial for serial, rule in enumerate(self.new, first) if rule.hosts]
        self.named: frozenset[int] = (before.named if before else frozenset()).union(named)
        self.of_hosts: frozenset[int] = (before.of_hosts if before else frozenset()).union(of_hosts)
        if any(member.protocol not in ICMP_KINDS for member in asked_by(self.new) if isinstance(member, IcmpType)):
            raise UnsupportedError("a rule asks for ICMP types of a protocol that is neither ICMP nor ICMPv6")

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

    def _place(self, profile: Profile) -> dict[int, Tier]:
        """Find the tiers of rules, with their positions, by the identity of the object."""
        found: dict[int, Tier] = {}
        for rule in self.rules:
            if id(rule.tier) not in found:
                try:
                    placed = profile.place(rule.tier)
                except ValueError as error:
                    raise ValueError(f"{rule}: {error}") from None
                if placed.position is None:
                    raise ValueError(f"{rule}: the profile has no position for tier {rule.tier.name!r}")
                found[id(rule.tier)] = placed
        return found

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

    def _sort_key(self, serial: int) -> _SortKey:
        if (key := self._keys.get(serial)) is None:
            number = int(self.number_of[serial])
            rule = self.rules[number]
            key = self._keys[serial] = self._ranks[id(rule.tier)], rule.order, number
        return key

    def position(self, rule: Rule) -> Position:
        """Return where the tier of a rule stands."""
        position = self._tiers[id(rule.tier)].position
        assert position is not None
        return position

    def isolates(self, serial: int) -> bool:
        """Whether a rule stands for the isolation that a NetworkPolicy brings along."""
        return self.rule(serial).role is Role.ISOLATION

    def without_fallback(self, serials: Sequence[int]) -> list[int]:
        """Leave out the rules that are asked only where no NetworkPolicy decides."""
        return [serial for serial in serials if not self._tiers[id(self.rule(serial).tier)].fallback]

    def of_hairpins(self, serials: Sequence[int]) -> list[int]:
        """Return the rules that judge a pod that reaches itself through a Service, whatever the profile says."""
        asked = self.without_fallback(serials) if any(map(self.isolates, serials)) else serials
        return [serial for serial in asked if self._tiers[id(self.rule(serial).tier)].judges_hairpin]

    @property
    def some_fall_back(self) -> bool:
        """Whether any tier is asked only where no NetworkPolicy decides."""
        return any(tier.fallback for tier in self._tiers.values())

    @property
    def some_judge_hairpins(self) -> bool:
        """Whether any tier judges a pod that reaches itself through a Service."""
        return any(tier.judges_hairpin for tier in self._tiers.values())


_SortKey = tuple[int, tuple[float | str, ...], int]
