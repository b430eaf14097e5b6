"""Replays of captures whose ends are told by numeric identities."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from loaders import open_capture
from simcore.analyses.replay import replay
from simcore.analyses.sessions.stateful import StatefulOptions
from simcore.model.addresses import Address
from simcore.model.flows import Reason
from tests.manifests import load

IDENTITY = {
    "apiVersion": "cilium.io/v2",
    "kind": "CiliumIdentity",
    "metadata": {"name": "300"},
    "security-labels": {"k8s:app": "web", "k8s:io.kubernetes.pod.namespace": "shop"},
}
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "db", "namespace": "shop", "labels": {"app": "db"}},
    "status": {"podIP": "10.0.0.1"},
}
POLICY = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "db", "namespace": "shop"},
    "spec": {
        "podSelector": {"matchLabels": {"app": "db"}},
        "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "web"}}}]}],
    },
}


def capture(path, **columns):
    rows = len(next(iter(columns.values())))
    held = {
        "time": pa.array(range(rows), pa.timestamp("ns")),
        "source_address": pa.array([Address.parse(f"10.0.9.{row}").value for row in range(rows)], pa.uint32()),
        "destination_address": pa.array([Address.parse("10.0.0.1").value] * rows, pa.uint32()),
        "source_port": pa.array([40_000 + row for row in range(rows)], pa.uint16()),
        "destination_port": pa.array([80] * rows, pa.uint16()),
        "protocol": pa.array([6] * rows, pa.uint8()),
    }
    pq.write_table(pa.table(held | columns), path)
    return open_capture([str(path)])


@pytest.mark.parametrize("stateful", [None, StatefulOptions()])
def test_an_identity_tells_what_the_address_does_not(tmp_path, stateful):
    snapshot = load(IDENTITY, POD, POLICY)
    numbers = pa.array([300, 2, None, 300], pa.uint32())
    names = pa.array(["shop/gone", None, None, None])
    flows = capture(tmp_path / "flows.parquet", source_identity=numbers, source_pod=names)
    found = replay(flows, snapshot.cluster, snapshot.policies, stateful=stateful)
    assert (found.allowed, found.denied, found.unknown) == (2, 2, 0)


def test_a_pod_that_is_gone_is_unknown_without_its_identity(tmp_path):
    snapshot = load(POD, POLICY)
    numbers, names = pa.array([300], pa.uint32()), pa.array(["shop/gone"])
    flows = capture(tmp_path / "flows.parquet", source_identity=numbers, source_pod=names)
    assert replay(flows, snapshot.cluster, snapshot.policies).unknown_reasons == {Reason.UNKNOWN_POD: 1}


def test_denied_flows_are_grouped_by_identity(tmp_path):
    other = {**IDENTITY, "security-labels": {**IDENTITY["security-labels"], "k8s:app": "other"}}
    snapshot = load(other, POD, POLICY)
    flows = capture(tmp_path / "flows.parquet", source_identity=pa.array([300, 300], pa.uint32()))
    (group,) = replay(flows, snapshot.cluster, snapshot.policies).groups
    assert (group.source, group.flows) == ("shop/Identity/300", 2)
    assert group.example.source == "10.0.9.0 (shop/identity:300)"


def test_pods_of_one_identity_are_not_one_pod(tmp_path):
    snapshot = load({**IDENTITY, "security-labels": {**IDENTITY["security-labels"], "k8s:app": "db"}}, POD, POLICY)
    both = pa.array([300, 300], pa.uint32())
    there = [Address.parse(text).value for text in ("10.0.9.0", "10.0.9.9")]
    flows = capture(
        tmp_path / "flows.parquet",
        source_identity=both,
        destination_identity=both,
        destination_address=pa.array(there, pa.uint32()),
    )
    found = replay(flows, snapshot.cluster, snapshot.policies)
    assert (found.allowed, found.denied) == (1, 1)
