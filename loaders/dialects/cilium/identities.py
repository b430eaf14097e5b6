"""Who carries which labels: selectors decided for every kind of identity that Cilium knows (CI-2, CI-8)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import product
from types import MappingProxyType

from simcore.model.addresses import Family
from simcore.model.agent import CiliumAgent
from simcore.model.cilium import is_identity_label
from simcore.model.cluster import Cluster
from simcore.model.labels import NAME_KEY, NAMESPACE_NAME_LABEL, LabelSelector, Operator, Requirement
from simcore.model.peers import (
    ANYTHING,
    NOBODY,
    AllOf,
    AnyOf,
    Backends,
    Endpoints,
    Except,
    Nodes,
    OfFamily,
    Outside,
    PeerSet,
    Reserved,
    Unresolved,
    all_of,
    any_of,
)

from .labels import (
    ACCOUNT_KEY,
    ANY,
    CLUSTER_KEY,
    K8S,
    NAMESPACE_KEY,
    NAMESPACE_LABELS,
    NODE,
    OF_ADDRESSES,
    RESERVED,
    Want,
    want,
)

ENDPOINTS = ("health", "ingress", "init", "unmanaged")
"""Identities of endpoints that are no pods."""
_MANAGED = ENDPOINTS[:3]
_HERE, _ELSEWHERE = Nodes(where="here"), Nodes(where="elsewhere")
_API_SERVER = "kube-apiserver"
_API_SERVICE = ("default", "kubernetes")
_UNKNOWN_API_SERVER = AllOf(
    (
        any_of((Nodes(), Outside())),
        Unresolved(
            "the addresses of the API server are not in the input. Add the Service default/kubernetes and its "
            "EndpointSlice"
        ),
    )
)
_UNKNOWN_LABEL = Unresolved("which addresses carry a label of a block, a group or a name is not in the input")
_Labels = Mapping[tuple[str, str], str]


@dataclass(frozen=True)
class Identities:
    """The identities of one cluster.

    Attributes
    ----------
    has_other_clusters : bool
        Pods of other clusters are in the input; these carry the name of their cluster as a label.
    """

    agent: CiliumAgent
    has_other_clusters: bool
    api_server: PeerSet

    @classmethod
    def of(cls, cluster: Cluster, agent: CiliumAgent) -> Identities:
        """Look at what the input holds."""
        known = any(
            (service.namespace, service.name) == _API_SERVICE and service.backends is not None
            for service in cluster.services
        )
        return cls(
            agent,
            any(CLUSTER_KEY in pod.labels for pod in cluster.pods),
            Backends(*_API_SERVICE) if known else _UNKNOWN_API_SERVER,
        )

    def peer(self, wants: Iterable[Want]) -> PeerSet:
        """Return everybody whose labels meet all conditions."""
        asked = tuple(wants)
        if not asked:
            return ANYTHING
        pods = self._pods(asked)
        nodes = self._with_api_server(asked, "host", _HERE), self.remote_nodes(asked)
        others = [*self._outside(asked), *self._reserved(asked, ENDPOINTS)]
        if self._only_api_server(asked):
            return any_of([*_parts(pods), self.api_server])
        if nodes == (_HERE, _ELSEWHERE):
            nodes = (Nodes(), NOBODY)
        return any_of(part for part in (*_parts(pods), *nodes, *others) if part != NOBODY)

    def subject(self, wants: Iterable[Want]) -> PeerSet:
        """Return the endpoints that a policy's own selector binds (CI-5)."""
        asked = tuple(wants)
        return any_of((*_parts(self._pods(asked)), *self._reserved(asked, _MANAGED)))

    def node_subject(self, wants: Iterable[Want]) -> PeerSet:
        """Return the nodes that a policy's own selector binds (CI-40)."""
        labels, others = self._split(wants, (ANY, K8S, NODE))
        return self._with_api_server(others, "host", Nodes(labels), self._cluster_label)

    def remote_nodes(self, wants: Iterable[Want]) -> PeerSet:
        """Return the other nodes that conditions are met by (CI-15)."""
        sources = (ANY, NODE) if self.agent.enable_node_selector_labels else ()
        labels, others = self._split(wants, sources)
        own = self._cluster_label if sources else {}
        return self._with_api_server(others, "remote-node", Nodes(labels, where="elsewhere"), own)

    @property
    def _cluster_label(self) -> _Labels:
        return {(K8S, CLUSTER_KEY): self.agent.cluster_name}

    def entity(self, name: str) -> PeerSet:
        """Return what an entity stands for (CI-9); the name is one of ``ENTITIES``."""
        match name:
            case "all":
                return ANYTHING
            case "none":
                return NOBODY
            case "world":
                return Outside()
            case "cluster":
                own = (want(K8S, CLUSTER_KEY, Operator.IN, self.agent.cluster_name),)
                return any_of((*_parts(self._pods(own)), *self._of_cluster()))
            case "cluster-mesh":
                return any_of((Endpoints(), *self._of_cluster()))
            case _:
                return self.peer((want(RESERVED, name, Operator.EXISTS),))

    def _of_cluster(self) -> tuple[PeerSet, ...]:
        return (Nodes(), *map(Reserved, ENDPOINTS), self.api_server)

    # Pods

    def _pods(self, wants: tuple[Want, ...]) -> PeerSet:
        namespaces: list[Requirement] = []
        labels: list[Requirement] = []
        accounts: list[Requirement] = []
        clusters: list[list[tuple[Requirement, ...]]] = []
        for each in wants:
            found = each.requirement
            if each.names(CLUSTER_KEY):
                clusters.append(self._clusters(found))
            elif each.names(NAMESPACE_KEY) or each.names(ACCOUNT_KEY):
                if found.operator is Operator.DOES_NOT_EXIST:
                    return NOBODY
                if found.operator is not Operator.EXISTS:
                    of_namespace = each.key == NAMESPACE_KEY
                    kept = replace(found, key=NAMESPACE_NAME_LABEL if of_namespace else NAME_KEY)
                    (namespaces if of_namespace else accounts).append(kept)
            elif each.is_of_pods and each.key.startswith(NAMESPACE_LABELS):
                namespaces.append(replace(found, key=each.key.removeprefix(NAMESPACE_LABELS)))
            elif each.is_of_pods and is_identity_label(each.key):
                labels.append(found)
            elif not found.holds(None):
                return NOBODY
        return any_of(
            Endpoints(
                LabelSelector.of(*namespaces),
                LabelSelector.of(*labels, *(part for parts in choice for part in parts)),
                LabelSelector.of(*accounts),
            )
            for choice in product(*clusters)
        )

    def _clusters(self, found: Requirement) -> list[tuple[Requirement, ...]]:
        """Return the conditions, any of which will do, on the label that pods of other clusters have."""
        is_local = found.holds(self.agent.cluster_name)
        if not self.has_other_clusters or found.operator is Operator.EXISTS:
            return [()] if is_local else []
        local = Requirement(CLUSTER_KEY, Operator.DOES_NOT_EXIST)
        if found.operator is Operator.DOES_NOT_EXIST:
            return []
        if found.operator is Operator.NOT_IN:
            return [(found,)] if is_local else [(found, Requirement(CLUSTER_KEY, Operator.EXISTS))]
        others = replace(found, values=found.values - {self.agent.cluster_name})
        return [*([(local,)] if is_local else []), *([(others,)] if others.values else [])]

    # What is no pod

    def _reserved(self, wants: tuple[Want, ...], names: Iterable[str]) -> list[PeerSet]:
        return [Reserved(name) for name in names if _hold(wants, {(RESERVED, name): ""})]

    def _outside(self, wants: tuple[Want, ...]) -> list[PeerSet]:
        """Decide for the world, whose label tells the family where both are on."""
        asked = tuple(each for each in wants if each.source not in OF_ADDRESSES)
        doubt = [_UNKNOWN_LABEL] if len(asked) < len(wants) else []
        if not self.agent.ipv6:
            found = [self._with_api_server(asked, "world", Outside())]
        else:
            found = [
                self._with_api_server(asked, f"world-ipv{family.value}", all_of((Outside(), OfFamily(family))))
                for family in Family
            ]
            if found == [all_of((Outside(), OfFamily(family))) for family in Family]:
                found = [Outside()]
        return [all_of((part, *doubt)) for part in found if part != NOBODY]

    def _split(self, wants: Iterable[Want], sources: tuple[str, ...]) -> tuple[LabelSelector, tuple[Want, ...]]:
        """Part the conditions on labels of nodes themselves, which are from some sources, from all others."""
        asked = tuple(wants)
        own = [each for each in asked if each.source in sources and each.key not in _NOT_OF_NODES]
        others = tuple(each for each in asked if each not in own)
        return LabelSelector.of(*(each.requirement for each in own)), others

    def _with_api_server(
        self, wants: tuple[Want, ...], identity: str, who: PeerSet, more: _Labels = MappingProxyType({})
    ) -> PeerSet:
        """Decide for an identity, with and without the label of those addresses that are the API server's."""
        plain, labelled = _both(wants, {(RESERVED, identity): "", **more})
        if plain == labelled:
            return who if plain else NOBODY
        return all_of((who, self.api_server if labelled else Except(self.api_server)))

    def _only_api_server(self, wants: tuple[Want, ...]) -> bool:
        worlds = ("world-ipv4", "world-ipv6") if self.agent.ipv6 else ("world",)
        if any(each.source in OF_ADDRESSES or self._is_of_nodes(each) for each in wants):
            return False
        return all(_both(wants, {(RESERVED, name): ""}) == (False, True) for name in ("host", "remote-node", *worlds))

    def _is_of_nodes(self, found: Want) -> bool:
        return self.agent.enable_node_selector_labels and found.source in (ANY, NODE)


