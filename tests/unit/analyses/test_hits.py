"""Hits of rules against the rule columns that replay writes, row by row; and whatever the threads and batches."""

from collections import Counter
from ipaddress import ip_address, ip_network

import pyarrow.parquet as pq
import pytest

import loaders
import simcore
from loaders.synthetic.cluster import generate_cluster
from loaders.synthetic.flows import generate_flows
from simcore.analyses.hits import BlockTraffic, count_hits
from simcore.model.addresses import Address, Cidr
from simcore.model.peers import AnyOf
from simcore.model.policy import Direction

ROWS = 6_000


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    generate_cluster("S", 7, folder / "cluster")
    snapshot = loaders.load_manifests([str(folder / "cluster")])
    whole, out = folder / "whole.parquet", folder / "out.parquet"
    generate_flows(snapshot.cluster, ROWS, 5, whole)
    pq.write_table(pq.read_table(whole), whole, row_group_size=900)
    capture = loaders.open_capture([str(whole)])
    ends = pq.read_table(whole).select(["source_address", "destination_address"])
    simcore.replay(capture, snapshot.cluster, snapshot.policies, output=out)
    return snapshot, capture, ends.to_pylist(), pq.read_table(out).to_pylist()


@pytest.fixture(scope="module")
def hits(world):
    return count_hits(world[1], world[0].cluster, world[0].policies)


def test_a_rule_has_the_flows_that_it_decides_in_its_direction(world, hits):
    expected = Counter()
    for row in world[3]:
        expected.update(number for number in (row["egress_rule"], row["ingress_rule"]) if number is not None)
    assert hits.flows == ROWS
    assert {n: flows for n, flows in enumerate(hits.counts.tolist()) if flows} == expected


def test_every_rule_is_told_most_flows_first(hits):
    told = hits.of_rules
    assert {str(rule) for rule, _ in told} == {str(rule) for rule in hits.rules}
    assert sum(flows for _, flows in told) == hits.counts.sum() > 0
    assert [flows for _, flows in told] == sorted((flows for _, flows in told), reverse=True)


def test_ends_are_counted_by_workload(world, hits):
    cluster = world[0].cluster
    for direction, end in ((Direction.EGRESS, "source"), (Direction.INGRESS, "destination")):
        expected = Counter()
        for row in world[2]:
            numbers = cluster.pods_at.get(address(row[f"{end}_address"]), ())
            if len(numbers) == 1:
                expected[str(cluster.pods[numbers[0]].workload)] += 1
        assert dict(hits.guarded[direction]) == expected


def test_blocks_have_the_lowest_and_the_highest_address(world, hits):
    assert hits.blocks
    for (number, block), found in hits.blocks.items():
        rule = hits.rules[number]
        end = "destination" if rule.direction is Direction.EGRESS else "source"
        deciding = f"{rule.direction.word}_rule"
        seen = [
            address(row[f"{end}_address"])
            for row, result in zip(world[2], world[3], strict=True)
            if result[deciding] == number and row[f"{end}_address"] and block.contains(address(row[f"{end}_address"]))
        ]
        assert block in (rule.peer.members if isinstance(rule.peer, AnyOf) else (rule.peer,))
        assert found == BlockTraffic(len(seen), min(seen), max(seen))
        assert all(found.cover.contains(each) for each in seen)


def test_who_goes_outside_is_allowed_to(world, hits):
    expected = Counter()
    owned = world[0].cluster.owned
    for row, result in zip(world[2], world[3], strict=True):
        there = address(row["destination_address"])
        pods = world[0].cluster.pods_at.get(address(row["source_address"]), ())
        if there is None:
            continue
        if len(pods) == 1 and result["verdict"] == "ALLOW" and there not in owned and is_public(there):
            expected[str(world[0].cluster.pods[pods[0]].workload)] += 1
    found = Counter()
    for each in hits.outward:
        found[each.source] += each.flows
    assert found == expected
    assert expected


def test_neither_threads_nor_batches_matter(world, hits):
    snapshot, capture, _, _ = world
    other = count_hits(capture, snapshot.cluster, snapshot.policies, threads=3, batch_rows=257)
    assert other.of_rules == hits.of_rules
    assert (other.guarded, other.blocks, other.outward) == (hits.guarded, hits.blocks, hits.outward)


@pytest.mark.parametrize(
    ("first", "last", "cover"),
    [
        ("10.1.2.3", "10.1.2.3", "10.1.2.3/32"),
        ("10.1.2.3", "10.1.3.9", "10.1.2.0/23"),
        ("0.0.0.1", "255.0.0.1", "0.0.0.0/0"),
        ("2001:db8::1", "2001:db8::ff", "2001:db8::/120"),
    ],
)
def test_the_cover_is_the_smallest_block_that_holds_both(first, last, cover):
    assert BlockTraffic(2, Address.parse(first), Address.parse(last)).cover == Cidr.parse(cover)


EXAMPLES = [ip_network(text) for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")]


def is_public(there):
    """By the standard library, but for the addresses of examples, which stand for public ones."""
    one = ip_address(str(there))
    return not one.is_multicast and (one.is_global or any(one in network for network in EXAMPLES))


def address(value):
    return None if value is None else Address.from_bytes(value.to_bytes(4, "big") if isinstance(value, int) else value)
