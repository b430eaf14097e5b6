"""Whom a Calico selector means: pods late, by their labels; sets and host endpoints at once (CA-20 to CA-26)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from simcore.errors import Place
from simcore.model.addresses import Address, Cidr
from simcore.model.cluster import Cluster, Pod
from simcore.model.labels import NAME_KEY, NAMESPACE_NAME_LABEL, LabelSelector, Operator, Requirement
from simcore.model.peers import (
    NOBODY,
    AllOf,
    AnyOf,
    Endpoints,
    Except,
    Network,
    Nodes,
    PeerSet,
    Unresolved,
    all_of,
    any_of,
)

from .expressions import Always, Comparison, Every, Expression, Not, Some, holds

NAMESPACE = "projectcalico.org/namespace"
ACCOUNT = "projectcalico.org/serviceaccount"
ORCHESTRATOR = "projectcalico.org/orchestrator"
OF_NAMESPACE = "pcns."
OF_ACCOUNT = "pcsa."
_NAME = "projectcalico.org/name"
_LONGEST_ACCOUNT = 62
"""Names of service accounts beyond this length are no label."""
_OPPOSITE = {
    Operator.IN: Operator.NOT_IN,
    Operator.NOT_IN: Operator.IN,
    Operator.EXISTS: Operator.DOES_NOT_EXIST,
    Operator.DOES_NOT_EXIST: Operator.EXISTS,
}
_PODS = Endpoints()


@dataclass(frozen=True, slots=True)
class NetworkSet:
    """A NetworkSet or GlobalNetworkSet: all the labels it is found by, and its blocks."""

    labels: Mapping[str, str]
    networks: tuple[Network, ...]


@dataclass(frozen=True, slots=True)
class HostEndpoint:
    """Interfaces of a node that policies guard; `interface` may be ``*`` for all of them, or empty."""

    name: str
    node: str
    interface: str
    addresses: tuple[Address, ...]
    labels: Mapping[str, str]
    profiles: tuple[str, ...]
    place: Place

    @property
    def networks(self) -> tuple[Network, ...]:
        """Its addresses as blocks."""
        return tuple(single(address) for address in self.addresses)


@dataclass(frozen=True)
class Population:
    """Everything that a selector may mean."""

    cluster: Cluster
    sets: tuple[NetworkSet, ...] = ()
    hosts: tuple[HostEndpoint, ...] = field(default=())

    def members(self, expression: Expression) -> PeerSet:
        """Return whom an expression selects as a peer: pods, network sets, host endpoints by their addresses."""
        if expression not in self._known:
            self._known[expression] = self._members(expression)
        return self._known[expression]

    @cached_property
    def _known(self) -> dict[Expression, PeerSet]:
        return {}

    def _members(self, expression: Expression) -> PeerSet:
        labelled = [(found.labels, found.networks) for found in self.sets]
        labelled += [(host.labels, host.networks) for host in self.hosts]
        blocks = [block for labels, networks in labelled if holds(expression, labels) for block in networks]
        return united([self.pods(expression), *blocks])

    def guards(self, host: HostEndpoint) -> PeerSet:
        """Return the end that a host endpoint guards: its node, at the addresses that are its own (CA-60)."""
        node = Nodes(LabelSelector.of(Requirement(NAME_KEY, Operator.IN, frozenset([host.node]))))
        if host.interface == "*":
            others = [block for other in self._neighbours(host) for block in other.networks]
            return all_of([node, Except(any_of(others))]) if others else node
        if host.addresses:
            return all_of([node, any_of(host.networks)])
        why = f"which addresses interface {host.interface} of node {host.node} has is not known"
        return all_of([node, Unresolved(why)])

    def _neighbours(self, host: HostEndpoint) -> list[HostEndpoint]:
        return [other for other in self.hosts if other.node == host.node and other.interface != "*"]

    def pods(self, expression: Expression, *, negated: bool = False) -> PeerSet:
        """Return the pods that an expression selects, or does not."""
        match expression:
            case Always():
                return NOBODY if negated else _PODS
            case Not(operand):
                return self.pods(operand, negated=not negated)
            case Every(operands):
                parts = [self.pods(operand, negated=negated) for operand in operands]
                return united(parts) if negated else narrowed(parts)
            case Some(operands):
                parts = [self.pods(operand, negated=negated) for operand in operands]
                return narrowed(parts) if negated else united(parts)
            case Comparison():
                return self._compared(expression.requirement, negated)

    def _compared(self, requirement: Requirement, negated: bool) -> PeerSet:
        key = requirement.key
        if key == ORCHESTRATOR:
            return _PODS if requirement.holds("k8s") is not negated else NOBODY
        is_of_all = key == NAMESPACE or (key == ACCOUNT and not self._long_accounts)
        if is_of_all and requirement.operator is Operator.EXISTS:
            return NOBODY if negated else _PODS
        if key == NAMESPACE:
            return _selected("namespaces", NAMESPACE_NAME_LABEL, requirement, negated)
        if key == ACCOUNT:
            return self._account(requirement, negated)
        if key.startswith(OF_NAMESPACE):
            own_key = key.removeprefix(OF_NAMESPACE)
            key_there = NAMESPACE_NAME_LABEL if own_key == _NAME else own_key
            return self._inherited("namespaces", key_there, requirement, negated)
        if key.startswith(OF_ACCOUNT):
            own_key = key.removeprefix(OF_ACCOUNT)
            return self._inherited("accounts", NAME_KEY if own_key == _NAME else own_key, requirement, negated)
        return _selected("pods", key, requirement, negated)

    def _account(self, requirement: Requirement, negated: bool) -> PeerSet:
        """Compare the name of the service account, which pods of very long ones lack as a label."""
        found = _selected("accounts", NAME_KEY, requirement, negated)
        if not self._long_accounts:
            return found
        is_long = Requirement(ACCOUNT, Operator.IN, self._long_accounts)
        short = narrowed([found, _selected("accounts", NAME_KEY, is_long, True)])
        if requirement.holds(None) is negated:
            return short
        return united([short, _selected("accounts", NAME_KEY, is_long, False)])

    def _inherited(self, part: str, key: str, requirement: Requirement, negated: bool) -> PeerSet:
        """Compare a label of the namespace or service account, which a pod's own label of that key hides."""
        found = _selected(part, key, requirement, negated)
        if requirement.key not in self._own_keys:
            return found
        has_own = Requirement(requirement.key, Operator.EXISTS)
        own = _selected("pods", requirement.key, requirement, negated)
        return united(
            [
                narrowed([_selected("pods", requirement.key, has_own, False), own]),
                narrowed([_selected("pods", requirement.key, has_own, True), found]),
            ]
        )

    @cached_property
    def pods_on(self) -> dict[str, list[Pod]]:
        """The pods of each node, by its name; hostNetwork ones left out."""
        found: dict[str, list[Pod]] = {}
        for pod in self.cluster.pods:
            if not pod.host_network:
                found.setdefault(pod.node, []).append(pod)
        return found

    @cached_property
    def unknown_accounts(self) -> tuple[str, ...]:
        """The service accounts of pods whose labels are not known, as ``namespace/name``."""
        used = {(pod.namespace, pod.account) for pod in self.cluster.pods if pod.is_plain and not pod.host_network}
        return tuple(sorted(f"{namespace}/{name}" for namespace, name in used - self.cluster.accounts.keys()))

    @cached_property
    def _long_accounts(self) -> frozenset[str]:
        return frozenset(
            pod.account for pod in self.cluster.pods if pod.is_plain and len(pod.account) > _LONGEST_ACCOUNT
        )

    @cached_property
    def _own_keys(self) -> frozenset[str]:
        return frozenset(key for pod in self.cluster.pods for key in pod.labels)