ENTITIES = (
    "all",
    "world",
    "cluster",
    "cluster-mesh",
    "host",
    "init",
    "ingress",
    "unmanaged",
    "remote-node",
    "health",
    "none",
    _API_SERVER,
)
"""What fromEntities and toEntities take."""


_NOT_OF_NODES = (CLUSTER_KEY, "host", "remote-node", _API_SERVER)
"""Keys that identities of nodes have besides the labels of the nodes themselves."""


def _parts(peers: PeerSet) -> tuple[PeerSet, ...]:
    return peers.members if isinstance(peers, AnyOf) else (peers,)


def _value(found: Want, labels: _Labels) -> str | None:
    """Look a label up; one of any source is the first of its key."""
    if found.source != ANY:
        return labels.get((found.source, found.key))
    return next((value for (_, key), value in labels.items() if key == found.key), None)


def _both(wants: Iterable[Want], labels: _Labels) -> tuple[bool, bool]:
    """Tell whether an identity meets conditions, as it is and as the API server's."""
    asked = tuple(wants)
    return _hold(asked, labels), _hold(asked, {**labels, (RESERVED, _API_SERVER): ""})


def _hold(wants: Iterable[Want], labels: _Labels) -> bool:
    return all(each.requirement.holds(_value(each, labels)) for each in wants)
