"""A capture whose records that were made before translation tell what they were translated to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ...model.cluster import Cluster
from ...model.flows import Capture, Split
from ...model.schema import WIDE_ADDRESS
from ..ends import raw_values, validity
from .doors import Doors
from .wrapped import WrappedCapture

SERVICE, SOURCE = 1, 2
"""Kinds of joined rows: the Service's address was translated after it; the client's too."""
JOINED_WORDS = ("service", "source")


@dataclass(frozen=True)
class Joined:
    """The records of a capture that were made before translation, and what they were translated to.

    Attributes
    ----------
    rows : int64[n]
        Positions among all rows of the capture, ascending.
    kinds : uint8[n]
        SERVICE or SOURCE.
    ways : uint8[n]
        1 where the record runs from server to client.
    high, low, port, pod
        The server after translation: halves of its address, port, and the pod that records name, or -1.
    client_high, client_low : uint64[n]
        The client's address after translation, for SOURCE.
    twins : int64[n]
        Position of the record made after translation that says the same; -1 where none runs the same way.
    """

    rows: NDArray[np.int64]
    kinds: NDArray[np.uint8]
    ways: NDArray[np.uint8]
    high: NDArray[np.uint64]
    low: NDArray[np.uint64]
    port: NDArray[np.uint16]
    pod: NDArray[np.int32]
    client_high: NDArray[np.uint64]
    client_low: NDArray[np.uint64]
    twins: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        doors: Doors,
        rows: NDArray[np.int64],
        kinds: NDArray[np.uint8],
        ways: NDArray[np.uint8],
        targets: NDArray[np.integer],
        pods: NDArray[np.integer],
        nodes: NDArray[np.integer],
        twins: NDArray[np.int64],
    ) -> Joined:
        """Make it of places among what Services lead to, and of places of the nodes that stand for clients."""
        return cls(
            rows,
            kinds,
            ways,
            doors.target_high[targets],
            doors.target_low[targets],
            doors.target_port[targets],
            pods.astype(np.int32),
            doors.address_high[nodes],
            doors.address_low[nodes],
            twins,
        )

    def within(self, position: int, count: int) -> slice:
        """Return which of the records are among some rows of the capture."""
        first, last = np.searchsorted(self.rows, [position, position + count])
        return slice(first, last)

    def doubles(self, position: int, count: int) -> NDArray[np.int64]:
        """Return which of some rows are told by a twin, counted from `position`."""
        here = self.within(position, count)
        return self.rows[here][self.twins[here] >= 0] - position

    def settle(self, results: NDArray[np.uint8]) -> None:
        """Say of rows with a twin what is said of that; a twin that has one itself comes to the last one."""
        doubles = self.twins >= 0
        rows, twins = self.rows[doubles], self.twins[doubles]
        if rows.size:
            places = np.minimum(np.searchsorted(rows, twins), rows.size - 1)
            results[rows] = results[np.where(rows[places] == twins, twins[places], twins)]


class TranslatedCapture(WrappedCapture):
    """A capture with the ends of some records as they are after translation.

    Parameters
    ----------
    capture : Capture
    joined : Joined
    cluster : Cluster
        Names the pods.
    """

    def __init__(self, capture: Capture, joined: Joined, cluster: Cluster) -> None:
        super().__init__(capture)
        self._joined = joined
        self._cluster = cluster

    def kinds(self, split: Split, first_row: int, count: int) -> NDArray[np.uint8]:
        """Return what some rows of a split are: SERVICE, SOURCE, or 0; `first_row` counts within the file."""
        position = self.position_of(split, first_row)
        here = self._joined.within(position, count)
        kinds = np.zeros(count, np.uint8)
        kinds[self._joined.rows[here] - position] = self._joined.kinds[here]
        return kinds

    def read(self, split: Split, columns: Sequence[str], batch_rows: int) -> Iterator[pa.RecordBatch]:
        """Read a split, in its row order."""
        position = self._starts.get((split.file, split.first_row))
        for batch in self._capture.read(split, columns, batch_rows):
            if position is None:
                yield batch
                continue
            here = self._joined.within(position, batch.num_rows)
            yield self._translated(batch, here, position) if here.stop > here.start else batch
            position += batch.num_rows

    def _translated(self, batch: pa.RecordBatch, here: slice, position: int) -> pa.RecordBatch:
        found = self._joined
        rows, kinds, ways = found.rows[here] - position, found.kinds[here], found.ways[here]
        server, client = (found.high[here], found.low[here]), (found.client_high[here], found.client_low[here])
        names = [self._cluster.pods[pod].full_name if pod >= 0 else None for pod in found.pod[here].tolist()]
        columns = dict(zip(batch.schema.names, batch.columns, strict=True))
        for way, (there, back) in enumerate((("destination", "source"), ("source", "destination"))):
            ours = ways == way
            of_client = ours & (kinds == SOURCE)
            for name, part, some in ((f"{there}_address", server, ours), (f"{back}_address", client, of_client)):
                if name in columns:
                    columns[name] = _with_addresses(columns[name], rows[some], part[0][some], part[1][some])
            if f"{there}_port" in columns:
                columns[f"{there}_port"] = _with(columns[f"{there}_port"], rows[ours], found.port[here][ours])
            if f"{there}_pod" in columns:
                named = [name for name, is_ours in zip(names, ours, strict=True) if is_ours]
                columns[f"{there}_pod"] = _with_names(columns[f"{there}_pod"], rows[ours], named)
            if f"{back}_pod" in columns:
                none = [None] * int(of_client.sum())
                columns[f"{back}_pod"] = _with_names(columns[f"{back}_pod"], rows[of_client], none)
        return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def _with(column: pa.Array, rows: NDArray[np.int64], values: NDArray[np.generic]) -> pa.Array:
    """Put numbers into some rows of a column."""
    known = validity(column).copy()
    filled = np.where(known, raw_values(column), 0).astype(values.dtype)
    filled[rows], known[rows] = values, True
    return pa.array(filled, column.type, mask=~known)


def _with_addresses(
    column: pa.Array, rows: NDArray[np.int64], high: NDArray[np.uint64], low: NDArray[np.uint64]
) -> pa.Array:
    """Put addresses into some rows of a column."""
    if column.type != WIDE_ADDRESS:
        return _with(column, rows, low.astype(np.uint32))
    known = validity(column).copy()
    width = WIDE_ADDRESS.byte_width
    data = np.frombuffer(column.buffers()[1], np.uint8, len(column) * width, column.offset * width).copy()
    data.reshape(-1, width)[rows] = np.stack([high, low], axis=1).astype(">u8").view(np.uint8).reshape(-1, width)
    known[rows] = True
    bits = pa.py_buffer(np.packbits(known, bitorder="little"))
    return pa.Array.from_buffers(WIDE_ADDRESS, len(column), [bits, pa.py_buffer(data)])


def _with_names(column: pa.Array, rows: NDArray[np.int64], names: Sequence[str | None]) -> pa.Array:
    """Put names into some rows of a column."""
    if not rows.size:
        return column
    encoded = column if isinstance(column, pa.DictionaryArray) else column.dictionary_encode()
    own = encoded.dictionary.cast(pa.string())
    added = list(dict.fromkeys(name for name in names if name is not None))
    places = {name: len(own) + number for number, name in enumerate(added)}
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
    codes[rows] = [-1 if name is None else places[name] for name in names]
    texts = pa.concat_arrays([own, pa.array(added, pa.string())])
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), texts)
