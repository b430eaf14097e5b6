"""Exchanges between a client and a server, as the packets that conntrack sees: what a load of packets is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import partial

from simcore.model.ports import ICMP, TCP, UDP

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


class Gap(IntEnum):
    """What a packet waits for."""

    NOTHING = 0
    NETWORK = 1
    """Half a round trip."""
    SERVER = 2
    """Half a round trip, and the server's work."""
    PERSON = 3
    """Half a round trip, and a pause of the client's."""
    SECOND = 4
    TWO_SECONDS = 5
    FOUR_SECONDS = 6


@dataclass(frozen=True, slots=True)
class Step:
    """One packet of an exchange.

    Attributes
    ----------
    reply : bool
        It comes from the server.
    gap : Gap
        How long after the packet before.
    flags : int
        Of TCP.
    payload : int
        0 none, 1 as much as a request, 2 as much as a response.
    repeats : bool
        It is sent again, with the same sequence number.
    """

    reply: bool
    gap: Gap
    flags: int = 0
    payload: int = 0
    repeats: bool = False


Script = tuple[Step, ...]

_OPEN = (
    Step(False, Gap.NOTHING, SYN),
    Step(True, Gap.NETWORK, SYN | ACK),
    Step(False, Gap.NETWORK, ACK),
)
_ROUND = (
    Step(False, Gap.PERSON, PSH | ACK, 1),
    Step(True, Gap.SERVER, PSH | ACK, 2),
    Step(False, Gap.NETWORK, ACK),
)
_CLIENT_CLOSES = (
    Step(False, Gap.PERSON, FIN | ACK),
    Step(True, Gap.NETWORK, FIN | ACK),
    Step(False, Gap.NETWORK, ACK),
)
_SERVER_CLOSES = (
    Step(True, Gap.PERSON, FIN | ACK),
    Step(False, Gap.NETWORK, ACK),
    Step(False, Gap.NETWORK, FIN | ACK),
    Step(True, Gap.NETWORK, ACK),
)
_QUESTION, _ANSWER = Step(False, Gap.PERSON, payload=1), Step(True, Gap.SERVER, payload=2)
_ECHO = (Step(False, Gap.SECOND, payload=1), Step(True, Gap.NETWORK, payload=1))


def _tcp(end: Script, rounds: int) -> Script:
    return (*_OPEN, *_ROUND * rounds, *end)


def _unanswered(rounds: int) -> Script:
    waits = (Gap.NOTHING, Gap.SECOND, Gap.TWO_SECONDS, Gap.FOUR_SECONDS)
    return tuple(Step(False, gap, SYN, repeats=True) for gap in waits[: rounds + 1])


def _dns(rounds: int) -> Script:
    """One name, or its IPv4 and IPv6 addresses asked for from one socket."""
    questions = (Step(False, Gap.NOTHING, payload=1),) * min(rounds, 2)
    return (*questions, *(_ANSWER,) * len(questions))


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of exchange.

    Attributes
    ----------
    name : str
        What people call it.
    share : int
        How many of a hundred connections are such.
    protocol : int
        IANA number.
    ports : tuple of int
        Of the server.
    rounds : float
        How many rounds it has, on average; at least one.
    script : callable
        From a number of rounds to the packets.
    """

    name: str
    share: int
    protocol: int
    ports: tuple[int, ...]
    rounds: float
    script: Callable[[int], Script]


_WEB = (80, 443, 5432, 8080)
KINDS = (
    Kind("TCP, the client closes", 32, TCP, _WEB, 2.5, partial(_tcp, _CLIENT_CLOSES)),
    Kind("TCP, the server closes", 8, TCP, _WEB, 2.5, partial(_tcp, _SERVER_CLOSES)),
    Kind("TCP, reset", 4, TCP, _WEB, 2, partial(_tcp, (Step(False, Gap.PERSON, RST),))),
    Kind("TCP, left open", 3, TCP, (5432,), 2, partial(_tcp, ())),
    Kind("TCP, lost with data under way", 1, TCP, (5432,), 2, partial(_tcp, _ROUND[:1])),
    Kind("TCP, refused", 4, TCP, (81,), 1, lambda _: (_OPEN[0], Step(True, Gap.NETWORK, RST | ACK))),
    Kind("TCP, no answer", 5, TCP, (82,), 2, _unanswered),
    Kind("DNS", 21, UDP, (53,), 1.4, _dns),
    Kind("UDP, both ways", 8, UDP, (4433,), 4, lambda rounds: (_QUESTION, _ANSWER) * rounds),
    Kind("UDP, one way", 7, UDP, (8125,), 3, lambda rounds: (_QUESTION,) * rounds),
    Kind("ping", 7, ICMP, (0,), 2, lambda rounds: _ECHO * rounds),
)
"""What a load is made of; the shares add up to 100."""

MOST_ROUNDS = 12


def scripts(kind: Kind) -> Iterator[Script]:
    """Yield the packets of an exchange with one round, with two, ... with `MOST_ROUNDS`."""
    yield from (kind.script(rounds) for rounds in range(1, MOST_ROUNDS + 1))
