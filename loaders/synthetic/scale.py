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
    """

    pods: int
    policies: int
    namespaces: int
    nodes: int
    dual_stack: float = 0.15


SCALES = {
    "S": Scale(pods=1_000, policies=100, namespaces=16, nodes=20),
    "M": Scale(pods=20_000, policies=2_000, namespaces=150, nodes=320),
    "L": Scale(pods=100_000, policies=10_000, namespaces=600, nodes=1_600),
}


def scale_of(size: str | Scale) -> Scale:
    """Return the scale of a size name, S, M or L; a scale stands for itself.

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
