"""What is timed is right: a sample of its answers is compared with the reference."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from simcore.analyses.judging import Judged, judgement_of
from simcore.model.addresses import Address, Family
from simcore.model.flows import End, Flow
from simcore.reference import Reference
from simcore.tables.layout import Tables

from .clusters import Scenario
from .flows import FiveTuples

SAMPLE = 300


def assert_right(scenario: Scenario, tables: Tables, flows: Sequence[Flow], rows: np.ndarray, judged: Judged) -> None:
    """Compare verdict, reason and rule of both directions; ``flows[n]`` is the flow of row ``rows[n]``."""
    reference = Reference(scenario.cluster, scenario.policies)
    for flow, row in zip(flows, rows.tolist(), strict=True):
        cells = (judged.egress[0, row], judged.ingress[0, row], judged.verdict[0, row])
        found = judgement_of(tables, *map(int, cells))
        assert found == reference.judge(flow), flow


def sample(count: int) -> np.ndarray:
    return np.unique(np.linspace(0, count - 1, SAMPLE).astype(np.int64))


def five_tuple_flows(flows: FiveTuples, rows: np.ndarray) -> list[Flow]:
    columns = (flows.source, flows.destination, flows.protocol, flows.port)
    return [
        Flow(End(Address(Family.V4, source)), End(Address(Family.V4, destination)), protocol, port)
        for source, destination, protocol, port in zip(*(column[rows].tolist() for column in columns), strict=True)
    ]


def captured_flows(batch: pa.RecordBatch, rows: np.ndarray) -> list[Flow]:
    return [
        Flow(
            End(_address(row["source_address"])),
            End(_address(row["destination_address"])),
            row["protocol"],
            row["destination_port"],
        )
        for row in batch.take(pa.array(rows)).to_pylist()
    ]


def _address(value: int | bytes | None) -> Address | None:
    if value is None:
        return None
    return Address.from_bytes(value) if isinstance(value, bytes) else Address(Family.V4, value)
