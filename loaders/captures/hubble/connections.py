"""Connections while they are being put together, and the rows that they become."""

from __future__ import annotations

from typing import NamedTuple

from simcore.model.ports import TCP
from simcore.model.schema import CONNECTION, MID_STREAM

from .event import FIN, RST, SYN, Event, Key, Kind
from .requests import NO_DETAILS, Details

SECOND = 1_000_000_000
CLOSED = 10 * SECOND
SHORT = 70 * SECOND
"""Cilium forgets what is not TCP, and TCP that got no answer, after a minute; SYNs are at most half a minute apart."""
LONG = 8_000 * SECOND
"""Cilium's timeout of TCP."""
BOTH_WAYS = 3


class Row(NamedTuple):
    """A row to write; see FLOW_SCHEMA. `order` tells rows of one time apart."""

    time: int
    order: int
    end_time: int
    key: Key
    flags: int
    source: int
    destination: int
    node: str
    verdicts: tuple[str | None, str | None]
    reasons: tuple[str | None, str | None]
    policies: tuple[str | None, str | None]
    record: str
    details: Details


class Connection:
    """What is known so far of a connection that is not written yet."""

    __slots__ = (
        "closing",
        "destination",
        "first",
        "flags",
        "is_answered",
        "is_opened",
        "key",
        "last",
        "node",
        "order",
        "policies",
        "reasons",
        "source",
        "times",
        "verdicts",
    )

    def __init__(self, event: Event, order: int, is_opened: bool) -> None:
        self.key = event.key
        self.order = order
        self.first = self.last = event.time
        self.flags = 0
        self.closing = 0
        self.is_opened = is_opened
        self.is_answered = False
        self.source, self.destination = event.source, event.destination
        self.node = event.node
        self.verdicts: list[str | None] = [None, None]
        self.reasons: list[str | None] = [None, None]
        self.policies: list[str | None] = [None, None]
        self.times = [0, 0]

    def is_over(self, time: int) -> bool:
        """Whether an event of this time is of another connection."""
        quiet = time - self.last
        if quiet <= CLOSED:
            return False
        if self.closing == BOTH_WAYS:
            return True
        return quiet > (LONG if self.is_answered and self.key[2] == TCP else SHORT)

    def see(self, event: Event) -> None:
        """Take up when a packet was seen, and its flags."""
        self.first = min(self.first, event.time)
        self.last = max(self.last, event.time)
        flags = event.flags
        self.flags |= flags
        if event.is_reply:
            self.is_answered = True
            if flags & FIN:
                self.closing |= 2
        else:
            self.is_answered |= bool(flags & ~SYN) or (event.kind is Kind.TRACE and not event.opens)
            if flags & FIN:
                self.closing |= 1
        if flags & RST:
            self.closing = BOTH_WAYS

    def judge(self, event: Event) -> None:
        """Take up a side's verdict; the first of a side stands."""
        side = event.side
        if self.verdicts[side] is None:
            self.verdicts[side] = event.verdict
            self.times[side] = event.time
        self.reasons[side] = self.reasons[side] or event.reason
        self.policies[side] = self.policies[side] or event.policies

    def row(self) -> Row:
        """Return it as it is to be written."""
        return Row(
            self.first,
            self.order,
            self.last,
            self.key,
            self.flags,
            self.source,
            self.destination,
            self.node,
            (self.verdicts[0], self.verdicts[1]),
            (self.reasons[0], self.reasons[1]),
            (self.policies[0], self.policies[1]),
            CONNECTION if self.is_opened else MID_STREAM,
            NO_DETAILS,
        )
