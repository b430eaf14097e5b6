"""Redundancy: the rules and policies without which every flow is judged the same, proved on the tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence, Set
from copy import copy
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import product

from ...model.cilium import AGENT
from ...model.labels import NAMESPACE_NAME_LABEL, LabelSelector, Operator
from ...model.peers import Endpoints
from ...model.policy import Direction, PolicyRef, Role, Rule
from ...model.profile import Profile
from ...tables.layout import Tables
from .cells import Meetings, meetings
from .containment import holds_peers, pieces_of_peers, pieces_of_ports
from .walks import Walker, covers

_BASELINE = "cnp-baseline"
"""Cilium's agent reads other rules otherwise where this tier has any."""


class Kind(StrEnum):
    """Why a rule may go."""

    DUPLICATE = "duplicate"
    """Another rule says the same of the same traffic."""
    SHADOWED = "shadowed"
    """Rules before it decide all the traffic that it matches, and some of it otherwise."""
    REDUNDANT = "redundant"
    """Other rules do the same to all the traffic that it decides."""


@dataclass(frozen=True, slots=True)
class Needless:
    """A written rule, or a whole policy, without which every flow is judged the same.

    Attributes
    ----------
    rules : tuple of Rule
        What it was lowered to.
    whole : bool
        It is the policy as a whole, with the isolation that it brings along.
    kind : Kind
    always : bool
        It holds for whatever pods there are: told from selectors, blocks and ports as they are written. Otherwise
        it holds for the pods of this cluster.
    by : tuple of Rule
        The rules that decide in its stead, in the order of rules.
    """

    rules: tuple[Rule, ...]
    whole: bool
    kind: Kind
    always: bool
    by: tuple[Rule, ...]

    @property
    def rule(self) -> Rule:
        """The first of its rules."""
        return self.rules[0]


@dataclass(frozen=True, slots=True)
class Tie:
    """Two rules of equal priority that meet the same traffic and do not do the same to it (AP-3).

    Attributes
    ----------
    first, second : Rule
        In the order of rules; the first is the one that decides, where they have an order.
    by_name : bool
        They have one: the names of their policies decide.
    """

    first: Rule
    second: Rule
    by_name: bool = False


@dataclass(frozen=True, slots=True)
class Redundancy:
    """What of a policy set could be left out, and what has no order.

    Attributes
    ----------
    needless : tuple of Needless
        In the order of rules. Each may go alone, and all may go together.
    ties : tuple of Tie
        One for each pair of rules.
    """

    needless: tuple[Needless, ...]
    ties: tuple[Tie, ...]


def redundancy(tables: Tables, number: int = 0) -> Redundancy:
    """Find the rules and policies of a set without which every flow is judged the same.

    Of rules that could each go for the sake of the other, the wider stays; of equal ones the first. Rules that match
    no traffic at all are not among them. What depends on more than the tables tell (a name that no address is known
    of, a request) is followed both ways.

    Parameters
    ----------
    tables : Tables
        As they were built.
    number : int
        Which policy set of the tables.

    Raises
    ------
    ValueError
        The tables are of a cluster, or of policies, over a time; or were unpickled.
    """
    found = meetings(tables, number)
    assert tables.kept is not None
    walker = Walker(found, tables.kept.book, ties=tables.profile.ties == "unknown")
    search = _Search(found, walker, tables.profile)
    search.run()
    return Redundancy(tuple(search.needless()), tuple(_ties(found, walker)))


def _ties(found: Meetings, walker: Walker) -> Iterator[Tie]:
    undefined: dict[tuple[int, int], None] = {}
    by_name: dict[tuple[int, int], None] = {}
    for cell in found.cells:
        path = walker.path(cell, frozenset())
        for group in walker.ties(cell):
            for one, other in product(group, group):
                if one < other and _contradict(found, one, other) and {one, other} <= set(path):
                    undefined[one, other] = None
        for other, _, _ in cell if path else ():
            one = path[-1]
            if found.order[one] < found.order[other] and _go_by_name(found, one, other):
                by_name[one, other] = None
    rules = found.rules
    yield from (Tie(rules[one], rules[other]) for one, other in sorted(undefined))
    yield from (Tie(rules[one], rules[other], by_name=True) for one, other in sorted(by_name))


def _contradict(found: Meetings, one: int, other: int) -> bool:
    first, second = found.rules[one], found.rules[other]
    return first.action is not second.action and first.policy != second.policy


def _go_by_name(found: Meetings, one: int, other: int) -> bool:
    """Whether the names of two policies decide which of their rules is asked first."""
    first, second = found.rules[one], found.rules[other]
    written = first.role is second.role is Role.WRITTEN and first.tie is second.tie is None
    return (
        written and first.tier == second.tier and first.order[:2] == second.order[:2] and _contradict(found, one, other)
    )


