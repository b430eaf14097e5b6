"""Ports and protocols of ``toPorts`` (CI-19 to CI-21)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from simcore.model.agent import CiliumAgent
from simcore.model.ports import LAST_PORT, SCTP, TCP, UDP, NamedPort, PortMember, PortRange

from ..fields import Field

_WITH_PORTS = {"TCP": (TCP,), "UDP": (UDP,), "SCTP": (SCTP,), "ANY": (TCP, UDP, SCTP)}
_EXTENDED = {"VRRP": 112, "IGMP": 2, "GRE": 47, "IPIP": 4, "IPV6": 41, "ESP": 50, "AH": 51}
_TUNNELS = ("GRE", "IPIP", "IPV6", "ESP", "AH")
_TUNNELS_SINCE, _RANGES_SINCE = (1, 20), (1, 16)
_MOST_PORTS = 40
_SERVICE_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9](?:-?[A-Za-z0-9])*")
_LONGEST_NAME = 15
_MOST_DIGITS = 100
_HINTS = {"endport": "Did you mean endPort?", "name": "Write the name as the value of port"}


@dataclass(frozen=True, slots=True)
class PortField:
    """One item of ``ports``.

    Attributes
    ----------
    protocol : str
        As written; ``ANY`` where nothing is.
    members : tuple
        What it holds; none where it is invalid.
    is_zero, is_range : bool
        The port is 0, which stands for all; it ends a range.
    """

    field: Field
    protocol: str
    members: tuple[PortMember, ...]
    is_zero: bool = False
    is_range: bool = False


def read_ports(rule: Field, agent: CiliumAgent) -> list[PortField]:
    """Read ``ports`` of one item of toPorts."""
    items = list(rule.get("ports").items())
    if len(items) > _MOST_PORTS:
        rule.error(f"too many ports, the max is {_MOST_PORTS}. Split the list, or write ranges", "ports")
        return []
    return [_port(item, agent) for item in items]


def _port(item: Field, agent: CiliumAgent) -> PortField:
    entry = item.mapping(("port", "endPort", "protocol"), _HINTS)
    protocol = _protocol(entry.get("protocol"), agent)
    port, text = entry.get("port"), entry.get("port").text() or ""
    if protocol in _EXTENDED:
        if text not in ("", "0"):
            port.error(f"port must be empty or 0: {protocol} has no ports. Remove it")
        return PortField(item, protocol, (PortRange(_EXTENDED[protocol]),), is_zero=True)
    numbers = _WITH_PORTS.get(protocol, ())
    if not text:
        if port.value in (None, ""):
            entry.error('port must be specified. Write "0" for every port of the protocol', "port")
        return PortField(item, protocol, ())
    if len(text) <= _LONGEST_NAME and _SERVICE_NAME.fullmatch(text):
        return PortField(item, protocol, tuple(NamedPort(number, text.lower()) for number in numbers))
    first = _number(port, text)
    if first is None:
        return PortField(item, protocol, ())
    last = _last(entry.get("endPort"), first, agent)
    span = (first, last) if first else (0, LAST_PORT)
    members = tuple(PortRange(number, *span) for number in numbers)
    return PortField(item, protocol, members, is_zero=not first, is_range=last > first > 0)


def _protocol(field: Field, agent: CiliumAgent) -> str:
    word = field.text() or "ANY"
    known = [*_WITH_PORTS, *(name for name in _EXTENDED if name not in _TUNNELS or agent.version >= _TUNNELS_SINCE)]
    if word not in known:
        upper = word.upper()
        hint = f"Write {upper}" if upper in known else f"must be {{{', '.join(known)}}}"
        below = ". ICMP stands in icmps, beside toPorts" if upper.startswith("ICMP") else ""
        field.error(f'invalid protocol "{word}", {hint}{below}')
    elif word in _EXTENDED and not agent.enable_extended_ip_protocols:
        field.warn(
            f"{word} is dropped all the same unless the agent has enable-extended-ip-protocols "
            "(--set enable_extended_ip_protocols=true)"
        )
    return word


def _number(port: Field, text: str) -> int | None:
    """Read a number as Go does: one that begins with 0 is octal."""
    is_number = text.isascii() and text.isdigit()
    is_octal = is_number and len(text) > 1 and text.startswith("0")
    if not is_number or (is_octal and not set(text) <= set("01234567")):
        port.error(f"unable to parse port: {text!r} is neither a number nor the name of a port")
        return None
    if len(text) > _MOST_DIGITS:
        port.error(f"unable to parse port: a number of {len(text)} digits is above {LAST_PORT}")
        return None
    number = int(text, 8 if is_octal else 10)
    if is_octal:
        port.warn(f"{text} begins with 0, so Cilium reads it as octal: {number}. Write that")
    if number > LAST_PORT:
        port.error(f"unable to parse port: {text} is above {LAST_PORT}")
        return None
    return number


def _last(field: Field, first: int, agent: CiliumAgent) -> int:
    last = field.integer()
    if last is None:
        return first
    if not 0 <= last <= LAST_PORT:
        field.error(f"{last} is not a port: ports go up to {LAST_PORT}")
    elif agent.version < _RANGES_SINCE:
        field.warn("endPort is known from Cilium 1.16 on: this is the first port alone")
        return first
    elif 0 < last < first:
        field.warn(f"{last} is below port {first}, so it is overlooked. Did you swap them?")
    return max(first, last)
