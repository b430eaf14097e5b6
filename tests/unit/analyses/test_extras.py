"""Source ports and ICMP types of a capture, where rules ask for them."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import loaders
import simcore
from simcore.analyses.ends import JUDGED_COLUMNS, judged_columns
from simcore.analyses.sessions.oriented import OrientedCapture
from simcore.model.peers import ANYTHING
from simcore.model.policy import Policy
from simcore.model.ports import EVERY_PORT, ICMP, TCP, UDP, IcmpType, PortRange, PortSet
from simcore.report.render import plain_text
from simcore.report.replay import replay, replay_json
from simcore.tables.build import build_tables

from ..test_reference import INGRESS, app, cluster, policy

WEB, DB = "10.0.0.1", "10.0.0.2"
ROWS = [
    (TCP, 1_000, 80, None, None),
    (TCP, 50_000, 80, None, None),
    (TCP, None, 80, None, None),
    (UDP, 1_000, 53, None, None),
    (ICMP, None, None, 8, 0),
    (ICMP, None, None, 0, 0),
    (ICMP, None, None, None, None),
]
VERDICTS = ["DENY", "ALLOW", "UNKNOWN", "DENY", "ALLOW", "DENY", "UNKNOWN"]


def from_high_ports(one):
    """The policy, its rules for clients whose port is high."""
    high = PortSet((PortRange(TCP, 1024, 65_535), PortRange(ICMP)))
    rules = tuple(replace(rule, source_ports=high) if rule.index >= 0 else rule for rule in one.rules)
    return Policy(one.ref, rules, one.place)


ASKING = from_high_ports(
    policy(INGRESS, app("db"), (ANYTHING, PortSet((PortRange(TCP), PortRange(UDP), IcmpType(ICMP, 8)))))
)
PLAIN = policy(INGRESS, app("db"), (ANYTHING, EVERY_PORT))


@pytest.fixture
def capture(tmp_path):
    protocol, source_port, port, kind, code = zip(*ROWS, strict=True)
    table = pa.table(
        {
            "source_address": [WEB] * len(ROWS),
            "destination_address": [DB] * len(ROWS),
            "protocol": protocol,
            "source_port": source_port,
            "destination_port": port,
            "icmpType": kind,
            "icmp_code": code,
        }
    )
    path = tmp_path / "flows.parquet"
    pq.write_table(table, path)
    return loaders.open_capture([str(path)])


def test_source_ports_and_types_decide_the_flows_of_a_capture(capture, tmp_path):
    output = tmp_path / "out.parquet"
    result = simcore.replay(capture, cluster(), [ASKING], output=output)
    assert pq.read_table(output)["verdict"].to_pylist() == VERDICTS
    assert result.settled == 6
    assert replay_json(result)["by_source_port_or_icmp_type"] == 6
    assert "6 flows (85.7%) decided by source port or ICMP type" in plain_text(replay(result, 10))


def test_a_what_if_counts_a_flow_once(capture):
    assert simcore.whatif(capture, cluster(), [PLAIN], [ASKING]).settled == 6


def test_nothing_is_read_or_told_where_no_rule_asks(capture):
    assert judged_columns(build_tables(cluster(), [PLAIN])) == JUDGED_COLUMNS
    result = simcore.replay(capture, cluster(), [PLAIN])
    assert result.settled == 0
    assert "by_source_port_or_icmp_type" not in replay_json(result)


def test_an_answer_asks_as_what_it_answers(capture):
    turned = OrientedCapture(capture, np.full(len(ROWS), 1 << 3, np.uint8))
    (batch,) = turned.read(turned.splits[0], ["source_port", "icmp_type"], 100)
    assert batch["source_port"].to_pylist() == [row[2] for row in ROWS]
    assert batch["icmp_type"].to_pylist() == [None, None, None, None, 8, 8, None]
