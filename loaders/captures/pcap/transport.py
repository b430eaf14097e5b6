"""TCP, UDP, SCTP, ICMP: what stands behind the network header."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simcore.model.conntrack import UDPLITE
from simcore.model.ports import ICMP, ICMPV6, PORT_PROTOCOLS, TCP, UDP

from .frames import Mask, Numbers
from .network import Packets
from .octets import View

WITH_PORTS = (*PORT_PROTOCOLS, UDPLITE, 33)
"""Protocols that begin with two ports; 33 is DCCP."""
_TUNNEL_PORTS = (4789, 6081, 8472)
_TUNNELS = (4, 41, 47)
TCP_BYTES = 20
"""Of a header without options."""
_PORT_BYTES, _FLAG_BYTES = 4, 14


@dataclass(frozen=True, slots=True)
class Column:
    """Numbers of some packets, and of which of them they are known."""

    values: Numbers
    known: Mask


@dataclass(frozen=True, slots=True)
class Transport:
    """What the transport headers of some packets say, as far as they were captured."""

    source_port: Column
    destination_port: Column
    tcp_flags: Column
    icmp_type: Column
    icmp_code: Column


def read_transport(view: View, packets: Packets) -> Transport:
    """Read ports, flags, and the type and code of ICMP."""
    ported = is_there(packets, WITH_PORTS, _PORT_BYTES)
    told = is_there(packets, (ICMP, ICMPV6), 2)
    return Transport(
        Column(view.short(packets.at), ported),
        Column(view.short(packets.at + 2), ported),
        Column(view.octet(packets.at + 13), is_there(packets, (TCP,), _FLAG_BYTES)),
        Column(view.octet(packets.at), told),
        Column(view.octet(packets.at + 1), told),
    )


def is_there(packets: Packets, protocols: tuple[int, ...], size: int) -> Mask:
    """Whether the first bytes of these protocols' header were captured; later fragments have none."""
    there: Mask = np.isin(packets.protocol, protocols) & ~packets.is_later & (packets.at + size <= packets.end)
    return there


def is_tunnel(packets: Packets, transport: Transport) -> Mask:
    """Whether a packet carries another one: VXLAN, Geneve, IP in IP, GRE."""
    port = transport.destination_port
    tunnel: Mask = np.isin(packets.protocol, _TUNNELS) | (
        port.known & (packets.protocol == UDP) & np.isin(port.values, _TUNNEL_PORTS)
    )
    return tunnel
