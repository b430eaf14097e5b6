"""What the texts of protocols and TCP flags stand for."""

from __future__ import annotations

from .numbers import read_integer

_PROTOCOLS = {
    "icmp": 1,
    "igmp": 2,
    "ipip": 4,
    "tcp": 6,
    "udp": 17,
    "dccp": 33,
    "ipv6": 41,
    "gre": 47,
    "esp": 50,
    "ah": 51,
    "icmp6": 58,
    "icmpv6": 58,
    "ipv6-icmp": 58,
    "ospf": 89,
    "vrrp": 112,
    "sctp": 132,
    "udplite": 136,
}
_FLAGS = {letter: 1 << bit for bit, letter in enumerate("FSRPAUEC")}


def read_protocol(text: str) -> int | None:
    """Read a protocol's number or name; ARP and whatever else is not IP have no number."""
    word = text.strip().lower()
    number = read_integer(word)
    return _PROTOCOLS.get(word) if number is None else number


def read_flags(text: str) -> int | None:
    """Read TCP flags: a number, or letters of ``FSRPAUEC`` such as ``S``, ``.AP.SF`` or ``SA``."""
    word = text.strip().lower()
    if (number := read_integer(word)) is not None:
        return number
    letters = word.replace(".", "").upper()
    if not word or not set(letters) <= _FLAGS.keys():
        return None
    return sum(_FLAGS[letter] for letter in set(letters))
