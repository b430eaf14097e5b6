"""Packets in the columns of PACKET_SCHEMA: what a kernel's connection tracking looks at."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from simcore.model.ports import ICMP, ICMPV6, SCTP, TCP, UDP
from simcore.model.schema import PACKET_SCHEMA

from ..records.reading import Reading
from ..streams import Source
from .columns import addresses, numbers, times
from .decoding import Decoded, is_told, read_decoded
from .frames import NO_TIME, Mask, Numbers
from .network import Packets, read_packets
from .octets import View
from .options import read_options
from .transport import TCP_BYTES, WITH_PORTS, is_there, read_transport

_HEADERS = {UDP: 8, 136: 8, SCTP: 12, ICMP: 8, ICMPV6: 8}
_ECHOES = {ICMP: (0, 8, 13, 14, 15, 16, 17, 18), ICMPV6: (128, 129)}
_ERRORS = {ICMP: (3, 4, 5, 11, 12), ICMPV6: (1, 2, 3, 4)}
_INITIATES = (1, 2)
_FTP = 21

Columns = dict[str, pa.Array]


def read_tracked(source: Source, reading: Reading) -> Iterator[pa.RecordBatch]:
    """Read a file's packets as those of a kernel, in their order; what it would never track by itself is left out."""
    for decoded in read_decoded(source, reading):
        whole = decoded.take(_kept(decoded, reading))
        if whole.packets.at.size:
            columns = {**_common(whole), **_tcp(whole), **_sctp(whole), **_icmp(whole), **_inner(whole)}
            names = [name for name in PACKET_SCHEMA.names if name in columns]
            yield pa.RecordBatch.from_arrays([columns[name] for name in names], names)


def _kept(decoded: Decoded, reading: Reading) -> Mask:
    packets, transport = decoded.packets, decoded.transport
    later, timeless = packets.is_later, decoded.frames.time == NO_TIME
    lacking = ~is_told(packets)
    for column, protocols in (
        (transport.source_port, WITH_PORTS),
        (transport.tcp_flags, (TCP,)),
        (transport.icmp_type, (ICMP, ICMPV6)),
    ):
        lacking |= np.isin(packets.protocol, protocols) & ~column.known
    reading.leave_out("later fragments: a kernel puts packets together before it tracks them", int(later.sum()))
    reading.leave_out("packets without a time", int((timeless & ~later).sum()))
    reading.leave_out("packets cut off before their ports, flags or type", int((lacking & ~later & ~timeless).sum()))
    kept: Mask = ~(later | timeless | lacking)
    return kept


def _common(decoded: Decoded) -> Columns:
    packets, transport = decoded.packets, decoded.transport
    everywhere = np.ones(packets.at.size, np.bool_)
    return {
        "time": times(decoded.frames.time),
        "source_address": addresses(packets.source),
        "destination_address": addresses(packets.destination),
        "source_port": numbers(transport.source_port.values, transport.source_port.known, pa.uint16()),
        "destination_port": numbers(transport.destination_port.values, transport.destination_port.known, pa.uint16()),
        "protocol": numbers(packets.protocol, everywhere, pa.uint8()),
        "flags": numbers(transport.tcp_flags.values, transport.tcp_flags.known, pa.uint8()),
        "length": numbers(_payload_bytes(decoded.view, packets), everywhere, pa.int32()),
    }


def _payload_bytes(view: View, packets: Packets) -> Numbers:
    header = np.zeros(packets.at.size, np.int64)
    for protocol, size in _HEADERS.items():
        header[packets.protocol == protocol] = size
    header = np.where(packets.protocol == TCP, _tcp_header(view, packets), header)
    found: Numbers = np.clip(packets.size - header, 0, 2**31 - 1)
    return found


def _tcp_header(view: View, packets: Packets) -> Numbers:
    found: Numbers = np.maximum((view.octet(packets.at + 12) >> 4) * 4, TCP_BYTES)
    return found


