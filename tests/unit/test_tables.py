"""Tables: what they take over from others, and what an address is called."""

import pickle
from dataclasses import replace

import pytest

import simcore
from simcore.analyses.judging import flow_columns, judge_columns, objects_of
from simcore.model.addresses import Address
from simcore.model.flows import End, Flow
from simcore.model.ports import TCP

from ..manifests import load


def pod(name, address):
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"namespace": "shop", "name": name, "labels": {"app": name}},
        "status": {"phase": "Running", "podIPs": [{"ip": address}]},
        "spec": {"containers": [{"name": "c"}]},
    }


def policy(name, *blocks):
    peers = [{"ipBlock": block} for block in blocks]
    return {
        "kind": "NetworkPolicy",
        "apiVersion": "networking.k8s.io/v1",
        "metadata": {"namespace": "shop", "name": name},
        "spec": {"podSelector": {"matchLabels": {"app": name}}, "ingress": [{"from": peers}]},
    }


SHOP = {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "shop"}}
WEB = policy("web", {"cidr": "192.0.2.0/24"}, {"cidr": "198.51.100.0/24"})
SNAPSHOT = load(SHOP, pod("web", "10.0.0.1"), pod("db", "10.0.0.2"), WEB, policy("db", {"cidr": "192.0.2.0/24"}))


def name_of(tables, address):
    flow = Flow(End(address=Address.parse(address)), End(address=Address.parse("10.0.0.1")), TCP, 80)
    source = judge_columns(tables, *flow_columns(tables.pod_numbers, [flow])).source
    return tables.labels[tables.label_of[objects_of(tables, source)[0]]]


def test_what_an_edit_leaves_alone_is_taken_over():
    tables = simcore.build_tables(SNAPSHOT.cluster, SNAPSHOT.policies)
    fewer = simcore.build_tables(SNAPSHOT.cluster, SNAPSHOT.policies[:1], base=tables)
    again = simcore.build_tables(SNAPSHOT.cluster, SNAPSHOT.policies, base=fewer)
    assert tables.arrays.trie_v4 is fewer.arrays.trie_v4 is again.arrays.trie_v4


def test_a_thousand_edits_do_not_make_tables_grow():
    tables, policies = simcore.build_tables(SNAPSHOT.cluster, SNAPSHOT.policies), SNAPSHOT.policies
    first, most = len(tables.arrays.decision), 0
    for _ in range(1000):
        copied = [replace(policy, rules=tuple(replace(rule) for rule in policy.rules)) for policy in policies]
        tables = simcore.build_tables(SNAPSHOT.cluster, copied, base=tables)
        most = max(most, len(tables.arrays.decision), tables.kept.book.number_of.size)
    assert first < 20
    assert 1000 < most < 1200


def test_an_edit_that_tells_more_apart_has_tables_built_anew():
    tables = simcore.build_tables(SNAPSHOT.cluster, SNAPSHOT.policies[:1])
    new = load(SHOP, policy("web", {"cidr": "203.0.113.0/24"})).policies
    assert simcore.build_tables(SNAPSHOT.cluster, new, base=tables).arrays.trie_v4 is not tables.arrays.trie_v4


def test_a_base_of_another_cluster_or_profile_is_refused():
    tables = simcore.build_tables(SNAPSHOT.cluster, SNAPSHOT.policies)
    with pytest.raises(ValueError, match="another cluster or profile"):
        simcore.build_tables(replace(SNAPSHOT.cluster), SNAPSHOT.policies, base=tables)
    profile = simcore.Profile(hostnetwork="pod")
    with pytest.raises(ValueError, match="another cluster or profile"):
        simcore.build_tables(SNAPSHOT.cluster, SNAPSHOT.policies, profile=profile, base=tables)


def test_unpickled_tables_can_be_a_base():
    tables = pickle.loads(pickle.dumps(simcore.build_tables(SNAPSHOT.cluster, SNAPSHOT.policies)))
    rebuilt = simcore.build_tables(tables.cluster, SNAPSHOT.policies[:1], base=tables)
    fresh = simcore.build_tables(tables.cluster, SNAPSHOT.policies[:1])
    assert rebuilt.outcomes == fresh.outcomes


def test_addresses_before_an_excluded_block_are_not_called_by_it():
    written = policy("web", {"cidr": "192.0.2.0/24", "except": ["192.0.2.0/25"]})
    tables = simcore.build_tables(SNAPSHOT.cluster, load(SHOP, written).policies)
    assert [name_of(tables, each) for each in ("192.0.1.255", "192.0.2.1", "192.0.2.200")] == [
        "external",
        "192.0.2.0/25",
        "192.0.2.0/24",
    ]


def test_blocks_that_no_rule_mentions_any_more_name_nothing():
    tables = simcore.build_tables(SNAPSHOT.cluster, SNAPSHOT.policies)
    fewer = simcore.build_tables(SNAPSHOT.cluster, SNAPSHOT.policies[:1], base=tables)
    assert [name_of(each, "198.51.100.7") for each in (tables, fewer)] == ["198.51.100.0/24", "external"]
