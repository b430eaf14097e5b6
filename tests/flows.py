"""Captures of flows that are not in a file."""

import pyarrow as pa

from simcore.model.addresses import Family
from simcore.model.flows import Split
from simcore.model.schema import FLOW_SCHEMA, WIDE_ADDRESS

SECOND = 1_000_000_000


class Flows:
    """A capture of single flows, one each second, in splits of so many."""

    files = ("flows.parquet",)
    answers = ()
    columns = frozenset(
        ["time", "destination_port", "protocol"]
        + [f"{end}_{part}" for end in ("source", "destination") for part in ("address", "pod")]
    )

    def __init__(self, flows, split_rows=1000):
        self._flows = flows
        starts = range(0, len(flows), split_rows)
        self.splits = [Split(0, n, start, min(split_rows, len(flows) - start)) for n, start in enumerate(starts)]

    def read(self, split, columns, batch_rows):
        for first in range(split.first_row, split.first_row + split.rows, batch_rows):
            end = min(first + batch_rows, split.first_row + split.rows)
            held = self._held(self._flows[first:end], first)
            yield pa.record_batch({name: held[name] for name in columns})

    def _held(self, flows, first):
        held = {
            "time": pa.array([(first + n) * SECOND for n in range(len(flows))], FLOW_SCHEMA.field("time").type),
            "destination_port": pa.array([flow.port for flow in flows], pa.uint16()),
            "protocol": pa.array([flow.protocol for flow in flows], pa.uint8()),
        }
        for name in ("source", "destination"):
            ends = [getattr(flow, name) for flow in flows]
            held[f"{name}_address"] = pa.array([packed(end.address) for end in ends], WIDE_ADDRESS)
            held[f"{name}_pod"] = pa.array([end.pod for end in ends], pa.string()).dictionary_encode()
        return held


def packed(address):
    if address is None:
        return None
    prefix = b"\0" * 10 + b"\xff\xff" if address.family is Family.V4 else b""
    return prefix + address.value.to_bytes(16 - len(prefix), "big")
