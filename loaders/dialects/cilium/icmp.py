"""ICMP messages by family and type (CI-22)."""

from __future__ import annotations

from simcore.model.ports import ICMP, ICMPV6, IcmpType

from ..fields import Field, describe

_LAST_TYPE = 255
_MOST_DIGITS = 100
_MOST_FIELDS = 40
_FAMILIES = {"IPv4": ICMP, "IPv6": ICMPV6}
_TYPES = {
    ICMP: {
        "EchoReply": 0,
        "DestinationUnreachable": 3,
        "Redirect": 5,
        "Echo": 8,
        "EchoRequest": 8,
        "RouterAdvertisement": 9,
        "RouterSelection": 10,
        "TimeExceeded": 11,
        "ParameterProblem": 12,
        "Timestamp": 13,
        "TimestampReply": 14,
        "Photuris": 40,
        "ExtendedEchoRequest": 42,
        "ExtendedEchoReply": 43,
    },
    ICMPV6: {
        "DestinationUnreachable": 1,
        "PacketTooBig": 2,
        "TimeExceeded": 3,
        "ParameterProblem": 4,
        "EchoRequest": 128,
        "EchoReply": 129,
        "MulticastListenerQuery": 130,
        "MulticastListenerReport": 131,
        "MulticastListenerDone": 132,
        "RouterSolicitation": 133,
        "RouterAdvertisement": 134,
        "NeighborSolicitation": 135,
        "NeighborAdvertisement": 136,
        "RedirectMessage": 137,
        "RouterRenumbering": 138,
        "ICMPNodeInformationQuery": 139,
        "ICMPNodeInformationResponse": 140,
        "InverseNeighborDiscoverySolicitation": 141,
        "InverseNeighborDiscoveryAdvertisement": 142,
        "HomeAgentAddressDiscoveryRequest": 144,
        "HomeAgentAddressDiscoveryReply": 145,
        "MobilePrefixSolicitation": 146,
        "MobilePrefixAdvertisement": 147,
        "DuplicateAddressRequestCodeSuffix": 157,
        "DuplicateAddressConfirmationCodeSuffix": 158,
        "ExtendedEchoRequest": 160,
        "ExtendedEchoReply": 161,
    },
}

MESSAGES = tuple(dict.fromkeys(name for names in _TYPES.values() for name in names))
"""The names of messages, of both families."""


def read_messages(rule: Field) -> tuple[IcmpType, ...]:
    """Read ``icmps``; the code of a message does not matter."""
    found: list[IcmpType] = []
    for item in rule.get("icmps").items():
        entry = item.mapping(("fields",), dict.fromkeys(("type", "family"), "Put it into an item of fields"))
        fields = list(entry.get("fields").items())
        if len(fields) > _MOST_FIELDS:
            entry.error(f"too many types, the max is {_MOST_FIELDS}. Split the list", "fields")
        found += [message for field in fields if (message := _message(field)) is not None]
    if rule.get("icmps").value and rule.get("toPorts").value:
        rule.error(
            "the ICMPs block may only be present without ToPorts. Define a separate rule to use ToPorts", "icmps"
        )
    return tuple(dict.fromkeys(found))


def _message(item: Field) -> IcmpType | None:
    entry = item.mapping(("family", "type"), {"code": "Codes are not looked at: a rule holds for every code"})
    family, kind = entry.get("family"), entry.get("type")
    word = family.text() or "IPv4"
    if word not in _FAMILIES:
        family.error(f"wrong family: {describe(family.value)}. Write IPv4 or IPv6")
        return None
    protocol = _FAMILIES[word]
    number = kind.value
    if isinstance(number, str) and not (number.isascii() and number.isdigit()):
        if number not in _TYPES[protocol]:
            kind.error(f"ICMP type {number} not found in {word}. Known are {', '.join(_TYPES[protocol])}")
            return None
        number = _TYPES[protocol][number]
    elif isinstance(number, str):
        number = int(number[:_MOST_DIGITS])
    if not isinstance(number, int) or isinstance(number, bool):
        kind.error(f"a type is required, by number or by name, such as 8 or EchoRequest; got {describe(kind.value)}")
        return None
    if not 0 <= number <= _LAST_TYPE:
        kind.error(f"{number} is not of ICMP: types go from 0 to {_LAST_TYPE}")
        return None
    return IcmpType(protocol, number)
