"""What tracking a capture of packets came to: counts, peaks, and the first packets with their answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ...model.conntrack import CtClass
from .tracking import TRACK_SCHEMA

GROUP_ROWS = 1_000_000


@dataclass(slots=True)
class Peak:
    """The highest number of entries, and when it was first reached, in nanoseconds since 1970."""

    entries: int = 0
    time: int = 0

    def raise_to(self, entries: NDArray[np.int64], times: NDArray[np.int64]) -> None:
        """Take up the entries after each packet."""
        highest = int(entries.argmax())
        if entries[highest] > self.entries:
            self.entries, self.time = int(entries[highest]), int(times[highest])


@dataclass(slots=True)
class Tracked:
    """What tracking came to, taken up batch by batch.

    Attributes
    ----------
    limit : int
        How many packets to keep for a report.
    packets : int
        How many there were.
    classes : Counter of (CtClass, bool)
        Packets by class, and whether they were let through.
    from_clients : int
        Packets that entered at side a.
    first_time, last_time : int or None
        Of the first and the last packet, in nanoseconds since 1970.
    allocated, live : Peak
        Of the entries that count against the maximum, and of those that have not expired.
    last_allocated, last_live : int
        The same, after the last packet.
    columns : tuple of str
        The columns that the packets had.
    shown : list of (RecordBatch, RecordBatch)
        The first packets, and their answers.
    """

    limit: int = 0
    packets: int = 0
    classes: Counter[tuple[CtClass, bool]] = field(default_factory=Counter)
    from_clients: int = 0
    first_time: int | None = None
    last_time: int | None = None
    allocated: Peak = field(default_factory=Peak)
    live: Peak = field(default_factory=Peak)
    last_allocated: int = 0
    last_live: int = 0
    columns: tuple[str, ...] = ()
    shown: list[tuple[pa.RecordBatch, pa.RecordBatch]] = field(default_factory=list)

    @property
    def accepted(self) -> int:
        """How many packets were let through."""
        return sum(number for (_, accepted), number in self.classes.items() if accepted)

    def add(self, packets: pa.RecordBatch, answers: pa.RecordBatch) -> None:
        """Take up a batch of packets and the answers to them, in the columns of TRACK_SCHEMA."""
        if not packets.num_rows:
            return
        if (room := self.limit - self.packets) > 0:
            self.shown.append((packets.slice(0, room), answers.slice(0, room)))
        times = packets["time"].cast(pa.int64()).to_numpy()
        self.first_time = int(times[0]) if self.first_time is None else self.first_time
        self.last_time = int(times[-1])
        self.packets += packets.num_rows
        self.columns = tuple(packets.schema.names)
        if "side" in packets.schema.names:
            self.from_clients += pc.sum(pc.equal(packets["side"].cast(pa.string()), "a")).as_py() or 0
        self._count(answers)
        for name, peak in (("count", self.allocated), ("live", self.live)):
            peak.raise_to(answers[name].to_numpy(), times)
        self.last_allocated, self.last_live = answers["count"][-1].as_py(), answers["live"][-1].as_py()

    def _count(self, answers: pa.RecordBatch) -> None:
        table = pa.table({name: answers[name].cast(pa.string()) for name in ("ct_class", "verdict")})
        for row in table.group_by(["ct_class", "verdict"]).aggregate([([], "count_all")]).to_pylist():
            self.classes[CtClass[row["ct_class"].upper()], row["verdict"] == "accept"] += row["count_all"]


class Tracks(Protocol):
    """What answers packets, batch after batch: a `Tracker`."""

    def track(self, packets: pa.RecordBatch) -> pa.RecordBatch:
        """Return the answer to each packet, in the columns of TRACK_SCHEMA."""
        ...


def follow(
    tracker: Tracks, batches: Iterable[pa.RecordBatch], tracked: Tracked, output: Path | None = None
) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
    """Yield each batch of packets with its answers, having taken them up.

    Parameters
    ----------
    tracker : Tracks
        What answers.
    batches : iterable of RecordBatch
        Packets in order of time.
    tracked : Tracked
        Takes up what they come to.
    output : Path, optional
        Parquet file to write the answers to; it appears once all of them are there.
    """
    with ExitStack() as stack:
        write = stack.enter_context(_writing(output)) if output else None
        for packets in batches:
            answers = tracker.track(packets)
            tracked.add(packets, answers)
            if write:
                write(answers)
            yield packets, answers


@contextmanager
def _writing(output: Path) -> Iterator[Callable[[pa.RecordBatch], None]]:
    """Collect batches into row groups of one file, which stays hidden until it is whole."""
    partial = output.with_name(f".{output.name}.partial")
    held: list[pa.RecordBatch] = []
    try:
        with pq.ParquetWriter(partial, TRACK_SCHEMA, compression="zstd", version="2.6") as writer:

            def flush(least: int) -> None:
                if sum(batch.num_rows for batch in held) > least:
                    writer.write_table(pa.Table.from_batches(held))
                    held.clear()

            def write(batch: pa.RecordBatch) -> None:
                held.append(batch)
                flush(GROUP_ROWS)

            yield write
            flush(0)
        partial.replace(output)
    finally:
        partial.unlink(missing_ok=True)
