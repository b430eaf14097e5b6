"""Columns: peers that no rule of a direction tells apart count as one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..kernels.rows import number_signatures, toggle
from ..model.peers import Anything, PeerSet
from ..model.policy import Direction, Rule
from .atoms import members_of
from .identities import Identities, Membership, distinct
from .words import words

EVERYBODY = -1
"""Stands for a peer set that holds everyone."""


class Columns:
    """The columns of one direction, and which of them each peer set holds.

    Attributes
    ----------
    count : int
    of_identity : int32[identities]
        The column of each.
    keys : int64[count]
        What the pods of a column declare; 0 throughout where that makes no difference.
    starts, ends_sure : int64[sets + 1], int64[sets]
        Set s holds the columns from ``starts[s]`` to ``starts[s + 1]`` of `members`; up to ``ends_sure[s]`` for sure.
    members : int32[...]
        Columns of the peer sets.
    """

    def __init__(self, rules: Sequence[Rule], identities: Identities, direction: Direction) -> None:
        self._identities = identities
        ours = [rule for rule in rules if rule.direction is direction]
        found = {id(rule.peer): self._found(rule.peer) for rule in ours}
        held = [members for members in found.values() if members is not None]
        signatures = np.zeros((identities.count, 2), np.uint64)
        if by_name := direction is Direction.EGRESS and any(rule.ports.names for rule in ours):
            signatures[:, 0] = identities.port_key.astype(np.uint64)
        stirring = words(2 * len(held), seed=4)
        for place, members in enumerate(held):
            toggle(signatures, members.sure, *stirring[2 * place])
            toggle(signatures, members.maybe, *stirring[2 * place + 1])
        self.of_identity = np.empty(identities.count, np.int32)
        firsts = np.empty(identities.count, np.int64)
        self.count: int = number_signatures(signatures, self.of_identity, firsts)
        self.keys = identities.port_key[firsts[: self.count]] * by_name
        parts = [self._columns_of(part) for members in held for part in (members.sure, members.maybe)]
        bounds = np.cumsum([0, *(part.size for part in parts)])
        self.starts, self.ends_sure = bounds[::2], bounds[1::2]
        self.members = np.concatenate([np.empty(0, np.int32), *parts], dtype=np.int32)
        numbers = {key: number for number, key in enumerate(key for key, members in found.items() if members)}
        self._numbers = {key: numbers.get(key, EVERYBODY) for key in found}

    def _found(self, peer: PeerSet) -> Membership | None:
        """Return the identities of a peer set; None for everybody."""
        members = members_of(peer)
        if any(isinstance(member, Anything) for member in members):
            return None
        parts = [self._identities.members(m) for m in members if not isinstance(m, Anything)]
        sure, maybe = self._united([part.sure for part in parts]), self._united([part.maybe for part in parts])
        return Membership(sure, np.setdiff1d(maybe, sure, assume_unique=True) if maybe.size else maybe)

    def _united(self, parts: list[NDArray[np.int64]]) -> NDArray[np.int64]:
        parts = [part for part in parts if part.size]
        if len(parts) == 1:
            return parts[0]
        return distinct(np.concatenate(parts), self._identities.count) if parts else np.empty(0, np.int64)

    def _columns_of(self, identities: NDArray[np.int64]) -> NDArray[np.int64]:
        return distinct(self.of_identity[identities], self.count)

    def number(self, peer: PeerSet) -> int:
        """Return the number of a rule's peer set, or EVERYBODY."""
        return self._numbers[id(peer)]
