"""Addresses of pods that the cluster does not know, learned from a capture that names pods beside addresses."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..model.addresses import Address
from ..model.cluster import Cluster
from ..model.flows import Capture, Split
from .ends import ENDS
from .shards import Engine, Threads
from .sweep import DEFAULT_BATCH_ROWS

Found = dict[str, set[bytes]]


def learn_addresses(
    capture: Capture, cluster: Cluster, engine: Engine | None = None, batch_rows: int = DEFAULT_BATCH_ROWS
) -> Cluster:
    """Give pods without address those that the capture names them with.

    An address that the cluster knows as a pod's, a node's or a Service's stays theirs: it is seen beside another pod
    where addresses were rewritten on the way. Reads the capture's address and pod columns once more, and only where
    some pod has no address and the capture has both columns of an end. A pod keeps every address that is seen; equal
    captures teach equal clusters. `simcore.replay` and `simcore.whatif` do this themselves where they get a cluster.
    """
    homeless = {pod.full_name for pod in cluster.pods if pod.is_plain and not pod.addresses}
    ends = [end for end in ENDS if {f"{end}_address", f"{end}_pod"} <= capture.columns]
    if not homeless or not ends:
        return cluster
    columns = [f"{end}_{part}" for end in ends for part in ("address", "pod")]

    def look(split: Split) -> Found:
        found: Found = {}
        for batch in capture.read(split, columns, batch_rows):
            for end in ends:
                _collect(batch, end, homeless, found)
        return found

    seen: Found = {}
    for found in (engine or Threads()).map(look, capture.splits):
        for name, addresses in found.items():
            seen.setdefault(name, set()).update(addresses)
    owned = cluster.owned
    learned = {
        name: tuple(sorted(address for address in map(Address.from_bytes, packed) if address not in owned))
        for name, packed in seen.items()
    }
    return cluster.with_addresses(learned)


def _collect(batch: pa.RecordBatch, end: str, homeless: set[str], found: Found) -> None:
    """Note the addresses that one batch gives to pods that have none."""
    names = batch.column(f"{end}_pod")
    if not isinstance(names, pa.DictionaryArray):
        names = names.dictionary_encode()
    wanted = np.array([name in homeless for name in names.dictionary.to_pylist()] + [False])
    codes = names.indices.fill_null(wanted.size - 1).to_numpy(zero_copy_only=False)
    rows = pa.array(np.flatnonzero(wanted[codes]))
    if len(rows):
        pairs = pa.table(
            {"name": names.take(rows).cast(pa.string()), "address": batch.column(f"{end}_address").take(rows)}
        )
        distinct = pairs.filter(pc.is_valid(pairs["address"])).group_by(["name", "address"]).aggregate([])
        for name, address in zip(distinct["name"].to_pylist(), distinct["address"].to_pylist(), strict=True):
            packed = address if isinstance(address, bytes) else address.to_bytes(4, "big")
            found.setdefault(name, set()).add(packed)