class _Paths:
    """Which cells each rule may have a say in, after some rules went."""

    def __init__(self, found: Meetings, walker: Walker) -> None:
        self._found = found
        self._walker = walker
        self.gone: set[int] = set()
        self.cells_of: dict[int, set[int]] = defaultdict(set)
        for number in range(len(found.cells)):
            self._follow(number)

    def _follow(self, number: int) -> None:
        for serial in self._walker.path(self._found.cells[number], self.gone):
            self.cells_of[serial].add(number)

    def copied(self) -> _Paths:
        """Return another that may go on from here."""
        other = copy(self)
        other.gone = set(self.gone)
        other.cells_of = defaultdict(set, {serial: set(cells) for serial, cells in self.cells_of.items()})
        return other

    def concerned(self, serials: Iterable[int]) -> list[int]:
        """Return the cells that some rules may have a say in."""
        return sorted(set().union(*(self.cells_of[serial] for serial in serials)))

    def can_spare(self, serials: Set[int]) -> bool:
        """Whether every cell comes to the same without some rules."""
        cells = self._found.cells
        return all(self._walker.is_same(cells[number], self.gone, serials) for number in self.concerned(serials))

    def drop(self, serials: Set[int]) -> None:
        """Take some rules away."""
        concerned = self.concerned(serials)
        self.gone |= serials
        for number in concerned:
            self._follow(number)


