"""Needs: what policies would have to allow, workload by workload, for flows that were seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ...analyses.sightings import Seat, Sighting
from ...model.addresses import Address
from ...model.cluster import Cluster, Pod, WorkloadRef
from ...model.flows import Reason, Verdict
from ...model.policy import Direction
from ...model.ports import PORT_PROTOCOLS
from ...model.profile import Profile
from ...model.services import Frontend, frontends
from ..proposals import Evidence

Port = tuple[int, int]
"""Protocol and number."""

DECIDED = (Reason.RULE_DENIES, Reason.RULE_REJECTS, Reason.REQUEST_NOT_ALLOWED, Reason.PROTOCOL_DENIED)
"""Denials that no further rule of a NetworkPolicy lifts."""


@dataclass(frozen=True, slots=True)
class NodeAddress:
    """An address of a node, and whose it is."""

    address: Address
    node: str


@dataclass(frozen=True, slots=True)
class Unselected:
    """An endpoint that no selector of a NetworkPolicy holds: one of Cilium's own, or one known by its identity only."""

    name: str


Party = WorkloadRef | NodeAddress | Address | Unselected
"""Who is at the other end: a workload, a node, an address outside, or somebody who cannot be named."""


@dataclass(frozen=True, slots=True)
class Need:
    """What a workload needs to be allowed in one direction."""

    subject: WorkloadRef
    direction: Direction
    party: Party
    port: Port


@dataclass
class Needs:
    """All needs, each with what was seen of it.

    Attributes
    ----------
    found : dict of Need to Evidence
    beyond : dict of str to int
        Flows that cannot be put in terms of a NetworkPolicy, by the reason.
    """

    found: dict[Need, Evidence] = field(default_factory=dict)
    beyond: dict[str, int] = field(default_factory=dict)

    def add(self, need: Need, evidence: Evidence) -> None:
        """Take in what was seen of a need."""
        self.found[need] = self.found[need] + evidence if need in self.found else evidence

    def set_aside(self, why: str, sighting: Sighting) -> None:
        """Count flows that no need stands for."""
        self.beyond[why] = self.beyond.get(why, 0) + sighting.flows


@dataclass(frozen=True, slots=True)
class _End:
    """Who may be meant at one end, and on which port."""

    party: Party
    port: int


def needs_of(lost: Iterable[Sighting], cluster: Cluster, profile: Profile) -> Needs:
    """Tell what would have to be allowed for flows not to be lost.

    A flow to a Service needs every backend at its own port; which of them it met is not in the capture.
    """
    parties, needs = _Parties(cluster, profile), Needs()
    for sighting in lost:
        _add(sighting, parties, profile, needs)
    return needs


def _add(sighting: Sighting, parties: _Parties, profile: Profile, needs: Needs) -> None:
    outcomes = [sighting.after.outcome(direction) for direction in Direction]
    if any(outcome.verdict is not Verdict.ALLOW and outcome.reason in DECIDED for outcome in outcomes):
        needs.set_aside("denied by a rule, which no further NetworkPolicy lifts", sighting)
        return
    protocol, port = sighting.protocol, sighting.port
    if protocol is None or protocol not in PORT_PROTOCOLS:
        needs.set_aside("of protocols other than TCP, UDP and SCTP, which a NetworkPolicy cannot name", sighting)
        return
    if not port:
        needs.set_aside("of records without destination port, or with port 0", sighting)
        return
    sources = list(dict.fromkeys(parties.at(sighting.source)))
    destinations = list(dict.fromkeys(parties.behind(sighting.destination, protocol, port)))
    if not (sources and destinations):
        needs.set_aside("of records that do not tell who is at one end", sighting)
        return
    found = [
        need
        for direction, outcome in zip(Direction, outcomes, strict=True)
        if outcome.verdict is not Verdict.ALLOW
        for need in _needs(direction, sources, destinations, protocol)
    ]
    if not profile.ipblock_matches_nodes and any(isinstance(need.party, NodeAddress) for need in found):
        needs.set_aside(
            "with nodes, which no block of a NetworkPolicy holds under this network plugin: its own policies do, those "
            "of Cilium by entities",
            sighting,
        )
        return
    if any(isinstance(need.party, Unselected) for need in found):
        needs.set_aside(
            "with endpoints of the network plugin itself, or known by their identity only, which no NetworkPolicy "
            "selects",
            sighting,
        )
        return
    for need in found:
        needs.add(need, Evidence(sighting.flows, sighting.first, sighting.last))
    if not found:
        needs.set_aside("closed at an end where no pod is that a NetworkPolicy binds", sighting)


def _needs(direction: Direction, sources: list[Party], destinations: list[_End], protocol: int) -> Iterator[Need]:
    for end in destinations:
        for source in sources:
            subject, party = (source, end.party) if direction is Direction.EGRESS else (end.party, source)
            if isinstance(subject, WorkloadRef):
                yield Need(subject, direction, party, (protocol, end.port))


class _Parties:
    """Finds who is meant by the ends of flows."""

    def __init__(self, cluster: Cluster, profile: Profile) -> None:
        self._cluster = cluster
        self._binds_hosts = profile.hostnetwork == "pod"
        self._frontends: dict[tuple[Address | None, int, int], list[Frontend]] = {}
        for frontend in frontends(cluster):
            self._frontends.setdefault((frontend.address, frontend.protocol, frontend.port), []).append(frontend)

    def at(self, seat: Seat) -> Iterator[Party]:
        """Yield the workloads, nodes or addresses that a seat may be."""
        if seat.pod >= 0:
            yield from self._pod(seat.pod)
        elif seat.address is not None:
            yield from self._address(seat.address)

    def behind(self, seat: Seat, protocol: int, port: int) -> Iterator[_End]:
        """Yield whom a seat leads to, through Services where it is the address of one."""
        address, cluster = seat.address, self._cluster
        if seat.pod < 0 and address is not None:
            through = self._frontends.get((address, protocol, port), [])
            if not through and address in cluster.node_at:
                through = self._frontends.get((None, protocol, port), [])
            if through:
                for target in (target for frontend in through for target in frontend.targets):
                    if target.address is None or target.address.family is address.family:
                        yield from (_End(party, target.port) for party in self.at(Seat(target.pod, target.address)))
                return
        yield from (_End(party, port) for party in self.at(seat))

    def _pod(self, number: int) -> Iterator[Party]:
        pod = self._cluster.pods[number]
        if self._binds_hosts or not pod.host_network:
            yield _owner(pod)
            return
        for address in pod.addresses or self._node_addresses(pod.node):
            yield NodeAddress(address, pod.node)

    def _address(self, address: Address) -> Iterator[Party]:
        cluster = self._cluster
        owners = cluster.pods_at.get(address, ())
        if not owners and address in cluster.node_at:
            yield NodeAddress(address, cluster.node_at[address])
            owners = cluster.host_pods_at.get(address, ()) if self._binds_hosts else ()
        elif not owners:
            yield address
        for number in owners:
            yield _owner(cluster.pods[number])

    def _node_addresses(self, name: str) -> Iterator[Address]:
        return (address for node in self._cluster.nodes if node.name == name for address in node.addresses)


def _owner(pod: Pod) -> Party:
    return pod.workload if pod.is_plain else Unselected(pod.full_name)
