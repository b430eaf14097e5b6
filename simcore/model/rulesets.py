"""Rulesets: what a router does with what conntrack tells it, and which addresses it rewrites."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from simcore.model.addresses import Address, Cidr
from simcore.model.ports import TCP, UDP

Side = Literal["a", "b"]


@dataclass(frozen=True, slots=True)
class Dnat:
    """Connections of these protocols to `address` go to the address `to` instead."""

    address: Address
    protocols: tuple[int, ...]
    to: Address


@dataclass(frozen=True, slots=True)
class Masquerade:
    """Connections from `source` that enter at one side and leave at another take the router's address `to` there."""

    source: Cidr
    enters: Side
    leaves: Side
    to: Address


@dataclass(frozen=True, slots=True)
class Ruleset:
    """Rules of a router between side a (clients) and side b, which lets ESTABLISHED and RELATED packets through.

    Attributes
    ----------
    new_from : tuple of {"a", "b"}
        Sides from which NEW packets are let through. INVALID and UNTRACKED ones are dropped.
    syn_only : bool
        Of NEW TCP packets, only those are let through that have SYN and none of FIN, RST and ACK.
    dnat, masquerade : tuple
        Addresses that are rewritten; the first rule that fits counts.
    notrack : tuple of (protocol, destination port)
        Packets that are not tracked.
    ftp_ports : tuple of int
        TCP destination ports to which the FTP helper is attached (C-10).
    """

    new_from: tuple[Side, ...] = ("a",)
    syn_only: bool = False
    dnat: tuple[Dnat, ...] = ()
    masquerade: tuple[Masquerade, ...] = ()
    notrack: tuple[tuple[int, int], ...] = ()
    ftp_ports: tuple[int, ...] = ()


def _dnat(address: str, to: str) -> tuple[Dnat, ...]:
    return (Dnat(Address.parse(address), (TCP, UDP), Address.parse(to)),)


def _masquerade(enters: Side, leaves: Side, to: str) -> tuple[Masquerade, ...]:
    return (Masquerade(Cidr.parse("10.77.1.0/24"), enters, leaves, Address.parse(to)),)


STATEFUL = Ruleset()
BOTHNEW = Ruleset(new_from=("a", "b"))
SYNONLY = Ruleset(syn_only=True)
RULESETS: dict[str, Ruleset] = {
    "stateful": STATEFUL,
    "bothnew": BOTHNEW,
    "synonly": SYNONLY,
    "dnat": Ruleset(dnat=_dnat("10.96.0.10", "10.77.2.10")),
    "snat": Ruleset(masquerade=_masquerade("a", "b", "10.77.2.1")),
    "hairpin": Ruleset(dnat=_dnat("10.96.0.10", "10.77.1.10"), masquerade=_masquerade("a", "a", "10.77.1.1")),
    "notrack": Ruleset(notrack=((UDP, 9999),)),
    "ftp": Ruleset(ftp_ports=(21,)),
}
"""The rulesets of the kernel traces, by name. Side a is 10.77.1.0/24 and fd77:1::/64 there."""
