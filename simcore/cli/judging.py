"""Judges what may be several pods at each end: the common verdict, or that they differ."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import product

from ..model.addresses import Address
from ..model.cluster import Cluster, Pod
from ..model.flows import End, Flow, Judgement, Verdict, agreed
from ..model.peers import Atom, Backends, DomainNames, Endpoints, Network, atoms_of
from ..model.policy import Policy
from ..model.profile import Profile
from ..model.requests import Request
from ..reference import Reference
from .names import Party

Answer = tuple[Flow, Judgement]


class Judge:
    """Judges parties by the rules of one cluster.

    Pods that no rule can tell apart are asked about once, so a thousand replicas cost no more than one pod.
    """

    def __init__(self, cluster: Cluster, policies: Iterable[Policy], profile: Profile) -> None:
        self._cluster = cluster
        self._policies = tuple(policies)
        self.reference = Reference(cluster, self._policies, profile)

    def answers(
        self, source: Party, destination: Party, protocol: int, port: int | None, request: Request | None = None
    ) -> list[Answer]:
        """Judge every source that is meant with every destination, the first pods first."""
        return [
            (flow := Flow(a, b, protocol, port, request=request), self.reference.judge(flow))
            for a, b in self._pairs(source, destination)
        ]

    def _pairs(self, source: Party, destination: Party) -> list[tuple[End, End]]:
        sources = list(source.ends(self._cluster, self._kinds(source, destination)))
        destinations = list(destination.ends(self._cluster, self._kinds(destination, source)))
        if destination.is_frontend:
            return [(end, self._fitting(end, destination)) for end in sources]
        pairs = [(a, b) for a in sources for b in destinations]
        pairs = list(dict.fromkeys([*pairs, *self._neighbours(source, destination)]))
        others = [(a, b) for a, b in pairs if a.pod is None or a.pod != b.pod]
        return others or pairs

    def _fitting(self, source: End, service: Party) -> End:
        """Return the address of a Service that a source would use: one of its own family."""
        families = {source.address.family} if source.address else set()
        if source.pod is not None:
            pod = self._cluster.pods[self._cluster.pod_numbers[source.pod]]
            families = {address.family for address in pod.addresses}
        fitting = [address for address in service.addresses if address.family in families]
        return End(address=(fitting or service.addresses)[0])

    def _kinds(self, party: Party, other: Party) -> Iterator[int]:
        """Yield the first pod of each kind; the first two where a workload is asked about itself."""
        most = 1 if set(party.pods).isdisjoint(other.pods) else 2
        by_node = bool(other.addresses)
        seen: dict[object, int] = {}
        for number in party.pods:
            pod = self._cluster.pods[number]
            kind = (self._kind(pod), pod.node if by_node else "")
            seen[kind] = seen.get(kind, 0) + 1
            if seen[kind] <= most:
                yield number

    def _neighbours(self, source: Party, destination: Party) -> Iterator[tuple[End, End]]:
        """Yield pods with hostNetwork pods, of each kind one pair on the same node and one on different ones."""
        pods = self._cluster.pods
        for ours, theirs in product(self._by_kind(source), self._by_kind(destination)):
            if pods[ours[0]].host_network is not pods[theirs[0]].host_network:
                first_on = {pods[number].node: number for number in reversed(theirs)}
                same = next((n for n in ours if pods[n].node in first_on), None)
                if same is not None:
                    yield _named(pods[same]), _named(pods[first_on[pods[same].node]])
                away = next(((a, b) for a in ours for b in first_on.values() if pods[a].node != pods[b].node), None)
                if away is not None:
                    yield _named(pods[away[0]]), _named(pods[away[1]])

    def _by_kind(self, party: Party) -> list[list[int]]:
        kinds: dict[object, list[int]] = {}
        for number in party.pods:
            kinds.setdefault(self._kind(self._cluster.pods[number]), []).append(number)
        return list(kinds.values())

    def _kind(self, pod: Pod) -> object:
        """Return what rules can see of a pod."""
        blocks = tuple((address.family, bisect_right(self._edges, _key(address))) for address in pod.addresses)
        labels = tuple((key, pod.labels[key]) for key in self._label_keys if key in pod.labels)
        account = pod.account if self._asks_for_accounts else ""
        name = pod.name if self._asks_for_backends else ""
        return pod.namespace, name, labels, account, pod.ports, pod.host_network, blocks

    @cached_property
    def _label_keys(self) -> list[str]:
        """The keys of pod labels that rules ask for."""
        selectors = [atom.pods for atom in self._atoms if isinstance(atom, Endpoints)]
        return sorted({requirement.key for selector in selectors for requirement in selector.requirements})

    @cached_property
    def _atoms(self) -> set[Atom]:
        """Everything that rules ask of an end."""
        peers = {peer for policy in self._policies for rule in policy.rules for peer in (rule.subject, rule.peer)}
        return {atom for peer in peers for atom in atoms_of(peer)}

    @cached_property
    def _asks_for_accounts(self) -> bool:
        return any(isinstance(atom, Endpoints) and atom.accounts.requirements for atom in self._atoms)

    @cached_property
    def _asks_for_backends(self) -> bool:
        return any(isinstance(atom, Backends) for atom in self._atoms)

    @cached_property
    def _edges(self) -> list[tuple[int, int]]:
        """Where the blocks and addresses of all rules begin and end: between two edges, no rule tells any apart."""
        edges: set[tuple[int, int]] = set()
        for atom in self._atoms:
            if isinstance(atom, Network):
                for cidr in (atom.cidr, *atom.excluded):
                    edges |= {(cidr.family, cidr.first), (cidr.family, cidr.last + 1)}
            elif isinstance(atom, DomainNames):
                for addresses in (self._cluster.names or {}).values():
                    for address in addresses:
                        edges |= {(address.family, address.value), (address.family, address.value + 1)}
        return sorted(edges)


def _key(address: Address) -> tuple[int, int]:
    return address.family, address.value


def combined(answers: list[Answer]) -> Judgement:
    """Make one judgement of several: what they agree on, else UNKNOWN."""
    return agreed([judgement for _, judgement in answers])


def differences(answers: list[Answer]) -> tuple[str, ...]:
    """Name a pair of pods for every verdict, where pods differ; nothing where they agree."""
    examples: dict[Verdict, Flow] = {}
    for flow, judgement in answers:
        examples.setdefault(judgement.verdict, flow)
    if len(examples) == 1:
        return ()
    return tuple(
        f"{verdict.word}, for instance {_end(flow.source)} -> {_end(flow.destination)}"
        for verdict, flow in sorted(examples.items())
    )


def _named(pod: Pod) -> End:
    return End(pod=pod.full_name)


def _end(end: End) -> str:
    return end.pod or str(end.address)
