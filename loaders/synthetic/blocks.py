"""Policies that list CIDR blocks, many distinct ones, as partners, clouds and offices hand them in over the years."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from simcore.model.addresses import Address, Cidr, Family

from .scale import Scale
from .workloads import Work

Document = dict[str, Any]

LISTING = "blocks-"
"""How the names of these policies begin."""
# fmt: off
PORTS = (
    22, 25, 53, 80, 123, 389, 443, 636, 873, 993, 1433, 1521, 1883, 2049, 2181, 2379, 3000, 3306, 4222,
    4317, 5000, 5432, 5601, 5672, 6379, 6443, 7000, 8000, 8080, 8200, 8443, 8500, 9000, 9042, 9090, 9092, 9200, 9418,
)
# fmt: on
"""Ports that they name, unless a scale asks for another number of them."""

_LENGTHS = (12, 16, 16, 18, 20, 20, 22, 24, 24, 24, 24, 28, 32)
_FIRST, _LAST = 11 << 24, 224 << 24
_BLOCKS_A_POLICY = 10
_PORTS_A_RULE = 3
_HOLES = 0.2
_LONGEST_WITH_HOLE = 24


def listing_count(scale: Scale) -> int:
    """Return how many of a scale's policies list blocks: ten blocks each, more where that takes half the policies."""
    return min(scale.policies // 2, -(-scale.blocks // _BLOCKS_A_POLICY))


def listing_policies(works: Sequence[Work], scale: Scale, random: Random) -> list[Document]:
    """Return the policies that list `scale.blocks` distinct blocks, a fifth of them with an exception."""
    count = listing_count(scale)
    blocks = _distinct_blocks(scale.blocks, random) if count else []
    ports = _ports(scale.block_ports, random)
    weights = [work.replicas for work in works]
    return [
        _policy(number, random.choices(works, weights)[0], blocks[number::count], ports, random)
        for number in range(count)
    ]


def _distinct_blocks(count: int, random: Random) -> list[Cidr]:
    found: dict[Cidr, None] = {}
    while len(found) < count:
        address = Address(Family.V4, random.randrange(_FIRST, _LAST))
        found[Cidr.containing(address, random.choice(_LENGTHS))] = None
    return list(found)


def _ports(count: int, random: Random) -> Sequence[int]:
    return random.sample(range(1, 65536), count) if count else PORTS


def _policy(number: int, work: Work, blocks: list[Cidr], ports: Sequence[int], random: Random) -> Document:
    half = len(blocks) // 2
    rules = [
        {
            "to": [{"ipBlock": _ip_block(block, random)} for block in part],
            "ports": [{"protocol": "TCP", "port": port} for port in random.sample(ports, _PORTS_A_RULE)],
        }
        for part in (blocks[:half], blocks[half:])
        if part
    ]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": f"{LISTING}{number:04}", "namespace": work.group.name},
        "spec": {"podSelector": {"matchLabels": {"app": work.app}}, "policyTypes": ["Egress"], "egress": rules},
    }


def _ip_block(block: Cidr, random: Random) -> Document:
    if block.length > _LONGEST_WITH_HOLE or random.random() > _HOLES:
        return {"cidr": str(block)}
    hole = Address(Family.V4, random.randint(block.first, block.last))
    return {"cidr": str(block), "except": [str(Cidr.containing(hole, block.length + 4))]}
