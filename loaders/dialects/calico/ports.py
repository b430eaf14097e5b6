"""Protocols, ports and ICMP messages of Calico rules (CA-40 to CA-44)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from simcore.model.ports import (
    ICMP,
    ICMPV6,
    LAST_PORT,
    PORT_PROTOCOLS,
    SCTP,
    TCP,
    UDP,
    IcmpType,
    NamedPort,
    PortMember,
    PortRange,
)

from ..fields import Field, describe
from .reading import read_list

_PROTOCOLS = {"TCP": TCP, "UDP": UDP, "ICMP": ICMP, "ICMPv6": ICMPV6, "SCTP": SCTP, "UDPLite": 136}
_LAST_PROTOCOL = 255
_RANGE = re.compile(r"([0-9]+):([0-9]+)")
_PORT_NAME = re.compile(r"[a-zA-Z0-9_.-]{1,128}")
_MOST_PORTS = 50
_LAST_TYPE, _LAST_CODE = 254, 255
_FAMILIES = {ICMP: 4, ICMPV6: 6}
_NAMES = {ICMP: "ICMP", ICMPV6: "ICMPv6"}


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a rule says of packets apart from their ends: protocol, ICMP message, IP version."""

    protocol: int | None
    members: tuple[PortMember, ...] | None
    excluded: tuple[PortMember, ...]
    family: int | None


def read_traffic(rule: Field) -> Traffic:
    """Read protocol, notProtocol, icmp, notICMP and ipVersion."""
    protocol, other = read_protocol(rule.get("protocol")), read_protocol(rule.get("notProtocol"))
    family = rule.get("ipVersion").integer()
    if family not in (None, 4, 6):
        rule.error(f"{family} is no IP version: write 4 or 6", "ipVersion")
    for named in (protocol, other):
        if named in _FAMILIES and family not in (None, _FAMILIES[named]):
            rule.error(f"{_NAMES[named]} is of IPv{_FAMILIES[named]} only. Change it, or the protocol", "ipVersion")
    message, not_message = (_message(rule.get(name), protocol) for name in ("icmp", "notICMP"))
    members: tuple[PortMember, ...] | None = None if protocol is None else (PortRange(protocol),)
    excluded: tuple[PortMember, ...] = () if other is None else (PortRange(other),)
    excluded = excluded if not_message is None else (*excluded, not_message)
    return Traffic(protocol, (message,) if message else members, excluded, family)


def read_protocol(field: Field) -> int | None:
    """Read a protocol: a name or a number."""
    value = field.value
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if value is None or (isinstance(value, str) and value in _PROTOCOLS):
        return None if value is None else _PROTOCOLS[value]
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _LAST_PROTOCOL:
        return value
    near = [name for name in _PROTOCOLS if str(value).upper() == name.upper()]
    hint = f"Write {near[0]}" if near else f"Use one of {', '.join(_PROTOCOLS)}, or a number from 1 to {_LAST_PROTOCOL}"
    field.error(f"{describe(value)} is no protocol. {hint}")
    return None


def _message(field: Field, protocol: int | None) -> IcmpType | PortRange | None:
    if field.value is None:
        return None
    entry = field.mapping(("type", "code"))
    kind, code = entry.get("type").integer(), entry.get("code").integer()
    if protocol not in _FAMILIES:
        field.error("this needs protocol: ICMP, or ICMPv6, in the same rule")
        return None
    if code is not None and kind is None:
        entry.error("a code needs the type that it belongs to. Add type", "code")
    for name, number, last in (("type", kind, _LAST_TYPE), ("code", code, _LAST_CODE)):
        if number is not None and not 0 <= number <= last:
            entry.error(f"{number} is out of range: 0 to {last}", name)
    return PortRange(protocol) if kind is None else IcmpType(protocol, kind, code)


def read_ports(field: Field, protocol: int | None) -> tuple[PortMember, ...] | None:
    """Read a list of ports; None where it is absent or empty."""
    items = read_list(field, _MOST_PORTS, "ports")
    if not items:
        return None
    return tuple(dict.fromkeys(member for item in items for member in _port(item, protocol)))


def _port(item: Field, protocol: int | None) -> tuple[PortMember, ...]:
    value = item.value
    if isinstance(value, str) and not value.isdigit() and not _RANGE.fullmatch(value):
        return _named(item, value, protocol)
    numbers = _numbers(item)
    if numbers is None:
        return ()
    if protocol not in PORT_PROTOCOLS:
        item.error("a port number needs protocol: TCP, UDP or SCTP in the same rule")
        return ()
    return (PortRange(protocol, *numbers),)


def _named(item: Field, name: str, protocol: int | None) -> tuple[PortMember, ...]:
    if not _PORT_NAME.fullmatch(name):
        item.error(f"{name!r} is no port: write a number, a range such as '8000:8100', or the name of a port")
        return ()
    if protocol is not None and protocol not in PORT_PROTOCOLS:
        item.error("a protocol without ports cannot have one by name. Use TCP, UDP or SCTP, or none")
        return ()
    return tuple(NamedPort(each, name) for each in (PORT_PROTOCOLS if protocol is None else (protocol,)))


def _numbers(item: Field) -> tuple[int, int] | None:
    """Return the first and the last port of an item that is a number or a range."""
    if isinstance(item.value, str):
        low, _, high = item.value.partition(":")
        first, last = int(low), int(high or low)
    elif isinstance(item.value, int) and not isinstance(item.value, bool):
        first = last = item.value
    else:
        item.error(f"expected a port, got {describe(item.value)}")
        return None
    if not (1 <= first <= LAST_PORT and 1 <= last <= LAST_PORT):
        item.error(f"{item.value} is no port: ports go from 1 to {LAST_PORT}")
        return None
    if last < first:
        item.error(f"the range {item.value} ends before it begins. Did you swap them?")
        return None
    return first, last
