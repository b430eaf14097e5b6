"""Walking cells: whether a verdict stays the same where some rules are not there."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import replace
from typing import NamedTuple

from ...model.peers import AnyOf, Anything, Endpoints, PeerSet, Unresolved, any_of, atoms_of
from ...model.policy import Action, Rule
from ...model.ports import IcmpType, PortSet
from ...tables.book import RuleBook
from ...tables.ports import members_of
from .cells import Cell, Meetings, matches_for_sure
from .containment import holds_peers, holds_ports

_MOST_WAYS = 256
"""So many ways a cell may go are followed; beyond, its rules are taken to be needed."""
_DECIDED = {Action.ALLOW: -2, Action.DENY: -3}
_OPEN = -1
NO_PORT = PortSet(())


class _Way(NamedTuple):
    """How far two walks have come; both know as much about what rules match.

    Attributes
    ----------
    with_rules, without : int
        The stage that a walk leaves out the rest of; or `_OPEN`; or what it came to.
    matched, missed : frozenset of int
        Rules of which it is settled that they match, or that they do not.
    """

    with_rules: int
    without: int
    matched: frozenset[int] = frozenset()
    missed: frozenset[int] = frozenset()


class Walker:
    """Walks cells with and without some rules.

    A rule that matches only perhaps is followed both ways, and what one of them settles for others is kept in mind:
    a rule that is wider than one that matches does so too.
    """

    def __init__(self, found: Meetings, book: RuleBook, *, ties: bool) -> None:
        self._found = found
        self._positions = {serial: book.position(rule) for serial, rule in found.rules.items()}
        self._ties = ties
        self._implied: dict[tuple[int, int], bool] = {}

    def path(self, cell: Cell, gone: Set[int]) -> list[int]:
        """Return the rules that may have a say in a cell where some rules are gone."""
        contested = self.contested(cell)
        skipped, passed, path = _OPEN, set[int](), list[int]()
        for serial, action, matches in cell:
            stage, is_sure = self._found.stage[serial], matches and serial not in contested
            if serial in gone or stage == skipped:
                continue
            path.append(serial)
            if is_sure and action is not Action.PASS and stage not in passed:
                break
            if is_sure:
                skipped = stage
            elif action is Action.PASS:
                passed.add(stage)
        return path

    def is_same(self, cell: Cell, gone: Set[int], more: Set[int]) -> bool:
        """Whether a cell without `gone` comes to the same as without `more` besides, whatever the doubts turn out."""
        contested = self.contested(cell)
        if more & contested:
            return False
        ways = {_Way(_OPEN, _OPEN)}
        for serial, action, is_sure in cell:
            if serial not in gone:
                step = serial, action, is_sure, serial in contested
                ways = {new for way in ways for new in self._go(way, step, is_gone=serial in more)}
                if len(ways) > _MOST_WAYS:
                    return False
        return all(_verdict(way.with_rules) == _verdict(way.without) for way in ways)

    def _go(self, way: _Way, step: tuple[int, Action, bool, bool], *, is_gone: bool) -> Iterator[_Way]:
        serial, action, is_sure, is_contested = step
        after = self._after(way, serial, action, is_gone=is_gone)
        if is_contested:
            yield from (way, after)
        elif is_sure or after == way or any(self._implies(each, serial) for each in way.matched):
            yield after
        elif any(self._implies(serial, each) for each in way.missed):
            yield way
        else:
            yield after._replace(matched=way.matched | {serial})
            yield way._replace(missed=way.missed | {serial})

    def _after(self, way: _Way, serial: int, action: Action, *, is_gone: bool) -> _Way:
        """Return how far both walks have come where a rule matches."""
        stage = self._found.stage[serial]
        ended = (stage, *_DECIDED.values())
        came_to = _DECIDED.get(action, stage)
        return way._replace(
            with_rules=way.with_rules if way.with_rules in ended else came_to,
            without=way.without if is_gone or way.without in ended else came_to,
        )

    def _implies(self, one: int, other: int) -> bool:
        """Whether a rule matches wherever another, which was in doubt, does."""
        if (known := self._implied.get((one, other))) is None:
            narrow, wide = self._found.rules[one], self._found.rules[other]
            if _only_peers_in_doubt(narrow) and _only_peers_in_doubt(wide):
                narrow = replace(narrow, peer=_blocks_of(narrow.peer), ports=NO_PORT)
            known = covers(wide, narrow) and holds_peers(wide.subject, narrow.subject)
            self._implied[one, other] = known
        return known

    def contested(self, cell: Cell) -> frozenset[int]:
        """Return the rules of a cell that others of equal priority contradict (AP-3)."""
        return frozenset(serial for group in self.ties(cell) for serial in group)

    def ties(self, cell: Cell) -> list[list[int]]:
        """Return the rules of a cell that have no order among each other though they do not do the same."""
        groups: dict[object, list[tuple[int, Action]]] = {}
        for serial, action, _ in cell if self._ties else ():
            rule = self._found.rules[serial]
            if rule.tie is not None:
                groups.setdefault((self._positions[serial], rule.tie), []).append((serial, action))
        return [
            [serial for serial, _ in group]
            for group in groups.values()
            if len({action for _, action in group}) > 1
            and len({self._found.rules[serial].policy for serial, _ in group}) > 1
        ]


def _verdict(came_to: int) -> bool:
    """Whether a walk ended with a denial."""
    return came_to == _DECIDED[Action.DENY]


def _only_peers_in_doubt(rule: Rule) -> bool:
    """Whether nothing else of a rule can be in doubt."""
    asks = any(isinstance(port, IcmpType) for port in members_of(rule.ports))
    return matches_for_sure(rule) and not asks and isinstance(rule.subject, Endpoints)


def _blocks_of(peers: PeerSet) -> PeerSet:
    """Leave out the peers of whom it is always told whether they match."""
    if isinstance(peers, AnyOf):
        return any_of(peer for peer in peers.members if not isinstance(peer, Endpoints))
    return peers


def covers(wide: Rule, narrow: Rule) -> bool:
    """Whether a rule matches whatever another matches, in any cluster; subjects and what they do left aside."""
    return (
        wide.direction is narrow.direction
        and wide.hosts == narrow.hosts
        and wide.requests in (None, narrow.requests)
        and wide.condition in ("", narrow.condition)
        and wide.doubt in ("", narrow.doubt)
        and holds_ports(wide.ports, narrow.ports)
        and holds_ports(wide.source_ports, narrow.source_ports)
        and holds_peers(wide.peer, narrow.peer)
        and (isinstance(wide.peer, Anything) or not any(isinstance(each, Unresolved) for each in atoms_of(narrow.peer)))
    )
