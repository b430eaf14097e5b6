"""Probes: a few connections to try on the cluster, which show whether it enforces its policies as judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..analyses.connectivity import Connectivity, Ports, RangeEnd, WorkloadEnd
from ..analyses.resolver import find_resolver
from ..model.addresses import Address
from ..model.cluster import Cluster, Pod
from ..model.flows import End, Flow, Verdict
from ..model.policy import Policy
from ..model.ports import LAST_PORT, TCP, UDP
from ..model.profile import Profile
from ..reference import Reference

TRIED = (80, 443, 8080, 9, 4444)
"""Ports that are tried where a pod declares none, or none with the verdict that is wanted."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A connection to try.

    Attributes
    ----------
    source : Pod
    destination : Pod or Address
        An address where it is outside the cluster; a DNS pod where a name is looked up.
    protocol, port : int
        As the pod at the other end sees them.
    expect : Verdict
        ALLOW or DENY.
    is_lookup : bool
        Whether the cluster's DNS is asked for a name.
    """

    source: Pod
    destination: Pod | Address
    protocol: int
    port: int
    expect: Verdict
    is_lookup: bool = False


@dataclass(frozen=True, slots=True)
class Probes:
    """What to try.

    Attributes
    ----------
    probes : tuple of Probe
        Those of one source together.
    classes : int
        How many pairs of distinct classes of ends there are.
    left : int
        How many of these were left out for want of room.
    unknown : int
        How many have no port of which the verdict is known.
    node_local : bool
        Whether a cache on every node answers lookups, so that these are left out.
    """

    probes: tuple[Probe, ...]
    classes: int
    left: int
    unknown: int
    node_local: bool


def choose_probes(
    cluster: Cluster,
    policies: Sequence[Policy],
    profile: Profile,
    found: Connectivity,
    limit: int,
    outside: Sequence[tuple[Address, int]],
) -> Probes:
    """Choose a connection for each pair of classes, both one open and one closed where there is room, and lookups.

    Denials that answer with a reset are left out: from within a pod they look like a port that nobody listens on.

    Parameters
    ----------
    cluster : Cluster
    policies : sequence of Policy
    profile : Profile
    found : Connectivity
        All possible connections under these.
    limit : int
        How many connections to choose; lookups and addresses outside come besides.
    outside : sequence of (Address, int)
        Addresses outside the cluster, with a TCP port, that answer.
    """
    chooser = _Chooser(cluster, found, Reference(cluster, policies, profile))
    chosen: list[Probe] = []
    spare: list[Probe] = []
    pairs = list(chooser.pairs())
    looked = unknown = 0
    for source, destination in pairs:
        if len(chosen) == limit:
            break
        looked += 1
        options = chooser.options(source, destination)
        unknown += not options
        if options:
            chosen.append(options.pop(len(chosen) % len(options)))
            spare += options
    chosen += spare[: limit - len(chosen)]
    sources = list(dict.fromkeys(probe.source.full_name for probe in chosen)) or chooser.some_source()
    resolver = find_resolver(cluster)
    node_local = resolver is not None and resolver.is_node_local
    for name in sources:
        pod = cluster.pods[cluster.pod_numbers[name]]
        if resolver and not node_local:
            chosen += chooser.lookup(pod, resolver.pods, resolver.ports[UDP])
        chosen += (probe for address, port in outside for probe in chooser.to_address(pod, address, port))
    order = {name: place for place, name in enumerate(sources)}
    ordered = sorted(chosen, key=lambda probe: order[probe.source.full_name])
    return Probes(tuple(ordered), len(pairs), len(pairs) - looked, unknown, node_local)


class _Chooser:
    """Chooses ends and ports."""

    def __init__(self, cluster: Cluster, found: Connectivity, reference: Reference) -> None:
        self._cluster = cluster
        self._found = found
        self._reference = reference

    def _pod(self, name: str) -> Pod:
        return self._cluster.pods[self._cluster.pod_numbers[name]]

    def some_source(self) -> list[str]:
        """Name the first pod, where there is any."""
        return [end.example for end in self._found.ends if isinstance(end, WorkloadEnd)][:1]

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Yield two ends of each pair of classes; rare kinds of pairs come as early as frequent ones."""
        sources, destinations = (
            self._representatives(classes) for classes in (self._found.source_class, self._found.destination_class)
        )
        rows, columns = np.array(sorted(sources), np.int64), np.array(sorted(destinations), np.int64)
        cells = self._found.cells[np.ix_(rows, columns)]
        kinds = [np.argwhere(cells == number).tolist() for number in range(len(self._found.ports))]
        for turn in range(max(map(len, kinds), default=0)):
            for pairs in kinds:
                if turn < len(pairs):
                    row, column = pairs[turn]
                    ends = self._two(sources[int(rows[row])], destinations[int(columns[column])])
                    if ends:
                        yield ends

    def _representatives(self, classes: np.ndarray) -> dict[int, list[int]]:
        """Return for each class the first two workloads of it."""
        found: dict[int, list[int]] = {}
        for number, of_end in enumerate(classes.tolist()):
            if isinstance(self._found.ends[number], WorkloadEnd) and len(found.setdefault(of_end, [])) < 2:
                found[of_end].append(number)
        return {of_end: numbers for of_end, numbers in found.items() if numbers}

    def _two(self, sources: Sequence[int], destinations: Sequence[int]) -> tuple[int, int] | None:
        """Return two ends of which one can be tried from the other."""
        for source in sources:
            for destination in destinations:
                if source != destination:
                    return source, destination
        return None

    def options(self, source: int, destination: int) -> list[Probe]:
        """Return what may be tried between two ends: a port that is open, and one that is closed."""
        return list(self._options(source, destination))

    def _options(self, source: int, destination: int) -> Iterator[Probe]:
        one, other = (self._example(number) for number in (source, destination))
        ports = self._found.ports_of(source, destination)
        declared = [port.number for port in other.ports if port.protocol == TCP]
        for verdict in (Verdict.ALLOW, Verdict.DENY):
            port = next((port for port in (*declared, *_tried(ports)) if ports.verdict(TCP, port) is verdict), None)
            if port is not None and not (verdict is Verdict.DENY and self._is_answered(one, other, port)):
                yield Probe(one, other, TCP, port, verdict)

    def _is_answered(self, source: Pod, destination: Pod, port: int) -> bool:
        """Whether a denial may be answered with a reset."""
        judgement = self._reference.judge(Flow(End(pod=source.full_name), End(pod=destination.full_name), TCP, port))
        return any(
            outcome.rule is not None and outcome.rule.rejects for outcome in (judgement.egress, judgement.ingress)
        )

    def _example(self, number: int) -> Pod:
        end = self._found.ends[number]
        assert isinstance(end, WorkloadEnd)
        return self._pod(end.example)

    def lookup(self, source: Pod, resolvers: Sequence[int], port: int) -> Iterator[Probe]:
        """Yield a lookup, where all DNS pods answer it alike."""
        end = self._end(source)
        others = [int(self._found.end_of_pod[number]) for number in resolvers]
        verdicts = {self._found.ports_of(end, other).verdict(UDP, port) for other in others}
        if len(verdicts) == 1 and Verdict.UNKNOWN not in verdicts and others != [end]:
            yield Probe(source, self._cluster.pods[resolvers[0]], UDP, port, verdicts.pop(), is_lookup=True)

    def to_address(self, source: Pod, address: Address, port: int) -> Iterator[Probe]:
        """Yield a connection to an address outside, where its verdict is known."""
        for number, end in enumerate(self._found.ends):
            if isinstance(end, RangeEnd) and any(first <= address <= last for first, last in end.ranges):
                verdict = self._found.ports_of(self._end(source), number).verdict(TCP, port)
                if verdict is not Verdict.UNKNOWN:
                    yield Probe(source, address, TCP, port, verdict)

    def _end(self, pod: Pod) -> int:
        return int(self._found.end_of_pod[self._cluster.pod_numbers[pod.full_name]])


def _tried(ports: Ports) -> Iterator[int]:
    """Yield ports that may have either verdict: usual ones, then the edges of what is open."""
    yield from TRIED
    for one in ports.allowed:
        if one.protocol == TCP:
            yield from (number for number in (one.first, one.last, one.last + 1) if 0 < number <= LAST_PORT)
