"""A generated capture, written in every format, has the verdicts that the format carries enough for."""

from collections import Counter
from functools import reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from loaders import load_cluster, load_policies
from loaders.captures import open_capture
from loaders.synthetic.cluster import generate_cluster
from loaders.synthetic.flows import generate_flows
from loaders.synthetic.scale import Scale
from simcore.analyses.collectives import know_collectives
from simcore.analyses.judging import judge_batch
from simcore.analyses.shards import Threads
from simcore.model.addresses import Address
from simcore.model.flows import Verdict
from simcore.model.profile import UPSTREAM
from simcore.model.schema import FLOW_SCHEMA
from simcore.tables.build import build_tables
from tests.exports import WRITERS
from tests.exports.rows import rows_of

FLOWS = 3_000
MINUTE = 60_000_000_000
PODS = ("source_pod", "destination_pod")
LACKING = dict.fromkeys(("aws-vpc", "azure", "conntrack", "goflow2", "nfdump", "pcap", "zeek"), PODS)
"""Columns without which a format's verdicts are to be as of those that have them."""
PACKETS = ("conntrack", "pcap")
"""Formats that cannot have a flow without what each packet has: it is not written."""
AGGREGATED = ("goldmane",)
"""Formats whose ends are many pods, or unknown addresses: what these do not agree on is unknown."""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    made = generate_cluster(Scale(pods=160, policies=60, namespaces=6, nodes=4, dual_stack=0.3), 3, folder)
    cluster = load_cluster([str(made.cluster)])
    policies = load_policies([str(made.policies)])
    path = generate_flows(cluster, FLOWS, 5, folder / "flows.parquet", pods=True)
    return build_tables(cluster, policies, profile=UPSTREAM), at_minutes(pq.read_table(path))


def packets_of(flows):
    """The flows of which everything is known that a packet has."""
    known = reduce(pc.and_, (flows[name].is_valid() for name in ("source_address", "destination_address", "protocol")))
    ports = reduce(pc.and_, (flows[name].is_valid() for name in ("source_port", "destination_port")))
    return flows.filter(pc.and_(known, pc.or_(ports, pc.invert(pc.is_in(flows["protocol"], pa.array([6, 17, 132]))))))


def at_minutes(flows):
    """The flows, one every minute, so that they keep their order in every format."""
    times = pa.array(np.arange(flows.num_rows) * MINUTE + 1_767_607_200_000_000_000).cast(pa.timestamp("ns"))
    for name in ("time", "end_time"):
        flows = flows.set_column(flows.schema.get_field_index(name), name, times)
    return flows


def verdicts(tables, capture):
    columns = [name for name in FLOW_SCHEMA.names if name in capture.columns]
    found = [
        judge_batch(tables, batch).verdict[0].tolist()
        for split in capture.splits
        for batch in capture.read(split, columns, 1000)
    ]
    return [Verdict(value) for values in found for value in values]


@pytest.fixture(scope="module")
def judged(world, tmp_path_factory):
    tables, flows = world
    found = {}
    for name, write in WRITERS.items():
        path = tmp_path_factory.mktemp(name) / "capture"
        written = packets_of(flows) if name in PACKETS else flows
        write(path, written.to_batches())
        capture = open_capture([str(path)])
        assert list(capture.formats) == [name]
        found[name] = verdicts(know_collectives(capture, tables, Threads(1), 1000), capture)
    return found


def of_columns(world, tmp_path, left_out, *, whole=False):
    tables, flows = world
    if whole:
        flows = packets_of(flows)
    path = tmp_path / "own.parquet"
    pq.write_table(flows.drop_columns(list(left_out)), path)
    return verdicts(tables, open_capture([str(path)]))


@pytest.mark.parametrize("name", [name for name in WRITERS if name not in AGGREGATED])
def test_an_export_has_the_verdicts_of_the_flows(world, judged, tmp_path, name):
    expected = of_columns(world, tmp_path, LACKING.get(name, ()), whole=name in PACKETS)
    assert judged[name] == expected
    assert set(Counter(expected)) == set(Verdict)


@pytest.mark.parametrize("name", AGGREGATED)
def test_an_aggregated_export_has_the_same_verdicts_or_unknown_ones(world, judged, tmp_path, name):
    tables, flows = world
    expected = of_columns(world, tmp_path, ())
    meant = [row for row, flow in enumerate(rows_of(flows.to_batches())) if is_told(tables.cluster, flow)]
    found = [(expected[row], judged[name][row]) for row in meant]
    assert {pair for pair in found if pair[0] is not pair[1]} <= {
        (Verdict.ALLOW, Verdict.UNKNOWN),
        (Verdict.DENY, Verdict.UNKNOWN),
    }
    assert sum(ours is theirs for ours, theirs in found) > len(flows) / 2
    assert {ours for _, ours in found} == set(Verdict)


def is_told(cluster, flow):
    """Whether both ends are pods, or outside the cluster: those that the format has words for."""
    ends = [(flow[f"{end}_pod"], flow[f"{end}_address"]) for end in ("source", "destination")]
    return all(pod or address is None or Address.parse(address) not in cluster.owned for pod, address in ends)
