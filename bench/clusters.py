"""What is timed: made-up clusters, policies and flows, the same for the same seed."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from loaders import load_manifests
from loaders.synthetic.cluster import cluster_documents, generate_cluster
from loaders.synthetic.scale import Scale
from simcore.model.addresses import Address, Cidr, Family
from simcore.model.cluster import Cluster
from simcore.model.policy import Policy

SEED = 1
LISTING = "blocks-"
"""How the names of policies that list blocks begin."""
_LENGTHS = (12, 16, 16, 18, 20, 20, 22, 24, 24, 24, 24, 28, 32)
_BLOCKS_A_POLICY = 10
PORTS = (22, 25, 53, 80, 123, 389, 443, 636, 873, 993, 1433, 1521, 1883, 2049, 2181, 2379, 3000, 3306, 4222, 4317)
PORTS += (5000, 5432, 5601, 5672, 6379, 6443, 7000, 8000, 8080, 8200, 8443, 8500, 9000, 9042, 9090, 9092, 9200, 9418)


@dataclass(frozen=True)
class Scenario:
    """A cluster and its policies."""

    cluster: Cluster
    policies: tuple[Policy, ...]


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
            "ports": [{"protocol": "TCP", "port": port} for port in random.sample(PORTS, 3)],
        }
        for part in (blocks[:half], blocks[half:])
    ]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": f"{LISTING}{number:04}", "namespace": pod["namespace"]},
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
