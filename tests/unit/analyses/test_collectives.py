"""Captures whose records name many ends at once, replayed."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import simcore
from loaders.captures import open_capture
from simcore.model.flows import Reason
from tests.manifests import load

WEB = {"app": "web"}


def pod(name, labels, workload, address):
    owner = {"kind": "StatefulSet", "name": workload, "controller": True, "apiVersion": "apps/v1", "uid": "1"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", "labels": labels, "ownerReferences": [owner]},
        "spec": {"nodeName": "worker-1", "containers": [{"name": "c"}]},
        "status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]},
    }


def policy(name, labels, peer):
    spec = {"podSelector": {"matchLabels": labels}, "policyTypes": ["Ingress"], "ingress": [{"from": [peer]}]}
    metadata = {"name": name, "namespace": "shop"}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


@pytest.fixture(scope="module")
def world():
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "worker-1"}}
    snapshot = load(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}},
        node | {"status": {"addresses": [{"type": "InternalIP", "address": "10.0.0.7"}]}},
        pod("web-a", WEB, "web", "10.1.0.1"),
        pod("web-b", WEB, "web", "10.1.0.2"),
        pod("webhook-a", {"app": "hook"}, "webhook", "10.1.0.3"),
        pod("db-0", {"app": "db"}, "db", "10.1.0.4"),
        policy("db", {"app": "db"}, {"podSelector": {"matchLabels": WEB}}),
        policy("web", WEB, {"ipBlock": {"cidr": "203.0.113.0/24"}}),
    )
    return snapshot.cluster, snapshot.policies


@pytest.fixture
def replayed(world, tmp_path):
    def replay(source, destination, given=None):
        path = str(tmp_path / "flows.parquet")
        flow = {"source_pod": [source], "destination_pod": [destination], "protocol": [6], "destination_port": [80]}
        pq.write_table(pa.table(flow), path)
        return simcore.replay(open_capture([path]), *(world if given is None else [given]))

    return replay


@pytest.mark.parametrize(
    ("source", "destination", "verdict"),
    [
        ("shop/web-*", "shop/db-0", "ALLOW"),
        ("shop/webhook-*", "shop/db-0", "DENY"),
        ("shop/web*", "shop/db-0", "UNKNOWN"),
        ("shop/db-0", "shop/web-*", "DENY"),
        ("external:public", "shop/db-*", "DENY"),
        ("external:public", "shop/web-*", "UNKNOWN"),
        ("shop/web-*", "external:private", "ALLOW"),
        ("node:worker-1", "shop/db-0", "ALLOW"),
        ("node:worker-2", "shop/db-0", "UNKNOWN"),
        ("shop/api-*", "shop/db-0", "UNKNOWN"),
    ],
)
def test_a_name_that_stands_for_many_has_the_verdict_on_which_all_agree(replayed, source, destination, verdict):
    result = replayed(source, destination)
    assert (result.allowed, result.denied, result.unknown) == tuple(
        int(verdict == word) for word in ("ALLOW", "DENY", "UNKNOWN")
    )


def test_the_workload_names_ends_that_are_all_of_one(replayed):
    (group,) = replayed("shop/webhook-*", "shop/db-*").groups
    assert (group.source, group.destination) == ("shop/StatefulSet/webhook", "shop/StatefulSet/db")
    (group,) = replayed("external:public", "shop/web*").groups
    assert (group.source, group.destination) == ("external", "shop/web*")
    assert group.example.destination == "shop/web*"


def test_a_name_of_which_the_cluster_holds_nothing_is_an_unknown_pod(replayed):
    result = replayed("shop/api-*", "shop/db-0")
    assert result.unknown_reasons == {Reason.UNKNOWN_POD: 1}


def test_tables_of_the_caller_learn_the_names_of_a_capture(world, replayed):
    tables = simcore.build_tables(*world)
    result = replayed("shop/web-*", "shop/db-0", tables)
    assert result.allowed == 1
    assert not tables.collectives
