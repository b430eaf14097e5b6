"""Events to connections: both sides' verdicts, what was told twice, and what came later, brought together.

An event belongs to the connection of its five-tuple, as long as Cilium would remember that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from simcore.model.schema import ANSWER, REQUEST

from . import counts as fates
from .connections import BOTH_WAYS, SECOND, Connection, Row
from .counts import EventCounts
from .event import Event, Key, Kind, looks_like_reply

SKEW = 5 * SECOND
"""How far the clocks of nodes may be apart."""
REPEAT = SECOND
"""Verdicts of one side closer than this are of one connection."""
MOST_OPEN = 300_000
"""Connections held at a time; the ones quiet for longest are written when there are more."""
_MOST_WRITTEN = 1_000_000
_LEAST_SWEPT = 50_000


def _reverse(key: Key) -> Key:
    source, destination, protocol, port, other_port = key
    return (destination, source, protocol, other_port, port)


class Joiner:
    """Turns events, in order of time, into rows.

    Parameters
    ----------
    counts : EventCounts
        Takes up what became of each event.
    """

    def __init__(self, counts: EventCounts) -> None:
        self._counts = counts
        self._open: dict[Key, Connection] = {}
        self._written: set[int] = set()
        self._written_before: set[int] = set()
        self._rows: list[Row] = []
        self._order = 0
        self._until_sweep = _LEAST_SWEPT

    def rows(self, events: Iterable[Event]) -> Iterator[Row]:
        """Yield rows as they are done; all that is left comes last."""
        for event in events:
            self._counts.fates[self._take(event)] += 1
            self._until_sweep -= 1
            if not self._until_sweep:
                self._sweep(event.time)
            if self._rows:
                yield from self._rows
                self._rows.clear()
        for connection in self._open.values():
            self._write(connection.row())
        self._open.clear()
        yield from self._rows
        self._rows.clear()

    def _take(self, event: Event) -> str:
        """Take up an event; return what became of it."""
        kind = event.kind
        if kind >= Kind.REQUEST:
            return self._take_layer7(event)
        connection = self._find(event.key, event.time)
        if kind is Kind.TRACE:
            return self._take_trace(event, connection)
        if event.verdict in ("dropped", "error"):
            return self._take_denial(event, connection)
        return self._take_allowance(event, connection)

    def _find(self, key: Key, time: int) -> Connection | None:
        """Return the connection of a five-tuple, if it is not over."""
        connection = self._open.get(key)
        if connection is not None and connection.is_over(time):
            self._end(connection)
            return None
        return connection

    def _start(self, event: Event, *, is_opened: bool, judged: bool = True) -> str:
        """Start a connection with its first event, in place of what had its five-tuple before."""
        before = self._open.get(event.key)
        if before is not None:
            self._end(before)
        connection = Connection(event, self._order, is_opened)
        self._order += 1
        self._open[event.key] = connection
        connection.see(event)
        if judged:
            connection.judge(event)
        return fates.OPENED if is_opened else fates.STARTED

    def _take_allowance(self, event: Event, connection: Connection | None) -> str:
        """Take up a verdict that lets a packet pass: only packets without entry in the connection table are judged."""
        if connection is None:
            if not event.opens and (other := self._find(_reverse(event.key), event.time)) is not None:
                other.last = max(other.last, event.time)
                return fates.REPLIES
            return self._start(event, is_opened=event.opens)
        before = connection.verdicts[event.side]
        if before is None:
            is_same = event.time - connection.first <= SKEW or not connection.is_answered
        else:
            is_same = before not in ("dropped", "error") and event.time - connection.times[event.side] <= REPEAT
        if not is_same:
            return self._start(event, is_opened=event.opens)
        connection.is_opened |= event.opens
        connection.see(event)
        connection.judge(event)
        return fates.OTHER_SIDE if before is None else fates.AGAIN

    def _take_denial(self, event: Event, connection: Connection | None) -> str:
        """Take up a verdict that lets no packet pass: every packet is judged, and dropped."""
        is_policy = event.verdict == "dropped"
        if event.kind is Kind.DROP and not is_policy:
            self._counts.drops[event.reason or ""] += 1
        if connection is None:
            return self._take_first_denial(event)
        before = connection.verdicts[event.side]
        if is_policy and before not in (None, "dropped", "error"):
            return self._start(event, is_opened=event.opens)
        connection.see(event)
        if is_policy and before == "error":
            connection.verdicts[event.side] = connection.reasons[event.side] = None
        connection.judge(event)
        if event.kind is Kind.DROP and not is_policy:
            return fates.NOT_POLICY
        return fates.OTHER_SIDE if before is None else fates.AGAIN

    def _take_first_denial(self, event: Event) -> str:
        """Take up a denial without connection: an attempt, or a reply whose connection was forgotten."""
        reverse = event.key if event.is_reply else _reverse(event.key)
        known = self._find(reverse, event.time)
        if event.is_reply or (known is not None and not event.opens) or looks_like_reply(event):
            if known is not None:
                known.last = max(known.last, event.time)
            elif event.verdict == "dropped" and not self._is_written(reverse):
                self._start_turned(event, reverse)
            return fates.DROPPED_REPLIES
        if event.kind is Kind.DROP and event.verdict == "error":
            if event.opens:
                self._start(event, is_opened=True)
            return fates.NOT_POLICY
        return self._start(event, is_opened=event.opens)

    def _start_turned(self, event: Event, key: Key) -> None:
        """Start the connection that a lost reply belongs to."""
        if not event.is_reply:
            event.source, event.destination = event.destination, event.source
        event.key, event.is_reply = key, True
        self._start(event, is_opened=False, judged=False)

    def _take_trace(self, event: Event, connection: Connection | None) -> str:
        if connection is None and event.is_reply is None:
            connection = self._find(_reverse(event.key), event.time)
            if connection is not None:
                connection.last = max(connection.last, event.time)
                return fates.REPLIES
        if connection is not None and event.opens and not event.is_reply and self._is_anew(event, connection):
            connection = None
            if not event.is_behind:
                return fates.BEFORE_POLICY
        if connection is not None:
            connection.is_opened |= event.opens
            connection.see(event)
            return fates.REPLIES if event.is_reply else fates.LATER
        if self._is_written(event.key) and not event.opens:
            return fates.REPLIES if event.is_reply else fates.LATER
        if not event.is_behind or event.is_reply is None:
            return fates.BEFORE_POLICY
        return self._start(event, is_opened=event.opens, judged=False)

    def _is_anew(self, event: Event, connection: Connection) -> bool:
        """Whether a first packet is not that of the connection which has its five-tuple."""
        if event.time - connection.first <= SKEW:
            return False
        return connection.closing == BOTH_WAYS or not connection.is_opened

    def _take_layer7(self, event: Event) -> str:
        connection = self._find(event.key, event.time)
        if connection is not None:
            connection.see(event)
        if event.kind is Kind.RESPONSE:
            return fates.RESPONSES
        is_answer = event.kind is Kind.ANSWER
        policies = None if connection is None or is_answer else connection.policies[event.side]
        self._write(_layer7_row(event, self._order, ANSWER if is_answer else REQUEST, policies))
        self._order += 1
        return fates.ANSWERS if is_answer else fates.REQUESTS

    def _end(self, connection: Connection) -> None:
        """Write a connection, and forget all of it but that there was one."""
        del self._open[connection.key]
        if len(self._written) >= _MOST_WRITTEN:
            self._written, self._written_before = set(), self._written
        self._written.add(hash(connection.key))
        self._write(connection.row())

    def _is_written(self, key: Key) -> bool:
        number = hash(key)
        return number in self._written or number in self._written_before

    def _write(self, row: Row) -> None:
        self._counts.rows[row.record] += 1
        self._rows.append(row)

    def _sweep(self, time: int) -> None:
        """Write connections that are over, and the ones quiet for longest where there are too many."""
        for connection in [each for each in self._open.values() if each.is_over(time)]:
            self._end(connection)
        if len(self._open) > MOST_OPEN:
            quiet = sorted(self._open.values(), key=lambda each: (each.last, each.order))
            for connection in quiet[: len(quiet) - MOST_OPEN * 3 // 4]:
                self._end(connection)
        self._until_sweep = max(_LEAST_SWEPT, len(self._open) // 2)


def _layer7_row(event: Event, order: int, record: str, policies: str | None) -> Row:
    """Make the row of a request, or of an answer; `policies` sent the connection to the proxy."""
    is_egress = event.side == 0
    return Row(
        event.time,
        order,
        event.time,
        event.key,
        0,
        event.source,
        event.destination,
        event.node,
        (event.verdict, None) if is_egress else (None, event.verdict),
        (None, None),
        (policies, None) if is_egress else (None, policies),
        record,
        event.details,
    )
