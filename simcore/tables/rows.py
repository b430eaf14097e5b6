"""Decision rows: for a program and a peer, the deciding rule of every port class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import CapacityError
from ..kernels.rows import number_signatures, toggle
from ..model.flows import Outcome, Reason, Verdict
from ..model.peers import Anything, PeerSet
from ..model.policy import Action, Direction, Role, Rule
from ..model.ports import PORT_PROTOCOLS
from ..model.profile import Profile
from .atoms import members_of
from .identities import Identities, Kind, Membership, distinct
from .ports import MAYBE, NO, OTHER_SLOT, YES, PortClasses
from .programs import Program
from .words import words

REASONS = tuple(Reason)
_REASON = {reason: number for number, reason in enumerate(REASONS)}
UNDEFINED_UPSTREAM = "NP-20: undefined upstream"
_UNBOUND = {Kind.POD: Reason.NOT_ISOLATED, Kind.OUTSIDE: Reason.NOT_A_POD}
_EVERYBODY = None


@dataclass(frozen=True)
class Rows:
    """All decision rows.

    Attributes
    ----------
    row_of : uint16 or uint32[...]
        The row of program p against column c is at ``starts[p] + c``.
    starts : int64[programs]
    column_of : int32[2, identities]
        For either direction, the column of an identity that is the peer: peers that no rule of the direction tells
        apart share one.
    decision : uint16 or uint32[rows, classes]
        ``outcome << 2 | verdict``.
    outcomes : list of Outcome
        What the numbers stand for; the first ones are those that the caller asked for.
    """

    row_of: NDArray[np.unsignedinteger]
    starts: NDArray[np.int64]
    column_of: NDArray[np.int32]
    decision: NDArray[np.unsignedinteger]
    outcomes: list[Outcome]


def build_rows(
    programs: Sequence[Program],
    rules: Sequence[Rule],
    identities: Identities,
    classes: PortClasses,
    profile: Profile,
    outcomes: Sequence[Outcome],
) -> Rows:
    """Decide every program against every column of peers; equal rows are held once."""
    columns = [Columns(rules, identities, direction) for direction in Direction]
    builder = _Builder(rules, identities, columns, classes, profile)
    rows: dict[bytes, int] = {}
    codes: list[NDArray[np.int64]] = []
    blocks = [np.empty((sum(p.direction is d for p in programs), columns[d].count), np.uint32) for d in Direction]
    filled = dict.fromkeys(Direction, 0)
    for program in programs:
        numbers, peers = builder.distinct_peers(program)
        decided = builder.decide(program, peers)
        places = np.empty(peers.size, np.uint32)
        for position, row in enumerate(decided):
            place = rows.setdefault(row.tobytes(), len(rows))
            if place == len(codes):
                codes.append(row)
            places[position] = place
        blocks[program.direction][filled[program.direction]] = places[numbers]
        filled[program.direction] += 1
    distinct, inverse = np.unique(np.array(codes), return_inverse=True)
    known = {outcome: number for number, outcome in enumerate(outcomes)}
    cells = np.array([_cell(builder.outcome(int(code)), known) for code in distinct], np.uint32)
    squeezed = [_squeezed(block) for block in blocks]
    starts = np.empty(len(programs), np.int64)
    first = 0
    for direction, (block, program_rows, _) in zip(Direction, squeezed, strict=True):
        here = [number for number, program in enumerate(programs) if program.direction is direction]
        starts[here] = first + program_rows * block.shape[1]
        first += block.size
    if first > np.iinfo(np.uint32).max:
        raise CapacityError(f"the programs and their peers make {first:,} pairs, more than 4 billion")
    return Rows(
        np.concatenate([block.ravel() for block, _, _ in squeezed]).astype(_width(len(codes))),
        starts,
        np.stack([squeezed[d][2][columns[d].of_identity] for d in Direction]).astype(np.int32),
        cells[inverse.reshape(len(codes), -1)].astype(_width(len(known) << 2)),
        list(known),
    )


def _width(count: int) -> type[np.unsignedinteger]:
    """Return the type that holds numbers below `count`."""
    return np.uint16 if count <= 1 << 16 else np.uint32


def _squeezed(block: NDArray[np.uint32]) -> tuple[NDArray[np.uint32], NDArray[np.int64], NDArray[np.int64]]:
    """Hold equal rows, then equal columns, of a block once; return where each row and each column went."""
    rows, first_rows = _distinct(block)
    block = np.ascontiguousarray(block[first_rows].T)
    columns, first_columns = _distinct(block)
    return np.ascontiguousarray(block[first_columns].T), rows, columns


def _distinct(block: NDArray[np.uint32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number the distinct rows of a block; return each row's number, and the first row of each number."""
    seen: dict[bytes, int] = {}
    numbers = np.array([seen.setdefault(row.tobytes(), len(seen)) for row in block], np.int64)
    return numbers, np.unique(numbers, return_index=True)[1]


