"""Captures whose verdicts were recorded, made from those of the reference."""

import pyarrow as pa
import pyarrow.parquet as pq

from loaders import open_capture
from simcore.model.cilium import AUDITED
from simcore.model.flows import Verdict
from simcore.model.policy import Direction, Role

from .captures import request_columns, wide

WORDS = {Verdict.ALLOW: "forwarded", Verdict.DENY: "dropped", Verdict.UNKNOWN: None}


def policies_of(outcome):
    """What Hubble names: the policy of a rule that was written out; nothing of a denial by default."""
    rule = outcome.rule
    return str(rule.policy) if rule is not None and rule.role is Role.WRITTEN else None


def rows_of(flows, judgements):
    """A row a flow, with what the dataplane says of both sides."""
    for number, (flow, judgement) in enumerate(zip(flows, judgements, strict=True)):
        row = {
            "time": number,
            "source_address": address(flow.source),
            "destination_address": address(flow.destination),
            "source_pod": flow.source.pod,
            "destination_pod": flow.destination.pod,
            "source_port": flow.source_port,
            "destination_port": flow.port,
            "protocol": flow.protocol,
            "icmp_type": flow.icmp_type,
            "icmp_code": flow.icmp_code,
            "observed_verdict": WORDS[judgement.verdict],
            **requests_of(flow),
        }
        for side in Direction:
            outcome = judgement.outcome(side)
            denied = outcome.verdict is Verdict.DENY
            row[f"{side.word}_verdict"] = "audit" if outcome.detail.startswith(AUDITED) else WORDS[outcome.verdict]
            row[f"{side.word}_reason"] = "POLICY_DENIED" if denied else None
            row[f"{side.word}_policies"] = policies_of(outcome)
        yield row


def requests_of(flow):
    """The columns of a flow's request; none where it has none."""
    if flow.request is None:
        return {}
    return {name: column[0].as_py() for name, column in request_columns([flow]).items()}


def address(end):
    return None if end.address is None else wide(str(end.address))


TYPES = {
    "time": pa.timestamp("ns"),
    "source_address": pa.binary(16),
    "destination_address": pa.binary(16),
    "source_port": pa.uint16(),
    "destination_port": pa.uint16(),
    "protocol": pa.uint8(),
    "icmp_type": pa.uint8(),
    "icmp_code": pa.uint8(),
}


def save(rows, path, group_rows=1_000_000):
    """Write rows to a capture; returns it opened."""
    rows = list(rows)
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: pa.array([row.get(name) for row in rows], TYPES.get(name, pa.string())) for name in names}
    pq.write_table(pa.table(columns), path, row_group_size=group_rows)
    return open_capture([str(path)])
