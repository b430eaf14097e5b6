"""Pseudonyms of addresses: two share as many first bits as before, so blocks hold whom they held.

The construction is Crypto-PAn's (Xu, Fan, Ammar, Moon, ICNP 2002): each bit is flipped, or not, by a secret function
of the bits before it. Here one HMAC-SHA256 gives the flips of a whole byte.
"""

from __future__ import annotations

import hmac
from functools import lru_cache

from simcore.model.addresses import Address, Cidr, Family

_UNCHANGED = {
    Family.V4: ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"),
    Family.V6: ("::/127", "ff00::/8"),
}
"""Blocks whose addresses mean the same in every network: each is its own pseudonym."""
_IN_PLACE = {
    Family.V4: ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16"),
    Family.V6: ("fc00::/8", "fd00::/8", "fe80::/10", "ff02::1:ff00:0/104"),
}
"""Blocks that stay where they are as a whole: of private addresses, and of groups that end as those looked for do."""
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
        self._flips_at = lru_cache(maxsize=1 << 18)(self._flips)

    def value(self, family: Family, value: int) -> int:
        """Return the pseudonym of an address as a number."""
        made = before = 0
        for shift in range(family.bits - _BYTE, -1, -_BYTE):
            flips, node = self._flips_at(family, shift, before), 1
            for place in range(shift + _BYTE - 1, shift - 1, -1):
                bit = value >> place & 1
                made = made << 1 | bit ^ (flips >> node & 1)
                node = node << 1 | bit
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

    def _flips(self, family: Family, shift: int, before: int) -> int:
        """Return which bits of a byte flip, behind the bits `before`: a bit for each node of the tree of the byte."""
        message = f"address {family.value} {shift} {before:x}".encode()
        flips = int.from_bytes(hmac.digest(self._key, message, "sha256"), "big")
        length = family.bits - shift - _BYTE
        blocks = [block for block in self._fixed[family] if _meet(block, before, length)]
        if not blocks:
            return flips
        free = [
            1 << (1 << depth | node)
            for depth in range(_BYTE)
            for node in range(1 << depth)
            if self._may_flip(family, before << depth | node, length + depth)
        ]
        return flips & sum(free)

    def _may_flip(self, family: Family, prefix: int, length: int) -> bool:
        """Tell whether the bit behind a prefix may change: not on the way to a fixed block, nor in an unchanged one."""
        if any(length < block.length and _meet(block, prefix, length) for block in self._fixed[family]):
            return False
        around = [block for block in self._fixed[family] if length >= block.length and _meet(block, prefix, length)]
        return max(around, key=lambda block: block.length, default=None) not in self._unchanged[family]


def _meet(block: Cidr, prefix: int, length: int) -> bool:
    """Whether a block holds the addresses that begin with some bits, or lies among them."""
    shared = min(length, block.length)
    return prefix >> (length - shared) == block.network >> (block.family.bits - shared)
