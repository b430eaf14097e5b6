"""Tables and kernels against the reference: same verdict, same rule, same reason, for every flow."""

from itertools import product

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from simcore.analyses.judging import judge_batch, judgement_of
from simcore.model.addresses import Family
from simcore.model.flows import End, Flow
from simcore.model.schema import WIDE_ADDRESS
from simcore.reference import Reference
from simcore.tables.build import build_tables

from .. import strategies
from ..captures import wide
from ..engines import assert_tables_agree
from ..manifests import load


@st.composite
def questions(draw):
    """A cluster, its policies, and every flow between some ends, on some ports."""
    cluster = draw(strategies.clusters())
    ends = [strategies.model_end(end) for end in draw(st.lists(strategies.ends(cluster), min_size=3, max_size=8))]
    drawn = [strategies.model_flow(draw(strategies.flows(cluster))) for _ in range(4)]
    flows = [
        Flow(source, destination, flow.protocol, flow.port) for source, destination, flow in product(ends, ends, drawn)
    ]
    return cluster, draw(strategies.policies()), [*drawn, *flows], draw(strategies.profiles())


@given(questions())
def test_tables_agree_with_the_reference(question):
    cluster, policies, flows, profile = question
    snapshot = load(*cluster, *policies)
    assert_tables_agree(snapshot.cluster, snapshot.policies, flows, profile)


def column(ends, kind):
    """A column of addresses, of whose first row it is cut off; what is missing holds the address of the row before."""
    held = [b"\0" * kind.byte_width]
    for end in ends:
        if end.address is None:
            held.append(held[-1])
        elif kind == WIDE_ADDRESS:
            held.append(wide(str(end.address)))
        else:
            held.append(end.address.value.to_bytes(4, "little"))
    known = pa.array([True, *(end.address is not None for end in ends)])
    return pa.Array.from_buffers(kind, len(held), [known.buffers()[1], pa.py_buffer(b"".join(held))])[1:]


def is_ipv6(end):
    return end.address is not None and end.address.family is Family.V6


@given(questions(), st.sampled_from([WIDE_ADDRESS, pa.uint32()]))
def test_batches_that_name_no_pod_agree_with_the_reference(question, kind):
    cluster, policies, flows, profile = question
    flows = [Flow(End(flow.source.address), End(flow.destination.address), flow.protocol, flow.port) for flow in flows]
    if kind != WIDE_ADDRESS:
        flows = [flow for flow in flows if not any(is_ipv6(end) for end in (flow.source, flow.destination))]
    snapshot = load(*cluster, *policies)
    reference = Reference(snapshot.cluster, snapshot.policies, profile)
    tables = build_tables(snapshot.cluster, snapshot.policies, profile=profile)
    columns = {
        "source_address": column([flow.source for flow in flows], kind),
        "destination_address": column([flow.destination for flow in flows], kind),
        "destination_port": pa.array([flow.port for flow in flows], pa.uint16()),
        "protocol": pa.array([flow.protocol for flow in flows], pa.uint8()),
    }
    judged = judge_batch(tables, pa.RecordBatch.from_pydict(columns))
    cells = zip(judged.egress[0].tolist(), judged.ingress[0].tolist(), judged.verdict[0].tolist(), strict=True)
    for flow, found in zip(flows, cells, strict=True):
        assert judgement_of(tables, *found) == reference.judge(flow), flow
