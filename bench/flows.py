"""Flows to judge as columns in memory, the same for the same seed."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from loaders.synthetic.blocks import PORTS
from simcore.analyses.ends import EndColumn, PortColumns
from simcore.analyses.judging import Judged, Workspace, judge_columns
from simcore.model.addresses import Family
from simcore.model.cluster import Cluster, Pod
from simcore.model.flows import Verdict
from simcore.model.peers import Network
from simcore.model.policy import Policy
from simcore.model.ports import TCP, UDP
from simcore.tables.layout import Tables

from .clusters import SEED, Scenario

SHARES = {"lookup": 0.2, "application": 0.5, "outbound": 0.2, "inbound": 0.08, "scan": 0.02}
"""What realistic flows are made of: name resolution, pods among themselves, pods to the world, the world to pods, and
somebody who tries every address and port."""
_CANDIDATES = 400_000
_POOL = 20_000
_MISTAKES = 0.03
_OUTSIDERS = 20_000
_FLAT = 20
_SCANNERS = 3
_NO_HALVES, _NO_FLAGS, _NO_PODS = np.empty(0, np.uint64), np.empty(0, bool), np.empty(0, np.int32)


@dataclass(frozen=True)
class FiveTuples:
    """Flows between IPv4 addresses, one column each."""

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


def zipf_flows(scenario: Scenario, tables: Tables, count: int) -> FiveTuples:
    """Draw flows as clusters have them: most are allowed, few pairs have most of them, and many ask DNS."""
    random = np.random.default_rng(SEED)
    kind = random.choice(len(SHARES), count, p=list(SHARES.values())).astype(np.uint8)
    flows = FiveTuples(*(np.empty(count, kind) for kind in (np.uint32, np.uint32, np.uint16, np.uint16, np.uint8)))
    candidates = _Candidates(scenario, random)
    for number, name in enumerate(SHARES):
        rows = np.flatnonzero(kind == number)
        drawn = getattr(candidates, name)()
        if name != "scan":
            drawn = _expected(tables, drawn, random)
        chosen = _often(len(drawn), rows.size, random) if name != "scan" else random.integers(0, len(drawn), rows.size)
        for column, values in zip(vars(flows).values(), vars(drawn).values(), strict=True):
            column[rows] = values[chosen]
    flows.source_port[:] = source_ports(count, random)
    return flows


class _Candidates:
    """Draws flows of one kind, whether policies allow them or not."""

    def __init__(self, scenario: Scenario, random: np.random.Generator) -> None:
        self._random = random
        self._pods = plain_addresses(scenario.cluster)
        self._servers = self._fitting(scenario, lambda pod: pod.labels.get("k8s-app") == "kube-dns")
        self._doors = self._fitting(scenario, lambda pod: "ingress" in pod.namespace)
        self._world = _into_blocks(scenario.policies, _OUTSIDERS, random)

    def _fitting(self, scenario: Scenario, fits: Callable[[Pod], bool]) -> np.ndarray:
        found = _addresses_of(pod for pod in plain_pods(scenario.cluster) if fits(pod))
        return found if found.size else self._pods

    def _flows(self, sources: np.ndarray, destinations: np.ndarray, ports: np.ndarray, protocol: int) -> FiveTuples:
        def drawn(values: np.ndarray) -> np.ndarray:
            return self._random.choice(values, _CANDIDATES)

        protocols = np.full(_CANDIDATES, protocol, np.uint8)
        return FiveTuples(drawn(sources), drawn(destinations), drawn(ports), drawn(ports), protocols)

    def lookup(self) -> FiveTuples:
        return self._flows(self._pods, self._servers, np.array([53], np.uint16), UDP)

    def application(self) -> FiveTuples:
        return self._flows(self._pods, self._pods, np.array(PORTS, np.uint16), TCP)

    def outbound(self) -> FiveTuples:
        return self._flows(self._pods, self._world, np.array([443], np.uint16), TCP)

    def inbound(self) -> FiveTuples:
        return self._flows(self._world, self._doors, np.array([80, 443], np.uint16), TCP)

    def scan(self) -> FiveTuples:
        return self._flows(self._pods[:_SCANNERS], self._pods, np.arange(1, 65536, dtype=np.uint16), TCP)


def _expected(tables: Tables, flows: FiveTuples, random: np.random.Generator) -> FiveTuples:
    """Keep the flows that policies allow, and some mistakes; all of them where none is allowed."""
    allowed = judge_tuples(tables, flows).verdict[0] == Verdict.ALLOW
    kept = np.flatnonzero(allowed | (random.random(allowed.size) < _MISTAKES * allowed.mean()))[:_POOL]
    return FiveTuples(*(column[kept if allowed.any() else slice(None)] for column in vars(flows).values()))


def _often(size: int, count: int, random: np.random.Generator) -> np.ndarray:
    """Draw ranks below `size` by Zipf's law."""
    ends = np.cumsum(1 / (np.arange(size) + _FLAT))
    lottery = np.searchsorted(ends / ends[-1], (np.arange(1 << 18) + 0.5) / (1 << 18))
    return lottery[random.integers(0, lottery.size, count)]


