"""Ports: ``ports`` of v1alpha1 and ``protocols`` of v1alpha2 (docs/semantics/admin.md)."""

from __future__ import annotations

from simcore.model.ports import (
    EVERY_PORT,
    LAST_PORT,
    PORT_PROTOCOLS,
    PROTOCOL_NUMBERS,
    TCP,
    NamedPort,
    PortMember,
    PortRange,
    PortSet,
    protocol_name,
)

from ..fields import Field
from ..names import port_name_complaint
from .forms import Form
from .shapes import bounded, exact, one_of

NAMED = ("namedPort", "destinationNamedPort")
"""The fields that ask for a port by its name, in either version."""
_EMPTY = "an empty item comes from a newer API, and would have to deny everything or allow nothing (AP-15)"
_WORDS = {name.lower(): number for name, number in PROTOCOL_NUMBERS.items() if number in PORT_PROTOCOLS}
_OLD_HINTS = {
    "port": "Put it below portNumber",
    "protocol": "Put it below portNumber or portRange",
    "endPort": "Write portRange: {protocol, start, end}",
    "destinationNamedPort": "Did you mean namedPort?",
    **dict.fromkeys(_WORDS, "That is how a ClusterNetworkPolicy writes it. Write portNumber: {protocol, port}"),
}
_NEW_HINTS = {
    "namedPort": "Did you mean destinationNamedPort?",
    "port": "Write tcp: {destinationPort: {number: 80}}",
    "protocol": "Write tcp, udp or sctp as the name of the field",
    "portNumber": "That is how an AdminNetworkPolicy writes it. Write tcp: {destinationPort: {number: 80}}",
    "portRange": "That is how an AdminNetworkPolicy writes it. Write tcp: {destinationPort: {range: {start, end}}}",
    **{word.upper(): f"Did you mean {word}?" for word in _WORDS},
}
_PROTOCOL_HINTS = {
    "number": "Put it below destinationPort",
    "range": "Put it below destinationPort",
    "port": "Write destinationPort: {number: 80}",
    "destinationNamedPort": "It stands beside tcp, udp and sctp: a name brings its own protocol",
}
_PORT_HINTS = {"port": "Did you mean number?", "start": "Put it below range", "end": "Put it below range"}


def read_ports(field: Field, form: Form) -> PortSet:
    """Read the list; absent, every port of every protocol (section 4)."""
    if field.value is None:
        return EVERY_PORT
    read = _new_item if form.ports == "protocols" else _old_item
    found = [member for item in bounded(field, form.most, "port") for member in read(item)]
    return PortSet(tuple(dict.fromkeys(found)))


def _old_item(item: Field) -> list[PortMember]:
    given = one_of(item, ("portNumber", "portRange", "namedPort"), _OLD_HINTS, _EMPTY)
    match given.path[-1] if given else "":
        case "portNumber":
            return _old_number(given) if given else []
        case "portRange":
            return _old_range(given) if given else []
        case "namedPort":
            return _named(given, "portNumber: {port: 80}") if given else []
    return []


def _old_number(field: Field) -> list[PortMember]:
    entry = exact(field, ("protocol", "port"), {"name": "Write namedPort beside portNumber"})
    protocol, number = _protocol(entry.get("protocol")), _number(entry.get("port"))
    return [PortRange(protocol, number, number)] if number else []


def _old_range(field: Field) -> list[PortMember]:
    entry = exact(field, ("protocol", "start", "end"), {"endPort": "Did you mean end?", "port": "Did you mean start?"})
    protocol = _protocol(entry.get("protocol"))
    first, last = _number(entry.get("start")), _number(entry.get("end"))
    if first and last and first > last:
        entry.warn(f"{first} to {last} holds no port, so this matches nothing. Did you swap them?")
        return []
    return [PortRange(protocol, first, last)] if first and last else []


def _new_item(item: Field) -> list[PortMember]:
    given = one_of(item, (*_WORDS, "destinationNamedPort"), _NEW_HINTS, _EMPTY)
    if given is None:
        return []
    word = str(given.path[-1])
    if word == "destinationNamedPort":
        return _named(given, "tcp: {destinationPort: {number: 80}}")
    port = exact(given, ("destinationPort",), _PROTOCOL_HINTS).get("destinationPort")
    if port.value is None:
        everything = f"{word}: {{destinationPort: {{range: {{start: 1, end: {LAST_PORT}}}}}}}"
        given.error(f"destinationPort is required. For every port write {everything}")
        return []
    choice = one_of(port, ("number", "range"), _PORT_HINTS, "there is no other way to mean a port")
    if choice is None:
        return []
    if choice.path[-1] == "range":
        return _new_range(choice, _WORDS[word])
    number = _number(choice)
    return [PortRange(_WORDS[word], number, number)] if number else []


def _new_range(field: Field, protocol: int) -> list[PortMember]:
    entry = exact(field, ("start", "end"))
    first, last = _number(entry.get("start")), _number(entry.get("end"))
    if not first or not last:
        return []
    if first >= last:
        way_out = f"For one port write number: {first}" if first == last else "Did you swap them?"
        entry.error(f"start {first} must be below end {last}. {way_out}")
    return [PortRange(protocol, first, last)]


def _named(field: Field, numeric: str) -> list[PortMember]:
    """Read a port's name; whatever protocol the destination declares it for is meant (AP-16)."""
    name = field.text()
    if name is None:
        return []
    if not name:
        field.error(f"the port name is empty. Give one, or a number: {numeric}")
    elif port_name_complaint(name):
        field.warn(f"no container can name a port {name!r}, so this matches nothing. For a number: {numeric}")
    return [NamedPort(protocol, name) for protocol in PORT_PROTOCOLS]


def _number(field: Field) -> int | None:
    number = field.integer()
    if number is None:
        if field.value is None:
            field.error("a port number is required")
        return None
    if 1 <= number <= LAST_PORT:
        return number
    field.error(f"{number} is not a port: ports go from 1 to {LAST_PORT}")
    return None


def _protocol(field: Field) -> int:
    word = field.text()
    if word is None:
        return TCP
    names = [protocol_name(number) for number in PORT_PROTOCOLS]
    if word not in names:
        hint = f"Write {word.upper()}" if word.upper() in names else f"Use one of {', '.join(names)}"
        field.error(f"{word!r} is not a protocol that policies take. {hint}")
    return PROTOCOL_NUMBERS.get(word.upper(), TCP)
