"""Names of ends that stand for many, or for what is outside the cluster, as aggregated records have them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .addresses import Address
from .cluster import Cluster

MANY = "*"
"""How the name of any pod ends whose name begins so: ``shop/web-7c9f*``."""
NODE = "node:"
"""How the name of a node begins: at any of its addresses."""
EXTERNAL = "external:"
"""How the name of something outside the cluster begins whose address is not known."""
_LAST = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Members:
    """What a name may stand for: some pods by position, whatever is at some addresses, or something outside."""

    pods: tuple[int, ...] = ()
    addresses: tuple[Address, ...] = ()
    is_outside: bool = False

    def __bool__(self) -> bool:
        """Whether the cluster holds any of it."""
        return bool(self.pods or self.addresses or self.is_outside)


def is_collective(name: str) -> bool:
    """Whether a name stands for more than a pod of that name."""
    return (name.endswith(MANY) and "/" in name) or name.startswith((NODE, EXTERNAL))


def members_of(cluster: Cluster, names: Iterable[str]) -> Mapping[str, Members]:
    """Find what names that are collective stand for in a cluster."""
    order = sorted(range(len(cluster.pods)), key=lambda number: cluster.pods[number].full_name)
    sorted_names = [cluster.pods[number].full_name for number in order]
    addresses: dict[str, list[Address]] = {}
    for address, node in cluster.node_at.items():
        addresses.setdefault(node, []).append(address)

    def find(name: str) -> Members:
        if name.startswith(EXTERNAL):
            return Members(is_outside=True)
        if name.startswith(NODE):
            return Members(addresses=tuple(sorted(addresses.get(name.removeprefix(NODE), ()))))
        prefix = name.removesuffix(MANY)
        first, end = bisect_left(sorted_names, prefix), bisect_left(sorted_names, prefix + _LAST)
        return Members(pods=tuple(sorted(order[first:end])))

    return {name: find(name) for name in names}
