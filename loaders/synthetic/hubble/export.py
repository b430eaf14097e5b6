"""Writes made-up Hubble exports, line by line, in as much memory as the connections take that are under way."""

from __future__ import annotations

import gzip
import heapq
import itertools
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import IO, Protocol

from simcore.errors import LoadError, Place, ResolveError
from simcore.model.cluster import Cluster
from simcore.model.policy import Policy

from ..rows import DURATION, START_TIME
from .conversations import TRACED, Steps
from .events import lost_events
from .lines import Line, clock, uuid_of
from .meetings import JudgeOf, Meeting, MeetingMaker

_LINES_A_CONNECTION = 8
_LINES_A_MEETING = 40
_MOST_MEETINGS = 2_500
_FIRST_PORT, _PORTS = 32_768, 28_000
_LOOKED_UP = 3_000_000
_THINKING = 45_000_000
_CLOSES = 90_000_000
_UNRELATED = 0.004
_MID_STREAM = 0.03
_LONG = 0.1
_CONNECTIONS_A_LOSS = 5_000
_BAD_LINE = b'{"flow":{"time":"2026-01-05T10:'
_QUICK = 1
"""Level of gzip: the best takes ten times as long."""

Due = tuple[int, int, Line, bytes]
"""A line that is to be written: its time, its number, the line and the client's port."""


class _Sink(Protocol):
    def write(self, data: bytes, /) -> object: ...


def generate_hubble(
    cluster: Cluster,
    policies: Sequence[Policy],
    count: int,
    seed: int,
    out: str | Path,
    judge_of: JudgeOf,
    *,
    per_node: bool = False,
    audit: bool = False,
    bad_line: bool = False,
) -> list[Path]:
    """Write `count` lines that the nodes of a cluster under Cilium may have exported within an hour or so.

    Connections leave what they leave in Hubble: policy verdicts at both ends, denied ones twice and with
    retransmissions, traces, answers, DNS and HTTP requests where a proxy looks; some are under way when the export
    begins. The policies are judged by `judge_of`, once for each pair of ends, port and request.

    Parameters
    ----------
    out : str or Path
        Gzip where its name ends in ``.gz``, Zstandard where it ends in ``.zst``.
    judge_of : callable
        Given the cluster with what domain names stand for, returns what judges flows.
    per_node : bool
        A file for each node that has something to tell, its name before the suffixes.
    audit : bool
        What the policies deny is let through, and told.
    bad_line : bool
        A line in the middle is cut off.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    ResolveError
        The cluster has no running pod, or nothing that is to be told of.
    LoadError
        The file cannot be written, or is there already.
    """
    path = Path(out)
    random = Random(f"hubble {seed}")
    maker = MeetingMaker(cluster, policies, random, judge_of, audit=audit)
    meetings = maker.meetings(max(20, min(_MOST_MEETINGS, count // _LINES_A_MEETING)))
    if not meetings:
        raise ResolveError("no two ends of this cluster have a connection to tell of. Add pods with addresses")
    lines = itertools.islice(_lines(_due(meetings, count, random), random), count)
    with _Files(path, per_node) as files:
        for number, (node, line) in enumerate(lines):
            if bad_line and number == count // 2:
                line = _BAD_LINE + b"\n"
            files.write(node, line)
    return files.paths


def _lines(due: Iterator[Due], random: Random) -> Iterator[tuple[str, bytes]]:
    write_time = clock()
    for time, _, line, port in due:
        yield line.node, line.filled(write_time(time), uuid_of(random.getrandbits(128)), port)


def _due(meetings: Sequence[Meeting], count: int, random: Random) -> Iterator[Due]:
    """Enumerate lines in the order of their times, without end."""
    gap = DURATION * _LINES_A_CONNECTION // max(count, 1)
    weights = list(itertools.accumulate(1 / (rank + 10) for rank in range(len(meetings))))
    ports = [random.randrange(_PORTS) for _ in meetings]
    waiting: list[Due] = []
    serial = itertools.count()
    time = START_TIME
    for number in itertools.count():
        while waiting and waiting[0][0] < time:
            yield heapq.heappop(waiting)
        (chosen,) = random.choices(range(len(meetings)), cum_weights=weights)
        ports[chosen] += 1
        port = b"%d" % (_FIRST_PORT + ports[chosen] % _PORTS)
        for at, line in _connection(meetings[chosen], random):
            heapq.heappush(waiting, (time + at, next(serial), line, port))
        if number % _CONNECTIONS_A_LOSS == 3:
            node = meetings[chosen].conversation.opening[0][1].node
            heapq.heappush(waiting, (time, next(serial), lost_events(node, 1 + number % 97), port))
        time += random.randrange(1, 2 * gap + 2)


def _connection(meeting: Meeting, random: Random) -> Iterator[tuple[int, Line]]:
    """Enumerate the lines of one connection, with nanoseconds since its beginning."""
    start = 0
    if meeting.lookup is not None:
        yield from _connection(meeting.lookup, random)
        start = _LOOKED_UP
    told = meeting.conversation
    draw = random.random()
    if draw < _UNRELATED:
        yield from _shifted(meeting.drop, start)
        return
    is_under_way = draw < _UNRELATED + _MID_STREAM and told.is_open and not meeting.exchanges
    yield from _shifted(told.under_way if is_under_way else told.opening, start)
    start += 1_000_000
    if meeting.exchanges and meeting.lookup is None:
        for exchange in random.sample(meeting.exchanges, min(random.choice((1, 1, 2, 4)), len(meeting.exchanges))):
            yield from _shifted(exchange, start)
            start += _THINKING
    if told.is_open:
        if random.random() < _LONG:
            start += TRACED
            yield from _shifted(told.under_way, start)
        yield from _shifted(told.closing, start + _CLOSES)


def _shifted(steps: Steps, start: int) -> Iterator[tuple[int, Line]]:
    return ((start + at, line) for at, line in steps)


class _Files:
    """The files of an export, each of which appears under its name once it is whole."""

    def __init__(self, path: Path, per_node: bool) -> None:
        self._path = path
        self._per_node = per_node
        self._sinks: dict[str, _Sink] = {}
        self._stack = ExitStack()
        self._finished: dict[Path, Path] = {}
        self.paths: list[Path] = []

    def __enter__(self) -> _Files:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if not self._per_node:
            self._open("")
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._stack.close()
        for partial, path in self._finished.items():
            if kind is None:
                partial.replace(path)
            else:
                partial.unlink(missing_ok=True)
        self.paths = sorted(self._finished.values())

    def write(self, node: str, line: bytes) -> None:
        """Write a line of a node."""
        key = node if self._per_node else ""
        sink = self._sinks.get(key) or self._open(key)
        sink.write(line)

    def _open(self, node: str) -> _Sink:
        stem, dot, suffixes = self._path.name.partition(".")
        path = self._path.with_name(f"{stem}-{node}{dot}{suffixes}") if node else self._path
        if path.exists():
            raise LoadError.at(Place(str(path)), "this file exists. Name another file to write")
        partial = path.with_name(f".{path.name}.partial")
        self._finished[partial] = path
        self._sinks[node] = sink = self._sink(path.suffix, self._stack.enter_context(partial.open("wb")))
        return sink

    def _sink(self, suffix: str, file: IO[bytes]) -> _Sink:
        if suffix == ".gz":
            return self._stack.enter_context(gzip.GzipFile("", "wb", _QUICK, file, mtime=0))
        if suffix == ".zst":
            import pyarrow as pa

            packed: _Sink = self._stack.enter_context(pa.CompressedOutputStream(file, "zstd"))
            return packed
        return file