def _cell(outcome: Outcome, known: dict[Outcome, int]) -> int:
    return known.setdefault(outcome, len(known)) << 2 | outcome.verdict


class Columns:
    """The peers of one direction: identities that none of its rules tells apart are one column.

    Attributes
    ----------
    count : int
    of_identity : int32[identities]
        The column of each.
    port_key : int64[count]
        What the pods of a column declare; 0 throughout where that makes no difference.
    """

    def __init__(self, rules: Sequence[Rule], identities: Identities, direction: Direction) -> None:
        self._identities = identities
        ours = [rule for rule in rules if rule.direction is direction]
        peers = {id(rule.peer): rule.peer for rule in ours}
        signatures = np.zeros((identities.count, 2), np.uint64)
        if by_name := direction is Direction.EGRESS and any(rule.ports.names for rule in ours):
            signatures[:, 0] = identities.port_key.astype(np.uint64)
        found = {key: self._found(peer) for key, peer in peers.items()}
        stirring = words(2 * len(found), seed=4)
        for place, members in enumerate(found.values()):
            if members is not _EVERYBODY:
                toggle(signatures, members.sure, *stirring[2 * place])
                toggle(signatures, members.maybe, *stirring[2 * place + 1])
        self.of_identity = np.empty(identities.count, np.int32)
        firsts = np.empty(identities.count, np.int64)
        self.count: int = number_signatures(signatures, self.of_identity, firsts)
        self.port_key = identities.port_key[firsts[: self.count]] * by_name
        self._members = {key: self._in_columns(members) for key, members in found.items()}

    def _found(self, peer: PeerSet) -> Membership | None:
        members = members_of(peer)
        if any(isinstance(member, Anything) for member in members):
            return _EVERYBODY
        parts = [self._identities.members(m) for m in members if not isinstance(m, Anything)]
        sure, maybe = self._united([part.sure for part in parts]), self._united([part.maybe for part in parts])
        return Membership(sure, np.setdiff1d(maybe, sure, assume_unique=True) if maybe.size else maybe)

    def _united(self, parts: list[NDArray[np.int64]]) -> NDArray[np.int64]:
        parts = [part for part in parts if part.size]
        if len(parts) == 1:
            return parts[0]
        return distinct(np.concatenate(parts), self._identities.count) if parts else np.empty(0, np.int64)

    def _in_columns(self, members: Membership | None) -> Membership | None:
        if members is _EVERYBODY:
            return _EVERYBODY
        sure, maybe = (distinct(self.of_identity[part], self.count) for part in (members.sure, members.maybe))
        return Membership(sure, maybe)

    def members(self, peer: PeerSet) -> Membership | None:
        """Return the columns of a rule's peers, or None for everybody."""
        return self._members[id(peer)]


