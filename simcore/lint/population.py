"""Which pods of a cluster are meant by peer sets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..model.cluster import Cluster, Pod
from ..model.labels import LabelSelector
from ..model.peers import AllOf, AnyOf, Anything, Endpoints, Except, Network, Outside, PeerSet
from ..model.profile import Profile


@dataclass(frozen=True, slots=True)
class Alike:
    """Pods of one namespace that no selector tells apart, by their positions in the cluster."""

    labels: Mapping[str, str]
    account: Mapping[str, str]
    pods: tuple[int, ...]


class Population:
    """The pods that people run, finished ones included, looked up by peer sets.

    Pods on the host's network are left out where the profile takes them for their nodes; `hosted` are those.
    """

    def __init__(self, cluster: Cluster, profile: Profile) -> None:
        self.cluster = cluster
        self._profile = profile
        self._found: dict[PeerSet, frozenset[int] | None] = {}
        self._alike: dict[str, list[Alike]] = {}
        grouped: dict[tuple[object, ...], list[int]] = {}
        for number, pod in enumerate(cluster.pods):
            if pod.is_plain:
                key = pod.namespace, pod.account, tuple(sorted(pod.labels.items()))
                grouped.setdefault(key, []).append(number)
        for numbers in grouped.values():
            pod = cluster.pods[numbers[0]]
            alike = Alike(pod.labels, cluster.account_labels(pod), tuple(numbers))
            self._alike.setdefault(pod.namespace, []).append(alike)
        self.everyone = frozenset(number for numbers in grouped.values() for number in numbers)
        self.hosted = frozenset(n for n in self.everyone if self.is_hosted(cluster.pods[n]))
        self.namespaces = {name: cluster.namespace_labels(name) for name in {**cluster.namespaces, **self._alike}}

    def is_hosted(self, pod: Pod) -> bool:
        """Whether policies take a pod for the node that it runs on."""
        return pod.host_network and self._profile.hostnetwork == "node"

    def alike(self, namespaces: Iterable[str]) -> Iterable[Alike]:
        """Yield the pods of some namespaces."""
        for name in namespaces:
            yield from self._alike.get(name, ())

    def namespaces_of(self, selector: LabelSelector) -> list[str]:
        """Name the namespaces that a selector holds, in order."""
        return sorted(name for name, labels in self.namespaces.items() if selector.matches(labels))

    def labelled(self, peers: Endpoints) -> frozenset[int]:
        """Return the pods that a selector holds, also those on the host's network."""
        found = self._found.get(peers)
        if found is None:
            found = self._found[peers] = frozenset(
                number
                for alike in self.alike(self.namespaces_of(peers.namespaces))
                if peers.pods.matches(alike.labels) and peers.accounts.matches(alike.account)
                for number in alike.pods
            )
        return found

    def who(self, peers: PeerSet) -> frozenset[int] | None:
        """Return the pods that a peer set holds; None where that goes by more than labels and addresses."""
        match peers:
            case Anything():
                return self.everyone - self.hosted
            case Endpoints():
                return self.labelled(peers) - self.hosted
            case Outside():
                return frozenset()
            case Network():
                return self._addressed(peers) if self._profile.ipblock_matches_pods else frozenset()
            case AnyOf(members):
                parts = [self.who(member) for member in members]
                known = [part for part in parts if part is not None]
                return frozenset().union(*known) if len(known) == len(parts) else None
            case AllOf(members):
                parts = [self.who(member) for member in members]
                if None in parts:
                    return None
                return (self.everyone - self.hosted).intersection(*(part for part in parts if part is not None))
            case Except(peer):
                inner = self.who(peer)
                return None if inner is None else self.everyone - self.hosted - inner
        return None

    def _addressed(self, block: Network) -> frozenset[int]:
        return frozenset(
            number
            for number in self.everyone - self.hosted
            if any(block.contains(address) for address in self.cluster.pods[number].addresses)
        )

    def workloads(self, pods: Iterable[int]) -> list[str]:
        """Name the workloads that pods belong to, in order."""
        return sorted({str(self.cluster.pods[number].workload) for number in pods})
