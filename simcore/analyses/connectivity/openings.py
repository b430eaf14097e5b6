"""Openings: ports that are let through, and names that a stranger would give to ports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ...model.cluster import Cluster, ContainerPort
from ...model.flows import Verdict
from ...model.policy import Direction, Policy
from ...model.ports import PORT_PROTOCOLS, NamedPort, PortRange
from ...tables.layout import Tables
from ...tables.ports import OTHER_SLOT
from ..rows import PORTS, port_stretches, ranges_with
from .results import Ports


@dataclass(frozen=True, slots=True)
class Openness:
    """What a workload lets through to or from a stranger; what binds the stranger may let through less.

    Attributes
    ----------
    ports : Ports
    names : tuple of (NamedPort, Verdict)
        Ports that fare differently if the stranger gives them these names.
    """

    ports: Ports
    names: tuple[tuple[NamedPort, Verdict], ...] = ()

    def is_like(self, other: Openness) -> bool:
        """Whether the same ports are let through, or in doubt, as by another."""
        return (self.ports.allowed, self.ports.unknown, self.named) == (
            other.ports.allowed,
            other.ports.unknown,
            other.named,
        )

    @property
    def is_closed(self) -> bool:
        """Whether nothing is let through, nor in doubt."""
        return self.ports.is_nothing and not self.named

    @property
    def named(self) -> tuple[NamedPort, ...]:
        """The names by which ports are let through."""
        return tuple(name for name, verdict in self.names if verdict is Verdict.ALLOW)


class NameNumbers:
    """Numbers for the ports that egress rules name: each stands where nothing else tells its neighbour apart.

    Attributes
    ----------
    of_name : dict
        The number of each name, and that of its neighbour: of a port that is like it, but has no name.

    Raises
    ------
    ValueError
        Rules and pods tell so many numbers apart that there is none left.
    """

    def __init__(self, cluster: Cluster, policies: Sequence[Policy]) -> None:
        names = sorted(set(_names(policies)))
        self.of_name: dict[NamedPort, tuple[int, int]] = {}
        for protocol in sorted({name.protocol for name in names}):
            free = _free(cluster, policies, protocol)
            for name in (name for name in names if name.protocol == protocol):
                number = next(free, None)
                if number is None:
                    raise ValueError("rules tell apart so many ports that none is left to stand for those with names")
                self.of_name[name] = number

    def declared(self) -> tuple[ContainerPort, ...]:
        """Return the ports of a stranger."""
        return tuple(ContainerPort(name.name, name.protocol, number) for name, (number, _) in self.of_name.items())


def _names(policies: Iterable[Policy]) -> Iterator[NamedPort]:
    for rule in (rule for policy in policies for rule in policy.rules if rule.direction is Direction.EGRESS):
        for member in (*(rule.ports.members or ()), *rule.ports.excluded):
            if isinstance(member, NamedPort):
                yield member


def _free(cluster: Cluster, policies: Iterable[Policy], protocol: int) -> Iterator[tuple[int, int]]:
    """Yield numbers with a neighbour, from the widest stretch of ports on that nothing tells apart."""
    edges = {1, PORTS}
    for rule in (rule for policy in policies for rule in policy.rules):
        for member in (*(rule.ports.members or ()), *rule.ports.excluded):
            if isinstance(member, PortRange) and member.protocol == protocol:
                edges |= {member.first, member.last + 1}
    for port in (port for pod in cluster.pods for port in pod.ports if port.protocol == protocol):
        edges |= {port.number, port.number + 1}
    stretches = sorted(pairwise(sorted(edges)), key=lambda pair: (pair[0] - pair[1], pair))
    yield from ((number, first) for first, end in stretches for number in range(max(first, 1) + 1, end))


class Openings:
    """Puts verdicts on port classes in words of ports and names."""

    def __init__(self, tables: Tables, numbers: NameNumbers) -> None:
        classes = tables.arrays.port_class
        slots = {protocol: slot for slot, protocol in enumerate(PORT_PROTOCOLS)}
        self._names: list[tuple[NamedPort, int, int]] = []
        plain: dict[tuple[int, int], int] = {}
        for name, (number, neighbour) in numbers.of_name.items():
            own, other = (int(classes[slots[name.protocol] * PORTS + each]) for each in (number, neighbour))
            self._names.append((name, own, other))
            plain[name.protocol, number] = other
        self._stretches = [
            (ports, plain.get((ports.protocol, ports.first), number)) for ports, number in port_stretches(tables)
        ]
        self._other = int(classes[OTHER_SLOT * PORTS])
        self._found: dict[bytes, Openness] = {}

    def of(self, verdicts: bytes) -> Openness:
        """Return what some verdicts come to."""
        if verdicts not in self._found:
            allowed, unknown = (ranges_with(self._stretches, verdicts, v) for v in (Verdict.ALLOW, Verdict.UNKNOWN))
            names = tuple(
                (name, Verdict(verdicts[own])) for name, own, plain in self._names if verdicts[own] != verdicts[plain]
            )
            self._found[verdicts] = Openness(Ports(allowed, unknown, Verdict(verdicts[self._other])), names)
        return self._found[verdicts]
