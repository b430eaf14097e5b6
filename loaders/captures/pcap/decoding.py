"""Frames to packets: what is IP, and what its headers say. Every frame becomes a packet, or is told of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..records.reading import Reading
from ..streams import Source
from .files import read_frames
from .frames import Frames, Mask, Numbers
from .links import CUT, IPV4, IPV6, UNREAD, find_packets
from .network import UNKNOWN, Packets, read_packets
from .octets import View
from .repeats import Repeats
from .transport import Transport, is_tunnel, read_transport

_NAMES = {
    0x0806: "ARP: no IP",
    0x8847: "packets in MPLS, which is not looked into",
    0x8848: "packets in MPLS, which is not looked into",
    0x8863: "PPPoE, which is not looked into",
    0x8864: "PPPoE, which is not looked into",
}
_OTHER = "frames that are no IP"


@dataclass(frozen=True, slots=True)
class Decoded:
    """Packets of IP, with the frames that they came in."""

    view: View
    frames: Frames
    packets: Packets
    transport: Transport

    def take(self, rows: Mask) -> Decoded:
        """Return some of the packets."""
        packets = self.packets.take(rows)
        return Decoded(self.view, self.frames.take(rows), packets, read_transport(self.view, packets))


def read_decoded(source: Source, reading: Reading) -> Iterator[Decoded]:
    """Read a file's packets, in their order."""
    repeats = Repeats()
    tunnels = 0
    for frames in read_frames(source, reading):
        decoded = _decoded(source, reading, frames)
        tunnels += int(is_tunnel(decoded.packets, decoded.transport).sum())
        repeats.count(decoded.view, decoded.frames, decoded.packets)
        if decoded.frames.start.size:
            yield decoded
    _tell(source, reading, repeats.found, tunnels)


def _tell(source: Source, reading: Reading, repeated: int, tunnels: int) -> None:
    if tunnels:
        told = f"packets that carry another one (VXLAN, Geneve, IP in IP, GRE): {tunnels:,}"
        reading.note(source, f"{told}. The outer one counts. Capture where it is unpacked to judge the inner one")
    if repeated:
        told = f"packets that another interface had seen: {repeated:,}"
        reading.note(source, f"{told}. They count each time. Capture at one interface, or keep one's packets alone")


def _decoded(source: Source, reading: Reading, frames: Frames) -> Decoded:
    view = View(frames.data)
    types, at = find_packets(view, frames)
    _leave_out(reading, frames, types)
    room = frames.length - (at - frames.start)
    packets = read_packets(view, at, frames.end, room)
    is_six = view.octet(at) >> 4 == 6
    known = packets.known & np.where(is_six, types == IPV6, types == IPV4)
    for row in np.flatnonzero(((types == IPV4) | (types == IPV6) | (types == CUT)) & ~known).tolist():
        reading.complain(source, f"packet {frames.number[row]:,}", _trouble(types, frames, at, row))
    packets = packets.take(known)
    return Decoded(view, frames.take(known), packets, read_transport(view, packets))


def _trouble(types: Numbers, frames: Frames, at: Numbers, row: int) -> str:
    wanted = 40 if types[row] == IPV6 else 20
    if types[row] == CUT or at[row] + wanted > frames.end[row]:
        captured, length = frames.end[row] - frames.start[row], frames.length[row]
        return f"of its {length:,} bytes {captured:,} were captured: its addresses are not among them"
    return f"it is announced as IPv{6 if types[row] == IPV6 else 4}, and its header is none"


def _leave_out(reading: Reading, frames: Frames, types: Numbers) -> None:
    unread = frames.link[types == UNREAD]
    for link, count in zip(*np.unique(unread, return_counts=True), strict=True):
        reading.leave_out(f"frames of link type {link}, which is not read", int(count))
    others = types[~np.isin(types, (IPV4, IPV6, CUT, UNREAD))]
    for kind, count in zip(*np.unique(others, return_counts=True), strict=True):
        reading.leave_out(_NAMES.get(int(kind), _OTHER), int(count))


def is_told(packets: Packets) -> Mask:
    """Whether the protocol of a packet is known."""
    told: Mask = packets.protocol != UNKNOWN
    return told
