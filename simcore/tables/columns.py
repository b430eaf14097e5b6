"""Columns: peers that no rule of a direction tells apart count as one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..model.peers import PeerSet
from ..model.policy import Direction, Rule
from .identities import Identities
from .members import Members, Partition
from .ports import names_at_peer

EVERYBODY = -1
"""Stands for a peer set that holds everyone."""


class Columns:
    """The columns of one direction, and which of them each peer set holds.

    Attributes
    ----------
    count : int
    of_identity : int32[identities]
        The column of each.
    firsts : int64[count]
        The first identity of each column.
    keys : int64[count]
        What the pods of a column declare; 0 throughout where that makes no difference.
    known : bool[count]
        Whether their address is known; False throughout where no peer set may hold an end whose address is.
    in_doubt : bool
        Whether one may.
    stamps : int64[count]
        Both `keys` and `known`.
    starts, ends_sure : int64[sets + 1], int64[sets]
        Set s holds the columns from ``starts[s]`` to ``starts[s + 1]`` of `members`; up to ``ends_sure[s]`` for sure.
    members : int32[...]
        Columns of the peer sets.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        members: Members,
        identities: Identities,
        direction: Direction,
        told_apart: NDArray[np.int32],
    ) -> None:
        """Tell apart as columns what `rules` tell apart, and identities whose numbers in `told_apart` differ."""
        ours = [rule for rule in rules if rule.direction is direction]
        distinct: dict[tuple[int, ...], PeerSet] = {}
        keys = {id(rule.peer): (members.atoms_of(rule.peer), rule.peer) for rule in ours}
        for key, peer in keys.values():
            if key is not None:
                distinct.setdefault(key, peer)
        signatures = np.stack([np.zeros_like(told_apart), told_apart], axis=1).astype(np.uint64)
        sets = members.sets(list(distinct.values()))
        by_name = any([bool(names_at_peer(rule)) for rule in ours])
        known = (identities.firsts.family > 0) & sets.in_doubt
        signatures[:, 0] = (identities.port_key * by_name) << 1 | known
        found = Partition(sets, signatures)
        self.count, self.of_identity = found.count, found.of_identity
        self.firsts = found.firsts
        self.keys = identities.port_key[found.firsts] * by_name
        self.known, self.in_doubt = known[found.firsts], sets.in_doubt
        self.stamps = self.keys << 1 | self.known
        self.starts, self.ends_sure, self.members = found.starts, found.ends_sure, found.members
        numbers = {key: number for number, key in enumerate(distinct)}
        self._numbers = {peer: EVERYBODY if key is None else numbers[key] for peer, (key, _) in keys.items()}

    def number(self, peer: PeerSet) -> int:
        """Return the number of a rule's peer set, or EVERYBODY."""
        return self._numbers[id(peer)]
