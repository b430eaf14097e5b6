"""How often a client tries again what is not answered: a capture of what was allowed does not show it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

DNS_TIMEOUT = 5
"""Seconds that a resolver waits for an answer (resolv.conf(5): timeout)."""


@dataclass(frozen=True, slots=True)
class Attempts:
    """Packets that a client sends to a server that does not answer.

    Attributes
    ----------
    dns : int
        Queries of a lookup over UDP (resolv.conf(5): attempts), one each `DNS_TIMEOUT`.
    syn : int
        First packets of a TCP connection: Linux sends 1 and ``tcp_syn_retries`` more, after 1 s, 2 s, 4 s and so on.
    """

    dns: int = 2
    syn: int = 7

    def dns_delays(self) -> Iterator[int]:
        """Tell when each query is sent, in seconds after the first."""
        return iter(range(0, self.dns * DNS_TIMEOUT, DNS_TIMEOUT))

    def syn_delays(self) -> Iterator[int]:
        """Tell when each SYN is sent, in seconds after the first."""
        return iter((1 << number) - 1 for number in range(self.syn))
