"""What the two ends of a flow may stand for: pods, nodes, addresses outside, what is behind a Service."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from functools import cached_property

from ..model.addresses import Address
from ..model.cluster import Cluster
from ..model.collectives import Members, is_collective, members_of
from ..model.flows import End, Flow, Reason
from ..model.profile import Profile
from ..model.services import Frontend, Scope, Target, frontends


@dataclass(frozen=True, slots=True)
class Candidate:
    """What an end may stand for: a pod by its position, else a node, else an address outside.

    Behind a Service, `scope` says for whom, and `dialled` is the node whose port was dialled.
    """

    address: Address | None
    port: int | None
    pod: int = -1
    node: str | None = None
    service: str | None = None
    scope: Scope = Scope.ANY
    dialled: str = ""

    @property
    def is_pod(self) -> bool:
        """Whether it is a pod that policies can bind."""
        return self.pod >= 0


class Ends:
    """Finds the candidates of a flow's ends in one cluster under one profile."""

    def __init__(self, cluster: Cluster, profile: Profile) -> None:
        self.cluster = cluster
        self.profile = profile
        self._collectives: dict[str, Members] = {}

    def under(self, profile: Profile) -> Ends:
        """Return the same, but for the profile; what was indexed is kept."""
        other = copy.copy(self)
        other.profile = profile
        return other

    def of(self, flow: Flow) -> tuple[list[Candidate], list[Candidate], Reason | None]:
        """List the candidates of both ends, or say why there are none."""
        if self.cluster.identities:
            flow = replace(flow, source=self._identified(flow.source), destination=self._identified(flow.destination))
        ends = (flow.source, flow.destination)
        if flow.protocol is None:
            return [], [], Reason.UNKNOWN_PROTOCOL
        if any(end.address is None and end.pod is None for end in ends):
            return [], [], Reason.NO_ADDRESS
        if any(end.pod is not None and not self._is_known(end.pod) for end in ends):
            return [], [], Reason.UNKNOWN_POD
        destinations = self._behind_service(flow)
        if destinations is None:
            destinations = self._end(flow.destination, flow.port)
        sources = self._end(flow.source, None)
        if not any(self.is_served(source, destination) for source in sources for destination in destinations):
            return [], [], Reason.NO_BACKEND
        return sources, destinations, None

    def is_served(self, client: Candidate, backend: Candidate) -> bool:
        """Whether a Service may hand a client to a backend; one of which no node is known may be on any."""
        if backend.scope is Scope.ANY:
            return True
        is_inside = client.is_pod or client.node is not None
        wanted = self._node_of(client) if backend.scope is Scope.CLIENT else "" if is_inside else backend.dialled
        return not wanted or self._node_of(backend) in ("", wanted)

    def _node_of(self, end: Candidate) -> str:
        return self.cluster.pods[end.pod].node if end.is_pod else end.node or ""

    def _identified(self, end: End) -> End:
        """Name the pod of an end's identity where no pod of the cluster is named and the address is nobody's."""
        stand_in = self.cluster.identities.get(end.identity or 0)
        if stand_in is None or (end.pod is not None and self._is_known(end.pod)):
            return end
        if end.address is not None:
            owners = self._at(end.address, None)
            if end.address in self._service_addresses or any(o.is_pod or o.node is not None for o in owners):
                return end
        return replace(end, pod=stand_in)

    def _end(self, end: End, port: int | None) -> list[Candidate]:
        """List what an end may stand for, services left aside."""
        if end.pod is None:
            return self._at(end.address, port) if end.address else []
        if is_collective(end.pod):
            return self._any_of(self._members(end.pod), port)
        return [one for number in self.cluster.named(end.pod) for one in self._named(number, end.address, port)]

    def _named(self, number: int, given: Address | None, port: int | None) -> list[Candidate]:
        """List what a pod is that is named along with an address, or without one."""
        addresses = self.cluster.pods[number].addresses
        if given is None:
            return [self._pod_candidate(number, address, port) for address in addresses or (None,)]
        fitting = [address for address in addresses if address.family is given.family]
        return [self._pod_candidate(number, fitting[0] if fitting else None, port)]

    def _is_known(self, name: str) -> bool:
        return bool(self._members(name)) if is_collective(name) else name in self.cluster.pod_numbers

    def _members(self, name: str) -> Members:
        if name not in self._collectives:
            self._collectives.update(members_of(self.cluster, [name]))
        return self._collectives[name]

    def _any_of(self, members: Members, port: int | None) -> list[Candidate]:
        """List what a name may stand for that means more than one pod."""
        found = [
            self._pod_candidate(number, address, port)
            for number in members.pods
            for address in self.cluster.pods[number].addresses or (None,)
        ]
        found += [candidate for address in members.addresses for candidate in self._at(address, port)]
        return [*found, Candidate(None, port)] if members.is_outside else found

    def _pod_candidate(self, number: int, address: Address | None, port: int | None) -> Candidate:
        """Return the pod, or its node where the dataplane cannot tell them apart (NP-31)."""
        pod = self.cluster.pods[number]
        if pod.host_network and self.profile.hostnetwork == "node":
            return Candidate(address, port, node=pod.node)
        return Candidate(address, port, pod=number)

    def _at(self, address: Address, port: int | None) -> list[Candidate]:
        """List what may be behind a bare address: its pods, else a node, else the world outside."""
        if owners := self.cluster.pods_at.get(address):
            return [Candidate(address, port, pod=number) for number in owners]
        guests = self.cluster.host_pods_at.get(address, ()) if self.profile.hostnetwork == "pod" else ()
        candidates = [Candidate(address, port, pod=number) for number in guests]
        if address in self.cluster.node_at:
            candidates.append(Candidate(address, port, node=self.cluster.node_at[address]))
        return candidates or [Candidate(address, port)]

    @cached_property
    def _frontends(self) -> dict[tuple[Address | None, int, int], list[Frontend]]:
        found: dict[tuple[Address | None, int, int], list[Frontend]] = {}
        for frontend in frontends(self.cluster):
            found.setdefault((frontend.address, frontend.protocol, frontend.port), []).append(frontend)
        return found

    @cached_property
    def _service_addresses(self) -> frozenset[Address]:
        return frozenset(address for service in self.cluster.services for address in service.addresses)

    def _behind_service(self, flow: Flow) -> list[Candidate] | None:
        """List where a Service leads the flow (NP-29); None where no Service answers."""
        address = flow.destination.address
        if flow.destination.pod is not None or address is None or flow.protocol is None:
            return None
        found: list[Frontend] = []
        if flow.port is not None:
            found = self._frontends.get((address, flow.protocol, flow.port), [])
            if not found and address in self.cluster.node_at:
                found = self._frontends.get((None, flow.protocol, flow.port), [])
        if not found and (address not in self._service_addresses or address in self.cluster.node_at):
            return None
        dialled = self.cluster.node_at.get(address, "")
        return [
            replace(candidate, service=str(frontend.service.ref), scope=frontend.scope, dialled=dialled)
            for frontend in found
            for target in frontend.targets
            if target.address is None or target.address.family is address.family
            for candidate in self._target(target)
        ]

    def _target(self, target: Target) -> list[Candidate]:
        if target.pod >= 0:
            return [self._pod_candidate(target.pod, target.address, target.port)]
        return self._at(target.address, target.port) if target.address else []

    def label(self, candidate: Candidate) -> str:
        """Name a candidate for people."""
        where = str(candidate.address) if candidate.address else "address unknown"
        if candidate.is_pod:
            return f"pod {self.cluster.pods[candidate.pod].full_name} ({where})"
        if candidate.node is not None:
            return f"node {candidate.node or 'of unknown name'} ({where})"
        return f"{where} (outside the cluster)"
