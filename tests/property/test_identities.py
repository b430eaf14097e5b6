"""Ends that a capture tells by a numeric identity: the tables against the reference, flow by flow and by batches."""

from dataclasses import replace
from random import Random

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from simcore.analyses.judging import judge_batch, judge_flows, judgement_of
from simcore.model.addresses import Family
from simcore.model.cluster import Cluster, Pod
from simcore.model.schema import FLOW_SCHEMA, WIDE_ADDRESS
from simcore.reference import Reference
from simcore.tables.build import build_tables

from .. import strategies, strategies_rules
from ..captures import recorded, request_columns

NUMBERS = (4, 300, 301, 16_777_217)


def with_stand_ins(random, cluster):
    """The cluster with pods that stand in for identities: two of a namespace, and one that is reserved."""
    labels = [strategies.make_labels(random) for _ in range(2)]
    found = [Pod(random.choice(strategies.NAMESPACES), f"identity:{n}", held) for n, held in enumerate(labels)]
    found = [replace(pod, stands_in=True) for pod in (*found, Pod("", "identity:4", {}, reserved="health"))]
    numbers = dict(zip((300, 301, 4), [pod.full_name for pod in found], strict=True))
    namespaces, pods = cluster.namespaces.values(), [*cluster.pods, *found]
    return Cluster.of(
        namespaces, pods, cluster.nodes, cluster.services, cluster.accounts, cluster.names, identities=numbers
    )


def some_question(random):
    cluster, ends = strategies_rules.some_cluster(random)
    cluster = with_stand_ins(random, cluster)
    ends += [replace(end, identity=random.choice(NUMBERS)) for end in ends]
    ends += [replace(end, pod="n1/gone", identity=300) for end in ends[:3]]
    flows = [strategies_rules.some_flow(random, cluster, ends) for _ in range(60)]
    return cluster, strategies_rules.some_policies(random), flows, strategies_rules.some_profile(random)


def batch_of(flows, *, wide, named):
    """The flows as a capture has them, with IPv4 addresses alone or any, with names of pods or without."""
    columns = {}
    for name in ("source", "destination"):
        ends = [getattr(flow, name) for flow in flows]
        columns[f"{name}_identity"] = pa.array([end.identity for end in ends], pa.uint32())
        values = [None if end.address is None else packed(end.address) if wide else end.address.value for end in ends]
        columns[f"{name}_address"] = pa.array(values, WIDE_ADDRESS if wide else pa.uint32())
        if named:
            columns[f"{name}_pod"] = pa.array([end.pod for end in ends]).dictionary_encode()
    fields = {"protocol": "protocol", "destination_port": "port"}
    fields |= {name: name for name in ("source_port", "icmp_type", "icmp_code")}
    for column, attribute in fields.items():
        columns[column] = pa.array([getattr(flow, attribute) for flow in flows], FLOW_SCHEMA.field(column).type)
    return pa.record_batch(columns | request_columns(flows))


def packed(address):
    value = address.value | (0xFFFF << 32 if address.family is Family.V4 else 0)
    return value.to_bytes(16, "big")


@given(st.integers(0, 2**48))
def test_tables_agree_with_the_reference(seed):
    cluster, policies, flows, profile = some_question(Random(seed))
    reference = Reference(cluster, policies, profile)
    for flow, judgement in zip(flows, judge_flows(cluster, policies, flows, profile), strict=True):
        assert judgement == reference.judge(flow), flow


@given(st.integers(0, 2**48), st.booleans(), st.booleans())
def test_batches_agree_with_the_reference(seed, wide, named):
    cluster, policies, flows, profile = some_question(Random(seed))
    if not named:
        flows = [
            replace(f, source=replace(f.source, pod=None), destination=replace(f.destination, pod=None)) for f in flows
        ]
    flows = [recorded(flow) for flow in flows]
    if not wide:
        flows = [flow for flow in flows if not has_v6(flow)]
    tables = build_tables(cluster, policies, profile=profile)
    judged = judge_batch(tables, batch_of(flows, wide=wide, named=named))
    reference = Reference(cluster, policies, profile)
    for row, flow in enumerate(flows):
        cells = judged.egress[0, row], judged.ingress[0, row], judged.verdict[0, row]
        assert judgement_of(tables, *map(int, cells)) == reference.judge(flow), flow


def has_v6(flow):
    return any(end.address is not None and end.address.family is Family.V6 for end in (flow.source, flow.destination))
