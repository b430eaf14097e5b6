"""How large a made-up cluster is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """The size of a made-up cluster; the counts are met closely, not exactly.

    Attributes
    ----------
    pods, policies, namespaces, nodes : int
        How many of each.
    dual_stack : float
        Share of the application workloads whose pods have an IPv6 address too.
    blocks : int
        How many distinct CIDR blocks egress lists name, beside the few that all sizes have.
    block_ports : int
        How many distinct ports those lists name; 0 for a few dozen well-known ones.
    """

    pods: int
    policies: int
    namespaces: int
    nodes: int
    dual_stack: float = 0.15
    blocks: int = 0
    block_ports: int = 0


SCALES = {
    "S": Scale(pods=1_000, policies=100, namespaces=16, nodes=20),
    "M": Scale(pods=20_000, policies=2_000, namespaces=150, nodes=320),
    "L": Scale(pods=100_000, policies=10_000, namespaces=600, nodes=1_600),
    "XL": Scale(pods=100_000, policies=10_000, namespaces=1_000, nodes=1_600, blocks=20_000),
}


def scale_of(size: str | Scale) -> Scale:
    """Return the scale of a size name, S, M, L or XL; a scale stands for itself.

    Raises
    ------
    ValueError
        There is no such size.
    """
    if isinstance(size, Scale):
        return size
    if size not in SCALES:
        raise ValueError(f"there is no size {size!r}; take {', '.join(SCALES)}")
    return SCALES[size]
