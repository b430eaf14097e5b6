"""Conversations: the lines that one connection leaves on both nodes, in the order of their times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from simcore.model.flows import Judgement, Verdict
from simcore.model.policy import Direction
from simcore.model.ports import TCP

from .events import ACK_FIN, SYN, SYN_ACK, Connection, denial_twin, drop_event, trace_event, verdict_event
from .lines import Line

_MICROSECOND, _SECOND = 1_000, 1_000_000_000
_HOP = 180 * _MICROSECOND
_EVENT = 7 * _MICROSECOND
RETRIES = (0, 1 * _SECOND, 3 * _SECOND)
"""When a client that hears nothing sends its opening packet, from the first time on."""
TRACED = 5 * _SECOND
"""A connection that carries packets is traced once in so many nanoseconds."""

Steps = tuple[tuple[int, Line], ...]
"""Lines, each with the nanoseconds since the beginning."""


@dataclass(frozen=True)
class Conversation:
    """What one connection leaves.

    Attributes
    ----------
    opening : Steps
        Until the connection is open, or given up.
    under_way, closing : Steps
        Traces of its packets; none where it is denied.
    """

    opening: Steps
    under_way: Steps = ()
    closing: Steps = ()

    @property
    def is_open(self) -> bool:
        """Whether it comes to be."""
        return bool(self.closing)


def conversation(connection: Connection, judgement: Judgement, *, audit: bool) -> Conversation:
    """Make the lines of a connection that the policies judge so; each end has some where Cilium manages it."""
    sides = managed_sides(connection)
    for direction in sides:
        if judgement.outcome(direction).verdict is Verdict.DENY and not audit:
            reached = sides[: sides.index(direction)]
            opened = [step for side in reached for step in _opened(connection, side, judgement, audit=audit)]
            return Conversation(_ordered([*opened, *_denied(connection, direction, judgement)]))
    opened = [step for side in sides for step in _opened(connection, side, judgement, audit=audit)]
    return Conversation(
        _ordered([*opened, *_answered(connection, sides)]),
        _ordered(_traced(connection, sides, 0, ("ACK", "PSH"))),
        _ordered(_traced(connection, sides, 0, ACK_FIN)),
    )


def dropped(connection: Connection, reason: int, name: str) -> Steps:
    """Make the line of a packet that is dropped for a reason that policies have no part in."""
    return ((0, drop_event(connection, managed_sides(connection)[0], reason, name)),)


def managed_sides(connection: Connection) -> tuple[Direction, ...]:
    """Return the directions that are judged: at ends that are endpoints of Cilium's."""
    ends = {Direction.EGRESS: connection.source, Direction.INGRESS: connection.destination}
    return tuple(direction for direction, end in ends.items() if end.is_managed)


def _opened(
    connection: Connection, direction: Direction, judgement: Judgement, *, audit: bool
) -> Iterator[tuple[int, Line]]:
    """Tell of an opening packet that is let through at one end."""
    outcome = judgement.outcome(direction)
    at = _arrival(direction)
    yield at, verdict_event(connection, direction, outcome, audit=audit)
    is_proxied = outcome.rule is not None and outcome.rule.proxy
    point = "TO_PROXY" if is_proxied else _point(connection, direction, reply=False)
    yield at + _EVENT, trace_event(connection, direction, point, "NEW", SYN, reply=False)


def _denied(connection: Connection, direction: Direction, judgement: Judgement) -> Iterator[tuple[int, Line]]:
    """Tell of an opening packet that is denied, again and again."""
    outcome = judgement.outcome(direction)
    for wait in RETRIES if connection.protocol == TCP else RETRIES[:1]:
        yield wait + _arrival(direction), verdict_event(connection, direction, outcome, audit=False)
        yield wait + _arrival(direction) + _EVENT, denial_twin(connection, direction, outcome)


def _answered(connection: Connection, sides: tuple[Direction, ...]) -> Iterator[tuple[int, Line]]:
    for direction in sides:
        at = 2 * _HOP if direction is Direction.INGRESS else 3 * _HOP
        point = _point(connection, direction, reply=True)
        yield at, trace_event(connection, direction, point, "REPLY", SYN_ACK, reply=True)


def _traced(
    connection: Connection, sides: tuple[Direction, ...], start: int, flags: tuple[str, ...]
) -> Iterator[tuple[int, Line]]:
    for direction in sides:
        for reply, state in ((False, "ESTABLISHED"), (True, "REPLY")):
            point = _point(connection, direction, reply=reply)
            at = start + _arrival(direction) + reply * _HOP
            yield at, trace_event(connection, direction, point, state, flags, reply=reply)


def _point(connection: Connection, direction: Direction, *, reply: bool) -> str:
    """Name the point at which a packet is traced: at its receiver, or on its way out of its sender's node."""
    if (direction is Direction.INGRESS) is not reply:
        return "TO_ENDPOINT"
    other = connection.source if direction is Direction.INGRESS else connection.destination
    return "TO_OVERLAY" if other.is_managed else "TO_STACK"


def _arrival(direction: Direction) -> int:
    return _HOP if direction is Direction.INGRESS else 0


def _ordered(steps: list[tuple[int, Line]] | Iterator[tuple[int, Line]]) -> Steps:
    return tuple(sorted(steps, key=lambda step: step[0]))
