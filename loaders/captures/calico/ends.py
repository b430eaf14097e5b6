"""What Calico's records call the ends of a flow, to the words of a capture's columns of pods."""

from __future__ import annotations

from typing import Literal

from ..records.tabling import name_of

Kind = Literal["pod", "node", "set", "net", ""]
"""What an end is; empty where the record does not tell."""

_NETWORKS = {
    "pub": "public",
    "PUBLIC NETWORK": "public",
    "pvt": "private",
    "PRIVATE NETWORK": "private",
}
_NOWHERE = ("", "Global")


def end_of(kind: Kind, namespace: object, name: object) -> str | None:
    """Name an end: pods as ``namespace/name``, nodes as ``node:NAME``, what is outside as ``external:NAME``.

    A name may end in ``*``, which means all pods whose names begin so. Without `kind`, a name without namespace that
    is no network's is taken for a node's.
    """
    where, what = name_of(namespace), name_of(name)
    where = "" if where in _NOWHERE else where
    if not what:
        return None
    if not kind:
        kind = "pod" if where else "net" if what in _NETWORKS else "node"
    match kind:
        case "pod":
            return f"{where}/{what}" if where else None
        case "node":
            return f"node:{what}"
        case _:
            network = _NETWORKS.get(what, what)
            return f"external:{where}/{network}" if where else f"external:{network}"
