"""Ends that a record tells by a numeric identity alone: the pods that stand in for them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..kernels.places import FIRST_COMPOSITE, NO_ADDRESS, NOBODY, SAME, UNKNOWN_POD, find_ends
from ..tables.ends import Kind
from ..tables.layout import Tables
from .ends import ENDS, EndColumn, checked, raw_values, read_end, validity
from .moments import at_times, settle_ends
from .timely import times_of


def read_ends(tables: Tables, batch: pa.RecordBatch) -> tuple[EndColumn, EndColumn]:
    """Read source and destination of every flow of a batch."""
    times = times_of(tables, batch)
    source, destination = (at_times(tables, read_end(batch, end, tables.pod_numbers), times) for end in ENDS)
    if not tables.cluster.identities:
        return source, destination
    return _identified(tables, batch, source, "source"), _identified(tables, batch, destination, "destination")


def _identified(tables: Tables, batch: pa.RecordBatch, end: EndColumn, name: str) -> EndColumn:
    column = f"{name}_identity"
    if column not in batch.schema.names:
        return end
    held = checked(batch, column)
    numbers = raw_values(held)
    return identify(tables, end, np.where(validity(held), numbers, np.uint32(0)) if held.null_count else numbers)


def identify(tables: Tables, end: EndColumn, numbers: NDArray[np.uint32]) -> EndColumn:
    """Put the pods of identities where no pod of the cluster is named and the address is nobody's.

    Parameters
    ----------
    tables : Tables
    end : EndColumn
    numbers : uint32[n]
        Identities; 0 where none is told.
    """
    cluster = tables.cluster
    known = np.fromiter(cluster.identities, np.uint32, len(cluster.identities))
    if not known.size:
        return end
    slots = np.minimum(np.searchsorted(known, numbers), known.size - 1)
    wanted = known[slots] == numbers
    if end.pods.size:
        wanted &= end.pods < 0
    rows = np.flatnonzero(wanted)
    rows = rows[_is_free(tables, end.take(rows))] if rows.size else rows
    if not rows.size:
        return end
    stand_ins = np.array([cluster.pod_numbers[name] for name in cluster.identities.values()], np.int32)
    wide = end.widened()
    pods = wide.pods.copy()
    pods[rows] = stand_ins[slots[rows]]
    return replace(wide, pods=pods)


def _is_free(tables: Tables, end: EndColumn) -> NDArray[np.bool_]:
    """Tell whose addresses neither a pod nor a node nor a Service owns."""
    arrays = tables.arrays
    places = np.empty(end.known.size, np.int32)
    find_ends(
        arrays.trie_v4,
        arrays.trie_v6,
        arrays.exact,
        arrays.exact_places,
        end.high,
        end.low,
        end.known,
        np.full(end.known.size, -1, np.int32),
        tables.pod_places,
        NO_ADDRESS,
        UNKNOWN_POD,
        places,
    )
    settle_ends(tables, end, places)
    is_single = (places >= 0) & (places < arrays.limits[FIRST_COMPOSITE])
    is_outside = arrays.kind[np.where(is_single, places, 0)] == Kind.OUTSIDE
    return np.asarray((places == NO_ADDRESS) | (places == NOBODY) | is_single & is_outside)


def tell_apart(tables: Tables, source: EndColumn, destination: EndColumn, places: NDArray[np.int32]) -> None:
    """Take back that both ends of a flow are one pod where it stands in for both, and their addresses do not say so."""
    cluster = tables.cluster
    if not cluster.identities:
        return
    rows = np.flatnonzero((places[1] == SAME) & (source.pods >= 0) & (source.pods == destination.pods))
    rows = rows[[cluster.pods[number].stands_in for number in source.pods[rows].tolist()]] if rows.size else rows
    here, there = source.take(rows), destination.take(rows)
    apart = ~(here.known & there.known & (here.high == there.high) & (here.low == there.low))
    rows = rows[apart]
    places[1, rows] = places[0, rows]
