"""Deciding programs: what the rules of each say to every peer and port class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..kernels.rows import tell_apart
from ..kernels.walks import REQUESTS, decide
from ..model.flows import Reason
from ..model.policy import Action, Direction, PolicyRef, Position, Role, Rule
from ..model.ports import PORT_PROTOCOLS, PortSet
from ..model.profile import Profile
from ..model.requests import RequestSet
from .book import RuleBook
from .columns import Columns
from .extras import Extras, asks
from .identities import Identities
from .ports import PortClasses, names_at_peer, names_of
from .programs import Program
from .words import words

REASONS = tuple(Reason)
_REASON = {reason: number for number, reason in enumerate(REASONS)}
_TOLD = (
    Reason.RULE,
    Reason.RULE_DENIES,
    Reason.RULE_REJECTS,
    Reason.NO_RULE,
    Reason.PEER_NOT_SELECTED,
    Reason.PORT_NOT_ALLOWED,
    Reason.NAMED_PORT_UNDECLARED,
    Reason.UNKNOWN_ADDRESS,
    Reason.UNCERTAIN_RULE,
    Reason.NO_PORT,
    Reason.NO_SOURCE_PORT,
    Reason.PRIORITY_TIE,
    Reason.PROTOCOL_ALLOWED,
    Reason.PROTOCOL_DENIED,
    Reason.REQUEST_ALLOWED,
    Reason.REQUEST_NOT_ALLOWED,
    Reason.UNKNOWN_REQUEST,
)
"""Reasons in the order in which `simcore.kernels.walks` knows them."""
_ACTIONS = (Action.ALLOW, Action.DENY, Action.PASS)
_OTHER_PROTOCOLS = ("follow-peers", "allow", "deny", "judged")


class PortMasks(NamedTuple):
    """What the port sets of rules hold.

    Attributes
    ----------
    masks : uint8[masks, classes]
        NO, MAYBE, YES or ASK for every port class.
    mask_of : int32[port sets, keys]
        The mask of a port set for an end that declares what the key stands for.
    undeclared : uint8[port sets, keys]
        A bit for each protocol slot: the set has a name of that protocol which the end does not declare.
    extra_masks : uint8[masks, extra classes]
        NO, MAYBE or YES for every extra class.
    extra_of : int32[port sets, keys]
        As `mask_of`, for port sets of initiators and those that ask for ICMP types.
    extra_first : int64[slots + 1]
        Where the extra classes of each protocol slot begin.
    slots : int64[classes]
        Protocol slot of each port class.
    """

    masks: NDArray[np.uint8]
    mask_of: NDArray[np.int32]
    undeclared: NDArray[np.uint8]
    extra_masks: NDArray[np.uint8]
    extra_of: NDArray[np.int32]
    extra_first: NDArray[np.int64]
    slots: NDArray[np.int64]


class Decided(NamedTuple):
    """What a program comes to; see `simcore.kernels.walks.decide`.

    Attributes
    ----------
    codes : int64[peers, classes]
    scans, ladders : int64[..., extra classes]
    starts : int64[ladders + 1]
    rungs : int64[..., RUNG]
    """

    codes: NDArray[np.int64]
    scans: NDArray[np.int64]
    ladders: NDArray[np.int64]
    starts: NDArray[np.int64]
    rungs: NDArray[np.int64]


class Decider:
    """Walks programs for many peers and all port classes at a time.

    Attributes
    ----------
    asked : tuple of RequestSet
        What rules look at in requests, those of `asked` first.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        book: RuleBook,
        identities: Identities,
        columns: Sequence[Columns],
        classes: PortClasses,
        extras: Extras,
        profile: Profile,
        asked: Sequence[RequestSet],
    ) -> None:
        self._rules = rules
        self._columns = columns
        self._classes = classes
        self._enforced = profile.enforced
        self._words = words(256, seed=3)
        sets: dict[PortSet, int] = {}
        requests = {each: number for number, each in enumerate(asked)}
        self._book = _columns_of(rules, book, sets, requests)
        self.asked = tuple(requests)
        self._ports = _masks_of(sets, identities, classes, extras)
        self._peers_of = np.array([columns[rule.direction].number(rule.peer) for rule in rules], np.int32)
        self._by_peer = np.array([bool(names_at_peer(rule)) for rule in rules], bool)
        self._reasons = np.array([_REASON[reason] for reason in _TOLD], np.int64)
        habits = [len(REASONS), 0, _OTHER_PROTOCOLS.index(profile.other_protocols), profile.ties == "unknown"]
        self._habits = np.array(habits, np.int64)
        self._signatures = [np.empty((each.count, 2), np.uint64) for each in columns]
        self._numbers = [np.empty(each.count, np.int32) for each in columns]

    @property
    def classes(self) -> int:
        """How many port classes there are."""
        return self._classes.count

    @property
    def extras(self) -> int:
        """How many extra classes there are at most for a protocol."""
        return int(np.diff(self._ports.extra_first).max())

    def decide(
        self, program: Program, rules: NDArray[np.int64], subjects: NDArray[np.uint8]
    ) -> tuple[NDArray[np.int32], Decided]:
        """Decide a program against the peers that it tells apart.

        Parameters
        ----------
        program : Program
        rules : int64[...]
            Its rules, as numbers among those that are known here.
        subjects : uint8[...]
            MAYBE or YES: whether each binds the subject.

        Returns
        -------
        numbers : int32[columns]
            Which of these peers each column is; overwritten by the next call.
        decided : Decided
        """
        columns = self._columns[program.direction]
        while 2 * rules.size > len(self._words):
            self._words = words(2 * len(self._words), seed=3)
        by_peer = columns.in_doubt or bool(self._by_peer[rules].any())
        numbers = self._numbers[program.direction]
        firsts, states = tell_apart(
            rules,
            self._peers_of,
            columns.starts,
            columns.ends_sure,
            columns.members,
            self._words,
            columns.stamps if by_peer else columns.stamps[:0],
            self._signatures[program.direction],
            numbers,
        )
        ends = columns.keys[firsts], np.full(firsts.size, program.port_key, np.int64)
        destinations, sources = ends if program.direction is Direction.EGRESS else ends[::-1]
        self._habits[1] = _REASON[program.otherwise if self._enforced else Reason.NOT_ENFORCED]
        decided = decide(
            rules,
            self._book,
            *self._ports,
            states,
            subjects,
            program.known,
            columns.known[firsts],
            destinations,
            sources,
            self._reasons,
            self._habits,
        )
        return numbers, Decided(*decided)


