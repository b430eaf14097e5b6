"""Deciding programs: what the rules of each say to every peer and port class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..kernels.rows import decide, tell_apart
from ..model.flows import Reason
from ..model.policy import Action, Direction, Role, Rule
from ..model.ports import PORT_PROTOCOLS, PortSet
from ..model.profile import Profile
from .columns import Columns
from .ends import Kind
from .identities import Identities
from .ports import OTHER_SLOT, PortClasses
from .programs import Program
from .words import words

REASONS = tuple(Reason)
_REASON = {reason: number for number, reason in enumerate(REASONS)}
_UNBOUND = {Kind.POD: Reason.NOT_ISOLATED, Kind.OUTSIDE: Reason.NOT_A_POD}
_TOLD = (
    Reason.RULE,
    Reason.RULE_DENIES,
    Reason.NO_RULE,
    Reason.PEER_NOT_SELECTED,
    Reason.PORT_NOT_ALLOWED,
    Reason.NAMED_PORT_UNDECLARED,
    Reason.UNKNOWN_ADDRESS,
    Reason.UNCERTAIN_RULE,
    Reason.NO_PORT,
    Reason.PROTOCOL_ALLOWED,
    Reason.PROTOCOL_DENIED,
)
"""Reasons in the order in which `simcore.kernels.rows` knows them."""
_OTHER_PROTOCOLS = ("follow-peers", "allow", "deny")


class Decider:
    """Walks programs for many peers and all port classes at a time."""

    def __init__(
        self,
        rules: Sequence[Rule],
        identities: Identities,
        columns: Sequence[Columns],
        classes: PortClasses,
        profile: Profile,
    ) -> None:
        self._rules = rules
        self._columns = columns
        self._classes = classes
        self._enforced = profile.enforced
        self._words = words(256, seed=3)
        self._action = np.array([rule.action is Action.DENY for rule in rules], np.uint8)
        self._isolates = np.array([rule.role is Role.ISOLATION for rule in rules], bool)
        self._certain = np.array([rule.certain for rule in rules], bool)
        self._tier = np.zeros(len(rules), np.int32)
        self._peers_of = np.array([columns[rule.direction].number(rule.peer) for rule in rules], np.int32)
        self._read_ports(identities)
        self._habits = np.zeros(len(_TOLD) + 4, np.int64)
        self._habits[: len(_TOLD)] = [_REASON[reason] for reason in _TOLD]
        self._habits[-4], self._habits[-1] = len(REASONS), OTHER_SLOT
        self._habits[-2] = _OTHER_PROTOCOLS.index(profile.other_protocols)
        self._signatures = [np.empty((each.count, 2), np.uint64) for each in columns]
        self._numbers = [np.empty(each.count, np.int32) for each in columns]

    def _read_ports(self, identities: Identities) -> None:
        """Number the port sets of rules, and find what each is to every destination."""
        sets: dict[PortSet, int] = {}
        self._ports_of = np.array([sets.setdefault(rule.ports, len(sets)) for rule in self._rules], np.int32)
        destinations = identities.declared
        self._mask_of = np.empty((len(sets), len(destinations)), np.int32)
        self._undeclared = np.zeros((len(sets), len(destinations)), np.uint8)
        masks: dict[bytes, int] = {}
        for ports, number in sets.items():
            for key, declared in enumerate(destinations if ports.names else destinations[:1]):
                mask = self._classes.mask(ports, declared)
                self._mask_of[number, key] = masks.setdefault(mask.tobytes(), len(masks))
                for name in ports.names:
                    if name not in declared:
                        self._undeclared[number, key] |= 1 << PORT_PROTOCOLS.index(name.protocol)
            if not ports.names:
                self._mask_of[number] = self._mask_of[number, 0]
        self._masks = np.frombuffer(b"".join(masks), np.uint8).reshape(-1, self._classes.count)
        self._names = np.zeros(len(self._rules), bool)
        self._names[:] = [bool(rule.ports.names) for rule in self._rules]

    @property
    def classes(self) -> int:
        """How many port classes there are."""
        return self._classes.count

    def decide(self, program: Program, rules: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Decide a program against the peers that it tells apart.

        Parameters
        ----------
        program : Program
        rules : int64[...]
            Its rules, as numbers among those that are known here.

        Returns
        -------
        numbers : int32[columns]
            Which of these peers each column is; overwritten by the next call.
        codes : int64[peers, classes]
            ``((rule + 1) * len(REASONS) + reason) * 8 + verdict * 2 + undefined``; rule -1 where none decides.
        """
        columns = self._columns[program.direction]
        while 2 * rules.size > len(self._words):
            self._words = words(2 * len(self._words), seed=3)
        by_peer = program.direction is Direction.EGRESS and bool(self._names[rules].any())
        numbers = self._numbers[program.direction]
        firsts, states = tell_apart(
            rules,
            self._peers_of,
            columns.starts,
            columns.ends_sure,
            columns.members,
            self._words,
            columns.keys if by_peer else columns.keys[:0],
            self._signatures[program.direction],
            numbers,
        )
        by_destination = columns.keys[firsts]
        if program.direction is Direction.INGRESS:
            by_destination = np.full(firsts.size, program.port_key, np.int64)
        unbound = _UNBOUND.get(program.kind, Reason.NODE) if self._enforced else Reason.NOT_ENFORCED
        self._habits[-3] = _REASON[unbound]
        codes = decide(
            rules,
            self._action,
            self._isolates,
            self._certain,
            self._tier,
            self._ports_of,
            states,
            by_destination,
            self._masks,
            self._mask_of,
            self._undeclared,
            self._classes.slot,
            self._habits,
        )
        return numbers, codes
