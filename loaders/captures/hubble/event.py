"""An event: what one line of an export says of a connection, in numbers."""

from __future__ import annotations

from enum import IntEnum

from msgspec import Struct

from simcore.model.ports import SCTP, TCP, UDP

from .requests import Details

Key = tuple[int, int, int, int, int]
"""Source and destination address, protocol, source and destination port.

Of ICMP, both ports are ``type << 8 | code``, the type being that of a request. `ABSENT` stands for what is not told.
"""
ABSENT = -1
EGRESS, INGRESS = 0, 1
SYN, RST, ACK, FIN = 2, 4, 16, 1
_EPHEMERAL = 32_768
"""Ports from here on are mostly clients'."""


class Kind(IntEnum):
    """What an event says."""

    VERDICT = 0
    """What policy says of a packet, at one side."""
    DROP = 1
    TRACE = 2
    REQUEST = 3
    RESPONSE = 4
    ANSWER = 5


class Event(Struct, gc=False):
    """What one line says.

    Attributes
    ----------
    kind : Kind
    time : int
        Nanoseconds since 1970.
    key : Key
        Of the connection: the ends of replies are changed over.
    is_reply : bool or None
        None: not told.
    side : int
        `EGRESS` or `INGRESS`: who says so.
    verdict, reason, policies : str or None
        As in FLOW_SCHEMA.
    flags : int
        TCP flags of the packet; 0 where they are not told.
    opens : bool
        Whether the packet is the first of its connection.
    is_behind : bool
        Of traces: whether policy has let the packet pass.
    source, destination : int
        Numbers of the connection's ends.
    node : str
    details : Details
    uuid : str
    """

    kind: Kind
    time: int
    key: Key
    is_reply: bool | None
    side: int
    verdict: str | None
    reason: str | None
    policies: str | None
    flags: int
    opens: bool
    is_behind: bool
    source: int
    destination: int
    node: str
    details: Details
    uuid: str


def looks_like_reply(event: Event) -> bool:
    """Whether a packet that was denied is likely a reply whose connection was forgotten."""
    if event.flags & (SYN | ACK) == SYN:
        return False
    if event.flags & (SYN | ACK) == SYN | ACK:
        return True
    _, _, protocol, port, other_port = event.key
    return protocol in (TCP, UDP, SCTP) and port < _EPHEMERAL <= other_port
