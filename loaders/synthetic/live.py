"""Connections that are all open at once, and packets on them in random order: what a table finds hardest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simcore.model.ports import TCP, UDP

from .exchanges import ACK, PSH, SYN

Array = NDArray[Any]

CHUNK = 1 << 18
UDP_EVERY = 8
REQUEST, RESPONSE = 100, 1_000
_OPENING = (SYN, SYN | ACK, ACK)
_WORD = 0xFFFF_FFFF


class Packets(NamedTuple):
    """Packets of made-up connections, an array for each column.

    `time` is in nanoseconds from the start of the capture. `connection` numbers the connection that a packet belongs
    to, `reply` tells those of its server. Sequence and acknowledgement numbers mean nothing unless it is TCP, nor do
    flags.
    """

    time: Array
    connection: Array
    reply: Array
    protocol: Array
    server_port: Array
    flags: Array
    length: Array
    sequence: Array
    acknowledgement: Array


def opening_packets(connections: int) -> int:
    """Count the packets that open so many connections."""
    return connections * len(_OPENING)


def draw_live(connections: int, packets: int, seed: int, seconds: float) -> Iterator[Packets]:
    """Draw connections that open one after the other, then packets on them, each on any of them at random.

    Seven of eight connections are TCP, the others UDP. Each opens with three packets; after that client and server
    take turns, a request of 100 bytes and a response of 1,000. All packets together are spread evenly over `seconds`.

    Parameters
    ----------
    connections : int
        How many; at least one.
    packets : int
        How many packets come once all are open.
    """
    random = np.random.default_rng(seed)
    nanoseconds = seconds * 1e9 / (opening_packets(connections) + packets)
    seen = np.zeros(connections, np.uint32)
    order = random.permutation(connections)
    done = 0
    for first in range(0, connections, CHUNK):
        chunk = order[first : first + CHUNK]
        for step in range(len(_OPENING)):
            yield _rows(chunk, np.full(chunk.size, step), done, nanoseconds)
            done += chunk.size
    for first in range(0, packets, CHUNK):
        chunk = random.integers(0, connections, min(CHUNK, packets - first))
        yield _rows(chunk, len(_OPENING) + _turns(chunk, seen), done, nanoseconds)
        done += chunk.size


def _turns(chunk: Array, seen: Array) -> Array:
    """Number each packet among those of its connection since that was opened, and count them into `seen`."""
    order = np.argsort(chunk, kind="stable")
    ordered = chunk[order]
    is_first = np.r_[True, ordered[1:] != ordered[:-1]]
    starts = np.flatnonzero(is_first)
    turns = np.empty(chunk.size, np.int64)
    turns[order] = np.arange(chunk.size) - starts[np.cumsum(is_first) - 1] + seen[ordered]
    seen[ordered[starts]] += np.diff(np.r_[starts, chunk.size]).astype(np.uint32)
    return turns


def _rows(connection: Array, turn: Array, done: int, nanoseconds: float) -> Packets:
    """Make one packet for each of these connections, its `turn`-th."""
    is_tcp = connection % UDP_EVERY != 0
    data = turn - len(_OPENING)
    reply = np.where(data >= 0, data % 2 == 1, turn == 1)
    said = np.maximum(data, 0)
    client = connection * 2_654_435_761 + (turn > 0) + REQUEST * ((said + 1) // 2)
    server = connection * 40_503 + (turn > 1) + RESPONSE * (said // 2)
    size = np.where(reply, RESPONSE, REQUEST)
    return Packets(
        ((done + np.arange(connection.size)) * nanoseconds).astype(np.int64),
        connection,
        reply,
        np.where(is_tcp, TCP, UDP),
        np.where(is_tcp, 443, 4433),
        np.array([*_OPENING, PSH | ACK], np.uint8)[np.minimum(turn, len(_OPENING))],
        np.where((data >= 0) | ~is_tcp, size, 0),
        np.where(reply, server, client) & _WORD,
        np.where(turn == 0, 0, np.where(reply, client, server)) & _WORD,
    )
