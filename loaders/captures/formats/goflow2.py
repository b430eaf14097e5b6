"""NetFlow, IPFIX and sFlow as goflow2 writes them: JSON lines, or the same columns in Parquet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..records.deriving import TCP, added, among, first_told, is_icmp, numbers_of, only, told_times, unit_of
from ..records.fields import read_records
from ..records.format import Format
from ..records.reading import Reading
from ..records.samples import Sample
from ..streams import Source

_KEYS = (
    *("sampling_rate", "time_flow_start_ns", "time_flow_end_ns", "packets", "bytes"),
    *("src_addr", "dst_addr", "src_port", "dst_port", "proto", "tcp_flags", "icmp_type", "icmp_code"),
    *("post_nat_dst_addr", "post_napt_dst_port", "etype"),
)
_COLUMNS = {"sampling_rate", "time_received_ns", "src_addr", "dst_addr"}
"""Columns of Parquet that others are not likely to have together."""
_IPV4, _IPV6 = ("2048", "IPv4"), ("34525", "IPv6")
_TYPES = ("SFLOW_5", "NETFLOW_V5", "NETFLOW_V9", "IPFIX")
_FIELDS = (
    *("time", "end_time", "source_address", "destination_address", "source_port", "destination_port", "protocol"),
    *("tcp_flags", "packets", "bytes", "icmp_type", "icmp_code"),
)


def _recognise(sample: Sample) -> bool:
    if sample.parquet is not None:
        return sample.parquet.keys() >= _COLUMNS
    return any(map(_is_flow, sample.objects))


def _is_flow(found: Mapping[str, Any]) -> bool:
    told = found.get("type") in _TYPES or "time_received_ns" in found or "sampler_address" in found
    return told and {"src_addr", "dst_addr"} <= found.keys()


def _read(source: Source, reading: Reading) -> Iterator[pa.RecordBatch]:
    for batch in read_records(source, reading, _KEYS):
        etype = batch.column("etype")
        is_other = pc.and_(etype.is_valid(), pc.invert(among(etype, (*_IPV4, *_IPV6))))
        reading.leave_out("frames that are not IP", is_other.true_count)
        yield _columns(_in_words(batch.filter(pc.invert(is_other))))


def _in_words(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Write addresses as text; ClickHouse has room for 16 bytes, of which IPv4 takes the first four."""
    is_four = among(batch.column("etype"), _IPV4)
    for name in ("src_addr", "dst_addr", "post_nat_dst_addr"):
        held = batch.column(name)
        if pa.types.is_fixed_size_binary(held.type):
            short = pc.if_else(is_four, pc.binary_slice(held.cast(pa.binary()), 0, 4), held.cast(pa.binary()))
            words = pa.array(map(_word, short.to_pylist()), pa.string())
            batch = batch.set_column(batch.schema.get_field_index(name), name, words)
    return batch


def _word(data: bytes | None) -> str | None:
    return None if data is None else str(ip_address(data))


def _columns(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Make the columns of a flow."""
    held = dict(zip(batch.schema.names, batch.columns, strict=True))
    numbers = numbers_of(held["proto"])
    icmp = is_icmp(numbers)
    ports, rate = pc.invert(icmp), held["sampling_rate"]
    real = first_told([held["post_nat_dst_addr"]], ("0.0.0.0", "::"))
    real_port = only(real.is_valid(), first_told([held["post_napt_dst_port"]], ("0",)))
    made = {
        "time": _times(held["time_flow_start_ns"]),
        "end_time": _times(held["time_flow_end_ns"]),
        "source_address": held["src_addr"],
        "destination_address": pc.coalesce(real, held["dst_addr"]),
        "source_port": only(ports, held["src_port"]),
        "destination_port": only(ports, pc.coalesce(real_port, held["dst_port"])),
        "protocol": held["proto"],
        "tcp_flags": only(pc.equal(numbers, TCP).fill_null(False), held["tcp_flags"]),
        "packets": added([held["packets"]], rate),
        "bytes": added([held["bytes"]], rate),
        "icmp_type": only(icmp, held["icmp_type"]),
        "icmp_code": only(icmp, held["icmp_code"]),
    }
    return pa.RecordBatch.from_pydict(made)


def _times(texts: pa.Array) -> pa.Array:
    """Read times, of which 0 is none."""
    told = first_told([texts], ("0",))
    return told_times(told, unit_of(told, "ns"))


FORMAT = Format(
    "goflow2",
    "NetFlow, IPFIX and sFlow collected by goflow2: JSON, Parquet",
    "one direction, cut at the active timeout; of sFlow one packet",
    _recognise,
    lambda _sample: _FIELDS,
    _read,
    lacks=(
        "no pods: ends are told by their addresses",
        "no verdict of any policy: nothing to verify",
        "where packets are sampled, short flows are missing; counts are multiplied by the rate",
    ),
)
