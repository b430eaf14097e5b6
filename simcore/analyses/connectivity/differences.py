"""Differences: what becomes of all possible connections from one policy set, or cluster, to another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ...model.flows import End as FlowEnd
from ...model.flows import Flow, Verdict
from ...model.groups import Change
from ...model.ports import LAST_PORT, PORT_PROTOCOLS, PortRange
from .results import End, NodeEnd, Ports, WorkloadEnd, are_told
from .units import Side, Unit, units

NOTHING = Ports((), (), Verdict.DENY)
SAME = -1


@dataclass(frozen=True, slots=True)
class PortsChange:
    """What becomes of the ports of a pair.

    Attributes
    ----------
    before, after : Ports
    lost, gained, unknown : tuple of PortRange
        Denied now and allowed before; the reverse; to or from what cannot be told.
    """

    before: Ports
    after: Ports
    lost: tuple[PortRange, ...]
    gained: tuple[PortRange, ...]
    unknown: tuple[PortRange, ...]

    @property
    def kind(self) -> str:
        """``added`` where nothing was possible before, ``removed`` where nothing is any more, else ``changed``."""
        if self.before.is_nothing:
            return "added"
        return "removed" if self.after.is_nothing else "changed"

    def of(self, change: Change) -> tuple[PortRange, ...]:
        """Return the ports of one kind of change."""
        return {Change.LOST: self.lost, Change.GAINED: self.gained, Change.UNKNOWN: self.unknown}[change]


@dataclass(frozen=True, eq=False)
class DifferenceGroup:
    """Sources of which the same becomes.

    Attributes
    ----------
    sources : tuple of Unit
    changes : tuple of (PortsChange, tuple of Unit)
        What becomes of their connections, by destination.
    """

    sources: tuple[Unit, ...]
    changes: tuple[tuple[PortsChange, tuple[Unit, ...]], ...]

    def pairs(self, destinations: Sequence[Unit]) -> int:
        """Count the pairs with some destinations; a single pod makes none with itself."""
        targets = set(map(id, destinations))
        return len(self.sources) * len(destinations) - sum(
            unit.is_single and id(unit) in targets for unit in self.sources
        )


@dataclass(frozen=True)
class Differences:
    """All connections of which something becomes.

    Attributes
    ----------
    before, after : Side
    units : tuple of Unit
    groups : tuple of DifferenceGroup
    """

    before: Side
    after: Side
    units: tuple[Unit, ...]
    groups: tuple[DifferenceGroup, ...]

    @cached_property
    def kinds(self) -> Counter[str]:
        """Pairs that are ``added``, ``removed``, ``changed``."""
        found: Counter[str] = Counter()
        for group in self.groups:
            for change, destinations in group.changes:
                found[change.kind] += group.pairs(destinations)
        return found

    @cached_property
    def changes(self) -> Counter[Change]:
        """Pairs with ports that are lost, gained, or changed to or from what cannot be told."""
        found: Counter[Change] = Counter()
        for group in self.groups:
            for change, destinations in group.changes:
                for each in (Change.LOST, Change.GAINED, Change.UNKNOWN):
                    found[each] += group.pairs(destinations) if change.of(each) else 0
        return found

    @property
    def only_before(self) -> list[str]:
        """Workloads and nodes that are on the first side only."""
        return self._only(after=False)

    @property
    def only_after(self) -> list[str]:
        """Workloads that are on the second side only."""
        return self._only(after=True)

    def _only(self, *, after: bool) -> list[str]:
        alone = [unit.end for unit in self.units if (unit.before if after else unit.after) is None]
        return list(dict.fromkeys(name for end in alone for name in _names(end)))

    def pairs(self) -> Iterator[tuple[Unit, Unit, PortsChange]]:
        """Yield every source and destination of which something becomes."""
        for group in self.groups:
            for source in group.sources:
                for change, destinations in group.changes:
                    for other in destinations:
                        if not (source is other and source.is_single):
                            yield source, other, change


def _names(end: End) -> tuple[str, ...]:
    if isinstance(end, NodeEnd):
        return tuple(f"node/{name}" for name in end.nodes)
    return (end.workload,) if isinstance(end, WorkloadEnd) else ()


def flows_between(source: Unit, destination: Unit, protocol: int, port: int) -> tuple[Flow | None, Flow | None]:
    """Return the flow between two units to ask about on each side; None where one of them is not there.

    With nodes, it is one of a pod of another node where it can be.
    """
    first, second = (
        None if not ends else Flow(*ends, protocol, port)
        for ends in (_asked(source, destination, side) for side in (0, 1))
    )
    return first, second


def _asked(source: Unit, destination: Unit, side: int) -> tuple[FlowEnd, FlowEnd] | None:
    one, other = source.examples[side], destination.examples[side]
    if source is destination:
        other = destination.others[side]
    elif isinstance(source.end, NodeEnd) != isinstance(destination.end, NodeEnd):
        sources, destinations = (
            list(zip((unit.examples[side], unit.others[side]), unit.homes[side], strict=True))
            for unit in (source, destination)
        )
        apart = (
            (here, there)
            for (here, home), (there, its) in product(sources, destinations)
            if here and there and (home != its or not home)
        )
        one, other = next(apart, (one, other))
    return (one, other) if one and other else None


def differences(before: Side, after: Side) -> Differences:
    """Compare all possible connections of two sides.

    Parameters
    ----------
    before, after : Side
        Of one cluster under two policy sets, or of two clusters: workloads are then found again by name.
    """
    found = units(before, after)
    return Differences(before, after, tuple(found), tuple(_groups(before, after, found)))


def _groups(before: Side, after: Side, found: Sequence[Unit]) -> Iterator[DifferenceGroup]:
    """Put sources together of which the same becomes, towards every kind of destination.

    Between two outside ranges nothing ever changes: no policy binds either. What a node does to pods that run nowhere
    else is not told of.
    """
    changes = _Changes(before, after)
    binds_nodes = before.found.binds_nodes or after.found.binds_nodes
    single = {unit.home for unit in found if isinstance(unit.end, NodeEnd)}
    of_kind: dict[tuple[int, int, type[object], str], list[Unit]] = {}
    for unit in found:
        key = (*changes.destination_classes(unit), type(unit.end), unit.home if unit.home in single else "")
        of_kind.setdefault(key, []).append(unit)
    classes = np.array([key[:2] for key in of_kind], np.int64).reshape(-1, 2)
    rows: dict[tuple[int, int, type[object], str], bytes] = {}
    alike: dict[bytes, list[Unit]] = {}
    for unit in found:
        key = (*changes.source_classes(unit), type(unit.end), unit.home if isinstance(unit.end, NodeEnd) else "")
        if key not in rows:
            told = [_are_told(unit, others[0], binds_nodes) for others in of_kind.values()]
            rows[key] = np.where(told, changes.row(*key[:2], classes), np.int32(SAME)).tobytes()
        alike.setdefault(rows[key], []).append(unit)
    for text, sources in alike.items():
        reached: dict[int, list[Unit]] = {}
        for number, destinations in zip(np.frombuffer(text, np.int32).tolist(), of_kind.values(), strict=True):
            if number != SAME:
                reached.setdefault(number, []).extend(destinations)
        group = DifferenceGroup(
            tuple(sources), tuple((changes.found[number], tuple(others)) for number, others in reached.items())
        )
        if kept := tuple((change, others) for change, others in group.changes if group.pairs(others)):
            yield DifferenceGroup(group.sources, kept)


def _are_told(source: Unit, destination: Unit, binds_nodes: bool) -> bool:
    is_own = isinstance(source.end, NodeEnd) and destination.is_workload and source.home == destination.home != ""
    return not is_own and are_told(source.end, destination.end, binds_nodes)


class _Changes:
    """Numbers what becomes of ports, for every two classes of both sides; the changes so far are `found`."""

    def __init__(self, before: Side, after: Side) -> None:
        self._sides = before.found, after.found
        self._ports = tuple((*side.ports, NOTHING) for side in self._sides)
        self._number_of: dict[tuple[int, int], int] = {}
        self._known: dict[PortsChange, int] = {}
        self.found: list[PortsChange] = []

    def source_classes(self, unit: Unit) -> tuple[int, int]:
        """Return the classes of a source on both sides; -1 where it is not there."""
        numbers = zip(self._sides, (unit.before, unit.after), strict=True)
        one, other = (-1 if number is None else int(side.source_class[number]) for side, number in numbers)
        return one, other

    def destination_classes(self, unit: Unit) -> tuple[int, int]:
        """Return those of a destination."""
        numbers = zip(self._sides, (unit.before, unit.after), strict=True)
        one, other = (-1 if number is None else int(side.destination_class[number]) for side, number in numbers)
        return one, other

    def row(self, before: int, after: int, kinds: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return what becomes of the connections from a source to each kind of destination; SAME where nothing does."""
        parts = []
        for side, source, destinations in zip(self._sides, (before, after), kinds.T, strict=True):
            nothing = len(side.ports)
            row = np.append(side.cells[source], nothing) if source >= 0 else np.full(1, nothing)
            parts.append(np.where(destinations < 0, nothing, row[destinations if source >= 0 else 0]))
        keys = parts[0].astype(np.int64) << 32 | parts[1]
        distinct, inverse = np.unique(keys, return_inverse=True)
        numbers = [self._number(int(key) >> 32, int(key) & 0xFFFFFFFF) for key in distinct]
        found: NDArray[np.int32] = np.array(numbers, np.int32)[inverse]
        return found

    def _number(self, before: int, after: int) -> int:
        key = before, after
        if key not in self._number_of:
            change = ports_change(self._ports[0][before], self._ports[1][after])
            is_change = change.lost or change.gained or change.unknown
            self._number_of[key] = self._numbered(change) if is_change else SAME
        return self._number_of[key]

    def _numbered(self, change: PortsChange) -> int:
        if change not in self._known:
            self._known[change] = len(self.found)
            self.found.append(change)
        return self._known[change]


def ports_change(before: Ports, after: Ports) -> PortsChange:
    """Tell what becomes of each port."""
    found: dict[Change, list[PortRange]] = {change: [] for change in Change}
    ranges = (*before.allowed, *before.unknown, *after.allowed, *after.unknown)
    for protocol in PORT_PROTOCOLS:
        edges = {0, *(edge for one in ranges if one.protocol == protocol for edge in (one.first, one.last + 1))}
        starts = sorted(edge for edge in edges if edge <= LAST_PORT)
        for first, after_last in zip(starts, [*starts[1:], LAST_PORT + 1], strict=True):
            change = Change.between(before.verdict(protocol, first), after.verdict(protocol, first))
            some = found[change]
            if some and (some[-1].protocol, some[-1].last + 1) == (protocol, first):
                first = some.pop().first
            some.append(PortRange(protocol, first, after_last - 1))
    return PortsChange(
        before, after, tuple(found[Change.LOST]), tuple(found[Change.GAINED]), tuple(found[Change.UNKNOWN])
    )