class _Builder:
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
        self._declared = identities.declared
        self._columns = columns
        self._classes = classes
        self._profile = profile
        self._words = words(256, seed=3)

    def _word(self, number: int) -> NDArray[np.uint64]:
        while number >= len(self._words):
            self._words = words(2 * len(self._words), seed=3)
        return np.asarray(self._words[number])

    def _peer_uses_names(self, program: Program) -> bool:
        return program.direction is Direction.EGRESS and any(self._rules[n].ports.names for n in program.rules)

    def distinct_peers(self, program: Program) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Number the peers that the program tells apart; return each column's number, and one column of each."""
        columns = self._columns[program.direction]
        signatures = np.zeros((columns.count, 2), np.uint64)
        if self._peer_uses_names(program):
            signatures[:, 0] = columns.port_key.astype(np.uint64)
        for place, number in enumerate(program.rules):
            members = columns.members(self._rules[number].peer)
            if members is not _EVERYBODY:
                for part, word in (
                    (members.sure, self._word(2 * place)),
                    (members.maybe, self._word(2 * place + 1)),
                ):
                    if part.size:
                        toggle(signatures, part, word[0], word[1])
        numbers = np.empty(columns.count, np.int32)
        firsts = np.empty(columns.count, np.int64)
        found = number_signatures(signatures, numbers, firsts)
        return numbers, firsts[:found]

    def _peer_states(self, rule: Rule, peers: NDArray[np.int64]) -> NDArray[np.uint8]:
        members = self._columns[rule.direction].members(rule.peer)
        if members is _EVERYBODY:
            return np.full(peers.size, YES, np.uint8)
        states = np.full(peers.size, NO, np.uint8)
        states[_contains(members.maybe, peers)] = MAYBE
        states[_contains(members.sure, peers)] = YES
        return states

    def _port_states(self, program: Program, rule: Rule, peer_keys: NDArray[np.int64]) -> NDArray[np.uint8]:
        declared = self._declared
        if not rule.ports.names or program.direction is Direction.INGRESS:
            return self._classes.mask(rule.ports, declared[program.port_key])[np.newaxis, :]
        return np.stack([self._classes.mask(rule.ports, declared[key]) for key in peer_keys])

    def decide(self, program: Program, peers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Decide a program against some peers.

        Returns
        -------
        int64[peers, classes]
            Codes of outcomes, see `outcome`.
        """
        shape = (peers.size, self._classes.count)
        peer_keys = self._columns[program.direction].port_key[peers]
        decided = np.full(shape, -1, np.int64)
        doubts = {action: np.full(shape, -1, np.int64) for action in (Action.ALLOW, Action.DENY)}
        doubt_reasons = {action: np.zeros(shape, np.int64) for action in doubts}
        peer_states = []
        for place, number in enumerate(program.rules):
            rule = self._rules[number]
            peer = self._peer_states(rule, peers)
            peer_states.append(peer)
            peer = peer[:, np.newaxis]
            ports = self._port_states(program, rule, peer_keys)
            possible = (peer != NO) & (ports != NO) & (decided < 0)
            sure = possible & (peer == YES) & (ports == YES) & rule.certain
            doubtful = possible & ~sure & (doubts[rule.action] < 0)
            decided[sure] = place
            doubts[rule.action][doubtful] = place
            doubt_reasons[rule.action][doubtful] = np.broadcast_to(_doubt(rule, peer), shape)[doubtful]
        return self._codes(program, decided, doubts, doubt_reasons, peer_states, peer_keys)

    def _codes(
        self,
        program: Program,
        decided: NDArray[np.int64],
        doubts: dict[Action, NDArray[np.int64]],
        doubt_reasons: dict[Action, NDArray[np.int64]],
        peer_states: list[NDArray[np.uint8]],
        peer_keys: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        unbound = _UNBOUND.get(program.kind, Reason.NODE)
        rule = np.full(decided.shape, -1, np.int64)
        reason = np.full(decided.shape, _REASON[unbound], np.int64)
        verdict = np.full(decided.shape, Verdict.ALLOW, np.int64)
        isolations = [place for place, n in enumerate(program.rules) if self._rules[n].role is Role.ISOLATION]
        for place, number in enumerate(program.rules):
            here = decided == place
            if here.any():
                rule[here] = number
                verdict[here], why = self._decided_by(program, place, peer_states, peer_keys)
                reason[here] = np.broadcast_to(why, decided.shape)[here]
        other = self._classes.slot == OTHER_SLOT
        if isolations and self._profile.other_protocols != "follow-peers":
            allowed = self._profile.other_protocols == "allow"
            rule[:, other] = -1 if allowed else program.rules[isolations[0]]
            verdict[:, other] = Verdict.ALLOW if allowed else Verdict.DENY
            reason[:, other] = _REASON[Reason.PROTOCOL_ALLOWED if allowed else Reason.PROTOCOL_DENIED]
            for action in doubts:
                doubts[action][:, other] = -1
        for action, against in ((Action.DENY, Verdict.ALLOW), (Action.ALLOW, Verdict.DENY)):
            doubtful = (verdict == against) & (doubts[action] >= 0)
            numbers = np.array(program.rules, np.int64)
            rule[doubtful] = numbers[doubts[action][doubtful]]
            reason[doubtful] = doubt_reasons[action][doubtful]
            verdict[doubtful] = Verdict.UNKNOWN
        undefined = np.broadcast_to(other & bool(isolations), decided.shape)
        codes: NDArray[np.int64] = ((rule + 1) * len(REASONS) + reason) * 8 + verdict * 2 + undefined
        return codes

    def _decided_by(
        self, program: Program, place: int, peer_states: list[NDArray[np.uint8]], peer_keys: NDArray[np.int64]
    ) -> tuple[Verdict, NDArray[np.int64]]:
        """Return the verdict of a deciding rule, and the reason for each peer and class."""
        rule = self._rules[program.rules[place]]
        if rule.action is Action.ALLOW:
            return Verdict.ALLOW, np.full((1, 1), _REASON[Reason.RULE])
        if rule.role is Role.WRITTEN:
            return Verdict.DENY, np.full((1, 1), _REASON[Reason.RULE_DENIES])
        allowing = [
            (self._rules[n], peer_states[p])
            for p, n in enumerate(program.rules)
            if self._rules[n].tier == rule.tier
            and self._rules[n].action is Action.ALLOW
            and self._rules[n].role is Role.WRITTEN
        ]
        if not allowing:
            return Verdict.DENY, np.full((1, 1), _REASON[Reason.NO_RULE])
        selected = np.zeros(peer_keys.size, bool)
        undeclared = np.zeros((peer_keys.size, OTHER_SLOT + 1), bool)
        for allow, states in allowing:
            selected |= states != NO
            for name in allow.ports.names:
                slot = PORT_PROTOCOLS.index(name.protocol)
                missing = np.array(
                    [name not in self._declared[self._destination_key(program, key)] for key in peer_keys]
                )
                undeclared[:, slot] |= (states != NO) & missing
        why = np.where(
            undeclared[:, self._classes.slot],
            _REASON[Reason.NAMED_PORT_UNDECLARED],
            _REASON[Reason.PORT_NOT_ALLOWED],
        )
        return Verdict.DENY, np.where(selected[:, np.newaxis], why, _REASON[Reason.PEER_NOT_SELECTED])

    def _destination_key(self, program: Program, peer_key: int) -> int:
        return program.port_key if program.direction is Direction.INGRESS else peer_key

    def outcome(self, code: int) -> Outcome:
        """Turn a code back into what it stands for."""
        rest, tail = divmod(code, 8)
        number, reason = divmod(rest, len(REASONS))
        rule = self._rules[number - 1] if number else None
        return Outcome(Verdict(tail // 2), REASONS[reason], rule, UNDEFINED_UPSTREAM if tail % 2 else "")


def _doubt(rule: Rule, peer: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Why a rule only may match, for each peer."""
    if not rule.certain:
        return np.full(peer.shape, _REASON[Reason.UNCERTAIN_RULE])
    return np.where(peer == MAYBE, _REASON[Reason.UNKNOWN_ADDRESS], _REASON[Reason.NO_PORT])


def _contains(sorted_numbers: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.bool_]:
    if not sorted_numbers.size:
        return np.zeros(wanted.size, bool)
    places = np.minimum(np.searchsorted(sorted_numbers, wanted), sorted_numbers.size - 1)
    return np.asarray(sorted_numbers[places] == wanted)