class _Search:
    """Takes away what can be spared, one written rule or policy after the other."""

    def __init__(self, found: Meetings, walker: Walker, profile: Profile) -> None:
        self._found = found
        self._walker = walker
        self._may_open = profile.np_final != "any"
        self._leans = profile.unselected_pods != "open" or profile.cilium is not None
        self._binding: dict[object, set[int]] = defaultdict(set)
        for serial, rule in found.rules.items():
            self._binding[_bound(rule)].add(serial)
        self._matched: dict[int, list[int]] = defaultdict(list)
        for number, cell in enumerate(found.cells):
            for serial, _, _ in cell:
                self._matched[serial].append(number)
        self._together: dict[tuple[int, Direction, LabelSelector | None], list[int]] = defaultdict(list)
        for serial, rule in found.rules.items():
            self._together[found.stage[serial], rule.direction, _home(rule)].append(serial)
        self._whole, self._written = _units(found)
        open_up = {rule.policy for rule in found.rules.values() if not rule.closes}
        self._only_close = {rule.policy for rule in found.rules.values()} - open_up
        self._all = _Paths(found, walker)
        self._left = self._all.copied()
        self._spared: list[tuple[frozenset[int], bool]] = []

    def run(self) -> None:
        """Take away policies, then rules, until nothing more can be spared."""
        policies = [unit for unit in self._whole if self._may_be_spared_whole(unit)] if self._may_open else []
        alone = [unit for unit in self._written if any(self._matched[serial] for serial in unit)]
        for units, whole in ((policies, True), (alone, False)):
            waiting = [unit for unit in sorted(units, key=self._rank) if self._all.can_spare(unit)]
            before = len(waiting) + 1
            while len(waiting) < before:
                before = len(waiting)
                waiting = [unit for unit in waiting if not self._spare(unit, whole)]

    def _rank(self, unit: frozenset[int]) -> tuple[int, int]:
        """Put the narrower first, and of equal ones the last."""
        return len(set().union(*(self._matched[serial] for serial in unit))), -min(unit)

    def _spare(self, unit: frozenset[int], whole: bool) -> bool:
        if unit <= self._left.gone:
            return True
        can = self._stays_bound(unit) and self._left.can_spare(unit)
        if can:
            self._left.drop(unit)
            self._spared.append((unit, whole))
        return can

    def _stays_bound(self, unit: frozenset[int]) -> bool:
        """Whether what the dataplane does by itself to whom rules bind stays the same without some rules."""
        if not self._leans:
            return True
        rules = [self._found.rules[serial] for serial in unit]
        others = [self._binding[_bound(rule)] - unit - self._left.gone for rule in rules]
        return all(others) and not any(rule.tier.name == _BASELINE for rule in rules)

    def _may_be_spared_whole(self, unit: frozenset[int]) -> bool:
        """Whether a policy binds somebody, and others close what it closes whatever pods there are.

        One that only closes is there for pods to come; it yields to another such policy alone.
        """
        ends = [serial for serial in unit if self._found.rules[serial].closes]
        only = len(ends) == len(unit)
        meets = any(self._matched[serial] for serial in unit)
        return meets and all(self._closed_besides(serial, only) for serial in ends)

    def _closed_besides(self, serial: int, only: bool) -> bool:
        mine = self._found.rules[serial]
        return any(
            rule.policy != mine.policy
            and rule.hosts == mine.hosts
            and (not only or rule.policy in self._only_close)
            and holds_peers(rule.subject, mine.subject)
            for rule in map(self._found.rules.__getitem__, self._near(serial))
            if rule.closes
        )

    def needless(self) -> Iterator[Needless]:
        """Describe what was spared, in the order of rules."""
        for unit, whole in sorted(self._spared, key=lambda each: min(each[0])):
            serials = sorted(unit)
            covering = {serial: self._covering(serial) for serial in serials}
            always = all(covering.values())
            written = [serial for serial in serials if not self._found.rules[serial].closes] or serials
            if not always:
                covering = {serial: self._instead(serial) for serial in written}
            by = sorted(set().union(*(covering[serial] for serial in written)))
            kind = Kind.REDUNDANT
            if any(self._contradicts(serial, other) for serial in written for other in covering[serial]):
                kind = Kind.SHADOWED if always or not self._all.concerned(written) else kind
            elif not whole and always and (twins := [serial for serial in by if self._is_twin(serials, serial)]):
                kind, by = Kind.DUPLICATE, twins
            rules = tuple([self._found.rules[serial] for serial in serials])
            yield Needless(rules, whole, kind, always, tuple([self._found.rules[serial] for serial in by]))

    def _contradicts(self, one: int, other: int) -> bool:
        return self._found.rules[one].action is not self._found.rules[other].action

    def _instead(self, serial: int) -> set[int]:
        """Return the rules that decide the traffic of a rule after all went: what it decided, or else matches."""
        cells = self._all.concerned([serial]) or self._matched[serial]
        paths = [self._walker.path(self._found.cells[number], self._left.gone) for number in cells]
        found = {path[-1] for path in paths if path}
        return {number for number in found if self._found.rules[number].role is not Role.HABIT} or found

    def _is_twin(self, serials: Sequence[int], other: int) -> bool:
        if len(serials) > 1:
            return False
        one, two = self._found.rules[serials[0]], self._found.rules[other]
        same = one.action is two.action and covers(one, two) and covers(two, one)
        return same and holds_peers(one.subject, two.subject) and holds_peers(two.subject, one.subject)

    def _covering(self, serial: int) -> set[int]:
        """Return rules that stay and would do the same whatever pods there are; none, if that cannot be told."""
        mine, place = self._found.rules[serial], self._found.order[serial]
        near = self._near(serial)
        contrary = [other for other in near if self._found.rules[other].action is not mine.action]
        end = min([there for other in contrary if (there := self._found.order[other]) > place], default=None)
        wide = [
            other
            for other in near
            if other not in self._left.gone
            if (there := self._found.order[other]) < place
            or ((end is None or there < end) and self._found.rules[other].action is mine.action)
            if holds_peers(self._found.rules[other].subject, mine.subject)
        ]
        found = [
            next(
                (other for other in wide if covers(self._found.rules[other], replace(mine, peer=peer, ports=port))),
                None,
            )
            for peer in pieces_of_peers(mine.peer)
            for port in pieces_of_ports(mine.ports)
        ]
        return set() if None in found else {other for other in found if other is not None}

    def _near(self, serial: int) -> list[int]:
        """Return the rules that may stand beside a rule in one stage: of its direction, and not of other namespaces."""
        stage, rule = self._found.stage[serial], self._found.rules[serial]
        home = _home(rule)
        if home is not None:
            return [number for each in (home, None) for number in self._together.get((stage, rule.direction, each), ())]
        groups = self._together.items()
        return [number for key, group in groups if key[:2] == (stage, rule.direction) for number in group]


def _bound(rule: Rule) -> object:
    """Return whom a rule binds, and how."""
    return rule.policy.kind == AGENT, rule.subject, rule.direction, rule.hosts


def _home(rule: Rule) -> LabelSelector | None:
    """Return what selects the only namespace whose pods a rule binds; None where it may bind others too."""
    if isinstance(rule.subject, Endpoints) and len(rule.subject.namespaces.requirements) == 1:
        (named,) = rule.subject.namespaces.requirements
        if named.key == NAMESPACE_NAME_LABEL and named.operator is Operator.IN and len(named.values) == 1:
            return rule.subject.namespaces
    return None


def _units(found: Meetings) -> tuple[list[frozenset[int]], list[frozenset[int]]]:
    """Return the rules of each policy, and of each written rule of one."""
    whole: dict[PolicyRef, list[int]] = {}
    written: dict[object, list[int]] = {}
    for serial, rule in found.rules.items():
        if rule.role is Role.HABIT:
            continue
        whole.setdefault(rule.policy, []).append(serial)
        if rule.role is Role.WRITTEN:
            key = rule.policy, rule.section or rule.direction.word, rule.index
            written.setdefault(key, []).append(serial)
    return [frozenset(unit) for unit in whole.values()], [frozenset(unit) for unit in written.values()]
