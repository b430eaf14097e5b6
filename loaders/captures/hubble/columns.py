"""Rows to columns of FLOW_SCHEMA."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from simcore.model.ports import ICMP, ICMPV6, PORT_PROTOCOLS
from simcore.model.schema import FLOW_SCHEMA, WIDE_ADDRESS

from ..sorting import MOMENT, ORDER
from .connections import Row
from .ends import EndOf
from .requests import Details

BATCH_ROWS = 32_768
COLUMNS = (
    *("time", "end_time", "source_address", "destination_address", "source_port", "destination_port", "protocol"),
    *("tcp_flags", "source_pod", "destination_pod", "node", "observed_verdict", "icmp_type", "icmp_code"),
    *Details._fields,
    *("egress_verdict", "ingress_verdict", "egress_reason", "ingress_reason", "egress_policies", "ingress_policies"),
    *("source_identity", "destination_identity", "source_workload", "destination_workload"),
    *("source_labels", "destination_labels", "record"),
)
"""What Hubble tells of a flow."""

_END_COLUMNS = ("pod", "identity", "workload", "labels")


def batches(rows: Iterable[Row], ends: Sequence[EndOf], batch_rows: int = BATCH_ROWS) -> Iterator[pa.Table]:
    """Turn rows into tables of `COLUMNS`, `MOMENT` and `ORDER`, addresses of 16 bytes; `ends` grows as rows come."""
    rows = iter(rows)
    while block := list(islice(rows, batch_rows)):
        yield _table(block, ends)


def _table(rows: Sequence[Row], ends: Sequence[EndOf]) -> pa.Table:
    time, order, end_time, keys, flags, sources, destinations, node, verdicts, reasons, policies, record, details = zip(
        *rows, strict=True
    )
    source, destination, protocols, ports, other_ports = zip(*keys, strict=True)
    found: dict[str, Any] = {
        "time": time,
        "end_time": end_time,
        "source_address": _addresses(source),
        "destination_address": _addresses(destination),
        "tcp_flags": [each or None for each in flags],
        "node": [each or None for each in node],
        "observed_verdict": [_observed(pair) for pair in verdicts],
        "record": record,
        **_ports(np.array(protocols, np.int16), np.array(ports, np.int32), np.array(other_ports, np.int32)),
        **dict(zip(Details._fields, zip(*details, strict=True), strict=True)),
    }
    for name, pairs in (("verdict", verdicts), ("reason", reasons), ("policies", policies)):
        found[f"egress_{name}"], found[f"ingress_{name}"] = zip(*pairs, strict=True)
    for end, numbers in (("source", sources), ("destination", destinations)):
        codes, positions = np.unique(np.array(numbers, np.int32), return_inverse=True)
        held = [ends[code] for code in codes.tolist()]
        for name in _END_COLUMNS:
            column = f"{end}_{name}"
            told = _typed(column, [getattr(each, name) for each in held])
            found[column] = told.take(pa.array(positions))
    columns = {name: _typed(name, found[name]) for name in COLUMNS}
    return pa.table({MOMENT: pa.array(time, pa.int64()), ORDER: pa.array(order, pa.int64()), **columns})


def _typed(name: str, values: Any) -> pa.Array:
    if isinstance(values, pa.Array):
        return values
    kind = FLOW_SCHEMA.field(name).type
    if pa.types.is_dictionary(kind):
        return pa.array(values, kind.value_type).dictionary_encode()
    return pa.array(values, kind)


def _addresses(values: Sequence[int]) -> pa.Array:
    data = b"".join([value.to_bytes(16, "big") for value in values])
    return pa.Array.from_buffers(WIDE_ADDRESS, len(values), [None, pa.py_buffer(data)])


def _ports(protocols: NDArray[np.int16], ports: NDArray[np.int32], others: NDArray[np.int32]) -> dict[str, Any]:
    with_ports = np.isin(protocols, PORT_PROTOCOLS)
    of_icmp = np.isin(protocols, (ICMP, ICMPV6))
    return {
        "protocol": pa.array(np.maximum(protocols, 0).astype(np.uint8), mask=protocols < 0),
        "source_port": pa.array((ports & 0xFFFF).astype(np.uint16), mask=~with_ports),
        "destination_port": pa.array((others & 0xFFFF).astype(np.uint16), mask=~with_ports),
        "icmp_type": pa.array((ports >> 8 & 0xFF).astype(np.uint8), mask=~of_icmp),
        "icmp_code": pa.array((ports & 0xFF).astype(np.uint8), mask=~of_icmp),
    }


def _observed(verdicts: tuple[str | None, str | None]) -> str | None:
    """Say what both sides together made of a connection: one that denies it is enough."""
    if "dropped" in verdicts:
        return "dropped"
    return None if "error" in verdicts or verdicts == (None, None) else "forwarded"
