"""Policies from needs: one for each workload, its rules as few as say just what was seen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ...model.addresses import Address, Cidr
from ...model.cluster import Cluster, WorkloadRef
from ...model.policy import Direction
from ...model.ports import PortRange
from ..proposals import NOTHING_SEEN, BlockPeer, Evidence, Labels, PodPeer, ProposedPeer, ProposedRule
from .blocks import External, blocks_of, joined
from .needs import Need, NodeAddress, Port
from .selectors import Selectors

MOST_PORTS = 64
"""Ports between one workload and one peer beyond which they look like those of answers."""
_MOST_NAMED = 3
FEWEST_UNITED = 3
"""Peers of one namespace that become one, told by the values of a label."""


Rules = Mapping[Direction, tuple[ProposedRule, ...]]
INGRESS_FIRST = (Direction.INGRESS, Direction.EGRESS)


@dataclass(frozen=True, slots=True)
class Subject:
    """Pods that one policy guards: those of a workload, or of several that no label tells apart."""

    namespace: str
    labels: Labels


@dataclass(frozen=True, slots=True)
class Group:
    """What one policy is about: its pods, the workloads they are of, and its rules by direction."""

    subject: Subject
    workloads: tuple[WorkloadRef, ...]
    rules: Rules


@dataclass
class _Found:
    """What was seen of one peer: whom it stands for, and the ports."""

    remark: str = ""
    names: dict[str, None] = field(default_factory=dict)
    addresses: dict[Address, Evidence] = field(default_factory=dict)
    ports: dict[Port, Evidence] = field(default_factory=dict)

    def add(self, port: Port, evidence: Evidence) -> None:
        self.ports[port] = self.ports.get(port, NOTHING_SEEN) + evidence

    @property
    def evidence(self) -> Evidence:
        return sum(self.ports.values(), NOTHING_SEEN)

    @property
    def who(self) -> tuple[str, ...]:
        return (*self.names, *_named(self.addresses))


class Building:
    """Makes policies of needs.

    Parameters
    ----------
    external : External
        How addresses outside become blocks.
    """

    def __init__(self, cluster: Cluster, selectors: Selectors, external: External) -> None:
        self._cluster = cluster
        self._selectors = selectors
        self._external = external
        self._remarks: dict[str, None] = {}
        self._talkative: list[tuple[int, str]] = []

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of the policies, each once, in the order in which it was met."""
        if not self._talkative:
            return tuple(self._remarks)
        ports, who = max(self._talkative)
        many = f"{len(self._talkative):,} pairs speak" if len(self._talkative) > 1 else "a pair speaks"
        note = f"{many} on more than {MOST_PORTS} ports, such as {who} on {ports:,}: look whether these are scans"
        return (*self._remarks, f"{note}, or answers, which --stateful tells from connections")

    def policies(self, needs: Mapping[Need, Evidence]) -> list[Group]:
        """Group needs by whom they are about, in the order of their namespaces and workloads."""
        grouped: dict[Subject, dict[Direction, dict[Need, Evidence]]] = defaultdict(lambda: defaultdict(dict))
        workloads: dict[Subject, dict[WorkloadRef, None]] = defaultdict(dict)
        for need in sorted(needs, key=_order):
            subject = self.subject(need.subject)
            workloads[subject][need.subject] = None
            grouped[subject][need.direction][need] = needs[need]
        groups = [
            Group(
                subject,
                tuple(workloads[subject]),
                {direction: self.rules(found[direction]) for direction in INGRESS_FIRST if direction in found},
            )
            for subject, found in grouped.items()
        ]
        return sorted(groups, key=lambda group: (group.subject.namespace, group.workloads))

    def subject(self, workload: WorkloadRef) -> Subject:
        """Return the pods that a policy for a workload selects."""
        return Subject(workload.namespace, self._labels_of(workload))

    def rules(self, needs: Mapping[Need, Evidence]) -> tuple[ProposedRule, ...]:
        """Make the rules of one subject in one direction: peers with the same ports share one."""
        found = self._peers(needs)
        by_ports: dict[tuple[PortRange, ...], list[PodPeer | BlockPeer]] = defaultdict(list)
        own = next(iter(needs)).subject.namespace
        for peer in sorted(found, key=lambda peer: _peer_order(peer, own)):
            by_ports[ranges_of(found[peer].ports)].append(peer)
        return tuple(
            ProposedRule(tuple(_united([_proposed(peer, found[peer]) for peer in peers])), ports)
            for ports, peers in by_ports.items()
        )

    def _peers(self, needs: Mapping[Need, Evidence]) -> dict[PodPeer | BlockPeer, _Found]:
        found: dict[PodPeer | BlockPeer, _Found] = {}
        outside: dict[Port, dict[Address, Evidence]] = defaultdict(dict)
        nodes: dict[Port, dict[NodeAddress, Evidence]] = defaultdict(dict)
        for need, evidence in needs.items():
            match need.party:
                case WorkloadRef():
                    peer = PodPeer(need.party.namespace, self._labels_of(need.party))
                    seen = found.setdefault(peer, _Found())
                    seen.names[str(need.party)] = None
                    seen.add(need.port, evidence)
                case NodeAddress():
                    nodes[need.port][need.party] = evidence
                case Address():
                    outside[need.port][need.party] = evidence
        for port, parties in nodes.items():
            self._add_nodes(found, port, parties)
        for port, addresses in outside.items():
            self._add_outside(found, port, addresses)
        self._look_for_answers(needs, found)
        return found

    def _add_nodes(
        self, found: dict[PodPeer | BlockPeer, _Found], port: Port, seen: Mapping[NodeAddress, Evidence]
    ) -> None:
        self._remarks[
            "nodes are told by the addresses they have now: widen these blocks to the network of the nodes"
        ] = None
        addresses = {party.address for party in seen}
        for block in joined(Cidr(address.family, address.value, address.family.bits) for address in addresses):
            behind = found.setdefault(BlockPeer(block), _Found("nodes, by address"))
            for party in sorted((party for party in seen if block.contains(party.address)), key=lambda p: p.node):
                behind.names[f"node/{party.node or 'unknown'}"] = None
                behind.add(port, seen[party])

    def _add_outside(
        self, found: dict[PodPeer | BlockPeer, _Found], port: Port, addresses: Mapping[Address, Evidence]
    ) -> None:
        self._remarks["addresses outside change: where the network plugin has rules by domain name, prefer them"] = None
        for blocks in blocks_of(addresses, self._external, self._cluster):
            for peer in blocks.peers:
                seen = found.setdefault(peer, _Found(f"widened to {blocks.widened}" if blocks.widened else ""))
                for address in filter(peer.cidr.contains, addresses):
                    seen.addresses[address] = seen.addresses.get(address, NOTHING_SEEN) + addresses[address]
                    seen.add(port, addresses[address])

    def _labels_of(self, workload: WorkloadRef) -> Labels:
        selector = self._selectors.of(workload)
        if selector.others:
            others = ", ".join(selector.others[:_MOST_NAMED]) + (", ..." if len(selector.others) > _MOST_NAMED else "")
            self._remarks[f"no stable label tells {workload} from {others}: its selector holds their pods too"] = None
        elif not selector.labels:
            self._remarks[f"{workload} has no stable label: its selector holds every pod of the namespace"] = None
        return selector.labels

    def _look_for_answers(self, needs: Mapping[Need, Evidence], found: Mapping[PodPeer | BlockPeer, _Found]) -> None:
        subject = next(iter(needs)).subject
        for seen in found.values():
            if len(seen.ports) > MOST_PORTS:
                self._talkative.append((len(seen.ports), f"{subject} and {', '.join(seen.who)}"))


