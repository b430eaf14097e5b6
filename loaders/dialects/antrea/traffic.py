"""What traffic a rule is about: ports, source ports, ICMP and IGMP, layer 7 (AN-22 to AN-27)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from simcore.model.addresses import Address
from simcore.model.policy import Direction
from simcore.model.ports import (
    EVERY_PORT,
    ICMP,
    ICMPV6,
    LAST_PORT,
    PROTOCOL_NUMBERS,
    TCP,
    IcmpType,
    NamedPort,
    PortMember,
    PortRange,
    PortSet,
)

from ..fields import Field
from ..names import port_name_complaint
from .selecting import is_multicast_address

IGMP = 2
_PROTOCOLS = ("TCP", "UDP", "SCTP")
_PORT_FIELDS = ("protocol", "port", "endPort", "sourcePort", "sourceEndPort")
_PORT_HINTS = {"name": "Write the name of the port as the value of port", "targetPort": "Did you mean port?"}
_IGMP_TYPES = {Direction.INGRESS: (0x11,), Direction.EGRESS: (0x12, 0x16, 0x22)}
_LAST_BYTE = 255
_METHODS = ("GET", "POST", "PUT", "HEAD", "DELETE", "TRACE", "OPTIONS", "CONNECT", "PATCH")
_IGMP_DOUBT = "flows show neither the type of an IGMP message nor the group it is about"
_L7_DOUBT = "whether its l7Protocols match is not in the flow; what they do not match is dropped"


@dataclass(frozen=True, slots=True)
class Traffic:
    """Ports of both ends that one row of a rule matches.

    Attributes
    ----------
    doubt : str
        Why it may match only; empty where it is certain.
    """

    ports: PortSet = EVERY_PORT
    source_ports: PortSet = EVERY_PORT
    doubt: str = ""


def read_traffic(rule: Field, direction: Direction) -> list[Traffic]:
    """Read ``ports`` and ``protocols``, which are alternatives: a row for each port of origin asked for."""
    ports, protocols = list(rule.get("ports").items()), list(rule.get("protocols").items())
    rows: dict[PortSet, list[PortMember]] = {}
    for item in ports:
        member, source = _port(item)
        rows.setdefault(source, []).extend([member] if member else [])
    doubtful = False
    for item in protocols:
        found = _protocol(item, direction)
        rows.setdefault(EVERY_PORT, []).extend(found.ports.members or ())
        doubtful |= bool(found.doubt)
    if not rows:
        return [Traffic()]
    traffic = [Traffic(PortSet(tuple(dict.fromkeys(members))), source) for source, members in rows.items()]
    return [replace(row, doubt=_IGMP_DOUBT) for row in traffic] if doubtful else traffic


def names_igmp(rule: Field) -> bool:
    """Whether any of ``protocols`` is IGMP."""
    return any(isinstance(item.value, dict) and item.value.get("igmp") is not None for item in _items(rule))


def _items(rule: Field) -> list[Field]:
    field = rule.get("protocols")
    return list(field.items()) if isinstance(field.value, list) else []


def _port(item: Field) -> tuple[PortRange | NamedPort | None, PortSet]:
    if item.value is None:
        item.error("an empty item would stand for every TCP port. Write protocol: TCP if that is meant")
    entry = item.mapping(_PORT_FIELDS, _PORT_HINTS)
    protocol = _port_protocol(entry.get("protocol"))
    source = _range(entry.get("sourcePort"), entry.get("sourceEndPort"), protocol)
    source_ports = PortSet((source,)) if source else EVERY_PORT
    port, end = entry.get("port"), entry.get("endPort")
    if isinstance(port.value, str):
        return _named(port, end, protocol), source_ports
    if port.value is None and end.value is None:
        return PortRange(protocol), source_ports
    return _range(port, end, protocol), source_ports


def _port_protocol(field: Field) -> int:
    word = field.text()
    if word is not None and word not in _PROTOCOLS:
        hint = f"Write {word.upper()}" if word.upper() in _PROTOCOLS else f"Use one of {', '.join(_PROTOCOLS)}"
        below = " ICMP and IGMP stand below protocols" if word.upper() in ("ICMP", "IGMP") else ""
        field.error(f"{word!r} is not a protocol that has ports. {hint}.{below}".rstrip("."))
    return PROTOCOL_NUMBERS.get((word or "").upper(), TCP)


def _named(port: Field, end: Field, protocol: int) -> NamedPort:
    if complaint := port_name_complaint(port.value):
        port.warn(f"{complaint}. No pod declares such a name, so it matches nothing")
    if end.value is not None:
        end.error(f"a range needs numbers, but port is the name {port.value!r}. Use a number, or drop endPort")
    return NamedPort(protocol, port.value)


def _range(start: Field, end: Field, protocol: int) -> PortRange | None:
    """Read the two fields of a range of ports; None where both are absent, or one is invalid."""
    first, last = start.integer(), end.integer()
    begin, name = start.path[-1], end.path[-1]
    if start.value is None and end.value is not None:
        end.error(f"{name} ends a range, but there is no {begin} to begin it. Add {begin}")
    if first is None or not _is_port(start, first):
        return None
    if last is None:
        return PortRange(protocol, first, first)
    if last < first:
        end.error(f"{last} is below {begin} {first}. Did you swap them?")
        return None
    return PortRange(protocol, first, last) if _is_port(end, last) else None


def _is_port(field: Field, number: int) -> bool:
    if 1 <= number <= LAST_PORT:
        return True
    field.error(f"{number} is not a port: ports go from 1 to {LAST_PORT}")
    return False


# Protocols without ports


def _protocol(item: Field, direction: Direction) -> Traffic:
    entry = item.mapping(("icmp", "igmp"), {"tcp": "Put it into ports", "udp": "Put it into ports"})
    icmp, igmp = entry.get("icmp"), entry.get("igmp")
    if (icmp.value is None) == (igmp.value is None):
        item.error("one of icmp and igmp is required in each item. Write icmp: {} for all of ICMP")
    if icmp.value is not None:
        return Traffic(PortSet(_icmp(icmp)))
    return _igmp(igmp, direction)


def _icmp(field: Field) -> tuple[PortMember, ...]:
    """Read ``icmp``, which stands for ICMPv6 as well; a code alone is that code of every type."""
    entry = field.mapping(
        ("icmpType", "icmpCode"), {"type": "Did you mean icmpType?", "code": "Did you mean icmpCode?"}
    )
    kind, code = _byte(entry.get("icmpType")), _byte(entry.get("icmpCode"))
    if kind is None and code is None:
        return PortRange(ICMP), PortRange(ICMPV6)
    kinds = range(_LAST_BYTE + 1) if kind is None else (kind,)
    return tuple(IcmpType(protocol, number, code) for protocol in (ICMP, ICMPV6) for number in kinds)


def _byte(field: Field) -> int | None:
    number = field.integer()
    if number is not None and not 0 <= number <= _LAST_BYTE:
        field.error(f"{number} is not of ICMP: types and codes go from 0 to {_LAST_BYTE}")
    return number


def _igmp(field: Field, direction: Direction) -> Traffic:
    entry = field.mapping(("igmpType", "groupAddress"))
    kind, group = entry.get("igmpType"), entry.get("groupAddress")
    number, text = kind.integer(), group.text()
    if number is not None and number not in _IGMP_TYPES[direction]:
        known = ", ".join(f"{word} ({word:#x})" for word in _IGMP_TYPES[direction])
        kind.error(f"{number} is not an IGMP type of {direction.word} rules. These take {known}")
    if text:
        try:
            if not is_multicast_address(Address.parse(text)):
                group.error(f"{text} is not a multicast address, such as 224.0.0.1")
        except ValueError as error:
            group.error(f"{error}. Write one of multicast, such as 224.0.0.1")
    return Traffic(PortSet((PortRange(IGMP),)), doubt=_IGMP_DOUBT if number is not None or text else "")


# Layer 7


def read_layer7(rule: Field) -> bool:
    """Check ``l7Protocols``; tell whether there are any, in which case the rule drops what they do not match."""
    items = list(rule.get("l7Protocols").items())
    speaks_http = False
    for item in items:
        entry = item.mapping(("http", "tls"))
        http, tls = entry.get("http"), entry.get("tls")
        if (http.value is None) == (tls.value is None):
            item.error("one of http and tls is required in each item. Write http: {} for all of HTTP")
        speaks_http |= http.value is not None
        _check_texts(http.mapping(("host", "method", "path")))
        _check_texts(tls.mapping(("sni",)))
    if items:
        _check_layer7(rule, speaks_http)
    return bool(items)


def _check_texts(entry: Field) -> None:
    for name in entry.value or ():
        word = entry.get(name).text()
        if name == "method" and word is not None and word not in _METHODS:
            entry.error(f"{word!r} is not a method. Use one of {', '.join(_METHODS)}", name)


def _check_layer7(rule: Field, speaks_http: bool) -> None:
    where = rule.get("l7Protocols")
    if rule.get("action").value not in (None, "Allow"):
        where.error(f"a rule with l7Protocols allows: its action cannot be {rule.get('action').value}. Write Allow")
    if rule.get("toServices").value:
        where.error("l7Protocols may not stand beside toServices. Select the pods in to")
    if not speaks_http:
        return
    for item in rule.get("ports").items():
        if isinstance(item.value, dict) and item.value.get("protocol") not in (None, "TCP"):
            item.error("http in l7Protocols goes with TCP only. Drop this port, or http", "protocol")
    if rule.get("protocols").value:
        rule.error("http in l7Protocols goes with TCP only. Drop protocols, or http", "protocols")


def layer7_doubt(row: Traffic) -> Traffic:
    """Return the traffic as the part of it that layer 7 allows."""
    return replace(row, doubt=_L7_DOUBT)
