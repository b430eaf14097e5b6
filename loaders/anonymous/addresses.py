"""Pseudonyms of addresses: two share as many first bits as before, so blocks hold whom they held.

The construction is Crypto-PAn's (Xu, Fan, Ammar, Moon, ICNP 2002): each bit is flipped, or not, by a secret function
of the bits before it. Here one HMAC-SHA256 gives the flips of a whole byte.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from functools import lru_cache

from simcore.model.addresses import Address, Cidr, Family

_UNCHANGED = {
    Family.V4: ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"),
    Family.V6: ("::/127", "ff00::/8"),
}
"""Blocks whose addresses mean the same in every network: each is its own pseudonym."""
_IN_PLACE = {
    Family.V4: ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16"),
    Family.V6: ("fc00::/8", "fd00::/8", "fe80::/10"),
}
"""Blocks of private addresses, which stay where they are as a whole."""
_BYTE = 8


class Addresses:
    """Gives addresses and blocks pseudonyms.

    Parameters
    ----------
    key : bytes
        The secret.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._unchanged = {family: [Cidr.parse(text) for text in texts] for family, texts in _UNCHANGED.items()}
        self._fixed = {
            family: [*blocks, *map(Cidr.parse, _IN_PLACE[family])] for family, blocks in self._unchanged.items()
        }
        self._bytes = lru_cache(maxsize=1 << 20)(self._permuted)

    def value(self, family: Family, value: int) -> int:
        """Return the pseudonym of an address as a number."""
        made = before = 0
        for shift in range(family.bits - _BYTE, -1, -_BYTE):
            made = made << _BYTE | self._bytes(family, shift, before)[value >> shift & 0xFF]
            before = value >> shift
        return made

    def address(self, text: str) -> str:
        """Return the pseudonym of an address.

        Raises
        ------
        ValueError
            The text is none.
        """
        found = Address.parse(text)
        return str(Address(found.family, self.value(found.family, found.value)))

    def cidr(self, text: str) -> str:
        """Return the pseudonym of a block, which is as long; bits beyond its length go on being set.

        Raises
        ------
        ValueError
            The text is none.
        """
        block = Cidr.parse(text)
        family, spare = block.family, block.family.bits - block.length
        made = Cidr.containing(Address(family, self.value(family, block.network)), block.length)
        if spare and self._has_more(text, block):
            return f"{Address(family, made.network | 1)}/{block.length}"
        return str(made)

    def _has_more(self, text: str, block: Cidr) -> bool:
        return Address.parse(text.partition("/")[0]).value != block.network

    def _permuted(self, family: Family, shift: int, before: int) -> bytes:
        """Return what becomes of each value of a byte behind the bits `before`."""
        message = f"address {family.value} {shift} {before:x}".encode()
        flips = int.from_bytes(hmac.digest(self._key, message, "sha256"), "big")
        made = [0]
        for depth in range(_BYTE):
            flipped = [
                flips >> (1 << depth | node) & 1 and self._may_flip(family, before << depth | node, shift + 8 - depth)
                for node in range(1 << depth)
            ]
            made = [made[node >> 1] << 1 | (node & 1) ^ int(bool(flipped[node >> 1])) for node in range(2 << depth)]
        return bytes(made)

    def _may_flip(self, family: Family, prefix: int, rest: int) -> bool:
        """Tell whether the bit behind a prefix, `rest` bits being left, may change."""
        length = family.bits - rest
        for block in self._fixed[family]:
            if length < block.length and block.network >> (family.bits - length) == prefix:
                return False
        return not any(
            length >= block.length
            and prefix >> (length - block.length) == block.network >> (family.bits - block.length)
            for block in self._unchanged[family]
        )


def is_unchanged(addresses: Iterable[Address]) -> list[bool]:
    """Tell which addresses are their own pseudonyms."""
    blocks = [Cidr.parse(text) for texts in _UNCHANGED.values() for text in texts]
    return [any(block.contains(address) for block in blocks) for address in addresses]
