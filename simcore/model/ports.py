"""Protocols and port sets."""

from __future__ import annotations

from dataclasses import dataclass

TCP, UDP, SCTP = 6, 17, 132
ICMP, ICMPV6, GRE, ESP = 1, 58, 47, 50
PORT_PROTOCOLS = (TCP, UDP, SCTP)
PROTOCOL_NAMES = {
    TCP: "TCP",
    UDP: "UDP",
    SCTP: "SCTP",
    ICMP: "ICMP",
    ICMPV6: "ICMPv6",
    GRE: "GRE",
    ESP: "ESP",
}
PROTOCOL_NUMBERS = {name.upper(): number for number, name in PROTOCOL_NAMES.items()}
LAST_PORT = 65535
RESERVED_PROTOCOL = 255
"""Reserved by IANA: no packet carries it, so a record that does names no protocol."""


def protocol_name(number: int) -> str:
    """Name an IANA protocol number; one without a name here is written ``protocol 89``."""
    return PROTOCOL_NAMES.get(number, f"protocol {number}")


@dataclass(frozen=True, slots=True, order=True)
class PortRange:
    """Ports `first` to `last`, both included, of one protocol (NP-18)."""

    protocol: int
    first: int = 0
    last: int = LAST_PORT

    def contains(self, protocol: int, port: int) -> bool:
        """Whether the range holds this destination port of this protocol."""
        return protocol == self.protocol and self.first <= port <= self.last


@dataclass(frozen=True, slots=True, order=True)
class NamedPort:
    """A port by the name that the destination pod gives it (NP-21)."""

    protocol: int
    name: str


@dataclass(frozen=True, slots=True, order=True)
class IcmpType:
    """ICMP or ICMPv6 messages of one type; of one code, unless `code` is None."""

    protocol: int
    type: int
    code: int | None = None


PortMember = PortRange | NamedPort | IcmpType


@dataclass(frozen=True, slots=True)
class PortSet:
    """The union of its members, less what `excluded` holds; `None` for `members` is every port of every protocol.

    A range of a protocol without ports holds the whole protocol.
    """

    members: tuple[PortMember, ...] | None = None
    excluded: tuple[PortMember, ...] = ()

    @property
    def is_everything(self) -> bool:
        """Whether no port and no protocol is left out."""
        return self.members is None and not self.excluded

    @property
    def ranges(self) -> tuple[PortRange, ...]:
        """The numeric members."""
        return tuple(member for member in self.members or () if isinstance(member, PortRange))

    @property
    def names(self) -> tuple[NamedPort, ...]:
        """The members given by name."""
        return tuple(member for member in self.members or () if isinstance(member, NamedPort))


EVERY_PORT = PortSet()
