"""Addresses and times as Hubble writes them, to numbers."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime

V4_IN_V6 = 0xFFFF << 32
"""An IPv4 address is held as the IPv6 address that stands for it."""
_MOST = 1_000_000
_BILLION = 1_000_000_000
_LAST = 2**63 - 1


class Values:
    """Reads addresses and times, remembering those that it met."""

    def __init__(self) -> None:
        self._addresses: dict[str, int] = {}
        self._seconds: dict[str, int] = {}
        self.has_v6 = False

    def address(self, text: str) -> int:
        """Return the number of an address, IPv4 mapped into IPv6.

        Raises
        ------
        ValueError
            It is no address.
        """
        value = self._addresses.get(text)
        if value is None:
            try:
                address = ipaddress.ip_address(text)
            except ValueError:
                raise ValueError(f"{text!r} is no address") from None
            value = int(address)
            if address.version == 4:
                value |= V4_IN_V6
            elif value >> 32 != 0xFFFF:
                self.has_v6 = True
            if len(self._addresses) >= _MOST:
                self._addresses.clear()
            self._addresses[text] = value
        return value

    def time(self, text: str) -> int:
        """Return a time in nanoseconds since 1970.

        Raises
        ------
        ValueError
            It is no time of RFC 3339 with a year of 1678 to 2261.
        """
        rest = text[19:].removesuffix("Z")
        second = self._seconds.get(text[:19])
        if second is None or (rest and (rest[0] != "." or not rest[1:].isdecimal() or len(rest) > 10)):
            return self._first_time(text)
        return second + int(rest[1:].ljust(9, "0")) if rest else second

    def _first_time(self, text: str) -> int:
        fraction, zone = text[19:], "Z"
        for sign in "Zz+-":
            fraction, found, offset = fraction.partition(sign)
            zone = found + offset if found else zone
        digits = fraction.removeprefix(".") or "0"
        try:
            if not (digits.isascii() and digits.isdigit()) or fraction == ".":
                raise ValueError
            moment = datetime.fromisoformat(text[:19] + zone.upper())
        except ValueError:
            raise ValueError(f"{text!r} is no time such as 2026-08-20T09:14:02.5Z") from None
        second = int((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * _BILLION
        if not -_LAST + _BILLION < second < _LAST - _BILLION:
            raise ValueError(f"the year of {text!r} is not one of 1678 to 2261")
        if zone in "Zz":
            if len(self._seconds) >= _MOST:
                self._seconds.clear()
            self._seconds[text[:19]] = second
        return second + int(digits[:9].ljust(9, "0"))
