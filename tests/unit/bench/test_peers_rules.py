"""Rules written out as relations say what the rules say, and an answer is the same from either side."""

import numpy as np
import pyarrow as pa
import pytest

from bench.clusters import kernel_scenario
from bench.counting import GROUP, SUMS, Answer
from bench.flows import judge_tuples, random_flows
from bench.peers_rules import relations_of, spans
from simcore.model.addresses import Address, Cidr, Family
from simcore.model.peers import Network
from simcore.tables.build import build_tables

EGRESS, INGRESS = 0, 1
NO_LABELS = pa.table({"first": pa.array([0], pa.uint32()), "label": pa.array([0], pa.int32())})


@pytest.fixture(scope="module")
def scenario():
    return kernel_scenario(500, 200, 50)


@pytest.fixture(scope="module")
def relations(scenario):
    return relations_of(scenario, NO_LABELS)


class Asked:
    """The relations as sets, and the joins as loops."""

    def __init__(self, relations):
        rows = {name: {tuple(row.values()) for row in table.to_pylist()} for name, table in relations.tables.items()}
        self.pods = dict(rows["pods"])
        self.isolated = {key: rule for *key, rule in rows["isolated"] for key in [tuple(key)]}
        self.rows = rows

    def deciding(self, direction, source, destination, protocol, port):
        ends = [(source, destination), (destination, source)][direction]
        subject, peer = map(self.pods.get, ends)
        if self.pods.get(source) == self.pods.get(destination) is not None or (direction, subject) not in self.isolated:
            return -1
        found = [
            rule
            for at, pod, rule in self.rows["bound"]
            if (at, pod) == (direction, subject)
            and self.has_port(rule, self.pods.get(destination), protocol, port)
            and self.has_peer(rule, peer, ends[1])
        ]
        return min(found, default=self.isolated[direction, subject])

    def has_port(self, rule, destination, protocol, port):
        named = (rule, destination, protocol, port) in self.rows["named_ports"]
        spans = self.rows["ports"]
        return named or any(s[:2] == (rule, protocol) and s[2] <= port <= s[3] for s in spans)

    def has_peer(self, rule, pod, address):
        spans = self.rows["peer_ranges"]
        return (rule, pod) in self.rows["peer_pods"] or any(s[0] == rule and s[1] <= address <= s[2] for s in spans)


def test_the_first_rule_that_matches_in_the_relations_decides(scenario, relations):
    tables = build_tables(scenario.cluster, scenario.policies)
    flows = random_flows(scenario, 1_000)
    judged = judge_tuples(tables, flows)
    decides = relations.deciding(tables)
    asked = Asked(relations)
    columns = (flows.source, flows.destination, flows.protocol, flows.port)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    found = [[asked.deciding(direction, *row) for direction in (EGRESS, INGRESS)] for row in rows]
    assert found == np.stack([decides[judged.egress[0] >> 2], decides[judged.ingress[0] >> 2]], axis=1).tolist()
    assert len({rule for pair in found for rule in pair}) > 10


@pytest.mark.parametrize(
    "excluded", [[], ["10.0.0.0/29"], ["10.0.0.24/29", "10.0.0.8/30", "10.0.0.8/31"], ["10.0.0.0/8"]]
)
def test_spans_are_a_block_less_its_exceptions(excluded):
    block = Network(Cidr.parse("10.0.0.0/27"), tuple(map(Cidr.parse, excluded)))
    around = range(block.cidr.first - 2, block.cidr.last + 3)
    inside = [number for number in around if block.contains(Address(Family.V4, number))]
    assert [number for first, last in spans(block) for number in range(first, last + 1)] == inside


def test_named_ports_stand_for_what_destinations_declare(scenario, relations):
    declared = {port.number for pod in scenario.cluster.pods for port in pod.ports}
    numbers = relations.tables["named_ports"]["port"].to_pylist()
    assert numbers
    assert declared.issuperset(numbers)


def answer(*rows):
    names = (*GROUP, *SUMS)
    return Answer.of_table(pa.table([pa.array(column, pa.int64()) for column in zip(*rows, strict=True)], names))


def test_groups_that_differ_in_their_reasons_only_become_one():
    allowed = (-1, -1, -1, -1, -1, -1, 0, 7, 70, 700, 1, 9)
    others = [(1, 2, 6, 80, 4 * outcome + 1, 0, 1, 1, 10, 100, 5 + outcome, 8 + outcome) for outcome in (1, 2, 3)]
    found = answer(*others, allowed)
    assert found.counts.tolist() == [7, 3, 0]
    rule_of = np.array([-1, 30, 30, 31])
    merged = [(1, 2, 6, 80, 30, -1, 1, 2, 20, 200, 6, 10), (1, 2, 6, 80, 31, -1, 1, 1, 10, 100, 8, 11)]
    assert found.by_rule(rule_of).equals(answer(*merged, allowed))
    assert not found.by_rule(rule_of).equals(answer(merged[0], merged[0], allowed))
