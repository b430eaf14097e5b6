"""Packets, of tcpdump, Wireshark and the like: pcap and pcapng."""

from __future__ import annotations

from collections.abc import Sequence

from ..pcap.files import is_frames
from ..pcap.flows import COLUMNS, read_flows
from ..records.format import Format
from ..records.samples import Sample


def _recognise(sample: Sample) -> bool:
    return is_frames(sample.data)


def _fields(_sample: Sample) -> Sequence[str]:
    return COLUMNS


FORMAT = Format(
    "pcap",
    "pcap and pcapng, of tcpdump or Wireshark",
    "packet",
    _recognise,
    _fields,
    read_flows,
    lacks=(
        "what was dropped before it was captured, but by its missing replies",
        "later fragments have no ports",
        "packets inside tunnels (VXLAN, Geneve, IP in IP): the outer one is a row",
    ),
)
