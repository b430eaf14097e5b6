"""Tallies: flows counted by group, in a form that merges in any order to the same result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..kernels.groups import NO_TIME, group
from ..model.addresses import Address
from ..model.flows import Judgement, Split
from ..model.groups import Change, Example, FlowGroup
from ..tables.layout import Tables
from ..tables.ports import UNKNOWN_PROTOCOL
from .ends import validity
from .judging import Judged, judgement_of, objects_of

GROUPED_COLUMNS = ("time", "end_time", "packets", "bytes", "source_port")
"""What groups tell beside what a verdict needs."""

_NEVER = np.int64(-0x8000000000000000)
_MISSING = -1


@dataclass(frozen=True)
class Tally:
    """Groups of flows, one a row.

    Attributes
    ----------
    keys : int64[n, 4 + 3 * sets]
        Labels of source and destination, protocol, port (-1 where missing), then egress cell, ingress cell and
        verdict under each policy set.
    sums : int64[n, 3]
        Flows, packets, bytes.
    times : int64[n, 2]
        First and last seen; NO_TIME and the lowest integer where missing.
    sequence : int64[n]
        ``file << 40 | row`` of the example.
    example : uint64[n, 4], int64[n, 5]
        Addresses of the example (halves of source and destination); its source and destination pod (-1 none,
        -2 not in the cluster), whether it has a source and a destination address, and its source port.
    """

    keys: NDArray[np.int64]
    sums: NDArray[np.int64]
    times: NDArray[np.int64]
    sequence: NDArray[np.int64]
    addresses: NDArray[np.uint64]
    details: NDArray[np.int64]

    @classmethod
    def merged(cls, tallies: Sequence[Tally]) -> Tally:
        """Merge tallies; the order of the result is that of the keys."""
        joined = cls(*(np.concatenate(parts) for parts in zip(*(tally._parts for tally in tallies), strict=True)))
        return joined._grouped()

    @property
    def _parts(self) -> tuple[NDArray[np.generic], ...]:
        return self.keys, self.sums, self.times, self.sequence, self.addresses, self.details

    def _grouped(self) -> Tally:
        count = self.keys.shape[0]
        members = np.empty(count, np.int64)
        sums = np.empty((count, 3), np.int64)
        times = np.empty((count, 2), np.int64)
        examples = np.empty(count, np.int64)
        found = group(
            self.keys,
            self.sums,
            self.times,
            self.sequence,
            members,
            sums,
            times,
            examples,
        )
        keys = self.keys[members[:found]]
        order = np.lexsort(keys.T[::-1])
        examples = examples[:found][order]
        return Tally(
            keys[order],
            sums[:found][order],
            times[:found][order],
            self.sequence[examples],
            self.addresses[examples],
            self.details[examples],
        )

    @property
    def size(self) -> int:
        """How many groups there are."""
        return len(self.keys)


def empty_tally(sets: int) -> Tally:
    """Return the tally of nothing."""
    return Tally(
        np.empty((0, 4 + 3 * sets), np.int64),
        np.empty((0, 3), np.int64),
        np.empty((0, 2), np.int64),
        np.empty(0, np.int64),
        np.empty((0, 4), np.uint64),
        np.empty((0, 5), np.int64),
    )


def tally_rows(
    tables: Tables,
    judged: Judged,
    batch: pa.RecordBatch,
    rows: NDArray[np.int64],
    split: Split,
    first_row: int,
) -> Tally:
    """Count some flows of a batch by group.

    Parameters
    ----------
    rows : int64[m]
        Which flows of the batch.
    first_row : int
        Row number, within the file, of the batch's first flow.
    """
    source, destination = judged.source.take(rows), judged.destination.take(rows)
    labels = [tables.label_of[objects_of(tables, end, rows)] for end in (judged.source, judged.destination)]
    port = judged.ports.port[rows].astype(np.int64)
    if judged.ports.port_known.size:
        port[~judged.ports.port_known[rows]] = _MISSING
    columns = [*labels, judged.ports.protocol[rows], port]
    for number in range(tables.sets):
        columns += [judged.egress[number, rows], judged.ingress[number, rows], judged.verdict[number, rows]]
    keys = np.stack([np.asarray(column, np.int64) for column in columns], axis=1)
    time = _integers(batch, "time", rows, NO_TIME)
    end_time = _integers(batch, "end_time", rows, _NEVER)
    last = np.maximum(end_time, np.where(time == NO_TIME, _NEVER, time))
    return Tally(
        keys,
        np.stack(
            [
                np.ones(rows.size, np.int64),
                _integers(batch, "packets", rows, 0),
                _integers(batch, "bytes", rows, 0),
            ],
            axis=1,
        ),
        np.stack([time, last], axis=1),
        (split.file << 40 | first_row) + rows,
        np.stack([source.high, source.low, destination.high, destination.low], axis=1),
        np.stack(
            [
                source.pods.astype(np.int64),
                destination.pods.astype(np.int64),
                source.known.astype(np.int64),
                destination.known.astype(np.int64),
                _integers(batch, "source_port", rows, _MISSING),
            ],
            axis=1,
        ),
    )._grouped()


def _integers(batch: pa.RecordBatch, name: str, rows: NDArray[np.int64], missing: int | np.int64) -> NDArray[np.int64]:
    """Read some values of a column as integers; what is missing is what the caller says."""
    if name not in batch.schema.names:
        return np.full(rows.size, missing, np.int64)
    column = batch.column(name)
    if pa.types.is_timestamp(column.type):
        column = column.view(pa.int64())
    values = (column.fill_null(0) if column.null_count else column).to_numpy(zero_copy_only=False)[rows]
    integers = np.asarray(values, np.int64)
    return np.where(validity(column)[rows], integers, missing) if column.null_count else integers


def flow_groups(tables: Tables, tally: Tally, files: Sequence[str]) -> list[FlowGroup]:
    """Turn a tally into groups, in its order."""
    judgements: dict[tuple[int, ...], Judgement] = {}
    return [
        _flow_group(tables, key, [_judgement(tables, key, n, judgements) for n in range(tables.sets)], *rest)
        for key, *rest in zip(
            tally.keys.tolist(), tally.sums.tolist(), tally.times.tolist(), _examples(tables, tally, files), strict=True
        )
    ]


def _judgement(tables: Tables, key: list[int], number: int, known: dict[tuple[int, ...], Judgement]) -> Judgement:
    cells = tuple(key[4 + 3 * number : 7 + 3 * number])
    if (judgement := known.get(cells)) is None:
        judgement = known[cells] = judgement_of(tables, *cells)
    return judgement


def _flow_group(
    tables: Tables,
    key: list[int],
    judgements: list[Judgement],
    sums: list[int],
    times: list[int],
    example: Example,
) -> FlowGroup:
    before = judgements[0] if tables.sets > 1 else None
    return FlowGroup(
        change=Change.between(before.verdict, judgements[-1].verdict) if before else Change.UNCHANGED,
        source=tables.labels[key[0]],
        destination=tables.labels[key[1]],
        protocol=None if key[2] == UNKNOWN_PROTOCOL else key[2],
        port=None if key[3] == _MISSING else key[3],
        flows=sums[0],
        packets=sums[1],
        bytes=sums[2],
        first_seen=None if times[0] == NO_TIME else times[0],
        last_seen=None if times[1] == _NEVER else times[1],
        before=before,
        after=judgements[-1],
        example=example,
    )


def _examples(tables: Tables, tally: Tally, files: Sequence[str]) -> Iterator[Example]:
    columns = zip(
        tally.sequence.tolist(),
        tally.keys[:, 3].tolist(),
        tally.times[:, 0].tolist(),
        tally.addresses.tolist(),
        tally.details.tolist(),
        strict=True,
    )
    for sequence, port, first, addresses, details in columns:
        source_pod, destination_pod, has_source, has_destination, source_port = details
        yield Example(
            file=files[sequence >> 40],
            row=sequence & (1 << 40) - 1,
            time=None if first == NO_TIME else first,
            source=_end_words(tables, addresses[:2], bool(has_source), source_pod),
            destination=_end_words(tables, addresses[2:], bool(has_destination), destination_pod),
            source_port=None if source_port == _MISSING else source_port,
            destination_port=None if port == _MISSING else port,
        )


def _end_words(tables: Tables, halves: list[int], has_address: bool, pod: int) -> str:
    """Name one end of an example: its address, and its pod where one is known."""
    address = Address.from_bytes((halves[0] << 64 | halves[1]).to_bytes(16, "big")) if has_address else None
    owners = tables.cluster.pods_at.get(address, ()) if address and pod == -1 else (pod,) if pod >= 0 else ()
    name = tables.cluster.pods[owners[0]].full_name if len(owners) == 1 else ""
    if address is None:
        return name or "unknown"
    return f"{address} ({name})" if name else str(address)
