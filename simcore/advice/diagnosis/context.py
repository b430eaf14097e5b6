"""What all steps of a diagnosis work on: the question, the cluster, and what the reference says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from ...model.addresses import Address
from ...model.cluster import Cluster, Pod, Service
from ...model.flows import End, Flow, Judgement, Verdict
from ...model.plugins import Enforcement
from ...model.policy import Direction, Policy, PolicyRef, Rule
from ...model.profile import Profile
from ...model.services import Frontend, frontends
from ...reference import Reference

if TYPE_CHECKING:
    from .seen import Seen
    from .tracking import NodeTable

MOST_PAIRS = 16
"""Pairs of pods that a step looks at; the others are told apart by nothing that rules ask for."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One end as it was asked for, and what it stands for.

    Attributes
    ----------
    text : str
        As it was written.
    pods : tuple of int
        Positions of its pods; behind a Service, of its backends.
    service : Service or None
        Set where a Service was named, by its name or its address.
    """

    text: str
    pods: tuple[int, ...] = ()
    addresses: tuple[Address, ...] = ()
    service: Service | None = None


@dataclass(frozen=True, slots=True)
class Inquiry:
    """The question.

    Attributes
    ----------
    flows : tuple of Flow
        Every kind of source with every kind of destination; none where nobody is behind a Service without address.
    expected : Verdict or None
        What should become of it; None where nobody said.
    reason : str
        Why this port, where nobody said which.
    """

    source: Asked
    destination: Asked
    protocol: int
    port: int | None
    flows: tuple[Flow, ...]
    expected: Verdict | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """A source and a destination behind any Service: pods by position, else -1 and an address."""

    source: int
    destination: int
    source_address: Address | None
    destination_address: Address | None
    protocol: int
    port: int | None
    service: Service | None = None

    def subject(self, direction: Direction) -> int:
        """Return the pod that a direction guards, or -1."""
        return self.source if direction is Direction.EGRESS else self.destination

    def peer(self, direction: Direction) -> int:
        """Return the pod at the other end, or -1."""
        return self.destination if direction is Direction.EGRESS else self.source

    def peer_address(self, direction: Direction) -> Address | None:
        """Return the address of the other end."""
        return self.destination_address if direction is Direction.EGRESS else self.source_address


@dataclass(frozen=True)
class Context:
    """Everything that a diagnosis knows.

    Attributes
    ----------
    policies : tuple of Policy
        Those in force.
    ignored : tuple of Policy
        Those that the network plugin does not enforce.
    former : tuple of Policy or None
        Those in force before the last change; None where no change is known.
    seen : Seen or None
        What a capture holds of these ends.
    tables : tuple of NodeTable or None
        Conntrack tables of nodes, sized by a capture.
    created : mapping of PolicyRef to str
        When policies were made, as far as they tell.
    """

    cluster: Cluster
    policies: tuple[Policy, ...]
    profile: Profile
    enforcement: Enforcement
    inquiry: Inquiry
    ignored: tuple[Policy, ...] = ()
    former: tuple[Policy, ...] | None = None
    seen: Seen | None = None
    tables: tuple[NodeTable, ...] | None = None
    created: Mapping[PolicyRef, str] = field(default_factory=dict)

    @cached_property
    def reference(self) -> Reference:
        """Judge by the policies in force."""
        return Reference(self.cluster, self.policies, self.profile)

    def reference_with(self, policies: Iterable[Policy], profile: Profile | None = None) -> Reference:
        """Judge by other policies, or under another profile."""
        return Reference(self.cluster, policies, profile or self.profile)

    @cached_property
    def judgements(self) -> tuple[Judgement, ...]:
        """The judgement of each flow that was asked about."""
        return tuple(map(self.reference.judge, self.inquiry.flows))

    @cached_property
    def verdict(self) -> Verdict:
        """What becomes of the connection: denied as soon as one of its pods is."""
        return worst(judgement.verdict for judgement in self.judgements)

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """Who talks with whom once Services are resolved: some of each kind."""
        return tuple(self.pairs_of(self.inquiry.flows))

    def pairs_of(self, flows: Sequence[Flow]) -> list[Pair]:
        """Resolve the Services of some flows."""
        found = dict.fromkeys(pair for flow in flows for pair in self._resolved(flow))
        kinds: dict[object, Pair] = {}
        for pair in found:
            kinds.setdefault((self._kind(pair.source), self._kind(pair.destination), pair.port, pair.service), pair)
        return list(kinds.values())[:MOST_PAIRS]

    def _kind(self, number: int) -> object:
        if number < 0:
            return None
        pod = self.cluster.pods[number]
        return pod.namespace, tuple(sorted(pod.labels.items())), pod.ports, pod.host_network, pod.account

    def _resolved(self, flow: Flow) -> Iterator[Pair]:
        assert flow.protocol is not None
        source, source_address = self._pod_of(flow.source)
        for number, address, port, service in self._behind(flow):
            yield Pair(source, number, source_address, address, flow.protocol, port, service)

    def _behind(self, flow: Flow) -> Iterator[tuple[int, Address | None, int | None, Service | None]]:
        address = flow.destination.address
        if flow.destination.pod is None and address is not None and flow.port is not None and flow.protocol is not None:
            led = self.frontends.get((address, flow.protocol, flow.port), [])
            if not led and address in self.cluster.node_at:
                led = self.frontends.get((None, flow.protocol, flow.port), [])
            for frontend in led:
                for target in frontend.targets:
                    yield target.pod, target.address, target.port, frontend.service
            if led:
                return
        number, at = self._pod_of(flow.destination)
        yield number, at, flow.port, None

    @cached_property
    def frontends(self) -> dict[tuple[Address | None, int, int], list[Frontend]]:
        """What answers for Services, by address, protocol and port."""
        found: dict[tuple[Address | None, int, int], list[Frontend]] = {}
        for frontend in frontends(self.cluster):
            found.setdefault((frontend.address, frontend.protocol, frontend.port), []).append(frontend)
        return found

    def _pod_of(self, end: End) -> tuple[int, Address | None]:
        if end.pod is not None:
            number = self.cluster.pod_numbers.get(end.pod, -1)
            addresses = self.cluster.pods[number].addresses if number >= 0 else ()
            return number, end.address or (addresses[0] if addresses else None)
        owners = self.cluster.pods_at.get(end.address, ()) if end.address else ()
        return owners[0] if owners else -1, end.address

    def flow_of(self, pair: Pair) -> Flow:
        """Return the connection of a pair, as the reference is asked for it."""
        return Flow(
            self._named(pair.source, pair.source_address),
            self._named(pair.destination, pair.destination_address),
            pair.protocol,
            pair.port,
        )

    def _named(self, number: int, address: Address | None) -> End:
        return End(pod=self.cluster.pods[number].full_name) if number >= 0 else End(address=address)

    def judged(self, pair: Pair, direction: Direction) -> Verdict:
        """Return the verdict of one direction of a pair."""
        return self.reference.judge(self.flow_of(pair)).outcome(direction).verdict

    def pod(self, number: int) -> Pod | None:
        """Return a pod by its position; None for -1."""
        return self.cluster.pods[number] if number >= 0 else None

    def label(self, pair: Pair, direction: Direction) -> tuple[str, str]:
        """Name the guarded end of a pair, and the other one."""
        source = self._words(pair.source, pair.source_address)
        destination = self._words(pair.destination, pair.destination_address)
        return (source, destination) if direction is Direction.EGRESS else (destination, source)

    def _words(self, number: int, address: Address | None) -> str:
        return self.cluster.pods[number].full_name if number >= 0 else str(address or "an address that is not known")

    @cached_property
    def sources(self) -> tuple[int, ...]:
        """Positions of the pods that stand for the source: one of each kind."""
        asked = (self._pod_of(flow.source)[0] for flow in self.inquiry.flows)
        kinds: dict[object, int] = {}
        for number in (*asked, *self.inquiry.source.pods[:1]):
            if number >= 0:
                kinds.setdefault(self._kind(number), number)
        return tuple(kinds.values())[:MOST_PAIRS]


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return a denial if there is one, else a doubt."""
    found = set(verdicts)
    return Verdict.DENY if Verdict.DENY in found else Verdict.UNKNOWN if Verdict.UNKNOWN in found else Verdict.ALLOW


def with_rule(policies: Iterable[Policy], old: Rule, new: Rule) -> tuple[Policy, ...]:
    """Return policies in which one rule stands for another."""
    return tuple(
        replace(policy, rules=tuple(new if rule is old else rule for rule in policy.rules))
        if policy.ref == old.policy
        else policy
        for policy in policies
    )
