"""Nodes as ends: at their own addresses, as pods of other nodes meet them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from ...model.addresses import Address
from ...model.flows import Verdict
from ...model.policy import Direction
from ...tables.layout import Tables
from .matrix import NODE, Kinds, Matrix, Member
from .results import NodeEnd


@dataclass(frozen=True, slots=True)
class NodeKind:
    """A node, its addresses in order, and what tables see of it at each."""

    name: str
    addresses: tuple[Address, ...]
    members: tuple[Member, ...]
    kind: int


def find_nodes(tables: Tables, kinds: Kinds) -> list[NodeKind]:
    """List the nodes with addresses of their own, by name, and enter their kinds."""
    assert tables.kept is not None
    identity_of = tables.kept.ground.identities.of_node
    cluster = tables.cluster
    addresses: dict[str, list[Address]] = {}
    for address, name in cluster.node_at.items():
        if (address, name) in identity_of and address not in cluster.pods_at:
            addresses.setdefault(name, []).append(address)
    found = []
    for name, own in sorted(addresses.items()):
        members = tuple(sorted({(int(each.family), identity_of[each, name]) for each in own}))
        found.append(NodeKind(name, tuple(sorted(own)), members, kinds.add(members, NODE)))
    return found


def node_ends(nodes: Sequence[NodeKind], classes: Sequence[Hashable]) -> list[tuple[NodeEnd, int]]:
    """Put nodes together that no rule tells apart; return ends, and the kind of each."""
    groups: dict[Hashable, list[NodeKind]] = {}
    for node in nodes:
        groups.setdefault(classes[node.kind], []).append(node)
    return [
        (NodeEnd(tuple(one.name for one in some), tuple(one.addresses for one in some)), some[0].kind)
        for some in groups.values()
    ]


def binds(tables: Tables, number: int, nodes: Sequence[NodeKind], found: Matrix) -> bool:
    """Whether policies say anything about what nodes do by themselves."""
    arrays = tables.arrays
    for identity in {identity for node in nodes for _, identity in node.members}:
        for direction in Direction:
            start = int(arrays.program_of[2 * number + direction, identity])
            places = start + arrays.column_of[direction].astype(np.int64)
            if (found.meeting.verdicts(direction, places) != Verdict.ALLOW).any():
                return True
    return False
