"""Made-up packet captures: a load of short exchanges, or many connections that are open all at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from simcore.model.addresses import Address
from simcore.model.ports import ICMP, TCP

from ..captures.writer import write_packets
from .exchanges import ACK, FIN, KINDS, MOST_ROUNDS, SYN, Gap, Kind, Script, scripts
from .live import Packets, draw_live
from .rows import START_TIME

Array = NDArray[Any]

_SECOND = 1_000_000_000
_CLIENTS = Address.parse("10.77.1.0").value
_SERVERS = Address.parse("10.77.2.0").value
HOSTS = 254
FIRST_PORT, PORTS = 32_768, 28_232
WINDOW, SCALE, MSS = 512, 7, 1460
"""64 KiB, as a host with window scaling advertises them after its SYN."""


def generate_packets(
    connections: int, seed: int, out: str | Path, *, seconds: float = 60.0, live: int | None = None
) -> Path:
    """Write the packets of made-up connections; return the path.

    Clients are 10.77.1.0/24, servers 10.77.2.0/24: the networks of the rulesets in `simcore.model.rulesets`.

    Parameters
    ----------
    connections : int
        How many. They begin within `seconds`, and last for moments up to minutes. A load takes 1.3 kB of memory for
        each.
    seed : int
        The same arguments make the same bytes.
    seconds : float
        How long they keep beginning.
    live : int, optional
        Instead of a load, open all connections and let them stay open; after that send so many packets, each on any
        of them at random, all within `seconds`. Needs little memory.

    Raises
    ------
    ValueError
        A number is negative, or nothing would be made.
    """
    if connections < 1 or seconds <= 0 or (live or 0) < 0:
        raise ValueError(f"{connections} connections in {seconds} seconds cannot be made")
    path = Path(out)
    path.parent.mkdir(parents=True, exist_ok=True)
    loads = [draw_load(connections, seed, seconds)] if live is None else draw_live(connections, live, seed, seconds)
    write_packets(str(path), map(packet_batch, loads))
    return path


def draw_load(connections: int, seed: int, seconds: float) -> Packets:
    """Draw a load: TCP opened, used and closed in several ways or refused or unanswered, DNS, other UDP, and pings."""
    random = np.random.default_rng(seed)
    shares = np.array([kind.share for kind in KINDS], float)
    kind = random.choice(len(KINDS), connections, p=shares / shares.sum())
    start = random.integers(0, round(seconds * _SECOND), connections)
    order = np.argsort(start, kind="stable")
    kind, start = kind[order], start[order]
    numbers = np.arange(connections)
    parts = [
        part
        for number, each in enumerate(KINDS)
        for part in _kind_packets(each, numbers[kind == number], start[kind == number], random)
    ]
    packets = Packets(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    order = np.argsort(packets.time, kind="stable")
    return Packets(*(column[order] for column in packets))


def _kind_packets(kind: Kind, numbers: Array, start: Array, random: np.random.Generator) -> Iterator[Packets]:
    """Yield the packets of all connections of one kind, those with the same number of rounds together."""
    rounds = np.minimum(random.geometric(1 / kind.rounds, numbers.size), MOST_ROUNDS)
    for count, script in enumerate(scripts(kind), 1):
        chosen = rounds == count
        if chosen.any():
            yield _script_packets(kind, script, numbers[chosen], start[chosen], random)


def _script_packets(kind: Kind, script: Script, numbers: Array, start: Array, random: np.random.Generator) -> Packets:
    shape = (numbers.size, len(script))
    reply = np.array([step.reply for step in script])
    flags = np.array([step.flags for step in script], np.uint8)
    length = _lengths(kind, script, shape, random)
    sent = length + ((flags & (SYN | FIN)) != 0)
    sent[:, [step.repeats for step in script]] = 0
    first = random.integers(0, 1 << 32, (2, numbers.size, 1))
    ends = [first[side] + np.cumsum(np.where(reply == bool(side), sent, 0), axis=1) for side in (0, 1)]
    sequence = np.where(reply, ends[1], ends[0]) - np.where(sent > 0, sent, 0)
    acknowledged = np.where(flags & ACK, np.where(reply, ends[0], ends[1]), 0)
    server_port = random.choice(np.array(kind.ports, np.uint16), numbers.size)
    columns = (
        start[:, None] + np.cumsum(_gaps(script, shape, random), axis=1),
        np.broadcast_to(numbers[:, None], shape),
        np.broadcast_to(reply, shape),
        np.full(shape, kind.protocol, np.uint8),
        np.broadcast_to(server_port[:, None], shape),
        np.broadcast_to(flags, shape),
        length,
        sequence & 0xFFFF_FFFF,
        acknowledged & 0xFFFF_FFFF,
    )
    return Packets(*(np.ravel(column) for column in columns))


def _lengths(kind: Kind, script: Script, shape: tuple[int, int], random: np.random.Generator) -> Array:
    most = (1, 400, 1_400) if kind.protocol == TCP else (1, 120, 500)
    drawn = random.integers(40, np.array([max(41, most[step.payload]) for step in script]), shape)
    lengths: Array = np.where([step.payload > 0 for step in script], drawn, 0)
    if kind.protocol == ICMP:
        lengths[:, 1::2] = lengths[:, ::2]
    return lengths


def _gaps(script: Script, shape: tuple[int, int], random: np.random.Generator) -> Array:
    """Draw what each packet waits for, in nanoseconds; the network is as far for all packets of a connection."""
    network = random.lognormal(-6.5, 0.7, (shape[0], 1))
    server = network + random.lognormal(-4.6, 1.0, shape)
    person = network + random.lognormal(-1.2, 1.2, shape)
    fixed = {Gap.NOTHING: 0.0, Gap.SECOND: 1.0, Gap.TWO_SECONDS: 2.0, Gap.FOUR_SECONDS: 4.0}
    waits = {Gap.NETWORK: np.broadcast_to(network, shape), Gap.SERVER: server, Gap.PERSON: person}
    seconds = [waits[step.gap][:, n] if step.gap in waits else fixed[step.gap] for n, step in enumerate(script)]
    seconds[0] = 0.0
    gaps: Array = np.empty(shape, np.int64)
    for column, each in enumerate(seconds):
        gaps[:, column] = np.asarray(each) * _SECOND
    return gaps


def packet_batch(packets: Packets) -> pa.RecordBatch:
    """Return packets in the columns of PACKET_SCHEMA."""
    client = _CLIENTS + 1 + packets.connection % HOSTS
    server = _SERVERS + 1 + (packets.connection // 7) % HOSTS
    client_port = FIRST_PORT + (packets.connection // HOSTS) % PORTS
    reply, is_tcp, is_icmp = packets.reply.astype(bool), packets.protocol == TCP, packets.protocol == ICMP
    has_syn = is_tcp & ((packets.flags & SYN) != 0)
    columns = {
        "time": pa.array(START_TIME + packets.time).cast(pa.timestamp("ns")),
        "source_address": _numbers(np.where(reply, server, client), pa.uint32()),
        "destination_address": _numbers(np.where(reply, client, server), pa.uint32()),
        "source_port": _numbers(np.where(reply, packets.server_port, client_port), pa.uint16(), is_icmp),
        "destination_port": _numbers(np.where(reply, client_port, packets.server_port), pa.uint16(), is_icmp),
        "protocol": _numbers(packets.protocol, pa.uint8()),
        "flags": _numbers(packets.flags, pa.uint8(), ~is_tcp),
        "length": _numbers(packets.length, pa.int32()),
        "sequence": _numbers(packets.sequence, pa.uint32(), ~is_tcp),
        "acknowledgement": _numbers(packets.acknowledgement, pa.uint32(), ~is_tcp),
        "window": _numbers(np.where(has_syn, 65_535, WINDOW), pa.uint16(), ~is_tcp),
        "window_scale": _numbers(np.full(reply.size, SCALE), pa.uint8(), ~has_syn),
        "sack_permitted": pa.array(has_syn),
        "mss": _numbers(np.full(reply.size, MSS), pa.uint16(), ~has_syn),
        "icmp_type": _numbers(np.where(reply, 0, 8), pa.uint8(), ~is_icmp),
        "icmp_id": _numbers(client_port, pa.uint16(), ~is_icmp),
    }
    return pa.RecordBatch.from_pydict(columns)


def _numbers(values: Array, kind: pa.DataType, mask: Array | None = None) -> pa.Array:
    return pa.array(values.astype(kind.to_pandas_dtype()), kind, mask=mask)