def labels_of_set(own: Mapping[str, str], namespace: str, cluster: Cluster) -> dict[str, str]:
    """Return all labels of a NetworkSet: those of its namespace below its own (CA-23)."""
    inherited = {OF_NAMESPACE + key: value for key, value in cluster.namespace_labels(namespace).items()}
    return {**inherited, OF_NAMESPACE + _NAME: namespace, **own, NAMESPACE: namespace}


def single(address: Address) -> Network:
    """Return the block of one address."""
    return Network(Cidr.containing(address, address.family.bits))


def narrowed(parts: Iterable[PeerSet]) -> PeerSet:
    """Intersect peer sets, with what they ask of pods put together; nobody where one of them is nobody."""
    given = tuple(parts)
    if len(given) == 1:
        return given[0]
    flat: list[PeerSet] = []
    for part in given:
        flat += part.members if isinstance(part, AllOf) else (part,)
    if NOBODY in flat:
        return NOBODY
    pods = [part for part in flat if isinstance(part, Endpoints)]
    others = [part for part in flat if not isinstance(part, Endpoints)]
    return all_of([_together(pods), *others] if pods else others)


def united(parts: Iterable[PeerSet]) -> PeerSet:
    """Unite peer sets; all pods hide any fewer of them."""
    flat: list[PeerSet] = []
    for part in parts:
        flat += part.members if isinstance(part, AnyOf) else (part,)
    if _PODS in flat:
        flat = [_PODS, *(part for part in flat if not _is_of_pods(part))]
    return any_of(flat)


def _is_of_pods(part: PeerSet) -> bool:
    members = part.members if isinstance(part, AllOf) else (part,)
    return any(isinstance(member, Endpoints) for member in members)


def _together(pods: list[Endpoints]) -> Endpoints:
    return Endpoints(
        LabelSelector.of(*(r for found in pods for r in found.namespaces.requirements)),
        LabelSelector.of(*(r for found in pods for r in found.pods.requirements)),
        LabelSelector.of(*(r for found in pods for r in found.accounts.requirements)),
    )


def _selected(part: str, key: str, requirement: Requirement, negated: bool) -> PeerSet:
    """Return the pods of which one part (namespaces, pods or accounts) meets a requirement on `key`, or does not."""
    asked = replace(requirement, key=key)
    if not negated:
        return Endpoints(**{part: LabelSelector.of(asked)})
    if asked.operator in _OPPOSITE:
        return Endpoints(**{part: LabelSelector.of(replace(asked, operator=_OPPOSITE[asked.operator]))})
    return AllOf((_PODS, Except(Endpoints(**{part: LabelSelector.of(asked)}))))