def _tcp(decoded: Decoded) -> Columns:
    view, packets = decoded.view, decoded.packets
    at, whole = packets.at, is_there(packets, (TCP,), TCP_BYTES)
    options = read_options(view, at + TCP_BYTES, np.minimum(at + _tcp_header(view, packets), packets.end), whole)
    rows = at.size
    return {
        "sequence": numbers(view.word(at + 4), is_there(packets, (TCP,), 8), pa.uint32()),
        "acknowledgement": numbers(view.word(at + 8), is_there(packets, (TCP,), 12), pa.uint32()),
        "window": numbers(view.short(at + 14), is_there(packets, (TCP,), 16), pa.uint16()),
        "window_scale": numbers(options.window_scale, options.window_scale >= 0, pa.uint8()),
        "sack_permitted": pa.array(np.ones(rows, np.bool_), mask=~options.sack_permitted),
        "mss": numbers(options.mss, options.mss >= 0, pa.uint16()),
        "payload": _payload(decoded),
    }


def _payload(decoded: Decoded) -> pa.Array:
    """Return what is said on FTP's control connections, which its helper reads; half a line would mislead it."""
    packets, transport = decoded.packets, decoded.transport
    to_ftp = (transport.source_port.values == _FTP) | (transport.destination_port.values == _FTP)
    start, size = packets.at + _tcp_header(decoded.view, packets), _payload_bytes(decoded.view, packets)
    told = to_ftp & (packets.protocol == TCP) & (size > 0) & (start + size == packets.end)
    texts: list[str | None] = [None] * packets.at.size
    for row in np.flatnonzero(told).tolist():
        text = decoded.view.piece(int(start[row]), int(packets.end[row]))
        texts[row] = text.decode("ascii") if text.isascii() else None
    return pa.array(texts, pa.string())


def _sctp(decoded: Decoded) -> Columns:
    view, packets = decoded.view, decoded.packets
    chunk = view.octet(packets.at + 12)
    initiates = is_there(packets, (SCTP,), 20) & np.isin(chunk, _INITIATES)
    return {
        "sctp_tag": numbers(view.word(packets.at + 4), is_there(packets, (SCTP,), 8), pa.uint32()),
        "sctp_chunk": numbers(chunk, is_there(packets, (SCTP,), 13), pa.uint8()),
        "sctp_initiate_tag": numbers(view.word(packets.at + 16), initiates, pa.uint32()),
    }


def _icmp(decoded: Decoded) -> Columns:
    transport = decoded.transport
    return {
        "icmp_type": numbers(transport.icmp_type.values, transport.icmp_type.known, pa.uint8()),
        "icmp_code": numbers(transport.icmp_code.values, transport.icmp_code.known, pa.uint8()),
        "icmp_id": _icmp_id(decoded.view, decoded.packets, transport.icmp_type.values),
    }


def _icmp_id(view: View, packets: Packets, types: Numbers) -> pa.Array:
    return numbers(view.short(packets.at + 4), _is_one(packets, types, _ECHOES, 6), pa.uint16())


def _is_one(packets: Packets, types: Numbers, kinds: dict[int, tuple[int, ...]], size: int) -> Mask:
    """Whether a packet is ICMP of one of these types, by protocol, and as many bytes of it were captured."""
    found = np.zeros(packets.at.size, np.bool_)
    for protocol, of in kinds.items():
        found |= is_there(packets, (protocol,), size) & np.isin(types, of)
    return found


def _inner(decoded: Decoded) -> Columns:
    """Read the packet that an ICMP error quotes."""
    view, packets = decoded.view, decoded.packets
    errors = _is_one(packets, decoded.transport.icmp_type.values, _ERRORS, 8)
    inner = read_packets(view, packets.at + 8, packets.end, packets.size - 8)
    is_six = view.octet(packets.at + 8) >> 4 == 6
    known = errors & inner.known & is_told(inner) & (is_six == (packets.protocol == ICMPV6))
    transport = read_transport(view, inner)
    ports, types = transport.source_port.known & known, transport.icmp_type.known & known
    echoes = _is_one(inner, transport.icmp_type.values, _ECHOES, 6) & known
    return {
        "inner_source_address": addresses(inner.source, known),
        "inner_destination_address": addresses(inner.destination, known),
        "inner_source_port": numbers(transport.source_port.values, ports, pa.uint16()),
        "inner_destination_port": numbers(transport.destination_port.values, ports, pa.uint16()),
        "inner_protocol": numbers(inner.protocol, known, pa.uint8()),
        "inner_icmp_type": numbers(transport.icmp_type.values, types, pa.uint8()),
        "inner_icmp_code": numbers(transport.icmp_code.values, types, pa.uint8()),
        "inner_icmp_id": numbers(view.short(inner.at + 4), echoes, pa.uint16()),
    }