def _proposed(peer: PodPeer | BlockPeer, seen: _Found) -> ProposedPeer:
    return ProposedPeer(peer, seen.who, seen.evidence, seen.remark)


def _united(peers: Sequence[ProposedPeer]) -> Iterator[ProposedPeer]:
    """Put pods of one namespace that differ in the value of one label into one peer, where there are many."""
    alike: dict[tuple[object, ...], list[ProposedPeer]] = defaultdict(list)
    for number, each in enumerate(peers):
        alike[_family(each.peer, number)].append(each)
    for some in alike.values():
        if len(some) < FEWEST_UNITED:
            yield from some
        else:
            yield _one_of(some)


def _family(peer: PodPeer | BlockPeer, number: int) -> tuple[object, ...]:
    """Return what peers share that can become one."""
    if isinstance(peer, PodPeer) and len(peer.labels) == 1:
        return peer.namespace, peer.labels[0][0]
    return (number,)


def _one_of(peers: Sequence[ProposedPeer]) -> ProposedPeer:
    pods = [each.peer for each in peers if isinstance(each.peer, PodPeer)]
    values = sorted({value for peer in pods for value in peer.labels[0][1]})
    labels = ((pods[0].labels[0][0], tuple(values)),)
    who = tuple(name for each in peers for name in each.who)
    return ProposedPeer(PodPeer(pods[0].namespace, labels), who, sum((p.evidence for p in peers), NOTHING_SEEN))


def ranges_of(ports: Collection[Port]) -> tuple[PortRange, ...]:
    """Join ports that follow each other."""
    found: list[PortRange] = []
    for protocol, port in sorted(ports):
        if found and found[-1].protocol == protocol and found[-1].last + 1 == port:
            found[-1] = PortRange(protocol, found[-1].first, port)
        else:
            found.append(PortRange(protocol, port, port))
    return tuple(found)


def _order(need: Need) -> tuple[object, ...]:
    return need.subject, need.direction, type(need.party).__name__, str(need.party), need.port


def _peer_order(peer: PodPeer | BlockPeer, own: str) -> tuple[object, ...]:
    if isinstance(peer, PodPeer):
        return 0, peer.namespace != own, peer.namespace, peer.labels
    return 1, peer.cidr, peer.excluded


def _named(addresses: Mapping[Address, Evidence]) -> Sequence[str]:
    """Name a few addresses, most flows first, and count the others."""
    ordered = sorted(addresses, key=lambda address: (-addresses[address].flows, address))
    named = list(map(str, ordered[:_MOST_NAMED]))
    more = len(ordered) - len(named)
    return [*named, f"{more:,} more"] if more else named
