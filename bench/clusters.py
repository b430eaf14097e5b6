"""What is timed: made-up clusters, policies and flows, the same for the same seed."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import numpy as np

from loaders import load_manifests
from loaders.synthetic.cluster import cluster_documents, generate_cluster
from loaders.synthetic.scale import Scale
from simcore.model.addresses import Address, Cidr, Family
from simcore.model.cluster import Cluster
from simcore.model.peers import Network
from simcore.model.policy import Direction, Policy
from simcore.model.ports import TCP, UDP

SEED = 1
_LENGTHS = (12, 16, 16, 18, 20, 20, 22, 24, 24, 24, 24, 28, 32)
_BLOCKS_A_POLICY = 10
_PORTS = (22, 25, 53, 80, 123, 389, 443, 636, 873, 993, 1433, 1521, 1883, 2049, 2181, 2379, 3000, 3306, 4222, 4317)
_PORTS += (5000, 5432, 5601, 5672, 6379, 6443, 7000, 8000, 8080, 8200, 8443, 8500, 9000, 9042, 9090, 9092, 9200, 9418)


@dataclass(frozen=True)
class Scenario:
    """A cluster and its policies."""

    cluster: Cluster
    policies: tuple[Policy, ...]


@dataclass(frozen=True)
class FiveTuples:
    """Random flows between IPv4 addresses, one column each."""

    source: np.ndarray
    destination: np.ndarray
    source_port: np.ndarray
    port: np.ndarray
    protocol: np.ndarray

    def __len__(self) -> int:
        return self.source.size

    def batches(self, rows: int) -> Iterator["FiveTuples"]:
        for start in range(0, len(self), rows):
            yield FiveTuples(*(column[start : start + rows] for column in vars(self).values()))


@dataclass(frozen=True)
class FiveTupleRule:
    """What an access list of a router could hold of a policy: prefixes, ports, a protocol; 0 for any."""

    source: Cidr
    destination: Cidr
    first_port: int
    last_port: int
    protocol: int


def write_cluster(size: str, folder: Path) -> Path:
    """Write a generated cluster, unless it is there."""
    if not (folder / "policies.yaml").exists():
        generate_cluster(size, SEED, folder)
    return folder


@cache
def load_scenario(folder: Path) -> Scenario:
    snapshot = load_manifests([str(folder)])
    return Scenario(snapshot.cluster, snapshot.policies)


@cache
def kernel_scenario(pods: int, blocks: int, policies: int) -> Scenario:
    """Make a cluster half of whose policies list CIDR blocks: `blocks` distinct ones, a fifth with exceptions."""
    random = Random(SEED)
    listing = blocks // _BLOCKS_A_POLICY
    scale = Scale(pods, policies - listing, namespaces=max(4, pods // 100), nodes=max(2, pods // 50), dual_stack=0.0)
    objects, written = cluster_documents(scale, SEED)
    labelled = [item["metadata"] for item in objects if item["kind"] == "Pod" and "app" in item["metadata"]["labels"]]
    networks = _distinct_blocks(blocks, random)
    for number in range(listing):
        own = networks[number * _BLOCKS_A_POLICY : (number + 1) * _BLOCKS_A_POLICY]
        written.append(_listing_policy(number, random.choice(labelled), own, random))
    with TemporaryDirectory() as folder:
        path = Path(folder, "cluster.json")
        path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects + written}))
        snapshot = load_manifests([str(path)])
    return Scenario(snapshot.cluster, snapshot.policies)


def _distinct_blocks(count: int, random: Random) -> list[Cidr]:
    found: dict[Cidr, None] = {}
    while len(found) < count:
        address = Address(Family.V4, random.randrange(11 << 24, 224 << 24))
        found[Cidr.containing(address, random.choice(_LENGTHS))] = None
    return list(found)


def _listing_policy(number: int, pod: dict, blocks: list[Cidr], random: Random) -> dict:
    half = len(blocks) // 2
    rules = [
        {
            "to": [{"ipBlock": _ip_block(block, random)} for block in part],
            "ports": [{"protocol": "TCP", "port": port} for port in random.sample(_PORTS, 3)],
        }
        for part in (blocks[:half], blocks[half:])
    ]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": f"blocks-{number:04}", "namespace": pod["namespace"]},
        "spec": {
            "podSelector": {"matchLabels": {"app": pod["labels"]["app"]}},
            "policyTypes": ["Egress"],
            "egress": rules,
        },
    }


def _ip_block(block: Cidr, random: Random) -> dict:
    if block.length > 24 or random.random() > 0.2:
        return {"cidr": str(block)}
    hole = Address(Family.V4, random.randint(block.first, block.last))
    return {"cidr": str(block), "except": [str(Cidr.containing(hole, block.length + 4))]}


def random_flows(scenario: Scenario, count: int) -> FiveTuples:
    """Draw flows: 45 % between pods, 45 % from pods into the blocks of rules, 10 % from outside to pods."""
    random = np.random.default_rng(SEED)
    pods = np.array(pod_addresses(scenario.cluster), np.uint32)
    blocks = list(dict.fromkeys(network.cidr for network in _networks(scenario.policies)))
    first = np.array([block.first for block in blocks], np.uint64)
    sizes = np.array([block.last - block.first + 1 for block in blocks], np.uint64)
    source, destination = random.choice(pods, count), random.choice(pods, count)
    chosen = random.integers(0, first.size, count)
    outside = (first[chosen] + random.integers(0, sizes[chosen], dtype=np.uint64)).astype(np.uint32)
    kind = random.random(count)
    return FiveTuples(
        source=np.where(kind >= 0.9, outside, source),
        destination=np.where((kind >= 0.45) & (kind < 0.9), outside, destination),
        source_port=random.integers(32768, 61000, count, dtype=np.uint16),
        port=np.where(
            random.random(count) < 0.8,
            random.choice(np.array(_PORTS, np.uint16), count),
            random.integers(1, 65536, count, dtype=np.uint16),
        ),
        protocol=np.where(random.random(count) < 0.9, TCP, UDP).astype(np.uint8),
    )


def matching_flows(rules: list[FiveTupleRule], count: int) -> FiveTuples:
    """Draw flows each of which one of the rules, drawn too, is about."""
    random = np.random.default_rng(SEED)
    chosen = random.integers(0, len(rules), count)

    def between(first: list[int], last: list[int]) -> np.ndarray:
        return random.integers(np.array(first)[chosen], np.array(last)[chosen], endpoint=True)

    ends = [[rule.source for rule in rules], [rule.destination for rule in rules]]
    source, destination = (between([end.first for end in some], [end.last for end in some]) for some in ends)
    return FiveTuples(
        source=source.astype(np.uint32),
        destination=destination.astype(np.uint32),
        source_port=random.integers(32768, 61000, count, dtype=np.uint16),
        port=between([rule.first_port for rule in rules], [rule.last_port for rule in rules]).astype(np.uint16),
        protocol=np.array([rule.protocol for rule in rules], np.uint8)[chosen],
    )


def pod_addresses(cluster: Cluster) -> list[int]:
    """List the IPv4 addresses of running pods."""
    return [address.value for address in cluster.pods_at if address.family is Family.V4]


def _networks(policies: tuple[Policy, ...]) -> Iterator[Network]:
    for policy in policies:
        for rule in policy.rules:
            for peer in getattr(rule.peer, "members", (rule.peer,)):
                if isinstance(peer, Network) and peer.cidr.family is Family.V4 and peer.cidr.length > 0:
                    yield peer


def five_tuple_rules(scenario: Scenario, count: int) -> list[FiveTupleRule]:
    """Write the egress rules to blocks out as five-tuple rules, one a pod, block and port range; draw `count`."""
    random = Random(SEED)
    by_namespace: dict[str, list] = {}
    for pod in scenario.cluster.pods:
        if pod.addresses and not pod.finished and not pod.host_network:
            by_namespace.setdefault(pod.namespace, []).append(pod)
    rules = [
        FiveTupleRule(Cidr.containing(pod.addresses[0], 32), network.cidr, port.first, port.last, port.protocol)
        for policy in scenario.policies
        for rule in policy.rules
        if rule.direction is Direction.EGRESS
        for network in _networks((Policy(policy.ref, (rule,), policy.place),))
        for pod in by_namespace.get(policy.ref.namespace, ())
        if rule.subject.pods.matches(pod.labels)
        for port in rule.ports.ranges
    ]
    return random.sample(rules, min(count, len(rules)))
