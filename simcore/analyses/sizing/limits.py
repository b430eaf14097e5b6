"""Limits: the maximum and the buckets that tables have, should have, and what they cost (C-7, C-8)."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from ...model.cluster import Node
from ...model.conntrack import (
    BUCKET_BYTES,
    ENTRY_BYTES,
    EXTENSION_BYTES,
    FULL_PAGE_BUCKETS,
    Cilium,
    default_buckets,
    kube_proxy,
    rounded_buckets,
)

CHAIN = 4
"""Entries a bucket at most, as kube-proxy has it; each is linked twice."""
MOST_MAP_ENTRIES = 1 << 24
FEWEST_MAP_ENTRIES = 1024
FULL_MAP = 0.7
"""How full an LRU map may be: it evicts before it is."""
DEFAULT_RATIO = 0.0025
_BASELINE = 149_422_080
_MAP_ENTRY_BYTES, _MAP_BUCKET_BYTES = 120, 16
_FEWEST_DYNAMIC = {"tcp": 131_072, "any": 65_536}
MAPS = ("tcp", "any")
"""Cilium's two tables of a node: TCP, and all the rest."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A table's size.

    Attributes
    ----------
    entries : int
        Most entries; 0 is no limit.
    buckets : int
        Of the hash table.
    memory : int
        Bytes that it takes when full.
    """

    entries: int
    buckets: int
    memory: int


def kernel_limit(entries: int, buckets: int, entry_bytes: int) -> Limit:
    """Return the size of a kernel's table, and the memory it takes."""
    return Limit(entries, buckets, entries * entry_bytes + buckets * BUCKET_BYTES)


def entry_bytes(has_nat: bool) -> int:
    """Return what an entry takes: more where the node has NAT rules (C-7)."""
    return ENTRY_BYTES + (EXTENSION_BYTES if has_nat else 0)


def linux_limits(node: Node | None) -> tuple[int, int]:
    """Return the maximum and the buckets that a kernel chooses for a node's memory (C-7)."""
    buckets = default_buckets(node.memory or None if node else None)
    return buckets, buckets


def kube_proxy_limits(node: Node | None) -> tuple[int, int]:
    """Return what kube-proxy sets on a node with so many CPUs (C-8); four where they are not known."""
    settings = kube_proxy(node.cpus or 4 if node else 4, (node.memory or None) if node else None)
    return settings.nf_conntrack_max, settings.nf_conntrack_buckets


def map_limits(settings: Cilium, node: Node | None, ratio: float = DEFAULT_RATIO) -> tuple[int, int]:
    """Return the entries of both of Cilium's maps: sized by the node's memory, where that is known.

    An option that is set to other than its default stands.
    """
    fixed = (settings.bpf_ct_global_tcp_max, settings.bpf_ct_global_any_max)
    given = (Cilium().bpf_ct_global_tcp_max, Cilium().bpf_ct_global_any_max)
    if node is None or not node.memory:
        return fixed
    dynamic = [
        min(max(int(default * node.memory * ratio / _BASELINE), _FEWEST_DYNAMIC[name]), MOST_MAP_ENTRIES)
        for name, default in zip(MAPS, given, strict=True)
    ]
    tcp, other = (own if own != default else found for own, default, found in zip(fixed, given, dynamic, strict=True))
    return tcp, other


def recommended(bound: float, zombies: float, headroom: float, buckets: int, entry_size: int) -> Limit:
    """Recommend a kernel's maximum and buckets.

    Parameters
    ----------
    bound : float
        Most entries that may be allocated.
    zombies : float
        How many of them have expired: more buckets may keep so many more.
    headroom : float
        Share to add.
    buckets : int
        Those there are. They are kept unless chains would be longer than kube-proxy lets them be.
    """
    entries = _rounded(bound * (1 + headroom))
    if entries > CHAIN * buckets:
        entries = _rounded((bound + zombies * (entries / CHAIN / buckets - 1)) * (1 + headroom))
        buckets = rounded_buckets(-(-entries // CHAIN))
    return kernel_limit(entries, buckets, entry_size)


def _rounded(entries: float) -> int:
    """Round up so that a quarter of it is a number of buckets that a kernel leaves as it is."""
    step = CHAIN * FULL_PAGE_BUCKETS
    return max(ceil(entries / step), 1) * step


def recommended_map(bound: float, headroom: float) -> Limit:
    """Recommend the entries of one of Cilium's maps; at most what it can be set to."""
    entries = min(max(ceil(bound * (1 + headroom) / FULL_MAP), FEWEST_MAP_ENTRIES), MOST_MAP_ENTRIES)
    return map_limit(entries)


def map_limit(entries: int) -> Limit:
    """Return the size of one of Cilium's maps; all of its memory is taken at once."""
    buckets = 1 << (max(entries, 1) - 1).bit_length()
    return Limit(entries, buckets, entries * _MAP_ENTRY_BYTES + buckets * _MAP_BUCKET_BYTES)