def _columns_of(
    rules: Sequence[Rule], book: RuleBook, sets: dict[PortSet, int], requests: dict[RequestSet, int]
) -> NDArray[np.int32]:
    """Describe rules in the columns that the kernel knows, and number their port sets and their requests."""
    positions: dict[Position, int] = {}
    stages: dict[object, int] = {}
    policies: dict[PolicyRef, int] = {}
    ties: dict[object, int] = {}
    placed: dict[int, tuple[int, int]] = {}
    for rule in rules:
        if id(rule.tier) not in placed:
            position = book.position(rule)
            rank = positions.setdefault(position, len(positions))
            placed[id(rule.tier)] = rank, stages.setdefault(position.stage, len(stages))
    columns = [
        (
            _ACTIONS.index(rule.action),
            rule.role is Role.WRITTEN or (rule.role is Role.HABIT and rule.action is not Action.ALLOW),
            rule.rejects,
            rule.role is Role.ISOLATION,
            rule.certain,
            *placed[id(rule.tier)],
            policies.setdefault(rule.policy, len(policies)),
            -1 if rule.tie is None else ties.setdefault(rule.tie, len(ties)),
            sets.setdefault(rule.ports, len(sets)),
            -1 if rule.source_ports.is_everything else sets.setdefault(rule.source_ports, len(sets)),
            asks(rule.ports),
            -1 if rule.requests is None else requests.setdefault(rule.requests, len(requests)),
        )
        for rule in rules
    ]
    return np.array(columns, np.int32).reshape(-1, REQUESTS + 1)


def _masks_of(sets: Mapping[PortSet, int], identities: Identities, classes: PortClasses, extras: Extras) -> PortMasks:
    """Find what each port set is to every end."""
    ends = identities.declared
    mask_of, extra_of = np.zeros((2, len(sets), len(ends)), np.int32)
    undeclared = np.zeros((len(sets), len(ends)), np.uint8)
    masks: dict[bytes, int] = {}
    extra_masks: dict[bytes, int] = {}
    for ports, number in sets.items():
        names = names_of(ports)
        for key, declared in enumerate(ends if names else ends[:1]):
            mask = classes.mask(ports, declared).tobytes()
            mask_of[number, key] = masks.setdefault(mask, len(masks))
            if extras.asked:
                mask = extras.mask(ports, declared).tobytes()
                extra_of[number, key] = extra_masks.setdefault(mask, len(extra_masks))
            for name in ports.names:
                if name not in declared:
                    undeclared[number, key] |= 1 << PORT_PROTOCOLS.index(name.protocol)
        if not names:
            mask_of[number], extra_of[number] = mask_of[number, 0], extra_of[number, 0]
    return PortMasks(
        np.frombuffer(b"".join(masks), np.uint8).reshape(-1, classes.count),
        mask_of,
        undeclared,
        np.frombuffer(b"".join(extra_masks), np.uint8).reshape(-1, extras.value.size),
        extra_of,
        extras.first,
        classes.slot,
    )