def judge_tuples(tables: Tables, flows: FiveTuples, workspace: Workspace | None = None) -> Judged:
    """Judge flows that name addresses, protocol and port, none of them missing."""
    ends = [EndColumn(v4, _NO_HALVES, _NO_HALVES, _NO_FLAGS, _NO_PODS) for v4 in (flows.source, flows.destination)]
    return judge_columns(tables, *ends, PortColumns(flows.protocol, flows.port, _NO_FLAGS), workspace)


def random_flows(scenario: Scenario, count: int) -> FiveTuples:
    """Draw flows: 45 % between pods, 45 % from pods into the blocks of rules, 10 % from outside to pods."""
    random = np.random.default_rng(SEED)
    pods = np.array(pod_addresses(scenario.cluster), np.uint32)
    source, destination = random.choice(pods, count), random.choice(pods, count)
    outside = _into_blocks(scenario.policies, count, random)
    kind = random.random(count)
    return FiveTuples(
        source=np.where(kind >= 0.9, outside, source),
        destination=np.where((kind >= 0.45) & (kind < 0.9), outside, destination),
        source_port=source_ports(count, random),
        port=np.where(
            random.random(count) < 0.8,
            random.choice(np.array(PORTS, np.uint16), count),
            random.integers(1, 65536, count, dtype=np.uint16),
        ),
        protocol=np.where(random.random(count) < 0.9, TCP, UDP).astype(np.uint8),
    )


def _into_blocks(policies: Sequence[Policy], count: int, random: np.random.Generator) -> np.ndarray:
    """Draw addresses in the blocks of rules."""
    blocks = list(dict.fromkeys(network.cidr for network in networks(policies) if network.cidr.family is Family.V4))
    first = np.array([block.first for block in blocks], np.uint64)
    sizes = np.array([block.last - block.first + 1 for block in blocks], np.uint64)
    chosen = random.integers(0, first.size, count)
    return (first[chosen] + random.integers(0, sizes[chosen], dtype=np.uint64)).astype(np.uint32)


def source_ports(count: int, random: np.random.Generator) -> np.ndarray:
    return random.integers(32768, 61000, count, dtype=np.uint16)


def pod_addresses(cluster: Cluster) -> list[int]:
    """List the IPv4 addresses of running pods."""
    return [address.value for address in cluster.pods_at if address.family is Family.V4]


def plain_addresses(cluster: Cluster) -> np.ndarray:
    """List the IPv4 addresses of running pods that have one of their own, as uint32."""
    return _addresses_of(plain_pods(cluster))


def plain_pods(cluster: Cluster) -> Iterator[Pod]:
    return (pod for pod in cluster.pods if pod.addresses and not pod.finished and not pod.host_network)


def _addresses_of(pods: Iterable[Pod]) -> np.ndarray:
    return np.array([a.value for pod in pods for a in pod.addresses if a.family is Family.V4], np.uint32)


def networks(policies: Sequence[Policy]) -> Iterator[Network]:
    """Enumerate the blocks of rules, but for those of every address."""
    for policy in policies:
        for rule in policy.rules:
            for peer in getattr(rule.peer, "members", (rule.peer,)):
                if isinstance(peer, Network) and peer.cidr.length > 0:
                    yield peer
